"""pass@k: the estimator, both file formats, and the sandbox, on problems of our own."""

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lintseq_lsp.backends.base import Sampling
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.formats.lintseq import Layout, LintSeq


def script() -> ModuleType:
    path = Path(__file__).parent.parent / "models" / "problems.py"
    spec = importlib.util.spec_from_file_location("models_problems", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


problems = script()
Result = problems.Result

HUMAN_EVAL = {
    "task_id": "ours/0",
    "prompt": 'import math\n\n\ndef double(x):\n    """Twice x."""\n',
    "test": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-1) == -2\n",
    "entry_point": "double",
}
MBPP = {
    "task_id": 7,
    "text": "Write a function that adds two numbers.",
    "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
    "test_setup_code": "zero = 0",
}


@pytest.mark.parametrize(("samples", "passed", "k"), [(5, 2, 1), (5, 2, 3), (6, 0, 2), (6, 6, 2), (4, 3, 2)])
def test_pass_at_k_is_the_share_of_draws_with_a_pass(samples: int, passed: int, k: int) -> None:
    draws = list(itertools.combinations([True] * passed + [False] * (samples - passed), k))
    assert problems.pass_at(k, samples, passed) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_table_leaves_out_what_the_samples_do_not_suffice_for() -> None:
    assert problems.table([1, 0], 2, [1, 2, 10]) == "pass@1: 25.0 %\npass@2: 50.0 %"


@pytest.fixture(scope="module")
def sandbox() -> None:
    if problems.run("") is Result.NO_SANDBOX:
        pytest.skip("this system grants no network namespace")


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("program", "result"),
    [
        pytest.param("x = 1", Result.PASSED, id="runs to its end"),
        pytest.param("assert False", Result.FAILED, id="raises"),
        pytest.param("import sys\nsys.exit(0)", Result.FAILED, id="leaves early"),
        pytest.param("def f(:", Result.FAILED, id="is not Python"),
        pytest.param("while True:\n    pass", Result.TIMEOUT, id="never ends"),
        pytest.param("x = 'a' * 10**9", Result.FAILED, id="wants too much memory"),
        pytest.param("open('x', 'w').write('x' * 10**5)", Result.FAILED, id="writes a file"),
        pytest.param(
            "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)", Result.FAILED, id="opens a socket"
        ),
    ],
)
def test_sandbox(program: str, result: object) -> None:
    assert problems.run(program, seconds=1, megabytes=256) is result


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("record", "right", "wrong"),
    [
        (HUMAN_EVAL, "def double(x):\n    return math.fsum([x, x])\n", "def double(x):\n    return x * x\n"),
        (MBPP, "def add(a, b):\n    return a + b\n", "def add(a, b):\n    return a * b\n"),
    ],
)
def test_a_right_program_passes_and_a_wrong_one_fails(record: dict[str, Any], right: str, wrong: str) -> None:
    problem = problems.problem_of(record)
    assert problems.run(problem.complete(right)) is Result.PASSED
    assert problems.run(problem.complete(wrong)) is Result.FAILED


@pytest.mark.usefixtures("sandbox")
def test_a_recorded_sequence_of_diffs_is_scored() -> None:
    stream = "@@ -0,0 +1 @@\n+def double(x):\n<|diff|>@@ -1,0 +2 @@\n+    return 2 * x\n<|diff|>\n<|diff|>"
    problem = problems.problem_of(HUMAN_EVAL)
    gate, paper = problems.ungated(), LintSeq(Layout.PAPER)
    program = problems.write(ScriptedBackend([stream]), paper, gate, problem.instruction, Sampling())
    assert program == "def double(x):\n    return 2 * x\n"
    assert problems.score(ScriptedBackend([stream]), paper, gate, problem, 1, 0.0) == 1
