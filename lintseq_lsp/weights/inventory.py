"""What `model list` shows: the models that are here, whoever fetched them, and those that can be pulled."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.weights import elsewhere, registry
from lintseq_lsp.weights.catalogue import CATALOGUE, Published
from lintseq_lsp.weights.gguf_header import SLOW, verify


@dataclass(frozen=True, slots=True)
class Row:
    """A model. `size` is in bytes; None or empty is what is not known. A `problem` is why it cannot be used.

    `path` is None for what is not here. `used` is the one that counts where no setting names another. `note`
    is what one has to know of it.
    """

    name: str
    path: Path | None
    size: int | None
    prompt_format: str
    license: str
    where: str
    description: str = ""
    used: bool = False
    problem: str = ""
    note: str = ""


def rows() -> Iterator[Row]:
    """First what was pulled, registered or ships, then what other programs have, then what can be pulled.

    Raises `ModelFileError` when the registry cannot be read.
    """
    embedded, registered = registry.embedded(), registry.registered()
    used = registry.chosen() or embedded[0].name
    for model in (*registered, *embedded):
        size = _size(model.path)
        pulled = "pulled" if model.path.parent == registry.data_folder() else "registered"
        yield Row(
            model.name,
            model.path,
            size,
            model.prompt_format.name,
            model.license,
            "ships with lintseq-lsp" if model in embedded else pulled,
            model.description,
            model.name == used,
            "missing" if size is None else "",
            "" if size is None or model in embedded else _note(model.path),
        )
    here = {model.path.resolve() for model in (*registered, *embedded)}
    for found in elsewhere.models():
        if found.path.resolve() not in here:
            yield _read(found)
    named = {model.name for model in registered}
    for name, published in CATALOGUE.items():
        if name not in named:
            yield Row(
                name,
                None,
                published.size,
                published.prompt_format,
                published.license,
                f"hf:{published.repository}/{published.file}".rstrip("/"),
                f"{published.description} ({published.note})" if published.note else published.description,
                problem=unusable(published),
            )


def unusable(published: Published) -> str:
    """Why this release cannot use it; empty when it can, or that will be told by the file alone."""
    wanted = published.prompt_format
    return f"this release has no prompt format {wanted}" if wanted and wanted not in FORMATS else ""


def _read(found: elsewhere.Elsewhere) -> Row:
    """Of another program's file: what its header says."""
    prompt_format, terms, problem, note = "", "", found.problem, ""
    if not problem:
        try:
            header = verify(found.path)
            terms = str(header.metadata.get("general.license", ""))
            prompt_format = header.prompt_format().name
            note = SLOW if header.has_state else ""
        except LintSeqError as error:
            problem = str(error).replace(f"{found.path} ", "")
    known = next((each for each in CATALOGUE.values() if each.file == found.path.name), None)
    terms = terms or (known.license if known is not None else "")
    return Row(
        found.name,
        found.path,
        _size(found.path),
        prompt_format,
        terms,
        found.program,
        problem=problem,
        note=note,
    )


def _note(path: Path) -> str:
    try:
        return SLOW if verify(path).has_state else ""
    except LintSeqError:
        return ""  # whoever wants to use it is told why it cannot be


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
