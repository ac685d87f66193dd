"""The same model in this process and behind a real llama-server."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from llama_server import LlamaServer, started
from small_model import SMALL_MODEL
from test_llama import DIFFS, WARM, of, text_of

from lintseq_lsp.backends.base import BOS, Ability, Piece, Prompt, Request, Special, Stop
from lintseq_lsp.backends.http import Http
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.backends.openai import OpenAIServer
from lintseq_lsp.backends.remote import KEY, RemoteBackend
from lintseq_lsp.errors import ModelError, PromptError, ServerError
from lintseq_lsp.formats.lintseq import DIFF, next_headers
from lintseq_lsp.runtime import open_engine
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document

NEAR = 0.05  # nats between two tokens, either of which another order of sums may make the greater


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    with started(tmp_path_factory.mktemp("server") / "log", "--parallel", "4") as running:
        yield running


@pytest.fixture(scope="module")
def here() -> Iterator[LlamaBackend]:
    with closing(LlamaBackend(SMALL_MODEL, threads=1)) as backend:
        yield backend


@pytest.fixture
def there(server: LlamaServer) -> Iterator[RemoteBackend]:
    with closing(RemoteBackend(server.url, patience=60.0)) as backend:
        yield backend


def never() -> bool:
    return False


def logprob(pieces: list[Piece]) -> float:
    return sum(piece.logprob for piece in pieces)


def is_near_tie(here: LlamaBackend, request: Request, one: str, other: str) -> bool:
    """Whether the model holds the two answers about equally probable where they part."""
    pairs = enumerate(zip(one, other, strict=False))
    size = next((at for at, (mine, their) in pairs if mine != their), min(len(one), len(other))) + 1

    def probability(text: str) -> float:
        asked = Request(request.prompt, begins=[[text[:size]]], max_tokens=request.max_tokens)
        return logprob(list(here.write(asked, never)))

    return abs(probability(one) - probability(other)) < NEAR


REQUESTS = {
    "a completion": of(DIFFS, max_tokens=40),
    "another": of([*DIFFS, "@@ -12,0 +13,3 @@\n+"], max_tokens=40),
    "a half-typed word": of(["", "@@ -0,0 +1,2 @@\n+def f(x):\n+    retu"], max_tokens=30),
    "a half-typed name": of([*DIFFS[:2], "@@ -3,0 +4,2 @@\n+def read(path):\n+    with pa"], max_tokens=30),
    "a begin": of([*DIFFS, ""], begins=["@@ -9,0 +10 @@\n+"], max_lines=3),
    "lines": of(DIFFS, max_lines=2),
    "signs": of([*DIFFS[:2], '@@ -3,0 +4 @@\n+print("é🙂 <|diff|> \\'], max_tokens=20),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_it_writes_what_it_writes_here(here: LlamaBackend, there: RemoteBackend, name: str) -> None:
    request = REQUESTS[name]
    mine, theirs = list(here.write(request, never)), list(there.write(request, never))
    one, other = text_of(mine), text_of(theirs)
    if one != other:
        assert is_near_tie(here, request, one, other), (one, other)
        return
    assert theirs[-1].stop == mine[-1].stop
    # What is typed and improbable is not among the tokens that the server tells of.
    assert logprob(theirs) == pytest.approx(logprob(mine), abs=1.0 if name == "signs" else 0.1)


def test_what_may_begin_an_answer_begins_it(here: LlamaBackend, there: RemoteBackend) -> None:
    groups = next_headers(12, 8)
    request = of([*DIFFS[:2], ""], groups=groups, max_tokens=40)
    for backend in (here, there):
        assert text_of(list(backend.write(request, never))).startswith(tuple(t for g in groups for t in g))


def test_it_is_told_what_it_is_told_here(here: LlamaBackend, there: RemoteBackend) -> None:
    prompts: Sequence[Prompt] = (
        ("<|diff|> is text", DIFF, "a<|diff|>b<|endoftext|>"),
        ("é\u2028\x00\n\t", DIFF, "".join(map(chr, range(32, 300)))),
    )
    assert there.has(DIFF)
    server = there.server()
    for prompt in prompts:
        assert server._prompt_ids(prompt, never) == here._prompt_ids(prompt)  # type: ignore[union-attr]
    for text in ("<|diff|>", "<|endoftext|>", "def", "x", "<|no|>"):
        assert there.has(Special(text)) == here.has(Special(text))


@pytest.mark.parametrize("candidates", [2, 4, 7])
def test_candidates_differ_and_go_on_with_what_is_typed(there: RemoteBackend, candidates: int) -> None:
    request = of([*DIFFS[:2], "@@ -3,0 +4 @@\n+de"], sampling=WARM, max_tokens=12, candidates=candidates)
    pieces = list(there.write(request, never))
    texts = [text_of(pieces, index) for index in range(candidates)]
    assert len(set(texts)) > 1
    ends = [[piece.stop for piece in pieces if piece.candidate == index][-1] for index in range(candidates)]
    assert set(ends) <= {Stop.LENGTH, Stop.END}


def test_a_stop_ends_it(here: LlamaBackend, there: RemoteBackend) -> None:
    request = of([*DIFFS, "@@ -12,0 +13 @@\n+"], max_tokens=200)
    mine, theirs = list(here.write(request, never)), list(there.write(request, never))
    assert mine[-1].stop == theirs[-1].stop == DIFF


def test_it_reads_what_is_new(there: RemoteBackend) -> None:
    list(there.write(of(DIFFS, max_tokens=1), never))
    list(there.write(of([*DIFFS[:2], DIFFS[2] + "."], max_tokens=1), never))
    assert there.usage.cached > 3 * there.usage.read > 0


def test_whoever_stops_asking_frees_its_slot(server: LlamaServer, there: RemoteBackend) -> None:
    stream = there.write(of(DIFFS, max_tokens=900), never)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    while any(slot["is_processing"] for slot in httpx2.get(f"{server.url}/slots", trust_env=False).json()):
        time.sleep(0.05)


def test_a_prompt_that_is_too_long_is_an_error_and_no_outage(there: RemoteBackend) -> None:
    with pytest.raises(ModelError, match="context is 1024"):
        list(there.write(of(["+x = 1\n" * 400]), never))
    assert text_of(list(there.write(of(DIFFS, max_tokens=3), never)))


def test_by_the_other_way_of_asking(server: LlamaServer, here: LlamaBackend) -> None:
    """`/v1/completions` takes the prompt as a string: a special token is its text there."""
    http = Http(server.url)
    with closing(http):
        backend = OpenAIServer(http, "any", {})
        assert backend.has(DIFF)
        request = of([*DIFFS, "@@ -12,0 +13 @@\n+"], max_tokens=40)  # a token ends where it does
        mine, theirs = list(here.write(request, never)), list(backend.write(request, never))
        # llama-server writes no special tokens there, and so goes on behind a stop that is one.
        assert text_of(theirs).startswith(text_of(mine))
        assert Ability.LOGPROBS in backend.abilities
        with pytest.raises(PromptError, match="contains"):
            list(backend.write(of(['+print("<|diff|>")']), never))


def test_killed_and_back(tmp_path: Path) -> None:
    text = "import math\n\n\ndef area(radius):\n    return "
    document, offset = Document(text, 1, str(tmp_path / "area.py")), len(text)
    with started(tmp_path / "log", "--parallel", "4") as server:
        engine = open_engine(Settings(endpoint=server.url))
        with closing(engine):
            first = engine.complete(document, offset)
            assert first.suggestions
            server.kill()
            other = document.with_text(text + "2")
            with pytest.raises(ServerError):
                engine.complete(other, offset + 1)
            assert engine.complete(document, offset).suggestions == first.suggestions, "known, without it"
            server.start()
            while True:
                try:
                    engine.complete(other, offset + 1)
                    break
                except ServerError:
                    time.sleep(0.1)


def test_a_key_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(tmp_path / "log", "--api-key", "sesame") as server:
        with (
            closing(RemoteBackend(server.url, patience=60.0)) as without,
            pytest.raises(ServerError, match=KEY),
        ):
            list(without.write(of(DIFFS, max_tokens=1), never))
        monkeypatch.setenv(KEY, "sesame")
        with closing(RemoteBackend(server.url, patience=60.0)) as with_key:
            assert text_of(list(with_key.write(of(DIFFS, max_tokens=3), never)))


def test_a_prompt_begins_as_the_models_file_asks(here: LlamaBackend, there: RemoteBackend) -> None:
    """The small model's asks for nothing."""
    assert here._tokenizer.bos == ()
    for prompt in ((BOS, "x = 1"), (BOS, "def f():\n    return ma"), ("x",)):
        request = Request(prompt, frozenset({DIFF}), max_tokens=12)
        assert text_of(list(there.write(request, never))) == text_of(list(here.write(request, never)))
