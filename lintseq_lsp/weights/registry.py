"""Which models there are: the embedded ones, those that were pulled, and the one that is chosen.

A registry is one JSON file in the user's data folder, replaced atomically, by one process at a time.
Light, since the server resolves its model here: nothing of llama.cpp, of GGUF writing or of the network.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from lintseq_lsp.errors import ModelFileError
from lintseq_lsp.formats.base import PromptFormat
from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.settings import UNMEASURED, Certainty
from lintseq_lsp.weights import elsewhere
from lintseq_lsp.weights.gguf_header import checksum, verify

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file and how to use it. `context` is in tokens; `sha256` is None for a bare path.

    `certainty` was measured for the model that ships. `stamp` is the size and time that the file had when it
    had that checksum; it is empty where those are not recorded.
    """

    name: str
    path: Path
    sha256: str | None
    context: int
    prompt_format: PromptFormat
    license: str = ""
    description: str = ""
    certainty: Certainty = UNMEASURED
    stamp: str = ""


def resolve_model(setting: str | None, folder: Path | None = None, prompt_format: str = "") -> ModelFile:
    """The verified model of a setting (a name or a path), else the chosen one, else the embedded one.

    It is asked in `prompt_format`, if one is named. A relative path begins at `folder`, else at the current
    one. A registry that cannot be read counts as empty, with a warning. A file that has its recorded size
    and time is not read for its checksum: large ones take seconds. Raises `ModelFileError` or
    `TokenizerError`, with what mends it.
    """
    try:
        name, others = setting or chosen(), registered()
    except ModelFileError as error:
        _log.warning("%s", error)
        name, others = setting, []
    known = next((model for model in (*others, *embedded()) if model.name == name), None)
    if name is None:
        model = embedded()[0]
    elif known is not None:
        model = known
    else:
        path = file_at(name, folder)
        shipped = next((model for model in embedded() if model.path.resolve() == path.resolve()), None)
        if shipped is None:
            return _described(path, prompt_format)
        model = shipped
    header = verify(model.path, None if model.stamp and model.stamp == _stamp(model.path) else model.sha256)
    return replace(model, prompt_format=header.prompt_format(prompt_format)) if prompt_format else model


def find(name: str) -> ModelFile | None:
    """The model of that name, pulled or embedded; not verified."""
    return next((model for model in (*registered(), *embedded()) if model.name == name), None)


def embedded_folder() -> Path:
    """Where the models that ship lie: inside an installed package, else in a source checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_models"
    return installed if installed.is_dir() else package.parent / "models"


def embedded() -> list[ModelFile]:
    """The models that ship, the default first; not verified."""
    folder = embedded_folder()
    models = _models(_read(folder / "manifest.json"), folder)
    if not models:
        raise ModelFileError(f"{folder} has no manifest of models: install lintseq-lsp again")
    return models


def data_folder() -> Path:
    """Where pulled models and the registry lie."""
    return platformdirs.user_data_path("lintseq-lsp", appauthor=False) / "models"


def registered() -> list[ModelFile]:
    """The models that were pulled or added; not verified."""
    return _models(_read(_registry()), data_folder())


def chosen() -> str | None:
    """What `model use` recorded."""
    name = _read(_registry()).get("chosen")
    return name if isinstance(name, str) else None


def register(
    path: Path,
    *,
    name: str,
    license: str = "",  # noqa: A002
    description: str = "",
    sha256: str | None = None,
) -> ModelFile:
    """Verifies the file and records it with its checksum, in place of an earlier one of that name.

    `sha256` is the checksum where the caller has just computed it.
    """
    stamp = _stamp(path)
    model = replace(
        _described(path.absolute()),
        name=name,
        sha256=sha256 or checksum(path),
        license=license,
        description=description,
        stamp=stamp,
    )
    with changing() as data:
        others = [entry for entry in data.get("models", []) if _named(entry) != name]
        data["models"] = [*others, _entry(model)]
    return model


def choose(name: str) -> ModelFile:
    """Records the model that is used where no setting names one.

    A name, also that of another program's file (`elsewhere`), or a file: these are registered where they are.
    """
    if (model := find(name)) is not None:
        verify(model.path, model.sha256)
    elif (other_program := elsewhere.find(name)) is not None:
        model = register(
            other_program.path, name=name, description=f"used where {other_program.program} has it"
        )
    else:
        path = file_at(name).absolute()
        if (other := find(path.stem)) is not None and other.path.resolve() != path.resolve():
            raise ModelFileError(
                f"{path.stem!r} is the name of {other.path} already: give {path} another name, "
                "or leave it unregistered and set lintseq.model to its path"
            )
        model = register(path, name=path.stem)
    with changing() as data:
        data["chosen"] = model.name
    return model


@contextmanager
def changing() -> Iterator[dict[str, Any]]:
    """The registry's content, which is written back at the end, and no other process's until then.

    Raises `ModelFileError` when it is damaged or cannot be written.
    """
    from filelock import FileLock

    try:
        data_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(data_folder() / "registry.lock", timeout=10):
            data = _read(_registry())
            yield data
            _replace(data)
    except OSError as error:
        raise ModelFileError(f"{_registry()} cannot be written: {error.strerror or error}") from None


def file_at(name: str, folder: Path | None = None) -> Path:
    """The path of a file, or of another program's by its name (`elsewhere`). Raises `ModelFileError`."""
    if (found := elsewhere.find(name)) is not None:
        return found.path
    try:
        path = (folder or Path()) / Path(name).expanduser()
        path.stat()
    except (OSError, RuntimeError, ValueError) as error:  # also an unknown user, and a character 0
        raise ModelFileError(
            f"no model is called {name!r}, and no file can be read there "
            f"({getattr(error, 'strerror', None) or error}): `lintseq-lsp model list` shows the models"
        ) from None
    return path


def _described(path: Path, prompt_format: str = "") -> ModelFile:
    header = verify(path)
    return ModelFile(path.stem, path, None, header.context, header.prompt_format(prompt_format))


def _stamp(path: Path) -> str:
    """What changes when a file does; empty when there is none."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _registry() -> Path:
    return data_folder() / "registry.json"


def _entry(model: ModelFile) -> dict[str, Any]:
    entry = asdict(model)
    path = entry.pop("path")
    entry["file"] = path.name if path.parent == data_folder().absolute() else str(path)
    entry["size"] = path.stat().st_size
    entry["prompt_format"] = model.prompt_format.name
    return entry


def _named(entry: Any) -> Any:
    return entry.get("name") if isinstance(entry, dict) else None


def _models(data: dict[str, Any], folder: Path) -> list[ModelFile]:
    models = []
    for entry in data.get("models", []):
        try:
            models.append(
                ModelFile(
                    name=entry["name"],
                    path=folder / entry["file"],
                    sha256=entry["sha256"],
                    context=entry["context"],
                    prompt_format=FORMATS[entry["prompt_format"]],
                    license=entry["license"],
                    description=entry["description"],
                    certainty=Certainty(**entry.get("certainty", {})),
                    stamp=entry.get("stamp", ""),
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            # damaged, or of a newer release: no reason to lose the others
            _log.warning("a model in %s is left out, %r: %r", folder, _named(entry), error)
    return models


_MEND = "remove its registry.json and pull the models again"


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, RecursionError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be read ({error}): {_MEND}") from None
    if not isinstance(data, dict) or not isinstance(data.get("models", []), list):
        raise ModelFileError(f"{path} is not a JSON object with a list of models: {_MEND}")
    return data


def _replace(data: dict[str, Any]) -> None:
    folder = data_folder()
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", encoding="utf-8", delete=False) as file:
        try:
            json.dump(data, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink()
            raise
    Path(file.name).replace(_registry())
