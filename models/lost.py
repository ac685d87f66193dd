"""What the gate rejects of what would be shown without it, and how much of that was right.

    python models/lost.py models/MODEL.gguf --data .work --out models/lost.md

The simulated user of keystrokes.py types with the row `no-gate`; each suggestion that is shown is also
judged, by the syntax check alone (the row `syntax`) and by all of pylint (the row `product`). Of one that
pylint rejects the server may still show the first lines: that is counted as shortened.

Right: all of it is what comes. In part: its first word is. Wrong: the rest. The list has the first right
suggestions that are lost to pylint or shortened, as they came, with the findings. Each passage's result is
kept in DATA/evaluation/lost.sqlite, so that a run which was stopped goes on where it was. ± is a 95 %
interval, by resampling suggestions.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from intervals import share
from judge import SETTINGS
from kept import Kept, code
from keystrokes import POLICY, RATES, CountingLinter, NoLinter, Server, asked, finds_nothing, options, typed
from typist import Offer, Passage, Suggester, first_word, is_right, type_out

from lintseq_lsp.asking.complete import goes_on
from lintseq_lsp.completion import cursor_at
from lintseq_lsp.edits import Replacement, apply
from lintseq_lsp.gate import Bar, Gate
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.runtime import open_linter
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict

RIGHT, IN_PART, WRONG = OUTCOMES = ("right", "in part", "wrong")
ABOVE = 3  # lines of context


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion that is shown without the gate.

    `outcome` is one of OUTCOMES. `parses` says that the syntax check accepts it; `lines` of it, of
    `of_lines`, are what pylint accepts, the first ones. `reason` and `findings` are pylint's of all of it.
    """

    outcome: str
    before: str
    text: str
    parses: bool
    lines: int
    reason: str
    findings: tuple[str, ...]

    @property
    def of_lines(self) -> int:
        return self.text.count("\n") + 1

    @property
    def is_lost(self) -> bool:
        return self.lines == 0

    @property
    def is_shortened(self) -> bool:
        return 0 < self.lines < self.of_lines


class Watched:
    """Shows what `suggester` does, and judges it."""

    def __init__(self, suggester: Suggester, passage: Passage, syntax: Gate, pylint: Gate) -> None:
        self._suggester, self._passage = suggester, passage
        self._syntax, self._pylint = syntax, pylint
        self.shown: list[Shown] = []

    def at(self, document: Document, offset: int, now: float, gap: float) -> tuple[Offer | None, float]:
        offer, busy = self._suggester.at(document, offset, now, gap)
        if offer is not None and not offer.known:
            self.shown.append(self._judged(document, offset, offer.texts[0]))
        return offer, busy

    def changed(self, document: Document, now: float) -> None:
        self._suggester.changed(document, now)

    def _judged(self, document: Document, offset: int, text: str) -> Shown:
        cursor = cursor_at(document, offset)

        def judged(bar: Bar, part: str) -> Verdict:
            change = Replacement(offset, offset, part)
            candidate = document.with_text(apply(document.text, [change]))
            return bar.judge(candidate, goes_on=goes_on(bar, cursor, change))

        left = self._passage.typed[offset - len(self._passage.above) :]
        outcome = RIGHT if is_right(text, left) else IN_PART if first_word(text, left) else WRONG
        parses = judged(self._syntax.against(document, cursor.line), text).accepted
        bar = self._pylint.against(document, cursor.line)
        verdict = judged(bar, text)
        written = text.split("\n")
        lines = len(written)
        while lines and not (verdict if lines == len(written) else judged(bar, text)).accepted:
            lines -= 1
            text = "\n".join(written[:lines])
        findings = tuple(f"{each.name}: {each.message}" for each in verdict.findings)
        before = "\n".join(document.text[:offset].split("\n")[-ABOVE - 1 :])
        return Shown(outcome, before, "\n".join(written), parses, lines, verdict.reason.value, findings)


def table(shown: Sequence[Shown]) -> Iterator[str]:
    yield "| suggestion | shown | lost to the syntax check, % | lost to pylint, % | shortened, % |"
    yield "|---|---|---|---|---|"
    for outcome in (*OUTCOMES, "all"):
        mine = [each for each in shown if outcome in (each.outcome, "all")]
        cells = [outcome, str(len(mine)), share([float(not each.parses) for each in mine])]
        cells += [share([float(each.is_lost) for each in mine])]
        cells += [share([float(each.is_shortened) for each in mine])]
        yield f"| {' | '.join(cells)} |"


def draw(shown: Sequence[Shown], path: Path) -> None:
    """How many are shown, and rejected by which check, for each outcome."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
    left = dict.fromkeys(OUTCOMES, 0)
    parts = {
        "shown": lambda each: not each.is_lost,
        "rejected: does not parse, or an unknown name": lambda each: each.is_lost and not each.parses,
        "rejected: another finding of pylint's": lambda each: each.is_lost and each.parses,
    }
    for label, belongs in parts.items():
        counts = [sum(each.outcome == name and belongs(each) for each in shown) for name in OUTCOMES]
        axes.barh(OUTCOMES, counts, left=list(left.values()), label=label)
        left = {name: left[name] + count for name, count in zip(OUTCOMES, counts, strict=True)}
    axes.invert_yaxis()
    axes.set(xlabel="suggestions")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=100)


def listed(shown: Sequence[Shown], count: int) -> Iterator[str]:
    """The first right suggestions of which the gate takes something: `▮` is the cursor."""
    lost = [each for each in shown if each.outcome == RIGHT and (each.is_lost or each.is_shortened)]
    for number, each in enumerate(lost[:count], 1):
        what = "lost" if each.is_lost else f"{each.lines} of {each.of_lines} lines shown"
        yield f"**{number}.** {what} ({each.reason})"
        yield from (f"- {finding}" for finding in each.findings)
        yield f"\n~~~python\n{each.before}▮{each.text}\n~~~\n"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--certainty", type=float, default=-1.0, help="default: the model's")
    parser.add_argument("--count", type=int, default=10, help="of lost suggestions that are listed")
    parser.add_argument("--plot", type=Path, help="a PNG")
    arguments = parser.parse_args()
    wanted = typed(arguments)
    with (
        asked(arguments) as (digest, backend, engine_of),
        closing(Kept(arguments.data / "evaluation" / "lost.sqlite")) as results,
        closing(open_linter(SETTINGS)) as linter,
    ):
        syntax = Gate(NoLinter(check_syntax), check_syntax, POLICY)
        pylint = Gate(linter, check_syntax, POLICY)
        counting = CountingLinter(NoLinter(finds_nothing))
        engine = engine_of(Gate(counting, finds_nothing, POLICY))
        label = json.dumps([digest, code(), arguments.format, arguments.certainty, RATES])

        def of(passage: Passage) -> list[Shown]:
            server = Server(engine, backend, counting, arguments.certainty, RATES)
            watched = Watched(server, passage, syntax, pylint)
            type_out(passage, watched)
            return watched.shown

        shown = [each for found in results.of_each(label, wanted, of) for each in found]
    keys = sum(passage.keys for passage in wanted)
    lines = [f"`python {' '.join(sys.argv)}`", "", f"{keys} keys in {arguments.modules} modules.", ""]
    lines += [*table(shown), "", *listed(shown, arguments.count)]
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines))
    if arguments.plot:
        draw(shown, arguments.plot)


if __name__ == "__main__":
    main()
