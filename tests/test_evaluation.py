"""How models are measured: positions that are the same for all, baselines, the file of answers. No model."""

import json
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from lintseq_lsp.backends.base import Special
from lintseq_lsp.backends.scripted import Answer, ScriptedBackend
from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.text import Document

MODELS = str(Path(__file__).parent.parent / "models")
sys.path.insert(0, MODELS)
positions, baselines = import_module("positions"), import_module("baselines")
systems, evaluate = import_module("systems"), import_module("evaluate")
Scored = import_module("judge").Answer
sys.path.remove(MODELS)

MODULE = '''\
"""Shapes."""

import math


class Circle:
    """A circle."""

    def __init__(self, radius):
        self.radius = radius
        self.name = "circle"

    def area(self):
        """Its area in square units."""
        if self.radius < 0:
            raise ValueError("negative")
        square = self.radius**2
        return math.pi * square

    def around(self):
        """Its circumference."""
        twice = 2 * self.radius
        return math.pi * twice
'''.strip()


@pytest.mark.parametrize("task", positions.TASKS)
def test_what_was_taken_out_makes_the_module_whole_again(tmp_path: Path, task: str) -> None:
    for place in positions.positions([MODULE], task, range(12), 0, check_syntax, tmp_path / "known.jsonl"):
        assert place.final == MODULE
        assert not place.is_exact(place.document)
        assert place.typed == place.wanted[0][: len(place.typed)]
        if place.cut.wanted == list(range(place.above, place.above + len(place.wanted))):
            assert place.is_exact(place.with_lines(place.wanted))
        assert check_syntax(place.base.text).parsed
        assert check_syntax(place.shown.text).parsed or task in (positions.NEXT_LINE, positions.HALF_TYPED)


def test_a_position_follows_from_its_number_alone(tmp_path: Path) -> None:
    def asked(numbers: list[int], name: str) -> list[object]:
        known = tmp_path / name
        return list(positions.positions([MODULE], positions.NEXT_EDIT, numbers, 0, check_syntax, known))

    whole = asked([0, 1, 2, 3], "a")
    assert asked([2], "b") == whole[2:3]
    lines = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(lines[:-9])  # as a kill leaves it
    assert asked([0, 1, 2, 3], "a") == whole
    assert len((tmp_path / "a").read_text().splitlines()) == 4


def placed(task: str, line: int, typed: str) -> object:
    lines = MODULE.split("\n")
    cut = positions.Cut(task, 0, 0, [line], typed, [line])
    assert lines[line].startswith(typed)
    return positions._position(MODULE, cut)


def test_the_copied_line_is_the_one_behind_the_most_similar_line() -> None:
    lines = MODULE.split("\n")
    last = len(lines) - 1
    assert baselines.copy(placed(positions.NEXT_LINE, last, "        ")) == [
        "        return math.pi * square"
    ]
    half = placed(positions.HALF_TYPED, last, "        return ma")
    assert baselines.copy(half) == ["        return math.pi * square"]
    alone = placed(positions.HALF_TYPED, last, "        return math.pi * tw")
    assert baselines.copy(alone) == []


def test_n_grams_go_on_with_the_longest_context_that_is_known(tmp_path: Path) -> None:
    texts = ["x = alpha(beta)\n", "y = alpha(beta)\n", "z = alpha(gamma)\nalpha.delta()\n"]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    grams = baselines.NGrams(corpus, tmp_path / "index")
    following = grams.following(["z", " ", "=", " ", "alpha", "("])
    assert following[0] == {"beta": 2, "gamma": 1, ")": 1}
    assert following[-1] == {"gamma": 1}
    assert grams.following(["unknown"]) == []
    again = baselines.NGrams(corpus, tmp_path / "index")  # from what it kept
    assert again.following(["alpha"]) == grams.following(["alpha"]) == [{"(": 3, ".": 1}]
    cut = positions.Cut(positions.HALF_TYPED, 0, 0, [1], "y = al", [1])
    place = positions._position("a = 1\ny = alpha(beta)\nb = 2", cut)
    assert baselines.ngram(place, grams) == ["y = alpha(beta)"]


def test_the_word_that_is_begun() -> None:
    assert baselines._begun("    total = su") == "su"
    assert baselines._begun("a" * 1_000_000 + ".") == ""  # nor does it take long


@pytest.mark.parametrize(
    ("task", "line", "typed"),
    [(positions.NEXT_LINE, 16, "        "), (positions.HALF_TYPED, 16, "        square = s")],
)
@pytest.mark.parametrize("name", ["fim-qwen", "fim-codestral", "plain"])
def test_a_model_of_another_format_is_asked_for_the_same(task: str, line: int, typed: str, name: str) -> None:
    place = placed(task, line, typed)
    rest = "square = self.radius**2".removeprefix(typed.strip())
    backend = ScriptedBackend([f"{rest}\n"])
    model = systems.Model(backend, None)
    question = model.question(place, FORMATS[name])
    (written,) = model.written(place, model.proposals(question))
    assert written.text == rest
    assert place.is_exact(written.document)
    assert (backend.requests[0].max_lines, backend.requests[0].max_tokens) == (1, 48)
    assert (Special("<|fim_middle|>") in backend.requests[0].prompt) == (name == "fim-qwen")


@pytest.mark.parametrize(
    ("task", "line", "typed"),
    [(positions.NEXT_LINE, 16, "        "), (positions.HALF_TYPED, 16, "        square = s")],
)
def test_a_model_that_writes_regions_is_asked_at_the_end_of_what_is_given(
    task: str, line: int, typed: str
) -> None:
    place = placed(task, line, typed)
    lines = MODULE.split("\n")
    backend = ScriptedBackend([Answer("\n".join(lines) + "\n", ">>>>>>> UPDATED", 20)], context=4096)
    model = systems.Model(backend, None)
    question = model.question(place, FORMATS["zeta-2"])
    (written,) = model.written(place, model.proposals(question))
    assert written.text == "square = self.radius**2".removeprefix(typed.strip())
    assert place.is_exact(written.document)
    assert any(f"{typed}<|user_cursor|>\n" in str(part) for part in backend.requests[0].prompt)


def test_what_a_format_cannot_show_is_no_answer() -> None:
    empty = Scored("label", positions.NEXT_LINE, 0, is_first=True)
    judge = SimpleNamespace(first=lambda *_: empty)
    place = placed(positions.NEXT_LINE, 16, "        ")
    marked = replace(place, shown=Document(place.shown.text.replace("    def area", "=======\n    def area")))
    model = systems.Model(ScriptedBackend([], context=4096), judge)
    for name in ("product", "eight"):
        asked = systems.open_system(name, "label", model, judge, Path(), FORMATS["zeta-2"])
        assert asked(marked) == [empty, replace(empty, is_first=False)]


def test_answers_of_a_format_are_kept_apart(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")
    named = ["product", "plain", "copy"]
    shipped = [label for _, _, label in evaluate.labels([model], named)]
    others = [label for _, _, label in evaluate.labels([model], named, "fim-qwen")]
    assert others == [f"{shipped[0]} fim-qwen", *shipped[1:]]
    assert shipped[0].endswith(" product")


def test_the_table_says_what_the_syntax_check_alone_would_let_through(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")
    [(_, _, label)] = evaluate.labels([model], ["product"])
    kinds = [("accepted", False, 0), ("new-findings", False, 1), ("does-not-parse", True, 1)]
    answers = [
        Scored(label, positions.NEXT_LINE, n, True, "x", reason=reason, findings=findings, early=early)
        for n, (reason, early, findings) in enumerate(kinds)
    ]

    def shares(answers: list[object]) -> dict[str, str]:
        rows = list(evaluate.table(answers, [model], ["product"], [positions.NEXT_LINE]))[2:]
        return {
            cells[3]: cells[7] for cells in (row.split(" | ") for row in rows) for cells in [["", *cells]]
        }

    assert shares(answers) == {"off": "100.0 %", "syntax": "66.7 %", "on": "33.3 %"}
    old = [replace(answer, early=None) for answer in answers]
    assert set(shares(old)) == {"off", "on"}, "what was not kept is not made up"
