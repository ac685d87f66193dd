"""Changes that the server hands to the client as a whole: versioned, labelled, with its consent."""

from collections.abc import Sequence

from lsprotocol import types

from lintseq_lsp.edits import Replacement
from lintseq_lsp.lsp.convert import text_edit
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
) -> types.WorkspaceEdit:
    """`changes` of one document, as far as the client supports it with version and annotation."""
    edits = [text_edit(document, change, session.documents.encoding) for change in changes]
    if not session.client.supports("workspace", "workspaceEdit", "documentChanges"):
        return types.WorkspaceEdit(changes={uri: edits})
    name = types.OptionalVersionedTextDocumentIdentifier(uri, document.version)
    if session.client.supports("workspace", "workspaceEdit", "changeAnnotationSupport") is None:
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(name, edits)])
    annotated = [types.AnnotatedTextEdit(_ANNOTATION, edit.range, edit.new_text) for edit in edits]
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(name, annotated)],
        change_annotations={_ANNOTATION: types.ChangeAnnotation(label, needs_confirmation=confirm)},
    )
