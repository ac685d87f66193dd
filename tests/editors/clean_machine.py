"""A clean machine, from nothing to an accepted suggestion, in Neovim and in VS Code; prints the times.

    python tests/editors/clean_machine.py --wheels dist/wheels nvim vscode

What is clean: a new home without caches or settings, a PATH with the system's programs alone, and a Python
environment made for this, into which pip installs from the folder of wheels, without a network. Then come
the README's lines for Neovim, and the packaged extension for VS Code; both find the server on
the PATH. `LINTSEQ_NVIM` and `LINTSEQ_VSCODE` name the editors, which are there already. Each suggestion
that was taken is judged by `lintseq-lsp check`. What is not clean: the file system's cache in memory.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, default=ROOT / "dist" / "wheels")
    parser.add_argument("editors", nargs="*", default=list(EDITORS), help=", ".join(EDITORS))
    options = parser.parse_args()
    sys.path[:0] = [str(HERE / "vscode"), str(HERE / "nvim"), str(HERE)]
    with tempfile.TemporaryDirectory(prefix="lintseq-clean-") as name:
        place = Path(name)
        forget_everything(place)
        with timed("install the server"):
            install(options.wheels.resolve(), place / "server")
        os.environ["PATH"] = os.pathsep.join((str(place / "server" / "bin"), os.environ["PATH"]))
        for editor in options.editors:
            (place / editor).mkdir()
            EDITORS[editor](place / editor)


def forget_everything(place: Path) -> None:
    """From now on, this process and what it starts know nothing of the user's."""
    names = ("LINTSEQ_NVIM", "LINTSEQ_VSCODE", "LANG")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    (place / "home").mkdir()
    path = os.pathsep.join(("/usr/local/bin", "/usr/bin", "/bin"))
    os.environ.clear()
    os.environ.update(kept, HOME=str(place / "home"), PATH=path, PYTHONDONTWRITEBYTECODE="")


def install(wheels: Path, folder: Path) -> None:
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    subprocess.run([base, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-index", "--find-links", wheels, "lintseq-lsp"], check=True)


def in_neovim(place: Path) -> None:
    """The README's lines in init.lua, the example of the extension's README, Tab."""
    from editor import Editor, readme_lua
    from wire import Wire

    block = readme_lua(ROOT)
    colours = "vim.api.nvim_set_hl(0, 'ComplHint', { fg = '#808080' })\n"  # so that the screen tells it apart
    init = place / "init.lua"
    init.write_text(block + colours, "utf-8")
    text, typed = example()
    file = place / "point.py"
    file.write_text(text, "utf-8")
    with timed("Neovim: start, type, take"):
        editor = Editor(os.environ["LINTSEQ_NVIM"], init, place, Wire(place / "no-tap"))
        try:
            editor.open(file)
            editor.wait_for_server()
            editor.type(f"Go{typed}")
            editor.wait("ghost text", editor.ghost)
            editor.type("<Tab>")
            editor.wait("it in the buffer", lambda: not editor.text.rstrip().endswith(typed))
            after = editor.text
        finally:
            editor.close()
    judge(place, text, after)


def in_vs_code(place: Path) -> None:
    """The packaged extension, the example of its README, Tab."""
    from code_window import TOOLS, Code, launched, package, wait_until
    from install import install_extension

    text, typed = example()
    with launched() as browser:
        with timed("VS Code: install the extension"):
            install_extension(TOOLS, package(), place / "extensions")
        with timed("VS Code: start, type, take"):
            code = Code(TOOLS, place / "extensions", browser, place)
            profile = Path(code.environment["HOME"]) / ".profile"
            profile.write_text(f"export PATH={json.dumps(os.environ['PATH'])}\n")
            try:
                code.start({"lintseq.serverPath": ""})
                file = code.open("point.py", text)
                code.go_to(text.count("\n"), 1)
                code.press("End", "Enter")
                code.type(typed, delay=100)
                wait_until(code.ghost_text, "ghost text")
                code.press("Tab")
                wait_until(lambda: not code.saved(file).rstrip().endswith(typed), "the accepted text")
                assert code.toasts.count() == 0, "something popped up"
            finally:
                code.close()
    judge(place, text, file.read_text("utf-8"))


EDITORS: dict[str, Callable[[Path], None]] = {"nvim": in_neovim, "vscode": in_vs_code}


def example() -> tuple[str, str]:
    """The file to open, and what to type in a new line behind its last one."""
    readme = (ROOT / "vscode-extension" / "README.md").read_text("utf-8")
    ((block, typed),) = re.findall(r"```python\n(.*?)```.*?type `(.*?)`", readme, re.DOTALL)
    return block, typed


def judge(place: Path, before: str, after: str) -> None:
    old, new = place / "before.py", place / "after.py"
    old.write_text(before, "utf-8")
    new.write_text(after, "utf-8")
    subprocess.run(["lintseq-lsp", "check", new, "--against", old], check=True, stdout=subprocess.DEVNULL)
    say(f"  the last line is then {after.splitlines()[-1]!r}, with no new finding")


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command of its own


if __name__ == "__main__":
    main()
