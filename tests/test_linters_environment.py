"""Where imports are resolved, read from files alone."""

import sys
from pathlib import Path

import pytest

from lintseq_lsp.linters.environment import find_environment, server_site_packages


def make_environment(prefix: Path, version: str = "3.12.4", key: str = "version") -> Path:
    packages = prefix / "lib" / f"python{version.rpartition('.')[0]}" / "site-packages"
    packages.mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").write_text("#!/bin/sh\ntouch ran\n")
    (prefix / "pyvenv.cfg").write_text(f"home = /nowhere/bin\n{key} = {version}\n")
    return packages


@pytest.mark.parametrize("name", [".venv", "venv", "env"])
def test_the_workspaces_own(tmp_path: Path, name: str) -> None:
    packages = make_environment(tmp_path / name)
    found = find_environment(tmp_path, environ={"VIRTUAL_ENV": "/elsewhere"})
    assert found.site_packages == (packages,)
    assert found.python_version == (3, 12)
    assert name in found.origin
    assert found.source_roots == (tmp_path,)
    assert not (tmp_path / "ran").exists()


def test_virtualenvs_version_key(tmp_path: Path) -> None:
    make_environment(tmp_path / ".venv", "3.10.1.final.0".removesuffix(".final.0"), key="version_info")
    assert find_environment(tmp_path, environ={}).python_version == (3, 10)


def test_source_root(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert find_environment(tmp_path, environ={}).source_roots == (tmp_path / "src", tmp_path)
    assert find_environment(None, environ={}).source_roots == ()


@pytest.mark.parametrize("given", ["", "bin/python", "bin/python3.12"])
def test_the_setting_comes_first(tmp_path: Path, given: str) -> None:
    make_environment(tmp_path / ".venv")
    packages = make_environment(tmp_path / "other" / "chosen")
    found = find_environment(tmp_path, str(tmp_path / "other" / "chosen" / given), environ={})
    assert (found.site_packages, found.origin, found.warnings) == ((packages,), "setting", ())


def test_an_interpreter_that_is_no_environment(tmp_path: Path) -> None:
    for version in ("3.11", "3.12"):
        (tmp_path / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3.12").touch()
    found = find_environment(None, str(tmp_path / "bin" / "python3.12"), environ={})
    assert found.site_packages == (tmp_path / "lib" / "python3.12" / "site-packages",)
    assert found.python_version == (3, 12)


def test_a_setting_relative_to_the_workspace(tmp_path: Path) -> None:
    packages = make_environment(tmp_path / "tools" / "python")
    assert find_environment(tmp_path, "tools/python", environ={}).site_packages == (packages,)


def test_a_vain_setting_is_told(tmp_path: Path) -> None:
    packages = make_environment(tmp_path / ".venv")
    found = find_environment(tmp_path, "/nowhere/bin/python", environ={})
    assert found.site_packages == (packages,)
    assert found.warnings
    assert "/nowhere/bin/python" in found.warnings[0]


def test_the_activated_one(tmp_path: Path) -> None:
    packages = make_environment(tmp_path / "activated")
    (tmp_path / "work").mkdir()
    found = find_environment(tmp_path / "work", environ={"VIRTUAL_ENV": str(tmp_path / "activated")})
    assert (found.site_packages, found.origin) == ((packages,), "VIRTUAL_ENV")


def test_the_servers_own_comes_last(tmp_path: Path) -> None:
    found = find_environment(tmp_path, environ={})
    assert found.origin == "server"
    assert set(server_site_packages()) <= set(found.site_packages)
    assert found.python_version == sys.version_info[:2]


def test_windows_layout(tmp_path: Path) -> None:
    packages = tmp_path / ".venv" / "Lib" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = C:\\Python312\r\nversion = 3.12.1\r\n")
    found = find_environment(tmp_path, str(tmp_path / ".venv" / "Scripts" / "python.exe"), environ={})
    assert (found.site_packages, found.python_version) == ((packages,), (3, 12))


def test_system_packages_where_they_count(tmp_path: Path) -> None:
    base = tmp_path / "base" / "lib" / "python3.12" / "site-packages"
    base.mkdir(parents=True)
    packages = make_environment(tmp_path / ".venv")
    config = tmp_path / ".venv" / "pyvenv.cfg"
    home = tmp_path / "base" / "bin"
    for include, expected in (("false", (packages,)), ("true", (packages, base))):
        config.write_text(f"home = {home}\ninclude-system-site-packages = {include}\nversion = 3.12.1\n")
        assert find_environment(tmp_path, environ={}).site_packages == expected


def test_editable_installs_by_plain_lines(tmp_path: Path) -> None:
    packages = make_environment(tmp_path / ".venv")
    (tmp_path / "library" / "src").mkdir(parents=True)
    (packages / "nested").mkdir()
    marker = tmp_path / "ran"
    (packages / "a.pth").write_text(
        f"# comment\nimport pathlib; pathlib.Path({str(marker)!r}).touch()\n"
        f"{tmp_path / 'library' / 'src'}\nnested\n/does/not/exist\n\n"
    )
    found = find_environment(tmp_path, environ={}).site_packages
    assert found == (packages, tmp_path / "library" / "src", packages / "nested")
    assert not marker.exists()


def test_editable_installs_by_setuptools_finders(tmp_path: Path) -> None:
    packages = make_environment(tmp_path / ".venv")
    for folder in ("flat/package", "elsewhere/other_folder"):
        (tmp_path / folder).mkdir(parents=True)
    marker = tmp_path / "ran"
    places = {
        "package": str(tmp_path / "flat" / "package"),
        "renamed": str(tmp_path / "elsewhere" / "other_folder"),
        "gone": str(tmp_path / "gone" / "gone"),
    }
    (packages / "__editable___package_1_0_finder.py").write_text(
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nMAPPING: dict[str, str] = {places!r}\n"
    )
    for name, text in (("broken", "MAPPING: dict = {"), ("computed", "MAPPING: dict = {'a': str()}")):
        (packages / f"__editable___{name}_finder.py").write_text(text)
    found = find_environment(tmp_path, environ={}).site_packages
    assert found == (packages, tmp_path / "flat")
    assert not marker.exists()


def test_an_environment_without_anything_installed_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_bytes(b"\xff\xfe garbage")
    assert find_environment(tmp_path, environ={}).origin == "server"
