"""The lines of the README, pasted into a clean profile; and the model that ships."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXT = "import math\n\n\ndef area(radius):\n    return\n"


@pytest.fixture
def ten_lines():
    """The README's Lua, with the tapped server and its options in place of its own."""
    (block,) = re.findall(r"```lua\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
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


def test_without_the_plugin_nothing_is_inserted_twice_either(start, ten_lines):
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
    assert editor.is_believed()


def test_without_the_plugin_carriage_returns_are_no_characters(start, ten_lines, is_clean):
    text = "def total(values):\r\n    result = 0\r\n"
    stream = "2,3 @@\n+    for value in values:\n+        result += value\n+    return result\n<|diff|>"
    editor = start(text, stream, init=ten_lines, plugin=False)
    editor.type("Go")
    editor.wait("three lines of ghost text", lambda: editor.ghost().count("\n") == 2)
    assert "^M" not in editor.screen.text
    editor.type("<Tab>")
    expected = text + "    for value in values:\r\n        result += value\r\n    return result\r\n"
    editor.wait("them in the buffer", lambda: editor.text == expected)
    assert is_clean(editor, text)


def test_the_model_that_ships(start, is_clean):
    """Some place of a file has something to offer: what, is the model's."""
    text = (ROOT / "examples" / "inventory.py").read_text("utf-8")
    editor = start(text, None, setup="{ next_edit = false }")
    offered = 0
    for line in range(10, len(text.splitlines()), 7):
        editor.nvim.command(f"undo 0 | {line}")
        before = editor.text
        asked = len(editor.wire.results("textDocument/inlineCompletion"))
        editor.type("o")
        editor.wait(
            "an answer", lambda asked=asked: len(editor.wire.results("textDocument/inlineCompletion")) > asked
        )
        items = editor.wire.results("textDocument/inlineCompletion")[-1]["result"]["items"]
        if items:
            offered += 1
            editor.wait("it on the screen", editor.ghost)
            editor.type("<Tab>")
            editor.wait("it in the buffer", lambda items=items: items[0]["insertText"] in editor.text)
            assert is_clean(editor, before)
            if offered == 2:
                return
        editor.type("<Esc>")
        editor.wait("normal mode", lambda: editor.mode == "n")
    assert offered, "the model has nothing to offer anywhere"
