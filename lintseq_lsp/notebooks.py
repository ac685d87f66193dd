"""What the cells of a notebook are in Python: IPython's own commands stand aside, all else stays where it is.

IPython's input transformer recognises the commands; nothing is run. It is imported only for a cell that may
have one. Deliberately absent: which cells there are (lsp/documents.py).
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from keyword import iskeyword
from typing import Any

from lintseq_lsp.text import split_lines

_NAMES = ("_", "__", "___", "_i", "_ii", "_iii", "In", "Out", "_ih", "_oh", "_dh", "display", "get_ipython")
_NUMBERED = re.compile(r"\b_i?[0-9]+\b")
_FUTURE = re.compile(r"from[ \t]+__future__[ \t]+import[ \t]+([\w, \t]+)(?:#.*)?")
_MAY_HAVE_COMMANDS = re.compile(r"^[ \t]*[%!?,;/]|=[ \t]*[%!]|\?[ \t]*(?=\r|$)", re.MULTILINE)
_COMMAND = re.compile(r"[ \t]*(?:%\w|!\S)")
_COMPOUND = re.compile(r"(?:async|class|def|for|if|match|try|while|with)\b")
# Magics whose argument, or whose cell, is code; and which of their options have a value.
_LINE_CODE = {"time": "", "timeit": "nrp", "prun": "lsTD", "memit": "rti", "lprun": "fmDTsu", "mprun": "fTc"}
_CELL_CODE = {*_LINE_CODE, "capture", "debug", "memray_flamegraph", "pyinstrument", "scalene", "snakeviz"}
_BINDS = re.compile(  # what gets the output of a magic, and in %sql a result
    r"(?:(?<=\s)(?:-[or]|--out(?:put)?|--err(?:or)?|--proc)[ =]+([^\W\d]\w*))|\b([^\W\d]\w*) *<<"
)
_MOST_PASSES = 50
_LONGEST_HELP = 300  # characters: IPython's pattern goes back over them


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as Python: `text` has the lines of the cell, each as long as it is there.

    `futures` are the names that it imports from `__future__`, `names` those that its magics say to bind. What
    `is_code` is false for are empty lines.
    """

    text: str
    futures: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    is_code: bool = True


def prelude(cells: Iterable[Cell]) -> str:
    """A line in front of the cells: the names that IPython defines, with values that pylint cannot know."""
    cells = list(cells)
    futures = dict.fromkeys(name for cell in cells for name in cell.futures)
    numbered = dict.fromkeys(name for cell in cells for name in _NUMBERED.findall(cell.text))
    imported = f"from __future__ import {', '.join(futures)}; " if futures else ""
    bound = dict.fromkeys(name for cell in cells for name in cell.names)
    return f'{imported}{", ".join((*_NAMES, *numbered, *bound))} = eval("[]")\n'


@lru_cache(maxsize=512)
def finished(text: str) -> Cell:
    """A cell that nobody is typing in. One that is no code, or does not parse, is as many empty lines.

    Prompts and a common indentation go, as they do in IPython.
    """
    cell = as_python(text)
    if cell.is_code and not _parses(cell.text):
        cell = as_python(_without_prompts(text))
    return cell if cell.is_code and _parses(cell.text) else _other(text, cell.names)


@lru_cache(maxsize=64)
def as_python(text: str) -> Cell:
    """The cell with `_` for each command of IPython's, padded with blanks; of another language, empty lines.

    Code behind `%time` and the like stays, behind `_;`. While the cell does not parse, each line that looks
    like a command is one.
    """
    lines, ends = split_lines(text)
    futures: list[str] = []
    names: list[str] = []
    for number, line in enumerate(lines):
        if match := _FUTURE.fullmatch(line):
            futures += [name.strip() for name in match[1].split(",") if name.strip()]
            lines[number] = "_".ljust(len(line))
    if _MAY_HAVE_COMMANDS.search(text):
        names += (name for line in lines if line.lstrip().startswith("%") for name in _bound(line))
        if not _replace_cell_magics(lines):
            return _other(text, tuple(names))
        _replace_commands(lines)
    python = "".join(line + end for line, end in zip(lines, ends, strict=True))
    return Cell(python, tuple(futures), tuple(names))


def _other(text: str, names: tuple[str, ...]) -> Cell:
    return Cell("".join(split_lines(text)[1]), names=names, is_code=False)


def _bound(line: str) -> list[str]:
    """The names that a line of a magic says to bind."""
    magic, *words = line.split()
    if magic == "%%capture":
        return [word for word in words if word.isidentifier()][:1]
    return [match[1] or match[2] for match in _BINDS.finditer(line) if not iskeyword(match[1] or match[2])]


def _parses(text: str) -> bool:
    from lintseq_lsp.linters.syntax import parse

    return parse(text)[0] is not None


def _without_prompts(text: str) -> str:
    from IPython.core.inputtransformer2 import classic_prompt, ipython_prompt, leading_indent

    lines = [line + "\n" for line in split_lines(text)[0]]
    return "".join(ipython_prompt(classic_prompt(leading_indent(lines)))).removesuffix("\n")


def _replace_cell_magics(lines: list[str]) -> bool:
    """Changes `lines` in place. False when they are of another language."""
    from IPython.core.inputtransformer2 import cell_magic

    for number, line in enumerate(lines):
        if not line.strip():
            continue
        if cell_magic([line]) == [line]:
            return True
        if line[2:].strip().partition(" ")[0] not in _CELL_CODE:
            return False
        _replace_command(lines, number, 0, number + 1)  # %%timeit may have code on its own line, too
    return True


def _replace_commands(lines: list[str]) -> None:
    """Changes `lines` in place. What follows on a command may be tokenised otherwise without it."""
    for _ in range(_MOST_PASSES):
        if not _replace_once(lines):
            break
    if not _parses("\n".join(lines)):
        for number, line in enumerate(lines):
            if _COMMAND.match(line):
                column = len(line) - len(line.lstrip())
                end = number + 1
                while lines[end - 1].endswith("\\") and end < len(lines):
                    end += 1
                _replace_command(lines, number, column, end)


def _replace_once(lines: list[str]) -> bool:
    """Whether commands were found; those that were are replaced."""
    from IPython.core import inputtransformer2 as ipython

    kinds = ipython.TransformerManager().token_transformers
    ended = [line + "\n" for line in lines]
    try:
        statements = ipython.make_tokens_by_line(ended)
    except SyntaxError:  # of an indentation
        return False
    is_changed = False
    for tokens in statements:
        found = list(filter(None, (_found(kind, tokens) for kind in kinds)))
        for command in sorted(found, key=ipython.TokenTransformBase.sortby):
            start, last = command.start_line, tokens[-1].end[0] - 1
            length = sum(map(len, lines[start : last + 1]))
            if isinstance(command, ipython.HelpEnd) and length > _LONGEST_HELP:
                continue
            try:
                left = command.transform(ended)
            except (SyntaxError, AssertionError):
                continue
            end = start + 1 + len(ended) - len(left)
            _replace_command(lines, start, command.start_col, end)
            is_changed = True
            if last >= end:  # the tokens of further lines are not known
                return True
            break
    return is_changed


def _found(kind: Any, tokens: Sequence[Any]) -> Any:
    """What IPython finds in a statement. It looks behind the end of one that is half typed."""
    with contextlib.suppress(IndexError):
        return kind.find([tokens])
    return None


def _replace_command(lines: list[str], first: int, column: int, end: int) -> None:
    """Of the command that stands from `column` of the line `first` up to the line `end`, code stays."""
    line = lines[first]
    before, command = line[:column], line[column:]
    code = None if before.strip() else _code_behind(command)
    if code is None:
        lines[first] = before + "_".ljust(len(command))
        lines[first + 1 : end] = [" " * len(line) for line in lines[first + 1 : end]]
    elif _COMPOUND.match(command, code):
        lines[first] = before + command[code:].ljust(len(command))
    else:
        lines[first] = before + "_;".ljust(code) + command[code:]


def _code_behind(command: str) -> int | None:
    """Where code begins in a line of a magic, behind its options; None where there is none."""
    words = list(re.finditer(r"\S+", command)) if command.startswith("%") else []
    name = words[0][0].lstrip("%") if words else ""
    if name not in _LINE_CODE:
        return None
    number = 1
    while number < len(words) and words[number][0].startswith("-"):
        option = words[number][0]
        number += 2 if len(option) == 2 and option[1] in _LINE_CODE[name] else 1
    return words[number].start() if number < len(words) else None
