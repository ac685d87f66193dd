"""VS Code as the tests start it. Only collected when LINTSEQ_VSCODE names the folder of install.py."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if os.environ.get("LINTSEQ_VSCODE"):
    TOOLS = Path(os.environ["LINTSEQ_VSCODE"])
    sys.path[:0] = [str(TOOLS / "python"), str(Path(__file__).parent), str(Path(__file__).parents[1])]
else:
    collect_ignore_glob = ["*.py"]

if TYPE_CHECKING:
    from code_window import Code
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[3]
FLAGS = [
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-sandbox"),
]

Start = Callable[..., "Code"]


def package() -> Path:
    """The extension as it was packaged last."""
    packages = (ROOT / "vscode-extension").glob("lintseq-*.vsix")
    found = max(packages, key=lambda path: path.stat().st_mtime, default=None)
    assert found, "run `make -C vscode-extension wheel` first"
    return found


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    from install import chromium
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def extensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the packaged extension is installed."""
    from install import install_extension

    folder = tmp_path_factory.mktemp("extensions")
    install_extension(TOOLS, package(), folder)
    return folder


@pytest.fixture
def code(
    browser: "Browser", extensions: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> "Iterator[Code]":
    """VS Code, not started yet. What it shows in the end is a picture, too."""
    from code_window import Code

    window = Code(TOOLS, extensions, browser, tmp_path)
    yield window
    if hasattr(window, "page"):
        window.shot(f"end-{request.node.name}")
    window.close()


@pytest.fixture
def start(code: "Code", tmp_path: Path) -> "Start":
    """Starts it on one file, with a server whose model writes `stream`; waits until it is ready."""

    def start_window(text: str, stream: str, **settings: Any) -> "tuple[Code, Path]":
        code.start(recorded(tmp_path, stream) | {f"lintseq.{key}": value for key, value in settings.items()})
        path = code.open("area.py", text)
        code.wait_for_status("ready")
        return code, path

    return start_window


def recorded(place: Path, stream: str) -> dict[str, Any]:
    """Settings of a server whose model writes `stream`, and which no busy machine makes impatient.

    Of the answers, requests between two keys that are far apart use some up: let there be many.
    """
    recording = place / "recording.txt"
    recording.write_text(stream, "utf-8")
    return {"lintseq.model": f"scripted:{recording}", "lintseq.gateTimeout": 60, "lintseq.debounce": 300}


@pytest.fixture
def is_clean(tmp_path: Path) -> "Callable[[Code, Path, str], bool]":
    """Whether the buffer is what the server believes, and has nothing new that the gate is against."""
    from wire import new_findings

    def check(code: "Code", path: Path, before: str) -> bool:
        assert code.is_believed(path)
        assert new_findings(tmp_path, before, code.saved(path)) == []
        return True

    return check
