"""Trains all weights of a Llama or OLMo checkpoint on token files, on CPU or one GPU; stops and resumes.

    python models/train.py --init .work/base --tokens .work/tokens --out .work/run --hours 2
    touch .work/run/stop     # save and stop (Ctrl-C does, too); the same command goes on
    touch .work/run/decay    # begin the decay now

The learning rate rises over WARMUP_STEPS, stays, and falls to zero in the last DECAY_SHARE of --hours, or in
--decay-hours. All is by the clock, so that a slow or busy machine ends in time; a stopped run's clock stands.
While the rate falls, the matrices are rounded in each forward pass to what llama.cpp's Q4_0 keeps of them
(the gradient ignores that), so that the file of 4-bit weights is what was trained.

OUT/state.pt resumes, OUT/model.safetensors is the checkpoint, for `lintseq-lsp model convert`, and
OUT/log.csv has one row a measurement: nats a learned token, on VALIDATION_ROWS rows as they are and as Q4_0.

A GPU is used where there is one. Two CPU cores learn 430 tokens a second at 118 million parameters; a GPU has
room for larger steps: --rows 64 --micro-rows 32 --rate 8e-4, and --no-compile where compiling fails. The
script never ran on a GPU yet: try it for a minute (--hours 0.02) first.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import csv
import os
import signal
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin starve each other on a busy machine
import torch
from network import load, save, targets
from rows import PAD, load_rows
from torch import Tensor

RATE, BETAS, WEIGHT_DECAY, MOST_GRADIENT = 3e-4, (0.9, 0.95), 0.01, 1.0  # AdamW
ROWS, MICRO_ROWS = 4, 2  # of a step; of a forward pass
WARMUP_STEPS, DECAY_SHARE = 30, 0.3
VALIDATION_ROWS, MEASURE_MINUTES, SAVE_MINUTES = 24, 10.0, 15.0
LONGEST_STEP = 60.0  # seconds: what takes longer was stopped or suspended meanwhile, and is not charged
COLUMNS = ("step", "tokens", "seconds", "rate", "training", "validation", "as Q4_0")


def as_q4_0(matrix: Tensor) -> Tensor:
    """What llama.cpp's Q4_0 keeps of a matrix: 32 weights share a scale, their extreme / -8, in float16."""
    blocks = matrix.reshape(-1, 32)
    scale = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
    inverse = torch.where(scale == 0, 0.0, 1 / scale)
    levels = (blocks * inverse + 8.5).floor().clamp(0, 15) - 8
    return (levels * scale.half().float()).reshape(matrix.shape)


def batch(rows: np.ndarray, step: int, size: int) -> Tensor:
    """The rows of a step: each pass over the data has an order of its own, known from the step alone."""
    per_pass = len(rows) // size
    order = np.random.default_rng((0, step // per_pass)).permutation(len(rows))
    chosen = order[(step % per_pass) * size : (step % per_pass + 1) * size]
    return torch.from_numpy(rows[chosen].astype(np.int64))


def learned(ids: Tensor) -> int:
    return int((targets(ids) != PAD).sum())


def rate_share(step: int, spent: float, decay_from: float | None, decay: float) -> float:
    """Of the learning rate: the warm-up, 1, then linearly to 0, which is the end. Times in seconds."""
    left = 1.0 if decay_from is None else 1 - (spent - decay_from) / decay
    return max(0.0, min(1.0, (step + 1) / WARMUP_STEPS) * left)


def train(arguments: argparse.Namespace) -> None:
    out, size, micro = arguments.out, arguments.rows, arguments.micro_rows
    if (arguments.tokens / "tokenizer.json").read_bytes() != (arguments.init / "tokenizer.json").read_bytes():
        raise SystemExit(f"{arguments.tokens} was made with another tokenizer than {arguments.init} has")
    rows = load_rows(arguments.tokens, "train")
    validation = load_rows(arguments.tokens, "validation")[: arguments.validation_rows // micro * micro]
    if size % micro or len(rows) < size or not len(validation):
        raise SystemExit(f"{size} rows a step, {micro} a forward pass: of {len(rows)} and {len(validation)}?")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    network = load(arguments.init, rows.shape[1]).to(device)
    matrices = [p for p in network.model.layers.parameters() if p.ndim == 2]
    others = [network.model.embed_tokens.weight, *(p for p in network.parameters() if p.ndim == 1)]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=arguments.rate, betas=BETAS, fused=True)
    run = torch.compile(network, dynamic=False) if arguments.compile else network
    q4_0 = torch.compile(as_q4_0, dynamic=False) if arguments.compile else as_q4_0
    out.mkdir(parents=True, exist_ok=True)
    step, tokens, spent, decay_from = 0, 0, 0.0, None
    if (out / "state.pt").exists():
        state = torch.load(out / "state.pt", map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        adam.load_state_dict(state["adam"])
        step, tokens, spent, decay_from = state["step"], state["tokens"], state["spent"], state["decay_from"]
        del state
    count = sum(p.numel() for p in network.parameters())
    print(f"{count:,} parameters, {len(rows):,} rows; begins at step {step}, after {spent / 3600:.2f} hours")

    def loss_of(ids: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16):
            return run(ids.to(device))

    @torch.no_grad()
    def round_matrices() -> list[Tensor]:
        """Rounds them in place; returns what they were."""
        exact = [p.detach().clone() for p in matrices]
        for p in matrices:
            p.copy_(q4_0(p))
        return exact

    @torch.no_grad()
    def restore(exact: list[Tensor]) -> None:
        for p, was in zip(matrices, exact, strict=True):
            p.copy_(was)

    @torch.no_grad()
    def measure() -> float:
        pieces = torch.from_numpy(validation.astype(np.int64)).split(micro)
        return sum(loss_of(piece).item() for piece in pieces) / sum(map(learned, pieces))

    def log(training: float, share: float) -> None:
        row = [step, tokens, round(spent), f"{share:.3f}", f"{training:.4f}", f"{measure():.4f}", ""]
        if decay_from is not None:
            exact = round_matrices()
            row[-1] = f"{measure():.4f}"
            restore(exact)
        is_new = not (out / "log.csv").exists()
        with (out / "log.csv").open("a", newline="") as file:
            csv.writer(file).writerows([COLUMNS, row] if is_new else [row])
        print(*row, f"{tokens / max(spent, 1):.0f} tokens/s", flush=True)

    def save_all() -> None:
        state = {"network": network.state_dict(), "adam": adam.state_dict()}
        state |= {"step": step, "tokens": tokens, "spent": spent, "decay_from": decay_from}
        torch.save(state, out / "part.pt")
        (out / "part.pt").replace(out / "state.pt")
        save(network, out, arguments.init)

    signals = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: signals.append(True))
    total = arguments.hours * 3600
    decay = arguments.decay_hours * 3600 if arguments.decay_hours else total * DECAY_SHARE
    recent: list[float] = []
    saved_step, saved = step, time.monotonic()
    measured = last = saved
    while True:
        if decay_from is None and (spent >= total - decay or (out / "decay").exists()):
            decay_from = spent
        share = rate_share(step, spent, decay_from, decay)
        if not share or signals or (out / "stop").exists():
            break
        for group in adam.param_groups:
            group["lr"] = arguments.rate * share
        ids = batch(rows, step, size)
        number = learned(ids)
        exact = round_matrices() if decay_from is not None else None
        loss = 0.0
        for piece in ids.split(micro):
            part = loss_of(piece) / number
            part.backward()
            loss += part.item()
        if exact:
            restore(exact)
        torch.nn.utils.clip_grad_norm_(network.parameters(), MOST_GRADIENT)
        adam.step()
        adam.zero_grad(set_to_none=True)
        now = time.monotonic()
        step, tokens, spent = step + 1, tokens + number, spent + min(now - last, LONGEST_STEP)
        last = now
        recent.append(loss)
        if now - measured >= 60 * arguments.measure_minutes:
            log(float(np.mean(recent)), share)
            recent, measured = [], now
            if now - saved >= 60 * arguments.save_minutes:
                save_all()
                saved_step, saved = step, now
            last = time.monotonic()  # measuring and saving are not charged
    (out / "stop").unlink(missing_ok=True)
    if recent:
        log(float(np.mean(recent)), share)
    if step > saved_step:
        save_all()
    print("stopped: the same command goes on" if share else "finished: convert it, or go on with --init OUT")


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--init", type=Path, required=True, help="checkpoint to begin with")
    parser.add_argument("--tokens", type=Path, required=True, help="folder of token files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=2.0, help="the decay included")
    parser.add_argument("--decay-hours", type=float, help=f"instead of {DECAY_SHARE:.0%} of --hours")
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--rows", type=int, default=ROWS, help="of a step")
    parser.add_argument("--micro-rows", type=int, default=MICRO_ROWS, help="of a forward pass")
    parser.add_argument("--threads", type=int, help="default: torch's")
    parser.add_argument("--validation-rows", type=int, default=VALIDATION_ROWS)
    parser.add_argument("--measure-minutes", type=float, default=MEASURE_MINUTES)
    parser.add_argument("--save-minutes", type=float, default=SAVE_MINUTES)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    return parser


if __name__ == "__main__":
    train(arguments_parser().parse_args())
