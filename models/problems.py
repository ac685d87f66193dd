"""pass@k on problem files in HumanEval's or MBPP's format, which are not part of this repository.

    python models/problems.py models/MODEL.gguf HumanEval.jsonl --samples 20 --k 1 10
    python models/problems.py models/MODEL.gguf mbpp.jsonl --samples 20 --temperature 0.8 --gated

The prompt is the paper's: an instruction, then diffs from the empty file. Programs run in a child process
with limits on time, memory and files, in a network namespace of its own: where the system grants none,
nothing is run. That holds off accidents, not a determined attacker.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from statistics import mean
from typing import Any

from lintseq_lsp.backends.base import Backend, Sampling
from lintseq_lsp.formats.base import PromptFormat, Room, Task, View
from lintseq_lsp.formats.table import detect
from lintseq_lsp.gate import Gate
from lintseq_lsp.generation import Limits, Step, generate
from lintseq_lsp.text import Document

SECONDS, MEGABYTES = 5, 512
LIMITS, LINES, TOKENS = Limits(steps=64, tries=4), 24, 256


@dataclass(frozen=True, slots=True)
class Problem:
    """`given` is run before the program, `check` behind it; that raises when the program is wrong."""

    name: str
    instruction: str
    given: str
    check: str

    def complete(self, program: str) -> str:
        return f"{self.given}\n{program}\n{self.check}"


class Result(Enum):
    """What became of a program."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    NO_SANDBOX = "no sandbox"


def problem_of(record: dict[str, Any]) -> Problem:
    """A line of a HumanEval (`prompt`, `test`, `entry_point`) or an MBPP file (`text`, `test_list`)."""
    if "entry_point" in record:
        given = record["prompt"].partition(f"def {record['entry_point']}(")[0]  # imports, other functions
        instruction = f"Write a Python function to solve the following problem:\n{record['prompt'].strip()}"
        check = f"{record['test']}\ncheck({record['entry_point']})\n"
        return Problem(str(record["task_id"]), instruction, given, check)
    tests = record["test_list"]
    setup = record.get("test_setup_code", "")
    text = record.get("text") or record["prompt"]
    instruction = f"{text.strip()}\nYour code should satisfy the following test:\n{tests[0]}"
    return Problem(str(record["task_id"]), instruction, setup, "\n".join([*tests, ""]))


def pass_at(k: int, samples: int, passed: int) -> float:
    """Probability that one of k samples drawn from these passes (Chen et al. 2021, equation 1)."""
    if samples - passed < k:
        return 1.0
    return 1.0 - math.comb(samples - passed, k) / math.comb(samples, k)


_CHILD = """\
import ctypes, os, resource, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000 | 0x40000000) != 0:  # a user and a network namespace of its own
    sys.exit(99)
seconds, size = int(sys.argv[1]), int(sys.argv[2]) << 20
for limit, value in (
    (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, size), (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 16),
):
    resource.setrlimit(limit, (value, value))
program = sys.stdin.read()
sys.stdin = open(os.devnull)
exec(compile(program, "program.py", "exec"), {"__name__": "program"})
os._exit(42)
"""


def run(program: str, *, seconds: int = SECONDS, megabytes: int = MEGABYTES) -> Result:
    """Runs a program in a child. It passes when it comes to its end, not when it exits."""
    command = [sys.executable, "-I", "-S", "-c", _CHILD, str(seconds), str(megabytes)]
    quiet = subprocess.DEVNULL
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command,
            cwd=folder,
            env={},
            text=True,
            stdin=subprocess.PIPE,
            stdout=quiet,
            stderr=quiet,
            start_new_session=True,
        ) as child,
    ):
        try:
            child.communicate(program, timeout=seconds + 2)
        except subprocess.TimeoutExpired:
            return Result.TIMEOUT
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # also what it started
    if child.returncode == 99:
        return Result.NO_SANDBOX
    if child.returncode in (-9, -24):  # SIGKILL, SIGXCPU
        return Result.TIMEOUT
    return Result.PASSED if child.returncode == 42 else Result.FAILED


def write(
    backend: Backend, prompt_format: PromptFormat, gate: Gate, instruction: str, sampling: Sampling
) -> str:
    """The program that one sequence of edits builds from the empty file."""
    document = Document("")
    room = Room(backend.context, LINES, TOKENS)
    question = prompt_format.ask(
        View(document, 0, instruction=instruction), Task.INSTRUCT, backend.count, room
    )
    if question is None:
        return ""
    bar = gate.against(document)
    for item in generate(question, document, backend, bar, limits=LIMITS, sampling=sampling):
        if isinstance(item, Step) and item.verdict.accepted:
            document = item.document
    return document.text


def score(
    backend: Backend,
    prompt_format: PromptFormat,
    gate: Gate,
    problem: Problem,
    samples: int,
    temperature: float,
) -> int:
    """How many of the samples pass."""
    passed = 0
    for seed in range(samples):
        sampling = Sampling(temperature, 0.95, seed=seed)
        program = write(backend, prompt_format, gate, problem.instruction, sampling)
        result = run(problem.complete(program))
        if result is Result.NO_SANDBOX:
            raise SystemExit("this system grants no network namespace: programs are not run")
        passed += result is Result.PASSED
    return passed


def ungated() -> Gate:
    """A gate that accepts every state."""
    from concurrent.futures import Future

    from lintseq_lsp.linters.base import Check, Report, Tier

    class Silent:
        def submit(self, check: Check) -> Future[Report]:
            report: Future[Report] = Future()
            report.set_result(Report(tier=check.tier or Tier.PYLINT))
            return report

        def close(self) -> None:
            pass

    return Gate(Silent(), lambda _text: Report())


def main(arguments: argparse.Namespace) -> None:
    from lintseq_lsp.backends.llama import LlamaBackend
    from lintseq_lsp.runtime import open_gate
    from lintseq_lsp.settings import Settings

    with arguments.problems.open() as file:
        problems = [problem_of(json.loads(line)) for line in file if line.strip()]
    backend = LlamaBackend(arguments.model)
    prompt_format = detect(backend.has, backend.name)
    if Task.INSTRUCT not in prompt_format.tasks:
        raise SystemExit(f"{backend.name} follows no instructions: its prompt format is {prompt_format.name}")
    gate = open_gate(Settings(gate_timeout=20.0)) if arguments.gated else ungated()
    passed = []
    for problem in problems:
        count = score(backend, prompt_format, gate, problem, arguments.samples, arguments.temperature)
        passed.append(count)
        print(f"{problem.name}: {passed[-1]} of {arguments.samples}", flush=True)
    gate.linter.close()
    print(table(passed, arguments.samples, arguments.k))


def table(passed: Sequence[int], samples: int, ks: Sequence[int]) -> str:
    """One line a k that the samples suffice for."""
    shares = {k: mean(pass_at(k, samples, count) for count in passed) for k in ks if k <= samples}
    return "\n".join(f"pass@{k}: {100 * share:.1f} %" for k, share in shares.items())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="GGUF file")
    parser.add_argument("problems", type=Path, help="JSONL")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--k", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--gated", action="store_true", help="only states that the gate accepts")
    main(parser.parse_args())
