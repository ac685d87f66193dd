"""Checks of the functions alone that an edit may concern find what a check of all of the text finds.

`PARTIAL_EXAMPLES=3000 .venv/bin/python -m pytest --timeout=0 tests/test_gate_partial.py` tries as many.
"""

import ast
import os
import re
import sysconfig
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from sys import version_info

import pytest
from fakes import ImmediateLinter, lint_bad, lint_nothing
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Check, Report, Tier
from lintseq_lsp.linters.environment import Environment, server_site_packages
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.text import Document

EXAMPLES = int(os.environ.get("PARTIAL_EXAMPLES", "60"))
FILES = ("cmd.py", "csv.py", "netrc.py", "queue.py", "sched.py", "shlex.py", "textwrap.py")
PATIENCE = 60.0
DEFS = (ast.FunctionDef, ast.ClassDef)


@pytest.fixture(scope="module")
def pylint() -> Iterator[PylintPool]:
    pool = PylintPool(Environment((), server_site_packages(), version_info[:2]))
    yield pool
    pool.close()


def report(pool: PylintPool, text: str, folder: str, *, partial: bool = False) -> Report:
    check = Check(text, f"/nonexistent/{folder}/edited.py", Tier.PYLINT, PATIENCE, partial=partial)
    return pool.submit(check).result(PATIENCE)


def found(of: Report) -> list[str]:
    return sorted(map(str, (*of.findings, *of.unknown, of.failure)))


def both(pool: PylintPool, before: str, after: str) -> tuple[Report, Report]:
    """The partial report on `after`, where all of `before` was checked, and the one on all of it."""
    assert not report(pool, before, "partial").partial
    return report(pool, after, "partial", partial=True), report(pool, after, "whole")


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str]:
    """A file of the standard library, and what one or two edits make of it."""
    before = Path(sysconfig.get_path("stdlib"), draw(st.sampled_from(FILES))).read_text("utf-8")
    after = before
    for _ in range(draw(st.integers(1, 2))):
        after = edit(draw, after)
        try:
            compile(after, "edited.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            assume(False)
    return before, after


def edit(draw: st.DrawFn, text: str) -> str:
    lines, nodes = text.split("\n"), list(ast.walk(ast.parse(text)))
    names = sorted({node.id for node in nodes if isinstance(node, ast.Name)})
    names += sorted({node.attr for node in nodes if isinstance(node, ast.Attribute)})
    one, two, three = (draw(st.sampled_from(names)) for _ in range(3))
    simple = [
        node
        for node in nodes
        if isinstance(node, ast.stmt) and not isinstance(node, DEFS) and node.lineno == node.end_lineno
    ]
    at = draw(st.sampled_from(simple)).lineno - 1
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    kinds = ("delete", "rename", "assign", "attribute", "return", "call", "definition", "move", "take out")
    match draw(st.sampled_from(kinds)):
        case "delete":
            lines[at] = f"{indent}pass"
        case "rename":
            words = re.findall(r"[^\W\d]\w*", lines[at])
            old = draw(st.sampled_from(words))
            lines[at] = re.sub(rf"\b{old}\b", one, lines[at], count=1)
        case "assign":
            lines.insert(at, f"{indent}{one} = {two}")
        case "attribute":
            lines.insert(at, f"{indent}self.{one} = {two}({three})")
        case "return":
            lines.insert(at + 1, f"{indent}return {one}.{two}({three})")
        case "call":
            lines.insert(at, f"{indent}{one}.{two}({three}, {three}={one})")
        case "definition":
            lines[at:at] = [f"{indent}def {one}({two}):", f"{indent}    return {three}"]
        case kind:
            wholes = [node for node in nodes if isinstance(node, (*DEFS, ast.Import, ast.ImportFrom))]
            first, last = extent(draw(st.sampled_from(wholes)))
            taken = lines[first:last]
            del lines[first:last]
            if kind == "move":
                place = extent(draw(st.sampled_from([node for node in nodes if isinstance(node, DEFS)])))[0]
                place -= len(taken) if place > first else 0
                lines[place:place] = taken
    return "\n".join(lines)


def extent(node: ast.stmt) -> tuple[int, int]:
    starts = [node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]
    return min(starts) - 1, node.end_lineno or node.lineno


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(edited())
def test_a_part_is_worth_the_whole(pylint: PylintPool, texts: tuple[str, str]) -> None:
    part, whole = both(pylint, *texts)
    assert found(part) == found(whole)


BASE = """\
import logging

try:
    import fast
except ImportError:
    fast = None


class Box:
    def __init__(self):
        self.items = []
        self.count = 0

    def first(self):
        return self.items

    def last(self):
        return self.first().missing

    def more(self):
        self.count += self.size
        self.size = 1


def make():
    return Box()


def use():
    box = make()
    box.first()
    box.gone()
    return fast


def long():
    numbers = [1, 2, 3]
    total = 0
    for number in numbers:
        total += number
        total -= 1
        total += number
    logging.info("%s", total)
    total += 1
    total += 2
    total += 3
    total += 4
    return total


def apart():
    return fast


def beside():
    found = []
{}    return found
""".format("    found.append(1)\n" * 40)

EDITS = {
    "a local value": ("    total = 0\n", "    total = unknown\n", True),
    "what a function returns": ("    return Box()\n", "    return [Box()]\n", True),
    "an attribute": ("        self.items = []\n", "        self.items = Box()\n", True),
    "a method that is missing": ("    def more(self):\n", "    def gone(self):\n", True),
    "a name of which the first use counts": ("    total = 0\n", "    total = fast\n", True),
    "a base class": ("class Box:\n", "class Box(dict):\n", False),
    "a special method": ("    def last(self):\n", "    def __iter__(self):\n", False),
    "what silences pylint": ("    total = 0\n", "    total = 0  # pylint: disable=all\n", False),
    "names that are made as it runs": ("    total = 0\n", "    total = setattr(Box, 'gone', 1)\n", False),
    "an import in a branch": (
        "try:\n    import fast\n",
        "if BASE:\n    import fast\nif 1:\n    pass\ntry:\n    x = 1\n",
        True,
    ),
}


@pytest.mark.parametrize("kind", EDITS)
def test_what_an_edit_reaches(pylint: PylintPool, kind: str) -> None:
    old, new, is_part = EDITS[kind]
    assert BASE.count(old) == 1
    part, whole = both(pylint, BASE, BASE.replace(old, new))
    assert found(part) == found(whole)
    assert part.partial is is_part
    assert not whole.partial


def test_functions_keep_their_findings_where_they_are_now(pylint: PylintPool) -> None:
    part, _ = both(pylint, BASE, BASE.replace("    total = 0\n", "    total = 0\n    total += 0\n"))
    assert part.partial
    old = {(each.symbol, each.line) for each in report(pylint, BASE, "whole").findings}
    assert {(each.symbol, each.line) for each in part.findings} == old
    moved, _ = both(pylint, BASE, BASE.replace("import logging\n", "import logging\nimport os\n"))
    assert moved.partial
    assert {(each.symbol, each.line) for each in moved.findings} == {(name, line + 1) for name, line in old}


class PartialLinter(ImmediateLinter):
    """Finds nothing in a part of a text, and all that is bad in the whole of it."""

    def submit(self, check: Check) -> Future[Report]:
        future = super().submit(check)
        if not check.partial:
            return future
        done: Future[Report] = Future()
        done.set_result(replace(future.result(), findings=(), partial=True))
        return done


def test_what_the_whole_check_rejects_is_withdrawn() -> None:
    gate = Gate(PartialLinter(lint_bad), lint_nothing, GatePolicy(partial=True))
    before = Document("a\n", path="a.py")
    after = before.with_text("a\nbad\n")
    verdict = gate.against(before).judge(after)
    assert verdict.accepted
    assert verdict.partial
    assert gate.prepare(before)
    assert not gate.is_withdrawn("a.py", after.text)
    assert gate.prepare(before, whole=True)
    assert gate.is_withdrawn("a.py", after.text)
    again = gate.against(before).judge(after)
    assert not again.accepted
    assert not again.partial


def test_the_whole_is_checked_as_the_part_was() -> None:
    """With the indentation that the document had, and with the ending of what is unfinished."""
    linter = PartialLinter(lint_bad)
    gate = Gate(linter, check_syntax, GatePolicy(partial=True))
    before = Document("if 1:\n  id(1)\nf", path="a.py")
    after = before.with_text("if 1:\n  id(1)\nfor _ in ():\n    id(")
    assert (before.indent, after.indent) == ("  ", "    ")
    assert gate.against(before, 2).judge(after, goes_on=len(after.text)).partial
    assert gate.prepare(before, 2, whole=True)
    part, whole = linter.checks[-3], linter.checks[-1]
    assert (part.partial, whole.partial) == (True, False)
    assert (whole.text, whole.indent) == (f"{after.text}\n)", "  ")


def test_no_part_is_checked_where_nobody_checks_the_whole() -> None:
    gate = Gate(PartialLinter(lint_bad), lint_nothing)
    before = Document("a\n", path="a.py")
    assert not gate.against(before).judge(before.with_text("a\nbad\n")).accepted
