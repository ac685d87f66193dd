"""Instructions for training: templates over a statement's syntax, and what describes it."""

import ast
import random
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "models"))
instructions, statements = map(import_module, ("instructions", "statements"))
sys.path.remove(str(ROOT / "models"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import json, os", "Import json, os"),
        ("from json import loads", "Import loads from json"),
        ("def count_words(text): pass", "Add a function to count words"),
        ("def count(text, *, least=1): pass", "Write a function count(text, *, least=1)"),
        ("def count(self): pass", "Add a method count"),
        ("def count():\n    '''Number of words.'''", "Number of words."),
        ("class Reader(Base): pass", "Add a subclass Reader of Base"),
        ("return", "Return"),
        ("return found", "Return found"),
        ("return a + b", "Return a + b"),
        ("return [" + "a, " * 40 + "]", "Return the result"),
        ("raise ValueError('bad')", "Raise ValueError"),
        ("raise", "Raise again"),
        ("if not found:\n    return None", "If not found, return None"),
        ("if not found:\n    return None", "Return None if not found"),
        ("if " + " and ".join("abcdefghijklm" * 2) + ":\n    return x", "Return x when needed"),
        ("for word in words:\n    print(word)", "For each word in words, print word"),
        ("while queue:\n    pass", "Loop while queue"),
        ("with open(path) as file:\n    pass", "Use open(path)"),
        ("try:\n    pass\nexcept OSError:\n    pass", "Catch OSError"),
        ("try:\n    pass\nfinally:\n    pass", "Clean up at the end"),
        ("word_count = 0", "Compute the word count"),
        ("self.size = 0", "Set self.size to 0"),
        ("size: int = 0", "Add size: int"),
        ("size += 1", "Add 1 to size"),
        ("size -= 1", "Update size"),
        ("'''Words.'''", "Document it"),
        ("print(size)", "Print size"),
        ("words.append(word)", "Add word to words"),
        ("log.error('no')", "Log an error"),
        ("run(size)", "Call run with size"),
        ("assert size", "Check that size"),
    ],
)
def test_a_template(code: str, expected: str) -> None:
    [node] = ast.parse(code).body
    assert expected in list(instructions.filled(node))


@pytest.mark.parametrize(("name", "expected"), [("_count_words", "count words"), ("__init__", "")])
def test_names_as_words(name: str, expected: str) -> None:
    assert instructions.words(name) == expected


def test_every_template_is_filled_on_one_line() -> None:
    """Without gaps, whatever the statement is."""
    modules = [statements.parse(path.read_text("utf-8")) for path in (ROOT / "lintseq_lsp").glob("*.py")]
    ways = [way for module in modules for s in module.statements for way in instructions.filled(s.node)]
    assert len(ways) > 1000
    for way in ways:
        assert way == " ".join(way.split()) != ""
        assert len(way) < 4 * instructions.LONGEST_TEXT


MODULE = statements.parse(
    '''\
def area(radius):
    """The area of a circle."""
    # pi times the square
    square = radius**2
    return 3.14 * square
'''
)


def test_what_describes_a_statement() -> None:
    function, docstring, square, result = MODULE.statements
    assert instructions.description(MODULE, square) == "pi times the square"
    for statement in (function, docstring, result):
        assert instructions.description(MODULE, statement) == "The area of a circle."


def test_a_function_from_nothing_is_asked_for_in_several_ways() -> None:
    asked = {instructions.for_definition(MODULE, MODULE.statements[0], random.Random(n)) for n in range(60)}
    assert f'{instructions.PROBLEM}def area(radius):\n    """The area of a circle."""' in asked
    assert "The area of a circle." in asked
    assert {"Define area", "Add a function area."} & asked
