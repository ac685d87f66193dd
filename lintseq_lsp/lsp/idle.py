"""What a pause in typing is for: the document is prepared, and the model may start by itself."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

PREPARE_AFTER = (0.4, 3.0, 30.0, 300.0)
"""Seconds of quiet after which a document is prepared: the more, the more often it could not be."""
AWAKE = 5.0
"""Seconds after the last key, or after the cursor was moved, in which something may be read ahead."""
_AT_WORK = 60.0
"""Seconds after a change in which a moved cursor means that there will be another one."""
_LONGEST_DEBOUNCE = 0.3


class Pauses:
    """When each document was changed last.

    `prepare` gets its URI and the line where the cursor is, and says whether it went well; a change ends it.
    """

    def __init__(self, prepare: Callable[[str, int | None], Awaitable[bool]]) -> None:
        self._prepare = prepare
        self._changed_at: dict[str, float] = {}
        self._lines: dict[str, int | None] = {}
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._failures: Counter[str] = Counter()
        self._latency = 0.0

    def document_changed(self, uri: str, line: int | None = None) -> None:
        self._changed_at[uri] = time.monotonic()
        self._begin(uri, line)

    def cursor_moved(self, uri: str, line: int) -> None:
        """To another line, perhaps. Who only reads a document has nothing prepared for that."""
        changed = self._changed_at.get(uri)
        at_work = changed is not None and time.monotonic() - changed < _AT_WORK
        if at_work and self._lines.get(uri) != line:
            self._begin(uri, line)

    def document_closed(self, uri: str) -> None:
        self._stop(uri)
        self._changed_at.pop(uri, None)
        self._lines.pop(uri, None)
        self._failures.pop(uri, None)

    def close(self) -> None:
        for uri in list(self._preparing):
            self._stop(uri)

    def rest(self, uri: str, wanted: float) -> float:
        """Seconds until `wanted` seconds of quiet have passed; a negative number of them adapts.

        Then it is a tenth of what an answer takes lately, so that a slow machine is not kept busy with
        answers that the next key makes worthless.
        """
        if wanted < 0:
            wanted = min(self._latency / 10, _LONGEST_DEBOUNCE)
        return max(0.0, self._changed_at.get(uri, 0.0) + wanted - time.monotonic())

    def measure(self, seconds: float) -> None:
        """Takes what an answer of the model took. May be called in any thread."""
        self._latency = seconds if not self._latency else 0.8 * self._latency + 0.2 * seconds

    def _begin(self, uri: str, line: int | None) -> None:
        self._stop(uri)
        self._lines[uri] = line
        self._preparing[uri] = asyncio.ensure_future(self._prepare_later(uri, line))

    def _stop(self, uri: str) -> None:
        if (task := self._preparing.pop(uri, None)) is not None:
            task.cancel()

    async def _prepare_later(self, uri: str, line: int | None) -> None:
        await asyncio.sleep(PREPARE_AFTER[min(self._failures[uri], len(PREPARE_AFTER) - 1)])
        if await self._prepare(uri, line):
            self._failures.pop(uri, None)
        else:
            self._failures[uri] += 1
