"""From programs to a file of sequences: sources, workers, resumption, the command. Toy linters throughout."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.linters.base import Check, Finding, Report
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.synthesis import commands, sources, workers
from lintseq_lsp.synthesis.output import Output
from lintseq_lsp.synthesis.programs import Outcome, Program, Recipe, synthesize
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


def program(code: str, index: int = 0) -> Program:
    return Program(index, "set.jsonl", "Do it.", code, code)


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
    assert sources.code_in(answer) == "x = 1\n\n\ny = 2"
    assert sources.code_in("no code") == "no code"
    quoting = 'TEXT = """\n```python\nx\n```\n"""'
    assert sources.code_in(quoting) == quoting


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
    with pytest.raises(SettingsError, match=r"x\.txt is no"):
        sources.source(tmp_path / "x.txt")


# --- workers -------------------------------------------------------------------------------------


def test_outcomes_come_in_order_from_any_number_of_workers() -> None:
    programs = [program(LOOP + f"x = {index}", index) for index in range(70)]
    results = []
    for jobs in (1, 2, 3):
        linters = [InlineLinter() for _ in range(jobs)]
        results.append(list(workers.outcomes(programs, Recipe(samples=2), linters)))
    assert results[0] == results[1] == results[2]
    assert [outcome.sequences[0]["index"] for outcome in results[0]] == list(range(70))


def test_two_workers_work_at_the_same_time() -> None:
    meeting = threading.Barrier(2)

    def meet(text: str) -> Report:
        meeting.wait(timeout=30)
        return syntax_lint(text)

    programs = [program("x = 1\ny = 2", index) for index in range(2)]
    results = list(workers.outcomes(programs, Recipe(), [InlineLinter(lint=meet), InlineLinter(lint=meet)]))
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
    first, second = workers.outcomes([slow, program(LOOP, 1)], Recipe(timeout=10), [SlowLinter()])
    assert [failure["reason"] for failure in first.failures] == ["not done within 10 s"]
    assert given[:3] == [10, 6, 2]  # a check may take what is left
    assert len(second.sequences) == 1


def test_closing_early_ends_what_runs() -> None:
    started = threading.Event()
    release = threading.Event()

    def block(text: str) -> Report:
        started.set()
        assert release.wait(timeout=30)
        return syntax_lint(text)

    programs = [program(LOOP, index) for index in range(40)]
    running = workers.outcomes(programs, Recipe(), [InlineLinter(lint=block)])
    taken: list[Outcome] = []
    consumer = threading.Thread(target=lambda: taken.append(next(running)))
    consumer.start()
    assert started.wait(timeout=30)
    release.set()
    consumer.join()
    running.close()
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


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture(autouse=True)
def _toy_linter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "PylintPool", lambda *_, **__: InlineLinter(lint=flaky))


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
        "    def write(self, outcome):\n"
        "        if next(left, None) is None:\n"
        "            self._files[0].write(b'{\"edit_path\": [')\n"
        "            self._files[0].flush()\n"
        "            os._exit(9)\n"
        "        super().write(outcome)\n"
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
