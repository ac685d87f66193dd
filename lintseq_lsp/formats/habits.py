"""What models of others write that is no part of an answer, told by the text around it.

Each function takes an answer and gives a beginning of it, or what is left without what stands in front of it.
The gate would reject the whole of it, or find nothing wrong with what is there twice. Deliberately absent:
what `completion.answers` does for every format, and endless repetition (repetition.py).
"""

import re
from collections.abc import Collection, Iterator, Sequence
from difflib import SequenceMatcher

from lintseq_lsp.completion import strings_and_comments
from lintseq_lsp.text import indentation

_NOISE = re.compile(
    r"^```|^# Path: |^diff --git |^(?:\\| )?\s?No newline at end of file"
    r"|\A<\||<\|\w{1,40}\|>|</?fim[_-]\w{1,20}>|</?think>",
    re.MULTILINE,
)
_BRACKET = re.compile(r"[()\[\]{}]")
_OPENING = {")": "(", "]": "[", "}": "{"}
_SHORT, _LONG = 4, 200  # characters of a line, up to and from which only an equal one is like it


def without_noise(text: str, around: str, marks: Collection[str] = ()) -> str:
    """Without thoughts and the fence in front of the code, up to what is about it instead of in it.

    That is a fence, the header of a patch or file, and the texts of special tokens, of which the model's are
    `marks`. What the document says itself, `around` the answer, is none.
    """
    begun = text.lstrip()
    if begun.startswith("<think>"):
        text = begun.partition("</think>")[2].lstrip("\r\n")
    if text.lstrip().startswith("```"):
        text = text.lstrip().partition("\n")[2]
    ends = [match.start() for match in _NOISE.finditer(text) if match[0] not in around]
    ends += [at for mark in marks if mark not in around and (at := text.find(mark)) >= 0]
    return text[: min(ends)] if ends else text


def without_beginning(text: str, typed: str) -> str:
    """Without what is `typed` already in front of it, or a second blank behind one."""
    said = typed.strip()
    if len(said) > _SHORT and text.startswith(typed.lstrip()):
        return text[len(typed.lstrip()) :]
    return text[1:] if typed.endswith(" ") and re.match(r" \S", text) else text


def without_stray_brackets(text: str, before: str) -> str:
    """Up to the first closing bracket that nothing in front of it opened, in the text `before` it or here."""
    opened: list[str] = []
    for at, bracket in _brackets(before + text):
        if bracket not in _OPENING:
            opened.append(bracket)
        elif opened and opened[-1] == _OPENING[bracket]:
            opened.pop()
        elif at >= len(before):
            return text[: at - len(before)]
    return text


def _brackets(text: str) -> Iterator[tuple[int, str]]:
    """The brackets of the code, with their offsets."""
    done = 0
    for start, end, _ in (*strings_and_comments(text), (len(text), len(text), True)):
        yield from ((match.start(), match[0]) for match in _BRACKET.finditer(text, done, start))
        done = end


def without_repeats(text: str, typed: str, below: Sequence[str]) -> str:
    """Up to a line like the next one `below`; nothing when it begins with lines like those below.

    A half-typed line alone may be like the one below: many are.
    """
    following = [line for line in below if line.strip()][:3]
    lines = (typed + text).split("\n")
    first = [line for line in lines if line.strip()][: len(following)]
    if not first or (len(first) == 1 and typed.strip()):
        return text
    if all(_alike(*pair, 0.95) for pair in zip(first, following, strict=False)):
        return ""
    end = len(typed) + len(text)
    at = 0
    for number, line in enumerate(lines):
        if number and _alike(line, following[0], 0.9):
            end = at - 1
            break
        at += len(line) + 1
    return (typed + text)[len(typed) : max(end, len(typed))]


def _alike(one: str, other: str, share: float) -> bool:
    """Whether more than this share of both lines is the same. Lines of few characters are never alike."""
    if indentation(one) != indentation(other):
        return False
    one, other = one.strip(), other.strip()
    if min(len(one), len(other)) <= _SHORT or max(len(one), len(other)) >= _LONG:
        return one == other and len(one) > _SHORT
    return SequenceMatcher(None, one, other, autojunk=False).ratio() > share


def in_block(lines: Sequence[str]) -> list[str]:
    """Up to the first line that is indented less than the first one, without blank lines at the end."""
    depth = len(indentation(lines[0]))
    outside = (n for n, line in enumerate(lines) if line.strip() and len(indentation(line)) < depth)
    kept = list(lines[: next(outside, len(lines))])
    while kept and not kept[-1].strip():
        kept.pop()
    return kept
