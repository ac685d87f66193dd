"""What a critic would ask for beside a model: n-grams of the same corpus, and copies of similar lines.

Both are told how many lines are wanted, which no model is.
"""

import bisect
import difflib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
from positions import Position

from lintseq_lsp.text import indentation

ORDER = 6  # words of context
LOOKED_AT = 20_000  # occurrences of a context, spread evenly over all
WORDS_A_LINE = 40  # at most
_WORDS = re.compile(r"\w+|\n[ \t]*|[ \t]+|[^\w\s]")
_END = "\0"  # between modules, and between what stands above and below


class NGrams:
    """Every run of words of a corpus, found by its last ORDER words.

    `ids` are the corpus' words; `order` are the places behind them, sorted by the word before, then by the
    one before that, and so on: the places behind any context are neighbours. Both are kept in `folder`.
    """

    def __init__(self, corpus: Path, folder: Path) -> None:
        if not (folder / "order.npy").exists():
            _index(corpus, folder)
        self.vocabulary: list[str] = json.loads((folder / "vocabulary.json").read_text())
        self._numbers = {word: number for number, word in enumerate(self.vocabulary)}
        self._ids = np.load(folder / "ids.npy", mmap_mode="r")
        self._order = np.load(folder / "order.npy", mmap_mode="r")

    def following(self, words: list[str]) -> list[Counter[str]]:
        """What follows the last word, the last two, and so on, as long as that occurs in the corpus."""
        low, high = 0, len(self._order)
        found = []
        for back, word in enumerate(reversed(words[-ORDER:]), 1):
            number = self._numbers.get(word)
            if number is None:
                break

            def before(place: int, back: int = back) -> int:
                return int(self._ids[self._order[place] - back])

            low, high = (
                bisect.bisect_left(range(high), number, low, high, key=before),
                bisect.bisect_right(range(high), number, low, high, key=before),
            )
            if low == high:
                break
            places = self._order[low : high : max(1, (high - low) // LOOKED_AT)]
            numbers, counts = np.unique(self._ids[places], return_counts=True)
            found.append(Counter(dict(zip(map(self.vocabulary.__getitem__, numbers), counts, strict=True))))
        return found


def _index(corpus: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {_END: 0}
    parts = [np.zeros(ORDER, np.int32)]
    with corpus.open() as file:
        for line in file:
            words = [*_WORDS.findall(json.loads(line)["text"]), _END]
            parts.append(np.array([numbers.setdefault(word, len(numbers)) for word in words], np.int32))
    ids = np.concatenate(parts)
    keys = [ids[ORDER - back : len(ids) - back] for back in range(ORDER, 0, -1)]
    order = np.lexsort(keys).astype(np.int32) + ORDER
    (folder / "vocabulary.json").write_text(json.dumps(list(numbers)))
    np.save(folder / "ids.npy", ids)
    np.save(folder / "order.npy", order)


def ngram(position: Position, corpus: NGrams) -> list[str]:
    """Lines of the words that most often follow the longest context known in the file, else the corpus."""
    lines, wanted = position.shown.lines, len(position.wanted)
    before = _WORDS.findall("\n".join([*lines[: position.shown_above], position.typed]))
    begun = before.pop() if before and re.fullmatch(r"\w+", before[-1]) and position.typed.strip() else ""
    above = len(before)
    below = [_END, *_WORDS.findall("\n".join(lines[position.shown_above :]))]
    for _ in range(WORDS_A_LINE * wanted):
        word = _likeliest(_in_file([*before, *below], len(before)), corpus.following(before), begun)
        if not word or word == _END:
            break
        if word[0] == "\n" and sum(w[0] == "\n" for w in before[above:]) == wanted - 1:
            break
        before.append(word)
        begun = ""
    written = "".join(before[above:]) or begun
    typed = position.typed[: len(position.typed) - len(_begun(position.typed))]
    return (typed + written).split("\n")


def _begun(typed: str) -> str:
    """The word that is half-typed."""
    match = re.search(r"\b\w+\Z", typed)
    return match[0] if match else ""


def _in_file(words: list[str], at: int) -> list[Counter[str]]:
    """What follows the last word before `at`, the last two, and so on, elsewhere in the file."""
    places = [place for place in range(1, len(words)) if place != at]
    found = []
    for back in range(1, min(ORDER, at) + 1):
        places = [place for place in places if place >= back and words[place - back] == words[at - back]]
        if not places:
            break
        found.append(Counter(words[place] for place in places))
    return found


def _likeliest(file: list[Counter[str]], corpus: list[Counter[str]], begun: str) -> str:
    for order in range(max(len(file), len(corpus)) - 1, -1, -1):
        for source in (file, corpus):
            if order < len(source):
                fitting = (
                    (count, w) for w, count in source[order].items() if w.startswith(begun) and w != _END
                )
                if best := max(fitting, default=None):
                    return best[1]
    return ""


def copy(position: Position) -> list[str]:
    """The lines behind the line most like the one above that begin with what is typed, as deep as wanted."""
    lines, typed = position.shown.lines, position.typed
    context = next((line for line in reversed(lines[: position.shown_above]) if line.strip()), "")
    best, score = 0, -1.0
    matcher = difflib.SequenceMatcher(b=context.strip(), autojunk=False)
    for number in range(1, len(lines)):
        line = lines[number].strip()
        if number == position.shown_above or line in ("", typed.strip()):
            continue
        if not line.startswith(typed.strip()):
            continue
        matcher.set_seq1(lines[number - 1].strip())
        if (ratio := matcher.ratio()) > score:
            best, score = number, ratio
    if score < 0:
        return []
    deeper = len(indentation(typed)) - len(indentation(lines[best]))
    return [moved(line, deeper) for line in lines[best : best + len(position.wanted)]]


def moved(line: str, deeper: int) -> str:
    """The line, so many columns deeper."""
    return " " * (len(indentation(line)) + deeper) + line.lstrip() if line.strip() else line
