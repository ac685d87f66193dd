"""Edits by instruction: small tasks with tests (tasks.toml), and what was taken out of held-out modules.

    python models/tasks.py models/MODEL.gguf --data .work --out .work/tasks.md
    python models/tasks.py models/MODEL.gguf --data .work --of tasks --count 20 --samples 0 --gates on

Asked as `lintseq-lsp edit --instruction` asks, with the gate on or off (what repeats itself, or is no edit,
is tried again in both), and with the place given or not: given, as if the cursor were on the line where the
right answer goes, so that the model begins above or below it.

Every program is appended to DATA/evaluation/tasks.jsonl at once: a run that was stopped goes on where it was,
and a later one with more tasks or samples adds what is missing.

**Tasks**, in a random order: solved when the tests pass in a sandbox (problems.py) and the linter, a process
of its own, finds nothing new. Greedy: share solved by the greedy program. pass@1 and pass@10: of SAMPLES
programs at a temperature of 0.8 (Chen et al. 2021). Tests: share of all these programs that pass the tests,
whatever the linter finds. Findings: share of them with a new finding.

**Insertions**: at positions of the kind rewrite (positions.py) whose lines nothing else depends on; the
instruction is made by instructions.py, as for training, but of modules that training never saw. Exact: the
module is whole again, blank lines aside. Similarity: difflib's ratio of the inserted lines with those taken
out. Edited: share with an accepted edit. Findings: share of those with a new one. Yield: share with an edit
and no new finding.

± is a 95 % interval, by resampling tasks or positions.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import difflib
import hashlib
import json
import random
import sys
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import mean

import problems
from instructions import for_statement
from intervals import share
from judge import SETTINGS, Judge
from kept import Kept, KeptBackend
from positions import REWRITE, Lint, code_lines, modules_of, positions, records
from statements import parse
from systems import opened

from lintseq_lsp.alignment import origins
from lintseq_lsp.backends.base import Sampling
from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.base import Task as Ask
from lintseq_lsp.generation import Ended
from lintseq_lsp.linters.base import Report
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import finding_key
from lintseq_lsp.weights.gguf_header import verify

TASKS = Path(__file__).with_name("tasks.toml")
KINDS = ("tasks", "insertions")
TEMPERATURE = 0.8
GREEDY = -1
"""In the place of a sample's number."""


@dataclass(frozen=True, slots=True)
class Task:
    """`given` is to become such a text as `wanted`: by lines below its first `above` ones.

    `tests` are run behind the program and raise where it is wrong; None where there are none.
    """

    name: str
    instruction: str
    given: str
    above: int
    wanted: str
    tests: str | None

    @property
    def lines(self) -> tuple[int, int]:
        """What is told where the place is: the line above which it is, or the last one."""
        line = min(self.above, len(Document(self.given).lines) - 1)
        return line, line


@dataclass(frozen=True, slots=True)
class Written:
    """One line of the file: what became of a task. `findings` counts the new ones, `steps` the accepted."""

    model: str
    name: str
    gated: bool
    placed: bool
    sample: int
    text: str
    steps: int
    passed: bool
    findings: int

    @property
    def solved(self) -> bool:
        return self.passed and not self.findings


def task_of(record: dict[str, str]) -> Task:
    lines = record["program"].splitlines()
    given = [line[1:] for line in lines if not line.startswith("+")]
    above = next(number for number, line in enumerate(lines) if line.startswith("+"))
    wanted = [line[1:] for line in lines]
    texts = ("".join(f"{line}\n" for line in part) for part in (given, wanted))
    given_text, wanted_text = texts
    return Task(
        record["name"], record["instruction"].strip(), given_text, above, wanted_text, record["tests"]
    )


def tasks(path: Path = TASKS) -> list[Task]:
    """In a random order that is always the same, so that the first ones are a sample of all."""
    with path.open("rb") as file:
        found = [task_of(record) for record in tomllib.load(file)["task"]]
    random.Random(0).shuffle(found)
    return found


def insertions(modules: Sequence[str], seed: int, lint: Lint, known: Path) -> Iterator[Task]:
    """Statements of two to eight lines that were taken out, without end."""
    for position in positions(modules, REWRITE, range(sys.maxsize), seed, lint, known):
        cut = position.cut
        module = parse(modules[cut.module])
        statement = next(each for each in module.statements if each.code == cut.wanted[0])
        instruction = for_statement(module, statement, random.Random(f"instruction {seed} {cut.number}"))
        alone = {n for n in cut.step if module.lines[n].strip()} <= set(cut.wanted)
        if instruction and alone:
            name = f"insertion {seed} {cut.number}"
            above, wanted = position.shown_above, position.final
            yield Task(name, instruction, position.shown.text, above, wanted, None)


def inserted(task: Task, text: str) -> str:
    """The lines of a text that are not given."""
    before, after = Document(task.given), Document(text)
    was = origins(before.lines, after.lines)
    return "\n".join(line for line, origin in zip(after.lines, was, strict=True) if origin is None).strip()


def is_exact(task: Task, text: str) -> bool:
    return code_lines(text) == code_lines(task.wanted)


def similarity(task: Task, text: str) -> float:
    one, other = inserted(task, text), inserted(task, task.wanted)
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def passes(task: Task, program: str) -> bool:
    """Whether the tests of a task pass. Runs nothing where the system grants no sandbox, and leaves."""
    result = problems.run(f"{program}\n{task.tests or ''}")
    if result is problems.Result.NO_SANDBOX:
        raise SystemExit("this system grants no network namespace: programs are not run")
    return result is problems.Result.PASSED


def new_findings(lint: Callable[[str], Report], before: str, after: str) -> int:
    found, known = (Counter(map(finding_key, lint(text).findings)) for text in (after, before))
    return (found - known).total()


def write(engine: Engine, task: Task, *, placed: bool, sample: int) -> Ended:
    """What the engine makes of a task, greedily or as one of the samples."""
    document = Document(task.given)
    sampling = None if sample == GREEDY else Sampling(TEMPERATURE, 0.95, seed=10_000 * sample)
    lines = task.lines if placed else None
    *_, ended = engine.edit(document, task.instruction, lines=lines, sampling=sampling)
    assert isinstance(ended, Ended)
    return ended


def table(written: Sequence[Written], samples: int) -> Iterator[str]:
    """Of tasks: one row a way to ask."""
    yield "| gate | place | tasks | greedy, % | pass@1, % | pass@10, % | tests, % | findings, % |"
    yield "|---|---|---|---|---|---|---|---|"
    for gated, placed in ways(written):
        mine = [w for w in written if (w.gated, w.placed) == (gated, placed)]
        greedy = [float(w.solved) for w in mine if w.sample == GREEDY]
        by_task: dict[str, list[Written]] = {}
        for each in mine:
            if each.sample != GREEDY:
                by_task.setdefault(each.name, []).append(each)
        whole = [each for each in by_task.values() if len(each) == samples]
        cells = [said(gated, "on", "off"), said(placed, "given", "not"), str(len(greedy)), share(greedy)]
        for k in (1, 10):
            solved = [sum(w.solved for w in each) for each in whole]
            cells.append(share([problems.pass_at(k, samples, n) for n in solved if k <= samples]))
        every = whole or [[w] for w in mine]
        cells.append(share([mean(w.passed for w in each) for each in every]))
        cells.append(share([mean(w.findings > 0 for w in each) for each in every]))
        yield f"| {' | '.join(cells)} |"


def table_of_insertions(written: Sequence[Written], asked: Sequence[Task]) -> Iterator[str]:
    yield "| gate | place | insertions | exact, % | similarity | edited, % | findings, % | yield, % |"
    yield "|---|---|---|---|---|---|---|---|"
    by_name = {task.name: task for task in asked}
    for gated, placed in ways(written):
        mine = [w for w in written if (w.gated, w.placed) == (gated, placed)]
        alike = [(is_exact(by_name[w.name], w.text), similarity(by_name[w.name], w.text)) for w in mine]
        cells = [said(gated, "on", "off"), said(placed, "given", "not"), str(len(mine))]
        cells += [share([float(exact) for exact, _ in alike]), f"{mean(ratio for _, ratio in alike):.3f}"]
        cells.append(share([float(w.steps > 0) for w in mine]))
        cells.append(share([float(w.findings > 0) for w in mine if w.steps]))
        cells.append(share([float(w.steps > 0 and not w.findings) for w in mine]))
        yield f"| {' | '.join(cells)} |"


def ways(written: Sequence[Written]) -> list[tuple[bool, bool]]:
    return sorted({(w.gated, w.placed) for w in written})


def said(value: bool, yes: str, no: str) -> str:
    return yes if value else no


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/")
    parser.add_argument("--of", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--count", type=int, default=60, help="tasks")
    parser.add_argument("--samples", type=int, default=10, help="of each task, beside the greedy program")
    parser.add_argument("--insertions", type=int, default=100)
    parser.add_argument("--gates", nargs="+", choices=("on", "off"), default=("on", "off"))
    parser.add_argument("--places", nargs="+", choices=("given", "not"), default=("given", "not"))
    parser.add_argument("--seed", type=int, default=0, help="of insertions")
    parser.add_argument("--threads", type=int, help="of the model; default: the server's")
    parser.add_argument("--out", type=Path, help="the tables as Markdown")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    folder = arguments.data / "evaluation"
    path = folder / "tasks.jsonl"
    digest = hashlib.sha256(arguments.model.read_bytes()).hexdigest()[:12]
    label = f"{arguments.model.stem} {digest}"
    prompt_format = verify(arguments.model).prompt_format()
    if Ask.INSTRUCT not in prompt_format.tasks:
        raise SystemExit(f"{arguments.model} follows no instructions: its format is {prompt_format.name}")
    written = [Written(**record) for record in records(path)]
    done = {(w.model, w.name, w.gated, w.placed, w.sample) for w in written}
    wanted = tasks()[: arguments.count] if "tasks" in arguments.of else []
    with (
        closing(Kept(folder / "answers-tasks.sqlite")) as kept,
        closing(opened(arguments.model, arguments.threads)) as model,
        closing(Judge()) as judge,
        path.open("a") as file,
    ):
        if "insertions" in arguments.of:
            modules = modules_of(arguments.data / "corpus" / "held_out.jsonl")
            known = folder / f"positions-held_out-{arguments.seed}.jsonl"
            found = insertions(modules, arguments.seed, judge.lint, known)
            wanted += islice(found, arguments.insertions)
        backend = KeptBackend(model, kept, digest)
        gates = {"on": judge.gate, "off": problems.ungated()}
        engines = {
            name: Engine(backend, gates[name], prompt_format=prompt_format, settings=SETTINGS)
            for name in arguments.gates
        }
        for number, task in enumerate(wanted, 1):
            samples = range(GREEDY, arguments.samples if task.tests is not None else 0)
            for sample, place, gate in (
                (sample, place, gate)
                for sample in samples
                for place in arguments.places
                for gate in arguments.gates
            ):
                key = (label, task.name, gate == "on", place == "given", sample)
                if key in done:
                    continue
                ended = write(engines[gate], task, placed=place == "given", sample=sample)
                text = ended.document.text
                passed = task.tests is not None and passes(task, text)
                new = new_findings(judge.lint, task.given, text)
                written.append(Written(*key, text, ended.accepted, passed, new))
                file.write(json.dumps(asdict(written[-1])) + "\n")
                file.flush()
            print(f"\r{number} of {len(wanted)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    lines = [f"`python {' '.join(sys.argv)}`", ""]
    names = {task.name: task for task in wanted}
    mine = [w for w in written if w.model == label and w.name in names and w.sample < arguments.samples]
    with_tests = [w for w in mine if names[w.name].tests is not None]
    without = [w for w in mine if names[w.name].tests is None]
    if with_tests:
        lines += [*table(with_tests, arguments.samples), ""]
    if without:
        lines += [*table_of_insertions(without, wanted), ""]
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
