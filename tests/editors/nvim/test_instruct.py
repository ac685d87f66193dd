"""Edits by instruction with their preview, and `:checkhealth lintseq`."""

import pytest
from area import GIRTH, QUIET, SHOW, STREAM, TEXT
from editor import IS_OLDER


@pytest.fixture
def editor(start):
    return start(TEXT, STREAM, **QUIET)


@pytest.fixture
def preview(editor):
    """The preview of two steps, complete."""
    editor.nvim.command("Lintseq edit Add the girth of a circle, and print both.")
    editor.wait("all steps in the preview", lambda: "step 2 of 2, complete" in editor.screen.text)
    return editor


def test_the_steps_stream_into_a_preview(preview):
    assert preview.text == TEXT + GIRTH + SHOW
    assert preview.nvim.api.buf_get_lines(1, 0, -1, True) == TEXT.splitlines()
    (asked,) = preview.wire.sent("lintseq/edit")
    assert asked["instruction"] == "Add the girth of a circle, and print both."
    steps = [
        entry
        for entry in preview.wire.received("$/progress")
        if entry["token"] == asked["partialResultToken"]
    ]
    assert [entry["value"]["step"] for entry in steps] == [1, 2]
    preview.wait(
        "its evidence", lambda: "checked by pylint: findings 0 before, 0 after" in preview.screen.text
    )


def test_all_steps_are_accepted_with_one_undo_each(preview, is_clean):
    preview.type("<CR>")
    preview.wait("the preview's end", lambda: len(preview.nvim.windows) == 1)
    assert preview.text == TEXT + GIRTH + SHOW
    assert is_clean(preview, TEXT)
    preview.type("u")
    preview.wait("the first step alone", lambda: preview.text == TEXT + GIRTH)
    assert is_clean(preview, TEXT)
    preview.type("u")
    preview.wait("the file as it was", lambda: preview.text == TEXT)
    assert preview.is_believed()


def test_steps_are_accepted_up_to_one(preview, is_clean):
    preview.type("[s")
    preview.wait(
        "the first step", lambda: "step 1 of 2" in preview.screen.text and preview.text == TEXT + GIRTH
    )
    preview.type("<CR>")
    preview.wait("the preview's end", lambda: len(preview.nvim.windows) == 1)
    assert preview.text == TEXT + GIRTH
    assert is_clean(preview, TEXT)


def test_rejected_it_leaves_nothing_behind(preview):
    preview.type("q")
    preview.wait("the preview's end", lambda: len(preview.nvim.windows) == 1)
    assert preview.text == TEXT
    assert not preview.nvim.current.window.options["diff"]
    assert preview.is_believed()


def test_a_file_that_changed_meanwhile_is_left_alone(preview):
    preview.nvim.api.buf_set_lines(1, 0, 0, True, ["# mine"])
    preview.type("<CR>")
    preview.wait("a word about it", lambda: "has changed in the meantime" in preview.screen.text)
    assert preview.nvim.api.buf_get_lines(1, 0, -1, True) == ["# mine", *TEXT.splitlines()]


def test_closing_it_under_way_cancels_the_work(editor):
    editor.nvim.command("Lintseq edit Add the girth of a circle.")
    editor.nvim.command("lua require('lintseq.instruct').close()")
    (answer,) = editor.wait("the one answer", lambda: editor.wire.results("lintseq/edit"))
    assert answer["error"]["code"] == -32800
    assert editor.text == TEXT
    assert len(editor.nvim.windows) == 1
    assert editor.is_believed()


def test_the_lines_of_a_range_are_the_place(editor):
    editor.nvim.command("4,5Lintseq edit Add the girth of a circle.")
    editor.wait("the end", lambda: "complete" in editor.screen.text)
    where = editor.wire.sent("lintseq/edit")[0]["range"]
    assert (where["start"]["line"], where["end"]) == (3, {"line": 5, "character": 0})


def test_without_an_instruction_it_is_asked_for(editor):
    editor.type(":Lintseq edit<CR>")
    editor.wait("the question", lambda: "Edit:" in editor.screen.text)
    editor.type("Add the girth.<CR>")
    editor.wait("the preview", lambda: "step 2 of 2" in editor.screen.text)


def test_the_project_runs_nothing_when_the_server_starts(start, hostile):
    go_there, mark = hostile
    start(TEXT, STREAM, init=go_there, **QUIET)
    assert not mark.exists()


def test_health(editor):
    editor.nvim.command("checkhealth lintseq")
    editor.wait("the report", lambda: "runs: lintseq-lsp" in "\n".join(editor.nvim.current.buffer[:]))
    report = "\n".join(editor.nvim.current.buffer[:])
    assert "ERROR" not in report
    assert ("WARNING" in report) is IS_OLDER
    assert ("ghost text needs Neovim 0.12" in report) is IS_OLDER
    assert "enabled for: python" in report
