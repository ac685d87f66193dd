"""Llama and OLMo in torch. Modules bear transformers' names, so that the state of one is a checkpoint.

A checkpoint is a folder with config.json, model.safetensors, tokenizer.json. Deliberately absent: reading any
other (`lintseq-lsp model convert` takes more), and sampling, which is llama.cpp's.
"""

import json
import shutil
from pathlib import Path

import torch
from rows import GIVEN, PAD
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from lintseq_lsp.weights.checkpoint import LLAMA, OLMO, Shape, read_shape

DESCRIPTION = ("config.json", "tokenizer.json", "tokenizer_config.json")


def norm(shape: Shape) -> nn.Module:
    if shape.architecture is LLAMA:
        return nn.RMSNorm(shape.width, eps=shape.epsilon)
    return nn.LayerNorm(shape.width, eps=shape.epsilon, elementwise_affine=False)


def linear(columns: int, rows: int) -> nn.Linear:
    return nn.Linear(columns, rows, bias=False)


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        query, key = shape.heads * shape.head, shape.key_heads * shape.head
        self.head = shape.head
        self.q_proj, self.o_proj = linear(shape.width, query), linear(query, shape.width)
        self.k_proj, self.v_proj = linear(shape.width, key), linear(shape.width, key)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, length, _ = x.shape
        q, k, v = (
            part(x).view(rows, length, -1, self.head).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape != k.shape)
        return self.o_proj(y.transpose(1, 2).reshape(rows, length, -1))


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


class FeedForward(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = linear(shape.width, shape.inner), linear(shape.width, shape.inner)
        self.down_proj = linear(shape.inner, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = norm(shape), norm(shape)
        self.self_attn, self.mlp = Attention(shape), FeedForward(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.rows, shape.width)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = norm(shape)


class Network(nn.Module):
    """Predicts each next token of rows of at most `context` ids."""

    def __init__(self, shape: Shape, context: int) -> None:
        super().__init__()
        if shape.architecture not in (LLAMA, OLMO) or shape.biases or shape.clip or not shape.tied:
            raise SystemExit(
                "only Llama and OLMo are trained here, without biases and clips, embeddings tied"
            )
        self.model = Body(shape)
        rates = shape.rope_base ** -(torch.arange(0, shape.head, 2).float() / shape.head)
        self.context = context
        angles = torch.outer(torch.arange(context).float(), rates)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def logits(self, ids: Tensor) -> Tensor:
        """(rows, length, vocabulary) of ids (rows, length)."""
        length = ids.shape[1]
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, self.cos[:length], self.sin[:length])
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)

    def forward(self, ids: Tensor) -> Tensor:
        """Sum of the losses in nats of predicting `targets(ids)`."""
        logits = self.logits(ids[:, :-1] % GIVEN).flatten(0, 1).float()
        return F.cross_entropy(logits, targets(ids).flatten(), ignore_index=PAD, reduction="sum")


def targets(ids: Tensor) -> Tensor:
    """What is to be predicted: ids[:, 1:], with <pad> for what is read and not learned."""
    return torch.where(ids < GIVEN, ids, PAD)[:, 1:]


def load(folder: Path, context: int) -> Network:
    network = Network(read_shape(folder), context)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network


def save(network: Network, folder: Path, described: Path) -> None:
    """Writes a checkpoint of float32 tensors; what describes it comes from the checkpoint `described`.

    The context is the one that the network was trained on, whatever its base allowed.
    """
    tensors = {name: p.detach().cpu().contiguous() for name, p in network.named_parameters()}
    save_file(tensors, folder / "part.safetensors", {"format": "pt"})
    (folder / "part.safetensors").replace(folder / "model.safetensors")
    for name in DESCRIPTION:
        if (described / name).exists():
            shutil.copyfile(described / name, folder / name)
    config = json.loads((folder / "config.json").read_text()) | {"max_position_embeddings": network.context}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
