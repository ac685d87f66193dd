"""`lintseq-lsp complete`: what the editor would show at a place, with its evidence."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lintseq_lsp.commands.files import read_document
from lintseq_lsp.commands.terminal import (
    ENDPOINT,
    PATIENCE,
    RECORD,
    clear_errors,
    print_json,
    show_outcome,
    write_recorded,
)
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.suggestions import Suggestion
from lintseq_lsp.text import Document


def complete(
    file: Path,
    line: Annotated[int, typer.Option(help="Zero-based.")],
    column: Annotated[int, typer.Option(help="Zero-based, in code points.")],
    candidates: Annotated[int, typer.Option(min=1, max=8, help="Number of alternatives.")] = 1,
    model: Annotated[str, typer.Option(help="A GGUF file or the name of a model.")] = "",
    endpoint: Annotated[str, typer.Option(help=ENDPOINT)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
    record: Annotated[Path | None, typer.Option(help=RECORD)] = None,
) -> None:
    """Complete FILE at a line and column."""
    from lintseq_lsp.runtime import open_engine
    from lintseq_lsp.settings import Settings

    with clear_errors():
        document = read_document(file)
        if not 0 <= line < len(document.lines) or not 0 <= column <= len(document.lines[line]):
            raise LintSeqError(f"{file} has no line {line}, column {column}: both count from 0")
        settings = Settings(model=model, endpoint=endpoint, gate_timeout=PATIENCE)
        engine = open_engine(settings, first=document.path)
        try:
            outcome = engine.complete(document, document.offset(line, column), candidates=candidates)
            write_recorded(engine, document, record)
        finally:
            engine.close()
    if as_json:
        items = [_item(document, suggestion) for suggestion in outcome.suggestions]
        print_json({"items": items, "reason": outcome.reason.value})
        return
    show_outcome(document, outcome)


def _item(document: Document, suggestion: Suggestion) -> dict[str, Any]:
    (replacement,) = suggestion.replacements
    start, end = document.position(replacement.start), document.position(replacement.end)
    return {
        "insertText": replacement.text,
        "range": {
            "start": {"line": start[0], "column": start[1]},
            "end": {"line": end[0], "column": end[1]},
        },
        "evidence": suggestion.evidence.record(),
    }
