"""What a user does in VS Code, with the keys of a user. The model is a recording but for one test."""

import sys
from pathlib import Path

from code_window import tapped, wait_until

from lintseq_lsp.reasons import Reason

TEXT = "import math\n\n\ndef area(radius):\n    ret\n"
AREA = " return math.pi * radius**2\n<|diff|>"
DONE = "import math\n\n\ndef area(radius):\n    return math.pi * radius**2\n"


def take_area(code, path):
    """Types on, and takes what comes: the first answer of the recording AREA."""
    code.go_to(5, 8)
    code.type("urn")
    code.wait_for_ghost("math.pi * radius**2")
    code.press("Tab")
    code.wait_for_text(path, DONE)


def test_ghost_text_appears_while_typing_and_tab_takes_it(start, is_clean):
    code, path = start(TEXT, AREA * 100, nextEdit=False)
    code.go_to(5, 8)
    code.type("urn")
    code.wait_for_ghost("math.pi * radius**2")
    code.shot("ghost-text", ".part.editor", height=170)
    code.press("Tab")
    code.wait_for_text(path, DONE)
    assert is_clean(code, path, TEXT)
    wait_until(lambda: code.wire.sent("workspace/executeCommand"), "the server hears of it")


def test_a_word_is_taken_the_rest_stays_and_is_undone(start, is_clean):
    code, path = start(TEXT, AREA * 100, nextEdit=False)
    code.go_to(5, 8)
    code.type("urn")
    code.wait_for_ghost("math.pi * radius**2")
    code.press("Control+ArrowRight")  # the space
    code.wait_for_ghost("math.pi * radius**2")
    code.press("Control+ArrowRight")
    code.wait_for_text(path, TEXT.replace("ret", "return math"))
    code.wait_for_ghost(".pi * radius**2")
    code.press("Tab")
    code.wait_for_text(path, DONE)
    assert is_clean(code, path, TEXT)
    code.press("Control+z")
    wait_until(lambda: code.saved(path) != DONE, "an undo")
    assert code.is_believed(path)


def test_several_candidates_cycle(start):
    others = " return math.tau * radius\n<|diff|> return radius * math.e\n<|diff|>"
    code, _ = start(TEXT, AREA + others * 20, nextEdit=False)
    code.go_to(5, 8)
    code.type("urn")
    code.wait_for_ghost("math.pi * radius**2")
    code.press("Alt+]")
    code.wait_for_ghost("math.tau * radius")
    code.press("Alt+]")
    code.wait_for_ghost("radius * math.e")


def test_a_line_is_taken_by_a_key_of_the_users(code, start, is_clean):
    text = "import math\n\n\ndef area(radius):\n"
    stream = "4,2 @@\n+    squared = radius**2\n+    return math.pi * squared\n<|diff|>"
    code.bind("ctrl+alt+l", "editor.action.inlineSuggest.acceptNextLine")
    code, path = start(text, stream * 100, nextEdit=False)
    code.go_to(4, 18)
    code.press("Enter")
    code.wait_for_ghost("return math.pi * squared")
    code.press("Control+Alt+l")
    first = text + "    squared = radius**2\n"
    wait_until(lambda: code.saved(path).rstrip() == first.rstrip(), "the first line")
    assert is_clean(code, path, text)
    code.wait_for_ghost("return math.pi * squared")
    code.press("Tab")  # VS Code's own rule: in a line's indentation, Tab indents before it takes ghost text
    code.page.locator(".statusbar-item", has_text="Ln 6, Col 5").wait_for()
    code.wait_for_ghost("return math.pi * squared")
    code.press("Tab")
    code.wait_for_text(path, first + "    return math.pi * squared\n")
    assert is_clean(code, path, text)


def test_lines_that_are_not_ascii(start, is_clean):
    text = "import math\n\n\ndef fläche(größe):\n    x = '𝑟🙂'; ret\n"
    stream = " return math.pi * größe**2\n<|diff|>"
    code, path = start(text, stream * 100, nextEdit=False)
    code.go_to(5, 1)
    code.press("End")
    code.type("urn")
    code.wait_for_ghost("math.pi * größe**2")
    code.press("Tab")
    code.wait_for_text(path, text.replace("ret", "return math.pi * größe**2"))
    assert is_clean(code, path, text)


EDITS = (
    "@@ -4,2 +4,2 @@\n-def area(radius):\n-    return math.pi * radius**2\n"
    "+def area(radius: float) -> float:\n+    return math.pi * radius**2\n<|diff|>"
    "@@ -5,0 +6,4 @@\n+\n+\n+def perimeter(radius: float) -> float:\n"
    "+    return 2 * math.pi * radius\n<|diff|>"
    "@@ -9,0 +10,3 @@\n+\n+\n+print(area(1), perimeter(1))\n<|diff|>\n<|diff|>"
)


TYPED = DONE.replace("def area(radius):", "def area(radius: float) -> float:")
PERIMETER = TYPED + "\n\ndef perimeter(radius: float) -> float:\n    return 2 * math.pi * radius\n"
PRINTED = PERIMETER + "\n\nprint(area(1), perimeter(1))\n"


def test_next_edits_are_shown_gone_to_and_taken_one_after_the_other(start, is_clean):
    code, path = start(DONE, EDITS)
    code.command("LintSeq: Find the Next Edit")
    code.wait_for_status("Tab: line 4")
    code.shot("next-edit", ".part.editor", height=170)
    code.press("Tab")
    code.page.locator(".statusbar-item", has_text="Ln 4, Col ").wait_for()
    assert code.saved(path) == DONE
    code.press("Tab")
    code.wait_for_text(path, TYPED)
    assert is_clean(code, path, DONE)
    code.wait_for_status("Tab: line 6")
    code.shot("next-edit-lines", ".part.editor", height=220)
    code.command("LintSeq: Preview All Next Edits")
    code.page.locator(".monaco-diff-editor .line-insert").first.wait_for()
    code.shot("next-edit-preview")
    code.command("View: Close Editor")
    code.page.locator(".monaco-diff-editor").first.wait_for(state="detached")
    code.wait_for_status("Tab: line 6")
    code.press("Tab")
    code.page.locator(".statusbar-item", has_text="Ln 6, Col ").wait_for()
    code.press("Tab")
    code.wait_for_text(path, PERIMETER)
    assert is_clean(code, path, TYPED)
    code.press("Control+z")
    code.wait_for_text(path, TYPED)
    assert code.is_believed(path)


def test_escape_rejects_the_next_edit_and_tab_is_a_tab_again(start):
    code, path = start(DONE, EDITS)
    code.command("LintSeq: Find the Next Edit")
    code.wait_for_status("Tab: line 4")
    code.press("Escape")
    code.wait_for_status("ready")
    (rejected,) = code.wire.sent("lintseq/didReject")
    assert rejected["item"]["command"]["command"] == "lintseq.accept"
    code.command("LintSeq: Find the Next Edit")
    code.page.locator(".view-line", has_text="rejected-before").first.wait_for()
    code.press("Tab")
    code.wait_for_text(path, "    " + DONE)


def test_tab_indents_while_there_is_nothing_to_take(start):
    """At a line's begin, over a selection, and back: with the extension at work, and a next edit shown."""
    code, path = start(DONE, EDITS * 20)
    code.go_to(5, 1)
    code.press("Tab")
    code.wait_for_text(path, DONE.replace("    return", "        return"))
    code.press("Shift+Tab")
    code.wait_for_text(path, DONE)
    code.wait_for_status("Tab: line 4")  # asked for by itself, after the change
    code.go_to(1, 1)
    code.press("Shift+ArrowDown", "Shift+ArrowDown")
    code.page.locator(".statusbar-item", has_text="selected").wait_for()
    code.press("Tab")
    code.wait_for_text(path, "    " + DONE)
    code.press("Shift+Tab")
    code.wait_for_text(path, DONE)


def test_line_ends_of_windows_stay(start, is_clean):
    """The server speaks of lines; VS Code has the document's own ends in its text."""
    before, typed, after = (text.replace("\n", "\r\n") for text in (DONE, TYPED, PERIMETER))
    code, path = start(before, EDITS)
    code.command("LintSeq: Find the Next Edit")
    for line, text in ((4, typed), (6, after)):
        code.wait_for_status(f"Tab: line {line}")
        code.press("Tab")
        code.page.locator(".statusbar-item", has_text=f"Ln {line}, Col ").wait_for()
        code.press("Tab")
        code.wait_for_text(path, text)
    code.page.locator(".statusbar-item", has_text="Ln 9, Col 32").wait_for()
    assert is_clean(code, path, before)


STEPS = EDITS.split("<|diff|>", 1)[1]


def ask_for_the_perimeter(code):
    code.page.mouse.move(200, 400)  # over the box, it would show a hint before its title
    code.press("Control+Alt+e")
    box = code.page.locator(".quick-input-widget input")
    box.wait_for()
    code.shot("instruction-box")
    box.fill("Add the perimeter, and print both.")
    code.press("Enter")
    rows = code.rows
    rows.filter(has_text="Accept all (2 steps)").wait_for()


def test_an_instruction_is_followed_up_to_a_step(start, is_clean):
    code, path = start(TYPED, STEPS, nextEdit=False)
    ask_for_the_perimeter(code)
    code.page.locator(".quick-input-title", has_text="done").wait_for()
    code.page.locator(".monaco-diff-editor .modified .view-line", has_text="print").first.wait_for()
    inserted = code.page.locator(".monaco-diff-editor .modified .line-insert")
    wait_until(lambda: inserted.count() >= 7, "the lines of both steps to be marked")
    code.shot("instruction", height=330)
    code.press("ArrowDown")
    gone = code.page.locator(".monaco-diff-editor .modified .view-line", has_text="print")
    gone.first.wait_for(state="detached")
    code.shot("instruction-step")
    code.press("Enter")
    code.page.locator(".monaco-diff-editor").first.wait_for(state="detached")
    code.wait_for_text(path, PERIMETER)
    assert is_clean(code, path, TYPED)


def test_the_steps_of_an_instruction_keep_the_line_ends_of_windows(start, is_clean):
    before, after = (text.replace("\n", "\r\n") for text in (TYPED, PRINTED))
    code, path = start(before, STEPS, nextEdit=False)
    ask_for_the_perimeter(code)
    code.press("Enter")
    code.wait_for_text(path, after)
    assert is_clean(code, path, before)


def test_an_instruction_is_stopped_midway_and_what_is_there_can_be_taken(code, start, is_clean):
    """The second step never comes: the model thinks until it is cancelled."""
    tapped(code.program, code.wire, [sys.executable, str(Path(__file__).with_name("held_server.py"))])
    code, path = start(TYPED, STEPS.split("<|diff|>", 1)[0] + "<|diff|>@@ HOLD", nextEdit=False)
    code.page.mouse.move(200, 400)  # over the box, it would show a hint before the button
    code.press("Control+Alt+e")
    code.page.locator(".quick-input-widget input").fill("Add the perimeter, and print both.")
    code.press("Enter")
    code.rows.filter(has_text="Accept up to step 1").filter(has_text="no new finding").wait_for()
    title = code.page.locator(".quick-input-title")
    title.filter(has_text="working").wait_for()
    code.shot("instruction-working")
    code.page.locator(".quick-input-widget .codicon-debug-stop").click()
    title.filter(has_text="cancelled").wait_for()
    assert code.wire.sent("window/workDoneProgress/cancel")
    assert code.saved(path) == TYPED
    code.pick("Accept all (1 step)")
    code.wait_for_text(path, PERIMETER)
    assert is_clean(code, path, TYPED)


def test_each_step_has_an_undo_of_its_own(start, is_clean):
    code, path = start(TYPED, STEPS, nextEdit=False)
    ask_for_the_perimeter(code)
    code.press("Enter")
    code.page.locator(".monaco-diff-editor").first.wait_for(state="detached")
    code.wait_for_text(path, PRINTED)
    assert is_clean(code, path, TYPED)
    code.press("Control+z")
    code.wait_for_text(path, PERIMETER)
    assert code.is_believed(path)
    code.press("Control+z")
    code.wait_for_text(path, TYPED)
    assert code.is_believed(path)


def test_an_instruction_is_rejected_and_remembered(start):
    code, path = start(TYPED, STEPS, nextEdit=False)
    ask_for_the_perimeter(code)
    code.press("Escape")
    code.page.locator(".monaco-diff-editor").first.wait_for(state="detached")
    assert code.saved(path) == TYPED
    code.page.locator(".editor-instance .monaco-editor.focused").wait_for()
    code.press("Control+Alt+e")
    rows = code.rows
    rows.filter(has_text="Add the perimeter, and print both.").wait_for()


def test_a_silence_is_explained(start):
    broken = " return math.pi * radus**2\n<|diff|>"
    code, _ = start(TEXT, broken * 60, nextEdit=False)
    code.go_to(5, 8)
    code.type("urn")
    code.wait_for_status(f"silent: {Reason.NEW_FINDINGS.sentence}")
    code.status.click()
    code.rows.first.wait_for()
    code.shot("menu")
    code.pick("Explain the last answer")
    code.page.locator(".view-line", has_text="undefined-variable").first.wait_for()
    code.shot("explain")


def test_the_last_answer_becomes_a_case_file(start):
    broken = " return math.pi * radus**2\n<|diff|>"
    code, path = start(TEXT, broken * 60, nextEdit=False)
    code.go_to(5, 8)
    code.type("urn")
    code.wait_for_status(f"silent: {Reason.NEW_FINDINGS.sentence}")
    code.status.click()
    code.pick("Record the last answer as a case file")
    code.page.locator(".view-line", has_text="complete").first.wait_for()
    code.toasts.filter(has_text="contains the text of your file").wait_for()
    code.shot("record")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_setting_counts_at_once(start):
    code, _ = start(TEXT, AREA * 100, nextEdit=False)
    code.go_to(5, 8)
    code.change(enabled=False)
    code.wait_for_status("off")
    code.type("u")
    code.change(enabled=True)
    code.wait_for_status("ready")
    code.type("rn")
    code.wait_for_ghost("math.pi * radius**2")


def test_off_for_the_language_and_for_the_folder_by_the_menu(start):
    code, _ = start(TEXT, AREA * 100, nextEdit=False)
    for choice, status in (("Off for Python", "off"), ("On for Python", "ready")):
        code.status.click()
        code.pick(choice)
        code.wait_for_status(status)
    code.status.click()
    code.pick("Off for the folder project")
    code.wait_for_status("off")
    settings = code.project / ".vscode" / "settings.json"
    wait_until(
        lambda: settings.exists() and '"lintseq.enabled": false' in settings.read_text(), "the setting"
    )


def test_snoozed_nothing_is_asked_until_it_is_woken(start):
    code, path = start(TEXT, AREA * 100)
    code.status.click()
    code.pick("Snooze…")
    code.pick("5 minutes")
    code.wait_for_status("snoozed")
    code.go_to(5, 8)
    code.type("ur")
    wait_until(lambda: "retur" in (code.wire.belief(path) or ""), "the server to hear of the keys")
    code.status.click()
    code.pick("Wake up")
    code.wait_for_status("ready")
    code.go_to(5, 10)  # the status bar has kept the focus
    asked = ("textDocument/inlineCompletion", "textDocument/copilotInlineEdit")
    assert not any(code.wire.sent(method) for method in asked)
    code.type("n")
    code.wait_for_ghost("math.pi * radius**2")
