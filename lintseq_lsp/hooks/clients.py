"""What each coding agent gives a hook, and how it wants to be answered.

The shapes were read in the agents' documentation and sources (docs/agents.md says which), never in a run.
Deliberately absent: what is worth an answer (policy.py).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lintseq_lsp.errors import HookError
from lintseq_lsp.hooks.apply_patch import BEGIN, read_patch
from lintseq_lsp.hooks.events import Change, Client, Edit, Event, Hunk, Moment

_MOMENTS = {
    "PreToolUse": Moment.BEFORE_EDIT,
    "BeforeTool": Moment.BEFORE_EDIT,
    "PostToolUse": Moment.AFTER_EDIT,
    "AfterTool": Moment.AFTER_EDIT,
    "afterFileEdit": Moment.AFTER_EDIT,
    "Stop": Moment.TURN_END,
    "SubagentStop": Moment.TURN_END,
    "AfterAgent": Moment.TURN_END,
    "stop": Moment.TURN_END,
}

_WRITERS = frozenset(
    {
        *("Edit", "MultiEdit", "Write"),  # Claude Code; Copilot in the form of VS Code
        "apply_patch",  # Codex, Copilot, VS Code
        *("edit", "create", "str_replace_editor"),  # Copilot
        *("replace", "write_file"),  # Gemini
        *("create_file", "editFiles", "insert_edit_into_file"),  # VS Code
        *("multi_replace_string_in_file", "replace_string_in_file"),
    }
)
"""Tools that write files. What an agent writes by a shell's commands is not seen."""

_MAKERS = frozenset({"create", "create_file"})
"""Those that only make new files."""

_OLD = ("old_string", "oldString", "old_str")
_NEW = ("new_string", "newString", "new_str")
_PATH = ("file_path", "filePath", "path")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the hook's process writes, and its exit status."""

    stdout: str = ""
    stderr: str = ""
    status: int = 0


def read(given: Any) -> Event | None:
    """The event that parsed JSON tells of; None for one that is none of the gate's business.

    Raises `HookError` for what no client sends.
    """
    if not isinstance(given, dict):
        raise HookError("the hook's input is not a JSON object")
    name = _text(given, "hook_event_name", "hookEventName") or _copilot_event(given)
    if not name:
        raise HookError("the hook's input names no event, and has none of Copilot's fields")
    if name not in _MOMENTS:
        return None
    moment = _MOMENTS[name]
    session = _text(given, "session_id", "sessionId", "conversation_id")
    held_up = given.get("stop_hook_active") is True or bool(given.get("loop_count"))
    held_up = held_up or _text(given, "status") in {"aborted", "error"}  # Cursor: nobody waits for more
    edits = () if moment is Moment.TURN_END else tuple(_edits(given, name))
    if moment is not Moment.TURN_END and not edits:
        return None
    return Event(
        _client(given, name),
        moment,
        name,
        f"{session} {_text(given, 'agent_id', 'agentId')}".strip(),
        _folder(given),
        _text(given, "turn_id", "generation_id"),
        edits,
        held_up,
    )


def answer(event: Event, message: str) -> Answer:
    """Tells the agent. At its turn's end it then goes on, so that it can mend what it is told."""
    if event.moment is Moment.TURN_END:
        if event.client is Client.CURSOR:
            return _json(followup_message=message)
        if event.client is Client.GEMINI:
            return _json(decision="deny", reason=message)
        if event.client is Client.VSCODE:
            # One of the two is VS Code's own, the other Copilot's under the same names of events.
            specific = {"hookEventName": event.name, "decision": "block", "reason": message}
            return _json(decision="block", reason=message, hookSpecificOutput=specific)
        return _json(decision="block", reason=message)
    if event.client is Client.CURSOR:
        return Answer()
    if event.client is Client.COPILOT:
        return _json(additionalContext=message)
    if event.client is Client.GEMINI:  # to "deny" would hide from the agent that the edit was applied
        specific = {"hookEventName": event.name, "additionalContext": message}
        return _json(hookSpecificOutput=specific)
    return _json(decision="block", reason=message)


def notice(event: Event, message: str) -> Answer:
    """Tells people, where the client can, and never holds the agent up."""
    if event.client in {Client.CURSOR, Client.COPILOT}:
        return Answer(stderr=f"{message}\n")
    return _json(systemMessage=message)


def tells_of_edits(client: Client) -> bool:
    """Whether what is answered to an edit reaches the agent."""
    return client is not Client.CURSOR


def _json(**fields: Any) -> Answer:
    return Answer(stdout=json.dumps(fields) + "\n")


def _text(given: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that is a text."""
    return next((value for name in names if isinstance(value := given.get(name), str)), "")


def _copilot_event(given: Mapping[str, Any]) -> str:
    """Copilot CLI names no event in what it gives: its fields tell. As Claude Code calls it."""
    if "toolName" in given:
        after = "toolResult" in given or "error" in given
        return "PreToolUse" if not after else "PostToolUse" if "toolResult" in given else "PostToolUseFailure"
    return "Stop" if "stopReason" in given else ""


def _client(given: Mapping[str, Any], name: str) -> Client:
    if "conversation_id" in given or "cursor_version" in given:
        return Client.CURSOR
    if name in {"BeforeTool", "AfterTool", "AfterAgent"}:
        return Client.GEMINI
    if "hook_event_name" not in given and "hookEventName" not in given:
        return Client.COPILOT
    if "turn_id" in given:
        return Client.CODEX
    if "hookEventName" in given or ("timestamp" in given and "permission_mode" not in given):
        return Client.VSCODE
    return Client.CLAUDE_CODE


def _folder(given: Mapping[str, Any]) -> str:
    roots = given.get("workspace_roots")
    root = roots[0] if isinstance(roots, list) and roots and isinstance(roots[0], str) else ""
    return _text(given, "cwd") or root


def _edits(given: Mapping[str, Any], name: str) -> Iterator[Edit]:
    if name == "afterFileEdit":
        yield from _of_arguments(given, {})
        return
    tool = _text(given, "tool_name", "toolName")
    if tool not in _WRITERS:
        return
    arguments = given.get("tool_input", given.get("toolArgs"))
    if isinstance(arguments, str):
        arguments = _parsed(arguments)
    if isinstance(arguments, dict) and arguments.get("command") != "view":
        response = given.get("tool_response")
        response = response if isinstance(response, dict) else {}
        yield from _of_arguments(arguments, response, new=tool in _MAKERS)


def _parsed(arguments: str) -> Any:
    """Copilot may give them as JSON in a text, and a patch as it is."""
    try:
        return json.loads(arguments)
    except ValueError:
        return {"input": arguments}


def _of_arguments(
    arguments: Mapping[str, Any], response: Mapping[str, Any], *, new: bool = False
) -> Iterator[Edit]:
    patch = next((text for text in arguments.values() if isinstance(text, str) and BEGIN in text), "")
    if patch and not _text(arguments, *_PATH):
        yield from _of_patch(patch)
        return
    several = next((v for k in ("replacements", "files") if isinstance(v := arguments.get(k), list)), None)
    for one in [arguments] if several is None else several:
        fields = {"path": one} if isinstance(one, str) else one
        if isinstance(fields, dict) and (path := _text(fields, *_PATH)):
            original = _original(response) if several is None else None
            changes, hunks = tuple(_changes(fields)), tuple(_hunks(response))
            yield Edit(path, original, new, changes, hunks)


def _of_patch(patch: str) -> Iterator[Edit]:
    for file in read_patch(patch):
        if not file.deleted:
            moved_from = file.path if file.moved_to else ""
            new = file.added is not None
            yield Edit(file.moved_to or file.path, None, new, file.changes, moved_from=moved_from)


def _original(response: Mapping[str, Any]) -> str | None:
    """The whole text before, as Claude Code (`originalFile`) and Gemini (`originalContent`) give it."""
    shown = response.get("returnDisplay")
    for fields, name in ((response, "originalFile"), (shown, "originalContent")):
        if isinstance(fields, dict) and isinstance(fields.get(name), str):
            return str(fields[name])
    return "" if response.get("type") == "create" else None


def _changes(fields: Mapping[str, Any]) -> Iterator[Change]:
    edits = fields.get("edits")
    for one in edits if isinstance(edits, list) else [fields]:
        if isinstance(one, dict) and any(name in one for name in _NEW):
            everywhere = one.get("replace_all") is True or one.get("replaceAll") is True
            yield Change(_text(one, *_OLD), _text(one, *_NEW), everywhere)


def _hunks(response: Mapping[str, Any]) -> Iterator[Hunk]:
    """Claude Code's `structuredPatch`."""
    given = response.get("structuredPatch")
    for hunk in given if isinstance(given, list) else ():
        lines = hunk.get("lines") if isinstance(hunk, dict) else None
        start = hunk.get("newStart") if isinstance(hunk, dict) else None
        if isinstance(start, int) and isinstance(lines, list) and all(isinstance(x, str) for x in lines):
            old = tuple(line[1:] for line in lines if line.startswith((" ", "-")))
            new = tuple(line[1:] for line in lines if line.startswith((" ", "+")))
            yield Hunk(max(start - 1, 0), old, new)
