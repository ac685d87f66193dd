"""A case file asked again: the model writes what it once wrote, and everything else is done anew."""

from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Any

from lintseq_lsp.actions import Action, ActionKind
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.cases import Case
from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.table import detect
from lintseq_lsp.gate import Gate
from lintseq_lsp.generation import Ended, Step
from lintseq_lsp.linters.base import Check, Linter, Report
from lintseq_lsp.recorder import RecordingEngine, as_shown
from lintseq_lsp.settings import UNMEASURED, Settings
from lintseq_lsp.suggestions import Outcome
from lintseq_lsp.text import Document

_MEASURED = ("half_typed_line", "new_line", "next_edit")


def replay(case: Case, gate: Gate) -> tuple[Outcome | list[Step | Ended], Case]:
    """What comes of the request when the model writes the same again, also as a case.

    The verdicts are waited for one by one, so that each answer is one for the same state as then.
    """
    options = case.options
    document = Document(case.document)
    counts = {
        text: count
        for texts in (document.lines, as_shown(document))
        for text, count in zip(texts, options.tokens, strict=False)
        if count
    }
    settings = Settings(
        max_lines=options.max_lines, tries=options.tries, strings_and_comments=options.strings_and_comments
    )
    backend = ScriptedBackend(case.answers, context=options.context, tokens=counts)
    engine = RecordingEngine(
        backend,
        replace(gate, linter=_AtOnce(gate.linter)),
        prompt_format=detect(backend.has, "the recorded model", options.format),
        settings=settings,
        certainty=replace(UNMEASURED, **dict[str, Any](zip(_MEASURED, options.measured, strict=False))),
    )
    result = _asked(engine, case, document)
    again = engine.recorded(document.path)
    assert again is not None  # the memory is empty: nothing is known before
    return result, again


def _asked(engine: Engine, case: Case, document: Document) -> Outcome | list[Step | Ended]:
    options, places = case.options, case.places
    lines = [document.position(place)[0] for place in places]
    match case.way:
        case "complete":
            return engine.complete(
                document,
                places[0],
                recent=options.recent,
                candidates=options.candidates,
                certainty=options.certainty,
            )
        case "next-edit":
            return engine.next_edit(document, places[0], recent=options.recent, certainty=options.certainty)
        case "edit":
            asked = (lines[0], lines[-1]) if lines else None
            return list(engine.edit(document, options.instruction, lines=asked))
        case kind:
            return engine.resolve(
                document,
                Action(ActionKind(kind), lines[0], lines[-1], "", options.symbol, options.message),
            )


@dataclass(frozen=True, slots=True)
class _AtOnce:
    """A linter that has always answered already."""

    _linter: Linter

    def submit(self, check: Check) -> Future[Report]:
        report = self._linter.submit(check)
        wait([report])
        return report

    def close(self) -> None:
        self._linter.close()
