"""Records the animation of the README: lines that are typed in VS Code, and suggestions that are taken.

    LINTSEQ_VSCODE=$(python tests/editors/vscode/install.py) python tests/editors/vscode/animation.py FILE.png

The model is the one that ships, at lines of the kind that it is good at. Each frame is a picture of the
editor's window; how long it stays is what reads well, not what the machine took. FILE is an animated PNG.
"""

import io
import os
import sys
import tempfile
from pathlib import Path

TOOLS = Path(os.environ["LINTSEQ_VSCODE"])
sys.path[:0] = [str(TOOLS / "python"), str(Path(__file__).parent), str(Path(__file__).parents[1])]

from code_window import Code, wait_until  # noqa: E402
from conftest import FLAGS, package  # noqa: E402
from install import chromium, install_extension  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402
from wire import SERVER  # noqa: E402

TEXT = "class Rectangle:\n    def __init__(self, width, height):\n        self.width = width\n"
TYPED = "\nself.h\t\n\n\bdef area(self):\nreturn self.\t"
"""The keys, from the end of the last line on. A tab waits for ghost text; a backspace dedents."""
LARGEST = 1_500_000
KEY, READ, TAKEN = 110, 1_600, 1_300
"""Milliseconds: of a key, of ghost text, and of what was taken."""


class Recording:
    """Frames of the editor's part of the window, each with its time."""

    def __init__(self, code: Code) -> None:
        box = code.page.locator(".part.editor").first.bounding_box()
        assert box is not None
        self._page, self._clip = code.page, {**box, "height": min(box["height"], 230), "width": 620}
        self._frames: list[Image.Image] = []
        self.still = 0
        """The frame that is shown where nothing moves."""
        self._times: list[int] = []

    def __len__(self) -> int:
        return len(self._frames)

    def take(self, milliseconds: int) -> None:
        picture = Image.open(io.BytesIO(self._page.screenshot(clip=self._clip, animations="disabled")))
        self._frames.append(picture.convert("RGB").quantize(128, dither=Image.Dither.NONE))
        self._times.append(milliseconds)

    def save(self, file: Path) -> None:
        self._frames[self.still].save(
            file,
            format="PNG",
            save_all=True,
            default_image=True,
            append_images=self._frames,
            duration=self._times,
            loop=0,
            optimize=True,
        )
        size = file.stat().st_size
        assert size < LARGEST, f"{size} bytes are too many for a page"
        print(f"{file}: {len(self._frames)} frames, {sum(self._times) / 1000:.0f} s, {size / 1000:.0f} kB")  # noqa: T201


def main() -> None:
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        extensions = Path(place) / "extensions"
        install_extension(TOOLS, package(), extensions)
        code = Code(TOOLS, extensions, browser, Path(place), SERVER)
        try:
            record(code).save(Path(sys.argv[1]))
        finally:
            code.close()
            browser.close()


def record(code: Code) -> Recording:
    code.start({"lintseq.nextEdit": False})
    code.open("rectangle.py", TEXT)
    code.wait_for_status("ready")
    code.go_to(TEXT.count("\n"), 1)
    code.press("End")
    recording = Recording(code)
    recording.take(READ)
    for key in TYPED:
        if key == "\t":
            wait_until(code.ghost_text, "ghost text")
            recording.still = len(recording)
            recording.take(READ)
            code.press("Tab")
            wait_until(lambda: not code.ghost_text(), "it to be taken")
            recording.take(TAKEN)
        else:
            code.press({"\n": "Enter", "\b": "Backspace"}.get(key, key))
            recording.take(KEY)
    recording.take(2 * READ)
    return recording


if __name__ == "__main__":
    main()
