"""Which project, environment, sources and Python a file is judged with. docs/projects.md is this table."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lintseq_lsp.linters.base import Check, Report
from lintseq_lsp.linters.environment import Environment, read_environment
from lintseq_lsp.linters.project import Project, project_of, script_block
from lintseq_lsp.linters.requires import oldest, package_lines, project_python, script_python
from lintseq_lsp.linters.router import Router

PAGE = Path(__file__).parent.parent / "docs" / "projects.md"
PATIENCE = 60.0


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def venv(prefix: Path, version: str = "3.12") -> Path:
    """Where packages are installed in it."""
    packages = prefix / "lib" / f"python{version}" / "site-packages"
    packages.mkdir(parents=True)
    (prefix / "pyvenv.cfg").write_text(f"home = /nowhere/bin\nversion = {version}.4\n")
    return packages


def conda(prefix: Path, version: str = "3.12") -> Path:
    touch(prefix / "conda-meta" / "history", prefix / "lib" / f"python{version}" / "os.py")
    packages = prefix / "lib" / f"python{version}" / "site-packages"
    packages.mkdir()
    return packages


@dataclass
class Case:
    """A file, and what is right for it. `imports` are folders in which modules are to be found."""

    file: Path
    packages: Path | None = None
    imports: list[Path] = field(default_factory=list)
    python: tuple[int, int] | None = None
    folders: list[Path] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    setting: str = ""
    text: str = ""
    unseen: list[Path] = field(default_factory=list)


CASES: dict[str, Callable[[Path], Case]] = {}


def case(name: str) -> Callable[[Callable[[Path], Case]], Callable[[Path], Case]]:
    def keep(make: Callable[[Path], Case]) -> Callable[[Path], Case]:
        CASES[name] = make
        return make

    return keep


# ---------------------------------------------------------------- layouts: where modules are


@case("flat")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml", top / "shop" / "__init__.py")
    return Case(top / "shop" / "cart.py", imports=[top])


@case("src")
def _(top: Path) -> Case:
    touch(top / "setup.py", top / "src" / "shop" / "__init__.py")
    return Case(top / "src" / "shop" / "cart.py", imports=[top / "src", top])


@case("scripts")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml", top / "scripts" / "helper.py")
    return Case(top / "scripts" / "tool.py", imports=[top / "scripts", top])


@case("tests")
def _(top: Path) -> Case:
    touch(top / "setup.cfg", top / "tests" / "conftest.py", top / "tests" / "unit" / "factories.py")
    return Case(top / "tests" / "unit" / "test_cart.py", imports=[top / "tests" / "unit", top / "tests", top])


@case("tests in packages")
def _(top: Path) -> Case:
    touch(
        top / "pyproject.toml", top / "app" / "tests" / "__init__.py", top / "app" / "tests" / "conftest.py"
    )
    return Case(
        top / "app" / "tests" / "test_cart.py", imports=[top / "app", top], unseen=[top / "app" / "tests"]
    )


@case("nested project")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml", top / ".git" / "HEAD", top / "services" / "api" / "pyproject.toml")
    inner = top / "services" / "api"
    touch(inner / "api" / "__init__.py")
    return Case(inner / "api" / "views.py", imports=[inner, top], folders=[top])


@case("several workspace folders")
def _(top: Path) -> Case:
    packages = venv(top / "second" / ".venv")
    venv(top / "first" / ".venv")
    folders = [top / "first", top / "second"]
    return Case(folders[1] / "a.py", packages, [folders[1]], (3, 12), folders, unseen=[folders[0]])


@case("no project")
def _(top: Path) -> Case:
    touch(top / "package" / "inner" / "__init__.py", top / "package" / "__init__.py")
    return Case(top / "package" / "inner" / "a.py", imports=[top])


@case("workspace folder")
def _(top: Path) -> Case:
    touch(top / "work" / "helper.py")
    return Case(
        top / "work" / "deep" / "a.py", imports=[top / "work" / "deep", top / "work"], folders=[top / "work"]
    )


@case("submodule")
def _(top: Path) -> Case:
    touch(top / "helper.py", top / "library" / ".git")
    packages = venv(top / ".venv")
    return Case(top / "library" / "a.py", packages, [top / "library", top], (3, 12), [top])


@case("repository's top")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml", top / "other" / ".git" / "HEAD")
    venv(top / ".venv")
    return Case(top / "other" / "a.py", imports=[top / "other"], unseen=[top])


# ---------------------------------------------------------------- environments: where packages are


@case("setting")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml")
    venv(top / ".venv")
    return Case(top / "a.py", venv(top / "chosen", "3.10"), python=(3, 10), setting=str(top / "chosen"))


@case("setting from the folder")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml", top / "inner" / "pyproject.toml")
    packages = venv(top / "tools" / "python", "3.10")
    touch(top / "tools" / "python" / "bin" / "python")
    return Case(top / "inner" / "a.py", packages, python=(3, 10), setting="tools/python/bin/python")


@case("venv, Poetry")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml")
    packages = venv(top / ".venv")
    return Case(top / "a.py", packages, python=(3, 12), environ={"VIRTUAL_ENV": str(venv(top / "other"))})


@case("uv workspace")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml", top / "packages" / "web" / "pyproject.toml")
    touch(top / "packages" / "web" / "src" / "web" / "__init__.py")
    web = top / "packages" / "web"
    return Case(web / "src" / "web" / "a.py", venv(top / ".venv"), [web / "src", web, top], (3, 12))


@case("VIRTUAL_ENV")
def _(top: Path) -> Case:
    packages = venv(top / "elsewhere")
    return Case(
        top / "work" / "a.py", packages, python=(3, 12), environ={"VIRTUAL_ENV": str(top / "elsewhere")}
    )


@case("conda, activated")
def _(top: Path) -> Case:
    packages = conda(top / "sci")
    return Case(top / "work" / "a.py", packages, python=(3, 12), environ={"CONDA_PREFIX": str(top / "sci")})


@case("conda, .conda")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml")
    return Case(top / "a.py", conda(top / ".conda"), python=(3, 12))


@case("pixi")
def _(top: Path) -> Case:
    touch(top / "pixi.toml")
    return Case(top / "a.py", conda(top / ".pixi" / "envs" / "default"), python=(3, 12))


@case("__pypackages__")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml")
    for version in ("3.9", "3.12"):
        (top / "__pypackages__" / version / "lib").mkdir(parents=True)
    return Case(top / "a.py", top / "__pypackages__" / "3.12" / "lib", python=(3, 12))


@case("script (PEP 723)")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml")
    venv(top / ".venv")
    text = "# /// script\n# requires-python = '>=3.13'\n# dependencies = ['rich']\n# ///\nimport rich\n"
    return Case(top / "a.py", python=(3, 13), imports=[top], text=text, unseen=[])


# ---------------------------------------------------------------- Python, where no environment tells


@case("requires-python")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml")
    (top / "pyproject.toml").write_text("[project]\nrequires-python = '>=3.9,<4'\n")
    return Case(top / "a.py", python=(3, 9))


@case("Poetry's python")
def _(top: Path) -> Case:
    touch(top / "pyproject.toml")
    (top / "pyproject.toml").write_text("[tool.poetry.dependencies]\npython = '^3.10'\n")
    return Case(top / "a.py", python=(3, 10))


@case("python_requires")
def _(top: Path) -> Case:
    touch(top / "setup.cfg")
    (top / "setup.cfg").write_text("[options]\npython_requires = >=3.8\n")
    return Case(top / "a.py", python=(3, 8))


def judged_with(case: Case) -> tuple[Project, Environment]:
    project = project_of(
        str(case.file), case.text, folders=case.folders, setting=case.setting, environ=case.environ
    )
    return project, read_environment(project.search, own=())


@pytest.mark.parametrize("name", CASES)
def test_what_a_file_is_judged_with(tmp_path: Path, name: str) -> None:
    case = CASES[name](tmp_path)
    project, found = judged_with(case)
    assert found.site_packages == ((case.packages,) if case.packages else ())
    assert found.warnings == ()
    sought = [Path(folder) for folder in (*project.around.beside, *project.around.roots)]
    assert [folder for folder in sought if folder in case.imports] == case.imports
    assert set(sought).isdisjoint(case.unseen)
    if case.python is not None:
        known = found.python_version if found.origin not in ("server", "script") else None
        assert (known or script_python(case.text) or project_python(project.around.projects)) == case.python


def test_the_page_has_all_of_it() -> None:
    named = re.findall(r"^\| .* \| `([^`]+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(CASES)


# ---------------------------------------------------------------- what projects and scripts say


@pytest.mark.parametrize(
    ("required", "version"),
    [
        *(
            (">=3.9", (3, 9)),
            (">3.9,<4", (3, 9)),
            ("~=3.8", (3, 8)),
            ("==3.11.*", (3, 11)),
            ("==3.11.4", (3, 11)),
        ),
        *((">=3.9.2", (3, 9)), ("^3.10", (3, 10)), ("~3.10", (3, 10)), (">=2.7,!=3.0.*,!=3.1.*", (3, 2))),
        *(
            ("", None),
            ("3.9", None),
            (">=4", None),
            ("nonsense", None),
            ("==" + "9" * 5000, None),
            (">=3." * 9, None),
        ),
    ],
)
def test_the_oldest_that_is_allowed(required: str, version: tuple[int, int] | None) -> None:
    assert oldest(required) == version


def test_a_project_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff[project\nrequires-python = 3")
    (tmp_path / "setup.cfg").write_text("[options\npython_requires = >=3.8\n")
    assert project_python([str(tmp_path)]) is None
    (tmp_path / "pyproject.toml").write_text("project = 'a'\ntool = [1]\n")
    assert project_python([str(tmp_path), str(tmp_path / "none")]) is None
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").mkdir()
    (tmp_path / "setup.cfg").write_text("[options]\npython_requires = >=3.8\n")
    assert project_python([str(tmp_path / "none"), str(tmp_path)]) == (3, 8)


def test_a_scripts_block() -> None:
    text = "#!/usr/bin/env python\r\n# /// script\r\n# requires-python = '>=3.12'\r\n#\r\n# ///\r\nx = 1\r\n"
    assert script_python(text) == (3, 12)
    assert not package_lines(text)
    assert package_lines("# /// script\n# dependencies = ['a']\n# ///\n")
    assert package_lines("# /// script\n# dependencies = [\n# ///\n")
    for none in (
        "",
        "# /// script\n",
        "# /// script\nx = 1\n# ///\n",
        "x = '# /// script'\n# ///\n",
        "# ///\n",
    ):
        assert script_block(none) is None
        assert script_python(none) is None


def test_a_file_without_a_place(tmp_path: Path) -> None:
    assert project_of("untitled.py", environ={}) == project_of("", environ={})
    packages = venv(tmp_path / ".venv")
    for path in ("untitled.py", ""):
        project = project_of(path, folders=[tmp_path], environ={})
        assert read_environment(project.search).site_packages == (packages,)
        assert project.around.roots == (str(tmp_path),)


def test_modules_that_were_never_saved_are_packages_too(tmp_path: Path) -> None:
    touch(tmp_path / "pyproject.toml", tmp_path / "scripts" / "inner" / "a.py")
    file = tmp_path / "scripts" / "inner" / "a.py"
    given = {str(file.parent / "__init__.py"): ""}
    assert project_of(str(file)).around.beside == (str(file.parent),)
    assert project_of(str(file), texts=given).around.beside == (str(file.parent.parent),)
    touch(file.parent / "__init__.py")
    gone = {str(file.parent / "__init__.py"): None}
    assert project_of(str(file), texts=gone).around.beside == (str(file.parent),)


def test_one_that_is_made_is_looked_for(tmp_path: Path) -> None:
    """What is looked at tells when another environment counts."""
    touch(tmp_path / "pyproject.toml", tmp_path / "deep" / "er" / "a.py")
    file = str(tmp_path / "deep" / "er" / "a.py")
    looked_at = project_of(file).around.looked_at
    assert {str(tmp_path), str(tmp_path / "deep")} <= set(looked_at)
    (tmp_path / ".venv").mkdir()
    assert str(tmp_path / ".venv" / "pyvenv.cfg") in project_of(file).around.looked_at


# ---------------------------------------------------------------- all of it, by the worker of the environment


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Iterator[Router]:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(variable, raising=False)
    made = Router(memory_limit=2**30, most=2)
    yield made
    made.close()


def report_of(router: Router, file: Path, text: str) -> Report:
    return router.submit(Check(text, str(file), timeout=PATIENCE)).result(PATIENCE)


def found_in(router: Router, file: Path, text: str) -> list[str]:
    report = report_of(router, file, text)
    assert report.failure is None
    return [f"{finding.line} {finding.message}" for finding in report.findings]


def test_each_file_has_its_own(tmp_path: Path, router: Router) -> None:
    """Two projects and a script without one: none sees what is another's."""
    for name in ("one", "two"):
        touch(tmp_path / name / "pyproject.toml")
        (venv(tmp_path / name / ".venv", "3.11") / f"of_{name}.py").write_text("go = 1\n")
        touch(tmp_path / name / "scripts" / f"beside_{name}.py", tmp_path / name / "tests" / "helper.py")
        (tmp_path / name / "helper.py").write_text(f"of_{name} = 1\n")
    text = "from of_one import go\nfrom of_two import go\nimport beside_one, beside_two\n"
    text += "from helper import of_one\nfrom helper import of_two\n"
    for _ in range(2):
        assert found_in(router, tmp_path / "one" / "scripts" / "a.py", text) == [
            "2 Unable to import 'of_two'",
            "3 Unable to import 'beside_two'",
            "5 No name 'of_two' in module 'helper'",
        ]
        assert found_in(router, tmp_path / "two" / "a.py", text) == [
            "1 Unable to import 'of_one'",
            "3 Unable to import 'beside_one'",
            "3 Unable to import 'beside_two'",
            "4 No name 'of_one' in module 'helper'",
        ]
    # Another module of the same name lies beside the tests, and a module of packages knows it by that name.
    assert found_in(router, tmp_path / "two" / "tests" / "test_a.py", "from helper import of_two\n") == [
        "1 No name 'of_two' in module 'helper'"
    ]
    assert found_in(router, tmp_path / "two" / "a.py", "from helper import of_two\n") == []
    assert len(router.process_ids()) == 2
    script = "# /// script\n# dependencies = ['of_one']\n# ///\nfrom of_one import go\nimport nowhere\n"
    script += "from helper.no import go\n"
    assert found_in(router, tmp_path / "one" / "a.py", script) == [
        "6 Unable to import 'helper.no'",
        "6 No name 'no' in module 'helper'",
    ]
    alone = script.replace("['of_one']", "[]")
    assert found_in(router, tmp_path / "one" / "a.py", alone) == [
        "4 Unable to import 'of_one'",
        "5 Unable to import 'nowhere'",
        "6 Unable to import 'helper.no'",
        "6 No name 'no' in module 'helper'",
    ]
    assert len(router.process_ids()) == 2  # the one that was used least is gone


def test_what_is_installed_later_counts(tmp_path: Path, router: Router) -> None:
    touch(tmp_path / "work" / "pyproject.toml")
    file, text = tmp_path / "work" / "a.py", "from dep import go\nimport rich\n"
    missing = "1 Unable to import 'dep'"
    assert found_in(router, file, text) == [missing]
    packages = venv(tmp_path / "work" / ".venv", "3.11")
    assert found_in(router, file, text) == [missing, "2 Unable to import 'rich'"]
    touch(packages / "rich.py", tmp_path / "source" / "dep.py")
    assert found_in(router, file, text) == [missing]
    (packages / "__editable__.dep.pth").write_text(f"{tmp_path / 'source'}\n")
    assert found_in(router, file, text) == ["1 No name 'go' in module 'dep'"]
    (tmp_path / "source" / "dep.py").write_text("go = 1\n")
    assert found_in(router, file, text) == []
    # A package that is installed anew is another one.
    assert found_in(router, file, "import rich\nrich.inspect\n") == [
        "2 Module 'rich' has no 'inspect' member"
    ]
    (packages / "rich.py").unlink()
    touch(packages / "rich-9.dist-info" / "METADATA")
    (packages / "rich.py").write_text("inspect = 1\n")
    assert found_in(router, file, "import rich\nrich.inspect\n") == []


def test_a_report_depends_on_what_says_where_to_look(tmp_path: Path, router: Router) -> None:
    touch(tmp_path / "pyproject.toml")
    files = report_of(router, tmp_path / "scripts" / "a.py", "x = 1\n").dependencies.files
    assert {str(tmp_path), str(tmp_path / "scripts"), str(tmp_path / "pyproject.toml")} <= files.keys()


def test_no_more_than_so_many_environments(tmp_path: Path, router: Router) -> None:
    files = [tmp_path / name / "a.py" for name in ("one", "two", "three")]
    for file in files:
        venv(file.parent / ".venv", "3.11")
    seen: list[set[int]] = []
    for file in (files[0], files[1], files[0], files[2], files[0]):
        assert found_in(router, file, "x = 1\n") == []
        seen.append(set(router.process_ids()))
    assert [len(ids) for ids in seen] == [1, 2, 2, 2, 2]
    assert seen[0] < seen[3]  # the second one made room, which was not used for longer
    assert seen[3] == seen[4]
