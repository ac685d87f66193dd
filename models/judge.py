"""What is measured of an answer: the gate's verdict, and a second linter's findings."""

import difflib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from positions import Position

from lintseq_lsp.errors import LinterError
from lintseq_lsp.linters.base import Check, Report, Tier
from lintseq_lsp.reasons import Reason
from lintseq_lsp.runtime import open_gate, open_linter
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict, finding_key

MODULE = "untitled.py"
SETTINGS = Settings(gate_timeout=60.0)
REMEMBERED = 64  # reports on what positions have already


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the file of answers: what `system` wrote behind `typed`, and what became of it.

    `is_first` is the first answer as it came, else the first that the gate accepted. `reason` is the
    gate's, "" for an empty answer; `early` says that the syntax check alone rejects it, and is None where
    that was not kept; `findings` counts the new ones. `writing` and `checking` (by the gate) are
    milliseconds, those of rejected candidates included.
    """

    system: str
    task: str
    number: int
    is_first: bool
    text: str = ""
    exact: bool = False
    similarity: float = 0.0
    reason: str = ""
    findings: int = 0
    writing: float = 0.0
    checking: float = 0.0
    early: bool | None = None

    @property
    def accepted(self) -> bool:
        return self.reason == Reason.ACCEPTED.value


@dataclass(frozen=True, slots=True)
class Written:
    """A text behind `typed`, and the document with it."""

    text: str
    document: Document


class Judge:
    """The gate, and a linter process of its own that only measures what the gate let through or not."""

    def __init__(self) -> None:
        self.gate, self._linter = open_gate(SETTINGS), open_linter(SETTINGS)
        self._known: dict[str, Report] = {}

    def close(self) -> None:
        self.gate.linter.close()
        self._linter.close()

    def lint(self, text: str) -> Report:
        report = self._linter.submit(Check(text, MODULE, Tier.PYLINT, SETTINGS.gate_timeout)).result()
        if report.failure:
            raise LinterError(report.failure)
        return report

    def reason(self, position: Position, document: Document) -> tuple[Reason, float]:
        """The reason of `verdict`."""
        verdict, milliseconds = self.verdict(position, document)
        return verdict.reason, milliseconds

    def verdict(self, position: Position, document: Document) -> tuple[Verdict, float]:
        """The gate's verdict, and the milliseconds that it took; the baseline is known by then."""
        bar = self.gate.against(position.base)
        start = time.perf_counter()
        verdict = bar.judge(document)
        if verdict.reason is Reason.LINTER_FAILED:
            raise LinterError(verdict.detail)
        return verdict, (time.perf_counter() - start) * 1000

    def findings(self, position: Position, document: Document) -> int:
        base = self._known.get(position.base.text)
        if base is None:
            self._known = dict([*self._known.items()][-REMEMBERED:])
            base = self._known[position.base.text] = self.lint(position.base.text)
        before, after = (
            Counter(map(finding_key, report.findings)) for report in (base, self.lint(document.text))
        )
        return (after - before).total()

    def first(self, system: str, position: Position, written: Sequence[Written], writing: float) -> Answer:
        """The first of what was written, as it came."""
        empty = Answer(system, position.task, position.cut.number, is_first=True, writing=writing)
        return self._scored(empty, position, written[0]) if written else empty

    def accepted(self, system: str, position: Position, written: Sequence[Written], writing: float) -> Answer:
        """The first of what was written that the gate accepts."""
        empty = Answer(system, position.task, position.cut.number, is_first=False, writing=writing)
        checking = 0.0
        for candidate in written:
            reason, milliseconds = self.reason(position, candidate.document)
            checking += milliseconds
            if reason is Reason.ACCEPTED:
                return replace(self._scored(empty, position, candidate), checking=checking)
        return replace(empty, checking=checking)

    def _scored(self, empty: Answer, position: Position, written: Written) -> Answer:
        verdict, checking = self.verdict(position, written.document)
        matcher = difflib.SequenceMatcher(None, written.text, position.expected, autojunk=False)
        return replace(
            empty,
            text=written.text,
            exact=position.is_exact(written.document),
            similarity=matcher.ratio(),
            reason=verdict.reason.value,
            early=not verdict.accepted and verdict.tier < Tier.PYLINT,
            findings=self.findings(position, written.document),
            checking=checking,
        )
