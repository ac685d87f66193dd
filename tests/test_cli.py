"""The commands as a user runs them, in a process of their own where it matters."""

import difflib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lintseq_lsp.cases import read_case
from lintseq_lsp.commands import app, edit, files
from lintseq_lsp.patches.applying import FileChange, changes

SOURCE = """import math


def area(radius):
    return math.pi * radius**2
"""
STREAM = """@@ -5,0 +6,4 @@
+
+
+def double(number):
+    return number * two
<|diff|>@@ -5,0 +6,4 @@
+
+
+def double(number):
+    return number * 2
<|diff|>no diff at all
<|diff|>
<|diff|>"""
EDITED = SOURCE + "\n\ndef double(number):\n    return number * 2\n"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return result.exit_code, result.output


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "circle.py"
    file.write_bytes(SOURCE.encode())
    return file


@pytest.fixture
def model(tmp_path: Path) -> str:
    recording = tmp_path / "stream.txt"
    recording.write_text(STREAM)
    return f"scripted:{recording}"


def test_edit_prints_each_step_and_how_it_ended(source: Path, model: str) -> None:
    code, output = run("edit", str(source), "--instruction", "Double.", "--json", "--model", model)
    *steps, last = map(json.loads, output.splitlines())
    assert code == 0
    assert [step["verdict"] for step in steps] == ["rejected", "accepted", "malformed"]
    assert [step["step"] for step in steps] == [1, 2, 3]
    assert [finding["symbol"] for finding in steps[0]["findings"]] == ["undefined-variable"]
    assert steps[1] == {
        "step": 2,
        "diff": "@@ -5,0 +6,4 @@\n+\n+\n+def double(number):\n+    return number * 2\n",
        "verdict": "accepted",
        "findings": [],
        "text": EDITED,
    }
    assert last == {"stop": "complete", "accepted": 1, "rejected": 2, "text": EDITED}
    assert source.read_text() == SOURCE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SOURCE, EDITED),
        (SOURCE.replace("\n", "\r\n"), EDITED.replace("\n", "\r\n")),
        (SOURCE[:-1], EDITED[:-1]),
        (SOURCE.replace("math\n", "math  # \u2028 \x0c \U0001f40d\n", 1), None),
    ],
)
def test_a_diff_is_a_patch_for_git(tmp_path: Path, model: str, before: str, after: str | None) -> None:
    (tmp_path / "circle.py").write_bytes(before.encode())
    command = [sys.executable, "-m", "lintseq_lsp", "edit", "circle.py", "--instruction", "Double.", "--diff"]
    diff = subprocess.run([*command, "--model", model], cwd=tmp_path, capture_output=True, check=True).stdout
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, check=True)
    got = (tmp_path / "circle.py").read_bytes().decode()
    assert "double" in got
    assert after is None or got == after


@pytest.mark.parametrize("name", ["a b.py", "tab\there.py", 'q"uote.py', "back\\slash.py", "é.py"])
def test_a_diff_is_a_patch_whatever_the_name(tmp_path: Path, model: str, name: str) -> None:
    (tmp_path / name).write_text(SOURCE)
    command = [sys.executable, "-m", "lintseq_lsp", "edit", name, "--instruction", "Double.", "--diff"]
    diff = subprocess.run([*command, "--model", model], cwd=tmp_path, capture_output=True, check=True).stdout
    assert changes(diff.decode(), tmp_path) == [FileChange(name, SOURCE, EDITED)]
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, check=True)
    assert (tmp_path / name).read_text() == EDITED


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [["--json"], []])
def test_output_that_cannot_be_written_is_one_line(source: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "lintseq_lsp", "check", str(source), *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "lintseq-lsp: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437:strict", "utf-8"])
def test_a_terminal_may_have_any_encoding(tmp_path: Path, encoding: str) -> None:
    """What it does not have is escaped: in a source, in a message, and in the name of a file."""
    file = tmp_path / "naïve_中.py"
    file.write_text("ungefähr_中()\n", "utf-8")
    recording = tmp_path / "stream.txt"
    recording.write_text("@@ -1,0 +2 @@\n+x = '中'\n<|diff|>", "utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    edits = ["--instruction", "Double.", "--model", f"scripted:{recording}"]
    at = ["--line", "1", "--column", "0", "--model", f"scripted:{recording}"]
    for command in (["check", str(file)], ["edit", str(file), *edits], ["complete", str(file), *at]):
        done = subprocess.run(
            [sys.executable, "-m", "lintseq_lsp", *command], capture_output=True, check=False, env=environment
        )
        output = (done.stdout + done.stderr).decode(encoding.partition(":")[0])
        assert done.returncode == (1 if command[0] == "check" else 0), output
        assert "Traceback" not in output
        assert command[0] != "check" or ("中" if encoding == "utf-8" else "\\u4e2d") in output


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_server_without_input_ends(closed: str) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m lintseq_lsp --stdio {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_write_replaces_the_file_and_keeps_its_mode(source: Path, model: str) -> None:
    source.chmod(0o640)
    code, _ = run("edit", str(source), "--instruction", "Double.", "--write", "--model", model)
    assert code == 0
    assert source.read_bytes().decode() == EDITED
    assert os.stat(source).st_mode & 0o777 == 0o640  # noqa: PTH116
    assert sorted(path.name for path in source.parent.iterdir()) == ["circle.py", "stream.txt"]


def write_double(file: Path, model: str) -> tuple[int, str]:
    return run("edit", str(file), "--instruction", "Double.", "--write", "--model", model)


def test_what_changed_meanwhile_is_not_written_over(
    source: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is gone, which is not for us to undo."""
    sample = edit._sample
    for meanwhile, message in (
        ("mine = 1\n", "has changed since it was read: nothing is written"),
        (None, "was deleted: nothing is written"),
    ):

        def slow(*arguments: Any, text: str | None = meanwhile, **options: Any) -> edit.Sequence:
            source.unlink() if text is None else source.write_text(text)
            return sample(*arguments, **options)

        monkeypatch.setattr(edit, "_sample", slow)
        source.write_text(SOURCE)
        code, output = write_double(source, model)
        assert (code, message in " ".join(output.split())) == (2, True)
        assert (source.read_text() if source.exists() else None) == meanwhile
        assert {path.name for path in source.parent.iterdir()} <= {"circle.py", "stream.txt"}


def test_links_lead_to_the_same_file_as_before(source: Path, model: str) -> None:
    link, name = source.parent / "link.py", source.parent / "name.py"
    link.symlink_to(source.name)
    name.hardlink_to(source)
    assert write_double(link, model)[0] == 0
    assert link.is_symlink()
    assert source.read_text() == name.read_text() == EDITED
    assert source.samefile(name)
    assert {path.name for path in source.parent.iterdir()} == {
        "circle.py",
        "link.py",
        "name.py",
        "stream.txt",
    }


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(source: Path, model: str) -> None:
    os.chown(source, 1234, 2345)
    source.chmod(0o2640)
    assert write_double(source, model)[0] == 0
    found = source.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (1234, 2345, 0o2640)


def test_a_file_whose_owner_cannot_be_kept_is_written_over(
    source: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_dress_up", lambda *_: False)
    number = source.stat().st_ino
    assert write_double(source, model)[0] == 0
    assert (source.read_text(), source.stat().st_ino) == (EDITED, number)
    assert sorted(path.name for path in source.parent.iterdir()) == ["circle.py", "stream.txt"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_stays(source: Path, model: str) -> None:
    source.chmod(0o440)
    assert write_double(source, model)[0] == 2
    assert source.read_text() == SOURCE


def test_a_diff_of_a_file_with_a_byte_order_mark_applies_from_its_folder(
    source: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked = b"\xef\xbb\xbf"
    source.write_bytes(marked + SOURCE.encode())
    monkeypatch.chdir(source.parent)
    code, diff = run("edit", str(source), "--instruction", "Double.", "--diff", "--model", model)
    assert code == 0
    assert diff.startswith("--- a/circle.py\n+++ b/circle.py\n")
    subprocess.run(["git", "apply", "-"], cwd=source.parent, input=diff.encode(), check=True)
    assert source.read_bytes() == marked + EDITED.encode()


def test_readable_output_has_verdicts_findings_and_the_patch(source: Path, model: str) -> None:
    code, output = run("edit", str(source), "--instruction", "Double.", "--model", model)
    assert code == 0
    for part in ("step 1 rejected", "E0602", "step 2 accepted by pylint", "+++ b/", "1 step accepted"):
        assert part in output


def test_complete_says_what_and_why(tmp_path: Path) -> None:
    recording = tmp_path / "stream.txt"
    recording.write_text(" math.pi\n<|diff|>")
    file = tmp_path / "open.py"
    file.write_text("import math\n\nvalue =")
    arguments = ["complete", str(file), "--line", "2", "--column", "7", "--json"]
    code, output = run(*arguments, "--model", f"scripted:{recording}")
    answer = json.loads(output)
    assert code == 0
    assert answer["reason"] == "accepted"
    (item,) = answer["items"]
    assert item["insertText"] == " math.pi"
    here = {"line": 2, "column": 7}
    assert item["range"] == {"start": here, "end": here}
    assert item["evidence"]["states"] == 1
    assert item["evidence"]["newFindings"] == 0
    assert item["evidence"]["tier"] == "pylint"


def test_complete_says_what_an_unfinished_statement_was_checked_with(tmp_path: Path) -> None:
    recording = tmp_path / "stream.txt"
    recording.write_text("nt(\n<|diff|>")
    file = tmp_path / "open.py"
    file.write_text("pri")
    code, output = run(
        "complete", str(file), "--line", "0", "--column", "3", "--model", f"scripted:{recording}"
    )
    assert code == 0
    assert "unfinished, checked as if this followed: )" in output


def test_complete_is_quiet_with_a_reason(tmp_path: Path, model: str) -> None:
    file = tmp_path / "open.py"
    file.write_text("# a comment\n")
    arguments = ["complete", str(file), "--line", "0", "--column", "5", "--json"]
    assert run(*arguments, "--model", model) == (0, '{"items": [], "reason": "in-string-or-comment"}\n')


def test_check_is_differential(tmp_path: Path) -> None:
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    before.write_text("print(old)\n")
    after.write_text("import os\nprint(old)\nprint(new)\n")
    code, output = run("check", str(after), "--against", str(before), "--json")
    answer = json.loads(output)
    assert code == 1
    assert answer["verdict"] == "rejected"
    assert [(finding["message"], finding["line"]) for finding in answer["findings"]] == [
        ("Undefined variable 'new'", 3)
    ]
    assert run("check", str(before), "--against", str(before))[0] == 0
    code, output = run("check", str(before))
    assert code == 1
    assert "E0602" in output


def project(folder: Path, version: str) -> Path:
    """A project whose environment is of that Python."""
    (folder / ".venv" / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    (folder / ".venv" / "pyvenv.cfg").write_text(f"version = {version}.0\n")
    return folder / "a.py"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python knows it")
def test_python_that_is_too_new_passes_unless_strict(tmp_path: Path) -> None:
    file = project(tmp_path, "3.14")
    file.write_text("name = 1\nquery = t'{name}'\n")
    code, output = run("check", str(file))
    assert (code, "not judged: it seems to use template strings" in output) == (0, True)
    assert run("check", str(file), "--strict")[0] == 1
    code, output = run("check", str(file), "--json")
    answer = json.loads(output)
    assert (code, answer["verdict"], answer["reason"]) == (0, "not judged", "newer-syntax")
    file.write_text("name = (\n")
    assert run("check", str(file))[0] == 1


def test_check_says_what_is_not_known(tmp_path: Path) -> None:
    file = project(tmp_path, "3.14" if sys.version_info[:2] != (3, 14) else "3.13")
    file.write_text("from typing import no_such_name\n")
    code, output = run("check", str(file))
    assert code == 0
    assert "no new findings (pylint)" in output
    assert "not known: No name 'no_such_name' in module 'typing': the standard library" in output
    assert json.loads(run("check", str(file), "--json")[1])["unknown"]


def test_where_pylint_is_switched_off_another_tier_is_named(tmp_path: Path) -> None:
    file = tmp_path / "made_pb2.py"
    file.write_text("# pylint: skip-file\nimport os\nos.nothing()\n")
    code, output = run("check", str(file))
    assert (code, "no new findings (syntax)" in output) == (0, True)
    file.write_text("# pylint: skip-file\nx = undefined\n")
    assert run("check", str(file))[0] == 1  # as in an editor


def make(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def test_check_takes_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status is the worst one, and it says of each file what became of it."""
    make(
        tmp_path,
        {
            "pyproject.toml": "",
            "good.py": "x = 1\n",
            "pkg/a.py": "import good\nprint(good.x)\n",
            "pkg/bad.pyw": "print(undefined)\n",
            "pkg/notes.txt": "no Python",
            "pkg/my_secret.py": "print(undefined)\n",
            "pkg/.hidden/b.py": "print(undefined)\n",
            "pkg/env/pyvenv.cfg": "",
            "pkg/env/c.py": "print(undefined)\n",
            "script": "#!/usr/bin/env python\nx = 1\n",
            "binary.py": b"\0",
        },
    )
    monkeypatch.chdir(tmp_path)
    code, output = run("check", "good.py", "script", "good.py")
    assert (code, output.splitlines()[-1]) == (0, "2 files: 0 rejected, 0 not read")
    code, output = run("check", "good.py", "pkg", "--json")
    answer = json.loads(output.splitlines()[-1])
    assert (code, answer["verdict"]) == (1, "rejected")
    assert [(entry["path"], entry["verdict"]) for entry in answer["files"]] == [
        ("good.py", "accepted"),
        ("pkg/a.py", "accepted"),
        ("pkg/bad.pyw", "rejected"),
    ]
    assert "pkg/my_secret.py: not judged, ignored" in output
    code, output = run("check", "binary.py", "missing.py", "pkg/bad.pyw", "good.py")
    assert code == 2
    for part in (
        "binary.py is a binary file",
        "missing.py cannot be read",
        "E0602",
        "good.py: no new finding",
    ):
        assert part in output
    assert output.splitlines()[-1] == "4 files: 1 rejected, 2 not read"
    assert run("check", "pkg/env/.", "--json")[0] == 1  # it was asked for
    assert run("check", "pkg/my_secret.py")[0] == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_check_of_a_folder_takes_files_alone(tmp_path: Path) -> None:
    make(tmp_path, {"a.py": "x = 1\n"})
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / ".#a.py").symlink_to("somebody@somewhere.123")
    (tmp_path / "folder.py").mkdir()
    assert run("check", str(tmp_path)) == (0, f"{tmp_path / 'a.py'}: no new findings (pylint)\n")


@pytest.mark.parametrize("indent", ["  ", "   ", "\t"])
def test_check_goes_by_the_indentation_of_the_file(tmp_path: Path, indent: str) -> None:
    file = tmp_path / "a.py"
    file.write_text(f"def f(x):\n{indent}if x:\n{indent * 2}return 1\n{indent}return 2\n")
    assert run("check", str(file))[0] == 0
    file.write_text(file.read_text() + f"\n\ndef g():\n{indent * 2}return 1\n")
    assert "W0311" in run("check", str(file))[1]


def test_check_reads_standard_input_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(
        tmp_path,
        {
            "pyproject.toml": "",
            "pkg/__init__.py": "",
            "pkg/a.py": "x = 1\n",
            "pkg/b.py": "from .a import x\n",
        },
    )
    monkeypatch.chdir(tmp_path)

    def check(text: str, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["check", *arguments], input=text, catch_exceptions=False)
        return result.exit_code, result.output

    code, output = check("print(undefined)\n", "-")
    assert code == 1
    assert output.startswith("<stdin>:1:6: E0602")
    inside = ["-", "--stdin-filename", "pkg/b.py"]
    assert check("from .a import x\nprint(x)\n", *inside) == (0, "pkg/b.py: no new findings (pylint)\n")
    code, output = check("from .a import y\n", *inside, "--json")
    assert (code, json.loads(output)["path"]) == (1, "pkg/b.py")
    assert check("import none\n", "-", "--against", "pkg/b.py")[0] == 1
    assert check("x = 1\n", *inside, "pkg/a.py")[1].endswith("2 files: 0 rejected, 0 not read\n")
    latin = "# coding: latin-1\n# é\n".encode("latin-1")
    result = CliRunner().invoke(app, ["check", "-"], input=latin)
    assert result.exit_code == 0
    assert check("x = 1\n", "pkg/a.py", "--stdin-filename", "b.py")[0] == 2


def test_pragmas_that_are_there_are_no_finding(tmp_path: Path) -> None:
    file, changed = tmp_path / "a.py", tmp_path / "b.py"
    file.write_text("import os  # noqa\nprint(os.name)\n")
    changed.write_text("import os, sys  # noqa\nprint(os.name, sys.path)\n")
    assert run("check", str(file))[0] == 0
    assert run("check", str(changed), "--against", str(file))[0] == 0


def test_check_of_a_patch_over_the_working_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    (tmp_path / "kept.py").write_text("x = 1\n")
    (tmp_path / "gone.py").write_text("y = 1\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True)
    (tmp_path / "kept.py").write_text("x = 1\nprint(z)\n")
    (tmp_path / "gone.py").unlink()
    (tmp_path / "new.py").write_text("w = 1\n")
    subprocess.run([*git, "add", "-N", "."], check=True)
    patch = subprocess.run([*git, "diff"], check=True, capture_output=True).stdout
    result = CliRunner().invoke(app, ["check", "--patch", "-", "--json"], input=patch)
    answer = json.loads(result.output)
    assert result.exit_code == 1
    verdicts = {entry["path"]: entry["verdict"] for entry in answer["files"]}
    assert verdicts == {"kept.py": "rejected", "new.py": "accepted"}


CART = "from .prices import net\n\n\ndef total(xs):\n    return sum(net(x) for x in xs)\n"
BILL = "from .prices import net\n\n\ndef bill(xs, rate):\n    for x in xs:\n        yield net(x) * rate\n"
TOOL = "import sys\n\nfrom shop.core.prices import net\n\nfor line in sys.stdin:\n    print(net(line))\n"
MOVES: dict[str, tuple[str, str, str, str | None]] = {
    # What is moved, its name after, its text after, and the verdict on it.
    "shop/core/cart.py": (CART, "shop/web/cart.py", CART, "rejected"),
    "shop/core/bill.py": (BILL, "shop/web/bill.py", BILL.replace(".p", "..core.p"), "accepted"),
    "shop/core/late.py": (BILL + "LATE = 1\n", "shop/web/late.py", BILL + "LATE = 2\n", "rejected"),
    "tool.py": (TOOL, "shop/tool.py", TOOL, "accepted"),
    "shop/core/odd.py": ("print(odd, 'odd')\n", "shop/core/strange.py", "print(odd, 'odd')\n", "accepted"),
    "notes.txt": ("one = two + three\n", "notes.py", "one = two + three\n", "rejected"),
    "words.py": ("words = 'a b c'.split()\n", "words.txt", "words = 'a b c'.split()\n", None),
}


@pytest.mark.parametrize("applied", [True, False])
def test_each_side_of_a_patch_is_judged_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    """What a module imports depends on its place, and a file that was a link had nothing before."""

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], check=True, capture_output=True).stdout

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    monkeypatch.chdir(tmp_path)
    for package in ("shop", "shop/core", "shop/web"):
        write(f"{package}/__init__.py", "")
    write("shop/core/prices.py", "def net(x):\n    return x\n")
    write("gone.py", "gone = 1\n")
    (tmp_path / "alias.py").symlink_to("shop/core/prices.py")
    for name, (text, *_) in MOVES.items():
        write(name, text)
    git("init", "-q")
    git("add", ".")
    before = git("write-tree").decode().strip()
    (tmp_path / "alias.py").unlink()
    (tmp_path / "gone.py").unlink()
    write("alias.py", "x = undefined\n")
    for name, (_, new, text, _) in MOVES.items():
        (tmp_path / name).unlink()
        write(new, text)
    git("add", "-A")
    patch = git("diff", "--cached", "-M", before)
    assert patch.count(b"rename from") == len(MOVES)
    if not applied:
        git("read-tree", "--reset", "-u", before)
    result = CliRunner().invoke(app, ["check", "--patch", "-", "--json"], input=patch)
    files = json.loads(result.stdout)["files"]
    wanted = {new: verdict for _, new, _, verdict in MOVES.values() if verdict}
    assert {entry["path"]: entry["verdict"] for entry in files} == {**wanted, "alias.py": "rejected"}
    messages = {entry["path"]: [found["message"] for found in entry["findings"]] for entry in files}
    assert messages["shop/web/cart.py"] == ["Unable to import 'shop.web.prices'"]


def test_files_are_read_and_written_in_the_encoding_that_they_declare(tmp_path: Path, model: str) -> None:
    text = "# coding: latin-1\n# é\n" + SOURCE
    file = tmp_path / "latin.py"
    file.write_bytes(text.encode("latin-1"))
    assert run("check", str(file))[0] == 0
    at_line = ["--line", str(text.count("\n")), "--column", "0", "--json"]
    assert run("complete", str(file), *at_line, "--model", model)[0] == 0
    command = [sys.executable, "-m", "lintseq_lsp", "edit", file.name, "--instruction", "Double."]
    command += ["--model", model]
    diff = subprocess.run([*command, "--diff"], cwd=tmp_path, capture_output=True, check=True).stdout
    subprocess.run([*command, "--write"], cwd=tmp_path, capture_output=True, check=True)
    written = file.read_bytes()
    assert "double" in written.decode("latin-1")
    assert b"# \xe9\n" in written
    file.write_bytes(text.encode("latin-1"))
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, check=True)
    assert file.read_bytes() == written


@pytest.mark.parametrize("is_applied", [False, True])
def test_the_files_of_a_patch_are_judged_among_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_applied: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    uses = "import gone\nimport prices\nprint(prices.old)\n"
    before = {"prices.py": "old = 1\n", "gone.py": "x = 1\n", "user.py": "import prices\n", "loser.py": uses}
    after = {
        "prices.py": "new = 1\n",
        "fresh.py": "y = 1\n",
        "user.py": "import prices\nfrom fresh import y\nprint(prices.new, y)\n",
        "loser.py": uses + "print(gone)\n",
    }
    patch = ""
    for name in sorted({*before, *after}):
        lines = (side.get(name, "").splitlines(keepends=True) for side in (before, after))
        names = (
            f"{letter}/{name}" if name in side else "/dev/null"
            for letter, side in zip("ab", (before, after), strict=True)
        )
        patch += "".join(difflib.unified_diff(*lines, *names))
    for name, text in (after if is_applied else before).items():
        Path(name).write_text(text)
    result = CliRunner().invoke(app, ["check", "--patch", "-", "--json"], input=patch)
    verdicts = {
        entry["path"]: [finding["symbol"] for finding in entry["findings"]]
        for entry in json.loads(result.output)["files"]
    }
    assert verdicts == {
        "fresh.py": [],
        "loser.py": ["import-error", "no-member"],
        "prices.py": [],
        "user.py": [],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edit", "missing.py", "--instruction", "x"], "cannot be read"),
        (["edit", "binary.py", "--instruction", "x"], "binary"),
        (["edit", "latin.py", "--instruction", "x"], "missing encoding declaration"),
        (["edit", "late.py", "--instruction", "x"], "not UTF-8 text: invalid continuation byte at byte 9"),
        (["edit", "rot.py", "--instruction", "x"], "'rot13' is not a text encoding"),
        (["complete", "fine.py", "--line", "9", "--column", "0"], "no line 9"),
        (["edit", "fine.py", "--instruction", "x", "--json", "--diff"], "use only one of"),
        (["check"], "takes FILES"),
        (["check", "fine.py", "fine.py", "--against", "fine.py"], "a single one with --against"),
        (["check", "--patch", "fine.py"], ""),
        (["replay", "fine.py"], "== request"),
        (["complete", "fine.py", "--line", "0", "--column", "0", "--model", "nowhere.gguf"], "nowhere.gguf"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fine.py").write_text("x = 1\n")
    (tmp_path / "binary.py").write_bytes(b"\0\1\2")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    (tmp_path / "late.py").write_bytes(b"\n\nx = 1 #\xe9\n")
    (tmp_path / "rot.py").write_bytes(b"# coding: rot13\n")
    result = CliRunner().invoke(app, arguments, catch_exceptions=False, terminal_width=200)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_recorded_case_is_replayed() -> None:
    code, output = run("replay", str(Path(__file__).parent / "cases" / "carriage_returns.txt"))
    assert code == 0
    assert "2 steps accepted, 0 rejected, stopped: complete" in output
    assert "+import sys" in output


def test_a_case_that_has_another_outcome_is_said_to(tmp_path: Path) -> None:
    case = (Path(__file__).parent / "cases" / "fix_name.txt").read_text("utf-8")
    path = tmp_path / "case.txt"
    path.write_text(case.replace("answer: accepted", "answer: complete"))
    code, output = run("replay", str(path))
    assert code == 1
    assert "-answer: complete" in output
    assert "+answer: accepted" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["edit", "--instruction", "Add two."],
        ["complete", "--line", "1", "--column", "0"],
    ],
)
def test_what_was_asked_becomes_a_case(
    source: Path, model: str, tmp_path: Path, arguments: list[str]
) -> None:
    path = tmp_path / "case.txt"
    command, *options = arguments
    code, _ = run(command, str(source), *options, "--model", model, "--record", str(path))
    assert code == 0
    assert read_case(path.read_text("utf-8")).document == source.read_text()
    code, _ = run("replay", str(path))
    assert code == 0
