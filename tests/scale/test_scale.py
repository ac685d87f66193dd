"""On a Ray cluster that is started here: the same bytes as without one, whatever dies; and who reads them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import datasets
import fsspec
import psutil
import pyarrow
import pyarrow.parquet
import pytest

from lintseq_lsp.errors import LinterError, SettingsError
from lintseq_lsp.linters.environment import find_environment
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.synthesis import cluster, shards, sources
from lintseq_lsp.synthesis.programs import Program, ProgramOutcome, Recipe, synthesize
from lintseq_lsp.synthesis.sources import BadInput
from lintseq_lsp.synthesis.workers import Job, LinterWorker, outcomes

pytestmark = pytest.mark.timeout(280)

PACKAGES = ("json", "textwrap", "shlex", "argparse", "rich", "typer", "astroid", "pylint")
PROGRAMS = 200
LINES = range(4, 15)


def corpus(path: Path, count: int = PROGRAMS) -> Path:
    """Short functions and classes of installed packages."""
    items = (item for name in PACKAGES for item in sources.programs(sources.package(name)))
    short = (item for item in items if isinstance(item, Program) and item.code.count("\n") + 1 in LINES)
    rows = [{"instruction": each.instruction, "response": each.response} for each in islice(short, count)]
    assert len(rows) == count
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "lintseq_lsp", "synthesize", *map(str, arguments)]


def run(*arguments: str | Path) -> None:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=270)
    assert done.returncode == 0, done.stderr


def content(folder: Path) -> dict[str, bytes]:
    """Of all files but what tells the order of things."""
    files = [
        path for path in folder.rglob("*") if path.is_file() and path.name not in {"journal.jsonl", ".lock"}
    ]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def shards_done(folder: Path) -> int:
    journal = folder / "journal.jsonl"
    return journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0


def await_shards(folder: Path, number: int, driver: "subprocess.Popen[bytes]") -> None:
    while shards_done(folder) < number:
        assert driver.poll() is None, "the driver ended before it was killed"
        time.sleep(0.05)


def test_what_dies_changes_no_byte(tmp_path: Path) -> None:
    """A worker is killed, later the driver; the same command goes on from there."""
    source = corpus(tmp_path / "set.jsonl")
    options = (source, "--shard-programs", "10")
    run(*options, "--output", tmp_path / "local", "--jobs", "2")
    there = (*options, "--output", tmp_path / "there", "--engine", "ray", "--jobs", "3")
    driver = subprocess.Popen(command(*there), stderr=subprocess.DEVNULL, start_new_session=True)
    begun: list[psutil.Process] = []
    try:
        await_shards(tmp_path / "there", 3, driver)
        begun = psutil.Process(driver.pid).children(recursive=True)
        actors = [process for process in begun if "_Actor" in "".join(process.cmdline())]
        assert len(actors) == 3
        actors[0].kill()
        await_shards(tmp_path / "there", 6, driver)
        assert not actors[0].is_running()
        begun = psutil.Process(driver.pid).children(recursive=True)
    finally:
        driver.kill()
        driver.wait()
        for process in begun:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    assert not (tmp_path / "there" / "manifest.json").exists()
    first = {path.name: path.stat().st_ino for path in (tmp_path / "there" / "data").glob("train-*.gz")}
    done = shards_done(tmp_path / "there")
    assert done < PROGRAMS // 10
    run(*there)
    assert content(tmp_path / "there") == content(tmp_path / "local")
    kept = [name for name, inode in first.items() if (tmp_path / "there/data" / name).stat().st_ino == inode]
    assert len(kept) >= done  # what was complete was not made again
    made = list(
        datasets.load_dataset(str(tmp_path / "there"), split="train", cache_dir=str(tmp_path / "cache"))
    )
    assert made == list(shards.records(tmp_path / "local"))
    manifest = shards.read_manifest(tmp_path / "local")
    assert (manifest["programs"], manifest["sequences"] + manifest["failures"]) == (PROGRAMS, PROGRAMS)


@pytest.mark.parametrize(
    ("kind", "compression"), [("jsonl", "none"), ("jsonl", "gzip"), ("jsonl", "zstd"), ("parquet", "zstd")]
)
def test_datasets_reads_a_folder_as_it_stands(tmp_path: Path, kind: str, compression: str) -> None:
    rows = [{"instruction": f"No. {n}", "response": "#" * (300 if n in (4, 5) else n + 1)} for n in range(9)]
    source = tmp_path / "set.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    bounds = ("--no-linter", "--max-characters", "100")  # all of the third shard's programs fail
    layout = ("--shard-programs", "2", "--format", kind, "--compression", compression)
    run(source, "--output", tmp_path / "out", *bounds, *layout)
    found = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["source_response"] for row in found] == [
        r["response"] for r in rows if len(r["response"]) < 10
    ]
    assert list(found) == list(shards.records(tmp_path / "out"))
    failures = [json.loads(line) for line in (tmp_path / "out/failures.jsonl").read_text().splitlines()]
    assert [failure["index"] for failure in failures] == [4, 5]


def test_data_files_of_all_kinds_hold_the_same_programs(tmp_path: Path) -> None:
    rows = [{"problem": f"No. {n}", "solution": f"x = {n}", "lang": "python"} for n in range(5)]
    rows[3]["lang"] = "rust"
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (tmp_path / "a.jsonl").write_bytes(text)
    (tmp_path / "b.jsonl.zst").write_bytes(pyarrow.compress(text, "zstd", asbytes=True))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "c.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    (tmp_path / "broken.jsonl.zst").write_bytes(b"nothing")
    found: dict[str, list[tuple[int, str, str]]] = {}
    [folder] = sources.of_address(str(tmp_path))
    bad = []
    for item in sources.programs(folder):
        if isinstance(item, BadInput):
            bad.append(Path(item.place).name)
        else:
            found.setdefault(Path(item.source_file).name, []).append(
                (item.index, item.instruction, item.code)
            )
    expected = [(n, f"No. {n}", f"x = {n}") for n in (0, 1, 2, 4)]
    assert found == dict.fromkeys(("a.jsonl", "b.jsonl.zst", "c.parquet"), expected)
    assert sorted(bad) == ["a.jsonl:4", "b.jsonl.zst:4", "broken.jsonl.zst", "broken.parquet", "c.parquet:4"]


def test_a_data_set_elsewhere_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    there = fsspec.filesystem("memory")
    row = json.dumps({"instruction": "", "response": "x = 1"})
    there.pipe("/set/data/one.jsonl", row.encode())
    there.pipe("/set/README.md", b"no data")
    for _ in range(2):
        [source] = sources.of_address("memory://set")
        assert source.name == "memory:///set/data/one.jsonl"
        [program] = sources.programs(source)
        assert isinstance(program, Program)
        assert program.code == "x = 1"
        there.cat_file = None  # a second time nothing is read
    with pytest.raises(SettingsError, match="has no file that ends in"):
        sources.of_address("memory://nothing")
    with pytest.raises(SettingsError, match="cannot be read"):
        sources.of_address("no-such-protocol://set")


class Fragile:
    """A worker that some programs kill."""

    def await_ready(self) -> None: ...

    def make(self, jobs: Sequence[Job]) -> list[ProgramOutcome]:
        for job in jobs:
            if "poison" in job.program.response:
                os.kill(os.getpid(), signal.SIGKILL)
        recipe = Recipe(linter=False)
        return [synthesize(job.program, recipe, lambda _: pytest.fail("asked")) for job in jobs]

    def close(self) -> None: ...


def with_fragile_workers() -> None:
    """Writes which programs came back, and what failed, on the last line: Ray writes, too."""
    responses = ["poison" if n == 9 else f"x = {n}" for n in range(30)]
    programs = [Program(n, "set.jsonl", "", response) for n, response in enumerate(responses)]
    jobs = [Job(n, program, range(1)) for n, program in enumerate(programs)]
    with cluster.actors(None, 2, Fragile) as workers:
        made = dict(outcomes(jobs, workers, batch=4))
    failures = [[each["index"], each["reason"]] for one in made.values() for each in one.failures]
    sys.stdout.write("\n" + json.dumps([sorted(made), failures]))


def test_a_program_that_kills_its_worker_costs_itself_alone() -> None:
    """Ray in a process of its own: it leaves threads, processes and signal handlers behind."""
    script = [sys.executable, "-c", "import test_scale; test_scale.with_fragile_workers()"]
    done = subprocess.run(script, cwd=Path(__file__).parent, capture_output=True, check=False)
    assert json.loads(done.stdout.splitlines()[-1]) == [list(range(30)), [[9, "its worker died 3 times"]]], (
        done.stderr
    )


def test_a_node_with_other_software_is_refused() -> None:
    expected = {**cluster.software(), "pylint": "0.1"}
    with pytest.raises(LinterError, match=r"has pylint '4.*', not '0\.1'"):
        cluster._Actor(Fragile, expected).await_ready()


def test_no_cluster_is_said() -> None:
    with (
        pytest.raises(LinterError, match=r"no Ray cluster at localhost:1: .*refused"),
        cluster.actors("localhost:1", 1, Fragile),
    ):
        pass


POISON = [
    "x = " + "(" * 5000 + ")" * 5000,
    "x = " + "-" * 20_000 + "1",
    "x = " + "1 + " * 20_000 + "1",
    "x = y" + ".z" * 20_000,
    "x = 'a' * 10 ** 11\nprint(x.upper() + 1)",
    "x = 10 ** 10 ** 10\nprint(x)",
    "x = [0] * 10 ** 9 * 50\nprint(x.y)",
    "\0",
    "while True: pass",
    "x = '''" + "\n" * 5_000 + "'''",
    "import os\nos._exit(3)",
    "raise SystemExit",
]


def test_poisoned_programs_cost_themselves_alone() -> None:
    """Time, memory, recursion, and what would happen if they were run; each between two good ones."""
    good = "import json\n\nprint(json.dumps(1))"
    responses = [text for poison in POISON for text in (good, f"a = 1\n{poison}\nb = 2")] + [good]
    recipe = Recipe(samples=2, timeout=20.0)
    programs = [Program(n, "set.jsonl", "", text) for n, text in enumerate(responses)]
    jobs = [Job(n, program, range(2)) for n, program in enumerate(programs)]
    pool = PylintPool(find_environment(None), memory_limit=500 << 20, start_timeout=120.0)
    made = dict(outcomes(jobs, [LinterWorker(pool, recipe)]))
    assert sorted(made) == list(range(len(responses)))
    assert not [failure for n in range(0, len(responses), 2) for failure in made[n].failures]
    for outcome in made.values():
        assert len(outcome.sequences) + len(outcome.failures) == 2
