"""lintseq-gate: the same package with fewer packages, and what installs it for commits and reviews."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
LEFT_OUT = ("llama_cpp", "pygls", "numpy", "huggingface_hub", "gguf", "IPython")


def project(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def needed(requirements: list[str]) -> Iterator[importlib.metadata.Distribution]:
    """The distributions that pip would install for them, out of those that are here."""
    seen, queue = set[str](), [Requirement(each) for each in requirements]
    while queue:
        requirement = queue.pop()
        if requirement.name in seen or (
            requirement.marker and not requirement.marker.evaluate({"extra": ""})
        ):
            continue
        seen.add(requirement.name)
        found = importlib.metadata.distribution(requirement.name)
        yield found
        queue += [Requirement(each) for each in found.requires or ()]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """lintseq-gate in an environment of its own, with its dependencies and nothing else."""
    folder = tmp_path_factory.mktemp("gate")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT / "gate", check=True, timeout=120)
    [wheel] = folder.glob("lintseq_gate-*.whl")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for distribution in needed(project(ROOT / "gate")["dependencies"]):
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            target = site / name
            if not target.is_symlink():
                target.symlink_to(Path(str(distribution.locate_file(name))))
    return [str(python), "-I", "-m", "lintseq_lsp"]


def run(command: list[str], *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("module", LEFT_OUT)
def test_it_is_without(command: list[str], module: str, tmp_path: Path) -> None:
    done = run(command[:2], "-c", f"import lintseq_lsp, {module}", folder=tmp_path)
    assert f"No module named '{module}'" in done.stderr


def test_it_checks_files_patches_and_what_is_staged(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("old()\n")
    for arguments in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    done = run(command, "check", "--staged", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "a.py:1:0: E0602 undefined-variable: Undefined variable 'old'\n"
    file.write_text("old()\nx = 1\n")
    patch = subprocess.run(["git", "diff"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    (tmp_path / "a.patch").write_text(patch)
    done = run(command, "check", "--patch", "a.patch", "--format", "sarif", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert run(command, "check", "a.py", "--json", folder=tmp_path).returncode == 1


def test_it_answers_hooks(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = = 1\n")
    given = f"""{{"hook_event_name": "PostToolUse", "session_id": "s", "cwd": "{tmp_path.as_posix()}",
        "permission_mode": "default", "tool_name": "Write",
        "tool_input": {{"file_path": "{(tmp_path / "a.py").as_posix()}"}},
        "tool_response": {{"originalFile": "x = 1"}}}}"""
    done = subprocess.run(
        [*command, "hook", "--no-daemon"],
        cwd=tmp_path,
        input=given,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "E0001" in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["--stdio"], ["complete", "a.py", "--line", "0", "--column", "0"]])
def test_what_it_leaves_out_is_said(command: list[str], arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    done = run(command, *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(
        r"lintseq-lsp: the package \w+ is not installed, .* install lintseq-lsp .*\n", done.stderr
    )


def test_the_two_distributions_agree() -> None:
    gate, whole = project(ROOT / "gate"), project(ROOT)
    assert gate["version"] == whole["version"]
    assert gate["requires-python"] == whole["requires-python"]
    assert set(gate["dependencies"]) <= set(whole["dependencies"])
    for script in gate["scripts"].values():
        assert script == whole["scripts"]["lintseq-lsp"]


def test_pre_commit_finds_what_it_requires_of_a_hook() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert hook["language"] == "system", "with python, pre-commit would compile llama.cpp"
    assert [hook["entry"], *hook["args"]] == ["lintseq-lsp check", "--staged"]


def test_a_tag_of_the_gate_is_what_pre_commit_installs(tmp_path: Path) -> None:
    """As a commit: of the working tree it tells nothing."""
    if not (ROOT / ".git").exists():
        pytest.skip("no repository")
    clone, tree = tmp_path / "clone", tmp_path / "tree"
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "clone", "--quiet", "--shared", "--no-checkout", ROOT, clone], check=True)
    (clone / "gate").mkdir()
    shutil.copy(ROOT / "gate/commit.sh", clone / "gate")
    environment = {**os.environ, "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}
    environment |= {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org"}
    done = subprocess.run(
        ["bash", clone / "gate/commit.sh"], check=True, capture_output=True, text=True, env=environment
    )
    tree.mkdir()
    subprocess.run(
        ["bash", "-c", f"git archive {done.stdout.strip()} | tar -x -C {tree}"], cwd=clone, check=True
    )
    assert {path.name for path in tree.iterdir()} == {
        *(".pre-commit-hooks.yaml", "LICENSE", "README.md", "lintseq_lsp", "pyproject.toml"),
    }
    (hook,) = yaml.safe_load((tree / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert (hook["language"], hook["entry"]) == ("python", "lintseq-gate check")
    assert "lintseq-gate" in project(tree)["scripts"]
    subprocess.run([sys.executable, "-c", BUILD, str(tmp_path)], cwd=tree, check=True, timeout=120)
    [wheel] = tmp_path.glob("lintseq_gate-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"lintseq_lsp/cli.py", "lintseq_lsp/linters/worker/main.py", "lintseq_lsp/LICENSE"} <= names
    assert not any("_models" in name for name in names)


def test_github_finds_what_it_requires_of_an_action() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    assert {"name", "description", "runs"} <= action.keys()
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert {"run", "shell"} <= step.keys()
        done = subprocess.run(["bash", "-n"], input=step["run"], text=True, check=False, capture_output=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "${{" not in step["run"], "what an event says must not become a part of a script"
    for value in (value for step in action["runs"]["steps"] for value in step["env"].values()):
        for name in re.findall(r"inputs\.(\w+)", value):
            assert name in action["inputs"]


def test_the_action_annotates_what_is_new(tmp_path: Path) -> None:
    step = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))["runs"]["steps"][-1]
    programs = tmp_path / "lintseq-gate" / "bin"
    programs.mkdir(parents=True)
    (programs / "lintseq-gate").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lintseq_lsp "$@"\n')
    (programs / "lintseq-gate").chmod(0o755)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run([*git, "init", "--quiet"], cwd=work, check=True)
    for text in ("old()\n", "old()\nnew()\n"):
        (work / "a.py").write_text(text)
        subprocess.run([*git, "add", "."], cwd=work, check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", "next"], cwd=work, check=True)
    given = {"RUNNER_TEMP": str(tmp_path), "PROJECT_PYTHON": "", "ARGUMENTS": "a.py --strict"}
    for since, default in (("HEAD~", "nowhere"), ("0" * 40, "HEAD~"), ("", "HEAD~")):
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=work,
            env={**os.environ, **given, "SINCE": since, "DEFAULT": default},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stdout == (
            "::error file=a.py,line=2,col=1,title=E0602 undefined-variable::Undefined variable 'new'\n"
        )
