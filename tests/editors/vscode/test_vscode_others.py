"""Beside other extensions that suggest at the cursor: said once, and stepped back from on request."""

import fake_extension
import pytest
from code_window import wait_until
from conftest import TOOLS, package
from install import install_extension
from test_vscode_edits import AREA, TEXT


@pytest.fixture(scope="module")
def extensions(tmp_path_factory):
    place = tmp_path_factory.mktemp("with-another")
    others = [fake_extension.suggesting(place, name) for name in ("TabNine.tabnine-vscode", "GitHub.copilot")]
    for extension in (package(), *others):
        install_extension(TOOLS, extension, place / "extensions")
    return place / "extensions"


def asked(code, method="inlineCompletion"):
    return len(code.wire.sent(f"textDocument/{method}"))


def test_another_one_is_named_once_and_stepped_back_for(start):
    """Copilot is off, as `chat.disableAIFeatures` has it in these tests."""
    code, _ = start(TEXT, AREA * 100)
    code.wait_for_status("LintSeq: beside Tabnine")
    assert code.toasts.count() == 0
    code.shot("beside-another")
    code.go_to(5, 8)
    code.type("ur")
    wait_until(lambda: asked(code) and asked(code, "copilotInlineEdit"), "to be asked, too")
    code.status.click()
    code.pick("Step back for Tabnine")
    code.wait_for_status("LintSeq: on request")
    count, edits = asked(code), asked(code, "copilotInlineEdit")
    code.go_to(5, 10)  # the status bar has kept the focus
    code.type("n")
    code.wait_for_ghost("by the other")
    code.press("Escape")
    assert asked(code) == count
    code.command("Trigger Inline Suggestion")
    wait_until(lambda: asked(code) > count, "to be asked on request")
    code.wait_for_status("LintSeq: on request")
    code.status.click()
    code.pick("Suggest beside Tabnine")
    code.wait_for_status("ready .Tabnine is active, too")
    assert "beside" not in code.status.inner_text()  # that was said
    assert asked(code, "copilotInlineEdit") == edits


def test_copilot_counts_where_its_own_setting_leaves_it_on(code, start):
    code.look["chat.disableAIFeatures"] = False
    code, _ = start(TEXT, AREA * 100)
    code.wait_for_status("GitHub Copilot")
    code.look["github.copilot.enable"] = {"*": True, "python": False}
    code.change()
    code.wait_for_status("Tabnine is active")
