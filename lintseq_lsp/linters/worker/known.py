"""What a check of a whole text found, for checks of texts that differ from it in a few functions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lintseq_lsp.linters.base import Dependencies, Finding
from lintseq_lsp.linters.worker.parts import Change, Part, change
from lintseq_lsp.linters.worker.passes import Found
from lintseq_lsp.linters.worker.walker import Passing

_OF_CLASSES = "E0203"
"""About accesses in methods, and found when all of the class was visited."""

_LINE = re.compile(r"\bline \d+")


@dataclass(frozen=True)
class Known:
    """`circumstances` are all that counts beside the text, and the files of `depends`."""

    parts: Sequence[Part]
    found: Found
    depends: Dependencies
    circumstances: Any

    def change(self, parts: Sequence[Part], odd: frozenset[str]) -> Change | None:
        """What is to be checked of a text that is similar; None for all of it. `odd` as in `Passing`."""
        stuck = [part for part in self.parts if part.kind == "def" and not self._is_movable(part)]
        return change(self.parts, parts, odd, stuck)

    def joined(self, found: Found, made: Change) -> Found:
        """What a check that passed over the kept functions found, and what those have."""
        findings, unknown = list(found.findings), list(found.unknown)
        for before, after in made.kept:
            inside, shift = self.found.inside.get(before.line, Found()), after.first - before.first
            findings += (_moved(each, shift) for each in inside.findings)
            unknown += (replace(each, finding=_moved(each.finding, shift)) for each in inside.unknown)
        return Found(
            tuple(sorted(findings, key=_place)),
            tuple(sorted(unknown, key=lambda each: _place(each.finding))),
        )

    def passing(self, made: Change, odd: frozenset[str]) -> Passing:
        """What the walk passes over, and what it looks at all the same."""
        kept = [after for _, after in made.kept]
        visited = {part.classes for part in (*made.walked, *self._of_classes()) if part.classes}
        return Passing(
            frozenset(part.line for part in kept),
            odd,
            frozenset(part.line for part in kept if part.classes in visited),
            frozenset(part.line for part in kept if not odd.isdisjoint(part.words)),
            frozenset(part.line for part in kept if "import" in part.words),
        )

    def _is_movable(self, part: Part) -> bool:
        """Whether what was found in a function says nothing of what is outside of it."""
        inside = self.found.inside.get(part.line, Found())
        return not any(each.causes for each in inside.unknown) and all(
            part.first <= each.line <= part.last and not _LINE.search(each.message)
            for each in (*inside.findings, *(each.finding for each in inside.unknown))
        )

    def _of_classes(self) -> list[Part]:
        """The functions with a finding that needs all of their class."""
        lines = {each.line for each in self.found.findings if each.code == _OF_CLASSES}
        functions = (part for part in self.parts if part.kind == "def")
        return [part for part in functions if not lines.isdisjoint(range(part.first, part.last + 1))]


def _moved(finding: Finding, lines: int) -> Finding:
    return replace(finding, line=finding.line + lines)


def _place(finding: Finding) -> tuple[int, int, str, str]:
    return finding.line, finding.column, finding.code, finding.message


def joined_dependencies(one: Dependencies, other: Dependencies) -> Dependencies:
    """What depends on both."""
    files: Mapping[str, Any] = {**one.files, **other.files}
    return Dependencies(files, {**one.texts, **other.texts}, one.names | other.names)
