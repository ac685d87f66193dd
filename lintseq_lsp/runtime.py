"""Puts an engine together: which model, which linter, against which environment.

Everything heavy is imported inside of the functions, so that importing this costs nothing.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from lintseq_lsp.backends.base import Backend
from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Linter
from lintseq_lsp.prompts import PromptFormat
from lintseq_lsp.recorder import RecordingEngine
from lintseq_lsp.settings import UNMEASURED, Certainty, Settings

_SCRIPTED = "scripted:"
_MARKS = (".git", "pyproject.toml", "setup.cfg", "setup.py", ".venv")


def open_engine(
    settings: Settings,
    folder: Path | None = None,
    opened: Callable[[], Mapping[str, str]] | None = None,
    *,
    model_folder: Path | None = None,
) -> RecordingEngine:
    """An engine for the workspace `folder`. The linter warms up while the model loads.

    `opened` says what an editor has of modules, by path, and is asked in any thread. A relative path of the
    model's begins at `model_folder`, else where this process was started. Raises `ModelError` when the
    model cannot be used.
    """
    gate = open_gate(settings, folder)
    if opened is not None:
        from lintseq_lsp.linters.workspace import EditorWorkspace

        gate.workspace = EditorWorkspace(opened)
    try:
        backend, prompt_format, certainty = open_backend(settings, model_folder)
    except BaseException:
        gate.linter.close()
        raise
    return RecordingEngine(backend, gate, prompt_format=prompt_format, settings=settings, certainty=certainty)


def workspace_of(file: Path) -> Path:
    """The project that a file belongs to: the nearest folder with a project's marks, else its own folder."""
    from lintseq_lsp.linters.files import mode_of

    parents = Path(os.path.realpath(file)).parents  # which a loop of links does not stop
    return next((folder for folder in parents if any(mode_of(folder / mark) for mark in _MARKS)), parents[0])


def open_gate(settings: Settings, folder: Path | None = None) -> Gate:
    """The gate alone, its linter starting in the background."""
    from lintseq_lsp.linters.syntax import check_syntax

    return Gate(open_linter(settings, folder), check_syntax, GatePolicy(timeout=settings.gate_timeout))


def open_linter(settings: Settings, folder: Path | None) -> Linter:
    from lintseq_lsp.linters.environment import Search
    from lintseq_lsp.linters.pool import PylintPool

    pool = PylintPool(
        Search(str(folder.absolute()) if folder else None, settings.python),
        memory_limit=settings.linter_memory * 1024 * 1024,
        trusted=settings.trusted,
        configuration_folder=folder,
    )
    pool.warm()
    return pool


def open_backend(settings: Settings, folder: Path | None = None) -> tuple[Backend, PromptFormat, Certainty]:
    """The model that the setting names, and how to use it; `scripted:FILE` replays a recording instead.

    A relative path begins at `folder`, else where this process was started.
    """
    if settings.model.startswith(_SCRIPTED):
        from lintseq_lsp.backends.scripted import ScriptedBackend

        recording = (folder or Path()) / settings.model.removeprefix(_SCRIPTED)
        stream = recording.read_text("utf-8")
        return ScriptedBackend([stream], name=recording.name, logprob=0.0), PromptFormat.PAPER, UNMEASURED
    from lintseq_lsp.backends.llama import LlamaBackend
    from lintseq_lsp.weights.registry import resolve_model

    model = resolve_model(settings.model or None, folder)
    backend = LlamaBackend(model.path, threads=settings.threads or None, context=model.context)
    return backend, model.prompt_format, model.certainty
