"""What the client says about its documents, notebooks, folders and settings."""

from collections.abc import Callable, Sequence
from typing import Any

from lsprotocol import types

from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.settings import SECTION
from lintseq_lsp.text import split_lines


def did_open(session: Session, params: types.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    session.documents.open(item)
    session.document_changed(item.uri)


def did_change(session: Session, params: types.DidChangeTextDocumentParams) -> None:
    session.documents.change(params.text_document, params.content_changes)
    session.document_changed(params.text_document.uri, _line(params.content_changes))


def did_close(session: Session, params: types.DidCloseTextDocumentParams) -> None:
    uri = params.text_document.uri
    session.documents.close(uri)
    session.document_closed(uri)


def did_open_notebook(session: Session, params: types.DidOpenNotebookDocumentParams) -> None:
    session.documents.open_notebook(params)
    for item in params.cell_text_documents:
        session.document_changed(item.uri)


def did_change_notebook(session: Session, params: types.DidChangeNotebookDocumentParams) -> None:
    session.documents.change_notebook(params)
    cells = params.change.cells
    for name in (cells.structure.did_close if cells and cells.structure else None) or ():
        session.document_closed(name.uri)
    for content in (cells.text_content if cells else None) or ():
        session.document_changed(content.document.uri, _line(content.changes))


def did_close_notebook(session: Session, params: types.DidCloseNotebookDocumentParams) -> None:
    session.documents.close_notebook(params.notebook_document.uri, params.cell_text_documents)
    for name in params.cell_text_documents:
        session.document_closed(name.uri)


def did_change_folders(session: Session, params: types.DidChangeWorkspaceFoldersParams) -> None:
    added = [folder.uri for folder in params.event.added]
    removed = [folder.uri for folder in params.event.removed]
    session.spawn(session.configuration.change_folders(added, removed))


def did_change_configuration(session: Session, params: types.DidChangeConfigurationParams) -> None:
    session.spawn(session.configuration.update(params.settings))


def do_nothing(_session: Session, params: Any) -> None:
    """Known, and nothing to do: not worth a line in the log."""


async def register(session: Session) -> None:
    """Asks to hear of changed settings, where clients tell only those who ask."""
    if session.client.supports("workspace", "didChangeConfiguration", "dynamicRegistration"):
        await session.client.register(
            types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            types.DidChangeConfigurationRegistrationOptions(section=SECTION),
        )


def note_unreadable(session: Session, method: str, raw: Any) -> None:
    """A notification that could not be read: which documents are by now not what they were."""
    names = {
        types.TEXT_DOCUMENT_DID_CHANGE: "textDocument",
        types.NOTEBOOK_DOCUMENT_DID_CHANGE: "notebookDocument",
    }
    if method in names:
        name = raw.get(names[method]) if isinstance(raw, dict) else None
        uri = name.get("uri") if isinstance(name, dict) else None
        session.documents.doubt(uri if isinstance(uri, str) else None)


def _line(changes: Sequence[types.TextDocumentContentChangeEvent]) -> int | None:
    """Where the last change leaves the cursor."""
    last = changes[-1] if changes else None
    if not isinstance(last, types.TextDocumentContentChangePartial):
        return None
    return last.range.start.line + len(split_lines(last.text)[0]) - 1


NOTIFICATIONS: dict[str, Callable[[Session, Any], None]] = {
    types.TEXT_DOCUMENT_DID_OPEN: did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: did_close,
    types.TEXT_DOCUMENT_DID_SAVE: do_nothing,
    "textDocument/didFocus": do_nothing,
    types.NOTEBOOK_DOCUMENT_DID_OPEN: did_open_notebook,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE: did_change_notebook,
    types.NOTEBOOK_DOCUMENT_DID_SAVE: do_nothing,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE: did_close_notebook,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_folders,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    types.SET_TRACE: do_nothing,
}
