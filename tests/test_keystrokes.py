"""The simulated user, and what is measured of what it types. No model."""

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest
from test_evaluation import MODULE

from lintseq_lsp.reasons import Reason
from lintseq_lsp.suggestions import Outcome
from lintseq_lsp.text import Document

MODELS = str(Path(__file__).parent.parent / "models")
sys.path.insert(0, MODELS)
typist, keystrokes = import_module("typist"), import_module("keystrokes")
sys.path.remove(MODELS)

PASSAGE = typist.Passage(0, "downwards", "import os\n\n\n", "def f(x):\n    return os.getcwd()\n", "")


class Always:
    """Shows the same at one place, and what is left of it further on."""

    def __init__(self, place: int, text: str, busy: float = 0.05) -> None:
        self.place, self.text, self.busy = place, text, busy
        self.was_shown = False

    def at(self, _document: Document, offset: int, _now: float, _gap: float) -> tuple[object | None, float]:
        position = offset - len(PASSAGE.above)
        typed = PASSAGE.typed[self.place : position]
        if position < self.place or not self.text.startswith(typed) or len(typed) == len(self.text):
            return None, self.busy
        known, self.was_shown = self.was_shown, True
        return typist.Offer([self.text[len(typed) :]], 0.0 if known else self.busy, known=known), 0.0

    def changed(self, document: Document, now: float) -> None:
        pass


def test_without_suggestions_every_key_is_pressed() -> None:
    counts = typist.type_out(PASSAGE, Always(10_000, ""))
    assert counts.keys == counts.keys_without == PASSAGE.keys == len(PASSAGE.typed) - len("    ")
    assert (counts.shown, counts.completed) == (0, 0)
    assert counts.busy == pytest.approx(0.05 * counts.keys)


def test_what_is_right_is_taken_with_one_key() -> None:
    place = PASSAGE.typed.index("return")
    counts = typist.type_out(PASSAGE, Always(place, "return os.getcwd()"))
    assert (counts.shown, counts.accepted, counts.in_part) == (1, 1, 0)
    assert counts.completed == len("return os.getcwd()")
    assert counts.keys == counts.keys_without - len("return os.getcwd()") + 1
    assert counts.delays == [0.05]


def test_right_words_are_taken_one_by_one_and_the_rest_is_typed() -> None:
    place = PASSAGE.typed.index("return")
    counts = typist.type_out(PASSAGE, Always(place, "return os.listdir()"))
    assert (counts.shown, counts.accepted, counts.in_part) == (1, 0, 1)
    assert counts.completed == len("return os")
    assert counts.keys == counts.keys_without - len("return os") + 2


def test_what_is_wrong_is_typed_over() -> None:
    counts = typist.type_out(PASSAGE, Always(PASSAGE.typed.index("return"), "raise OSError"))
    assert (counts.shown, counts.accepted, counts.in_part, counts.completed) == (1, 0, 0, 0)
    assert counts.keys == counts.keys_without


def test_passages_are_the_modules_own_lines() -> None:
    modules = [MODULE, MODULE.replace("Circle", "Square")]
    found = list(typist.passages(modules, 2, 200, 0))
    assert found == list(typist.passages(modules, 2, 200, 0))
    assert {passage.kind for passage in found} == {"downwards", "inserted"}
    for passage in found:
        module = modules[passage.module] + "\n"
        if passage.kind == "downwards":
            assert module.startswith(passage.above + passage.typed)
            assert not passage.below
        elif passage.above + passage.typed + passage.below != module:
            assert module.startswith(passage.above + passage.typed), "a shortened one"


class Engine:
    """Answers with the rest of a line, and counts how often it is asked."""

    def __init__(self, text: str, reads: int) -> None:
        self.text, self.reads, self.asked = text, reads, 0
        self.memory = None
        self.backend = type("Backend", (), {"read": 0, "written": 0})()

    def recall(self, document: Document, offset: int) -> Outcome | None:
        from lintseq_lsp.asking.remembered import recall

        return recall(self.memory, lambda _: True, document, offset)

    def complete(self, document: Document, offset: int, **_: float) -> Outcome:
        from lintseq_lsp.edits import Replacement
        from lintseq_lsp.linters.base import Tier
        from lintseq_lsp.suggestions import Evidence, Suggestion

        self.asked += 1
        self.backend.read += self.reads
        change = Replacement(offset, offset, self.text)
        suggestion = Suggestion(document, (change,), Evidence(1, 0, Tier.PYLINT, 1.0))
        self.memory.remember_inline(suggestion, offset)
        return Outcome((suggestion,), Reason.ACCEPTED)


def server(engine: Engine) -> object:
    linter = type("Linter", (), {"checks": 0})()
    return keystrokes.Server(engine, engine.backend, linter, -1.0, (1000.0, 100.0, 10.0))


def test_what_is_typed_along_is_not_asked_for_again() -> None:
    engine = Engine("urn x", reads=100)
    asked = server(engine)
    document = Document("def f(x):\n    ret", typist.PATH)
    offer, busy = asked.at(document, len(document.text), 0.0, 0.2)
    assert (offer.texts, offer.seconds, offer.known, busy) == (["urn x"], 0.1, False, 0.1)
    further = Document(document.text + "ur", typist.PATH)
    asked.changed(further, 0.2)
    assert asked.at(further, len(further.text), 0.2, 0.2)[0] == typist.Offer(["n x"], known=True)
    assert engine.asked == 1


def test_what_comes_after_the_next_key_is_never_seen() -> None:
    engine = Engine("urn x", reads=300)
    asked = server(engine)
    document = Document("def f(x):\n    ret", typist.PATH)
    assert asked.at(document, len(document.text), 0.0, 0.2) == (None, 0.3)
    further = Document(document.text + "ur", typist.PATH)
    asked.changed(further, 0.2)
    asked.at(further, len(further.text), 0.2, 0.2)
    assert engine.asked == 2, "what was given up is not remembered"


def test_after_a_rejection_nothing_is_asked_for_a_while() -> None:
    engine = Engine("urn x", reads=100)
    asked = server(engine)
    document = Document("def f(x):\n    ret", typist.PATH)
    asked.at(document, len(document.text), 0.0, 1.0)
    other = Document(document.text + "!", typist.PATH)
    asked.changed(other, 1.0)
    assert asked.at(other, len(other.text), 1.5, 0.2) == (None, 0.0)
    asked.at(other, len(other.text), 2.5, 0.2)
    assert engine.asked == 2


def test_a_row_has_intervals_over_modules() -> None:
    wanted = list(typist.passages([MODULE, MODULE.replace("Circle", "Square")], 2, 200, 0))
    counts = [typist.type_out(passage, Always(10_000, "")) for passage in wanted]
    cells = keystrokes.row("nothing", wanted, counts).split(" | ")
    assert cells[1:4] == [str(sum(passage.keys for passage in wanted)), "0.0 ± 0.0", "0.0 ± 0.0"]
    assert len(cells) == keystrokes.HEAD.splitlines()[0].count("|") - 1


def test_jedi_needs_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jedi")
    monkeypatch.setattr(keystrokes, "asked", lambda _: pytest.fail("a model is opened"))
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "held_out.jsonl").write_text(json.dumps({"text": MODULE}) + "\n")
    parser = keystrokes.options("")
    parser.set_defaults(rows=["jedi"])
    arguments = parser.parse_args(["none.gguf", "--data", str(tmp_path), "--modules", "1", "--keys", "20"])
    (line,) = keystrokes.rows(arguments)
    assert line.startswith("| jedi | ")
