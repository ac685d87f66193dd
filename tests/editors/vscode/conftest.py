"""VS Code as the tests start it. Only collected when LINTSEQ_VSCODE names the folder of install.py."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if not os.environ.get("LINTSEQ_VSCODE"):
    collect_ignore_glob = ["*.py"]

if TYPE_CHECKING:
    from code_window import Code
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[3]
Start = Callable[..., "Code"]


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    from code_window import launched

    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def extensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the packaged extension is installed."""
    from code_window import TOOLS, package
    from install import install_extension

    folder = tmp_path_factory.mktemp("extensions")
    install_extension(TOOLS, package(), folder)
    return folder


@pytest.fixture
def code(
    browser: "Browser", extensions: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> "Iterator[Code]":
    """VS Code, not started yet. What it shows in the end is a picture, too."""
    from code_window import TOOLS, Code

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
