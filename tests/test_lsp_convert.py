"""Positions in all three encodings, and changes as ghost text can show them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position, Range

from lintseq_lsp.edits import Replacement, apply, is_subword
from lintseq_lsp.lsp.convert import (
    Encoding,
    at_cursor,
    column_from_units,
    lines_of,
    negotiated,
    offset_at,
    position_at,
    units_from_column,
)
from lintseq_lsp.text import Document

UNITS = {
    Encoding.UTF8: lambda text: len(text.encode("utf-8", "surrogatepass")),
    Encoding.UTF16: lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    Encoding.UTF32: len,
}
CHARACTERS = st.sampled_from("ab é\u2028\x0c\x85あ😀𝒳\ud83d")
TEXTS = st.text(st.one_of(CHARACTERS, st.sampled_from("\n\r")), max_size=30)


@given(st.text(CHARACTERS, max_size=20), st.sampled_from(Encoding), st.data())
def test_units_are_those_of_the_encoding(line, encoding, data):
    column = data.draw(st.integers(0, len(line)))
    units = units_from_column(line, column, encoding)
    assert units == UNITS[encoding](line[:column])
    assert column_from_units(line, units, encoding) == column


@given(TEXTS, st.sampled_from(Encoding), st.data())
def test_positions_and_offsets_agree(text, encoding, data):
    document = Document(text)
    offset = data.draw(st.integers(0, len(text)))
    there = position_at(document, offset, encoding)
    back = offset_at(document, there, encoding)
    # Only between \\r and \\n there is no position: it is the line's end.
    assert back == offset or (text[offset - 1 : offset + 1] == "\r\n" and back == offset - 1)


@given(st.text(CHARACTERS, max_size=8), st.sampled_from(Encoding), st.integers(-2, 40))
def test_any_number_of_units_is_clamped_and_rounded_down(line, encoding, units):
    column = column_from_units(line, units, encoding)
    assert 0 <= column <= len(line)
    assert units_from_column(line, column, encoding) <= max(units, 0)
    if column < len(line):
        assert units_from_column(line, column + 1, encoding) > max(units, 0)


def test_inside_of_a_surrogate_pair_is_in_front_of_it():
    document = Document("x = '😀'\n")
    assert offset_at(document, Position(0, 6), Encoding.UTF16) == 5
    assert offset_at(document, Position(0, 7), Encoding.UTF16) == 6
    assert offset_at(document, Position(0, 8), Encoding.UTF8) == 5


def test_behind_the_end_is_the_end():
    document = Document("ab\ncd")
    assert offset_at(document, Position(0, 99), Encoding.UTF16) == 2
    assert offset_at(document, Position(99, 0), Encoding.UTF16) == 5


@pytest.mark.parametrize(
    ("preferences", "encoding"),
    [
        (None, Encoding.UTF16),
        ([], Encoding.UTF16),
        (["utf-7"], Encoding.UTF16),
        (["utf-7", "utf-32", "utf-8"], Encoding.UTF32),
        (["utf-8", "utf-16"], Encoding.UTF8),
        ("utf-8", Encoding.UTF16),
        ([8], Encoding.UTF16),
    ],
)
def test_the_first_known_encoding_is_taken(preferences, encoding):
    assert negotiated(preferences) is encoding


def test_a_last_line_without_a_selected_character_does_not_count():
    assert lines_of(Range(Position(1, 0), Position(3, 0))) == (1, 2)
    assert lines_of(Range(Position(1, 0), Position(3, 1))) == (1, 3)
    assert lines_of(Range(Position(1, 0), Position(1, 0))) == (1, 1)


@pytest.mark.parametrize(
    ("text", "change", "shown"),
    [
        ("x = |\ny\n", (4, 4, "1"), (4, 4, "1")),
        # on the next line: from the cursor on
        ("def f():|\ny\n", (9, 9, "    pass\n"), (8, 8, "\n    pass")),
        ("if x:|\r\ny\r\n", (7, 7, "    pass\r\n"), (5, 5, "\r\n    pass")),
        # what stands right of the cursor is written anew
        ("f(|)\n", (2, 3, "1)"), (2, 2, "1")),
        ("f(|)\n", (2, 3, "[1])\n"), (2, 3, "[1])\n")),
        ("f(|) \n", (2, 4, "1)"), None),  # loses the blank
        ("f(|  # a\n", (2, 2, "1)"), (2, 2, "1)")),
        ("f(|a)\n", (2, 4, "b, a) + 1"), (2, 4, "b, a) + 1")),
        ("f(|a)\n", (2, 4, "b"), None),
        # in front of the cursor, or below its line
        ("x = |\n", (0, 4, "y = 1"), None),
        ("x|\ny\nz\n", (4, 4, "a\n"), None),
        ("x|\n", (1, 1, ""), None),
    ],
)
def test_changes_at_the_cursor(text, change, shown):
    cursor = text.index("|")
    document = Document(text.replace("|", ""))
    found = at_cursor(document, [Replacement(*change)], cursor)
    assert found == (None if shown is None else Replacement(*shown))


@given(TEXTS, st.data())
def test_what_is_shown_is_the_same_change(text, data):
    document = Document(text)
    cursor = document.offset(*document.position(data.draw(st.integers(0, len(text)))))
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    change = Replacement(start, end, data.draw(TEXTS))
    shown = at_cursor(document, [change], cursor)
    if shown is not None:
        assert apply(text, [shown]) == apply(text, [change])
        assert shown.start == cursor
        assert document.position(shown.end)[0] == document.position(cursor)[0]
        assert is_subword(text[shown.start : shown.end], shown.text)
