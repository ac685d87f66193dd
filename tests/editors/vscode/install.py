"""Brings VS Code for the tests: code-server with its own Node, and Playwright to drive it.

    python tests/editors/vscode/install.py

prints the folder, `lintseq-lsp/editors/vscode-VERSION` in the user's cache: node/, code-server/, python/.
code-server allows every proposed API to every extension; here it gets VS Code's own rule back.
Chromium and the headers of Kerberos are the system's (Debian: chromium, libkrb5-dev).
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CODE_SERVER = "4.139.1"
NODE = "24"
PLAYWRIGHT = "1.65.2"
HOST = "lib/vscode/out/vs/workbench/api/node/extensionHostProcess.js"


class SetUpError(Exception):
    """What is in the way, for people."""


def main() -> int:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lintseq-lsp" / "editors"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"vscode-{CODE_SERVER}-playwright-{PLAYWRIGHT}"
    with (cache / "vscode.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not folder.exists():
                bring(folder)
            chromium()
        except (SetUpError, OSError, subprocess.CalledProcessError) as error:
            print(f"VS Code for the tests: {error}", file=sys.stderr)  # noqa: T201 - a command of its own
            return 1
    print(folder)  # noqa: T201 - a command of its own
    return 0


def code_server(folder: Path) -> list[str]:
    """The command that starts it, in what `main` prints."""
    node = folder / "node" / "node_modules" / "node" / "bin" / "node"
    entry = folder / "code-server" / "node_modules" / "code-server" / "out" / "node" / "entry.js"
    return [str(node), str(entry)]


def install_extension(folder: Path, package: Path, extensions: Path) -> None:
    """Installs the packaged extension into the folder `extensions`."""
    places = ["--extensions-dir", str(extensions), "--user-data-dir", str(extensions.with_name("no-user"))]
    command = [*code_server(folder), "--install-extension", str(package), *places]
    subprocess.run(command, check=True, capture_output=True)


def chromium() -> str:
    """The browser's path. Raises `SetUpError`."""
    named = os.environ.get("CHROMIUM", "")
    found = named or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
    )
    if not found:
        raise SetUpError(
            "there is no Chromium; install it (Debian: apt-get install chromium), or set CHROMIUM"
        )
    return found


def bring(folder: Path) -> None:
    """Installs everything beside `folder`, and moves it there when it is complete."""
    if shutil.which("npm") is None:
        raise SetUpError("there is no npm")
    if shutil.which("krb5-config") is None:
        raise SetUpError("the headers of Kerberos are missing (Debian: apt-get install libkrb5-dev)")
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {what}", file=sys.stderr, flush=True)  # noqa: T201

    say(f"bringing VS Code for the tests into {folder}, once: about 800 MB, some minutes")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="vscode.") as place:
        new = Path(place) / "new"
        for name, package in (("node", f"node@{NODE}"), ("code-server", f"code-server@{CODE_SERVER}")):
            say(f"{package} from npm")
            (new / name).mkdir(parents=True)
            (new / name / "package.json").write_text('{"private": true}\n')
            run(["npm", "install", "--no-save", "--no-audit", "--no-fund", package], new / name, new)
        say(f"playwright {PLAYWRIGHT} from PyPI")
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        run([*pip, "--target", str(new / "python"), f"playwright=={PLAYWRIGHT}"], new, new)
        restore_proposed_api_rule(new / "code-server" / "node_modules" / "code-server" / HOST)
        new.rename(folder)
    say("VS Code for the tests is there")


def run(command: list[str], folder: Path, root: Path) -> None:
    """Modules with native code are built against the headers that come with our Node."""
    node = root / "node" / "node_modules" / "node"
    headers = next(node.glob("node_modules/node-*/include"), node / "include").parent
    path = f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "npm_config_nodedir": str(headers)}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=sys.stderr)


def restore_proposed_api_rule(script: Path) -> None:
    """An extension has the proposed API that its manifest names, as in VS Code itself."""
    text = script.read_text("utf-8")
    used = re.search(r"_isAdditionsProposedApiEnabled=([\w$]+)\(", text)
    if used is None:
        raise SetUpError("this code-server is built otherwise: where is the rule for proposed API?")
    name = re.escape(used[1])
    changed, count = re.subn(
        rf"function {name}\((\w+),(\w+)\)\{{",
        lambda match: f"{match[0]}return !!{match[1]}.enabledApiProposals?.includes({match[2]});",
        text,
    )
    if count != 1:
        raise SetUpError(f"this code-server is built otherwise: {count} functions {used[1]}")
    script.write_text(changed, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
