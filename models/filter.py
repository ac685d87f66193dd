"""Would a filter know better than the model whether ghost text is right? It would not (models/README.md).

    python models/filter.py --data .work collect models/MODEL.gguf
    python models/filter.py --data .work fit --plot models/filter.png

`collect` asks the model as the server does, at every fourth key of passages (typist.py) of the validation
split, whose packages are in no other. It keeps what is known of each beginning of the greedy answer without
cost, and whether that is what comes. A run that was stopped goes on where it was.
`fit` draws the curve of a logistic regression over that beside the one of the model's own probability. It is
fitted on four fifths of the modules and drawn on the fifth that it has not seen, five times. Needs
scikit-learn. JetBrains describes such a filter for its own completion by a model of this size.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import hashlib
import json
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from certainty import RememberedBackend
from judge import SETTINGS, Judge
from positions import modules_of, records
from systems import opened
from typist import Passage, passages

from lintseq_lsp.asking.complete import silence
from lintseq_lsp.asking.job import Clock, Job
from lintseq_lsp.backends.base import Backend, Piece, Request
from lintseq_lsp.completion import Cursor, answers, cursor_at, stands_there_already
from lintseq_lsp.edits import apply
from lintseq_lsp.formats.base import Edit, PromptFormat, Task, View
from lintseq_lsp.gate import Gate
from lintseq_lsp.proposals import propose
from lintseq_lsp.suggestions import Memory
from lintseq_lsp.text import Document
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


_NAME = re.compile(r"[^\W\d]\w*")
_KINDS = {
    "is_definition": re.compile(r"(?:async\s+def|def|class)\b|@"),
    "is_import": re.compile(r"(?:import|from)\b"),
    "is_control": re.compile(r"(?:if|elif|else|for|while|with|try|except|finally|match|case|async)\b"),
    "is_exit": re.compile(r"(?:return|raise|yield|break|continue|pass|assert|del)\b"),
    "is_assignment": re.compile(r"[\w.\[\], ]+(?::[^=]+)?=[^=]"),
}
"""Of the line that the cursor is on, with the answer. The first that matches counts."""

_WINDOW = 20_000  # characters above the cursor in which names are looked for


def features(cursor: Cursor, text: str, logprobs: Sequence[float]) -> dict[str, float]:
    """What is known of an answer at the cursor, `logprobs` being those of its tokens."""
    typed = cursor.typed.strip()
    line = (cursor.typed + text.partition("\n")[0]).strip()
    above = cursor.document.text[max(0, cursor.offset - _WINDOW) : cursor.offset]
    names = _NAME.findall(text)
    known = [above.rfind(name) for name in names]
    nearest = [above.count("\n", place) for place in known if place >= 0]
    found = {
        "logprob": sum(logprobs),
        "probability": math.exp(sum(logprobs)),
        "mean": sum(logprobs) / len(logprobs),
        "worst": min(logprobs),
        "worst_probability": math.exp(min(logprobs)),
        "first": logprobs[0],
        "tokens": math.log(len(logprobs)),
        "characters": math.log(len(text)),
        "more_lines": float(min(text.count("\n"), 4)),
        "typed": math.log(1 + len(typed)),
        "is_new_line": float(not typed),
        "in_word": float(cursor.typed[-1:].isalnum() or cursor.typed[-1:] == "_"),
        "depth": float(min((len(cursor.typed) - len(cursor.typed.lstrip())) // 4, 4)),
        "names": float(len(names) > 0),
        "known_names": sum(place >= 0 for place in known) / len(names) if names else 1.0,
        "farthest_name": math.log(1 + max(nearest, default=0)),
        "said_before": float(f"\n{cursor.typed}{text}\n" in above),
        "lines_above": math.log(1 + cursor.line),
        "nothing_below": float(not cursor.document.text[cursor.offset :].strip()),
    }
    kind = next((name for name, pattern in _KINDS.items() if pattern.match(line)), "")
    return found | {name: float(name == kind) for name in _KINDS}


@dataclass
class Written:
    """What the backend wrote last, token by token."""

    pieces: list[Piece] = field(default_factory=list)

    def through(self, line: int) -> list[float]:
        """Log-probabilities up to the end of a line (from 0) of the answer, behind the header of its diff."""
        text = "".join(piece.text for piece in self.pieces)
        first = int("@@" in text.partition("\n")[0])
        found, number = [], 0
        for piece in self.pieces:
            if first <= number <= first + line and piece.tokens:
                found.append(piece.logprob)
            number += piece.text.count("\n")
        return found or [0.0]


class Noting(RememberedBackend):
    """Keeps what it writes, once."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.written = Written()

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        self.forget()
        self.written.pieces.clear()
        for piece in super().write(request, cancelled):
            self.written.pieces.append(piece)
            yield piece


def beginnings(
    backend: Noting, gate: Gate, prompt_format: PromptFormat, document: Document, offset: int
) -> Iterator[tuple[str, dict[str, float], bool]]:
    """Of the greedy answer, longest first, through the first that the gate accepts: text, features, clean."""
    cursor = cursor_at(document, offset)
    if silence(cursor, SETTINGS) is not None:
        return
    bar = gate.against(document, cursor.line)
    job = Job(document, bar, backend, Memory(), SETTINGS, prompt_format, lambda: False, Clock())
    question = job.ask(View(document, offset), Task.FILL, SETTINGS.max_lines)
    if question is None:
        return
    (proposal,) = propose(backend, question, lambda: False)
    if not isinstance(proposal.edit, Edit) or not proposal.edit.changes:
        return
    for change in answers(cursor, proposal.edit.changes[0].text):
        if stands_there_already(cursor, change):
            continue
        text = change.text
        clean = job.judge(document.with_text(apply(document.text, [change]))).accepted
        yield text, features(cursor, text, backend.written.through(text.count("\n"))), clean
        if clean:
            return


def seen(
    backend: Noting, gate: Gate, prompt_format: PromptFormat, passage: Passage, name: str
) -> Iterator[Seen]:
    position, keys = 0, 0
    while position < len(passage.typed):
        if keys % EVERY == 0:
            found = beginnings(
                backend, gate, prompt_format, passage.document(position), len(passage.above) + position
            )
            for rank, (text, values, clean) in enumerate(found):
                is_right = passage.typed.startswith(text, position)
                yield Seen(passage.module, name, position, rank, values, len(text.strip()), is_right, clean)
        keys += 1
        position += len(passage.key(position))


def collect(arguments: argparse.Namespace, path: Path) -> None:
    modules = modules_of(arguments.data / "corpus" / "validation.jsonl")
    wanted = list(passages(modules, arguments.modules, arguments.keys, 0))
    done = {record["passage"] for record in records(path)}
    prompt_format = verify(arguments.model).prompt_format()
    with (
        closing(Noting(opened(arguments.model, arguments.threads))) as backend,
        closing(Judge()) as judge,
        path.open("a") as file,
    ):
        for number, passage in enumerate(wanted, 1):
            name = hashlib.sha256(repr(passage).encode()).hexdigest()[:16]
            if name not in done:
                found = list(seen(backend, judge.gate, prompt_format, passage, name))
                file.write("".join(json.dumps(asdict(each)) + "\n" for each in found))
                file.flush()
            print(f"\r{number} of {len(wanted)} passages", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def matrix(found: Sequence[Seen], names: Sequence[str]) -> list[list[float]]:
    return [[each.features[name] for name in names] for each in found]


def fitted(found: Sequence[Seen], names: Sequence[str]) -> Any:
    """A pipeline of scikit-learn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000))
    return pipeline.fit(matrix(found, names), [each.is_right for each in found])


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
    modules, names = sorted({each.module for each in found}), list(found[0].features)
    sure: dict[str, dict[tuple[str, int], list[tuple[float, Seen]]]] = {"model": {}, "filter": {}}
    for fold in range(FOLDS):
        held = set(modules[fold::FOLDS])
        pipeline = fitted([each for each in found if each.module not in held], names)
        unseen = [each for each in found if each.module in held]
        for each, (_, probability) in zip(unseen, pipeline.predict_proba(matrix(unseen, names)), strict=True):
            place = each.passage, each.position
            sure["model"].setdefault(place, []).append((each.features["probability"], each))
            sure["filter"].setdefault(place, []).append((probability, each))
    print("| by | level | shown, % | right, % | characters right a position |")
    print("|---|---|---|---|---|")
    curves = {name: curve(answers) for name, answers in sure.items()}
    for name, points in curves.items():
        for p in points:
            print(f"| {name} | {p.level} | {100 * p.shown:.1f} | {100 * p.right:.1f} | {p.characters:.2f} |")
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
