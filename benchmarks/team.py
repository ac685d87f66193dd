"""Many editors at one model server: how long each waits, and what came of every request.

Each simulated editor is a thread with a file of its own. It types lines of that, key by key, with a pause
between an answer and the next key, and asks at each key for what an editor asks for. All share one linter,
which judges what is offered; in a team each has its own machine for that. With `--server` the model is on
this machine, too, and is killed and started again in the end. `make bench-team` brings a llama-server.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from lintseq_lsp.backends.base import Piece, Request
from lintseq_lsp.backends.remote import RemoteBackend
from lintseq_lsp.bench.texts import Keystroke, statements, texts, typed
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import ServerError
from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Linter, Tier
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.reasons import Reason
from lintseq_lsp.runtime import open_linter
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Outcome
from lintseq_lsp.weights.registry import embedded

if TYPE_CHECKING:
    from llama_server import LlamaServer

_LINES = 5  # that a text must have for an editor to type in it
_KEYS = 12  # of a line
_AWAY = "the server was away"
_BEFORE, _OUTAGE = 2.0, 5.0  # seconds that all type until the server is killed, and until it is started again


class Timed(RemoteBackend):
    """A remote backend that says how long the server took, and for how many tokens."""

    seconds = 0.0
    read = cached = written = 0

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        began = time.perf_counter()
        try:
            yield from super().write(request, cancelled)
        finally:
            self.seconds += time.perf_counter() - began
            self.read += self.usage.read
            self.cached += self.usage.cached
            self.written += self.usage.written


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one request. `model` are the seconds that the server took; 0 when it was not asked."""

    result: str
    seconds: float
    model: float = 0.0
    ungated: int = 0


class Editor:
    """Types in a file of its own."""

    def __init__(self, number: int, url: str, linter: Linter, arguments: argparse.Namespace) -> None:
        gate = Gate(linter, lru_cache(16)(check_syntax), GatePolicy(timeout=20.0))
        self.backend = Timed(url, patience=60.0)
        self.engine = Engine(self.backend, gate, prompt_format=FORMATS[arguments.format], settings=Settings())
        self.known: Keystroke | None = None  # the last one with a suggestion
        self.answered_at = 0.0
        self._pause = arguments.pause
        self._keys = _keystrokes(number)

    def types(self, keys: int) -> list[Asked]:
        return [self.ask(keystroke) for keystroke in islice(self._keys, keys)]

    def types_until(self, back: threading.Event) -> list[Asked]:
        """Until the server has answered what it was asked after it was `back`."""
        asked = []
        while True:
            is_back = back.is_set()
            asked.append(self.ask(next(self._keys)))
            if is_back and asked[-1].model:
                self.answered_at = time.perf_counter()
                return asked

    def ask(self, keystroke: Keystroke) -> Asked:
        began, before = time.perf_counter(), self.backend.seconds
        try:
            outcome = self.engine.complete(keystroke.document, keystroke.offset, certainty=-1.0)
        except ServerError:
            asked = Asked(_AWAY, time.perf_counter() - began)
        else:
            if outcome.suggestions:
                self.known = keystroke
            seconds, model = time.perf_counter() - began, self.backend.seconds - before
            asked = Asked(_result(outcome), seconds, model, _ungated(outcome))
        time.sleep(self._pause)
        return asked


def _keystrokes(number: int) -> Iterator[Keystroke]:
    """Without end, in a file that no other editor has; editors of one text begin in different lines."""
    usable = [document for document in texts(200) if len(statements(document)) >= _LINES]
    text = usable[number % len(usable)]
    document = replace(text, path=text.path.replace("cut_", f"editor{number}_"))
    lines = statements(document)
    for line in islice(cycle(lines), number % len(lines), None):
        yield from typed(document, line, _KEYS)


def _result(outcome: Outcome) -> str:
    if outcome.cached:
        return "offered, from memory"
    if outcome.suggestions:
        return "offered"
    if outcome.reason is Reason.LINTER_FAILED:
        return f"{outcome.reason.value}: {outcome.detail or outcome.rejected[-1].detail}"
    return str(outcome.reason.value)


def _ungated(outcome: Outcome) -> int:
    return sum(
        suggestion.evidence.tier is not Tier.PYLINT or suggestion.evidence.new_findings > 0
        for suggestion in outcome.suggestions
    )


@contextmanager
def running(arguments: argparse.Namespace) -> "Iterator[LlamaServer]":
    """A llama-server with that many slots, each with the model's whole context."""
    from llama_server import LlamaServer

    slots, threads = arguments.slots, arguments.threads
    with tempfile.TemporaryDirectory() as folder:
        options = ["--parallel", slots, "--ctx-size", 1024 * slots, "--threads", threads]
        server = LlamaServer(arguments.model, Path(folder) / "log", *map(str, options))
        try:
            server.start()
            yield server
        finally:
            server.kill()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--editors", type=int, default=20)
    parser.add_argument("--keys", type=int, default=20, help="of each editor")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between an answer and the next key")
    parser.add_argument("--endpoint", help="a server that runs already; else a llama-server is started")
    parser.add_argument("--model", type=Path, default=embedded()[0].path, help="what that is to serve")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1, help="of the llama-server, which spin")
    parser.add_argument("--format", choices=sorted(FORMATS), default=embedded()[0].prompt_format.name)
    arguments = parser.parse_args()
    if arguments.endpoint:
        measure(arguments.endpoint, arguments)
    else:
        with running(arguments) as server:
            measure(server.url, arguments, server)
    return 0


def measure(url: str, arguments: argparse.Namespace, server: "LlamaServer | None" = None) -> None:
    linter = open_linter(Settings(linter_memory=1000))
    editors = [Editor(number, url, linter, arguments) for number in range(arguments.editors)]
    with ThreadPoolExecutor(len(editors)) as pool:
        began = time.perf_counter()
        typed_by = list(pool.map(lambda editor: editor.types(arguments.keys), editors))
        seconds = time.perf_counter() - began
        report([asked for each in typed_by for asked in each], seconds, editors, arguments)
        if server is not None:
            outage(server, editors, pool)
    for editor in editors:
        editor.backend.close()
    linter.close()


def report(
    asked: Sequence[Asked], seconds: float, editors: Sequence[Editor], arguments: argparse.Namespace
) -> None:
    by_model = [each for each in asked if each.model]
    written, read, cached = (
        sum(getattr(editor.backend, name) for editor in editors) for name in ("written", "read", "cached")
    )
    print(
        f"{len(editors)} editors, {arguments.keys} keys each, {arguments.slots} slots, {arguments.threads} "
        f"threads; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n"
        f"{len(asked)} requests in {seconds:.1f} s: {len(asked) / seconds:.1f} a second, "
        f"{len(by_model)} of them ({len(by_model) / seconds:.1f} a second) for the model\n"
        f"{written / seconds:.0f} tokens written a second, {read / seconds:.0f} read, "
        f"{cached / seconds:.0f} more were cached\n"
    )
    print("| | median / p90 |\n|---|---|")
    rows = {
        "a request for the model": [each.seconds for each in by_model],
        "the server's part of it": [each.model for each in by_model],
        "the linter's part of it": [each.seconds - each.model for each in by_model],
        "any request": [each.seconds for each in asked],
    }
    for name, values in rows.items():
        print(f"| {name} | {quantiles(values)} |")
    table(asked)
    if len(asked) != len(editors) * arguments.keys:
        raise SystemExit("a key has no answer")


def outage(server: "LlamaServer", editors: Sequence[Editor], pool: ThreadPoolExecutor) -> None:
    """The server is killed while all type on, and started again."""
    back = threading.Event()
    typing = [pool.submit(editor.types_until, back) for editor in editors]
    time.sleep(_BEFORE)
    server.kill()
    time.sleep(_OUTAGE)
    known = [(editor.engine, editor.known) for editor in editors if editor.known]
    recalled = [engine.recall(key.document, key.offset) for engine, key in known]
    server.start()
    began = time.perf_counter()
    back.set()
    asked = [each for editor in typing for each in editor.result()]
    seconds = [editor.answered_at - began for editor in editors]
    print(
        f"\nThe server was killed and started again after {_OUTAGE:.0f} s; {sum(map(bool, recalled))} of "
        f"{len(known)} editors had their last suggestion meanwhile, and all had the server's next answer "
        f"{quantiles(seconds)} (median / p90) after it was there again."
    )
    table(asked)


def table(asked: Sequence[Asked]) -> None:
    """What came of each. Raises `SystemExit` when something was offered that was not judged."""
    print("\n| came to | requests |\n|---|---|")
    for result, count in Counter(each.result for each in asked).most_common():
        print(f"| {result} | {count} |")
    ungated = sum(each.ungated for each in asked)
    print(f"| all | {len(asked)} |\n| offered and not judged by pylint | {ungated} |")
    if ungated:
        raise SystemExit("every answer must be judged")


def quantiles(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return "-"
    deciles = statistics.quantiles(seconds, n=10, method="inclusive")
    return f"{deciles[4] * 1000:.0f} / {deciles[8] * 1000:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
