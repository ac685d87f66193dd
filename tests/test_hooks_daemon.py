"""The process behind the hooks: who starts it, who may ask it, and what is left when it ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

import lintseq_lsp
from lintseq_lsp.hooks import channel, client
from lintseq_lsp.hooks.clients import Answer

pytest.importorskip("fcntl", reason="the daemon needs a Unix")
from lintseq_lsp.hooks import daemon

HOOK = [sys.executable, "-m", "lintseq_lsp", "hook"]
BEFORE, AFTER = "import os\n\nprint(os)\n", "\nprint(os)\n"


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's folder for sockets. Its name is short: that of a socket has 100 characters at most."""
    folder = Path(tempfile.mkdtemp(prefix="lintseq-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    for process in daemons(folder):
        process.kill()
        process.wait()
    shutil.rmtree(folder)


def daemons(runtime: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if (
            any(part.startswith(str(runtime)) for part in command)
            and process.status() != psutil.STATUS_ZOMBIE
        ):
            found.append(process)
    return found


class Echo:
    """A handler that answers what it was asked, and where."""

    def __init__(self) -> None:
        self.closed = False
        self.go_on = threading.Event()
        self.go_on.set()

    def answer(self, data: bytes, folder: str) -> Answer:
        self.go_on.wait()
        return Answer(f"{folder} {data.decode()}", "é\udcff", 0)

    def close(self) -> None:
        self.closed = True


class Served:
    """A daemon in a thread of ours."""

    def __init__(self, idle: float = 30.0) -> None:
        self.handler = Echo()
        self.address = channel.place()
        self.thread = threading.Thread(
            target=daemon.serve, args=(self.address, self.handler, idle), daemon=True
        )
        self.thread.start()
        while not Path(self.address).exists():
            time.sleep(0.01)


def hook(given: object, *, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        HOOK, input=json.dumps(given), cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


def edit(path: Path, session: str = "s") -> dict[str, object]:
    """What Claude Code says of an edit that takes an import out."""
    path.write_text(AFTER, "utf-8")
    return {
        "session_id": session,
        "permission_mode": "default",
        "hook_event_name": "PostToolUse",
        "tool_name": "Write",
        "tool_input": {"file_path": str(path)},
        "tool_response": {"originalFile": BEFORE},
    }


def test_fifty_hooks_at_once_start_one_daemon_and_are_all_answered(runtime: Path, tmp_path: Path) -> None:
    givens = [edit(tmp_path / f"{number}.py", str(number)) for number in range(50)]
    with ThreadPoolExecutor(50) as threads:
        done = list(threads.map(hook, givens))
    for number, process in enumerate(done):
        assert (process.returncode, process.stderr) == (0, "")
        assert f"{number}.py:2: E0602" in json.loads(process.stdout)["reason"]
    assert len(daemons(runtime)) == 1


def test_after_a_killed_daemon_the_next_hook_starts_another(runtime: Path, tmp_path: Path) -> None:
    assert json.loads(hook(edit(tmp_path / "a.py", "1")).stdout)["decision"] == "block"
    (first,) = daemons(runtime)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert Path(channel.place()).exists()  # left over
    done = hook(edit(tmp_path / "a.py", "2"))
    assert (done.stderr, json.loads(done.stdout)["decision"]) == ("", "block")
    (second,) = daemons(runtime)
    assert second.pid != first.pid


def test_the_folder_where_a_hook_starts_is_no_place_to_import_from(runtime: Path, tmp_path: Path) -> None:
    for name in ("socket", "struct", "json", "lintseq_lsp", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    script = Path(sys.executable).with_name("lintseq-lsp")
    done = subprocess.run([script, "hook"], input=b"{", cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(b"lintseq-lsp hook: ")
    assert len(daemons(runtime)) == 1
    assert not (tmp_path / "ran").exists()


def test_each_gets_its_own_answer(runtime: Path) -> None:
    served = Served()

    def ask(number: int) -> channel.Reply:
        return client.run(str(number).encode())

    with ThreadPoolExecutor(50) as threads:
        replies = list(threads.map(ask, range(50)))
    assert replies == [(0, f"{os.getcwd()} {number}", "é\\udcff") for number in range(50)]  # noqa: PTH109
    assert served.thread.is_alive()
    assert daemons(runtime) == []


@pytest.mark.usefixtures("runtime")
def test_a_long_text_comes_through(runtime: Path) -> None:  # noqa: ARG001
    Served()
    text = "x" * 5_000_000
    assert client.run(text.encode())[1].endswith(text)


@pytest.mark.usefixtures("runtime")
def test_it_ends_when_it_is_idle_and_never_in_the_middle() -> None:
    served = Served(idle=0.2)
    served.handler.go_on.clear()
    with ThreadPoolExecutor(1) as threads:
        reply = threads.submit(client.run, b"1")
        served.thread.join(0.8)
        assert served.thread.is_alive()
        served.handler.go_on.set()
        assert reply.result()[0] == 0
    served.thread.join(30)
    assert not served.thread.is_alive()
    assert served.handler.closed
    assert not Path(served.address).exists()


@pytest.mark.usefixtures("runtime")
def test_a_second_daemon_leaves_the_first_alone() -> None:
    served = Served()
    daemon.serve(served.address, Echo())
    assert client.run(b"1")[1].endswith(" 1")


@pytest.mark.usefixtures("runtime")
def test_what_is_left_at_the_sockets_place_is_taken_away() -> None:
    address = Path(channel.place())
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(address))
    assert address.exists()
    served = Served.__new__(Served)
    served.handler = Echo()
    thread = threading.Thread(target=daemon.serve, args=(str(address), served.handler, 5.0), daemon=True)
    thread.start()
    while (connection := channel.connect(str(address))) is None:
        time.sleep(0.01)
    connection.close()


@pytest.mark.usefixtures("runtime")
def test_somebody_elses_socket_gets_no_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The hook does the work itself then, and says why."""
    served = Served()
    place = channel.place()
    asked: list[bytes] = []
    monkeypatch.setattr(served.handler, "answer", lambda data, _: asked.append(data) or Answer())
    monkeypatch.setattr(client, "place", lambda *_: place)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr("lintseq_lsp.hooks.handler.default_folder", lambda: tmp_path)
    status, out, err = client.run(b"{}")
    assert (status, out) == (0, "")
    assert "belongs to the user" in err
    assert asked == []


@pytest.mark.usefixtures("runtime")
def test_somebody_else_gets_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served()

    def other(_: socket.socket) -> None:
        raise PermissionError("another user")

    monkeypatch.setattr(daemon, "require_own", other)

    def ask() -> channel.Reply:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(served.address)
            channel.send_request(connection, b"/\0x")
            return channel.read_reply(connection)

    with pytest.raises(ConnectionError):
        ask()


def test_a_folder_that_others_may_write_in_is_not_used(runtime: Path) -> None:
    folder = Path(channel.place()).parent
    folder.chmod(0o777)
    done = hook({})
    assert (done.returncode, done.stdout) == (0, "")
    assert "that other users can enter" in done.stderr
    assert daemons(runtime) == []


def test_a_daemon_that_cannot_start_is_done_without(runtime: Path, tmp_path: Path) -> None:
    address = Path(channel.place())
    address.mkdir()
    done = hook(edit(tmp_path / "a.py"))
    assert done.returncode == 0
    assert "without the daemon" in done.stderr
    assert json.loads(done.stdout)["decision"] == "block"
    assert daemons(runtime) == []


@pytest.mark.usefixtures("runtime")
def test_a_daemon_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served()
    served.handler.go_on.clear()
    monkeypatch.setattr(client, "PATIENCE", 0.3)
    assert client.run(b"1") == (0, "", "lintseq-lsp hook: no answer in time\n")
    served.handler.go_on.set()


@pytest.mark.usefixtures("runtime")
def test_with_a_full_disk_edits_are_judged_and_it_is_told_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No room for what is kept of a turn: a folder that nothing fits in."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "lintseq-lsp").write_text("in its place")
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    path = tmp_path / "a.py"
    assert "undefined-variable" in json.loads(hook(edit(path)).stdout)["reason"]
    path.write_text("x = 1\n", "utf-8")
    clean = edit(path) | {"tool_response": {"originalFile": AFTER}}
    path.write_text("x = 1\n", "utf-8")
    assert "systemMessage" in json.loads(hook(clean).stdout)
    assert hook(clean).stdout == ""
    stop = {"session_id": "s", "permission_mode": "default", "hook_event_name": "Stop"}
    assert hook(stop).stdout == ""


@pytest.mark.usefixtures("runtime")
def test_each_installation_and_environment_has_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    places = {channel.place(), channel.place(), channel.place("/usr/bin/python3")}
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    places.add(channel.place())
    (tmp_path / "__init__.py").touch()
    monkeypatch.setattr(lintseq_lsp, "__file__", str(tmp_path / "__init__.py"))
    places.add(channel.place())
    assert len(places) == 4


def test_it_can_be_started_by_hand(runtime: Path) -> None:
    command = [sys.executable, "-m", "lintseq_lsp", "gate", "--idle", "0.01"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not Path(channel.place()).exists()
    Path(channel.place()).parent.chmod(0o755)
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2
    assert "that other users can enter" in " ".join(done.stderr.split())
    assert daemons(runtime) == []


def test_a_hook_imports_next_to_nothing() -> None:
    """What takes longer than Python itself: the daemon has it."""
    script = "import sys; import lintseq_lsp.cli, lintseq_lsp.hooks.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    heavy = {"re", "json", "pathlib", "socket", "subprocess", "typing", "lintseq_lsp.gate"}
    heavy.add("lintseq_lsp.hooks.handler")
    assert not heavy.intersection(done.stdout.split())
