"""The README's first minute, word by word: a clean profile, the server on the PATH, the model that ships."""

import re
import time
from pathlib import Path

from code_window import TOOLS, Code, package, wait_until
from conftest import ROOT, recorded
from install import install_extension


def test_the_first_minute(browser, tmp_path, is_clean, capsys):
    """From the .vsix to a suggestion that was taken and is clean. The seconds are printed, not judged."""
    text, typed = from_readme()
    began = time.monotonic()
    install_extension(TOOLS, package(), tmp_path / "extensions")
    installed = time.monotonic()
    code = Code(TOOLS, tmp_path / "extensions", browser, tmp_path)
    try:
        home = Path(code.environment["HOME"])
        (home / ".profile").write_text(f'export PATH="{code.program.parent}:$PATH"\n')
        code.start({"lintseq.serverPath": ""})
        path = code.open("point.py", text)
        code.wait_for_status("ready")
        code.go_to(text.count("\n"), 1)
        code.press("End", "Enter")
        code.type(typed, delay=100)
        wait_until(code.ghost_text, "ghost text")
        code.shot("first-minute", ".part.editor", height=220)
        code.press("Tab")
        wait_until(lambda: not code.saved(path).rstrip().endswith(typed), "the accepted text")
        ended = time.monotonic()
        assert is_clean(code, path, text)
        assert code.wire.sent("initialize")[0]["initializationOptions"]["trusted"] is True
        assert code.toasts.count() == 0
    finally:
        code.close()
    with capsys.disabled():
        print(  # noqa: T201 - the figure
            f"\nfirst minute: {ended - began:.1f} s, of which installing the .vsix {installed - began:.1f} s;"
            f" the line is then {path.read_text().splitlines()[3]!r}"
        )


def test_the_walkthrough_opens(code, tmp_path):
    code.start(recorded(tmp_path, ""))
    code.command("Welcome: Open Walkthrough...")
    code.pick("LintSeq: the first minute")
    steps = code.page.locator(".getting-started-step")
    for title in ("The server", "Ghost text", "The next edit", "Edit by instruction", "When nothing comes"):
        steps.filter(has_text=title).first.click()
        code.shot(f"walkthrough-{title.split()[-1].lower()}")


def from_readme():
    """The file to open, and what to type in a new line behind its last one."""
    readme = (ROOT / "vscode-extension" / "README.md").read_text("utf-8")
    ((block, typed),) = re.findall(r"```python\n(.*?)```.*?type `(.*?)`", readme, re.DOTALL)
    return block, typed
