"""What a client may be shown: replacements of one base document, with the evidence that they are clean.

Also what was shown before: a cache by document state, and what the user did not want. Deliberately
absent: how suggestions come about (asking/), and how a protocol writes them (lsp/convert.py).
"""

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lintseq_lsp import edits, lru
from lintseq_lsp.edits import Replacement
from lintseq_lsp.linters.base import Dependencies, Tier
from lintseq_lsp.reasons import Reason
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict

_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a suggestion may be shown: how many states were checked, how deep, and how long it all took.

    `before` and `after` count the findings of the text before, and of the one that is offered. `unknown` has
    what of the latter would be findings if that were known to be true; `also` names the linters beside
    pylint that judged it; `partial` and `ending` are the verdict's. All of it is true while nothing of
    `dependencies` changes, and a partial one until a check of all of the text says otherwise.
    """

    states: int
    new_findings: int
    tier: Tier
    milliseconds: float
    before: int = 0
    after: int = 0
    dependencies: Sequence[Dependencies] = ()
    unknown: Sequence[str] = ()
    also: Sequence[str] = ()
    partial: bool = False
    ending: str = ""

    @classmethod
    def of(cls, verdict: Verdict, states: int, milliseconds: float) -> "Evidence":
        """Of an accepted verdict, the last one on `states` states."""
        new = len(verdict.findings)
        return cls(
            states,
            new,
            verdict.tier,
            milliseconds,
            verdict.before,
            verdict.after,
            verdict.dependencies,
            verdict.unknown,
            verdict.also,
            verdict.partial,
            verdict.ending,
        )

    def record(self) -> dict[str, Any]:
        """As clients and scripts get it."""
        return {
            "states": self.states,
            "findingsBefore": self.before,
            "findingsAfter": self.after,
            "newFindings": self.new_findings,
            "tier": self.tier.name.lower(),
            "also": list(self.also),
            "partial": self.partial,
            "ending": self.ending,
            "milliseconds": round(self.milliseconds, 1),
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Replacements in code-point offsets of `base`; applied together they make a text that was accepted.

    Of several edits in sequence, each is a suggestion, and `judged` is the text that it makes of `base`
    together with those before it. `logprob` is the mean log-probability (nats) of what the model wrote.
    """

    base: Document
    replacements: tuple[Replacement, ...]
    evidence: Evidence
    logprob: float = 0.0
    judged: str | None = None
    id: str = field(default_factory=lambda: f"s{next(_ids)}")

    @property
    def text(self) -> str:
        """The whole document that was accepted."""
        return edits.apply(self.base.text, self.replacements) if self.judged is None else self.judged


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one request. `reason` is `ACCEPTED` exactly when there are suggestions.

    `rejected` are the verdicts on states that were not offered, for `lintseq/explain`. `proved` says
    that a second check found the finding gone that was to be fixed.
    """

    suggestions: tuple[Suggestion, ...] = ()
    reason: Reason = Reason.COMPLETE
    detail: str = ""
    rejected: Sequence[Verdict] = ()
    milliseconds: float = 0.0
    cached: bool = False
    prompt_tokens_read: int = 0
    proved: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion at a cursor: `final` is the document with it."""

    before: str
    final: str
    suggestion: Suggestion


class Memory:
    """What was suggested lately, found again by the state of the document, and what was rejected.

    Keys are whole texts, so nothing can be found that belongs to another one. A suggestion through which the
    user types is found again: what is left of it leads to the same final text. Whether its evidence is
    still true is for who recalls it to ask.

    Any thread may recall. One thread remembers and forgets suggestions; one, perhaps another, takes what
    the user did not want.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._inline: OrderedDict[tuple[str, str, str], Shown] = OrderedDict()  # (path, before, final)
        self._next: OrderedDict[tuple[str, str], Suggestion] = OrderedDict()  # (path, text before)
        self._unwanted: OrderedDict[tuple[str, str], None] = OrderedDict()  # (path, final)
        self._declined: OrderedDict[tuple[str, str, str], None] = OrderedDict()  # (path, lines, new lines)

    def remember_inline(self, suggestion: Suggestion, offset: int) -> None:
        base, final = suggestion.base, suggestion.text
        shown = Shown(base.text[:offset], final, suggestion)
        self._put(self._inline, (base.path, shown.before, final), shown)

    def recall_inline(self, document: Document, offset: int) -> list[tuple[Suggestion, Replacement]]:
        """Suggestions that the document is on the way to, and what is left of them from `offset` on."""
        before, below = document.text[:offset], _below(document, offset)
        found = []
        # A copy: another thread may remember something meanwhile.
        for (path, _, _), shown in reversed(list(self._inline.items())):
            if path != document.path or not before.startswith(shown.before):
                continue
            if not shown.final.startswith(before) or self.is_unwanted(path, shown.final):
                continue
            # The line's rest may be replaced (a closing bracket that is written anew); what is below may not.
            rest = shown.final[offset:]
            if below != _below(shown.suggestion.base, len(shown.before)) or not rest.endswith(below):
                continue
            right = document.text[offset : len(document.text) - len(below)]
            left = edits.beside(rest[: len(rest) - len(below)], right)
            if left is not None and left[0]:
                found.append((shown.suggestion, Replacement(offset, offset + left[1], left[0])))
        return found

    def remember_next(self, before: str, suggestion: Suggestion) -> None:
        self._put(self._next, (suggestion.base.path, before), suggestion)

    def recall_next(self, document: Document) -> Suggestion | None:
        known = self._next.get((document.path, document.text))
        return known and replace(known, base=document)

    def forget_next(self, document: Document) -> None:
        self._next.pop((document.path, document.text), None)

    def reject(self, suggestion: Suggestion) -> None:
        """The user saw it and did something else: it is not offered again."""
        self._put(self._unwanted, (suggestion.base.path, suggestion.text), None)

    def is_unwanted(self, path: str, final: str) -> bool:
        return (path, final) in self._unwanted

    def decline(self, suggestion: Suggestion) -> None:
        """The user saw the next edit and did not want it, whatever is written elsewhere in the document."""
        self._put(self._declined, _change_of_lines(suggestion), None)

    def is_declined(self, suggestion: Suggestion) -> bool:
        unwanted = self.is_unwanted(suggestion.base.path, suggestion.text)
        return unwanted or _change_of_lines(suggestion) in self._declined

    def _put(self, entries: OrderedDict[Any, Any], key: Any, value: Any) -> None:
        lru.put(entries, key, value, self._most)


def _change_of_lines(suggestion: Suggestion) -> tuple[str, str, str]:
    """The path, and what the suggestion's replacement makes of the lines that it touches."""
    base, (change,) = suggestion.base, suggestion.replacements
    first, last = base.position(change.start)[0], base.position(change.end)[0]
    start, end = base.starts[first], base.starts[last] + len(base.lines[last])
    new = base.text[start : change.start] + change.text + base.text[change.end : end]
    return base.path, base.text[start:end], new


def _below(document: Document, offset: int) -> str:
    """What follows the line at `offset`, its line end included."""
    line, _ = document.position(offset)
    return document.text[document.starts[line] + len(document.lines[line]) :]
