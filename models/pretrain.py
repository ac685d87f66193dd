"""Trains a small OLMo on token files, on CPU or on one GPU; stops, resumes and decays on demand.

    python models/pretrain.py --shape tiny --tokens .work/tokens --out .work/tiny --hours 7
    python models/pretrain.py --shape paper --tokens .work/tokens --out .work/paper --hours 0.4  # one GPU
    touch .work/tiny/decay                    # begin the decay now; it takes DECAY_SHARE of --hours

Token files are those of sequences.py (rows.py). OUT/state.pt is written every five minutes and is what the
same command resumes from; OUT/model.safetensors and config.json are transformers' `OlmoForCausalLM`;
OUT/log.csv has one row a measurement, whose tokens are those that were learned. The learning rate is
warm-up, constant, then linear to zero, all by the clock, so that a slow or a busy machine ends in time; or
by --steps instead, so that two runs see the same number of tokens. With --processor-time the clock is what
all threads computed, which compares runs on a busy machine.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import csv
import json
import math
import os
import shutil
import signal
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin starve each other on a busy machine
import torch
from rows import GIVEN, PAD, load_rows
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

VOCABULARY = 4096
BATCH_ROWS = {"cpu": 8, "cuda": 256}  # rows of CONTEXT tokens a step
MICRO_ROWS = {"cpu": 8, "cuda": 32}  # rows a forward pass
MATRIX_RATE, EMBEDDING_RATE = 0.02, 0.002  # Muon; AdamW
MOMENTUM, BETAS, WEIGHT_DECAY = 0.95, (0.9, 0.98), 0.01
WARMUP_STEPS, DECAY_SHARE = 30, 0.25
SAVE_MINUTES, MEASURE_MINUTES, VALIDATION_ROWS = 5, 10, 96
LONGEST_STEP = 60.0  # seconds: what takes longer was stopped or suspended meanwhile, and is not charged


@dataclass(frozen=True)
class Shape:
    """num_hidden_layers, hidden_size, num_attention_heads, intermediate_size of OLMo's configuration."""

    layers: int
    width: int
    heads: int
    inner: int
    context: int = 1024
    vocabulary: int = VOCABULARY
    theta: float = 10000.0


SHAPES = {
    "mini": Shape(4, 192, 3, 512),
    "tiny": Shape(6, 256, 4, 640),
    "small": Shape(8, 320, 5, 832),
    "paper": Shape(12, 768, 12, 3072),
}


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, inner = shape.width, shape.inner
        self.heads = shape.heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, length, width = x.shape
        h = F.layer_norm(x, (width,))
        q, k, v = (p(h).view(rows, length, self.heads, -1).transpose(1, 2) for p in (self.q, self.k, self.v))
        q, k = q * cos + rotated(q) * sin, k * cos + rotated(k) * sin
        y = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(rows, length, width))
        h = F.layer_norm(x, (width,))
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def rotated(x: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


class Olmo(nn.Module):
    """OLMo: LayerNorm without weights, rotary positions, SwiGLU, no biases, tied embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        angles = torch.outer(
            torch.arange(shape.context).float(),
            shape.theta
            ** -(torch.arange(0, shape.width // shape.heads, 2).float() / (shape.width // shape.heads)),
        )
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos(), persistent=False)
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin(), persistent=False)
        for name, parameter in self.named_parameters():
            nn.init.normal_(parameter, std=0.02)
            if name.endswith(("o.weight", "down.weight")):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * shape.layers))

    def forward(self, ids: Tensor) -> Tensor:
        """Sum of the losses in nats of predicting `targets(ids)`. ids: (rows, length)."""
        logits = self.logits(ids).flatten(0, 1)
        return F.cross_entropy(logits, targets(ids).flatten(), ignore_index=PAD, reduction="sum")

    def logits(self, ids: Tensor) -> Tensor:
        """(rows, length - 1, vocabulary): of ids[:, 1:]."""
        length = ids.shape[1]
        x = self.embedding(ids % GIVEN)
        for block in self.blocks:
            x = block(x, self.cos[:length], self.sin[:length])
        x = F.layer_norm(x, (self.shape.width,))[:, :-1]
        return F.linear(x, self.embedding.weight).float()


def targets(ids: Tensor) -> Tensor:
    """What is to be predicted: ids[:, 1:], with <pad> for what is not."""
    return torch.where(ids < GIVEN, ids, PAD)[:, 1:]


# ---- weights in transformers' layout

NAMES = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


def published_name(name: str) -> str:
    if name == "embedding.weight":
        return "model.embed_tokens.weight"
    _, layer, matrix, _ = name.split(".")
    return f"model.layers.{layer}.{NAMES[matrix]}.weight"


def load_model(folder: Path) -> Olmo:
    """The model of a folder with config.json and model.safetensors, for at least the default context."""
    config = json.loads((folder / "config.json").read_text())
    shape = Shape(
        config["num_hidden_layers"],
        config["hidden_size"],
        config["num_attention_heads"],
        config["intermediate_size"],
        max(config["max_position_embeddings"], Shape.context),
        config["vocab_size"],
        config["rope_theta"],
    )
    model, stored = Olmo(shape), load_file(folder / "model.safetensors")
    model.load_state_dict(
        {name: stored[published_name(name)].float() for name, _ in model.named_parameters()}
    )
    return model


def save_model(model: Olmo, folder: Path, tokenizer: Path) -> None:
    """Writes model.safetensors (float16), config.json and the tokenizer's files."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = model.shape
    config = {
        "architectures": ["OlmoForCausalLM"],
        "model_type": "olmo",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rope_theta": shape.theta,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "clip_qkv": None,
        "eos_token_id": 0,
        "pad_token_id": PAD,
        "bos_token_id": None,
        "torch_dtype": "float16",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    weights = {
        published_name(name): p.detach().to("cpu", torch.float16).contiguous()
        for name, p in model.named_parameters()
    }
    save_file(weights, folder / "part.safetensors", {"format": "pt"})
    (folder / "part.safetensors").replace(folder / "model.safetensors")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (tokenizer / name).exists() and tokenizer != folder:
            shutil.copy(tokenizer / name, folder / name)


# ---- Muon: momentum, made orthogonal by five Newton-Schulz steps (Jordan et al. 2024)


def orthogonal(g: Tensor) -> Tensor:
    """The orthogonal factor of each matrix of g (count, m, n), nearly."""
    x = g.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.transpose(1, 2)
    for _ in range(5):
        gram = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x if wide else x.transpose(1, 2)).float()


class Muon(torch.optim.Optimizer):
    """For matrices. Those of one shape are worked on as one batch."""

    def __init__(self, matrices: list[Tensor], rate: float) -> None:
        super().__init__(matrices, {"lr": rate})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        by_shape: dict[torch.Size, list[Tensor]] = {}
        rate = self.param_groups[0]["lr"]
        for p in self.param_groups[0]["params"]:
            by_shape.setdefault(p.shape, []).append(p)
        for shape, matrices in by_shape.items():
            pushed = []
            for p in matrices:
                state = self.state[p]
                momentum = state.setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 1 - MOMENTUM)
                pushed.append(p.grad.lerp(momentum, MOMENTUM))
            scale = max(1.0, shape[0] / shape[1]) ** 0.5
            for p, update in zip(matrices, orthogonal(torch.stack(pushed)), strict=True):
                p.mul_(1 - rate * WEIGHT_DECAY).add_(update, alpha=-rate * scale)


# ---- data


def batch(rows: np.ndarray, step: int, size: int, seed: int = 0) -> Tensor:
    """The rows of a step: each pass over the data has an order of its own, known from the step alone."""
    per_pass = len(rows) // size
    order = np.random.default_rng((seed, step // per_pass)).permutation(len(rows))
    chosen = order[(step % per_pass) * size : (step % per_pass + 1) * size]
    return torch.from_numpy(rows[chosen].astype(np.int64))


def vocabulary_of(tokens: Path) -> int:
    """Tokens of the tokenizer that made the rows, which sequences.py leaves beside them."""
    path = tokens / "tokenizer.json"
    return len(json.loads(path.read_text())["model"]["vocab"]) if path.exists() else VOCABULARY


# ---- the run


def train(arguments: argparse.Namespace) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    rows, validation = (
        load_rows(arguments.tokens, "train"),
        load_rows(arguments.tokens, "validation")[: arguments.validation_rows],
    )
    shape = replace(SHAPES[arguments.shape], vocabulary=vocabulary_of(arguments.tokens))
    model = load_model(arguments.init) if arguments.init else Olmo(shape)
    model.to(device)
    run = torch.compile(model) if arguments.compile else model
    matrices = [p for name, p in model.named_parameters() if not name.startswith("embedding")]
    muon = Muon(matrices, MATRIX_RATE)
    adam = torch.optim.AdamW(
        [model.embedding.weight], lr=EMBEDDING_RATE, betas=BETAS, weight_decay=0.0, fused=device == "cuda"
    )
    step, tokens, spent, decay_from = 0, 0, 0.0, None
    if (out / "state.pt").exists():
        state = torch.load(out / "state.pt", map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        muon.load_state_dict(state["muon"])
        adam.load_state_dict(state["adam"])
        step, tokens, spent, decay_from = state["step"], state["tokens"], state["spent"], state["decay_from"]
    size, micro = (
        arguments.rows or BATCH_ROWS[device],
        min(arguments.rows or MICRO_ROWS[device], MICRO_ROWS[device]),
    )
    total = arguments.steps or arguments.hours * 3600
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"{parameters:,} parameters, {rows.size:,} tokens a pass, {size * rows.shape[1]:,} a step;",
        asdict(model.shape),
    )

    def autocast() -> torch.autocast:
        return torch.autocast(device, torch.bfloat16)

    def measure() -> float:
        model.eval()
        with torch.no_grad(), autocast():
            pieces = torch.from_numpy(validation.astype(np.int64)).split(micro)
            loss = sum(run(piece.to(device)).item() for piece in pieces if len(piece) == micro)
            counted = sum((targets(piece) != PAD).sum().item() for piece in pieces if len(piece) == micro)
        model.train()
        return loss / counted

    def save() -> None:
        state = {"model": model.state_dict(), "muon": muon.state_dict(), "adam": adam.state_dict()}
        state |= {"step": step, "tokens": tokens, "spent": spent, "decay_from": decay_from}
        torch.save(state, out / "part.pt")
        (out / "part.pt").replace(out / "state.pt")
        save_model(model, out, arguments.init or arguments.tokens)

    def log(training_loss: float) -> None:
        row = [step, tokens, round(spent), f"{rate_share:.3f}", f"{training_loss:.4f}", f"{measure():.4f}"]
        new = not (out / "log.csv").exists()
        with (out / "log.csv").open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "tokens", "seconds", "rate", "training", "validation"])
            writer.writerow(row)
        print(*row, f"{tokens / max(spent, 1):.0f} tokens/s", flush=True)

    stopped = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.append(True))
    saved = measured = time.monotonic()
    tick = time.process_time if arguments.processor_time else time.monotonic
    last, recent, rate_share = tick(), [], 0.0
    while not stopped:
        clock = step if arguments.steps else spent
        if decay_from is None and (clock >= total * (1 - DECAY_SHARE) or (out / "decay").exists()):
            decay_from = clock
        left = 1.0 if decay_from is None else 1 - (clock - decay_from) / (total * DECAY_SHARE)
        if left <= 0:
            break
        rate_share = min(1.0, (step + 1) / WARMUP_STEPS) * left
        muon.param_groups[0]["lr"] = MATRIX_RATE * arguments.rate * rate_share
        adam.param_groups[0]["lr"] = EMBEDDING_RATE * arguments.rate * rate_share
        ids = batch(rows, step, size)
        counted = (targets(ids) != PAD).sum().item()
        loss = 0.0
        for piece in ids.to(device).split(micro):
            with autocast():
                piece_loss = run(piece) / counted
            piece_loss.backward()
            loss += piece_loss.item()
        muon.step()
        adam.step()
        model.zero_grad(set_to_none=True)
        step, tokens = step + 1, tokens + counted
        now, ticked = time.monotonic(), tick()
        spent, last = spent + min(ticked - last, LONGEST_STEP), ticked
        recent.append(loss)
        if step in (1, 20, 100) or now - measured > 60 * arguments.measure_minutes:
            log(float(np.mean(recent)))
            recent, measured = [], now
        if now - saved > 60 * arguments.save_minutes:
            save()
            saved = now
    save()
    log(float(np.mean(recent)) if recent else math.nan)


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=Path, default=Path(".work/tokens"), help="folder of token files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="folder of a model to continue from")
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--hours", type=float, default=1.0, help="of the machine's clock, the decay included")
    parser.add_argument("--steps", type=int, help="instead of --hours")
    parser.add_argument("--processor-time", action="store_true", help="--hours of all threads together")
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rates")
    parser.add_argument("--rows", type=int, help="rows of a step, instead of BATCH_ROWS")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--measure-minutes", type=float, default=MEASURE_MINUTES)
    parser.add_argument("--validation-rows", type=int, default=VALIDATION_ROWS, help="of each measurement")
    parser.add_argument("--save-minutes", type=float, default=SAVE_MINUTES)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    return parser


if __name__ == "__main__":
    train(arguments_parser().parse_args())
