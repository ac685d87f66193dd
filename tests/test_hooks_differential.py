"""What an agent is told at its turn's end, against pylint itself, run before and after on the files.

Pylint's findings count as (file, symbol, message); those that it has more of afterwards are new.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lintseq_lsp.hooks.handler import Handler
from lintseq_lsp.hooks.judge import Judge
from lintseq_lsp.runtime import open_gate
from lintseq_lsp.settings import Settings

PYLINT = ["--rcfile=/dev/null", "--disable=all", "--enable=E,F,W0311,W0231", "--output-format=json"]

Finding = tuple[str, str, str]


@dataclass(frozen=True)
class Case:
    """Files before and after, and the edits in between (those of `after`, where none are given)."""

    before: dict[str, str]
    after: dict[str, str]
    steps: list[dict[str, str]] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)


CLASS = """\
class Cart:
    def __init__(self):
        self.items = []

    def total(self):
        return sum(self.items)
"""

CASES = {
    "line_shift": Case({"a.py": "old()\n"}, {"a.py": "\n\nx = 1\n\nold()\n"}),
    "second_identical": Case({"a.py": "old()\n"}, {"a.py": "old()\nold()\n"}),
    "elsewhere_in_the_file": Case(
        {"a.py": "import os\n\n\ndef f():\n    return os.sep\n"}, {"a.py": "def f():\n    return os.sep\n"}
    ),
    "a_member_that_is_gone": Case(
        {"a.py": CLASS + "\n\nCart().total()\n"},
        {"a.py": CLASS.replace("total", "price") + "\n\nCart().total()\n"},
    ),
    "moved_code": Case({"a.py": "old()\nx = 1\ny = 2\n"}, {"a.py": "x = 1\ny = 2\nold()\n"}),
    "indented_code": Case({"a.py": "x = 1\nold()\n"}, {"a.py": "x = 1\nif x:\n    old()\n"}),
    "an_argument_more": Case(
        {"a.py": "def f(x):\n    return x\n\n\nf(1)\n"},
        {"a.py": "def f(x, y):\n    return x + y\n\n\nf(1)\n"},
    ),
    "a_new_file": Case({}, {"a.py": "new()\nx = 1\n"}),
    "a_deleted_file": Case({"a.py": "old()\n", "b.py": "x = 1\n"}, {"b.py": "x = 1\nnew()\n"}),
    "carriage_returns": Case({"a.py": "old()\r\nx = 1\r\n"}, {"a.py": "x = 1\r\nold()\r\nnew()\r\n"}),
    "two_edits_that_mend_each_other": Case(
        {"a.py": "x = 1\n"},
        {"a.py": "def f():\n    return 1\n\n\nx = f()\n"},
        [{"a.py": "x = f()\n"}, {"a.py": "def f():\n    return 1\n\n\nx = f()\n"}],
    ),
    "two_files_at_once": Case(
        {"a.py": "def f():\n    return 1\n", "b.py": "from two_files_at_once.a import f\n\nf()\n"},
        {"a.py": "def g():\n    return 1\n", "b.py": "from two_files_at_once.a import g\n\ng(1)\n"},
    ),
    "an_import_of_a_file_that_is_written_last": Case(
        {"a.py": "x = 1\n"},
        {"a.py": "from an_import_of_a_file_that_is_written_last.b import y\n\nx = y\n", "b.py": "y = 1\n"},
    ),
    "indentation": Case({"a.py": "def f():\n    return 1\n"}, {"a.py": "def f():\n   return 1\n"}),
    "a_renamed_file": Case({"a.py": "old()\n"}, {"b.py": "old()\nnew()\n"}, moved={"b.py": "a.py"}),
    "a_renamed_file_that_was_looked_at": Case(
        {"a.py": "old()\n"}, {"b.py": "old()\nnew()\n"}, moved={"b.py": "a.py"}
    ),
    "its_own_reason_to_doubt_it": Case(
        {"a.py": CLASS},
        {"a.py": CLASS + "        setattr(self, str(1), 2)\n\n\nCart().nothing()\n"},
    ),
    "it_parses_no_more": Case({"a.py": "old()\nx = 1\n"}, {"a.py": "old()\nx = = 1\n"}),
    "a_notebook": Case({"a.ipynb": "{}"}, {"a.ipynb": '{"cells": [}'}),
}


def pylint(root: Path) -> Counter[Finding]:
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*.py"))
    command = [sys.executable, "-m", "pylint", *PYLINT, *files]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return Counter(
        (entry["path"], entry["symbol"], without_numbers(entry["message"]))
        for entry in json.loads(done.stdout)
    )


def without_numbers(message: str) -> str:
    """Nor the module, which pylint names beside the line of a syntax error."""
    message = re.sub(r" \([\w.]+, line \d+\)", "", message)
    return " ".join(re.sub(r"\bline \d+", "line", message).split())


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for old in folder.glob("[ab].*"):
        old.unlink()
    (folder / "__init__.py").touch()
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())


class Turn:
    """An agent that edits one case."""

    def __init__(self, handler: Handler, folder: Path) -> None:
        self.handler, self.folder = handler, folder

    def call(self, **fields: Any) -> str:
        given = {"session_id": self.folder.name, "permission_mode": "default", **fields}
        answer = self.handler.answer(json.dumps(given).encode(), str(self.folder.parent))
        assert (answer.status, answer.stderr) == (0, "")
        return str(json.loads(answer.stdout)["reason"]) if answer.stdout else ""

    def edit(self, name: str, text: str) -> None:
        path = self.folder / name
        before = path.read_bytes().decode() if path.exists() else None
        path.write_bytes(text.encode())
        response = {"type": "create" if before is None else "update", "originalFile": before}
        tool = "NotebookEdit" if name.endswith(".ipynb") else "Write"
        self.call(
            hook_event_name="PostToolUse",
            tool_name=tool,
            tool_input={"file_path": str(path)},
            tool_response=response,
        )

    def move(self, old: str, new: str, text: str, *, looked_at: bool) -> None:
        """By a patch that keeps the lines of the old file, and writes new ones below."""
        kept = (self.folder / old).read_text()
        added = text.removeprefix(kept)
        lines = [*(f" {line}" for line in kept.splitlines()), *(f"+{line}" for line in added.splitlines())]
        header = [f"*** Update File: {self.folder / old}", f"*** Move to: {self.folder / new}", "@@"]
        patch = "\n".join(["*** Begin Patch", *header, *lines, "*** End Patch"])
        if looked_at:
            self.call(hook_event_name="PreToolUse", tool_name="apply_patch", tool_input={"command": patch})
        (self.folder / old).unlink()
        (self.folder / new).write_text(text)
        self.call(hook_event_name="PostToolUse", tool_name="apply_patch", tool_input={"command": patch})

    def told_at_the_end(self) -> Counter[Finding]:
        lines = self.call(hook_event_name="Stop").split("\n")[1:]
        found = [re.fullmatch(r"(\S+?):\d+: \S+ (\S+): (.*)", line) for line in lines]
        return Counter((match[1], match[2], without_numbers(match[3])) for match in found if match)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Counter[Finding]:
    """All cases at once: pylint takes a second to start. A file that was moved counts at its new place."""
    before, after = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
    for name, case in CASES.items():
        write(before / name, {case.moved.get(file, file): text for file, text in case.before.items()})
        write(after / name, case.after)
        for new, old in case.moved.items():
            (before / name / old).rename(before / name / new)
    return pylint(after) - pylint(before)


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Turn]]:
    root = tmp_path_factory.mktemp("work")
    (root / ".git").mkdir()
    handler = Handler(lambda: Judge(open_gate(Settings())), root.parent / f"{root.name}-state")
    yield {name: Turn(handler, root / name) for name in CASES}
    handler.close()


@pytest.mark.parametrize("name", CASES)
def test_it_is_what_pylint_has_more_of(name: str, expected: Counter[Finding], turns: dict[str, Turn]) -> None:
    case, turn = CASES[name], turns[name]
    write(turn.folder, case.before)
    for new, old in case.moved.items():
        turn.move(old, new, case.after[new], looked_at="looked_at" in name)
    for step in case.steps or [case.after]:
        for file, text in step.items():
            if file not in case.moved:
                turn.edit(file, text)
    for file in case.before.keys() - case.after.keys() - set(case.moved.values()):
        (turn.folder / file).unlink()
    wanted = Counter({finding: n for finding, n in expected.items() if finding[0].startswith(f"{name}/")})
    assert turn.told_at_the_end() == wanted


def test_the_cases_have_new_findings_and_none(expected: Counter[Finding]) -> None:
    with_some = {path.partition("/")[0] for path, _, _ in expected}
    assert len(with_some) >= 9
    assert CASES.keys() - with_some
