"""The lines of the two READMEs, pasted into a clean profile; and the model that ships."""

import os
import re
import shlex
import sys
import time
from pathlib import Path

import pytest
from area import OPEN as TEXT
from area import SUM, SUM_STREAM, SUMMED
from editor import Editor, readme_lua
from wire import Wire

ROOT = Path(__file__).parents[3]


@pytest.fixture
def ten_lines():
    """The Lua that needs no plug-in, with the tapped server and its options in place of its own."""
    page = (ROOT / "editors" / "README.md").read_text("utf-8")
    (block,) = re.findall(r"### Without the plug-in\n[^#]*?```lua\n(.*?)```", page, re.DOTALL)
    block, commands = re.subn(r"cmd = \{[^}]*\}", "cmd = COMMAND", block)
    block, options = re.subn(r"init_options = \{[^}]*\}", "init_options = OPTIONS", block)
    assert (commands, options) == (1, 1)
    return block


def test_ghost_text_without_the_plugin(start, ten_lines, is_clean):
    editor = start(TEXT, " math.pi * radius**2\n<|diff|>", init=ten_lines, plugin=False)
    editor.type("GA ma")
    editor.wait("ghost text on the screen", lambda: editor.ghost() == "th.pi * radius**2")
    editor.type("<Tab>")
    expected = TEXT.replace("return", "return math.pi * radius**2")
    editor.wait("it in the buffer", lambda: editor.text == expected)
    assert is_clean(editor, TEXT)
    editor.type("<Esc>o<Tab>")
    editor.wait("a tab that is one", lambda: editor.text == expected + "    \n")


def test_without_the_plugin_the_project_runs_nothing_either(start, ten_lines, hostile):
    go_there, mark = hostile
    start(TEXT, SUM_STREAM, init=f"{go_there}\n{ten_lines}", plugin=False)
    assert not mark.exists()


def test_without_the_plugin_nothing_is_inserted_twice_either(start, ten_lines, is_clean):
    editor = start(TEXT, " math.pi * radius**2\n<|diff|>", init=ten_lines, plugin=False)
    editor.type("GA ma")
    editor.wait("ghost text on the screen", lambda: editor.ghost() == "th.pi * radius**2")
    editor.type("th<Tab>")
    editor.wait("the letters", lambda: "math" in editor.text)
    assert editor.text == TEXT.replace("return", "return math")
    editor.type(".")
    editor.wait("what is left", lambda: editor.ghost() == "pi * radius**2")
    editor.type("<Tab>")
    editor.wait("all of it", lambda: editor.text == TEXT.replace("return", "return math.pi * radius**2"))
    assert is_clean(editor, TEXT)


def test_without_the_plugin_carriage_returns_are_no_characters(start, ten_lines, is_clean):
    editor = start(SUM, SUM_STREAM, init=ten_lines, plugin=False)
    editor.type("Go")
    editor.wait("three lines of ghost text", lambda: editor.ghost().count("\n") == 2)
    assert "^M" not in editor.screen.text
    editor.type("<Tab>")
    editor.wait("them in the buffer", lambda: editor.text == SUMMED)
    assert is_clean(editor, SUM)


def is_answered(wire, where):
    sent = wire.sent("textDocument/inlineCompletion")
    return (
        sent
        and sent[-1]["position"] == where
        and len(wire.results("textDocument/inlineCompletion")) == len(sent)
    )


def ghosts(editor):
    """Ghost text for lines of the file of which the first letters are typed anew: its text, and the file
    with `pass` for that line, as the gate sees it before.
    """
    for row, line in enumerate(editor.text.splitlines()):
        column = len(line) - len(line.lstrip()) + 5
        if row < 10 or not line[column - 1 : column + 1].isalnum() or column + 1 >= len(line):
            continue
        editor.nvim.command(f"undo 0 | {row + 1}")
        before = editor.text.replace(line + "\n", line[: column - 5] + "pass\n")
        editor.type(f"0{column}lDA")
        editor.wait("insert mode", lambda: editor.mode == "i")
        editor.type(line[column])
        editor.wait("the letter", lambda start=line[: column + 1]: f"\n{start}\n" in editor.text)
        where = {"line": row, "character": column + 1}
        editor.wait("an answer for that place", lambda where=where: is_answered(editor.wire, where))
        items = editor.wire.results("textDocument/inlineCompletion")[-1]["result"]["items"]
        if items:
            editor.wait("it on the screen", editor.ghost)
            yield items[0]["insertText"], before
        editor.type("<Esc>")
        editor.wait("normal mode", lambda: editor.mode == "n")


def test_the_model_that_ships(start, is_clean):
    """Some lines of a file have something to offer: what, is the model's."""
    text = (ROOT / "examples" / "inventory.py").read_text("utf-8")
    editor = start(text, None, setup="{ next_edit = false }")
    offered = 0
    for ghost, before in ghosts(editor):
        editor.type("<Tab>")
        editor.wait("it in the buffer", lambda ghost=ghost: ghost in editor.text)
        assert is_clean(editor, before)
        offered += 1
        if offered == 2:
            return
    assert offered, "the model has nothing to offer anywhere"


def test_the_first_minute(tmp_path, is_clean, capsys):
    """From a clean profile with the README's lines to a suggestion that was accepted.

    The server is the one that Neovim finds on its path: a script that taps it.
    """
    block = readme_lua(ROOT)
    text = (ROOT / "examples" / "inventory.py").read_text("utf-8")
    project, programs = tmp_path / "project", tmp_path / "bin"
    project.mkdir()
    programs.mkdir()
    (project / "inventory.py").write_text(text, "utf-8")
    wire = Wire(tmp_path / "wire.jsonl")
    program = programs / "lintseq-lsp"
    program.write_text(f"#!/bin/sh\nexec {shlex.join(wire.command)}\n", "utf-8")
    program.chmod(0o755)
    colours = "vim.api.nvim_set_hl(0, 'ComplHint', { fg = '#808080' })\n"  # so that the screen tells it apart
    init = tmp_path / "init.lua"
    init.write_text(block + colours, "utf-8")
    begun = time.monotonic()
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    editor = Editor(os.environ["LINTSEQ_NVIM"], init, tmp_path, wire, path)
    try:
        editor.open(project / "inventory.py")
        editor.wait_for_server()
        ghost, before = next(ghosts(editor))
        editor.type("<Tab>")
        editor.wait("it in the buffer", lambda: ghost in editor.text)
        seconds = time.monotonic() - begun
        assert is_clean(editor, before)
    finally:
        editor.close()
    with capsys.disabled():
        sys.stdout.write(f"\nclean profile to accepted suggestion: {seconds:.1f} s\n")
