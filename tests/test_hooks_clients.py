"""What each coding agent says, as recorded shapes in tests/hooks, and how it is answered."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.errors import HookError
from lintseq_lsp.hooks.clients import _MOMENTS, _WRITERS, Answer, answer, notice, read
from lintseq_lsp.hooks.events import Client, Event, Moment, text_before
from lintseq_lsp.hooks.handler import resolved

CASES = {
    path.stem: json.loads(path.read_text("utf-8")) for path in Path(__file__).parent.glob("hooks/*.json")
}
FOLDER = "/elsewhere"


def shown(event: Event, after: dict[str, str]) -> dict[str, Any]:
    """An event as the cases have it."""
    edits = [
        {
            "path": edit.path,
            "before": text_before(edit, after.get(edit.path, "")),
            **({"new": True} if edit.new else {}),
            **({"moved_from": edit.moved_from} if edit.moved_from else {}),
        }
        for edit in event.edits
    ]
    return {
        "client": event.client.value,
        "moment": event.moment.value,
        "session": event.session,
        "turn": event.turn,
        "held_up": event.held_up,
        "edits": edits,
    }


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_recorded_shape(name: str) -> None:
    case = CASES[name]
    assert case["source"]
    assert case["run for real"] is False
    event = read(case["input"])
    if case["event"] is None:
        assert event is None
        return
    assert event is not None
    event = resolved(event, FOLDER)
    assert shown(event, case["after"]) == case["event"]
    if case["answer"] is not None:
        given = answer(event, "MESSAGE")
        assert given.status == 0
        assert (json.loads(given.stdout) if given.stdout else "") == case["answer"]


def test_every_client_has_an_edit_and_a_turn_end() -> None:
    kinds = {
        (case["event"]["client"], case["event"]["moment"])
        for case in CASES.values()
        if type(case["event"]) is dict
    }
    assert {(client.value, moment) for client in Client for moment in ("after-edit", "turn-end")} <= kinds


def test_the_set_ups_in_the_documentation_name_events_that_are_known() -> None:
    page = (Path(__file__).parents[1] / "docs" / "agents.md").read_text("utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    set_ups = [block for block in blocks if "hooks" in block]
    assert len(set_ups) == len(Client)
    for set_up in set_ups:
        for event, entries in set_up["hooks"].items():
            assert event in _MOMENTS or event in {"preToolUse", "postToolUse", "agentStop"}
            commands = [hook["command"] for entry in entries for hook in entry.get("hooks", [entry])]
            assert commands == ["lintseq-lsp hook"]
            assert {*entries[0].get("matcher", "Edit").split("|")} <= _WRITERS


@pytest.mark.parametrize("value", [None, [], "text", 3, {}, {"tool_name": "Edit"}, {"hook_event_name": 7}])
def test_what_no_client_sends_is_an_error_of_its_own(value: Any) -> None:
    with pytest.raises(HookError):
        read(value)


def test_a_notice_never_holds_the_agent_up() -> None:
    for client in Client:
        told = notice(Event(client, Moment.TURN_END, "Stop", "s"), "it could not run")
        assert told.status == 0
        assert "decision" not in told.stdout
        assert "followup_message" not in told.stdout
        assert "it could not run" in told.stdout + told.stderr


def test_an_answer_is_one_line_of_ascii() -> None:
    told = answer(Event(Client.CLAUDE_CODE, Moment.TURN_END, "Stop", "s"), "ä\n\ud800")
    assert told.stdout.isascii()
    assert told.stdout.count("\n") == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(st.data())
def test_a_field_of_another_type_raises_nothing_else(data: st.DataObject) -> None:
    """Any field of a recorded input, at any depth, replaced by any JSON."""
    case = data.draw(st.sampled_from(sorted(CASES)))
    value = json.loads(json.dumps(CASES[case]["input"]))
    place = value
    while True:
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place))))
        )
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
        else:
            place[key] = data.draw(JSON)
            break
    try:
        event = read(value)
    except HookError:
        return
    if event is not None:
        assert isinstance(answer(event, "m"), Answer)
        for edit in event.edits:
            text_before(edit, "some text\nof a file\n")
