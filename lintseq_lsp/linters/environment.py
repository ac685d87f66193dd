"""Where the user's imports live, found by reading files: no interpreter of the workspace is ever run.

Deliberately absent: `import` lines of .pth files, which are code.
"""

import ast
import os
import re
import site
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Version = tuple[int, int]

WORKSPACE_ENVIRONMENTS = (".venv", "venv", "env")


@dataclass(frozen=True, slots=True)
class Environment:
    """What imports are resolved against: the standard library, then `source_roots`, then `site_packages`.

    `python_version` is (major, minor), None when unknown. `origin` says where the environment was
    found; `warning` why the setting could not be followed.
    """

    source_roots: tuple[Path, ...] = ()
    site_packages: tuple[Path, ...] = ()
    python_version: Version | None = None
    origin: str = "server"
    warning: str | None = None


def find_environment(
    workspace_folder: Path | None,
    setting: str = "",
    *,
    environ: Mapping[str, str] = os.environ,
) -> Environment:
    """The setting (an interpreter or an environment's folder), else the workspace's, else our own."""
    roots = _source_roots(workspace_folder)
    warning = None
    for origin, prefix, version in _candidates(workspace_folder, setting, environ):
        found = _installed(prefix, version)
        if found is not None:
            packages, version = found
            return Environment(roots, packages, version, origin, warning)
        if origin == "setting":
            warning = f"{setting}: no Python environment is there; name an interpreter or an environment"
    return Environment(roots, _with_pth(server_site_packages()), sys.version_info[:2], "server", warning)


def server_site_packages() -> tuple[Path, ...]:
    """Where this process's own packages are installed; never a folder that -m or PYTHONPATH put in front."""
    folders = [*site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return tuple(path for path in dict.fromkeys(map(Path, folders)) if path.is_dir())


def _source_roots(folder: Path | None) -> tuple[Path, ...]:
    if folder is None:
        return ()
    folder = folder.absolute()
    return tuple(path for path in (folder / "src", folder) if path.is_dir())


def _candidates(
    folder: Path | None, setting: str, environ: Mapping[str, str]
) -> Iterator[tuple[str, Path, Version | None]]:
    """Where to look, and the version where an interpreter's name tells it."""
    if setting:
        path = (folder or Path()) / Path(setting).expanduser()
        if path.is_dir():
            yield "setting", path, None
        else:
            # Its prefix is never resolved: a virtual environment's python is a link out of it.
            yield "setting", _prefix_of(path), _version(path.resolve().name.removeprefix("python"))
    if folder is not None:
        for name in WORKSPACE_ENVIRONMENTS:
            if (folder / name / "pyvenv.cfg").is_file():
                yield f"workspace ({name})", folder / name, None
    if environ.get("VIRTUAL_ENV"):
        yield "VIRTUAL_ENV", Path(environ["VIRTUAL_ENV"]), None


def _prefix_of(interpreter: Path) -> Path:
    """…/bin/python and …\\Scripts\\python.exe → …; a Windows base installation has python.exe at its top."""
    parent = interpreter.parent
    return parent.parent if parent.name.lower() in {"bin", "scripts"} else parent


def _installed(prefix: Path, version: Version | None) -> tuple[tuple[Path, ...], Version | None] | None:
    """Site-packages and version of the environment at `prefix`; None when nothing is installed there."""
    config = _read_pyvenv(prefix / "pyvenv.cfg")
    version = _version(config.get("version_info") or config.get("version") or "") or version
    folders = _layouts(prefix, version)
    if not folders:
        return None
    if config.get("include-system-site-packages", "").lower() == "true" and config.get("home"):
        folders = (*folders, *_layouts(_prefix_of(Path(config["home"]) / "python"), version))
    if version is None:
        version = next(
            filter(None, (_version(path.parent.name.removeprefix("python")) for path in folders)), None
        )
    return _with_pth(folders), version


def _read_pyvenv(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in _read(path).splitlines())
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _version(text: str) -> Version | None:
    found = re.match(r"(\d{1,9})\.(\d{1,9})", text)
    return (int(found[1]), int(found[2])) if found else None


def _layouts(prefix: Path, version: Version | None) -> tuple[Path, ...]:
    minor = f"python{version[0]}.{version[1]}" if version else "python3.*"
    found: dict[Path, None] = {}
    for pattern in (
        f"lib/{minor}/site-packages",
        f"lib64/{minor}/site-packages",
        f"local/lib/{minor}/dist-packages",
        "lib/python3/dist-packages",
        "Lib/site-packages",
    ):
        for path in sorted(prefix.glob(pattern)):
            # lib64 is often a link to lib, and Windows does not tell Lib from lib.
            if path.is_dir() and not any(path.samefile(other) for other in found):
                found[path] = None
    return tuple(found)


def _with_pth(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders, and those of editable installs: plain lines of .pth files, and setuptools' finders."""
    found = dict.fromkeys(folders)
    for folder in folders:
        for file in sorted(folder.glob("*.pth")):
            for line in _read(file).splitlines():
                line = line.strip()
                if line and not line.startswith(("#", "import ", "import\t")) and "\0" not in line:
                    path = folder / line
                    if path.is_dir():
                        found[path] = None
        for file in sorted(folder.glob("__editable__*_finder.py")):
            for name, place in _mapping(_read(file)).items():
                # A package that is found under another name than its folder's is not found here.
                if Path(place).name in (name, f"{name}.py") and Path(place).parent.is_dir():
                    found[Path(place).parent] = None
    return tuple(found)


def _mapping(source: str) -> dict[str, str]:
    """`MAPPING` of a finder that setuptools wrote: top-level names and where they are."""
    try:
        for node in ast.parse(source).body:
            match node:
                case ast.AnnAssign(target=ast.Name(id="MAPPING"), value=ast.Dict() as value):
                    return {str(name): str(place) for name, place in ast.literal_eval(value).items()}
    except (SyntaxError, ValueError):
        pass  # not what setuptools writes
    return {}


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""
