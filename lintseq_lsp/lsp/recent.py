"""Watches what the user changes, for models that want to know of it; an accepted suggestion is a change, too.

A change costs a comparison of two texts. Edits are read from them when a request asks. What was closed is
forgotten, and what is not served is not told. Deliberately absent: what an edit is (lintseq_lsp/recent.py).
"""

import time
from collections.abc import Callable
from dataclasses import replace

from lintseq_lsp.lsp.documents import Snapshot
from lintseq_lsp.recent import MOST, History, RecentEdit


class Recent:
    """The histories of the open documents that `is_served`, as they were when they were changed last."""

    def __init__(
        self, is_served: Callable[[Snapshot], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._is_served = is_served
        self._clock = clock
        self._histories: dict[str, tuple[Snapshot, History]] = {}

    def document_changed(self, snapshot: Snapshot) -> bool:
        _, history = self._histories.get(snapshot.uri, (snapshot, History()))
        self._histories[snapshot.uri] = snapshot, history.after(snapshot.own, self._clock())
        return False

    def document_closed(self, uri: str) -> None:
        self._histories.pop(uri, None)

    def edits_for(self, snapshot: Snapshot) -> tuple[RecentEdit, ...]:
        """The newest edits of all documents, the last one last; those of `snapshot` as it is worked on."""
        found: list[RecentEdit] = []
        for uri, (latest, history) in self._histories.items():
            if len(history.states) < 2 or not self._is_served(latest):
                continue
            edits = history.edits()
            if uri == snapshot.uri:
                path, shift = snapshot.document.path, snapshot.lines_above
                edits = tuple(replace(edit, path=path, above=edit.above + shift) for edit in edits)
            found += edits
        return tuple(sorted(found, key=lambda edit: edit.time)[-MOST:])
