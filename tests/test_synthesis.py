"""From programs to a file of sequences: sources, workers, resumption, the command. Toy linters throughout."""

import json
import re
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.linters.base import Check, Finding, Report
from lintseq_lsp.linters.environment import Environment
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.synthesis import commands, sources, versions, workers
from lintseq_lsp.synthesis.answers import code_in
from lintseq_lsp.synthesis.output import Output
from lintseq_lsp.synthesis.programs import Program, ProgramOutcome, Recipe, synthesize
from lintseq_lsp.synthesis.sources import BadInput, Source

LOOP = (
    "def total(items):\n    result = 0\n    for item in items:\n        result += item\n    return result\n"
)


def syntax_lint(text: str) -> Report:
    """Errors of the parser only, and lines that say `bad`."""
    try:
        compile(text, "x", "exec")
    except SyntaxError as error:
        return Report((Finding("syntax-error", "E0001", str(error), error.lineno or 1),), parsed=False)
    lines = text.split("\n")
    return Report(
        tuple(Finding("bad", "E9999", "bad", n) for n, line in enumerate(lines, 1) if "bad" in line)
    )


class InlineLinter:
    """Checks in the caller's thread."""

    def __init__(self, *_: object, lint: Callable[[str], Report] = syntax_lint, **__: object) -> None:
        self.lint = lint

    def submit(self, check: Check) -> Future[Report]:
        future: Future[Report] = Future()
        future.set_result(self.lint(check.text))
        return future

    def warm(self) -> Future[Report]:
        return self.submit(Check(""))

    def close(self) -> None: ...


@pytest.mark.parametrize("unit", ["  ", "\t", "   "])
def test_programs_are_linted_by_their_own_unit_of_indentation(unit: str) -> None:
    heard: list[str] = []

    class Listening(InlineLinter):
        def submit(self, check: Check) -> Future[Report]:
            heard.append(check.indent)
            return super().submit(check)

    programs = [program(LOOP.replace("    ", unit)), program(LOOP)]
    assert len(made(programs, Recipe(8), [Listening()])) == 2
    assert set(heard) == {unit, "    "}


def program(code: str, index: int = 0) -> Program:
    return Program(index, "set.jsonl", "Do it.", code)


def made(
    programs: Iterable[Program], recipe: Recipe, linters: Iterable[InlineLinter]
) -> list[ProgramOutcome]:
    """The outcomes by workers with these linters, in the order of the programs."""
    return [outcome for _, outcome in sorted(running(programs, recipe, linters), key=lambda pair: pair[0])]


def running(
    programs: Iterable[Program], recipe: Recipe, linters: Iterable[InlineLinter]
) -> Generator[tuple[int, ProgramOutcome]]:
    jobs = (workers.Job(place, each, range(recipe.samples)) for place, each in enumerate(programs))
    return workers.outcomes(jobs, [workers.LinterWorker(linter, recipe) for linter in linters])


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rebuilt(edits: Iterable[str]) -> str:
    lines: list[str] = []
    for edit in edits:
        place = 0
        for line in edit.split("\n") if edit else []:
            if line.startswith("@@"):
                place = int(line.split("+")[1].split(" ")[0].split(",")[0]) - 1
            else:
                lines.insert(place, line[1:])
                place += 1
    return "\n".join(lines)


# --- one program ---------------------------------------------------------------------------------


def test_a_record_has_the_reference_s_fields_and_resolves_to_the_program() -> None:
    outcome = synthesize(program("\n" + LOOP + "\n\n", 7), Recipe(samples=3), syntax_lint)
    assert not outcome.failures
    for record in outcome.sequences:
        assert list(record) == ["edit_path", "index", "source_file", "source_instruction", "source_response"]
        assert record["index"] == 7
        assert record["source_instruction"] == "Do it."
        assert record["source_response"] == "\n" + LOOP + "\n\n"
        assert rebuilt(record["edit_path"]) == LOOP.strip()
    paths = [record["edit_path"] for record in outcome.sequences]
    assert paths[0] != paths[1] or paths[1] != paths[2]  # samples are independent


def test_the_seed_the_sample_and_the_program_alone_determine_a_sequence() -> None:
    once, again = (synthesize(program(LOOP), Recipe(samples=4), syntax_lint) for _ in range(2))
    assert once == again
    assert once != synthesize(program(LOOP), Recipe(samples=4, seed=2), syntax_lint)
    assert once.sequences[:2] == synthesize(program(LOOP), Recipe(samples=2), syntax_lint).sequences


def test_without_the_linter_none_is_asked() -> None:
    outcome = synthesize(
        program(LOOP), Recipe(linter=False, baseline=True), lambda _: Report(failure="asked")
    )
    assert rebuilt(outcome.sequences[0]["edit_path"]) == LOOP.strip()


def test_a_baseline_keeps_old_findings_from_filling_the_last_edit() -> None:
    code = "import bad\n" + "\n".join(f"x{i} = {i}" for i in range(8)) + "\nbad(1)"
    plain = synthesize(program(code), Recipe(samples=5), syntax_lint)
    assert all("+import bad" in record["edit_path"][-1] for record in plain.sequences)
    based = synthesize(program(code), Recipe(samples=5, baseline=True), syntax_lint)
    assert not all("+import bad" in record["edit_path"][-1] for record in based.sequences)
    assert {rebuilt(record["edit_path"]) for record in based.sequences} == {code}


def test_a_baseline_of_a_program_that_does_not_parse_excuses_nothing() -> None:
    code = "x = 1\ny = )\nz = 2"
    outcome = synthesize(program(code), Recipe(baseline=True), syntax_lint)
    assert outcome == synthesize(program(code), Recipe(), syntax_lint)
    assert "+y = )" in outcome.sequences[0]["edit_path"][-1]


def test_failures_are_counted_by_sample() -> None:
    checks = iter(range(100))

    def fails_once(text: str) -> Report:
        return Report(failure="hung") if next(checks) == 0 else syntax_lint(text)

    outcome = synthesize(program(LOOP), Recipe(samples=3), fails_once)
    assert len(outcome.sequences) == 2
    assert outcome.failures == [{"index": 0, "source_file": "set.jsonl", "sample": 0, "reason": "hung"}]
    empty = synthesize(program(" \n"), Recipe(samples=2), syntax_lint)
    assert [failure["reason"] for failure in empty.failures] == ["the program is empty"] * 2


# --- sources -------------------------------------------------------------------------------------


def test_bad_lines_are_named_and_skipped_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    good = json.dumps({"instruction": "Do it.", "response": "x = 1"}).encode()
    lines = [good, b"{", b"", b"[]", b'{"instruction": "a"}', b'{"instruction": 1, "response": "x"}']
    lines += [
        b'{"instruction": "", "response": " "}',
        b"\xff\xfe",
        b'{"instruction": "", "response": "\\ud800"}',
        good,
    ]
    path.write_bytes(b"\n".join(lines))
    items = list(sources.programs(Source(path, "set.jsonl")))
    bad = [item for item in items if isinstance(item, BadInput)]
    assert [item.place for item in bad] == [f"set.jsonl:{number}" for number in (2, 4, 5, 6, 7, 8, 9)]
    assert all(item.reason for item in bad)
    assert [item.index for item in items if isinstance(item, Program)] == [0, 8]


def test_the_program_of_an_answer_in_prose_is_its_fenced_code() -> None:
    answer = "Here:\n```python\nx = 1\n```\nand then\n```python\ny = 2\n"
    assert code_in(answer) == "x = 1\n\n\ny = 2"
    assert code_in("no code") == "no code"
    for info in ("python3", "py", "Python", ' python title="a.py"', "python {.lines}", "PY\r"):
        assert code_in(f"Here:\n```{info}\nx = 1\n```") == "x = 1"
    for info in ("", "text", "pyx", "python-repl"):
        assert "Here:" in code_in(f"Here:\n```{info}\nx = 1\n```")
    assert code_in("Use ```python x = 1``` here") == "x = 1"
    quoting = 'TEXT = """\n```python\nx\n```\n"""'
    assert code_in(quoting) == quoting


LOOP = "total = 0\nfor i in range(3):\n    total += i"


@pytest.mark.parametrize(
    "before", ["   ", "\t", "> ", "- ", "  10. ", "1. > ", "    "], ids=lambda before: repr(before)
)
@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_a_block_stands_in_a_list_or_a_quotation(before: str, fence: str) -> None:
    behind = "".join(mark if mark in " \t>" else " " for mark in before)
    lines = "\n".join(behind + line for line in [*LOOP.split("\n"), fence])
    assert code_in(f"1. Do this:\n\n{before}{fence}python\n{lines}\n\nDone.") == LOOP


def test_a_block_that_is_indented_as_a_whole_is_code() -> None:
    assert code_in("So:\n```python\n    x = 1\n    y = 2\n```\n") == "x = 1\ny = 2"
    lazy = "- So:\n  ```python\nx = 1\nif x:\n    y = 2\n```\n"
    assert code_in(lazy) == "x = 1\nif x:\n    y = 2"


def test_a_fence_in_a_string_ends_no_block() -> None:
    code = 'DOC = """\n```python\nx = 1\n```\n"""\ny = 2'
    assert code_in(f"So:\n```python\n{code}\n```\nDone.") == code
    assert code_in(f"So:\n~~~python\n{code}\n~~~\nDone.") == code
    inline = "MARK = '```'\nx = 1"
    assert code_in(f"So:\n```python\n{inline}\n```\n") == inline
    broken = "So:\n```python\nx = (\n```\nand\n```python\ny = 2\n```\n"
    assert code_in(broken) == "x = (\n\n\ny = 2"


def test_a_byte_order_mark_in_front_is_no_part_of_the_program() -> None:
    assert code_in("\ufeffx = 1") == "x = 1"
    assert code_in("\ufeff```python\nx = 1\n```") == "x = 1"


def test_a_file_that_cannot_be_read_is_named_and_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = corpus(tmp_path / "set.jsonl")
    monkeypatch.setattr(Path, "open", refuse)
    [bad] = sources.programs(Source(path, "set.jsonl"))
    assert isinstance(bad, BadInput)
    assert "Permission denied" in bad.reason


@pytest.mark.parametrize("coding", ["utf-16", "undefined", "rot13", "no-such"])
def test_an_odd_coding_line_is_named_and_skipped(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "a.py"
    path.write_text(f'# coding: {coding}\ndef f():\n    """Do it."""\n\n')
    [bad] = sources.programs(Source(path, "a.py"))
    assert isinstance(bad, BadInput)
    assert bad.place == "a.py"
    assert bad.reason


def test_a_docstring_that_is_no_text_is_named_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        "".join(
            f'def {name}():\n    """Say {said}."""\n'
            for name, said in zip("fgh", ["a", r"\ud800", "b"], strict=True)
        )
    )
    first, bad, second = sources.programs(Source(path, "a.py"))
    assert bad == BadInput("a.py:3", "not text: surrogates not allowed")
    assert isinstance(first, Program)
    assert isinstance(second, Program)
    assert (first.index, second.index) == (0, 2)


def test_functions_and_classes_with_docstrings_are_programs(tmp_path: Path) -> None:
    folder = tmp_path / "pkg"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "hook.py").write_text('def f():\n    """Hidden."""\n')
    (folder / "b.py").write_bytes(
        b"# coding: latin-1\nimport os\n\n"
        b'@os.x\n@y(\n  1\n)\ndef f():\n    """Say \xe9.\n\n    More.\n    """\n\n'
        b'def g(): pass\n\nclass C:\r\n    "A \\d class."\r\n\r\n    x = 1\r\n'
    )
    (folder / "a.py").write_text("def f(:\n")
    (folder / "c.py").write_bytes(b"x = '\xff'")
    (folder / "d.py").write_text("x = 1\x00")
    items = list(sources.programs(Source(folder, "pkg")))
    assert [item.place for item in items if isinstance(item, BadInput)] == [
        "pkg/a.py",
        "pkg/c.py",
        "pkg/d.py",
    ]
    first, second = (item for item in items if isinstance(item, Program))
    assert (first.key, first.instruction) == (("pkg/b.py", 0), "Say é.\n\nMore.")
    assert first.code == '@os.x\n@y(\n  1\n)\ndef f():\n    """Say é.\n\n    More.\n    """'
    assert (second.key, second.instruction) == (("pkg/b.py", 1), "A \\d class.")
    assert second.code == 'class C:\n    "A \\d class."\n\n    x = 1'


def test_installed_packages_are_found_without_being_imported() -> None:
    items = list(sources.programs(sources.package("json")))
    assert "json/decoder.py" in {item.source_file for item in items if isinstance(item, Program)}
    assert list(sources.programs(sources.package("this"))) == []
    assert "this" not in sys.modules
    for name in ("no_such_package", "json.decoder", "_json", "sys", "../x"):
        with pytest.raises(SettingsError, match="no Python package"):
            sources.package(name)


def test_other_files_are_no_source(tmp_path: Path) -> None:
    (tmp_path / "x.txt").touch()
    with pytest.raises(SettingsError, match=r"x\.txt is neither"):
        sources.of_address(str(tmp_path / "x.txt"))


# --- workers -------------------------------------------------------------------------------------


def test_outcomes_come_in_order_from_any_number_of_workers() -> None:
    programs = [program(LOOP + f"x = {index}", index) for index in range(70)]
    results = []
    for jobs in (1, 2, 3):
        linters = [InlineLinter() for _ in range(jobs)]
        results.append(made(programs, Recipe(samples=2), linters))
    assert results[0] == results[1] == results[2]
    assert [outcome.sequences[0]["index"] for outcome in results[0]] == list(range(70))


def test_two_workers_work_at_the_same_time() -> None:
    meeting = threading.Barrier(2)

    def meet(text: str) -> Report:
        meeting.wait(timeout=30)
        return syntax_lint(text)

    programs = [program("x = 1\ny = 2", index) for index in range(2)]
    results = made(programs, Recipe(), [InlineLinter(lint=meet), InlineLinter(lint=meet)])
    assert [len(outcome.sequences) for outcome in results] == [1, 1]


def test_a_program_whose_time_is_up_fails_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(workers, "time", type("Clock", (), {"monotonic": lambda: now}))
    given: list[float] = []

    class SlowLinter(InlineLinter):
        def submit(self, check: Check) -> Future[Report]:
            nonlocal now
            given.append(check.timeout)
            now += 4 if "slow" in check.text else 0
            return super().submit(check)

    slow = program("\n".join(f"slow{i} = 1" for i in range(9)))
    first, second = made([slow, program(LOOP, 1)], Recipe(timeout=10), [SlowLinter()])
    assert [failure["reason"] for failure in first.failures] == ["not done within 10 s"]
    assert given[1:4] == [10, 6, 2]  # a check may take what is left; the first asks whether there is a linter
    assert len(second.sequences) == 1


def test_a_check_that_fails_when_the_time_is_up_has_that_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(workers, "time", type("Clock", (), {"monotonic": lambda: now}))

    def hang(text: str) -> Report:
        nonlocal now
        if not text.strip():
            return Report()
        now += 6
        return Report(failure="timed out after 0.2 s" if now > 10 else "linter worker died")

    [outcome] = made([program(LOOP)], Recipe(3, timeout=10), [InlineLinter(lint=hang)])
    reasons = [failure["reason"] for failure in outcome.failures]
    assert reasons == ["not done within 10 s"] * 3


def test_closing_early_waits_for_no_check() -> None:
    started, closed = threading.Event(), threading.Event()
    was_closed: list[bool] = []

    class HangingLinter(InlineLinter):
        def submit(self, check: Check) -> Future[Report]:
            if "hang" in check.text:
                started.set()
                was_closed.append(closed.wait(timeout=10))
            return super().submit(check)

        def close(self) -> None:
            closed.set()

    results = running([program("y = 1"), program("hang = 1\nhang = 2", 1)], Recipe(2), [HangingLinter()])
    assert len(next(results)[1].sequences) == 2
    assert started.wait(timeout=30)
    results.close()
    assert was_closed == [True]


def test_closing_early_ends_what_runs() -> None:
    started = threading.Event()
    release = threading.Event()

    def block(text: str) -> Report:
        if text.strip():
            started.set()
            assert release.wait(timeout=30)
        return syntax_lint(text)

    programs = [program(LOOP, index) for index in range(40)]
    results = running(programs, Recipe(), [InlineLinter(lint=block)])
    taken: list[tuple[int, ProgramOutcome]] = []
    consumer = threading.Thread(target=lambda: taken.append(next(results)))
    consumer.start()
    assert started.wait(timeout=30)
    release.set()
    consumer.join()
    results.close()
    assert len(taken) == 1


# --- output and the command ----------------------------------------------------------------------


def corpus(path: Path, count: int = 12) -> Path:
    texts = [LOOP + f"x = {index}\n" if index % 4 else " \u2028" for index in range(count)]
    lines = [json.dumps({"instruction": f"No. {i}", "response": f"{text}#"}) for i, text in enumerate(texts)]
    path.write_text("\n".join(lines))
    return path


def flaky(text: str) -> Report:
    """Fails for some of the programs, always the same."""
    return Report(failure="crashed") if "x = 5" in text else syntax_lint(text)


app = typer.Typer()
app.command()(commands.synthesize)


def run(*arguments: str | int | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture(autouse=True)
def _toy_linter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "PylintPool", lambda *_, **__: InlineLinter(lint=flaky))
    monkeypatch.setattr(workers, "_PAUSES", (0.0,))


def test_the_command_writes_the_same_file_whatever_jobs_is(tmp_path: Path) -> None:
    source = corpus(tmp_path / "set.jsonl")
    for jobs in ("1", "3"):
        result = run(source, "-o", tmp_path / f"{jobs}.jsonl", "--samples", "2", "--jobs", jobs)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "3.jsonl").read_bytes()
    failures = records(tmp_path / "1.failures.jsonl")
    assert {(failure["index"], failure["reason"]) for failure in failures} == {(5, "crashed")}
    done = [record["index"] for record in records(tmp_path / "1.jsonl")]
    assert sorted(done + [failure["index"] for failure in failures]) == sorted(list(range(12)) * 2)
    assert str(len(done)) in result.output
    assert "× crashed" in result.output


def test_bad_input_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    source = tmp_path / "set.jsonl"
    source.write_text('{"instruction": "a", "response": "x = 1"}\nnonsense\n')
    result = run(source, "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 0
    assert f"{source.as_posix()}:2" in result.output
    assert len(records(tmp_path / "out.jsonl")) == 1


@pytest.mark.parametrize("cut", [0, 1, 500, -1, -2, -300])
def test_a_torn_file_is_gone_on_with_and_nothing_is_lost_or_doubled(tmp_path: Path, cut: int) -> None:
    source = corpus(tmp_path / "set.jsonl")
    command = (source, "-o", tmp_path / "out.jsonl", "--samples", "3", "--jobs", "1")
    assert run(*command).exit_code == 0
    files = [tmp_path / "out.jsonl", tmp_path / "out.failures.jsonl"]
    whole = [file.read_bytes() for file in files]
    for torn in files:
        content = torn.read_bytes()
        torn.write_bytes(content[:cut])
        assert run(*command).exit_code == 0
        # Order may change where a file was hurt in the middle; what is there may not.
        assert [sorted(file.read_bytes().splitlines()) for file in files] == [
            sorted(content.splitlines()) for content in whole
        ]


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    source = corpus(tmp_path / "set.jsonl")
    script = tmp_path / "killed.py"
    here = Path(__file__).parent
    script.write_text(
        "import os, sys\n"
        f"sys.path[:0] = [{str(here.parent)!r}, {str(here)!r}]\n"
        "import typer, test_synthesis as t\n"
        "left = iter(range(int(sys.argv.pop())))\n"
        "class Killed(t.Output):\n"
        "    def write(self, place, outcome):\n"
        "        if next(left, None) is None:\n"
        "            self._files[0].write(b'{\"edit_path\": [')\n"
        "            self._files[0].flush()\n"
        "            os._exit(9)\n"
        "        super().write(place, outcome)\n"
        "t.commands.Output = Killed\n"
        "t.commands.PylintPool = lambda *_, **__: t.InlineLinter(lint=t.flaky)\n"
        "typer.run(t.commands.synthesize)\n"
    )
    command = ["-o", str(tmp_path / "out.jsonl"), "--samples", "2", "--jobs", "1", str(source)]
    killed = [sys.executable, str(script), *command]
    for programs, lines in (("3", 6), ("8", 20)):
        process = subprocess.run([*killed, programs], capture_output=True, check=False)
        assert process.returncode == 9, process.stderr
        assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == lines
    assert run(*command).exit_code == 0
    assert run("-o", tmp_path / "whole.jsonl", *command[2:]).exit_code == 0
    for ending in (".jsonl", ".failures.jsonl"):
        assert (tmp_path / f"out{ending}").read_bytes() == (tmp_path / f"whole{ending}").read_bytes()


def test_another_run_does_not_go_on_with_the_file(tmp_path: Path) -> None:
    source = corpus(tmp_path / "set.jsonl")
    output = tmp_path / "out.jsonl"
    assert run(source, "-o", output).exit_code == 0
    before = output.read_bytes()
    other = run(source, "-o", output, "--seed", "2")
    assert other.exit_code == 2
    assert "begun with seed 1, not 2" in other.output
    corpus(source, 13)
    assert run(source, "-o", output).exit_code == 2
    assert output.read_bytes() == before
    with pytest.raises(SettingsError, match="was not made by this command"):
        Output(source, {}, 1)


@pytest.mark.parametrize("other", ["environment", "astroid", "pylint", "lintseq_lsp"])
def test_what_decides_the_findings_is_part_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    command = (corpus(tmp_path / "set.jsonl"), "-o", tmp_path / "out.jsonl")
    assert "Imports resolve against Python 3" in run(*command).output
    if other == "environment":
        monkeypatch.setattr(commands, "find_environment", lambda _: Environment((), (tmp_path,), (3, 12)))
    elif other == "lintseq_lsp":
        monkeypatch.setattr(versions, "__version__", "other")
    else:
        monkeypatch.setattr(versions, "version", lambda name: "other" if name == other else version(name))
    result = run(*command)
    assert result.exit_code == 2
    assert f"begun with {other} " in result.output


def test_where_the_environment_was_found_makes_no_other_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (corpus(tmp_path / "set.jsonl"), "-o", tmp_path / "out.jsonl")
    for origin in ("server", "VIRTUAL_ENV"):
        environment = Environment((), (tmp_path,), (3, 12), origin)
        monkeypatch.setattr(commands, "find_environment", lambda _, found=environment: found)
        result = run(*command)
        assert result.exit_code == 0
        assert f"Imports resolve against Python 3.12: {tmp_path} ({origin})" in result.output


def test_one_run_at_a_time(tmp_path: Path) -> None:
    source = corpus(tmp_path / "set.jsonl")
    (tmp_path / "link.jsonl").symlink_to("out.jsonl")
    assert run(source, "-o", tmp_path / "out.jsonl").exit_code == 0
    description = json.loads((tmp_path / "out.run.json").read_text())
    with Output(tmp_path / "out.jsonl", description, 1):
        for name in ("out.jsonl", "link.jsonl"):
            result = run(source, "-o", tmp_path / name)
            assert result.exit_code == 2
            assert "another run is writing" in result.output
    assert run(source, "-o", tmp_path / "out.jsonl").exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("out.jsonl", "precious\n", "was not made by"),
        ("out.failures.jsonl", "precious\n", "was not made by"),
        ("out.failures.jsonl", '{"instruction": "a", "response": "x = 1"}\n', "was not made by"),
        ("out.run.json", "{", "does not describe a run"),
        ("out.run.json", "[]", "does not describe a run"),
        ("out.run.json", "\udcff", "does not describe a run"),
        ("out.run.json", "{}", "begun with output None"),
    ],
)
def test_what_others_made_is_left_alone(tmp_path: Path, name: str, content: str, reason: str) -> None:
    source = corpus(tmp_path / "set.jsonl")
    (tmp_path / name).write_text(content, errors="surrogateescape")
    result = run(source, "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 2
    assert reason in result.output
    assert (tmp_path / name).read_text(errors="surrogateescape") == content


def test_lines_of_others_between_ours_are_left_alone(tmp_path: Path) -> None:
    command = (corpus(tmp_path / "set.jsonl"), "-o", tmp_path / "out.jsonl")
    assert run(*command).exit_code == 0
    for name in ("out.jsonl", "out.failures.jsonl"):
        ours = (tmp_path / name).read_text()
        for line in ("{}\n", "[]\n"):
            (tmp_path / name).write_text(ours + line)
            result = run(*command)
            assert result.exit_code == 2
            assert "lines that this command did not write" in result.output
            assert (tmp_path / name).read_text() == ours + line
        (tmp_path / name).write_text(ours)


def test_outputs_side_by_side_share_nothing(tmp_path: Path) -> None:
    source = corpus(tmp_path / "set.jsonl")
    for seed, name in enumerate(("run.a.jsonl", "run.b.jsonl", "run.jsonl")):
        result = run(source, "-o", tmp_path / name, "--seed", seed)
        assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.glob("*.run.json")} == {
        "run.a.run.json",
        "run.b.run.json",
        "run.run.json",
    }


def test_a_link_stays_one(tmp_path: Path) -> None:
    source = corpus(tmp_path / "set.jsonl")
    (tmp_path / "disk").mkdir()
    target = tmp_path / "disk" / "made.jsonl"
    (tmp_path / "out.jsonl").symlink_to(target)
    for _ in range(2):
        assert run(source, "-o", tmp_path / "out.jsonl").exit_code == 0
        assert (tmp_path / "out.jsonl").is_symlink()
        whole = target.read_bytes()
        target.write_bytes(whole[:-9])


@pytest.mark.parametrize("output", ["set.jsonl/out.jsonl", "set.jsonl/deep/out.jsonl", "set.jsonl/out"])
def test_an_output_that_cannot_be_written_is_said(tmp_path: Path, output: str) -> None:
    source = corpus(tmp_path / "set.jsonl")
    result = run(source, "-o", tmp_path / output)
    assert result.exit_code == 2
    assert "cannot be written" in result.output


def test_going_on_copies_and_holds_little(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with Output(path, {}, 1) as out:
        for index in range(400):
            outcome = synthesize(program("x" * 10_000, index), Recipe(linter=False), syntax_lint)
            out.write(index, outcome)
    whole = path.read_bytes()
    inode = path.stat().st_ino
    path.write_bytes(whole + b'{"edit_path": [')
    with Output(path, {}, 1) as out:
        assert len(out.done) == out.sequences == 400
    assert path.read_bytes() == whole
    assert path.stat().st_ino == inode
    path.write_bytes(whole.replace(b'"index": 7,', b'"index": 8,'))
    tracemalloc.start()
    with Output(path, {}, 1) as out:  # what is there twice goes, from the middle
        assert len(out.done) == out.sequences == 398
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(whole) / 4


def test_failed_samples_are_tried_again_when_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = corpus(tmp_path / "set.jsonl")
    command = (source, "-o", tmp_path / "out.jsonl", "--samples", "4", "--jobs", "1")
    checks = count()

    def dies_at_times(text: str) -> Report:
        return Report(failure="linter worker died") if next(checks) % 27 > 23 else syntax_lint(text)

    monkeypatch.setattr(commands, "PylintPool", lambda *_, **__: InlineLinter(lint=dies_at_times))
    assert run(*command).exit_code == 0
    made = (tmp_path / "out.jsonl").read_bytes()
    lost = records(tmp_path / "out.failures.jsonl")
    dead = InlineLinter(lint=lambda _: Report(failure="no linter"))
    monkeypatch.setattr(commands, "PylintPool", lambda *_, **__: dead)
    assert run(*command, "--retry-failed").exit_code == 1
    monkeypatch.setattr(commands, "PylintPool", lambda *_, **__: InlineLinter())
    assert run(*command).exit_code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == made  # nothing was lost, and nothing tried untold
    assert records(tmp_path / "out.failures.jsonl") == lost
    result = run(*command, "--retry-failed")
    assert result.exit_code == 0
    assert records(tmp_path / "out.failures.jsonl") == []
    whole = (tmp_path / "out.jsonl").read_bytes()
    assert whole.startswith(made)
    assert whole.count(b"\n") == made.count(b"\n") + len(lost) == 4 * 12
    assert run(source, "-o", tmp_path / "calm.jsonl", *command[3:]).exit_code == 0
    calm = (tmp_path / "calm.jsonl").read_bytes()
    assert sorted(whole.splitlines()) == sorted(calm.splitlines())


def test_the_summary_says_what_counts_all_and_what_this_run(tmp_path: Path) -> None:
    command = (corpus(tmp_path / "set.jsonl"), "-o", tmp_path / "out.jsonl")
    first = run(*command).output
    assert re.search(r"Programs .*100%", first)
    assert re.search(r"failed in this run +1 × crashed", first)
    again = run(*command).output
    for output in (first, again):
        assert re.search(r"sequences in all +11\b", output)
        assert re.search(r"failed samples in all +1\b", output)
    assert "12 (12 done before)" in again
    assert "in this run" not in again
    in_vain = run(*command, "--retry-failed").output
    assert "12 (11 done before)" in in_vain
    assert re.search(r"failed samples in all +1\b", in_vain)
    assert re.search(r"failed in this run +1 × crashed", in_vain)


def test_a_source_without_a_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    source = corpus(tmp_path / "set.jsonl")
    (tmp_path / "sets" / "set.txt").write_bytes(source.read_bytes())
    result = run(tmp_path / "sets", "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 2
    assert f"skipped {(tmp_path / 'sets').as_posix()}: no program in it" in result.output
    assert "the input has no programs" in result.output
    result = run(source, "-p", "this", "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 0
    assert "skipped this.py: no program in it" in result.output


@pytest.mark.parametrize(
    ("package", "said"), [("this", "there are 0"), ("no_such", "'no_such' is installed")]
)
def test_the_benchmark_says_when_there_is_nothing_to_measure(package: str, said: str) -> None:
    script = Path(__file__).parents[1] / "benchmarks" / "lintseq.py"
    process = subprocess.run(
        [sys.executable, script, "--package", package], capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert said in process.stderr
    assert process.stderr.count("\n") == 1


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    assert "name a file" in run("-o", tmp_path / "out.jsonl").output
    assert "no_such_package" in run("-o", tmp_path / "out.jsonl", "-p", "no_such_package").output
    source = corpus(tmp_path / "set.jsonl")
    assert "named twice" in run("-o", tmp_path / "out.jsonl", source, source).output
    assert list(tmp_path.iterdir()) == [source]


def test_packages_and_the_ablation_through_the_command(tmp_path: Path) -> None:
    result = run("-o", tmp_path / "deep" / "out.jsonl", "-p", "json", "--no-linter")
    assert result.exit_code == 0, result.output
    made = records(tmp_path / "deep" / "out.jsonl")
    assert {"json/decoder.py", "json/encoder.py"} <= {record["source_file"] for record in made}
    for record in made:
        assert rebuilt(record["edit_path"]) == record["source_response"].strip()


def test_with_pylint_a_name_never_comes_before_what_it_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "PylintPool", PylintPool)
    source = tmp_path / "set.jsonl"
    code = "import json\n\nvalue = json.loads('1')\nother = 2\n# note\nprint(value)\nprint(json.nothing)"
    source.write_text(json.dumps({"instruction": "", "response": code}))
    assert run(source, "-o", tmp_path / "1.jsonl", "--samples", "8", "--jobs", "1").exit_code == 0
    assert (
        run(source, "-o", tmp_path / "2.jsonl", "--samples", "8", "--jobs", "1", "--baseline").exit_code == 0
    )
    for number in "12":
        paths = [record["edit_path"] for record in records(tmp_path / f"{number}.jsonl")]
        assert len(paths) == 8
        for path in paths:
            added = [line for edit in path for line in edit.split("\n") if line.startswith("+")]
            edits = {line: next(i for i, edit in enumerate(path) if line in edit) for line in added}
            assert edits["+import json"] <= edits["+value = json.loads('1')"] <= edits["+print(value)"]
            assert rebuilt(path) == code
            if number == "1":  # the error that the program has comes in its last edit
                assert edits["+print(json.nothing)"] == len(path) - 1
        ends = {"+print(json.nothing)" in path[-1] for path in paths}
        assert ends == {True} if number == "1" else False in ends
