"""The document store against a reference, notebooks, and which files are left alone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import (
    DidChangeNotebookDocumentParams,
    DidOpenNotebookDocumentParams,
    NotebookCell,
    NotebookCellArrayChange,
    NotebookDocument,
    NotebookDocumentCellChanges,
    NotebookDocumentCellChangeStructure,
    NotebookDocumentCellContentChanges,
    NotebookDocumentChangeEvent,
    Position,
    Range,
    TextDocumentContentChangeEvent,
    TextDocumentContentChangePartial,
    TextDocumentContentChangeWholeDocument,
    TextDocumentIdentifier,
    TextDocumentItem,
    VersionedNotebookDocumentIdentifier,
    VersionedTextDocumentIdentifier,
)

from lintseq_lsp.edits import Replacement
from lintseq_lsp.lsp.convert import Encoding
from lintseq_lsp.lsp.documents import Documents, Snapshot, is_ignored, path_of, with_ends
from lintseq_lsp.notebooks import Cell, prelude
from lintseq_lsp.settings import IGNORED
from lintseq_lsp.text import Document

URI = "file:///project/a.py"
ENCODED = {Encoding.UTF8: "utf-8", Encoding.UTF16: "utf-16-le", Encoding.UTF32: "utf-32-le"}
UNIT = {Encoding.UTF8: 1, Encoding.UTF16: 2, Encoding.UTF32: 4}


def change(text: str, where: Range | None = None) -> TextDocumentContentChangeEvent:
    if where is None:
        return TextDocumentContentChangeWholeDocument(text)
    return TextDocumentContentChangePartial(where, text)


def named(uri: str, version: int) -> VersionedTextDocumentIdentifier:
    return VersionedTextDocumentIdentifier(version, uri)


def reference(text: str, change: TextDocumentContentChangeEvent, encoding: Encoding) -> str:
    """The same in bytes, and line by line."""
    if isinstance(change, TextDocumentContentChangeWholeDocument):
        return change.text
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)

    def place(position: Position) -> int:
        if position.line >= len(lines):
            return len(text)
        line = lines[position.line].rstrip("\r\n").encode(ENCODED[encoding])
        kept = line[: position.character * UNIT[encoding]].decode(ENCODED[encoding])
        return len("".join(lines[: position.line])) + len(kept)

    return text[: place(change.range.start)] + change.text + text[place(change.range.end) :]


PIECES = st.lists(
    st.sampled_from(["a", "bc", " ", "é", "あ", "😀", "\n", "\r\n", "\r", "\x0c", "\x85", "\u2028"]),
    max_size=8,
).map("".join)


@st.composite
def histories(draw):
    encoding = draw(st.sampled_from(Encoding))
    text = opened = draw(PIECES)
    changes = []
    for _ in range(draw(st.integers(1, 5))):
        document = Document(text)
        places = []
        for offset in sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text))))):
            line, column = document.position(offset)
            before = document.lines[line][:column].encode(ENCODED[encoding])
            places.append(Position(line, len(before) // UNIT[encoding]))
        where = Range(*places) if draw(st.integers(0, 5)) else None
        changes.append(change(draw(PIECES), where))
        text = reference(text, changes[-1], encoding)
    return encoding, opened, changes


@given(histories())
def test_incremental_changes_are_those_of_the_reference(history):
    encoding, text, changes = history
    documents = Documents(encoding)
    documents.open(TextDocumentItem(URI, "python", 1, text))
    half = len(changes) // 2
    documents.change(named(URI, 1), changes[:half])
    documents.change(named(URI, 2), changes[half:])
    for change in changes:
        text = reference(text, change, encoding)
    document = documents.document(URI)
    assert document is not None
    assert document.text == text
    assert documents._texts[URI].lines == with_ends(text)
    assert document.version == 2
    assert document.path == "/project/a.py"


def test_a_change_of_a_document_that_is_not_open_is_dropped():
    documents = Documents()
    documents.change(named(URI, 2), [change("x")])
    assert documents.snapshot(URI) is None


def test_a_range_that_ends_before_it_begins_inserts():
    documents = Documents()
    documents.open(TextDocumentItem(URI, "python", 1, "abc"))
    documents.change(named(URI, 2), [change("x", Range(Position(0, 2), Position(0, 1)))])
    assert documents.document(URI).text == "abxc"


# Notebooks

NOTEBOOK = "file:///project/n.ipynb"
NAMES = prelude([Cell("")])
CELLS = [f"vscode-notebook-cell:/project/n.ipynb#{name}" for name in "ABCD"]


@pytest.fixture
def notebook():
    documents = Documents()
    texts = ["import math", "*text*", "%matplotlib inline\nx = math.pi\n", "y = x"]
    items = [
        TextDocumentItem(uri, "markdown" if number == 1 else "python", 1, text)
        for number, (uri, text) in enumerate(zip(CELLS, texts, strict=True))
    ]
    cells = tuple(NotebookCell(1 if number == 1 else 2, uri) for number, uri in enumerate(CELLS))
    opened = NotebookDocument(NOTEBOOK, "jupyter-notebook", 1, cells)
    documents.open_notebook(DidOpenNotebookDocumentParams(opened, items))
    return documents


def change_cells(documents, structure, content):
    cells = NotebookDocumentCellChanges(structure, text_content=(content,))
    name = VersionedNotebookDocumentIdentifier(2, NOTEBOOK)
    documents.change_notebook(DidChangeNotebookDocumentParams(name, NotebookDocumentChangeEvent(cells=cells)))


def test_a_cell_comes_with_the_code_above_it(notebook):
    snapshot = notebook.snapshot(CELLS[3])
    magic = "_".ljust(len("%matplotlib inline"))
    assert snapshot.document.text == f"{NAMES}import math\n{magic}\nx = math.pi\n\ny = x"
    assert snapshot.document.text[snapshot.shift :] == snapshot.own.text == "y = x"
    assert snapshot.lines_above == 5
    assert snapshot.document.path == "/project/n.ipynb#D"
    assert notebook.snapshot(CELLS[0]).document.text == NAMES + "import math"


def test_a_change_of_the_cells_above_is_none_of_the_cell(notebook):
    snapshot = notebook.snapshot(CELLS[3])
    assert snapshot.moved(Replacement(snapshot.shift, snapshot.shift + 1, "z")) == Replacement(0, 1, "z")
    assert snapshot.moved(Replacement(snapshot.shift - 1, snapshot.shift, "z")) is None


def test_cells_move_and_change(notebook):
    moved = NotebookDocumentCellChangeStructure(
        NotebookCellArrayChange(0, 1), did_close=(TextDocumentIdentifier(CELLS[0]),)
    )
    content = NotebookDocumentCellContentChanges(named(CELLS[2], 2), (change("x = 1"),))
    change_cells(notebook, moved, content)
    assert notebook.snapshot(CELLS[3]).document.text == NAMES + "x = 1\ny = x"
    assert notebook.snapshot(CELLS[0]) is None
    notebook.close_notebook(NOTEBOOK, [TextDocumentIdentifier(uri) for uri in CELLS])
    assert notebook.snapshot(CELLS[3]) is None


def test_what_could_not_be_read_is_doubted_until_all_of_it_comes(notebook):
    notebook.open(TextDocumentItem(URI, "python", 1, "x"))
    notebook.doubt(NOTEBOOK)
    assert [notebook.in_doubt(uri) for uri in (*CELLS, URI)] == [True] * 4 + [False]
    cells = tuple(NotebookCell(2, uri) for uri in CELLS)
    again = NotebookDocument(NOTEBOOK, "jupyter-notebook", 2, cells)
    items = [TextDocumentItem(uri, "python", 1, "y") for uri in CELLS]
    notebook.open_notebook(DidOpenNotebookDocumentParams(again, items))
    assert not any(notebook.in_doubt(uri) for uri in CELLS)
    notebook.doubt(CELLS[1])
    assert [notebook.in_doubt(uri) for uri in CELLS] == [True] * 4  # each is read with the others
    notebook.change(named(CELLS[1], 2), [change("z")])
    assert not notebook.in_doubt(CELLS[1])
    notebook.doubt(None)
    assert notebook.in_doubt(URI)
    notebook.close(URI)
    assert not notebook.in_doubt(URI)


def test_cells_of_other_languages_do_not_count(notebook):
    shell = NotebookDocumentCellContentChanges(named(CELLS[2], 2), (change("%%bash\nls -l\n"),))
    change_cells(notebook, None, shell)
    assert notebook.snapshot(CELLS[3]).document.text == NAMES + "import math\n\n\n\ny = x"
    assert notebook.snapshot(CELLS[2]).language != "python"


def test_a_cell_that_does_not_parse_is_not_there_for_those_below(notebook):
    broken = NotebookDocumentCellContentChanges(named(CELLS[2], 2), (change("def f(:\n  x\n"),))
    change_cells(notebook, None, broken)
    assert notebook.snapshot(CELLS[3]).document.text == NAMES + "import math\n\n\n\ny = x"


def test_futures_come_first(notebook):
    content = NotebookDocumentCellContentChanges(
        named(CELLS[2], 2), (change("from __future__ import annotations\nz = 1\n"),)
    )
    change_cells(notebook, None, content)
    text = notebook.snapshot(CELLS[3]).document.text
    assert text.startswith("from __future__ import annotations; _, __")
    compile(text, "cells", "exec")


def test_a_change_must_be_what_was_judged():
    """What the document has in place of IPython's commands is neither replaced nor gone on with."""
    notebook = Documents()
    text = "%matplotlib inline\n%time x = pr\nz = 1"
    item = TextDocumentItem(CELLS[0], "python", 1, text)
    opened = NotebookDocument(NOTEBOOK, "jupyter-notebook", 1, (NotebookCell(2, CELLS[0]),))
    notebook.open_notebook(DidOpenNotebookDocumentParams(opened, [item]))
    snapshot = notebook.snapshot(CELLS[0])
    shift, magic, code = snapshot.shift, len("%matplotlib inline"), text.index("\nz")
    assert len(snapshot.document.text) == shift + len(text)

    def moved(start, end, new):
        return snapshot.moved(Replacement(shift + start, shift + end, new))

    assert moved(code, code, "int(1)") == Replacement(code, code, "int(1)")  # behind %time
    assert moved(magic, magic, "\ny = 2") == Replacement(magic, magic, "\ny = 2")  # a line below
    assert moved(0, 0, "y = 2\n") == Replacement(0, 0, "y = 2\n")  # a line above
    assert moved(magic, magic, ".x") is None
    assert moved(1, 1, " = 3") is None
    assert moved(0, magic + 1, "") is None
    assert moved(0, len(text), "y = 2") is None
    assert moved(code + 1, code + 2, "w") == Replacement(code + 1, code + 2, "w")


def test_a_snapshot_of_a_plain_document_is_itself():
    documents = Documents()
    documents.open(TextDocumentItem(URI, "python", 1, "x"))
    snapshot = documents.snapshot(URI)
    assert isinstance(snapshot, Snapshot)
    assert snapshot.own is snapshot.document
    assert (snapshot.shift, snapshot.lines_above) == (0, 0)


# Files


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c.py", "/a/b c.py"),
        ("untitled:Untitled-1", ""),
        ("git:/a/b.py?ref", ""),
        ("vscode-notebook-cell:/a/n.ipynb#X1", "/a/n.ipynb"),
        ("file://share/a.py", "//share/a.py"),
    ],
)
def test_paths(uri, path):
    assert path_of(uri) == path


@pytest.mark.parametrize(
    ("uri", "ignored"),
    [
        ("file:///home/me/project/main.py", False),
        ("file:///home/me/project/.env", True),
        ("file:///home/me/project/.ENV", True),
        ("file:///home/me/project/.env.local", True),
        ("file:///home/me/project/env.py", False),
        ("file:///home/me/server.pem", True),
        ("file:///home/me/my_secrets.py", True),
        ("file:///home/me/secret/main.py", False),
        ("file:///home/me/.ssh/config", True),
        ("file:///home/me/.ssh/deep/er/config.py", True),
        ("file:///home/me/project/.git/hooks/x.py", True),
        ("file:///home/me/%2Eenv", True),
        ("untitled:Untitled-1", False),
    ],
)
def test_files_with_secrets_are_ignored(uri, ignored):
    assert is_ignored(uri, IGNORED) is ignored


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("**/gen_*.py", "/a/gen_x.py", "/a/b/gen/x.py"),
        ("/a/*/x.py", "/a/b/x.py", "/a/b/c/x.py"),
        ("/a/**/x.py", "/a/x.py", "/b/x.py"),
        ("**/v?.py", "/v1.py", "/v12.py"),
        ("**/[ab].py", "/a.py", "/c.py"),
        ("**/[!ab].py", "/c.py", "/a.py"),
        ("**/a+b(1).py", "/x/a+b(1).py", "/x/aab1.py"),
        ("**/[a!].py", "/!.py", "/b.py"),
        ("**/[^ab].py", "/c.py", "/a.py"),
        ("**/[[a-c&|~].py", "/b.py", "/d.py"),
        ("**/[a.py", "/[a.py", "/a.py"),
    ],
)
def test_globs(pattern, matching, other):
    assert is_ignored("file://" + matching, [pattern])
    assert not is_ignored("file://" + other, [pattern])


def test_modules_are_files_and_will_be_files() -> None:
    documents = Documents()
    uris = (
        "file:///w/a.py",
        "untitled:/w/new.py",
        "untitled:Untitled-1",
        "file:///w/n.ipynb#c1",
        "git:/w/a.py",
    )
    for uri in uris:
        documents.open(TextDocumentItem(uri, "python", 1, uri))
    documents.open(TextDocumentItem("file:///w/notes.txt", "plaintext", 1, ""))
    cells = [NotebookCell(2, "file:///w/n.ipynb#c1")]
    documents.open_notebook(
        DidOpenNotebookDocumentParams(NotebookDocument("file:///w/n.ipynb", "jupyter", 1, cells), [])
    )

    def paths() -> list[str]:
        return [document.path for _, document in documents.files()]

    assert paths() == [path_of("file:///w/a.py"), path_of("untitled:/w/new.py")]
    documents.doubt("file:///w/a.py")
    assert paths() == [path_of("untitled:/w/new.py")]
    documents.close("untitled:/w/new.py")
    assert paths() == []
