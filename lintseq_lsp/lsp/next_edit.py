"""`textDocument/copilotInlineEdit`: the edits that come next, anywhere in the document.

The list is prefix-closed: applied one after the other from the top, every state is clean. Some
clients apply all of it, some the first edit only.
"""

from lintseq_lsp.edits import Replacement
from lintseq_lsp.gate import Reason
from lintseq_lsp.lsp.convert import Json, accept_command, offset_at, text_edit
from lintseq_lsp.lsp.documents import Snapshot
from lintseq_lsp.lsp.params import PositionParams
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.worker import Priority
from lintseq_lsp.suggestions import Outcome, Suggestion


async def inline_edit(session: Session, params: PositionParams) -> Json:
    snapshot = session.open_for(params.text_document)
    if isinstance(snapshot, Reason):
        return {"edits": []}
    if not session.settings.next_edit:
        session.outcomes[snapshot.uri] = Outcome(reason=Reason.OFF)
        return {"edits": []}
    cursor = snapshot.shift + offset_at(snapshot.own, params.position, session.documents.encoding)
    outcome = await session.outcome(snapshot, _next_edit(session, snapshot, cursor))
    return {
        "edits": [
            _edit(session, snapshot, suggestion, change)
            for suggestion, change in prefix(snapshot, outcome.suggestions)
        ]
    }


async def _next_edit(session: Session, snapshot: Snapshot, cursor: int) -> Outcome:
    engine, slot = session.worker.engine, ("next-edit", snapshot.uri)
    document = snapshot.document
    known = engine.memory.recall_next(document) if engine is not None else None
    if engine is not None and known is not None and not engine.memory.is_unwanted(document.path, known.text):
        session.worker.supersede(slot)
        return Outcome((known,), Reason.ACCEPTED, cached=True)
    return await session.worker.run(
        Priority.NEXT_EDIT,
        lambda engine, cancelled: engine.next_edit(document, cursor, cancelled=cancelled),
        slot=slot,
    )


def prefix(snapshot: Snapshot, suggestions: tuple[Suggestion, ...]) -> list[tuple[Suggestion, Replacement]]:
    """The first suggestions, up to one that leaves the client's document or overlaps an earlier one."""
    taken: list[tuple[Suggestion, Replacement]] = []
    for suggestion in suggestions:
        change = snapshot.moved(suggestion.replacements[0])
        if change is None or any(_overlap(change, earlier) for _, earlier in taken):
            break
        taken.append((suggestion, change))
    return taken


def _overlap(one: Replacement, other: Replacement) -> bool:
    """Two insertions at one place count, too: their order would be the client's choice."""
    if one.start == other.start:
        return True
    return one.start < other.end and other.start < one.end


def _edit(session: Session, snapshot: Snapshot, suggestion: Suggestion, change: Replacement) -> Json:
    edit = text_edit(snapshot.own, change, session.documents.encoding)
    return {
        "text": edit.new_text,
        "range": edit.range,
        "textDocument": {"uri": snapshot.uri, "version": snapshot.own.version},
        "command": accept_command(suggestion.id),
    }
