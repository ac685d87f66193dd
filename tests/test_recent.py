"""The user's recent edits: what is one edit, what cancels, and that they lead back to the text before."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.recent import MOST, RecentEdit, changed

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "  d"]), max_size=30)


def after(*texts: str, pause: float = 0.1, path: str = "m.py") -> tuple[RecentEdit, ...]:
    """The edits that lead from each text to the next one, `pause` seconds apart; words are lines."""
    edits: tuple[RecentEdit, ...] = ()
    for number, (before, now) in enumerate(pairwise(texts)):
        edits = changed(edits, path, before.split(), now.split(), number * pause)
    return edits


def undone(edits: Sequence[RecentEdit], lines: Sequence[str]) -> list[str]:
    """`lines` without the edits, the newest taken back first."""
    lines = list(lines)
    for edit in reversed(edits):
        assert tuple(lines[edit.above : edit.end]) == edit.new
        lines[edit.above : edit.end] = edit.old
    return lines


def test_typing_is_one_edit() -> None:
    (edit,) = after("a b", "a b1", "a b12", "a b123")
    assert (edit.above, edit.old, edit.new) == (1, ("b",), ("b123",))


def test_a_pause_begins_another_edit() -> None:
    assert [edit.new for edit in after("a", "ab", "abc", pause=1.5)] == [("ab",), ("abc",)]


def test_far_away_is_another_edit() -> None:
    middle = " ".join("x" * 20)
    assert len(after(f"a {middle} b", f"a1 {middle} b", f"a1 {middle} b1")) == 2


def test_near_by_is_the_same_edit_with_what_is_between() -> None:
    (edit,) = after("a x y b", "a1 x y b", "a1 x y b1")
    assert (edit.old, edit.new) == (("a", "x", "y", "b"), ("a1", "x", "y", "b1"))


def test_what_is_taken_back_at_once_leaves_nothing() -> None:
    assert after("a b", "a b c", "a b") == ()


def test_what_is_taken_back_later_leaves_nothing() -> None:
    assert after("a b", "a b c", "a b", pause=5) == ()


def test_another_document_is_another_edit() -> None:
    edits = changed(after("a", "b"), "other.py", ["a"], ["c"], 0.2)
    assert [edit.path for edit in edits] == ["m.py", "other.py"]


def test_the_newest_are_kept() -> None:
    edits = after("0", "1", "2", "3", "4", "5", "6", "7", "8", pause=2)
    assert [edit.new for edit in edits] == [(str(number),) for number in range(9 - MOST, 9)]


def test_white_space_alone_is_blank() -> None:
    edits = changed((), "m.py", ["a b", ""], ["a  b"], 0.0)
    assert [edit.is_blank for edit in edits] == [True]
    assert not after("a", "b")[0].is_blank


@given(st.lists(st.tuples(LINES, st.sampled_from([0.1, 2.0])), min_size=1, max_size=MOST + 1))
def test_edits_lead_back_to_the_first_text(texts: list[tuple[list[str], float]]) -> None:
    edits: tuple[RecentEdit, ...] = ()
    time = 0.0
    for (before, _), (now, pause) in pairwise(texts):
        time += pause
        edits = changed(edits, "m.py", before, now, time)
    assert undone(edits, texts[-1][0]) == texts[0][0]
