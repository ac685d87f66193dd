"""What became of the suggestions that a client was sent: typed along, accepted, or rejected.

Many clients never say, so it is read from how the document changes; of next edits, only they can say.
Deliberately absent: the memory of what was rejected (suggestions.py), and the protocol.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lintseq_lsp.edits import replacement_between
from lintseq_lsp.suggestions import Suggestion
from lintseq_lsp.text import Document

SEEN_AFTER = 0.3
"""Seconds after which a suggestion was on the screen long enough to be declined by typing over it."""
QUIET = 1.0
"""Seconds without automatic suggestions after one was rejected."""

_CLOSERS = ")]}\"'"


@dataclass(frozen=True, slots=True)
class _Offer:
    """What was sent for `document` with the cursor at `cursor`; the first one is shown at once."""

    suggestions: Sequence[Suggestion]
    document: Document
    cursor: int
    since: float
    seen: frozenset[str] = frozenset()


class Feedback:
    """The offer that stands in each document.

    `reject` hears of suggestions at the cursor that were declined, `decline` of next edits.
    """

    def __init__(
        self,
        reject: Callable[[Suggestion], None],
        decline: Callable[[Suggestion], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reject = reject
        self._decline_edit = decline
        self._clock = clock
        self._offers: dict[str, _Offer] = {}
        self._edits: dict[str, Sequence[Suggestion]] = {}
        self._quiet_until: dict[str, float] = {}

    def offered(self, uri: str, suggestions: Sequence[Suggestion], document: Document, cursor: int) -> None:
        before = self._offers.get(uri)
        seen = before.seen if before else frozenset()
        since = before.since if before and _continues(before, suggestions) else self._clock()
        self._offers[uri] = _Offer(suggestions, document, cursor, since, seen)

    def offered_edits(self, uri: str, suggestions: Sequence[Suggestion]) -> None:
        self._edits[uri] = suggestions

    def stable(self, uri: str, suggestions: Sequence[Suggestion]) -> list[Suggestion]:
        """What is on the screen first, so that ghost text does not flicker."""
        offer = self._offers.get(uri)
        shown = [suggestion.text for suggestion in offer.suggestions] if offer else []
        return sorted(
            suggestions, key=lambda entry: shown.index(entry.text) if entry.text in shown else len(shown)
        )

    def seen(self, suggestion_id: str) -> None:
        for uri, offer in self._offers.items():
            if any(suggestion.id == suggestion_id for suggestion in offer.suggestions):
                self._offers[uri] = replace(offer, seen=offer.seen | {suggestion_id})

    def accepted(self, suggestion_id: str) -> None:
        for uri, offer in list(self._offers.items()):
            if any(suggestion.id == suggestion_id for suggestion in offer.suggestions):
                del self._offers[uri]

    def rejected(self, suggestion_id: str) -> None:
        """The client says so."""
        for uri, offer in list(self._offers.items()):
            for suggestion in offer.suggestions:
                if suggestion.id == suggestion_id:
                    self._offers[uri] = replace(offer, seen=offer.seen | {suggestion_id})
                    self._decline(uri, self._offers.pop(uri))
        for suggestions in self._edits.values():
            for suggestion in suggestions:
                if suggestion.id == suggestion_id:
                    self._decline_edit(suggestion)

    def closed(self, uri: str) -> None:
        self._offers.pop(uri, None)
        self._edits.pop(uri, None)
        self._quiet_until.pop(uri, None)

    def is_quiet(self, uri: str) -> bool:
        """Whether the user has just declined a suggestion there."""
        return self._clock() < self._quiet_until.get(uri, 0.0)

    def changed(self, uri: str, document: Document) -> None:
        """Reads from the new text what the user thought of the offer."""
        offer = self._offers.pop(uri, None)
        if offer is None or document.text == offer.document.text:
            return
        if any(document.text == suggestion.text for suggestion in offer.suggestions):
            return
        cursor = max(
            (_typed_along(offer, suggestion, document) for suggestion in offer.suggestions), default=0
        )
        if cursor:
            self._offers[uri] = replace(offer, document=document, cursor=cursor)
        elif _is_at_the_cursor(offer, document):
            self._decline(uri, offer)

    def _decline(self, uri: str, offer: _Offer) -> None:
        shown = offer.seen
        if self._clock() - offer.since >= SEEN_AFTER:
            shown = shown | {suggestion.id for suggestion in offer.suggestions[:1]}
        declined = [suggestion for suggestion in offer.suggestions if suggestion.id in shown]
        for suggestion in declined:
            self._reject(suggestion)
        if declined:
            self._quiet_until[uri] = self._clock() + QUIET


def _continues(offer: _Offer, suggestions: Sequence[Suggestion]) -> bool:
    """Whether what is shown now is what was shown before, further typed."""
    return bool(suggestions) and suggestions[0].text in {entry.text for entry in offer.suggestions}


def _typed_along(offer: _Offer, suggestion: Suggestion, now: Document) -> int:
    """Where the cursor is by now if what was typed begins the suggestion, else 0.

    Editors close brackets and quotes by themselves: those may stand behind it.
    """
    before, cursor = offer.document.text, offer.cursor
    grown = len(now.text) - len(before)
    if grown <= 0 or now.text[:cursor] != before[:cursor] or now.text[cursor + grown :] != before[cursor:]:
        return 0
    typed = now.text[cursor : cursor + grown]
    for text in (typed, typed.rstrip(_CLOSERS)):
        if text and suggestion.text.startswith(text, cursor):
            return cursor + len(text)
    return 0


def _is_at_the_cursor(offer: _Offer, now: Document) -> bool:
    """Whether the change touches the line of the offer."""
    change = replacement_between(offer.document.text, now.text)
    if change is None:
        return False
    line = offer.document.position(offer.cursor)[0]
    first, last = offer.document.position(change.start)[0], offer.document.position(change.end)[0]
    return first <= line <= last
