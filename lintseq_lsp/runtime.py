"""Puts an engine together: which model, which linter, against which environment.

Everything heavy is imported inside of the functions, so that importing this costs nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lintseq_lsp.backends.base import Ability, Backend
from lintseq_lsp.formats.base import PromptFormat
from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Linter
from lintseq_lsp.recorder import RecordingEngine
from lintseq_lsp.settings import UNMEASURED, Certainty, Part, Settings
from lintseq_lsp.suggestions import Memory

if TYPE_CHECKING:
    from lintseq_lsp.backends.remote import RemoteBackend

_SCRIPTED = "scripted:"
_TEXTS = 16
"""Whose syntax check is remembered: what stands for a document is the same while a line of it is typed."""

Folders = Callable[[], Sequence[Path]]
"""The workspace's folders now. May be asked in any thread."""


def open_engine(
    settings: Settings,
    folders: Folders = tuple,
    opened: Callable[[], Mapping[str, str]] | None = None,
    *,
    memory: Memory | None = None,
    model_folder: Path | None = None,
    first: str = "",
) -> RecordingEngine:
    """An engine for all files; each is judged in its own environment. The linter warms up meanwhile.

    `opened` says what an editor has of modules, by path, and is asked in any thread. `memory` is that of
    an engine before, which is closed. A relative path of the model's begins at `model_folder`, else where
    this process was started. `first` is the path of the file that is probably wanted first. Raises
    `ModelError` when the model cannot be used.
    """
    gate = open_gate(settings, folders, first)
    if opened is not None:
        from lintseq_lsp.linters.workspace import EditorWorkspace

        gate.workspace = EditorWorkspace(opened)
        gate.policy = replace(gate.policy, partial=True)  # an editor has pauses, in which all is checked
    return _with_model(gate, settings, memory, model_folder)


def reopen(
    engine: RecordingEngine,
    parts: Collection[Part],
    settings: Settings,
    folders: Folders = tuple,
    *,
    model_folder: Path | None = None,
) -> RecordingEngine:
    """The engine with those parts of it opened anew; `engine` is not to be used any more.

    Raises `ModelError` when the model cannot be used: then all of it is closed.
    """
    gate = engine.gate
    if Part.LINTER in parts:
        policy = replace(gate.policy, timeout=settings.gate_timeout)
        gate.replace_linter(open_linter(settings, folders), policy)
    if Part.MODEL not in parts:
        return engine
    engine.backend.close()  # there may not be room for two
    return _with_model(gate, settings, engine.memory, model_folder)


def _with_model(
    gate: Gate, settings: Settings, memory: Memory | None, model_folder: Path | None
) -> RecordingEngine:
    """An engine of this gate and the model that is set. The gate is closed when that cannot be used."""
    try:
        backend, prompt_format, certainty = open_backend(settings, model_folder)
    except BaseException:
        gate.linter.close()
        raise
    return RecordingEngine(
        backend,
        gate,
        prompt_format=prompt_format,
        settings=settings,
        certainty=certainty,
        memory=memory,
    )


def open_gate(settings: Settings, folders: Folders = tuple, first: str = "") -> Gate:
    """The gate alone, its linter starting in the background."""
    from lintseq_lsp.linters.syntax import check_syntax

    syntax = lru_cache(_TEXTS)(check_syntax)
    return Gate(open_linter(settings, folders, first), syntax, GatePolicy(timeout=settings.gate_timeout))


def open_linter(settings: Settings, folders: Folders = tuple, first: str = "") -> Linter:
    from lintseq_lsp.linters.router import Router

    router = Router(
        folders,
        settings.python,
        memory_limit=settings.linter_memory * 1024 * 1024,
        trusted=settings.trusted,
    )
    router.warm(first)
    if not settings.linters:
        return router
    from lintseq_lsp.linters.several import Several, choose

    others, _ = choose(settings.linters)
    return Several(router, others, folders, settings.python, memory=settings.linter_memory * 1024 * 1024)


def open_backend(
    settings: Settings, folder: Path | None = None
) -> tuple[Backend, PromptFormat, Certainty | Callable[[], Certainty]]:
    """The model that the setting names, and how to use it; `scripted:FILE` replays a recording instead.

    A relative path begins at `folder`, else where this process was started. A server at an endpoint need
    not be there yet.
    """
    from lintseq_lsp.formats.table import detect

    if settings.endpoint:
        return open_endpoint(settings)

    if settings.model.startswith(_SCRIPTED):
        from lintseq_lsp.backends.scripted import ScriptedBackend

        recording = (folder or Path()) / settings.model.removeprefix(_SCRIPTED)
        stream = recording.read_text("utf-8")
        recorded = ScriptedBackend([stream], name=recording.name, logprob=0.0)
        return recorded, detect(recorded.has, recorded.name, settings.prompt_format), UNMEASURED
    from lintseq_lsp.backends.llama import LlamaBackend
    from lintseq_lsp.tuning import remembered
    from lintseq_lsp.weights.registry import resolve_model

    model = resolve_model(settings.model or None, folder, settings.prompt_format)
    tuned = None if settings.threads else remembered(model.path)
    backend = LlamaBackend(
        model.path,
        threads=tuned.read if tuned else settings.threads or None,
        writing_threads=tuned.write if tuned else None,
        context=model.context,
        gpu_layers=settings.gpu_layers,
    )
    try:
        prompt_format = detect(backend.has, model.name, model.prompt_format.name)
    except BaseException:
        backend.close()
        raise
    return backend, prompt_format, model.certainty


def open_endpoint(
    settings: Settings, *, patience: float = 2.0
) -> tuple["RemoteBackend", PromptFormat, Callable[[], Certainty]]:
    """The model of a server. Nothing is sent to it before something is asked.

    It has `patience` seconds to say what it is. If it names a model that ships, it is taken to have that one.
    """
    from lintseq_lsp.backends.remote import RemoteBackend
    from lintseq_lsp.formats.late import LateFormat
    from lintseq_lsp.formats.table import detect, named
    from lintseq_lsp.weights.registry import ModelFile, embedded

    remote = RemoteBackend(settings.endpoint, model=settings.model, patience=patience)

    @lru_cache(1)
    def shipped(names: frozenset[str]) -> ModelFile | None:
        known = ((model, {model.name, model.path.name, model.path.stem}) for model in embedded())
        return next((model for model, called in known if not names.isdisjoint(called)), None)

    def find(name: str) -> PromptFormat:
        ours = shipped(remote.names)
        wanted = settings.prompt_format or (ours.prompt_format.name if ours else "")
        if wanted or Ability.VOCABULARY in remote.abilities:
            return detect(remote.has, name, wanted)
        return named(name)

    def certainty() -> Certainty:
        ours = shipped(remote.names)
        return ours.certainty if ours else UNMEASURED

    return remote, LateFormat(lambda: remote.name, find), certainty
