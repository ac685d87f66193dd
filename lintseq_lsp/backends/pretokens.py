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

    No token reaches over it, whatever follows, and the text in front of it has the same tokens by itself:
    where white space has not, the offset is before its last part. By a rule that is not known here it is
    that of the last word.
    """
    pattern = _RULES.get(rule)
    if pattern is None:
        return last_word(text)
    begin = _line_begin(text)
    starts = _starts(pattern, text, begin, len(text)) or [begin]
    # A quote and a letter that are pre-tokens of their own may become a contraction.
    if _CONTRACTION.search(text, begin) and len(text) - 2 in starts:
        del starts[starts.index(len(text) - 2) + 1 :]
    while len(starts) > 1 and _starts(pattern, text, begin, starts[-1]) != starts[:-1]:
        starts.pop()
    return starts[-1]


def last_word(text: str) -> int:
    """Offset (code points) of a place near the end of `text` where by any rule a pre-token begins.

    That is white space behind a word, a blank behind another character, or where a line begins. The tokens in
    front of it are the same without what follows.
    """
    line = _line_begin(text)
    for at in range(len(text) - 1, line, -1):
        before = text[at - 1]
        if text[at].isspace() and not before.isspace() and (text[at] == " " or before.isalnum()):
            return at
    return line


def cut_apart(text: str, guarded: Sequence[str]) -> list[str]:
    """`text` in pieces, none of which has one of the `guarded` texts: cut inside of each."""
    if not guarded:
        return [text]
    found = re.finditer(f"(?={'|'.join(map(re.escape, guarded))})", text)
    cuts = [match.start() + 1 for match in found]
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


def _starts(pattern: "regex.Pattern[str]", text: str, begin: int, end: int) -> list[int]:
    """Where the pre-tokens of `text[begin:end]` begin, when nothing follows."""
    return [match.start() for match in pattern.finditer(text, begin, end)]


def _line_begin(text: str) -> int:
    """Behind the last line break with no white space on either side: a pre-token begins there by any rule."""
    at = text.rfind("\n")
    while at >= 0 and not (text[at + 1 : at + 2].strip() and text[max(at - 1, 0) : at].strip()):
        at = text.rfind("\n", 0, at)
    return at + 1
