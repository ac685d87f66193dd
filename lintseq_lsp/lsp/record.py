"""`lintseq/record`: the last request for a document that the model answered, as a case file.

It is sent to the client that asks for it, which shows it to the user, and nowhere else.
"""

from lintseq_lsp.lsp.convert import Json
from lintseq_lsp.lsp.params import DocumentParams
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.worker import NoModel, Priority


async def record(session: Session, params: DocumentParams) -> Json | None:
    """The text of the file; None when the model was not asked for the document lately."""
    from lintseq_lsp.cases import write_case

    snapshot = session.documents.snapshot(params.text_document.uri)
    if snapshot is None or session.refusal(snapshot) is not None:
        return None
    path = snapshot.document.path
    try:
        case = await session.worker.run(Priority.DEMAND, lambda engine, _: engine.recorded(path))
    except NoModel:
        return None
    return None if case is None else {"text": write_case(case)}
