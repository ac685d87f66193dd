"""Which Python a project or a script wants, where no environment tells: the oldest that it says it runs on.

Read within limits, in the linter's process and by `doctor`.
"""

import configparser
import contextlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from lintseq_lsp.linters.environment import MOST_BYTES, Version
from lintseq_lsp.linters.files import read_file
from lintseq_lsp.linters.project import script_block

FILES = ("pyproject.toml", "setup.cfg")

_MINORS = range(50)
_LAST = 99_999  # a patch release that is later than all


def project_python(folders: Iterable[str]) -> Version | None:
    """Of the first folder that says it."""
    return next(filter(None, (oldest(text) for folder in folders for text in _required(Path(folder)))), None)


def script_python(text: str) -> Version | None:
    required = _script(text).get("requires-python")
    return oldest(str(required)) if required else None


def package_lines(text: str) -> list[int]:
    """Where a script's block says that it needs packages: all of it (one-based) when it cannot be read."""
    script, block = _script(text), script_block(text)
    if block is None or not (script.get("dependencies") or script.get("unreadable")):
        return []
    lines = block.split("\n")
    first = text[: text.index("# /// script")].count("\n") + 1
    said = [number for number, line in enumerate(lines) if re.match(r"dependencies\s*=", line)]
    return [first + number for number in ([0, *said] if said else range(len(lines)))]


def oldest(required: str) -> Version | None:
    """The oldest Python 3 that `>=3.9,<4` and the like allow; None where there is none, and for "".

    Poetry's `^3.9` and `~3.9` say the same of the oldest one.
    """
    with contextlib.suppress(ValueError):
        allowed = SpecifierSet(re.sub(r"(^|,)\s*[~^](?=\s*[0-9])", r"\1>=", required))
        named = [specifier.version.removesuffix(".*") for specifier in allowed]
        tried = [f"3.{minor}.{patch}" for minor in _MINORS for patch in (0, _LAST)]
        found = [
            tuple(map(int, version.split(".")))
            for version in allowed.filter([*named, *tried])
            if re.fullmatch(r"3(\.[0-9]{1,5}){1,2}", version)
        ]
        if named and found:
            return min(found)[0], min(found)[1]
    return None


def _required(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError, ValueError):
        values = tomllib.loads(read_file(folder / "pyproject.toml", MOST_BYTES).decode())
        yield str(_at(values, "project", "requires-python") or "")
        yield str(_at(values, "tool", "poetry", "dependencies", "python") or "")
    parser = configparser.ConfigParser(interpolation=None)
    with contextlib.suppress(OSError, ValueError, configparser.Error):
        parser.read_string(read_file(folder / "setup.cfg", MOST_BYTES).decode())
        yield parser.get("options", "python_requires", fallback="")


def _at(values: Any, *names: str) -> Any:
    for name in names:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _script(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(script_block(text) or "")
    except ValueError:
        return {"unreadable": True}
