"""The gate: no text is offered that has a finding which the text before did not have.

What the text before has is found out once: `bar = gate.against(document, line)`. Then every candidate is
judged by it: `bar.submit(candidate)`. Deliberately absent: how findings are found (linters/), what makes
one new (verdicts.py), and what silences them (pragmas.py).
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from typing import TypeVar

from lintseq_lsp import lru
from lintseq_lsp.errors import Cancelled, Pending
from lintseq_lsp.linters.base import Check, Dependencies, Finding, Linter, OnDisk, Report, Tier, Workspace
from lintseq_lsp.pragmas import silences_more
from lintseq_lsp.reasons import Reason
from lintseq_lsp.text import Document, indentation
from lintseq_lsp.typed import comment_of, is_decided
from lintseq_lsp.verdicts import Known, Verdict, judge, new_findings

_T = TypeVar("_T")
_MOST = 64  # reports, and documents, that are remembered
_MOST_UNCONFIRMED = 8  # accepted texts
_Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """Which tier judges files of how many lines, and how long (in seconds) one check may take.

    A baseline may take longer: its imports were perhaps never read, and nobody waits for it. `partial`
    allows checks of the functions alone that an edit may concern, where somebody has all of the text
    checked in a pause (`Gate.prepare`).
    """

    pylint_lines: int = 5000
    names_lines: int = 6000
    timeout: float = 2.0
    baseline_timeout: float = 20.0
    partial: bool = False

    def tier(self, lines: int) -> Tier:
        if lines <= self.pylint_lines:
            return Tier.PYLINT
        return Tier.NAMES if lines <= self.names_lines else Tier.SYNTAX


def lint_base(document: Document, line: int | None) -> list[str]:
    """The texts that may stand for the document before an edit at `line`, best first.

    While somebody types, the document itself seldom parses: then the line that is being typed counts
    as `pass`, or as not there. Its comment may be a pragma, and stays.
    """
    texts = [document.text]
    if line is not None and line < len(document.lines):
        start = document.starts[line]
        end = start + len(document.lines[line])
        comment = comment_of(document.lines[line])
        code = _indentation_at(document, line) + "pass" + ("  " + comment if comment else "")
        texts.append(document.text[:start] + code + document.text[end:])
        if document.lines[line].strip():
            texts.append(document.text[:start] + document.text[end:])
    return texts


_ELSEWHERE = frozenset({"bad-indentation", "import-error", "no-name-in-module"})
"""Findings about what is outside of the document, or inside of one line: no other line causes them."""


def _there_before(damaged: Known, last: Known, line: str, *, decided: bool) -> Known:
    """Those of the `damaged` text's findings that are not for want of `line`, the one being typed.

    What `last`, the last text that parsed, had already is known to be there. Of the rest, that may be
    so only where the line is `decided`, and says none of the names.
    """
    missing = new_findings(last, damaged.document, damaged.findings)
    names = set(re.findall(r"\w+", line))
    caused = {
        id(finding)
        for finding in missing
        if finding.symbol not in _ELSEWHERE and not (decided and names.isdisjoint(finding.quoted))
    }
    left = [finding for finding in damaged.findings if id(finding) not in caused]
    return replace(damaged, findings=left, unknown=())


def _indentation_at(document: Document, line: int) -> str:
    """Of a line; of an empty one behind a colon, what its block would have."""
    indent = indentation(document.lines[line])
    if document.lines[line] or line == 0:
        return indent
    above = next((text for text in reversed(document.lines[:line]) if text.strip()), "")
    return indentation(above) + (document.indent if above.rstrip().endswith(":") else "")


@dataclass(frozen=True, slots=True)
class _Failed:
    """What the linter last said of a file that it could not judge, and when it may be asked again."""

    report: Report
    until: float


@dataclass
class Gate:
    """Judges candidates against the text before them.

    `syntax` is a check of microseconds in this process: a candidate that it shows to be broken is
    rejected without waiting for the linter. Only the linter's report accepts.
    """

    linter: Linter
    syntax: Callable[[str], Report]
    policy: GatePolicy = field(default_factory=GatePolicy)
    workspace: Workspace = field(default_factory=OnDisk)
    _reports: OrderedDict[tuple[str, str, Tier, str], Future[Report]] = field(default_factory=OrderedDict)
    _parsed: OrderedDict[str, str] = field(default_factory=OrderedDict)
    _failed: OrderedDict[str, "_Failed"] = field(default_factory=OrderedDict)
    _unconfirmed: OrderedDict[tuple[str, str], "Bar"] = field(default_factory=OrderedDict)
    _withdrawn: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def against(
        self, document: Document, line: int | None = None, cancelled: _Cancelled = lambda: False
    ) -> "Bar":
        """The bar for edits of `document`; `line` is the one being typed.

        Waits for the linter when it is not known what the document has. Raises `Cancelled`.
        """
        return self._against(document, line, lambda report: wait(report, cancelled))

    def prepare(
        self,
        document: Document,
        line: int | None = None,
        *,
        patience: float | None = None,
        whole: bool = False,
    ) -> bool:
        """Has the linter find out what `against` will ask for; whether it could.

        With `whole`, what rests on partial checks is confirmed, or withdrawn: what the document has, and
        the edits of it that were accepted. Raises `Pending` when that takes longer than `patience` seconds.
        """

        def wait_for(report: Future[Report]) -> Report:
            return _soon(report, patience)

        could = self._against(document, line, wait_for, whole=whole).failure is None
        if could and whole:
            self._confirm(document.path, wait_for)
        return could

    def is_withdrawn(self, path: str, text: str) -> bool:
        """Whether the check of all of a text has rejected what a partial one had accepted. In any thread."""
        return (path, text) in self._withdrawn

    def _confirm(self, path: str, wait: "_Wait") -> None:
        """Has all of the texts checked that a partial check has accepted, the newest first."""
        for key, bar in reversed(list(self._unconfirmed.items())):
            if key[0] != path:
                continue
            candidate = bar.document.with_text(key[1])
            report = self._report(candidate.text, candidate, bar.tier, wait, whole=True)
            if report.failure:
                return
            self._unconfirmed.pop(key, None)
            if not judge(bar.known, candidate, report, bar.document).accepted:
                lru.put(self._withdrawn, key, None, _MOST)

    def accepted(self, bar: "Bar", candidate: Document) -> None:
        """Notes what a partial check has accepted."""
        lru.put(self._unconfirmed, (candidate.path, candidate.text), bar, _MOST_UNCONFIRMED)

    def _against(self, document: Document, line: int | None, wait: "_Wait", *, whole: bool = False) -> "Bar":
        tier = self.policy.tier(len(document.lines))
        self.workspace.modules(document.path)  # what is known to be unchanged need not be linted again
        broken: Report | None = None
        for number, text in enumerate(lint_base(document, line)):
            quick = self.quick(text, tier)
            if quick is not None and not quick.parsed:
                broken = broken or quick
                continue
            report = self._report(text, document, tier, wait, whole=whole)
            if report.failure:
                return Bar(self, document, Known(), report.tier, failure=report.failure)
            if report.parsed:
                # What `pass` has where the line is being typed, that line has: it keeps its own text.
                own = document.with_text(text) if number == 2 else document
                known = Known(own, report.findings, report.dependencies, report.unknown)
                if number == 0:
                    lru.put(self._parsed, document.path, text, _MOST)
                elif line is not None:
                    typed = document.lines[line]
                    last = self._last_parsed(document, tier, wait)
                    # A line whose place no statement may have goes on with what is above.
                    known = _there_before(known, last, typed, decided=number == 1 and is_decided(typed))
                return Bar(self, document, known, tier, quick.findings if quick else (), stand_in=text)
            broken = broken or report
        last = self._last_parsed(document, tier, wait)
        newer = broken.newer if broken else ""
        return Bar(self, document, last, tier, parsed=False, newer=newer, stand_in=last.document.text)

    def replace_linter(self, linter: Linter, policy: GatePolicy) -> None:
        """Has another one from now on. What the last one reported counts no more."""
        self.linter.close()
        self.linter, self.policy = linter, policy
        self._reports.clear()
        self._failed.clear()
        self._unconfirmed.clear()

    def check(
        self,
        text: str,
        path: str,
        tier: Tier,
        timeout: float | None = None,
        *,
        indent: str = "    ",
        partial: bool = False,
    ) -> Future[Report]:
        """The linter's own report. Some of pylint's checks want a file name."""
        seconds = self.policy.timeout if timeout is None else timeout
        modules = self.workspace.modules(path)
        patience = self.policy.timeout
        return self.linter.submit(
            Check(
                text,
                path or "untitled.py",
                tier,
                seconds,
                modules,
                indent,
                patience=patience,
                partial=partial and self.policy.partial,
            )
        )

    def quick(self, text: str, tier: Tier) -> Report | None:
        """The check in this process; None where it would take too long, or found no end."""
        if tier is not Tier.PYLINT:
            return None
        report = self.syntax(text)
        return None if report.failure else report

    def holds(self, path: str, dependencies: Iterable[Dependencies]) -> bool:
        """Whether a verdict on the document at `path` would be the same now. Quick, and in any thread."""
        return all(self.workspace.unchanged(path, each) for each in dependencies)

    def _last_parsed(self, document: Document, tier: Tier, wait: "_Wait") -> Known:
        """What the last text of the document that parsed has now; nothing when there was none."""
        text = self._parsed.get(document.path)
        if text is None:
            return Known()
        report = self._report(text, document, tier, wait)
        return Known(document.with_text(text), report.findings, report.dependencies, report.unknown)

    def _report(
        self, text: str, document: Document, tier: Tier, wait: "_Wait", *, whole: bool = False
    ) -> Report:
        """On `text`, which stands for `document` or is an earlier one. The check may be under way."""
        path, indent = document.path, document.indent
        key = (path, text, tier, indent)
        report, failed = self._reports.get(key), self._failed.get(path)
        if report is None or not self._counts(report, path) or (whole and _is_partial(report)):
            if failed is not None and time.monotonic() < failed.until:
                return failed.report
            timeout = self.policy.baseline_timeout
            report = self.check(text, path, tier, timeout, indent=indent, partial=not whole)
        lru.put(self._reports, key, report, _MOST)
        try:
            found = wait(report)
        except CancelledError:  # by who waited for it, too, and does not any more
            return self._report(text, document, tier, wait, whole=whole)
        if found.failure is None:
            self._failed.pop(path, None)
        elif failed is None or found is not failed.report:
            # Whatever is wrong with the file, from the second time on it costs a tenth of a processor.
            pause = 10 * found.milliseconds / 1000 if failed else 0.0
            lru.put(self._failed, path, _Failed(found, time.monotonic() + pause), _MOST)
        return found

    def _counts(self, report: Future[Report], path: str) -> bool:
        """Whether a report need not be asked for again: it is on the way, or still true."""
        if not report.done():
            return True
        if report.cancelled() or report.exception() is not None:
            return False
        known = report.result()
        return not known.failure and self.holds(path, (known.dependencies,))


@dataclass(frozen=True)
class Bar:
    """What an edit of `document` is judged by: it may have no finding that is not `known`.

    `quick` are the findings at `Tier.SYNTAX`. With `failure` set nothing is known, and all is rejected.
    `parsed` is false when the document does not parse; `newer` says then why it may be right all the
    same, and `known` is what the last text that parsed has. `stand_in` is the text that was linted.
    """

    gate: Gate = field(repr=False, compare=False)
    document: Document
    known: Known
    tier: Tier
    quick: Sequence[Finding] = ()
    parsed: bool = True
    failure: str | None = None
    newer: str = ""
    stand_in: str = ""
    before: Document | None = None
    """The state that candidates are edits of, where it is not the document itself any more."""

    def at(self, state: Document) -> "Bar":
        """The bar for edits of `state`, which came about by edits of the document."""
        return replace(self, before=state)

    def submit(self, candidate: Document, *, early: bool = True, lenient: bool = False) -> Future[Verdict]:
        """Judges `candidate` while the caller goes on.

        `early` lets the syntax check reject; without it a rejection lists all that the linter finds.
        `lenient` lets the candidate silence linters and be the reason for doubts itself, which is for
        people to decide.
        """
        verdict: Future[Verdict] = Future()
        before = self.before or self.document
        if self.failure:
            verdict.set_result(Verdict(Reason.LINTER_FAILED, detail=self.failure))
        elif not lenient and silences_more(before.text, candidate.text, self.stand_in):
            verdict.set_result(Verdict(Reason.PRAGMA))
        elif early and (broken := self._broken(candidate)) is not None:
            verdict.set_result(broken)
        else:
            given = candidate if lenient else self.document
            doubtful = lenient or self.gate.is_withdrawn(candidate.path, candidate.text)
            self.check(candidate, partial=early and not doubtful).add_done_callback(
                lambda done: self._settle(verdict, candidate, given, done)
            )
        return verdict

    def judge(self, candidate: Document, cancelled: _Cancelled = lambda: False) -> Verdict:
        """The verdict on `candidate`, waited for. Raises `Cancelled`."""
        return wait(self.submit(candidate), cancelled)

    def check(self, candidate: Document, *, partial: bool = False) -> Future[Report]:
        """All that the linter finds in `candidate`, known or not."""
        seconds = None if partial else self.gate.policy.baseline_timeout
        return self.gate.check(
            candidate.text,
            candidate.path,
            self.tier,
            seconds,
            indent=self.document.indent,
            partial=partial,
        )

    def _broken(self, candidate: Document) -> Verdict | None:
        """The rejection that needs no linter."""
        report = self.gate.quick(candidate.text, self.tier)
        if report is None or (report.parsed and not self.parsed):
            return None
        verdict = judge(replace(self.known, findings=self.quick), candidate, report)
        return None if verdict.accepted else verdict

    def _settle(
        self, verdict: Future[Verdict], candidate: Document, given: Document, done: Future[Report]
    ) -> None:
        """`given` is the text whose lines are reasons for doubts."""
        if done.cancelled():
            verdict.set_result(Verdict(Reason.CANCELLED))
        elif error := done.exception():  # against the protocol; a verdict that never comes would be a hang
            verdict.set_result(Verdict(Reason.LINTER_FAILED, detail=f"{type(error).__name__}: {error}"))
        else:
            judged = judge(self.known, candidate, done.result(), given)
            if judged.accepted and judged.partial:
                self.gate.accepted(self, candidate)
            verdict.set_result(judged)


_Wait = Callable[[Future[Report]], Report]


def _is_partial(report: Future[Report]) -> bool:
    return report.done() and not report.cancelled() and not report.exception() and report.result().partial


def _soon(report: Future[Report], patience: float | None) -> Report:
    try:
        return report.result(timeout=patience)
    except TimeoutError:
        raise Pending(report) from None


def wait(future: Future[_T], cancelled: _Cancelled) -> _T:
    """What the linter's process computes, as soon as it is there. Raises `Cancelled` within 20 ms."""
    while True:
        try:
            return future.result(timeout=0.02)
        except TimeoutError:
            if cancelled():
                raise Cancelled from None
