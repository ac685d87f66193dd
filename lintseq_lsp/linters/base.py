"""What the gate asks of a linter. Deliberately absent: anything of pylint, and any policy."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Tier(IntEnum):
    """How deep a check went. Only `PYLINT` accepts; a lower tier is named in the evidence."""

    NONE = 0  # nothing could be judged
    SYNTAX = 1  # compile() and the pyflakes messages that imply a pylint error
    NAMES = 2  # pylint, restricted to names and syntax
    PYLINT = 3  # LintSeq's whole message set


@dataclass(frozen=True, slots=True)
class Finding:
    """One message of the linter. `line` is one-based and belongs to the text that was checked."""

    symbol: str  # "undefined-variable"
    code: str  # "E0602"
    message: str
    line: int
    column: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """A text to be checked, and how.

    `path` names the module for messages and relative imports ("" for none); it need not exist and
    is never read. `tier` is the deepest one wanted. `timeout` is in seconds.
    """

    text: str
    path: str = ""
    tier: Tier = Tier.PYLINT
    timeout: float = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. With `failure` set nothing else is to be believed: the gate rejects.

    `parsed` says whether the text is valid Python for this interpreter; when it is not, `findings`
    holds the syntax error and nothing more is known.
    """

    findings: Sequence[Finding] = ()
    tier: Tier = Tier.NONE
    parsed: bool = True
    failure: str | None = None
    milliseconds: float = 0.0


class Linter(Protocol):
    """Checks texts, one at a time, in the order of submission, outside of this thread."""

    def submit(self, check: Check) -> Future[Report]:
        """Never raises for what the check does: a crash, a hang or a kill is a `failure` report."""
        ...

    def close(self) -> None: ...
