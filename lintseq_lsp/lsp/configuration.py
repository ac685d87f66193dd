"""The settings as the client wants them, and the engine that was opened with them."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types

from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.lsp.client import Client
from lintseq_lsp.lsp.convert import Json
from lintseq_lsp.lsp.documents import path_of
from lintseq_lsp.lsp.engine import Engine
from lintseq_lsp.lsp.settings import SECTION, parse, section
from lintseq_lsp.lsp.worker import Worker
from lintseq_lsp.settings import SETTINGS, Part, Settings
from lintseq_lsp.suggestions import Memory

_log = logging.getLogger(__name__)


class Configuration:
    """`settings` are always usable. `failure` says why there is no engine, if that is so.

    The engine gets `memory`, which outlives it, and asks `modules` in any thread. `on_change` hears when
    the settings are others, and when an engine was opened or could not be.
    """

    def __init__(
        self,
        client: Client,
        worker: Worker,
        memory: Memory,
        modules: Callable[[], Mapping[str, str]],
        on_change: Callable[[], None],
    ) -> None:
        self.settings = Settings()
        self.failure = ""
        self._client = client
        self._worker = worker
        self._memory = memory
        self._modules = modules
        self._on_change = on_change
        self._folders: list[str] = []
        self._initial: Json = {}
        self._later: Json = {}
        self._trusted = False
        self._endpoint: object = ""
        self._opened: dict[Part, tuple[Any, ...]] = {}

    def start(self, params: Json) -> None:
        """Takes what `initialize` says."""
        self._initial = section(params.get("initializationOptions"))
        self._trusted = self._initial.get("trusted") is True
        self._endpoint = self._initial.get("endpoint", "")
        folders = params.get("workspaceFolders")
        uris = (
            [folder.get("uri") for folder in folders if isinstance(folder, dict)]
            if isinstance(folders, list)
            else []
        )
        self._folders = [uri for uri in uris or [params.get("rootUri")] if isinstance(uri, str)]
        self.settings, _ = parse(self._initial, trusted=self._trusted, endpoint=self._endpoint)

    async def change_folders(self, added: Sequence[str], removed: Sequence[str]) -> None:
        self._folders = [uri for uri in self._folders if uri not in removed] + list(added)
        await self._open()

    async def update(self, values: object = None) -> None:
        """Takes settings that the client pushed, or else asks for them, and opens the engine accordingly."""
        if isinstance(values, dict) and SECTION in values:
            self._later = section(values)
        elif (answer := await self._client.configuration(SECTION)) is not None:
            self._later = section(answer)
        self.settings, warnings = parse(
            {**self._initial, **self._later}, trusted=self._trusted, endpoint=self._endpoint
        )
        for warning in [*warnings, *self._missing_linters()]:
            self._client.warn_once(warning)
        if self._worker.engine is not None:
            self._worker.engine.settings = self.settings
        self._on_change()
        if self.settings.completion_items and self._client.supports(
            "textDocument", "completion", "dynamicRegistration"
        ):
            python = types.TextDocumentFilterLanguage(language="python")
            options = types.CompletionRegistrationOptions(document_selector=[python])
            await self._client.register(types.TEXT_DOCUMENT_COMPLETION, options)
        await self._open()

    def folders(self) -> list[Path]:
        """The workspace's, as they are now. May be asked in any thread."""
        return [Path(path) for path in map(path_of, list(self._folders)) if path]

    def _missing_linters(self) -> list[str]:
        if not self.settings.linters:
            return []
        from lintseq_lsp.linters.several import missing

        return missing(self.settings.linters, self.folders())

    @property
    def _first(self) -> Path | None:
        """Where relative paths begin: the process may be started anywhere."""
        return next(iter(self.folders()), None)

    def _wanted(self) -> dict[Part, tuple[Any, ...]]:
        """What each part is opened with."""
        folder = self._first
        values = {
            part: [getattr(self.settings, each.field) for each in SETTINGS if each.part is part]
            for part in Part
        }
        # The embedded model lies in no folder.
        of_model = folder if self.settings.model else None
        return {
            Part.MODEL: (*values[Part.MODEL], of_model),
            Part.LINTER: (*values[Part.LINTER], *self.folders()),
        }

    async def _open(self) -> None:
        """Opens anew what was not opened with what is wanted now."""
        wanted = self._wanted()
        parts = {part for part in Part if wanted[part] != self._opened.get(part)}
        if not self.settings.enabled or not parts:
            return
        self._opened = wanted
        settings, folder = self.settings, self._first
        opening = asyncio.ensure_future(
            self._worker.load(lambda before: self._new_engine(before, parts, settings, folder))
        )
        what = "the model" if Part.MODEL in parts else "the linter"
        async with self._client.progress.display(f"LintSeq: loading {what}"):
            try:
                await opening
            except Exception as error:  # noqa: BLE001 - whatever a library raises, the server lives on
                known = isinstance(error, LintSeqError | OSError)
                self.failure = str(error) if known else f"internal error ({type(error).__name__})"
                _log.debug("the model could not be loaded", exc_info=True)
                self._client.show(f"no suggestions: {self.failure}")
            else:
                self.failure = ""
                if self._worker.engine is not None:
                    self._worker.engine.settings = self.settings
        self._on_change()

    def _new_engine(
        self, before: Engine | None, parts: Collection[Part], settings: Settings, folder: Path | None
    ) -> Engine:
        from lintseq_lsp import runtime  # not before `initialize` is answered

        if before is not None:
            mine: Any = before  # from here, whatever its class
            return runtime.reopen(mine, parts, settings, self.folders, model_folder=folder)
        return runtime.open_engine(
            settings, self.folders, self._modules, memory=self._memory, model_folder=folder
        )
