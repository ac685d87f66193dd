"""`lintseq-lsp synthesize`: programs from files, folders and packages; sequences into a JSONL file."""

import hashlib
import os
import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

from lintseq_lsp import __version__
from lintseq_lsp.errors import LinterError, SettingsError
from lintseq_lsp.linters.environment import Environment, find_environment
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.synthesis import sources
from lintseq_lsp.synthesis.output import Output
from lintseq_lsp.synthesis.programs import Key, Program, Recipe
from lintseq_lsp.synthesis.sources import BadInput, Source
from lintseq_lsp.synthesis.workers import outcomes

_REASONS_SHOWN = 8
_MEMORY = 1 << 30  # bytes a linter process: a corpus imports more than one editor's workspace does


def synthesize(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", dir_okay=False, help="JSONL file; what is there is gone on with."),
    ],
    source: Annotated[
        list[Path] | None,
        typer.Argument(
            help="JSONL files (instruction, response), Python files, folders of Python files.", exists=True
        ),
    ] = None,
    package: Annotated[
        list[str] | None, typer.Option("--package", "-p", help="Installed package, by its import name.")
    ] = None,
    samples: Annotated[int, typer.Option("--samples", "-s", min=1, help="Sequences a program.")] = 1,
    seed: Annotated[
        int, typer.Option(help="The same seed makes the same sequences, whatever --jobs is.")
    ] = 1,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Linter processes.")] = os.cpu_count() or 1,
    linter: Annotated[
        bool, typer.Option("--linter/--no-linter", help="Without: chunks at random (the paper's RandSeq).")
    ] = True,
    baseline: Annotated[
        bool,
        typer.Option("--baseline", help="What a program has already, such as a missing import, is no error."),
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds a program, all of its samples together.")
    ] = 120.0,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Try the samples in NAME.failures.jsonl again, which else stay failed."
        ),
    ] = False,
) -> None:
    """Make LintSeq edit sequences of programs.

    Functions and classes of Python files are programs when they have a docstring, which is their
    instruction. A run that was stopped or killed goes on when it is started again. Samples that
    could not be made are in OUTPUT's neighbour, NAME.failures.jsonl; those whose linter died or whose time
    was up may do better with --retry-failed.
    """
    console = Console(stderr=True)
    recipe = Recipe(samples, seed, linter, baseline, timeout)
    try:
        origins = [*map(sources.source, source or []), *map(sources.package, package or [])]
        if not origins:
            raise SettingsError("name a file, a folder or a --package to take programs from")
        environment = find_environment(None)
        if linter:
            imports = f"Imports resolve against {_described(environment)} ({environment.origin})"
            console.print(imports, markup=False, highlight=False, soft_wrap=True)
        with console.status("Reading programs …"):
            keys, digest, bad = _survey(origins)
        for item in bad:
            console.print(
                f"[yellow]skipped[/] {escape(item.place)}: {escape(item.reason)}",
                highlight=False,
                soft_wrap=True,
            )
        if not keys:
            raise SettingsError("there is no program in what was named")
        run = _description(origins, recipe, len(keys), digest, environment)
        with Output(output, run, samples, retry_failed=retry_failed) as out:
            _run(origins, recipe, jobs, environment, len(keys), out, len(bad), console)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    except LinterError as error:
        console.print(f"[red]error[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("Stopped. The same command goes on from here.")
        raise typer.Exit(130) from None


def _run(
    origins: Sequence[Source],
    recipe: Recipe,
    jobs: int,
    environment: Environment,
    total: int,
    out: Output,
    bad: int,
    console: Console,
) -> None:
    reasons: Counter[str] = Counter()
    start, before = time.monotonic(), len(out.done)
    with ExitStack() as stack:
        linters = [
            stack.enter_context(closing(PylintPool(environment, memory_limit=_MEMORY))) for _ in range(jobs)
        ]
        if recipe.linter:
            failures = [warming.result().failure for warming in [linter.warm() for linter in linters]]
            if any(failures):
                raise LinterError(next(filter(None, failures)))
        progress = stack.enter_context(
            Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console)
        )
        task = progress.add_task("Programs", total=total, completed=before)
        todo = (program for program in _programs(origins) if program.key not in out.done)
        for outcome in stack.enter_context(closing(outcomes(todo, recipe, linters, out.again))):
            out.write(outcome)
            reasons.update(failure["reason"] for failure in outcome.failures)
            progress.advance(task)
    table = Table(show_header=False, box=None)
    table.add_row("programs", f"{total}" + (f" ({before} done before)" if before else ""))
    table.add_row("sequences in all", str(out.sequences))
    table.add_row("failed samples in all", str(out.failures))
    for reason, count in reasons.most_common(_REASONS_SHOWN):
        table.add_row("failed in this run", f"{count} × {escape(reason)}")
    table.add_row("bad inputs skipped", str(bad))
    table.add_row("seconds", f"{time.monotonic() - start:.1f}")
    console.print(table)


def _programs(origins: Iterable[Source]) -> Iterator[Program]:
    items = chain.from_iterable(map(sources.programs, origins))
    return (item for item in items if isinstance(item, Program))


def _described(environment: Environment) -> str:
    """Without where it was found, which makes no difference to the sequences."""
    number = environment.python_version
    python = ".".join(map(str, number)) if number else "of unknown version"
    return f"Python {python}: {', '.join(map(str, environment.site_packages)) or 'no packages'}"


def _survey(origins: Iterable[Source]) -> tuple[set[Key], str, list[BadInput]]:
    """The programs' keys, a digest of them all, and what has to be skipped."""
    keys: set[Key] = set()
    bad = []
    digest = hashlib.sha256()
    for origin in origins:
        item = None
        for item in sources.programs(origin):
            if isinstance(item, BadInput):
                bad.append(item)
                continue
            if item.key in keys:
                raise SettingsError(f"{item.source_file} is named twice")
            keys.add(item.key)
            digest.update(repr(item).encode())
        if item is None:
            bad.append(BadInput(origin.name, "no program in it"))
    return keys, digest.hexdigest(), bad


def _description(
    origins: Sequence[Source], recipe: Recipe, total: int, digest: str, environment: Environment
) -> dict[str, Any]:
    """What must be the same for a run to go on. Neither time limits nor the number of jobs."""
    choices = asdict(recipe)
    del choices["timeout"]
    return {
        "sources": [origin.name for origin in origins],
        "programs": total,
        "digest": digest,
        **choices,
        "python": platform.python_version(),
        "environment": _described(environment),
        "astroid": version("astroid"),
        "pylint": version("pylint"),
        "lintseq_lsp": __version__,
    }
