"""Programs a second that LintSeq gets through: our warm linter against the reference's way of linting.

    python benchmarks/lintseq.py [--programs 40] [--rounds 3] [--package json ...]

The reference's way is pylint's `run_pylint` on a temporary file for each check, in the same process. Both
take the same programs apart with the same picks, one after the other on one core, and every check must
have the same findings: it ends with status 1 and the differences otherwise. A round that does not count comes
first, in which both read what the programs need of the standard library: seconds that a corpus pays once,
and a row of its own. On a busy machine a round is as fast as it is let; there the row by processor time is
what to go by.
"""

import contextlib
import io
import os
import platform
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Annotated

import psutil
import pylint
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from lintseq_lsp import lintseq
from lintseq_lsp.errors import SettingsError
from lintseq_lsp.linters.base import Finding, Report
from lintseq_lsp.linters.environment import find_environment
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.synthesis import sources
from lintseq_lsp.synthesis.programs import Program
from lintseq_lsp.synthesis.workers import lint_with

PACKAGES = ("json", "textwrap", "shlex", "csv", "argparse", "configparser", "rich", "hypothesis")
LINES = range(6, 61)
OPTIONS = (
    "--disable=C,R",
    "--reports=n",
    "--score=n",
    "--unsafe-load-any-extension=y",
    "--generated-members=cv2.*",
    "--msg-template={C}|{msg_id}|{line}|{column}|{msg}",
)
MESSAGE = re.compile(r"([EFW])\|(\w+)\|(\d+)\|(-?\d+)\|(.*)")
HINT = re.compile(r"; maybe '.*\?$")
ENDING = re.compile(r" \((?:detected at line \d+|\S+, line \d+)\)")

Compared = list[tuple[str, int, int, str]]


def reference_lint(text: str) -> Report:
    """As the paper's code checks: a file, a new `PyLinter`, its output parsed."""
    output = io.StringIO()
    with tempfile.NamedTemporaryFile("r+", suffix=".py", encoding="utf-8") as file:
        file.write(text)
        file.seek(0)
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            contextlib.suppress(SystemExit),
        ):
            pylint.run_pylint([*OPTIONS, file.name])
    name = Path(file.name).stem
    findings = [
        Finding(code, code, message.replace(name, "lintseq_program"), int(line), int(column))
        for category, code, line, column, message in MESSAGE.findall(output.getvalue())
        if category != "W" or code in {"W0311", "W0231"}
    ]
    return Report(findings)


def compared(report: Report) -> Compared:
    """What must agree: code, line, column, message.

    Our linter has pylint's hints at similar names switched off. Of a syntax error the line to delete is
    compared and not where the text ended, which depends on a last newline.
    """
    result = []
    for finding in report.findings:
        syntax = finding.code == "E0001"
        message = ENDING.sub("", finding.message) if syntax else HINT.sub("", finding.message)
        column = 0 if syntax else finding.column
        result.append((finding.code, lintseq.line_at_fault(finding), column, message))
    return sorted(result)


def timed(program: Program, lint: lintseq.Lint, seed: int) -> tuple[float, list[float], list[Compared]]:
    """Seconds for the backward phase, seconds of each check, findings of each check."""
    seconds: list[float] = []
    seen: list[Compared] = []

    def watched(text: str) -> Report:
        begin = time.perf_counter()
        report = lint(text)
        seconds.append(time.perf_counter() - begin)
        seen.append([("FAILED", 0, 0, report.failure)] if report.failure else compared(report))
        return report

    begin = time.perf_counter()
    lintseq.lintseq_states(program.code.split("\n"), watched, Random(seed))
    return time.perf_counter() - begin, seconds, seen


def processor_seconds() -> float:
    """Of this process and of its linter's, which a busy machine does not bend."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return time.process_time() + sum(each.user + each.system for each in times)


def choose(packages: Sequence[str], count: int) -> list[Program]:
    """Functions and classes at random from all packages, the same each time."""
    found = [
        item
        for name in packages
        for item in sources.programs(sources.package(name))
        if isinstance(item, Program) and item.code.count("\n") + 1 in LINES
    ]
    return Random(0).sample(found, min(count, len(found)))


def spread(values: Sequence[float]) -> str:
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median:.1f} [{low:.1f} … {high:.1f}]"


def main(
    programs: Annotated[int, typer.Option(min=2)] = 40,
    rounds: Annotated[int, typer.Option(min=2)] = 3,
    package: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    console = Console(width=110)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        chosen = choose(package or PACKAGES, programs)
    except SettingsError as error:
        sys.exit(str(error))
    if len(chosen) < 2:
        sys.exit(f"two programs of {LINES[0]} to {LINES[-1]} lines are needed, and there are {len(chosen)}")
    pool = PylintPool(find_environment(None))
    ways = {"reference": reference_lint, "ours": lint_with(pool, 86400.0, threading.Event())}
    with contextlib.closing(pool):
        totals: dict[str, list[float]] = {way: [] for way in ways}
        cold: dict[str, list[float]] = {way: [] for way in ways}
        checks: dict[str, list[float]] = {way: [] for way in ways}
        processor = dict.fromkeys(ways, 0.0)
        faster: list[float] = []
        differences: list[str] = []
        for number in range(-1, rounds):
            is_cold = number < 0
            sums = dict.fromkeys(ways, 0.0)
            for program in track(chosen, f"Round {number + 1} of {rounds}", console=Console(stderr=True)):
                runs = {}
                for way, lint in ways.items():
                    before = processor_seconds()
                    runs[way] = timed(program, lint, number)
                    processor[way] += 0.0 if is_cold else processor_seconds() - before
                for way, (seconds, each, _) in runs.items():
                    sums[way] += seconds
                    checks[way] += [] if is_cold else each
                faster += [] if is_cold else [runs["reference"][0] / runs["ours"][0]]
                differences += [
                    f"{program.source_file} {program.index}, check {check}: {theirs} but ours {mine}"
                    for check, (theirs, mine) in enumerate(zip_longest(runs["reference"][2], runs["ours"][2]))
                    if theirs != mine
                ]
            for way in ways:
                speeds = cold if is_cold else totals
                speeds[way].append(len(chosen) / sums[way])

    lines = [program.code.count("\n") + 1 for program in chosen]
    console.print(
        f"Python {platform.python_version()}, pylint {version('pylint')}, {platform.machine()}, "
        f"one of {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    console.print(
        f"{len(chosen)} programs of {spread(lines)} lines, {rounds} rounds, medians [quartiles]", markup=False
    )
    table = Table("", "reference", "ours", "times faster")
    speedups = [mine / theirs for theirs, mine in zip(totals["reference"], totals["ours"], strict=True)]
    table.add_row(
        "programs a second, by round",
        *(" ".join(f"{value:.2f}" for value in totals[way]) for way in ways),
        " ".join(f"{value:.1f}" for value in speedups),
    )
    means = {way: statistics.harmonic_mean(totals[way]) for way in ways}
    table.add_row(
        "all rounds together",
        *(f"{means[way]:.2f}" for way in ways),
        f"{means['ours'] / means['reference']:.1f}",
    )
    rates = {way: rounds * len(chosen) / processor[way] for way in ways}
    table.add_row(
        "programs a processor second",
        *(f"{rates[way]:.2f}" for way in ways),
        f"{rates['ours'] / rates['reference']:.1f}",
    )
    table.add_row("milliseconds a check", *(escape(spread([s * 1000 for s in checks[way]])) for way in ways))
    table.add_row("each program", "", "", escape(spread(faster)))
    table.add_row("the round before, programs a second", *(f"{cold[way][0]:.2f}" for way in ways), "")
    console.print(table)
    console.print(f"{len(checks['ours'])} checks, {len(differences)} with other findings")
    for difference in differences[:20]:
        console.print(difference, markup=False, soft_wrap=True)
    if differences:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
