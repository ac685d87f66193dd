"""`make demo` as it is written: what the embedded model does there is useful, and clean."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lintseq_lsp.commands import app

ROOT = Path(__file__).parents[1]
COMMANDS = re.findall(
    r"^\t@\$\(BIN\)/lintseq-lsp (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
)
EXPECTED = {
    "geometry.py": ["answer accepted by pylint", "+    bottom = min(corner.y for corner in corners)"],
    "words.py": ["answer accepted by pylint", "+    return sorted(words(text))"],
    "stack.py": ["rejected by pylint", "+    def is_empty(self):", "accepted", "+++ b/examples/stack.py"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_demo_shows_useful_accepted_steps(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    arguments = shlex.split(command)
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    for part in EXPECTED[Path(arguments[1]).name]:
        assert part in result.output


def test_it_shows_three_situations() -> None:
    assert [Path(shlex.split(command)[1]).name for command in COMMANDS] == [*EXPECTED]
