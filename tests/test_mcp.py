"""The tools of the Model Context Protocol, asked over standard input and output by the SDK's own client."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.client import Client

from lintseq_lsp.commands import mcp as command
from lintseq_lsp.linters.program import find_program

Call = Callable[..., Any]


def talk(folder: Path, conversation: Callable[[Client], Any], *arguments: str) -> Any:
    """What comes of a conversation with a server that was started in the folder, with more arguments."""

    async def run() -> Any:
        command = ["-m", "lintseq_lsp", "mcp", *arguments]
        given = StdioServerParameters(command=sys.executable, args=command, cwd=folder)
        async with Client(given) as client:
            return await conversation(client)

    return asyncio.run(run())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "a.py").write_text("old()\n")
    (tmp_path / "module.py").write_text("x = 1\n")
    (tmp_path / "my_secret.py").write_text("key = 1\n")
    for arguments in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def messages(result: Any) -> tuple[str, list[tuple[str, int, str]]]:
    assert not result.is_error, result
    answer = result.structured_content
    found = [
        (file["path"], finding["line"], finding["symbol"])
        for file in answer["files"]
        for finding in file["findings"]
    ]
    assert answer["new_findings"] == len(found)
    return answer["against"], found


def test_tools_say_that_they_only_read(project: Path) -> None:
    async def conversation(client: Client) -> Any:
        return await client.list_tools()

    tools = {tool.name: tool for tool in talk(project, conversation).tools}
    assert tools.keys() == {"check_edit", "explain"}
    for tool in tools.values():
        assert tool.annotations.read_only_hint is True
        assert tool.annotations.open_world_hint is False
        assert tool.description
    assert tools["check_edit"].input_schema["properties"].keys() == {"path", "text", "patch"}


@pytest.mark.skipif(find_program("ruff", []) is None, reason="ruff is not installed")
def test_another_linter_counts_as_well(project: Path) -> None:
    async def conversation(client: Client) -> Any:
        edit = await client.call_tool("check_edit", {"path": "module.py", "text": "x = 1\nx is 's'\n"})
        return edit, await client.call_tool("explain", {})

    edit, what = talk(project, conversation, "--linter", "ruff")
    assert messages(edit) == ("disk", [("module.py", 2, "is-literal")])
    (finding,) = edit.structured_content["files"][0]["findings"]
    assert (finding["linter"], finding["code"]) == ("ruff", "F632")
    assert what.content[0].text.endswith("New errors of ruff count as well.")


def test_an_edit_is_checked_in_each_form(project: Path) -> None:
    patch = "--- a/a.py\n+++ b/a.py\n@@ -1 +1,2 @@\n old()\n+new()\n"

    async def conversation(client: Client) -> Any:
        async def check(**arguments: str) -> Any:
            return await client.call_tool("check_edit", arguments)

        found = [
            await check(path="a.py", text="\n\nold()\nold()\n"),
            await check(path="a.py", text="\nif 1:\n    old()\n"),
            await check(path="b.py", text="import module\n\nprint(module.x, module.y)\n"),
            await check(patch=patch),
        ]
        (project / "a.py").write_text("new()\n")
        (project / "module.py").write_text("y = 1\n")
        found.append(await check(path="a.py"))
        found.append(await check(path="b.py", text="import module\n\nprint(module.x, module.y)\n"))
        found.append(await check(path="module.py", text="x = (\n"))
        return [messages(each) for each in found]

    assert talk(project, conversation) == [
        ("disk", [("a.py", 3, "undefined-variable")]),
        ("disk", []),
        ("nothing", [("b.py", 3, "no-member")]),
        ("patch", [("a.py", 2, "undefined-variable")]),
        ("git", [("a.py", 1, "undefined-variable")]),
        ("nothing", [("b.py", 3, "no-member")]),
        ("disk", [("module.py", 1, "syntax-error")]),
    ]
    assert (project / "a.py").read_text() == "new()\n", "nothing is written"


def test_what_cannot_be_done_is_an_error_that_says_why(project: Path) -> None:
    calls: list[tuple[dict[str, str], str]] = [
        ({}, "give a path"),
        ({"path": "a.py", "patch": "x"}, "give a path"),
        ({"path": "missing.py"}, "missing.py does not exist: give its text"),
        ({"path": "my_secret.py"}, "looks like a secret"),
        ({"path": "notes.txt", "text": ""}, "it is not a Python file"),
        ({"patch": "no patch"}, "there is no patch in this text"),
        ({"patch": "--- a/../a.py\n+++ b/../a.py\n@@ -1 +1 @@\n-x\n+y\n"}, "outside of the folder"),
    ]

    async def conversation(client: Client) -> Any:
        found = [await client.call_tool("check_edit", arguments) for arguments, _ in calls]
        return [*found, await client.call_tool("explain", {"symbol": "--version"})]

    *found, explained = talk(project, conversation)
    for result, (arguments, message) in zip(found, calls, strict=True):
        assert result.is_error, arguments
        assert message in result.content[0].text
    assert explained.is_error


def test_messages_are_explained(project: Path) -> None:
    async def conversation(client: Client) -> Any:
        return [
            (await client.call_tool("explain", {"symbol": symbol})).content[0].text
            for symbol in ("", "no-member", "E0602", "nothing-of-pylint")
        ]

    whole, member, undefined, unknown = talk(project, conversation)
    assert whole == command.WHAT_IS_JUDGED
    assert "no-member (E1101)" in member
    assert "undefined-variable (E0602)" in undefined
    assert "nothing-of-pylint" in unknown


def test_without_the_sdk_it_is_said_what_to_install(tmp_path: Path) -> None:
    script = "import sys; sys.modules['mcp'] = None; sys.argv[1:] = ['mcp']\n"
    script += "from lintseq_lsp.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install 'lintseq-lsp[mcp]'" in done.stderr
