"""Where programs come from: JSONL files, Python files, folders of them, installed packages.

No code of theirs is run. Deliberately absent: any choice of what is good to train on.
"""

import ast
import json
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from itertools import islice
from pathlib import Path
from textwrap import dedent

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.synthesis.programs import Program

# The rest of the line that opens a block is no code, unless the block ends on that line.
_OPENING = re.compile(
    r"(?<![`~])(`{3,}|~{3,}) *(?:python3?|py)(?![\w-])(?:[^`\r\n]*(?=[\r\n]))?", re.IGNORECASE
)
_FENCE = re.compile(r"`{3,}|~{3,}")
_MARKERS = re.compile(r"[ \t>*+\-0-9.)]*")  # of lists and quotations, in front of a fence
_WIDEST = 100
_MOST_ENDS = 8


@dataclass(frozen=True, slots=True)
class BadInput:
    """A line or a file that holds no program: where, and why it is skipped."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """A JSONL file, a Python file or a folder. `name` stands for `path` in the output."""

    path: Path
    name: str


def source(path: Path) -> Source:
    """Raises `SettingsError` for what is none."""
    if path.is_dir() or (path.is_file() and path.suffix in {".jsonl", ".py"}):
        return Source(path, path.as_posix())
    raise SettingsError(f"{path} is no .jsonl file, no .py file and no folder")


def package(name: str) -> Source:
    """An installed top-level package or module by its import name, which is found but not imported."""
    spec = PathFinder.find_spec(name) if name.isidentifier() else None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise SettingsError(f"no Python package or module {name!r} is installed here")
    if spec.submodule_search_locations:
        return Source(Path(spec.origin).parent, name)
    return Source(Path(spec.origin), f"{name}.py")


def programs(origin: Source) -> Iterator[Program | BadInput]:
    """In an order that depends on names alone."""
    if origin.path.suffix == ".jsonl" and origin.path.is_file():
        yield from _jsonl(origin)
    elif origin.path.is_file():
        yield from _python(origin)
    else:
        for path in sorted(origin.path.rglob("*.py")):
            inside = path.relative_to(origin.path)
            if not any(part.startswith(".") for part in inside.parts):
                yield from _python(Source(path, f"{origin.name}/{inside.as_posix()}"))


def code_in(response: str) -> str:
    """The Python of an answer in prose: its fenced blocks, when the whole is not Python itself."""
    response = response.removeprefix("\ufeff")  # what an editor hides, and pylint in a file, too
    if _OPENING.search(response) is None or _parsed(response) is not None:
        return response
    return "\n".join(_fenced(response)).strip()


def _fenced(text: str) -> Iterator[str]:
    """The code of each fenced block, without the indentation that its fence has in a list or a quotation.

    A fence may stand in a string of the code: the first ends the block behind which the code is whole.
    """
    end = 0
    while (opening := _OPENING.search(text, end)) is not None:
        fence, start = opening[1], opening.end()
        before = text[max(opening.start() - _WIDEST, 0) : opening.start()].rpartition("\n")[2]
        indent = before if _MARKERS.fullmatch(before) else ""
        closing = (match for match in _FENCE.finditer(text, start) if match[0].startswith(fence))
        ends = [match.span() for match in islice(closing, _MOST_ENDS)] or [(len(text), len(text))]
        blocks = [(_unindented(text[start:stop], indent), end) for stop, end in ends]
        code, end = next((block for block in blocks if _parsed(block[0]) is not None), blocks[0])
        yield code


def _unindented(code: str, indent: str) -> str:
    """Without what stands in front of the first line, up to `indent`, nor what the lines have in common."""
    blank = " \t>" if ">" in indent else " \t"
    lines = code.split("\n")
    first = next((line for line in lines if line.strip(blank + "\r")), "")
    width = min(len(indent), len(first) - len(first.lstrip(blank)))
    lines = [line[min(width, len(line) - len(line.lstrip(blank))) :] for line in lines]
    return dedent("\n".join(lines)) if first[width : width + 1] in (" ", "\t") else "\n".join(lines)


def _jsonl(origin: Source) -> Iterator[Program | BadInput]:
    index = -1
    try:
        with origin.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                index += 1
                record = _record(line)
                if isinstance(record, str):
                    yield BadInput(f"{origin.name}:{number}", record)
                else:
                    instruction, response = record
                    yield Program(index, origin.name, instruction, response, code_in(response))
    except OSError as error:
        yield BadInput(origin.name, str(error))


def _record(line: bytes) -> tuple[str, str] | str:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    if not isinstance(record, dict):
        return "not a JSON object"
    for field in ("instruction", "response"):
        if not isinstance(record.get(field), str):
            return f"no text in {field!r}"
    instruction, response = record["instruction"], record["response"]
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
    tree = _parsed(text)
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
            yield Program(index, origin.name, docstring, code, code)
        index += 1


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings(action="ignore"):  # odd escapes and the like are the program's affair
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # null bytes, very deep nesting
        return None
