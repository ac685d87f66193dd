"""`lintseq-lsp synthesize`: programs from files, folders and packages; sequences into a file or a folder."""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, ProgressColumn, Task, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lintseq_lsp.errors import LinterError, SettingsError
from lintseq_lsp.linters.environment import Environment, find_environment
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.synthesis import sources
from lintseq_lsp.synthesis.optional import extra
from lintseq_lsp.synthesis.output import Output
from lintseq_lsp.synthesis.programs import Cost, Program, Recipe
from lintseq_lsp.synthesis.screening import WORDS, RemovedRecord, Screening
from lintseq_lsp.synthesis.shards import Compression, Format, Layout, Shards
from lintseq_lsp.synthesis.sources import BadInput, Source
from lintseq_lsp.synthesis.versions import described, versions
from lintseq_lsp.synthesis.workers import MEMORY, START, LinterWorker, Worker, outcomes

_RECIPE = Recipe()
_LAYOUT = Layout()
_REASONS_SHOWN = 8
_SKIPPED_SHOWN = 20
_BATCH = 8  # programs that a worker of a cluster is given at once


class Engine(StrEnum):
    """Where the workers are."""

    LOCAL = "local"
    RAY = "ray"


def synthesize(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="NAME.jsonl is one file, anything else a folder of shards. An earlier run is continued.",
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Argument(
            help="Data files (.jsonl, .jsonl.gz, .jsonl.zst, .parquet), Python files, folders of either, "
            "and addresses such as hf://datasets/OWNER/NAME."
        ),
    ] = None,
    package: Annotated[
        list[str] | None, typer.Option("--package", "-p", help="Installed package, by its import name.")
    ] = None,
    columns: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="Names of the instruction's and the response's column in data files. Well-known data "
            "sets need none.",
            metavar="INSTRUCTION RESPONSE",
        ),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", "-s", min=1, help="Sequences per program.")] = 1,
    seed: Annotated[
        int, typer.Option(help="The same seed makes the same sequences, whatever --engine and --jobs are.")
    ] = 1,
    engine: Annotated[Engine, typer.Option(help="This machine, or a Ray cluster.")] = Engine.LOCAL,
    address: Annotated[
        str | None, typer.Option(help="Address of the Ray cluster; by default one is started here.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Workers; by default one per processor.")
    ] = None,
    linter: Annotated[
        bool, typer.Option("--linter/--no-linter", help="--no-linter: random chunks (the paper's RandSeq).")
    ] = True,
    baseline: Annotated[
        bool,
        typer.Option("--baseline", help="Ignore findings of the program itself, such as a missing import."),
    ] = False,
    max_characters: Annotated[
        int, typer.Option(min=1, help="Longer responses fail.")
    ] = _RECIPE.max_characters,
    max_lines: Annotated[int, typer.Option(min=1, help="Longer programs fail.")] = _RECIPE.max_lines,
    max_checks: Annotated[
        int, typer.Option(min=1, help="Checks of the linter that a sample may take.")
    ] = _RECIPE.max_checks,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            help="Seconds for all samples of a program; the last resort, since it depends on the machine.",
        ),
    ] = _RECIPE.timeout,
    shard_programs: Annotated[
        int, typer.Option(min=1, help="Programs per shard of a folder.")
    ] = _LAYOUT.programs,
    format: Annotated[Format, typer.Option(help="Of a folder's shards.")] = _LAYOUT.format,  # noqa: A002
    compression: Annotated[Compression, typer.Option(help="Of a folder's shards.")] = _LAYOUT.compression,
    near_duplicates: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1.0,
            help="Leave out programs whose Jaccard similarity with an earlier one, estimated by MinHash, is "
            "this or more; for example 0.85.",
        ),
    ] = None,
    decontaminate: Annotated[
        list[Path] | None,
        typer.Option(
            help="Leave out programs that overlap with this benchmark, a data file or any text. Repeatable.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    decontaminate_words: Annotated[
        int, typer.Option(min=1, help="Consecutive words that count as an overlap.")
    ] = WORDS,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try failed samples again; otherwise they stay failed."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="Write an HTML page about the sequences. Without --output: about an earlier run's output, "
            "which is named instead of the sources.",
        ),
    ] = None,
) -> None:
    """Make LintSeq edit sequences of programs.

    The functions and classes of a Python file that have a docstring are programs; the docstring is the
    instruction. An interrupted run continues when it is started again. Samples that failed are listed in
    NAME.failures.jsonl, or in the folder's failures.jsonl. --retry-failed may help if their time was up.
    """
    console = Console(stderr=True)
    if output is None:
        _report_on(source or [], report, console)
        return
    recipe = Recipe(samples, seed, linter, baseline, max_characters, max_lines, max_checks, timeout)
    try:
        write_report = _reporter(report, console)
        found = [sources.of_address(name, columns) for name in source or []]
        origins = [*chain.from_iterable(found), *map(sources.package, package or [])]
        if not origins:
            raise SettingsError("name a file, a folder or a --package to take programs from")
        environment = find_environment(None)
        if linter:
            imports = f"Imports resolve against {described(environment)} ({environment.origin})"
            console.print(imports, markup=False, highlight=False, soft_wrap=True)
        with console.status("Reading programs …"):
            screening = Screening(near_duplicates, decontaminate or (), decontaminate_words)
            survey = _survey(origins, screening)
        _show_skipped(survey, console)
        if not survey.programs:
            raise SettingsError("the input has no programs")
        run = _description(origins, recipe, survey, environment) | screening.description
        sink: Output | Shards
        if output.suffix == ".jsonl":
            sink = Output(output, run, samples, retry_failed=retry_failed)
        else:
            layout = Layout(shard_programs, format, compression)
            sink = Shards(output, run, layout, retry_failed=retry_failed)
        with sink, _crew(engine, address, jobs, recipe, environment) as workers:
            sink.remove(survey.removed)
            _run(origins, recipe, workers, 1 if engine is Engine.LOCAL else _BATCH, survey, sink, console)
        write_report(output)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    except (LinterError, OSError) as error:  # such as a full disk
        console.print(f"[red]error[/] {escape(str(error))}", soft_wrap=True)
        console.print("The same command goes on from here.")
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("Stopped. The same command goes on from here.")
        raise typer.Exit(130) from None


def _crew(
    engine: Engine, address: str | None, jobs: int | None, recipe: Recipe, environment: Environment
) -> AbstractContextManager[list[Worker]]:
    if engine is Engine.RAY:
        with extra("ray"):
            from lintseq_lsp.synthesis.cluster import actors, linter_worker
        return actors(address, jobs, partial(linter_worker, recipe))
    if address is not None:
        raise SettingsError("--address is for --engine ray")
    number = jobs or os.cpu_count() or 1
    pools = [PylintPool(environment, memory_limit=MEMORY, start_timeout=START) for _ in range(number)]
    return nullcontext([LinterWorker(pool, recipe) for pool in pools])


def _run(
    origins: Sequence[Source],
    recipe: Recipe,
    workers: Sequence[Worker],
    batch: int,
    survey: "_Survey",
    sink: Output | Shards,
    console: Console,
) -> None:
    reasons: Counter[str] = Counter()
    cost, writing = Cost(), 0.0
    start, before = time.monotonic(), sink.programs_done
    progress = Progress(*Progress.get_default_columns(), _Rate(), TimeElapsedColumn(), console=console)
    jobs = sink.jobs(_programs(origins, survey), range(recipe.samples))
    made = outcomes(jobs, workers, batch=batch, ahead=sink.ahead(len(workers)))
    with progress, closing(made):
        task = progress.add_task("Programs", total=survey.programs, completed=before)
        for place, outcome in made:
            begin = time.monotonic()
            sink.write(place, outcome)
            writing += time.monotonic() - begin
            cost += outcome.cost
            reasons.update(failure["reason"] for failure in outcome.failures)
            progress.advance(task)
    sink.finish()
    seconds = time.monotonic() - start
    table = Table(show_header=False, box=None)
    table.add_row("programs", f"{survey.programs}" + (f" ({before} done before)" if before else ""))
    table.add_row("sequences in all", str(sink.sequences))
    table.add_row("failed samples in all", str(sink.failures))
    for reason, count in reasons.most_common(_REASONS_SHOWN):
        table.add_row("failed in this run", f"{count} × {escape(reason)}")
    table.add_row("bad inputs skipped", str(survey.bad))
    for reason, count in survey.reasons.items():
        table.add_row("left out", f"{count} × {reason}")
    table.add_row("seconds", f"{seconds:.1f}, of which writing {writing:.1f}")
    if cost.seconds:
        of_all = cost.seconds / (seconds * len(workers))
        table.add_row("workers", f"{len(workers)}, at work for {of_all:.0%} of the time")
        table.add_row("their time", f"linter {cost.linting / cost.seconds:.0%} of {cost.seconds:.1f} s")
    if cost.checks:
        table.add_row("checks", f"{cost.checks}, {cost.linting / cost.checks * 1000:.1f} ms each")
    console.print(table)


def _report_on(places: Sequence[str], report: Path | None, console: Console) -> None:
    if report is None:
        raise typer.BadParameter("say where the sequences go: --output NAME.jsonl, or --output FOLDER")
    if len(places) != 1:
        raise typer.BadParameter("--report without --output needs the file or folder of an earlier run")
    try:
        _reporter(report, console)(Path(places[0]))
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error


def _reporter(report: Path | None, console: Console) -> Callable[[Path], None]:
    """Writes the report of a place, when one is wanted. Raises `SettingsError` now where it could not."""
    if report is None:
        return lambda _: None
    with extra("quality"):
        from lintseq_lsp.synthesis.report import write

    def write_report(place: Path) -> None:
        with console.status("Writing the report …"):
            write(place, report)
        console.print(f"Report: {report}", markup=False, highlight=False, soft_wrap=True)

    return write_report


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.1f}/s")


def _programs(origins: Iterable[Source], survey: "_Survey") -> Iterator[Program]:
    items = chain.from_iterable(map(sources.programs, origins))
    removed = {(record["source_file"], record["index"]) for record in survey.removed}
    return (item for item in items if isinstance(item, Program) and item.key not in removed)


@dataclass(slots=True)
class _Survey:
    """How many programs there are, a digest of them all, what of them is left out, and how many inputs are
    skipped, with the first."""

    programs: int = 0
    digest: str = ""
    removed: list[RemovedRecord] = field(default_factory=list)
    bad: int = 0
    first_bad: list[BadInput] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, int]:
        """Why programs are left out, and how many."""
        return dict(sorted(Counter(record["reason"] for record in self.removed).items()))

    def skip(self, item: BadInput) -> None:
        self.bad += 1
        if self.bad <= _SKIPPED_SHOWN:
            self.first_bad.append(item)


def _survey(origins: Iterable[Source], screening: Screening) -> _Survey:
    survey = _Survey()
    digest = hashlib.sha256()
    files: set[str] = set()
    for origin in origins:
        item, file = None, None
        for item in sources.programs(origin):
            if isinstance(item, BadInput):
                survey.skip(item)
                continue
            if item.source_file != file:
                if item.source_file in files:
                    raise SettingsError(f"{item.source_file} is named twice")
                file = item.source_file
                files.add(file)
            if (record := screening.removed(item)) is not None:
                survey.removed.append(record)
            else:
                survey.programs += 1
            digest.update(repr(item).encode())
        if item is None:
            survey.skip(BadInput(origin.name, "no program in it"))
    survey.digest = digest.hexdigest()
    return survey


def _show_skipped(survey: _Survey, console: Console) -> None:
    for item in survey.first_bad:
        line = f"[yellow]skipped[/] {escape(item.place)}: {escape(item.reason)}"
        console.print(line, highlight=False, soft_wrap=True)
    if survey.bad > len(survey.first_bad):
        console.print(f"[yellow]skipped[/] {survey.bad - len(survey.first_bad)} more")


def _description(
    origins: Sequence[Source], recipe: Recipe, survey: _Survey, environment: Environment
) -> dict[str, Any]:
    """What must be the same for a run to go on. Neither time limits nor where it is run."""
    choices = asdict(recipe)
    del choices["timeout"]
    return {
        "sources": [origin.name for origin in origins],
        "programs": survey.programs,
        "skipped": survey.bad,
        "removed": survey.reasons,
        "digest": survey.digest,
        **choices,
        **versions(environment),
    }
