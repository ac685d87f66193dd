"""Changes that the server hands to the client as a whole: versioned, labelled, with its consent."""

from collections.abc import Sequence

from lintseq_lsp.edits import Replacement
from lintseq_lsp.lsp.convert import Json, text_edit
from lintseq_lsp.lsp.rpc import RpcError
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.text import Document

_ANNOTATION = "lintseq"


def workspace_edit(
    session: Session,
    uri: str,
    document: Document,
    changes: Sequence[Replacement],
    label: str,
    *,
    confirm: bool,
) -> Json:
    """`changes` of one document, as far as the client supports it with version and annotation."""
    edits = [text_edit(document, change, session.documents.encoding) for change in changes]
    if not session.supports("workspace", "workspaceEdit", "documentChanges"):
        return {"changes": {uri: edits}}
    name = {"uri": uri, "version": document.version}
    if session.supports("workspace", "workspaceEdit", "changeAnnotationSupport") is None:
        return {"documentChanges": [{"textDocument": name, "edits": edits}]}
    edits = [{**edit, "annotationId": _ANNOTATION} for edit in edits]
    return {
        "documentChanges": [{"textDocument": name, "edits": edits}],
        "changeAnnotations": {_ANNOTATION: {"label": label, "needsConfirmation": confirm}},
    }


async def apply_edit(session: Session, label: str, edit: Json) -> bool:
    """Asks the client to apply `edit` as one undoable change; whether it did."""
    try:
        answer = await session.endpoint.ask("workspace/applyEdit", {"label": label, "edit": edit})
    except RpcError:
        return False
    return isinstance(answer, dict) and answer.get("applied") is True
