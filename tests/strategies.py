"""Hypothesis strategies that several tests share: awkward lines, documents, and diffs that fit them."""

from collections.abc import Sequence

from hypothesis import strategies as st

from lintseq_lsp.diffs import Diff, Hunk

AWKWARD = (
    "",
    " ",
    "    ",
    "\tx = 1",
    "x = 1",
    "++x",
    "--x",
    "-x",
    "+",
    "@@ -1,0 +2,2 @@",
    "    @@ -1,0 +2 @@",
    "<|diff|>",
    'print("<|diff|>")',
    "form\x0cfeed",
    "\x0c",
    "next\x85line",
    "separator\u2028here",
    "emoji = '🦉👩‍🚀'",
    "combining é",
    "\\ No newline at end of file",
    "== stream",
)

lines = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12),
)
"""One line: anything but a line end."""

newlines = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def texts(draw: st.DrawFn, *, most: int = 12, ended: bool = False, meeting: bool = True) -> str:
    """Documents with one kind of line end or several, with and without a last one.

    Without `meeting`, no `\\r` can become one line end with a `\\n` that is inserted behind it.
    """
    several = st.lists(newlines, min_size=1, max_size=3)
    apart = st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"]])
    kinds = draw(several if meeting else apart)
    shown = draw(st.lists(st.tuples(lines, st.sampled_from(kinds)), max_size=most))
    last = "" if ended else draw(st.one_of(st.just(""), lines))
    return "".join(line + end for line, end in shown) + last


@st.composite
def diffs_of(draw: st.DrawFn, shown: Sequence[str], *, removing: bool = True) -> Diff:
    """Diffs that fit `shown`: what they remove is there."""
    hunks, done = [], 0
    for _ in range(draw(st.integers(0, 4))):
        if done > len(shown):
            break
        above = draw(st.integers(done, len(shown)))
        count = draw(st.integers(0, min(2, len(shown) - above))) if removing else 0
        added = draw(st.lists(lines, min_size=0 if count else 1, max_size=3))
        hunks.append(Hunk(above, tuple(added), tuple(shown[above : above + count])))
        done = above + count
    return Diff(tuple(hunks))


def edited(shown: Sequence[str], diff: Diff) -> list[str]:
    """What `diff` makes of the lines, by the shortest code there is: from below, so that nothing shifts."""
    result = list(shown)
    for hunk in reversed(diff.hunks):
        result[hunk.above : hunk.above + len(hunk.removed)] = hunk.added
    return result
