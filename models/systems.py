"""Who is asked at a position: a model as the server asks it, or otherwise, and baselines without one."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import baselines
from judge import SETTINGS, Answer, Judge, Written
from positions import HALF_TYPED, NEXT_EDIT, NEXT_LINE, REWRITE, Position

from lintseq_lsp.backends.base import CANDIDATES, Ending
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.edits import apply
from lintseq_lsp.errors import PromptError
from lintseq_lsp.excerpt import line_replacements
from lintseq_lsp.formats.base import (
    Edit,
    Malformed,
    PromptFormat,
    Question,
    Reader,
    Room,
    Task,
    View,
    changed_lines,
)
from lintseq_lsp.formats.lintseq import Layout, LintSeq
from lintseq_lsp.formats.plain import Plain
from lintseq_lsp.generation import RESAMPLING
from lintseq_lsp.proposals import Proposal, propose
from lintseq_lsp.repetition import repeated_from
from lintseq_lsp.text import Document, split_lines
from lintseq_lsp.weights.registry import resolve_model

PLACED_ONLY = ("ngram", "copy", "plain")  # they cannot tell where
ASKED = {NEXT_LINE: (1, 48), HALF_TYPED: (1, 48), NEXT_EDIT: (8, 160), REWRITE: (12, 288)}  # lines, tokens


class Model:
    """A backend, asked as the server asks it."""

    def __init__(self, backend: LlamaBackend, judge: Judge) -> None:
        self.backend, self.judge = backend, judge

    def question(
        self, position: Position, prompt_format: PromptFormat, lines: int = 0, tokens: int = 0
    ) -> Question:
        """For as many lines and tokens, else for those that the server asks for.

        Raises `PromptError` where the format cannot show what stands there.
        """
        most, room_for = ASKED[position.task]
        room = Room(self.backend.context, lines or most, tokens or room_for)
        if not position.placed:
            view, task = View(position.shown, position.shown.offset(position.cursor, 0)), Task.NEXT
        elif Task.LINES in prompt_format.tasks:
            view, task = View.of_new_lines(position.shown, position.shown_above, position.typed), Task.LINES
        else:
            above, shown = position.shown_above, position.shown.lines
            begun = Document("\n".join([*shown[:above], position.typed, *shown[above:]]))
            view, task = View(begun, begun.starts[above] + len(position.typed)), Task.FILL
        question = prompt_format.ask(view, task, self.backend.count, room)
        if question is None:
            raise PromptError("the lines there are too long")
        if task is not Task.FILL:
            return question
        return Question(question.request, lambda: _AsLines(position, question.reader()))

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

    def unasked(self, system: str, position: Position) -> list[Answer]:
        """What counts where nothing can be asked."""
        first = self.judge.first(system, position, [], 0.0)
        return [first, replace(first, is_first=False)]

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
        lines = len(position.wanted)
        proposals = self.proposals(self.question(position, Plain(), lines, 48 * lines))
        writing = (time.perf_counter() - start) * 1000
        return [self.judge.first(system, position, self.written(position, proposals), writing)]


class _AsLines:
    """Reads what is inserted behind the typed beginning of a line as the lines that this makes."""

    def __init__(self, position: Position, reader: Reader) -> None:
        self._position, self._reader = position, reader

    def feed(self, text: str) -> str | Malformed:
        return self._reader.feed(text)

    def close(self, stop: Ending) -> Edit | Malformed:
        edit = self._reader.close(stop)
        if isinstance(edit, Malformed) or not edit.changes:
            return edit
        lines, _ = split_lines(self._position.typed + edit.changes[0].text)
        change = (self._position.shown_above, 0, lines)
        return Edit(tuple(line_replacements(self._position.shown, [change])))


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


def open_system(
    name: str, label: str, model: Model, judge: Judge, data: Path, prompt_format: PromptFormat
) -> System:
    paper = LintSeq(Layout.PAPER)
    match name:
        case "product":
            return _answering(
                model, label, lambda position: model.greedy(label, position, prompt_format, SETTINGS.tries)
            )
        case "paper":
            return lambda position: model.greedy(label, position, paper, 0)
        case "eight":
            return _answering(model, label, lambda position: model.eight(label, position, prompt_format))
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


def _answering(model: Model, label: str, ask: System) -> System:
    """`ask`, and nothing where the format cannot show what stands there."""

    def answers(position: Position) -> list[Answer]:
        try:
            return ask(position)
        except PromptError:
            return model.unasked(label, position)

    return answers
