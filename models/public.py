"""Figures that others publish, from their files, which are not part of this repository.

    python models/public.py models/MODEL.gguf HumanEval-SingleLineInfilling.jsonl.gz --data .work
    python models/public.py SMOLLM2.gguf --format plain repobench_python.jsonl cceval_python.jsonl
    python models/public.py models/MODEL.gguf models/tasks.toml

JSON Lines, also with gzip; what a record is, its fields tell. The tasks of tasks.py can be had in the manner
of the first, too: each line of each right answer is left out.

- **HumanEval-Infilling**, single line (`prompt`, `suffix`, `canonical_solution`, `test`, `entry_point`): a
  function lacks a line. Passed: share of functions that pass their tests with the line that was written.
- **RepoBench** 1.1, next line (`import_statement`, `cropped_code`, `next_line`): imports and the code above.
- **CrossCodeEval**, line completion (`prompt`, `groundtruth`): what stands above, and a line's beginning.
  Identifiers: share whose names are the same ones in the same order; F1 of the names.

Exact: share of answers that are the same, white space at both ends aside. Similarity: difflib's ratio, which
is that of fuzzywuzzy without its faster library. All is greedy, one line, and without the gate. Of RepoBench
and CrossCodeEval the model is shown the file alone and nothing below, and of any file what the server shows,
at most 600 tokens: published figures have up to several thousand. ± is a 95 % interval, by resampling
records.

Every answer is appended to DATA/evaluation/public.jsonl at once: a run that was stopped goes on.
Programs run in the sandbox of problems.py.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import difflib
import gzip
import hashlib
import json
import keyword
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import problems
from intervals import share
from positions import HALF_TYPED, Cut, Position, records
from systems import Model, opened
from tasks import Task, tasks

from lintseq_lsp.alignment import origins
from lintseq_lsp.errors import PromptError
from lintseq_lsp.formats.base import PromptFormat
from lintseq_lsp.formats.table import FORMATS, detect
from lintseq_lsp.text import Document
from lintseq_lsp.weights.gguf_header import verify

INFILLING, REPOBENCH, CROSSCODE = "HumanEval-Infilling", "RepoBench", "CrossCodeEval"
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is wanted: its rest behind `above` and in front of `below`; `check` runs the whole."""

    of: str
    name: str
    above: str
    below: str
    wanted: str
    check: str | None = None

    @property
    def position(self) -> Position:
        lines, below = self.above.split("\n"), self.below.split("\n")
        *before, typed = lines
        cut = Cut(HALF_TYPED, 0, 0, [len(before)], typed, [len(before)])
        document = Document("\n".join([*before, *below]))
        wanted = tuple((typed + self.wanted).split("\n"))
        final = "\n".join([*before, *wanted, *below])
        above = len(before)
        return Position(cut, document, document, above, document, above, wanted, final)


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the file of answers. `passed` is None where there are no tests."""

    label: str
    of: str
    name: str
    text: str
    passed: bool | None


def lines_of(path: Path) -> Iterator[Line]:
    """The wanted lines of a file. Raises `ValueError` for a record of another kind."""
    if path.suffix == ".toml":
        for task in tasks(path):
            yield from lines_of_task(task, path.name)
        return
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for number, line in enumerate(file):
            if line.strip():
                yield line_of(json.loads(line), f"{path.name} {number}")


def lines_of_task(task: Task, of: str) -> Iterator[Line]:
    lines = task.wanted.split("\n")
    was = origins(Document(task.given).lines, lines)
    for number, line in enumerate(lines):
        if was[number] is None and line.strip():
            above = "".join(f"{each}\n" for each in lines[:number])
            below = "\n".join(lines[number + 1 :])
            yield Line(of, f"{task.name} {number}", above, below, line, task.tests)


def line_of(record: dict[str, Any], name: str) -> Line:
    """`name` is that of a record without one."""
    if {"prompt", "suffix", "canonical_solution", "test", "entry_point"} <= record.keys():
        wanted = record["canonical_solution"].strip("\n")
        above, _, behind = record["canonical_solution"].partition(
            wanted
        )  # the line's ends, if they are there
        below = behind + record["suffix"]
        if "\n" in wanted or below[:1] not in ("", "\n"):
            raise ValueError(f"{record['task_id']}: only the single-line file is read")
        check = f"{record['test']}\ncheck({record['entry_point']})\n"
        above = record["prompt"] + above
        return Line(INFILLING, record["task_id"], above, below.removeprefix("\n"), wanted, check)
    if {"import_statement", "cropped_code", "next_line"} <= record.keys():
        above = "\n".join(filter(None, (record["import_statement"], record["cropped_code"])))
        return Line(REPOBENCH, name, above.rstrip("\n") + "\n", "", record["next_line"].rstrip())
    if {"prompt", "groundtruth"} <= record.keys():
        name = record.get("metadata", {}).get("task_id", name)
        return Line(CROSSCODE, name, record["prompt"], "", record["groundtruth"].rstrip())
    raise ValueError(f"{name}: no record of {INFILLING}, {REPOBENCH} or {CROSSCODE}")


def answer(model: Model, prompt_format: PromptFormat, line: Line, label: str) -> Answer:
    """What the model writes for a line, and what becomes of it."""
    position = line.position
    try:
        written = model.written(position, model.proposals(model.question(position, prompt_format)))
    except PromptError:  # the format cannot show what stands there
        written = []
    text, document = (written[0].text, written[0].document) if written else ("", position.document)
    passed = None
    if line.check is not None:
        result = problems.run(f"{document.text}\n{line.check}")
        if result is problems.Result.NO_SANDBOX:
            raise SystemExit("this system grants no network namespace: programs are not run")
        passed = result is problems.Result.PASSED
    return Answer(label, line.of, line.name, text, passed)


def names(text: str) -> list[str]:
    return [name for name in _NAME.findall(text) if not keyword.iskeyword(name)]


def f1(text: str, wanted: str) -> float:
    """Of the names in both, each as often as it occurs; 1 where neither has any."""
    one, other = Counter(names(text)), Counter(names(wanted))
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 1.0


def ratio(text: str, wanted: str) -> float:
    return difflib.SequenceMatcher(None, text, wanted, autojunk=False).ratio()


def row(title: str, of: str, lines: Sequence[Line], answers: Sequence[Answer]) -> str:
    both = [(answer.text.strip(), line.wanted.strip()) for line, answer in zip(lines, answers, strict=True)]
    passed = [float(a.passed) for a in answers if a.passed is not None]
    cells = [of, title, str(len(lines)), share(passed), share([float(a == b) for a, b in both])]
    cells.append(f"{100 * mean(ratio(a, b) for a, b in both):.1f}")
    if of == CROSSCODE:
        cells.append(share([float(names(a) == names(b)) for a, b in both]))
        cells.append(f"{100 * mean(f1(a, b) for a, b in both):.1f}")
    return f"| {' | '.join([*cells, '', ''][:8])} |"


HEAD = """\
| file | model | records | passed, % | exact, % | similarity, % | identifiers, % | F1, % |
|---|---|---|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, default=Path(".work"))
    parser.add_argument("--count", type=int, help="of each file, the first ones; default: all")
    parser.add_argument("--format", choices=FORMATS, help="of prompts; default: the model's")
    parser.add_argument("--threads", type=int, help="of the model; default: the server's")
    arguments = parser.parse_args()
    lines = [line for path in arguments.files for line in [*lines_of(path)][: arguments.count]]
    prompt_format = FORMATS[arguments.format] if arguments.format else verify(arguments.model).prompt_format()
    title = f"{arguments.model.stem}, {prompt_format.name}"
    label = f"{title}, {hashlib.sha256(arguments.model.read_bytes()).hexdigest()[:12]}"
    path = arguments.data / "evaluation" / "public.jsonl"
    found = [Answer(**record) for record in records(path)]
    known = {(a.of, a.name): a for a in found if a.label == label}
    with closing(opened(arguments.model, arguments.threads)) as backend, path.open("a") as file:
        detect(backend.has, backend.name, prompt_format.name)
        model = Model(backend, None)  # nothing is judged
        for number, line in enumerate(lines, 1):
            if (line.of, line.name) not in known:
                known[line.of, line.name] = answer(model, prompt_format, line, label)
                file.write(json.dumps(asdict(known[line.of, line.name])) + "\n")
                file.flush()
            print(f"\r{number} of {len(lines)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(HEAD)
    for of in dict.fromkeys(line.of for line in lines):
        mine = [line for line in lines if line.of == of]
        print(row(title, of, mine, [known[of, line.name] for line in mine]))


if __name__ == "__main__":
    main()
