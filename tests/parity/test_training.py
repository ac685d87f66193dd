"""The recipe on a tiny network: the cut, sequences, training that is stopped and goes on, conversion."""

import csv
import json
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tiny_checkpoint import TINY, TINY_LLAMA, byte_alphabet, weights, write_checkpoint
from transformers import LlamaForCausalLM, OlmoForCausalLM

from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.weights.checkpoint import Shape
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import Type, verify
from lintseq_lsp.weights.registry import embedded

MODELS = Path(__file__).parents[2] / "models"
sys.path.insert(0, str(MODELS))
base, network, train = map(import_module, ("base", "network", "train"))
sys.path.remove(str(MODELS))

MARKERS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = [("r", "e"), ("s", "e"), ("se", "l"), ("sel", "f"), ("e", "t"), ("d", "e"), ("de", "f"), ("q", "z")]
VOCABULARY = base.Vocabulary([*MARKERS, *byte_alphabet(), *map("".join, MERGES)], MERGES, special=3)
METADATA = {"lintseq.prompt_format": "suffix-first-1"}


def script(name: str, *arguments: object) -> str:
    command = [sys.executable, str(MODELS / name), *map(str, arguments)]
    return subprocess.run(command, check=True, timeout=250, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of two of our modules, and tiny.gguf with a vocabulary to cut."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "corpus").mkdir()
    for split, name in (("train", "samples"), ("validation", "sequences"), ("held_out", "statements")):
        record = {"package": name, "path": name, "text": (MODELS / f"{name}.py").read_text("utf-8")}
        (folder / "corpus" / f"{split}.jsonl").write_text(json.dumps(record) + "\n", "utf-8")
    shape = replace(TINY_LLAMA, rows=len(VOCABULARY.tokens))
    tokens = [base.RENAMED.get(token, token) for token in VOCABULARY.tokens]
    whole = base.Checkpoint(shape, replace(VOCABULARY, tokens=tokens), weights(shape))
    base.write(whole, folder / "whole")
    convert(folder / "whole", folder / "tiny.gguf", name="tiny", kind=Type.F32)
    return folder


@pytest.fixture(scope="module")
def tokens(data: Path) -> Path:
    """Token files beside the cut checkpoint base/."""
    size = len(VOCABULARY.tokens)
    printed = script("base.py", data / "tiny.gguf", "--data", data, "--size", size - 3)
    assert f"kept: {size - 3} of {size} tokens" in printed
    assert "0 of 20 tensors changed, logits by at most 0.0e+00" in printed
    printed = script("sequences.py", "--data", data, "--context", 512, "--tokens-per-sample", 100)
    assert "of 1 packages samples has most of them, 100.00 %" in printed
    return data / "tokens"


@pytest.mark.parametrize(
    ("shape", "reference"), [(TINY_LLAMA, LlamaForCausalLM), (TINY, OlmoForCausalLM)], ids=["Llama", "OLMo"]
)
def test_same_logits_as_transformers(shape: Shape, reference: type, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, shape)
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, shape.rows, (2, 40)))
    with torch.no_grad():
        expected = reference.from_pretrained(folder, dtype=torch.float32).eval()(ids).logits
        got = network.load(folder, 64).logits(ids)
    assert np.ptp(expected.numpy()) > 5, "logits this alike would prove nothing"
    assert (got - expected).abs().max() < 1e-3


def test_what_is_given_or_padding_is_not_learned() -> None:
    ids = torch.tensor([[5, 6 + network.GIVEN, 7, network.PAD, 8]])
    assert network.targets(ids).tolist() == [[1, 7, 1, 8]]
    assert train.learned(ids) == 2


def test_rounding_is_that_of_gguf() -> None:
    matrix = np.random.default_rng(0).standard_normal((40, 96)).astype(np.float32)
    matrix[3, :32], matrix[4, 5] = 0, 100.0
    stored = gguf.dequantize(
        gguf.quantize(matrix, gguf.GGMLQuantizationType.Q4_0), gguf.GGMLQuantizationType.Q4_0
    )
    assert np.array_equal(train.as_q4_0(torch.from_numpy(matrix)).numpy(), stored)


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    assert train.rate_share(0, 0.0, None, 60.0) == pytest.approx(1 / train.WARMUP_STEPS)
    assert train.rate_share(500, 1e6, None, 60.0) == 1.0
    assert train.rate_share(500, 145.0, 100.0, 60.0) == pytest.approx(0.25)
    assert train.rate_share(500, 170.0, 100.0, 60.0) == 0.0


def logged(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_stops_goes_on_decays_and_is_converted(data: Path, tokens: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = [
        "--init",
        data / "base",
        "--tokens",
        tokens,
        "--out",
        out,
        "--hours",
        1,
        "--decay-hours",
        0.0015,
    ]
    options += ["--rows", 2, "--micro-rows", 1, "--validation-rows", 2, "--rate", 0.003, "--threads", 1]
    options += ["--measure-minutes", 0, "--no-compile"]
    command = [sys.executable, str(MODELS / "train.py"), *map(str, options)]
    for by_file in (True, False):
        before = len(logged(out)) if out.exists() else 0
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
            deadline = time.monotonic() + 120
            while not (out / "log.csv").exists() or len(logged(out)) < before + 2:
                assert run.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            (out / "stop").touch() if by_file else run.terminate()
        assert run.returncode == 0
        assert not (out / "stop").exists()
        assert {row["as Q4_0"] for row in logged(out)} == {""}
    (out / "decay").touch()
    script("train.py", *options)
    rows = logged(out)
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(steps), "a later run did not go on where the one before was stopped"
    assert float(rows[-1]["rate"]) < 0.3
    assert float(rows[-1]["as Q4_0"]) < float(rows[0]["validation"])
    assert "finished" in script("train.py", *options)
    assert logged(out) == rows

    convert(out, tmp_path / "further.gguf", name="further", kind=Type.Q4_0, metadata=METADATA)
    header = verify(tmp_path / "further.gguf")
    assert (header.id_of(DIFF), header.context) == (2, 512)
    script("base.py", tmp_path / "further.gguf", "--whole", "--out", tmp_path / "again")
    trained, stored = (
        load_file(out / "model.safetensors"),
        load_file(tmp_path / "again" / "model.safetensors"),
    )
    for name, tensor in trained.items():
        if "_proj" in name:
            tensor = train.as_q4_0(torch.from_numpy(tensor)).numpy()
            assert np.array_equal(stored[name], tensor), f"{name} is not what the decay trained"


def test_tokens_of_another_tokenizer_are_refused(data: Path, tokens: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(MODELS / "train.py"),
        "--init",
        str(data / "whole"),
        "--tokens",
        str(tokens),
    ]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "was made with another tokenizer" in done.stderr


def test_taken_apart_and_put_together_the_shipped_model_is_the_same_file(tmp_path: Path) -> None:
    file = embedded()[0].path
    script("base.py", file, "--whole", "--out", tmp_path / "whole")
    convert(tmp_path / "whole", tmp_path / "again.gguf", name=file.stem, kind=Type.Q4_0, metadata=METADATA)
    assert (tmp_path / "again.gguf").read_bytes() == file.read_bytes()
