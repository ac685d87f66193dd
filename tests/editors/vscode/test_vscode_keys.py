"""Keys that are ours only while nothing else wants them: snippets, the suggestion widget, indentation."""

import json
import re

import pytest
from code_window import wait_until
from conftest import ROOT
from test_vscode_edits import AREA, DONE, EDITS, TEXT

from lintseq_lsp.reasons import Reason

MANIFEST = json.loads((ROOT / "vscode-extension" / "package.json").read_text("utf-8"))
NEXT_EDIT = r"Tab: line \d"


def test_in_a_snippet_tab_goes_to_its_next_place_and_escape_ends_it(code, start):
    code.bind("ctrl+alt+l", "editor.action.insertSnippet", snippet="print(${1:area}, ${2:math})\n")
    code, path = start(DONE, EDITS * 20)
    code.go_to(6, 1)
    code.press("Control+Alt+l")
    code.wait_for_status(NEXT_EDIT)  # asked for by itself, after the change
    code.press("Tab")
    code.type("abs")
    code.wait_for_text(path, DONE + "print(area, abs)\n")
    code.wait_for_status(NEXT_EDIT)
    code.press("Escape")
    code.page.locator(".snippet-placeholder").first.wait_for(state="detached")
    assert not code.wire.sent("lintseq/didReject")
    code.press("Escape")
    wait_until(lambda: code.wire.sent("lintseq/didReject"), "the rejection")


def test_in_the_suggestion_widget_tab_takes_its_row_and_escape_closes_it(code, start):
    code.look["editor.wordBasedSuggestions"] = "currentDocument"
    code, path = start(DONE, EDITS * 20)
    code.go_to(6, 1)
    code.type("rad")
    code.wait_for_status(NEXT_EDIT)
    widget = code.page.locator(".suggest-widget.visible")
    for key, text in (("Escape", "rad"), ("Tab", "radius")):
        code.press("Control+Space")
        widget.get_by_label("radius").first.wait_for()
        code.press(key)
        widget.wait_for(state="hidden")
        code.wait_for_text(path, DONE + text)
    assert not code.wire.sent("lintseq/didReject")


def test_in_indentation_tab_indents_until_the_edit_was_asked_for(start):
    code, path = start(DONE, EDITS * 20)
    code.go_to(5, 31)
    code.press("Enter")
    code.wait_for_status(NEXT_EDIT)
    code.press("Tab")
    code.type("x")
    code.wait_for_text(path, DONE + "        x\n")
    code.press("Shift+Tab")
    code.wait_for_text(path, DONE + "    x\n")
    code.wait_for_status(NEXT_EDIT)
    code.press("Tab")  # behind what was typed, it goes to the edit
    code.page.locator(".statusbar-item", has_text=re.compile("Ln [^6], Col ")).wait_for()
    code.wait_for_text(path, DONE + "    x\n")


def test_why_nothing_came_is_a_key_away(start):
    code, _ = start(TEXT, " return math.pi * radus**2\n<|diff|>" * 60, nextEdit=False)
    code.go_to(5, 8)
    code.type("urn")
    code.wait_for_status(f"silent: {Reason.NEW_FINDINGS.sentence}")
    code.press("Control+Alt+w")
    code.page.locator(".view-line", has_text="undefined-variable").first.wait_for()


def test_no_key_of_ours_is_anybody_elses(start):
    """VS Code's own list of its keys, but for Tab and Escape, which have a meaning everywhere."""
    code, _ = start(TEXT, AREA, nextEdit=False)
    code.command("Preferences: Open Keyboard Shortcuts")
    rows = code.page.locator(".keybindings-table-container .monaco-list-row")
    rows.first.wait_for()
    own = [rule for rule in MANIFEST["contributes"]["keybindings"] if "+" in rule["key"]]
    assert len(own) == 2
    for rule in own:
        code.press("Control+a")  # the search box has the focus
        code.type(f'"{rule["key"]}"')
        rows.filter(has_text="LintSeq").wait_for()
        wait_until(lambda: rows.count() == 1, lambda: f"one command, not {rows.all_inner_texts()}")


@pytest.mark.parametrize("rule", MANIFEST["contributes"]["keybindings"][:2], ids=lambda rule: rule["key"])
def test_what_else_wants_the_key_is_in_its_condition(rule):
    """What needs other people's extensions, or a provider of next edits, to be seen."""
    free = ["!inlineSuggestionVisible", "!inlineEditIsVisible", "!suggestWidgetVisible", "!inSnippetMode"]
    free += ["!editorHasSelection", "!editorHasMultipleSelections"]
    assert set(free) <= set(rule["when"].split(" && "))
