"""A network's forward pass in plain NumPy, from the weights of a transformers checkpoint: the tests' oracle.

Source: transformers, models/{olmo,llama,qwen2,qwen3}/modeling_*.py: rotary halves and SwiGLU in all; OLMo has
layer norms without weights, the others RMSNorm; Qwen2 has biases, Qwen3 norms over heads.
"""

from collections.abc import Callable, Sequence

import numpy as np

from lintseq_lsp.weights.checkpoint import Matrix, Shape


def logits(shape: Shape, read: Callable[[str], Matrix], tokens: Sequence[int]) -> Matrix:
    """(tokens, rows): the scores of the next token behind each position."""
    head, architecture = shape.head, shape.architecture
    count = len(tokens)
    angles = np.outer(np.arange(count), shape.rope_base ** (-np.arange(0, head, 2) / head))
    cos, sin = (np.concatenate([part, part], axis=1)[None] for part in (np.cos(angles), np.sin(angles)))

    def norm(x: Matrix, name: str) -> Matrix:
        weights = read(f"{name}.weight") if architecture.norms else np.float32(1)
        centred = x if architecture.norms else x - x.mean(axis=-1, keepdims=True)
        scaled: Matrix = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + shape.epsilon)
        return scaled * weights

    def turned(x: Matrix) -> Matrix:
        first, second = x[..., : head // 2], x[..., head // 2 :]
        result: Matrix = x * cos + np.concatenate([-second, first], axis=-1) * sin
        return result

    embedding = read("model.embed_tokens.weight")
    x = embedding[list(tokens)]
    for layer in range(shape.layers):
        here = f"model.layers.{layer}"

        def projected(name: str, x: Matrix, here: str = here) -> Matrix:
            y = x @ read(f"{here}.self_attn.{name}_proj.weight").T
            return y + read(f"{here}.self_attn.{name}_proj.bias") if name in shape.biases else y

        def heads(name: str, number: int, x: Matrix, here: str = here) -> Matrix:
            z = projected(name, x)
            if shape.clip is not None:
                z = z.clip(-shape.clip, shape.clip)
            z = z.reshape(count, number, head)
            if architecture.head_norms and name != "v":
                z = norm(z, f"{here}.self_attn.{name}_norm")
            return np.repeat(z.swapaxes(0, 1), shape.heads // number, axis=0)

        y = norm(x, f"{here}.input_layernorm")
        query = turned(heads("q", shape.heads, y))
        key = turned(heads("k", shape.key_heads, y))
        scores = query @ key.swapaxes(1, 2) / np.sqrt(head)
        scores[:, ~np.tri(count, dtype=bool)] = -np.inf
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ heads("v", shape.key_heads, y)).swapaxes(0, 1).reshape(count, -1)
        x = x + projected("o", mixed)
        y = norm(x, f"{here}.post_attention_layernorm")
        gate, up, down = (read(f"{here}.mlp.{name}_proj.weight").T for name in ("gate", "up", "down"))
        x = x + (y @ gate / (1 + np.exp(-(y @ gate))) * (y @ up)) @ down
    return norm(x, "model.norm") @ (embedding if shape.tied else read("lm_head.weight")).T
