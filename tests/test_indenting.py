"""Lines as a model knows them, in blocks of four spaces, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.indenting import from_four, to_four
from lintseq_lsp.text import Document, indentation

units = st.sampled_from(["  ", "    ", "\t", "   ", " ", " " * 8])
blanks = st.text(" \t\f", max_size=12)
lines = st.builds(str.__add__, blanks, st.text(st.characters(exclude_characters="\r\n"), max_size=6))
PROGRAM = """\
def area(w, h):
    if w < 0:
        call(w,
             h)

    text = '''
     kept'''
    return w * h
"""


@pytest.mark.parametrize("unit", ["  ", "   ", "\t", " " * 8])
def test_a_program_in_another_unit(unit: str) -> None:
    shown = PROGRAM.split("\n")
    own = [from_four(line, unit) for line in shown]
    assert own[1:3] == [f"{unit}if w < 0:", f"{unit}{unit}call(w,"]
    assert own[3] == unit * 3 + " h)"
    assert own[6] == f"{unit} kept'''"
    assert own[4] == ""
    assert Document("\n".join(own)).indent == unit
    assert [to_four(line, unit) for line in own] == shown


def test_what_is_aligned_stays_so() -> None:
    told = {"\t  x": "      x", " \tx": " \tx", "   x": "   x", "\f    x": "\f    x"}
    assert {line: to_four(line, "\t") for line in told} == told
    assert to_four("     x", "  ") == "         x"
    meant = {"      x": "\t  x", "    \tx": "\t\tx", "   x": "   x"}
    assert {line: from_four(line, "\t") for line in meant} == meant


@given(lines, units)
def test_written_lines_come_back(line: str, unit: str) -> None:
    """Unless what is aligned looks like one more unit."""
    shown = to_four(line, unit)
    rest = indentation(line)
    while rest.startswith(unit):
        rest = rest.removeprefix(unit)
    if not rest.startswith("    ") or unit == "    ":
        assert from_four(shown, unit) == line
    assert shown.lstrip(" \t\f") == line.lstrip(" \t\f")


@given(lines)
def test_four_spaces_are_what_they_are(line: str) -> None:
    assert to_four(line, "    ") == from_four(line, "    ") == line


@given(st.integers(0, 6), st.integers(0, 3), units)
def test_what_a_model_writes_is_shown_to_it_again(depth: int, more: int, unit: str) -> None:
    line = "    " * depth + " " * more + "x = 1"
    if more < len(unit) or unit == "\t":
        assert to_four(from_four(line, unit), unit) == line
