"""Draws the losses of a run over the tokens that it had learned.

    python models/curves.py models/log.csv --out models/curves.png

The log is the one that train.py writes.
"""

import argparse
import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

STYLES = {"training": ":", "validation": "-", "as Q4_0": "--"}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with arguments.log.open() as file:
        rows = list(csv.DictReader(file))
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for column, style in STYLES.items():
        measured = [row for row in rows if row[column]]
        tokens = [int(row["tokens"]) / 1e6 for row in measured]
        axes.plot(tokens, [float(row[column]) for row in measured], style, label=column)
    axes.set_xlabel("million learned tokens")
    axes.set_ylabel("loss (nats a token)")
    axes.legend()
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=110)
