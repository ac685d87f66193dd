"""Which line a line was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.alignment import origins

lines = st.lists(st.sampled_from(["", "a", "  a", "b = 1", "b = 12", "return x", "# note"]), max_size=12)


@given(lines, lines)
def test_no_line_was_two(before: list[str], after: list[str]) -> None:
    found = origins(before, after)
    named = [line for line in found if line is not None]
    assert len(found) == len(after)
    assert len(set(named)) == len(named)
    assert all(0 <= line < len(before) for line in named)


@given(lines, lines, st.integers(0, 12))
def test_what_stays_is_found(before: list[str], added: list[str], above: int) -> None:
    assert origins(before, before) == list(range(len(before)))
    after = [*before[:above], *added, *before[above:]]
    found = origins(before, after)
    assert sorted(line for line in found if line is not None) == list(range(len(before)))
    assert all(
        before[line].strip() == text.strip()
        for line, text in zip(found, after, strict=True)
        if line is not None
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a b c", "a c", [0, 2]),
        ("a total=sum(x) c", "a total=sum(x,y) c", [0, 1, 2]),
        ("a total=sum(x) c", "a unlike c", [0, None, 2]),
        ("total=sum(x)", "first total=sum(x,1)", [None, 0]),
        ("get", "get().all()", [0]),  # gone on with
        ("a=b#noqa", "c(d)#noqa a=b", [None, 0]),  # what is alike is the code
        ("first second third", "third first second", [2, 0, 1]),
        ("a b", "", []),
        ("", "a", [None]),
    ],
)
def test_changes(before: str, after: str, expected: list[int | None]) -> None:
    assert origins(before.split(), after.split()) == expected


def test_lines_that_are_indented_anew() -> None:
    before = ["def f():", "    a()", "    b()"]
    after = ["def f():", "    if x:", "        a()", "        b()"]
    assert origins(before, after) == [0, None, 1, 2]


def test_a_block_that_is_written_anew_is_new() -> None:
    before, after = ([f"{kind}_{number} = 1" for number in range(50)] for kind in ("old", "odd"))
    assert origins(before, after) == [None] * 50
