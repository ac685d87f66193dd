"""What counts of the modules that an editor has open, and whether a report on one would be the same now."""

import os
from pathlib import Path

import pytest

from lintseq_lsp.linters.base import Dependencies
from lintseq_lsp.linters.protocol import stamp
from lintseq_lsp.linters.workspace import EditorWorkspace

A, B, C = "/w/a.py", "/w/b.py", "/w/c.py"


@pytest.fixture
def opened() -> dict[str, str]:
    return {A: "a = 1\n", B: "b = 1\n"}


def test_all_but_the_one_that_is_checked(opened: dict[str, str]) -> None:
    workspace = EditorWorkspace(lambda: opened)
    assert workspace.modules(A) == {B: "b = 1\n"}
    assert workspace.modules("") == opened
    del opened[B]
    assert workspace.modules(A) == {}


def test_of_a_text_that_does_not_parse_the_last_that_did(opened: dict[str, str]) -> None:
    workspace = EditorWorkspace(lambda: opened)
    opened[C] = "c = (\n"
    assert workspace.modules(A) == {B: "b = 1\n"}  # of C the file counts
    opened.update({B: "b = (\n", C: "return 1\n"})
    assert workspace.modules(A) == {B: "b = 1\n"}
    opened.update({B: "b = 2\n", C: "c = 1\n"})
    assert workspace.modules(A) == {B: "b = 2\n", C: "c = 1\n"}


def test_a_module_that_is_opened_again_begins_anew(opened: dict[str, str]) -> None:
    workspace = EditorWorkspace(lambda: opened)
    workspace.modules("")
    del opened[B]
    workspace.modules("")
    opened[B] = "b = (\n"
    assert workspace.modules(A) == {}


def test_a_report_depends_on_the_texts_that_were_read(opened: dict[str, str]) -> None:
    workspace = EditorWorkspace(lambda: opened)
    opened[C] = "c = 1\n"
    workspace.modules("")
    dependencies = Dependencies({}, {B: "b = 1\n"}, frozenset({B, C}))
    assert workspace.unchanged(A, dependencies)
    opened[A] = "a = 2\n"
    assert workspace.unchanged(A, dependencies)
    opened[C] = "c = 2\n"
    assert not workspace.unchanged(A, dependencies)  # nobody has looked yet whether it parses
    workspace.modules(A)
    assert workspace.unchanged(A, dependencies)
    opened[B] = "b = (\n"
    workspace.modules(A)
    assert workspace.unchanged(A, dependencies)
    opened[B] = "b = 2\n"
    workspace.modules(A)
    assert not workspace.unchanged(A, dependencies)


def test_a_report_depends_on_which_modules_are_open(opened: dict[str, str]) -> None:
    workspace = EditorWorkspace(lambda: opened)
    workspace.modules("")
    dependencies = Dependencies({}, {}, frozenset({B}))
    assert workspace.unchanged(A, dependencies)
    opened[C] = "c = 1\n"
    workspace.modules("")
    assert not workspace.unchanged(A, dependencies)
    del opened[B], opened[C]
    assert not workspace.unchanged(A, dependencies)


def test_a_report_depends_on_files_and_folders(tmp_path: Path) -> None:
    workspace = EditorWorkspace(dict)
    file, later = tmp_path / "a.py", tmp_path / "later"
    file.write_text("x = 1\n")

    def of(*paths: Path) -> Dependencies:
        return Dependencies({str(path): stamp(str(path)) for path in paths})

    before, other, folder = of(file), of(later), of(tmp_path)
    assert all(workspace.unchanged(A, each) for each in (before, other, folder))
    file.write_text("x = 1, 2\n")
    assert not workspace.unchanged(A, before)
    assert workspace.unchanged(A, other)
    later.mkdir()
    os.utime(tmp_path, (1, 1))  # some file systems keep whole seconds
    assert not workspace.unchanged(A, other)
    assert not workspace.unchanged(A, folder)
