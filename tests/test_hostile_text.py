"""Texts that are made to take long: each function ends in a time that grows as the text does.

No time is measured here. The sizes are such that a pattern which goes back, or a loop in a loop, takes
minutes and more, and runs into the time limit of every test; `benchmarks/hostile_text.py` shows how the
times grow. Judged in the worker, such texts have a verdict.
"""

import ast
import contextlib
import random
import re
import re._constants as sre
import re._parser as sre_parser
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lintseq_lsp import actions, cases, completion, edits, excerpt, lintseq, repetition, text
from lintseq_lsp.backends.base import Request
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.diffs import DiffStream, parse
from lintseq_lsp.errors import CaseError, PatchError
from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.linters import grammar
from lintseq_lsp.linters.base import Check, Finding
from lintseq_lsp.linters.environment import Environment, server_site_packages
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.notebooks import finished
from lintseq_lsp.patches.applying import changes
from lintseq_lsp.synthesis.answers import code_in
from lintseq_lsp.text import Document
from lintseq_lsp.unfinished import finished as finished_statement
from lintseq_lsp.verdicts import finding_key


def answers_of(written: str) -> list[str]:
    """What a recording has for one request after the other."""
    backend, request = ScriptedBackend([written], piece=1 << 20), Request([""], frozenset({DIFF}))
    found = []
    while backend._script:
        found.append("".join(piece.text for piece in backend.write(request, lambda: False)))
    return found


ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds
PLAIN = "--- a/a.py\n+++ b/a.py\n"


@dataclass(frozen=True, slots=True)
class Attack:
    """`make(size)` is a text of about `size` characters; `size` is large enough for a test."""

    name: str
    read: Callable[[str], object]
    make: Callable[[int], str]
    size: int = 1_000_000


def at_its_end(source: str) -> bool:
    return completion.in_string_or_comment(completion.cursor_at(Document(source), len(source)))


def with_an_ending(source: str) -> object:
    return finished_statement(Document(source), len(source))


def guess_all(line: str) -> list[str]:
    return [grammar.newer_syntax(line, (3, minor)) for minor in (8, 12)]


def read_case(written: str) -> object:
    with contextlib.suppress(CaseError):
        return cases.read_case(written)
    return None


def fed_in_pieces(written: str) -> object:
    stream = DiffStream()
    for start in range(0, len(written), 4):
        stream.feed(written[start : start + 4])
    return stream.flush()


def circles(written: str) -> list[bool]:
    seen = repetition.LoopDetector()
    return [seen.ends_in_loop(piece) for piece in written]


def typed_twice(source: str) -> object:
    return edits.replacement_between(source, source + source[-1:])


def window(source: str) -> object:
    document = Document(source)
    return excerpt.excerpt_around(document, len(document.lines) - 1, 200, len)


def stage(source: str) -> object:
    lines = source.split("\n")
    every_third = frozenset(range(0, len(lines), 3))
    return lintseq.diffs(lines, [frozenset(), every_third, frozenset(range(len(lines)))])


def patched(patch: str, file: str = "a\n" * 1000) -> object:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.py").write_text(file)
        try:
            return changes(patch, Path(folder))
        except PatchError as error:
            return error


def moved(size: int) -> str:
    """A patch whose hunks are all four lines further down in `file_of(size)` than they say."""
    lines = file_of(size).split("\n")
    hunks = [
        f"@@ -{number + 1},10 +{number + 1},10 @@\n"
        + "".join(f" {line}\n" for line in lines[number + 4 : number + 13])
        + f"-{lines[number + 13]}\n+x\n"
        for number in range(0, size, 20)
    ]
    return PLAIN + "".join(hunks)


def file_of(size: int) -> str:
    """`size` lines and some more, of which an eighth are equal."""
    return "\n".join(random.Random(1).choices("abcdefgh", k=size + 20)) + "\n"


def key(message: str) -> object:
    return finding_key(Finding("a", "E0001", message, 1))


def nested(size: int) -> str:
    return "\n".join(" " * depth + "if x:" for depth in range(size))


def repeated(unit: str, begin: str = "", end: str = "") -> Callable[[int], str]:
    return lambda size: begin + unit * (size // len(unit)) + end


ATTACKS = [
    Attack("quotes", at_its_end, repeated("\"'")),
    Attack("brackets in brackets", with_an_ending, lambda size: "(" * size + ")" * size + "(", 3_000_000),
    Attack("statements of a block", with_an_ending, repeated("    x\n", "class A:\n", "    f("), 3_000_000),
    Attack("one literal", at_its_end, repeated("a", '"""')),
    Attack("quotes in a literal", at_its_end, repeated("'\"", "'''")),
    Attack("backslashes in a literal", at_its_end, repeated("\\", '"')),
    Attack("escaped quotes", at_its_end, repeated('\\"', '"""')),
    Attack("literals that are not closed", at_its_end, repeated('"\\a\n')),
    Attack("#", at_its_end, repeated("#")),
    Attack("quotes of three", at_its_end, repeated("'''\"\"\"", "x = ")),
    Attack("f-strings' openings", guess_all, repeated("f'{")),
    Attack("f-strings' fields", guess_all, repeated("f'{}")),
    Attack("f-strings' braces", guess_all, repeated("{", "f'", "x}")),
    Attack("f-strings in f-strings", guess_all, repeated("f'{f\"}")),
    Attack("f-strings before a brace", guess_all, repeated("f'", "", '}f"{')),
    Attack("blanks in a type", guess_all, repeated(" ", "type X", "?")),
    Attack("brackets in a type", guess_all, repeated("] ", "type X[", "?")),
    Attack("a blank line", guess_all, repeated(" ")),
    Attack("names in an except", guess_all, repeated("a.", "except ", " ")),
    Attack("commas in an except", guess_all, repeated(" ,", "except a")),
    Attack("blanks in a def", guess_all, repeated(" ", "async def a", "(")),
    Attack("blanks in a comment", actions.comment_text, repeated(" ", "# a", "b")),
    Attack("# in a comment", actions.comment_text, repeated("#", "", " a ")),
    Attack("a hunk header that does not end", parse, repeated("9", "@@ -")),
    Attack("blanks behind a hunk header", parse, repeated(" ", "@@ -1,0 +2 @@", "x")),
    Attack("hunk headers", parse, repeated("@@ -1,0 +2 @@\n")),
    Attack("added lines", parse, repeated("+@@ -1 +1 @@\n", "@@ -1,0 +2 @@\n")),
    Attack("a line in pieces", fed_in_pieces, repeated("+"), 8_000_000),
    Attack("boundaries", answers_of, repeated("<|diff|>")),
    Attack("almost boundaries", answers_of, repeated("<|diff|\n")),
    Attack("the same piece", circles, repeated("a"), 200_000),
    Attack("the same line", lambda lines: repetition.repeated_from(lines.split("\n")), repeated("a\n")),
    Attack(
        "lines that all differ",
        lambda size: repetition.repeated_from([*map(str, range(len(size)))]),
        repeated("a"),
        100_000,
    ),
    Attack("line ends", text.split_lines, repeated("\r\n\r\n\n")),
    Attack("a character behind many", typed_twice, repeated("a"), 20_000_000),
    Attack("a block in a block", window, nested, 2000),
    Attack("comments above a line", window, repeated("    # a\n", "", "        x")),
    Attack("blocks", lambda source: lintseq.blocks(source.split("\n")), repeated("  x\n", "if x:\n")),
    Attack("every third line", stage, repeated("x = 1\n")),
    Attack("fences", code_in, repeated("```python")),
    Attack("blanks behind fences", code_in, repeated("``` ", "x = ")),
    Attack("a fence and its rest of a line", code_in, repeated("a ", "x = \n```py ")),
    Attack("fences of another kind", code_in, repeated("```python\nx\n~~~\n", "x = \n"), 300_000),
    Attack("fences in a broken block", code_in, repeated("```\n", "x = \n```python\n(")),
    Attack("fences without a line", code_in, repeated("```python (", "x = \n"), 300_000),
    Attack("backticks", code_in, repeated("`", "x = ")),
    Attack("a name and no help", finished, repeated("a", "!x\n", " ?\n"), 200_000),
    Attack("names and no help", finished, repeated("a.", "!x\n", "+?\n"), 200_000),
    Attack("commands that open a bracket", finished, repeated("!echo (\n"), 20_000),
    Attack("commands that open a string", finished, repeated("!echo '''\n"), 20_000),
    Attack("options of a magic", finished, repeated("-n ", "%timeit "), 200_000),
    Attack("a long name in a magic", finished, repeated("a", "%sql ", " <"), 200_000),
    Attack("blanks in a magic", finished, repeated(" ", "%sql -o", "<"), 200_000),
    Attack("cell magics", finished, repeated("%%time\n"), 100_000),
    Attack("names of futures", finished, repeated("a, ", "from __future__ import ", "+"), 200_000),
    Attack("sections", read_case, repeated("== edit\n", "== request edit\n")),
    Attack("a section's long name", read_case, repeated("a", "== request edit\n== ")),
    Attack("marks", read_case, repeated("▮", "== request edit\n== document\n")),
    Attack("escapes", read_case, repeated("\\u", "== request edit\n== document escaped\n")),
    Attack("# in a checked line", check_syntax, repeated("#000000,", "x = '", "'\n")),
    Attack("percent signs in a checked line", check_syntax, repeated("%(", "x = '", "' % ()\n")),
    Attack("numbers in a message", key, repeated("line 1")),
    Attack("names of binary files", patched, repeated(" and a", "Binary files a", "\tx differ\n")),
    Attack("names of binary files, one by one", patched, repeated("Binary files a and b\n")),
    Attack("a hunk's number", patched, repeated("9", PLAIN + "@@ -", " +1 @@\n-a\n+b\n")),
    Attack("escapes in a name", patched, repeated("\\303", 'diff --git "a/', '" "b/a.py"\n')),
    Attack("an index line", patched, repeated("a", "diff --git a/a.py b/a.py\nindex ", "\n")),
    Attack("blanks between names", patched, repeated(" ", "diff --git a", "b\n")),
    Attack(
        "a hunk that is nowhere",
        lambda patch: patched(patch, "a\n" * patch.count("\n") * 2),
        lambda size: PLAIN + f"@@ -1,{size} +1,{size} @@\n" + " a\n" * (size - 1) + "-b\n+c\n",
        200_000,
    ),
    Attack(
        "hunks that are elsewhere",
        lambda patch: patched(patch, file_of(20 * patch.count("@@ -"))),
        moved,
        100_000,
    ),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_no_text_takes_long(attack: Attack) -> None:
    hostile = attack.make(attack.size)
    try:
        attack.read(hostile)
    except RecursionError:
        pytest.fail("it recurses")


# In the worker

JUDGED = {
    "a palette": repeated("#a0b1c2,", "PALETTE = '", "'\nmissing\n"),
    "a comment of #": repeated("#", "", "\nmissing\n"),
    "blanks in front of #": repeated(" #", "x = 1", "\nmissing\n"),
    "pragmas in a comment": repeated("# pylint:; ", "x = 1  ", "\nmissing\n"),
    "names in a pragma": repeated("no-member,", "x = 1  # pylint: disable=", "\nmissing\n"),
    "blanks in a pragma": repeated(" ", "x = 1  # pylint:;", "\nmissing\n"),
    "blanks in front of a statement": repeated(" ", "if missing:\n    x = 1\n    if x:\n", "x = 2\n"),
    "statements in a line": repeated("x = 1;", "missing;", "\n"),
}


@pytest.fixture(scope="module")
def pool() -> Iterator[PylintPool]:
    linter = PylintPool(Environment((), server_site_packages()))
    yield linter
    linter.close()


@pytest.mark.parametrize("make", JUDGED.values(), ids=JUDGED)
def test_a_hostile_line_has_a_verdict(pool: PylintPool, make: Callable[[int], str]) -> None:
    report = pool.submit(Check(make(20_000), timeout=PATIENCE)).result(2 * PATIENCE)
    assert report.failure is None
    assert "E0602" in [finding.code for finding in report.findings]


@pytest.mark.parametrize(
    "comment",
    [
        "# pylint: disable=undefined-variable",
        "#pylint:disable=E0602;why",
        "# why # pylint: disable=undefined-variable # and why",
        "# pylint: disable=no-member # pylint: disable=undefined-variable",
        "# pylint: disable=undefined-variable # pylint:",
        "# see pylint: disable=undefined-variable",
    ],
)
def test_a_pragma_is_found_wherever_pylint_finds_it(pool: PylintPool, comment: str) -> None:
    for source in (f"x = missing  {comment}\n", f"{comment}\nx = missing\n"):
        report = pool.submit(Check(source, timeout=PATIENCE)).result(2 * PATIENCE)
        assert (list(report.findings), report.parsed, report.failure) == ([], True, None)


@pytest.mark.parametrize(
    "comment",
    [
        "# pylint: disable=undefined-variable # pylint: disable=no-member",
        "# notpylint: disable=undefined-variable",
        "# pylint: disable=line-too-long",
        "# pylint # : disable=undefined-variable",
    ],
)
def test_what_is_no_pragma_for_it_silences_nothing(pool: PylintPool, comment: str) -> None:
    report = pool.submit(Check(f"x = missing  {comment}\n", timeout=PATIENCE)).result(2 * PATIENCE)
    assert [finding.code for finding in report.findings] == ["E0602"]


def test_a_pragma_counts_for_its_block(pool: PylintPool) -> None:
    source = (
        "@missing  # pylint: disable=undefined-variable\n"
        "def f():\n"
        "    # pylint: disable=undefined-variable\n"
        "    return missing\n\n\n"
        "def g():\n"
        "    return missing\n"
    )
    report = pool.submit(Check(source, timeout=PATIENCE)).result(2 * PATIENCE)
    assert [(finding.code, finding.line) for finding in report.findings] == [("E0602", 8)]


# In all patterns


def patterns() -> Iterator[tuple[str, str]]:
    """(place, pattern) of each pattern that is written out in the package."""
    names = {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}
    for folder in ("lintseq_lsp", "models"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name("re"), attr=name),
                        args=[ast.Constant(str() | bytes() as pattern), *_],
                    ) if name in names:
                        yield f"{path.name}:{node.lineno}", pattern


def operations(parsed: object) -> Iterator[object]:
    if isinstance(parsed, list | tuple | sre_parser.SubPattern):
        for part in parsed:
            yield from operations(part)
    else:
        yield parsed


def test_no_pattern_has_what_older_pythons_match_wrongly() -> None:
    """Possessive quantifiers and atomic groups, before Python 3.11.5."""
    found = dict(patterns())
    assert len(found) > 20
    for place, pattern in found.items():
        flags = re.VERBOSE if len(pattern.splitlines()) > 1 else 0  # of several lines are those with comments
        parsed = set(map(str, operations(sre_parser.parse(pattern, flags))))
        assert not parsed & {str(sre.POSSESSIVE_REPEAT), str(sre.ATOMIC_GROUP)}, place
