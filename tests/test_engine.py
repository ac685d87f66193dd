"""Requests on documents, from the question to suggestions that are clean."""

import math
from collections.abc import Callable, Iterator, Sequence

import pytest
from fakes import ImmediateLinter, LineModel, finding, gate_of, lint_bad, moving_gate, python_gate
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.actions import Action, ActionKind, Problem, actions_at
from lintseq_lsp.backends.base import EVERYTHING, Ability, Backend, Piece, Request, Stop, length
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.diffs import Diff, Hunk, render
from lintseq_lsp.edits import apply
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import Cancelled
from lintseq_lsp.formats.base import Task
from lintseq_lsp.formats.lintseq import CURSOR_TOKENS, END, Layout, LintSeq
from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.gate import Gate
from lintseq_lsp.generation import Ended, Step
from lintseq_lsp.linters.base import Dependencies, Report, Tier
from lintseq_lsp.linters.workspace import EditorWorkspace
from lintseq_lsp.reasons import Reason
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Memory, Outcome
from lintseq_lsp.text import Document


def engine_of(
    backend: Backend,
    gate: Gate | None = None,
    settings: Settings | None = None,
    layout: Layout = Layout.PAPER,
) -> Engine:
    return Engine(
        backend, gate or gate_of(), prompt_format=LintSeq(layout), settings=settings or Settings(tries=4)
    )


def place(text: str) -> tuple[Document, int]:
    """The document, and where `|` stands in it."""
    offset = text.index("|")
    return Document(text.replace("|", "", 1), 1, "a.py"), offset


def complete(engine: Engine, text: str, *, candidates: int = 1) -> Outcome:
    document, offset = place(text)
    return engine.complete(document, offset, candidates=candidates)


def answer(text: str, *lines: str, gate: Gate | None = None) -> str | Reason:
    """The document with the suggestion for one answer of the model, or why there is none."""
    outcome = complete(engine_of(LineModel(lines), gate), text)
    return outcome.suggestions[0].text if outcome.suggestions else outcome.reason


# At the cursor


@pytest.mark.parametrize(
    ("certainty", "expected"),
    [
        (0.0, "x = 1\ny = 2"),
        (math.exp(-8), "x = 1\ny = 2"),
        (math.exp(-2.5), "x = 1"),
        (math.exp(-1), Reason.UNSURE),
    ],
)
@pytest.mark.parametrize("typed", ["", "  "])
def test_only_what_the_model_holds_probable(certainty: float, expected: str | Reason, typed: str) -> None:
    """Here a token has four characters, and the probability 1/e."""
    model = LineModel([typed + "x = 1", typed + "y = 2"])
    document, offset = place(f"{typed}|")
    outcome = engine_of(model).complete(document, offset, certainty=certainty)
    shown = [suggestion.replacements[0].text for suggestion in outcome.suggestions]
    assert (shown or [outcome.reason]) == [
        expected.replace("\n", f"\n{typed}") if isinstance(expected, str) else expected
    ]
    assert len(model.requests) == 1  # another answer would be less probable still


def test_what_is_too_improbable_to_be_shown_is_not_written_to_its_end() -> None:
    """A token has four characters and the probability 1/e: the first line has 3, all lines have 30."""
    lines = ["x = 1", *(f"value_{number} = 1" for number in range(9))]
    written, shown = {}, {}
    for least in (-99.0, -4.5, -1.5):
        model = LineModel(lines)
        document, offset = place("|")
        outcome = engine_of(model, settings=Settings(max_lines=10)).complete(
            document, offset, certainty=math.exp(least)
        )
        shown[least] = [suggestion.text for suggestion in outcome.suggestions] or outcome.reason
        written[least] = model.usage.written
    assert shown == {-99.0: ["\n".join(lines)], -4.5: ["x = 1"], -1.5: Reason.UNSURE}
    assert written[-99.0] > 30
    assert written[-4.5] <= 9
    assert 0 < written[-1.5] <= 5


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_line_has_its_own_probability_whatever_ends_it(end: str) -> None:
    document, offset = place(f"a{end}|")
    outcome = engine_of(LineModel(["x = 1", "y = 2"])).complete(document, offset, certainty=math.exp(-2.5))
    assert [suggestion.text for suggestion in outcome.suggestions] == [f"a{end}x = 1"]


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize(
    ("text", "lines", "final"),
    [
        ("|", ["x = 1"], "x = 1"),
        ("a\n|\nb\n", ["x = 1"], "a\nx = 1\nb\n"),
        ("a\n|\nb\n", ["x = 1", "y = 2"], "a\nx = 1\ny = 2\nb\n"),
        ("a\nx = |\nb\n", ["x = 1"], "a\nx = 1\nb\n"),
        ("a\nx = ret|", ["x = return_value"], "a\nx = return_value"),
        ("a\r\nif x|\r\nb\r\n", ["if x:", "    y()"], "a\r\nif x:\r\n    y()\r\nb\r\n"),
        ("def f():\n    |\n", ["    x = 1", "    return x"], "def f():\n    x = 1\n    return x\n"),
        ("def f():\n\t|\n", ["\treturn 'é🦉\u2028'"], "def f():\n\treturn 'é🦉\u2028'\n"),
        ("x = f(|)\n", ["x = f(1, 2)"], "x = f(1, 2)\n"),
        ("x = [|]  \n", ["x = [1]"], "x = [1]  \n"),
        ("\n\n|\n\nx\n", ["y = 1"], "\n\ny = 1\n\nx\n"),
    ],
)
def test_completion(text: str, lines: Sequence[str], final: str, layout: Layout) -> None:
    outcome = complete(engine_of(LineModel(lines), layout=layout), text)
    assert [suggestion.text for suggestion in outcome.suggestions] == [final]
    assert outcome.reason is Reason.ACCEPTED
    (suggestion,) = outcome.suggestions
    (replacement,) = suggestion.replacements
    assert replacement.start == text.index("|")
    assert suggestion.evidence.new_findings == 0
    assert suggestion.evidence.tier is Tier.PYLINT
    assert suggestion.logprob == -1.0


def test_the_longest_clean_beginning_is_offered() -> None:
    lines = ["    x = 1", "    y = 2", "    bad = 3", "    z = 4"]
    engine = engine_of(LineModel(lines))
    outcome = complete(engine, "def f():\n    |\n")
    assert outcome.suggestions[0].text == "def f():\n    x = 1\n    y = 2\n"
    assert outcome.suggestions[0].evidence.states == 3
    assert [verdict.reason for verdict in outcome.rejected] == [Reason.NEW_FINDINGS] * 2


def test_lines_that_stand_below_are_trimmed() -> None:
    assert answer("a\n|\nc\nd\n", "b", "c", "d") == "a\nb\nc\nd\n"
    assert answer("a\n|\nc\nd\n", "c", "d") is Reason.NOTHING_NEW
    assert answer("a\n|\nc\n", "a") is Reason.NOTHING_NEW


def test_the_scope_ends_the_answer() -> None:
    assert answer("def f():\n    |\n", "    x = 1", "def g():", "    pass") == "def f():\n    x = 1\n"


def test_no_model_is_asked_where_nothing_is_wanted() -> None:
    backend = LineModel(["x"])
    engine = engine_of(backend)
    assert complete(engine, "fo|o").reason is Reason.NO_FIT
    assert complete(engine, "x = 'a|'").reason is Reason.IN_STRING_OR_COMMENT
    assert complete(engine, "# a|").reason is Reason.IN_STRING_OR_COMMENT
    assert backend.requests == []
    wanted = engine_of(LineModel(["# a remark"]), settings=Settings(strings_and_comments=True))
    assert complete(wanted, "# a|").suggestions[0].text == "# a remark"


def test_why_there_is_nothing() -> None:
    assert answer("x = |\n", "x = ") is Reason.COMPLETE
    assert answer("f(|)\n", "f(x") is Reason.NO_FIT
    assert answer("x = |\n", "x = bad") is Reason.NEW_FINDINGS
    assert answer("x = |\n", "x = broken") is Reason.DOES_NOT_PARSE
    assert answer("x = |\n", "x = 1  # noqa") is Reason.PRAGMA
    assert answer("x = |\n", "x = " + "y" * 1000) is Reason.LIMIT


def test_what_is_malformed_is_said() -> None:
    outcome = complete(engine_of(ScriptedBackend(["1 @@\nno plus\n<|diff|>"] * 5)), "|")
    assert outcome.reason is Reason.MALFORMED
    assert outcome.rejected[0].detail


def test_what_the_model_wrote_beyond_what_is_wanted_is_not_among_the_rejected() -> None:
    broken = "1 @@\nno plus\n<|diff|>"
    backend = ScriptedBackend(["1 @@\n+bad\n<|diff|>1 @@\n+x\n<|diff|>" + broken * 3])
    outcome = complete(engine_of(backend), "|")
    assert outcome.suggestions[0].text == "x"
    assert [verdict.reason for verdict in outcome.rejected] == [Reason.NEW_FINDINGS]


def test_when_the_first_is_rejected_several_are_sampled_and_the_likeliest_clean_one_wins() -> None:
    backend = LineModel(["x = bad"], ["x = bad"], ["x = 1"], ["x = 2"], ["x = 3"])
    outcome = complete(engine_of(backend), "x = |")
    assert outcome.suggestions[0].text == "x = 1"
    greedy, retry = backend.requests
    assert greedy.candidates == 1
    assert greedy.sampling.temperature == 0
    assert retry.candidates == 4
    assert retry.sampling.temperature > 0
    assert retry.prompt == greedy.prompt


def test_tries_are_bounded() -> None:
    backend = LineModel(*[["x = bad"]] * 99)
    outcome = complete(engine_of(backend), "x = |")
    assert outcome.reason is Reason.NEW_FINDINGS
    assert [request.candidates for request in backend.requests] == [1, 4]
    assert len(outcome.rejected) == 1  # the same text is judged once


def test_alternatives_differ() -> None:
    backend = LineModel(["x = 1"], ["x = 1"], ["x = bad"], ["x = 2"], ["x = 3"], ["x = 4"])
    outcome = complete(engine_of(backend), "x = |", candidates=3)
    assert [suggestion.text for suggestion in outcome.suggestions] == ["x = 1", "x = 2", "x = 3"]


def test_typing_along_asks_no_model() -> None:
    backend = LineModel(["x = foo(1)", "y = 2"], ["x = other"])
    engine = engine_of(backend)
    first = complete(engine, "a\n|\n")
    assert not first.cached
    for typed in ("x", "x = foo", "x = foo(", "x = foo(1)"):
        outcome = complete(engine, f"a\n{typed}|\n")
        assert outcome.cached
        assert outcome.suggestions[0].text == "a\nx = foo(1)\ny = 2\n"
        assert outcome.suggestions[0].id == first.suggestions[0].id
    assert complete(engine, "a\nx = foo(|)\n").cached
    assert len(backend.requests) == 1
    document, offset = place("a\nx = |\n")
    recalled = engine.recall(document, offset)
    assert recalled is not None
    assert recalled.suggestions[0].base is document
    assert engine.recall(Document("other\n", path="a.py"), 0) is None


def test_what_was_judged_before_other_modules_changed_is_judged_again() -> None:
    """The model need not write it again."""
    gate, workspace = moving_gate()
    engine = engine_of(model := LineModel(["x = 1"]), gate)
    (first,) = complete(engine, "a\n|").suggestions
    document, offset = place("a\nx |")
    workspace.state = "second"
    assert engine.recall(document, offset) is None
    again = engine.complete(document, offset)
    assert [suggestion.text for suggestion in again.suggestions] == ["a\nx = 1"]
    assert again.suggestions[0].id == first.id
    assert engine.holds(again.suggestions[0])
    assert engine.recall(document, offset) is not None
    assert len(model.requests) == 1


def test_what_nothing_depends_on_may_change() -> None:
    opened = {"/w/b.py": "b = 1\n"}
    report = Report(dependencies=Dependencies(names=frozenset(opened)))
    gate = gate_of(linter := ImmediateLinter(lambda _: report))
    gate.workspace = EditorWorkspace(lambda: opened)
    engine = engine_of(LineModel(["x = 1"]), gate)
    document, offset = place("a\n|")
    assert not engine.complete(document, offset).cached
    checks = len(linter.checks)
    opened["/w/b.py"] = "b = 2\n"
    assert engine.recall(document, offset) is None  # until somebody has read it
    assert engine.complete(document, offset).cached
    opened["/w/b.py"] = "b = 3\n"
    engine.gate.against(document)
    assert len(linter.checks) == checks


def test_what_other_modules_have_made_wrong_is_not_offered_again() -> None:
    wrong: list[str] = []
    gate, workspace = moving_gate(lambda text: Report([finding(name) for name in wrong if name in text]))
    engine = engine_of(LineModel(["x = 1"]), gate)
    assert complete(engine, "a\n|").suggestions
    workspace.state = "second"
    wrong.append("x = 1")
    outcome = complete(engine, "a\n|")
    assert outcome.suggestions == ()
    assert outcome.rejected[0].reason is Reason.NEW_FINDINGS


def test_more_candidates_than_are_known_ask_the_model() -> None:
    backend = LineModel(["x = 1"], ["x = 1"], ["x = 2"], ["x = 3"])
    engine = engine_of(backend)
    complete(engine, "x = |")
    outcome = complete(engine, "x = |", candidates=2)
    assert len(outcome.suggestions) == 2


def test_what_is_on_the_screen_stays_among_the_alternatives() -> None:
    engine = engine_of(LineModel(["x = 10"], ["x = 20"], ["x = 30"], ["x = 40"]))
    (shown,) = complete(engine, "x |").suggestions
    alternatives = complete(engine, "x = |", candidates=3).suggestions
    assert [suggestion.text for suggestion in alternatives] == ["x = 10", "x = 20", "x = 30"]
    assert alternatives[0].id == shown.id


def test_what_was_declined_is_not_offered_again() -> None:
    backend = LineModel(["x = 1"], ["x = 1"], ["x = 1"], ["x = 2"])
    engine = engine_of(backend)
    declined = complete(engine, "x = |").suggestions[0]
    engine.memory.reject(declined)
    assert complete(engine, "x = |").suggestions[0].text == "x = 2"
    engine = engine_of(LineModel(*[["x = 1"]] * 5))
    engine.memory.reject(declined)
    assert complete(engine, "x = |").reason is Reason.REJECTED_BEFORE


def failing(word: str) -> Callable[[str], Report]:
    return lambda text: Report(failure="killed") if word in text else lint_bad(text)


def test_a_linter_that_fails_offers_nothing() -> None:
    backend = LineModel(["x = 1"])
    outcome = complete(engine_of(backend, gate_of(ImmediateLinter(failing("a")))), "a\n|\n")
    assert (outcome.reason, outcome.detail) == (Reason.LINTER_FAILED, "killed")
    assert backend.requests == []
    gate = gate_of(ImmediateLinter(failing("x")))
    assert answer("a\n|\n", "x = 1", gate=gate) is Reason.LINTER_FAILED


def test_findings_that_were_there_do_not_block() -> None:
    assert answer("bad one\n|\n", "x = 1") == "bad one\nx = 1\n"
    assert answer("bad one\n|\n", "bad two") is Reason.NEW_FINDINGS


def test_a_file_that_does_not_parse_elsewhere() -> None:
    assert answer("x = (\n|\n", "y = 1", gate=python_gate()) is Reason.BASE_DOES_NOT_PARSE
    assert answer("x = 1\n|\n", "y = (", gate=python_gate()) is Reason.DOES_NOT_PARSE
    assert answer("x = (\n|\n", "1)", gate=python_gate()) == "x = (\n1)\n"


def test_a_half_typed_line_is_no_obstacle() -> None:
    assert answer("import os\nprint(os.|\n", "print(os.name)", gate=python_gate()) == (
        "import os\nprint(os.name)\n"
    )


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        (
            "f = print\nf(\n    1,\n    |\n",
            ["    2,"],
            "f = print\nf(\n    1,\n    2,\n",
        ),  # the file did not parse
        ("try:\n    x = ma|", ["    x = max(1, 2)"], "try:\n    x = max(1, 2)"),
        ("p|", ["print("], "print("),  # a statement that is begun
        ("|", ["print("], Reason.DOES_NOT_PARSE),
        ("|", ["try:", "    x = 1"], Reason.DOES_NOT_PARSE),
        ("p|\n)\n", ["print("], "print(\n)\n"),
        ("x = (\n\ny = 1\np|\n", ["print("], Reason.BASE_DOES_NOT_PARSE),  # broken elsewhere
        ("p|", ["print(]"], Reason.DOES_NOT_PARSE),
        ("p|", ["print(unknown,"], Reason.NEW_FINDINGS),
        ("x = (\n    |", ["    (  # pylint: skip-file"], Reason.PRAGMA),
    ],
)
def test_a_statement_that_the_user_has_begun_may_stay_unfinished(
    text: str, lines: Sequence[str], expected: str | Reason
) -> None:
    assert answer(text, *lines, gate=python_gate()) == expected


def test_what_was_judged_with_an_ending_says_so() -> None:
    outcome = complete(engine_of(LineModel(["print("]), python_gate()), "p|")
    assert outcome.suggestions[0].evidence.ending == ")"
    outcome = complete(engine_of(LineModel(["print()"]), python_gate()), "p|")
    assert outcome.suggestions[0].evidence.ending == ""


def test_cancelling() -> None:
    backend = LineModel(["x = 1"])
    engine = engine_of(backend)
    document, offset = place("x = |")
    with pytest.raises(Cancelled):
        engine.complete(document, offset, cancelled=lambda: bool(backend.requests))


def test_preparing_a_document_reads_what_others_may_import() -> None:
    opened = {"a.py": "a = 1\n", "b.py": "b = 1\n"}
    gate = gate_of()
    gate.workspace = EditorWorkspace(lambda: opened)
    engine_of(LineModel(), gate).prepare(Document("a = 1\n", 1, "a.py"))
    opened["a.py"] = "a = (\n"
    assert gate.workspace.modules("b.py") == {"a.py": "a = 1\n"}


class Reads(LineModel):
    """A model that can read ahead."""

    abilities = EVERYTHING | Ability.AHEAD

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        if request.max_tokens:
            yield from super().write(request, cancelled)
        else:
            self.requests.append(request)
            yield Piece(0, "", 0, 0.0, Stop.LENGTH)


def test_what_is_read_ahead_is_what_is_asked_next() -> None:
    """At the cursor, and behind an Enter below it: as many lines down as the user will have accepted."""
    text = "import os\n\n\ndef f(a):\n    if a:\n        x = 1|\n    return a\n"
    for answer, accepted in (("", "x = 1"), ("        x = 1 + 2", "x = 1 + 2")):
        model = Reads(*([[answer]] if answer else []))
        engine = engine_of(model, layout=Layout.SUFFIX_FIRST)
        document, offset = place(text)
        if answer:
            assert engine.complete(document, offset).suggestions
        asked = len(model.requests)
        engine.read_ahead(document, offset)
        ahead = model.requests[asked:]
        assert [(request.max_tokens, request.candidates) for request in ahead] == [(0, 1)] * 2
        engine.memory = Memory()
        engine.complete(document, offset)
        below, end = place(text.replace("x = 1|", f"{accepted}\n        |"))
        engine.complete(below, end)
        greedy = [request for request in model.requests[asked + 2 :] if not request.sampling.temperature]
        assert [request.prompt for request in greedy] == [request.prompt for request in ahead]


def test_nothing_is_read_ahead_where_nothing_is_asked() -> None:
    """In a comment, below a line with something right of the cursor, or by a backend that cannot."""
    for text, ahead, here in (
        ("# x|y", 0, 0),
        ("# x|", 1, 0),
        ("x = f(|)", 1, 1),
        ("x = 1\n|", 1, 1),
        ("x = 1|\n", 2, 1),
    ):
        model = Reads()
        engine = engine_of(model)
        engine.read_ahead(*place(text))
        assert len(model.requests) == ahead, text
        engine.read_ahead(*place(text), below=False)
        assert model.requests[ahead:] == model.requests[:here], text
    plain = LineModel()
    engine_of(plain).read_ahead(*place("x = 1|\n"))
    assert not plain.requests


def test_an_outcome_explains_itself() -> None:
    outcome = complete(engine_of(LineModel(["x = bad"], ["x = bad"])), "x = |")
    assert [verdict.findings for verdict in outcome.rejected] == [[finding("x = bad")]]
    assert ["bad" in verdict.text for verdict in outcome.rejected] == [True]
    assert outcome.milliseconds > 0


def test_a_long_file() -> None:
    text = "".join(f"def f{number}(x):\n    y = {number}\n    return y\n\n" for number in range(5000))
    middle = text.index("    return y\n", len(text) // 2)
    backend = LineModel(["    z = y"])
    outcome = complete(engine_of(backend), f"{text[:middle]}    |\n{text[middle:]}")
    assert outcome.suggestions[0].text == f"{text[:middle]}    z = y\n{text[middle:]}"
    (request,) = backend.requests
    used = length(request.prompt, backend.count)
    assert CURSOR_TOKENS // 2 < used < CURSOR_TOKENS + 50


def test_what_is_seen_fits_a_small_context() -> None:
    text = "x = 1\n" * 500
    backend = LineModel(["y = 2"], context=300)
    assert complete(engine_of(backend), text + "|").suggestions
    (request,) = backend.requests
    used = length(request.prompt, backend.count)
    assert backend.context // 3 < used < backend.context - request.max_tokens


def test_the_next_edit_of_a_long_file() -> None:
    document = Document("".join(f"x{number} = {number}\n" for number in range(20_000)), 1, "a.py")
    backend = ScriptedBackend([stream(insertion(5, "y = 1"), END, END)])
    offset = document.starts[10_000]
    outcome = engine_of(backend).next_edit(document, offset)
    line = document.position(outcome.suggestions[0].replacements[0].start)[0]
    assert outcome.suggestions[0].text == document.text.replace(f"x{line} =", f"y = 1\nx{line} =", 1)
    assert abs(line - 10_000) < 100


@pytest.mark.parametrize("text", ["x = " + "1 + " * 5000 + "|", "if " + "x and " * 5000 + "y:\n    |\n"])
def test_what_does_not_fit_the_context_is_not_asked(text: str) -> None:
    backend = LineModel(["x"])
    assert complete(engine_of(backend), text).reason is Reason.TOO_LONG
    assert backend.requests == []


@pytest.mark.parametrize("name", ["suffix-first-1", "fim-qwen", "plain", "sweep-2", "zeta-2"])
def test_a_context_that_is_too_small_for_anything_is_no_fault_of_the_text(name: str) -> None:
    backend = ScriptedBackend([], context=20)
    engine = Engine(backend, gate_of(), prompt_format=FORMATS[name], settings=Settings())
    document = Document("x = 1\ndef f():\n    pass\n", 1, "a.py")
    asked = [engine.complete(document, 5)]
    if Task.NEXT in FORMATS[name].tasks:
        asked.append(engine.next_edit(document, 5))
    if Task.LINES in FORMATS[name].tasks:
        asked.append(engine.resolve(document, Action(ActionKind.IMPLEMENT, 1, 2, "")))
    for outcome in asked:
        assert outcome.reason is Reason.UNSUPPORTED
        assert outcome.detail == "its context of 20 tokens is too small"


def test_a_region_that_is_too_long_is_not_asked_about() -> None:
    engine = Engine(
        ScriptedBackend([], context=20_000), gate_of(), prompt_format=FORMATS["sweep-1"], settings=Settings()
    )
    document = Document("x = [" + "1, " * 2000 + "]\n", 1, "a.py")
    assert engine.next_edit(document, 0).reason is Reason.TOO_LONG


written = st.lists(
    st.tuples(
        st.sampled_from(["", "    ", "        "]), st.sampled_from(["x = 1", "bad", "y", "", "broken", "c"])
    ).map("".join),
    min_size=1,
    max_size=5,
)


@given(written, st.lists(written, min_size=1, max_size=5), st.data())
def test_whatever_is_offered_is_clean_and_keeps_the_other_lines(
    content: list[str], answers: list[list[str]], data: st.DataObject
) -> None:
    document = Document("\n".join(content), 1, "a.py")
    line = data.draw(st.integers(0, len(content) - 1))
    typed = content[line]
    backend = LineModel(*([typed + first, *rest] for first, *rest in answers))
    engine = engine_of(backend)
    outcome = engine.complete(document, document.offset(line, len(typed)), candidates=2)
    before = {found.message for found in lint_bad(document.text).findings}
    for suggestion in outcome.suggestions:
        report = lint_bad(suggestion.text)
        assert report.parsed
        assert {found.message for found in report.findings} <= before
        assert suggestion.text.startswith(document.text[: suggestion.replacements[0].start])
        assert suggestion.text.endswith(document.text[suggestion.replacements[0].end :])
    assert bool(outcome.suggestions) == (outcome.reason is Reason.ACCEPTED)


# Anywhere in the document


def stream(*diffs: str) -> str:
    return "".join(f"{diff}<|diff|>" for diff in diffs)


def insertion(above: int, *added: str) -> str:
    return render(Diff((Hunk(above, added),)))


def test_the_next_edits() -> None:
    document = Document("a\nb\nc\n", 4, "a.py")
    backend = ScriptedBackend([stream(insertion(3, "d"), insertion(0, "z"), END, END)])
    engine = engine_of(backend)
    outcome = engine.next_edit(document, 0)
    assert [suggestion.replacements[0].text for suggestion in outcome.suggestions] == ["d\n", "z\n"]
    assert all(suggestion.base == document for suggestion in outcome.suggestions)
    everything = [replacement for each in outcome.suggestions for replacement in each.replacements]
    assert apply(document.text, everything) == "z\na\nb\nc\nd\n"


@pytest.mark.parametrize(
    ("certainty", "expected"),
    [(0.0, 2), (math.exp(-7), 2), (math.exp(-6), 1), (math.exp(-5), 1), (math.exp(-4), 0)],
)
def test_next_edits_that_the_model_holds_probable(certainty: float, expected: int) -> None:
    """A token has four characters and the probability 1/e; the edits have 5 tokens, and 13 for two lines."""
    written = [insertion(3, "d"), insertion(0, "e" * 15, "f" * 15), END, END]
    document = Document("a\nb\nc\n", 4, "a.py")
    outcome = engine_of(ScriptedBackend([stream(*written)])).next_edit(document, 0, certainty=certainty)
    assert len(outcome.suggestions) == expected
    assert outcome.reason is (Reason.ACCEPTED if expected else Reason.UNSURE)


def test_the_rest_of_a_sequence_waits_under_its_text() -> None:
    document = Document("a\n", 4, "a.py")
    backend = ScriptedBackend([stream(insertion(1, "b"), insertion(2, "c"), END, END)])
    engine = engine_of(backend)
    outcome = engine.next_edit(document, 0)
    assert [suggestion.text for suggestion in outcome.suggestions] == ["a\nb\n"]
    asked = len(backend.requests)
    following = Document("a\nb\n", 5, "a.py")
    outcome = engine.next_edit(following, 0)
    assert outcome.cached
    assert [suggestion.text for suggestion in outcome.suggestions] == ["a\nb\nc\n"]
    assert outcome.suggestions[0].base == following
    assert len(backend.requests) == asked
    assert engine.next_edit(Document("a\nb\nc\n", 6, "a.py"), 0).reason is Reason.COMPLETE


def test_a_next_edit_is_judged_again_when_other_modules_have_changed() -> None:
    wrong: list[str] = []
    gate, workspace = moving_gate(lambda text: Report([finding(name) for name in wrong if name in text]))
    backend = ScriptedBackend([stream(insertion(1, "b"), insertion(2, "c"))])
    engine = engine_of(backend, gate)
    engine.next_edit(Document("a\n", 4, "a.py"), 0)
    following = Document("a\nb\n", 5, "a.py")
    assert engine.recall_next(following) is not None
    workspace.state = "second"
    assert engine.recall_next(following) is None
    again = engine.next_edit(following, 0)
    assert [suggestion.text for suggestion in again.suggestions] == ["a\nb\nc\n"]
    assert engine.recall_next(following) is not None
    workspace.state = "third"
    wrong.append("c")
    assert engine.next_edit(following, 0).suggestions == ()
    workspace.state = "second"  # and it is not kept as what it was
    assert engine.recall_next(following) is None


def test_a_next_edit_that_was_declined_is_so_whatever_else_is_written() -> None:
    document = Document("a\n", 4, "a.py")
    engine = engine_of(ScriptedBackend([stream(insertion(1, "b"), END, END)]))
    engine.memory.decline(engine.next_edit(document, 0).suggestions[0])
    assert engine.next_edit(document, 0).reason is Reason.REJECTED_BEFORE
    other = engine_of(ScriptedBackend([stream(insertion(2, "b"), END, END)]))
    other.memory = engine.memory
    assert other.next_edit(Document("z\na\n", 5, "a.py"), 0).reason is Reason.REJECTED_BEFORE


def test_a_second_edit_that_was_declined_ends_the_sequence() -> None:
    document = Document("a\n", 4, "a.py")
    engine = engine_of(ScriptedBackend([stream(insertion(1, "b"), insertion(0, "z"), END, END)]))
    engine.memory.decline(engine.next_edit(document, 0).suggestions[1])
    following = engine.next_edit(Document("a\nb\n", 5, "a.py"), 0)
    assert (following.reason, following.suggestions) == (Reason.REJECTED_BEFORE, ())


def test_the_sequence_so_far_is_told_as_it_grows() -> None:
    document = Document("a\n", 4, "a.py")
    backend = ScriptedBackend([stream(insertion(1, "b"), insertion(0, "bad"), insertion(2, "c"), END, END)])
    heard: list[tuple[int, str]] = []
    engine_of(backend).next_edit(
        document, 0, on_clean=lambda outcome, state: heard.append((len(outcome.suggestions), state.text))
    )
    assert heard == [(1, "a\nb\n"), (1, "a\nb\nc\n")]


def test_evidence_counts_findings_before_and_after() -> None:
    engine = engine_of(ScriptedBackend([stream(insertion(2, "b"), END, END)]))
    (suggestion,) = engine.next_edit(Document("bad\na\n", 4, "a.py"), 0).suggestions
    record = suggestion.evidence.record()
    assert (record["states"], record["findingsBefore"], record["findingsAfter"]) == (1, 1, 1)
    assert (record["newFindings"], record["tier"]) == (0, "pylint")


def test_python_newer_than_the_servers_has_a_reason_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "lintseq_lsp.linters.syntax.newer_syntax", lambda line, **_: "new" if "[T]" in line else ""
    )
    text = "x = 1\ndef f[T[](x): ...\n"  # broken for each Python
    engine = engine_of(ScriptedBackend([]), python_gate())
    outcome = engine.next_edit(Document(text), 0)
    assert (outcome.reason, outcome.detail) == (Reason.BASE_DOES_NOT_PARSE, "")
    outcome = engine.next_edit(Document(text.replace("[T[]", "[T]]")), 0)
    assert (outcome.reason, outcome.detail) == (Reason.NEWER_SYNTAX, "new")
    engine = engine_of(LineModel(["y = 1"]), python_gate())
    outcome = complete(engine, text.replace("[T[]", "[T]]") + "y =|\n")
    assert (outcome.reason, outcome.detail) == (Reason.NEWER_SYNTAX, "new")


def test_why_there_is_no_next_edit() -> None:
    document = Document("a\n", 4, "a.py")
    assert engine_of(ScriptedBackend([])).next_edit(document, 0).reason is Reason.COMPLETE
    rejected = engine_of(ScriptedBackend([stream(*[insertion(1, "bad")] * 4)])).next_edit(document, 0)
    assert rejected.reason is Reason.NEW_FINDINGS
    assert len(rejected.rejected) == 4
    broken = engine_of(ScriptedBackend([]), python_gate()).next_edit(Document("x = (\n"), 0)
    assert broken.reason is Reason.BASE_DOES_NOT_PARSE
    backend = ScriptedBackend([])
    failed = engine_of(backend, gate_of(ImmediateLinter(failing("a")))).next_edit(document, 0)
    assert (failed.reason, failed.detail) == (Reason.LINTER_FAILED, "killed")
    assert backend.requests == []


@given(
    st.lists(st.sampled_from(["a", "b", "", "    c", "bad"]), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.lists(
        st.tuples(
            st.integers(0, 10), st.lists(st.sampled_from(["x", "y", "", "bad"]), min_size=1, max_size=3)
        ),
        max_size=6,
    ),
    st.data(),
)
def test_next_edits_are_closed_under_prefixes(
    content: list[str], newline: str, diffs: list[tuple[int, list[str]]], data: st.DataObject
) -> None:
    """After the first edit, after the first two, and after all, the document is a state that was accepted."""
    document = Document(newline.join(content), 1, "a.py")
    linter = ImmediateLinter()
    engine = engine_of(
        ScriptedBackend([stream(*(insertion(above, *added) for above, added in diffs))]), gate_of(linter)
    )
    outcome = engine.next_edit(document, data.draw(st.integers(0, len(document.text))))
    clean = {check.text for check in linter.checks if not new_bad(document.text, check.text)}
    for count in range(1, len(outcome.suggestions) + 1):
        first = [suggestion.replacements[0] for suggestion in outcome.suggestions[:count]]
        assert apply(document.text, first) in clean
    for suggestion in outcome.suggestions:
        assert suggestion.base == document
        assert len(suggestion.replacements) == 1


def new_bad(before: str, after: str) -> bool:
    return len(lint_bad(after).findings) > len(lint_bad(before).findings)


# On demand


def run_edit(engine: Engine, text: str, *, lines: tuple[int, int] | None = None) -> tuple[list[Step], Ended]:
    *steps, ended = engine.edit(Document(text, 1, "a.py"), "Do it.", lines=lines)
    assert isinstance(ended, Ended)
    return [step for step in steps if isinstance(step, Step)], ended


def test_an_instruction_comes_first() -> None:
    backend = ScriptedBackend([stream(insertion(1, "b"), END, END)])
    steps, ended = run_edit(engine_of(backend), "a\n")
    assert len(steps) == 1
    assert ended.document.text == "a\nb\n"
    assert backend.requests[0].prompt[0] == "Do it.\n"


def test_an_instruction_for_some_lines() -> None:
    backend = ScriptedBackend([stream(insertion(2, "x"), END, END)])
    run_edit(engine_of(backend), "\na\nb\nc\nd\n", lines=(2, 3))
    _, begins = backend.requests[0].begins
    assert {begin.split(",")[0] for begin in begins} == {"@@ -1", "@@ -2", "@@ -3"}


# At a place


def resolve(
    engine: Engine, text: str, kind: ActionKind, first: int, last: int | None = None, *problems: Problem
) -> Outcome:
    document = Document(text, 1, "a.py")
    last = first if last is None else last
    (action,) = [action for action in actions_at(document, first, last, problems) if action.kind is kind]
    return engine.resolve(document, action)


def resolved(
    text: str, kind: ActionKind, first: int, last: int | None = None, *answers: Sequence[str]
) -> str | Reason:
    outcome = resolve(engine_of(LineModel(*answers), python_gate()), text, kind, first, last)
    return outcome.suggestions[0].text if outcome.suggestions else outcome.reason


def test_implementing() -> None:
    text = 'def area(r):\n    """The area."""\n    pass\n\n\nprint(area(1))\n'
    backend = LineModel(["    return 3 * r", "    # done"])
    outcome = resolve(engine_of(backend, python_gate()), text, ActionKind.IMPLEMENT, 0)
    assert outcome.suggestions[0].text == text.replace("    pass", "    return 3 * r\n    # done")
    assert len(outcome.suggestions[0].replacements) == 1
    assert backend.requests[0].prompt[0] == "The area.\n"
    assert resolved("def f():", ActionKind.IMPLEMENT, 0, None, ["    return 1"]) == "def f():\n    return 1"


def test_continuing_a_comment() -> None:
    text = "def f(x):\n    # Sort them.\n    return x\n"
    assert resolved(text, ActionKind.CONTINUE, 1, None, ["    x = sorted(x)"]) == (
        "def f(x):\n    # Sort them.\n    x = sorted(x)\n    return x\n"
    )


def test_rewriting() -> None:
    text = "a = 1\nb = 2\nc = 3\n"
    assert resolved(text, ActionKind.REWRITE, 0, 1, ["a = b = 0"]) == "a = b = 0\nc = 3\n"


@pytest.mark.parametrize("end", ["\n", "", "\n\n", "\n\n\ny = 2\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_rewriting_keeps_the_blank_lines_around(end: str, newline: str) -> None:
    text = f"a = 1\n\n\ndef f():\n    x = 1\n\n    return x{end}".replace("\n", newline)
    found = resolved(text, ActionKind.REWRITE, 3, 6, ["def f():", "    return 1"])
    assert found == f"a = 1\n\n\ndef f():\n    return 1{end}".replace("\n", newline)


def test_rewriting_statements_with_a_blank_line_between_them() -> None:
    text = "a = 1\n\nb = 2\nc = 3\n"
    assert resolved(text, ActionKind.REWRITE, 0, 2, ["a = b = 0"]) == "a = b = 0\nc = 3\n"


def test_rewriting_the_beginning_of_a_file() -> None:
    assert resolved("a = 1\nb = 2\n\n\nc = 3\n", ActionKind.REWRITE, 0, 1, ["a = b = 0"]) == (
        "a = b = 0\n\n\nc = 3\n"
    )


def test_rewriting_all_of_a_file() -> None:
    assert resolved("\na = 1\nb = 2\n", ActionKind.REWRITE, 1, 2, ["a = b = 0"]) == "\na = b = 0\n"


def test_what_depends_on_the_rewritten_lines_stays() -> None:
    """The model is shown a clean state, without the call; the answer has it again."""
    text = "def area(r):\n    return r\n\n\nprint(area(1))\n"
    backend = LineModel(["def square(r):"], ["def area(r):", "    return r * r"])
    outcome = resolve(engine_of(backend, python_gate()), text, ActionKind.REWRITE, 0, 1)
    assert outcome.suggestions[0].text == text.replace("return r", "return r * r")
    assert not any("print" in str(part) for part in backend.requests[0].prompt)


def test_an_answer_that_would_break_what_depends_on_it_is_rejected() -> None:
    text = "x = 1\nprint(x)\n"
    outcome = resolve(
        engine_of(LineModel(["y = 2"], ["x = 3"]), python_gate()), text, ActionKind.REWRITE, 0, 1
    )
    assert outcome.suggestions[0].text == "y = 2\n"  # both lines were selected
    problem = Problem(0, "some-rule", "Prefer another number")
    engine = engine_of(LineModel(["y = 2"], ["x = 3"]), python_gate())
    outcome = resolve(engine, text, ActionKind.FIX, 0, None, problem)
    assert outcome.suggestions[0].text == "x = 3\nprint(x)\n"
    assert [verdict.reason for verdict in outcome.rejected] == [Reason.NEW_FINDINGS]
    engine = engine_of(LineModel(*[["y = 2"]] * 99), python_gate())
    outcome = resolve(engine, text, ActionKind.FIX, 0, None, problem)
    assert outcome.reason is Reason.NEW_FINDINGS
    assert len(engine.backend.requests) <= 8  # type: ignore[attr-defined]


def test_what_is_written_as_it_was_is_nothing_new() -> None:
    answers = [["a = 1", "b = 2"]] * 9
    assert resolved("a = 1\nb = 2\nc = 3\n", ActionKind.REWRITE, 0, 1, *answers) is Reason.NOTHING_NEW


def test_a_second_try_after_nothing_new() -> None:
    answers = [["a = 1", "b = 2"], ["a = 0", "b = 0"]]
    assert resolved("a = 1\nb = 2\nc = 3\n", ActionKind.REWRITE, 0, 1, *answers) == "a = 0\nb = 0\nc = 3\n"


def test_the_model_is_not_asked_without_end() -> None:
    backend = LineModel(*[["print(missing)"]] * 99)
    outcome = resolve(engine_of(backend, python_gate()), "a = 1\nb = 2\n", ActionKind.REWRITE, 0, 1)
    assert outcome.reason is Reason.NEW_FINDINGS
    assert len(backend.requests) <= 8


UNDEFINED = "undefined-variable"


def test_fixing() -> None:
    text = "print(found)\nprint(missing)\nx = 1\n"
    problem = Problem(1, UNDEFINED, "Undefined variable 'missing'")
    engine = engine_of(LineModel(["print('mended')"]), python_gate())
    outcome = resolve(engine, text, ActionKind.FIX, 1, None, problem)
    assert outcome.suggestions[0].text == "print(found)\nprint('mended')\nx = 1\n"
    assert outcome.proved


def test_a_fix_that_keeps_the_finding_is_none() -> None:
    problem = Problem(0, UNDEFINED, "Undefined variable 'missing'")
    engine = engine_of(LineModel(*[["y = missing"]] * 9), python_gate())
    outcome = resolve(engine, "print(missing)\nx = 1\n", ActionKind.FIX, 0, None, problem)
    assert outcome.reason is Reason.NEW_FINDINGS
    assert not outcome.proved


def test_a_fix_for_what_our_linter_does_not_know_is_not_proved() -> None:
    problem = Problem(0, "SomeRule", "Prefer another name")
    engine = engine_of(LineModel(["y = 1"]), python_gate())
    outcome = resolve(engine, "z = 0\nx = 1\n", ActionKind.FIX, 0, None, problem)
    assert outcome.suggestions[0].text == "y = 1\nx = 1\n"
    assert not outcome.proved


def test_an_action_whose_lines_are_gone() -> None:
    engine = engine_of(LineModel(["x"]), python_gate())
    for kind in ActionKind:
        assert engine.resolve(Document("a = 1\n"), Action(kind, 1, 2, "")).reason is Reason.STALE
    for kind in (ActionKind.REWRITE, ActionKind.FIX):
        assert engine.resolve(Document("a = 1\n\n"), Action(kind, 1, 1, "")).reason is Reason.STALE
    text = "def f():\n    return 1\n"
    assert engine.resolve(Document(text), Action(ActionKind.IMPLEMENT, 0, 0, "")).reason is Reason.NOTHING_NEW


def test_preparing_makes_the_baseline_known() -> None:
    linter = ImmediateLinter()
    engine = engine_of(LineModel(["x = 1"]), gate_of(linter))
    document, offset = place("a\n|\n")
    engine.prepare(document)
    engine.complete(document, offset)
    assert [check.text for check in linter.checks] == ["a\n\n", "a\nx = 1\n"]


def test_closing_closes_both() -> None:
    linter = ImmediateLinter()
    engine_of(LineModel(), gate_of(linter)).close()
    assert linter.closed


# While the user goes on typing


def test_a_late_answer_moves_with_what_was_typed_elsewhere_and_is_judged_again() -> None:
    engine = engine_of(LineModel(["x = 1"]))
    (suggestion,) = complete(engine, "a\n|\nb\n").suggestions
    now = Document("first\na\n\nb\n", 3, "a.py")
    moved = engine.rebase(suggestion, now)
    assert moved is not None
    assert apply(now.text, moved.replacements) == moved.text == "first\na\nx = 1\nb\n"
    assert moved.base.version == 3


def test_a_late_answer_has_the_evidence_of_the_text_that_it_is_for() -> None:
    gate, workspace = moving_gate()
    engine = engine_of(LineModel(["x = 1"]), gate)
    (suggestion,) = complete(engine, "a\n|\nb\n").suggestions
    workspace.state = "second"
    moved = engine.rebase(suggestion, Document("bad\na\n\nb\n", 3, "a.py"))
    assert moved is not None
    assert (moved.evidence.before, moved.evidence.after) == (1, 1)
    assert engine.holds(moved)
    assert not engine.holds(suggestion)


def test_a_late_answer_is_dropped_where_the_user_typed_or_when_both_are_not_clean() -> None:
    engine = engine_of(LineModel(["x = 1"]))
    (suggestion,) = complete(engine, "a\n|\nb\n").suggestions
    assert engine.rebase(suggestion, Document("a\ny\nb\n", 2, "a.py")) is None
    strict = engine_of(
        LineModel([]), gate_of(ImmediateLinter(lambda text: lint_bad("bad" if "x = 1" in text else "")))
    )
    assert strict.rebase(suggestion, Document("first\na\n\nb\n", 2, "a.py")) is None
