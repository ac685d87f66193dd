"""Ten real examples of each mode, as they came: the first of evaluate.py's seeded sample, not picked.

    python models/examples.py models/MODEL.gguf --data .work --out models/examples.md

The fifth mode is an edit by instruction: a function of a held-out module is taken out, and its docstring's
first line is the instruction. Each is kept in DATA/evaluation/, so that a run which was stopped goes on.
"""

import argparse
import difflib
import hashlib
import json
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from judge import SETTINGS, Judge, Written
from kept import Kept
from positions import NEXT_EDIT, TASKS, Position, modules_of, positions
from statements import first_docstring_line, parse
from systems import Model, by_confidence, opened

from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.base import Edit
from lintseq_lsp.formats.lintseq import Layout, LintSeq
from lintseq_lsp.generation import RESAMPLING, Step
from lintseq_lsp.reasons import Reason
from lintseq_lsp.text import Document

INSTRUCTION = "edit by instruction"
FORMAT = LintSeq(Layout.SUFFIX_FIRST)
LEGEND = """\
In each block, lines that begin with a blank were given, `-` was taken out of the real file, `!` is a
first answer that the gate rejected (nobody sees it), and `+` is what a user would be shown. `▮` ends what
was typed.
"""
ABOVE = 3  # lines of context


def marked(sign: str, typed: str, text: str) -> list[str]:
    """The lines of an answer behind `typed`, each with its sign."""
    lines = f"{typed}▮{text}".split("\n") if typed.strip() else f"{typed}{text}".split("\n")
    return [f"{sign}{line}" for line in lines]


def difference(sign: str, before: Document, after: Document, context: int) -> list[str]:
    lines = list(difflib.unified_diff(before.lines, after.lines, n=context, lineterm=""))[2:]
    return [sign + line[1:] if line.startswith("+") else line for line in lines]


def placed(position: Position, rejected: Written | None, shown: Written | None) -> Iterator[str]:
    typed = position.typed
    yield from (f" {line}" for line in position.document.lines[: position.above][-ABOVE:])
    yield from marked("-", typed, "\n".join(position.wanted)[len(typed) :])
    if rejected:
        yield from marked("!", typed, rejected.text)
    if shown:
        yield from marked("+", typed, shown.text)


def anywhere(position: Position, rejected: Written | None, shown: Written | None) -> Iterator[str]:
    yield from difference("-", position.document, Document(position.final), ABOVE)
    if rejected:
        yield from difference("!", position.document, rejected.document, 1)
    if shown:
        yield from difference("+", position.document, shown.document, 1)


def example(model: Model, position: Position) -> Iterator[str]:
    """One position asked as the server asks: greedy, then sampled when that was rejected."""
    question = model.question(position, FORMAT)
    proposals = model.proposals(question)
    greedy = model.written(position, proposals)
    reason = model.judge.reason(position, greedy[0].document)[0] if greedy else None
    shown = greedy[0] if reason is Reason.ACCEPTED else None
    is_complete = position.task == NEXT_EDIT and proposals[0].edit == Edit()
    if not shown and not is_complete:
        proposals = by_confidence(model.proposals(question.sampled(RESAMPLING, SETTINGS.tries)))
        for candidate in model.written(position, proposals):
            if model.judge.reason(position, candidate.document)[0] is Reason.ACCEPTED:
                shown = candidate
                break
    rejected = greedy[0] if reason not in (None, Reason.ACCEPTED) else None
    first = f"first answer: {reason.value}" if reason else "first answer: none, or not finished"
    then = (
        "shown at once" if shown and not rejected and reason else "then one is shown" if shown else "silence"
    )
    exact = ", exactly what was there" if shown and position.is_exact(shown.document) else ""
    yield f"{first}; {then}{exact}"
    yield from (anywhere if position.task == NEXT_EDIT else placed)(position, rejected, shown)


def by_instruction(engine: Engine, modules: Sequence[str], number: int) -> Iterator[str]:
    rng = random.Random(f"{INSTRUCTION} {number}")
    while True:
        module = parse(rng.choice(modules))
        outermost = [d for d in module.definitions if d.parent < 0 and d.last - d.code <= 30]
        described = [d for d in outermost if first_docstring_line(d.node)]
        if described:
            break
    chosen = rng.choice(described)
    first, last, instruction = chosen.code, chosen.last, first_docstring_line(chosen.node)
    document = Document("\n".join([*module.lines[:first], *module.lines[last:]]))
    items = list(engine.edit(document, instruction))
    steps = [item for item in items if isinstance(item, Step)]
    accepted = [step for step in steps if step.verdict.accepted]
    ended = items[-1]
    assert not isinstance(ended, Step)
    counts = f"{len(accepted)} steps accepted, {len(steps) - len(accepted)} rejected ({ended.reason.value})"
    yield f"“{instruction}” {counts}"
    yield from (f"-{line}" for line in module.lines[first : min(last, first + 4)])
    if last > first + 4:
        yield "-…"
    if accepted:
        yield from difference("+", document, accepted[-1].document, 1)


def fenced(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield f"**{title}.** {next(lines)}\n"
    yield "~~~diff"
    yield from (line.rstrip() for line in lines)
    yield "~~~\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path(".work"))
    parser.add_argument("--count", type=int, default=10, help="of each mode")
    parser.add_argument("--threads", type=int, help="of the model; default: the server's")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    modules = modules_of(arguments.data / "corpus" / "held_out.jsonl")
    known = arguments.data / "evaluation" / "positions-held_out-0.jsonl"
    command = f"python models/examples.py {arguments.model} --data .work --out models/examples.md"
    parts = ["# Ten examples of each mode, as they came\n", f"`{command}`\n", LEGEND]
    digest = hashlib.sha256(arguments.model.read_bytes()).hexdigest()[:12]
    with closing(Judge()) as judge, closing(Kept(known.with_name("examples.sqlite"))) as kept:
        model = Model(opened(arguments.model, arguments.threads), judge)
        for task in TASKS:
            parts.append(f"## {task.capitalize()}\n")
            asked = positions(modules, task, range(arguments.count), 0, judge.lint, known)
            for position in asked:
                key = json.dumps([digest, task, position.cut.number])
                lines = kept.get(key, lambda position=position: list(example(model, position)))
                parts += fenced(f"{position.cut.number + 1}", iter(lines))
        parts.append(f"## {INSTRUCTION.capitalize()}\n")
        engine = Engine(model.backend, judge.gate, prompt_format=FORMAT, settings=SETTINGS)
        for number in range(arguments.count):
            key = json.dumps([digest, INSTRUCTION, number])
            lines = kept.get(key, lambda number=number: list(by_instruction(engine, modules, number)))
            parts += fenced(f"{number + 1}", iter(lines))
    arguments.out.write_text("\n".join(parts).rstrip() + "\n")
