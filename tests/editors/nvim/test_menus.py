"""Tab beside the menus of other plug-ins: stand-ins for blink.cmp and nvim-cmp, and Neovim's own.

The stand-ins map keys as the plug-ins do: in the buffer, when insert mode begins, over what is there,
which a mapping of theirs may fall back to. Their menu is open when a test says so.
"""

import re

import pytest
from area import OPEN, QUIET
from conftest import ROOT

STREAM = " math.pi * radius**2\n<|diff|>"
GHOST = "th.pi * radius**2"
TAKEN = OPEN.replace("return", "return math.pi * radius**2")
CMP = """
MENU_OPEN, CHOSEN = false, 0
local cmp = { visible = function() return MENU_OPEN end }
cmp.mapping = function(action) return action end
cmp.select_next_item = function() CHOSEN = CHOSEN + 1 end
cmp.setup = function(options)
  vim.api.nvim_create_autocmd('InsertEnter', { callback = function(event)
    for key, action in pairs(options.mapping) do
      local before = vim.fn.maparg(key, 'i', false, true)
      if before.desc ~= 'cmp.utils.keymap.set_map' then
        local function fallback()
          local keys = before.callback and before.callback() or key
          if keys ~= '' then vim.api.nvim_feedkeys(vim.keycode(keys), 'in', false) end
        end
        vim.keymap.set('i', key, function() action(fallback) end,
          { buffer = event.buf, desc = 'cmp.utils.keymap.set_map' })
      end
    end
  end })
end
package.loaded['cmp'] = cmp
"""
BLINK = """
MENU_OPEN, CHOSEN = false, 0
local commands = {
  select_next = function() if MENU_OPEN then CHOSEN = CHOSEN + 1 end return MENU_OPEN end,
  snippet_forward = function() return false end,
}
local blink = { is_menu_visible = function() return MENU_OPEN end }
blink.setup = function(options)
  vim.api.nvim_create_autocmd('InsertEnter', { callback = function(event)
    for key, steps in pairs(options.keymap) do
      local before = vim.fn.maparg(key, 'i', false, true)
      if key ~= 'preset' and before.desc ~= 'blink.cmp' then
        vim.keymap.set('i', key, function()
          for _, step in ipairs(steps) do
            if step == 'fallback' then return before.callback and before.callback() or key end
            if (commands[step] or step)() then return '' end
          end
          return ''
        end, { buffer = event.buf, expr = true, desc = 'blink.cmp' })
      end
    end
  end })
end
package.loaded['blink.cmp'] = blink
"""
PLUGINS = {"cmp": CMP, "blink.cmp": BLINK}
TABS = {
    "cmp": """require('cmp').setup({ mapping = { ['<Tab>'] = function(fallback)
      if require('cmp').visible() then require('cmp').select_next_item() else fallback() end
    end } })""",
    "blink.cmp": "require('blink.cmp').setup({ keymap = { ['<Tab>'] = { 'select_next', 'fallback' } } })",
}
"""What users of the plug-ins have, who know nothing of us."""


def documented():
    """By plug-in, the README's way to put us into its order: options of ours, and the plug-in's set-up."""
    text = (ROOT / "editors" / "README.md").read_text("utf-8")
    section = text.partition("### blink.cmp and nvim-cmp")[2].partition("\n### ")[0]
    blocks = re.findall(r"```lua\n(.*?)```", section, re.DOTALL)
    return {
        re.search(r"require\('(blink\.cmp|cmp)'\)", block)[1]: re.sub(r".*lintseq'\)\.setup.*\n", "", block)
        for block in blocks
    }


def shown(start, **options):
    """Neovim in insert mode with ghost text on the screen."""
    editor = start(OPEN, STREAM * 10, **(QUIET | options))
    editor.nvim.command("set expandtab shiftwidth=4 softtabstop=4")
    editor.type("GA ma")
    editor.wait("ghost text on the screen", lambda: editor.ghost() == GHOST)
    return editor


def check_order(editor):
    """The menu, when it is open; then ghost text; then the key itself."""
    editor.lua("MENU_OPEN = true")
    editor.type("<Tab>")
    editor.wait("the menu to have had it", lambda: editor.lua("return CHOSEN") == 1)
    assert editor.text == OPEN.replace("return", "return ma")
    editor.lua("MENU_OPEN = false")
    editor.type("<Tab>")
    editor.wait("the text in the buffer", lambda: editor.text == TAKEN)
    editor.type("<Esc>o<Tab>x")
    editor.wait("a tab that is one", lambda: editor.text == TAKEN + "    x\n")
    assert editor.lua("return CHOSEN") == 1
    assert editor.nvim.vvars["errmsg"] == ""
    assert editor.is_believed()


@pytest.mark.parametrize("plugin", PLUGINS)
def test_beside_a_plugins_own_tab(start, plugin):
    check_order(shown(start, init=PLUGINS[plugin] + TABS[plugin]))


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_restarted_server_maps_over_the_plugins_tab(start, plugin):
    """Then ours is the mapping in front, and theirs the one before."""
    editor = shown(start, init=PLUGINS[plugin] + TABS[plugin])
    editor.nvim.command("Lintseq restart")
    editor.wait("the second server", lambda: len(editor.wire.sent("textDocument/didOpen")) == 2)
    editor.wait_for_server()
    editor.type("<BS>a")
    editor.wait("ghost text on the screen", lambda: editor.ghost() == GHOST)
    check_order(editor)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_in_the_plugins_order_as_documented(start, plugin):
    setup = "{ next_edit = false, keys = { accept = false } }"
    check_order(shown(start, init=PLUGINS[plugin] + documented()[plugin], setup=setup))


@pytest.mark.parametrize(("plugin", "name"), [("cmp", "nvim-cmp"), ("blink.cmp", "blink.cmp")])
def test_health_knows_whose_the_key_is(start, plugin, name):
    editor = shown(start, init=PLUGINS[plugin] + TABS[plugin])
    editor.type("<Esc>")
    editor.wait("normal mode", lambda: editor.mode == "n")
    editor.nvim.command("checkhealth lintseq")
    editor.wait("the report", lambda: "Keys" in "\n".join(editor.nvim.current.buffer[:]))
    report = "\n".join(editor.nvim.current.buffer[:])
    assert f"{name} uses <Tab>, and passes it on" in report
    assert "WARNING" not in report


WORDS = "vim.fn.complete(vim.fn.col('.') - 2, { 'main', 'maximum' })"
UNSELECTED = "vim.o.completeopt = 'menuone,noinsert,noselect'\n"


def test_beside_neovims_own_menu_and_a_mapping_for_it(start):
    """One that asks `pumvisible()`, as in many configurations."""
    tab = (
        "vim.keymap.set('i', '<Tab>', function() return vim.fn.pumvisible() == 1 and '<C-n>' or '<Tab>' end,"
    )
    editor = shown(start, init=UNSELECTED + tab + " { expr = true })")
    editor.lua(WORDS)
    editor.wait("the menu", lambda: "maximum" in editor.screen.text)
    editor.type("<Tab>")
    editor.wait("its first row", lambda: "return main\n" in editor.text)


def test_beside_neovims_own_menu_without_a_mapping_ghost_text_is_taken(start):
    editor = shown(start, init=UNSELECTED)
    editor.lua(WORDS)
    editor.wait("the menu", lambda: "maximum" in editor.screen.text)
    editor.type("<Tab>")
    editor.wait("the text in the buffer", lambda: editor.text == TAKEN)
