"""Case files come back as they were written, and those in cases/ still have the outcome that they expect.

`UPDATE_CASES=1 pytest tests/test_cases.py` writes anew what they expect: read the difference.
"""

import itertools
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import ImmediateLinter, lint_nothing, python_gate
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts

from lintseq_lsp.actions import Action, ActionKind
from lintseq_lsp.backends.base import Backend, Stop
from lintseq_lsp.backends.scripted import Answer, ScriptedBackend
from lintseq_lsp.cases import MARK, PLACES, Case, Options, expected, read_case, write_case
from lintseq_lsp.described import difference
from lintseq_lsp.errors import Cancelled, CaseError
from lintseq_lsp.formats.lintseq import DIFF, Layout, LintSeq
from lintseq_lsp.gate import Gate
from lintseq_lsp.generation import Ended
from lintseq_lsp.linters.base import Check, Report
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.reasons import Reason
from lintseq_lsp.recent import edits_between
from lintseq_lsp.recorder import RecordingEngine
from lintseq_lsp.replay import replay
from lintseq_lsp.runtime import open_gate
from lintseq_lsp.settings import Certainty, Settings
from lintseq_lsp.text import Document

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    opened = open_gate(Settings(gate_timeout=60.0))
    yield opened
    opened.linter.close()


def read(path: Path) -> str:
    return path.read_bytes().decode()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, gate: Gate) -> None:
    case = read_case(read(path))
    _, again = replay(case, gate)
    if os.environ.get("UPDATE_CASES"):
        path.write_bytes(write_case(replace(case, expect=again.expect, edits=again.edits)).encode())
        case = read_case(read(path))
    assert expected(again) == expected(case), (
        f"{path.name} has another outcome: UPDATE_CASES=1 writes it anew"
    )
    assert write_case(case) == read(path), f"{path.name} is not as it would be written"


def test_there_are_cases_of_each_way() -> None:
    ways = [read_case(read(path)).way for path in CASES]
    assert len(ways) >= 12
    assert {way for way in PLACES if ways.count(way) >= 2} >= {"complete", "next-edit", "edit", "fix"}


# The form

awkward = st.sampled_from(
    ["== answer end", "== ", f"a{MARK}", "\\", "\\r", "\\x41", "\\ No newline at end of file", "\0", "\ud800"]
)
bodies = st.one_of(
    texts(),
    st.builds("".join, st.lists(st.one_of(awkward, st.sampled_from(["\n", "\r\n", "\r", " "])), max_size=9)),
)
floats = st.floats(allow_nan=False, allow_infinity=False)
answers = st.builds(
    Answer,
    bodies,
    st.sampled_from([None, *Stop, DIFF, "\n\n", 'a "b']),
    st.integers(0, 99),
    st.lists(floats, max_size=3).map(tuple),
)
options = st.builds(
    Options,
    instruction=bodies,
    symbol=bodies,
    message=bodies,
    candidates=st.integers(1, 8),
    certainty=floats,
    measured=st.lists(floats, max_size=3).map(tuple),
    strings_and_comments=st.booleans(),
    tokens=st.lists(st.integers(0, 99), max_size=3).map(tuple),
    recent=st.builds(lambda *texts: edits_between(*map(Document, texts)), bodies, bodies),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    way = draw(st.sampled_from(sorted(PLACES)))
    document = draw(bodies)
    count = draw(st.sampled_from(PLACES[way]))
    places = sorted(draw(st.lists(st.integers(0, len(document)), min_size=count, max_size=count)))
    lines = texts().map(lambda text: text if text.endswith("\n") or not text else f"{text}\n")
    return Case(
        way,
        document,
        tuple(places),
        draw(options),
        tuple(draw(st.lists(answers, max_size=3))),
        draw(lines),
        tuple(draw(st.lists(lines, max_size=2))),
        draw(st.sampled_from(["", "A remark.", "One.\n\nTwo."])),
    )


@given(cases())
def test_what_is_written_is_read(case: Case) -> None:
    text = write_case(case)
    assert read_case(text) == case
    text.encode()


@given(cases())
def test_line_ends_that_an_editor_turns_change_nothing(case: Case) -> None:
    assert "\r" not in write_case(replace(case, remark=""))
    assert read_case(write_case(case).replace("\n", "\r\n")) == replace(
        case, remark=case.remark.replace("\r\n", "\n")
    )


def test_what_people_see() -> None:
    case = Case(
        "complete",
        "a = 1\r\nprint()\r\n",
        (13,),
        Options(candidates=3),
        (Answer("a)\n", DIFF, 3, (-0.5,)),),
        "answer: accepted\n",
        ("@@ -2 +2 @@\n-print()\n+print(a)\n",),
        "It did not stop.",
    )
    assert write_case(case) == (
        "It did not stop.\n\n"
        "== request complete\ncandidates: 3\n"
        "== document crlf\na = 1\nprint(▮)\n"
        "== answer <|diff|> tokens 3 logprobs -0.5\na)\n"
        "== expect\nanswer: accepted\n"
        "== edit\n@@ -2 +2 @@\n-print()\n+print(a)\n"
    )


@pytest.mark.parametrize(
    ("text", "mark", "shown"),
    [
        ("a", 1, "a▮\n\\ No newline at end of file\n"),
        ("a\n", 0, "▮a\n"),
        ("a\n", 2, "a\n▮\n\\ No newline at end of file\n"),
        ("", 0, "▮\n\\ No newline at end of file\n"),
        ("\tre = r'\\d'\n", 1, "\t▮re = r'\\d'\n"),
    ],
)
def test_a_document_is_as_it_stands(text: str, mark: int, shown: str) -> None:
    assert write_case(Case("complete", text, (mark,))).split("== document\n")[1] == f"{shown}== expect\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "== request"),
        ("x = 1\n", "== request"),
        ("== request rename\n", "one of complete, next-edit, edit"),
        ("== request edit\n== stream\n", "no section `== stream`"),
        ("== request complete\n== document\nx\n", "has 0 marks"),
        ("== request complete\n== document\n▮x▮\n", "has 2 marks"),
        ("== request edit\ntemperature: 1\n", "no option temperature"),
        ("== request edit\ncandidates: many\n", "candidates cannot be many"),
        ("== request edit\nstrings-and-comments: True\n", "cannot be True"),
        ("== request edit\nrecent: [[1, [], []]]\n", "recent cannot be"),
        ("== request edit\nrecent:\n", "recent cannot be nothing"),
        ("== request edit\n== document utf-8\n", "not utf-8"),
        ("== request edit\n== answer\n", "not nothing"),
        ("== request edit\n== answer end colour\n", "not colour"),
        ("== request edit\n== answer end tokens\n", "tokens cannot be nothing"),
    ],
)
def test_what_is_no_case_is_an_error(text: str, message: str) -> None:
    with pytest.raises(CaseError, match=message):
        read_case(text)


@given(texts(), texts())
def test_only_equal_texts_have_no_difference(before: str, after: str) -> None:
    assert bool(difference(before, after)) == (
        Document(before).lines != Document(after).lines or before != after
    )


# Recording


def engine(backend: Backend, gate: Gate | None = None, **options: Any) -> RecordingEngine:
    return RecordingEngine(
        backend,
        gate or python_gate(),
        prompt_format=LintSeq(Layout.PAPER),
        settings=Settings(**options),
        certainty=Certainty(0.1, 0.2, 0.3),
    )


FUNCTION = "def f(a):\n    print(a)\n    return b\n"


def ask_complete(asked: RecordingEngine) -> object:
    return asked.complete(Document("import math\nx = math.\n", None, "a.py"), 21, candidates=2)


def ask_next_edit(asked: RecordingEngine) -> object:
    return asked.next_edit(Document("a = 1\r\nb = 2\r\n", None, "a.py"), 0)


def ask_edit(asked: RecordingEngine) -> object:
    document = Document("a = 1\nb = 2\nc = 3\n", None, "a.py")
    return list(asked.edit(document, "Add\nd.", lines=(1, 2)))


def ask_fix(asked: RecordingEngine) -> object:
    fix = Action(ActionKind.FIX, 2, 2, "", "undefined-variable", "Undefined variable 'b'")
    return asked.resolve(Document(FUNCTION, None, "a.py"), fix)


@pytest.mark.parametrize(
    ("ask", "script", "seen"),
    [
        (
            ask_complete,
            [Answer("(\n", Stop.LENGTH, 2), Answer("pi\n", Stop.LENGTH, 1, (-0.5,)), "e\n"],
            ["candidates: 2\n", "x = math.▮\n", "logprobs -0.5\npi\n", "rejected: does-not-parse\n"],
        ),
        (
            ask_next_edit,
            ["@@ -2,0 +3 @@\n+c = d\n<|diff|>@@ -2,0 +3 @@\n+c = 3\n<|diff|>\n<|diff|>"],
            [
                "== document crlf\n▮a = 1\n",
                "rejected: new-findings\n   line 3: undefined-var",
                " b = 2\n+c = 3\n",
            ],
        ),
        (
            ask_edit,
            ["@@ -3,0 +4 @@\n+d = 4\n<|diff|>\n<|diff|>"],
            ['instruction: "Add\\nd."\n', "\n▮b = 2\n▮c = 3\n", "1. accepted\nstop: complete, 1 acc"],
        ),
        (
            ask_fix,
            [Answer(" @@\n+    return a\n", DIFF)],
            ["symbol: undefined-variable\n", "▮    return b", "-    return b\n+    return a\n"],
        ),
    ],
)
def test_each_way_of_asking_is_recorded(ask: Any, script: Any, seen: list[str]) -> None:
    recording = engine(ScriptedBackend(script, logprob=-0.01))
    ask(recording)
    case = recording.recorded("a.py")
    assert case is not None
    text = write_case(case)
    for part in seen:
        assert part in text
    _, again = replay(read_case(text), python_gate())
    assert expected(again) == expected(case)
    assert replace(again, remark="") == replace(case, remark="", options=again.options)


class Slow(ImmediateLinter):
    """Answers in another thread, when the model was asked for more, or when that will not be."""

    def __init__(self, backend: ScriptedBackend) -> None:
        super().__init__(check_syntax)
        self._backend = backend

    def submit(self, check: Check) -> Future[Report]:
        report: Future[Report] = Future()
        asked = len(self._backend.requests)

        def answer() -> None:
            for _ in range(100):
                if len(self._backend.requests) > asked:
                    break
                time.sleep(0.001)
            report.set_result(check_syntax(check.text))

        threading.Thread(target=answer).start()
        return report


def test_what_was_written_ahead_for_a_rejected_state_is_left_out() -> None:
    wrong, ahead, right = ("@@ -1,0 +2 @@\n+" + text for text in ("b = wrong\n", "ahead = 1\n", "b = a\n"))
    model = ScriptedBackend([f"{wrong}<|diff|>{ahead}<|diff|>{right}<|diff|>\n<|diff|>"])
    recording = engine(model, Gate(Slow(model), lint_nothing))
    *_, ended = recording.edit(Document("a = 1\n"), "")
    assert isinstance(ended, Ended)
    assert ended.document.text == "a = 1\nb = a\n"
    case = recording.recorded("")
    assert case is not None
    assert [answer.text for answer in case.answers[:2]] == [wrong, right]
    model = ScriptedBackend(case.answers)
    _, again = replay(case, Gate(Slow(model), lint_nothing))
    assert expected(again) == expected(case)


class Wide(ScriptedBackend):
    """A model to which every line has many tokens."""

    def count(self, text: str) -> int:
        return 60 * text.count("\n")


@pytest.mark.parametrize("indent", ["    ", "  "])
def test_a_long_document_is_shown_to_the_same_extent(indent: str) -> None:
    lines = "".join(f"{indent}print({number} * {number})\n" for number in range(60))
    document = Document(f"def f():\n{lines}", None, "a.py")
    recording = engine(Wide(["@@ -3,0 +4 @@\n+    print()\n<|diff|>\n<|diff|>"], context=1000))
    outcome = recording.next_edit(document, document.offset(30, 0))
    case = recording.recorded("a.py")
    assert case is not None
    assert outcome.suggestions[0].replacements[0].start > document.offset(20, 0)
    _, again = replay(read_case(write_case(case)), python_gate())
    assert expected(again) == expected(case)


def test_an_answer_from_memory_is_not_recorded() -> None:
    document = Document("import math\nx = math.\n", None, "a.py")
    recording = engine(ScriptedBackend([Answer("pi\n", Stop.LENGTH)]))
    assert recording.recorded("a.py") is None
    recording.complete(document, 21)
    first = recording.recorded("a.py")
    assert recording.complete(Document("import math\nx = math.p\n", None, "a.py"), 22).cached
    assert recording.recorded("a.py") == first
    assert first is not None
    assert first.answers


def test_only_a_few_documents_are_kept() -> None:
    recording = engine(ScriptedBackend([]))
    for number in range(20):
        recording.complete(Document("x = 1\n", None, f"{number}.py"), 6)
    kept = [number for number in range(20) if recording.recorded(f"{number}.py")]
    assert kept == list(range(4, 20))


def test_what_was_cancelled_leaves_the_last_answer() -> None:
    document = Document("x = 1\n", None, "a.py")
    recording = engine(ScriptedBackend(["y = 2\n"]))
    recording.complete(document, 6)
    first = recording.recorded("a.py")
    with pytest.raises(Cancelled):
        recording.complete(Document("z = 1\n", None, "a.py"), 6, cancelled=lambda: True)
    assert recording.recorded("a.py") == first


LINES = "".join(f"@@ -{line},0 +{line + 1} @@\n+x{line} = 1\n<|diff|>" for line in range(1, 9))


def test_a_chain_that_is_cancelled_is_recorded_as_far_as_it_was_judged() -> None:
    model = ScriptedBackend([LINES], logprob=0.0)
    recording = engine(model, Gate(Slow(model), lint_nothing))
    with pytest.raises(Cancelled):
        recording.next_edit(Document("a = 1\n"), 0, cancelled=lambda: len(model.requests) > 2)
    case = recording.recorded("")
    assert case is not None
    assert [answer.text for answer in case.answers] == ["@@ -1,0 +2 @@\n+x1 = 1\n"]
    assert expected(replay(case, python_gate())[1]) == expected(case)


def test_an_answer_in_the_middle_of_which_it_was_cancelled_is_left_out() -> None:
    looked = itertools.count()
    recording = engine(ScriptedBackend([LINES]))
    steps = recording.edit(Document("a = 1\n"), "", cancelled=lambda: next(looked) > 8)
    with pytest.raises(Cancelled):
        list(steps)
    case = recording.recorded("")
    assert case is not None
    assert [answer.text for answer in case.answers] == ["@@ -1,0 +2 @@\n+x1 = 1\n"]


def test_what_a_certainty_stood_for_is_recorded() -> None:
    document = Document("import math\nx = math.\n", None, "a.py")
    recording = engine(ScriptedBackend([Answer("pi\n", Stop.LENGTH, 1, (-2.5,))]), tries=2)
    assert recording.complete(document, 21, certainty=-1).reason is Reason.UNSURE
    case = recording.recorded("a.py")
    assert case is not None
    assert (case.options.certainty, case.options.measured, case.options.tries) == (-1, (0.1, 0.2, 0.3), 2)
    assert replay(case, python_gate())[1].expect == "answer: unsure\n"
