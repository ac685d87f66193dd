"""From the key press in Neovim to ghost text on the screen, with the model that ships.

    LINTSEQ_NVIM=nvim python tests/editors/nvim/felt_speed.py [PRESSES]

Types lines of a real file key by key, each after the answer to the one before, so that no answer is
from memory. A press counts when it brings ghost text. Reported in ms: the median and p90 of the whole,
of the server (from `lintseq/explain`), of Neovim's own debounce (from the press until the question
leaves), and of what is left: pipes, decoding and drawing.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from editor import Editor  # noqa: E402 - found by the line above
from wire import SERVER, Wire  # noqa: E402

ROOT = Path(__file__).parents[3]
PLACES = [(line, column) for line in range(8, 60) for column in range(6, 40)]


def main(presses: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "project" / "inventory.py"
        path.parent.mkdir()
        (path.parent / "pyproject.toml").touch()
        path.write_text((ROOT / "examples" / "inventory.py").read_text("utf-8"), "utf-8")
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
            editor.open(path)
            editor.wait_for_server()
            rows = [*measure(editor, presses)]
        finally:
            editor.close()
    report(rows, presses)


def measure(editor: Editor, presses: int):
    """(whole, server, debounce) in ms for each press that brought ghost text."""
    count, lines = 0, editor.nvim.current.buffer[:]
    for line, column in PLACES:
        source = lines[line - 1] if line <= len(lines) else ""
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
        if editor.ghost() and explained["reason"] == "accepted" and not explained["cached"]:
            count += 1
            yield whole * 1000, explained["milliseconds"], debounce * 1000
        if count == presses:
            return


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
