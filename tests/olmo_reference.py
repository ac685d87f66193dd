"""OLMo's forward pass in plain NumPy, from the weights of a transformers checkpoint: the tests' oracle.

Source: transformers, models/olmo/modeling_olmo.py (layer norm without weights, rotary halves, SwiGLU).
"""

from collections.abc import Callable, Sequence

import numpy as np

from lintseq_lsp.weights.checkpoint import Matrix, Shape


def logits(shape: Shape, read: Callable[[str], Matrix], tokens: Sequence[int]) -> Matrix:
    """(tokens, rows): the scores of the next token behind each position."""
    head = shape.width // shape.heads
    count = len(tokens)
    angles = np.outer(np.arange(count), shape.rope_base ** (-np.arange(0, head, 2) / head))
    cos, sin = (np.concatenate([part, part], axis=1)[None] for part in (np.cos(angles), np.sin(angles)))

    def norm(x: Matrix) -> Matrix:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled: Matrix = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        return scaled

    def turned(x: Matrix) -> Matrix:
        first, second = x[..., : head // 2], x[..., head // 2 :]
        result: Matrix = x * cos + np.concatenate([-second, first], axis=-1) * sin
        return result

    embedding = read("model.embed_tokens.weight")
    x = embedding[list(tokens)]
    for layer in range(shape.layers):

        def weight(name: str, layer: int = layer) -> Matrix:
            return read(f"model.layers.{layer}.{name}.weight").T

        def heads(name: str, number: int, y: Matrix) -> Matrix:
            z = y @ weight(f"self_attn.{name}_proj")
            if shape.clip is not None:
                z = z.clip(-shape.clip, shape.clip)
            z = z.reshape(count, number, head).swapaxes(0, 1)
            return np.repeat(z, shape.heads // number, axis=0)

        y = norm(x)
        query = turned(heads("q", shape.heads, y))
        key = turned(heads("k", shape.key_heads, y))
        scores = query @ key.swapaxes(1, 2) / np.sqrt(head)
        scores[:, ~np.tri(count, dtype=bool)] = -np.inf
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ heads("v", shape.key_heads, y)).swapaxes(0, 1).reshape(count, shape.width)
        x = x + mixed @ weight("self_attn.o_proj")
        y = norm(x)
        gate = y @ weight("mlp.gate_proj")
        x = x + (gate / (1 + np.exp(-gate)) * (y @ weight("mlp.up_proj"))) @ weight("mlp.down_proj")
    return norm(x) @ (embedding if shape.tied else read("lm_head.weight")).T
