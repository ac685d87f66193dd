"""Records the animation of the README: lines that are typed in VS Code, and suggestions that are taken.

    LINTSEQ_VSCODE=$(python tests/editors/vscode/install.py) python tests/editors/vscode/animation.py FILE.png

The model is the one that ships, at lines of the kind that it is good at. Each frame is a picture of the
editor's window; how long it stays is what reads well, not what the machine took. FILE is an animated PNG.
"""

import io
import sys
from pathlib import Path

from code_window import Code, wait_until, window
from PIL import Image

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
    with window() as code:
        record(code).save(Path(sys.argv[1]))


def record(code: Code) -> Recording:
    code.start({"lintseq.nextEdit": False, "lintseq.gateTimeout": 60})
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
