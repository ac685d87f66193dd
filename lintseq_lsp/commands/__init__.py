"""The commands of `lintseq-lsp`, one a file. Only here does the package print."""

import typer

from lintseq_lsp.commands import bench, check, complete, doctor, edit, gate, hook, mcp, replay, tour
from lintseq_lsp.synthesis.commands import synthesize
from lintseq_lsp.weights.commands import app as model

app = typer.Typer(
    name="lintseq-lsp",
    help="Python suggestions from a small model on your CPU, each checked with pylint. Without a command it "
    "is the language server: --stdio, or --tcp HOST:PORT for debugging.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("tour")(tour.tour)
app.command("complete")(complete.complete)
app.command("edit")(edit.edit)
app.command("check")(check.check)
app.command("hook")(hook.hook)
app.command("gate")(gate.gate)
app.command("mcp")(mcp.mcp)
app.command("replay")(replay.replay)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.command("synthesize")(synthesize)
app.add_typer(model, name="model", help="Models: list, pull, convert, verify, use.")
