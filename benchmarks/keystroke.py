"""Where the time of a keystroke goes, from its bytes in our server's pipe to the bytes of the answer.

A server of its own, whose parts are watched, is told of each key and asked for ghost text, as by an editor;
the next key is pressed when the answer to the last has been there for a moment. `make bench-keystroke`
writes `benchmarks/keystroke.md`.
"""

import argparse
import asyncio
import functools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clients import GHOST_TEXT, LanguageServer
from typist import KEYS, Press, lines

from lintseq_lsp.asking.job import Job
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.bench.sections import machine
from lintseq_lsp.bench.texts import typed
from lintseq_lsp.bench.values import Plan
from lintseq_lsp.engine import Engine
from lintseq_lsp.gate import Gate
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.start import serve_stdio
from lintseq_lsp.weights.registry import embedded

Span = tuple[str, float, float]
PAUSE = 0.15  # seconds between an answer and the next key
STAGES = (
    "pipe, JSON, the change taken in",
    "until it is the model's turn",
    "the prompt made",
    "the prompt read",
    "the answer written",
    "the answer judged",
    "all else in the engine",
    "way back, JSON, pipe",
)


def serve(log: Path) -> int:
    """The server. Writes the spans that its parts took, in seconds of `time.perf_counter`, when it ends."""
    spans: list[Span] = []

    def watched(owner: type, method: str) -> None:
        inner: Callable[..., Any] = getattr(owner, method)

        @functools.wraps(inner)
        def outer(*arguments: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return inner(*arguments, **options)
            finally:
                spans.append((method, begun, time.perf_counter()))

        setattr(owner, method, outer)

    def watched_pieces(owner: type, method: str) -> None:
        inner: Callable[..., Iterator[Any]] = getattr(owner, method)

        @functools.wraps(inner)
        def outer(*arguments: Any, **options: Any) -> Iterator[Any]:
            pieces = inner(*arguments, **options)
            while True:
                begun = time.perf_counter()
                try:
                    piece = next(pieces)
                except StopIteration:
                    return
                finally:
                    spans.append((method, begun, time.perf_counter()))
                yield piece

        setattr(owner, method, outer)

    parts = {
        Session: ("open_for",),
        Engine: ("complete",),
        Gate: ("against",),
        Job: ("ask", "judge"),
        LlamaBackend: ("_read",),
    }
    for owner, methods in parts.items():
        for method in methods:
            watched(owner, method)
    watched_pieces(LlamaBackend, "write")
    try:
        return serve_stdio()
    finally:
        log.write_text(json.dumps(spans), "utf-8")


async def profile(log: Path, session: int, count: int) -> list[Press]:
    command = [sys.executable, __file__, "--serve", str(log)]
    # All that is clean is shown: else most keys would end where the model is unsure.
    server = LanguageServer("lintseq", "", command, GHOST_TEXT, certainty=0.0)
    presses = []
    await server.start()
    try:
        for document, line in lines(session, count):
            await server.open(document)
            await asyncio.sleep(3)
            for keystroke in typed(document, line, KEYS):
                presses.append(Press(keystroke, time.perf_counter(), rests=False))
                server.press(presses[-1])
                await server.settled()
                await asyncio.sleep(PAUSE)
    finally:
        await server.stop()
    return presses


def stages(press: Press, spans: Mapping[str, Sequence[Span]]) -> tuple[float, ...] | None:
    """Milliseconds of each of the `STAGES`; None when the model was not asked."""
    assert press.answered is not None

    def within(name: str, since: float, until: float) -> list[Span]:
        return [span for span in spans[name] if since <= span[1] and span[2] <= until]

    complete = within("complete", press.at, press.answered)
    if not complete:
        return None
    _, begun, done = complete[-1]

    def spent(name: str) -> float:
        return sum(end - begin for _, begin, end in within(name, begun, done))

    if not spent("write"):
        return None
    taken = within("open_for", press.at, press.answered)[0][1]
    against, read = spent("against"), spent("_read")
    inside = (spent("ask"), read, spent("write") - read, spent("judge"))
    parts = (
        taken - press.at,
        begun - taken + against,
        *inside,
        done - begun - against - sum(inside),
        press.answered - done,
    )
    return tuple(part * 1000 for part in parts)


def table(rows: Sequence[tuple[float, ...]]) -> str:
    columns = [*zip(*rows, strict=True), tuple(map(sum, rows))]
    names = [*STAGES, "**from bytes to bytes**"]
    whole = sum(columns[-1])
    lines = ["| | median | p90 | share |", "|---|---|---|---|"]
    for name, column in zip(names, columns, strict=True):
        p90 = statistics.quantiles(column, n=10, method="inclusive")[8]
        share = sum(column) / whole * 100
        lines.append(f"| {name} | {statistics.median(column):.1f} | {p90:.1f} | {share:.0f} % |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--session", type=int, default=1, help="which lines of which files: as in peers.py")
    parser.add_argument("--lines", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments.serve)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "spans.json"
        presses = asyncio.run(profile(log, arguments.session, arguments.lines))
        spans: dict[str, list[Span]] = defaultdict(list)
        for name, begin, end in json.loads(log.read_text("utf-8")):
            spans[name].append((name, begin, end))
    asked: dict[tuple[str, bool], list[tuple[float, ...]]] = defaultdict(list)
    known = []
    for press in presses:
        row = stages(press, spans)
        if row is not None:
            asked[press.keystroke.kind, press.shown is not None].append(row)
        elif press.shown is not None:
            known.append((press.shown - press.at) * 1000)
    titles = {"key": "A key", "jump": "A jump to another line", "enter": "Enter"}
    ends = {True: "with ghost text", False: "with nothing to show"}
    sections = [
        f"## {titles[kind]}, {ends[is_shown]} ({len(rows)})\n\n{table(rows)}"
        for (kind, is_shown), rows in sorted(asked.items(), key=lambda item: -len(item[1]))
        if len(rows) > 1
    ]
    names = (Path(document.path).name for document, _ in lines(arguments.session, arguments.lines))
    facts = machine(Plan())
    page = (Path(__file__).with_name("keystroke.in.md")).read_text("utf-8")
    arguments.out.write_text(
        page.format(
            sections="\n\n".join(sections),
            lines=arguments.lines,
            presses=len(presses),
            known=f"{statistics.median(known):.1f} ms (n {len(known)})" if known else "none",
            files=", ".join(f"`{name}`" for name in names),
            processor=f"{facts['processor']}, {facts['cores']} processors",
            threads=", ".join(f"{count} to {what}" for what, count in facts["threads"].items()),
            load=f"{os.getloadavg()[0]:.1f}",
            python=platform.python_version(),
            model=embedded()[0].path.name,
        ),
        "utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
