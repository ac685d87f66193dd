"""Guesses at Python that is newer than the server's own."""

import ast

import pytest

from lintseq_lsp.linters.grammar import newer_syntax


@pytest.mark.parametrize(
    ("line", "since"),
    [
        ("def first[T](values: list[T]) -> T:", (3, 12)),
        ("    async def first[T](self):", (3, 12)),
        ("class Box[T]:", (3, 12)),
        ("type Point = tuple[int, int]", (3, 12)),
        ("    type Pair[T] = tuple[T, T]", (3, 12)),
        ('x = f"{names["a"]}"', (3, 12)),
        ("    except TypeError, ValueError:", (3, 14)),
        ('query = t"select {name}"', (3, 14)),
    ],
)
def test_newer_python_is_told_from_broken_python(line, since):
    major, minor = since
    why = newer_syntax(line, (major, minor - 1))
    assert f"Python {major}.{minor};" in why
    assert f"runs on {major}.{minor - 1}" in why
    assert newer_syntax(line, since) == ""


@pytest.mark.parametrize(
    "line",
    [
        "x = (",
        "def f(x",
        "type(x) = 1",
        "type = 1 +",
        "values[T] = (",
        "except (TypeError, ValueError)",
        'x = f"{name}',
        'print("a" "b"',
        'set"x"',
    ],
)
def test_broken_python_is_just_that(line):
    with pytest.raises(SyntaxError):
        ast.parse(line)
    assert newer_syntax(line, (3, 8)) == ""
