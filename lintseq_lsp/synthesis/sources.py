"""Where programs come from: JSONL and Parquet files, Python files, folders of them, installed packages.

No code of theirs is run. Deliberately absent: any choice of what is good to train on.
"""

import ast
import gzip
import json
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import IO, Any, cast

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.synthesis.answers import parsed
from lintseq_lsp.synthesis.optional import extra
from lintseq_lsp.synthesis.programs import Program

Columns = tuple[str, str]
"""The names of the instruction's and of the response's."""

KNOWN_COLUMNS: tuple[Columns, ...] = (
    ("instruction", "response"),  # Magicoder's Evol-Instruct
    ("problem", "solution"),  # Magicoder's OSS-Instruct
    ("instruction", "output"),
    ("prompt", "completion"),
)
"""Of what a row has, the first counts when no columns are named."""

DATA = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
"""How names of data files end."""


@dataclass(frozen=True, slots=True)
class BadInput:
    """A line or a file that holds no program: where, and why it is skipped."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """A data file, a Python file or a folder. `name` stands for `path` in the output."""

    path: Path
    name: str
    columns: Columns | None = None


def of_address(address: str, columns: Columns | None = None) -> list[Source]:
    """A path here, or an address such as hf://datasets/owner/name, of a file or of a folder.

    Raises `SettingsError` for what is none.
    """
    if "://" in address:
        with extra("data"):
            from lintseq_lsp.synthesis.remote import fetched
        found = [Source(path, name, columns) for name, path in fetched(address, is_data)]
        if not found:
            raise SettingsError(f"{address} has no file that ends in {', '.join(DATA)}")
        return found
    path = Path(address)
    if path.is_dir() or (path.is_file() and (is_data(path.name) or path.suffix == ".py")):
        return [Source(path, path.as_posix(), columns)]
    raise SettingsError(f"{path} is neither a folder nor a file that ends in {', '.join(DATA)} or .py")


def package(name: str) -> Source:
    """An installed top-level package or module by its import name, which is found but not imported."""
    spec = PathFinder.find_spec(name) if name.isidentifier() else None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise SettingsError(f"no Python package or module {name!r} is installed here")
    if spec.submodule_search_locations:
        return Source(Path(spec.origin).parent, name)
    return Source(Path(spec.origin), f"{name}.py")


def programs(origin: Source) -> Iterator[Program | BadInput]:
    """In an order that depends on names alone. A folder with Python files has nothing else to read."""
    if origin.path.is_file():
        yield from (_data if is_data(origin.path.name) else _python)(origin)
        return
    files = [path for path in sorted(origin.path.rglob("*")) if path.suffix == ".py" or is_data(path.name)]
    inside = [path for path in files if not _is_hidden(path.relative_to(origin.path))]
    python = [path for path in inside if path.suffix == ".py"]
    for path in python or inside:
        name = f"{origin.name}/{path.relative_to(origin.path).as_posix()}"
        yield from (_python if python else _data)(Source(path, name, origin.columns))


def is_data(name: str) -> bool:
    return name.endswith(DATA)


def read_data(path: Path) -> Iterator[bytes | Mapping[str, Any]]:
    """The rows of a data file: lines of JSONL as they are, rows of Parquet by the names of their columns.

    Raises `OSError`, `EOFError` or `ValueError` for what cannot be read.
    """
    if path.suffix == ".parquet":
        with extra("data"):
            from lintseq_lsp.synthesis.columnar import rows
        yield from rows(path)
    else:
        with _opened(path) as file:
            yield from file


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".zst":
        with extra("data"):
            from lintseq_lsp.synthesis.columnar import open_zstandard
        return open_zstandard(path)
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _data(origin: Source) -> Iterator[Program | BadInput]:
    index = -1
    try:
        for number, row in enumerate(read_data(origin.path), 1):
            if isinstance(row, bytes) and not row.strip():
                continue
            index += 1
            record = _record(row, origin.columns)
            if isinstance(record, str):
                yield BadInput(f"{origin.name}:{number}", record)
            else:
                yield Program(index, origin.name, *record)
    except (OSError, EOFError, ValueError) as error:
        yield BadInput(origin.name, str(error))


def _record(row: bytes | Mapping[str, Any], columns: Columns | None) -> tuple[str, str] | str:
    try:
        record = json.loads(row) if isinstance(row, bytes) else row
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    if not isinstance(record, dict):
        return "not a JSON object"
    if columns is None:
        known = (pair for pair in KNOWN_COLUMNS if all(name in record for name in pair))
        columns = next(known, KNOWN_COLUMNS[0])
        if columns == ("problem", "solution") and record.get("lang", "python") != "python":
            return f"its language is {record['lang']!r}"
    for field in columns:
        if not isinstance(record.get(field), str):
            return f"no text in {field!r}"
    instruction, response = (record[field] for field in columns)
    if not response.strip():
        return "the response is empty"
    return _not_text(instruction + response) or (instruction, response)


def _not_text(text: str) -> str | None:
    """Why `text` cannot be written to a file: half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"not text: {error.reason}"
    return None


def _python(origin: Source) -> Iterator[Program | BadInput]:
    """Functions and classes at the top level that have a docstring, with it as the instruction."""
    try:
        with tokenize.open(origin.path) as file:
            text = file.read()
    except (OSError, SyntaxError, UnicodeError, LookupError) as error:  # the last two: odd coding lines
        yield BadInput(origin.name, str(error))
        return
    tree = parsed(text)
    if tree is None:
        yield BadInput(origin.name, "does not parse")
        return
    lines = text.split("\n")
    index = 0
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        docstring = ast.get_docstring(node)
        if not docstring:
            continue
        flaw = _not_text(docstring)
        if flaw:
            yield BadInput(f"{origin.name}:{node.lineno}", flaw)
        else:
            first = min(part.lineno for part in [node, *node.decorator_list])
            code = "\n".join(lines[first - 1 : node.end_lineno])
            yield Program(index, origin.name, docstring, code)
        index += 1
