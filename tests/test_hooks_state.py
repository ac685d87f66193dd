"""What is kept of an agent's turn, within limits, and whose it is."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lintseq_lsp.errors import HookError
from lintseq_lsp.git import staged
from lintseq_lsp.hooks import state
from lintseq_lsp.hooks.state import Session, Turn


def test_the_first_text_of_a_turn_stays_and_the_last_one_changes(tmp_path: Path) -> None:
    for text in ("one\r\n", "two"):
        session = Session(tmp_path / "hooks", "s")
        session.keep_first("/a.py", text)
        session.keep_last("/a.py", text)
    assert Session(tmp_path / "hooks", "s").first() == {"/a.py": "one\r\n"}
    assert Session(tmp_path / "hooks", "s").last("/a.py") == "two"
    assert Session(tmp_path / "hooks", "other").first() == {}


def test_a_text_that_nobody_knows_is_kept_as_that(tmp_path: Path) -> None:
    session = Session(tmp_path / "hooks", "s")
    session.keep_first("/a.py", None)
    session.keep_first("/a.py", "later")
    assert session.first() == {"/a.py": None}
    assert session.last("/a.py") is None


def test_another_turn_forgets_the_last(tmp_path: Path) -> None:
    session = Session(tmp_path / "hooks", "s")
    turn = session.begin("1")
    session.keep_first("/a.py", "one")
    assert session.begin("1") == turn
    assert session.first() == {"/a.py": "one"}
    session.keep_turn(replace(turn, told={"finding": 1}, noticed=True))
    assert session.begin("1").told == {"finding": 1}
    assert session.begin("2") == Turn("2", {}, noticed=True)
    assert session.first() == {}


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"told": 1}', b'{"told": {}, "more": 1}', b"\xff"])
def test_what_cannot_be_read_is_not_there(tmp_path: Path, data: bytes) -> None:
    session = Session(tmp_path / "hooks", "s")
    session.keep_turn(Turn("1", {"finding": 1}))
    session.keep_last("/a.py", "text")
    for file in (tmp_path / "hooks").glob("*/*"):
        file.write_bytes(data)
    assert session.turn() == Turn()
    assert session.last("/a.py") is None
    assert session.first() == {}


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    session = Session(tmp_path / "hooks", "s")
    session.keep_last("/a.py", "text")
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "hooks", *(tmp_path / "hooks").iterdir())}
    assert modes == {0}


def test_a_folder_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "hooks").mkdir(mode=0o755)
    with pytest.raises(HookError, match="other users can enter"):
        Session(tmp_path / "hooks", "s").keep_last("/a.py", "text")
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(HookError, match="other users can enter"):
        Session(tmp_path / "link", "s").keep_last("/a.py", "text")
    assert not list((tmp_path / "real").iterdir())


def test_what_cannot_be_written_is_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    session = Session(tmp_path / "hooks", "s")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(HookError, match="No space left"):
        session.keep_last("/a.py", "text")


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MOST_BYTES", 10)
    monkeypatch.setattr(state, "MOST_TEXTS", 4)
    monkeypatch.setattr(state, "MOST_SESSIONS", 3)
    session = Session(tmp_path / "hooks", "s")
    session.keep_last("/long.py", "x" * 11)
    assert session.last("/long.py") is None
    for number in range(10):
        session.keep_last(f"/{number}.py", "x")
    assert len(list((tmp_path / "hooks").glob("*/*"))) == 4
    for number in range(10):
        Session(tmp_path / "hooks", str(number)).keep_last("/a.py", "x")
    assert len(list((tmp_path / "hooks").iterdir())) == 3


def test_an_old_session_is_forgotten(tmp_path: Path) -> None:
    old = Session(tmp_path / "hooks", "old")
    old.keep_last("/a.py", "x")
    (folder,) = (tmp_path / "hooks").iterdir()
    os.utime(folder, (time.time() - state.LONGEST - 10,) * 2)
    Session(tmp_path / "hooks", "new").keep_last("/a.py", "x")
    assert old.last("/a.py") is None


def test_the_text_in_the_index_is_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        import subprocess

        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    monkeypatch.setenv("GIT_DIR", "/nowhere")  # of a hook of git's own, say
    file = tmp_path / "inner" / "[a] b.py"
    file.parent.mkdir()
    assert staged(str(file)) is None
    monkeypatch.delenv("GIT_DIR")
    git("init", "--quiet")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    file.write_bytes("é = 1\r\n".encode())
    assert staged(str(file)) is None
    monkeypatch.delenv("GIT_DIR")
    git("add", ".")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    file.write_text("x = 2\n", "utf-8")
    assert staged(str(file)) == "é = 1\r\n"
    assert staged(str(tmp_path / "missing" / "a.py")) is None


def test_git_is_never_taken_from_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.pathsep}bin")
    assert staged(str(tmp_path / "a.py")) is None
    assert not ran.exists()
