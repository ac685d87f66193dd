#!/usr/bin/env python3
"""What the engine costs beside the linter: tiny programs, a stub in the linter's place, all else as it is.

Usage: benchmarks/scale.py [--programs 1000000] [--engine ray] [--jobs 2] [--samples 1]

Prints seconds by the clock, and the driver's processor seconds for each program: what more workers do not
take away. Programs come from memory; their outcomes are written as shards into a temporary folder.
"""

import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lintseq_lsp.linters.base import Check, Report
from lintseq_lsp.synthesis.commands import Engine
from lintseq_lsp.synthesis.programs import Program, Recipe
from lintseq_lsp.synthesis.shards import Layout, Shards
from lintseq_lsp.synthesis.workers import LinterWorker, Worker, outcomes


class Stub:
    """Finds nothing, at once."""

    def submit(self, check: Check) -> Future[Report]:  # noqa: ARG002
        future: Future[Report] = Future()
        future.set_result(Report())
        return future

    def close(self) -> None: ...


def stub_worker(recipe: Recipe) -> Worker:
    return LinterWorker(Stub(), recipe)


def tiny(count: int, lines: int) -> Iterator[Program]:
    code = "\n".join(f"x{line} = {line}" for line in range(lines))
    return (Program(index, "tiny", "Count.", f"{code}\ny = {index}") for index in range(count))


def main(
    programs: Annotated[int, typer.Option(min=1)] = 1_000_000,
    engine: Engine = Engine.RAY,
    jobs: Annotated[int, typer.Option(min=1)] = 2,
    samples: Annotated[int, typer.Option(min=1)] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Programs that a worker is given at once.")] = 8,
    lines: Annotated[int, typer.Option(min=0, help="Of a program, beside its last.")] = 1,
) -> None:
    recipe = Recipe(samples=samples)
    if engine is Engine.RAY:
        from lintseq_lsp.synthesis.cluster import actors

        crew = actors(None, jobs, partial(stub_worker, recipe))
    else:
        crew = nullcontext([stub_worker(recipe) for _ in range(jobs)])
    with tempfile.TemporaryDirectory() as folder, crew as workers:
        for worker in workers:
            worker.await_ready()
        with Shards(Path(folder) / "out", {"programs": programs}, Layout()) as out:
            start, before = time.monotonic(), time.process_time()
            given = out.jobs(tiny(programs, lines), range(samples))
            for place, outcome in outcomes(given, workers, batch=batch, ahead=out.ahead(jobs)):
                out.write(place, outcome)
            out.finish()
            seconds, driver = time.monotonic() - start, time.process_time() - before
            size = sum(path.stat().st_size for path in (Path(folder) / "out" / "data").iterdir())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{programs} programs, {out.sequences} sequences, {size / 1e6:.1f} MB, "
        f"{engine.value}, {jobs} workers: {seconds:.1f} s, {seconds / programs * 1e6:.0f} µs each; "
        f"driver {driver / programs * 1e6:.0f} µs each of a processor, {memory:.0f} MB"
    )


if __name__ == "__main__":
    typer.run(main)
