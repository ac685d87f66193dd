"""The algorithm with a toy linter, so that each rule of LintSeq can be seen at work."""

import ast
import difflib
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Collection, Sequence
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lintseq_lsp import lintseq
from lintseq_lsp.diffs import Diff, parse
from lintseq_lsp.linters.base import Finding, Report
from lintseq_lsp.lintseq import Failure, State
from lintseq_lsp.text import split_lines


def names_lint(text: str) -> Report:
    """Syntax errors as pylint words them, and each line that loads a name which no line stores."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        message = f"Parsing failed: '{error.msg} (<unknown>, line {error.lineno})'"
        return Report((Finding("syntax-error", "E0001", message, error.lineno or 0),), parsed=False)
    except ValueError as error:  # null bytes
        return Report((Finding("syntax-error", "E0001", str(error), 0),), parsed=False)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    known = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    known |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    known |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return Report(
        tuple(
            Finding("undefined-variable", "E0602", f"Undefined variable '{node.id}'", node.lineno)
            for node in names
            if isinstance(node.ctx, ast.Load) and node.id not in known
        )
    )


def clean(_text: str) -> Report:
    return Report()


def resolve(edits: Sequence[str]) -> list[str]:
    """The lines that the edits build, with every number in a header checked on the way."""
    lines: list[str] = []
    for edit in edits:
        diff = parse(edit)
        assert isinstance(diff, Diff), diff
        assert [len(hunk.removed) for hunk in diff.hunks] == [0] * len(diff.hunks)
        headers = re.findall(r"^@@ .*", edit, re.MULTILINE)
        shift = 0
        for hunk, header in zip(diff.hunks, headers, strict=True):
            size = f",{len(hunk.added)}" if len(hunk.added) != 1 else ""
            assert header == f"@@ -{hunk.above},0 +{hunk.above + 1 + shift}{size} @@"
            place = hunk.above + shift
            assert place <= len(lines)
            lines[place:place] = hunk.added
            shift += len(hunk.added)
    return lines


def trimmed(lines: Sequence[str]) -> list[str]:
    filled = [index for index, line in enumerate(lines) if line.strip()]
    return list(lines[filled[0] : filled[-1] + 1]) if filled else []


def program(text: str) -> list[str]:
    return textwrap.dedent(text).strip("\n").split("\n")


def states_of(lines: Sequence[str], seed: int = 0) -> list[State]:
    states = lintseq.lintseq_states(lines, names_lint, Random(seed))
    assert not isinstance(states, Failure)
    return states


def deleted(
    lines: Sequence[str], seeds: Collection[int], lint: lintseq.Lint, removed: State = frozenset()
) -> set[int]:
    step = lintseq.backward_step(lines, seeds, lint, removed=removed)
    assert not isinstance(step, Failure)
    return set(step)


AREA = program(
    """
    import math

    # Geometry.
    def area(radius):
        if radius < 0:
            raise ValueError(
                "negative",
            )
        return math.pi * radius

    print(area(2))
    """
)


def test_a_block_is_what_is_indented_deeper_and_the_lone_bracket_that_closes_it() -> None:
    below = lintseq.blocks(AREA)
    assert below[0] == range(0, 1)
    assert below[3] == range(3, 10)  # the blank line belongs to the function
    assert below[4] == range(4, 8)
    assert below[5] == range(5, 8)
    assert below[8] == range(8, 9)
    assert below[10] == range(10, 11)


def test_a_lone_bracket_at_the_margin_belongs_to_the_block_above() -> None:
    lines = program(
        """
        X = call(
            1,
        )
        y = 2
        """
    )
    assert lintseq.blocks(lines)[0] == range(0, 3)


def test_seed_weights_are_indents_in_units_of_the_first_one() -> None:
    lines = program(
        """
        def f(x):
          # no seed

          if x:
              return 1
          return 2
        """
    )
    assert lintseq.seed_weights(lines) == [1, 0, 0, 1, 3, 1]


def test_the_inside_of_an_upper_case_constant_is_never_picked() -> None:
    lines = program(
        """
        TABLE = [
            1,
            2,
        ]
        A, B = (
            f(3),
            g(4)
        )
        lower = [
            5,
        ]
        """
    )
    picked = [index for index, weight in enumerate(lintseq.seed_weights(lines)) if weight]
    # As in the reference, a line inside that happens to end with the bracket counts as the end.
    assert picked == [0, 4, 7, 8, 9, 10]


def test_one_backward_step_takes_out_what_the_deletion_breaks() -> None:
    lines = program(
        """
        def f(x):
            y = x
            if y:
                return y
            return x
        """
    )
    assert deleted(lines, [1], names_lint) == {1, 2, 3}
    assert deleted(lines, [3, 4], names_lint) == {2, 3, 4}
    assert deleted(lines, [], names_lint) == set()


def test_a_step_counts_only_what_is_not_gone_yet() -> None:
    lines = program(
        """
        def f(x):
            y = x
            z = y
            return x
        """
    )
    assert deleted(lines, [1], names_lint, removed=frozenset({2})) == {1}


def test_an_empty_block_costs_its_head_as_the_message_says_on_line_n() -> None:
    lines = program(
        """
        def f(x):
            if x:
                return 1
        print(f)
        """
    )
    assert deleted(lines, [2], names_lint) == {0, 1, 2, 3}
    finding = Finding(
        "syntax-error", "E0001", "expected an indented block after 'if' on line 2 (f, line 4)", 4
    )
    assert lintseq.line_at_fault(finding) == 2
    other = Finding("function-redefined", "E0102", "function already defined on line 2", 9)
    assert lintseq.line_at_fault(other) == 9


def test_a_linter_that_fails_is_a_failure_and_no_pass() -> None:
    failing = lintseq.backward_step(AREA, [10], lambda _: Report(failure="killed"))
    assert failing == Failure("killed")
    assert lintseq.lintseq_states(AREA, lambda _: Report(failure="killed"), Random(0)) == Failure("killed")


@pytest.mark.parametrize("line", [-3, 0, 1, 99])
def test_findings_on_lines_that_are_not_there_still_end(line: int) -> None:
    """Each check that is not clean deletes a line, so a linter that is never content ends the step."""
    lines = [f"x{i} = {i}" for i in range(9)]

    def never_content(_text: str) -> Report:
        return Report((Finding("odd", "E9999", "odd", line),))

    assert deleted(lines, [0], never_content) == set(range(9))
    bounded = lintseq.backward_step(lines, [0], never_content, max_checks=3)
    assert bounded == Failure("not clean after 3 checks")


def test_every_state_but_the_last_is_clean_and_grows() -> None:
    for seed in range(50):
        states = states_of(AREA, seed)
        assert states[0] == frozenset()
        assert states[-1] == set(range(len(AREA)))
        for before, after in itertools.pairwise(states):
            assert before < after
            assert not names_lint("\n".join(AREA[i] for i in sorted(before))).findings


def test_comments_and_blank_lines_that_are_left_form_the_first_edit() -> None:
    lines = ["# one", "", "# two", "", "x = 1"]
    assert lintseq.diffs(lines, states_of(lines)) == [
        "@@ -0,0 +1,3 @@\n+# one\n+\n+# two",
        "@@ -3,0 +4,2 @@\n+\n+x = 1",
    ]
    assert lintseq.diffs(["# all"], states_of(["# all"])) == ["@@ -0,0 +1 @@\n+# all"]


def test_a_state_of_blank_lines_alone_is_an_empty_diff() -> None:
    assert lintseq.diffs(["", "", "x = 1"], states_of(["", "", "x = 1"])) == ["", "@@ -0,0 +1 @@\n+x = 1"]
    # One empty line is the empty text already.
    assert lintseq.diffs(["", "x = 1"], states_of(["", "x = 1"])) == ["@@ -0,0 +1 @@\n+x = 1"]


def test_what_is_left_after_the_last_edit_allowed_is_the_first_edit() -> None:
    lines = [f"x{i} = {i}" for i in range(10)]
    states = lintseq.lintseq_states(lines, clean, Random(1), max_edits=4)
    assert not isinstance(states, Failure)
    assert [len(state) for state in states] == [0, 6, 7, 8, 9, 10]


def test_hunks_follow_from_indices_where_a_text_diff_would_guess() -> None:
    lines = ["a", "b", "a", "b", "a"]
    states = [frozenset[int](), frozenset({1, 2}), frozenset({0, 1, 2, 4}), frozenset(range(5))]
    assert lintseq.diffs(lines, states) == [
        "@@ -0,0 +1,2 @@\n+b\n+a",
        "@@ -0,0 +1 @@\n+a\n@@ -2,0 +4 @@\n+a",
        "@@ -3,0 +4 @@\n+b",
    ]


def test_diffs_are_what_difflib_writes_where_no_two_lines_are_alike() -> None:
    for seed in range(20):
        lines = [f"x{i} = {i}" for i in range(12)]
        states = lintseq.random_states(lines, Random(seed))
        texts = [[lines[i] for i in sorted(state)] for state in states]
        expected = [
            "\n".join(list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:])
            for before, after in itertools.pairwise(texts)
        ]
        assert lintseq.diffs(lines, states) == expected


def test_training_text_is_the_published_layout() -> None:
    text = lintseq.training_text("Do it.", ["@@ -0,0 +1 @@\n+x = 1", "", "@@ -1,0 +2 @@\n+y = 2"])
    assert text == (
        "Do it.\n<|diff|>@@ -0,0 +1 @@\n+x = 1\n<|diff|>\n<|diff|>@@ -1,0 +2 @@\n+y = 2\n<|diff|>\n<|diff|>"
    )


def test_random_chunks_are_repeatable_and_differ() -> None:
    chunks = [lintseq.random_states(AREA, Random(seed)) for seed in (1, 1, 2)]
    assert chunks[0] == chunks[1] != chunks[2]


def test_random_chunk_sizes_are_uniform_up_to_one_less_than_the_lines() -> None:
    """The reference draws sizes below the number of lines left."""
    first = [11 - len(lintseq.random_states(AREA, Random(seed))[-2]) for seed in range(2000)]
    assert set(first) == set(range(1, 11))
    assert max(first.count(size) for size in range(1, 11)) < 2 * min(
        first.count(size) for size in range(1, 11)
    )


def functions() -> list[str]:
    """A benchmark set of real code: functions and classes of the standard library."""
    texts = []
    for module in (json.decoder, textwrap, difflib, inspect, ast, re):
        for node in ast.parse(source := inspect.getsource(module)).body:
            segment = ast.get_source_segment(source, node)
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and segment and segment.count("\n") < 60:
                texts.append(segment)
    return texts


NASTY = [
    "x = 1   \n\n\n\ty = 2\t",
    "def f():\n    '''\n@@ -1,0 +2 @@\n+not a hunk\n--- a\n+++ b\n    '''\n    return ++x\n",
    "++x\n--y\n-z\n+ + a\n@@ b @@\n\\ No newline at end of file",
    "\n\n   \n# c\n\n\nx = 1\n\n\n# d\n\n   \n",
    "def f():\n\n    x = 1\n\n\n    return x\n\n",
    "a = '\x0c'\x0c\n\x0c\nb = '\u2028\x85\x1c'\nc = '🐍é'",
    "a = 1\r\nif a:\r\n    b = 2\r\n",
    "\tx = 1\n\ty = 2",
    "print('<|diff|>')\n<|diff|>\n",
    "",
    "\n",
    " ",
    "if x:\n  (\n  )\n]\n}",
    "x = 1\nx = 1\nx = 1\n\nx = 1\nx = 1",
    "a = '\x00'",
]


def check_round_trip(text: str, seed: int) -> None:
    lines, _ = split_lines(text)
    for states in (states_of(lines, seed), lintseq.random_states(lines, Random(seed))):
        assert resolve(lintseq.diffs(lines, states)) == trimmed(lines)


def test_every_program_of_the_benchmark_set_round_trips() -> None:
    texts = functions()
    assert len(texts) > 120
    for text in texts:
        check_round_trip(text, 7)


@pytest.mark.parametrize("text", NASTY)
def test_nasty_programs_round_trip(text: str) -> None:
    for seed in range(5):
        check_round_trip(text, seed)


LINE = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "\t",
            "@@",
            "@@ -0,0 +1 @@",
            "++x",
            "-y",
            "# c",
            "x = 1",
            "    x",
            "        y",
            ")",
            "A = [",
        ]
    ),
    st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=8),
    st.builds(
        lambda depth, word: " " * depth + word,
        st.integers(0, 9),
        st.sampled_from(["x", "if x:", "y = 1", "}"]),
    ),
)


@given(st.lists(LINE, max_size=12), st.integers(0, 2**32))
@example(["", "", "x"], 0)
def test_any_lines_round_trip(lines: list[str], seed: int) -> None:
    check_round_trip("\n".join(lines), seed)


@given(st.lists(LINE, min_size=1, max_size=12), st.data())
def test_a_backward_step_ends_clean_and_holds_its_seeds(lines: list[str], data: st.DataObject) -> None:
    seeds = data.draw(st.sets(st.integers(0, len(lines) - 1)))
    step = lintseq.backward_step(lines, seeds, names_lint)
    assert not isinstance(step, Failure)
    assert seeds <= step <= set(range(len(lines)))
    rest = "\n".join(line for index, line in enumerate(lines) if index not in step)
    assert not rest.strip() or not names_lint(rest).findings
