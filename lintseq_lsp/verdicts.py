"""Verdicts: which findings are new, and what follows from that. Pure functions over reports.

It fails closed: whatever cannot be judged is rejected, with the reason.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lintseq_lsp.alignment import origins
from lintseq_lsp.formats.base import Malformed
from lintseq_lsp.linters.base import Dependencies, Doubted, Finding, Report, Tier
from lintseq_lsp.linters.same import told_once
from lintseq_lsp.reasons import Reason
from lintseq_lsp.text import Document


@dataclass(frozen=True, slots=True)
class Verdict:
    """Accepted, or rejected for `reason`, with the findings that are new.

    `before` and `after` count all findings, of the text before the edit and of the one that was judged.
    It holds while nothing of `dependencies` changes. `unknown` has what would be findings if that were
    known to be true. `also` names the linters beside pylint that have judged the text. `partial` says that
    functions which the edit seemed not to concern were not checked again. `text` is what was rejected, where
    somebody may want to see it: the whole document with the edit, or what the model wrote where that is no
    edit. `ending` is what was put behind a statement that is not finished, so that it could be judged.
    """

    reason: Reason
    findings: Sequence[Finding] = ()
    tier: Tier = Tier.NONE
    milliseconds: float = 0.0
    detail: str = ""
    before: int = 0
    after: int = 0
    dependencies: Sequence[Dependencies] = ()
    unknown: Sequence[str] = ()
    also: Sequence[str] = ()
    partial: bool = False
    text: str = ""
    ending: str = ""

    @property
    def accepted(self) -> bool:
        return self.reason is Reason.ACCEPTED


@dataclass(frozen=True, slots=True)
class Known:
    """Findings, the text that has them, and what else they depend on; `unknown` as in `Report`."""

    document: Document = field(default_factory=lambda: Document(""))
    findings: Sequence[Finding] = ()
    dependencies: Dependencies = field(default_factory=Dependencies)
    unknown: Sequence[Doubted] = ()


_NUMBERS = re.compile(r"\bline \d+")


def finding_key(finding: Finding) -> tuple[str, str, str]:
    """What two findings of one line must share to be the same one: not a line number in the message."""
    return finding.linter, finding.symbol, _NUMBERS.sub("line", finding.message)


def new_findings(known: Known, document: Document, findings: Sequence[Finding]) -> list[Finding]:
    """Those of `findings`, of `document`, that `known` has not on the line which theirs was.

    Among equal lines it does not matter which one was taken out.
    """
    places: defaultdict[tuple[str, str, str], Counter[int | None]] = defaultdict(Counter)
    for finding in known.findings:
        places[finding_key(finding)][index_of(finding, known.document)] += 1
    if not any(finding_key(finding) in places for finding in findings):
        return list(findings)
    was = origins(known.document.lines, document.lines)
    stays = set(was)
    gone = Counter(
        (finding_key(finding), known.document.lines[line].strip())
        for finding in known.findings
        if (line := index_of(finding, known.document)) not in stays
    )
    new = []
    for finding in findings:
        key, line = finding_key(finding), index_of(finding, document)
        taken_out = key, document.lines[line].strip()
        if places[key][was[line]] > 0:
            places[key][was[line]] -= 1
        elif gone[taken_out] > 0:
            gone[taken_out] -= 1
        else:
            new.append(finding)
    return new


def index_of(finding: Finding, document: Document) -> int:
    """The zero-based line. Linters may count one more than there is."""
    return min(max(finding.line, 1), len(document.lines)) - 1


def beyond(known: Known, lint: Callable[[str], Report]) -> Callable[[str], Report]:
    """`lint` without the findings that are `known` already."""

    def differential(text: str) -> Report:
        report = lint(text)
        if report.failure is not None or not report.parsed:
            return report
        return replace(report, findings=new_findings(known, Document(text), report.findings))

    return differential


def unfounded(doubts: Sequence[Doubted], before: Document, after: Document) -> list[Finding]:
    """Those findings of `after` that would be known to be true, but for what is new in it.

    An edit is no reason to doubt what it brings in: what is new is its `setattr`, or the guard around it.
    """
    own = [doubt for doubt in doubts if doubt.causes]
    was = origins(before.lines, after.lines) if own else []

    def stood(line: int) -> bool:
        origin = was[line - 1]
        return origin is not None and before.lines[origin].strip() == after.lines[line - 1].strip()

    return [doubt.finding for doubt in own if not any(all(map(stood, cause)) for cause in doubt.causes)]


def brought_in(
    known: Known, candidate: Document, report: Report, before: Document | None = None
) -> list[Finding]:
    """What the text before is not the reason for: new findings, and those that only new lines put in doubt.

    Arguments as for `judge`.
    """
    new = new_findings(known, candidate, report.findings)
    if doubtful := unfounded(report.unknown, before or known.document, candidate):
        maybe = (*known.findings, *(doubt.finding for doubt in known.unknown))
        new += new_findings(replace(known, findings=maybe), candidate, doubtful)
    return told_once(new)


def judge(known: Known, candidate: Document, report: Report, before: Document | None = None) -> Verdict:
    """The verdict on `candidate`, which `report` is about; `known` is what the text before had.

    `before` is that text, where that of `known` only stands for it.
    """
    if report.failure:
        return Verdict(Reason.LINTER_FAILED, (), report.tier, report.milliseconds, report.failure)
    if not report.parsed:
        detail = report.newer or (report.findings[0].message if report.findings else "")
        reason = Reason.NEWER_SYNTAX if report.newer else Reason.DOES_NOT_PARSE
        return Verdict(reason, report.findings, report.tier, report.milliseconds, detail)
    new = brought_in(known, candidate, report, before)
    depends = (known.dependencies, report.dependencies)
    return Verdict(
        Reason.NEW_FINDINGS if new else Reason.ACCEPTED,
        new,
        report.tier,
        report.milliseconds,
        before=len(known.findings),
        after=len(report.findings),
        dependencies=depends[:1] if depends[0] == depends[1] else depends,
        unknown=tuple(dict.fromkeys(map(str, report.unknown))),
        partial=report.partial,
        also=tuple(report.also),
    )


def malformed(diff: Malformed) -> Verdict:
    return Verdict(Reason.MALFORMED, detail=diff.reason)
