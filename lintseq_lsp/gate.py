"""The gate: no state is offered that has a finding which the text before did not have.

Pure policy over reports. It fails closed: whatever cannot be judged is rejected, with the reason.
Deliberately absent: how findings are found (linters/), and what silences them (pragmas.py).
"""

import math
import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar

from lintseq_lsp.alignment import origins
from lintseq_lsp.diffs import Malformed
from lintseq_lsp.grammar import newer_syntax
from lintseq_lsp.linters.base import Check, Dependencies, Finding, Linter, OnDisk, Report, Tier, Workspace
from lintseq_lsp.pragmas import silences_more
from lintseq_lsp.reports import Reports
from lintseq_lsp.text import Document, indentation
from lintseq_lsp.typed import comment_of, is_decided

_K = TypeVar("_K")
_T = TypeVar("_T")


class Reason(Enum):
    """Why a state was rejected, or why there is nothing to offer. The closed list of what `explain` says."""

    ACCEPTED = "accepted"
    # verdicts on one state
    NEW_FINDINGS = "new-findings"
    DOES_NOT_PARSE = "does-not-parse"
    PRAGMA = "pragma"
    LINTER_FAILED = "linter-failed"
    MALFORMED = "malformed"
    # why a request has no answer
    COMPLETE = "complete"  # the model ended the sequence: it has nothing to add
    NOTHING_NEW = "nothing-new"  # the answer stands there already
    NO_FIT = "no-fit"  # the answer does not go together with the text right of the cursor
    BASE_DOES_NOT_PARSE = "base-does-not-parse"
    NEWER_SYNTAX = "newer-syntax"  # the same, and it may be Python that the server's own does not know
    REJECTED_BEFORE = "rejected-before"
    UNSURE = "unsure"  # the model itself does not expect to be right
    IN_STRING_OR_COMMENT = "in-string-or-comment"
    TOO_LONG = "too-long"
    IGNORED = "ignored"  # by setting, glob, scheme or language
    STALE = "stale"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    NO_MODEL = "no-model"
    LIMIT = "limit"  # steps, tries or tokens were used up
    OFF = "off"


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """Which tier judges files of how many lines, and how long (in seconds) one check may take.

    A baseline may take longer: its imports were perhaps never read. Whoever is in a hurry waits for it only
    for as long as for a check, and finds it known later.
    """

    pylint_lines: int = 1500
    names_lines: int = 6000
    timeout: float = 2.0
    baseline_timeout: float = 20.0

    def tier(self, lines: int) -> Tier:
        if lines <= self.pylint_lines:
            return Tier.PYLINT
        return Tier.NAMES if lines <= self.names_lines else Tier.SYNTAX


@dataclass(frozen=True, slots=True)
class Verdict:
    """Accepted, or rejected for `reason`, with the findings that are new.

    `before` and `after` count all findings, of the text before the edit and of the one that was judged.
    It holds while nothing of `dependencies` changes.
    """

    reason: Reason
    findings: Sequence[Finding] = ()
    tier: Tier = Tier.NONE
    milliseconds: float = 0.0
    detail: str = ""
    before: int = 0
    after: int = 0
    dependencies: Sequence[Dependencies] = ()

    @property
    def accepted(self) -> bool:
        return self.reason is Reason.ACCEPTED


@dataclass(frozen=True, slots=True)
class Known:
    """Findings, and the text that has them."""

    document: Document = field(default_factory=lambda: Document(""))
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the text before an edit already had. `parsed` is false when nothing could be known of it.

    `newer` says then why the text may be right all the same. `stand_in` is the text that was linted. An
    edit is to be indented by `indent`, as the text before it.
    """

    known: Known
    tier: Tier
    quick: Sequence[Finding] = ()  # at `Tier.SYNTAX`, of the same text
    parsed: bool = True
    failure: str | None = None
    newer: str = ""
    stand_in: str = ""
    indent: str = "    "
    dependencies: Dependencies = field(default_factory=Dependencies)


_NUMBERS = re.compile(r"\bline \d+")


def finding_key(finding: Finding) -> tuple[str, str]:
    """What two findings of one line must share to be the same one: not a line number in the message."""
    return finding.symbol, _NUMBERS.sub("line", finding.message)


def new_findings(known: Known, document: Document, findings: Sequence[Finding]) -> list[Finding]:
    """Those of `findings`, of `document`, that `known` has not on the line which theirs was.

    Among equal lines it does not matter which one was taken out.
    """
    places: defaultdict[tuple[str, str], Counter[int | None]] = defaultdict(Counter)
    for finding in known.findings:
        places[finding_key(finding)][_index(finding, known.document)] += 1
    if not any(finding_key(finding) in places for finding in findings):
        return list(findings)
    was = origins(known.document.lines, document.lines)
    stays = set(was)
    gone = Counter(
        (finding_key(finding), known.document.lines[line].strip())
        for finding in known.findings
        if (line := _index(finding, known.document)) not in stays
    )
    new = []
    for finding in findings:
        key, line = finding_key(finding), _index(finding, document)
        taken_out = key, document.lines[line].strip()
        if places[key][was[line]] > 0:
            places[key][was[line]] -= 1
        elif gone[taken_out] > 0:
            gone[taken_out] -= 1
        else:
            new.append(finding)
    return new


def _index(finding: Finding, document: Document) -> int:
    """The zero-based line. Linters may count one more than there is."""
    return min(max(finding.line, 1), len(document.lines)) - 1


def judge(baseline: Baseline, candidate: Document, report: Report) -> Verdict:
    """The verdict on `candidate`, which `report` is about."""
    if baseline.failure or report.failure:
        detail = report.failure or baseline.failure or ""
        return Verdict(Reason.LINTER_FAILED, (), report.tier, report.milliseconds, detail)
    if not report.parsed:
        detail = report.findings[0].message if report.findings else ""
        return Verdict(Reason.DOES_NOT_PARSE, report.findings, report.tier, report.milliseconds, detail)
    new = new_findings(baseline.known, candidate, report.findings)
    reason = Reason.NEW_FINDINGS if new else Reason.ACCEPTED
    before, after = len(baseline.known.findings), len(report.findings)
    depends = (baseline.dependencies, report.dependencies)
    return Verdict(
        reason,
        new,
        report.tier,
        report.milliseconds,
        before=before,
        after=after,
        dependencies=depends[:1] if depends[0] == depends[1] else depends,
    )


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
        if finding.symbol not in _ELSEWHERE and not (decided and names.isdisjoint(_quoted(finding.message)))
    }
    return replace(damaged, findings=[finding for finding in damaged.findings if id(finding) not in caused])


def _quoted(message: str) -> set[str]:
    """The names that a message is about."""
    return {name for text in re.findall(r"'([^']*)'", message) for name in re.findall(r"\w+", text)}


def _indentation_at(document: Document, line: int) -> str:
    """Of a line; of an empty one behind a colon, what its block would have."""
    indent = indentation(document.lines[line])
    if document.lines[line] or line == 0:
        return indent
    above = next((text for text in reversed(document.lines[:line]) if text.strip()), "")
    return indentation(above) + (document.indent if above.rstrip().endswith(":") else "")


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
    _reports: Reports = field(default_factory=Reports)
    _parsed: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def baseline(
        self,
        document: Document,
        line: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        *,
        patient: bool = False,
    ) -> Baseline:
        """What `document` already has; `line` is the one being typed.

        Waits for the linter when that is not known: as long as one check may take, or for all of it when
        `patient`. Raises `Cancelled`. What the linter has begun for somebody who waits no longer, it ends.
        """
        tier = self.policy.tier(len(document.lines))
        self.workspace.modules(document.path)  # what is known to be unchanged need not be linted again
        broken: Report | None = None
        for number, text in enumerate(lint_base(document, line)):
            quick = self._quick(text, tier)
            if quick is not None and not quick.parsed:
                broken = broken or quick
                continue
            report = self._report(text, document, tier, cancelled, patient=patient)
            if report.failure:
                return Baseline(Known(), report.tier, failure=report.failure)
            if report.parsed:
                # What `pass` has where the line is being typed, that line has: it keeps its own text.
                known = Known(replace(document, text=text) if number == 2 else document, report.findings)
                if number == 0:
                    self._remember(self._parsed, document.path, text)
                elif line is not None:
                    typed = document.lines[line]
                    last, _ = self._last_parsed(document, tier, cancelled, patient=patient)
                    # A line whose place no statement may have goes on with what is above.
                    known = _there_before(known, last, typed, decided=number == 1 and is_decided(typed))
                quick_findings = quick.findings if quick else ()
                return Baseline(
                    known,
                    report.tier,
                    quick_findings,
                    stand_in=text,
                    indent=document.indent,
                    dependencies=report.dependencies,
                )
            broken = broken or report
        last, dependencies = self._last_parsed(document, tier, cancelled, patient=patient)
        stopped = broken.findings[0].line if broken and broken.findings else 0
        newer = newer_syntax(document.lines[stopped - 1]) if 0 < stopped <= len(document.lines) else ""
        return Baseline(
            last,
            tier,
            parsed=False,
            newer=newer,
            stand_in=last.document.text,
            indent=document.indent,
            dependencies=dependencies,
        )

    def _last_parsed(
        self, document: Document, tier: Tier, cancelled: Callable[[], bool], *, patient: bool
    ) -> tuple[Known, Dependencies]:
        """What the last text of the document that parsed has now; nothing when there was none."""
        text = self._parsed.get(document.path)
        if text is None:
            return Known(), Dependencies()
        report = self._report(text, document, tier, cancelled, patient=patient)
        return Known(replace(document, text=text), report.findings), report.dependencies

    def submit(
        self, before: Document, candidate: Document, baseline: Baseline, *, early: bool = True
    ) -> Future[Verdict]:
        """Judges `candidate`, an edit of `before`, while the caller goes on.

        `early` lets the syntax check reject; without it a rejection lists all that the linter finds.
        """
        verdict: Future[Verdict] = Future()
        if baseline.failure:
            verdict.set_result(Verdict(Reason.LINTER_FAILED, detail=baseline.failure))
        elif silences_more(before.text, candidate.text, baseline.stand_in):
            verdict.set_result(Verdict(Reason.PRAGMA))
        elif early and (broken := self._is_broken(candidate, baseline)) is not None:
            verdict.set_result(broken)
        else:
            report = self.check(candidate.text, candidate.path, baseline.tier, indent=baseline.indent)
            report.add_done_callback(lambda done: _settle(verdict, baseline, candidate, done))
        return verdict

    def check(
        self, text: str, path: str, tier: Tier, timeout: float | None = None, *, indent: str = "    "
    ) -> Future[Report]:
        """The linter's own report, without a baseline. Some of pylint's checks want a file name."""
        patience = self.policy.timeout
        seconds = patience if timeout is None else timeout
        modules = self.workspace.modules(path)
        return self.linter.submit(
            Check(text, path or "untitled.py", tier, seconds, modules, indent, patience=patience)
        )

    def holds(self, path: str, dependencies: Iterable[Dependencies]) -> bool:
        """Whether a verdict on the document at `path` would be the same now. Quick, and in any thread."""
        return all(self.workspace.unchanged(path, each) for each in dependencies)

    def _quick(self, text: str, tier: Tier) -> Report | None:
        """The check in this process; None where it would take too long, or found no end."""
        if tier is not Tier.PYLINT:
            return None
        report = self.syntax(text)
        return None if report.failure else report

    def _is_broken(self, candidate: Document, baseline: Baseline) -> Verdict | None:
        """The rejection that needs no linter."""
        report = self._quick(candidate.text, baseline.tier)
        if report is None or (report.parsed and not baseline.parsed):
            return None
        known = replace(baseline.known, findings=baseline.quick)
        verdict = judge(replace(baseline, known=known), candidate, report)
        return None if verdict.accepted else verdict

    def _report(
        self, text: str, document: Document, tier: Tier, cancelled: Callable[[], bool], *, patient: bool
    ) -> Report:
        """On `text`, which stands for `document` or is an earlier one."""
        path, indent, longest = document.path, document.indent, self.policy.baseline_timeout
        return self._reports.of(
            (path, text, tier, indent),
            lambda: self.check(text, path, tier, longest, indent=indent),
            lambda dependencies: self.holds(path, (dependencies,)),
            cancelled,
            math.inf if patient else self.policy.timeout,
        )

    @staticmethod
    def _remember(memory: "OrderedDict[_K, _T]", key: _K, value: _T) -> None:
        memory[key] = value
        memory.move_to_end(key)
        while len(memory) > 64:
            memory.popitem(last=False)


def _settle(verdict: Future[Verdict], baseline: Baseline, candidate: Document, done: Future[Report]) -> None:
    if done.cancelled():
        verdict.set_result(Verdict(Reason.CANCELLED))
    elif error := done.exception():  # against the protocol; a verdict that never comes would be a hang
        verdict.set_result(Verdict(Reason.LINTER_FAILED, detail=f"{type(error).__name__}: {error}"))
    else:
        verdict.set_result(judge(baseline, candidate, done.result()))


def malformed(diff: Malformed) -> Verdict:
    return Verdict(Reason.MALFORMED, detail=diff.reason)
