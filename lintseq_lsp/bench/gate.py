"""The benchmark of the gate: what it adds to a sequence, and what one check costs."""

import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from lintseq_lsp.bench.llama import RecordedLlama
from lintseq_lsp.bench.texts import statements, texts
from lintseq_lsp.bench.values import Plan, Result, Results, Target
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.formats.base import Question, Room, Task, View
from lintseq_lsp.formats.lintseq import Layout, LintSeq, chunk
from lintseq_lsp.gate import Gate
from lintseq_lsp.generation import Limits, Step, generate
from lintseq_lsp.linters.base import Check, Linter, Report, Tier
from lintseq_lsp.runtime import open_gate, open_linter
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document, indentation
from lintseq_lsp.weights.random_model import random_model

_NEW_LINES = (
    "",
    "",
    "def added_{number}(values):",
    "    first = sum(value * {number} for value in values)",
    "    second = max(values, default=first)",
    "    return first + second",
)
"""One step of the recorded sequence: of a usual length, and clean in any module."""


_WARM = 40
"""Checks until a new worker has read what it reads ahead, one module between two of them."""

_REST = 0.3
"""Seconds in which the worker collects its garbage, as it does between the keys of a user."""


def warm(linter: Linter) -> None:
    for number in range(_WARM):
        linter.submit(Check(f"value = {number}\n", timeout=30.0)).result()


def sequence(plan: Plan) -> Results:
    """Five clean steps at 150M with the gate and without it, turn by turn.

    The weights are random, and the text is a recording: see `RecordedLlama`. The history is in the
    cache, so that reading it does not cover what the gate costs.
    """
    document = texts(200)[0]
    gate = open_gate(Settings())
    backend: RecordedLlama | None = None
    try:
        backend = RecordedLlama(random_model())
        warm(gate.linter)
        question = _question(backend, document)
        open_door = Gate(_Trusting(), lambda _: Report())
        pairs = []
        for _ in range(plan.times(9, 2) + 1):
            seconds, final = _five_steps(backend, gate, question, document)
            pairs.append((seconds, _five_steps(backend, open_door, question, document)[0]))
        checks = _checks(gate.linter, final, plan.times(9, 3))
    finally:
        if backend is not None:
            backend.close()
        gate.linter.close()
    gated, free = (tuple(times) for times in zip(*pairs[1:], strict=True))  # the first pair reads the history
    note = f"{len(document.lines)} lines, random weights that do the work, text from a recording"
    without = Result("five steps, no gate, 150M", "ms", free, note=note)
    check = Result("one warm check of the last state", "ms", _milliseconds(checks))
    yield without
    yield check
    limit = 1.25 * (without.statistic("p50") or 0.0) + (check.statistic("p50") or 0.0)
    yield Result("five clean steps with the gate, 150M", "ms", gated, (Target("p50", limit),), note)


def _question(backend: RecordedLlama, document: Document) -> Question:
    """What comes next, seen from the document's end."""
    view, room = View(document, len(document.text)), Room(backend.context, lines=8, tokens=160)
    question = LintSeq(Layout.PAPER).ask(view, Task.NEXT, backend.count, room)
    assert question is not None
    return question


def _five_steps(
    backend: RecordedLlama, gate: Gate, question: Question, document: Document
) -> tuple[float, Document]:
    """Milliseconds, and the last state. The steps go below all that is shown."""
    shown = sum(part.count("\n+") for part in question.request.prompt if isinstance(part, str))
    diffs = iter(
        [
            chunk([line.format(number=number) for line in _NEW_LINES], shown + number * len(_NEW_LINES))
            for number in range(5)
        ]
    )
    backend.answer = lambda: next(diffs)
    bar = gate.against(document)
    start = time.perf_counter()
    items = list(generate(question, document, backend, bar, limits=Limits(steps=5)))
    milliseconds = (time.perf_counter() - start) * 1000
    steps = [item for item in items if isinstance(item, Step)]
    verdicts = [step.verdict for step in steps]
    if len(steps) != 5 or not all(verdict.accepted for verdict in verdicts):
        raise LintSeqError(f"the recorded steps are not clean: {verdicts}")
    return milliseconds, steps[-1].document


class _Trusting:
    """No gate at all."""

    def submit(self, check: Check) -> Future[Report]:
        done: Future[Report] = Future()
        done.set_result(Report(tier=check.tier))
        return done

    def close(self) -> None:
        """Nothing is held."""


def check(plan: Plan) -> Results:
    """One warm check in the worker, of a text that it has not seen."""
    linter = open_linter(Settings())
    try:
        warm(linter)
        for lines in (20, 200, 2000):
            documents = texts(lines)
            reports = []
            for document in documents:
                reports += _checks(linter, document, plan.times(3 if lines > 200 else 15, 2))
            targets = (Target("p50", 100),) if lines == 200 else ()
            lengths = [len(document.lines) for document in documents]
            note = f"{len(documents)} files of {min(lengths)} to {max(lengths)} lines"
            yield _result(f"one warm check, {lines:,} lines", reports, targets, note)
        for lines in (200, 2000):
            yield from _edits(linter, lines, plan.times(6, 2))
    finally:
        linter.close()


def _edits(linter: Linter, lines: int, repetitions: int) -> Results:
    """One line is put into a function, somewhere in a file: what that costs where all of the file was checked
    before, by the check of what the edit concerns, and by the check of all."""
    choice = random.Random(0)
    parts, wholes = [], []
    for document in texts(lines):
        places = statements(document)
        for line in choice.sample(places, min(len(places), repetitions)):
            start = document.starts[line]
            new = f"{indentation(document.lines[line])}print({line})\n"
            edited = document.text[:start] + new + document.text[start:]
            wholes.append(_checked(linter, edited, document.path))
            _checked(linter, document.text, document.path)
            time.sleep(_REST)
            parts.append(_checked(linter, edited, document.path, partial=True))
            time.sleep(_REST)
    targets = (Target("p50", 120),) if lines == 2000 else ()
    note = f"{sum(not report.partial for report in parts)} of {len(parts)} edits had all checked"
    yield _result(f"an edit in a function, {lines:,} lines", parts, targets, note)
    yield _result(f"an edit in a function, {lines:,} lines, all checked", wholes)


def _result(name: str, reports: Sequence[Report], targets: tuple[Target, ...] = (), note: str = "") -> Result:
    """What the reports took, and in the note, why some could not be made."""
    failures = Counter(report.failure for report in reports if report.failure)
    notes = [note, *(f"{count} times: {failure}" for failure, count in failures.items())]
    return Result(name, "ms", _milliseconds(reports), targets, "; ".join(filter(None, notes)))


def _checks(linter: Linter, document: Document, repetitions: int) -> list[Report]:
    """The first check is left out: it meets imports that were never resolved."""
    texts = [f"{document.text}\nadded_{number} = {number}\n" for number in range(repetitions + 1)]
    return [_checked(linter, text, document.path) for text in texts][1:]


def _checked(linter: Linter, text: str, path: str, *, partial: bool = False) -> Report:
    return linter.submit(Check(text, path, Tier.PYLINT, timeout=10.0, partial=partial)).result()


def _milliseconds(reports: Iterable[Report]) -> tuple[float, ...]:
    return tuple(report.milliseconds for report in reports if not report.failure)
