"""What the model sees of a document, and where its diffs land."""

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import diffs_of, edited, lines, texts

from lintseq_lsp.diffs import Diff, Hunk
from lintseq_lsp.edits import Replacement
from lintseq_lsp.excerpt import Excerpt, apply_diff, excerpt_around, replace_lines
from lintseq_lsp.formats.base import Malformed, changed_lines
from lintseq_lsp.text import Document


def cost(line: str) -> int:
    return len(line) // 4 + 2


@st.composite
def excerpts_and_diffs(
    draw: st.DrawFn, *, ended: bool = False, removing: bool = True
) -> tuple[Document, Excerpt, Diff]:
    document = Document(draw(texts(ended=ended, meeting=False)))
    numbers = draw(st.sets(st.integers(0, len(document.lines) - 1)))
    excerpt = Excerpt(tuple(sorted(numbers)))
    return document, excerpt, draw(diffs_of(excerpt.lines(document), removing=removing))


def whole(document: Document) -> Excerpt:
    return Excerpt(tuple(range(len(document.lines))))


@given(st.data())
def test_a_diff_of_the_whole_document_is_the_edit_of_its_lines(data: st.DataObject) -> None:
    document = Document(data.draw(texts(meeting=False)))
    diff = data.draw(diffs_of(document.lines))
    applied = apply_diff(document, whole(document), diff)
    assert not isinstance(applied, Malformed)
    # A text without lines is one empty line.
    assert applied.document.lines == (edited(document.lines, diff) or [""])


@given(excerpts_and_diffs())
def test_a_diff_of_an_excerpt_is_the_edit_of_the_lines_that_are_shown(
    case: tuple[Document, Excerpt, Diff],
) -> None:
    document, excerpt, diff = case
    applied = apply_diff(document, excerpt, diff)
    if isinstance(applied, Malformed):
        assert applied.reason == "lines removed across a gap of the excerpt"
        return
    after, shown = applied.document, applied.excerpt
    assume(shown.numbers)
    assert shown.lines(after) == edited(excerpt.lines(document), diff)
    hidden = set(range(len(document.lines))) - set(excerpt.numbers)
    still_hidden = set(range(len(after.lines))) - set(shown.numbers)
    assert [after.lines[number] for number in sorted(still_hidden)] == [
        document.lines[number] for number in sorted(hidden)
    ]
    assert list(shown.numbers) == sorted(set(shown.numbers))


@given(excerpts_and_diffs(ended=True, removing=False))
def test_lines_that_stay_keep_their_line_ends(case: tuple[Document, Excerpt, Diff]) -> None:
    document, excerpt, diff = case
    applied = apply_diff(document, excerpt, diff)
    assert not isinstance(applied, Malformed)
    rest = iter(applied.document.text)
    assert all(character in rest for character in document.text)
    new = "".join(line + document.newline for hunk in diff.hunks for line in hunk.added)
    assert len(applied.document.text) == len(document.text) + len(new)


@given(excerpts_and_diffs(), st.integers(1, 5))
def test_a_diff_past_the_end_does_not_fit(case: tuple[Document, Excerpt, Diff], beyond: int) -> None:
    document, excerpt, _ = case
    diff = Diff((Hunk(len(excerpt.numbers) + beyond, ("x",)),))
    assert isinstance(apply_diff(document, excerpt, diff), Malformed)


def test_lines_that_are_not_there_cannot_be_removed() -> None:
    document = Document("a\nb\n")
    assert isinstance(apply_diff(document, whole(document), Diff((Hunk(0, (), ("b",)),))), Malformed)


@pytest.mark.parametrize(
    ("before", "diff", "after"),
    [
        ("", Diff((Hunk(0, ("x", "y")),)), "x\ny\n"),
        ("\n\n", Diff((Hunk(0, ("x",)),)), "x\n\n\n"),
        ("a", Diff((Hunk(1, ("x",)),)), "a\nx"),
        ("a\n", Diff((Hunk(1, ("x",)),)), "a\nx\n"),
        ("a\r\nb", Diff((Hunk(2, ("x", "y")),)), "a\r\nb\r\nx\r\ny"),
        ("a\rb\r", Diff((Hunk(1, ("x",)),)), "a\rx\rb\r"),
        ("\n\n  a\n\n", Diff((Hunk(0, ("x",)), Hunk(1, ("y",)))), "\n\nx\n  a\ny\n\n"),
        ("a\nb\nc", Diff((Hunk(1, (), ("b",)), Hunk(2, (), ("c",)))), "a"),
        ("a\nb\nc", Diff((Hunk(2, ("x",)), Hunk(2, ("y",), ("c",)))), "a\nb\nx\ny"),
        ("a\nb\nc", Diff((Hunk(2, ("x",)), Hunk(2, (), ("c",)))), "a\nb\nx"),
        ("a", Diff((Hunk(0, (), ("a",)),)), ""),
    ],
)
def test_line_ends(before: str, diff: Diff, after: str) -> None:
    document = Document(before, version=3, path="here.py")
    excerpt = excerpt_around(document, 0, 1000, cost)
    applied = apply_diff(document, excerpt, diff)
    assert not isinstance(applied, Malformed)
    assert applied.document == Document(after, version=3, path="here.py")


def test_all_lines_may_go_one_by_one() -> None:
    """As LintSeq's backward step names them: the last, empty one too."""
    document = Document("def f():\n    return 1\n")
    assert replace_lines(document, [(0, 1, ()), (1, 1, ()), (2, 1, ())]).text == ""
    assert replace_lines(document, [(1, 1, ()), (2, 1, ())]).text == "def f():"


# Which lines are shown


@given(texts(most=30), st.integers(0, 40), st.integers(0, 60))
def test_an_excerpt_ascends_and_has_no_outer_blank_lines(text: str, line: int, budget: int) -> None:
    document = Document(text)
    excerpt = excerpt_around(document, line, budget, cost)
    assert list(excerpt.numbers) == sorted(set(excerpt.numbers))
    shown = excerpt.lines(document)
    if shown:
        assert shown[0].strip()
        assert shown[-1].strip()
    for number in range(len(document.lines)):
        assert excerpt.above(number) == len([shown for shown in excerpt.numbers if shown < number])


@given(texts(most=30), st.integers(0, 40))
def test_a_document_that_fits_is_shown_whole(text: str, line: int) -> None:
    document = Document(text)
    excerpt = excerpt_around(document, line, sum(map(cost, document.lines)), cost)
    shown = [number for number, content in enumerate(document.lines) if content.strip()]
    assert excerpt.numbers == (tuple(range(shown[0], shown[-1] + 1)) if shown else ())


@given(st.lists(lines.filter(str.strip), min_size=1, max_size=60), st.data())
def test_a_window_keeps_its_budget_and_has_the_line(content: list[str], data: st.DataObject) -> None:
    document = Document("\n".join(line.strip() or "x" for line in content))
    line = data.draw(st.integers(0, len(content) - 1))
    budget = data.draw(st.integers(max(map(cost, document.lines)), 100))
    excerpt = excerpt_around(document, line, budget, cost)
    assert line in excerpt.numbers
    assert sum(cost(document.lines[number]) for number in excerpt.numbers) <= budget


LONG = Document(
    "".join(
        f"class C{number}:\n    def method(self):\n        first = {number}\n        return first\n\n"
        for number in range(4000)
    )
)

FAR = Document("class A:\n    def f(self):\n" + "        x = 1\n" * 200 + "        y = 2\n")


def test_a_window_of_a_long_document_has_the_headers_of_its_blocks() -> None:
    line = 5 * 2000 + 3
    excerpt = excerpt_around(LONG, line, 30, cost, align=1)
    assert LONG.lines[line - 3] == "class C2000:"
    assert {line - 3, line - 2, line} <= set(excerpt.numbers)
    excerpt = excerpt_around(FAR, 202, 60, cost)
    assert excerpt.numbers[:2] == (0, 1)
    assert 202 in excerpt.numbers
    assert excerpt.numbers[2] > 150


def test_an_insertion_below_a_header_goes_right_below_it() -> None:
    excerpt = excerpt_around(FAR, 202, 60, cost)
    assert excerpt.document_above(2) == 2
    applied = apply_diff(FAR, excerpt, Diff((Hunk(2, ("        z = 3",)),)))
    assert not isinstance(applied, Malformed)
    assert applied.document.lines[2] == "        z = 3"


def test_the_upper_edge_moves_in_steps() -> None:
    """So that what the model has read stays a prefix while somebody types below."""
    flat = Document("x = 1\n" * 400)
    edges = [excerpt_around(flat, line, 100, cost).numbers[0] for line in range(200, 240)]
    assert all(edge % 8 == 0 for edge in edges)
    assert len(list(itertools.groupby(edges))) <= 6


def test_what_stands_below_stays_while_a_line_is_typed() -> None:
    """It is what the model reads first: whatever changes there has all of the excerpt read again."""
    lines = [f"value_{number} = {number} * 'x'" for number in range(400)]
    shown = set()
    for typed in range(60):
        for new in (["y" * typed], ["y" * typed, ""]):
            document = Document("\n".join([*lines[:200], *new, *lines[200:]]))
            excerpt = excerpt_around(document, 199 + len(new), 200, cost)
            shown.add(tuple(document.lines[n] for n in excerpt.numbers if n >= 200 + len(new)))
    assert len(shown) == 1
    assert len(*shown) > 3


def test_only_the_lines_that_are_needed_are_counted() -> None:
    asked = []

    def counting(line: str) -> int:
        asked.append(line)
        return cost(line)

    excerpt_around(LONG, 10_000, 400, counting)
    assert len(LONG.lines) > 20_000
    assert len(asked) < 500


def test_the_excerpt_of_nothing() -> None:
    for text in ("", "\n", "  \n\t\r\n"):
        assert excerpt_around(Document(text), 0, 100, cost) == Excerpt(())
    assert Excerpt(()).document_above(0) == 0


def test_a_signature_of_several_lines_is_shown_from_its_beginning() -> None:
    body = [f"    x{number} = {number}" for number in range(40)]
    document = Document("\n".join(["def f(", "    a,", "):", *body]))
    shown = excerpt_around(document, 40, 100, len).lines(document)
    assert shown[:2] == ["def f(", "):"]


@given(st.data())
def test_changed_lines_are_those_of_the_diff(data: st.DataObject) -> None:
    """Replacements of text, read as lines again: nothing else is changed, and no change is left out."""
    document = Document(data.draw(texts(meeting=False)))
    diff = data.draw(diffs_of(document.lines))
    applied = apply_diff(document, whole(document), diff)
    assert not isinstance(applied, Malformed)
    after = list(document.lines)
    for change in reversed(applied.changes):
        first, end, new = changed_lines(document, change)
        after[first:end] = new
    assert (after or [""]) == applied.document.lines
    added = [line for change in applied.changes for line in changed_lines(document, change)[2]]
    # Of blank lines one cannot always tell which are new.
    new = [line for hunk in diff.hunks for line in hunk.added]
    assert [line for line in added if line.strip()] == [line for line in new if line.strip()]


@pytest.mark.parametrize(
    ("text", "change", "expected"),
    [
        ("a\nb", Replacement(2, 2, "x\n"), (1, 1, ["x"])),
        ("a\nb", Replacement(3, 3, "\nx"), (2, 2, ["x"])),
        ("a\nb", Replacement(3, 3, "c\nx"), (1, 2, ["bc", "x"])),
        ("a\nb\nc", Replacement(2, 4, ""), (1, 2, [])),
        ("a\nb\nc", Replacement(3, 5, ""), (2, 3, [])),
        ("ab\nc", Replacement(1, 1, "x"), (0, 1, ["axb"])),
        ("", Replacement(0, 0, "x\n"), (0, 0, ["x"])),
    ],
)
def test_changed_lines(text: str, change: Replacement, expected: tuple[int, int, list[str]]) -> None:
    assert changed_lines(Document(text), change) == expected
