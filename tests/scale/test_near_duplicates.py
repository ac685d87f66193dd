"""Near-duplicates of a corpus, by MinHash: left out before anything is made of them."""

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import typer
from typer.testing import CliRunner

from lintseq_lsp.synthesis import commands
from lintseq_lsp.synthesis.near_duplicates import NearDuplicates, shingles
from lintseq_lsp.synthesis.programs import Program
from lintseq_lsp.synthesis.screening import NEAR_DUPLICATE, Screening

app = typer.Typer()
app.command()(commands.synthesize)


def function(name: str, lines: int = 30) -> str:
    body = "".join(f"    {name}_{line} = {name}({line}, scale={line} * 2)\n" for line in range(lines))
    return f"def compute_{name}(scale):\n{body}    return {name}_0\n"


def similarity(one: str, other: str) -> float:
    first, second = set(shingles(one)), set(shingles(other))
    return len(first & second) / len(first | second)


def test_the_first_of_those_that_are_alike_stays() -> None:
    alike = NearDuplicates(0.85)
    assert alike.of(function("area")) is None
    assert alike.of(function("mass")) is None
    changed = function("mass").replace("mass(3,", "weight(3,")
    assert similarity(function("mass"), changed) > 0.9
    assert alike.of(changed) == 1
    assert alike.of(function("area").replace("    ", "\t")) == 0  # white space does not count
    assert alike.of("") is None
    assert alike.of(" \n") is None  # and what has no token is like nothing
    assert alike.of("x = 1") is None
    assert alike.of("x=1") == 4
    assert alike.of("x - 1") is None


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.85])
def test_what_is_clearly_alike_is_found_and_what_is_clearly_not_stays(threshold: float) -> None:
    """Four standard deviations of the estimate around the threshold."""
    random = Random(1)
    margin = 4 * (threshold * (1 - threshold) / 128) ** 0.5
    checked = {True: 0, False: 0}
    for trial in range(60):
        text = [f"name{trial}_{at}" for at in range(300)]
        other = list(text)
        for at in random.sample(range(300), int(60 * random.random() ** 2)):
            other[at] = f"other{at}"
        exact = similarity(" ".join(text), " ".join(other))
        if abs(exact - threshold) > margin:
            alike = NearDuplicates(threshold)
            alike.of(" ".join(text))
            assert (alike.of(" ".join(other)) == 0) == (exact > threshold), exact
            checked[exact > threshold] += 1
    assert checked[False] > 5
    assert checked[True] > 5


def test_the_same_order_gives_the_same_answers() -> None:
    random = Random(2)
    texts = [
        function(random.choice("abc") * random.randrange(1, 4), random.randrange(5, 40)) for _ in range(200)
    ]
    programs = [Program(at, "set.jsonl", "", text) for at, text in enumerate(texts)]
    one, other = ([*map(screening.removed, programs)] for screening in (Screening(0.7), Screening(0.7)))
    assert one == other
    removed = [record for record in one if record]
    assert 100 < len(removed) < 200
    stays = {f"set.jsonl:{at}" for at, record in enumerate(one) if record is None}
    assert {record["because_of"] for record in removed} <= stays
    for record in removed:
        assert int(record["because_of"].partition(":")[2]) < record["index"]


def test_the_command_leaves_them_out_of_the_whole_corpus(tmp_path: Path) -> None:
    names = ["area", "mass", "area", "time", "mass"]
    for number, (name, _) in enumerate(pairwise([*names, ""])):
        row = {"instruction": f"{number}.", "response": function(name) + f"print({number})\n"}
        (tmp_path / f"{number}.jsonl").write_text(json.dumps(row))
    sources = [str(tmp_path / f"{number}.jsonl") for number in range(len(names))]
    command = [*sources, "-o", str(tmp_path / "out"), "--no-linter", "--near-duplicates", "0.85"]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["programs"] == 3
    assert manifest["run"]["removed"] == {NEAR_DUPLICATE: 2}
    assert manifest["run"]["near_duplicates"] == 0.85
    assert manifest["run"]["minhash"].startswith("rensa ")
    removed = [json.loads(line) for line in (tmp_path / "out" / "removed.jsonl").read_text().splitlines()]
    assert [(record["source_file"], record["because_of"]) for record in removed] == [
        (sources[2], f"{sources[0]}:0"),
        (sources[4], f"{sources[1]}:0"),
    ]
