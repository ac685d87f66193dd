"""Many editors at one model server: how long each waits, and how many answers there are together.

Each simulated editor is a thread that types lines of a module of its own, key by key, with a pause between
keys, and asks for a completion at each. They share one linter, which judges every answer that is offered;
in a team each has its own machine for that. With `--server` the model is on this machine, too.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import httpx2

from lintseq_lsp.backends.base import Piece, Request
from lintseq_lsp.backends.remote import RemoteBackend
from lintseq_lsp.bench.texts import statements, texts, typed
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import ServerError
from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Linter, Tier
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.runtime import open_linter
from lintseq_lsp.settings import Settings
from lintseq_lsp.weights.registry import embedded


@dataclass
class Seen:
    """Seconds of each request and of the model's part in it; what was offered, and what came of the rest."""

    whole: list[float] = field(default_factory=list)
    model: list[float] = field(default_factory=list)
    offered: int = 0
    ungated: int = 0
    away: int = 0
    tokens: int = 0


class Timed(RemoteBackend):
    """A remote backend that says how long the server took."""

    def __init__(self, endpoint: str, seen: Seen) -> None:
        super().__init__(endpoint, patience=60.0)
        self._seen = seen

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        began = time.perf_counter()
        try:
            yield from super().write(request, cancelled)
        finally:
            self._seen.model.append(time.perf_counter() - began)
            self._seen.tokens += self.usage.written


@contextmanager
def running(arguments: argparse.Namespace) -> Iterator[str]:
    """A llama-server with that many slots, each with the model's whole context."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    slots, threads = arguments.slots, arguments.threads
    command = [arguments.server, "--model", str(arguments.model), "--port", str(port), "--offline", "--no-ui"]
    command += ["--parallel", str(slots), "--ctx-size", str(1024 * slots), "--threads", str(threads)]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            while True:
                try:
                    if httpx2.get(f"{url}/health", trust_env=False).status_code == 200:
                        break
                except httpx2.HTTPError:
                    time.sleep(0.1)
                if server.poll() is not None:
                    log.seek(0)
                    raise SystemExit(log.read().decode("utf-8", "replace"))
            yield url
        finally:
            server.kill()


def edit(number: int, url: str, linter: Linter, arguments: argparse.Namespace, seen: Seen) -> None:
    gate = Gate(linter, lru_cache(16)(check_syntax), GatePolicy(timeout=20.0))
    backend = Timed(url, seen)
    engine = Engine(backend, gate, prompt_format=FORMATS[arguments.format], settings=Settings())
    documents = texts(200)
    document = documents[number % len(documents)]
    lines = statements(document)
    keys = 0
    for line in lines[number % 7 :]:
        for keystroke in typed(document, line, 12):
            if keys == arguments.keys:
                backend.close()
                return
            keys += 1
            began = time.perf_counter()
            try:
                outcome = engine.complete(keystroke.document, keystroke.offset)
            except ServerError:
                seen.away += 1
            else:
                seen.whole.append(time.perf_counter() - began)
                seen.offered += len(outcome.suggestions)
                seen.ungated += sum(
                    suggestion.evidence.tier is not Tier.PYLINT or suggestion.evidence.new_findings > 0
                    for suggestion in outcome.suggestions
                )
            time.sleep(arguments.pause)


def quantiles(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "-"
    deciles = statistics.quantiles(seconds, n=10, method="inclusive")
    return f"{deciles[4] * 1000:.0f} / {deciles[8] * 1000:.0f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--editors", type=int, default=20)
    parser.add_argument("--keys", type=int, default=20, help="of each editor")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between an answer and the next key")
    parser.add_argument("--endpoint", help="a server that runs already")
    parser.add_argument("--server", default=os.environ.get("LINTSEQ_LLAMA_SERVER"), help="a llama-server")
    parser.add_argument("--model", type=Path, default=embedded()[0].path, help="what that is to serve")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1, help="of the llama-server, which spin")
    parser.add_argument("--format", choices=sorted(FORMATS), default=embedded()[0].prompt_format.name)
    arguments = parser.parse_args()
    if arguments.endpoint:
        measure(arguments.endpoint, arguments)
    elif arguments.server:
        with running(arguments) as url:
            measure(url, arguments)
    else:
        parser.error("name a server: --endpoint URL, or --server llama-server")
    return 0


def measure(url: str, arguments: argparse.Namespace) -> None:
    linter = open_linter(Settings(linter_memory=1000))
    seen = [Seen() for _ in range(arguments.editors)]
    threads = [
        threading.Thread(target=edit, args=(number, url, linter, arguments, each))
        for number, each in enumerate(seen)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    linter.close()
    whole = [each for editor in seen for each in editor.whole]
    model = [each for editor in seen for each in editor.model]
    offered, ungated = sum(each.offered for each in seen), sum(each.ungated for each in seen)
    tokens, away = sum(each.tokens for each in seen), sum(each.away for each in seen)
    print(
        f"{arguments.editors} editors, {len(whole)} requests in {seconds:.1f} s: "
        f"{len(whole) / seconds:.1f} a second, {len(model)} of them for the model"
    )
    print(f"a request, median / p90: {quantiles(whole)}; the model's part: {quantiles(model)}")
    print(
        f"{tokens / seconds:.0f} tokens a second; {offered} offered, {ungated} of them not judged by pylint"
    )
    print(
        f"{away} requests while the server was away; {os.cpu_count()} processors, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    if ungated or not offered:
        raise SystemExit("every answer must be judged, and some must come")


if __name__ == "__main__":
    sys.exit(main())
