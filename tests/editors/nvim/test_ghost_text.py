"""Ghost text: it appears while typing, is accepted, cycles, is typed along, goes, and is explained."""

import os
import signal

import pytest
from area import OPEN as TEXT
from area import QUIET, SUM, SUM_STREAM, SUMMED

from lintseq_lsp.cases import read_case

STREAM = "\n<|diff|>".join(
    [f" math.{rest}" for rest in ("pi * radius**2", "tau", "sqrt(radius)", "exp(radius)", "")]
)
GHOST = "th.pi * radius**2"


def returns(expression):
    return TEXT.replace("return", f"return {expression}")


@pytest.fixture
def editor(start):
    """Neovim in insert mode behind `return`."""
    editor = start(TEXT, STREAM, **QUIET)
    editor.type("GA")
    return editor


@pytest.fixture
def shown(editor):
    """The same with ghost text on the screen."""
    editor.type(" ma")
    editor.wait("ghost text on the screen", lambda: editor.ghost() == GHOST)
    return editor


def test_it_appears_while_typing_and_is_accepted(shown, is_clean):
    assert shown.text == returns("ma")
    shown.type("<Tab>")
    shown.wait("the text in the buffer", lambda: shown.text == returns("math.pi * radius**2"))
    shown.wait("no ghost text", lambda: not shown.ghost())
    assert shown.cursor == (5, 30)
    assert shown.mode == "i"
    assert is_clean(shown, TEXT)
    shown.wait("the server to hear of it", lambda: shown.wire.sent("workspace/executeCommand"))
    assert shown.wire.sent("workspace/executeCommand")[0]["command"] == "lintseq.accept"


def test_it_is_typed_along_without_another_decode(shown, is_clean):
    shown.type("th")
    shown.wait("an answer from memory", lambda: shown.roundtrip()["cached"])
    shown.wait("the rest of it", lambda: shown.ghost() == GHOST.removeprefix("th"))
    shown.type("<Tab>")
    shown.wait("the text in the buffer", lambda: shown.text == returns("math.pi * radius**2"))
    assert is_clean(shown, TEXT)


def test_typing_along_and_accepting_at_once_inserts_nothing_twice(shown, is_clean):
    shown.type("th.<Tab>")
    shown.wait("the text in the buffer", lambda: shown.text == returns("math.pi * radius**2"))
    assert is_clean(shown, TEXT)


def test_ghost_text_of_another_text_is_not_accepted(shown):
    shown.type("x<Tab>")
    shown.wait("the letter that was typed", lambda: shown.text.startswith(returns("max").rstrip()))
    shown.type("<Esc>")
    shown.wait("the end of insert mode", lambda: shown.mode == "n")
    assert "pi" not in shown.text
    assert shown.is_believed()


def test_candidates_cycle(shown, is_clean):
    shown.type("<M-]>")
    shown.wait("the second of several", lambda: "(2/" in shown.screen.ghosts("ComplHintMore"))
    second = shown.ghost()
    assert second != GHOST
    shown.type("<M-[>")
    shown.wait("the first one", lambda: shown.ghost().startswith(GHOST))
    shown.type("<M-]>")
    shown.wait("the second one", lambda: shown.ghost().startswith(second))
    shown.type("<Tab>")
    shown.wait("it in the buffer", lambda: shown.text == returns("ma" + second))
    assert is_clean(shown, TEXT)


def test_a_word_and_then_the_rest_is_accepted(shown, is_clean):
    shown.type("<M-Right>")
    shown.wait("a word in the buffer", lambda: shown.text == returns("math"))
    shown.wait("the rest of it", lambda: shown.ghost() == GHOST.removeprefix("th"))
    shown.type("<Tab>")
    shown.wait("all of it", lambda: shown.text == returns("math.pi * radius**2"))
    assert is_clean(shown, TEXT)


def test_escape_takes_it_away(shown):
    shown.type("<Esc>")
    shown.wait("no ghost text", lambda: not shown.ghost() and shown.mode == "n")
    assert shown.text == returns("ma")
    assert shown.is_believed()


def test_a_request_under_way_is_cancelled(start):
    editor = start(TEXT, STREAM, **QUIET)
    editor.type("GA ma")
    editor.wait("the question", lambda: editor.wire.sent("textDocument/inlineCompletion"))
    editor.type("<Esc>")
    editor.wait("the cancellation", lambda: editor.wire.sent("$/cancelRequest"))
    (answer,) = editor.wait("its answer", lambda: editor.wire.results("textDocument/inlineCompletion"))
    assert answer.get("error", {}).get("code") == -32800 or answer["result"]["items"]
    assert not editor.ghost()
    editor.type("a")
    editor.wait("ghost text when asked again", editor.ghost)
    assert editor.is_believed()


def test_tab_is_a_tab_when_nothing_is_shown(start):
    editor = start(TEXT, "", **QUIET)
    editor.nvim.command("set expandtab shiftwidth=4 softtabstop=4")
    editor.type("Go<Tab>pass<Esc>")
    editor.wait("an indentation", lambda: editor.text == TEXT + "    pass\n")
    editor.type("gg<C-o><Tab>")  # in normal mode it goes forward in the list of jumps
    editor.wait("the jump", lambda: editor.mode == "n" and editor.cursor[0] == 1)


def test_tab_of_another_plugin_has_its_turn(start):
    init = "vim.keymap.set('i', '<Tab>', function() return 'other' end, { expr = true })"
    editor = start(TEXT, "", init=init, **QUIET)
    editor.type("Go<Tab><Esc>")
    editor.wait("what the other mapping does", lambda: "other" in editor.text)


@pytest.mark.parametrize("command", ["Lintseq restart", "lsp restart lintseq"])
def test_a_restarted_server_knows_the_buffer(shown, command, is_clean):
    shown.type("<Esc>")
    shown.nvim.command(command)
    shown.wait("the second server", lambda: len(shown.wire.servers()) == 2)
    shown.wait("its model", lambda: len(shown.wire.sent("textDocument/didOpen")) == 2)
    shown.wait_for_server()
    shown.type("a")
    shown.wait("ghost text on the screen", lambda: shown.ghost() == GHOST)
    shown.type("<Tab>")
    shown.wait("it in the buffer", lambda: shown.text == returns("math.pi * radius**2"))
    assert is_clean(shown, TEXT)


def test_a_server_that_was_killed_is_started_again(shown):
    shown.type("<Esc>")
    os.kill(shown.wire.servers()[0], signal.SIGKILL)
    shown.wait("its end", lambda: shown.lua("return #vim.lsp.get_clients({ name = 'lintseq' }) == 0"))
    shown.nvim.command("Lintseq restart")
    shown.wait_for_server()
    shown.type("a")
    shown.wait("ghost text on the screen", lambda: shown.ghost() == GHOST)
    assert shown.is_believed()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_characters_beyond_ascii(start, is_clean, encoding):
    text = 'def owls(count):\n    """🦉 é ﷽"""\n    owl, size = "🦉é",\n    return owl, size\n'
    general = f"general = {{ positionEncodings = {{ '{encoding}' }} }}"
    init = f"vim.lsp.config('*', {{ capabilities = {{ {general} }} }})"
    editor = start(text, ' len("🦉" * count)\n<|diff|>', init=init, **QUIET)
    assert editor.lua("return vim.lsp.get_clients()[1].offset_encoding") == encoding
    editor.type("3GA le")
    editor.wait("ghost text on the screen", lambda: editor.ghost() == 'n("🦉" * count)')
    editor.type("<Tab>")
    line = '    owl, size = "🦉é", len("🦉" * count)'
    editor.wait("it in the buffer", lambda: line in editor.text)
    assert editor.cursor == (3, len(line.encode()))
    assert is_clean(editor, text)


def test_several_lines_in_a_file_with_carriage_returns(start, is_clean):
    editor = start(SUM, SUM_STREAM, **QUIET)
    editor.type("Go")
    editor.wait("three lines of ghost text", lambda: editor.ghost().count("\n") == 2)
    editor.type("<Tab>")
    editor.wait("them in the buffer", lambda: editor.text == SUMMED)
    assert is_clean(editor, SUM)


def test_silence_is_explained(start):
    text = "def area(radius):\n    return\n"
    editor = start(text, " radus**2\n<|diff|>" * 8, **QUIET)
    editor.type("GA ra")
    editor.wait("the answer", lambda: editor.wire.results("textDocument/inlineCompletion"))
    assert not editor.ghost()
    editor.type("<Esc>:Lintseq explain<CR>")
    editor.wait("why", lambda: "new-findings: " in editor.screen.text)
    assert "E0602 Undefined variable 'radus'" in editor.screen.text


def test_the_last_answer_becomes_a_case_file(start):
    text = "def area(radius):\n    return\n"
    editor = start(text, " radus**2\n<|diff|>" * 8, **QUIET)
    editor.type("GA ra")
    editor.wait("the answer", lambda: editor.wire.results("textDocument/inlineCompletion"))
    editor.type("<Esc>:Lintseq record<CR>")
    editor.wait("the case", lambda: "== request complete" in editor.screen.text)
    buffer = editor.nvim.current.buffer
    assert buffer.options["buftype"] == "nofile"
    case = read_case("\n".join(buffer[:]) + "\n")
    assert case.document == "def area(radius):\n    return ra\n"
    assert case.expect.startswith("rejected: new-findings\n   line 2: undefined-variable")
    assert editor.nvim.api.buf_get_lines(1, 0, -1, True) == case.document.splitlines()
