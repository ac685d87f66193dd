"""A line that is being typed: its comment, and what it may still bind."""

import pytest

from lintseq_lsp.typed import comment_of, is_decided

OPEN = [
    *("def f(a", "async def f(", "class A(", "import ", "import a, ", "from a import (", "from "),
    *("for a in b(", "with f(", "except (A, ", "@f(", "global a, ", "nonlocal a, ", "case A(", "type A["),
    *(
        "a = ",
        "a = b = ",
        "a = (",
        "a, (b",
        "[a, ",
        "a = [",
        "a.",
        "a = b.",
        "a[0",
        "a: List[",
        "if (",
        "while (",
    ),
]
DECIDED = [
    *(
        "",
        "    ",
        "f(",
        "f(a, ",
        "a = f(",
        "a = b + ",
        "a += ",
        "a: int = 1 +",
        "a = {",
        "a = b[",
        "a = lambda b",
    ),
    *(
        "return (",
        "return a.",
        "raise A(",
        "assert (",
        "yield (",
        "del a[",
        "await f(",
        "if f(",
        "elif not ",
        "a = 'b",
    ),
    *("while (n := f(", "a = await ", "type(a", "print('#"),
]


@pytest.mark.parametrize("line", OPEN)
@pytest.mark.parametrize("indent", ["", "    ", "\t"])
def test_it_may_bind_more(line: str, indent: str) -> None:
    assert not is_decided(indent + line)


@pytest.mark.parametrize("line", DECIDED)
@pytest.mark.parametrize("indent", ["", "    ", "\t"])
def test_it_binds_nothing_more(line: str, indent: str) -> None:
    assert is_decided(indent + line)


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        ("a = f(", ""),
        ("a = f(  # noqa", "# noqa"),
        ("a = f('#b'  # c # d", "# c # d"),
        ("    # alone", "# alone"),
        ("a = '#b'", ""),
        ("a = '''#b", ""),
    ],
)
def test_comments(line: str, comment: str) -> None:
    assert comment_of(line) == comment
