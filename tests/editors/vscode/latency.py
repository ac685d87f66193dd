"""From the key press in VS Code to ghost text on the screen, with the model that ships.

    LINTSEQ_VSCODE=$(python tests/editors/vscode/install.py) python tests/editors/vscode/latency.py [LINES]

Types LINES lines (50). What counts is the frame in which ghost text is there. What is measured, and how:
tests/editors/felt.py.
"""

import sys

from code_window import Code, wait_until, window
from felt import REST, Place, Press, exchange, places, report

WATCH = """() => {
  const now = () => (performance.timeOrigin + performance.now()) / 1000;
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
LOOK = {
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
    "editor.autoIndent": "none",
    "editor.suggestOnTriggerCharacters": False,
}
"""So that the keys are what is in the file."""


def main(lines: int) -> None:
    with window() as code:
        code.look = LOOK
        found = places(code.project, lines)
        code.start({"lintseq.nextEdit": False})
        code.open(found[0].path.name)
        code.wait_for_status("ready")
        code.page.evaluate(WATCH)
        presses = [typed(code, place) for place in found]
    sys.stdout.write(report(presses))


def typed(code: Code, place: Place) -> Press | None:
    """The press that brought ghost text; None also where that came without a letter."""
    if code.page.locator(".tab.active").get_attribute("data-resource-name") != place.path.name:
        code.open(place.path.name)
    select(code, place)
    code.press("Delete")
    code.page.wait_for_timeout(REST * 1000 * place.rests)
    counts = range(0 if code.ghost_text() else len(place.letters))
    press = next(filter(None, (pressed(code, place, count) for count in counts)), None)
    select(code, place)
    code.page.keyboard.insert_text(place.code)
    return press


def select(code: Code, place: Place) -> None:
    """Selects the line behind its indentation."""
    code.go_to(place.line + 1, place.start + 1)
    code.press("Shift+End")


def pressed(code: Code, place: Place, count: int) -> Press | None:
    """Presses the letter behind the first `count` ones; what that was when it brought ghost text."""
    code.page.evaluate("window.pressed = window.shown = 0")
    code.press(place.letters[count])
    when, where = code.page.evaluate("window.pressed"), place.position(count + 1)
    wait_until(lambda: exchange(code.wire, where, when), "an answer")
    found = exchange(code.wire, where, when)
    assert found is not None
    if not found.items:
        return None
    wait_until(lambda: code.page.evaluate("window.shown"), lambda: f"to see {found.items}")
    shown = code.page.evaluate("window.shown")
    return Press(count == 0 and not place.rests, when, found.asked, found.answered, shown)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
