"""The training scripts: the shipped file is taken apart exactly, and trained further from there."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import verify
from lintseq_lsp.weights.registry import embedded

MODELS = Path(__file__).parents[2] / "models"
STEPS = 30


def script(name: str, *arguments: object) -> None:
    subprocess.run([sys.executable, str(MODELS / name), *map(str, arguments)], check=True, timeout=200)


def logged(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    script("unpack.py", embedded()[0].path, "--out", folder)
    return folder


def test_taken_apart_and_put_together_the_model_is_the_same_file(unpacked: Path, tmp_path: Path) -> None:
    file = embedded()[0].path
    metadata = {"lintseq.prompt_format": verify(file).prompt_format.value}
    convert(unpacked, tmp_path / "again.gguf", name=file.stem, metadata=metadata)
    assert (tmp_path / "again.gguf").read_bytes() == file.read_bytes()


def test_training_goes_on_from_it_and_from_its_own_checkpoint(unpacked: Path, tmp_path: Path) -> None:
    corpus, tokens, out = tmp_path / "corpus", tmp_path / "tokens", tmp_path / "out"
    corpus.mkdir()
    text = (MODELS / "sequences.py").read_text("utf-8")
    for split in ("train", "validation"):
        record = {"package": "ours", "path": "sequences.py", "text": text}
        (corpus / f"{split}.jsonl").write_text(json.dumps(record) + "\n", "utf-8")
    script("sequences.py", "--data", tmp_path, "--tokenizer", unpacked / "tokenizer.json")
    assert np.load(tokens / "train-000.npy").dtype == np.uint16
    options = ["--init", unpacked, "--tokens", tokens, "--out", out, "--rows", 1, "--validation-rows", 4]
    options += ["--steps", STEPS, "--no-compile", "--threads", 1]
    command = [sys.executable, MODELS / "finetune.py", *options]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        for line in first.stdout:
            if line.startswith(b"1 "):  # the first measurement
                first.terminate()
    assert first.returncode == 0
    assert int(logged(out)[-1]["step"]) < STEPS
    script("finetune.py", *options)
    rows = logged(out)
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(steps), "the second run did not go on where the first was stopped"
    assert steps[-1] >= STEPS
    assert float(rows[-1]["validation"]) < float(rows[0]["validation"])
    convert(out, tmp_path / "further.gguf", name="further")
    assert verify(tmp_path / "further.gguf").boundary == verify(embedded()[0].path).boundary
