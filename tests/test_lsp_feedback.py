"""What the way a document changes says about the suggestion that was shown."""

import pytest

from lintseq_lsp.edits import Replacement
from lintseq_lsp.linters.base import Tier
from lintseq_lsp.lsp.feedback import QUIET, SEEN_AFTER, Feedback
from lintseq_lsp.suggestions import Evidence, Suggestion
from lintseq_lsp.text import Document

URI = "file:///a.py"


class Bench:
    """A document with the suggestion `return x` at a cursor, and a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.rejected: list[Suggestion] = []
        self.declined: list[Suggestion] = []
        self.feedback = Feedback(self.rejected.append, self.declined.append, lambda: self.now)
        self.document = Document("def f(x):\n    \n\ny = 1\n")
        self.cursor = 14
        self.suggestion = self.suggest("return (x)")

    def suggest(self, text: str) -> Suggestion:
        change = Replacement(self.cursor, self.cursor, text)
        return Suggestion(self.document, (change,), Evidence(1, 0, Tier.PYLINT, 1.0))

    def offer(self, *suggestions: Suggestion) -> None:
        self.feedback.offered(URI, suggestions or (self.suggestion,), self.document, self.cursor)

    def replace(self, start: int, end: int, text: str) -> None:
        self.document = Document(self.document.text[:start] + text + self.document.text[end:])
        self.feedback.changed(URI, self.document)

    def type(self, text: str) -> None:
        self.replace(self.cursor, self.cursor, text)
        self.cursor += len(text)


@pytest.fixture
def bench():
    return Bench()


def test_typing_along_is_no_rejection(bench):
    bench.offer()
    bench.now += 5
    for character in "return":
        bench.type(character)
    assert bench.rejected == []
    assert not bench.feedback.is_quiet(URI)


def test_typing_something_else_is_a_rejection_and_some_quiet(bench):
    bench.offer()
    bench.now += 2 * SEEN_AFTER
    bench.type("re")
    bench.type("x")
    assert bench.rejected == [bench.suggestion]
    assert bench.feedback.is_quiet(URI)
    bench.now += QUIET
    assert not bench.feedback.is_quiet(URI)


def test_brackets_that_the_editor_closes_go_along(bench):
    bench.offer()
    bench.now += 5
    bench.type("return ")
    bench.replace(bench.cursor, bench.cursor, "()")
    bench.cursor += 1
    assert bench.rejected == []
    bench.type("y")
    assert bench.rejected == [bench.suggestion]


def test_what_was_not_on_the_screen_is_not_rejected(bench):
    bench.offer()
    bench.now += SEEN_AFTER / 2
    bench.type("x")
    assert bench.rejected == []


def test_what_the_client_has_shown_is_rejected_at_once(bench):
    bench.offer()
    bench.feedback.seen(bench.suggestion.id)
    bench.type("x")
    assert bench.rejected == [bench.suggestion]


def test_alternatives_that_were_not_shown_are_not_rejected(bench):
    first, second = bench.suggest("pass"), bench.suggest("raise")
    bench.offer(first, second)
    bench.now += 5
    bench.type("x")
    assert bench.rejected == [first]


def test_typing_along_an_alternative_is_no_rejection(bench):
    bench.offer(bench.suggest("pass"), bench.suggest("raise"))
    bench.now += 5
    bench.type("ra")
    assert bench.rejected == []


def test_a_change_elsewhere_is_no_rejection(bench):
    bench.offer()
    bench.now += 5
    bench.replace(0, 0, "# a\n")
    assert bench.rejected == []


def test_accepting_is_no_rejection(bench):
    bench.offer()
    bench.now += 5
    bench.type("return (x)")
    bench.type("\n")
    assert bench.rejected == []


def test_after_the_command_nothing_is_rejected(bench):
    bench.offer()
    bench.now += 5
    bench.feedback.accepted(bench.suggestion.id)
    bench.type("z")
    assert bench.rejected == []


def test_deleting_at_the_cursor_is_a_rejection(bench):
    bench.offer()
    bench.now += 5
    bench.replace(bench.cursor - 1, bench.cursor, "")
    assert bench.rejected == [bench.suggestion]


def test_offered_again_while_typing_along_counts_from_the_first_time(bench):
    bench.offer()
    bench.now += SEEN_AFTER * 0.7
    bench.type("re")
    bench.offer()
    bench.now += SEEN_AFTER * 0.7
    bench.type("x")
    assert bench.rejected == [bench.suggestion]


def test_a_rejection_that_the_client_tells(bench):
    first, second = bench.suggest("pass"), bench.suggest("raise")
    bench.offer(first, second)
    bench.feedback.rejected(second.id)
    assert bench.rejected == [second]
    assert bench.feedback.is_quiet(URI)
    bench.feedback.rejected(first.id)  # the offer is gone
    assert (bench.rejected, bench.declined) == ([second], [])


def test_a_next_edit_is_declined_when_the_client_says_so(bench):
    bench.feedback.offered_edits(URI, [bench.suggestion])
    bench.now += 5
    bench.type("x")
    assert (bench.rejected, bench.declined) == ([], [])
    bench.feedback.rejected(bench.suggestion.id)
    assert (bench.rejected, bench.declined) == ([], [bench.suggestion])
    assert not bench.feedback.is_quiet(URI)
    bench.feedback.closed(URI)
    bench.feedback.rejected(bench.suggestion.id)
    assert len(bench.declined) == 1


def test_a_closed_document_has_no_offer(bench):
    bench.offer()
    bench.now += 5
    bench.feedback.closed(URI)
    bench.type("z")
    assert bench.rejected == []
