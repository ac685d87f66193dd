"""The parameters that clients send, as values; what is not read here is ignored.

Deliberately absent: results, which are written as they go on the wire.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn, override

from lintseq_lsp.lsp.rpc import INVALID_PARAMS, RpcError
from lintseq_lsp.settings import camel

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Position:
    line: int
    character: int


@dataclass(frozen=True, slots=True)
class Range:
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class TextDocument:
    """A document as requests name it. Neovim sends no version."""

    uri: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class TextDocumentItem:
    uri: str
    language_id: str
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """Without a range, `text` is the whole document."""

    text: str
    range: Range | None = None


@dataclass(frozen=True, slots=True)
class DidOpen:
    text_document: TextDocumentItem


@dataclass(frozen=True, slots=True)
class DidChange:
    text_document: TextDocument
    content_changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class DidClose:
    text_document: TextDocument


@dataclass(frozen=True, slots=True)
class DocumentParams:
    """`lintseq/explain`."""

    text_document: TextDocument


@dataclass(frozen=True, slots=True)
class Cell:
    """`kind` is 2 for code. `document` is the URI of its text."""

    kind: int
    document: str


@dataclass(frozen=True, slots=True)
class NotebookItem:
    uri: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class NotebookName:
    uri: str


@dataclass(frozen=True, slots=True)
class DidOpenNotebook:
    notebook_document: NotebookItem
    cell_text_documents: tuple[TextDocumentItem, ...]


@dataclass(frozen=True, slots=True)
class CellArray:
    start: int
    delete_count: int
    cells: tuple[Cell, ...] | None = None


@dataclass(frozen=True, slots=True)
class CellStructure:
    array: CellArray
    did_open: tuple[TextDocumentItem, ...] | None = None
    did_close: tuple[TextDocument, ...] | None = None


@dataclass(frozen=True, slots=True)
class CellContent:
    document: TextDocument
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class CellChanges:
    structure: CellStructure | None = None
    text_content: tuple[CellContent, ...] | None = None


@dataclass(frozen=True, slots=True)
class NotebookChange:
    cells: CellChanges | None = None


@dataclass(frozen=True, slots=True)
class DidChangeNotebook:
    notebook_document: NotebookName
    change: NotebookChange


@dataclass(frozen=True, slots=True)
class DidCloseNotebook:
    notebook_document: NotebookName
    cell_text_documents: tuple[TextDocument, ...]


@dataclass(frozen=True, slots=True)
class SelectedCompletion:
    """The item that is selected in the client's pop-up: it would replace `range` with `text`."""

    range: Range
    text: str


INVOKED = 1


@dataclass(frozen=True, slots=True)
class InlineContext:
    trigger_kind: int
    selected_completion_info: SelectedCompletion | None = None


@dataclass(frozen=True, slots=True)
class InlineCompletionParams:
    text_document: TextDocument
    position: Position
    context: InlineContext


@dataclass(frozen=True, slots=True)
class PositionParams:
    """`copilotInlineEdit`, `completion`."""

    text_document: TextDocument
    position: Position


@dataclass(frozen=True, slots=True)
class CodeActionContext:
    diagnostics: tuple[dict[str, Any], ...]
    only: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class CodeActionParams:
    text_document: TextDocument
    range: Range
    context: CodeActionContext


@dataclass(frozen=True, slots=True)
class Chosen:
    """One of the things that a code action does; lines are the client's."""

    kind: str
    first_line: int
    last_line: int
    symbol: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class CodeActionData:
    uri: str
    actions: tuple[Chosen, ...]
    version: int | None = None


@dataclass(frozen=True, slots=True)
class EditParams:
    """`lintseq/edit`, and the argument of `lintseq.edit`."""

    text_document: TextDocument
    instruction: str
    range: Range | None = None
    partial_result_token: Any = None
    work_done_token: Any = None


@dataclass(frozen=True, slots=True)
class ExecuteCommandParams:
    command: str
    arguments: tuple[Any, ...] | None = None
    work_done_token: Any = None


@dataclass(frozen=True, slots=True)
class ProgressCancelParams:
    token: Any


@dataclass(frozen=True, slots=True)
class Folder:
    uri: str


@dataclass(frozen=True, slots=True)
class FolderChange:
    added: tuple[Folder, ...]
    removed: tuple[Folder, ...]


@dataclass(frozen=True, slots=True)
class DidChangeFolders:
    event: FolderChange


def camelled(value: Any) -> Any:
    """`dataclasses.asdict` with the protocol's names."""
    if isinstance(value, dict):
        return {camel(name): camelled(entry) for name, entry in value.items()}
    return [camelled(entry) for entry in value] if isinstance(value, list | tuple) else value


def read(shape: type[_T], value: Any) -> _T:
    """`value` as `shape`. Raises `RpcError` that names the wrong fields, and nothing of what they hold."""
    try:
        return _converter.structure(value, shape)
    except (cattrs.BaseValidationError, TypeError) as error:
        wrong = "; ".join(cattrs.transform_error(error, format_exception=_without_values))
        raise RpcError(INVALID_PARAMS, f"invalid parameters: {wrong}") from None


def _without_values(error: BaseException, _type: type[Any] | None) -> str:
    return "missing" if isinstance(error, KeyError) else "of the wrong type"


def _new_converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    for primitive in (bool, str):
        converter.register_structure_hook(primitive, _exactly(primitive))
    converter.register_structure_hook(int, _integer)

    def hook(shape: type[Any]) -> Callable[[Any, Any], Any]:
        names = {entry.name: override(rename=camel(entry.name)) for entry in fields(shape)}
        structure = make_dict_structure_fn(shape, converter, **names)  # type: ignore[arg-type]

        def checked(value: Any, type_: Any) -> Any:
            if not isinstance(value, dict):
                raise TypeError
            return structure(value, type_)

        return checked

    converter.register_structure_hook_factory(is_dataclass, hook)
    return converter


def _exactly(primitive: type[_T]) -> Callable[[Any, Any], _T]:
    def structure(value: Any, _type: Any) -> _T:
        if not isinstance(value, primitive):
            raise TypeError
        return value

    return structure


def _integer(value: Any, _type: Any) -> int:
    """Some clients' JSON has no integers: 3.0 is 3."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError
    return int(value)


_converter = _new_converter()
