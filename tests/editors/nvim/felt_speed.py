"""From the key press in Neovim to ghost text on the screen, with the model that ships.

    LINTSEQ_NVIM=nvim python tests/editors/nvim/felt_speed.py [PRESSES]

Types a letter in lines of real files, each press after the answer to the one before. One counts when it
brings ghost text that is not from memory. Reported in ms: the median and p90 of the whole,
of the server (from `lintseq/explain`), of Neovim's own debounce (from the press until the question
leaves), and of what is left: pipes, decoding and drawing.
"""

import fnmatch
import itertools
import json
import os
import queue
import sched
import shelve
import shutil
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from statistics import median, quantiles

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from editor import Editor  # noqa: E402 - found by the line above
from wire import SERVER, Wire  # noqa: E402

ROOT = Path(__file__).parents[3]
FILES = (
    ROOT / "examples" / "inventory.py",
    ROOT / "examples" / "words.py",
    *map(
        Path,
        (
            queue.__file__,
            sched.__file__,
            shelve.__file__,
            fnmatch.__file__,
            textwrap.__file__,
        ),
    ),
)
COLUMNS = (2, 6, 12)
"""Behind the indentation; the columns behind one that brought ghost text would have theirs from memory."""


def main(presses: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "project"
        project.mkdir()
        (project / "pyproject.toml").touch()
        paths = [shutil.copy(file, project) for file in FILES]
        init = folder / "init.lua"
        init.write_text(
            f"vim.opt.runtimepath:prepend('{ROOT / 'editors' / 'nvim'}')\n"
            f"vim.lsp.config('lintseq', {{ cmd = vim.json.decode({json.dumps(json.dumps(SERVER))}) }})\n"
            "require('lintseq').setup({ next_edit = false })\n"
            "vim.api.nvim_set_hl(0, 'ComplHint', { fg = '#808080' })\n"
            "ASKED, ANSWERED = 0, 0\n"
            "vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)\n"
            "  local request = event.data.request\n"
            "  if request.method ~= 'textDocument/inlineCompletion' then return end\n"
            "  if request.type == 'pending' then ASKED = vim.uv.hrtime() end\n"
            "  if request.type == 'complete' then ANSWERED = ANSWERED + 1 end\n"
            "end })\n",
            "utf-8",
        )
        editor = Editor(os.environ["LINTSEQ_NVIM"], init, folder, Wire(folder / "none"))
        try:
            measured = (row for path in paths for row in measure(editor, Path(path)))
            rows = list(itertools.islice(measured, presses))
        finally:
            editor.close()
    report(rows, presses)


def measure(editor: Editor, path: Path):
    """(whole, server, debounce) in ms for each press that brought ghost text."""
    editor.open(path)
    editor.wait_for_server()
    for line, source in enumerate(editor.nvim.current.buffer[:], 1):
        indentation = len(source) - len(source.lstrip())
        for column in (indentation + column for column in COLUMNS):
            if not column < len(source) or not source[column - 1 : column + 1].isalnum():
                continue
            # The line as far as the column, without what stands right of it: its next letter is the press.
            editor.type(f"<Esc>:undo 0<CR>:{line}<CR>0{column}lD")
            editor.wait("normal mode", lambda: editor.mode == "n")
            editor.lua("vim.lsp.inline_completion.enable(false)")
            editor.type("A")
            editor.wait("insert mode", lambda: editor.mode == "i")
            editor.lua("vim.lsp.inline_completion.enable(true)")
            editor.roundtrip()
            answered = editor.lua("return ANSWERED")
            offset = time.perf_counter() - editor.lua("return vim.uv.hrtime()") / 1e9
            begun = time.perf_counter()
            editor.type(source[column])
            editor.wait(
                "an answer", lambda before=answered: editor.ghost() or editor.lua("return ANSWERED") > before
            )
            whole = editor.screen.flushed_at - begun
            debounce = editor.lua("return ASKED") / 1e9 + offset - begun
            explained = editor.roundtrip()
            if editor.ghost() and explained["reason"] == "accepted":
                if not explained["cached"]:
                    yield whole * 1000, explained["milliseconds"], debounce * 1000
                break


def report(rows: list[tuple[float, float, float]], presses: int) -> None:
    if len(rows) < min(presses, 2):
        sys.exit(f"only {len(rows)} presses brought ghost text")
    columns = {
        "key press to screen": [row[0] for row in rows],
        "server": [row[1] for row in rows],
        "debounce of Neovim": [row[2] for row in rows],
        "pipes and drawing": [row[0] - row[1] - row[2] for row in rows],
    }
    sys.stdout.write(f"{len(rows)} presses with ghost text; ms   median    p90\n")
    for name, values in columns.items():
        sys.stdout.write(f"  {name:30} {median(values):8.0f} {quantiles(values, n=10)[8]:8.0f}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
