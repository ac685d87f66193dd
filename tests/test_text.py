"""Lines and offsets of documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts

from lintseq_lsp.text import Document, indentation, split_lines


@given(texts())
def test_lines_and_their_ends_are_the_text(text: str) -> None:
    lines, ends = split_lines(text)
    assert "".join(line + end for line, end in zip(lines, ends, strict=True)) == text
    assert ends[-1] == ""
    assert all(end in ("\n", "\r\n", "\r") for end in ends[:-1])
    assert not any("\n" in line or "\r" in line for line in lines)


@pytest.mark.parametrize("inside", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_only_three_characters_end_a_line(inside: str) -> None:
    assert Document(f"a{inside}b\nc").lines == [f"a{inside}b", "c"]


def test_an_empty_document_has_one_empty_line() -> None:
    document = Document("")
    assert document.lines == [""]
    assert document.starts == [0]
    assert document.position(5) == (0, 0)


@given(texts(), st.data())
def test_an_offset_survives_the_way_to_a_position_and_back(text: str, data: st.DataObject) -> None:
    document = Document(text)
    offset = data.draw(st.integers(0, len(text)))
    line, column = document.position(offset)
    back = document.offset(line, column)
    inside_of_crlf = text[offset - 1 : offset + 1] == "\r\n" and offset > 0
    assert back == (offset - 1 if inside_of_crlf else offset)


@given(texts(), st.integers(-3, 20), st.integers(-3, 20))
def test_positions_outside_are_clamped(text: str, line: int, column: int) -> None:
    document = Document(text)
    offset = document.offset(line, column)
    assert 0 <= offset <= len(text)
    found = document.position(offset)
    if 0 <= line < len(document.lines):
        assert found == (line, max(0, min(column, len(document.lines[line]))))
    assert document.position(-1) == (0, 0)
    assert document.position(len(text) + 1) == document.position(len(text))


def test_the_newline_is_the_one_used_most() -> None:
    assert Document("").newline == "\n"
    assert Document("a\r\nb\r\nc\n").newline == "\r\n"
    assert Document("a\rb").newline == "\r"


def test_indentation_is_white_space_of_the_language() -> None:
    assert indentation("\t  x ") == "\t  "
    assert indentation("\x0c    x") == "\x0c    "
    assert indentation("\u2028x") == ""
    assert indentation("   ") == "   "


@pytest.mark.parametrize(
    ("text", "indent"),
    [
        ("", "    "),
        ("x = 1\n", "    "),
        ("if x:\n  y\n", "  "),
        ("if x:\n\n\ty\n\tif z:\n\t\ty\n", "\t"),
        ("if x:\n  y\nif x:\n    y\n", "    "),
        ("if x:\n   y\nif x:\n   y\nif x:\n    y\n", "   "),
        ("x = f(1,\n  2)\n", "    "),
        ("if x:\n\ty\n        z\n", "\t"),
    ],
)
def test_the_indent_is_what_most_blocks_have(text: str, indent: str) -> None:
    assert Document(text).indent == indent
