"""The interpreter that the Python extension has selected, and workspaces that are not trusted.

A stand-in for the Python extension is installed beside ours.
"""

import json

import fake_extension
import pytest
from code_window import TOOLS, package, tapped, wait_until
from conftest import recorded
from install import install_extension
from test_vscode_edits import AREA, TEXT
from wire import Wire


@pytest.fixture(scope="module")
def extensions(tmp_path_factory):
    place = tmp_path_factory.mktemp("with-python")
    for extension in (package(), fake_extension.python(place)):
        install_extension(TOOLS, extension, place / "extensions")
    return place / "extensions"


@pytest.fixture
def environments(tmp_path):
    """Two environments with a server each: their interpreters, and what goes over their wires."""
    found = []
    for name in ("one", "other"):
        wire = Wire(tmp_path / f"{name}.jsonl")
        program = tapped(tmp_path / name / "bin" / "lintseq-lsp", wire)
        found.append((str(program.with_name("python")), wire))
    return found


def test_the_selected_interpreters_server_is_started_and_another_one_with_another(
    code, tmp_path, environments
):
    (one, wire), (other, other_wire) = environments
    settings = recorded(tmp_path, AREA) | {"lintseq.serverPath": "", "python.fake.interpreter": one}
    code.start(settings)
    code.open("area.py", TEXT)
    code.wait_for_status("ready")
    assert wire.sent("initialize")[0]["initializationOptions"]["python"] == one
    code.set(settings | {"python.fake.interpreter": other})
    wait_until(lambda: other_wire.sent("initialize"), "the other environment's server")
    assert other_wire.sent("initialize")[0]["initializationOptions"]["python"] == other
    code.wait_for_status("ready")
    assert wire.sent("exit")
    assert len(wire.servers()) == len(other_wire.servers()) == 1


def test_without_trust_the_workspace_chooses_nothing_and_with_it_at_once(code, tmp_path, environments):
    """Neither a setting of the folder's nor the selected interpreter chooses the program before that."""
    (interpreter, selected), (_, wanted) = environments
    (code.project / ".vscode").mkdir()
    own = {"lintseq.serverPath": "${workspaceFolder}/../other/bin/lintseq-lsp"}
    (code.project / ".vscode" / "settings.json").write_text(json.dumps(own))
    code.start(recorded(tmp_path, AREA) | {"python.fake.interpreter": interpreter}, trust=True)
    code.open("area.py", TEXT)
    code.wait_for_status("ready")
    options = code.wire.sent("initialize")[0]["initializationOptions"]
    assert options["trusted"] is False
    assert options["python"] == ""
    assert not wanted.servers()
    code.command("Workspaces: Manage Workspace Trust")
    code.page.locator(".workspace-trust-editor").get_by_text("Trust", exact=True).first.click()
    wait_until(lambda: wanted.sent("initialize"), "the server that the folder wants")
    options = wanted.sent("initialize")[0]["initializationOptions"]
    assert options["trusted"] is True
    assert options["python"] == interpreter
    assert not selected.servers()
    code.command("View: Close Editor")
    code.wait_for_status("ready")
