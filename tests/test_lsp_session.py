"""How long the server waits before the model starts by itself, what it does while it waits, and modules."""

import asyncio
import threading
from concurrent.futures import Future

import pytest
from lsprotocol.types import TextDocumentItem

from lintseq_lsp.errors import Pending
from lintseq_lsp.lsp import idle, served
from lintseq_lsp.lsp.documents import Documents
from lintseq_lsp.lsp.idle import Pauses
from lintseq_lsp.lsp.worker import PATIENCE, Priority, Worker
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document

URI = "file:///a.py"


@pytest.fixture
def now(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(idle.time, "monotonic", lambda: clock[0])
    return clock


def with_pauses(check):
    async def run():
        pauses = Pauses(None)
        pauses.document_changed(URI)
        check(pauses)
        pauses.close()

    asyncio.run(run())


def test_a_set_debounce_counts_from_the_last_change(now):
    def check(pauses):
        assert pauses.rest(URI, 0.2) == pytest.approx(0.2)
        now[0] += 0.15
        assert pauses.rest(URI, 0.2) == pytest.approx(0.05)
        now[0] += 1
        assert pauses.rest(URI, 0.2) == 0

    with_pauses(check)


@pytest.mark.usefixtures("now")
def test_the_adaptive_debounce_follows_the_measured_latency():
    def check(pauses):
        assert pauses.rest(URI, -1) == 0
        pauses.measure(1.0)
        assert pauses.rest(URI, -1) == pytest.approx(0.1)
        for _ in range(50):
            pauses.measure(0.1)
        assert pauses.rest(URI, -1) == pytest.approx(0.01, abs=0.001)
        pauses.measure(1000)
        assert pauses.rest(URI, -1) == pytest.approx(0.3)

    with_pauses(check)


def test_what_cannot_be_prepared_is_left_alone_for_longer(monkeypatch):
    results, slept = [False] * 5 + [True, True], []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(idle.asyncio, "sleep", sleep)

    async def prepare(uri, line):
        assert (uri, line) == (URI, 3)
        return results.pop(0)

    async def run():
        pauses = Pauses(prepare)
        for _ in range(len(results)):
            pauses.document_changed(URI, 3)
            await pauses._preparing[URI]

    asyncio.run(run())
    assert slept == [0.4, 3.0, 30.0, 300.0, 300.0, 300.0, 0.4]


def test_a_change_ends_the_preparation_of_what_the_document_was():
    ended = []

    async def run():
        begun = asyncio.Event()

        async def prepare(uri, _line):
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(uri)

        pauses = Pauses(prepare)
        for leave in (pauses.document_changed, pauses.document_closed):
            pauses.document_changed(URI)
            await begun.wait()
            begun.clear()
            leave(URI)
            await asyncio.sleep(0)
        pauses.close()

    asyncio.run(run())
    assert ended == [URI, URI]


def test_only_so_many_modules_that_may_be_read(monkeypatch):
    monkeypatch.setattr(served, "_MOST_MODULES", 3)
    monkeypatch.setattr(served, "_ROOM_FOR_MODULES", 250)
    documents, settings = Documents(), Settings(max_file_lines=1)

    def opened(**texts):
        for name, text in texts.items():
            documents.open(TextDocumentItem(f"file:///{name}.py", "python", 1, text))
        return [path.removeprefix("/").removesuffix(".py") for path in served.modules(documents, settings)]

    assert opened(a="a", my_secret="b", long="c" * 101) == ["a"]
    assert opened(d="d", e="e", f="f") == ["f", "e", "d"]
    assert opened(g="g" * 100, h="h" * 100, i="i" * 100) == ["i", "h"]


@pytest.mark.parametrize("in_time", [True, False])
def test_the_model_reads_from_the_first_moment_that_the_linter_is_busy(in_time):
    """When it has read all, the thread waits a moment for the report before it lets others pass."""
    report, calls = Future(), []

    class Linting:
        def lint(self, document, line, *, patience):  # noqa: ARG002
            calls.append(patience)
            if not report.done():
                raise Pending(report)

        def close(self):
            pass

    def read(engine, stop):  # noqa: ARG001
        calls.append("read")
        if in_time:
            report.set_result(None)
        else:
            threading.Timer(0.01, report.set_result, [None]).start()

    async def run():
        worker = Worker(lambda _: None)
        await worker.load(lambda _: Linting())
        await worker.run(
            Priority.INLINE,
            lambda *_: calls.append("work"),
            linted=(Document("x = 1\n"), 0),
            meanwhile=read,
        )
        await worker.close(timeout=5)

    asyncio.run(run())
    again = [] if in_time else [PATIENCE, 0.0]
    assert calls == [0.0, "read", *again, PATIENCE, "work"]
