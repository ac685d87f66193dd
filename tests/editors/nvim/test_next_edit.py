"""Next edits: drawn where they go, reached and taken with one key, one undo each; and other clients' ways."""

from pathlib import Path

import pytest
from area import GIRTH, SHOW, STREAM, TEXT
from editor import IS_OLDER

APART = """@@ -1,0 +2 @@
+import sys
<|diff|>@@ -6,0 +7,3 @@
+
+
+print(area(1), sys.argv)
<|diff|>
<|diff|>
"""
"""Two edits that do not touch each other: both are in one answer."""


@pytest.fixture
def shown(start):
    """Neovim in normal mode on the first line, with the first next edit on the screen."""
    editor = start(TEXT, STREAM)
    editor.wait("the next edit on the screen", lambda: "def girth" in editor.screen.ghosts("LintseqAdd"))
    return editor


def test_it_is_drawn_where_it_goes(shown):
    assert shown.text == TEXT
    assert "def girth(radius):\n    return 2 * math.pi * radius" in shown.screen.ghosts("LintseqAdd")
    assert "»" in shown.screen.ghosts("LintseqHint")
    assert shown.lua("return require('lintseq').status()") == "⇥ line 5"


def test_tab_jumps_then_accepts_and_the_next_one_is_there(shown, is_clean):
    assert shown.cursor == (1, 0)
    shown.type("<Tab>")
    shown.wait("the jump", lambda: shown.cursor[0] == 5)
    assert shown.text == TEXT
    shown.type("<Tab>")
    shown.wait("the edit in the buffer", lambda: shown.text == TEXT + GIRTH)
    assert is_clean(shown, TEXT)
    shown.wait("the next one", lambda: "print(area" in shown.screen.ghosts("LintseqAdd"))
    assert shown.roundtrip()["cached"]
    shown.type("<Tab>")
    shown.wait("it in the buffer", lambda: shown.text == TEXT + GIRTH + SHOW)
    assert is_clean(shown, TEXT)
    shown.type("u")
    shown.wait("one undo for one edit", lambda: shown.text == TEXT + GIRTH)
    shown.type("u")
    shown.wait("another for the other", lambda: shown.text == TEXT)
    assert shown.is_believed()


def test_escape_rejects_and_it_does_not_come_again_wherever_it_would_be_by_now(start):
    again = STREAM.replace("@@ -5,0 +6", "@@ -6,0 +7")
    editor = start(TEXT, f"{STREAM}<|diff|>{again}", patient=True)
    editor.wait("the next edit on the screen", lambda: "def girth" in editor.screen.ghosts("LintseqAdd"))
    editor.type("<Esc>")
    editor.wait("an empty screen", lambda: not editor.screen.ghosts("LintseqAdd"))
    editor.type("ggO# mine<Esc>")
    editor.wait("why there is none", lambda: editor.roundtrip()["reason"] == "rejected-before")
    assert not editor.screen.ghosts("LintseqAdd")
    assert editor.text == "# mine\n" + TEXT


def test_typing_takes_it_away(shown):
    shown.type("ix")
    shown.wait("an empty screen", lambda: not shown.screen.ghosts("LintseqAdd"))
    assert shown.text == "x" + TEXT
    assert shown.is_believed()


def test_tab_and_escape_are_themselves_when_nothing_is_shown(shown):
    shown.type("<Esc>")
    shown.wait("an empty screen", lambda: not shown.screen.ghosts("LintseqAdd"))
    shown.type("G<C-o>")
    shown.wait("the way back", lambda: shown.cursor[0] == 1)
    shown.type("<Tab>")
    shown.wait("the way forward", lambda: shown.cursor[0] == 5)
    assert shown.text == TEXT


def test_a_place_out_of_sight_is_told(start):
    text = "import math\n" + "\n" * 60 + TEXT.removeprefix("import math\n")
    stream = STREAM.replace("@@ -5,0 +6,4", "@@ -65,0 +66,4")
    editor = start(text, stream, patient=True)
    editor.wait("a hint", lambda: "⇥ line 65" in editor.screen.ghosts("LintseqHint"))
    editor.type("<Tab>")
    editor.wait("the place", lambda: "def girth" in editor.screen.ghosts("LintseqAdd"))
    assert "⇥" not in editor.screen.text


def test_in_insert_mode_it_comes_after_a_pause(start, is_clean):
    nothing = "\n<|diff|>\n<|diff|>"
    shifted = STREAM.replace("@@ -5,0 +6", "@@ -6,0 +7").replace("@@ -9,0 +10", "@@ -10,0 +11")
    editor = start(TEXT, nothing + shifted, patient=True)
    editor.wait("silence", lambda: editor.wire.results("textDocument/copilotInlineEdit"))
    editor.type("ggO# x")
    editor.wait("the next edit", lambda: "def girth" in editor.screen.ghosts("LintseqAdd"))
    editor.type("<Tab>")
    editor.wait("the jump", lambda: editor.cursor[0] == 6)
    assert editor.mode == "i"
    editor.type("<Tab>")
    editor.wait("it in the buffer", lambda: editor.text == "# x\n" + TEXT + GIRTH)
    assert is_clean(editor, TEXT)


def test_lines_above_the_first_one_are_seen(start, is_clean):
    editor = start(TEXT, "@@ -0,0 +1 @@\n+import sys\n<|diff|>\n<|diff|>\n<|diff|>", patient=True)
    editor.wait("the next edit", lambda: "import sys" in editor.screen.ghosts("LintseqAdd"))
    editor.type("<Tab>")  # the cursor is there already
    editor.wait("it in the buffer", lambda: editor.text == f"import sys\n{TEXT}")
    assert is_clean(editor, TEXT)


def test_commands_work(start, is_clean):
    editor = start(TEXT, STREAM)
    editor.wait("the next edit", lambda: "def girth" in editor.screen.ghosts("LintseqAdd"))
    editor.nvim.command("Lintseq reject")
    editor.wait("an empty screen", lambda: not editor.screen.ghosts("LintseqAdd"))
    editor.nvim.command("Lintseq explain")
    editor.wait("why", lambda: "accepted: There is a suggestion." in editor.screen.text)
    editor.nvim.command("Lintseq restart")
    editor.wait("the second server", lambda: len(editor.wire.servers()) == 2)
    editor.wait_for_server()
    editor.wait("the next edit", lambda: "def girth" in editor.screen.ghosts("LintseqAdd"))
    editor.nvim.command("Lintseq accept")
    editor.wait("the jump", lambda: editor.cursor[0] == 5)
    editor.nvim.command("Lintseq accept")
    editor.wait("it in the buffer", lambda: editor.text == TEXT + GIRTH)
    assert is_clean(editor, TEXT)
    editor.nvim.command("Lintseq toggle")
    editor.wait("silence", lambda: editor.roundtrip() and not editor.screen.ghosts("LintseqAdd"))
    editor.nvim.command("Lintseq next")
    editor.wait("why", lambda: editor.roundtrip()["reason"] == "off")


# Clients as others wrote them

SIDEKICK = """
vim.lsp.config('lintseq_copilot', {
  cmd = COMMAND, init_options = OPTIONS, filetypes = { 'python' }, root_markers = { 'pyproject.toml' },
})
vim.lsp.enable('lintseq_copilot')
ROUNDS = {}
function ASK()
  local client, buf = vim.lsp.get_clients({ name = 'lintseq_copilot' })[1], vim.api.nvim_get_current_buf()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.textDocument.version = vim.lsp.util.buf_versions[buf]
  params.context = { triggerKind = 2 }
  client:request('textDocument/copilotInlineEdit', params, function(_, result)
    local function text_edit(edit) return { range = edit.range, newText = edit.text } end
    local edits = vim.tbl_map(text_edit, result.edits)
    table.insert(ROUNDS, #edits)
    if #edits == 0 then return end
    vim.lsp.util.apply_text_edits(edits, buf, client.offset_encoding)
    vim.schedule(function()
      for _, edit in ipairs(result.edits) do client:exec_cmd(edit.command, { bufnr = buf }) end
      ASK()
    end)
  end, buf)
end
"""
COPILOT_LSP = """
vim.lsp.config('lintseq', {
  cmd = COMMAND, init_options = OPTIONS, filetypes = { 'python' }, root_markers = { 'pyproject.toml' },
  capabilities = { general = { positionEncodings = { 'utf-16' } } },
})
vim.lsp.enable('lintseq')
ROUNDS = {}
function ASK()
  local client, buf = vim.lsp.get_clients({ name = 'lintseq' })[1], vim.api.nvim_get_current_buf()
  local params = vim.lsp.util.make_position_params(0, 'utf-16')
  params.textDocument.version = vim.lsp.util.buf_versions[buf]
  client:request('textDocument/copilotInlineEdit', params, function(_, result)
    table.insert(ROUNDS, #result.edits)
    local edit = result.edits[1]
    if not edit then return end
    client:notify('textDocument/didShowInlineEdit', { item = { command = edit.command } })
    vim.lsp.util.apply_text_edits({ { range = edit.range, newText = edit.text } }, buf, 'utf-16')
    vim.schedule(function()
      client:exec_cmd(edit.command, { bufnr = buf })
      ASK()
    end)
  end, buf)
end
"""


@pytest.mark.parametrize(("client", "rounds"), [(SIDEKICK, [2, 0]), (COPILOT_LSP, [2, 1, 0])])
def test_all_edits_or_the_first_one_come_to_the_same(start, is_clean, client, rounds):
    text = TEXT.replace("import math", 'import math  # 🦉 é "﷽"')
    editor = start(text, APART, init=client, plugin=False, patient=True)
    editor.lua("ASK()")
    editor.wait("nothing more to come", lambda: editor.lua("return ROUNDS[#ROUNDS]") == 0)
    assert editor.lua("return ROUNDS") == rounds
    first, rest = text.split("\n", 1)
    # Neovim 0.11 has an empty line of its own behind what is inserted below the last one.
    end = "\n" if IS_OLDER else ""
    assert editor.text == f"{first}\nimport sys\n{rest}\n\nprint(area(1), sys.argv)\n{end}"
    assert is_clean(editor, text)


def test_every_prefix_of_an_answer_is_clean(start, is_clean):
    """A client that takes the first edit only has a clean file in between, too."""
    editor = start(TEXT, APART, init=COPILOT_LSP.replace("      ASK()\n", ""), plugin=False, patient=True)
    editor.lua("ASK()")
    editor.wait("the first edit", lambda: "import sys" in editor.text)
    assert "print" not in editor.text
    assert is_clean(editor, TEXT)
    assert Path(editor.nvim.current.buffer.name).read_text("utf-8") == TEXT
