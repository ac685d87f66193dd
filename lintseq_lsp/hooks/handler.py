"""One call of a hook, from the JSON that an agent gives to the answer that it takes.

An agent is never held up by what goes wrong here: it goes on, and is told once in a session.
"""

import contextlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePath

from lintseq_lsp import lru
from lintseq_lsp.encoding import decode
from lintseq_lsp.errors import HookError
from lintseq_lsp.git import staged
from lintseq_lsp.globs import matches_any
from lintseq_lsp.hooks.clients import Answer, answer, notice, read, tells_of_edits
from lintseq_lsp.hooks.events import Edit, Event, Moment, text_before
from lintseq_lsp.hooks.judge import GateFailedError, Judge
from lintseq_lsp.hooks.policy import New, at_once, message, still_to_tell
from lintseq_lsp.hooks.state import MOST_BYTES, Session, default_folder
from lintseq_lsp.linters.files import read_file
from lintseq_lsp.linters.several import choose
from lintseq_lsp.runtime import open_gate
from lintseq_lsp.settings import IGNORED, Settings

_MOST_SEEN = 64


class Handler:
    """Answers hooks, in any thread.

    `open_judge` is called for the first file that is judged. Turns are kept in the folder `state`.
    `stays` is false for one that answers a single hook.
    """

    def __init__(self, open_judge: Callable[[], Judge], state: Path, *, stays: bool = True) -> None:
        self._open_judge = open_judge
        self._state = state
        self._stays = stays
        self._judge: Judge | None = None
        self._seen: OrderedDict[str, str] = OrderedDict()
        self._noticed: set[str] = set()
        self._missing: Sequence[str] = ()
        self._lock = threading.Lock()

    def answer(self, data: bytes, folder: str) -> Answer:
        """To what an agent wrote to a hook that it started in `folder`. Never raises."""
        try:
            event = read(json.loads(data))
        except (HookError, ValueError, RecursionError) as error:
            return Answer(stderr=f"lintseq-lsp hook: {error}\n")
        if event is None:
            return Answer()
        event = resolved(event, folder)
        session = Session(self._state, f"{event.client.value} {event.session}")
        with self._lock:
            try:
                return self._answer(event, session)
            except Exception as error:  # noqa: BLE001 - whatever it is, the agent goes on
                why = str(error) if isinstance(error, GateFailedError | HookError) else repr(error)
                return self._once(event, session, f"lintseq-lsp: edits are not checked: {why}")

    def close(self) -> None:
        if self._judge is not None:
            self._judge.close()

    def _answer(self, event: Event, session: Session) -> Answer:
        turn = session.begin(event.turn)
        match event.moment:
            case Moment.BEFORE_EDIT:
                self._look(event, session)
                found = []
            case Moment.AFTER_EDIT:
                found = self._of_edits(event, session)
            case Moment.TURN_END:
                found = [] if event.held_up else self._of_turn(session)
        left, told = [], turn.told
        for new in found:
            rest, told = still_to_tell(new, told)
            left.append(rest)
        at_end = event.moment is Moment.TURN_END
        text = message(left, turn=at_end, called=lambda path: _relative(path, event.folder))
        if text:
            # What is not known to have been told would keep a turn from its end again and again.
            with contextlib.nullcontext() if at_end else contextlib.suppress(HookError):
                session.keep_turn(replace(turn, told=told))
            return answer(event, text)
        if at_end:
            session.end()
        return self._of_missing_linters(event)

    def _of_missing_linters(self, event: Event) -> Answer:
        """Tells people once in the life of this process; one that answers a single hook has logged it."""
        told, self._missing = self._missing, self._judge.missing if self._judge else ()
        if self._missing == told or not self._stays:
            return Answer()
        return notice(event, f"lintseq-lsp: {'; '.join(self._missing)}")

    def _look(self, event: Event, session: Session) -> None:
        for edit in filter(_is_judged, event.edits):
            path = edit.moved_from or edit.path
            text = _read(path) if Path(path).exists() else ""
            if text is not None:
                session.keep_first(path, text)
                session.keep_last(path, text)

    def _of_edits(self, event: Event, session: Session) -> list[New]:
        """What is told at once. The texts are kept for the turn's end, if they can be."""
        texts = {
            edit: (self._before(edit, after, session), after)
            for edit in filter(_is_judged, event.edits)
            if (after := _read(edit.path)) is not None
        }
        with ThreadPoolExecutor(1) as helper:  # a disk takes its time, and so does the linter
            keeping = helper.submit(self._keep, texts, session)
            if not tells_of_edits(event.client):
                found = []
            else:
                befores = {edit.path: before for edit, (before, _) in texts.items() if before is not None}
                found = [
                    at_once(self._new(edit.path, before, after, befores))
                    for edit, (before, after) in texts.items()
                ]
            problem = keeping.result()
        if problem is not None and not any(new.findings for new in found):
            raise problem
        return found

    def _keep(self, texts: Mapping[Edit, tuple[str | None, str]], session: Session) -> HookError | None:
        """For the edits to come, and the turn's end. What cannot be kept is a reason, and no end."""
        for edit, (_, after) in texts.items():
            lru.put(self._seen, edit.path, after, _MOST_SEEN)
        try:
            for edit, (before, after) in texts.items():
                first = session.first().get(edit.moved_from, before) if edit.moved_from else before
                session.keep_first(edit.path, first)
                session.keep_last(edit.path, after)
        except HookError as error:
            return error
        return None

    def _of_turn(self, session: Session) -> list[New]:
        """All that is new since the turn began, of the files that are still there."""
        firsts = session.first()
        changed = {
            path: now for path, first in firsts.items() if (now := _read(path)) is not None and now != first
        }
        others = {path: first for path in changed if (first := firsts[path]) is not None}
        return [self._new(path, firsts[path], now, others) for path, now in changed.items()]

    def _before(self, edit: Edit, after: str, session: Session) -> str | None:
        """From the hook, from what was kept, from git, from memory; None when nobody knows it."""
        text = text_before(edit, after)
        path = edit.moved_from or edit.path
        if text is None:
            text = session.last(path)
        if text is None:
            text = staged(path)
        if text is None:
            text = self._seen.get(path)
        return "" if text is None and edit.new else text

    def _new(self, path: str, before: str | None, after: str, others: Mapping[str, str]) -> New:
        """The linter starts with the first file. It finds each one's own environment."""
        if self._judge is None:
            self._judge = self._open_judge()
        return self._judge.new(path, before, after, others)

    def _once(self, event: Event, session: Session, text: str) -> Answer:
        """Tells people once in a session; without a place to keep that, once in this process's life."""
        turn = session.turn()
        known = turn.noticed or session.name in self._noticed
        self._noticed.add(session.name)
        try:
            session.keep_turn(replace(turn, noticed=True))
        except HookError:
            known = known or not self._stays
        return Answer(stderr=f"{text}\n") if known else notice(event, text)


def open_handler(python: str = "", linters: tuple[str, ...] = (), *, stays: bool = True) -> Handler:
    """One whose linters start when they are needed. Arguments are as the settings of these names."""
    settings = Settings(python=python, linters=linters)
    return Handler(lambda: _open_judge(settings), default_folder(), stays=stays)


def _open_judge(settings: Settings) -> Judge:
    """Raises `HookError`."""
    if unknown := choose(settings.linters)[1]:
        raise HookError(f"unknown linters: {', '.join(unknown)}")
    return Judge(open_gate(settings))


def resolved(event: Event, folder: str) -> Event:
    """With absolute paths. What the client says of its folder begins at `folder`."""
    base = PurePath(folder, event.folder)
    edits = [
        replace(
            edit,
            path=os.path.normpath(base / edit.path),
            moved_from=os.path.normpath(base / edit.moved_from) if edit.moved_from else "",
        )
        for edit in event.edits
    ]
    return replace(event, folder=os.path.normpath(base), edits=tuple(edits))


def _relative(path: str, folder: str) -> str:
    """As people in that folder would write it."""
    return str(PurePath(path).relative_to(folder)) if PurePath(path).is_relative_to(folder) else path


def _is_judged(edit: Edit) -> bool:
    """Python, and no file that looks like a secret."""
    path = PurePath(edit.path)
    return path.suffix in {".py", ".pyw"} and not matches_any(path.as_posix(), IGNORED)


def _read(path: str) -> str | None:
    """The text of a file; None where it has none, or no text that Python reads."""
    try:
        return decode(read_file(path, MOST_BYTES))
    except (OSError, SyntaxError, ValueError):
        return None
