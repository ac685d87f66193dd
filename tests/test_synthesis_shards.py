"""A folder of shards: what is in it, and what survives. Workers that die. Toy workers throughout."""

import gzip
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lintseq_lsp.errors import LinterError, SettingsError
from lintseq_lsp.linters.base import Finding, Report
from lintseq_lsp.synthesis import commands, shards, sources, workers
from lintseq_lsp.synthesis.programs import Program, ProgramOutcome, Recipe, failed, synthesize
from lintseq_lsp.synthesis.shards import Layout, Shards
from lintseq_lsp.synthesis.sources import BadInput, Source
from lintseq_lsp.synthesis.workers import Job, WorkerLost

RANDOM = Recipe(linter=False)


def program(place: int) -> Program:
    return Program(place, "set.jsonl", "Do it.", f"x = {place}\ny = x\nz = y")


def outcome(place: int, reason: str = "") -> ProgramOutcome:
    if reason:
        return failed(program(place), range(1), reason)
    return synthesize(program(place), RANDOM, lambda _: Report(failure="asked"))


def opened(folder: Path, programs: int = 7, size: int = 3, **options: Any) -> Shards:
    return Shards(folder, {"programs": programs, "seed": 1}, Layout(size), **options)


def files(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def made(folder: Path, order: Sequence[int] = range(7), bad: Sequence[int] = ()) -> dict[str, bytes]:
    with opened(folder) as out:
        for place in order:
            out.write(place, outcome(place, "in vain" if place in bad else ""))
        out.finish()
    return files(folder)


# --- the folder ----------------------------------------------------------------------------------


def test_shards_hold_programs_in_order_whatever_order_they_come_in(tmp_path: Path) -> None:
    whole = made(tmp_path / "a", bad=[4])
    other = made(tmp_path / "b", order=[6, 4, 0, 5, 2, 1, 3], bad=[4])
    assert whole.pop("journal.jsonl") != other.pop("journal.jsonl")
    assert whole == other
    assert sorted(whole) == [
        ".lock",
        *(f"data/train-0000{n}-of-00003.jsonl.gz" for n in range(3)),
        "failures.jsonl",
        "manifest.json",
    ]
    assert [record["index"] for record in shards.records(tmp_path / "a")] == [0, 1, 2, 3, 5, 6]
    manifest = shards.read_manifest(tmp_path / "a")
    assert [manifest[name] for name in ("programs", "sequences", "failures")] == [7, 6, 1]
    assert manifest["reasons"] == {"in vain": 1}
    assert [shard["programs"] for shard in manifest["shards"]] == [3, 3, 1]
    assert json.loads(whole["failures.jsonl"])["index"] == 4


@pytest.mark.parametrize("damage", ["journal", "shard", "lost", "part"])
def test_what_is_damaged_is_made_again_and_nothing_else(tmp_path: Path, damage: str) -> None:
    whole = made(tmp_path)
    shard = tmp_path / "data/train-00001-of-00003.jsonl.gz"
    match damage:
        case "journal":
            text = (tmp_path / "journal.jsonl").read_bytes()
            (tmp_path / "journal.jsonl").write_bytes(text[:-9])
        case "shard":
            shard.write_bytes(gzip.compress(b"{}\n"))
        case "lost":
            shard.unlink()
        case "part":
            shard.with_name(shard.name + ".part").write_bytes(b"half")
    with opened(tmp_path) as out:
        jobs = list(out.jobs(map(program, range(7)), range(1)))
        again = {"journal": [6], "shard": [3, 4, 5], "lost": [3, 4, 5], "part": []}[damage]
        assert [job.place for job in jobs] == again
        assert out.programs_done == 7 - len(again)
        if again:
            assert not (tmp_path / "manifest.json").exists()
        for job in jobs:
            out.write(job.place, outcome(job.place))
        out.finish()
    after = files(tmp_path)
    for name in whole.keys() - {"journal.jsonl"}:
        assert after[name] == whole[name]


def test_a_shard_is_whole_or_not_there(tmp_path: Path) -> None:
    with opened(tmp_path) as out:
        for place in (0, 1, 3, 4, 5):
            out.write(place, outcome(place))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["train-00001-of-00003.jsonl.gz"]
    with opened(tmp_path) as out:
        assert [job.place for job in out.jobs(map(program, range(7)), range(1))] == [0, 1, 2, 6]
    with pytest.raises(SettingsError, match="no manifest of a finished run"):
        shards.read_manifest(tmp_path)


def test_another_run_leaves_the_folder_alone(tmp_path: Path) -> None:
    whole = made(tmp_path)
    with pytest.raises(SettingsError, match="begun with seed 1, not 2"):
        Shards(tmp_path, {"programs": 7, "seed": 2}, Layout(3))
    with pytest.raises(SettingsError, match="begun with shard_programs 3, not 4"):
        opened(tmp_path, size=4)
    with opened(tmp_path), pytest.raises(SettingsError, match="another run is writing"):
        opened(tmp_path)
    assert files(tmp_path) == whole
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").touch()
    with pytest.raises(SettingsError, match="was not made by this command"):
        opened(tmp_path / "other")
    with pytest.raises(SettingsError, match="too many"):
        opened(tmp_path / "many", programs=10**6, size=1)


def test_failed_samples_are_tried_again_and_never_for_the_worse(tmp_path: Path) -> None:
    made(tmp_path, bad=[1, 2])
    with opened(tmp_path, retry_failed=True) as out:
        assert [job.place for job in out.jobs(map(program, range(7)), range(1))] == [0, 1, 2]
        for place in range(3):
            out.write(place, outcome(place, "worse"))
        out.finish()
    assert shards.read_manifest(tmp_path)["reasons"] == {"in vain": 2}
    with opened(tmp_path, retry_failed=True) as out:
        for place in range(3):
            out.write(place, outcome(place, "in vain" if place == 2 else ""))
        out.finish()
    assert shards.read_manifest(tmp_path)["reasons"] == {"in vain": 1}
    assert [record["index"] for record in shards.records(tmp_path)] == [0, 1, 3, 4, 5, 6]


def test_a_full_disk_ends_the_run_and_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "set.jsonl"
    rows = [{"instruction": "", "response": f"x = {n}"} for n in range(9)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [str(source), "--no-linter", "--jobs", "1", "--shard-programs", "3", "--output"]
    app = typer.Typer()
    app.command()(commands.synthesize)

    def run(folder: str) -> Any:
        return CliRunner().invoke(app, [*command, str(tmp_path / folder)])

    assert run("whole").exit_code == 0
    written: list[Path] = []
    plain = shards.replace

    def full(path: Path, lines: Any) -> None:
        if path.suffix == ".gz":
            written.append(path)
        if len(written) == 2:
            path.with_name(path.name + ".part").write_bytes(b"half")
            raise OSError(28, "No space left on device")
        plain(path, lines)

    monkeypatch.setattr(shards, "replace", full)
    result = run("out")
    assert result.exit_code == 1
    assert "No space left on device" in result.output
    assert "goes on from here" in result.output
    monkeypatch.setattr(shards, "replace", plain)
    assert run("out").exit_code == 0
    for name in ("manifest.json", "data/train-00001-of-00003.jsonl.gz"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# --- workers -------------------------------------------------------------------------------------


class Mortal:
    """Dies over some programs: of each, as often as it says."""

    def __init__(self, deaths: dict[int, int]) -> None:
        self.deaths = deaths
        self.revived = 0

    def await_ready(self) -> None:
        self.revived += 1

    def make(self, jobs: Sequence[Job]) -> list[ProgramOutcome]:
        for job in jobs:
            if self.deaths.get(job.place, 0):
                self.deaths[job.place] -= 1
                raise WorkerLost("killed")
        return [outcome(job.place) for job in jobs]

    def close(self) -> None: ...


def jobs(count: int) -> Iterator[Job]:
    return (Job(place, program(place), range(1)) for place in range(count))


def test_what_a_worker_died_over_is_given_to_others_and_the_deadly_fails() -> None:
    deaths = {3: 2, 8: 99}
    crew = [Mortal(deaths), Mortal(deaths)]
    results = dict(workers.outcomes(jobs(20), crew, batch=4))
    assert sorted(results) == list(range(20))
    failures = [failure for each in results.values() for failure in each.failures]
    assert [(each["index"], each["reason"]) for each in failures] == [(8, "its worker died 3 times")]
    assert sum(worker.revived for worker in crew) == 2 + 2 + 4


def test_no_job_is_far_ahead_of_the_first_that_is_not_done() -> None:
    taken: list[int] = []
    release = threading.Event()

    class Slow(Mortal):
        def make(self, jobs: Sequence[Job]) -> list[ProgramOutcome]:
            if jobs[0].place == 0:
                assert release.wait(timeout=30)
            return super().make(jobs)

    def counted() -> Iterator[Job]:
        for job in jobs(50):
            taken.append(job.place)
            yield job

    results = workers.outcomes(counted(), [Slow({}), Slow({})], ahead=10)
    places = [next(results)[0] for _ in range(9)]
    assert sorted(places) == list(range(1, 10))
    assert max(taken) < 11
    release.set()
    assert sorted([*places, *(place for place, _ in results)]) == list(range(50))


def test_a_worker_that_cannot_begin_ends_the_run() -> None:
    class Refusing(Mortal):
        def await_ready(self) -> None:
            raise LinterError("another Python")

    with pytest.raises(LinterError, match="another Python"):
        list(workers.outcomes(jobs(3), [Refusing({})]))


# --- bounds --------------------------------------------------------------------------------------


def test_a_program_is_bounded_by_its_size_and_by_checks() -> None:
    long = Program(0, "set.jsonl", "", "\n".join(f"x{n} = {n}" for n in range(20)))

    def reasons(recipe: Recipe) -> list[str]:
        report = Report([Finding("bad", "E9999", "bad", 1)])
        made = synthesize(long, recipe, lambda text: report if text.count("\n") > 1 else Report())
        return [failure["reason"] for failure in made.failures]

    assert reasons(Recipe(samples=2, max_characters=50)) == ["more than 50 characters"] * 2
    assert reasons(Recipe(max_lines=19)) == ["more than 19 lines"]
    assert reasons(Recipe(max_lines=20, max_checks=3)) == ["more than 3 checks"]
    assert reasons(Recipe(max_lines=20, max_checks=40)) == []


# --- sources -------------------------------------------------------------------------------------


def test_columns_of_well_known_data_sets_are_known_and_others_named(tmp_path: Path) -> None:
    rows = [
        {"instruction": "a", "response": "x = 1"},
        {"lang": "python", "problem": "b", "solution": "x = 2"},
        {"lang": "rust", "problem": "b", "solution": "x = 2"},
        {"instruction": "c", "output": "x = 3", "input": ""},
        {"question": "d", "answer": "x = 4"},
    ]
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    items = list(sources.programs(Source(path, "set")))
    assert [item.instruction for item in items if isinstance(item, Program)] == ["a", "b", "c"]
    bad = [item.reason for item in items if isinstance(item, BadInput)]
    assert bad == ["its language is 'rust'", "no text in 'instruction'"]
    items = list(sources.programs(Source(path, "set", ("question", "answer"))))
    assert [item.response for item in items if isinstance(item, Program)] == ["x = 4"]


def test_a_data_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl.gz"
    row = json.dumps({"instruction": "a", "response": "x = 1"}) + "\n"
    path.write_bytes(gzip.compress(row.encode() * 3)[:-8])
    items = list(sources.programs(Source(path, "set")))
    assert isinstance(items[-1], BadInput)
    assert "end-of-stream" in items[-1].reason


def test_a_folder_of_python_files_has_no_other_data(tmp_path: Path) -> None:
    row = json.dumps({"instruction": "a", "response": "x = 1"})
    (tmp_path / "set.jsonl").write_text(row)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "set.jsonl").write_text(row)
    [origin] = sources.of_address(str(tmp_path))
    [item] = sources.programs(origin)
    assert isinstance(item, Program)
    assert item.source_file == f"{tmp_path.as_posix()}/set.jsonl"
    (tmp_path / "a.py").write_text('def f():\n    """Do it."""\n')
    [item] = sources.programs(origin)
    assert isinstance(item, Program)
    assert item.instruction == "Do it."
