"""`textDocument/inlineCompletion`, the same as completion items, and what clients say about them."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lsprotocol import types

from lintseq_lsp.edits import Replacement
from lintseq_lsp.lsp.convert import (
    Encoding,
    accept_command,
    at_cursor,
    offset_at,
    range_between,
    with_line_feeds,
)
from lintseq_lsp.lsp.documents import Snapshot
from lintseq_lsp.lsp.engine import Engine, IsCancelled
from lintseq_lsp.lsp.params import InlineCompletionParams, PositionParams
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.worker import Priority
from lintseq_lsp.reasons import Reason
from lintseq_lsp.suggestions import Outcome, Suggestion
from lintseq_lsp.text import Document


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in the document that is worked on.

    With an item selected in the client's pop-up, `snapshot` has it inserted already, and the answer
    replaces [start, end) of the client's document by `begins` and what follows.
    """

    snapshot: Snapshot
    cursor: int
    start: int
    end: int
    begins: str = ""

    @property
    def document(self) -> Document:
        return self.snapshot.document


async def inline_completion(session: Session, params: InlineCompletionParams) -> types.InlineCompletionList:
    nothing = types.InlineCompletionList([])
    snapshot = session.open_for(params.text_document)
    if isinstance(snapshot, Reason):
        return nothing
    offset = offset_at(snapshot.own, params.position, session.documents.encoding)
    place = place_at(snapshot, offset, params.context.selected_completion_info, session.documents.encoding)
    if place is None:
        session.outcomes[snapshot.uri] = Outcome(
            reason=Reason.NO_FIT, detail="the selected completion item does not fit"
        )
        return nothing
    manual = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    outcome = await session.outcome(snapshot, _complete(session, snapshot.uri, place, manual=manual))
    drawable = list(_drawable(place, outcome.suggestions))
    if drawable:
        session.feedback.offered(
            snapshot.uri, [suggestion for suggestion, _ in drawable], place.document, place.cursor
        )
    elif outcome.suggestions:
        session.outcomes[snapshot.uri] = replace(outcome, suggestions=(), reason=Reason.NO_FIT)
    return types.InlineCompletionList(
        [_item(snapshot, *pair, session.documents.encoding) for pair in drawable]
    )


async def completion(session: Session, params: PositionParams) -> types.CompletionList:
    """The suggestion as an item of the client's pop-up."""
    items: list[types.CompletionItem] = []
    answer = types.CompletionList(is_incomplete=True, items=items)
    snapshot = session.open_for(params.text_document)
    if isinstance(snapshot, Reason) or not session.settings.completion_items:
        return answer
    encoding = session.documents.encoding
    offset = offset_at(snapshot.own, params.position, encoding)
    place = place_at(snapshot, offset, None, encoding)
    assert place is not None  # nothing is selected
    outcome = await session.outcome(snapshot, _complete(session, snapshot.uri, place, manual=False))
    for suggestion, change in _drawable(place, outcome.suggestions):
        typed = _word_before(snapshot.own, change.start)
        text = snapshot.own.text[change.start - typed : change.start] + change.text
        where = range_between(snapshot.own, change.start - typed, change.end, encoding)
        items.append(
            types.CompletionItem(
                label=next((line.strip() for line in text.splitlines() if line.strip()), "…"),
                kind=types.CompletionItemKind.Text,
                detail="LintSeq",
                documentation=text,
                filter_text=text,
                text_edit=types.TextEdit(where, text),
                command=accept_command(suggestion.id),
            )
        )
    return answer


def did_show(session: Session, params: Any) -> None:
    if (suggestion_id := _id_in(params)) is not None:
        session.feedback.seen(suggestion_id)


def did_reject(session: Session, params: Any) -> None:
    """`lintseq/didReject`: ghost text or a next edit, which is then not offered again."""
    if (suggestion_id := _id_in(params)) is not None:
        session.feedback.rejected(suggestion_id)


def did_accept_partially(session: Session, params: Any) -> None:
    """The accepted part arrives as a change that goes along the suggestion: seen is all there is to note."""
    did_show(session, params)


def place_at(
    snapshot: Snapshot, offset: int, selected: types.SelectedCompletionInfo | None, encoding: Encoding
) -> Place | None:
    """Where to complete; None when the selected item does not continue what is typed."""
    text = snapshot.own.text
    if selected is None:
        return Place(snapshot, snapshot.shift + offset, offset, offset)
    start = offset_at(snapshot.own, selected.range.start, encoding)
    end = offset_at(snapshot.own, selected.range.end, encoding)
    if not start <= offset <= end or not selected.text.startswith(text[start:offset]):
        return None
    if "\n" in text[start:end] or "\r" in text[start:end]:
        return None
    assumed = snapshot.with_own(text[:start] + selected.text + text[end:])
    return Place(assumed, snapshot.shift + start + len(selected.text), start, end, selected.text)


async def _complete(session: Session, uri: str, place: Place, *, manual: bool) -> Outcome:
    """From the memory at once when it knows; else from the model."""
    engine, slot = session.worker.engine, ("inline", uri)
    wanted = session.settings.candidates if manual else 1
    known = engine.recall(place.document, place.cursor) if engine is not None else None
    if known is not None:
        known = replace(known, suggestions=tuple(session.feedback.stable(uri, known.suggestions)))
    if known is not None and len(known.suggestions) >= wanted:
        session.worker.supersede(slot)
        return known
    if not manual and session.feedback.is_quiet(uri):
        session.worker.supersede(slot)
        return Outcome(reason=Reason.REJECTED_BEFORE)

    recent = session.recent.edits_for(place.snapshot)

    def work(engine: Engine, cancelled: IsCancelled) -> Outcome:
        begun = time.monotonic()
        outcome = engine.complete(
            place.document,
            place.cursor,
            recent=recent,
            candidates=wanted,
            certainty=0.0 if manual else session.settings.certainty,
            cancelled=cancelled,
        )
        session.pauses.measure(time.monotonic() - begun)
        return outcome

    def read_ahead(engine: Engine, cancelled: IsCancelled) -> None:
        engine.read_ahead(place.document, place.cursor, recent=recent, below=False, cancelled=cancelled)

    delay = 0.0 if manual else session.pauses.rest(uri, session.settings.debounce / 1000)
    linted = place.document, place.document.position(place.cursor)[0]
    outcome = await session.worker.run(
        Priority.INLINE, work, linted=linted, meanwhile=read_ahead, slot=slot, delay=delay
    )
    return _behind(known, outcome)


def _behind(known: Outcome | None, outcome: Outcome) -> Outcome:
    """What is shown already stays first: ghost text does not flicker."""
    if known is None:
        return outcome
    texts = {suggestion.text for suggestion in known.suggestions}
    others = tuple(suggestion for suggestion in outcome.suggestions if suggestion.text not in texts)
    return replace(outcome, suggestions=known.suggestions + others, reason=Reason.ACCEPTED)


def _drawable(place: Place, suggestions: Sequence[Suggestion]) -> Iterator[tuple[Suggestion, Replacement]]:
    """The suggestions that ghost text can express, as replacements of the client's document."""
    for suggestion in suggestions:
        change = at_cursor(place.document, suggestion.replacements, place.cursor)
        if change is not None and place.snapshot.moved(change) is not None:
            end = place.end + change.end - place.cursor
            yield suggestion, Replacement(place.start, end, place.begins + change.text)


def _item(
    snapshot: Snapshot, suggestion: Suggestion, change: Replacement, encoding: Encoding
) -> types.InlineCompletionItem:
    where = range_between(snapshot.own, change.start, change.end, encoding)
    text = with_line_feeds(change.text)
    return types.InlineCompletionItem(text, range=where, command=accept_command(suggestion.id))


def _word_before(document: Document, offset: int) -> int:
    """Length of the name that ends at `offset`: clients filter items by it."""
    length = 0
    while length < offset and (
        document.text[offset - length - 1].isalnum() or document.text[offset - length - 1] == "_"
    ):
        length += 1
    return length


def _id_in(raw: Any) -> str | None:
    """The id of a suggestion in what a client sends back about an item."""
    for key in ("item", "command"):
        raw = raw.get(key) if isinstance(raw, dict) else None
    arguments = raw.get("arguments") if isinstance(raw, dict) else None
    return (
        arguments[0] if isinstance(arguments, list) and arguments and isinstance(arguments[0], str) else None
    )
