"""`lintseq/explain`: why the last request for a document was answered as it was."""

from lintseq_lsp.lsp.convert import Json
from lintseq_lsp.lsp.params import DocumentParams
from lintseq_lsp.lsp.session import UNREADABLE, Session
from lintseq_lsp.reasons import Reason
from lintseq_lsp.suggestions import Outcome


async def explain(session: Session, params: DocumentParams) -> Json | None:
    uri = params.text_document.uri
    outcome = UNREADABLE if session.documents.in_doubt(uri) else session.outcomes.get(uri)
    return None if outcome is None else explanation(outcome)


def in_words(reason: Reason) -> Json:
    """How every answer names a reason: what programs compare, and what people read."""
    return {"reason": reason.value, "message": reason.sentence}


def explanation(outcome: Outcome) -> Json:
    """Lines of findings are one-based and those of the rejected text."""
    evidence = [suggestion.evidence for suggestion in outcome.suggestions]
    tiers = {verdict.tier for verdict in outcome.rejected} | {entry.tier for entry in evidence}
    return {
        **in_words(outcome.reason),
        "detail": outcome.detail,
        "cached": outcome.cached,
        "milliseconds": round(outcome.milliseconds, 1),
        "promptTokensRead": outcome.prompt_tokens_read,
        "tiers": [tier.name.lower() for tier in sorted(tiers)],
        "suggestions": [
            {"id": suggestion.id, **suggestion.evidence.record()} for suggestion in outcome.suggestions
        ],
        "rejected": [
            {
                **in_words(verdict.reason),
                "detail": verdict.detail,
                "findings": [
                    {
                        "linter": finding.linter,
                        "symbol": finding.symbol,
                        "code": finding.code,
                        "message": finding.message,
                        "line": finding.line,
                        "same": [same.name for same in finding.same],
                    }
                    for finding in verdict.findings
                ],
            }
            for verdict in outcome.rejected
        ],
    }
