"""What several linters say of one fault: told once, with the names of all.

Deliberately absent: which findings are new. Each linter's are matched by themselves (verdicts.py).
"""

from collections.abc import Sequence
from dataclasses import replace

from lintseq_lsp.linters.base import Finding

_OF_RUFF = {
    "F501": ("E1301",),
    "F502": ("E1303",),
    "F505": ("E1304",),
    "F506": ("E1302",),
    "F507": ("E1305", "E1306"),
    "F509": ("E1300",),
    "F524": ("E1306",),
    "F622": ("E0112",),
    "F701": ("E0103",),
    "F702": ("E0103",),
    "F704": ("E0105",),
    "F706": ("E0104",),
    "F811": ("E0102",),
    "F821": ("E0602",),
    "F822": ("E0603",),
    "F823": ("E0601",),
    "F901": ("E0711",),
}
_OF_TY = {
    "abstract-class-instantiation": ("E0110",),
    "import-not-found": ("E0401",),
    "inconsistent-mro": ("E0240",),
    "invalid-raise": ("E0702",),
    "missing-argument": ("E1120", "E1125"),
    "missing-attribute": ("E1101",),
    "missing-module-member": ("E0611",),
    "not-callable": ("E1102",),
    "not-iterable": ("E1133",),
    "parameter-already-assigned": ("E1124",),
    "possibly-unresolved-reference": ("E0606",),
    "too-many-positional-arguments": ("E1121",),
    "unknown-argument": ("E1123",),
    "unresolved-reference": ("E0601", "E0602"),
}
"""Rules of the others that mean the same as one of pylint's, by its code. Ruff's that begin with PL say so
themselves."""


def told_once(findings: Sequence[Finding]) -> list[Finding]:
    """`findings` of one text; the first of those that mean one fault has the others as its `same`."""
    told: list[Finding] = []
    for finding in findings:
        for number, first in enumerate(told):
            if _is_same(first, finding):
                told[number] = replace(first, same=(*first.same, finding))
                break
        else:
            told.append(finding)
    return told


def _is_same(first: Finding, other: Finding) -> bool:
    """Whether they mean one fault: their rules do, on one line, and their messages are not of two names."""
    if first.line != other.line or not _rules(first) & _rules(other):
        return False
    if any((each.linter, each.symbol) == (other.linter, other.symbol) for each in (first, *first.same)):
        return False
    fewer, more = sorted((first.quoted, other.quoted), key=len)
    return fewer <= more or (first.column == other.column and not fewer.isdisjoint(more))


def _rules(finding: Finding) -> frozenset[str]:
    """Pylint's codes for it."""
    match finding.linter:
        case "pylint":
            return frozenset({finding.code})
        case "ruff" if finding.code.startswith("PL"):
            return frozenset({finding.code.removeprefix("PL")})
        case "ruff":
            return frozenset(_OF_RUFF.get(finding.code, ()))
        case _:
            return frozenset(_OF_TY.get(finding.symbol, ()))
