"""Linters that say what a test wants, when it wants it."""

from collections.abc import Callable
from concurrent.futures import Future

from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Check, Finding, Report, Tier
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


def gate_of(linter: ImmediateLinter | None = None, syntax: Callable[[str], Report] = lint_nothing) -> Gate:
    return Gate(linter or ImmediateLinter(), syntax, GatePolicy())


def python_gate() -> Gate:
    """A gate whose linter is the cheap tier: no process, and real Python."""
    return Gate(ImmediateLinter(check_syntax), check_syntax, GatePolicy())
