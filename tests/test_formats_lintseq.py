"""LintSeq's format: what is shown is what was there, in every history, and an answer is its edit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import edited, lines

from lintseq_lsp.diffs import Diff, Hunk, parse
from lintseq_lsp.edits import Replacement, apply
from lintseq_lsp.formats.base import Edit, Room, Task, View
from lintseq_lsp.formats.lintseq import (
    DIFF,
    END,
    Layout,
    LintSeq,
    Opening,
    as_diffs,
    instruction_fragment,
    next_headers,
    open_block,
)
from lintseq_lsp.text import Document

layouts = st.sampled_from(Layout)


@given(st.lists(lines, max_size=30), st.data(), layouts)
def test_the_history_builds_what_is_shown(shown: list[str], data: st.DataObject, layout: Layout) -> None:
    above = data.draw(st.integers(0, len(shown)))
    built: list[str] = []
    for fragment in as_diffs(shown, above, layout):
        diff = parse(fragment)
        assert isinstance(diff, Diff)
        assert diff.hunks[0].above <= len(built)
        built = edited(built, diff)
    assert built == shown


@given(st.lists(lines, max_size=30), st.data())
def test_typing_changes_the_history_only_at_its_end(shown: list[str], data: st.DataObject) -> None:
    """`suffix_first`: what was read before a line was typed above the cursor stays a prefix."""
    above = data.draw(st.integers(0, len(shown)))
    new = data.draw(lines)
    before = as_diffs(shown, above, Layout.SUFFIX_FIRST)
    after = as_diffs([*shown[:above], new, *shown[above:]], above + 1, Layout.SUFFIX_FIRST)
    closed = len(before) - (above % 8 != 0)
    assert after[:closed] == before[:closed]


def test_chunks_have_eight_lines() -> None:
    fragments = as_diffs([f"x{number}" for number in range(20)], 10, Layout.PAPER)
    assert [fragment.split("\n")[0] for fragment in fragments] == [
        "@@ -0,0 +1,8 @@",
        "@@ -8,0 +9,2 @@",
        "@@ -10,0 +11,8 @@",
        "@@ -18,0 +19,2 @@",
    ]
    fragments = as_diffs([f"x{number}" for number in range(20)], 10, Layout.SUFFIX_FIRST)
    assert [fragment.split("\n")[0] for fragment in fragments] == [
        "@@ -0,0 +1,8 @@",
        "@@ -8,0 +9,2 @@",
        "@@ -0,0 +1,8 @@",
        "@@ -8,0 +9,2 @@",
    ]


@pytest.mark.parametrize("layout", Layout)
def test_an_empty_document_has_no_history(layout: Layout) -> None:
    assert as_diffs([], 0, layout) == []


@given(
    st.integers(0, 2000),
    st.lists(lines, min_size=1, max_size=4).map("\n".join),
    st.integers(0, 3),
    st.integers(0, 5),
    st.data(),
)
def test_an_open_block_reads_as_the_insertion_that_is_meant(
    above: int, typed: str, more: int, wider: int, data: st.DataObject
) -> None:
    fewest = typed.count("\n") + 1 + more
    opening = Opening(above, typed, fewest, fewest + wider)
    fragment, begins = open_block(opening)
    assert len(begins) == (wider + 1 if wider else 0)
    begin = data.draw(st.sampled_from(begins)) if begins else ""
    diff = parse(fragment + begin)
    assert diff == Diff((Hunk(above, tuple(typed.split("\n"))),))
    header = (fragment + begin).split("\n")[0]
    count = fewest + (begins.index(begin) if begins else 0)
    assert header == f"@@ -{above},0 +{above + 1}{'' if count == 1 else f',{count}'} @@"


@given(st.integers(0, 50), st.integers(1, 9), st.lists(st.integers(0, 50), max_size=4))
def test_every_header_that_is_offered_is_well_formed(shown: int, most: int, places: list[int]) -> None:
    end, headers = next_headers(shown, most)
    assert end == (END,)
    assert parse(END) == Diff()
    assert len(set(headers)) == len(headers) == (shown + 1) * most
    for begin in headers:
        diff = parse(f"{begin}x\n")
        assert isinstance(diff, Diff)
        assert 0 <= diff.hunks[0].above <= shown
    _, restricted = next_headers(shown, 1, places)
    assert [parse(f"{begin}x") for begin in restricted] == [Diff((Hunk(place, ("x",)),)) for place in places]


def test_the_instruction_stands_apart() -> None:
    assert instruction_fragment("  Sort it.\n\n") + DIFF.text == "Sort it.\n<|diff|>"
    assert instruction_fragment("") + DIFF.text == "\n<|diff|>"


@pytest.mark.parametrize("unit", ["  ", "\t", "   ", " " * 8])
def test_a_model_of_four_spaces_in_another_unit(unit: str) -> None:
    """It is told of four, and what it writes is indented as the document is."""
    document = Document(f"def f(x):\n{unit}if x:\n{unit}{unit}y = 1\n{unit}{unit}\n")
    offset = len(document.text) - 1
    question = LintSeq(Layout.PAPER).ask(View(document, offset), Task.FILL, len, Room(1024, 4, 100))
    assert question is not None
    shown = "".join(part for part in question.request.prompt if isinstance(part, str))
    assert "+def f(x):\n+    if x:\n+        y = 1\n" in shown
    reader = question.reader()
    reader.feed(",2 @@\n+        while x:\n+            x -= 1\n")
    edit = reader.close(DIFF)
    assert isinstance(edit, Edit)
    assert edit.changes == (Replacement(offset, offset, f"while x:\n{unit * 3}x -= 1"),)


@pytest.mark.parametrize("unit", ["  ", "\t"])
def test_a_next_diff_is_indented_as_the_document_is(unit: str) -> None:
    document = Document(f"def f(x):\n{unit}return x\n")
    question = LintSeq(Layout.PAPER).ask(View(document, 0), Task.NEXT, len, Room(1024, 4, 100))
    assert question is not None
    reader = question.reader()
    reader.feed("@@ -1,0 +2,2 @@\n+    if x:\n+        return 1\n")
    edit = reader.close(DIFF)
    assert isinstance(edit, Edit)
    assert apply(document.text, edit.changes) == (
        f"def f(x):\n{unit}if x:\n{unit}{unit}return 1\n{unit}return x\n"
    )
    following = edit.after()
    assert following is not None
    assert "@@ -1,0 +2,2 @@\n+    if x:\n+        return 1\n" in following.request.prompt


def test_what_is_typed_may_be_aligned_as_if_by_blocks() -> None:
    document = Document("def f(x):\n  y = g(x,\n              \n")
    offset = len(document.text) - 1
    question = LintSeq(Layout.PAPER).ask(View(document, offset), Task.FILL, len, Room(1024, 1, 100))
    assert question is not None
    reader = question.reader()
    reader.feed("x)\n")
    edit = reader.close(DIFF)
    assert isinstance(edit, Edit)
    assert edit.changes == (Replacement(offset, offset, "x)"),)
