"""What a user does in VS Code, with the keys of a user. The model is a recording but for one test."""

from code_window import wait_until

TEXT = "import math\n\n\ndef area(radius):\n    ret\n"
AREA = " return math.pi * radius**2\n<|diff|>"
DONE = "import math\n\n\ndef area(radius):\n    return math.pi * radius**2\n"


def test_ghost_text_appears_while_typing_and_tab_takes_it(start, is_clean):
    code, path = start(TEXT, AREA * 40, nextEdit=False)
    code.go_to(5, 8)
    code.type("urn")
    code.wait_for_ghost("math.pi * radius**2")
    code.shot("ghost-text", ".part.editor", height=170)
    code.press("Tab")
    code.wait_for_text(path, DONE)
    assert is_clean(code, path, TEXT)
    wait_until(lambda: code.wire.sent("workspace/executeCommand"), "the server hears of it")


def test_a_word_is_taken_the_rest_stays_and_is_undone(start, is_clean):
    code, path = start(TEXT, AREA * 40, nextEdit=False)
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


def test_lines_that_are_not_ascii(start, is_clean):
    text = "import math\n\n\ndef fläche(größe):\n    x = '𝑟🙂'; ret\n"
    stream = " return math.pi * größe**2\n<|diff|>"
    code, path = start(text, stream * 40, nextEdit=False)
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
    code.press("Tab")
    code.wait_for_text(path, "    " + DONE)


STEPS = EDITS.split("<|diff|>", 1)[1]


def ask_for_the_perimeter(code):
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
    code.page.locator(".monaco-diff-editor .line-insert").first.wait_for()
    code.shot("instruction")
    code.press("ArrowDown")
    gone = code.page.locator(".monaco-diff-editor .modified .view-line", has_text="print")
    gone.first.wait_for(state="detached")
    code.shot("instruction-step")
    code.press("Enter")
    code.page.locator(".monaco-diff-editor").first.wait_for(state="detached")
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
    code.wait_for_status("silent: a new lint finding")
    code.status.click()
    code.rows.first.wait_for()
    code.shot("menu")
    code.pick("Explain the last answer")
    code.page.locator(".view-line", has_text="undefined-variable").first.wait_for()
    code.shot("explain")


def test_a_setting_counts_at_once(start):
    code, _ = start(TEXT, AREA * 40, nextEdit=False)
    code.go_to(5, 8)
    code.change(enabled=False)
    code.wait_for_status("off")
    code.type("u")
    code.change(enabled=True)
    code.wait_for_status("ready")
    code.type("rn")
    code.wait_for_ghost("math.pi * radius**2")


def test_off_for_the_folder_by_the_menu(start):
    code, _ = start(TEXT, AREA * 40, nextEdit=False)
    code.status.click()
    code.pick("Off for the folder project")
    code.wait_for_status("off")
    settings = code.project / ".vscode" / "settings.json"
    wait_until(
        lambda: settings.exists() and '"lintseq.enabled": false' in settings.read_text(), "the setting"
    )
