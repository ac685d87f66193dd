"""The parser of what models write: it reads what it should, and raises for nothing."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import diffs_of, edited, lines
from unidiff.patch import PatchSet

from lintseq_lsp.diffs import Diff, DiffStream, Hunk, header, parse, render
from lintseq_lsp.formats.base import Malformed


@st.composite
def documents_and_diffs(draw: st.DrawFn) -> tuple[list[str], Diff]:
    shown = draw(st.lists(lines, max_size=8))
    return shown, draw(diffs_of(shown))


def in_pieces(text: str, cuts: list[int]) -> Diff | Malformed:
    stream, done = DiffStream(), 0
    for cut in [*sorted(cuts), len(text)]:
        stream.feed(text[done:cut])
        done = max(cut, done)
    return stream.flush()


@given(documents_and_diffs())
def test_what_is_rendered_parses_to_the_same(case: tuple[list[str], Diff]) -> None:
    _, diff = case
    assert parse(render(diff)) == diff
    assert parse(render(diff).removesuffix("\n")) == diff


@given(documents_and_diffs(), st.data())
def test_pieces_do_not_matter(case: tuple[list[str], Diff], data: st.DataObject) -> None:
    text = render(case[1])
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    assert in_pieces(text, cuts) == case[1]


@pytest.mark.parametrize(
    "text",
    [
        "@@ -0,0 +1,2 @@\n+# 🦉 é\u2028\n+++x\n",
        "@@ -2 +2 @@\n-x\n+@@ -1,0 +1 @@\n@@ -4,0 +5 @@\n+<|diff|>",
        "@@ -1,0 +2 @@\r\n+x\r\n\r\n",
        "no header\n+x",
        "\n",
    ],
)
def test_a_stream_cut_at_every_character(text: str) -> None:
    whole = parse(text)
    assert in_pieces(text, list(range(len(text)))) == whole
    for cut in range(len(text)):
        assert in_pieces(text, [cut]) == whole


def marked(seed: str) -> str:
    return seed.replace("H", "\n@@ -").replace("A", " @@\n").replace("L", "\n+")


@given(st.one_of(st.text(), st.text("@-+,0123456789 \nHALx\r").map(marked)), st.data())
def test_nothing_raises(text: str, data: st.DataObject) -> None:
    whole = parse(text)
    assert isinstance(whole, Diff | Malformed)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    assert in_pieces(text, cuts) == whole
    if isinstance(whole, Diff):
        assert parse(render(whole)) == whole


@given(st.text("@-+,0123456789 \nHALx\r").map(marked), st.data())
def test_what_is_malformed_stays_so(text: str, data: st.DataObject) -> None:
    """A generation that is broken off early has lost nothing."""
    cut = data.draw(st.integers(0, len(text)))
    stream = DiffStream()
    if stream.feed(text[:cut]) is not None:
        assert isinstance(parse(text), Malformed)


@given(documents_and_diffs())
def test_difflib_writes_the_same_headers(case: tuple[list[str], Diff]) -> None:
    shown, diff = case
    after = edited(shown, diff)
    reference = "\n".join(list(difflib.unified_diff(shown, after, n=0, lineterm=""))[2:])
    read = parse(reference)
    assert isinstance(read, Diff)
    assert edited(shown, read) == after
    assert render(read).removesuffix("\n") == reference


plain = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), max_size=10)


@given(st.lists(plain, max_size=8), st.data())
def test_unidiff_reads_the_same(shown: list[str], data: st.DataObject) -> None:
    """What unidiff can read: complete hunks whose lines no other library would split."""
    diff = data.draw(diffs_of(shown))
    added = [hunk for hunk in diff.hunks if hunk.added or hunk.removed]
    patches = PatchSet(f"--- a\n+++ b\n{render(diff)}") if added else []
    seen = [hunk for patched in patches for hunk in patched]
    assert [
        (
            tuple(line.value.removesuffix("\n") for line in hunk if line.is_removed),
            tuple(line.value.removesuffix("\n") for line in hunk if line.is_added),
        )
        for hunk in seen
    ] == [(hunk.removed, hunk.added) for hunk in added]
    assert [hunk.source_start - bool(hunk.source_length) for hunk in seen] == [hunk.above for hunk in added]
    assert [hunk.target_length for hunk in seen] == [len(hunk.added) for hunk in added]


def one(above: int, *added: str) -> Diff:
    return Diff((Hunk(above, added),))


@pytest.mark.parametrize(
    ("text", "diff"),
    [
        ("@@ -0,0 +1,4 @@\n+x", one(0, "x")),  # counts that promise more
        ("@@ -2,0 +3 @@\n+x\n+y\n+z\n", one(2, "x", "y", "z")),  # and less
        ("@@ -2,0 +77 @@\n+x\n", one(2, "x")),  # the second start follows from the first
        ("@@ -5 +5,0 @@\n-x\n", Diff((Hunk(4, (), ("x",)),))),
        ("@@ -0 +1 @@\n+x\n", one(0, "x")),  # line 0 does not exist: above the first, then
        ("@@ -1,0 +2 @@\n+++x\n+--y\n", one(1, "++x", "--y")),
        ("@@ -1,0 +2,2 @@\n+@@ -1,0 +2 @@\n+@@\n", one(1, "@@ -1,0 +2 @@", "@@")),
        ("@@ -1,0 +2 @@\n+<|diff|>\n", one(1, "<|diff|>")),
        ("@@ -1,0 +2 @@\n+\tx\x0cy\u2028z\n", one(1, "\tx\x0cy\u2028z")),
        ("@@ -1,0 +2 @@  \n+x  \n", one(1, "x  ")),
        ("@@ -1,0 +2 @@\r\n+x\r\n", one(1, "x")),
        ("@@ -1,0 +2 @@\n+x\n\n\n", one(1, "x")),
        ("@@ -1,0 +2 @@\n", Diff()),  # a header without lines says nothing
        ("", Diff()),
        ("\n", Diff()),
        (" \n\t\n", Diff()),
        ("\n\n@@ -1,0 +2 @@", Malformed("a hunk behind a blank line")),
        ("@@ -3,0 +4 @@\n+x\n@@ -1,0 +2 @@\n+y\n", Malformed("hunks out of order")),
        ("@@ -3,2 +3 @@\n-a\n-b\n+c\n@@ -3,0 +4 @@\n+y\n", Malformed("hunks out of order")),
        ("x = 1\n", Malformed("text without a hunk header")),
        ("+x = 1\n", Malformed("text without a hunk header")),
        ("@@ -1,0 +2 @@\n+x\n\n+y\n", Malformed("text without a hunk header")),
        ("@@ -1,0 +2 @@\n x\n", Malformed("a line that begins with neither + nor @@")),
        ("@@ -1,0 +2 @@\n+x\n-y\n", Malformed("a line that begins with neither + nor @@")),
        ("@@ -1,0 +2 @@ def f():\n+x\n", Malformed("text without a hunk header")),
        ("@@ -9999999999,0 +2 @@\n+x\n", Malformed("text without a hunk header")),
        ("@@ -1,0 +2 @@\n+x\ry\n", Malformed("a carriage return inside of a line")),
    ],
)
def test_what_models_write(text: str, diff: Diff | Malformed) -> None:
    assert parse(text) == diff


def test_a_stream_is_new_after_flush() -> None:
    stream = DiffStream()
    assert stream.feed("garbage\n") == Malformed("text without a hunk header")
    assert isinstance(stream.flush(), Malformed)
    assert stream.feed("@@ -1,0 +2 @@\n+x") is None
    assert stream.flush() == one(1, "x")
    assert stream.flush() == Diff()


def test_headers_as_difflib_writes_them() -> None:
    assert header(0, 4) == "@@ -0,0 +1,4 @@"
    assert header(2, 1) == "@@ -2,0 +3 @@"
    assert header(2, 1, shift=3) == "@@ -2,0 +6 @@"
    assert header(4, 0, removed=2) == "@@ -5,2 +4,0 @@"
