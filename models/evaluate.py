"""How good a model's answers are on held-out packages: a table, beside baselines that need no model.

    python models/evaluate.py models/MODEL.gguf --data .work --out models/evaluation.md
    python models/evaluate.py models/MODEL.gguf --data .work --tasks rewrite --systems copy --count 50
    python models/evaluate.py models/MODEL.gguf --data .work --only-table --out models/evaluation.md

Every answer is appended to DATA/evaluation/ at once: a run that was stopped goes on where it was, and a
later one with more positions or systems adds what is missing.

Tasks (positions.py): a line is taken out and its indentation given (next line), or more of it (half-typed
line); a LintSeq step is taken back and its place not given (next edit); two to eight lines are taken out
as the server takes a selection out, and their place given (rewrite).
Systems: `product` is the greedy answer and, when the gate rejects it, four sampled ones, as the server asks;
`paper` the greedy answer with the history in file order; `eight` eight sampled answers, the most probable
first; `plain` continues the text above; `ngram` and `copy` are those of baselines.py. That one line is wanted
is told to all of them; how many lines a rewrite has, only to those that cannot choose.

Each row is with the gate off (the first answer as it came) or on (the first that the gate accepts).
Answers: share of positions with one that is not empty. Findings: share of those answers that give the file
a finding it had not, by a linter process of its own without any of the gate's shortcuts. Yield: share of
positions with an answer that has none. Exact: the module is whole again, blank lines aside. Similarity:
difflib's ratio with what was taken out. Needs what the server needs, and no torch.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import difflib
import hashlib
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, median

import baselines
from positions import (
    HALF_TYPED,
    NEXT_EDIT,
    NEXT_LINE,
    REWRITE,
    TASKS,
    Position,
    modules_of,
    positions,
    records,
)

from lintseq_lsp.backends.base import CANDIDATES, Request
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.edits import apply
from lintseq_lsp.errors import LinterError
from lintseq_lsp.excerpt import excerpt_around
from lintseq_lsp.formats.base import (
    EXCERPT_TOKENS,
    Edit,
    PromptFormat,
    Question,
    Room,
    Task,
    View,
    changed_lines,
)
from lintseq_lsp.formats.lintseq import History, LintSeq
from lintseq_lsp.generation import RESAMPLING, Proposal, propose
from lintseq_lsp.linters.base import Check, Report, Tier
from lintseq_lsp.reasons import Reason
from lintseq_lsp.repetition import repeated_from
from lintseq_lsp.runtime import open_gate, open_linter
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import finding_key
from lintseq_lsp.weights.registry import resolve_model

PLACED_ONLY = ("ngram", "copy", "plain")  # they cannot tell where
ASKED = {NEXT_LINE: (1, 48), HALF_TYPED: (1, 48), NEXT_EDIT: (8, 160), REWRITE: (12, 288)}  # lines, tokens
MODULE = "untitled.py"
SETTINGS = Settings(gate_timeout=60.0)
REMEMBERED = 64  # reports on what positions have already


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the file of answers: what `system` wrote behind `typed`, and what became of it.

    `is_first` is the first answer as it came, else the first that the gate accepted. `reason` is the
    gate's, "" for an empty answer; `findings` counts the new ones. `writing` and `checking` (by the gate)
    are milliseconds, those of rejected candidates included.
    """

    system: str
    task: str
    number: int
    is_first: bool
    text: str = ""
    exact: bool = False
    similarity: float = 0.0
    reason: str = ""
    findings: int = 0
    writing: float = 0.0
    checking: float = 0.0

    @property
    def accepted(self) -> bool:
        return self.reason == Reason.ACCEPTED.value


@dataclass(frozen=True, slots=True)
class Written:
    """A text behind `typed`, and the document with it."""

    text: str
    document: Document


class Judge:
    """The gate, and a linter process of its own that only measures what the gate let through or not."""

    def __init__(self) -> None:
        self.gate, self._linter = open_gate(SETTINGS), open_linter(SETTINGS, None)
        self._known: dict[str, Report] = {}

    def close(self) -> None:
        self.gate.linter.close()
        self._linter.close()

    def lint(self, text: str) -> Report:
        report = self._linter.submit(Check(text, MODULE, Tier.PYLINT, SETTINGS.gate_timeout)).result()
        if report.failure:
            raise LinterError(report.failure)
        return report

    def reason(self, position: Position, document: Document) -> tuple[Reason, float]:
        """The gate's verdict, and the milliseconds that it took; the baseline is known by then."""
        bar = self.gate.against(position.base)
        start = time.perf_counter()
        verdict = bar.judge(document)
        if verdict.reason is Reason.LINTER_FAILED:
            raise LinterError(verdict.detail)
        return verdict.reason, (time.perf_counter() - start) * 1000

    def findings(self, position: Position, document: Document) -> int:
        base = self._known.get(position.base.text)
        if base is None:
            self._known = dict([*self._known.items()][-REMEMBERED:])
            base = self._known[position.base.text] = self.lint(position.base.text)
        before, after = (
            Counter(map(finding_key, report.findings)) for report in (base, self.lint(document.text))
        )
        return (after - before).total()

    def first(self, system: str, position: Position, written: Sequence[Written], writing: float) -> Answer:
        """The first of what was written, as it came."""
        empty = Answer(system, position.task, position.cut.number, is_first=True, writing=writing)
        return self._scored(empty, position, written[0]) if written else empty

    def accepted(self, system: str, position: Position, written: Sequence[Written], writing: float) -> Answer:
        """The first of what was written that the gate accepts."""
        empty = Answer(system, position.task, position.cut.number, is_first=False, writing=writing)
        checking = 0.0
        for candidate in written:
            reason, milliseconds = self.reason(position, candidate.document)
            checking += milliseconds
            if reason is Reason.ACCEPTED:
                return replace(self._scored(empty, position, candidate), checking=checking)
        return replace(empty, checking=checking)

    def _scored(self, empty: Answer, position: Position, written: Written) -> Answer:
        reason, checking = self.reason(position, written.document)
        matcher = difflib.SequenceMatcher(None, written.text, position.expected, autojunk=False)
        return replace(
            empty,
            text=written.text,
            exact=position.is_exact(written.document),
            similarity=matcher.ratio(),
            reason=reason.value,
            findings=self.findings(position, written.document),
            checking=checking,
        )


# ---- systems


class Model:
    """A backend, asked as the server asks it."""

    def __init__(self, backend: LlamaBackend, judge: Judge) -> None:
        self.backend, self.judge = backend, judge

    def question(self, position: Position, prompt_format: PromptFormat) -> Question:
        lines, tokens = ASKED[position.task]
        room = Room(self.backend.context, lines, tokens)
        if position.placed:
            view, task = View.of_new_lines(position.shown, position.shown_above, position.typed), Task.FILL
        else:
            view, task = View(position.shown, position.shown.offset(position.cursor, 0)), Task.NEXT
        question = prompt_format.ask(view, task, self.backend.count, room)
        assert question is not None, "an excerpt fits every context"
        return question

    def proposals(self, question: Question) -> list[Proposal]:
        return propose(self.backend, question, lambda: False)

    def written(self, position: Position, proposals: Iterable[Proposal]) -> list[Written]:
        """What proposals come to: none for what is no edit, empty, not finished, or repeats itself."""
        found = []
        for proposal in proposals:
            if not isinstance(proposal.edit, Edit):
                continue
            changes = [changed_lines(position.shown, change)[2] for change in proposal.edit.changes]
            if any(repeated_from(added) < len(added) for added in changes):
                continue  # the server, too, takes that for malformed
            added = [line for lines in changes for line in lines]
            if position.placed:
                document = position.with_lines(added)
            else:
                document = Document(apply(position.shown.text, proposal.edit.changes))
            text = "\n".join(added)[len(position.typed) :].strip()
            if text:
                found.append(Written(text, document))
        return found

    def greedy(
        self, system: str, position: Position, prompt_format: PromptFormat, tries: int
    ) -> list[Answer]:
        """The greedy answer; and with `tries`, the first accepted one of it and as many sampled ones."""
        start = time.perf_counter()
        question = self.question(position, prompt_format)
        proposals = self.proposals(question)
        writing = (time.perf_counter() - start) * 1000
        written = self.written(position, proposals)
        first = self.judge.first(system, position, written, writing)
        if not tries:
            return [first]
        is_complete = not position.placed and proposals[0].edit == Edit()
        if first.accepted or is_complete:
            return [first, replace(first, is_first=False)]
        start = time.perf_counter()
        proposals = self.proposals(question.sampled(RESAMPLING, tries))
        writing += (time.perf_counter() - start) * 1000
        written = self.written(position, by_confidence(proposals))
        second = self.judge.accepted(system, position, written, writing)
        return [first, replace(second, checking=second.checking + first.checking)]

    def eight(self, system: str, position: Position, prompt_format: PromptFormat) -> list[Answer]:
        start = time.perf_counter()
        question = self.question(position, prompt_format).sampled(RESAMPLING, CANDIDATES)
        proposals = self.proposals(question)
        writing = (time.perf_counter() - start) * 1000
        written = self.written(position, by_confidence(proposals))
        return [
            self.judge.first(system, position, written, writing),
            self.judge.accepted(system, position, written, writing),
        ]

    def plain(self, system: str, position: Position) -> list[Answer]:
        """The text above the cursor, continued for as many lines as are wanted."""
        start = time.perf_counter()
        tokens = EXCERPT_TOKENS
        lines = excerpt_around(
            position.shown, position.cursor, tokens, lambda line: self.backend.count(f"+{line}\n") + 2
        )
        above = lines.lines(position.shown)[: lines.above(position.shown_above)]
        text = "\n".join([*above, position.typed])
        wanted = len(position.wanted)
        request = Request((text,), max_tokens=48 * wanted, max_lines=wanted)
        written = "".join(piece.text for piece in self.backend.write(request, lambda: False))
        writing = (time.perf_counter() - start) * 1000
        added = (position.typed + written).split("\n")[:wanted]
        return [self.judge.first(system, position, in_place(position, added), writing)]


def by_confidence(proposals: Iterable[Proposal]) -> list[Proposal]:
    return sorted(proposals, key=lambda proposal: -proposal.confidence)


def in_place(position: Position, lines: Sequence[str]) -> list[Written]:
    """Lines that a system without diffs would insert; nothing when they say no more than is typed."""
    text = "\n".join(lines)[len(position.typed) :].strip()
    return [Written(text, position.with_lines(lines))] if text else []


def without_model(
    system: str, position: Position, judge: Judge, lines_of: Callable[[Position], list[str]]
) -> list[Answer]:
    start = time.perf_counter()
    lines = lines_of(position)
    writing = (time.perf_counter() - start) * 1000
    return [judge.first(system, position, in_place(position, lines), writing)]


def opened(path: Path, threads: int | None = None) -> LlamaBackend:
    """The model of a file, in the context that the server gives it."""
    return LlamaBackend(path, threads=threads, context=resolve_model(str(path)).context)


System = Callable[[Position], list[Answer]]


def open_system(name: str, label: str, model: Model, judge: Judge, data: Path) -> System:
    suffix_first, paper = LintSeq(History.SUFFIX_FIRST), LintSeq(History.PAPER)
    match name:
        case "product":
            return lambda position: model.greedy(label, position, suffix_first, SETTINGS.tries)
        case "paper":
            return lambda position: model.greedy(label, position, paper, 0)
        case "eight":
            return lambda position: model.eight(label, position, suffix_first)
        case "plain":
            return lambda position: model.plain(label, position)
        case "ngram":
            grams = baselines.NGrams(data / "corpus" / "train.jsonl", data / "ngrams")
            return lambda position: without_model(
                label, position, judge, partial(baselines.ngram, corpus=grams)
            )
        case "copy":
            return lambda position: without_model(label, position, judge, baselines.copy)
    raise SystemExit(f"no system {name}")


# ---- the file of answers, and the table


def labels(models: Sequence[Path], systems: Sequence[str]) -> Iterator[tuple[Path | None, str, str]]:
    """(model file, system, label in the file of answers): one without a model for all of them."""
    for name in systems:
        if name in ("ngram", "copy"):
            yield None, name, name
        else:
            for model in models:
                digest = hashlib.sha256(model.read_bytes()).hexdigest()[:8]
                yield model, name, f"{model.stem} {digest} {name}"


NAMES = {
    "product": ("greedy", "greedy, then four more"),
    "paper": ("greedy, file order", ""),
    "plain": ("plain continuation", ""),
    "eight": ("eight, sampled", "eight, sampled"),
    "ngram": ("n-grams", ""),
    "copy": ("copied lines", ""),
}


def table(
    answers: Sequence[Answer], models: Sequence[Path], systems: Sequence[str], tasks: Sequence[str]
) -> Iterator[str]:
    yield "| task | system | gate | positions | exact | similarity | answers | findings | yield | ms |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for task in tasks:
        for model, name, label in labels(models, systems):
            mine = [a for a in answers if a.task == task and a.system == label]
            first = [a for a in mine if a.is_first]
            last = [a for a in mine if not a.is_first]
            if not first:
                continue
            one, several = NAMES[name]
            whose = f"{model.stem}: " if model and len(models) > 1 else ""
            if name != "eight":
                gated = [a if a.accepted else silent(a) for a in first]
                rows = [(one, "off", first, False), (one, "on", gated, True), (several, "on", last, True)]
            else:
                rows = [(one, "off", first, False), (several, "on", last, True)]
            for title, gate, of_row, is_gated in rows:
                if of_row:
                    yield f"| {task} | {whose}{title} | {gate} | {' | '.join(row(of_row, is_gated))} |"


def silent(answer: Answer) -> Answer:
    """What is left of an answer that the gate rejects."""
    return replace(answer, text="", exact=False, similarity=0.0, findings=0)


def row(answers: Sequence[Answer], is_gated: bool) -> list[str]:
    given = [a for a in answers if a.text]
    return [
        str(len(answers)),
        f"{100 * mean(a.exact for a in answers):.1f} %",
        f"{mean(a.similarity for a in answers):.3f}",
        f"{100 * len(given) / len(answers):.1f} %",
        f"{100 * mean(a.findings > 0 for a in given):.1f} %" if given else "",
        f"{100 * mean(bool(a.text) and not a.findings for a in answers):.1f} %",
        f"{median(a.writing + is_gated * a.checking for a in answers):.0f}",
    ]


def disagreements(answers: Sequence[Answer]) -> str:
    """How often the gate and the linter that only measures were of one mind on first answers."""
    first = [a for a in answers if a.is_first and a.text]
    strict = sum(not a.accepted and not a.findings for a in first)
    lax = sum(a.accepted and a.findings > 0 for a in first)
    return (
        f"Of {len(first)} first answers that are not empty the gate accepted {lax} in which the other linter "
        f"finds something new, and rejected {strict} in which it finds nothing."
    )


def evaluate(arguments: argparse.Namespace, path: Path) -> None:
    """Appends what is missing to the file of answers."""
    done = {(a["system"], a["task"], a["number"]) for a in records(path)}
    modules = modules_of(arguments.data / "corpus" / f"{arguments.split}.jsonl")
    known = path.with_name(f"positions-{arguments.split}-{arguments.seed}.jsonl")
    wanted = list(labels(arguments.models, arguments.systems))
    with closing(Judge()) as judge, path.open("a") as file:
        backends = {m: opened(m, arguments.threads) for m in arguments.models}
        for model, name, label in wanted:
            asked = Model(backends[model or arguments.models[0]], judge)
            system = open_system(name, label, asked, judge, arguments.data)
            for task in arguments.tasks:
                missing = [n for n in range(arguments.count) if (label, task, n) not in done]
                if not missing or (task == NEXT_EDIT and name in PLACED_ONLY):
                    continue
                start = time.monotonic()
                for position in positions(modules, task, missing, arguments.seed, judge.lint, known):
                    judge.gate.against(position.base)  # known from idle time in the server
                    given = system(position)
                    file.write("".join(json.dumps(asdict(answer)) + "\n" for answer in given))
                    file.flush()
                print(f"{label}, {task}: {len(missing)} in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+", help="GGUF files")
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/")
    parser.add_argument("--split", default="held_out")
    parser.add_argument("--count", type=int, default=500, help="positions of each task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--systems", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--threads", type=int, help="of the model; default: the server's")
    parser.add_argument("--answers", default="answers", help="name of the file of answers")
    parser.add_argument("--only-table", action="store_true", help="of the answers that are there")
    parser.add_argument("--out", type=Path, help="the table as Markdown")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    path = arguments.data / "evaluation" / f"{arguments.answers}-{arguments.split}-{arguments.seed}.jsonl"
    if not arguments.only_table:
        evaluate(arguments, path)
    answers = [a for a in (Answer(**r) for r in records(path)) if a.number < arguments.count]
    lines = [
        f"`python {' '.join(sys.argv)}`",
        "",
        *table(answers, arguments.models, arguments.systems, arguments.tasks),
        "",
        disagreements(answers),
    ]
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")
