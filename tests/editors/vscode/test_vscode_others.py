"""Beside another extension that suggests at the cursor: said once, and stepped back for on request.

A stand-in has the name of such an extension. Not Copilot's: VS Code itself decides whether that runs, by
who has signed in.
"""

import fake_extension
import pytest
from code_window import TOOLS, package, wait_until
from install import install_extension
from test_vscode_edits import AREA, TEXT


@pytest.fixture(scope="module")
def extensions(tmp_path_factory):
    place = tmp_path_factory.mktemp("with-another")
    for extension in (package(), fake_extension.suggesting(place)):
        install_extension(TOOLS, extension, place / "extensions")
    return place / "extensions"


def asked(code, method="inlineCompletion"):
    return len(code.wire.sent(f"textDocument/{method}"))


def test_another_one_is_named_once_and_stepped_back_for(start):
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
