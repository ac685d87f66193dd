"""The project's Python: its grammar, its modules, and what of them is not known."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lintseq_lsp.linters.base import Check, Report
from lintseq_lsp.linters.environment import Environment, Search
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.linters.syntax import check_syntax, parse

OURS = sys.version_info[:2]
PATIENCE = 60.0

Lint = Callable[[str], Report]


def lint_with(environment: Environment | Search) -> Iterator[Lint]:
    pool = PylintPool(environment)

    def lint(text: str) -> Report:
        report = pool.submit(Check(text, timeout=PATIENCE)).result(PATIENCE)
        assert report.failure is None
        return report

    yield lint
    pool.close()


@pytest.fixture(scope="module")
def older() -> Iterator[Lint]:
    """Python 3.9, of which nothing but the version is known."""
    yield from lint_with(Environment((), (), (3, 9)))


@pytest.fixture(scope="module")
def newer() -> Iterator[Lint]:
    """Python 3.14, or an older one where the server runs on that."""
    yield from lint_with(Environment((), (), (3, 14) if OURS != (3, 14) else (3, 13)))


def said(report: Report) -> list[str]:
    return [f"{finding.line} {finding.code} {finding.message}" for finding in report.findings]


# ---------------------------------------------------------------- grammar


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("match x:\n    case 1:\n        pass\n", (3, 10)),
        ("try:\n    pass\nexcept* OSError:\n    pass\n", (3, 11)),
        ("(x := 1)\n", (3, 8)),
        ("def f(a, /): ...\n", (3, 8)),
        ("@names[0].wrap\ndef f(): ...\n", (3, 9)),
        ("@wraps(f)(g)\ndef f(): ...\n", (3, 9)),
        ("x[*y, 1]\n", (3, 11)),
        ("def f(*values: *Ts): ...\n", (3, 11)),
        ("for x in *a, *b:\n    pass\n", (3, 9)),
        ("def f():\n    return 1, *a\n", (3, 8)),
        pytest.param(
            "def first[T](values): ...\n", (3, 12), marks=pytest.mark.skipif(OURS < (3, 12), reason="newer")
        ),
        pytest.param(
            'x = f"{names["a"]}"\n', (3, 12), marks=pytest.mark.skipif(OURS < (3, 12), reason="newer")
        ),
    ],
)
def test_the_grammar_is_that_of_the_version(text: str, since: tuple[int, int]) -> None:
    tree, findings = parse(text, (since[0], since[1] - 1))
    assert tree is None
    assert [finding.code for finding in findings] == ["E0001"]
    assert f"{since[0]}.{since[1]}" in findings[0].message
    assert parse(text, since)[1] == ()
    assert parse(text, (3, 99))[1] == ()
    assert parse(text)[1] == ()


@pytest.mark.parametrize(
    "text",
    [
        "@a.b.c(1)\nclass A: ...\n",
        "for x in (*a, *b):\n    pass\n",
        "def f():\n    return (1, *a)\n",
        "x[1, 2]\n",
        "f'{x}' 'a' \"b\"\n",
        "with (a):\n    pass\nwith (a), (b):\n    pass\n",
        "match = case = 1\nprint(match, case)\n",
    ],
)
def test_what_always_was_right_stays_so(text: str) -> None:
    assert parse(text, (3, 7))[1] == ()


def test_an_older_grammar_counts_in_the_worker(older: Lint) -> None:
    report = older("x = 1\nmatch x:\n    case 1:\n        pass\n")
    assert not report.parsed
    assert report.newer == ""
    assert "3.10" in report.findings[0].message


@pytest.mark.skipif(OURS >= (3, 14), reason="this Python knows it")
def test_newer_grammar_than_the_servers_is_not_judged(newer: Lint, older: Lint) -> None:
    text = "x = 1\nvalue = t'{x}'\n"
    assert "template strings" in newer(text).newer
    assert older(text).newer == ""  # the project's Python does not know it either
    assert "template strings" in check_syntax(text).newer
    assert newer("x = (\n").newer == ""
    ours = next(lint_with(Environment((), (), OURS)))
    assert ours(text).newer == ""


# ---------------------------------------------------------------- the standard library


def test_modules_that_the_version_has_not(older: Lint, newer: Lint) -> None:
    assert said(older("import tomllib\n")) == ["1 E0401 Unable to import 'tomllib'"]
    assert said(older("import zoneinfo, xml.parsers.expat\n")) == []
    found = [
        line.split(" ", 2)[1:] for line in said(newer("import imp\nfrom distutils.util import strtobool\n"))
    ]
    assert found == [["E0401", "Unable to import 'imp'"], ["E0401", "Unable to import 'distutils.util'"]]
    fallback = "try:\n    import tomllib\nexcept ImportError:\n    tomllib = None\nprint(tomllib)\n"
    assert said(older(fallback)) == []


def test_a_module_of_that_name_that_is_there_counts(tmp_path: Path) -> None:
    (tmp_path / "imp.py").write_text("def own(): ...\n")
    lint = next(lint_with(Environment((tmp_path,), (), (3, 13) if OURS < (3, 13) else (3, 12))))
    assert said(lint("import imp\nimp.own()\n")) == []
    if OURS < (3, 12):
        assert said(lint("from imp import find_module\n")) == [
            "1 E0611 No name 'find_module' in module 'imp'"
        ]


def test_setuptools_brings_distutils_back(tmp_path: Path) -> None:
    (tmp_path / "distutils-precedence.pth").write_text("import os\n")
    lint = next(lint_with(Environment((), (tmp_path,), (3, 13))))
    assert said(lint("import distutils\nprint(distutils)\n")) == [] or OURS >= (3, 12)


def test_what_is_in_another_library_is_not_known(newer: Lint) -> None:
    text = "from typing import no_such\nimport itertools, os\nitertools.pairs(1)\nos.path.joint('a')\n"
    text += "os.getcwd(1, 2)\n"
    report = newer(text)
    assert said(report) == []
    assert len(report.unknown) >= 3
    assert "No name 'no_such' in module 'typing': the standard library of Python 3.1" in str(
        report.unknown[0]
    )
    assert said(newer("import pathlib\nprint(pathlib.Path('a').nothing)\n")) == []
    assert [line.split(" ", 2)[1] for line in said(newer("import nothing_there\nprint(nothing)\n"))] == [
        "E0401",
        "E0602",
    ]


def test_classes_that_every_version_has_are_known(newer: Lint, older: Lint) -> None:
    text = "''.uper()\n[].push(1)\nclass A:\n    x = 1\n\n\nprint(A().y)\n"
    for lint in (newer, older):
        assert [line.split(" ", 2)[1] for line in said(lint(text))] == ["E1101"] * 3
    assert said(newer("memoryview(b'').count(1)\n(1).is_integer()\n")) == []


@pytest.mark.skipif(OURS < (3, 11), reason="older")
def test_builtins_are_those_of_the_version(older: Lint, newer: Lint) -> None:
    text = "raise PythonFinalizationError()\n"
    assert said(newer(text)) == said(check_syntax(text)) == []
    assert said(older(text))[0].startswith("1 E0602")
    assert said(older("raise ExceptionGroup('', [])\n")) == ["1 E0602 Undefined variable 'ExceptionGroup'"]
    assert said(older("print(aiter)\n")) == ["1 E0602 Undefined variable 'aiter'"]
    assert said(newer("raise ExceptionGroup('', [])\n")) == []


@pytest.fixture(scope="module")
def with_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lint]:
    """Another Python whose library can be read: `made` is a module that it alone has, as it seems."""
    folder = tmp_path_factory.mktemp("python") / "lib" / "python3.14"
    folder.mkdir(parents=True)
    (folder / "os.py").write_text("from posix import *\nimport path\n\ndef own(): ...\n")
    (folder / "annotationlib.py").write_text("class Format:\n    VALUE = 1\n\n\ndef annotate(a): ...\n")
    (folder / "typing.py").write_text("def override(function):\n    return function\n")
    version = (3, 14) if OURS != (3, 14) else (3, 13)
    yield from lint_with(Environment((), (), version, standard_library=folder))


@pytest.mark.skipif(OURS >= (3, 14), reason="this Python has it")
def test_a_library_that_can_be_read_is_known(with_library: Lint) -> None:
    text = "from annotationlib import Format, annotate\nfrom typing import override\n"
    assert said(with_library(text + "print(Format.VALUE, annotate(1), override)\n")) == []
    assert said(with_library("from annotationlib import nothing\n")) == [
        "1 E0611 No name 'nothing' in module 'annotationlib'"
    ]
    assert said(with_library("import annotationlib\nannotationlib.annotate()\n"))[0].startswith("2 E1120")
    assert said(with_library("import imp\n")) == ["1 E0401 Unable to import 'imp'"]
    # compiled modules are the server's, and what takes its names from them is not known
    assert said(with_library("import math, os\nmath.nothing()\nos.own()\nos.nothing()\n")) == []
