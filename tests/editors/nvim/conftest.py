"""Neovim as the tests start it: a clean profile, the plug-in on the runtime path, and a tapped server."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from editor import IS_OLDER, Editor
from wire import PATIENT, SERVER, Wire, new_findings

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "editors" / "nvim"

GHOST_TEXT = ["test_endpoint.py", "test_ghost_text.py", "test_menus.py", "test_readme.py"]
collect_ignore = GHOST_TEXT if IS_OLDER else ["test_older.py"]


Start = Callable[..., Editor]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Neovim with a file, and a server whose model writes `stream`.

    `init` is Lua that comes in front; without `plugin` the folder is not on the runtime path, and
    `init` does everything. The server is called COMMAND there. Waits for the server. A
    `patient` one (patient_server.py) answers with whole chains of next edits, however busy the machine.
    """
    editors: list[Editor] = []

    def start_editor(
        text: str,
        stream: str | None,
        *,
        options: dict[str, Any] | None = None,
        setup: str = "{}",
        init: str = "",
        plugin: bool = True,
        name: str = "area.py",
        wait: bool = True,
        patient: bool = False,
    ) -> Editor:
        project = tmp_path / "project"
        project.mkdir()
        (project / "pyproject.toml").touch()
        path = project / name
        path.write_text(text, "utf-8", newline="")
        settings = dict(options or {})
        if stream is not None:
            recording = tmp_path / "recording.txt"
            recording.write_text(stream, "utf-8")
            settings["model"] = f"scripted:{recording}"
        wire = Wire(tmp_path / "wire.jsonl", PATIENT if patient else SERVER)
        lines = [
            f"COMMAND = vim.json.decode({json.dumps(json.dumps(wire.command))})",
            f"OPTIONS = vim.json.decode({json.dumps(json.dumps(settings))})",
            "if next(OPTIONS) == nil then OPTIONS = vim.empty_dict() end",
            init,
        ]
        if plugin:
            lines += [
                f"vim.opt.runtimepath:prepend('{PLUGIN}')",
                "vim.lsp.config('lintseq', { cmd = COMMAND, init_options = OPTIONS })",
                f"require('lintseq').setup({setup})",
            ]
        # A link would be reported as the group that it leads to.
        groups = ("ComplHint", "ComplHintMore", "LintseqAdd", "LintseqDelete", "LintseqHint")
        lines += [f"vim.api.nvim_set_hl(0, '{group}', {{ fg = '#808080' }})" for group in groups]
        (tmp_path / "init.lua").write_text("\n".join(lines) + "\n", "utf-8")
        editor = Editor(os.environ["LINTSEQ_NVIM"], tmp_path / "init.lua", tmp_path, wire)
        editors.append(editor)
        editor.open(path)
        if wait:
            editor.wait_for_server()
        return editor

    yield start_editor
    for editor in editors:
        editor.close()


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """Lua that goes into a folder from which Python would run a file, and the mark that it would leave.

    An empty entry of PYTHONPATH is the current folder. Neovim's own search for a Python is not what is tried.
    """
    folder, mark = tmp_path / "hostile", tmp_path / "ran"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"open({str(mark)!r}, 'w').close()\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep)
    return f"vim.g.loaded_python3_provider = 0\nvim.cmd.cd('{folder}')", mark


@pytest.fixture
def is_clean(tmp_path: Path) -> Callable[[Editor, str], bool]:
    """Whether the buffer is what the server believes, and has nothing that the gate has against it."""

    def check(editor: Editor, before: str) -> bool:
        assert editor.is_believed()
        assert new_findings(tmp_path, before, editor.text) == []
        return True

    return check
