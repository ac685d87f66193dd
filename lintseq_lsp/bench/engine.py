"""The benchmark of the engine in this process: typing, and cancelling."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future

from lintseq_lsp.backends.base import Backend, Usage
from lintseq_lsp.bench.gate import warm
from lintseq_lsp.bench.llama import RecordedLlama
from lintseq_lsp.bench.texts import Keystroke, statements, texts, typed
from lintseq_lsp.bench.values import Plan, Result, Results, Target
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import Cancelled
from lintseq_lsp.formats.lintseq import Layout, LintSeq
from lintseq_lsp.linters.base import Check, Linter, Report
from lintseq_lsp.runtime import open_engine, open_gate
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Memory
from lintseq_lsp.text import Document
from lintseq_lsp.weights.random_model import random_model

_GOALS = {"key": (60, 120), "jump": (300, 500), "enter": (150, 300)}
"""Milliseconds in 200 lines, median and p90."""
_PHASES = ("reading", "writing", "linting")


def typing(plan: Plan) -> Results:
    """From a request to its answer while lines are typed anew, one key after the other."""
    engine = open_engine(Settings(model=plan.model))
    try:
        warm(engine.gate.linter)
        yield from _typing(plan, engine, 200, "200 lines", targets=True)
        yield from _typing(plan, engine, 200, "200 lines, after a rest", rested=True)
        yield from _typing(plan, engine, 200, "200 lines, asked by hand", by_hand=True)
        yield from _typing(plan, engine, 200, "200 lines, baseline unknown", prepared=False)
        yield from _typing(plan, engine, 2000, "2,000 lines")
    finally:
        engine.close()
    yield from _typing_150m(plan)


def _typing_150m(plan: Plan) -> Results:
    gate = open_gate(Settings())
    try:
        backend = RecordedLlama(random_model())
        engine = Engine(backend, gate, prompt_format=LintSeq(Layout.PAPER), settings=Settings())
    except BaseException:
        gate.linter.close()
        raise

    def answer(key: Keystroke) -> None:
        backend.answer = lambda: f"{key.rest}\n"

    try:
        warm(gate.linter)
        yield from _typing(plan, engine, 200, "200 lines, 150M recorded", on_key=answer)
    finally:
        engine.close()


def _typing(
    plan: Plan,
    engine: Engine,
    lines: int,
    label: str,
    *,
    prepared: bool = True,
    rested: bool = False,
    by_hand: bool = False,
    targets: bool = False,
    on_key: Callable[[Keystroke], None] = lambda _: None,
) -> Results:
    """Every key asks the model anew: nothing is remembered of what the line could become.

    As the server asks by itself, or `by_hand`, where users get improbable answers, too. `prepared` is what
    the linter has by then. `rested` means that the cursor stood at the end of the line before it was typed
    anew, and before Enter, long enough for the model to read ahead.
    """
    choice = random.Random(0)
    first_line: dict[str, list[float]] = defaultdict(list)
    nothing: dict[str, list[float]] = defaultdict(list)
    read: dict[str, list[float]] = defaultdict(list)
    unasked: Counter[str] = Counter()
    shorter = not (targets or rested)
    certainty = 0.0 if by_hand else engine.settings.certainty
    most = plan.times(8 if shorter else 20, 6)
    for document in texts(lines)[: plan.times(2 if lines > 200 else 7, 2)]:
        places = statements(document)
        for line in choice.sample(places, min(len(places), plan.times(1 if shorter else 3, 1))):
            for key in typed(document, line, 1 if rested else most):
                if rested:
                    engine.read_ahead(document, document.starts[line] + len(document.lines[line]))
                if prepared:
                    engine.prepare(key.document, key.line)
                on_key(key)
                engine.memory = Memory()
                start = time.perf_counter()
                outcome = engine.complete(key.document, key.offset, certainty=certainty)
                milliseconds = (time.perf_counter() - start) * 1000
                if not outcome.prompt_tokens_read:
                    unasked[outcome.reason.value] += 1  # answered without the model
                    continue
                read[key.kind].append(outcome.prompt_tokens_read)
                (first_line if outcome.suggestions else nothing)[key.kind].append(milliseconds)
    note = ", ".join(f"{count} without the model: {reason}" for reason, count in unasked.items())
    few = (Target("p50", 16),)
    for kind, name in (("key", "typing"), ("jump", "cursor jump"), ("enter", "Enter")):
        title = f"{name}, {label}"
        known = tuple(map(Target, ("p50", "p90"), _GOALS[kind]))
        of_key = targets and kind == "key"
        yield Result(f"{title}: prompt tokens read", "tokens", tuple(read[kind]), few if of_key else ())
        yield Result(
            f"{title}: request to the first clean line",
            "ms",
            tuple(first_line[kind]),
            known if targets else (),
            note,
        )
        yield Result(f"{title}: request to nothing to offer", "ms", tuple(nothing[kind]))


def cancel(plan: Plan) -> Results:
    """From a cancellation at a random moment of a request until the engine is free for the next one."""
    for label, model in (("", plan.model), (", 150M", str(random_model()))):
        engine = open_engine(Settings(model=model))
        try:
            warm(engine.gate.linter)
            times = _cancelled(engine, plan.times(60, 8))
        finally:
            engine.close()
        together = tuple(value for values in times.values() for value in values)
        counts = ", ".join(f"{len(values)} {phase}" for phase, values in sorted(times.items()))
        yield Result(f"cancel to idle{label}", "ms", together, (Target("p95", 50),), f"while {counts}")
        for phase, values in sorted(times.items()):
            yield Result(f"cancel to idle{label}, {phase}", "ms", tuple(values))


def _cancelled(engine: Engine, wanted: int) -> dict[str, list[float]]:
    """Milliseconds by what was going on. Every request has a text of its own: nothing is known of it."""
    watched = _Watched(engine.gate.linter)
    engine.gate.linter = watched
    choice = random.Random(0)
    documents = texts(200)
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(10 * wanted):
        if sum(map(len, found.values())) >= wanted:
            break
        document = documents[number % len(documents)]
        line = choice.choice(statements(document))
        key = choice.choice(list(typed(document, line, 12)))
        first = f"_{number} = {number}\n"
        request = Document(first + key.document.text, 1, f"/nonexistent/cancel_{number}.py")
        stop = threading.Event()
        arguments = (engine, request, key.offset + len(first), stop)
        running = threading.Thread(target=_complete, args=arguments)
        usage = engine.backend.usage
        running.start()
        # Into each phase alike, though they last differently long; and on from there, 1 ms to 1 s.
        while running.is_alive() and watched.phase(engine.backend, usage) != _PHASES[number % 3]:
            time.sleep(0.0005)
        running.join(10 ** choice.uniform(-3, 0))
        phase = watched.phase(engine.backend, usage)
        stop.set()
        asked = time.perf_counter()
        if running.is_alive():
            running.join()
            found[phase].append((time.perf_counter() - asked) * 1000)
        watched.settle()
    return found


def _complete(engine: Engine, document: Document, offset: int, stop: threading.Event) -> None:
    try:
        engine.complete(document, offset, cancelled=stop.is_set)
    except Cancelled:
        return


class _Watched:
    """A linter of which one can see whether it works."""

    def __init__(self, linter: Linter) -> None:
        self._linter = linter
        self._last: Future[Report] | None = None

    def submit(self, check: Check) -> Future[Report]:
        self._last = self._linter.submit(check)
        return self._last

    def phase(self, backend: Backend, before: Usage) -> str:
        """`before` is the backend's usage before the request."""
        if self._last is not None and not self._last.done():
            return "linting"
        return "writing" if backend.usage.written and backend.usage is not before else "reading"

    def settle(self) -> None:
        """Waits for what was abandoned: it is not to count for the next request."""
        if self._last is not None:
            self._last.result()
        self._last = None

    def close(self) -> None:
        self._linter.close()
