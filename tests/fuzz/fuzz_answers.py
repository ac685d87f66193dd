"""Hostile answers through the engine: ghost text, next edits, actions, edits by instruction.

Right is: nothing raises; nothing is shown without an accepted verdict on exactly what it makes of the
document; what is shown can be compiled; replacements lie where they must; each outcome has its reason.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from random import Random

from fakes import ImmediateLinter
from fuzz_frame import Case, Fuzz, Result

from lintseq_lsp.actions import actions_at
from lintseq_lsp.backends.base import EVERYTHING, Piece, Request, Special, Stop, Usage
from lintseq_lsp.edits import apply
from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.gate import Bar, Gate, GatePolicy
from lintseq_lsp.generation import Ended
from lintseq_lsp.linters.base import Report
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.lsp.convert import at_cursor
from lintseq_lsp.reasons import Reason
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Outcome, Suggestion
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict

DOCUMENTS = [
    "",
    "\n",
    "x = \n",
    "import os\n\n\ndef f(a):\n    return a\n",
    "def f(a):\n    \n\n\ndef g(b):\n    return b\n",
    "class C:\n    def m(self):\n        \n    def n(self):\n        return self.m()\n",
    "a = 1\r\nb = \r\nc = a\r\n",
    "a = 1\rb = \rc = a\r",
    "a = 1\nb = a\r\n\rc = (\n",
    "s = '''\n\n'''\nprint(s)",
    "def f(:\n    pass\n",
    "# Print the sum of a and b.\n\nx = undefined\n",
    "def h(x):\n    '''Doc.'''\n    pass\n",
    "😀 = 1\ny = '😀'\n",
    "z = '\ud83d'\nprint(z, \n",
    "if x:\n    y = 1\nelse:\n    \n",
    "x = [\n    1,\n    \n]\nfor y in x:\n    pri",
    "def k(n):  # pylint: disable=undefined-variable\n    return m\n\n\ndef o(n):\n    \n",
]
LINES = [
    *(
        "",
        " ",
        "    ",
        "pass",
        "    pass",
        "        self.x = 1",
        "x = 1",
        "    return a",
        "    return undefined",
    ),
    *(
        "(",
        ")",
        "]",
        '"""',
        "'''",
        "\\",
        "# pylint: disable=all",
        "# pylint: enable=all",
        "  # noqa",
        "# type: ignore",
    ),
    *(
        "@property",
        "import os",
        "from __future__ import annotations",
        "from os import *",
        "del a",
        "def f(a):",
        "class D(C):",
        "else:",
        "return",
        "yield",
    ),
    *(
        "\r",
        "\0",
        "\ud800",
        "\u202e",
        "\u2028x",
        "\f",
        "@@ -1 +1 @@",
        "<|diff|>",
        "-x",
        "++x",
        "é = '😀'",
        "\ufeff",
    ),
    *(
        "\t\tx = 1",
        "a" * 400,
        "(" * 300,
        "match a:",
        "print(f'{a!r:>{",
        "global a",
        "lambda: (yield)",
        "await a",
    ),
]
STARTS = ["", "", "", " ", "1", "a", "a)", "self.m()", "nt(a)", "\n", "+", ":"]
KINDS = ["ghost text", "ghost text", "next edit", "action", "instruction"]
STOPS = {"boundary": DIFF, "end": Stop.END, "length": Stop.LENGTH}


# Cases


def make(random: Random) -> Case:
    text = random.choice(DOCUMENTS)
    return {
        "document": text,
        "offset": random.randint(0, len(text)),
        "kind": random.choice(KINDS),
        "format": random.choice(list(FORMATS)),
        "candidates": random.choice([1, 1, 3]),
        "strings": random.random() < 0.3,
        "failing": random.choice([0, 0, 0, 0, 3]),
        "answers": [answer(random) for _ in range(random.randrange(1, 6))],
    }


def answer(random: Random) -> Case:
    lines = [random.choice(STARTS)] + [random.choice(LINES) for _ in range(random.choice([0, 0, 1, 2, 4]))]
    text = "\n+".join(lines) + random.choice(["\n", "\n", "\n", "", "\n\n", "\n-x\n"])
    header = "" if random.random() < 0.9 else f"@@ -{random.randrange(9)},0 +{random.randrange(9)} @@\n+"
    stop = random.choice(["boundary", *STOPS, "boundary"])
    return {"begin": random.randrange(10**6), "text": header + text, "stop": stop}


class Writer:
    """A model that begins as it must, and then writes the recorded answers, round and round."""

    name, context, usage = "hostile", 1024, Usage()
    abilities = EVERYTHING

    def __init__(self, answers: Sequence[Case]) -> None:
        self._answers = cycle(answers)

    def has(self, special: Special) -> bool:
        return special == DIFF

    def count(self, text: str) -> int:
        return (len(text) + 3) // 4

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:  # noqa: ARG002
        for candidate in range(request.candidates):
            recorded = next(self._answers)
            begins = [begin for group in request.begins for begin in group] or [""]
            begin = begins[recorded["begin"] % len(begins)]
            text, stop = begin + recorded["text"], STOPS[recorded["stop"]]
            lines = text.split("\n")
            if request.max_lines is not None and len(lines) > request.max_lines:
                text, stop = "\n".join(lines[: request.max_lines]) + "\n", Stop.LENGTH
            for start in range(0, len(text), 7):
                yield Piece(candidate, text[start : start + 7], 2, -0.1)
            yield Piece(candidate, "", 0, 0.0, stop)

    def close(self) -> None:
        """Nothing is held."""


class Witness(Gate):
    """A gate that says which texts it accepted; `failing` makes its linter fail each so many checks."""

    def __init__(self, failing: int) -> None:
        def lint(text: str) -> Report:
            fails = failing and len(linter.checks) % failing == 0
            return Report(failure="by chance") if fails else check_syntax(text)

        linter = ImmediateLinter(lint)
        super().__init__(linter, check_syntax, GatePolicy())
        self.accepted: set[str] = set()

    def against(self, *given, **named):  # type: ignore[no-untyped-def]
        return _WitnessBar(**vars(super().against(*given, **named)))


class _WitnessBar(Bar):
    def submit(self, candidate, **named):  # type: ignore[no-untyped-def]
        verdict = super().submit(candidate, **named)
        result: Verdict = verdict.result()
        if result.accepted:
            assert isinstance(self.gate, Witness)
            self.gate.accepted.add(candidate.text)
        return verdict


# Trials


def check(cases: Sequence[Case]) -> Result:
    result = Result()
    for case in cases:
        result.count += len(case["answers"])
        try:
            wrong = list(_wrong(case))
        except Exception as error:  # noqa: BLE001 - whatever a model writes, the engine answers
            wrong = [f"{type(error).__name__}: {error}"]
        if wrong:
            result.wrong.append((case, "; ".join(wrong)))
    return result


def _wrong(case: Case) -> Iterator[str]:
    gate = Witness(case["failing"])
    settings = Settings(tries=2, strings_and_comments=case["strings"])
    engine = Engine(Writer(case["answers"]), gate, prompt_format=FORMATS[case["format"]], settings=settings)
    document = Document(case["document"], 1, "/project/a.py")
    cursor = document.offset(*document.position(case["offset"]))
    match case["kind"]:
        case "ghost text":
            outcome = engine.complete(document, cursor, candidates=case["candidates"])
            yield from _of_outcome(outcome, most=case["candidates"])
            known = engine.recall(document, cursor)
            for suggestion in (*outcome.suggestions, *(known.suggestions if known else ())):
                yield from _of_ghost_text(document, cursor, suggestion, gate.accepted)
        case "next edit":
            heard: list[Outcome] = []
            outcome = engine.next_edit(document, cursor, on_clean=lambda latest, _: heard.append(latest))
            yield from _of_outcome(outcome, most=3)
            for latest in [*heard, outcome]:
                yield from _of_sequence(document, latest.suggestions, gate.accepted)
        case "action":
            line = document.position(cursor)[0]
            last = min(line + case["candidates"] - 1, len(document.lines) - 1)
            for action in actions_at(document, line, last):
                outcome = engine.resolve(document, action)
                yield from _of_outcome(outcome, most=1)
                yield from _of_sequence(document, outcome.suggestions, gate.accepted)
        case "instruction":
            *steps, ended = engine.edit(document, "Do.", lines=(0, 1) if case["strings"] else None)
            accepted = [step.document.text for step in steps if step.verdict.accepted]
            if not isinstance(ended, Ended) or ended.document.text != [document.text, *accepted][-1]:
                yield "ends with another document"
            for text in accepted:
                yield from _of_text(text, gate.accepted)


def _of_outcome(outcome: Outcome, most: int) -> Iterator[str]:
    if (outcome.reason is Reason.ACCEPTED) != bool(outcome.suggestions):
        yield f"{len(outcome.suggestions)} suggestions because of {outcome.reason}"
    if len(outcome.suggestions) > most:
        yield "more suggestions than asked for"


def _of_ghost_text(
    document: Document, cursor: int, suggestion: Suggestion, accepted: set[str]
) -> Iterator[str]:
    (change,) = suggestion.replacements
    line = document.position(cursor)[0]
    if change.start != cursor or change.end > document.starts[line] + len(document.lines[line]):
        yield "not at the cursor"
    yield from _of_sequence(document, [suggestion], accepted)
    item = at_cursor(document, suggestion.replacements, cursor)
    if item is not None and apply(document.text, [item]) != suggestion.text:
        yield "the client's item makes another text"


def _of_sequence(document: Document, suggestions: Sequence[Suggestion], accepted: set[str]) -> Iterator[str]:
    """All that are shown are replacements of the document, and it is clean after each."""
    for count, suggestion in enumerate(suggestions, 1):
        final = apply(document.text, [each.replacements[0] for each in suggestions[:count]])
        if suggestion.base.text != document.text or len(suggestion.replacements) != 1:
            yield "not one replacement of the document"
        if final != suggestion.text:
            yield "makes another text than it says"
        yield from _of_text(final, accepted)


def _of_text(text: str, accepted: set[str]) -> Iterator[str]:
    if text not in accepted:
        yield "shown without an accepted verdict"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "shown", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        yield f"shown, and does not compile: {error}"


FUZZ = Fuzz("answers", "answers", 50, make, check)
