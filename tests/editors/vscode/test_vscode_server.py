"""Where the server comes from, how it is started, and what is said when it cannot be."""

import os
import shlex
import signal
from itertools import pairwise

import psutil
from code_window import tapped, wait_until
from conftest import recorded
from test_vscode_edits import AREA, TEXT, take_area


def test_a_server_that_is_killed_comes_back(start, is_clean):
    code, path = start(TEXT, AREA * 100, nextEdit=False)
    (first,) = code.wire.servers()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(code.wire.servers()) == 2, "another server")
    code.wait_for_status("ready")
    assert not psutil.pid_exists(first)
    assert code.toasts.count() == 0
    take_area(code, path)
    assert is_clean(code, path, TEXT)


def test_the_workspace_runs_nothing_by_the_way_programs_are_started(code, tmp_path):
    """An empty entry of PYTHONPATH is the current folder, from which Python runs sitecustomize.py.

    A relative path of a setting's is the workspace's all the same.
    """
    mark = tmp_path / "ran"
    for name in ("sitecustomize", "usercustomize", "json", "lintseq_lsp"):
        (code.project / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    (code.project / "recording.txt").write_text(AREA * 100)
    code.environment["PYTHONPATH"] = os.pathsep
    settings = recorded(tmp_path, AREA) | {
        "lintseq.model": "scripted:recording.txt",
        "lintseq.nextEdit": False,
    }
    code.start(settings)
    path = code.open("area.py", TEXT)
    code.wait_for_status("ready")
    take_area(code, path)
    code.command("LintSeq: Choose the Model")
    code.rows.filter(has_text="lintseq-120m").wait_for()
    assert not mark.exists()


def test_restarts_do_not_race(start):
    code, _ = start(TEXT, AREA, nextEdit=False)
    for _ in range(3):
        code.command("LintSeq: Restart the Server")

    def only_the_last_lives() -> bool:
        started = code.wire.servers()
        return len(started) > 1 and [pid for pid in started if psutil.pid_exists(pid)] == started[-1:]

    wait_until(only_the_last_lives, "the others to have ended")
    code.wait_for_status("ready")
    assert only_the_last_lives()


def test_a_server_that_always_crashes_is_reported_once(code, tmp_path):
    """Four starts after the first, each later than the one before, and then one message: half a minute."""
    starts = tmp_path / "starts"
    program = tmp_path / "crashes"
    program.write_text(f"#!/bin/sh\ndate +%s.%N >> {shlex.quote(str(starts))}\nexit 1\n")
    program.chmod(0o755)
    code.start(recorded(tmp_path, AREA) | {"lintseq.serverPath": str(program)})
    code.open("area.py", TEXT)
    code.wait_for_status("restarting")
    code.wait_for_status("crashed too often")
    times = [float(line) for line in starts.read_text().split()]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert len(waits) == 4
    assert waits == sorted(waits)
    code.toasts.filter(has_text="the server crashed several times").wait_for()
    assert code.toasts.count() == 1
    code.shot("crashed")
    tapped(program, code.wire)
    code.toasts.get_by_text("Restart", exact=True).click()
    code.wait_for_status("ready")


def test_without_a_server_the_status_says_so_and_the_chosen_one_is_started(code, tmp_path):
    """Nothing pops up: a click on the status offers what can be done."""
    code.start(recorded(tmp_path, AREA) | {"lintseq.serverPath": ""})
    code.open("area.py", TEXT)
    code.wait_for_status("no server")
    code.status.click()
    code.rows.filter(has_text="Install the server").wait_for()
    code.shot("no-server")
    assert code.toasts.count() == 0
    code.pick("Choose the server…")
    code.choose_file(code.program)
    code.wait_for_status("ready")
    assert code.machine_settings["lintseq.serverPath"] == str(code.program)
    assert code.toasts.count() == 0


def test_a_path_without_a_program_is_named(code, tmp_path):
    code.start(recorded(tmp_path, AREA) | {"lintseq.serverPath": "~/nothing/here"})
    code.open("area.py", TEXT)
    code.wait_for_status("there is no program ~/nothing/here")
    code.status.click()
    code.rows.filter(has_text="The setting ~/nothing/here").wait_for()
    code.press("Escape")
    assert code.toasts.count() == 0
    code.change(serverPath=str(code.program))
    code.wait_for_status("ready")
    assert code.toasts.count() == 0


def test_the_model_is_chosen_and_another_one_in_its_place(start, is_clean):
    """A recording first, then a file that is no model, which is said, then the model that ships."""
    text = "class Point:\n    def __init__(self, x, y):\n        self.x = x\n        self.y\n"
    code, path = start(text, AREA * 100, nextEdit=False)
    code.command("LintSeq: Choose the Model")
    code.rows.filter(has_text="lintseq-120m").wait_for()
    code.shot("models")
    code.pick("A GGUF file…")
    broken = code.project / "broken.gguf"
    broken.write_bytes(b"no model")
    code.choose_file(broken)
    code.wait_for_status("no model")
    code.toasts.filter(has_text="LintSeq: no suggestions").wait_for()
    code.command("LintSeq: Choose the Model")
    code.pick("The model that ships")
    code.wait_for_status("ready")
    assert code.machine_settings["lintseq.model"] == ""
    code.go_to(4, 15)
    code.type(" =")
    wait_until(code.ghost_text, "ghost text of the model that ships")
    code.press("Tab")
    wait_until(lambda: len(code.saved(path)) > len(text) + len(" ="), "the accepted text")
    assert is_clean(code, path, text)
