"""The small tasks: each one's right answer is right, and how programs are counted. No model."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from test_evaluation import MODULE

from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.lintseq import Layout, LintSeq
from lintseq_lsp.linters.base import Finding, Report
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.settings import Settings

MODELS = str(Path(__file__).parent.parent / "models")
sys.path.insert(0, MODELS)
tasks, intervals, positions, judge = map(import_module, ("tasks", "intervals", "positions", "judge"))
problems = import_module("problems")
sys.path.remove(MODELS)

ALL = tasks.tasks()


@pytest.fixture(scope="module")
def sandbox() -> None:
    if problems.run("") is problems.Result.NO_SANDBOX:
        pytest.skip("this system grants no network namespace")


def test_there_are_sixty_and_most_have_a_file_to_insert_into() -> None:
    assert len(ALL) == len({task.name for task in ALL}) == 60
    assert sum(bool(task.given.strip()) for task in ALL) > 50


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_the_right_answer_passes_and_what_is_given_does_not(task: object) -> None:
    assert tasks.passes(task, task.wanted)
    assert not tasks.passes(task, task.given)


def test_the_right_answers_lint_clean() -> None:
    linter = judge.Judge()
    try:
        found = {task.name: linter.lint(task.wanted).findings for task in ALL}
    finally:
        linter.close()
    assert {name: findings for name, findings in found.items() if findings} == {}


TASK = tasks.task_of(
    {
        "name": "twice",
        "instruction": "Add a function twice(x).",
        "program": " def once(x):\n     return x\n+\n+\n+def twice(x):\n+    return 2 * x\n",
        "tests": "assert twice(2) == 4\n",
    }
)


def test_a_program_is_a_diff() -> None:
    assert TASK.given == "def once(x):\n    return x\n"
    assert TASK.wanted == TASK.given + "\n\ndef twice(x):\n    return 2 * x\n"
    assert (TASK.above, TASK.lines) == (2, (2, 2))


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("placed", [True, False])
def test_a_recorded_sequence_of_edits_is_scored(placed: bool) -> None:
    stream = "@@ -2,0 +3,4 @@\n+\n+\n+def twice(x):\n+    return 2 * x\n<|diff|>\n<|diff|>"
    backend = ScriptedBackend([stream])
    paper = LintSeq(Layout.PAPER)
    engine = Engine(backend, problems.ungated(), prompt_format=paper, settings=Settings())
    ended = tasks.write(engine, TASK, placed=placed, sample=tasks.GREEDY)
    assert ended.document.text == TASK.wanted
    assert tasks.is_exact(TASK, ended.document.text)
    assert tasks.passes(TASK, ended.document.text)
    places = {header for headers in backend.requests[0].begins for header in headers if header.strip()}
    told = {header.split(",")[0] for header in places}
    assert told == ({"@@ -2"} if placed else {"@@ -0", "@@ -1", "@@ -2"})


def test_what_was_inserted_is_compared_with_what_was_wanted() -> None:
    assert tasks.inserted(TASK, TASK.wanted) == "def twice(x):\n    return 2 * x"
    assert tasks.similarity(TASK, TASK.wanted) == 1.0
    assert 0.8 < tasks.similarity(TASK, TASK.wanted.replace("2 * x", "x + x")) < 1.0
    assert tasks.similarity(TASK, TASK.given) == 0.0
    assert not tasks.is_exact(TASK, TASK.given)


def test_only_new_findings_count() -> None:
    def lint(text: str) -> Report:
        return Report(findings=[Finding("bad", "E1", "bad", 1) for _ in range(text.count("bad"))])

    assert tasks.new_findings(lint, "bad", "bad\nbad\n") == 1
    assert tasks.new_findings(lint, "bad", "good") == 0


def test_held_out_insertions_say_what_was_taken_out(tmp_path: Path) -> None:
    modules = [MODULE, MODULE.replace("Circle", "Square")]
    found = tasks.insertions(modules, 0, check_syntax, tmp_path / "known.jsonl")
    for task in [next(found) for _ in range(5)]:
        assert task.instruction
        assert task.tests is None
        assert len(positions.code_lines(task.given)) < len(positions.code_lines(task.wanted))
        added = tasks.inserted(task, task.wanted).split("\n")
        lines = task.given.split("\n")
        whole = "\n".join([*lines[: task.above], *added, *lines[task.above :]])
        assert [line.strip() for line in positions.code_lines(whole)] == [
            line.strip() for line in positions.code_lines(task.wanted)
        ]


def test_the_table_has_a_row_a_way_and_leaves_out_unfinished_tasks() -> None:
    def written(name: str, sample: int, *, passed: bool, findings: int = 0) -> object:
        return tasks.Written("m", name, True, False, sample, "", 1, passed, findings)

    rows = [
        written("a", tasks.GREEDY, passed=True),
        written("b", tasks.GREEDY, passed=True, findings=1),
        *(written("a", sample, passed=sample == 0) for sample in range(2)),
        written("b", 0, passed=True),  # one of two samples
    ]
    [row] = list(tasks.table(rows, 2))[2:]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["on", "not", "2"]
    assert cells[3].startswith("50.0 ± ")
    assert cells[4] == "50.0 ± 0.0"
    assert cells[5] == ""
    assert cells[6:] == ["50.0 ± 0.0", "0.0 ± 0.0"]


def test_an_interval_of_a_mean() -> None:
    assert intervals.half([0.5] * 20) == 0.0
    assert intervals.half([0.0, 1.0] * 50) == pytest.approx(1.96 * 0.5 / 100**0.5, rel=0.1)
    assert intervals.share([]) == ""
