"""`textDocument/codeAction` without the model, and `codeAction/resolve` with it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from lintseq_lsp.edits import replacement_between
from lintseq_lsp.lsp.changes import workspace_edit
from lintseq_lsp.lsp.convert import Json, lines_of
from lintseq_lsp.lsp.documents import Snapshot
from lintseq_lsp.lsp.engine import Engine, IsCancelled
from lintseq_lsp.lsp.params import Chosen, CodeActionData, CodeActionParams, read
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.worker import Priority
from lintseq_lsp.reasons import Reason
from lintseq_lsp.suggestions import Outcome, Suggestion
from lintseq_lsp.text import Document

if TYPE_CHECKING:
    from lintseq_lsp.actions import Action

QUICK_FIX, REWRITE, FIX_ALL = "quickfix", "refactor.rewrite", "source.fixAll.lintseq"
KINDS = (QUICK_FIX, REWRITE, FIX_ALL)


async def code_action(session: Session, params: CodeActionParams) -> list[types.CodeAction | types.Command]:
    snapshot = session.documents.snapshot(params.text_document.uri)
    if snapshot is None or session.refusal(snapshot, params.text_document.version) is not None:
        return []
    # Editors ask wherever the cursor comes to rest.
    session.pauses.cursor_moved(snapshot.uri, params.range.start.line)
    offered = [*_actions(snapshot, params)]
    if (all_fixes := _fix_all(offered)) is not None:
        offered.append(all_fixes)
    wanted = params.context.only
    return [
        _as_offered(session, snapshot, title, kind, chosen, diagnostic)
        for title, kind, chosen, diagnostic in offered
        if wanted is None or any(kind == only or kind.startswith(only + ".") for only in wanted)
        if kind != FIX_ALL or wanted is not None
    ]


async def resolve(session: Session, params: Json) -> Json:
    """The action with its edit; as it was when there is nothing to offer, and the user is told why."""
    edit, proved = await _edit(session, _data(params.get("data")), str(params.get("title", "")))
    if edit is None:
        return params
    return {**params, "edit": edit, **({"isPreferred": True} if proved else {})}


async def apply_action(session: Session, arguments: Sequence[Any]) -> bool:
    """The command `lintseq.action`: the same for clients that cannot resolve code actions."""
    edit, _ = await _edit(session, _data(arguments[0] if arguments else None), "LintSeq")
    return edit is not None and await session.client.apply("LintSeq", edit)


def _data(value: Any) -> CodeActionData:
    data = None if value is None else read(CodeActionData, value)
    if data is None or not data.actions:
        raise JsonRpcInvalidParams("invalid parameters: there is no action of this server in it")
    return data


_Offered = tuple[str, str, tuple[Chosen, ...], types.Diagnostic | None]


def _actions(snapshot: Snapshot, params: CodeActionParams) -> Iterator[_Offered]:
    from lintseq_lsp.actions import ActionKind, Problem, actions_at

    first, last = lines_of(params.range)
    problems = {
        (diagnostic.range.start.line, str(diagnostic.code or ""), diagnostic.message): diagnostic
        for diagnostic in params.context.diagnostics
    }
    above = snapshot.lines_above
    shifted = [Problem(line + above, symbol, message) for line, symbol, message in problems]
    for action in actions_at(snapshot.document, first + above, last + above, shifted):
        chosen = Chosen(
            action.kind.value,
            action.first_line - above,
            action.last_line - above,
            action.symbol,
            action.message,
        )
        fixes = action.kind is ActionKind.FIX
        source = problems.get((chosen.first_line, chosen.symbol, chosen.message)) if fixes else None
        yield action.title, QUICK_FIX if fixes else REWRITE, (chosen,), source


def _fix_all(offered: Sequence[_Offered]) -> _Offered | None:
    fixes = [chosen for _, kind, actions, _ in offered for chosen in actions if kind == QUICK_FIX]
    return ("Fix all that LintSeq can", FIX_ALL, tuple(fixes), None) if fixes else None


def _as_offered(
    session: Session,
    snapshot: Snapshot,
    title: str,
    kind: str,
    chosen: tuple[Chosen, ...],
    diagnostic: types.Diagnostic | None,
) -> types.CodeAction | types.Command:
    data = CodeActionData(snapshot.uri, chosen, snapshot.own.version)
    command = types.Command(title, "lintseq.action", arguments=[data])
    if session.client.supports("textDocument", "codeAction", "codeActionLiteralSupport") is None:
        return command
    action = types.CodeAction(title, kind=kind, diagnostics=None if diagnostic is None else [diagnostic])
    properties = session.client.supports("textDocument", "codeAction", "resolveSupport", "properties")
    if isinstance(properties, list) and "edit" in properties:
        action.data = data
    else:
        action.command = command
    return action


async def _edit(
    session: Session, data: CodeActionData, label: str
) -> tuple[types.WorkspaceEdit | None, bool]:
    """What the actions come to as one edit, and whether all of it was proved to fix what it should."""
    snapshot = session.open_for(types.OptionalVersionedTextDocumentIdentifier(data.uri, data.version))
    if isinstance(snapshot, Reason):
        session.client.show_nothing(snapshot)
        return None, False
    last = len(snapshot.own.lines) - 1
    if not all(0 <= chosen.first_line <= chosen.last_line <= last for chosen in data.actions):
        raise JsonRpcInvalidParams("invalid parameters: there are no such lines")
    todo = [_action(chosen, snapshot.lines_above) for chosen in data.actions]
    base, lowest = snapshot.document, max(action.first_line for action in todo)
    answer = session.worker.run(
        Priority.DEMAND,
        lambda engine, cancelled: _resolved(engine, base, todo, cancelled),
        linted=(base, lowest),
    )
    outcome = await session.outcome(snapshot, answer, catch_up=True)
    snapshot = session.documents.snapshot(data.uri) or snapshot
    change = snapshot.moved(outcome.suggestions[0].replacements[0]) if outcome.suggestions else None
    if change is None:
        session.client.show_nothing(outcome.reason)
        return None, False
    fixes = all(chosen.kind == "fix" for chosen in data.actions)
    edit = workspace_edit(session, data.uri, snapshot.own, [change], label, confirm=not fixes)
    return edit, fixes and outcome.proved


def _resolved(engine: Engine, base: Document, actions: "Sequence[Action]", cancelled: IsCancelled) -> Outcome:
    """The actions one after the other, from the bottom up so that lines stay where they are."""
    document, outcomes = base, list[Outcome]()
    for action in sorted(actions, key=lambda action: -action.first_line):
        outcomes.append(engine.resolve(document, action, cancelled=cancelled))
        if outcomes[-1].suggestions:
            document = Document(outcomes[-1].suggestions[0].text, base.version, base.path)
    found = [outcome.suggestions[0] for outcome in outcomes if outcome.suggestions]
    change = replacement_between(base.text, document.text)
    if change is None:
        return replace(outcomes[0], suggestions=(), reason=_reason_of(outcomes))
    return Outcome(
        (Suggestion(base, (change,), found[-1].evidence),),
        Reason.ACCEPTED,
        rejected=[verdict for outcome in outcomes for verdict in outcome.rejected],
        milliseconds=sum(outcome.milliseconds for outcome in outcomes),
        proved=all(outcome.proved for outcome in outcomes),
    )


def _reason_of(outcomes: Sequence[Outcome]) -> Reason:
    """Why there is nothing. Changes that take each other back are nothing new."""
    return Reason.NOTHING_NEW if outcomes[0].suggestions else outcomes[0].reason


def _action(chosen: Chosen, lines_above: int) -> "Action":
    from lintseq_lsp.actions import Action, ActionKind

    try:
        kind = ActionKind(chosen.kind)
    except ValueError:
        raise JsonRpcInvalidParams("invalid parameters: no such kind of action") from None
    first, last = chosen.first_line + lines_above, chosen.last_line + lines_above
    return Action(kind, first, last, "", chosen.symbol, chosen.message)
