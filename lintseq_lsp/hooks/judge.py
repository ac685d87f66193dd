"""What the texts of one workspace have that they had not before.

Deliberately absent: which of that an agent is told (policy.py).
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from lintseq_lsp import lru
from lintseq_lsp.gate import Gate
from lintseq_lsp.hooks.policy import New
from lintseq_lsp.linters.base import Dependencies, Report, Texts, Tier
from lintseq_lsp.linters.protocol import stamp
from lintseq_lsp.linters.several import Several
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Known, brought_in

_MOST_REPORTS = 64
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})


class GateFailedError(Exception):
    """The linter has no report; the text says why."""


class _Before:
    """The workspace before some edits: `texts` count instead of the files that were edited."""

    def __init__(self) -> None:
        self.texts: Texts = {}

    def modules(self, path: str) -> Texts:
        return {name: text for name, text in self.texts.items() if name != path}

    def unchanged(self, path: str, dependencies: Dependencies) -> bool:
        now = self.modules(path)
        return (
            now.keys() == dependencies.names
            and all(now[name] == text for name, text in dependencies.texts.items())
            and all(stamp(file) == before for file, before in dependencies.files.items())
        )


class Judge:
    """Compares texts, one comparison at a time. Remembers reports while they hold."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._workspace = gate.workspace = _Before()
        self._reports: OrderedDict[tuple[str, str, Tier, str], Report] = OrderedDict()

    def new(self, path: str, before: str | None, after: str, others: Mapping[str, str] = _NO_TEXTS) -> New:
        """Findings of `after` that `before` had not; `others` are the texts before of other edited files.

        Where `before` is None or does not parse, its findings are not known: then only what does not parse
        counts. What may be Python that is newer than our own has none. Raises `GateFailedError`.
        """
        old, new = Document(before or "", None, path), Document(after, None, path)
        tier = self._gate.policy.tier(max(len(old.lines), len(new.lines)))
        indent = (old if before else new).indent
        report = self._report(new, tier, indent, _NO_TEXTS)
        if report.newer:
            return New(path, None if before is None else old, new, ())
        if before is None:
            return New(path, None, new, () if report.parsed else report.findings)
        if not report.findings and not report.unknown:
            return New(path, old, new, ())
        known = self._report(old, tier, indent, others)
        if report.parsed and not known.parsed:
            return New(path, old, new, ())
        was = Known(old, known.findings, unknown=known.unknown)
        return New(path, old, new, brought_in(was, new, report))

    @property
    def missing(self) -> Sequence[str]:
        """What is to be said of linters that are wanted and not installed."""
        linter = self._gate.linter
        return tuple(linter.absent) if isinstance(linter, Several) else ()

    def close(self) -> None:
        self._gate.linter.close()

    def _report(self, document: Document, tier: Tier, indent: str, others: Mapping[str, str]) -> Report:
        self._workspace.texts = dict(others)
        key = (document.path, document.text, tier, indent)
        report = self._reports.get(key)
        if report is None or not self._gate.holds(document.path, (report.dependencies,)):
            timeout = self._gate.policy.baseline_timeout
            report = self._gate.check(document.text, document.path, tier, timeout, indent=indent).result()
        if report.failure:
            raise GateFailedError(report.failure)
        lru.put(self._reports, key, report, _MOST_REPORTS)
        return report
