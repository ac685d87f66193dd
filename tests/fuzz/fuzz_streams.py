"""Hostile streams through the parser, the application of diffs, and the loop.

Right is: nothing raises; a stream in pieces is read as it is in one; what is read, and what it makes of the
document, is what this file's own code says; the loop ends once, and says truly what it accepted.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from random import Random

from fakes import ImmediateLinter, gate_of, lint_bad
from fuzz_frame import Case, Fuzz, Result
from strategies import AWKWARD

from lintseq_lsp.backends.base import Request
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.diffs import DiffStream, parse
from lintseq_lsp.engine import Engine
from lintseq_lsp.excerpt import Excerpt, apply_diff, excerpt_around
from lintseq_lsp.formats.base import Edit, Malformed
from lintseq_lsp.formats.lintseq import DIFF, Layout, LintSeq
from lintseq_lsp.generation import Ended
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document

LINES = [
    *AWKWARD,
    "def f(a):",
    "    return a",
    "bad = 1",
    "broken",
    "# pylint: disable=all",
    "]",
    "'''",
    "\ud800",
]
MARKS = [
    *(
        "@@",
        "@@ -0,0 +1 @@\n",
        "@@ -1,0 +2,2 @@\n+",
        "<|diff|>",
        "\n<|diff|>\n",
        "<|diff|><|diff|>",
        "+",
        "-",
    ),
    *(
        "\n+",
        "\n-",
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "\0",
        "\u2028",
        "\x85",
        "\f",
        "\udc00",
        "\u202e",
        "9" * 30,
        "٣",
        "²",
    ),
]
NUMBERS = [
    "0",
    "1",
    "2",
    "7",
    "40",
    "999999999",
    "1000000000",
    "9" * 40,
    "-1",
    "",
    "00",
    "+2",
    "٣",
    "1.0",
    " 1",
]
ENDS = ["\n", "\n", "\n", "\r\n", "\r"]


# Cases


def make(random: Random) -> Case:
    text = document(random)
    shown = Document(text)
    if random.random() < 0.7:
        budget = random.choice([15, 60, 10**6])
        at = random.randrange(len(shown.lines))
        numbers = excerpt_around(shown, at, budget, lambda line: len(line) // 4 + 2).numbers
    else:
        numbers = tuple(
            number for number, line in enumerate(shown.lines) if line.strip() and random.random() < 0.6
        )
    stream = "<|diff|>".join(diff(random, shown, numbers) for _ in range(random.choice([1, 1, 1, 2, 4])))
    for _ in range(random.choice([0, 0, 1, 1, 2, 5])):
        stream = damaged(random, stream)
    case = {
        "document": text,
        "numbers": list(numbers),
        "stream": stream,
        "piece": random.choice([1, 3, 17, 999]),
    }
    return {**case, "loop": random.random() < 0.08}


def document(random: Random) -> str:
    ends = [random.choice(ENDS)] * 3 if random.random() < 0.8 else ENDS
    lines = [random.choice(LINES) for _ in range(random.choice([0, 1, 3, 8, 8, 40]))]
    return "".join(line + random.choice(ends) for line in lines) + random.choice(["", "", "x = 1"])


def diff(random: Random, shown: Document, numbers: Sequence[int]) -> str:
    """A diff that may fit: hunks that ascend, and remove what is there."""
    parts, at = [], 0
    for _ in range(random.choice([0, 1, 1, 1, 2, 3])):
        at = random.randint(at, max(at, len(numbers)))
        gone = [shown.lines[number] for number in numbers[at : at + random.choice([0, 0, 0, 1, 2])]]
        added = [random.choice(LINES) for _ in range(random.randrange(0 if gone else 1, 4))]
        first = at + 1 if gone else at
        parts.append(f"@@ -{first},{len(gone)} +{at + 1},{len(added)} @@\n")
        parts += [f"-{line}\n" for line in gone] + [f"+{line}\n" for line in added]
        at += len(gone)
    return "".join(parts) or "\n"


def damaged(random: Random, text: str) -> str:
    start = random.randrange(len(text) + 1)
    end = min(len(text), start + random.choice([1, 1, 4, 30]))
    match random.randrange(6):
        case 0:
            return text[:start] + random.choice(MARKS) + text[start:]
        case 1:
            return text[:start] + text[end:]
        case 2:
            return text[:end] + text[start:]
        case 3:
            return text[:start]
        case 4:
            return text.replace("\n", random.choice(["\r\n", "\r", "\n\n"]), random.choice([1, -1]))
    found = list(re.finditer(r"\d+", text))
    if not found:
        return text
    number = random.choice(found)
    return text[: number.start()] + random.choice(NUMBERS) + text[number.end() :]


# What is right, by the shortest code there is

Hunks = list[tuple[int, list[str], list[str]]]
_HEADER = re.compile(r"@@ -(\d{1,9})(,\d{1,9})? \+\d{1,9}(,\d{1,9})? @@[ \t]*")


def hunks_of(text: str) -> Hunks | None:
    """(lines above, removed, added) of each hunk; None for what is no diff."""
    body, *rest = re.split(r"^[^\S\n\r]*\r?(?:\n|\Z)", text, maxsplit=1, flags=re.MULTILINE)
    if rest and re.search(r"\S|\r(?!\n|\Z)", rest[0]):  # something behind a blank line
        return None
    hunks: Hunks = []
    for line in body.split("\n")[: -1 if body.endswith("\n") or not body else None]:
        line = line.removesuffix("\r")
        header = _HEADER.fullmatch(line)
        if "\r" in line or not (header or hunks):
            return None
        if header:
            names_above = header[2] is not None and int(header[2][1:]) == 0
            hunks.append((max(0, int(header[1]) - (not names_above)), [], []))
        elif line[0] == "+":
            hunks[-1][2].append(line[1:])
        elif line[0] == "-" and not hunks[-1][2]:
            hunks[-1][1].append(line[1:])
        else:
            return None
    hunks = [hunk for hunk in hunks if hunk[1] or hunk[2]]
    pairs = pairwise(hunks)
    return None if any(after[0] < before[0] + len(before[1]) for before, after in pairs) else hunks


def edited(text: str, numbers: Sequence[int], hunks: Hunks) -> str | None:
    """The text after the hunks, which count the lines `numbers`; None when they do not fit."""
    pieces = re.split("(\r\n|\r|\n)", text)
    rows = [[line, end] for line, end in zip(pieces[::2], [*pieces[1::2], ""], strict=True)]
    newline = Document(text).newline
    for above, removed, added in reversed(hunks):
        there = list(numbers[above : above + len(removed)])
        if above + len(removed) > len(numbers) or [rows[number][0] for number in there] != removed:
            return None
        if there and there != list(range(there[0], there[0] + len(there))):
            return None
        first = there[0] if there else numbers[above - 1] + 1 if above else numbers[0] if numbers else 0
        rows[first : first + len(removed)] = [[line, newline] for line in added]
    whole = "".join(
        line + ("" if number == len(rows) else end or newline) for number, (line, end) in enumerate(rows, 1)
    )
    # A lone \r that comes to stand in front of a \n would be one line end with it.
    return whole if len(re.split("\r\n|\r|\n", whole)) == max(1, len(rows)) else None


# Trials


def check(cases: Sequence[Case]) -> Result:
    result = Result()
    for case in cases:
        result.count += 1
        try:
            what = wrong_with_diff(case) or (wrong_with_loop(case) if case["loop"] else "")
        except Exception as error:  # noqa: BLE001 - model text never raises
            what = f"{type(error).__name__}: {error}"
        if what:
            result.wrong.append((case, what))
    return result


def wrong_with_diff(case: Case) -> str:
    recorded = ScriptedBackend([case["stream"]]).write(
        Request([""], frozenset({DIFF}), max_tokens=1 << 20), lambda: False
    )
    first = "".join(piece.text for piece in recorded)
    stream, early = DiffStream(), None
    for start in range(0, len(first), case["piece"]):
        early = stream.feed(first[start : start + case["piece"]]) or early
    read, expected = stream.flush(), hunks_of(first)
    if read != parse(first):
        return "read otherwise in pieces"
    if isinstance(read, Malformed):
        return "" if expected is None else f"refused: {read.reason}"
    if early or expected != [(hunk.above, list(hunk.removed), list(hunk.added)) for hunk in read.hunks]:
        return "read as other hunks"
    document, excerpt = Document(case["document"]), Excerpt(tuple(case["numbers"]))
    final = edited(case["document"], case["numbers"], expected)
    applied = apply_diff(document, excerpt, read)
    if isinstance(applied, Malformed):
        return "" if final is None else f"does not fit: {applied.reason}"
    if applied.document.text != final:
        return "another text"
    shown = excerpt.lines(document)
    for above, removed, added in reversed(expected):
        shown[above : above + len(removed)] = added
    joined = (
        re.search(r"\r\n|\r", case["document"]) and "" in shown
    )  # a \r and the \n of an empty line are one end
    return "" if joined or applied.excerpt.lines(applied.document) == shown else "another excerpt"


def wrong_with_loop(case: Case) -> str:
    linter = ImmediateLinter(lint_bad)
    backend = ScriptedBackend([case["stream"]], piece=case["piece"])
    layouts = list(Layout)
    engine = Engine(
        backend,
        gate_of(linter),
        prompt_format=LintSeq(layouts[len(case["stream"]) % len(layouts)]),
        settings=Settings(tries=2),
    )
    *steps, ended = engine.edit(Document(case["document"]), "Do.")
    if not isinstance(ended, Ended) or any(isinstance(step, Ended) for step in steps):
        return "the loop does not end once"
    accepted = [step for step in steps if step.verdict.accepted]
    judged = {check.text for check in linter.checks}
    if any(step.document.text not in judged for step in accepted):
        return "accepted without a check"
    if any(isinstance(step.edit, Edit) and not step.edit.changes for step in accepted):
        return "an empty diff is no step"
    if (ended.accepted, ended.rejected) != (len(accepted), len(steps) - len(accepted)):
        return "counts other steps"
    last = accepted[-1].document.text if accepted else case["document"]
    return "" if ended.document.text == last else "ends with another document"


FUZZ = Fuzz("streams", "streams", 1000, make, check)
