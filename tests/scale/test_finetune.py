"""Sequences, `models/finetune.py`, `lintseq-lsp model convert`, `lintseq-lsp --stdio`: with a tiny model."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from lsp_client import Client, span
from tiny_checkpoint import TINY, TINY_LLAMA, TINY_QWEN2, TINY_QWEN3, tokenizer, write_checkpoint
from transformers import AutoTokenizer

from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.weights.checkpoint import Shape
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import verify

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "models" / "finetune.py"
ALONE = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}

sys.path.insert(0, str(SCRIPT.parent))
finetune = import_module("finetune")
sys.path.remove(str(SCRIPT.parent))

DESCRIPTION = "tokenizer_config.json"
PROGRAMS = {
    "Twice a number.": "def double(x):\n    return x + x",
    "Half a number.": "def half(x):\n    return x / 2",
}


def run(*command: object) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=250, env=os.environ | ALONE, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama without `<|diff|>`, whose embedding has no row to spare."""
    rows = 1 + max(token["id"] for token in tokenizer(0, boundary=False)["added_tokens"])
    folder = tmp_path_factory.mktemp("base")
    write_checkpoint(folder, replace(TINY_LLAMA, rows=rows, context=256), boundary=False)
    description = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}
    (folder / DESCRIPTION).write_text(json.dumps(description))
    return folder


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sequences")
    programs = [{"instruction": words, "response": code} for words, code in PROGRAMS.items()]
    (folder / "programs.jsonl").write_text("".join(json.dumps(program) + "\n" for program in programs))
    output = folder / "sequences"  # of shards
    run(sys.executable, "-m", "lintseq_lsp", "synthesize", folder / "programs.jsonl", "-o", output, "-j", 1)
    return output


def test_what_was_learned_is_served(base: Path, sequences: Path, tmp_path: Path) -> None:
    tuned, model = tmp_path / "tuned", tmp_path / "tuned.gguf"
    options = ["--max_steps", 150, "--learning_rate", 3e-3, "--per_device_train_batch_size", 2]
    options += ["--logging_steps", 50, "--save_strategy", "no", "--report_to", "none"]
    said = run(sys.executable, SCRIPT, "--model", base, "--data", sequences, "--output_dir", tuned, *options)
    assert "2 sequences, 0 without an edit that fits" in said
    conversion = ["model", "convert", tuned, "-o", model, "--type", "F32", "--prompt-format", "paper-1"]
    run(sys.executable, "-m", "lintseq_lsp", *conversion)
    header = verify(model)
    assert header.prompt_format().name == "paper-1"
    assert header.id_of(DIFF) == AutoTokenizer.from_pretrained(tuned).convert_tokens_to_ids("<|diff|>")
    with Client(cwd=ROOT) as client:
        client.initialize({"model": str(model)}, folder=tmp_path)
        for name, (instruction, code) in enumerate(PROGRAMS.items()):
            uri = (tmp_path / f"m{name}.py").as_uri()
            client.open(uri, "")
            asked = {"textDocument": {"uri": uri, "version": 1}, "instruction": instruction}
            answer = client.ask("lintseq/edit", asked)
            assert answer["reason"] == "complete", answer
            (edit,) = answer["edits"]
            assert edit["range"] == span(0, 0, 0)
            assert edit["newText"].strip() == code


@pytest.mark.parametrize(
    "shape", [TINY, TINY_LLAMA, TINY_QWEN2, TINY_QWEN3], ids=["OLMo", "Llama", "Qwen2", "Qwen3"]
)
def test_what_transformers_saves_is_converted(base: Path, tmp_path: Path, shape: Shape) -> None:
    write_checkpoint(tmp_path / "base", shape, boundary=False)
    (tmp_path / "base" / DESCRIPTION).write_bytes((base / DESCRIPTION).read_bytes())
    for part in finetune.opened(str(tmp_path / "base")):
        part.save_pretrained(tmp_path / "saved")
    convert(tmp_path / "saved", tmp_path / "m.gguf", name="m")
    assert verify(tmp_path / "m.gguf").id_of(DIFF) is not None


def test_a_sequence_is_what_the_server_will_ask_for(base: Path) -> None:
    _, words = finetune.opened(str(base))
    boundary, end = words.convert_tokens_to_ids("<|diff|>"), words.eos_token_id
    record = {"source_instruction": " Say. ", "edit_path": ["@@ -0,0 +1 @@\n+x = '<|diff|>'"]}
    made = finetune.encoded(record, words, 200)
    given = [*words.encode("Say.\n"), boundary]
    assert made["input_ids"][: len(given)] == given
    assert made["labels"] == [finetune.IGNORED] * len(given) + made["input_ids"][len(given) :]
    assert made["input_ids"].count(boundary) == 3  # and those characters in the program are text
    assert made["input_ids"][-3:] == [*words.encode("\n"), boundary, end][-3:]
    assert words.decode(made["input_ids"][len(given) : -3]) == "@@ -0,0 +1 @@\n+x = '<|diff|>'\n<|diff|>"


def test_a_long_sequence_ends_behind_a_whole_edit(base: Path) -> None:
    _, words = finetune.opened(str(base))
    edits = [f"@@ -{at},0 +{at + 1} @@\n+{'x' * 20} = {at}" for at in range(9)]
    record = {"source_instruction": "Many.", "edit_path": edits}
    whole = finetune.encoded(record, words, 10_000)["input_ids"]
    boundary = words.convert_tokens_to_ids("<|diff|>")
    *ends, _ = [index + 1 for index, token in enumerate(whole) if token == boundary]  # the last ends it all
    for limit in (ends[1], ends[2] - 1, ends[4] + 3, len(whole) - 1):
        made = finetune.encoded(record, words, limit)
        assert made["input_ids"] == whole[: max(end for end in ends if end <= limit)]
    assert finetune.encoded(record, words, ends[1] - 1) == {"input_ids": [], "labels": []}


def test_a_boundary_of_the_papers_models_is_text_in_code_too(base: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, replace(TINY_LLAMA, context=256))  # `<|diff|>` is there, not marked special
    (tmp_path / DESCRIPTION).write_bytes((base / DESCRIPTION).read_bytes())
    network, words = finetune.opened(str(tmp_path))
    assert network.get_input_embeddings().num_embeddings == TINY_LLAMA.rows
    record = {"source_instruction": "Say.", "edit_path": ["@@ -0,0 +1 @@\n+x = '<|diff|>'"]}
    made = finetune.encoded(record, words, 200)["input_ids"]
    assert made.count(words.convert_tokens_to_ids("<|diff|>")) == 3


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"text": "x"}, "has no column edit_path"),
        ({"source_instruction": "Long." * 99, "edit_path": ["@@ -0,0 +1 @@\n+x = 1"]}, "nothing to learn"),
    ],
)
def test_data_without_anything_to_learn_are_refused(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: object, said: str
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    (tmp_path / "data.jsonl").write_text(json.dumps(record) + "\n")
    _, words = finetune.opened(str(base))
    options = finetune.Options(model=str(base), data=[str(tmp_path / "data.jsonl")], max_length=128)
    with pytest.raises(SystemExit, match=said):
        finetune.sequences(options.data, words, options)
