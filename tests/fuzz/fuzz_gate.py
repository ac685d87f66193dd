"""Typing in real modules, and each state that is shown judged by a pylint that knows nothing of ours.

Modules are those that are installed: the standard library's and the environment's own. The user types
somewhere in one, in every kind of statement; a scripted model writes the rest of the real line, or something
like it. Right is: in no state that is shown does plain pylint find what it did not find in the text before:
the one that was sent, or the last one that could be parsed. What the evidence says is not known is no
finding. Nor does one bring in a comment that silences. A statement that the user has begun may be unfinished:
pylint judges it with the ending that the evidence tells, and misses no arguments.
"""

import ast
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import tokenize
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from fakes import LineModel
from fuzz_frame import Case, Fuzz, Result

from lintseq_lsp.backends.base import Backend
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.lintseq import DIFF, Layout, LintSeq
from lintseq_lsp.gate import Gate, lint_base
from lintseq_lsp.generation import Step
from lintseq_lsp.runtime import open_gate
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Suggestion
from lintseq_lsp.text import Document, indentation
from lintseq_lsp.unfinished import FOR_WANT_OF_A_BODY, FOR_WANT_OF_ARGUMENTS, finished

PRAGMAS = [
    "  # pylint: disable=all",
    "  # pylint: disable=E",
    "  # noqa",
    "  # type: ignore",
    "  # pylint: skip-file",
]
EXTRAS = [
    "del {}",
    "return {}",
    "{} = None",
    "import {}",
    "def {}():",
    "raise {}",
    "global {}",
    "{}.{}({})",
    "pass",
]
FOR_BLOCKS = re.compile(r"\bpylint\s*:\s*(?:disable(?:-next)?|skip-file)(?![\w-])")
FOR_LINES = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b")  # `# =type: ignore` is prose to every checker
MAY_BE_MISSING = FOR_WANT_OF_ARGUMENTS | FOR_WANT_OF_A_BODY
NAME = re.compile(r"[^\W\d]\w*")
TRIES = 12
"""In one module: the text before is judged once for all."""


# Cases


@cache
def modules() -> list[Path]:
    """Sources of any length."""
    paths = sysconfig.get_paths()
    library, site = Path(paths["stdlib"]), Path(paths["purelib"])
    files = [
        *library.glob("*.py"),
        *library.glob("[!st_]*/*.py"),
        *site.glob("*/*.py"),
        *site.glob("*/*/*.py"),
    ]
    compiled = {"mypy", "mypyc"}  # of their modules plain pylint reads no names
    return sorted(
        file
        for file in files
        if file.name != "__init__.py" and file.is_file() and compiled.isdisjoint(file.parts)
    )


def make(random: Random) -> Case:
    while True:
        file = random.choice(modules())
        whole = file.read_bytes().decode("utf-8", "replace")
        if not 15 < whole.count("\n") < 150 or re.search(r"\r|\ufffd|from \.|skip-file", whole):
            continue
        # Plain pylint wants four spaces, whatever a file is indented by.
        if "\t" in whole or Document(whole).indent != " " * 4 or not compiles(whole):
            continue
        if random.random() < 0.35:  # with a finding of its own
            changed = renamed(random, whole, names_of(whole))
            whole = changed if compiles(changed) else whole
        tries = [typing(random, whole) for _ in range(TRIES)]
        return {"module": file.stem, "whole": whole, "tries": tries}


def typing(random: Random, whole: str) -> Case:
    """Where the user is, in which text, and what the model then writes."""
    lines = whole.split("\n")
    names = names_of(whole)
    at = somewhere(random, lines)
    if random.random() < 0.15:
        stream = [header_of(random, len(lines)) + shuffled(random, lines, names) + "\n" for _ in range(3)]
        kind = random.choice(["next edit", "instruction"])
        return {"kind": kind, "text": whole, "line": at, "column": 0, "stream": DIFF.text.join([*stream, ""])}
    if random.random() < 0.4:  # a new line
        like = lines[somewhere(random, lines)].strip()
        real = indentation(lines[at]) + like
        lines.insert(at, "")
        column = len(real) - len(like) + random.choice([0, random.randint(0, len(like))])
        rest = ""
    else:
        real = lines[at]
        column = random.randint(len(indentation(real)), len(real))
        rest = real[column:] if random.random() < 0.1 else ""
    lines[at] = real[:column] + rest
    answers = [answer(random, real, column, lines, at, names) for _ in range(random.randint(1, 6))]
    cut = random.random() < 0.25
    if cut:  # all that is below is still to be written
        del lines[at + 1 :]
    where = {"text": "\n".join(lines), "line": at, "column": column, "cut": cut}
    return {"kind": "ghost text", **where, "answers": answers}


def somewhere(random: Random, lines: Sequence[str]) -> int:
    """The number of a line that is not blank: each kind of statement is as likely as any other."""
    kinds = defaultdict(list)
    for number, line in enumerate(lines):
        if line.strip():
            kinds[kind_of(line)].append(number)
    return random.choice(kinds[random.choice(list(kinds))])


def kind_of(line: str) -> str:
    word = re.match(r"\s*(async\s+\w+|\w+|\W)", line)
    first = word[1] if word else ""
    if first in {"def", "class", "if", "elif", "else", "for", "while", "with", "try", "except", "finally"}:
        return first
    if first in {"import", "from", "return", "raise", "assert", "del", "global", "nonlocal", "yield", "pass"}:
        return first
    if not first.isidentifier():
        return first
    return "=" if re.match(r"[\s\w.\[\]:,]+=(?!=)", line) else "call" if "(" in line else "rest"


def answer(
    random: Random, real: str, column: int, lines: Sequence[str], at: int, names: Sequence[str]
) -> list[str]:
    """Lines that the model writes in place of the one that is typed; the first has what is typed already."""
    typed, rest = real[:column], real[column:]
    near = lines[min(len(lines) - 1, max(0, at + random.randint(-4, 4)))].strip()
    match random.randrange(7):
        case 0 | 1:
            pass
        case 2 | 3:
            rest = renamed(random, rest, names)
        case 4:
            rest = near[random.randint(0, len(near)) :] if typed.strip() else near
        case 5:
            cut = random.randint(0, len(rest))
            rest = (
                rest[:cut]
                + random.choice(["", "(", ")", ":", ",", " ", "'", "="])
                + rest[cut + random.randrange(2) :]
            )
        case 6:
            rest += random.choice(PRAGMAS)
    more: list[str] = []
    if random.random() < 0.5:
        more = [shuffled(random, lines, names) for _ in range(random.randint(1, 3))]
        if random.random() < 0.7:  # as deep as it should be
            deeper = "    " if (typed + rest).rstrip().endswith(":") else ""
            more = [indentation(real) + deeper + line.strip() for line in more]
    return [typed + rest, *more]


def shuffled(random: Random, lines: Sequence[str], names: Sequence[str]) -> str:
    """A line of the module, one with a name changed, or one that touches what its names mean."""
    line = lines[somewhere(random, lines)]
    match random.randrange(3):
        case 0:
            return line
        case 1:
            return renamed(random, line, names)
    extra = random.choice(EXTRAS)
    return indentation(line) + extra.format(*(random.choice(names) for _ in range(3)))


def renamed(random: Random, text: str, names: Sequence[str]) -> str:
    found = list(NAME.finditer(text))
    if not found:
        return text
    name = random.choice(found)
    return text[: name.start()] + random.choice([*names, "unheard_of"]) + text[name.end() :]


def header_of(random: Random, count: int) -> str:
    above = random.randint(0, count)
    return f"@@ -{above},0 +{above + 1} @@\n+"


def names_of(text: str) -> list[str]:
    return sorted(set(NAME.findall(text)))


def compiles(text: str) -> bool:
    return _is_read(text, 0)


def parses(text: str) -> bool:
    """Also what has a tree and does not compile: a `return` in a module."""
    return _is_read(text, ast.PyCF_ONLY_AST)


def _is_read(text: str, flags: int) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "text", "exec", flags, dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
    return True


# Trials


@dataclass(frozen=True)
class Shown:
    """One state. `case` has the one try that led to it, `before` is the text that it is compared with.

    `judged` is `after`, with an ending where it is unfinished. Where the user has deleted what was below,
    `cut` is what the gate lints in place of the rest: what is missing there, the user has taken out.
    """

    case: Case
    before: str
    cut: str
    after: str
    judged: str
    unknown: Sequence[str]

    @property
    def module(self) -> str:
        return str(self.case["module"])

    def says_unknown(self, message: str) -> bool:
        """Whether the evidence says that it is not known to be true."""
        return any(without_hint(each).startswith(f"{message}: ") for each in self.unknown)


def check(cases: Sequence[Case]) -> Result:
    """Asks the engine first, and then judges all that was shown in one process."""
    states: list[Shown] = []
    result = Result()
    gate = open_gate(Settings(gate_timeout=20.0))
    try:
        for number, case in enumerate(cases):
            for one in case["tries"]:
                alone = {**case, "tries": [one]}
                before = text_before(one, case["whole"])
                try:
                    texts = shown(gate, alone, f"/nowhere/m{number}_{case['module']}.py")
                except Exception as error:  # noqa: BLE001 - whatever stands in a document, the engine answers
                    result.wrong.append((alone, f"{type(error).__name__}: {error}"))
                else:
                    cut = stand_in(one) if one.get("cut") else before
                    states += [Shown(alone, before, cut, text, *rest) for text, rest in texts.items()]
    finally:
        gate.linter.close()
    result.count = len(states)
    said = findings(
        [(state.module, text) for state in states for text in (state.before, state.cut, state.judged)]
    )
    for state in states:
        was = said[state.module, state.before] | said[state.module, state.cut]
        new = said[state.module, state.judged] - was
        if new:
            # An inference may depend on what the process inferred before: these two texts alone decide.
            pairs = [(state.module, text) for text in (state.before, state.cut, state.judged)]
            before, cut, after = (findings([pair])[pair] for pair in pairs)
            left = (after - (before | cut)).elements()
            new = Counter(each for each in left if not state.says_unknown(each[1]))
        if state.judged != state.after:
            new = Counter(each for each in new.elements() if each[0] not in MAY_BE_MISSING)
        if compiles(state.before) and not compiles(state.judged):
            new["syntax-error", "does not compile"] += 1
        if state.judged != state.after and not is_begun(state.case["tries"][0]):
            new["syntax-error", "the user had begun nothing"] += 1
        if new := new or new_silence(state):
            what = {"line": state.case["tries"][0]["line"], "shown": state.after, "new": [*map(list, new)]}
            result.wrong.append((state.case, json.dumps(what)))
    return result


def text_before(one: Case, whole: str) -> str:
    """What a state is compared with: the text that was sent, else the last one that could be parsed.

    Of a block whose only line the user has emptied, the text without it is what the user made: what was bound
    there is gone.
    """
    lines = one["text"].split("\n")
    typed = lines[one["line"]]
    emptied = [*lines[: one["line"]], typed + "pass", *lines[one["line"] + 1 :]]
    texts = [one["text"], *([] if typed.strip() else ["\n".join(emptied)])]
    return next((text for text in texts if parses(text)), whole)


def stand_in(one: Case) -> str:
    """The first text that may stand for what was sent, and that can be parsed."""
    texts = (each.text for each in lint_base(Document(one["text"]), one["line"]))
    return next((text for text in texts if parses(text)), "")


def is_begun(one: Case) -> bool:
    """Whether the user has begun a statement, or is in the middle of one."""
    return not parses(one["text"]) or bool(one["text"].split("\n")[one["line"]][: one["column"]].strip())


def new_silence(state: Shown) -> Counter[tuple[str, str]]:
    """Comments that silence a linter and were neither there before nor typed by the user."""
    (one,) = state.case["tries"]
    typed = one["text"].split("\n")[one["line"]]
    new = silences(state.judged) - silences(state.before)
    return Counter({("silenced", text): 1 for text in new if text not in typed})


def silences(text: str) -> Counter[str]:
    """Such comments. Those for one line say nothing where there is no code."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    return Counter(
        token.string
        for token in comments
        if FOR_BLOCKS.search(token.string)
        or (FOR_LINES.search(token.string) and not token.line.lstrip().startswith("#"))
    )


def model_of(one: Case) -> Backend:
    return LineModel(*one["answers"]) if "answers" in one else ScriptedBackend([one["stream"]], logprob=-0.01)


def shown(gate: Gate, case: Case, path: str) -> dict[str, tuple[str, Sequence[str]]]:
    """The texts that the user is shown; each as it is to be judged, and what is not known by its evidence."""
    (one,) = case["tries"]
    settings = Settings(strings_and_comments=True)
    engine = Engine(model_of(one), gate, prompt_format=LintSeq(Layout.SUFFIX_FIRST), settings=settings)
    engine.prepare(Document(case["whole"], 1, path))
    document = Document(one["text"], 2, path)
    offset = document.offset(one["line"], one["column"])
    match one["kind"]:
        case "ghost text":
            found = engine.complete(document, offset, candidates=3).suggestions
            states = [(each.text, judged(each), each.evidence.unknown) for each in found]
        case "next edit":
            found = engine.next_edit(document, offset).suggestions
            states = [(each.text, each.text, each.evidence.unknown) for each in found]
        case _:
            steps = [step for step in engine.edit(document, "Do.") if isinstance(step, Step)]
            accepted = [(step.document.text, step.verdict.unknown) for step in steps if step.verdict.accepted]
            states = [(text, text, unknown) for text, unknown in accepted]
    return {text: (ended, unknown) for text, ended, unknown in states}


def judged(suggestion: Suggestion) -> str:
    """The text that a suggestion makes, with the ending of what is unfinished."""
    if not suggestion.evidence.ending:
        return suggestion.text
    (change,) = suggestion.replacements
    ended = finished(suggestion.base.with_text(suggestion.text), change.start + len(change.text))
    assert ended is not None
    assert ended.ending == suggestion.evidence.ending
    return ended.document.text


def without_hint(message: str) -> str:
    """Without the names that pylint thinks of: they depend on the rest of the text."""
    return re.sub(r"; maybe [^?]*\?", "", message)


Texts = Sequence[tuple[str, str]]


def findings(texts: Texts) -> dict[tuple[str, str], Counter[tuple[str, str]]]:
    """What plain pylint says of each (module, text), without places: (symbol, message), and how often."""
    names = {f"state_{number}_{pair[0]}.py": pair for number, pair in enumerate(dict.fromkeys(texts))}
    found = {pair: Counter[tuple[str, str]]() for pair in names.values()}
    if not names:
        return found
    command = [sys.executable, "-I", "-m", "pylint", f"--rcfile={os.devnull}", "--persistent=n", "--score=n"]
    command += ["--disable=all", "--enable=E,F,W0311,W0231", "--output-format=json", *names]
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, text) in names.items():
            (Path(folder) / name).write_text(text, "utf-8")
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    for message in json.loads(done.stdout):
        text = re.sub(r"\bline \d+", "line", without_hint(message["message"])).replace(
            message["module"], "this module"
        )
        found[names[Path(message["path"]).name]][message["symbol"], text] += 1
    return found


FUZZ = Fuzz("gate", "states shown", 12, make, check)
