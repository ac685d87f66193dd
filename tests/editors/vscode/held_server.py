"""The patient server, whose model thinks for minutes where a recording has HOLD, unless it is cancelled."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import patient_server  # noqa: F401 - it makes the server patient

from lintseq_lsp.backends.base import Piece, Request
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.cli import main

write = ScriptedBackend.write


def _is_held(backend: ScriptedBackend) -> bool:
    """Whether the next answer is."""
    entry = backend._script[0] if backend._script else ("", 0)
    assert isinstance(entry, tuple)  # a stream, and where it goes on
    return "HOLD" in entry[0][entry[1] :].partition("\n<|diff|>")[0]


def held(self: ScriptedBackend, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
    while _is_held(self) and not cancelled():
        soon = time.monotonic() + 2
        while time.monotonic() < soon and not cancelled():
            time.sleep(0.01)
        yield Piece(0, "", 0, 0.0)  # the loop looks for the verdict on the step before
    yield from write(self, request, cancelled)


ScriptedBackend.write = held  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
