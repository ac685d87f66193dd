"""The gate: no text is offered that has a finding which the text before did not have.

What the text before has is found out once: `bar = gate.against(document, line)`. Then every candidate is
judged by it: `bar.submit(candidate)`. Deliberately absent: how findings are found (linters/), what makes
one new (verdicts.py), and what silences them (pragmas.py).
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from lintseq_lsp import lru
from lintseq_lsp.errors import Cancelled, Pending
from lintseq_lsp.linters.base import Check, Dependencies, Finding, Linter, OnDisk, Report, Tier, Workspace
from lintseq_lsp.pragmas import silences_more
from lintseq_lsp.reasons import Reason
from lintseq_lsp.text import Document, indentation
from lintseq_lsp.typed import comment_of, is_decided
from lintseq_lsp.unfinished import Finished, begin_of_statement, finished
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


class StandIn(NamedTuple):
    """A text that is linted in place of a document; its findings are on the lines of `own`.

    `left_out` is what the document has and the text has not. `line_alone` says that this is no more than the
    line that is being typed, `in_place` that a statement stands there.
    """

    text: str
    own: Document
    left_out: str = ""
    line_alone: bool = True
    in_place: bool = True


def lint_base(document: Document, line: int | None) -> Iterator[StandIn]:
    """What may stand for the document before an edit at `line`, best first.

    While somebody types, the document itself seldom parses: then the line that is being typed counts
    as `pass`, or as not there; or its statement counts as `pass`, with an ending (unfinished.py) if need be.
    Its comment may be a pragma, and stays.
    """
    yield StandIn(document.text, document)
    if line is None or line >= len(document.lines):
        return
    start, typed = document.starts[line], document.lines[line]
    above, below = document.text[:start], document.text[start + len(typed) :]
    # What `pass` has where the line is being typed, that line has: it keeps its own text.
    code = _pass_at(document, line)
    yield StandIn(above + code + below, document, typed)
    if typed.strip():
        yield StandIn(above + below, document.with_text(above + below), typed, in_place=False)
    first = begin_of_statement(document, line)
    if first < line:
        start = document.starts[first]
        typed = document.text[start : document.starts[line] + len(typed)]
        above, code = document.text[:start], document.newline * (line - first) + _pass_at(document, first)
        yield StandIn(above + code + below, document, typed, line_alone=False)
    ended = finished(document.with_text(above + code + below), len(above + code))
    if ended is not None:
        text = ended.document.text
        own = document.with_text(above + typed + text[len(above + code) :])
        yield StandIn(text, own, typed, line_alone=False)


def _with_its_comments(document: Document, line: int) -> str | None:
    """The document with an ending at `line`: what stands for it has not all comments of its statement."""
    ended = finished(document, document.starts[line])
    return None if ended is None else ended.document.text


def _pass_at(document: Document, line: int) -> str:
    comment = comment_of(document.lines[line])
    return _indentation_at(document, line) + "pass" + ("  " + comment if comment else "")


_ELSEWHERE = frozenset({"bad-indentation", "import-error", "no-name-in-module"})
"""Findings about what is outside of the document, or inside of one line: no other line causes them."""


_SYNTAX = "syntax-error"
"""Also of a text that has a tree: `from __future__` must not stand below the `pass` that is put in."""


def _there_before(damaged: Known, last: Known, typed: str, *, decided: bool) -> Known:
    """Those of the `damaged` text's findings that are not for want of `typed`, which it has not.

    What `last`, the last text that parsed, had already is known to be there. Of the rest, that may be
    so only where what is typed is `decided`, and says none of the names.
    """
    missing = new_findings(last, damaged.document, damaged.findings)
    names = set(re.findall(r"\w+", typed))
    caused = {
        id(finding)
        for finding in missing
        if finding.symbol not in _ELSEWHERE
        and not (decided and finding.symbol != _SYNTAX and names.isdisjoint(finding.quoted))
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
    _unconfirmed: OrderedDict[tuple[str, str], tuple["Bar", "_Candidate"]] = field(
        default_factory=OrderedDict
    )
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
        for key, (bar, candidate) in reversed(list(self._unconfirmed.items())):
            if key[0] != path:
                continue
            report = self._report(candidate.document.text, bar.document, bar.tier, wait, whole=True)
            if report.failure:
                return
            self._unconfirmed.pop(key, None)
            if not candidate.judge(bar.known, report, bar.document).accepted:
                lru.put(self._withdrawn, key, None, _MOST)

    def accepted(self, bar: "Bar", text: str, candidate: "_Candidate") -> None:
        """Notes what a partial check has accepted: `text`, which was judged as `candidate`."""
        lru.put(self._unconfirmed, (candidate.document.path, text), (bar, candidate), _MOST_UNCONFIRMED)

    def _against(self, document: Document, line: int | None, wait: "_Wait", *, whole: bool = False) -> "Bar":
        tier = self.policy.tier(len(document.lines))
        self.workspace.modules(document.path)  # what is known to be unchanged need not be linted again
        broken: Report | None = None
        for text, own, left_out, line_alone, in_place in lint_base(document, line):
            quick = self.quick(text, tier)
            if quick is not None and not quick.parsed:
                broken = broken or quick
                continue
            report = self._report(text, document, tier, wait, whole=whole)
            if report.failure:
                return Bar(self, document, Known(), report.tier, failure=report.failure)
            if report.parsed:
                known = Known(own, report.findings, report.dependencies, report.unknown)
                if text == document.text:
                    lru.put(self._parsed, document.path, text, _MOST)
                elif line is not None:
                    last = self._last_parsed(document, tier, wait)
                    # A line whose place no statement may have goes on with what is above.
                    known = _there_before(known, last, left_out, decided=in_place and is_decided(left_out))
                flaws = quick.findings if quick else ()
                readable = text if line_alone or line is None else _with_its_comments(document, line) or text
                return Bar(self, document, known, tier, flaws, parsed=line_alone, stand_in=readable)
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
    `parsed` is false when the document does not parse, whatever the line that is being typed becomes; `newer`
    says then why it may be right all the same. `stand_in` tells which pragmas the document has: the text that
    was linted, or the document with an ending; where there is none, the last text that parsed.
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

    def submit(
        self,
        candidate: Document,
        *,
        early: bool = True,
        lenient: bool = False,
        goes_on: int | None = None,
    ) -> Future[Verdict]:
        """Judges `candidate` while the caller goes on.

        `early` lets the syntax check reject; without it a rejection lists all that the linter finds.
        `lenient` lets the candidate silence linters and be the reason for doubts itself, which is for
        people to decide. With `goes_on`, the offset in the candidate where the user goes on to write, the
        statement there may be unfinished: it is judged with the shortest ending (`Verdict.ending`).
        """
        verdict: Future[Verdict] = Future()
        before = self.before or self.document
        if self.failure:
            verdict.set_result(Verdict(Reason.LINTER_FAILED, detail=self.failure))
            return verdict
        judged, quick = self._looked_at(candidate, goes_on) if early else (_Candidate(candidate), None)
        if not lenient and silences_more(before.text, judged.document.text, self.stand_in):
            verdict.set_result(Verdict(Reason.PRAGMA))
            return verdict
        if quick is not None and (broken := self._broken(judged, quick)) is not None:
            verdict.set_result(broken)
            return verdict
        given = candidate if lenient else self.document
        doubtful = lenient or self.gate.is_withdrawn(candidate.path, candidate.text)
        self.check(judged.document, partial=early and not doubtful).add_done_callback(
            lambda done: self._settle(verdict, candidate, judged, given, done)
        )
        return verdict

    def judge(
        self,
        candidate: Document,
        cancelled: _Cancelled = lambda: False,
        *,
        goes_on: int | None = None,
    ) -> Verdict:
        """The verdict on `candidate`, waited for. Raises `Cancelled`."""
        return wait(self.submit(candidate, goes_on=goes_on), cancelled)

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

    def _looked_at(self, candidate: Document, goes_on: int | None) -> tuple["_Candidate", Report | None]:
        """What is to be judged for `candidate`, and the check of it that needs no linter."""
        quick = self.gate.quick(candidate.text, self.tier)
        if quick is not None and not quick.parsed and goes_on is not None:
            ended = finished(candidate, goes_on)
            again = None if ended is None else self.gate.quick(ended.document.text, self.tier)
            if ended is not None and again is not None and again.parsed:
                return _Candidate(ended.document, ended), again
        return _Candidate(candidate), quick

    def _broken(self, candidate: "_Candidate", quick: Report) -> Verdict | None:
        """The rejection that needs no linter."""
        if quick.parsed and not self.parsed:
            return None
        verdict = candidate.judge(replace(self.known, findings=self.quick), quick)
        return None if verdict.accepted else verdict

    def _settle(
        self,
        verdict: Future[Verdict],
        candidate: Document,
        linted: "_Candidate",
        given: Document,
        done: Future[Report],
    ) -> None:
        """`given` is the text whose lines are reasons for doubts."""
        if done.cancelled():
            verdict.set_result(Verdict(Reason.CANCELLED))
        elif error := done.exception():  # against the protocol; a verdict that never comes would be a hang
            verdict.set_result(Verdict(Reason.LINTER_FAILED, detail=f"{type(error).__name__}: {error}"))
        else:
            judged = linted.judge(self.known, done.result(), given)
            if judged.accepted and judged.partial:
                self.gate.accepted(self, candidate.text, linted)
            verdict.set_result(judged)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What is linted for a candidate: itself, or with an ending where it is `unfinished`."""

    document: Document
    unfinished: Finished | None = None

    def judge(self, known: Known, report: Report, before: Document | None = None) -> Verdict:
        """As `verdicts.judge`. Findings are on lines of the candidate, which has no ending."""
        if self.unfinished is None:
            return judge(known, self.document, report, before)
        written = self.unfinished.of_what_is_written(report.findings)
        verdict = judge(known, self.document, replace(report, findings=written), before)
        new = [replace(each, line=self.unfinished.line_of(each)) for each in verdict.findings]
        return replace(verdict, findings=new, ending=self.unfinished.ending)


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
