"""Where a text may be cut so that its tokens do not depend on what follows.

Byte-level BPE first splits text into pre-tokens by a rule, then merges bytes inside of each. A text that is
to be continued may end in the middle of one: what stands before its last pre-token can be read as it is.
Deliberately absent: tokens.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import regex

# llama.cpp, src/llama-vocab.cpp, by the name that a GGUF file has in `tokenizer.ggml.pre`
_WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_RULES = {
    "gpt-2": regex.compile(_WORDS),
    # each digit is cut out first, so that neither a blank nor another digit stands with it
    "smollm": regex.compile(r"\p{N}|'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+"),
    "qwen2": regex.compile(
        r"(?i:'(?:[sdmt]|ll|ve|re))|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
_CONTRACTION = regex.compile(r"'[lrv]\Z", regex.IGNORECASE)  # the beginning of one


def last_pretoken(text: str, rule: str) -> int:
    """Offset (code points) at which the last pre-token of `text` begins, by llama.cpp's rule of that name.

    No token reaches over it, whatever follows. By a rule that is not known here, the offset is that of the
    last line's begin. Looks at the last line alone.
    """
    line = _line_begin(text)
    pattern = _RULES.get(rule)
    if pattern is None:
        return line
    starts: list[int] = [match.start() for match in pattern.finditer(text, line)] or [line]
    # A quote and a letter that are pre-tokens of their own may become a contraction.
    if _CONTRACTION.search(text, line) and len(text) - 2 in starts:
        return len(text) - 2
    return starts[-1]


def last_word(text: str) -> int:
    """Offset (code points) of a place near the end of `text` where by any rule a pre-token begins.

    That is the last blank between two words, or where the last line begins.
    """
    line = _line_begin(text)
    at = text.rfind(" ", line)
    return at if at > line and not text[at - 1].isspace() else line


def cut_apart(text: str, guarded: Sequence[str]) -> list[str]:
    """`text` in pieces, none of which has one of the `guarded` texts: cut inside of each."""
    if not guarded:
        return [text]
    found = re.finditer(f"(?={'|'.join(map(re.escape, guarded))})", text)
    cuts = [match.start() + 1 for match in found]
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


def _line_begin(text: str) -> int:
    """Behind the last line break that no white space follows: a pre-token begins there by any rule."""
    at = text.rfind("\n")
    while at >= 0 and not text[at + 1 : at + 2].strip():
        at = text.rfind("\n", 0, at)
    return at + 1
