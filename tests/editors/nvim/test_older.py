"""Neovim before 0.12: what needs ghost text is not there, and nothing else suffers from that."""

from area import TEXT


def test_keys_are_what_they_were(start):
    editor = start(TEXT, "")
    editor.nvim.command("set expandtab shiftwidth=4 softtabstop=4")
    editor.type("Go<Tab>pass<M-Right><M-]><Esc>")
    editor.wait("normal mode", lambda: editor.mode == "n")
    assert editor.text == TEXT + "    pass\n"
    assert not editor.wire.sent("textDocument/inlineCompletion")
    assert editor.nvim.vvars["errmsg"] == ""
    assert editor.is_believed()
