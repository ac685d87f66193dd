"""How parameters are read, and those for which lsprotocol has no type, or one without a version.

Classes of attrs, as lsprotocol's are, so that its converter gives them the protocol's names.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeVar

import attrs
import cattrs
from lsprotocol import types
from lsprotocol.converters import get_converter
from pygls.exceptions import JsonRpcInvalidParams

_T = TypeVar("_T")


@attrs.frozen
class DocumentParams:
    """`lintseq/explain`. Neovim sends no version."""

    text_document: types.OptionalVersionedTextDocumentIdentifier


@attrs.frozen
class PositionParams(DocumentParams):
    """`completion`."""

    position: types.Position


@attrs.frozen
class InlineEditParams(PositionParams):
    """`copilotInlineEdit`. Nothing specifies its context; clients send that of ghost text, or none."""

    context: Any = None

    @property
    def is_manual(self) -> bool:
        """Whether the user asked for it."""
        kind = self.context.get("triggerKind") if isinstance(self.context, dict) else None
        return bool(kind == types.InlineCompletionTriggerKind.Invoked.value)


@attrs.frozen
class InlineCompletionParams(PositionParams):
    context: types.InlineCompletionContext


@attrs.frozen
class CodeActionParams(DocumentParams):
    range: types.Range
    context: types.CodeActionContext


@attrs.frozen
class Chosen:
    """One of the things that a code action does; lines are the client's."""

    kind: str
    first_line: int
    last_line: int
    symbol: str = ""
    message: str = ""


@attrs.frozen
class CodeActionData:
    uri: str
    actions: Sequence[Chosen]
    version: int | None = None


@attrs.frozen
class EditParams(DocumentParams):
    """`lintseq/edit`, and the argument of `lintseq.edit`."""

    instruction: str
    range: types.Range | None = None
    partial_result_token: Any = None
    work_done_token: Any = None


def read(shape: type[_T], value: Any) -> _T:
    """`value` as `shape`. Raises an error that names the wrong fields, and nothing of what they hold."""
    try:
        return converter.structure(value, shape)
    except (cattrs.BaseValidationError, AttributeError, TypeError, ValueError) as error:
        wrong = "; ".join(cattrs.transform_error(error, format_exception=_without_values))
        raise JsonRpcInvalidParams(f"invalid parameters: {wrong}") from None


def _without_values(error: BaseException, _type: type[Any] | None) -> str:
    return "missing" if isinstance(error, KeyError) else "of the wrong type"


def _exactly(primitive: type[_T]) -> Callable[[Any, Any], _T]:
    def structure(value: Any, _type: Any) -> _T:
        if not isinstance(value, primitive):
            raise TypeError
        return value

    return structure


def _integer(value: Any, _type: Any) -> int:
    """Some clients' JSON has no integers: 3.0 is 3. An enum's number stays one, so that any is taken."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError
    return int(value)


def _new_converter() -> cattrs.Converter:
    strict = cattrs.Converter()
    strict.register_structure_hook(int, _integer)
    for primitive in (bool, str):
        strict.register_structure_hook(primitive, _exactly(primitive))
    strict.register_unstructure_hook(Enum, lambda entry: entry.value if isinstance(entry, Enum) else entry)
    return get_converter(strict)


converter = _new_converter()
