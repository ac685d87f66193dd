"""From the key press in VS Code to ghost text on the screen, and whose time it is.

    LINTSEQ_VSCODE=$(python tests/editors/vscode/install.py) python tests/editors/vscode/latency.py

Fifty definitions, and in each one the last character before its last value is pressed: every answer
is a new one, of the model that ships. What counts is the frame in which the text is there. Presses
that the model or the gate leaves without an answer are counted apart.
"""

import os
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

TOOLS = Path(os.environ["LINTSEQ_VSCODE"])
sys.path[:0] = [str(TOOLS / "python"), str(Path(__file__).parent), str(Path(__file__).parents[1])]

from code_window import Code, wait_until  # noqa: E402
from conftest import FLAGS, package  # noqa: E402
from install import chromium, install_extension  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402
from wire import SERVER  # noqa: E402

Entry = dict[str, Any]
Parts = list[float]
PARTS = ("editor: key to change", "client's debounce: to request", "server: to answer", "editor: to screen")
PRESSES = 50
WATCH = """() => {
  const now = () => performance.timeOrigin + performance.now();
  window.pressed = window.shown = 0;
  addEventListener("keydown", () => { window.pressed = now(); window.shown = 0; }, true);
  const look = () => {
    const ghosts = [...document.querySelectorAll('[class*="ghost-text"]')];
    const isThere = ghosts.some((ghost) => ghost.textContent.trim());
    if (isThere && !window.shown && window.pressed) window.shown = now();
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
PIECES = (
    "class Point_:\n    def __init__(self, x, y):\n        self.x = x\n        self.y =",
    "def total_(values):\n    result = 0\n    for value in values:\n        result +=",
    "def count_(words):\n    counts = {}\n    for word in words:\n        counts[word] =",
    "def read_(path):\n    with open(path) as file:\n        return",
    "def subtract_(left, right):\n    difference = left - right\n    return",
)
"""Each stands in the file with ` 0`; the key is the last character, over which, and ` 0`, it is typed."""


def main() -> None:
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        extensions = Path(place) / "extensions"
        install_extension(TOOLS, package(), extensions)
        code = Code(TOOLS, extensions, browser, Path(place), SERVER)
        code.program.write_text(code.program.read_text().replace("tap.py", "vscode/timed_tap.py"))
        try:
            report(measured(code))
        finally:
            code.close()
            browser.close()


def measured(code: Code) -> list[Parts | None]:
    """Milliseconds of the `PARTS` of each press; None without ghost text."""
    code.start({"lintseq.nextEdit": False})
    pieces = PIECES * (PRESSES // len(PIECES))
    texts = [piece.replace("_", f"_{number}", 1) for number, piece in enumerate(pieces)]
    code.open("many.py", "\n\n\n".join(f"{text} 0" for text in texts) + "\n")
    code.wait_for_status("ready")
    code.page.evaluate(WATCH)
    found: list[Parts | None] = []
    line = -3
    for text in texts:
        last = text.split("\n")[-1]
        line += text.count("\n") + 3
        code.go_to(line + 1, len(last) + 3)
        code.press("Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", text[-1])
        where = {"line": line, "character": len(last)}
        wait_until(lambda where=where: exchange(code, where), "an answer")
        changed, asked, answered = exchange(code, where)
        items = answered["message"].get("result", {}).get("items")
        if items:
            wait_until(lambda: code.page.evaluate("window.shown"), lambda items=items: f"to see {items}")
            pressed, shown = code.page.evaluate("[window.pressed, window.shown]")
            wire = [entry["time"] * 1000 for entry in (changed, asked, answered)]
            found.append([later - earlier for earlier, later in pairwise([pressed, *wire, shown])])
            code.press("Tab")
            line += items[0]["insertText"].count("\n")
        else:
            found.append(None)
            code.type(" 0")
    return found


def exchange(code: Code, where: dict[str, int]) -> tuple[Entry, Entry, Entry] | None:
    """The last change before the request for ghost text at that position, the request, and its response."""
    entries = code.wire.entries()
    changed: Entry = {}
    for index, asked in enumerate(entries):
        message = asked.get("message", {})
        if message.get("method") == "textDocument/didChange":
            changed = asked
        if message.get("method", "").endswith("inlineCompletion") and message["params"]["position"] == where:
            for answered in entries[index:]:
                response = answered.get("message", {})
                if answered.get("from") == "server" and response.get("id") == message["id"]:
                    return changed, asked, answered
    return None


def report(found: list[Parts | None]) -> None:
    answered = [entry for entry in found if entry is not None]
    print(f"{len(found)} presses, {len(answered)} with ghost text")  # noqa: T201 - a command of its own
    rows = {"from key to screen": [sum(entry) for entry in answered]}
    for index, name in enumerate(PARTS):
        rows[name] = [entry[index] for entry in answered]
    for name, values in rows.items():
        deciles = statistics.quantiles(values, n=10, method="inclusive")
        print(f"{name:30} median {statistics.median(values):6.0f} ms, p90 {deciles[-1]:6.0f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
