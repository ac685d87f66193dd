"""ty, the type checker. It reads files alone: the text gets a folder of its own (overlay.py)."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from lintseq_lsp.linters.base import Check, Finding
from lintseq_lsp.linters.environment import PYPACKAGES, is_folder, marks_of
from lintseq_lsp.linters.files import mode_of
from lintseq_lsp.linters.overlay import Overlay
from lintseq_lsp.linters.program import Runner, read_findings
from lintseq_lsp.linters.project import Project

_RULE = re.compile(r"all|[a-z][a-z-]*")
_IMPORTS = frozenset({"import-not-found", "unresolved-import"})
_SMALL = frozenset({"info", "minor"})
"""How GitLab calls what is no error."""


class Ty:
    """Implements `linters.several.Adapter`."""

    name = "ty"
    reads_modules = True

    def is_rule(self, rule: str) -> bool:
        return _RULE.fullmatch(rule) is not None

    def findings(
        self, program: str, rules: tuple[str, ...], check: Check, project: Project, runner: Runner
    ) -> list[Finding]:
        """`rules` are names; without them, all count that are errors to ty."""
        command = [program, "check", "--output-format", "gitlab", "--no-progress", "--color", "never"]
        for option in ("--ignore=all", *(f"--error={rule}" for rule in rules)) if rules else ():
            command.append(option)
        with Overlay(check, project.around) as overlay:
            # One that it is given is the only one that counts, whatever lies around and above.
            configuration = overlay.path / "ty.toml"
            roots = ", ".join(json.dumps(str(root)) for root in overlay.roots or [overlay.file.parent])
            configuration.write_text(f"[environment]\nroot = [{roots}]\n", "utf-8")
            command += ["--config-file", str(configuration), "--project", str(overlay.path)]
            command += [*_environment(project), "--", str(overlay.file)]
            variables = {"XDG_CONFIG_HOME": str(overlay.path), "TY_MAX_PARALLELISM": "1"}
            out = runner.run(command, "", check.timeout, variables)
        found = read_findings(out, _finding)
        if project.search.own and not project.search.setting:  # nobody knows its packages
            found = [finding for finding in found if finding.symbol not in _IMPORTS]
        return found


def _environment(project: Project) -> list[str]:
    """The first place that is an environment, else our own."""
    for place in project.search.places:
        prefix = Path(place.prefix)
        if prefix.name == PYPACKAGES:
            folders = sorted(prefix.glob("3.*/lib"))[-1:]
            return [f"--extra-search-path={folder}" for folder in folders] + ["--python", sys.prefix]
        is_one = place.origin == "setting" or any(map(mode_of, marks_of(prefix)))
        if is_one and is_folder(prefix):
            return ["--python", str(prefix)]
    return ["--python", sys.prefix]


def _finding(entry: Any) -> Finding | None:
    """Of GitLab's report of code quality, which is the JSON that ty writes."""
    symbol, begin = entry["check_name"], entry["location"]["positions"]["begin"]
    if entry["severity"] in _SMALL or symbol == "invalid-syntax":
        return None
    message = entry["description"].removeprefix(f"{symbol}: ")
    return Finding(symbol, "", message, begin["line"], max(begin["column"] - 1, 0), "ty")
