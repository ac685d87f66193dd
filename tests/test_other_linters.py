"""Linters beside pylint through everything that judges: commands, hooks, the gate and the settings."""

import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsp_client import Client
from typer.testing import CliRunner

from lintseq_lsp import cli
from lintseq_lsp.commands import app
from lintseq_lsp.gate import Gate
from lintseq_lsp.hooks import channel
from lintseq_lsp.hooks.handler import Handler, open_handler
from lintseq_lsp.linters import several
from lintseq_lsp.linters.program import find_program
from lintseq_lsp.lsp.settings import parse
from lintseq_lsp.reasons import Reason
from lintseq_lsp.runtime import open_gate
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document

pytestmark = pytest.mark.skipif(find_program("ruff", []) is None, reason="ruff is not installed")

OLD = "def f(x):\n    return x is 's'\n"  # an error to ruff (F632), none to pylint's gate
SAID = "ruff F632 is-literal"


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    gate = open_gate(Settings(linters=("ruff",), gate_timeout=60.0))
    yield gate
    gate.linter.close()


@pytest.mark.parametrize(
    ("after", "new"),
    [
        (OLD, []),
        (f"\n\nX = 1\n{OLD}", []),  # lines that moved
        (f"if True:\n    {OLD.replace('return', '    return')}", []),  # code that was indented
        (OLD + OLD.replace(" f(", " g("), [4]),  # a second identical one
        (OLD + "\n\ndef g(y):\n    return f(y) is 1\n", [6]),
        ("", []),
    ],
)
def test_its_findings_are_matched_as_pylints_are(gate: Gate, after: str, new: list[int]) -> None:
    verdict = gate.against(Document(OLD, None, "/w/a.py")).judge(Document(after, None, "/w/a.py"))
    assert [finding.line for finding in verdict.findings] == new
    assert {finding.linter for finding in verdict.findings} <= {"ruff"}
    assert verdict.also == (("ruff",) if after else ())
    assert verdict.accepted == (not new)


def test_a_comment_for_it_is_no_way_out(gate: Gate) -> None:
    bar = gate.against(Document("X = 1\n"))
    for comment in ("noqa", "ruff: ignore[F632]"):
        assert bar.judge(Document(f"X = 1\nX is 1  # {comment}\n")).reason is Reason.PRAGMA


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def f():\n    return a\n", ["E0602 undefined-variable, ruff F821 undefined-name"]),
        ("def f():\n    return a + b\n", ["E0602 undefined-variable, ruff F821 undefined-name"] * 2),
        ("def f():\n    return a + a\n", ["E0602 undefined-variable, ruff F821 undefined-name"] * 2),
        ("__all__ = ['a']\n", ["E0603 undefined-all-variable, ruff F822 undefined-export"]),
        (
            "X = 1\n\n\ndef f():\n    print(X)\n    X = 2\n    return X\n",
            ["E0601 used-before-assignment, ruff F823 undefined-local"],
        ),
        (
            "class A:\n    pass\n\n\nclass A:\n    pass\n",
            ["E0102 function-redefined, ruff F811 redefined-while-unused"],
        ),
        ("X = '%(a' % {}\n", ["E1301 truncated-format-string, ruff F501 percent-format-invalid-format"]),
        ("X = '%(a)s' % (1,)\n", ["E1303 format-needs-mapping, ruff F502 percent-format-expected-mapping"]),
        (
            "X = '%(a)s%(b)s' % {}\n",
            [
                "E1304 missing-format-string-key, ruff F505 percent-format-missing-argument",
                "E1304 missing-format-string-key",
            ],
        ),
        (
            "X = '%s %s' % (1,)\n",
            ["E1306 too-few-format-args, ruff F507 percent-format-positional-count-mismatch"],
        ),
        (
            "X = '%s' % (1, 2)\n",
            ["E1305 too-many-format-args, ruff F507 percent-format-positional-count-mismatch"],
        ),
        (
            "X = '{} {}'.format(1)\n",
            ["E1306 too-few-format-args, ruff F524 string-dot-format-missing-arguments"],
        ),
        (
            "X = '%y' % 1\n",
            ["E1300 bad-format-character, ruff F509 percent-format-unsupported-format-character"],
        ),
    ],
)
def test_one_fault_is_told_once(gate: Gate, text: str, told: list[str]) -> None:
    bar = gate.against(Document("", None, "/w/a.py"))
    verdict = bar.submit(Document(text, None, "/w/a.py"), early=False).result()
    assert [finding.names for finding in verdict.findings] == told
    assert not verdict.accepted


def test_ruffs_own_names_for_pylints_rules_are_known() -> None:
    gate = open_gate(Settings(linters=("ruff=PLE",), gate_timeout=60.0))
    try:
        bar = gate.against(Document("import logging\n"))
        verdict = bar.judge(Document("import logging\n\nlogging.error('%s', 1, 2)\n"))
    finally:
        gate.linter.close()
    assert [finding.names for finding in verdict.findings] == [
        "E1205 logging-too-many-args, ruff PLE1205 logging-too-many-args"
    ]


def test_what_is_new_to_one_of_them_is_new(gate: Gate) -> None:
    """The other one had said it before."""
    bar = gate.against(Document("print(a)  # noqa: F821\n"))
    (finding,) = bar.judge(Document("print(a)\n")).findings
    assert finding.names == "ruff F821 undefined-name"


def test_check_names_all_who_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("print(a)\n")
    names = "E0602 undefined-variable, ruff F821 undefined-name"

    def check(*arguments: str) -> str:
        command = ["check", "a.py", "--linter", "ruff", *arguments]
        return CliRunner().invoke(app, command, catch_exceptions=False).stdout

    assert check() == f"a.py:1:6: {names}: Undefined variable 'a'\n"
    (found,) = json.loads(check("--json"))["findings"]
    assert (found["symbol"], found["same"]) == ("undefined-variable", ["ruff F821 undefined-name"])
    assert check("--format", "github").count(f"title={names.replace(',', '%2C')}::") == 1
    (issue,) = json.loads(check("--format", "gitlab"))
    assert issue["description"] == "E0602 Undefined variable 'a' (ruff F821 undefined-name)"
    (run,) = json.loads(check("--format", "sarif"))["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["undefined-variable"]


def test_check_names_who_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text(OLD)

    def check(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["check", "a.py", *arguments], catch_exceptions=False)
        return result.exit_code, result.stdout

    assert check() == (0, "a.py: no new findings (pylint)\n")
    status, out = check("--linter", "ruff")
    assert (status, out.startswith(f"a.py:2:11: {SAID}: ")) == (1, True)
    assert check("--linter", "ruff=F401") == (0, "a.py: no new findings (pylint, ruff)\n")
    status, out = check("--linter", "ruff", "--json")
    assert (status, json.loads(out)["also"], json.loads(out)["findings"][0]["linter"]) == (
        1,
        ["ruff"],
        "ruff",
    )
    assert f"title={SAID}::" in check("--linter", "ruff", "--format", "github")[1]
    (issue,) = json.loads(check("--linter", "ruff", "--format", "gitlab")[1])
    assert (issue["check_name"], issue["description"][:9]) == ("ruff/is-literal", "ruff F632")
    (run,) = json.loads(check("--linter", "ruff", "--format", "sarif")[1])["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["ruff/is-literal"]
    assert run["results"][0]["message"]["text"].startswith("ruff F632 ")
    assert check("--linter", "none")[0] == 2


def edited(path: Path, after: str) -> bytes:
    before = path.read_text() if path.exists() else ""
    path.write_text(after)
    given = {
        "session_id": "s",
        "permission_mode": "default",
        "hook_event_name": "PostToolUse",
        "tool_name": "Write",
        "tool_input": {"file_path": str(path)},
        "tool_response": {"originalFile": before},
    }
    return json.dumps(given).encode()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def answer(handler: Handler, given: bytes) -> dict[str, Any]:
    answer = handler.answer(given, "/")
    assert (answer.status, answer.stderr) == (0, "")
    return dict(json.loads(answer.stdout)) if answer.stdout else {}


def test_an_agent_is_told(state: Path) -> None:
    handler = open_handler("", ("ruff",))
    try:
        reason = answer(handler, edited(state / "a.py", OLD))["reason"]
        assert reason.startswith("The edit was applied. It introduces:\n")
        assert f"a.py:2: {SAID}: " in reason
        assert answer(handler, edited(state / "a.py", f"X = 1\n{OLD}")) == {}
    finally:
        handler.close()


def test_an_agent_is_told_once_what_two_say(state: Path) -> None:
    handler = open_handler("", ("ruff",))
    try:
        (state / "a.py").write_text("import os\n\nprint(os.name)\n")
        reason = answer(handler, edited(state / "a.py", "\nprint(os.name)\n"))["reason"]
    finally:
        handler.close()
    (told,) = reason.splitlines()[1:]
    assert told.endswith(
        "a.py:2: E0602 undefined-variable, ruff F821 undefined-name: Undefined variable 'os'"
    )


def test_people_are_told_once_of_one_that_is_not_there(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "find_program", lambda *_: None)
    handler = open_handler("", ("ruff",))
    try:
        said = answer(handler, edited(state / "a.py", "X = 1\n"))
        assert list(said) == ["systemMessage"]
        assert "ruff is not installed" in said["systemMessage"]
        assert answer(handler, edited(state / "a.py", "X = 2\n")) == {}
    finally:
        handler.close()


def test_a_name_that_is_none_is_told_and_nobody_is_held_up(state: Path) -> None:
    handler = open_handler("", ("rough",))
    said = answer(handler, edited(state / "a.py", "X = 1\n"))
    assert said == {"systemMessage": "lintseq-lsp: edits are not checked: unknown linters: rough"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ("", ())),
        (["--linter", "ruff"], ("", ("ruff",))),
        (["--python", "/p", "--linter", "ruff", "--linter", "ty=all"], ("/p", ("ruff", "ty=all"))),
    ],
)
def test_a_hook_hands_on_which_linters_are_wanted(
    options: list[str], expected: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("lintseq_lsp.hooks.client.run", lambda _, *more: asked.append(more) or (0, "", ""))
    monkeypatch.setattr(sys, "argv", ["lintseq-lsp", "hook", *options])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    with pytest.raises(SystemExit):
        cli.main()
    assert asked == [expected]


@pytest.mark.skipif(os.name == "nt", reason="no Unix sockets")
def test_the_daemon_of_other_linters_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="lintseq-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        choices = [(), ("ruff",), ("ruff=F",), ("ruff", "ty")]
        assert len({channel.place("", choice) for choice in choices}) == len(choices)


def test_the_setting_names_linters() -> None:
    settings, warnings = parse({"linters": ["ruff=F", "rough", "ty"]}, trusted=False)
    assert settings.linters == ("ruff=F", "ty")
    assert warnings == ["The setting lintseq.linters names unknown linters: rough."]
    assert parse({"linters": "ruff"}, trusted=False)[0].linters == ()
    assert parse({"linters": []}, trusted=False) == (Settings(), [])


def test_an_editor_hears_once_of_one_that_is_not_there() -> None:
    """The setting may come with each change of the configuration."""
    server = Path(__file__).with_name("lsp_fake.py")
    start = (
        "from lintseq_lsp.linters import several; several.find_program = lambda *_: None; "
        f"import runpy; runpy.run_path({str(server)!r}, run_name='__main__')"
    )
    with Client([sys.executable, "-c", start], cwd=server.parents[1]) as client:
        client.initialize({"linters": ["ty", "rough"]})
        for _ in range(2):
            client.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": {"linters": ["ty"]}}})
        client.ask("lintseq/explain", {"textDocument": {"uri": "file:///w/a.py"}})
        said = [each["message"] for each in client.all_of("window/showMessage")]
    assert [message for message in said if "ty is not installed" in message] == said[-1:]
    assert len(said) <= 2
