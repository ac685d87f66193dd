"""How long texts take that are made to take long (tests/test_hostile_text.py), and how that grows.

    .venv/bin/python benchmarks/hostile_text.py [PART OF A NAME]

For each text: the median of RUNS runs in milliseconds, with the shortest and the longest, at three sizes that
double, and the growth of the median over the last doubling: 2 is linear, 4 is quadratic, 8 is cubic. It is
this process's own time, for what pylint judges the time until its answer. The growth of short times is noise.
"""

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from test_hostile_text import ATTACKS, JUDGED, PATIENCE

from lintseq_lsp.linters.base import Check
from lintseq_lsp.linters.environment import Environment, server_site_packages
from lintseq_lsp.linters.pool import PylintPool

RUNS = 5


def main() -> None:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} processors{load}")
    print(f"{'text':<36}{'sizes (characters)':>30}   ms: median (shortest to longest), growth")
    for attack in ATTACKS:
        if part in attack.name:
            show(attack.name, attack.read, attack.make, attack.size // 2, time.process_time)
    pool = PylintPool(Environment((), server_site_packages()))

    def judge(text: str) -> None:
        failure = pool.submit(Check(text, timeout=PATIENCE)).result().failure
        assert failure is None, failure

    try:
        for name, make in JUDGED.items():
            if part in name:
                show(f"pylint: {name}", judge, make, 20_000, time.perf_counter)
    finally:
        pool.close()


def show(
    name: str,
    read: Callable[[str], object],
    make: Callable[[int], str],
    largest: int,
    clock: Callable[[], float],
) -> None:
    sizes = [largest // 4, largest // 2, largest]
    times = [[milliseconds(read, text, clock) for _ in range(RUNS)] for text in map(make, sizes)]
    spreads = [f"{median(runs):.1f} ({min(runs):.1f} to {max(runs):.1f})" for runs in times]
    growth = median(times[2]) / max(median(times[1]), 1e-3)
    print(f"{name:<36}{'/'.join(map(str, sizes)):>30}   {', '.join(spreads)}, × {growth:.1f}", flush=True)


def milliseconds(read: Callable[[str], object], text: str, clock: Callable[[], float]) -> float:
    start = clock()
    read(text)
    return (clock() - start) * 1000


if __name__ == "__main__":
    main()
