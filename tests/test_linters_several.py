"""Linters beside pylint: who is asked, what of it counts, and what a program that misbehaves does."""

import json
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from fakes import ImmediateLinter, ManualLinter

from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters import overlay, several
from lintseq_lsp.linters import program as programs
from lintseq_lsp.linters.base import Check, Finding, Report, Surroundings, Tier
from lintseq_lsp.linters.overlay import Overlay
from lintseq_lsp.linters.program import ProgramError, Runner, find_program
from lintseq_lsp.linters.project import project_of
from lintseq_lsp.linters.ruff import Ruff
from lintseq_lsp.linters.same import told_once
from lintseq_lsp.linters.several import Chosen, Several, choose, missing
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.linters.ty import Ty
from lintseq_lsp.linters.workspace import EditorWorkspace
from lintseq_lsp.reasons import Reason
from lintseq_lsp.runtime import open_gate
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document

MEMORY = 400 * 1024 * 1024
PATIENCE = 30.0
needs_ruff = pytest.mark.skipif(find_program("ruff", []) is None, reason="ruff is not installed")
needs_ty = pytest.mark.skipif(find_program("ty", []) is None, reason="ty is not installed")
needs_posix = pytest.mark.skipif(os.name == "nt", reason="the programs are shell scripts")
KNOWN, OF_OTHER = Finding("no-member", "E1101", "a", 1), Finding("some-rule", "X1", "b", 2, 0, "other")


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner(MEMORY)
    yield runner
    runner.close()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """What is asked of a linter that is closed goes on for a moment, and would be told in the next test."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("lintseq-other-linter"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


class Other:
    """An adapter that says what it is told to say."""

    reads_modules = False

    def __init__(self, answer: Callable[[Check], list[Finding]], name: str = "other") -> None:
        self.name = name
        self.answer = answer

    def is_rule(self, rule: str) -> bool:
        return rule.isupper()

    def findings(
        self,
        program: str,  # noqa: ARG002
        rules: object,  # noqa: ARG002
        check: Check,
        project: object,  # noqa: ARG002
        runner: object,  # noqa: ARG002
    ) -> list[Finding]:
        return self.answer(check)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "find_program", lambda name, _: f"/bin/{name}")


def several_of(
    answer: Callable[[Check], list[Finding]], first: ImmediateLinter | None = None
) -> tuple[Several, ImmediateLinter]:
    first = first or ImmediateLinter(lambda _: Report([KNOWN], Tier.PYLINT))
    return Several(first, [Chosen(Other(answer))], memory=MEMORY), first


def ask(linter: Several, text: str = "x\n", tier: Tier = Tier.PYLINT) -> Report:
    return linter.submit(Check(text, "/w/a.py", tier)).result(PATIENCE)


@pytest.mark.usefixtures("installed")
def test_the_findings_of_all_count_and_say_whose_they_are() -> None:
    linter, _ = several_of(lambda _: [OF_OTHER])
    report = ask(linter)
    assert (list(report.findings), report.also) == ([KNOWN, OF_OTHER], ("other",))
    assert [finding.name for finding in report.findings] == ["E1101 no-member", "other X1 some-rule"]
    linter.close()


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.usefixtures("installed")
def test_with_one_that_reads_modules_a_report_depends_on_all_of_them(*, reads: bool) -> None:
    other = Other(lambda _: [])
    other.reads_modules = reads
    first = ImmediateLinter(lambda _: Report([KNOWN], Tier.PYLINT))
    linter = Several(first, [Chosen(other)], memory=MEMORY)
    ask(linter)
    assert [check.reach for check in first.checks] == [reads]
    linter.close()


@needs_ty
def test_a_verdict_lapses_when_a_module_changes_that_ty_has_read(tmp_path: Path) -> None:
    """Pylint has no reason to: the name is in an annotation."""
    (tmp_path / "far.py").write_text("class Base:\n    value: int = 1\n")
    (tmp_path / "near.py").write_text("from far import Base\n\n\nclass Near:\n    base: Base\n")
    gate = open_gate(Settings(linters=("ty",), gate_timeout=PATIENCE), lambda: (tmp_path,), str(tmp_path))
    gate.workspace = EditorWorkspace(dict)
    path = str(tmp_path / "a.py")
    bar = gate.against(Document("import near\n", None, path))
    candidate = Document("import near\n\nA: int = near.Near().base.value\n", None, path)
    verdict = bar.judge(candidate)
    try:
        assert verdict.accepted
        assert gate.holds(path, verdict.dependencies)
        (tmp_path / "far.py").write_text("class Base:\n    value: str = 'a'\n")
        assert not gate.holds(path, verdict.dependencies)
        again = gate.against(Document("import near\n", None, path)).judge(candidate)
        assert [finding.linter for finding in again.findings] == ["ty"]
    finally:
        gate.linter.close()


@pytest.mark.usefixtures("installed")
def test_what_another_cannot_do_is_a_failure() -> None:
    def fail(_: Check) -> list[Finding]:
        raise ProgramError("it is broken")

    linter, _ = several_of(fail)
    assert ask(linter).failure == "other: it is broken"
    gate = Gate(linter, check_syntax, GatePolicy())
    assert gate.against(Document("x = 1\n")).judge(Document("x = 2\n")).reason is Reason.LINTER_FAILED
    linter.close()


@pytest.mark.usefixtures("installed")
def test_a_fault_of_ours_is_a_failure_and_no_hang() -> None:
    linter, _ = several_of(lambda _: [][0])
    assert "IndexError" in (ask(linter).failure or "")
    linter.close()


@pytest.mark.parametrize("first", [Report(failure="it died"), Report([KNOWN], Tier.PYLINT, parsed=False)])
@pytest.mark.usefixtures("installed")
def test_nobody_waits_for_the_others_where_pylint_has_the_last_word(first: Report) -> None:
    go_on: list[bool] = []

    def answer(_: Check) -> list[Finding]:
        while not go_on:
            time.sleep(0.01)
        return [OF_OTHER]

    linter, _ = several_of(answer, ImmediateLinter(lambda _: first))
    assert ask(linter) == first
    go_on.append(True)
    linter.close()


@pytest.mark.parametrize(("text", "tier"), [("", Tier.PYLINT), (" \n", Tier.PYLINT), ("x\n", Tier.SYNTAX)])
@pytest.mark.usefixtures("installed")
def test_what_pylint_does_not_look_at_is_not_asked(text: str, tier: Tier) -> None:
    asked = []
    linter, _ = several_of(lambda check: asked.append(check) or [])
    assert list(ask(linter, text, tier).findings) == [KNOWN]
    linter.close()
    assert asked == []


@pytest.mark.usefixtures("installed")
def test_a_check_that_is_cancelled_is_cancelled_everywhere() -> None:
    first = ManualLinter()
    linter, _ = several_of(lambda _: [], first)
    future = linter.submit(Check("x\n"))
    assert future.cancel()
    assert first.waiting[0][1].cancelled()
    with pytest.raises(CancelledError):
        future.result(0)
    again = linter.submit(Check("x\n"))
    first.waiting[-1][1].cancel()
    with pytest.raises(CancelledError):
        again.result(PATIENCE)
    linter.close()


def test_one_that_is_not_installed_is_told_once_and_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    linter, _ = several_of(lambda _: [OF_OTHER])
    for _ in range(3):
        report = ask(linter)
        assert (list(report.findings), report.failure, report.also) == ([KNOWN], None, ())
    assert len(linter.absent) == 1
    assert [record.message for record in caplog.records] == linter.absent
    assert linter.absent[0].startswith("other is not installed")
    linter.close()


@pytest.mark.usefixtures("installed")
def test_after_its_end_nothing_is_accepted() -> None:
    linter, first = several_of(lambda _: [OF_OTHER], ImmediateLinter(lambda _: Report(failure="closed")))
    linter.close()
    assert ask(linter).failure == "closed"
    assert len(first.checks) == 1


def test_which_linters_and_rules_there_are() -> None:
    chosen, unknown = choose(
        ["ruff", "ty=invalid-argument-type", "pylint", "ruff=F,E9", "ruff=f;rm", "ty=A", ""]
    )
    assert [(one.adapter.name, one.rules) for one in chosen] == [
        ("ruff", ("F", "E9")),
        ("ty", ("invalid-argument-type",)),
    ]
    assert unknown == ["pylint", "ruff=f;rm", "ty=A", ""]


# Programs


def script(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@needs_posix
def test_a_program_of_the_workspace_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, tools = tmp_path / "work", tmp_path / "tools"
    script(work / ".venv/bin/other-linter", "")
    (work / "bin").mkdir()
    script(work / "other-linter", "")
    tools.mkdir()
    (tools / "other-linter").symlink_to(work / "other-linter")
    entries = ["", ".", "bin", str(work / ".venv/bin"), str(tools)]
    monkeypatch.chdir(work)
    monkeypatch.setenv("PATH", os.pathsep.join(entries))
    assert find_program("other-linter", [work]) is None
    assert "other-linter" in _missing_of(work, monkeypatch)[0]
    good = script(tmp_path / "good/other-linter", "")
    monkeypatch.setenv("PATH", os.pathsep.join([*entries, str(tmp_path / "good")]))
    assert find_program("other-linter", [work]) == good
    assert _missing_of(work, monkeypatch) == []


def _missing_of(work: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(several, "ADAPTERS", (Other(lambda _: [], "other-linter"),))
    return missing(["other-linter"], [work])


@needs_posix
def test_neither_is_one_of_the_files_own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no workspace is known, as of a file on the command line."""
    script(tmp_path / ".venv/bin/other", f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setenv("PATH", str(tmp_path / ".venv/bin"))
    linter, _ = several_of(lambda _: [OF_OTHER])
    report = linter.submit(Check("x\n", str(tmp_path / "a.py"))).result(PATIENCE)
    assert (report.also, len(linter.absent)) == ((), 1)
    linter.close()


@needs_posix
def test_a_program_that_takes_too_long_is_ended(tmp_path: Path, runner: Runner) -> None:
    note = tmp_path / "process"
    command = script(
        tmp_path / "p", f"import os, time\nopen({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    )
    with pytest.raises(ProgramError, match="timed out"):
        runner.run([command], "", 1.0)
    assert not psutil.pid_exists(int(note.read_text()))


@needs_posix
def test_one_that_wants_too_much_memory_is_ended(tmp_path: Path) -> None:
    command = script(
        tmp_path / "p",
        "import time\nx = bytearray(100 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\ntime.sleep(60)",
    )
    with pytest.raises(ProgramError, match="more than 50 MB"):
        Runner(50 << 20).run([command], "", PATIENCE)


@needs_posix
def test_one_that_says_too_much_is_ended(
    tmp_path: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MOST_OUTPUT", 1 << 20)
    command = script(tmp_path / "p", "while True: print('x' * 1000)")
    with pytest.raises(ProgramError, match="its output has more than"):
        runner.run([command], "", PATIENCE)


@needs_posix
def test_what_it_says_when_it_fails_is_told(tmp_path: Path, runner: Runner) -> None:
    command = script(tmp_path / "p", "import sys\nsys.exit('first\\nlast')")
    assert runner.run([command], "", PATIENCE) == b""  # findings are no failure
    command = script(tmp_path / "p", "import sys\nsys.stderr.write('first\\nlast\\n')\nsys.exit(2)")
    with pytest.raises(ProgramError, match="status 2: last"):
        runner.run([command], "", PATIENCE)


@needs_posix
def test_it_hears_nothing_of_our_environment_and_starts_nowhere(
    tmp_path: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RUFF_CONFIG", "VIRTUAL_ENV", "TY_CONFIG_FILE", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    command = script(tmp_path / "p", "import os, sys\nprint(os.getcwd(), *os.environ, sys.stdin.read())")
    out = runner.run([command], "tëxt", PATIENCE, {"A_VARIABLE": "1"}).decode().split()
    assert out[0] == "/"
    assert out[-1] == "tëxt"
    assert "A_VARIABLE" in out
    assert not {"RUFF_CONFIG", "VIRTUAL_ENV", "TY_CONFIG_FILE", "PYTHONPATH"}.intersection(out)


@needs_posix
def test_at_its_end_all_that_runs_is_ended(tmp_path: Path) -> None:
    runner = Runner(MEMORY)
    runner.close()
    with pytest.raises(ProgramError, match="closed"):
        runner.run([script(tmp_path / "p", "")], "", PATIENCE)


# ruff

RUFF_TEXT = """\
import os


def f(x):
    if x is "s":
        return undefined
    return "%s %s" % (1,)


def f(x):
    return x  # noqa: F821
"""
RUFF_SAID = [
    ("F632 is-literal", 5),
    ("F821 undefined-name", 6),
    ("F507 percent-format-positional-count-mismatch", 7),
    ("F811 redefined-while-unused", 10),
]


def by_ruff(text: str, path: str = "", rules: tuple[str, ...] = ()) -> list[Finding]:
    program, runner = find_program("ruff", []), Runner(MEMORY)
    assert program is not None
    return Ruff().findings(program, rules, Check(text, path, timeout=PATIENCE), project_of(path), runner)


@needs_ruff
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_ruff_finds_errors(newline: str) -> None:
    found = by_ruff(RUFF_TEXT.replace("\n", newline))
    assert [(finding.name.removeprefix("ruff "), finding.line) for finding in found] == RUFF_SAID
    assert {finding.linter for finding in found} == {"ruff"}
    assert [found[1].column, found[1].message] == [15, "Undefined name `undefined`"]


@needs_ruff
def test_other_rules_of_ruffs_can_be_chosen() -> None:
    assert [finding.code for finding in by_ruff(RUFF_TEXT, rules=("F401", "F63"))] == ["F401", "F632"]


@needs_ruff
def test_a_comment_silences_ruff_and_a_configuration_does_not(tmp_path: Path) -> None:
    (tmp_path / "ruff.toml").write_text('[lint]\nignore = ["F821"]\nbuiltins = ["undefined"]\n')
    path = str(tmp_path / "a.py")
    assert [finding.code for finding in by_ruff("undefined\n", path)] == ["F821"]
    assert by_ruff("undefined  # noqa\n", path) == []


@needs_ruff
@pytest.mark.parametrize("text", ["x = = 1\n", "def f(\n", "return\n", "a\0b\n", "x = '\udcff'\n"])
def test_what_is_python_is_not_ruffs_to_say(text: str) -> None:
    assert {finding.code for finding in by_ruff(text)} <= {"F706", "F821"}


@needs_ruff
def test_a_rule_that_ruff_does_not_know_is_a_failure() -> None:
    with pytest.raises(ProgramError, match="status 2"):
        by_ruff("x\n", rules=("QQQ999",))


def test_what_ruff_has_said_is_read(tmp_path: Path) -> None:
    """Of ruff 0.17; older ones leave `name` out. What it does not know has no code that counts."""
    said = [
        {"code": "F821", "location": {"row": 4, "column": 16}, "message": "a", "name": "undefined-name"},
        {"code": "F821", "location": {"row": 5, "column": 1}, "message": "Undefined name `b`"},
        {"code": "invalid-syntax", "location": {"row": 1, "column": 1}, "message": "Expected an expression"},
        {"code": None, "location": {"row": 1, "column": 1}, "message": "SyntaxError"},
    ]  # fmt: skip
    assert said_by(Ruff(), tmp_path, json.dumps(said)) == [
        Finding("undefined-name", "F821", "a", 4, 15, "ruff"),
        Finding("F821", "F821", "Undefined name `b`", 5, 0, "ruff"),
    ]
    for nonsense in ("", "{}", "[1]", '[{"code": "F821", "location": {}}]'):
        with pytest.raises(ProgramError):
            said_by(Ruff(), tmp_path, nonsense)


def said_by(adapter: several.Adapter, folder: Path, said: str) -> list[Finding]:
    """What is read out of a recorded answer."""
    program = script(folder / "program", f"print({said!r})")
    return adapter.findings(program, (), Check("x\n", timeout=PATIENCE), project_of(""), Runner(MEMORY))


# ty


def test_what_ty_has_said_is_read(tmp_path: Path) -> None:
    """Of ty 0.0.108, in the form that it calls GitLab's."""

    def entry(name: str, message: str, severity: str, line: int, column: int) -> dict[str, object]:
        begin = {"line": line, "column": column}
        return {
            "check_name": name,
            "description": f"{name}: {message}",
            "severity": severity,
            "fingerprint": "73fc8de080d1a5a7",
            "location": {"path": "a.py", "positions": {"begin": begin, "end": begin}},
        }

    said = [
        entry("unresolved-reference", "Name `a` used when not defined", "major", 4, 16),
        entry("unused-type-ignore-comment", "Unused directive", "minor", 5, 1),
        entry("invalid-syntax", "Expected an expression", "major", 6, 1),
    ]
    assert said_by(Ty(), tmp_path, json.dumps(said)) == [
        Finding("unresolved-reference", "", "Name `a` used when not defined", 4, 15, "ty")
    ]
    for nonsense in ("", "{}", "[1]", "[{}]"):
        with pytest.raises(ProgramError):
            said_by(Ty(), tmp_path, nonsense)


def by_ty(text: str, path: Path, rules: tuple[str, ...] = (), **modules: str | None) -> list[str]:
    """Paths of modules are relative to the folder above the file's package."""
    program, runner = find_program("ty", []), Runner(MEMORY)
    assert program is not None
    texts = {str(path.parent / f"{name}.py"): module for name, module in modules.items()}
    check = Check(text, str(path), timeout=PATIENCE, modules=texts)
    project = project_of(str(path), text, texts=texts)
    return [f"{each.line} {each.symbol}" for each in Ty().findings(program, rules, check, project, runner)]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "src/shop"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "cart.py").write_text("def total(items: list[int]) -> int:\n    return sum(items)\n")
    return folder


BAD_CALLS = "from .cart import total\nimport shop.cart\n\ntotal('x')\nshop.cart.total(1)\n"


@needs_ty
def test_ty_judges_a_text_that_is_on_no_disk(package: Path) -> None:
    before = {path: path.read_bytes() for path in package.rglob("*.py")}
    assert by_ty(BAD_CALLS, package / "new.py") == ["4 invalid-argument-type", "5 invalid-argument-type"]
    assert {path: path.read_bytes() for path in package.rglob("*.py")} == before


@needs_ty
def test_ty_sees_other_modules_as_they_are_to_be(package: Path) -> None:
    other = "def total(items: str | int) -> int:\n    return len(str(items))\n"
    assert by_ty(BAD_CALLS, package / "new.py", cart=other) == []
    gone = by_ty(BAD_CALLS, package / "new.py", cart=None)
    assert len(gone) >= 2
    assert not any("invalid-argument-type" in line for line in gone)


@needs_ty
def test_a_module_that_imports_the_text_gets_the_text(package: Path) -> None:
    """Through a link, too, a module's neighbours are those of the folder that stands in."""
    (package / "uses.py").write_text("from . import cart\n\nTOTAL = cart.total\n")
    text = "from .uses import TOTAL\n\n\ndef total(name: str) -> str:\n    return name\n\n\nTOTAL(1)\n"
    assert by_ty(text, package / "cart.py") == ["8 invalid-argument-type"]


@needs_ty
def test_only_the_rules_that_are_wanted_count(package: Path) -> None:
    text = BAD_CALLS + "undefined\n"
    assert by_ty(text, package / "a.py", ("unresolved-reference",)) == ["6 unresolved-reference"]


@needs_ty
def test_a_comment_silences_ty_and_a_configuration_does_not(package: Path) -> None:
    for folder in (package.parents[1], package):
        (folder / "ty.toml").write_text('[rules]\nunresolved-reference = "ignore"\n')
    assert by_ty("import os\nundefined\n", package / "a.py") == ["2 unresolved-reference"]
    for comment in ("type: ignore", "ty: ignore", "ty: ignore[unresolved-reference]"):
        assert by_ty(f"import os\nundefined  # {comment}\n", package / "a.py") == []


@needs_ty
@needs_posix
def test_nothing_of_the_workspace_is_run_or_waited_for(package: Path) -> None:
    for name in ("python", "python3", "uv"):
        script(package.parents[1] / ".venv/bin" / name, f"open({str(package / 'ran')!r}, 'w')")
    (package.parents[1] / ".venv/pyvenv.cfg").write_text("home = /nowhere\nversion = 3.12.1\n")
    (package.parents[1] / ".venv/lib/python3.12/site-packages").mkdir(parents=True)
    os.mkfifo(package / "pipe.py")
    start = time.monotonic()
    text = "# /// script\n# dependencies = []\n# ///\nfrom . import pipe\nprint(pipe.x)\n"
    by_ty(text, package / "a.py")
    assert time.monotonic() - start < PATIENCE / 2
    assert not (package / "ran").exists()


@needs_ty
def test_what_ty_and_pylint_say_of_one_fault_is_one() -> None:
    text = "import nowhere\nfrom os import nope\n\n'a'.nope\nX = 1\nX()\nprint(undefined)\nlen(k=1)\n"
    program, runner = find_program("ty", []), Runner(MEMORY)
    assert program is not None
    check = Check(text, "/w/a.py", timeout=PATIENCE)
    found = Ty().findings(program, (), check, project_of("/w/a.py", text), runner)
    pylints = [
        Finding("import-error", "E0401", "Unable to import 'nowhere'", 1),
        Finding("no-name-in-module", "E0611", "No name 'nope' in module 'os'", 2),
        Finding("no-member", "E1101", "Instance of 'str' has no 'nope' member", 4),
        Finding("not-callable", "E1102", "X is not callable", 6),
        Finding("undefined-variable", "E0602", "Undefined variable 'undefined'", 7, 6),
    ]
    told = told_once([*pylints, *found])
    assert [(finding.line, len(finding.same)) for finding in told[:5]] == [
        (1, 1),
        (2, 1),
        (4, 1),
        (6, 1),
        (7, 1),
    ]
    assert {finding.line for finding in told[5:]} == {8}


@needs_ty
def test_a_scripts_own_packages_are_not_known(tmp_path: Path) -> None:
    text = "# /// script\n# dependencies = ['somewhere']\n# ///\nimport somewhere\nundefined\n"
    assert by_ty(text, tmp_path / "a.py") == ["5 unresolved-reference"]


def test_the_folder_of_a_text_holds_modules_alone_and_goes_away(package: Path) -> None:
    for name in ("notes.txt", "data.json", "a-b.py", "py.typed"):
        (package / name).write_text("")
    (package / "inner").mkdir()
    (package / ".hidden").mkdir()
    around = Surroundings(roots=(str(package.parent), str(package.parents[1])))
    check = Check("x = 1\r\n", str(package / "cart.py"), modules={str(package / "inner/new.py"): "y = 2\n"})
    with Overlay(check, around) as made:
        assert made.file == made.roots[0] / "shop/cart.py"
        assert made.file.read_bytes() == b"x = 1\r\n"
        names = sorted(path.name for path in made.file.parent.iterdir())
        assert names == ["__init__.py", "a-b.py", "cart.py", "inner", "py.typed"]
        assert (made.file.parent / "__init__.py").is_symlink()
        assert (made.file.parent / "inner/new.py").read_text() == "y = 2\n"
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o700 or os.name == "nt"
    assert not made.path.exists()
    assert (package / "cart.py").read_text().startswith("def total")


@needs_posix
def test_where_nobody_may_make_links_there_are_junctions_and_copies(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, without the right to make links."""
    (package / "inner").mkdir()

    def refuse(*_: object) -> None:
        raise OSError(1314, "a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    check = Check("x = 1\n", str(package / "new.py"))
    with pytest.raises(OSError, match="privilege"), Overlay(check, Surroundings(roots=(str(package),))):
        pass
    monkeypatch.setattr(overlay.sys, "platform", "win32")
    junctions = SimpleNamespace(CreateJunction=os.symlink)
    monkeypatch.setitem(sys.modules, "_winapi", junctions)
    with Overlay(check, Surroundings(roots=(str(package),))) as made:
        assert (made.file.parent / "inner").is_dir()
        copied = made.file.parent / "cart.py"
        assert not copied.is_symlink()
        assert copied.read_bytes() == (package / "cart.py").read_bytes()
    assert (package / "inner").is_dir()


def test_a_text_of_no_place_has_a_folder_too() -> None:
    with Overlay(Check("x = 1\n", "notebook.ipynb"), Surroundings()) as made:
        assert made.file.name == "notebook.py"
        assert made.roots == []


def test_the_tests_of_the_programs_are_not_all_skipped() -> None:
    assert shutil.which("ruff", path=str(Path(sys.executable).parent)), "ruff is in the extra dev"
