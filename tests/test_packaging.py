"""The wheel, built as pip builds it: the model is in it, and nothing that only the repository needs."""

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, check=True, timeout=120)
    [path] = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_it_holds_the_package_and_the_model(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    own = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lintseq_lsp").rglob("*.py")}
    assert own <= names
    assert "lintseq_lsp/py.typed" in names
    for example in (ROOT / "examples").glob("*.py"):  # the tour's
        assert wheel.read(f"lintseq_lsp/_examples/{example.name}") == example.read_bytes()
    manifest = json.loads(wheel.read("lintseq_lsp/_models/manifest.json"))
    for model in manifest["models"]:
        assert wheel.getinfo(f"lintseq_lsp/_models/{model['file']}").file_size == model["size"]


def test_it_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    allowed = {".gguf", ".json", ".md"}
    for name in wheel.namelist():
        top, _, rest = name.partition("/")
        assert top in ("lintseq_lsp", f"lintseq_lsp-{version()}.dist-info"), name
        if rest.startswith("_models/"):
            assert Path(rest).suffix in allowed, name
        assert "__pycache__" not in name


def test_it_runs_without_the_repository(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    script = (
        "from lintseq_lsp.weights.registry import resolve_model, embedded_folder as folder\n"
        "print(folder()); print(resolve_model(None).path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{script}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    models = tmp_path / "lintseq_lsp" / "_models"
    folder, model = map(Path, done.stdout.split("\n")[:2])
    assert folder.samefile(models)
    assert model.parent.samefile(models)


def test_both_ways_to_start_it_are_one(wheel: zipfile.ZipFile) -> None:
    points = wheel.read(f"lintseq_lsp-{version()}.dist-info/entry_points.txt").decode()
    assert "lintseq-lsp = lintseq_lsp.cli:main" in points
    done = subprocess.run(
        [sys.executable, "-m", "lintseq_lsp", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "doctor" in done.stdout


def test_started_by_its_name_it_keeps_the_standard_library() -> None:
    """With -I nothing is in front of it that could be the workspace."""
    script = (
        "import runpy, sys; before = list(sys.path); sys.argv[1:] = ['--version']\n"
        "runpy.run_module('lintseq_lsp', run_name='__main__'); assert sys.path == before, sys.path"
    )
    subprocess.run([sys.executable, "-I", "-c", script], check=True, timeout=60)


def test_every_dependency_is_locked() -> None:
    locked = {line.partition("==")[0].lower().replace("_", "-") for line in lock()}
    extras = project()["optional-dependencies"]
    required = names([*project()["dependencies"], *extras["test"], *extras["dev"]])
    assert not required - locked, "requirements.lock lacks them"


def test_extras_that_messages_name_exist() -> None:
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "lintseq_lsp").rglob("*.py")]
    named = {name for file in files for name in re.findall(r"lintseq-lsp\[(\w+)\]", file.read_text("utf-8"))}
    assert "torch" in named
    assert named <= project()["optional-dependencies"].keys()


def test_what_tests_import_is_required() -> None:
    required = names([*project()["dependencies"], *project()["optional-dependencies"]["test"]])
    own = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {"lintseq_lsp"}
    others = {"llama_cpp": "llama-cpp-python", "yaml": "pyyaml"}
    for path in (ROOT / "tests").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            imported = []
            if isinstance(node, ast.Import):
                imported = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                imported = [node.module or ""]
            for name in (name.partition(".")[0] for name in imported):
                distribution = others.get(name, name.replace("_", "-"))
                known = {*sys.stdlib_module_names, *own}
                assert name in known or distribution in required, f"{path.name} imports {name}"


def test_llama_is_built_at_the_version_that_the_package_needs() -> None:
    [needed] = [name for name in project()["dependencies"] if name.startswith("llama-cpp-python")]
    [locked] = [line for line in lock() if line.startswith("llama_cpp_python")]
    assert needed.partition("==")[2] == locked.partition("==")[2] != ""


def lock() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text("utf-8").split("\n")
    return [line for line in lines if line and not line.startswith("#")]


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def names(requirements: list[str]) -> set[str]:
    return {re.split("[<>=]", requirement)[0] for requirement in requirements}


def version() -> str:
    return str(project()["version"])
