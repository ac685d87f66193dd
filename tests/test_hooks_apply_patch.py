"""Patches of `apply_patch`: read, and taken back from the text that they made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.hooks.apply_patch import PatchedFile, read_patch
from lintseq_lsp.hooks.events import Change, Edit, text_before


def patch(*lines: str) -> str:
    return "\n".join(("*** Begin Patch", *lines, "*** End Patch")) + "\n"


def before(text: str, after: str) -> str | None:
    """The text before, of a patch of one file."""
    (file,) = read_patch(text)
    return text_before(Edit("a.py", changes=file.changes), after)


def test_it_reads_each_kind_of_file() -> None:
    text = patch(
        "*** Add File: new.py",
        "+a = 1",
        "+",
        "*** Delete File: old.py",
        "*** Update File: from.py",
        "*** Move to: to.py",
        "@@ class A:",
        "@@     def f(self):",
        "-        return 1",
        "+        return 2",
        " ",
        "@@",
        " b",
        "+c",
        "*** End of File",
    )
    assert read_patch(text) == [
        PatchedFile("new.py", added="a = 1\n\n"),
        PatchedFile("old.py", deleted=True),
        PatchedFile(
            "from.py",
            moved_to="to.py",
            changes=(
                Change("        return 1\n\n", "        return 2\n\n", lines=True),
                Change("b\n", "b\nc\n", lines=True),
            ),
        ),
    ]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_heredoc_and_white_space_around_the_marks(ends: str) -> None:
    lines = (
        "apply_patch <<'EOF'",
        "  *** Begin Patch ",
        "*** Update File: a.py ",
        "-x",
        "+y",
        " *** End Patch",
        "EOF",
    )
    assert read_patch(ends.join(lines)) == [PatchedFile("a.py", changes=(Change("x\n", "y\n", lines=True),))]


@pytest.mark.parametrize("text", ["", "x", "*** Update File: a.py\n-x", "*** Begin Patch", patch("nonsense")])
def test_what_is_no_patch_has_no_files(text: str) -> None:
    assert read_patch(text) == []


def test_a_line_that_looks_like_a_mark_is_a_line_of_the_file() -> None:
    text = patch("*** Add File: a.py", "+*** End Patch", "+*** Add File: b.py")
    assert read_patch(text) == [PatchedFile("a.py", added="*** End Patch\n*** Add File: b.py\n")]


def test_a_block_that_is_there_twice_is_not_guessed() -> None:
    text = patch("*** Update File: a.py", "-y", "+x")
    assert before(text, "x\n") == "y\n"
    assert before(text, "x\nx\n") is None
    assert before(text, "xx\nx\n") == "xx\ny\n"


def test_lines_that_were_only_taken_out_are_not_guessed() -> None:
    assert before(patch("*** Update File: a.py", "-y"), "x\n") is None
    assert before(patch("*** Update File: a.py", " x", "-y"), "x\nz\n") == "x\ny\nz\n"


def test_the_ends_of_lines_stay() -> None:
    text = patch("*** Update File: a.py", " x", "-y", "+z")
    assert before(text, "x\r\nz\r\nw\r\n") == "x\r\ny\r\nw\r\n"


LINE = st.text("abc ", max_size=4)
OTHER = st.text("xyz*@+- ", max_size=6).map(lambda text: f"n{text}")


@st.composite
def edited(draw: st.DrawFn) -> tuple[list[str], list[str], list[str]]:
    """Lines before and after, and a patch that gives each change all lines around it."""
    old: list[str] = []
    new: list[str] = []
    body: list[str] = []
    for number in range(draw(st.integers(1, 4))):
        kept, gone = draw(st.lists(LINE, max_size=3)), draw(st.lists(LINE, max_size=2))
        kept, come = [f"{number}{line}" for line in kept], draw(st.lists(OTHER, max_size=2))
        come = [f"{line}{number}" for line in come]
        old += [*kept, *gone]
        new += [*kept, *come]
        body += [*(f" {x}" for x in kept), *(f"-{x}" for x in gone), *(f"+{x}" for x in come)]
    return old, new, body


@given(edited())
def test_a_patch_is_taken_back(case: tuple[list[str], list[str], list[str]]) -> None:
    """With all lines as context there is one place at most; without a line that stays, perhaps none."""
    old, new, body = case
    after = "".join(f"{line}\n" for line in new)
    expected = "".join(f"{line}\n" for line in old)
    found = before(patch("*** Update File: a.py", "@@", *body), after)
    if old == new:
        assert found is None  # nothing was changed, and nothing is said
    else:
        assert found == (expected if new else None)


@given(st.text("*+-@ \n\rabBeginPatchEndUpdateFile:", max_size=200))
def test_any_text_is_read(text: str) -> None:
    for file in read_patch(f"*** Begin Patch\n{text}"):
        text_before(Edit("a.py", changes=file.changes), text)
