"""`lintseq-lsp doctor`: what is installed and whether it works, one line each, with the mend."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lintseq_lsp.commands.terminal import ENDPOINT, console


def doctor(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Show its project and environment; by default those of a new file in this folder."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A GGUF file or the name of a model.")] = "",
    endpoint: Annotated[str, typer.Option(help=ENDPOINT)] = "",
    python: Annotated[str, typer.Option(help="Interpreter or environment for resolving imports.")] = "",
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Only measure the best number of threads for the model (some seconds)."),
    ] = False,
) -> None:
    """Try every part, from Python to a first suggestion; say what would be faster. Exit 1 if one fails."""
    if tune:
        _tune(model)
        return
    from lintseq_lsp.doctor import checks
    from lintseq_lsp.settings import Settings

    well = True
    for line in checks(Settings(model=model, endpoint=endpoint, python=python), file):
        well = well and line.ok
        mark = Text("ok     " if line.ok else "wrong  ", style="green" if line.ok else "bold red")
        console.print(mark + Text(f"{line.name}: ", style="bold") + Text(line.value), soft_wrap=True)
        if line.faster:
            console.print(Text(f"       faster: {line.faster}", style="yellow"), soft_wrap=True)
        if not line.ok:
            console.print(Text(f"       {line.mend}", style="yellow"), soft_wrap=True)
    if not well:
        raise typer.Exit(1)


def _tune(name: str) -> None:
    """Measures, says so, and remembers it for `lintseq.threads` 0."""
    from lintseq_lsp.tuning import best, measured, remember
    from lintseq_lsp.weights.registry import resolve_model

    model = resolve_model(name or None)
    rates = []
    for rate in measured(model.path, model.context):
        rates.append(rate)
        speeds = f"reads {rate.reading:.0f} tokens/s, writes {rate.writing:.0f}"
        console.print(f"{rate.threads} thread(s): {speeds}")
    chosen = best(rates)
    remember(model.path, chosen)
    counts = f"now reads with {chosen.read} thread(s) and writes with {chosen.write}"
    console.print(f"{model.name} {counts}")
