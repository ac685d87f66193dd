"""Which project a file belongs to, and what it can import that is not installed.

Told from where the file lies and what stands around it, which is looked at and never read. Deliberately
absent: what is in an environment (environment.py), and what a project says of itself (requires.py).
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lintseq_lsp.linters.base import Surroundings, Texts
from lintseq_lsp.linters.environment import WORKSPACE_ENVIRONMENTS, Search, is_folder, marks_of, search_for
from lintseq_lsp.linters.files import mode_of

MARKS = (".git", ".hg", "pyproject.toml", "setup.cfg", "setup.py", ".venv", "pixi.toml", "Pipfile")
"""What tells the folder of a project."""

_TOPS = frozenset((".git", ".hg"))
_MOST_PARENTS = 64

_SCRIPT = re.compile(r"(?m)^# /// script[ \t\r]*$")


@dataclass(frozen=True, slots=True)
class Project:
    """What a file is judged with: where its environment may be, and what lies around it."""

    search: Search
    around: Surroundings


def project_of(
    path: str,
    text: str = "",
    *,
    folders: Sequence[Path] = (),
    setting: str = "",
    texts: Texts = MappingProxyType({}),
    environ: Mapping[str, str] = os.environ,
) -> Project:
    """Of the file at `path` with that text; a relative one lies in the first of the workspace's `folders`.

    These count as projects, whatever is in them. `texts` are modules that somebody has, by path.
    """
    own = script_block(text) is not None
    if not Path(path).is_absolute() and not folders:
        return Project(search_for((), setting, own=own, environ=environ), Surroundings())
    file = Path(os.path.normpath(folders[0] / (path or "untitled.py") if folders else path))
    projects = _projects(file, folders)
    beside = _beside(file, projects[0] if projects else file.parent, texts)
    chain = projects or beside[:1]
    roots = tuple(dict.fromkeys(root for folder in chain for root in (folder / "src", folder)))
    around = Surroundings(
        projects=tuple(map(str, chain)),
        roots=tuple(str(root) for root in roots if root.name != "src" or is_folder(root)),
        beside=tuple(str(folder) for folder in beside if folder not in roots),
        looked_at=tuple(map(str, _looked_at(file, chain))),
    )
    return Project(search_for(chain, setting, own=own, environ=environ), around)


def project_folder(file: Path) -> Path:
    """The nearest folder with a project's marks, else the file's own one."""
    parents = Path(os.path.realpath(file)).parents  # which a loop of links does not stop
    return next(filter(_is_marked, parents[:_MOST_PARENTS]), parents[0])


def script_block(text: str) -> str | None:
    """What a script says of the Python and the packages that it wants (PEP 723), which is TOML."""
    begin = _SCRIPT.search(text)
    if begin is None:
        return None
    block = [""]
    for line in map(str.rstrip, text[begin.end() :].split("\n")[1:]):
        if line != "#" and not line.startswith("# "):
            break
        block.append(line[2:])
    end = len(block) - 1 - block[::-1].index("///") if "///" in block else 0
    return "\n".join(block[:end]) if end else None


def _is_marked(folder: Path) -> bool:
    return any(mode_of(f"{folder}/{mark}") for mark in MARKS)


def _projects(file: Path, folders: Sequence[Path]) -> list[Path]:
    """All that hold the file, from the inside to the outside.

    They end at the top of a repository, or at home, unless the workspace's folder is further up.
    """
    found, home = [], Path.home()
    for folder in file.parents[:_MOST_PARENTS]:
        is_top = folder == home or any(mode_of(f"{folder}/{mark}") for mark in _TOPS)
        if folder in folders or (folder != folder.parent and _is_marked(folder)):
            found.append(folder)
        if is_top and not any(outer in folders for outer in folder.parents):
            break
    return found


def _beside(file: Path, project: Path, texts: Texts) -> list[Path]:
    """Where Python and pytest look for a script's and a test's neighbours.

    That is the file's own folder, or the one above its package, and the same for each conftest.py.
    """

    def is_there(path: Path) -> bool:
        return texts[str(path)] is not None if str(path) in texts else bool(mode_of(path))

    def above(folder: Path) -> Path:
        while is_there(folder / "__init__.py") and folder != folder.parent:
            folder = folder.parent
        return folder

    inside = [folder for folder in file.parents[:_MOST_PARENTS] if folder.is_relative_to(project)]
    tests = [folder for folder in inside if is_there(folder / "conftest.py")]
    return list(dict.fromkeys(above(folder) for folder in [file.parent, *tests]))


def _looked_at(file: Path, chain: Sequence[Path]) -> list[Path]:
    """What is different when another project or environment counts: folders change with what is in them."""
    outside = chain[-1] if chain else file.parent
    inside = [folder for folder in file.parents[:_MOST_PARENTS] if folder.is_relative_to(outside)]
    named = [folder / name for folder in chain for name in WORKSPACE_ENVIRONMENTS]
    return [*inside, *(mark for prefix in filter(is_folder, named) for mark in marks_of(prefix))]
