"""What the hook of a coding agent says, in one form for all agents.

Deliberately absent: what the agents call it (clients.py), and the files themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from lintseq_lsp.text import Document, split_lines


class Client(Enum):
    CLAUDE_CODE = "claude-code"
    CODEX = "codex"
    COPILOT = "copilot"
    CURSOR = "cursor"
    GEMINI = "gemini"
    VSCODE = "vscode"


class Moment(Enum):
    BEFORE_EDIT = "before-edit"
    AFTER_EDIT = "after-edit"
    TURN_END = "turn-end"


@dataclass(frozen=True, slots=True)
class Change:
    """`old` became `new`: at one place, or `everywhere`. `lines` says that both are whole lines."""

    old: str
    new: str
    everywhere: bool = False
    lines: bool = False


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of a file that was changed, without their ends. `start` is zero-based, in the text after it."""

    start: int
    old: Sequence[str]
    new: Sequence[str]


@dataclass(frozen=True, slots=True)
class Edit:
    """A file that a tool is about to write, or has written, at `path`.

    `original` is its whole text before (empty where there was no file), None where the hook does not say.
    `hunks` and `changes` tell what was done to it, in order; both may be empty. `moved_from` is where it
    was. `new` says that the tool is for new files.
    """

    path: str
    original: str | None = None
    new: bool = False
    changes: Sequence[Change] = ()
    hunks: Sequence[Hunk] = ()
    moved_from: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One call of the hook.

    `name` is the client's own for it. `session` tells one agent's work from another's, and `turn` (where
    the client says) one turn from the next. Paths begin at `folder`, where that is told. `held_up`: the
    turn ends now, since a hook has kept it from its end already, or since somebody has stopped it.
    """

    client: Client
    moment: Moment
    name: str
    session: str
    folder: str = ""
    turn: str = ""
    edits: Sequence[Edit] = ()
    held_up: bool = False


def text_before(edit: Edit, after: str) -> str | None:
    """The text before `edit`, which made `after`; None where the hook does not tell it for certain."""
    if edit.original is not None:
        return edit.original
    if edit.hunks:
        return _without_hunks(edit.hunks, after)
    if edit.changes:
        return _without_changes(edit.changes, after)
    return None


def _without_hunks(hunks: Sequence[Hunk], after: str) -> str | None:
    lines, ends = split_lines(after)
    newline = Document(after).newline
    for hunk in reversed(hunks):
        end = hunk.start + len(hunk.new)
        if hunk.start < 0 or lines[hunk.start : end] != list(hunk.new):
            return None
        lines[hunk.start : end] = hunk.old
        ends[hunk.start : end] = [newline] * len(hunk.old)
    return "".join(line + end for line, end in zip(lines, ends, strict=True))


def _without_changes(changes: Sequence[Change], after: str) -> str | None:
    """None where `new` of a change is not at exactly one place: which one it made cannot be known."""
    newline = Document(after).newline
    text = after
    for change in reversed(changes):
        old, new = (
            part if "\r" in part else part.replace("\n", newline) for part in (change.old, change.new)
        )
        if not new or change.everywhere:
            return None
        bounded = newline + text if change.lines else text
        wanted = newline + new if change.lines else new
        place = bounded.find(wanted)
        if place < 0 or bounded.find(wanted, place + 1) >= 0:
            return None
        # In `bounded`, a line begins one line end later than in `text`, and so does what was found.
        text = text[:place] + old + text[place + len(new) :]
    return text
