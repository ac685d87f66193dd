"""Puts an engine together: which model, which linter, against which environment.

Everything heavy is imported inside of the functions, so that importing this costs nothing.
"""

import os
from pathlib import Path

from lintseq_lsp.backends.base import Backend
from lintseq_lsp.engine import Engine
from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Linter
from lintseq_lsp.prompts import PromptFormat
from lintseq_lsp.settings import Settings

_SCRIPTED = "scripted:"
_MARKS = (".git", "pyproject.toml", "setup.cfg", "setup.py", ".venv")


def open_engine(settings: Settings, folder: Path | None = None) -> Engine:
    """An engine for the workspace `folder`. The linter warms up while the model loads.

    Raises `ModelError` when the model cannot be used.
    """
    gate = open_gate(settings, folder)
    try:
        backend, prompt_format = open_backend(settings)
    except BaseException:
        gate.linter.close()
        raise
    return Engine(backend, gate, prompt_format=prompt_format, settings=settings)


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


def open_backend(settings: Settings) -> tuple[Backend, PromptFormat]:
    """The model that the setting names; `scripted:FILE` replays a recording instead."""
    if settings.model.startswith(_SCRIPTED):
        from lintseq_lsp.backends.scripted import ScriptedBackend

        recording = Path(settings.model.removeprefix(_SCRIPTED))
        stream = recording.read_text("utf-8")
        return ScriptedBackend([stream], name=recording.name, logprob=0.0), PromptFormat.PAPER
    from lintseq_lsp.backends.llama import LlamaBackend
    from lintseq_lsp.weights.registry import resolve_model

    model = resolve_model(settings.model or None)
    backend = LlamaBackend(model.path, threads=settings.threads or None, copying=model.copying)
    return backend, model.prompt_format
