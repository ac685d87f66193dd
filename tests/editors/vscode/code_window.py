"""VS Code in a browser, as a user has it: keys go in, what is on the screen comes out.

`LINTSEQ_VSCODE` names the folder of install.py, where Playwright is, too.
"""

import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

TOOLS = Path(os.environ["LINTSEQ_VSCODE"])
sys.path[:0] = [str(TOOLS / "python"), *map(str, Path(__file__).parents[:2])]  # each has an install.py

from install import chromium, code_server, install_extension  # noqa: E402
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright  # noqa: E402
from playwright.sync_api import Error as PlaywrightError  # noqa: E402
from playwright.sync_api import TimeoutError as PlaywrightTimeout  # noqa: E402
from wire import PATIENT, SERVER, TAP, Wire  # noqa: E402

FLAGS = [
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-sandbox"),
]

SECONDS = float(os.environ.get("LINTSEQ_SECONDS", 120))
"""How long an event may take on a busy machine; nothing waits longer than it must."""


class Code:
    """One code-server with a profile and a home of its own, one window, and a server behind a tap."""

    def __init__(
        self, tools: Path, extensions: Path, browser: Browser, place: Path, server: Sequence[str] = PATIENT
    ) -> None:
        self.wire = Wire(place / "wire.jsonl")
        self.project = place / "project"
        self.project.mkdir()
        self.profile = place / "profile"
        self.program = tapped(place / "bin" / "lintseq-lsp", self.wire, server)
        self.shots = Path(os.environ.get("LINTSEQ_SHOTS") or place)
        self.environment = hermetic(place / "home")
        self.look: dict[str, Any] = {}
        """Settings of the editor's own that a test wants otherwise."""
        self.page: Page
        self._command = [*code_server(tools), "--extensions-dir", str(extensions)]
        self._browser = browser
        self._process: subprocess.Popen[bytes] | None = None
        self._log = place / "code-server.log"
        self._settings: dict[str, Any] = {}

    # Its life

    def start(self, settings: dict[str, Any], *, workspace: Path | None = None, trust: bool = False) -> None:
        """Opens the window on the project, or on a workspace's file, and waits for the workbench.

        The server is named by its setting, unless `settings` say otherwise. With `trust`, VS Code asks
        for the workspace's trust, as it does outside of these tests.
        """
        self.set({"lintseq.serverPath": str(self.program), **settings}, trust=trust)
        port = free_port()
        command = [
            *(*self._command, "--bind-addr", f"127.0.0.1:{port}", "--auth", "none"),
            *("--disable-telemetry", "--disable-update-check", "--user-data-dir", str(self.profile)),
            *(() if trust else ("--disable-workspace-trust",)),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)
        wait_until(
            lambda: f"127.0.0.1:{port}" in self._log.read_text(errors="replace"), "code-server listens"
        )
        context = self._browser.new_context(viewport={"width": 1100, "height": 700})
        self.page = context.new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        opened = f"workspace={workspace}" if workspace else f"folder={self.project}"
        self.page.goto(f"http://127.0.0.1:{port}/?{opened}")
        self.page.locator(".monaco-workbench .statusbar").wait_for()

    def close(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(PlaywrightError):  # the page may be gone
            self.page.context.close()
        self._process.terminate()
        self._process.wait(SECONDS)

    def set(self, settings: dict[str, Any], *, trust: bool = False) -> None:
        """Writes the settings; VS Code sees it while it runs.

        A window on a remote machine, as this one is, takes programs' paths from the machine's settings.
        """
        self._settings = settings
        look = {
            "files.autoSave": "off",
            "files.defaultLanguage": "python",
            "workbench.secondarySideBar.defaultVisibility": "hidden",
            "security.workspace.trust.enabled": trust,
            "security.workspace.trust.startupPrompt": "never",
            "workbench.startupEditor": "none",
            "workbench.tips.enabled": False,
            "chat.commandCenter.enabled": False,
            "chat.disableAIFeatures": True,
            "extensions.ignoreRecommendations": True,
            "editor.minimap.enabled": False,
            "window.menuBarVisibility": "hidden",
            "editor.wordBasedSuggestions": "off",
            "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
            "workbench.colorTheme": "Default Dark Modern",
            **self.look,
        }
        for name, values in (("User", look), ("Machine", settings)):
            file = self.profile / name / "settings.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            new = file.with_suffix(".new")
            new.write_text(json.dumps(values, indent=2))
            new.replace(file)  # in one go: half a file would be other settings

    def bind(self, key: str, command: str, **args: Any) -> None:
        """Gives a command a key, as a user would in keybindings.json."""
        file = self.profile / "User" / "keybindings.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        rule = {"key": key, "command": command, "when": "editorTextFocus", "args": args}
        file.write_text(json.dumps([rule]))

    def change(self, **settings: Any) -> None:
        """Changes settings of the extension, and keeps the others."""
        self.set(self._settings | {f"lintseq.{name}": value for name, value in settings.items()})

    def log(self) -> str:
        """What the extension has written into its log."""
        return "".join(
            file.read_text() for file in self.profile.glob("logs/*/exthost*/lintseq.lintseq/*.log")
        )

    @property
    def machine_settings(self) -> dict[str, Any]:
        """What VS Code has by now written there."""
        settings: dict[str, Any] = json.loads((self.profile / "Machine" / "settings.json").read_text())
        return settings

    # Files

    def open(self, name: str, text: str | None = None) -> Path:
        """Opens a file of the project at its beginning."""
        path = self.project / name
        if text is not None:
            path.write_text(text, "utf-8", newline="")
        self.command("workbench.action.quickOpen", key="Control+p")
        self.page.locator(".quick-input-widget input").fill(name)
        self.rows.filter(has_text=name).first.click()
        self.page.locator(f'.tab.active[data-resource-name="{name}"]').wait_for()
        self.page.locator(".view-lines:visible").first.wait_for()
        return path

    def saved(self, path: Path) -> str:
        """The buffer's text, by way of the disk."""
        dirty = self.page.locator(".tab.active.dirty")

        def save() -> bool:
            if dirty.count() == 0:  # saving it nevertheless would write while somebody reads
                return True
            self.page.keyboard.press("Control+s")
            with contextlib.suppress(PlaywrightTimeout):  # an edit came behind the key
                dirty.wait_for(state="detached", timeout=1000)
            return dirty.count() == 0

        wait_until(save, "the file to be saved")
        return path.read_bytes().decode()

    def wait_for_text(self, path: Path, text: str) -> None:
        """Waits until the buffer has that text."""
        wait_until(lambda: self.saved(path) == text, lambda: f"{text!r}, not {path.read_text()!r}")

    @property
    def lines(self) -> str:
        """The text of the editor in focus, if all of it is on the screen: for what is not on the disk."""
        lines = self.page.locator(".monaco-editor.focused .view-lines .view-line")
        placed = lines.evaluate_all(
            "lines => lines.map((line) => [parseFloat(line.style.top), line.textContent])"
        )
        return "\n".join(line.replace("\xa0", " ") for _, line in sorted(placed))

    def is_believed(self, path: Path) -> bool:
        """Waits until what the server holds is what the buffer has."""
        wait_until(
            lambda: self.wire.belief(path) == self.saved(path),
            lambda: f"the server to have {self.saved(path)!r}, not {self.wire.belief(path)!r}",
        )
        return True

    # Keys

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str, *, delay: float = 20) -> None:
        self.page.keyboard.type(text, delay=delay)

    def go_to(self, line: int, column: int) -> None:
        """Places the cursor; both count from 1."""
        self.page.keyboard.press("Control+g")
        box = self.page.locator(".quick-input-widget input")
        box.wait_for()
        box.fill(f":{line}:{column}")
        self.page.keyboard.press("Enter")
        box.wait_for(state="hidden")
        self.page.locator(".statusbar-item", has_text=f"Ln {line}, Col {column}").wait_for()

    def choose_file(self, path: Path) -> None:
        """Answers VS Code's own file dialog."""
        box = self.page.locator(".quick-input-widget input")
        self.page.locator(".quick-input-action", has_text="OK").wait_for()

        def stays() -> bool:  # the dialog writes the folder into it that it begins with, when it has read it
            if box.input_value() != str(path):  # each text is looked up anew, which takes its time
                box.fill(str(path))
            return self.rows.filter(has_text=path.name).count() == 1 and box.input_value() == str(path)

        wait_until(stays, f"the dialog to offer {path}")
        self.press("Enter")
        box.wait_for(state="hidden")

    def command(self, title: str, *, key: str | None = None) -> None:
        """Runs a command by its title in the palette, or by a key."""
        if key is not None:
            self.page.keyboard.press(key)
            self.page.locator(".quick-input-widget input").wait_for()
            return
        self.page.keyboard.press("F1")
        self.page.locator(".quick-input-widget input").fill(f">{title}")
        self.page.locator(".quick-input-list .monaco-list-row", has_text=title).first.click()

    def pick(self, text: str) -> None:
        """Takes the row of a list that has that text."""
        self.rows.filter(has_text=text).first.click()

    # What is on the screen

    @property
    def ghost(self) -> Locator:
        return self.page.locator('[class*="ghost-text-decoration"], .ghost-text')

    @property
    def rows(self) -> Locator:
        """Of the list that is open."""
        return self.page.locator(".quick-input-list .monaco-list-row")

    @property
    def toasts(self) -> Locator:
        """Messages that popped up."""
        return self.page.locator(".notification-toast")

    @property
    def status(self) -> Locator:
        return self.page.locator('.statusbar-item[id*="lintseq.status"]')

    def ghost_text(self) -> str:
        return "".join(self.ghost.all_inner_texts()).replace("\xa0", " ").replace("·", " ")

    def wait_for_ghost(self, text: str) -> None:
        wait_until(
            lambda: text in self.ghost_text(), lambda: f"ghost text {text!r}, not {self.ghost_text()!r}"
        )

    def wait_for_status(self, pattern: str) -> None:
        """`pattern` is of the item's text and tooltip, as screen readers have it."""
        link = self.status.locator("a").first
        expect(link).to_have_attribute("aria-label", re.compile(pattern), timeout=SECONDS * 1000)

    def shot(self, name: str, part: str = "body", *, height: float | None = None) -> None:
        """A picture of a part of the window, cut off at `height`."""
        box = self.page.locator(part).first.bounding_box()
        assert box is not None
        clip = {**box, "height": min(box["height"], height or box["height"])}
        self.shots.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.shots / f"{name}.png", clip=clip, animations="disabled")


def package() -> Path:
    """The extension as it was packaged last."""
    packages = Path(__file__).parents[3].glob("vscode-extension/lintseq-*.vsix")
    found = max(packages, key=lambda path: path.stat().st_mtime, default=None)
    assert found, "run `make -C vscode-extension wheel` first"
    return found


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def window() -> Iterator[Code]:
    """VS Code with the packaged extension and the server with the model that ships, not started yet."""
    with tempfile.TemporaryDirectory() as name, launched() as browser:
        place = Path(name)
        install_extension(TOOLS, package(), place / "extensions")
        code = Code(TOOLS, place / "extensions", browser, place, SERVER)
        try:
            yield code
        finally:
            code.close()


def wait_until(holds: Callable[[], object], what: str | Callable[[], str], seconds: float = SECONDS) -> None:
    """Asks again until `holds`: for events that no page tells of."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited for {what() if callable(what) else what}"
        time.sleep(0.05)


def tapped(program: Path, wire: Wire, server: Sequence[str] = PATIENT) -> Path:
    """Writes a program that is the server behind a tap, but for its other commands."""
    bare = [word for word in server if word != "--stdio"]
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        f'*--stdio*) exec {shlex.join([sys.executable, str(TAP), str(wire.log), *bare])} "$@" ;;\n'
        f'*) exec {shlex.join(bare)} "$@" ;;\nesac\n'
    )
    program.chmod(0o755)
    return program


def hermetic(home: Path) -> dict[str, str]:
    """An environment in which VS Code finds no server, and nothing of the user's."""
    home.mkdir()
    path = os.environ["PATH"].split(os.pathsep)
    return {name: value for name, value in os.environ.items() if not name.startswith(("VSCODE_", "PIP_"))} | {
        "HOME": str(home),
        "SHELL": "/bin/sh",  # whose PATH VS Code takes
        "PATH": os.pathsep.join(part for part in path if not (Path(part) / "lintseq-lsp").exists()),
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
