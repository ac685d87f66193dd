"""What is left out before synthesis: programs that overlap with a benchmark. Near-duplicates: tests/scale."""

import gzip
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.synthesis import commands
from lintseq_lsp.synthesis.programs import Program
from lintseq_lsp.synthesis.screening import CONTAMINATED, Screening

TASK = "Return the list of all even numbers between one and a given limit."
SOLUTION = "def evens(limit):\n    return [number for number in range(1, limit + 1) if number % 2 == 0]\n"
ITEM = {"task_id": 7, "prompt": TASK, "more": [{"canonical_solution": SOLUTION}], "hint": "easy"}

app = typer.Typer()
app.command()(commands.synthesize)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


def program(instruction: str, response: str = "x = 1", index: int = 0) -> Program:
    return Program(index, "set.jsonl", instruction, response)


def benchmark(path: Path, records: Sequence[Mapping[str, Any]] = ({"other": "text"}, ITEM)) -> Path:
    content = "\n\n".join(map(json.dumps, records)).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def data(path: Path, records: Sequence[tuple[str, str]]) -> Path:
    rows = [json.dumps({"instruction": words, "response": code}) + "\n" for words, code in records]
    path.write_text("".join(rows))
    return path


@pytest.mark.parametrize("name", ["evens.jsonl", "evens.jsonl.gz"])
def test_an_overlap_is_ten_words_in_a_row_of_any_text_of_a_record(tmp_path: Path, name: str) -> None:
    screening = Screening(benchmarks=[benchmark(tmp_path / name)])
    words = TASK.rstrip(".").split()
    ten = " ".join(words[2:12])
    found = screening.removed(program(f"Please, {ten.upper()}!"))
    assert found == {
        "index": 0,
        "source_file": "set.jsonl",
        "reason": CONTAMINATED,
        "because_of": f"{name}:3",  # the line, of which the second is blank
    }
    assert screening.removed(program("No.", f"```python\n# The list\n{SOLUTION}```")) is not None
    assert screening.removed(program(" ".join(words[2:11]))) is None
    assert screening.removed(program(" ".join([*words[2:7], "odd", *words[7:12]]))) is None


def test_how_many_words_are_an_overlap_can_be_said(tmp_path: Path) -> None:
    screening = Screening(benchmarks=[benchmark(tmp_path / "evens.jsonl")], words=4)
    assert screening.removed(program("The list of all odd numbers")) is not None
    assert screening.removed(program("The list of odd numbers")) is None


def test_any_other_file_is_one_text(tmp_path: Path) -> None:
    (tmp_path / "evens.py").write_text(SOLUTION)
    screening = Screening(benchmarks=[tmp_path / "evens.py"])
    found = screening.removed(program("No.", SOLUTION.replace("evens", "even_numbers")))
    assert found is not None
    assert found["because_of"] == "evens.py"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("b.jsonl", b'{"prompt": "too short"}\n', "no text of 10 words"),
        ("b.txt", b"", "no text of 10 words"),
        ("b.jsonl", b"{\n", "cannot be read"),
        ("b.jsonl.gz", b"plain", "cannot be read"),
        ("b.txt", b"\xff\xfe\xff", "cannot be read"),
    ],
)
def test_a_benchmark_in_which_nothing_can_be_looked_for_is_an_error(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        Screening(benchmarks=[tmp_path / name])


def test_what_overlaps_is_counted_written_down_and_not_made(tmp_path: Path) -> None:
    source = data(tmp_path / "set.jsonl", [("One.", "x = 1"), (TASK, "y = 2"), ("Three.", SOLUTION)])
    known = benchmark(tmp_path / "evens.jsonl")
    for place, made in (("out", "manifest.json"), ("out.jsonl", "out.run.json")):
        command = (source, "-o", tmp_path / place, "--no-linter", "--decontaminate", known)
        for _ in range(2):
            result = run(*command)
            assert result.exit_code == 0, result.output
            assert "2 × overlaps with a benchmark" in result.output
        folder = tmp_path / "out" if place == "out" else tmp_path
        description = json.loads((folder / made).read_bytes())
        description = description.get("run", description)
        assert description["programs"] == 1
        assert description["removed"] == {CONTAMINATED: 2}
        [written] = description["benchmarks"]
        assert written["name"] == "evens.jsonl"
        prefix = "" if place == "out" else "out."
        removed = (folder / f"{prefix}removed.jsonl").read_text().splitlines()
        assert [json.loads(line)["index"] for line in removed] == [1, 2]
    (record,) = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert record["index"] == 0
    benchmark(known, [ITEM])
    result = run(*command)
    assert result.exit_code == 2
    assert "begun with benchmarks" in result.output


@pytest.mark.parametrize(
    ("option", "library"), [("--near-duplicates=0.9", "rensa"), ("--report=page.html", "matplotlib")]
)
def test_what_is_not_installed_is_said_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    for module in ("near_duplicates", "report"):
        monkeypatch.delitem(sys.modules, f"lintseq_lsp.synthesis.{module}", raising=False)
    source = data(tmp_path / "set.jsonl", [("One.", "x = 1")])
    result = run(source, "-o", tmp_path / "out", "--no-linter", option)
    assert result.exit_code == 2
    assert "pip install 'lintseq-lsp[quality]'" in result.output
    assert list(tmp_path.iterdir()) == [source]


def test_without_an_output_there_must_be_a_report(tmp_path: Path) -> None:
    result = run(data(tmp_path / "set.jsonl", [("One.", "x = 1")]))
    assert result.exit_code == 2
    assert "--output" in result.output
