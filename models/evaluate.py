"""How good a model's answers are on held-out packages: a table, beside baselines that need no model.

    python models/evaluate.py models/MODEL.gguf --data .work --count 500 --out models/evaluation.md
    python models/evaluate.py A.gguf B.gguf --data .work --count 300 --systems raw:suffix-first-1 copy

Four tasks, at positions of DATA/corpus/held_out.jsonl that the seed alone determines. A line is taken out
and its indentation given (next line), or more of it (half-typed line); two to eight lines are taken out and
their place given (rewrite), or not (next edit: a statement and whatever cannot stand without it).

Systems: `raw:FORMAT` is the greedy answer, `gated:FORMAT` the first that the gate accepts, `eight:FORMAT`
the most probable accepted one of eight. FORMAT is a prompt format or `plain`: the text above the cursor.
`ngram` continues the longest match in the file, else in the training corpus; `copy` takes the line that
followed the most similar other line.
Exact: the answer is the text taken out, white space aside. Similarity: difflib's ratio with it. Findings:
share of answers that give the file a finding it had not (pylint finds no third-party package, before and
after). Yield: share of answers that are not empty and accepted. Needs what the server needs, and no torch.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import difflib
import json
import random
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median

import sequences

from lintseq_lsp.backends.base import Request
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.diffs import Diff
from lintseq_lsp.excerpt import excerpt_around
from lintseq_lsp.gate import Gate
from lintseq_lsp.generation import RESAMPLING, Limits, State, Step, generate, propose, wait
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.prompts import (
    Opening,
    PromptFormat,
    history,
    instruction_fragment,
    last_pretoken,
    next_headers,
    open_block,
)
from lintseq_lsp.runtime import open_gate
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document, indentation

TASKS = ("next line", "half-typed line", "rewrite", "next edit")
SYSTEMS = (
    "raw:suffix-first-1",
    "gated:suffix-first-1",
    "eight:suffix-first-1",
    "raw:paper-1",
    "raw:whole-1",
    "raw:plain",
    "ngram",
    "copy",
)
MOST_LINES = 8  # of an answer where the place is given
FILE_LINES = 400  # longer modules are left out: linting them says nothing more and takes long
NGRAM_ORDER, NGRAM_CHARACTERS, NGRAM_MATCHES = 8, 12_000_000, 200


@dataclass(frozen=True, slots=True)
class Position:
    """`document` is the module without the lines `wanted`, which belong below its first `above` lines.

    `typed` is what is known of them; `final` is the whole module. `placed` says whether the place is told.
    """

    task: str
    document: Document
    above: int
    typed: str
    wanted: tuple[str, ...]
    final: str
    placed: bool = True

    @property
    def expected(self) -> str:
        return "\n".join(self.wanted)[len(self.typed) :].strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is what was written behind `typed`, `document` the module with it (None: no edit)."""

    text: str
    document: Document | None
    milliseconds: float
    accepted: bool | None = None  # by the gate; None where it was not asked


System = Callable[[Position], Answer]


# ---- positions


def positions(records: Sequence[dict[str, str]], task: str, count: int, seed: int) -> list[Position]:
    """`count` positions of a task, spread evenly over the modules."""
    rng = random.Random(f"{seed} {task}")
    found: list[Position] = []
    modules = [r["text"] for r in records if 20 <= r["text"].count("\n") <= FILE_LINES]
    while len(found) < count:
        text = rng.choice(modules)
        module = sequences.parse(text)
        position = _position(module, task, rng)
        if position is not None:
            found.append(position)
    return found


def _position(module: sequences.Module, task: str, rng: random.Random) -> Position | None:
    statement, lines = rng.choice(module.statements), module.lines
    code, last = statement.code, statement.last
    if lines[code].lstrip().startswith(('"', "'", "import ", "from ")):
        return None
    if task == "next edit":
        gone = sequences.closure(
            module, set(range(len(module.statements))), {module.statements.index(statement)}
        )
        out = sequences.own_lines(module, gone)
        kept = sequences.trimmed(module, set(range(len(lines))) - out)
        if len(out) > MOST_LINES or len(kept) < 10 or len(lines) - len(kept) != len(out):
            return None
        wanted = tuple(lines[n] for n in sorted(out))
        document = Document("\n".join(lines[n] for n in kept))
        return Position(task, document, min(out), "", wanted, "\n".join(lines), placed=False)
    if task == "rewrite":
        if not 2 <= last - code <= MOST_LINES:
            return None
        typed = indentation(lines[code])
    else:
        if last - code != 1 or len(lines[code].strip()) < 6:
            return None
        typed = indentation(lines[code])
        if task == "half-typed line":
            typed = lines[code][: len(typed) + rng.randint(2, len(lines[code].strip()) - 3)]
    document = Document("\n".join(lines[:code] + lines[last:]))
    if not check_syntax(document.text).parsed:
        return None  # nothing would be known of the findings it has already
    return Position(task, document, code, typed, tuple(lines[code:last]), "\n".join(lines))


def with_lines(position: Position, added: Sequence[str]) -> Document:
    lines = list(position.document.lines)
    lines[position.above : position.above] = added
    return Document("\n".join(lines))


# ---- systems with a model


class Model:
    """A backend and the gate, asked as the server asks them."""

    def __init__(self, backend: LlamaBackend, gate: Gate) -> None:
        self.backend, self.gate = backend, gate

    def state(self, position: Position, prompt_format: PromptFormat) -> State:
        answer = 24 * MOST_LINES
        budget = self.backend.context - answer - 32

        def cost(line: str) -> int:
            return self.backend.count(f"+{line}\n") + 2

        excerpt = excerpt_around(position.document, position.above, budget, cost)
        shown = history(excerpt.lines(position.document), excerpt.above(position.above), prompt_format)
        return State(position.document, excerpt, (instruction_fragment(""), *shown))

    def opening(self, position: Position, state: State) -> Opening | None:
        if not position.placed:
            return None
        most = MOST_LINES if position.task == "rewrite" else 1
        return Opening(state.excerpt.above(position.above), position.typed, 1, most)

    def request(self, position: Position, state: State, candidates: int) -> Request:
        opening = self.opening(position, state)
        if opening is None:
            begins: tuple[str, ...] = next_headers(len(state.excerpt.numbers), MOST_LINES)
            fragment = ""
        else:
            fragment, begins = open_block(opening)
        sampling = RESAMPLING if candidates > 1 else Request(()).sampling
        one = position.task in TASKS[:2]
        return Request(
            (*state.prompt, fragment),
            begins,
            sampling,
            48 if one else 24 * MOST_LINES,
            1 if one else MOST_LINES + 2,
            candidates,
        )

    def best(self, position: Position, prompt_format: PromptFormat, candidates: int) -> Answer:
        """The greedy answer, or the most probable accepted one of several."""
        start = time.perf_counter()
        state = self.state(position, prompt_format)
        proposals = propose(self.backend, self.request(position, state, candidates), lambda: False)
        took = (time.perf_counter() - start) * 1000
        proposals.sort(key=lambda proposal: -proposal.confidence)
        for proposal in proposals:
            if not isinstance(proposal.diff, Diff) or not proposal.diff.hunks:
                continue
            after = state.after(proposal.diff)
            if not isinstance(after, State):
                continue
            accepted = self.accepts(position, after.document)
            if candidates == 1 or accepted:
                took = took if candidates == 1 else (time.perf_counter() - start) * 1000
                return Answer(_written(position, proposal.diff), after.document, took, accepted)
        return Answer("", None, took)

    def gated(self, position: Position, prompt_format: PromptFormat) -> Answer:
        start = time.perf_counter()
        state = self.state(position, prompt_format)
        baseline = self.gate.baseline(position.document, None)
        limits = Limits(steps=1, lines=MOST_LINES, tokens=24 * MOST_LINES)
        steps = generate(
            state, self.backend, self.gate, baseline, limits=limits, opening=self.opening(position, state)
        )
        for step in steps:
            if isinstance(step, Step) and step.verdict.accepted and isinstance(step.diff, Diff):
                took = (time.perf_counter() - start) * 1000
                return Answer(_written(position, step.diff), step.document, took, True)
        return Answer("", None, (time.perf_counter() - start) * 1000)

    def plain(self, position: Position) -> Answer:
        """The text above the cursor, continued for as many lines as are wanted."""
        start = time.perf_counter()
        state = self.state(position, PromptFormat.PAPER)
        lines = state.excerpt.lines(position.document)[: state.excerpt.above(position.above)]
        text = "\n".join([*lines, position.typed])
        cut = last_pretoken(text)
        wanted = len(position.wanted)
        request = Request(
            (text[:cut],), (text[cut:],), max_tokens=24 * wanted, max_lines=wanted + text[cut:].count("\n")
        )
        written = "".join(piece.text for piece in self.backend.write(request, lambda: False))
        took = (time.perf_counter() - start) * 1000
        added = (position.typed + written[len(text) - cut :]).split("\n")[:wanted]
        document = with_lines(position, added)
        text = "\n".join(added)[len(position.typed) :].strip()
        return Answer(text, document, took, self.accepts(position, document))

    def accepts(self, position: Position, document: Document) -> bool:
        return accepts(self.gate, position, document)


def accepts(gate: Gate, position: Position, document: Document) -> bool:
    baseline = gate.baseline(position.document, None)
    return wait(gate.submit(position.document, document, baseline), lambda: False).accepted


def _written(position: Position, diff: Diff) -> str:
    text = "\n".join(line for hunk in diff.hunks for line in hunk.added)
    return text[len(position.typed) :].strip()


# ---- systems without one

_END = "\0"  # between what stands above and what stands below
_WORDS = re.compile(r"\w+|\n[ \t]*|[ \t]+|[^\w\s\0]")


def ngram(position: Position, corpus: str) -> Answer:
    """What most often follows the longest run of words that occurs in the file, else in the corpus."""
    start = time.perf_counter()
    lines = position.document.lines
    above = "\n".join([*lines[: position.above], position.typed])
    below = "\n".join(lines[position.above :])
    wanted = len(position.wanted)
    written = ""
    for _ in range(40 * wanted):
        words = _WORDS.findall((above + written)[-400:])
        following = ""
        for order in range(min(NGRAM_ORDER, len(words)), 0, -1):
            needle = "".join(words[-order:])
            for haystack in (above + written + _END + below, corpus):
                if following := _most_frequent(needle, haystack):
                    break
            if following:
                break
        if not following or (following[0] == "\n" and written.count("\n") == wanted - 1):
            break
        written += following
    took = (time.perf_counter() - start) * 1000
    return Answer(written.strip(), with_lines(position, (position.typed + written).split("\n")), took)


def _most_frequent(needle: str, haystack: str) -> str:
    found: Counter[str] = Counter()
    at = haystack.find(needle)
    for _ in range(NGRAM_MATCHES):
        if at < 0:
            break
        if match := _WORDS.match(haystack, at + len(needle)):
            found[match[0]] += 1
        at = haystack.find(needle, at + 1)
    return found.most_common(1)[0][0] if found else ""


def copy(position: Position) -> Answer:
    """The lines behind the line that is most like the one above, and that begin with what is typed."""
    start = time.perf_counter()
    lines, typed = position.document.lines, position.typed.strip()
    context = next((line for line in reversed(lines[: position.above]) if line.strip()), "")
    best, score = "", -1.0
    matcher = difflib.SequenceMatcher(b=context.strip(), autojunk=False)
    for number in range(1, len(lines)):
        line = lines[number].strip()
        if number == position.above or not line.startswith(typed) or line == typed or not line:
            continue
        matcher.set_seq1(lines[number - 1].strip())
        if (ratio := matcher.ratio()) > score:
            best, score = "\n".join(lines[number : number + len(position.wanted)]), ratio
    text = best.strip()[len(typed) :]
    took = (time.perf_counter() - start) * 1000
    added = (position.typed + text).split("\n")
    return Answer(text.strip(), with_lines(position, added) if text else None, took)


# ---- the table


def row(answers: Sequence[tuple[Position, Answer]]) -> list[str]:
    exact, similar, findings, yielded = [], [], [], []
    for position, answer in answers:
        given = " ".join(answer.text.split())
        wanted = " ".join(position.expected.split())
        whole = position.placed or (answer.document is not None and answer.document.text == position.final)
        exact.append(given == wanted and whole)
        similar.append(difflib.SequenceMatcher(None, answer.text, position.expected, autojunk=False).ratio())
        findings.append(answer.document is not None and answer.accepted is False)
        yielded.append(bool(given) and answer.accepted is True)
    times = [answer.milliseconds for _, answer in answers]
    shares = (f"{100 * mean(values):.1f} %" for values in (exact, findings, yielded))
    exact_share, findings_share, yield_share = shares
    return [exact_share, f"{mean(similar):.3f}", findings_share, yield_share, f"{median(times):.0f}"]


def systems(
    model: Path | None, names: Sequence[str], gate: Gate, corpus: Path
) -> Iterator[tuple[str, System]]:
    """(label, system) for each name; those without a model once."""
    backend = LlamaBackend(model) if model is not None else None
    for name in names:
        kind, _, format_name = name.partition(":")
        if (backend is None) != (kind in ("ngram", "copy")):
            continue
        if kind == "copy":
            yield name, lambda position: judged(gate, position, copy(position))
        elif kind == "ngram":
            with corpus.open() as file:
                records = [json.loads(line)["text"] for line in file]
            random.Random(0).shuffle(records)
            text = "\n".join(records)[:NGRAM_CHARACTERS]
            yield name, lambda position, text=text: judged(gate, position, ngram(position, text))
        else:
            assert backend is not None
            yield f"{backend.name} {name}", _asked(Model(backend, gate), kind, format_name)


def _asked(model: Model, kind: str, format_name: str) -> System:
    if format_name == "plain":
        return model.plain
    prompt_format = PromptFormat(format_name)
    if kind == "gated":
        return lambda position: model.gated(position, prompt_format)
    return lambda position: model.best(position, prompt_format, 8 if kind == "eight" else 1)


def judged(gate: Gate, position: Position, answer: Answer) -> Answer:
    if answer.document is None:
        return answer
    return replace(answer, accepted=accepts(gate, position, answer.document))


def examples(label: str, answers: Sequence[tuple[Position, Answer]], count: int) -> Iterator[str]:
    for position, answer in answers[:count]:
        above = position.document.lines[max(position.above - 3, 0) : position.above]
        yield f"--- {position.task}, {label}"
        yield "\n".join(above if position.placed else ["(anywhere)"])
        yield f"{position.typed}▮ wanted: {position.expected!r}  written: {answer.text!r}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="*", help="GGUF files")
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/")
    parser.add_argument("--split", default="held_out")
    parser.add_argument("--count", type=int, default=500, help="positions of each task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--examples", type=int, default=0, help="of each task and system, to the terminal")
    parser.add_argument("--out", type=Path, help="the table as Markdown")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    with (arguments.data / "corpus" / f"{arguments.split}.jsonl").open() as file:
        records = [json.loads(line) for line in file]
    gate = open_gate(Settings(gate_timeout=20.0), None)
    table = [
        f"`python {' '.join(sys.argv)}`",
        "",
        "| task | system | exact | similarity | findings | yield | ms (median) |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(table))
    for task in arguments.tasks:
        chosen = positions(records, task, arguments.count, arguments.seed)
        for path in (*arguments.models, None):
            for label, system in systems(
                path, arguments.systems, gate, arguments.data / "corpus" / "train.jsonl"
            ):
                if task == "next edit" and (path is None or label.endswith("plain")):
                    continue  # they cannot tell where
                answers = [(position, system(position)) for position in chosen]
                table.append(f"| {task} | {label} | {' | '.join(row(answers))} |")
                print(table[-1], flush=True)
                for line in examples(label, answers, arguments.examples):
                    print(line)
    gate.linter.close()
    if arguments.out:
        arguments.out.write_text("\n".join(table) + "\n")
