"""Pragmas: what an edit silences that was not, judged by where a comment works."""

from collections.abc import Iterator
from sys import version_info

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.linters.base import Check, Tier
from lintseq_lsp.linters.environment import Environment, server_site_packages
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.pragmas import _silence, silences_more

OF_A_LINE = [
    "x = y  # pylint: disable=undefined-variable",
    "x = 1  # NOQA",
    "x = 1  # noqa: F821",
    "x = 1  # a remark  # noqa",
    "x = 1  # type: ignore[name-defined]",
    "x = 1  # pyright: ignore",
    "x = 1  # nosec",
    "x = 1  # ty: ignore[unresolved-reference]",
    "x = 1  # ruff: ignore[F821]",
    "\x0cx = 1  # pylint: disable=no-member",
]
OF_THE_FILE = [
    "# pylint:skip-file",
    "x = 1  # pylint: disable=all",
    "# ruff: noqa",
    "# ruff: file-ignore[F821]",
    "# flake8: noqa: F401",
    "# mypy: ignore-errors",
    '# mypy: disable-error-code="misc, name-defined"',
    "# pyright: basic",
]
NONE = [
    "x = 1  # a pylint user",
    "# no qualms",
    "# the beauty: ignore it",
    "pylint = 'disable'",
    "# the type: an int",
    "# nosecond",
    "# Encoding: the first byte is a length",
    "x = 1  # decoding=none",
    "CHANNEL = '#pylint: disable=all'",
    "HELP = '''\n# noqa\n# pylint: skip-file\n'''",
    "# pylint: this is prose",
    "# mypy: what does it say here?",
    "x = 1  # lines with noqa are left out",
    "# pylint: enable=no-member",
]


@pytest.mark.parametrize("pragma", [*OF_A_LINE, *OF_THE_FILE])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_one_that_was_there_may_stay_and_move_but_not_come_again(pragma: str, newline: str) -> None:
    plain = f"import os{newline}"
    before = f"{plain}{pragma}{newline}"
    assert silences_more(plain, before)
    assert not silences_more(before, f"{pragma}{newline}import os{newline}x = 2{newline}")
    assert not silences_more(before, plain)
    if pragma in OF_A_LINE:
        assert silences_more(before, f"{before}{pragma}{newline}")


@pytest.mark.parametrize("line", NONE)
def test_what_is_no_pragma(line: str) -> None:
    assert not silences_more("", f"import os\n{line}\n")
    assert not silences_more("import os\nx = 1\n", f"import os\n{line}\nx = 1\n")


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        ("x = 1  # noqa", "x = 1  # noqa: E501", False),
        ("x = 1  # noqa: E501, W291", "x = 1  # noqa: w291", False),
        ("x = 1  # noqa: E501", "x = 1  # noqa", True),
        ("x = 1  # noqa: E501", "x = 1  # noqa: E502", True),
        ("x = 1  # type: ignore", "x = 1  # type: ignore[misc]", False),
        ("x = 1  # type: ignore[misc]", "x = 1  # type: ignore", True),
        ("x = 1  # type: ignore[misc]", "x = 1  # type: ignore[misc, arg-type]", True),
        ("x = 1  # pylint: disable=a,b", "x = 1  # pylint: disable=b", False),
        ("# pylint: skip-file", "# pylint: disable=a\nx = 1", False),
        ("# flake8: noqa", "# flake8: noqa: E501", True),  # as good as unknown
    ],
)
def test_narrower_and_wider(before: str, after: str, more: bool) -> None:
    assert silences_more(f"{before}\ny = 2\n", f"{after}\ny = 2\n") is more


ALONE = "import os\n\n# {}\nx = y\nz = y\n"


@pytest.mark.parametrize("pragma", ["ty: ignore", "ty: ignore[unresolved-reference]", "ruff: ignore[F821]"])
def test_one_above_a_statement_is_for_that_alone(pragma: str) -> None:
    before, plain = ALONE.format(pragma), ALONE.format("a remark")
    assert silences_more(plain, before)
    assert not silences_more(before, plain)
    assert not silences_more(before, before + "a = b\n")
    assert not silences_more(before, before.replace("x = y", f"x = y  # {pragma}"))
    assert silences_more(before, before.replace("z = y", f"# {pragma}\nz = y"))
    assert silences_more(before, before.replace("z = y", f"z = y  # {pragma}"))


def test_one_of_tys_above_all_code_is_for_the_file() -> None:
    before = "# ty: ignore\nx = y\n"
    assert silences_more("# a remark\nx = y\n", before)
    assert not silences_more(before, before + "# ty: ignore\na = b\n")


def test_ruffs_ranges_end_where_ruff_ends_them() -> None:
    inside = "def f():\n    # ruff: disable[F821]\n    a\n    # ruff: enable[F821]\n    b\n    d\n"
    assert silences_more(inside.replace("ruff:", "rough:"), inside)
    assert not silences_more(inside, inside.replace("    a\n", "    a\n    c\n"))
    assert not silences_more(inside, inside.replace("    a\n", "    a\n    c  # ruff: ignore[F821]\n"))
    assert silences_more(inside, inside.replace("    # ruff: enable[F821]\n", ""))
    assert silences_more(inside, inside.replace("    d\n", "    d  # ruff: ignore[F821]\n"))


@pytest.mark.parametrize(
    ("header", "before", "more"),
    [
        ("# -*- coding: utf-8 -*-", "", False),
        ("# vim: set fileencoding=UTF8 :", "", False),
        ("# -*- coding: utf-8-unix -*-", "", False),
        ("# -*- coding: rot13 -*-", "", True),
        ("#!/usr/bin/python\n# coding=latin-1", "", True),
        ("# one\n# two\n# coding=latin-1", "", False),  # in the third line it is prose
        ("import os\n# coding=latin-1", "", False),  # as below code
        ("# coding=latin-1", "# coding: latin-1\n", False),
        ("# coding=latin-2", "# coding: latin-1\n", True),
        ("# coding=latin-1", "x = 1\n# coding: latin-1\n", True),
    ],
)
def test_encodings(header: str, before: str, more: bool) -> None:
    assert silences_more(f"{before}x = 1\n", f"{header}\nx = 1\n") is more


NO, YES, NOT_NEXT = (f"# pylint: {action}=no-member" for action in ("disable", "enable", "disable-next"))
MODULE = f"{NO}\n"
FUNCTION = f"def f(a):\n    {NO}\n    return a.b\n"


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        # out of a function
        (FUNCTION, f"{MODULE}def f(a):\n    return a.b\n", True),
        (FUNCTION, FUNCTION.replace("return a.b", "pass") + "\n\nprint()\n", False),
        # ... by taking out the statement that keeps it in
        (f"{FUNCTION}\n\nprint()\n", f"def f(a):\n    pass\n    {NO}\n\n\nprint()\n", True),
        # into another function, up in its own, with its function
        (
            f"{FUNCTION}\n\ndef g():\n    run()\n",
            f"def f(a):\n    return a.b\n\n\ndef g():\n    {NO}\n    run()\n",
            True,
        ),
        (f"def f(a):\n    run()\n{FUNCTION[10:]}", f"{FUNCTION[:41]}\n    run()\n    return a.b\n", True),
        (f"run()\n\n\n{FUNCTION}", f"{FUNCTION}\n\nrun()\n", False),
        (FUNCTION, FUNCTION.replace("f(a)", "renamed(a, c=1)"), False),
        (FUNCTION, f"class A:\n    def f(a):\n        {NO}\n        return a.b\n", False),
        # more code where it is silent already
        (FUNCTION, FUNCTION.replace("return", "print(a)\n    return"), False),
        (FUNCTION, FUNCTION + "    # the end\n    print(a)\n", False),
        (MODULE, f"{MODULE}import os\n", False),
        # what ends it goes
        (f"{MODULE}a()\n{YES}\nb()\n", f"{MODULE}a()\nb()\n", True),
        (f"{MODULE}a()\n{YES}\nb()\n", f"{MODULE}a()\nc.d()\n", True),
        (f"{MODULE}a()\n{YES}\nb()\n", "b()\n", False),
        (f"{MODULE}a()\n{YES}\nb()\n", f"{MODULE}a()\nb()\n{YES}\n", True),
        # a string's text, and a comment
        (f"TEXT = '''\n{MODULE}'''\na()\n", f"TEXT = '''\n'''\n{MODULE}'''\n'''\na()\n", True),
        (f"TEXT = '''\n{MODULE}'''\na()\n", f"TEXT = '''\n{MODULE}'''\nb()\n", False),
        # a line's, with other code
        ("a.b()  # noqa: F1\n", "a.c()  # noqa: F1\n", False),
        ("a.b()  # noqa: F1\n", "a.b()\nimport os\nos.nope()  # noqa: F1\n", True),
        ("a.b()  # noqa: F1\nc()\n", "c()\na.b()  # noqa: F1\n", False),
        ("a.b()  # noqa: F1\n", "unlike(everything, here)  # noqa: F1\n", True),
        # the line below
        ("a.b()\n", f"a.b()\n{NOT_NEXT}\n", False),
        ("a.b()\n", f"{NOT_NEXT}\n\na.b()\n", False),
        (f"{NOT_NEXT}\na.b()\nc()\n", f"a.b()\n{NOT_NEXT}\nc()\n", True),
        # behind a header it is for that line, or for the block
        (f"def f(a):  {NO}\n    a.b()\n", FUNCTION.replace("return a.b", "a.b()"), True),
        (f"class A(B):  {NO}\n    x = B.y\n", f"class A:  {NO}\n    x = B.y\n", True),
        (f"if a:\n    b()\n    {NO}\nelse:\n    c()\n", f"if a:\n    b()\nelse:\n    {NO}\n    c()\n", False),
    ],
)
def test_scopes(before: str, after: str, more: bool) -> None:
    assert silences_more(before, after) is more


def test_what_has_no_tokens() -> None:
    open_bracket = "a = (\nb = 1  # noqa\n"
    assert not silences_more("b = 1\n", open_bracket)  # the linter rejects it
    # Of the text before, nothing is known but what stands in for it.
    after = "a = 1\nb = 1  # noqa\n"
    assert silences_more(open_bracket, after)
    assert not silences_more(open_bracket, after, "pass\nb = 1  # noqa\n")


def test_what_stands_in_may_have_other_lines() -> None:
    last = "a = 1\nb = 1  # noqa\n"
    before = "a = 1\nc = (\n    2,\n    (\nb = 1  # noqa\n"
    after = "a = 1\nc = (\n    2,\n    ())\nb = 1  # noqa\n"
    assert not silences_more(before, after, last)
    assert silences_more(before, after.replace("())", "())  # noqa"), last)
    assert silences_more(before, after.replace("c = (", "c = (  # noqa"), last)


def test_more_than_anybody_means_is_not_read() -> None:
    few, many = ("".join(f"# pylint: disable=x{n}\nx = {n}\n" for n in range(count)) for count in (400, 600))
    assert not silences_more(few, f"{few}y = 1\n")
    assert silences_more(many, f"{many}y = 1\n")


@given(st.text(alphabet="#:=x ()'\"\\\n\tnoqa", max_size=60), st.text(alphabet="#'\"\n x", max_size=20))
def test_no_text_is_too_bad(before: str, after: str) -> None:
    silences_more(before, f"{after}# noqa\n{before}")
    assert not silences_more(before, before)


def test_hostile_lines_are_read_once() -> None:
    """No pattern goes back: each of these takes hours where one does."""
    repeated = ("#", "#pylint:", "# type ", "#coding", "# noqa:", "#nosec ")
    long = [text * 50_000 for text in repeated] + [f"# noqa: {'a1' * 100_000}"]
    long += [f"# {word}{' ' * 100_000}x" for word in ("noqa", "type", "nosec", "mypy:a", "pylint", "noqa:")]
    for line in long:
        silences_more("", f"x = 1  {line}\n")
        silences_more("", f"{line}\n# noqa\n")


# ---------------------------------------------------------------- as pylint has it


@pytest.fixture(scope="module")
def pool() -> Iterator[PylintPool]:
    shared = PylintPool(Environment((), server_site_packages(), version_info[:2]))
    yield shared
    shared.close()


OFF, ON, NEXT = (f"# pylint: {action}=undefined-variable" for action in ("disable", "enable", "disable-next"))
PROGRAMS = {
    "module": f"a\n{OFF}\nb\ndef f():\n    c\n    {ON}\n    d\ne\n{ON}\ng\n",
    "function": f"def f():\n    a\n    {OFF}\n    b\n    if c:\n        d\n    e\ng\n",
    "end of a function": f"def f():\n    a\n    {OFF}\n\nb\nc\n",
    "header": f"if a:\n    b\ndef f():  {OFF}\n    c\n    d\ne\n",
    "bare headers": f"try:  {OFF}\n    a\nfinally:\n    b\nif d:\n    e\nelse:  {OFF}\n    g\n",
    "bare class": f"class A():  {OFF}\n    c\nd\n",
    "class header": f"class A(object):  {OFF}\n    a\nb\n",
    "end of a branch": f"def f():\n    if a:\n        b\n        {OFF}\n    else:\n        c\n    d\ne\n",
    "line": f"a  {OFF}\nb\nc = (d,\n     e)\nf\n",
    "next": f"def f():\n    a\n    {NEXT}\n    b\n    c\n{NEXT}\n\nd\n",
    "next header": f"{NEXT}\nfor x in a:\n    b\n    c\nd\n",
    "margin": f"def f():\n    a\n{OFF}\n    b\nc\n",
    "class": f"class A:\n    {OFF}\n    a\n    def f(self):\n        b\nc\n",
    "skip": "a\nb\n# pylint: skip-file\n",
    "all": "a\ndef f():\n    b  # pylint: disable=all\nc\n",
    "others": f"a\n# why: {OFF[2:]}; and more\nb\n{ON}, nothing-else\nc\n",
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_lines_are_silent_where_pylint_is(pool: PylintPool, kind: str) -> None:
    text = PROGRAMS[kind]
    plain = "\n".join(line.partition("#")[0] for line in text.split("\n"))
    reports = [pool.submit(Check(given, timeout=60.0)).result(60.0) for given in (text, plain)]
    # Where pylint is switched off for the whole file, another linter reports.
    found, loud = (
        {each.line - 1 for each in report.findings if report.tier is Tier.PYLINT} for report in reports
    )
    silence, item = _silence(text), ("pylint", "undefined-variable")
    assert silence is not None
    assert loud
    silent = {
        line
        for line in loud
        if ("pylint", "*") in silence.file
        or item in silence.block.get(line, ())
        or item in silence.line.get(line, ())
    }
    assert found == loud - silent
