"""Where the user's imports live, found by reading files: no interpreter of the workspace is ever run.

What stands in a workspace is read within limits, and what cannot be read is a warning. Deliberately
absent: `import` lines of .pth files, which are code.
"""

import ast
import os
import re
import site
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lintseq_lsp.linters.files import mode_of, names_in, read_file, refusal
from lintseq_lsp.text import split_lines

Version = tuple[int, int]

WORKSPACE_ENVIRONMENTS = (".venv", "venv", "env")

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

    `python_version` is (major, minor), None when unknown. `origin` says where the environment was
    found; `warnings` why the setting could not be followed, and which files were not read.
    `standard_library` is where that Python's own modules can be read, None where that is not known.
    """

    source_roots: tuple[Path, ...] = ()
    site_packages: tuple[Path, ...] = ()
    python_version: Version | None = None
    origin: str = "server"
    warnings: tuple[str, ...] = ()
    standard_library: Path | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """An environment that is still to be found: what `find_environment` is called with."""

    workspace_folder: str | None
    setting: str = ""


def find_environment(
    workspace_folder: Path | None,
    setting: str = "",
    *,
    environ: Mapping[str, str] = os.environ,
    own: Iterable[Path] | None = None,
) -> Environment:
    """The setting (an interpreter or an environment's folder), else the workspace's, else our own.

    `own` is where the server's own packages are, for who cannot tell. Nothing that is found raises.
    """
    folder = None if workspace_folder is None else workspace_folder.absolute()
    roots = () if folder is None else tuple(filter(_is_folder, (folder / "src", folder)))
    reader = _Reader()
    for origin, prefix, version in _candidates(folder, setting, environ):
        found = _installed(prefix, version, reader)
        if found is not None:
            packages, version = found
            return Environment(roots, packages, version, origin, tuple(reader.warnings))
        if origin == "setting":
            reader.warn(f"{setting!a}: no Python environment is there; name an interpreter or an environment")
    packages = _with_pth(tuple(server_site_packages() if own is None else own), reader)
    return Environment(roots, packages, sys.version_info[:2], "server", tuple(reader.warnings))


def server_site_packages() -> tuple[Path, ...]:
    """Where this process's own packages are installed; never a folder that -m or PYTHONPATH put in front."""
    folders = [*site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return tuple(filter(_is_folder, dict.fromkeys(map(Path, folders))))


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(mode_of(path))


class _Reader:
    """Reads an environment within limits. `warnings` has a line for each file that was not read."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._left = MOST_STEPS

    def warn(self, line: str) -> None:
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(line)

    def text(self, file: Path) -> str:
        if not self._spend():
            return ""
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
            return None
        return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None

    def _spend(self, steps: int = 1) -> bool:
        if self._left > 0:
            self._left -= steps
            if self._left <= 0:
                self.warn("the environment names too many files and folders: some are not looked at")
        return self._left > 0


def _candidates(
    folder: Path | None, setting: str, environ: Mapping[str, str]
) -> Iterator[tuple[str, Path, Version | None]]:
    """Where to look, and the version where an interpreter's name tells it."""
    if setting:
        path = (folder or Path()) / _expanded(setting)
        if stat.S_ISDIR(mode_of(path)):
            yield "setting", path, None
        else:
            # Its prefix is never resolved: a virtual environment's python is a link out of it.
            target = Path(os.path.realpath(path)) if mode_of(path) else path
            yield "setting", _prefix_of(path), _version(target.name.removeprefix("python"))
    if folder is not None:
        for name in WORKSPACE_ENVIRONMENTS:
            if stat.S_ISREG(mode_of(folder / name / "pyvenv.cfg")):
                yield f"workspace ({name})", folder / name, None
    if environ.get("VIRTUAL_ENV"):
        yield "VIRTUAL_ENV", Path(environ["VIRTUAL_ENV"]), None


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
) -> tuple[tuple[Path, ...], Version | None] | None:
    """Site-packages and version of the environment at `prefix`; None when nothing is installed there."""
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
    return _with_pth(folders, reader), version


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
