"""How long the server waits before the model starts by itself."""

import asyncio

import pytest
from lsprotocol.types import TextDocumentItem

from lintseq_lsp.lsp import session as module
from lintseq_lsp.lsp.server import Server
from lintseq_lsp.settings import Settings

URI = "file:///a.py"


@pytest.fixture
def now(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    return clock


def with_session(check):
    async def run():
        session = Server().session
        try:
            check(session)
        finally:
            await session.close()

    asyncio.run(run())


def test_a_set_debounce_counts_from_the_last_change(now):
    def check(session):
        session.settings = Settings(debounce=200)
        session.document_changed(URI)
        assert session.debounce(URI) == pytest.approx(0.2)
        now[0] += 0.15
        assert session.debounce(URI) == pytest.approx(0.05)
        now[0] += 1
        assert session.debounce(URI) == 0

    with_session(check)


@pytest.mark.usefixtures("now")
def test_the_adaptive_debounce_follows_the_measured_latency():
    def check(session):
        session.document_changed(URI)
        assert session.debounce(URI) == 0
        session.took(1.0)
        assert session.debounce(URI) == pytest.approx(0.1)
        for _ in range(50):
            session.took(0.1)
        assert session.debounce(URI) == pytest.approx(0.01, abs=0.001)
        session.took(1000)
        assert session.debounce(URI) == pytest.approx(0.3)

    with_session(check)


def test_only_so_many_modules_that_may_be_read(monkeypatch):
    monkeypatch.setattr(module, "_MOST_MODULES", 3)
    monkeypatch.setattr(module, "_ROOM_FOR_MODULES", 250)

    def check(session):
        def opened(**texts):
            for name, text in texts.items():
                session.documents.open(TextDocumentItem(f"file:///{name}.py", "python", 1, text))
            return [path.removeprefix("/").removesuffix(".py") for path in session.modules()]

        session.settings = Settings(max_file_lines=1)
        assert opened(a="a", my_secret="b", long="c" * 101) == ["a"]
        assert opened(d="d", e="e", f="f") == ["f", "e", "d"]
        assert opened(g="g" * 100, h="h" * 100, i="i" * 100) == ["i", "h"]

    with_session(check)
