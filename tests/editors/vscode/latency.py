"""From the key press in VS Code to ghost text on the screen, and whose time it is.

    LINTSEQ_VSCODE=$(python tests/editors/vscode/install.py) python tests/editors/vscode/latency.py

Fifty functions, and in each one the last letter of `return` is pressed: every answer is a new one, of
the model that ships. What counts is the frame in which the text is there. Presses that the model or
the gate leaves without an answer are counted apart.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

TOOLS = Path(os.environ["LINTSEQ_VSCODE"])
sys.path[:0] = [str(TOOLS / "python"), str(Path(__file__).parent), str(Path(__file__).parents[1])]

from code_window import Code, wait_until  # noqa: E402
from conftest import FLAGS, ROOT  # noqa: E402
from install import chromium  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

PRESSES = 50
WATCH = """() => {
  const now = () => performance.timeOrigin + performance.now();
  window.pressed = window.shown = 0;
  addEventListener("keydown", () => { window.pressed = now(); window.shown = 0; }, true);
  const look = () => {
    const ghost = document.querySelector('[class*="ghost-text-decoration"]');
    if (ghost && ghost.textContent.trim() && !window.shown && window.pressed) window.shown = now();
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
HEADS = ("add(left, right)", "area(width, height)", "mean(values)", "largest(values)", "greet(name)")


def main() -> None:
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        code = Code(TOOLS, installed(Path(place)), browser, Path(place), sys.executable)
        code.program.write_text(code.program.read_text().replace("tap.py", "vscode/timed_tap.py"))
        try:
            report(measured(code))
        finally:
            code.close()
            browser.close()


def installed(place: Path) -> Path:
    package = max((ROOT / "vscode-extension").glob("lintseq-*.vsix"), key=lambda path: path.stat().st_mtime)
    node = TOOLS / "node" / "node_modules" / "node" / "bin" / "node"
    entry = TOOLS / "code-server" / "node_modules" / "code-server" / "out" / "node" / "entry.js"
    command = [str(node), str(entry), "--install-extension", str(package), "--extensions-dir"]
    subprocess.run([*command, str(place / "extensions")], check=True, capture_output=True)
    return place / "extensions"


def measured(code: Code) -> list[tuple[float, float, float] | None]:
    """Milliseconds of the editor before, of the server, and of the editor after; None without an answer."""
    code.start({"lintseq.nextEdit": False})
    heads = [head.replace("(", f"_{number}(") for number, head in enumerate(HEADS * (PRESSES // len(HEADS)))]
    code.open("many.py", "\n\n".join(f"def {head}:\n    retur\n" for head in heads))
    code.wait_for_status("ready")
    code.page.evaluate(WATCH)
    found = []
    for number in range(PRESSES):
        code.go_to(4 * number + 2, 10)
        asked = len(code.wire.results("textDocument/inlineCompletion"))
        code.press("n")
        wait_until(
            lambda asked=asked: len(code.wire.results("textDocument/inlineCompletion")) > asked, "an answer"
        )
        answered = [entry for entry in code.wire.entries() if "time" in entry]
        item = code.wire.results("textDocument/inlineCompletion")[-1].get("result", {}).get("items")
        if item:
            wait_until(lambda: code.page.evaluate("window.shown"), "ghost text")
            pressed, shown = code.page.evaluate("[window.pressed, window.shown]")
            found.append(parts(answered, pressed, shown))
        else:
            found.append(None)
        # The function is whole either way; what was declined would quieten the server for a second.
        code.press("Tab") if item else code.type(" 0")
    return found


def parts(entries: list[dict[str, object]], pressed: float, shown: float) -> tuple[float, float, float]:
    """Splits the time between key and screen at the request and its response."""
    asked = next(e for e in reversed(entries) if "inlineCompletion" in str(e["message"].get("method")))  # type: ignore[attr-defined]
    number = asked["message"]["id"]  # type: ignore[index]
    answer = next(
        e
        for e in entries
        if e["from"] == "server" and e["message"].get("id") == number and "result" in e["message"]  # type: ignore[attr-defined, operator]
    )
    times = [pressed, asked["time"] * 1000, answer["time"] * 1000, shown]  # type: ignore[operator]
    before, server, after = (later - earlier for earlier, later in pairwise(times))
    return before, server, after


def report(found: list[tuple[float, float, float] | None]) -> None:
    answered = [entry for entry in found if entry is not None]
    print(f"{len(found)} presses, {len(answered)} with ghost text")  # noqa: T201 - a command of its own
    rows = {"from key to screen": [sum(entry) for entry in answered]}
    for index, name in enumerate(("editor and client, before", "server", "editor, after")):
        rows[name] = [entry[index] for entry in answered]
    for name, values in rows.items():
        deciles = statistics.quantiles(values, n=10, method="inclusive")
        print(f"{name:28} median {statistics.median(values):6.0f} ms, p90 {deciles[-1]:6.0f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
