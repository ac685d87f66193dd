"""From the key press in Neovim to ghost text on the screen, with the model that ships.

    LINTSEQ_NVIM=nvim python tests/editors/nvim/felt_speed.py [LINES]

Types LINES lines (50). What is measured, and how: tests/editors/felt.py.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from editor import Editor  # noqa: E402 - found by the line above
from felt import REST, Place, Press, exchange, places, report  # noqa: E402
from wire import SERVER, Wire  # noqa: E402

PLUGIN = Path(__file__).parents[3] / "editors" / "nvim"


def main(lines: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "project"
        project.mkdir()
        (project / "pyproject.toml").touch()
        wire = Wire(folder / "wire.jsonl", SERVER)
        command = json.dumps(json.dumps(wire.command))
        init = folder / "init.lua"
        init.write_text(
            "vim.cmd('filetype indent off')\n"
            f"vim.opt.runtimepath:prepend('{PLUGIN}')\n"
            f"vim.lsp.config('lintseq', {{ cmd = vim.json.decode({command}) }})\n"
            "require('lintseq').setup({ next_edit = false })\n"
            "vim.api.nvim_set_hl(0, 'ComplHint', { fg = '#808080' })\n",
            "utf-8",
        )
        editor = Editor(os.environ["LINTSEQ_NVIM"], init, folder, wire)
        try:
            presses = [typed(editor, place) for place in places(project, lines)]
        finally:
            editor.close()
    sys.stdout.write(report(presses))


def typed(editor: Editor, place: Place) -> Press | None:
    """The press that brought ghost text; None also where that came without a letter."""
    if Path(editor.nvim.current.buffer.name) != place.path:
        editor.open(place.path)
        editor.wait_for_server()
    right = f"{place.start}l" if place.start else ""
    editor.type(f"<Esc>:undo 0<CR>:{place.line + 1}<CR>0{right}D")
    editor.wait("normal mode", lambda: editor.mode == "n")
    editor.type("A")
    editor.wait("insert mode", lambda: editor.mode == "i")
    if place.rests:
        time.sleep(REST)
        editor.lua("return 0")  # what Neovim has drawn meanwhile comes before its answer
        editor.settle()
        if editor.ghost():
            return None
    for count, letter in enumerate(place.letters, 1):
        position = place.position(count)
        pressed = time.time()
        editor.type("<lt>" if letter == "<" else letter)
        editor.wait("an answer", lambda where=position, when=pressed: exchange(editor.wire, where, when))
        found = exchange(editor.wire, position, pressed)
        if found is not None and found.items:
            editor.wait("ghost text", editor.ghost)
            is_cold = count == 1 and not place.rests
            return Press(is_cold, pressed, found.asked, found.answered, editor.screen.flushed_at)
    return None


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
