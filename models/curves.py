"""Draws the losses of one or more runs over the tokens they had seen.

    python models/curves.py .work/tiny .work/finetuned --out models/curves.png

Each folder holds the log.csv that pretrain.py and finetune.py write.
"""

import argparse
import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for run in arguments.runs:
        with (run / "log.csv").open() as file:
            rows = list(csv.DictReader(file))
        tokens = [int(row["tokens"]) / 1e6 for row in rows]
        for kind, style in (("training", ":"), ("validation", "-")):
            axes.plot(tokens, [float(row[kind]) for row in rows], style, label=f"{run.name}, {kind}")
    axes.set_xlabel("million tokens")
    axes.set_ylabel("loss (nats a token)")
    axes.legend()
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=110)
