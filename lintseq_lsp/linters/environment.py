"""Where the user's imports live, found by reading files: no interpreter of the workspace is ever run.

`search_for` only looks at what is there, and says where an environment may be; `read_environment` reads
it, within limits, and what cannot be read is a warning. Deliberately absent: `import` lines of .pth
files, which are code.
"""

import ast
import os
import re
import site
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lintseq_lsp.linters.base import Stamp
from lintseq_lsp.linters.files import mode_of, names_in, read_file, refusal
from lintseq_lsp.linters.protocol import stamp
from lintseq_lsp.text import split_lines

Version = tuple[int, int]

WORKSPACE_ENVIRONMENTS = (".venv", "venv", "env", ".conda", ".pixi/envs/default")
"""Folders of a project that are its environment, if they are one. Poetry's and uv's is the first."""

PYPACKAGES = "__pypackages__"
"""PDM's: a folder for each version, and no interpreter."""

MOST_BYTES = 1 << 18
"""Of one file. A finder of setuptools has about 10,000."""

MOST_NAMES = 50_000
"""In one folder. Site-packages have some thousands at most."""

MOST_STEPS = 2_000
"""For one environment: a file, each 4 kB of it, and a folder that is looked for are a step."""

MOST_WARNINGS = 20

_MAPPING = re.compile(r"^MAPPING\b[^=\n]*=[ \t]*(\{.*\})[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Environment:
    """What imports are resolved against: the standard library, then `source_roots`, then `site_packages`.

    `python_version` is (major, minor), None when unknown. `standard_library` is where that Python's own
    modules can be read, None where that is not known. `origin` says where the environment was found;
    `warnings` why the setting could not be followed, and which files were not read. `read` has the state
    of all that was read: it is another environment, perhaps, as soon as one of them is another.
    """

    source_roots: tuple[Path, ...] = ()
    site_packages: tuple[Path, ...] = ()
    python_version: Version | None = None
    origin: str = "server"
    warnings: tuple[str, ...] = ()
    standard_library: Path | None = None
    read: Mapping[str, Stamp | None] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an environment may be, and its version where an interpreter's name tells it."""

    origin: str
    prefix: str
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """An environment that is still to be read: the first of `places` where packages can be installed.

    Where none is, the server's own counts, unless the file says that it has packages of its `own`, which
    nobody can know (PEP 723). Files of equal searches share an environment. `setting` is the user's.
    """

    places: tuple[Place, ...] = ()
    setting: str = ""
    own: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Search":
        """From what `dataclasses.asdict` makes of one, and JSON of that."""
        places = (
            Place(place["origin"], place["prefix"], place["version"] and tuple(place["version"]))
            for place in values["places"]
        )
        return cls(tuple(places), values["setting"], values["own"])


def search_for(
    folders: Sequence[Path], setting: str = "", *, own: bool = False, environ: Mapping[str, str] = os.environ
) -> Search:
    """For a file of the project `folders[0]`, around which the others are, from the inside to the outside.

    A setting that is no absolute path begins at the first of the folders that has it. `own` is for a file
    that brings its own packages: then only the setting counts. Reads nothing.
    """
    places = list(_setting_places(folders, setting))
    if not own:
        places += _places(folders, environ)
    return Search(tuple(places), setting, own)


def read_environment(
    search: Search, source_roots: tuple[Path, ...] = (), *, own: Iterable[Path] | None = None
) -> Environment:
    """`own` is where the server's own packages are, for who cannot tell. Nothing that is found raises."""
    reader = _Reader()
    for place in search.places:
        found = _installed(Path(place.prefix), place.version, reader)
        if found is not None:
            packages, version, standard = found
            warnings = tuple(reader.warnings)
            return Environment(
                source_roots, packages, version, place.origin, warnings, standard, reader.states
            )
        if place.origin == "setting":
            reader.warn(
                f"{search.setting!a}: no Python environment is there; name an interpreter or an environment"
            )
    if search.own:
        return Environment(source_roots, (), None, "script", tuple(reader.warnings), None, reader.states)
    packages = _with_pth(tuple(server_site_packages() if own is None else own), reader)
    version = sys.version_info[:2]
    return Environment(source_roots, packages, version, "server", tuple(reader.warnings), None, reader.states)


def find_environment(
    workspace_folder: Path | None,
    setting: str = "",
    *,
    environ: Mapping[str, str] = os.environ,
    own: Iterable[Path] | None = None,
) -> Environment:
    """The one of a folder, whatever is around it: the setting, else the folder's, else our own."""
    folder = None if workspace_folder is None else workspace_folder.absolute()
    roots = () if folder is None else tuple(filter(is_folder, (folder / "src", folder)))
    search = search_for([folder] if folder else [], setting, environ=environ)
    return read_environment(search, roots, own=own)


def server_site_packages() -> tuple[Path, ...]:
    """Where this process's own packages are installed; never a folder that -m or PYTHONPATH put in front."""
    folders = [*site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return tuple(filter(is_folder, dict.fromkeys(map(Path, folders))))


def is_folder(path: Path) -> bool:
    return stat.S_ISDIR(mode_of(path))


class _Reader:
    """Reads an environment within limits. `warnings` has a line for each file that was not read.

    `states` has the stamp of each file and folder that was read; of folders that were only looked for,
    those which are not there.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.states: dict[str, Stamp | None] = {}
        self._left = MOST_STEPS

    def warn(self, line: str) -> None:
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(line)

    def text(self, file: Path) -> str:
        if not self._spend():
            return ""
        self.states[str(file)] = stamp(str(file))
        try:
            data = read_file(file, MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except (OSError, ValueError) as error:
            self.warn(refusal(file, error))
            return ""
        self._spend(len(data) // 4096)
        return data.decode("utf-8-sig", errors="replace")

    def matching(self, folder: Path, pattern: str) -> list[Path]:
        """What has such a name in the folder, sorted."""
        self.states[str(folder)] = stamp(str(folder))
        try:
            return [folder / name for name in names_in(folder, MOST_NAMES) if fnmatchcase(name, pattern)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, ValueError) as error:
            self.warn(refusal(folder, error))
            return []

    def folder(self, path: Path) -> tuple[int, int] | None:
        """What tells the folder from all others; None where there is none."""
        if not self._spend():
            return None
        try:
            status = path.stat()
        except (OSError, ValueError):
            self.states[str(path)] = None
            return None
        return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None

    def _spend(self, steps: int = 1) -> bool:
        if self._left > 0:
            self._left -= steps
            if self._left <= 0:
                self.warn("the environment names too many files and folders: some are not looked at")
        return self._left > 0


def _setting_places(folders: Sequence[Path], setting: str) -> Iterator[Place]:
    if not setting:
        return
    wanted = _expanded(setting)
    tried = [folder / wanted for folder in folders] or [wanted.absolute()]
    path = next(filter(mode_of, tried), tried[0])
    if is_folder(path):
        yield Place("setting", str(path))
    else:
        # Its prefix is never resolved: a virtual environment's python is a link out of it.
        target = Path(os.path.realpath(path)) if mode_of(path) else path
        yield Place("setting", str(_prefix_of(path)), _version(target.name.removeprefix("python")))


def _places(folders: Sequence[Path], environ: Mapping[str, str]) -> Iterator[Place]:
    for folder in folders:
        for name in WORKSPACE_ENVIRONMENTS:
            if is_folder(folder / name) and any(map(mode_of, marks_of(folder / name))):
                yield Place(f"workspace ({name})", str(folder / name))
        if is_folder(folder / PYPACKAGES):
            yield Place(f"workspace ({PYPACKAGES})", str(folder / PYPACKAGES))
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if environ.get(variable):
            yield Place(variable, environ[variable])


def marks_of(prefix: Path) -> tuple[Path, Path]:
    """What tells an environment from another folder: one of them is there."""
    return prefix / "pyvenv.cfg", prefix / "conda-meta"


def _expanded(setting: str) -> Path:
    try:
        return Path(setting).expanduser()
    except RuntimeError:  # `~` of nobody
        return Path(setting)


def _prefix_of(interpreter: Path) -> Path:
    """…/bin/python and …\\Scripts\\python.exe → …; a Windows base installation has python.exe at its top."""
    parent = interpreter.parent
    return parent.parent if parent.name.lower() in {"bin", "scripts"} else parent


def _installed(
    prefix: Path, version: Version | None, reader: _Reader
) -> tuple[tuple[Path, ...], Version | None, Path | None] | None:
    """Site-packages, version and standard library of the environment at `prefix`.

    None when nothing is installed there.
    """
    if prefix.name == PYPACKAGES:
        return _pypackages(prefix, reader)
    config = _pyvenv(reader.text(prefix / "pyvenv.cfg"))
    version = _version(config.get("version_info") or config.get("version") or "") or version
    folders = _layouts(prefix, version, reader)
    if not folders:
        return None
    if config.get("include-system-site-packages", "").lower() == "true" and config.get("home"):
        folders = (*folders, *_layouts(_prefix_of(Path(config["home"]) / "python"), version, reader))
    if version is None:
        version = next(
            filter(None, (_version(path.parent.name.removeprefix("python")) for path in folders)), None
        )
    return _with_pth(folders, reader), version, _standard_library(prefix, config.get("home", ""), version)


def _pypackages(prefix: Path, reader: _Reader) -> tuple[tuple[Path, ...], Version | None, Path | None] | None:
    named = {_version(folder.name): folder / "lib" for folder in reader.matching(prefix, "3.*")}
    found = [(version, folder) for version, folder in named.items() if version and reader.folder(folder)]
    if not found:
        return None
    version, folder = max(found)
    return _with_pth((folder,), reader), version, None


def _standard_library(prefix: Path, home: str, version: Version | None) -> Path | None:
    """Where the modules of that version are: in the environment itself, or where it was made from."""
    if version is None:
        return None
    name = f"python{version[0]}.{version[1]}"
    bases = [prefix]
    if Path(home).is_absolute() and is_folder(Path(home)):
        linked = os.path.realpath(Path(home) / name)
        bases += [_prefix_of(Path(home) / "python"), _prefix_of(Path(linked))]
    places = (base / place for base in bases for place in (f"lib/{name}", f"lib64/{name}", "Lib"))
    return next((place for place in places if stat.S_ISREG(mode_of(place / "os.py"))), None)


def _pyvenv(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in split_lines(text)[0])
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _version(text: str) -> Version | None:
    found = re.match(r"([0-9]{1,3})\.([0-9]{1,3})(?![0-9])", text)
    return (int(found[1]), int(found[2])) if found else None


def _layouts(prefix: Path, version: Version | None, reader: _Reader) -> tuple[Path, ...]:
    if version:
        minors = [f"python{version[0]}.{version[1]}"]
    else:
        parents = (prefix / "lib", prefix / "lib64", prefix / "local" / "lib")
        named = [path.name for parent in parents for path in reader.matching(parent, "python3.*")]
        minors = list(dict.fromkeys(named))
    found: dict[tuple[int, int], Path] = {}
    for place in (
        *(f"{lib}/{minor}/site-packages" for lib in ("lib", "lib64") for minor in minors),
        *(f"local/lib/{minor}/dist-packages" for minor in minors),
        "lib/python3/dist-packages",
        "Lib/site-packages",
    ):
        # lib64 is often a link to lib, and Windows does not tell Lib from lib.
        if (identity := reader.folder(prefix / place)) is not None:
            found.setdefault(identity, prefix / place)
    return tuple(found.values())


def _with_pth(folders: tuple[Path, ...], reader: _Reader) -> tuple[Path, ...]:
    """The folders, and those of editable installs: plain lines of .pth files, and setuptools' finders."""
    found = dict.fromkeys(folders)
    for folder in folders:
        for file in reader.matching(folder, "*.pth"):
            for line in map(str.strip, split_lines(reader.text(file))[0]):
                if (
                    line
                    and not line.startswith(("#", "import ", "import\t"))
                    and reader.folder(folder / line)
                ):
                    found[folder / line] = None
        for file in reader.matching(folder, "__editable__*_finder.py"):
            for name, place in _mapping(reader.text(file)).items():
                # A package that is found under another name than its folder's is not found here.
                if Path(place).name in (name, f"{name}.py") and reader.folder(Path(place).parent):
                    found[Path(place).parent] = None
    return tuple(found)


def _mapping(source: str) -> dict[str, str]:
    """`MAPPING` of a finder that setuptools wrote, in one line: top-level names and where they are."""
    found = _MAPPING.search(source)
    try:
        value = ast.literal_eval(found[1]) if found else {}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return {}  # not what setuptools writes
    return {str(name): str(place) for name, place in value.items()} if isinstance(value, dict) else {}
