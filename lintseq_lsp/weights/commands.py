"""`lintseq-lsp model …`: what the user may do with models. Only words and exit codes, no work of its own."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.weights import gguf_header, registry
from lintseq_lsp.weights.catalogue import in_bytes
from lintseq_lsp.weights.gguf_header import Type

app = typer.Typer(help="List, fetch, convert, verify and choose models.", no_args_is_help=True)

_Type = Annotated[Type, typer.Option("--type", help="How weights are stored.", case_sensitive=False)]


@app.command("list")
def list_models(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON list, with paths and sizes in bytes.")
    ] = False,
) -> None:
    """Show the installed models, those of other programs, and those that can be pulled."""
    from lintseq_lsp.weights.inventory import rows

    with _errors_shown():
        if as_json:
            found = [asdict(row) | {"path": row.path and str(row.path)} for row in rows()]
            typer.echo(json.dumps(found, indent=2))
            return
        pulled = False
        for row in rows():
            if row.path is None and not pulled:
                pulled = True
                typer.echo("\nby `lintseq-lsp model pull NAME`:")
            size = "-" if row.size is None else in_bytes(row.size)
            line = f"{'*' if row.used else ' '} {row.name:32} {size:>9}  {row.prompt_format or '-':14} "
            line += f"{row.license or 'unknown':18} "
            told = row.description if row.path is None else f"{row.where}, {row.path}"
            told += f"; {row.note}" if row.note else ""
            typer.echo(f"{line}{told}{f'; cannot be used: {row.problem}' if row.problem else ''}")


@app.command()
def pull(
    name: Annotated[
        str, typer.Argument(help="A name that `model list` shows, or OWNER/REPOSITORY/FILE.gguf.")
    ],
    kind: _Type = Type.Q8_0,
    called: Annotated[str, typer.Option("--name", help="Its name, instead of the file's.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Download a gigabyte or more without asking.")
    ] = False,
) -> None:
    """Download a model from the Hugging Face Hub, verify and register it; continue after an interruption.

    `--type` is for checkpoints, which are converted; a GGUF file stays as it is.
    """
    from lintseq_lsp.weights.fetch import pull as pull_model

    def agree(question: str) -> bool:
        try:
            return yes or typer.confirm(question, err=True)
        except typer.Abort:  # nobody is there to answer
            typer.echo(err=True)
            return False

    with _errors_shown():
        model = pull_model(
            name,
            kind=kind,
            announce=lambda stage: typer.echo(f"{stage} …", err=True),
            agree=agree,
            called=called,
        )
    typer.echo(
        f"{model.path}\nsha256 {model.sha256}\nuse it: lintseq-lsp model use {shlex.quote(model.name)}"
    )


@app.command()
def convert(
    folder: Annotated[Path, typer.Argument(help="A checkpoint in transformers' layout.", metavar="DIR")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The GGUF file to write.")],
    kind: _Type = Type.Q8_0,
    prompt_format: Annotated[
        str, typer.Option(help="The prompt format of its training; by default its vocabulary decides.")
    ] = "",
) -> None:
    """Make a GGUF file of an OLMo, Llama, Qwen2 or Qwen3 checkpoint."""
    from lintseq_lsp.weights.convert import convert as convert_checkpoint

    with _errors_shown():
        metadata = {"lintseq.prompt_format": prompt_format} if prompt_format else {}
        convert_checkpoint(folder, output, name=output.stem, kind=kind, metadata=metadata)
        digest = gguf_header.checksum(output)
        known = gguf_header.verify(output).prompt_format().name
    typer.echo(
        f"{output}\nsha256 {digest}\nprompt format {known}\n"
        f"use it: lintseq-lsp model use {shlex.quote(str(output))}"
    )


@app.command()
def verify(file: Annotated[str, typer.Argument(help="A GGUF file, or a model's name.")]) -> None:
    """Check that a model file is complete, with its recorded checksum and a known prompt format."""
    with _errors_shown():
        known = registry.find(file)
        path = registry.file_at(file) if known is None else known.path
        if known is None:
            models = (*registry.registered(), *registry.embedded())
            known = next((model for model in models if model.path.resolve() == path.resolve()), None)
        header = gguf_header.verify(path, known.sha256 if known else None)
        prompt_format = header.prompt_format()
        digest = gguf_header.checksum(path)
    recorded = "as recorded" if known is not None and known.sha256 else "no checksum is recorded of this file"
    typer.echo(
        f"{path}: ok\nsha256 {digest} ({recorded})\n{header.architecture}, context {header.context}, "
        f"prompt format {prompt_format.name}"
    )


@app.command()
def use(
    name: Annotated[str, typer.Argument(help="A name that `model list` shows, or a GGUF file to register.")],
) -> None:
    """Choose the model for all editors whose settings name none."""
    with _errors_shown():
        model = registry.choose(name)
    typer.echo(f"using {model.name} ({model.path})")


@contextmanager
def _errors_shown() -> Iterator[None]:
    try:
        yield
    except LintSeqError as error:
        message = str(error)
    except OSError as error:
        if error.filename is None:  # of standard output, where the command's own failures end up
            raise
        message = f"{error.filename} cannot be used: {error.strerror}"
    else:
        return
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)
