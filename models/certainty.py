"""What the setting `lintseq.certainty` does: how much ghost text it leaves, and how much of that is right.

    python models/certainty.py models/MODEL.gguf --data .work --count 500

At the positions of evaluate.py. Deliberately absent: the gate, which rejects independently of this.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import math
from contextlib import closing
from pathlib import Path

from evaluate import Judge, Model
from positions import HALF_TYPED, NEXT_LINE, modules_of, positions

from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.generation import propose
from lintseq_lsp.prompts import PromptFormat

LEAST = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


def answers(model: Model, data: Path, task: str, count: int, seed: int) -> list[tuple[float, bool]]:
    """The log-probability of each greedy answer (-inf without one), and whether it is exactly right."""
    modules = modules_of(data / "corpus" / "held_out.jsonl")
    known = data / "evaluation" / f"positions-held_out-{seed}.jsonl"
    found = []
    for position in positions(modules, task, range(count), seed, model.judge.lint, known):
        request = model.request(position, state := model.state(position, PromptFormat.SUFFIX_FIRST))
        (proposal,) = propose(model.backend, request, lambda: False)
        written = model.written(position, state, [proposal])
        logprob = proposal.line_logprobs[0] if written else -math.inf
        found.append((logprob, bool(written) and position.is_exact(written[0].document)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path(".work"))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| task | certainty | shown | exact, of those shown | of the exact ones shown |")
    print("|---|---|---|---|---|")
    with closing(LlamaBackend(arguments.model)) as backend, closing(Judge()) as judge:
        model = Model(backend, judge)
        rows_of = {
            task: answers(model, arguments.data, task, arguments.count, arguments.seed)
            for task in (NEXT_LINE, HALF_TYPED)
        }
    for task, rows in rows_of.items():
        right = sum(exact for _, exact in rows)
        for least in LEAST:
            floor = math.log(least) if least else -1e9
            shown = [exact for logprob, exact in rows if logprob >= floor]
            shares = (len(shown) / len(rows), sum(shown) / max(len(shown), 1), sum(shown) / max(right, 1))
            print(f"| {task} | {least} |", " | ".join(f"{share:.1%}" for share in shares), "|")


if __name__ == "__main__":
    main()
