"""The algebra of replacements: laws."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lintseq_lsp.edits import Replacement, apply, at_line_start, rebase, replacement_between, unmap
from lintseq_lsp.errors import EditError

small = st.text("ab\r\n", max_size=10)
"""Few letters, so that texts have much in common and line ends meet."""


@st.composite
def replacements_of(draw: st.DrawFn, length: int, *, most: int = 3) -> list[Replacement]:
    """Replacements that do not overlap, in any order; no two begin at the same place."""
    places = sorted(draw(st.lists(st.integers(0, length), min_size=2, max_size=2 * most)))
    pairs = zip(places[::2], places[1::2], strict=False)
    made = [Replacement(start, end, draw(small)) for start, end in pairs]
    distinct = list({replacement.start: replacement for replacement in made}.values())
    return draw(st.permutations(distinct))


@given(small, small)
def test_the_replacement_between_two_texts_leads_from_one_to_the_other(base: str, final: str) -> None:
    replacement = replacement_between(base, final)
    if replacement is None:
        assert base == final
    else:
        assert apply(base, [replacement]) == final


def halves_a_line_end(text: str, offset: int) -> bool:
    return text[max(offset - 1, 0) : offset + 1] == "\r\n"


@given(small, small)
def test_it_never_cuts_a_line_end_in_half(base: str, final: str) -> None:
    replacement = replacement_between(base, final)
    assume(replacement is not None)
    assert replacement is not None
    assert not halves_a_line_end(base, replacement.start)
    assert not halves_a_line_end(base, replacement.end)
    assert not halves_a_line_end(final, replacement.start)
    assert not halves_a_line_end(final, replacement.start + len(replacement.text))


@given(st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_it_is_minimal(base: str, final: str) -> None:
    replacement = replacement_between(base, final)
    assume(replacement is not None)
    assert replacement is not None
    removed = base[replacement.start : replacement.end]
    assert removed[:1] != replacement.text[:1] or not removed or not replacement.text
    assert removed[-1:] != replacement.text[-1:] or not removed or not replacement.text


@given(small, st.data())
def test_all_at_once_is_one_after_the_other_from_below(text: str, data: st.DataObject) -> None:
    replacements = data.draw(replacements_of(len(text)))
    one_by_one = text
    for replacement in sorted(replacements, reverse=True):
        one_by_one = one_by_one[: replacement.start] + replacement.text + one_by_one[replacement.end :]
    assert apply(text, replacements) == one_by_one


@given(small, small, st.data())
def test_rebased_replacements_do_beside_the_typing_what_they_would_have_done(
    base: str, now: str, data: st.DataObject
) -> None:
    replacements = data.draw(replacements_of(len(base)))
    moved = rebase(replacements, base, now)
    typed = replacement_between(base, now)
    if typed is None:
        assert moved == replacements
    elif moved is not None:
        assert apply(now, moved) == apply(base, [typed, *replacements])


@given(small, small, st.data())
def test_it_refuses_exactly_when_the_typing_touches(base: str, now: str, data: st.DataObject) -> None:
    replacements = data.draw(replacements_of(len(base)))
    typed = replacement_between(base, now)
    assume(typed is not None)
    assert typed is not None
    touches = any(r.start <= typed.end and typed.start <= r.end for r in replacements)
    assert (rebase(replacements, base, now) is None) == touches


@given(small, st.data())
def test_an_unmapped_change_does_the_same_beside_the_earlier_ones(base: str, data: st.DataObject) -> None:
    earlier = data.draw(replacements_of(len(base)))
    between = apply(base, earlier)
    change = data.draw(replacements_of(len(between), most=1))[0]
    back = unmap(change, earlier)
    if back is not None:
        assert apply(base, [*earlier, back]) == apply(between, [change])


@given(small, st.data())
def test_it_cannot_be_unmapped_exactly_when_it_touches_one(base: str, data: st.DataObject) -> None:
    earlier = sorted(data.draw(replacements_of(len(base))))
    between = apply(base, earlier)
    change = data.draw(replacements_of(len(between), most=1))[0]
    touches, shift = False, 0
    for replacement in earlier:
        start = replacement.start + shift
        touches = touches or (change.start <= start + len(replacement.text) and start <= change.end)
        shift += len(replacement.text) - (replacement.end - replacement.start)
    assert (unmap(change, earlier) is None) == touches


@given(small, st.data())
def test_a_change_that_touches_nothing_can_be_unmapped(base: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(base)))
    end = data.draw(st.integers(start, len(base)))
    change = Replacement(start, end, "new")
    drawn = data.draw(replacements_of(len(base)))
    earlier = [r for r in drawn if end < r.start or r.end < start]
    shift = sum(len(r.text) - (r.end - r.start) for r in earlier if r.end < start)
    assert unmap(Replacement(start + shift, end + shift, "new"), earlier) == change


def test_a_replacement_lies_in_its_text() -> None:
    with pytest.raises(EditError):
        Replacement(3, 2, "")
    with pytest.raises(EditError):
        Replacement(-1, 2, "")
    with pytest.raises(EditError, match="ends at 4"):
        apply("abc", [Replacement(0, 4, "")])
    with pytest.raises(EditError, match="overlap"):
        apply("abc", [Replacement(0, 2, ""), Replacement(1, 3, "")])


def test_insertions_at_one_place_keep_their_order() -> None:
    assert apply("ab", [Replacement(1, 1, "y"), Replacement(1, 1, "x"), Replacement(1, 2, "z")]) == "ayxz"


def test_the_change_of_a_long_text_is_found() -> None:
    base = "line\n" * 20_000
    final = base[:50_000] + "new\n" + base[50_000:]
    assert replacement_between(base, final) == Replacement(50_000, 50_000, "new\n")


@given(st.text("ab\n", max_size=12), st.integers(0, 12), st.text("ab\n", max_size=8))
def test_moving_an_insertion_to_its_line_start_changes_nothing(base: str, at: int, text: str) -> None:
    change = Replacement(min(at, len(base)), min(at, len(base)), text)
    assert apply(base, [at_line_start(base, change)]) == apply(base, [change])


def test_an_insertion_of_lines_begins_a_line() -> None:
    change = replacement_between("x = 1\nx = 2\n", "x = 1\nx = 8\nx = 2\n")
    assert change is not None
    assert at_line_start("x = 1\nx = 2\n", change) == Replacement(6, 6, "x = 8\n")
