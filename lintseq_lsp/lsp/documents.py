"""The documents that are open in the client, as it last said they are, notebooks included."""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from lsprotocol import types

from lintseq_lsp import edits, notebooks
from lintseq_lsp.edits import Replacement
from lintseq_lsp.globs import matches_any
from lintseq_lsp.lsp.convert import Encoding, column_from_units
from lintseq_lsp.text import Document, split_lines

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document at the time of a request.

    `own` is what the client calls the document. `document` is what is worked on: the same, or for a
    cell of a notebook the cells above it and then the cell, which begins `shift` code points and
    `lines_above` lines further down, with what is IPython's and not Python's written otherwise.
    """

    uri: str
    language: str
    own: Document
    document: Document
    shift: int = 0

    @property
    def lines_above(self) -> int:
        return len(self.document.lines) - len(self.own.lines)

    @property
    def is_cell(self) -> bool:
        return self.document is not self.own

    def with_own(self, own: str) -> "Snapshot":
        """The same with another text of `own`."""
        text = self.document.text[: self.shift] + notebooks.as_python(own).text if self.is_cell else own
        mine = Document(own, self.own.version, self.own.path)
        document = replace(self.document, text=text) if self.is_cell else mine
        return replace(self, own=mine, document=document)

    def moved(self, change: Replacement) -> Replacement | None:
        """A change of `document` as one of `own`.

        None when it touches the cells above, or what `document` has written otherwise.
        """
        if not self.is_cell:
            return change
        if change.start < self.shift:
            return None
        moved = Replacement(change.start - self.shift, change.end - self.shift, change.text)
        if self.own.text[moved.start : moved.end] != self.document.text[change.start : change.end]:
            return None
        changed = self.with_own(edits.apply(self.own.text, [moved]))
        return moved if changed.document.text == edits.apply(self.document.text, [change]) else None


@dataclass(slots=True)
class _Text:
    """`lines` have their ends; the last one has none, and may be empty."""

    language: str
    document: Document
    lines: list[str]


@dataclass(slots=True)
class Documents:
    """Documents by URI. Positions are in `encoding`."""

    encoding: Encoding = Encoding.UTF16
    _texts: dict[str, _Text] = field(default_factory=dict)
    _notebooks: dict[str, list[types.NotebookCell]] = field(default_factory=dict)
    _doubted: set[str] = field(default_factory=set)

    def open(self, item: types.TextDocumentItem) -> None:
        document = Document(item.text, item.version, path_of(item.uri))
        self._texts[item.uri] = _Text(item.language_id, document, with_ends(item.text))
        self._doubted.discard(item.uri)

    def change(
        self,
        name: types.VersionedTextDocumentIdentifier,
        changes: Iterable[types.TextDocumentContentChangeEvent],
    ) -> None:
        text = self._texts.get(name.uri)
        if text is None:
            _log.warning("a document was changed that is not open")
            return
        for change in changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                replace_range(text.lines, change.range, change.text, self.encoding)
            else:
                text.lines = with_ends(change.text)
                self._doubted.discard(name.uri)
        text.document = Document("".join(text.lines), name.version, text.document.path)

    def close(self, uri: str) -> None:
        self._texts.pop(uri, None)
        self._doubted.discard(uri)

    def doubt(self, uri: str | None) -> None:
        """A change of the document or notebook could not be read: of any one when `uri` is None.

        Until the client sends all of its text again, it is not known what stands there.
        """
        known = {*self._texts, *self._notebooks}
        self._doubted |= known if uri is None else known & {uri}

    def in_doubt(self, uri: str) -> bool:
        notebooks = [name for name, cells in self._notebooks.items() if uri in _cells(cells)]
        above = [name for notebook in notebooks for name in _cells(self._notebooks[notebook])]
        return not self._doubted.isdisjoint([uri, *notebooks, *above])

    def files(self) -> Iterator[tuple[str, Document]]:
        """The Python documents that are files or will be, without cells and what is in doubt.

        May be asked in any thread: what is changed meanwhile counts as before, or as after.
        """
        left_out = set(self._doubted)
        left_out.update(uri for cells in list(self._notebooks.values()) for uri in _cells(list(cells)))
        for uri, text in list(self._texts.items()):
            if text.language == "python" and text.document.path and uri not in left_out:
                yield uri, text.document

    def document(self, uri: str) -> Document | None:
        text = self._texts.get(uri)
        return text.document if text else None

    def snapshot(self, uri: str) -> Snapshot | None:
        text = self._texts.get(uri)
        if text is None:
            return None
        own = text.document
        for notebook, cells in self._notebooks.items():
            if uri in _cells(cells):
                return self._cell(notebook, cells, uri, text)
        return Snapshot(uri, text.language, own, own)

    def _cell(self, notebook: str, cells: Iterable[types.NotebookCell], uri: str, text: _Text) -> Snapshot:
        own, cell = text.document, notebooks.as_python(text.document.text)
        others = list(self._cells_above(cells, uri))
        above = notebooks.prelude([*others, cell]) + "".join(other.text + "\n" for other in others)
        document = Document(above + cell.text, own.version, f"{path_of(notebook)}#{urlsplit(uri).fragment}")
        language = text.language if cell.is_code else "of a cell magic"
        return Snapshot(uri, language, own, document, len(above))

    def _cells_above(self, cells: Iterable[types.NotebookCell], uri: str) -> Iterator[notebooks.Cell]:
        for cell in cells:
            if cell.document == uri:
                return
            text = self._texts.get(cell.document)
            if cell.kind == types.NotebookCellKind.Code and text is not None and text.language == "python":
                yield notebooks.finished(text.document.text)

    def open_notebook(self, params: types.DidOpenNotebookDocumentParams) -> None:
        self._notebooks[params.notebook_document.uri] = list(params.notebook_document.cells)
        self._doubted.discard(params.notebook_document.uri)
        for item in params.cell_text_documents:
            self.open(item)

    def change_notebook(self, params: types.DidChangeNotebookDocumentParams) -> None:
        cells = self._notebooks.get(params.notebook_document.uri)
        if cells is None or params.change.cells is None:
            return
        if (structure := params.change.cells.structure) is not None:
            array = structure.array
            cells[array.start : array.start + array.delete_count] = array.cells or ()
            for item in structure.did_open or ():
                self.open(item)
            for name in structure.did_close or ():
                self.close(name.uri)
        for content in params.change.cells.text_content or ():
            self.change(content.document, content.changes)

    def close_notebook(self, uri: str, cells: Iterable[types.TextDocumentIdentifier]) -> None:
        self._notebooks.pop(uri, None)
        self._doubted.discard(uri)
        for cell in cells:
            self.close(cell.uri)


def _cells(cells: Iterable[types.NotebookCell]) -> list[str]:
    return [cell.document for cell in cells]


def with_ends(text: str) -> list[str]:
    """The lines of `text`, each with its end."""
    return [line + end for line, end in zip(*split_lines(text), strict=True)]


def replace_range(lines: list[str], where: types.Range, text: str, encoding: Encoding) -> None:
    """Changes `lines` in place: only those that the change touches are split anew."""
    start = _place(lines, where.start, encoding)
    end = max(start, _place(lines, where.end, encoding))
    first, last = start[0], end[0]
    touched = lines[first][: start[1]] + text + lines[last][end[1] :]
    if first > 0 and touched.startswith("\n"):  # may join a \r above
        first -= 1
        touched = lines[first] + touched
    new = with_ends(touched)
    if last + 1 < len(lines):
        new.pop()  # nothing, behind the end of the last line touched
    lines[first : last + 1] = new


def _place(lines: list[str], position: types.Position, encoding: Encoding) -> tuple[int, int]:
    """(line, column) in code points, clamped."""
    if position.line >= len(lines):
        return len(lines) - 1, len(lines[-1])
    line = lines[position.line].rstrip("\r\n")
    return position.line, column_from_units(line, position.character, encoding)


def path_of(uri: str) -> str:
    """The file that a URI names, or would name; empty for a document without a place of its own.

    A file that is new in the client may be `untitled:` with its path.
    """
    parts = urlsplit(uri)
    placed = parts.scheme == "untitled" and parts.path.startswith("/")
    if parts.scheme not in ("file", "vscode-notebook-cell") and not placed:
        return ""
    path = unquote(parts.path)
    if os.name == "nt":
        from urllib.request import url2pathname  # which is slow to import

        path = url2pathname(parts.path)
    return f"//{unquote(parts.netloc)}{path}" if parts.netloc and parts.scheme == "file" else path


def is_ignored(uri: str, globs: Iterable[str]) -> bool:
    """Whether the file that `uri` names matches one of `globs`."""
    return matches_any(PurePosixPath(unquote(urlsplit(uri).path)).as_posix(), globs)
