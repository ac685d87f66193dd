"""GGUF files that other programs have fetched: found by name, used where they are, and never changed.

Folders and their layouts are those that LM Studio, Ollama, llama.cpp and the Hugging Face Hub's client
document, with the environment variables that move them. Looks at names, kinds and Ollama's manifests
alone; what is in a file, `gguf_header` reads.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from lintseq_lsp.weights.gguf_header import SPLIT

LM_STUDIO, OLLAMA, LLAMA_CPP, HUB = "lmstudio", "ollama", "llama.cpp", "hub"
PROGRAMS = {
    LM_STUDIO: "LM Studio",
    OLLAMA: "Ollama",
    LLAMA_CPP: "llama.cpp",
    HUB: "the Hugging Face Hub's client",
}
OLLAMA_SERVICE = Path("/usr/share/ollama/.ollama/models")  # where its installer for Linux puts them

_MOST_FILES = 20_000  # looked at below one folder: what has more is no cache of models
_MANIFEST = 1_000_000  # bytes
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A model of another program's. With a `problem`, there is no file at `path` that can be used."""

    name: str
    path: Path
    program: str
    problem: str = ""


def find(name: str) -> Elsewhere | None:
    """The one of that name, if it can be used. Looks nowhere unless a name begins as those do."""
    if name.partition(":")[0] not in PROGRAMS:
        return None
    return next((model for model in models() if model.name == name and not model.problem), None)


def models() -> Iterator[Elsewhere]:
    """All that are there, each file once; without waiting for what is no file."""
    seen: set[Path] = set()
    for model in _all():
        place = model.path.resolve()
        if place not in seen:
            seen.add(place)
            yield model


def _all() -> Iterator[Elsewhere]:
    for root in _lm_studio():
        yield from _tree(LM_STUDIO, root, depth=4)
    for root in _ollama():
        yield from _manifests(root)
    yield from _tree(LLAMA_CPP, _llama_cpp(), depth=1)
    yield from _hub(LLAMA_CPP, _llama_cpp())
    yield from _hub(HUB, _hub_cache())


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # nobody's
        return Path("~")


def _variable(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value).expanduser() if value else None


def _lm_studio() -> list[Path]:
    home = _home()
    roots = [home / ".lmstudio", home / ".cache" / "lm-studio"]
    pointer = _text(home / ".lmstudio-home-pointer", 4096).strip()
    if pointer:
        roots.insert(0, Path(pointer))
    return [root / "models" for root in roots]


def _ollama() -> list[Path]:
    return [_variable("OLLAMA_MODELS") or _home() / ".ollama" / "models", OLLAMA_SERVICE]


def _cache() -> Path:
    return _variable("XDG_CACHE_HOME") or _home() / ".cache"


def _llama_cpp() -> Path:
    if (named := _variable("LLAMA_CACHE")) is not None:
        return named
    if sys.platform == "win32":
        return (_variable("LOCALAPPDATA") or _home() / "AppData" / "Local") / "llama.cpp"
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "llama.cpp"
    return _cache() / "llama.cpp"


def _hub_cache() -> Path:
    named = _variable("HF_HUB_CACHE") or _variable("HUGGINGFACE_HUB_CACHE")
    return named or (_variable("HF_HOME") or _cache() / "huggingface") / "hub"


def _tree(program: str, root: Path, depth: int) -> Iterator[Elsewhere]:
    yield from _unreadable(program, root)
    for path in _files(root, depth):
        if path.name.lower().endswith(".gguf"):
            name = f"{program}:{path.relative_to(root).as_posix()}"
            yield Elsewhere(name, path, PROGRAMS[program], _no_model(path.name))


def _no_model(file: str) -> str:
    """What tells by its name that a GGUF file is no whole model."""
    if (parts := SPLIT.search(file)) is not None:
        return f"one of {int(parts[1])} parts: join them with llama.cpp's `llama-gguf-split --merge`"
    return "the image part of a model, not a model" if file.startswith("mmproj") else ""


def _hub(program: str, root: Path) -> Iterator[Elsewhere]:
    """`models--OWNER--NAME/snapshots/REVISION/FILE`: of each file, the newest revision."""
    if program == HUB:
        yield from _unreadable(program, root)
    for repository in _entries(root):
        if not repository.name.startswith("models--"):
            continue
        owned = repository.name.removeprefix("models--").replace("--", "/")
        named = set()
        for snapshot in sorted(_entries(repository / "snapshots"), key=_changed, reverse=True):
            for model in _tree(program, snapshot, depth=3):
                file = model.path.relative_to(snapshot).as_posix()
                if file not in named:
                    named.add(file)
                    yield Elsewhere(f"{program}:{owned}/{file}", model.path, model.program)


def _manifests(root: Path) -> Iterator[Elsewhere]:
    """Ollama's: `manifests/HOST/NAMESPACE/MODEL/TAG` names the blob in which the weights are."""
    yield from _unreadable(OLLAMA, root)
    for manifest in _files(root / "manifests", depth=5):
        *place, tag = manifest.relative_to(root / "manifests").parts
        shown = "/".join(place).removeprefix("registry.ollama.ai/").removeprefix("library/")
        blob, problem = _blob(root, _text(manifest, _MANIFEST))
        yield Elsewhere(f"{OLLAMA}:{shown}:{tag}", blob or manifest, PROGRAMS[OLLAMA], problem)


def _blob(root: Path, manifest: str) -> tuple[Path | None, str]:
    """The file that a manifest names, or what is wrong with it."""
    try:
        layers: Any = json.loads(manifest)["layers"]
        digests = [
            layer["digest"] for layer in layers if layer["mediaType"] == "application/vnd.ollama.image.model"
        ]
        found = [_DIGEST.fullmatch(digest) for digest in digests]
    except (KeyError, RecursionError, TypeError, ValueError):
        return None, "its manifest cannot be read"
    if len(found) != 1 or found[0] is None:
        return None, f"its manifest names {len(found)} files of weights, it must be one"
    path = root / "blobs" / f"sha256-{found[0][1]}"
    return (path, "") if _is_file(path) else (None, f"{path} does not exist")


def _unreadable(program: str, root: Path) -> Iterator[Elsewhere]:
    """Says so of a folder that is there and cannot be looked into; nothing of one that is not there."""
    try:
        os.scandir(root).close()
    except PermissionError as error:
        yield Elsewhere(f"{program}:", root, PROGRAMS[program], f"cannot be read: {error.strerror}")
    except (OSError, ValueError):
        return


def _files(root: Path, depth: int) -> Iterator[Path]:
    """Regular files at most `depth` names below `root`, by name."""
    return filter(_is_file, islice(_walk(root, depth), _MOST_FILES))


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    for path in _entries(folder):
        yield path
        if depth > 1:
            yield from _walk(path, depth - 1)


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry) for entry in islice(entries, _MOST_FILES))
    except (OSError, ValueError):
        return []


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _text(path: Path, most: int) -> str:
    """The text of a small file; empty when there is none."""
    if not _is_file(path):
        return ""
    try:
        with path.open("rb") as file:
            return file.read(most).decode("utf-8", "replace")
    except OSError:
        return ""
