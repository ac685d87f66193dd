"""What is wanted at a cursor, and how an answer joins the text around it."""

import io
import tokenize
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import lines, texts

from lintseq_lsp.completion import (
    Cursor,
    answers,
    cursor_at,
    in_string_or_comment,
    in_word,
    lines_wanted,
    stands_there_already,
)
from lintseq_lsp.edits import Replacement, apply, is_subword
from lintseq_lsp.text import Document


def at(text: str) -> Cursor:
    """The cursor stands at `|`."""
    offset = text.index("|")
    return cursor_at(Document(text.replace("|", "", 1)), offset)


def behind(cursor: Cursor, added: Sequence[str]) -> str:
    """The text behind what is typed, of whole lines."""
    return "\n".join(added)[len(cursor.typed) :]


def results(cursor: Cursor, *added: str) -> list[str]:
    """The documents that the answer may become, longest first."""
    return [apply(cursor.document.text, [answer]) for answer in answers(cursor, behind(cursor, added))]


def test_a_cursor_knows_what_stands_around_it() -> None:
    cursor = at("a\n    b = |c\r\nd")
    assert (cursor.line, cursor.column, cursor.offset) == (1, 8, 10)
    assert (cursor.typed, cursor.right) == ("    b = ", "c")


@pytest.mark.parametrize("text", ["fo|o", "x = |1", "|é"])
def test_inside_of_a_word(text: str) -> None:
    assert in_word(at(text))


@pytest.mark.parametrize("text", ["foo|", "foo| ", "foo(|)", "|", "x|\n", 'f"|"'])
def test_outside_of_words(text: str) -> None:
    assert not in_word(at(text))


# Strings and comments


@pytest.mark.parametrize(
    "text",
    [
        "x = '|'",
        'x = "a|b"',
        'x = "ab|',
        'x = "ab|\r\ny = 1\r\n',
        'x = "a\\"|',
        'x = "a\\|',
        'x = "one \\\n two|"',
        'x = "one \\\r\n two|"',
        'f("""\n|',
        'f("""\nquote " |\n""")',
        '"""doc""|',
        "# remark|",
        "# it's |\ny = 1\n",
        "x = 1  # |",
        "x = 1  #|",
        "rb'|'",
        "'''a\"\"\"|'''",
        'f"{x|}"',
    ],
)
def test_in_strings_and_comments(text: str) -> None:
    assert in_string_or_comment(at(text))


@pytest.mark.parametrize(
    "text",
    [
        "|",
        "|'a'",
        "'a'|",
        "''|",
        '""""""|',
        '"""a"""|',
        'x = "ab"|',
        'x = "a\\""|',
        'x = "a\r\ny = |',
        "x = 'a\ny = |",
        "# it's\n|",
        "# it's\r\n|",
        "# it's\r|",
        "x = 'a' # b\ny = |'c'",
    ],
)
def test_outside_of_strings_and_comments(text: str) -> None:
    assert not in_string_or_comment(at(text))


pieces = st.lists(
    st.sampled_from(
        [
            "x = ",
            "'a'",
            '"b\\""',
            '"""c\nd"""',
            "'''e\"'''",
            "# f's",
            "\n",
            "r'\\d'",
            "(",
            ")",
            "''",
            '"#"',
            " ",
        ]
    ),
    max_size=10,
)


@given(pieces.map("".join), st.data())
def test_it_agrees_with_the_tokenizer(text: str, data: st.DataObject) -> None:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, IndentationError):
        assume(False)
    assume(not any(token.type == tokenize.ERRORTOKEN and token.string.strip() for token in tokens))
    document = Document(text)
    offset = data.draw(st.integers(0, len(text)))
    inside = False
    for token in tokens:
        start = document.offset(token.start[0] - 1, token.start[1])
        end = document.offset(token.end[0] - 1, token.end[1])
        if token.type == tokenize.STRING:
            inside = inside or start + token.string.startswith("r") < offset < end
        elif token.type == tokenize.COMMENT:
            inside = inside or start < offset <= end
    assert in_string_or_comment(cursor_at(document, offset)) == inside


@given(st.text("'\"\\#\n\r ab", max_size=20), st.data())
def test_no_text_is_too_odd_for_it(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    assert in_string_or_comment(cursor_at(Document(text), offset)) in (True, False)


# What is asked for


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("|", (1, 8)),
        ("a\n|\nb\n", (1, 8)),
        ("a\n    |\nb\n", (1, 8)),
        ("a\nx = |\nb\n", (1, 1)),
        ("a\nprint(|)\nb\n", (1, 1)),
        ("a\ndef f|\nb\n", (2, 8)),
        ("a\ndef f(|):\n", (1, 1)),
        ("a\n    for x in y:|\n", (2, 8)),
        ("a\n    @|\n", (1, 1)),
        ("a\n    @cache|\n", (2, 8)),
        ("a\nformat|\n", (1, 1)),
        ("\n\n|a\n", (1, 1)),
    ],
)
def test_how_many_lines_are_wanted(text: str, expected: tuple[int, int]) -> None:
    assert lines_wanted(at(text), 8) == expected


def test_one_line_is_wanted_when_no_more_may_be_inserted() -> None:
    assert lines_wanted(at("a\n|"), 1) == (1, 1)


# How it joins


def test_an_answer_of_one_line() -> None:
    assert results(at("x = |\ny\n"), "x = 1") == ["x = 1\ny\n"]
    assert results(at("x = |  \ny\n"), "x = 1   ") == ["x = 1  \ny\n"]


def test_the_longest_comes_first_and_no_prefix_ends_in_a_blank_line() -> None:
    assert results(at("|"), "a", "", "b") == ["a\n\nb", "a"]
    assert results(at("|\r\nz\r\n"), "a", "b") == ["a\r\nb\r\nz\r\n", "a\r\nz\r\n"]


def test_nothing_written_is_no_answer() -> None:
    assert results(at("x|\n"), "x") == []
    assert results(at("x|\n"), "x   ", "", "  ") == []


def test_the_end_of_the_block_ends_the_answer() -> None:
    cursor = at("def f():\n    |\n")
    assert results(cursor, "    return 1", "", "def g():", "    pass")[0] == "def f():\n    return 1\n"


def test_deeper_lines_belong_to_it() -> None:
    cursor = at("def f():\n    |\n")
    assert results(cursor, "    if x:", "        y()", "    z()") == [
        "def f():\n    if x:\n        y()\n    z()\n",
        "def f():\n    if x:\n        y()\n",
        "def f():\n    if x:\n",
    ]


def test_lines_that_stand_below_are_not_repeated() -> None:
    cursor = at("a = 1\n|\nc = 3\nd = 4\n")
    assert results(cursor, "b = 2", "c = 3", "d = 4") == ["a = 1\nb = 2\nc = 3\nd = 4\n"]
    assert results(cursor, "b = 2", "x", "c = 3")[0] == "a = 1\nb = 2\nx\nc = 3\nd = 4\n"


def test_a_bracket_that_the_next_line_closes_is_not_closed_twice() -> None:
    cursor = at("a = [\n    1,\n    |\n]\n")
    assert results(cursor, "    2,", "    3,", "]")[0] == "a = [\n    1,\n    2,\n    3,\n]\n"
    cursor = at("f(\n    a,\n|\n)\n")
    assert results(cursor, "    b,", ")")[0] == "f(\n    a,\n    b,\n)\n"


@pytest.mark.parametrize(
    ("before", "written", "after"),
    [
        ("print(|)\n", "print(x)", "print(x)\n"),
        ("foo(a, bar(|))\n", "foo(a, bar(b))", "foo(a, bar(b))\n"),
        ('x = ["|"]\n', 'x = ["a"]', 'x = ["a"]\n'),
        ("f(|):  \n", "f(x):", "f(x):  \n"),
        ("f(|)\n", "f(x).g()", "f(x).g()\n"),
        # white space and a comment are not to be joined, and stay
        ("f(| \n", "f(x)", "f(x) \n"),
        ("f(|\t\n", "f(x)", "f(x)\t\n"),
        ("f(|  # keep\n", "f(x)", "f(x)  # keep\n"),
        ("f(|  # keep\n", "f(x)  # keep", "f(x)  # keep\n"),
        ("f(|  # keep\n", "f(x)  # other", "f(x)  # keep\n"),
        ("f(|)  # keep\n", "f(x)", "f(x)  # keep\n"),
        ("f(|)  # keep\n", "f(x).g()", "f(x).g()  # keep\n"),
        ("f('# |')  # keep\n", "f('# a')", "f('# a')  # keep\n"),
        ("if x:|  # keep\n", "if x: y", "if x: y  # keep\n"),
        ("|    \n", "    x", "    x\n"),
        ("|    \n", "x", "x    \n"),
        ("f(|)\n", "f(x", None),
        ("f(|)\n", "f()", None),
        ("f(|)\n", "f(", None),
        ("x = | + 1\n", "x = y", None),
    ],
)
def test_what_stands_right_of_the_cursor(before: str, written: str, after: str | None) -> None:
    assert results(at(before), written) == ([after] if after is not None else [])


def test_lines_are_not_put_in_front_of_what_stands_on_the_right() -> None:
    assert results(at("f(|)\n"), "f(x)", "g()") == ["f(x)\n"]


@given(texts(), st.data(), st.lists(lines, min_size=1, max_size=5))
def test_answers_begin_at_the_cursor_and_leave_the_other_lines(
    text: str, data: st.DataObject, written: list[str]
) -> None:
    document = Document(text)
    cursor = cursor_at(document, data.draw(st.integers(0, len(text))))
    added = [cursor.typed + written[0], *written[1:]]
    previous = len(text) + sum(map(len, added)) * 3 + 99
    for answer in answers(cursor, behind(cursor, added)):
        assert answer.start == cursor.offset
        assert answer.end <= cursor.offset + len(cursor.right)
        assert answer.text.strip()
        assert len(answer.text) < previous
        previous = len(answer.text)
        assert is_subword(text[answer.start : answer.end], answer.text)  # as clients demand


def test_what_stands_there_already() -> None:
    cursor = at("import os\n|\n\nx = 1\n")
    assert stands_there_already(cursor, Replacement(10, 10, "import os"))
    assert stands_there_already(cursor, Replacement(10, 10, "x = 1"))
    assert not stands_there_already(cursor, Replacement(10, 10, "y = 1"))
    assert not stands_there_already(cursor, Replacement(10, 10, "import os\nx = 1"))
    assert not stands_there_already(at("|"), Replacement(0, 0, "x"))


@pytest.mark.parametrize(
    ("added", "wanted"),
    [
        (["x = 1", "x = 1", "x = 1"], ["x = 1"]),
        (["x = 1", "", "x = 1", "y = 2"], ["x = 1"]),
        (["def f():", "    return 1", "", "def f():", "    return 2"], ["def f():", "    return 1"]),
        (["if a:", "    return 1", "if b:", "    return 1"], None),
        (["f()", "g()", "f()"], None),
    ],
)
def test_what_a_model_says_again_is_left_out(added: list[str], wanted: list[str] | None) -> None:
    cursor = cursor_at(Document(""), 0)
    (longest, *_) = answers(cursor, "\n".join(added))
    assert longest.text.split("\n") == (added if wanted is None else wanted)


def test_a_decorator_alone_is_no_answer_unless_the_user_began_it() -> None:
    below = "def f():\n    pass\n"
    assert [r.text for r in answers(cursor_at(Document("\n" + below), 0), "\n@cache")] == []
    assert [r.text for r in answers(cursor_at(Document("@c\n" + below), 2), "ache")] == ["ache"]
