"""Emacs with Eglot, in batch: code actions, completion items, and `workspace/applyEdit` in UTF-32."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from wire import Wire, new_findings

SCRIPT = Path(__file__).parent / "actions.el"
TEXT = '''OWLS = "🦉é﷽"


def area(radius, owl="🦉"):
    """The area of a circle."""
    pass  # "🦉"
'''
BODY = "    return radius**2 * 3.14 * len(OWLS)"
STEPS = """@@ -0,0 +1 @@
+import math
<|diff|>@@ -7,0 +8,3 @@
+
+
+print(area(math.pi), "🦉")
<|diff|>
<|diff|>
"""
EDITED = f'import math\n{TEXT}\n\nprint(area(math.pi), "🦉")\n'


@pytest.fixture
def emacs(tmp_path):
    """Runs Lisp on a file, and returns the buffer's text at the end and the wire.

    What was made of the file is what the server believes, and the gate finds nothing new in it.
    """

    def run(stream, lisp, text=TEXT, **options):
        project = tmp_path / "project"
        project.mkdir()
        (project / "pyproject.toml").touch()
        path = project / "area.py"
        path.write_text(text, "utf-8", newline="")
        recording = tmp_path / "recording.txt"
        recording.write_text(stream, "utf-8")
        wire = Wire(tmp_path / "wire.jsonl")
        environment = {
            **os.environ,
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "LINTSEQ_COMMAND": "\n".join(wire.command),
            "LINTSEQ_OPTIONS": json.dumps({"model": f"scripted:{recording}", **options}),
        }
        visit = f"(lintseq-visit {json.dumps(str(path))})"
        command = [
            os.environ["LINTSEQ_EMACS"],
            "-Q",
            "--batch",
            "-l",
            str(SCRIPT),
            "--eval",
            f"(progn {visit} {lisp} (lintseq-report))",
        ]
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=240
        )
        assert result.returncode == 0, result.stderr
        (said,) = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
        assert wire.belief(path) == said["text"]
        assert new_findings(tmp_path, text.replace("\r\n", "\n"), said["text"]) == []
        return said["text"], wire

    return run


def test_a_code_action_in_utf_32(emacs):
    stream = f"5,1 @@\n+{BODY}\n<|diff|>"
    text, wire = emacs(stream, '(lintseq-action 4 "Implement area()")')
    assert text == TEXT.replace('    pass  # "🦉"', BODY)
    initialize = wire.results("initialize")[0]["result"]
    assert initialize["capabilities"]["positionEncoding"] == "utf-32"


def test_carriage_returns_are_emacs_own(emacs, tmp_path):
    stream = f"5,1 @@\n+{BODY}\n<|diff|>"
    lisp = '(lintseq-action 4 "Implement area()") (save-buffer)'
    text, _ = emacs(stream, lisp, TEXT.replace("\n", "\r\n"))
    assert text == TEXT.replace('    pass  # "🦉"', BODY)
    assert (tmp_path / "project" / "area.py").read_bytes() == text.replace("\n", "\r\n").encode()


def test_a_completion_item(emacs):
    before = TEXT.replace('pass  # "🦉"', "ret")
    text, _ = emacs(
        " return radius**2 * len(OWLS)\n<|diff|>", "(lintseq-complete 6)", before, completionItems=True
    )
    assert text == before.replace("    ret\n", "    return radius**2 * len(OWLS)\n")


def test_steps_of_an_instruction_are_applied_one_by_one(emacs):
    text, wire = emacs(STEPS, '(lintseq-edit "Print an area.")')
    assert text == EDITED
    assert len(wire.received("workspace/applyEdit")) == 2


def test_the_steps_go_on_behind_a_command_for_which_emacs_waits(emacs):
    """While it does, Emacs tells of no change: the answer comes after the first step therefore."""
    text, wire = emacs(STEPS, '(lintseq-command "Print an area.") (lintseq-wait-for-text "print(")')
    assert text == EDITED
    (answer,) = wire.results("workspace/executeCommand")
    assert answer["result"] == {"steps": 1, "reason": None}
