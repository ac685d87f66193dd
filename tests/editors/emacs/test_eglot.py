"""Emacs with Eglot, in batch: code actions, and `workspace/applyEdit` in UTF-32."""

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


@pytest.fixture
def emacs(tmp_path):
    """Runs Lisp on a file, and returns what it said, the wire and the file's path."""

    def run(stream, lisp, text=TEXT):
        project = tmp_path / "project"
        project.mkdir()
        (project / "pyproject.toml").touch()
        path = project / "area.py"
        path.write_text(text, "utf-8")
        recording = tmp_path / "recording.txt"
        recording.write_text(stream, "utf-8")
        wire = Wire(tmp_path / "wire.jsonl")
        environment = {
            **os.environ,
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "LINTSEQ_COMMAND": "\n".join(wire.command),
            "LINTSEQ_OPTIONS": json.dumps({"model": f"scripted:{recording}"}),
        }
        visit = f"(lintseq-visit {json.dumps(str(path))})"
        command = [
            os.environ["LINTSEQ_EMACS"],
            "-Q",
            "--batch",
            "-l",
            str(SCRIPT),
            "--eval",
            f"(progn {visit} {lisp})",
        ]
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=240
        )
        assert result.returncode == 0, result.stderr
        said = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
        return said, wire, path

    return run


def test_a_code_action_in_utf_32(emacs, tmp_path):
    stream = f"5,1 @@\n+{BODY}\n<|diff|>"
    said, wire, path = emacs(stream, '(lintseq-action 4 "Implement area()") (lintseq-report)')
    assert said[-1]["text"] == TEXT.replace('    pass  # "🦉"', BODY)
    assert wire.belief(path) == said[-1]["text"]
    initialize = wire.results("initialize")[0]["result"]
    assert initialize["capabilities"]["positionEncoding"] == "utf-32"
    assert new_findings(tmp_path, TEXT, said[-1]["text"]) == []


def test_steps_of_an_instruction_are_applied_one_by_one(emacs, tmp_path):
    stream = """@@ -0,0 +1 @@
+import math
<|diff|>@@ -7,0 +8,3 @@
+
+
+print(area(math.pi), "🦉")
<|diff|>
<|diff|>
"""
    said, wire, path = emacs(stream, '(lintseq-edit "Print an area.") (lintseq-report)')
    assert said[-1]["text"] == f'import math\n{TEXT}\n\nprint(area(math.pi), "🦉")\n'
    assert wire.belief(path) == said[-1]["text"]
    assert len(wire.received("workspace/applyEdit")) == 2
    assert new_findings(tmp_path, TEXT, said[-1]["text"]) == []
