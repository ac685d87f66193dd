"""An HTML page about the sequences of a run. To be imported where it is wanted only: `lintseq-lsp[quality]`.

The page is one file: its plots are pictures inside of it, it has no script and asks for nothing. All records
are read once; of each program only its number of edits is kept. The same records give the same page.
"""

import base64
import hashlib
import heapq
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from pathlib import Path
from statistics import fmean
from sys import intern
from typing import Any

import matplotlib as mpl
from jinja2 import Environment
from matplotlib.figure import Figure

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.synthesis.output import beside, replace
from lintseq_lsp.synthesis.programs import FailureRecord, Key, SequenceRecord
from lintseq_lsp.synthesis.screening import RemovedRecord
from lintseq_lsp.synthesis.shards import read_manifest
from lintseq_lsp.synthesis.sources import is_data, read_data

_EXAMPLES = 6
_REASONS = 15
_TEMPLATE = Path(__file__).with_name("report.html")
_CARD = "model card of TinyCodeLM-150M-LintSeqInstruct"
_SCRIPT = "the authors' repository, tinycodelm_150m/editseq.sh"
_LENGTHS = ((1, 2), (3, 5), (6, 10), (11, 20), (21, 40), (41, 80), (81, None))  # lines of a program


@dataclass(frozen=True, slots=True)
class Run:
    """What was written at a place. `description` is empty when the records are another program's."""

    description: Mapping[str, Any]
    sequences: Iterator[SequenceRecord]
    failures: Iterator[FailureRecord]
    removed: Iterator[RemovedRecord]


@dataclass(slots=True)
class Statistics:
    """Each counter has how many times a value occurs."""

    edits: Counter[int] = field(default_factory=Counter)  # of a sequence
    lines: Counter[int] = field(default_factory=Counter)  # of a program, once a sequence
    lines_in_one_edit: Counter[int] = field(default_factory=Counter)  # of those whose sequence is one edit
    lines_of_edit: Counter[int] = field(default_factory=Counter)
    characters: Counter[int] = field(default_factory=Counter)  # of a sequence, its instruction included
    most_edits: dict[Key, int] = field(default_factory=dict)  # of a program's sequences
    reasons: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, SequenceRecord]] = field(default_factory=list)


def write(place: Path, page: Path) -> None:
    """Raises `SettingsError` when `place` is nothing that `synthesize` wrote, or `page` cannot be written."""
    run = opened(place)
    statistics = gathered(run)
    if not statistics.edits:
        raise SettingsError(f"{place} has no sequence")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        _TEMPLATE.read_text(encoding="utf-8")
    )
    content = template.render(
        place=place.name,
        compared=_compared(statistics),
        plots=[(title, _picture(figure)) for title, figure in _plots(statistics)],
        reasons=statistics.reasons.most_common(_REASONS),
        more_reasons=max(len(statistics.reasons) - _REASONS, 0),
        failures=statistics.reasons.total(),
        removed=sorted(statistics.removed.items()),
        examples=[(why, record, _diffs(record)) for why, record in statistics.examples],
        description=json.dumps(run.description, indent=2) if run.description else "",
    )
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        replace(page, [content.encode("utf-8", "replace")])
    except OSError as error:
        raise SettingsError(f"{page} cannot be written: {error}") from error


def opened(place: Path) -> Run:
    """A folder of shards of a run that is finished, or one file, with what lies beside it."""
    if place.is_dir():
        manifest = read_manifest(place)
        shards = chain.from_iterable(_rows(place / shard["file"]) for shard in manifest["shards"])
        neighbours = (_rows_if_any(place / name) for name in ("failures.jsonl", "removed.jsonl"))
        return Run(manifest["run"], shards, *neighbours)
    if not (place.is_file() and is_data(place.name)):
        raise SettingsError(f"{place} is not a file or folder that synthesize wrote")
    description = beside(place, ".run.json")
    run = json.loads(description.read_bytes()) if description.exists() else {}
    endings = (".failures.jsonl", ".removed.jsonl")
    neighbours = (_rows_if_any(beside(place, ending)) for ending in endings)
    return Run(run, _rows(place), *neighbours)


def _rows_if_any(path: Path) -> Iterator[Any]:
    return _rows(path) if path.exists() else iter(())


def _rows(path: Path) -> Iterator[Any]:
    try:
        for row in read_data(path):
            yield json.loads(row) if isinstance(row, bytes) else row
    except (OSError, EOFError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def gathered(run: Run) -> Statistics:
    found = Statistics()
    chosen: list[tuple[int, int, SequenceRecord]] = []  # a heap: whose digests are least, negated
    most: SequenceRecord | None = None
    whole, whole_lines = None, 1
    for number, record in enumerate(run.sequences):
        try:
            path, key = record["edit_path"], (intern(record["source_file"]), record["index"])
            instruction = record["source_instruction"]
        except (KeyError, TypeError) as error:
            raise SettingsError(f"record {number + 1} is not from synthesize: it lacks {error}") from error
        added = [sum(line.startswith("+") for line in edit.split("\n")) for edit in path]
        lines = sum(added)
        found.edits[len(path)] += 1
        found.lines[lines] += 1
        found.lines_of_edit.update(added)
        found.characters[len(instruction) + sum(map(len, path))] += 1
        found.most_edits[key] = max(len(path), found.most_edits.get(key, 0))
        if len(path) == 1:
            found.lines_in_one_edit[lines] += 1
            if lines > whole_lines:
                whole, whole_lines = record, lines
        if most is None or len(path) > len(most["edit_path"]):
            most = record
        digest = hashlib.blake2b(f"{key} {number}".encode(), digest_size=8).digest()
        least = (-int.from_bytes(digest), number, record)
        (heapq.heappush if len(chosen) < _EXAMPLES else heapq.heappushpop)(chosen, least)
    found.reasons.update(failure["reason"] for failure in run.failures)
    found.removed.update(removed["reason"] for removed in run.removed)
    found.examples = [("by chance", record) for _, _, record in sorted(chosen, reverse=True)]
    if most is not None:
        found.examples.append(("the most edits", most))
    if whole is not None:
        found.examples.append(("the longest program in one edit", whole))
    return found


def _compared(found: Statistics) -> list[tuple[str, str, str, str]]:
    """What, here, with the paper, and where the paper's figure is from."""
    sequences, programs = found.edits.total(), len(found.most_edits)
    in_one = sum(edits == 1 for edits in found.most_edits.values())
    unknown = ("–", "")

    def typical(values: Counter[int]) -> str:
        middle, high = (_quantile(values, share) for share in (0.5, 0.95))
        return f"{fmean(values, values.values()):,.1f} · {middle:,} · {high:,} · {max(values):,}"

    return [
        ("programs with a sequence", f"{programs:,}", "88,900 instruction and program pairs", "the paper"),
        ("what they are from", "", "Magicoder's and StarCoder2's OSS-Instruct", _CARD),
        ("sequences", f"{sequences:,}", "", ""),
        ("sequences a program", f"{sequences / programs:.2f}", "5", _SCRIPT),
        ("edits a sequence", typical(found.edits), *unknown),
        ("programs in one edit, whatever the sample", f"{in_one / programs:.1%}", *unknown),
        ("sequences of one edit", f"{found.edits[1] / sequences:.1%}", *unknown),
        ("lines a program", typical(found.lines), *unknown),
        ("lines an edit adds", typical(found.lines_of_edit), *unknown),
        ("characters a sequence", typical(found.characters), "at most 1,024 tokens are trained on", _SCRIPT),
        ("samples that failed", f"{found.reasons.total():,}", *unknown),
    ]


def _plots(found: Statistics) -> Iterator[tuple[str, Figure]]:
    yield "Edits a sequence", _histogram(found.edits, "edits", "sequences")
    yield "Lines a program", _histogram(found.lines, "lines", "sequences")
    yield "Lines an edit adds", _histogram(found.lines_of_edit, "lines", "edits")
    yield "Characters a sequence", _histogram(found.characters, "characters", "sequences")
    figure, axes = _figure()
    shares, names = [], []
    for low, high in _LENGTHS:
        all_, one = (
            sum(count for lines, count in each.items() if low <= lines <= (high or lines))
            for each in (found.lines, found.lines_in_one_edit)
        )
        if all_:
            shares.append(100 * one / all_)
            names.append(f"{low}–{high}" if high else f"{low}+")
    axes.bar(names, shares)
    axes.set(xlabel="lines of the program", ylabel="% of sequences", ylim=(0, 100))
    yield "In one edit, by length", figure
    if found.reasons:
        figure, axes = _figure()
        shown = found.reasons.most_common(8)[::-1]
        axes.barh([reason[:40] for reason, _ in shown], [count for _, count in shown])
        axes.set(xlabel="samples")
        yield "Why samples failed", figure


def _quantile(values: Counter[int], share: float) -> int:
    """The least value that is not below `share` of all."""
    ordered = sorted(values)
    sums = accumulate(values[value] for value in ordered)
    return next(value for value, below in zip(ordered, sums, strict=True) if below >= share * values.total())


def _histogram(values: Counter[int], what: str, of: str) -> Figure:
    """Up to the 99th percentile; the rest is in the last bar."""
    least, bound = min(values), _quantile(values, 0.99)
    width = max(-(-(bound - least + 1) // 40), 1)
    bars = Counter[int]()
    for value, count in values.items():
        bars[(min(value, bound) - least) // width] += count
    figure, axes = _figure()
    places = [least + bar * width + (width - 1) / 2 for bar in bars]
    axes.bar(places, list(bars.values()), width=width * 0.92)
    more = " (the last: or more)" if max(values) > bound else ""
    axes.set(xlabel=what + more, ylabel=of)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _figure() -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.2, 3), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _picture(figure: Figure) -> str:
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "lintseq"}):  # else ids are at random
        figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


def _diffs(record: SequenceRecord) -> Sequence[Sequence[tuple[str, str]]]:
    """Each edit's lines, with what they are."""
    kinds = {"@": "header", "+": "added"}
    lines = (edit.split("\n") for edit in record["edit_path"])
    return [[(kinds.get(line[:1], ""), line) for line in each] for each in lines]
