"""`lintseq-lsp edit`: the main job, an instruction followed step by step under the gate."""

import difflib
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer

from lintseq_lsp.commands.files import read_source
from lintseq_lsp.commands.terminal import (
    ENDPOINT,
    PATIENCE,
    RECORD,
    clear_errors,
    console,
    counted,
    diff_text,
    errors,
    finding_record,
    print_json,
    show_diff,
    show_step,
    verdict_word,
    write_recorded,
)
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.generation import RESAMPLING, Ended, Step
from lintseq_lsp.text import Document


@dataclass
class Sequence:
    """One sampled sequence, complete."""

    steps: list[Step] = field(default_factory=list)
    ended: Ended | None = None

    @property
    def rank(self) -> tuple[int, float]:
        """More accepted steps first, then the more probable ones."""
        accepted = [step for step in self.steps if step.verdict.accepted]
        tokens = sum(step.tokens for step in accepted)
        return len(accepted), sum(step.logprob for step in accepted) / tokens if tokens else 0.0


def edit(
    file: Path,
    instruction: Annotated[str, typer.Option(help="What to change, in words.")],
    as_json: Annotated[bool, typer.Option("--json", help="One object per step, and a last one.")] = False,
    as_diff: Annotated[bool, typer.Option("--diff", help="A patch that `git apply` takes.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Replace the file.")] = False,
    samples: Annotated[int, typer.Option(min=1, help="Sequences to sample; the best one counts.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Sample with this seed.")] = None,
    model: Annotated[str, typer.Option(help="A GGUF file or the name of a model.")] = "",
    endpoint: Annotated[str, typer.Option(help=ENDPOINT)] = "",
    record: Annotated[Path | None, typer.Option(help=RECORD)] = None,
) -> None:
    """Edit FILE as the instruction says, in steps; the linter checks the text after each one."""
    from lintseq_lsp.runtime import open_engine
    from lintseq_lsp.settings import Settings

    with clear_errors():
        if as_json + as_diff + write > 1:
            raise LintSeqError("use only one of --json, --diff and --write")
        if record and samples > 1:
            raise LintSeqError("--record is for one sequence: leave out --samples")
        source = read_source(file)
        document = source.document
        settings = Settings(model=model, endpoint=endpoint, gate_timeout=PATIENCE)
        engine = open_engine(settings, first=document.path)
        try:
            readable = not (as_json or as_diff or write)
            live = readable and samples == 1
            sampled = [
                _sample(engine, document, instruction, seed, number, show=live) for number in range(samples)
            ]
            write_recorded(engine, document, record)
        finally:
            engine.close()
        best = max(sampled, key=lambda sequence: sequence.rank)
        assert best.ended is not None
        if write:
            if best.ended.document.text != document.text:
                source.write(best.ended.document.text)
            steps = counted(best.ended.accepted, "step")
            console.print(f"{file}: {steps}, {best.ended.reason.value}", markup=False)
    if as_json:
        _print_records(best)
    elif as_diff:
        texts = (document.text, best.ended.document.text)
        before, after = (source.encoded(text).decode("utf-8", "surrogateescape") for text in texts)
        typer.echo(patch(file, before, after).encode("utf-8", "surrogateescape"), nl=False)
        if not best.ended.accepted:
            errors.print(f"{file}: nothing: {best.ended.reason.value}", markup=False, soft_wrap=True)
    elif readable:
        if not live:
            for step in best.steps:
                show_step(step)
        show_result(file, document, best.ended)


def _sample(
    engine: Engine,
    document: Document,
    instruction: str,
    seed: int | None,
    number: int,
    *,
    show: bool,
) -> Sequence:
    """The first sequence is the most probable one, unless a seed is given."""
    sampling = None
    if seed is not None or number > 0:
        sampling = replace(RESAMPLING, seed=(seed or 0) + number)
    sequence = Sequence()
    for item in engine.edit(document, instruction, sampling=sampling):
        if isinstance(item, Ended):
            sequence.ended = item
        else:
            sequence.steps.append(item)
            if show:
                show_step(item)
    return sequence


def _print_records(sequence: Sequence) -> None:
    for step in sequence.steps:
        print_json(
            {
                "step": step.number,
                "diff": diff_text(step),
                "verdict": verdict_word(step.verdict),
                "findings": [finding_record(finding) for finding in step.verdict.findings],
                "text": step.document.text,
            }
        )
    ended = sequence.ended
    assert ended is not None
    print_json(
        {
            "stop": ended.reason.value,
            "accepted": ended.accepted,
            "rejected": ended.rejected,
            "text": ended.document.text,
        }
    )


def show_result(file: Path, document: Document, ended: Ended) -> None:
    accepted = counted(ended.accepted, "step")
    console.print(
        f"{accepted} accepted, {ended.rejected} rejected, stopped: {ended.reason.value}", style="bold"
    )
    final = patch(file, document.text, ended.document.text)
    if final:
        show_diff(final)


def patch(file: Path, before: str, after: str) -> str:
    """A unified diff with the names that `git apply` expects; empty when nothing changed.

    Lines end where the editor's do, so a form feed or U+2028 inside of one is no line end.
    """
    old, new = (_quoted(f"{side}/{_name(file)}") for side in "ab")
    lines = []
    for line in difflib.unified_diff(_with_ends(before), _with_ends(after), old, new):
        lines.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(lines)


def _name(file: Path) -> str:
    """Relative to where `git apply` is called: here, or the project's root for a file that is elsewhere."""
    from lintseq_lsp.linters.project import project_folder

    path = Path(os.path.normpath(file.absolute()))
    roots = (Path.cwd(), project_folder(file))
    root = next((root for root in roots if path.is_relative_to(root)), Path(path.anchor))
    return path.relative_to(root).as_posix()


def _quoted(name: str) -> str:
    """As git writes a name: in quotes, when it has characters that would end it."""
    if not re.search(r'[\0-\x1f"\\\x7f]', name):
        return name
    return '"' + re.sub(r'[\0-\x1f"\\\x7f]', lambda match: f"\\{ord(match[0]):03o}", name) + '"'


def _with_ends(text: str) -> list[str]:
    """Lines as git sees them: only `\\n` ends one."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
