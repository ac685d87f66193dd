"""What the client says about its documents, notebooks, folders and settings."""

from collections.abc import Callable, Sequence
from typing import Any

from lintseq_lsp.lsp.messages import (
    Change,
    DidChange,
    DidChangeFolders,
    DidChangeNotebook,
    DidClose,
    DidCloseNotebook,
    DidOpen,
    DidOpenNotebook,
    read,
)
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.settings import SECTION


def did_open(session: Session, raw: Any) -> None:
    item = read(DidOpen, raw).text_document
    session.documents.open(item)
    session.document_changed(item.uri)


def did_change(session: Session, raw: Any) -> None:
    params = read(DidChange, raw)
    session.documents.change(params.text_document, params.content_changes)
    session.document_changed(params.text_document.uri, _line(params.content_changes))


def did_close(session: Session, raw: Any) -> None:
    uri = read(DidClose, raw).text_document.uri
    session.documents.close(uri)
    session.document_closed(uri)


def did_open_notebook(session: Session, raw: Any) -> None:
    params = read(DidOpenNotebook, raw)
    session.documents.open_notebook(params)
    for item in params.cell_text_documents:
        session.document_changed(item.uri)


def did_change_notebook(session: Session, raw: Any) -> None:
    params = read(DidChangeNotebook, raw)
    session.documents.change_notebook(params)
    cells = params.change.cells
    for name in (cells.structure.did_close if cells and cells.structure else None) or ():
        session.document_closed(name.uri)
    for content in (cells.text_content if cells else None) or ():
        session.document_changed(content.document.uri, _line(content.changes))


def did_close_notebook(session: Session, raw: Any) -> None:
    params = read(DidCloseNotebook, raw)
    session.documents.close_notebook(params.notebook_document.uri, params.cell_text_documents)
    for name in params.cell_text_documents:
        session.document_closed(name.uri)


def did_change_folders(session: Session, raw: Any) -> None:
    event = read(DidChangeFolders, raw).event
    session.change_folders([folder.uri for folder in event.added], [folder.uri for folder in event.removed])


def did_change_configuration(session: Session, raw: Any) -> None:
    session.spawn(session.configure(raw.get("settings") if isinstance(raw, dict) else None))


def ignored(_session: Session, _raw: Any) -> None:
    """Known, and nothing to do: not worth a line in the log."""


async def register(session: Session) -> None:
    """Asks to hear of changed settings, where clients tell only those who ask."""
    if session.supports("workspace", "didChangeConfiguration", "dynamicRegistration"):
        await session.register("workspace/didChangeConfiguration", {"section": SECTION})


def _line(changes: Sequence[Change]) -> int | None:
    """Where the last change begins."""
    where = changes[-1].range if changes else None
    return where.start.line if where is not None else None


NOTIFICATIONS: dict[str, Callable[[Session, Any], None]] = {
    "textDocument/didOpen": did_open,
    "textDocument/didChange": did_change,
    "textDocument/didClose": did_close,
    "textDocument/didSave": ignored,
    "textDocument/didFocus": ignored,
    "notebookDocument/didOpen": did_open_notebook,
    "notebookDocument/didChange": did_change_notebook,
    "notebookDocument/didSave": ignored,
    "notebookDocument/didClose": did_close_notebook,
    "workspace/didChangeWorkspaceFolders": did_change_folders,
    "workspace/didChangeConfiguration": did_change_configuration,
    "$/setTrace": ignored,
}
