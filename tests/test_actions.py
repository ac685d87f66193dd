"""What can be asked for at a place, and what the model then has to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts

from lintseq_lsp.actions import (
    Action,
    ActionKind,
    Problem,
    actions_at,
    comment_text,
    continuation,
    implementation,
)
from lintseq_lsp.text import Document


def kinds(text: str, first: int, last: int | None = None, *problems: Problem) -> list[ActionKind]:
    found = actions_at(Document(text), first, first if last is None else last, problems)
    return [action.kind for action in found]


def stub(text: str, line: int = 0) -> tuple[str, int, str, str] | None:
    """What `IMPLEMENT` makes of the function around `line`: text, lines above, indentation, instruction."""
    document = Document(text, 7, "a.py")
    action = Action(ActionKind.IMPLEMENT, line, line, "")
    insertion = implementation(document, action)
    if insertion is None:
        assert ActionKind.IMPLEMENT not in kinds(text, line)
        return None
    assert ActionKind.IMPLEMENT in kinds(text, line)
    assert (insertion.document.version, insertion.document.path) == (7, "a.py")
    return insertion.document.text, insertion.above, insertion.typed, insertion.instruction


def test_nothing_is_to_be_done_with_ordinary_lines() -> None:
    assert kinds("x = 1\ndef f():\n    return 1\n", 0) == []
    assert kinds("x = 1\ndef f():\n    return 1\n", 2) == []
    assert kinds("", 0) == []


def test_selected_lines_can_be_rewritten() -> None:
    assert kinds("x = 1\ny = 2\n", 0, 1) == [ActionKind.REWRITE]
    assert kinds("\n\n", 0, 1) == []
    assert kinds("x = 1\n", 0, 99) == [ActionKind.REWRITE]


def test_comments_can_be_continued() -> None:
    assert kinds("# Sort them.\n", 0) == [ActionKind.CONTINUE]
    assert kinds("x = 1  # Sort them.\n", 0) == []
    assert kinds("#\n", 0) == []
    action = Action(ActionKind.CONTINUE, 1, 1, "")
    insertion = continuation(Document("def f(x):\n    # Sort them.\n"), action)
    assert (insertion.above, insertion.typed, insertion.instruction) == (2, "    ", "Sort them.")


@pytest.mark.parametrize(
    ("line", "text"),
    [("# a b ", "a b"), ("  #: doc", "doc"), ("## x", "x"), ("#", ""), ("x  # y", ""), ("", ""), ("'#'", "")],
)
def test_the_text_of_a_comment(line: str, text: str) -> None:
    assert comment_text(line) == text


def test_problems_can_be_fixed() -> None:
    document = Document("x = y\n\n")
    problem = Problem(0, "undefined-variable", "Undefined variable 'y'\nSee the manual.")
    (action,) = actions_at(document, 0, 0, [problem, Problem(1, "", "blank"), Problem(9, "", "past the end")])
    assert action == Action(
        ActionKind.FIX,
        0,
        0,
        "Rewrite this line to fix: Undefined variable 'y'",
        problem.symbol,
        problem.message,
    )


@pytest.mark.parametrize(
    "placeholder", ["pass", "...", "raise NotImplementedError", "raise NotImplementedError('x')"]
)
def test_a_placeholder_is_replaced(placeholder: str) -> None:
    assert stub(f"def area_of(r):\n    {placeholder}\nx = 1\n") == (
        "def area_of(r):\nx = 1\n",
        1,
        "    ",
        "area of",
    )


@pytest.mark.parametrize("line", [0, 1, 2])
def test_the_docstring_is_the_instruction(line: int) -> None:
    text = 'def f(r):\n    """The area of\n    a circle.\n\n    Not of a square."""\n    pass'
    assert stub(text, line) == (text.removesuffix("\n    pass"), 5, "    ", "The area of a circle.")


def test_a_body_is_indented_as_the_file_is() -> None:
    assert stub("if y:\n  z\ndef f(x):", 2) == ("if y:\n  z\ndef f(x):", 3, "  ", "f")


def test_a_docstring_alone_is_a_stub() -> None:
    text = 'class A:\n\tdef f(self):\n\t\t"""Do."""\n\n\tx = 1\n'
    assert stub(text, 1) == (text, 3, "\t\t", "Do.")


def test_a_signature_alone_is_a_stub() -> None:
    assert stub("def f(x):") == ("def f(x):", 1, "    ", "f")
    assert stub("class A:\n    async def f(x):\n\nx = 1\n", 1) == (
        "class A:\n    async def f(x):\n\nx = 1\n",
        2,
        "        ",
        "f",
    )


@pytest.mark.parametrize(
    "text",
    [
        "def f(): pass\n",
        "def f(): ...\n",
        'def f(): "doc"\n',
        "def f():\n    return 1\n",
        "def f():\n    x = 1\n    pass\n",
        'def f():\n    "doc"; pass\n',
        "def f():\n    raise ValueError\n",
        "def f(:\n    pass\n",
        "x = 1\n",
        "if x:\n    pass\n",
        "if x:\n",
        "class A:\n    pass\n",
        "def f():\n    pass\n)(\n",
        "def f(\0):\n    pass\n",
    ],
)
def test_what_is_no_stub(text: str) -> None:
    assert stub(text) is None


def test_the_innermost_function_counts() -> None:
    text = "def f():\n    def g():\n        pass\n    return g\n"
    assert stub(text, 0) is None
    assert stub(text, 2) == ("def f():\n    def g():\n    return g\n", 2, "        ", "g")


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_stubs_in_documents_with_other_line_ends(newline: str) -> None:
    text = 's = "é🦉\u2028"\ndef f():\n    pass\nx = 1\n'.replace("\n", newline)
    found = stub(text, 1)
    assert found is not None
    assert found[0] == 's = "é🦉\u2028"\ndef f():\nx = 1\n'.replace("\n", newline)


@given(texts(), st.integers(0, 20), st.integers(0, 20))
def test_no_document_is_too_odd(text: str, first: int, last: int) -> None:
    document = Document(text)
    problem = Problem(first, "symbol", "message")
    for action in actions_at(document, min(first, last), max(first, last), [problem]):
        assert 0 <= action.first_line <= action.last_line < len(document.lines)
        assert action.title
