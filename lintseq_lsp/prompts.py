"""How a document is shown to a LintSeq model: as the diffs that built it, the answer being the next.

A prompt is a list of fragments between `<|diff|>` boundaries (see backends/base.py): the instruction,
one fragment a chunk of the excerpt, and last what the model continues. Training builds its examples
with the same functions. Deliberately absent: tokens, and the choice of what is shown (excerpt.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from lintseq_lsp.diffs import header

BOUNDARY = "<|diff|>"
"""The model's added token, as text. For recordings and for people: prompts hold fragments."""

_CHUNK = 8


class PromptFormat(Enum):
    """Which history a document is given. A model is trained for some; its manifest names the one to use."""

    WHOLE = "whole-1"
    """One diff with everything: nothing but the next diff was ever trained to follow."""
    PAPER = "paper-1"
    """Diffs of 8 lines in file order, the only one the paper's model was trained near."""
    SUFFIX_FIRST = "suffix-first-1"
    """The chunks below the cursor, then those above it: what typing changes stands last."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The insertion that the model is to write, as far as it is known.

    It goes below the first `above` lines that are shown and begins with `typed`, which may end in
    the middle of a line and of a token. It has between `fewest` and `most` lines.
    """

    above: int
    typed: str = ""
    fewest: int = 1
    most: int = 1


def history(lines: Sequence[str], above: int, prompt_format: PromptFormat) -> list[str]:
    """`lines` as fragments, one a chunk, each ended by a newline. The cursor is below `above` lines."""
    before, after = (0, above), (above, len(lines))
    match prompt_format:
        case PromptFormat.WHOLE:
            spans, base = [(0, len(lines))], 0
        case PromptFormat.PAPER:
            spans, base = [*_chunks(*before), *_chunks(*after)], 0
        case PromptFormat.SUFFIX_FIRST:
            # What stands below the cursor is there first, from line 0; the rest is inserted above it.
            spans, base = [*_chunks(*after), *_chunks(*before)], above
    return [
        chunk(lines[start:end], start - base if start >= above else start)
        for start, end in spans
        if end > start
    ]


def _chunks(start: int, end: int) -> list[tuple[int, int]]:
    return [(first, min(first + _CHUNK, end)) for first in range(start, end, _CHUNK)]


def chunk(lines: Sequence[str], above: int) -> str:
    """The fragment that inserts `lines` below the first `above` lines."""
    return "\n".join([header(above, len(lines)), *(f"+{line}" for line in lines)]) + "\n"


def instruction_fragment(instruction: str) -> str:
    """The first fragment. A newline separates the instruction from the first boundary."""
    return f"{instruction.strip()}\n"


def open_block(opening: Opening) -> tuple[str, tuple[str, ...]]:
    """The last fragment of the prompt, and the texts of which its continuation must begin with one.

    With one possible number of lines, all is known and the continuation is free (`()`); else the count of
    the header is the model's to choose.
    """
    if opening.fewest == opening.most:
        return f"{header(opening.above, opening.most)}\n{_added(opening.typed)}", ()
    begin = f"@@ -{opening.above},0 +{opening.above + 1}"
    counts = range(opening.fewest, opening.most + 1)
    return begin, tuple(
        f"{header(opening.above, count)}\n{_added(opening.typed)}".removeprefix(begin) for count in counts
    )


def _added(typed: str) -> str:
    return "+" + typed.replace("\n", "\n+")


END = "\n"
"""What a continuation begins with when the sequence is complete: an empty diff."""


def next_headers(shown: int, most: int, above: Iterable[int] | None = None) -> tuple[str, ...]:
    """Every beginning of a next diff over `shown` lines: insertions of up to `most` lines, and the end.

    `above` restricts the lines that an insertion may go below.
    """
    places = range(shown + 1) if above is None else above
    return (END, *(f"{header(place, count)}\n+" for place in places for count in range(1, most + 1)))
