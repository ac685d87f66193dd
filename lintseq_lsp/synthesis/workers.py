"""Many programs at once: a thread for each linter, whose process does nearly all of the work.

Outcomes come in the programs' order. A known difference from the reference: the gate's linter reports every
error of `compile()` as E0001, a little more than pylint itself does (a late `from __future__` import,
`f(a=1, a=2)`, …). Deliberately absent: any care for linters that hang or die, which
linters/pool.py has.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from lintseq_lsp.linters.base import Check, Linter, Report
from lintseq_lsp.lintseq import Lint
from lintseq_lsp.synthesis.programs import Key, Program, ProgramOutcome, Recipe, synthesize
from lintseq_lsp.text import Document

# Some messages, such as E1111, are for modules of a .py file only. No folder: nothing to import beside it.
_MODULE = str(Path("/no-such-folder/lintseq_program.py"))
_AHEAD = 16  # programs a linter that may be ahead of the slowest one


def outcomes(
    programs: Iterable[Program],
    recipe: Recipe,
    linters: Sequence[Linter],
    again: Mapping[Key, Sequence[int]] = {},
) -> Generator[ProgramOutcome]:
    """What becomes of each program: of its samples in `again`, else of all of them.

    At the end it closes the linters: when it is closed early, no check is waited for.
    """
    free: queue.SimpleQueue[Linter] = queue.SimpleQueue()
    for linter in linters:
        free.put(linter)
    stopped = threading.Event()

    def work(program: Program) -> ProgramOutcome:
        linter = free.get()
        try:
            lint = lint_with(linter, recipe.timeout, stopped, Document(program.code).indent)
            return synthesize(program, recipe, lint, again.get(program.key))
        finally:
            free.put(linter)

    ahead: deque[Future[ProgramOutcome]] = deque()
    threads = ThreadPoolExecutor(len(linters))
    try:
        for program in programs:
            ahead.append(threads.submit(work, program))
            if len(ahead) == _AHEAD * len(linters):
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        stopped.set()
        for linter in linters:
            linter.close()
        threads.shutdown(cancel_futures=True)


def lint_with(linter: Linter, seconds: float, stopped: threading.Event, indent: str = "    ") -> Lint:
    """Checks by `linter` until the time is up; from then on each is a failure.

    `indent` is what one level of the program's blocks is indented by.
    """
    end = time.monotonic() + seconds

    def lint(text: str) -> Report:
        if stopped.is_set():
            return Report(failure="stopped")
        left = end - time.monotonic()
        if left > 0:
            # pylint parses files with one more line end, which counts in where a syntax error at the end is.
            report = linter.submit(Check(text + "\n", _MODULE, timeout=left, indent=indent)).result()
            if report.failure is None or time.monotonic() < end:
                return report
        return Report(failure=f"not done within {seconds:g} s")

    return lint
