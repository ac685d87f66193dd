"""Fits what says how probable it is that ghost text is right (lintseq_lsp/acceptance.py).

    python models/filter.py --data .work collect models/MODEL.gguf
    python models/filter.py --data .work fit --plot models/filter.png

`collect` asks the server's engine at every fourth key of passages (typist.py) of the validation split, whose
packages are in no other, without a floor. It keeps the features of each beginning of the greedy answer, and
whether that is what comes. A run that was stopped goes on where it was.
`fit` prints the entry of `models/manifest.json`, and the curve beside the one of the model's own probability:
each is fitted on four fifths of the modules and drawn on the fifth that it has not seen. Needs scikit-learn.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import hashlib
import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from certainty import RememberedBackend
from judge import SETTINGS
from positions import modules_of, records
from systems import opened
from typist import Passage, passages

from lintseq_lsp.acceptance import Acceptance, Described
from lintseq_lsp.backends.base import Piece, Request, Stop
from lintseq_lsp.engine import Engine
from lintseq_lsp.runtime import open_gate
from lintseq_lsp.settings import Certainty
from lintseq_lsp.suggestions import Memory
from lintseq_lsp.weights.gguf_header import verify

EVERY = 4  # keys
FOLDS = 5
LEVELS = (0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True, slots=True)
class Seen:
    """A beginning of an answer, by the position that it was an answer at. `rank` 0 is the longest.

    `is_clean` says that the gate accepted it; of those behind the first that it did, nothing is known.
    """

    module: int
    passage: str
    position: int
    rank: int
    features: Mapping[str, float]
    size: int
    is_right: bool
    is_clean: bool


@dataclass(frozen=True)
class Collecting(Acceptance):
    """Is sure of everything, and keeps what it was asked."""

    asked: list[Described] = field(default_factory=list)

    def logprob(self, answer: Described) -> float:
        self.asked.append(answer)
        return 0.0


class GreedyAlone(RememberedBackend):
    """Writes nothing where it is to sample: what the gate rejects is not tried again."""

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        if request.sampling.temperature:
            return (Piece(index, "", 0, 0.0, Stop.END) for index in range(request.candidates))
        self.forget()
        return super().write(request, cancelled)


def seen(engine: Engine, collecting: Collecting, passage: Passage, name: str) -> Iterator[Seen]:
    position, keys = 0, 0
    while position < len(passage.typed):
        if keys % EVERY == 0:
            engine.memory = Memory()
            collecting.asked.clear()
            document = passage.document(position)
            offset = len(passage.above) + position
            outcome = engine.complete(document, offset, certainty=1e-9)
            shown = outcome.suggestions[0].replacements[0].text if outcome.suggestions else None
            for rank, answer in enumerate(collecting.asked):
                text, values = answer.text, answer.features
                is_right = passage.typed.startswith(text, position)
                clean = text == shown
                yield Seen(passage.module, name, position, rank, values, len(text.strip()), is_right, clean)
                if clean:
                    break
        keys += 1
        position += len(passage.key(position))


def collect(arguments: argparse.Namespace, path: Path) -> None:
    modules = modules_of(arguments.data / "corpus" / "validation.jsonl")
    wanted = list(passages(modules, arguments.modules, arguments.keys, 0))
    done = {record["passage"] for record in records(path)}
    collecting = Collecting(0.0)
    with (
        closing(GreedyAlone(opened(arguments.model, arguments.threads))) as backend,
        path.open("a") as file,
    ):
        engine = Engine(
            backend,
            open_gate(SETTINGS),
            prompt_format=verify(arguments.model).prompt_format(),
            settings=SETTINGS,
            certainty=Certainty(acceptance=collecting),
        )
        for number, passage in enumerate(wanted, 1):
            name = hashlib.sha256(repr(passage).encode()).hexdigest()[:16]
            if name not in done:
                found = list(seen(engine, collecting, passage, name))
                file.write("".join(json.dumps(asdict(each)) + "\n" for each in found))
                file.flush()
            print(f"\r{number} of {len(wanted)} passages", end="", file=sys.stderr, flush=True)
        engine.gate.linter.close()


def matrix(found: Sequence[Seen], names: Sequence[str]) -> list[list[float]]:
    return [[each.features[name] for name in names] for each in found]


def fitted(found: Sequence[Seen]) -> Acceptance:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = list(found[0].features)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000))
    pipeline.fit(matrix(found, names), [each.is_right for each in found])
    scaler, regression = pipeline[0], pipeline[1]
    scaled = regression.coef_[0] / scaler.scale_
    bias = float(regression.intercept_[0] - (scaled * scaler.mean_).sum())
    return Acceptance(
        round(bias, 4), {name: round(float(w), 4) for name, w in zip(names, scaled, strict=True)}
    )


def by_model(each: Seen) -> float:
    return math.exp(each.features["logprob"])


def by_filter(acceptance: Acceptance, each: Seen) -> float:
    odds = acceptance.bias + sum(acceptance.weights[name] * value for name, value in each.features.items())
    return 1 / (1 + math.exp(-odds))


@dataclass(frozen=True, slots=True)
class Point:
    """At a level: share of positions with something shown, how many of these are right, characters right."""

    level: float
    shown: float
    right: float
    characters: float


def curve(answers: Mapping[tuple[str, int], Sequence[tuple[float, Seen]]]) -> list[Point]:
    """Of what is shown at each position: the longest beginning that is sure enough, if it is clean."""
    points = []
    for level in LEVELS:
        shown = []
        for beginnings in answers.values():
            each = next((each for sure, each in beginnings if sure >= level), None)
            if each is not None and each.is_clean:
                shown.append(each)
        if shown:
            right = [each for each in shown if each.is_right]
            size = sum(each.size for each in right) / len(answers)
            points.append(Point(level, len(shown) / len(answers), len(right) / len(shown), size))
    return points


def fit(arguments: argparse.Namespace, path: Path) -> None:
    found = [Seen(**record) for record in records(path)]
    modules = sorted({each.module for each in found})
    sure: dict[str, dict[tuple[str, int], list[tuple[float, Seen]]]] = {"model": {}, "filter": {}}
    for fold in range(FOLDS):
        held = set(modules[fold::FOLDS])
        acceptance = fitted([each for each in found if each.module not in held])
        for each in found:
            if each.module in held:
                place = each.passage, each.position
                sure["model"].setdefault(place, []).append((by_model(each), each))
                sure["filter"].setdefault(place, []).append((by_filter(acceptance, each), each))
    print("| by | level | shown, % | right, % | characters right a position |")
    print("|---|---|---|---|---|")
    curves = {name: curve(answers) for name, answers in sure.items()}
    for name, points in curves.items():
        for p in points:
            print(f"| {name} | {p.level} | {100 * p.shown:.1f} | {100 * p.right:.1f} | {p.characters:.2f} |")
    whole = fitted(found)
    print(json.dumps({"acceptance": asdict(whole)}))
    if arguments.plot:
        plot(curves, arguments.plot)


def plot(curves: Mapping[str, Sequence[Point]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, points in curves.items():
        where = [point.characters for point in points], [100 * point.right for point in points]
        axes.plot(*where, marker="o", markersize=3, label=f"probability by the {name}")
    axes.set(xlabel="characters right, a position", ylabel="suggestions that are right, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/")
    actions = parser.add_subparsers(required=True)
    collecting = actions.add_parser("collect")
    collecting.add_argument("model", type=Path)
    collecting.add_argument("--modules", type=int, default=36)
    collecting.add_argument("--keys", type=int, default=600, help="of each module")
    collecting.add_argument("--threads", type=int)
    collecting.set_defaults(act=collect)
    fitting = actions.add_parser("fit")
    fitting.add_argument("--plot", type=Path, help="the curves as a PNG")
    fitting.set_defaults(act=fit)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    arguments.act(arguments, arguments.data / "evaluation" / "filter-validation.jsonl")


if __name__ == "__main__":
    main()
