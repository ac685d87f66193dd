"""`lintseq-lsp replay`: what a model once wrote through parser, gate and loop, without a model."""

import difflib
from pathlib import Path

import typer

from lintseq_lsp.commands.edit import show_result
from lintseq_lsp.commands.files import read_document
from lintseq_lsp.commands.terminal import (
    PATIENCE,
    clear_errors,
    console,
    show_diff,
    show_outcome,
    show_step,
)
from lintseq_lsp.generation import Step
from lintseq_lsp.suggestions import Outcome
from lintseq_lsp.text import Document


def replay(case: Path) -> None:
    """Run a case file again with the recorded answer. Exit 1 if the result is not what CASE expects."""
    from lintseq_lsp.cases import expected, read_case
    from lintseq_lsp.replay import replay as asked_again
    from lintseq_lsp.runtime import open_gate
    from lintseq_lsp.settings import Settings

    with clear_errors():
        recorded = read_case(read_document(case).text)
        gate = open_gate(Settings(gate_timeout=PATIENCE))
        try:
            result, again = asked_again(recorded, gate)
        finally:
            gate.linter.close()
    document = Document(recorded.document)
    if isinstance(result, Outcome):
        show_outcome(document, result)
    else:
        for item in result:
            if isinstance(item, Step):
                show_step(item)
            else:
                show_result(Path("document.py"), document, item)
    if recorded.expect and expected(again) != expected(recorded):
        console.print("the case expects something else:", style="bold red")
        lines = difflib.unified_diff(
            expected(recorded).splitlines(), expected(again).splitlines(), lineterm=""
        )
        show_diff("\n".join(list(lines)[2:]))
        raise typer.Exit(1)
