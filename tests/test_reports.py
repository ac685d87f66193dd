"""Reports that are known, come later, or fail."""

from collections.abc import Callable
from concurrent.futures import Future

import pytest

from lintseq_lsp import reports as module
from lintseq_lsp.errors import Cancelled
from lintseq_lsp.linters.base import Dependencies, Report, Tier
from lintseq_lsp.reports import Key, Reports, wait

FOUND = Report(tier=Tier.PYLINT)
FAILED = Report(failure="died", milliseconds=2000.0)


def key(text: str = "x = 1\n", path: str = "a.py") -> Key:
    return path, text, Tier.PYLINT, "    "


class Linter:
    """Counts what it is asked, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Future[Report]] = []

    def __call__(self) -> Future[Report]:
        self.asked.append(Future())
        return self.asked[-1]

    def answering(self, report: Report) -> Callable[[], Future[Report]]:
        def check() -> Future[Report]:
            self().set_result(report)
            return self.asked[-1]

        return check


@pytest.fixture
def linter() -> Linter:
    return Linter()


def ask(
    reports: Reports,
    of: Key,
    check: Callable[[], Future[Report]],
    *,
    holds: bool = True,
    cancelled: bool = False,
) -> Report:
    return reports.of(of, check, lambda _: holds, lambda: cancelled, 0.0)


def test_a_report_is_known_while_it_holds(linter: Linter) -> None:
    reports = Reports()
    for _ in range(2):
        assert ask(reports, key(), linter.answering(FOUND)) is FOUND
    assert len(linter.asked) == 1
    ask(reports, key(), linter.answering(FOUND), holds=False)
    ask(reports, key("x = 2\n"), linter.answering(FOUND))
    assert len(linter.asked) == 3


def test_who_is_in_a_hurry_finds_it_later(linter: Linter) -> None:
    reports = Reports()
    (running := linter()).set_running_or_notify_cancel()
    late = ask(reports, key(), lambda: running)
    assert late.failure == "the linter is still busy with the file after 0.0 s"
    running.set_result(FOUND)
    assert ask(reports, key(), linter) is FOUND
    assert linter.asked == [running]


def test_what_was_begun_and_does_not_hold_any_more_is_asked_again(linter: Linter) -> None:
    reports = Reports()
    (running := linter()).set_running_or_notify_cancel()
    ask(reports, key(), lambda: running)
    running.set_result(Report(dependencies=Dependencies(names=frozenset({"old"}))))
    assert ask(reports, key(), linter.answering(FOUND), holds=False) is FOUND


def test_who_gives_up_takes_back_what_has_not_begun(linter: Linter) -> None:
    reports = Reports()
    with pytest.raises(Cancelled):
        ask(reports, key(), linter, cancelled=True)
    assert linter.asked[0].cancelled()
    (running := linter()).set_running_or_notify_cancel()
    with pytest.raises(Cancelled):
        ask(reports, key(), lambda: running, cancelled=True)
    running.set_result(FOUND)
    assert ask(reports, key(), linter) is FOUND
    assert len(linter.asked) == 2


def test_a_file_that_fails_again_is_left_alone(linter: Linter, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    reports, check = Reports(), linter.answering(FAILED)
    for number in range(4):  # the text is another one each time
        assert ask(reports, key(f"x = {number}\n"), check).failure == "died"
    assert len(linter.asked) == 2
    assert ask(reports, key(path="b.py"), linter.answering(FOUND)) is FOUND
    now += 10 * FAILED.milliseconds / 1000 - 0.1
    assert ask(reports, key(), check) is FAILED
    assert len(linter.asked) == 3
    now += 0.2
    assert ask(reports, key(), linter.answering(FOUND)) is FOUND
    for number in range(2):  # all is forgiven
        assert ask(reports, key(f"y = {number}\n"), check) is FAILED
    assert len(linter.asked) == 6


def test_waiting_has_an_end_once_it_runs() -> None:
    future: Future[int] = Future()
    answers = iter([False] * 5)
    with pytest.raises(StopIteration):  # it does not run: nobody has given up
        wait(future, lambda: next(answers), 0.0)
    future.set_running_or_notify_cancel()
    assert wait(future, lambda: False, 0.0) is None
