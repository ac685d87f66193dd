"""The user's recent edits: what is one edit, what cancels, and that they lead back to the text before."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from strategies import texts

from lintseq_lsp.recent import MOST, History, RecentEdit, edits_between, states_before
from lintseq_lsp.text import Document

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "  d"]), max_size=30)


def history(*texts: str, pause: float = 0.1) -> History:
    """Of a document that had each of these texts, `pause` seconds apart; words are lines."""
    found = History()
    for number, text in enumerate(texts):
        found = found.after(Document("\n".join(text.split()), None, "m.py"), 10 + number * pause)
    return found


def after(*texts: str, pause: float = 0.1) -> tuple[RecentEdit, ...]:
    return history(*texts, pause=pause).edits()


def undone(edits: Sequence[RecentEdit], lines: Sequence[str]) -> list[str]:
    """`lines` without the edits, the newest taken back first."""
    lines = list(lines)
    for edit in reversed(edits):
        assert tuple(lines[edit.above : edit.end]) == edit.new
        lines[edit.above : edit.end] = edit.old
    return lines


def test_typing_is_one_edit_with_the_lines_around_it() -> None:
    (edit,) = after("a b c", "a b1 c", "a b12 c", "a b123 c")
    assert edit == RecentEdit("m.py", 1, ("b",), ("b123",), 10.3, ("a",), ("c",))


def test_a_pause_begins_another_edit() -> None:
    assert [edit.new for edit in after("a", "ab", "abc", pause=1.5)] == [("ab",), ("abc",)]


def test_far_away_is_another_edit() -> None:
    middle = " ".join("x" * 20)
    edits = after(f"a {middle} b", f"a1 a2 {middle} b", f"a1 a2 {middle} b1")
    assert [(edit.above, edit.new) for edit in edits] == [(0, ("a1", "a2")), (22, ("b1",))]


def test_near_by_is_the_same_edit_with_what_is_between() -> None:
    (edit,) = after("a x y b", "a1 x y b", "a1 x y b1")
    assert (edit.old, edit.new) == (("a", "x", "y", "b"), ("a1", "x", "y", "b1"))


def test_what_is_taken_back_leaves_nothing() -> None:
    assert after("a b", "a b c", "a b") == ()
    assert after("a b", "a b c", "a b", pause=5) == ()
    edits = after("a b", "a1 b", "a1 b2", "a1 b", pause=5)
    assert [edit.new for edit in edits] == [("a1",)]


def test_an_undo_of_several_places_leaves_nothing() -> None:
    far = " ".join("x" * 20)
    assert len(after(f"a {far} b", f"a1 {far} b1")) == 2
    assert after(f"a {far} b", f"a1 {far} b1", f"a {far} b", pause=5) == ()


def test_the_newest_are_kept() -> None:
    edits = after("0", "1", "2", "3", "4", "5", "6", "7", "8", pause=2)
    assert [edit.new for edit in edits] == [(str(number),) for number in range(9 - MOST, 9)]


def test_what_the_text_was_when_it_was_opened_is_no_edit() -> None:
    assert after("a b c") == ()
    assert [edit.old for edit in after("a", "ab")] == [("a",)]


def test_white_space_alone_is_blank() -> None:
    (edit,) = edits_between(Document("a b\n"), Document("a  b"))
    assert edit.is_blank
    assert not after("a", "b")[0].is_blank


def test_an_edit_is_found_again_with_a_line_around_it() -> None:
    edits = after("a x b x c", "a x b x1 c")
    assert list(states_before(["x1", "b", "x1", "c"], edits)) == [["x1", "b", "x", "c"]]
    assert list(states_before(["q", "x1", "q"], edits)) == [["q", "x", "q"]]
    assert list(states_before(["q"], edits)) == []
    removed = after("a x b", "a b")
    assert list(states_before(["q", "a", "b"], removed)) == [["q", "a", "x", "b"]]


@given(st.lists(st.tuples(LINES, st.sampled_from([0.1, 2.0])), min_size=1, max_size=MOST + 1))
def test_edits_lead_back_to_the_first_text(states: list[tuple[list[str], float]]) -> None:
    found, time = History(), 0.0
    for lines, pause in states:
        time += pause
        found = found.after(Document("\n".join(lines)), time)
    edits = found.edits()
    first, last = (Document("\n".join(states[number][0])).lines for number in (0, -1))
    if len(edits) < MOST:
        assert undone(edits, last) == first


@given(st.lists(texts(), min_size=2, max_size=3))
def test_edits_of_any_text_lead_back_to_its_lines(states: list[str]) -> None:
    for before, now in pairwise(states):
        edits = edits_between(Document(before), Document(now))
        assert undone(edits, Document(now).lines) == Document(before).lines
