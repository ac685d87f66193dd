"""ruff: what it says of a text, by itself and without any configuration."""

import re
import sys
from pathlib import PurePath
from typing import Any

from lintseq_lsp.linters.base import Check, Finding
from lintseq_lsp.linters.program import Runner, read_findings
from lintseq_lsp.linters.project import Project

ERRORS = (
    "E9",
    *("F501", "F502", "F503", "F505", "F506", "F507", "F508", "F509", "F521", "F524", "F525"),
    *("F62", "F63", "F7", "F811", "F82"),
)
"""What is wrong whatever the style: it fails when it runs, or does not what it says."""

_RULE = re.compile(r"ALL|[A-Z]+[0-9]*")


class Ruff:
    """Implements `linters.several.Adapter`."""

    name = "ruff"
    reads_modules = False

    def is_rule(self, rule: str) -> bool:
        return _RULE.fullmatch(rule) is not None

    def findings(
        self,
        program: str,
        rules: tuple[str, ...],
        check: Check,
        project: Project,  # noqa: ARG002 - a text is all that it looks at
        runner: Runner,
    ) -> list[Finding]:
        """`rules` are codes, or what they begin with. What is Python is not ruff's to say."""
        suffix = ".pyi" if check.path.endswith(".pyi") else ".py"
        command = [program, "check", "--isolated", "--no-cache", "--quiet", "--exit-zero"]
        command += ["--no-fix", "--output-format", "json", "--select", ",".join(rules or ERRORS)]
        command += ["--target-version", f"py{sys.version_info.major}{sys.version_info.minor}"]
        command += ["--stdin-filename", PurePath(check.path or "untitled").stem + suffix, "-"]
        out = runner.run(command, check.text, check.timeout)
        return read_findings(out, _finding)


def _finding(entry: Any) -> Finding | None:
    code, place = entry["code"], entry["location"]
    if code is None or code == "invalid-syntax":
        return None
    symbol = entry.get("name") or code  # old ones do not give it
    return Finding(symbol, code, entry["message"], place["row"], max(place["column"] - 1, 0), "ruff")
