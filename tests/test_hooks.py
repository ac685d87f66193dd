"""From what an agent gives its hook to what it is told, with files on disk."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import ImmediateLinter, finding, gate_of
from hypothesis import given, settings
from hypothesis import strategies as st

from lintseq_lsp.hooks.clients import Answer, read
from lintseq_lsp.hooks.handler import Handler, resolved
from lintseq_lsp.hooks.judge import Judge
from lintseq_lsp.hooks.policy import MOST_TIMES
from lintseq_lsp.linters.base import Report, Tier
from lintseq_lsp.linters.syntax import check_syntax

HEAD = "from pathlib import Path\n\n\n"
BODY = "def name():\n    return Path().name\n"


def lint(text: str) -> Report:
    report = check_syntax(text)
    return Report(report.findings, Tier.PYLINT, parsed=report.parsed)


class Agent:
    """One that edits files in `folder`, as Claude Code does, and calls its hooks."""

    def __init__(self, folder: Path, linter: ImmediateLinter | None = None) -> None:
        self.folder = folder
        (folder / ".git").mkdir(exist_ok=True)
        self.linter = linter or ImmediateLinter(lint)
        self.handler = Handler(lambda: Judge(gate_of(self.linter)), folder.parent / "state")

    def call(self, **fields: Any) -> dict[str, Any]:
        given = {"session_id": "s", "cwd": str(self.folder), "permission_mode": "default"} | fields
        answer = self.handler.answer(json.dumps(given).encode(), str(self.folder))
        assert answer.status == 0
        return dict(json.loads(answer.stdout)) if answer.stdout else {}

    def edit(self, name: str, after: str, *, told: bool = True, tool: str = "Write") -> list[str]:
        """What it is told at once. `told` is whether the hook says what the text before was."""
        path = self.folder / name
        before = path.read_bytes().decode() if path.exists() else None
        path.write_bytes(after.encode())
        response = (
            {"type": "update" if before is not None else "create", "originalFile": before} if told else {}
        )
        return self._findings(
            self.call(
                hook_event_name="PostToolUse",
                tool_name=tool,
                tool_input={"file_path": str(path)},
                tool_response=response,
            )
        )

    def stop(self, *, held_up: bool = False) -> list[str]:
        return self._findings(self.call(hook_event_name="Stop", stop_hook_active=held_up))

    def _findings(self, answer: dict[str, Any]) -> list[str]:
        if not answer:
            return []
        assert answer["decision"] == "block"
        first, *lines = answer["reason"].split("\n")
        assert first.startswith("The edit")
        return [line.split(": ")[0] + " " + line.split(" ")[2] for line in lines]


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    (tmp_path / "work").mkdir()
    return Agent(tmp_path / "work")


def test_a_clean_edit_is_answered_with_nothing(agent: Agent) -> None:
    assert agent.edit("a.py", HEAD + BODY) == []
    assert agent.edit("a.py", HEAD + BODY + "x = 1\n") == []
    assert agent.stop() == []


def test_an_import_that_was_taken_out_is_told_at_once_and_at_the_end(agent: Agent) -> None:
    agent.edit("a.py", HEAD + BODY)
    assert agent.stop() == []
    assert agent.edit("a.py", BODY) == ["a.py:2 undefined-variable:"]
    assert agent.stop() == ["a.py:2 undefined-variable:"]
    assert agent.stop(held_up=True) == []
    assert agent.stop() == []


def test_a_call_before_its_function_waits(agent: Agent) -> None:
    agent.edit("a.py", "x = 1\n")
    assert agent.edit("a.py", "x = 1\nhelp_me()\n") == []
    assert agent.edit("a.py", "def help_me():\n    pass\n\n\nx = 1\nhelp_me()\n") == []
    assert agent.stop() == []


def test_what_stays_open_is_told_at_the_end(agent: Agent) -> None:
    agent.edit("a.py", "x = 1\n")
    assert agent.edit("a.py", "x = 1\nhelp_me()\n") == []
    assert agent.stop() == ["a.py:2 undefined-variable:"]


def test_old_findings_are_nobodys_new_ones(agent: Agent) -> None:
    (agent.folder / "a.py").write_text("gone()\nx = 1\n")
    assert agent.edit("a.py", "y = 1\n\ngone()\nx = 1\n") == []
    assert agent.stop() == []


def test_a_second_identical_finding_is_new(agent: Agent) -> None:
    (agent.folder / "a.py").write_text("gone()\n")
    agent.edit("a.py", "gone()\ngone()\n")
    assert len(agent.stop()) == 1


def test_an_agent_that_repairs_what_it_is_told_comes_to_an_end(agent: Agent) -> None:
    """The loop of broken edit, message and repair; and of one that repairs nothing."""
    (agent.folder / "a.py").write_text(HEAD + BODY)
    assert agent.edit("a.py", HEAD + "def name(:\n") == ["a.py:4 syntax-error:"]
    assert agent.edit("a.py", BODY) == []  # it was broken before: what else it has is not known to be new
    assert agent.stop() == ["a.py:2 undefined-variable:"]
    assert agent.edit("a.py", HEAD + BODY) == []
    assert agent.stop(held_up=True) == []


@pytest.mark.parametrize("says_so", [True, False])
def test_an_agent_that_repairs_nothing_comes_to_an_end(agent: Agent, says_so: bool) -> None:
    (agent.folder / "a.py").write_text(HEAD + BODY)
    agent.edit("a.py", BODY)
    rounds = 0
    while agent.stop(held_up=says_so and rounds > 0):
        rounds += 1
        assert rounds < 5
    assert rounds == 1


TEXTS = st.lists(
    st.sampled_from(["gone()\n", "x = 1\n", "def f(:\n", "import os\n", "os.sep\n"]), max_size=4
).map("".join)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["a.py", "b.py"]), TEXTS, st.booleans()), max_size=6))
def test_any_turn_comes_to_an_end(edits: list[tuple[str, str, bool]]) -> None:
    """Whatever was edited, and however little of it is repaired: each finding twice, then nothing."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "work").mkdir()
        agent = Agent(Path(name) / "work")
        for file, text, told in edits:
            agent.edit(file, text, told=told)
        rounds = 0
        while agent.stop():
            rounds += 1
            assert rounds <= MOST_TIMES
        assert agent.stop() == []
        for file in {file for file, _, _ in edits}:
            assert agent.edit(file, (agent.folder / file).read_text()) == []


def test_a_text_that_did_not_parse_before_may_stay_so(agent: Agent) -> None:
    (agent.folder / "a.py").write_text("def f(:\nx = 1\n")
    assert agent.edit("a.py", "y = 1\ndef f(:\nx = 1\n") == []
    assert agent.stop() == []


def test_carriage_returns_make_nothing_new(agent: Agent) -> None:
    (agent.folder / "a.py").write_bytes(b"gone()\r\n")
    assert agent.edit("a.py", "x = 1\r\ngone()\r\n") == []
    assert agent.stop() == []


def test_what_is_not_python_or_not_there_is_not_judged(agent: Agent) -> None:
    agent.edit("a.txt", "x = = 1")
    agent.edit("my_secrets.py", "x = = 1")
    (agent.folder / "binary.py").write_bytes(b"\xff\xfe")
    path = str(agent.folder / "missing.py")
    agent.call(
        hook_event_name="PostToolUse", tool_name="Edit", tool_input={"file_path": path}, tool_response={}
    )
    agent.edit("a.ipynb", "{}", tool="NotebookEdit")
    assert agent.linter.checks == []


def test_python_that_is_newer_than_our_own_is_not_called_wrong(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    report = Report([finding("m", symbol="syntax-error")], Tier.PYLINT, parsed=False, newer="of Python 3.99")
    agent = Agent(tmp_path / "work", ImmediateLinter(lambda _: report))
    assert agent.edit("a.py", "x = 1\n") == []
    (agent.folder / "b.py").write_text("x = 1\n")
    assert agent.edit("b.py", "y = 1\n", told=False) == []
    assert agent.stop() == []


def test_the_text_before_comes_from_what_was_seen_where_the_hook_does_not_say_it(agent: Agent) -> None:
    agent.edit("a.py", HEAD + BODY)
    assert agent.edit("a.py", BODY, told=False) == ["a.py:2 undefined-variable:"]


def test_it_comes_from_before_the_edit_where_that_was_seen(agent: Agent) -> None:
    path = agent.folder / "a.py"
    path.write_text(HEAD + BODY)
    given = {"tool_name": "Write", "tool_input": {"file_path": str(path)}}
    assert agent.call(hook_event_name="PreToolUse", **given) == {}
    assert agent.edit("a.py", BODY, told=False) == ["a.py:2 undefined-variable:"]


def test_it_comes_from_git(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    (agent.folder / "a.py").write_text(HEAD + BODY)
    monkeypatch.setattr(
        "lintseq_lsp.hooks.handler.staged", lambda path: {str(agent.folder / "a.py"): HEAD + BODY}.get(path)
    )
    assert agent.edit("a.py", BODY, told=False) == ["a.py:2 undefined-variable:"]


def test_it_comes_from_memory_when_another_session_has_seen_it(agent: Agent) -> None:
    agent.edit("a.py", HEAD + BODY)
    (agent.folder / "a.py").write_text(BODY)
    given = {
        "tool_name": "Write",
        "tool_input": {"file_path": str(agent.folder / "a.py")},
        "tool_response": {},
    }
    assert agent.call(hook_event_name="PostToolUse", session_id="other", **given)["decision"] == "block"


def test_where_nobody_knows_it_only_what_does_not_parse_counts(agent: Agent) -> None:
    (agent.folder / "a.py").write_text("x = 1\n")
    assert agent.edit("a.py", BODY, told=False) == []
    (agent.folder / "b.py").write_text("x = 1\n")
    assert agent.edit("b.py", "x = = 1\n", told=False) == ["b.py:1 syntax-error:"]


def test_a_subagent_is_told_of_its_own_edits(agent: Agent) -> None:
    path = agent.folder / "a.py"
    path.write_text("help_me()\n")
    edit = {"tool_name": "Write", "tool_input": {"file_path": str(path)}, "tool_response": {"type": "create"}}
    assert agent.call(hook_event_name="PostToolUse", agent_id="7", **edit) == {}
    assert agent.stop() == []
    assert (
        "help_me"
        in agent.call(hook_event_name="SubagentStop", agent_id="7", stop_hook_active=False)["reason"]
    )


def test_a_linter_that_fails_is_told_once_and_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    agent = Agent(tmp_path / "work", ImmediateLinter(lambda _: Report(failure="it died")))
    (agent.folder / "a.py").write_text("x = 1\n")
    given = {
        "tool_name": "Write",
        "tool_input": {"file_path": str(agent.folder / "a.py")},
        "tool_response": {"type": "create"},
    }
    assert "it died" in agent.call(hook_event_name="PostToolUse", **given)["systemMessage"]
    assert agent.call(hook_event_name="PostToolUse", **given) == {}
    assert agent.call(hook_event_name="Stop") == {}


def test_a_state_that_cannot_be_kept_is_told_once_and_edits_are_judged_all_the_same(agent: Agent) -> None:
    (agent.folder.parent / "state").mkdir(mode=0o755)
    (agent.folder / "a.py").write_text(HEAD + BODY)
    given: dict[str, Any] = {"hook_event_name": "PostToolUse", "tool_name": "Write"}
    given |= {
        "tool_input": {"file_path": str(agent.folder / "a.py")},
        "tool_response": {"originalFile": "x = 1\n"},
    }
    assert "other users can enter" in agent.call(**given)["systemMessage"]
    assert agent.call(**given) == {}
    assert agent.edit("a.py", BODY) == ["a.py:2 undefined-variable:"]
    assert agent.stop() == []


def test_a_process_of_one_hook_tells_people_nothing_that_it_would_tell_again(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "a.py").write_text("x = 1\n")
    handler = Handler(lambda: Judge(gate_of(ImmediateLinter(lint))), tmp_path / "state", stays=False)
    given: dict[str, Any] = {"session_id": "s", "hook_event_name": "PostToolUse", "tool_name": "Write"}
    given |= {"tool_input": {"file_path": str(tmp_path / "a.py")}, "tool_response": {"type": "create"}}
    told = handler.answer(json.dumps(given).encode(), "/")
    assert (told.status, told.stdout) == (0, "")
    assert "other users can enter" in told.stderr


def test_the_linter_starts_with_the_first_file_and_is_closed(tmp_path: Path) -> None:
    linters: list[ImmediateLinter] = []

    def opened() -> Judge:
        linters.append(ImmediateLinter(lint))
        return Judge(gate_of(linters[-1]))

    handler = Handler(opened, tmp_path / "state")
    assert not linters
    for number in (0, 1):
        file = tmp_path / f"{number}.py"
        file.write_text("x = 1\n")
        given = {"hook_event_name": "PostToolUse", "tool_name": "Write", "tool_response": {"type": "create"}}
        given |= {"session_id": "s", "tool_input": {"file_path": str(file)}}
        assert handler.answer(json.dumps(given).encode(), "/") == Answer()
    assert [linter.closed for linter in linters] == [False]
    handler.close()
    assert [linter.closed for linter in linters] == [True]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"x": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_input_is_one_line_for_people_and_nothing_for_the_agent(agent: Agent, data: bytes) -> None:
    answer = agent.handler.answer(data, "/")
    assert (answer.status, answer.stdout) == (0, "")
    assert answer.stderr.count("\n") == 1


def test_a_report_is_asked_for_once_while_it_holds(agent: Agent) -> None:
    agent.edit("a.py", "gone()\n")
    before = len(agent.linter.checks)
    agent.edit("a.py", "gone()\nx = 1\n")
    assert len(agent.linter.checks) == before + 1


def test_two_files_of_one_patch_are_judged_among_their_own_sides(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    agent = Agent(tmp_path / "work", ImmediateLinter(lambda text: lint(text + "\ngone()\n")))
    for name, text in (("a.py", "x = 2\n"), ("b.py", "y = 2\n")):
        (agent.folder / name).write_text(text)
    lines = [
        "*** Begin Patch",
        "*** Update File: a.py",
        "-x = 1",
        "+x = 2",
        "*** Update File: b.py",
        "-y = 1",
        "+y = 2",
    ]
    agent.call(
        hook_event_name="PostToolUse",
        turn_id="1",
        tool_name="apply_patch",
        tool_input={"command": "\n".join([*lines, "*** End Patch"])},
        tool_response="ok",
    )
    a, b = str(agent.folder / "a.py"), str(agent.folder / "b.py")
    asked = {(check.path, check.text): dict(check.modules) for check in agent.linter.checks}
    assert asked == {
        (a, "x = 2\n"): {},
        (a, "x = 1\n"): {b: "y = 1\n"},
        (b, "y = 2\n"): {},
        (b, "y = 1\n"): {a: "x = 1\n"},
    }


def test_cursor_is_told_at_the_end_alone(agent: Agent) -> None:
    (agent.folder / "a.py").write_text(BODY)
    common = {"conversation_id": "c", "generation_id": "g", "workspace_roots": [str(agent.folder)]}
    edits = [{"old_string": HEAD + BODY, "new_string": BODY}]
    assert (
        agent.call(
            hook_event_name="afterFileEdit", file_path=str(agent.folder / "a.py"), edits=edits, **common
        )
        == {}
    )
    assert agent.linter.checks == []
    assert "undefined" in agent.call(hook_event_name="stop", loop_count=0, **common)["followup_message"]
    assert agent.call(hook_event_name="stop", loop_count=1, **common) == {}


def test_paths_begin_where_the_client_says(tmp_path: Path) -> None:
    event = read(
        {"hook_event_name": "afterFileEdit", "file_path": "../a.py", "workspace_roots": ["/w/inner"]}
    )
    assert event is not None
    assert [edit.path for edit in resolved(event, "/elsewhere").edits] == ["/w/a.py"]
    assert [edit.path for edit in resolved(replace(event, folder=""), str(tmp_path / "x")).edits] == [
        str(tmp_path / "a.py")
    ]


def test_no_file_is_ever_changed(agent: Agent) -> None:
    agent.edit("a.py", HEAD + BODY)
    agent.edit("a.py", BODY)
    agent.stop()
    assert (agent.folder / "a.py").read_text() == BODY
    assert sorted(path.name for path in agent.folder.iterdir()) == [".git", "a.py"]
