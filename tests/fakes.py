"""Linters and a model that say what a test wants, when it wants it."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace

from lintseq_lsp.backends.base import EVERYTHING, Piece, Request, Special, Usage
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Check, Dependencies, Finding, OnDisk, Report, Tier
from lintseq_lsp.linters.syntax import check_syntax


def finding(message: str, line: int = 1, symbol: str = "bad-line") -> Finding:
    return Finding(symbol, "E9999", message, line)


def lint_bad(text: str) -> Report:
    """One finding for each line that holds "bad", named by the line; "broken" does not parse."""
    lines = text.split("\n")
    broken = [
        finding(line, number, "syntax-error") for number, line in enumerate(lines, 1) if "broken" in line
    ]
    if broken:
        return Report(broken[:1], Tier.PYLINT, parsed=False)
    findings = [finding(line.strip(), number) for number, line in enumerate(lines, 1) if "bad" in line]
    return Report(findings, Tier.PYLINT, milliseconds=1.0)


def lint_nothing(_: str) -> Report:
    return Report((), Tier.SYNTAX)


class ImmediateLinter:
    """Answers within `submit`. `checks` are those it was asked, oldest first."""

    def __init__(self, lint: Callable[[str], Report] = lint_bad) -> None:
        self.checks: list[Check] = []
        self.closed = False
        self._lint = lint

    def submit(self, check: Check) -> Future[Report]:
        self.checks.append(check)
        future: Future[Report] = Future()
        future.set_result(self._lint(check.text))
        return future

    def close(self) -> None:
        self.closed = True


class ManualLinter(ImmediateLinter):
    """Answers when it is told to."""

    def __init__(self, lint: Callable[[str], Report] = lint_bad) -> None:
        super().__init__(lint)
        self.waiting: list[tuple[str, Future[Report]]] = []

    def submit(self, check: Check) -> Future[Report]:
        self.checks.append(check)
        future: Future[Report] = Future()
        self.waiting.append((check.text, future))
        return future

    def answer(self) -> None:
        """Answers all that is waiting."""
        while self.waiting:
            text, future = self.waiting.pop(0)
            future.set_result(self._lint(text))


class Moving(OnDisk):
    """A workspace in which all reports are out of date when `state` is another one."""

    state = "first"

    def unchanged(self, path: str, dependencies: Dependencies) -> bool:  # noqa: ARG002
        return dependencies.names == {self.state}


def moving_gate(lint: Callable[[str], Report] = lint_bad) -> tuple[Gate, Moving]:
    """A gate whose reports depend on the workspace that comes with it."""
    workspace = Moving()

    def lint_now(text: str) -> Report:
        return replace(lint(text), dependencies=Dependencies(names=frozenset({workspace.state})))

    return Gate(ImmediateLinter(lint_now), lint_nothing, GatePolicy(), workspace), workspace


def gate_of(linter: ImmediateLinter | None = None, syntax: Callable[[str], Report] = lint_nothing) -> Gate:
    return Gate(linter or ImmediateLinter(), syntax, GatePolicy())


def python_gate() -> Gate:
    """A gate whose linter is the cheap tier: no process, and real Python."""
    return Gate(ImmediateLinter(check_syntax), check_syntax, GatePolicy())


class LineModel:
    """A model that writes given lines where it is asked to, the half-typed one from its beginning on.

    Each candidate of a request takes the next answer; when none is left it writes nothing.
    """

    name = "lines"
    abilities = EVERYTHING

    def __init__(self, *answers: Sequence[str], context: int = 1024) -> None:
        self.context = context
        self.usage = Usage()
        self.requests: list[Request] = []
        self._answers = list(answers)

    def has(self, special: Special) -> bool:
        return bool(special.text)

    def count(self, text: str) -> int:
        return ScriptedBackend([]).count(text)

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        self.requests.append(request)
        count = min(request.candidates, len(self._answers))
        fragments = [_continuation(request, self._answers.pop(0)) for _ in range(count)]
        backend = ScriptedBackend(["<|diff|>".join([*fragments, ""])] if fragments else [])
        try:
            yield from backend.write(request, cancelled)
        finally:
            self.usage = backend.usage

    def close(self) -> None:
        pass


def _continuation(request: Request, lines: Sequence[str]) -> str:
    fragment = request.prompt[-1]
    assert isinstance(fragment, str)
    begins = [begin for group in request.begins for begin in group]
    headers = [(fragment + begin).split("\n")[0] for begin in begins or [""]]
    if not fragment + "".join(begins):
        return "\n"
    wanted = [header for header in headers if _count(header) == len(lines)] or headers
    whole = "\n".join([wanted[-1], *(f"+{line}" for line in lines)]) + "\n"
    assert whole.startswith(fragment), f"{whole!r} does not begin with {fragment!r}"
    return whole[len(fragment) :]


def _count(header: str) -> int:
    match = re.fullmatch(r"@@ -\d+,0 \+\d+(?:,(\d+))? @@", header)
    assert match, header
    return int(match[1] or 1)
