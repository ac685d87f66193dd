"""A real Neovim, driven over its remote interface, with a screen of its own.

Nothing here sleeps: `wait` looks again whenever Neovim sends something, which it does with every
redraw, and with every autocommand of its language client.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pynvim
from wire import Wire


def _version() -> tuple[int, int]:
    command = [os.environ["LINTSEQ_NVIM"], "--clean", "--headless", "+lua print(vim.version())", "+q"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    major, minor, *_ = (said.stderr + said.stdout).strip().split(".")
    return int(major), int(minor)


IS_OLDER = _version() < (0, 12)
"""Without ghost text."""


def readme_lua(repository: Path) -> str:
    """The README's lines for `init.lua`, with the path of a copy of the repository."""
    page = (repository / "README.md").read_text("utf-8")
    (block,) = re.findall(r"```lua\n(.*?)```", page, re.DOTALL)
    named, count = re.subn("/path/to/lintseq-lsp(?=/editors/nvim')", repository.as_posix(), block)
    assert count == 1
    return named


COLUMNS, LINES = 100, 30
TIMEOUT = 60.0

_EVENTS = """
local channel = ...
vim.o.messagesopt = 'wait:0,history:500'  -- nobody is there to press ENTER
for _, event in ipairs({ 'LspAttach', 'LspDetach', 'LspRequest', 'LspNotify', 'LspProgress' }) do
  vim.api.nvim_create_autocmd(event, {
    callback = function() vim.rpcnotify(channel, event) end,
  })
end
"""


@dataclass(slots=True)
class Screen:
    """What the user sees: one string a line, and how each cell is drawn."""

    rows: list[list[str]] = field(default_factory=list)
    styles: list[list[int]] = field(default_factory=list)
    looks: dict[int, dict[str, Any]] = field(default_factory=dict)
    flushed_at: float = 0.0

    def handle(self, events: list[Any]) -> None:
        for name, *calls in events:
            handler = getattr(self, f"_{name}", None)
            for call in calls:
                if handler is not None:
                    handler(*call)

    @property
    def text(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self.rows)

    def ghosts(self, group: str) -> str:
        """What is drawn with a highlight group."""
        lines = []
        for row, styles in zip(self.rows, self.styles, strict=True):
            cells = [cell for cell, style in zip(row, styles, strict=True) if self._is(style, group)]
            lines += ["".join(cells)] if cells else []
        return "\n".join(lines)

    def _is(self, style: int, group: str) -> bool:
        return any(entry.get("hi_name") == group for entry in self.looks.get(style, {}).get("info", ()))

    def _grid_resize(self, _grid: int, columns: int, lines: int) -> None:
        self.rows = [[" "] * columns for _ in range(lines)]
        self.styles = [[0] * columns for _ in range(lines)]

    def _grid_clear(self, grid: int) -> None:
        self._grid_resize(grid, len(self.rows[0]), len(self.rows))

    def _grid_line(self, _grid: int, row: int, column: int, cells: list[Any], *_: Any) -> None:
        style = 0
        for text, *more in cells:
            style = more[0] if more else style
            for _ in range(more[1] if len(more) > 1 else 1):
                self.rows[row][column], self.styles[row][column] = text, style
                column += 1

    def _grid_scroll(self, _g: int, top: int, bottom: int, left: int, right: int, by: int, _c: int) -> None:
        lines = range(top, bottom - by) if by > 0 else range(bottom - 1, top - by - 1, -1)
        for line in lines:
            for grid in (self.rows, self.styles):
                grid[line][left:right] = grid[line + by][left:right]

    def _hl_attr_define(self, number: int, _rgb: Any, _cterm: Any, info: list[Any]) -> None:
        self.looks[number] = {"info": info}

    def _flush(self) -> None:
        self.flushed_at = time.time()


class Editor:
    """One Neovim with a file open. `wire` is what it and its server said to each other.

    `path` is where it finds programs, if not where this process does.
    """

    def __init__(self, executable: str, init: Path, folder: Path, wire: Wire, path: str = "") -> None:
        self.folder, self.wire = folder, wire
        self.screen = Screen()
        home = folder / "home"
        places = {
            f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")
        }
        tell = "lua io.stdout:write(vim.v.servername, '\\n') io.stdout:flush()"
        self._process = subprocess.Popen(
            [executable, "--headless", "-n", "-i", "NONE", "-u", str(init), "--cmd", tell],
            env={**os.environ, **places, "PATH": path or os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self.nvim = pynvim.attach("socket", path=self._process.stdout.readline().decode().strip())
        self.nvim.exec_lua(_EVENTS, self.nvim.channel_id)
        self.nvim.ui_attach(COLUMNS, LINES, rgb=True, ext_linegrid=True, ext_hlstate=True)
        self.lua = self.nvim.exec_lua

    def close(self) -> None:
        """Ends Neovim, and by that its server."""
        self._process.terminate()
        self._process.communicate()
        loop = self.nvim.loop
        loop.call_later(TIMEOUT, loop.stop)
        loop.run_forever()  # stopped by the end of the connection, behind which nothing is left open
        self.nvim.close()

    def open(self, path: Path) -> None:
        self.nvim.command(f"edit {path}")

    # What the user does and sees

    def type(self, keys: str) -> None:
        """Keys as a mapping writes them: `ifoo<Esc>`."""
        self.nvim.input(keys)

    @property
    def text(self) -> str:
        """The current buffer as it would be written."""
        lines = self.nvim.current.buffer[:]
        end = "\r\n" if self.nvim.current.buffer.options["fileformat"] == "dos" else "\n"
        return end.join(lines) + (end if self.nvim.current.buffer.options["endofline"] else "")

    @property
    def mode(self) -> str:
        return str(self.nvim.api.get_mode()["mode"])

    @property
    def cursor(self) -> tuple[int, int]:
        """Line from 1, column from 0 in bytes."""
        row, column = self.nvim.current.window.cursor
        return row, column

    def ghost(self) -> str:
        """Ghost text on the screen."""
        return self.screen.ghosts("ComplHint")

    # Waiting

    def wait(self, what: str, is_so: Callable[[], Any], timeout: float = TIMEOUT) -> Any:
        """What `is_so` returns as soon as that is true. It is asked again after each message of Neovim's."""
        deadline = time.monotonic() + timeout
        while True:
            self.settle()
            if value := is_so():
                return value
            left = deadline - time.monotonic()
            assert left > 0, (
                f"waited in vain for {what}; mode {self.mode}, on the screen:\n{self.screen.text}"
            )
            self._take(left)

    def settle(self) -> None:
        """Takes all messages that have come already."""
        while self.nvim._session._pending_messages:
            self._take(0.0)

    def _take(self, timeout: float) -> None:
        timer = self.nvim.loop.call_later(timeout, self.nvim._session.stop)
        message = self.nvim.next_message()
        timer.cancel()
        if message is not None and message[1] == "redraw":
            self.screen.handle(message[2])

    # The server

    def wait_for_server(self) -> None:
        """Until it has answered `initialize`, and knows the buffer."""
        self.wait("the server", lambda: self.lua("return #vim.lsp.get_clients({ bufnr = 0 }) > 0"))

    def roundtrip(self) -> Any:
        """The answer of `lintseq/explain`. All changes have been sent before that, and were read."""
        code = """
        local client, buf = vim.lsp.get_clients({ bufnr = 0 })[1], vim.api.nvim_get_current_buf()
        local params = { textDocument = vim.lsp.util.make_text_document_params(buf) }
        -- By its number: for buffer 0, Neovim would not send the changes that it holds back.
        local answer, failure = client:request_sync('lintseq/explain', params, 30000, buf)
        assert(answer, failure)
        return answer.result
        """
        return self.lua(code)

    def is_believed(self) -> bool:
        """Whether the buffer is what the server holds."""
        self.roundtrip()
        believed = self.wire.belief(Path(self.nvim.current.buffer.name))
        assert believed == self.text, f"the server believes {believed!r}, the buffer has {self.text!r}"
        return True
