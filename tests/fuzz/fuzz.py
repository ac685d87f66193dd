"""Runs the four fuzz programs, each for its share of the minutes, and adds a row to TOTALS.md: `make fuzz`.

Each finding becomes a file in cases/, and the exit status 1.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from random import SystemRandom

import fuzz_answers
import fuzz_gate
import fuzz_protocol
import fuzz_streams
from fuzz_frame import Case, Figure, Fuzz, keep, run

FUZZES: dict[str, Fuzz] = {
    module.FUZZ.name: module.FUZZ for module in (fuzz_protocol, fuzz_streams, fuzz_answers, fuzz_gate)
}
SHARES = {"protocol": 0.2, "streams": 0.15, "answers": 0.1, "gate": 0.55}
TOTALS = Path(__file__).with_name("TOTALS.md")
GOALS = {"protocol": 100_000, "streams": 1_000_000, "answers": 0, "gate": 10_000}
ABOUT = """\
# What the fuzz programs have tried

A row for each `make fuzz`, which writes this file; findings are in [cases](cases).

"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--only", choices=FUZZES, action="append", help="this one alone; may be repeated")
    chosen = parser.parse_args(arguments)
    names = chosen.only or list(FUZZES)
    whole = sum(SHARES[name] for name in names)
    say(f"seed {chosen.seed}")
    figures = []
    for name in names:

        def found(case: Case, what: str, name: str = name) -> None:
            say(f"{keep(name, case, what)}: {what}")

        seconds = chosen.minutes * 60 * SHARES[name] / whole
        figures.append(run(FUZZES[name], chosen.seed, seconds=seconds, most=10**9, found=found))
        say(str(figures[-1]))
    TOTALS.write_text(with_row(TOTALS.read_text("utf-8"), date.today(), figures), "utf-8")
    return int(any(figure.wrong for figure in figures))


def with_row(table: str, day: date, figures: Sequence[Figure]) -> str:
    """TOTALS.md with one more run, and the sum of all."""
    tried = {figure.name: figure.count for figure in figures}
    counts = [f"{tried.get(name, 0):,}" for name in FUZZES]
    minutes = sum(figure.seconds for figure in figures) / 60
    wrong = sum(figure.wrong for figure in figures)
    row = [day.isoformat(), str(figures[0].seed), f"{minutes:.0f}", *counts, str(wrong)]
    return table_of([*rows_of(table), row])


def rows_of(table: str) -> list[list[str]]:
    return [
        line.strip("|").replace(" ", "").split("|") for line in table.split("\n") if line.startswith("| 2")
    ]


def table_of(rows: Sequence[Sequence[str]]) -> str:
    """The whole file. The sum stands at the top."""
    units = [fuzz.unit for fuzz in FUZZES.values()]
    columns = list(zip(*rows, strict=True)) or [()] * (len(units) + 4)
    sums = [sum(int(value.replace(",", "")) for value in column) for column in columns[3:]]
    said = [f"{count:,} {unit}" for count, unit in zip(sums, units, strict=False)]
    goals = [f"{GOALS[name]:,} {fuzz.unit}" for name, fuzz in FUZZES.items() if GOALS[name]]
    head = ["date", "seed", "minutes", *units, "wrong"]
    lines = [head, ["---"] * len(head), *rows]
    return (
        f"{ABOUT}**{', '.join(said)}; {sums[-1]} wrong.** The goal: {', '.join(goals)}, 0 wrong.\n\n"
        + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    )


def say(text: str) -> None:
    sys.stdout.write(re.sub(r"\s+", " ", text)[:500] + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
