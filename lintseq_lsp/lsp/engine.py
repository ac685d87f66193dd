"""What the server asks of an engine: `lintseq_lsp.engine.Engine`, or what a test has in its place.

Deliberately absent: imports that take time, which only types need.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from lintseq_lsp.recent import RecentEdit
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Outcome, Suggestion
from lintseq_lsp.text import Document

if TYPE_CHECKING:
    from lintseq_lsp.actions import Action
    from lintseq_lsp.cases import Case
    from lintseq_lsp.generation import Ended, Step

IsCancelled = Callable[[], bool]


class Engine(Protocol):
    """All but `recall`, `recall_next` and `holds` belongs to the thread in which the engine was opened."""

    settings: Settings

    def close(self) -> None: ...

    def prepare(self, document: Document, line: int | None, *, patience: float) -> bool: ...

    def lint(self, document: Document, line: int | None, *, patience: float) -> None: ...

    def read_ahead(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...],
        below: bool,
        cancelled: IsCancelled,
    ) -> None: ...

    def recall(self, document: Document, offset: int) -> Outcome | None: ...

    def recall_next(self, document: Document) -> Suggestion | None: ...

    def holds(self, suggestion: Suggestion) -> bool: ...

    def complete(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...],
        candidates: int,
        certainty: float,
        cancelled: IsCancelled,
    ) -> Outcome: ...

    def next_edit(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...],
        certainty: float,
        on_clean: Callable[[Outcome, Document], None],
        cancelled: IsCancelled,
    ) -> Outcome: ...

    def edit(
        self,
        document: Document,
        instruction: str,
        *,
        lines: tuple[int, int] | None,
        cancelled: IsCancelled,
    ) -> "Iterator[Step | Ended]": ...

    def resolve(self, document: Document, action: "Action", *, cancelled: IsCancelled) -> Outcome: ...

    def recorded(self, path: str) -> "Case | None": ...

    def rebase(
        self, suggestion: Suggestion, now: Document, *, cancelled: IsCancelled
    ) -> Suggestion | None: ...
