"""The workflow runs what contributors run. `make check` holds it against GitHub's schema."""

import re
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def job() -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    [found] = yaml.safe_load(text)["jobs"].values()
    return dict(found)


def targets() -> set[str]:
    """Those with a rule, in all the makefiles of the root: a line of .PHONY alone makes nothing."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    included = [ROOT / name for name in re.findall(r"^include (\S+)$", makefile, re.MULTILINE)]
    texts = [makefile, *(path.read_text("utf-8") for path in included)]
    rules = re.findall(r"^([a-z][\w -]*):(?!=)", "\n".join(texts), re.MULTILINE)
    return {name for rule in rules for name in rule.split()}


def named() -> dict[str, set[str]]:
    """Each `make NAME` that a document or the explanation of a script has, and where."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for folder in ("", "benchmarks", "docs", "models", "tests", "editors", "vscode-extension"):
        for path in [*(ROOT / folder).glob("*.md"), *(ROOT / folder).glob("*.py")]:
            for name in re.findall(r"`make ([a-z][\w-]*)", path.read_text("utf-8")):
                found[name].add(str(path.relative_to(ROOT)))
    return found


def test_three_systems_and_three_pythons_from_the_oldest_on() -> None:
    matrix = job()["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert len(matrix["python"]) == 3
    required = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert required == f">={matrix['python'][0]}"


def test_it_runs_targets_of_the_makefile() -> None:
    run = [step["run"] for step in job()["steps"] if step.get("run", "").startswith("make ")]
    assert {"make demo", "make check", "make test", "make test-install"} == set(run)
    assert {command.removeprefix("make ") for command in run} <= targets()


def test_the_commands_of_the_contributors_page_exist() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    commands = set(re.findall(r"(?:^|`)make ([\w-]+)", page, re.MULTILINE))
    assert {"demo", "test", "check"} <= commands <= targets()


def test_whatever_a_document_says_to_make_has_a_rule() -> None:
    assert {"bench-peers", "bench-keystroke"} <= named().keys()
    assert {name: places for name, places in named().items() if name not in targets()} == {}
