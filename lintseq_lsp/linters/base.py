"""What the gate asks of a linter."""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol


class Tier(IntEnum):
    """How deep pylint's check went, which the evidence names. Below `NAMES` no other linter is asked."""

    NONE = 0  # nothing could be judged
    SYNTAX = 1  # compile() and the pyflakes messages that imply a pylint error
    NAMES = 2  # pylint, restricted to names and syntax
    PYLINT = 3  # LintSeq's whole message set


@dataclass(frozen=True, slots=True)
class Finding:
    """One message of a linter. `line` is one-based and belongs to the text that was checked.

    `same` are other linters' messages that mean the same.
    """

    symbol: str  # "undefined-variable"
    code: str  # "E0602"; empty where the linter has none
    message: str
    line: int
    column: int = 0
    linter: str = "pylint"
    same: tuple["Finding", ...] = ()

    @property
    def name(self) -> str:
        """What people know it by, with the linter that says it where that is not pylint."""
        linter = "" if self.linter == "pylint" else self.linter
        return " ".join(filter(None, (linter, self.code, self.symbol)))

    @property
    def names(self) -> str:
        """`name`, and those of the others that mean the same."""
        return ", ".join(finding.name for finding in (self, *self.same))

    @property
    def quoted(self) -> set[str]:
        """The names that the message is about."""
        quoted = re.findall(r"'[^']*'|`[^`]*`", self.message)
        return {name for text in quoted for name in re.findall(r"\w+", text)}


Texts = Mapping[str, str | None]
"""Texts of modules by path that count instead of the files there; None for a file that counts as missing."""

Stamp = tuple[int, int]
"""Of a file or folder: when it last changed (in ns since the epoch), and its size in bytes."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a file lies. Folders, in the order of lookup.

    `projects` are the one that it belongs to and those around it. Modules are named from `roots`, and
    found there and in `beside`. Another answer may be right as soon as one of `looked_at` changes.
    """

    projects: Sequence[str] = ()
    roots: Sequence[str] = ()
    beside: Sequence[str] = ()
    looked_at: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A text to be checked, and how.

    `path` names the module for messages and relative imports ("" for none); it need not exist and
    is never read. `tier` is the deepest one wanted. `timeout` is in seconds. `modules` are those others
    that do not count as they are on disk. `indent` is what one level of blocks is indented by. `around`
    is what the path tells, where somebody has looked. `patience` is how many seconds it may wait behind
    one other check, None for `timeout`. `partial` says that a function which is as it was in the last text
    of the path that was checked as a whole may be taken to have the findings that it had. `reach` says that
    the report depends on all modules that the text leads to: others read them.
    """

    text: str
    path: str = ""
    tier: Tier = Tier.PYLINT
    timeout: float = 2.0
    modules: Texts = field(default_factory=dict)
    indent: str = "    "
    around: Surroundings | None = None
    patience: float | None = None
    partial: bool = False
    reach: bool = False

    @property
    def longest_wait(self) -> float:
        return self.timeout if self.patience is None else self.patience


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a report depends on, beside the text that was checked.

    `files` are files and folders on disk, None where there was none. `texts` are those of
    `Check.modules` that were read, `names` the paths of all of them.
    """

    files: Mapping[str, Stamp | None] = field(default_factory=dict)
    texts: Texts = field(default_factory=dict)
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Doubted:
    """A finding that is not known to be true, and why.

    Where that is for what the text itself says, `causes` has the lines (one-based) of each part of it that
    is a reason by itself.
    """

    finding: Finding
    reason: str
    causes: Sequence[Sequence[int]] = ()

    def __str__(self) -> str:
        return f"{self.finding.message}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. With `failure` set nothing else is to be believed: the gate rejects.

    `parsed` says whether the text is valid Python for this interpreter; when it is not, `findings`
    holds the syntax error and nothing more is known, or `newer` says why it may be right all the same:
    it seems to be Python that the server's own does not know. `unknown` has what would be findings if that
    were known to be true. `also` names the linters beside pylint that have judged the text. `partial` says
    that some functions were not checked again (`Check.partial`).
    """

    findings: Sequence[Finding] = ()
    tier: Tier = Tier.NONE
    parsed: bool = True
    failure: str | None = None
    milliseconds: float = 0.0
    dependencies: Dependencies = field(default_factory=Dependencies)
    unknown: Sequence[Doubted] = ()
    newer: str = ""
    also: Sequence[str] = ()
    partial: bool = False


class Workspace(Protocol):
    """What the code that is checked may import."""

    def modules(self, path: str) -> Texts:
        """The modules that do not count as they are on disk, but for the one at `path`."""
        ...

    def unchanged(self, path: str, dependencies: Dependencies) -> bool:
        """Whether a report on the text at `path` would be the same now. Quick, and in any thread."""
        ...


class OnDisk:
    """A workspace that nobody works in: what is on disk counts, and stays."""

    def modules(self, path: str) -> Texts:  # noqa: ARG002
        return {}

    def unchanged(self, path: str, dependencies: Dependencies) -> bool:  # noqa: ARG002
        return True


class Linter(Protocol):
    """Checks texts, one at a time, in the order of submission, outside of this thread."""

    def submit(self, check: Check) -> Future[Report]:
        """Never raises for what the check does: a crash, a hang or a kill is a `failure` report."""
        ...

    def close(self) -> None: ...
