"""Where imports are resolved, read from files alone."""

import errno
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import pytest

from lintseq_lsp.linters.environment import MOST_STEPS, find_environment, server_site_packages
from lintseq_lsp.linters.files import Opener, names_in, read_file
from lintseq_lsp.linters.project import project_folder

T = TypeVar("T")


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


def test_a_version_of_thousands_of_digits_is_no_interpreters(tmp_path: Path) -> None:
    make_environment(tmp_path / ".venv", "3." + "1" * 5000)
    assert find_environment(tmp_path, environ={}).origin == "server"


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


# ---------------------------------------------------------------- what is no file, or has no end


def promptly(work: Callable[[], T]) -> T:
    """What `work` returns or raises. TimeoutError when it waits."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - for who waits
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result(30.0)


def huge(place: Path) -> None:
    with place.open("wb") as stream:
        stream.truncate(64 * 2**20)


def forbidden(place: Path) -> None:
    place.write_text("nested\n")
    place.chmod(0)


NO_FILE = "it is no regular file"
ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "device": (lambda place: place.symlink_to("/dev/null"), NO_FILE),
    "circle": (lambda place: place.symlink_to(place.name), os.strerror(errno.ELOOP)),
    "folder": (Path.mkdir, NO_FILE),
    "huge": (huge, "it has more than 262,144 bytes"),
    "pipe": (lambda place: os.mkfifo(place), NO_FILE),
    "forbidden": (forbidden, os.strerror(errno.EACCES)),
}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no devices and pipes, and links are not for all")


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest) -> tuple[Callable[[Path], None], str]:
    """Lays something in a file's place, and why it is not read."""
    if request.param == "forbidden" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    return ODD[request.param]


@POSIX
@pytest.mark.parametrize("name", ["a.pth", "__editable___a_finder.py"])
def test_what_is_no_file_is_a_warning(
    tmp_path: Path, odd: tuple[Callable[[Path], None], str], name: str
) -> None:
    packages = make_environment(tmp_path / ".venv")
    lay, reason = odd
    lay(packages / name)
    (packages / "b.pth").write_text("nested\n")
    (packages / "nested").mkdir()
    found = promptly(lambda: find_environment(tmp_path, environ={}))
    assert found.site_packages == (packages, packages / "nested")
    assert found.warnings == (f"{str(packages / name)!r}: not read: {reason}",)


@POSIX
def test_a_pyvenv_that_is_no_file(tmp_path: Path, odd: tuple[Callable[[Path], None], str]) -> None:
    packages = make_environment(tmp_path / ".venv")
    config = tmp_path / ".venv" / "pyvenv.cfg"
    config.unlink()
    lay, reason = odd
    lay(config)
    found = promptly(lambda: find_environment(tmp_path, ".venv", environ={}))
    assert (found.site_packages, found.python_version) == ((packages,), (3, 12))
    assert found.warnings == (f"{str(config)!r}: not read: {reason}",)


@POSIX
def test_a_file_that_becomes_a_pipe_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    status = (tmp_path / "file").stat()
    monkeypatch.setattr(Path, "stat", lambda _: status)
    with pytest.raises(OSError, match=NO_FILE):
        promptly(lambda: read_file(tmp_path / "pipe", 10))


def test_limits_of_reading(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"line\r\n\xe9")
    assert read_file(file, 7) == b"line\r\n\xe9"
    with pytest.raises(OSError, match="more than 6 bytes"):
        read_file(file, 6)
    opener = Opener(6)
    with pytest.raises(FileNotFoundError):
        opener(tmp_path / "none")
    for _ in range(2):
        with pytest.raises(OSError, match="more than 6 bytes"):
            opener(str(file))
    assert opener.take_refused() == [f"{str(file)!r}: not read: it has more than 6 bytes"]
    assert opener.take_refused() == []
    with Opener(7)(file, "rb") as binary, Opener(7)(file, newline=None, encoding="latin-1") as text:
        assert (binary.read(), text.read()) == (b"line\r\n\xe9", "line\n\xe9")
    (tmp_path / "another").touch()
    assert names_in(tmp_path, 2) == ["another", "file"]
    with pytest.raises(OSError, match="more than 1 entries"):
        names_in(tmp_path, 1)


def test_lines_that_lead_nowhere(tmp_path: Path) -> None:
    packages = make_environment(tmp_path / ".venv")
    (packages / "nested").mkdir()
    for number, line in enumerate(
        [
            b"../" * 3000 + b"x",
            b"a" * 200_000,
            b"nul\0inside",
            b"~nobody",
            b"* ? [",
            b"\xff\xfe",
            b"\x0c",
            b"b.pth",
        ]
    ):
        (packages / f"a{number}.pth").write_bytes(line + b"\nnested\n")
    (packages / "b.pth").write_bytes("\N{BYTE ORDER MARK}nested/.\r\n".encode())
    found = find_environment(tmp_path, environ={})
    assert found.site_packages == (packages, packages / "nested")
    assert found.warnings == ()


def test_mappings_that_are_none(tmp_path: Path) -> None:
    packages = make_environment(tmp_path / ".venv")
    for number, value in enumerate(
        [
            "{" * 100_000 + "}",
            "{1: 2, None: 3}",
            "{[]: 1}",
            "{'a'}",
            "{'a': '" + "a/" * 3000 + "a'}",
            "{'a': 'nul\\0/a'}",
            "{'a': __import__('os').abort()}",
            "{**{}}",
            "{'a': " + "-" * 90_000 + "1}",
        ]
    ):
        (packages / f"__editable___a{number}_finder.py").write_text(f"MAPPING: dict[str, str] = {value}\n")
    assert find_environment(tmp_path, environ={}).site_packages == (packages,)


def test_no_more_than_so_many_are_looked_at(tmp_path: Path) -> None:
    packages = make_environment(tmp_path / ".venv")
    (packages / "nested").mkdir()
    (packages / "a.pth").write_text("nowhere\n" * MOST_STEPS)
    for number in range(50):
        (packages / f"b{number}.pth").write_text("nested\n")
    found = find_environment(tmp_path, environ={})
    assert found.site_packages == (packages,)
    assert found.warnings == ("the environment names too many files and folders: some are not looked at",)


@pytest.mark.parametrize(
    "setting", ["nul\0inside", "~no-such-user-of-this-machine/bin/python", "x" * 5000, "a/" * 3000]
)
def test_settings_that_name_nothing(tmp_path: Path, setting: str) -> None:
    packages = make_environment(tmp_path / ".venv")
    found = find_environment(tmp_path, setting, environ={"VIRTUAL_ENV": "also\0nothing"})
    assert found.site_packages == (packages,)
    assert any("no Python environment is there" in line for line in found.warnings)
    assert project_folder(tmp_path / setting.replace("\0", "") / "a.py").is_relative_to(tmp_path)


@pytest.mark.parametrize(
    "version", ["9" * 5000 + ".1", "3." + "1" * 5000, "\N{ARABIC-INDIC DIGIT THREE}.1", "3"]
)
def test_versions_that_are_none(tmp_path: Path, version: str) -> None:
    packages = make_environment(tmp_path / ".venv")
    (tmp_path / ".venv" / "pyvenv.cfg").write_text(f"version = {version}\n", "utf-8")
    found = find_environment(tmp_path, environ={})
    assert (found.python_version, found.site_packages) == ((3, 12), (packages,))
