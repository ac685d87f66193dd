"""The cheap tier: what it finds, how it words it, and what never makes it raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.linters.base import Finding, Tier
from lintseq_lsp.linters.syntax import check_syntax


def check(text: str, expected: list[tuple[str, int, str]], *, parsed: bool = True, path: str = "") -> None:
    report = check_syntax(text, path)
    assert report.failure is None
    assert report.tier is Tier.SYNTAX
    assert report.parsed is parsed
    assert [(found.code, found.line, found.message) for found in report.findings] == expected


def test_clean() -> None:
    check("import os\n\n\ndef f(a):\n    return os.path.join(a, str(1))\n", [])


def test_unused_names_are_no_errors() -> None:
    check("import os\n\n\ndef f():\n    a = 1\n", [])


def test_undefined_name_is_worded_like_pylint() -> None:
    check("def f():\n    return missing\n", [("E0602", 2, "Undefined variable 'missing'")])


def test_undefined_name_behind_wide_characters() -> None:
    check("print('🐍é', missing)\n", [("E0602", 1, "Undefined variable 'missing'")])


def test_names_in_string_annotations_are_not_pylints() -> None:
    check("def f(a: 'Missing') -> 'missing':\n    return a\n", [])


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    print(a)\n    a = 1\n",
        "def f():\n    return a\n\n\na = 1\ndel a\n",
        "try:\n    unicode\nexcept NameError:\n    pass\n",
    ],
)
def test_names_that_are_bound_somewhere_are_left_to_pylint(text: str) -> None:
    check(text, [])


def test_exports() -> None:
    text = "__all__ = ['missing']\n"
    check(text, [("E0603", 1, "Undefined variable name 'missing' in __all__")])
    check(text, [], path="/project/package/__init__.py")


def test_raised_not_implemented() -> None:
    message = "NotImplemented raised - should raise NotImplementedError"
    check("def f():\n    raise NotImplemented\n", [("E0711", 2, message)])


def test_syntax_error_is_alone() -> None:
    check(
        "print(missing)\nx = (\n",
        [("E0001", 2, "Parsing failed: ''(' was never closed (<unknown>, line 2)'")],
        parsed=False,
    )


def test_syntax_error_blames_the_line_in_its_message() -> None:
    message = (
        "Parsing failed: 'expected an indented block after function definition on line 2 (<unknown>, line 4)'"
    )
    check("x = 1\ndef f():\n\ny = 2\n", [("E0001", 2, message)], parsed=False)


def test_what_has_a_tree_but_does_not_compile() -> None:
    check(
        "x = 1\nreturn x\n", [("E0001", 2, "Parsing failed: ''return' outside function (<unknown>, line 2)'")]
    )


def test_doubtful_literals_are_no_errors_where_warnings_are() -> None:
    check("print('\\d' is 1)\n", [])


@pytest.mark.parametrize(
    "text", ["\0", "x = '\0'\n", "\ud800", "(" * 500, "-" * 100_000 + "1", "x" * 10 + "(" * 99]
)
def test_bad_texts_do_not_parse(text: str) -> None:
    report = check_syntax(text)
    assert not report.parsed
    assert [found.code for found in report.findings] == ["E0001"]
    assert report.findings[0].line >= 1


def test_nesting_too_deep_for_pyflakes_is_a_failure() -> None:
    report = check_syntax("x = " + "+".join(["1"] * 990) + "\n")
    assert report.failure or report.findings


def test_what_pyflakes_cannot_check_is_a_failure() -> None:
    """It asserts that such an import stands in a module."""
    report = check_syntax("def f():\n    from __future__ import annotations\n")
    assert report.failure == "pyflakes cannot check the code: AssertionError"
    assert [found.code for found in report.findings] == ["E0001"]


def test_line_ends_and_form_feeds() -> None:
    expected = [("E0602", 3, "Undefined variable 'missing'")]
    for text in ("x = 1\r\n\x0c\r\nmissing\r\n", "x = 1\r\x0c\rmissing\r", "x = '\u2028'\n\x0c\nmissing"):
        check(text, expected)


def test_empty() -> None:
    check("", [])


@given(st.text(alphabet=st.characters(codec=None, categories=None), max_size=60))
def test_any_text_gives_a_report(text: str) -> None:
    report = check_syntax(text)
    assert report.tier is Tier.SYNTAX
    assert report.parsed or len(report.findings) == 1
    assert all(isinstance(found, Finding) and found.line >= 1 for found in report.findings)
