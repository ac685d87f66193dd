"""What models write that is no answer: the noise of each, brackets and lines that are there already."""

import pytest
from hypothesis import given
from strategies import lines, texts

from lintseq_lsp.formats import habits


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("x = 1\n<|cursor|>", "x = 1\n"),
        ("<|im_start|>assistant\nx", ""),
        ("x)<|fim_middle|>y", "x)"),
        ("print()</fim_middle>", "print()"),
        ("x = 1\n<fim_suffix>y", "x = 1\n"),
        ("a<EOT>b", "a"),
        ("x = 1\n```\nThis adds one.", "x = 1\n"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("<think>What is wanted?</think>\nx = 1", "x = 1"),
        ("<think>What is wanted", ""),
        ("x = 1\n# Path: other.py\ny = 2", "x = 1\n"),
        ("x = 1\ndiff --git a/x b/x", "x = 1\n"),
        ("x = 1\n No newline at end of file", "x = 1\n"),
        ("x = 1\n\\ No newline at end of file", "x = 1\n"),
        ("a < b | c > d\nx = '|>'", "a < b | c > d\nx = '|>'"),
        ("    ```\n    code\n    ```", "    code\n    ```"),
        ('"""\n    ```\n    code\n    ```\n"""', '"""\n    ```\n    code\n    ```\n"""'),
    ],
)
def test_noise_ends_an_answer(written: str, left: str) -> None:
    assert habits.without_noise(written, "", ["<EOT>"]) == left


def test_what_the_document_says_itself_is_no_noise() -> None:
    for text in ("a == '<|im_end|>'", "x = '<EOT>'", "# Path: other.py"):
        assert habits.without_noise(text, f"...{text}...", ["<EOT>"]) == text


@pytest.mark.parametrize(
    ("typed", "written", "left"),
    [
        ("    total = ", "total = 1", "1"),
        ("x = ", " 1", "1"),
        ("x = ", "  1", "  1"),
        ("    ", "    x = 1", "    x = 1"),
        ("x =", " 1", " 1"),
        ("if a: ", "x", "x"),
        ("a b", "a b", "a b"),
    ],
)
def test_what_is_typed_is_not_written_again(typed: str, written: str, left: str) -> None:
    assert habits.without_beginning(written, typed) == left


@pytest.mark.parametrize(
    ("before", "written", "left"),
    [
        ("print(", "x))", "x)"),
        ("", "print(x))", "print(x)"),
        ("a = [\n    1,\n", "    2,\n]\n)", "    2,\n]\n"),
        ("f(", "']', '}')", "']', '}')"),
        ("f(", "1)  # :)", "1)  # :)"),
        ("f(", "]", ""),
        (")", "x)", "x"),
        ("f(')", "')", "')"),
    ],
)
def test_a_bracket_that_nothing_opened_ends_an_answer(before: str, written: str, left: str) -> None:
    assert habits.without_stray_brackets(written, before) == left


BELOW = ["", "    total = sum(prices) * quantity", "    return total", "", "print(1)"]


@pytest.mark.parametrize(
    ("typed", "written", "left"),
    [
        ("    ", "total = sum(prices) * quantity", ""),
        ("    ", "total = sum(prices) * quantitys\n    return total", ""),
        ("    ", "x = 1\n    total = sum(prices) * quantities\n    y", "x = 1"),
        ("    ", "x = 1\n\n    total = sum(prices) * quantity\n    y", "x = 1\n"),
        ("    ", "if x:\n        return total", "if x:\n        return total"),
        ("    total = s", "um(prices) * quantity", "um(prices) * quantity"),
        ("    ", "total = max(prices)", "total = max(prices)"),
    ],
)
def test_a_line_like_the_next_one_ends_an_answer(typed: str, written: str, left: str) -> None:
    assert habits.without_repeats(written, typed, BELOW) == left


def test_short_lines_and_brackets_are_no_repeats() -> None:
    assert habits.without_repeats("1,\n)\n", "", [")", "x"]) == "1,\n)\n"
    assert habits.without_repeats("x = 1\n", "", ["", ""]) == "x = 1\n"


def test_a_block_ends_where_it_is_left() -> None:
    assert habits.in_block(["    a", "", "        b", "    c", "", "d", "    e"]) == [
        "    a",
        "",
        "        b",
        "    c",
    ]
    assert habits.in_block(["a", "", ""]) == ["a"]
    assert habits.in_block([""]) == []


@given(texts(), texts(), lines)
def test_only_ends_are_cut_off(written: str, around: str, typed: str) -> None:
    written, around = written.replace("\r", ""), around.replace("\r", "")
    assert habits.without_noise(written, around) in written
    assert written.endswith(habits.without_beginning(written, typed))
    assert written.startswith(habits.without_stray_brackets(written, around))
    assert written.startswith(habits.without_repeats(written, typed, around.split("\n")))


def test_no_text_takes_long() -> None:
    for piece in ("(", ")", "<|", "<", "```\n", "<think>", "'", "x = 1\n", " ", "a" * 199 + "\n"):
        text = piece * (200_000 // len(piece))
        habits.without_noise(text, "")
        habits.without_stray_brackets(text, text)
        habits.without_repeats(text, "    ", [text[:199], text])
