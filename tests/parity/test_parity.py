"""The same weights in transformers' `OlmoForCausalLM` and in llama.cpp; `make test-parity` runs it.

Needs torch and transformers (the extra `parity`), so the ordinary suite does not collect it.
"""

import json
import random
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from llama_oracle import loaded
from make_tokenizer_cases import ODD, odd_line, texts
from tiny_checkpoint import PUBLISHED, TINY, tokenizer, write_checkpoint
from tokenizers import Tokenizer
from transformers import OlmoForCausalLM

from lintseq_lsp.weights.checkpoint import Shape
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import Type


@pytest.mark.parametrize(
    "shape",
    [TINY, replace(TINY, key_heads=2, clip=0.5, tied=False), PUBLISHED],
    ids=["tiny", "grouped, clipped, untied", "published shapes"],
)
def test_same_logits_and_the_same_greedy_tokens(shape: Shape, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", shape)
    convert(folder, tmp_path / "m.gguf", name="tiny", kind=Type.F32)
    reference = OlmoForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = np.random.default_rng(3).integers(0, shape.rows, 20).tolist()
    with loaded(tmp_path / "m.gguf") as model, torch.no_grad():
        expected = reference(torch.tensor([tokens])).logits[0].numpy()
        got = model.logits(tokens)
        assert np.abs(got - expected).max() < 1e-2
        for _ in range(20):
            following = int(reference(torch.tensor([tokens])).logits[0, -1].argmax())
            assert int(model.logits(tokens)[-1].argmax()) == following
            tokens.append(following)


def test_pytorch_file_gives_the_file_that_safetensors_gives(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    convert(folder, tmp_path / "safe.gguf", name="m")
    model = OlmoForCausalLM.from_pretrained(folder, dtype=torch.float32)
    (folder / "model.safetensors").unlink()
    state = {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    torch.save(state, folder / "pytorch_model.bin")
    convert(folder, tmp_path / "torch.gguf", name="m")
    assert (tmp_path / "torch.gguf").read_bytes() == (tmp_path / "safe.gguf").read_bytes()


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    from lintseq_lsp.errors import ModelFileError

    folder = write_checkpoint(tmp_path / "checkpoint")
    (folder / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": Path("anything that runs code")}, folder / "pytorch_model.bin")
    with pytest.raises(ModelFileError, match="plain weights"):
        convert(folder, tmp_path / "m.gguf", name="m")


def test_same_ids_on_thousands_of_lines(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", PUBLISHED)
    convert(folder, tmp_path / "m.gguf", name="m")
    reference = Tokenizer.from_str(json.dumps(tokenizer(PUBLISHED.rows)))
    assert reference.token_to_id("<pad>") == 50280
    assert reference.token_to_id("<|diff|>") == 50281
    source = random.Random(9)
    with loaded(tmp_path / "m.gguf", vocabulary_only=True) as model:
        for text in [*texts(2000), *ODD, *(odd_line(source) for _ in range(2000))]:
            ids = reference.encode(text, add_special_tokens=False).ids
            assert model.tokens(unicodedata.normalize("NFC", text)) == ids, text
