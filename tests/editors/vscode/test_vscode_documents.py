"""Documents that are no files, and windows with several folders."""

import json

from code_window import wait_until
from conftest import recorded
from test_vscode_edits import AREA, TEXT, take_area
from wire import new_findings


def test_an_untitled_file(code, tmp_path):
    code.start(recorded(tmp_path, " = math.pi * 2\n<|diff|>" * 200) | {"lintseq.nextEdit": False})
    code.command("File: New Untitled Text File")
    code.wait_for_status("ready")
    code.type("import math\n\ntau =")
    code.wait_for_ghost("math.pi * 2")
    code.press("Tab")
    text = "import math\n\ntau = math.pi * 2"
    (document,) = [params["textDocument"]["uri"] for params in code.wire.sent("textDocument/didOpen")]
    assert document.startswith("untitled:")
    wait_until(lambda: code.wire.belief(document) == text, "the server to have the accepted text")
    assert code.lines == text
    assert new_findings(tmp_path, "import math\n", text + "\n") == []


def test_a_cell_of_a_notebook_knows_the_cells_above(code, tmp_path):
    """`math` is imported in another cell: without that one, the suggestion would be a new finding."""
    cells = ["import math", "def area(radius):\n    ret"]
    notebook = code.project / "area.ipynb"
    notebook.write_text(json.dumps(as_notebook(cells)))
    code.start(recorded(tmp_path, AREA * 100) | {"lintseq.nextEdit": False})
    code.open("area.ipynb")
    code.wait_for_status("ready")
    cell = code.page.locator(".notebookOverlay .code-cell-row", has_text="area").first
    cell.locator(".view-line").last.click()
    code.page.locator(".notebookOverlay .monaco-editor.focused").wait_for()
    code.press("Control+End")
    code.type("urn")
    code.wait_for_ghost("math.pi * radius**2")
    code.shot("notebook")
    code.press("Tab")
    done = "def area(radius):\n    return math.pi * radius**2"
    opened = code.wire.sent("notebookDocument/didOpen")[0]["cellTextDocuments"]
    (document,) = [item["uri"] for item in opened if "area" in item["text"]]
    wait_until(lambda: code.wire.belief(document) == done, "the server to have the accepted text")
    assert code.lines == done
    before, after = ("\n".join([cells[0], cell, ""]) for cell in (cells[1], done))
    assert new_findings(tmp_path, before, after) == []
    code.press("Control+s")
    sources = [["import math"], ["def area(radius):\n", "    return math.pi * radius**2"]]
    wait_until(
        lambda: [as_lines(cell) for cell in json.loads(notebook.read_text())["cells"]] == sources,
        "it on the disk",
    )


def as_notebook(cells):
    code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return {
        "cells": [code | {"source": cell.splitlines(keepends=True)} for cell in cells],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 2,
    }


def as_lines(cell):
    return "".join(cell["source"]).splitlines(keepends=True)


def test_each_of_several_folders_has_its_own_settings(code, tmp_path, is_clean):
    folders = [code.project / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
        (folder / f"{folder.name}.py").write_text(TEXT)
    (folders[0] / ".vscode").mkdir()
    (folders[0] / ".vscode" / "settings.json").write_text('{"lintseq.enabled": false}')
    workspace = tmp_path / "two.code-workspace"
    workspace.write_text(json.dumps({"folders": [{"path": str(folder)} for folder in folders]}))
    code.start(recorded(tmp_path, AREA * 100) | {"lintseq.nextEdit": False}, workspace=workspace)
    code.open("one.py")
    code.wait_for_status("switched off here")
    code.open("other.py")
    code.wait_for_status("ready")
    assert [folder["name"] for folder in code.wire.sent("initialize")[0]["workspaceFolders"]] == [
        "one",
        "other",
    ]
    path = folders[1] / "other.py"
    take_area(code, path)
    assert is_clean(code, path, TEXT)
    code.open("one.py")
    code.wait_for_status("switched off here")
    code.status.click()
    code.pick("On for the folder one")
    code.wait_for_status("ready")
    asked = [params["textDocument"]["uri"] for params in code.wire.sent("textDocument/inlineCompletion")]
    assert path.as_uri() in asked
    assert (folders[0] / "one.py").as_uri() not in asked
