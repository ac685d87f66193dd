"""The workflow runs what contributors run. `make check` holds it against GitHub's schema."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def job() -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    [found] = yaml.safe_load(text)["jobs"].values()
    return dict(found)


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return {
        name for line in re.findall(r"^([\w-][\w -]*):(?!=)", makefile, re.MULTILINE) for name in line.split()
    }


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
    named = set(re.findall(r"(?:^|`)make ([\w-]+)", page, re.MULTILINE))
    assert {"demo", "test", "check"} <= named
    editors = (ROOT / "tests" / "editors" / "Makefile").read_text("utf-8")
    assert named <= targets() | set(re.findall(r"^([\w-]+):", editors, re.MULTILINE))
