"""Cleaned modules as training sequences in the product's own prompt formats, and those as token files.

    python models/sequences.py --data .work                      # .work/tokens/{train,validation}-000.npy …
    python models/sequences.py --data .work --plain              # plain Python instead: .work/tokens-plain/
    python models/sequences.py --data .work --context 512 --splits validation --out .work/tokens-512
    lintseq-lsp synthesize FOLDER --baseline -o .work/lintseq.jsonl            # the linter's own choice, and
    python models/sequences.py --data .work --synthesized .work/lintseq.jsonl  # those beside the others

Every sequence is whole: it is built to fit and never cut inside of a diff. Four kinds, each of which ends
with the trained end of the sequence when nothing is left to insert:
- from the empty file: LintSeq's diffs of a function or class. Which lines go together is chosen on the
  syntax tree (a statement, and whatever uses a name that only it bound), a much faster stand-in for the
  linter of `lintseq_lsp.lintseq`;
- next edit: an excerpt of a module as history, then the statements that were left out, one diff each;
- open block: the same, with the block at the cursor as the first of them;
- rewrite: the same, with what depends on the block left out as well, as a backward step does.

A header of the history is read but not learned: where a chunk of a text that is there already begins, and
that it has eight lines, says nothing of an answer. Deliberately absent: the formats, which are the
product's (`prompts`, `diffs`), and token files (rows.py).
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import ast
import json
import random
import re
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rows import GIVEN, packed, write_rows

from lintseq_lsp.diffs import Diff, Hunk, render
from lintseq_lsp.excerpt import excerpt_around
from lintseq_lsp.prompts import BOUNDARY, PromptFormat, chunk, history, instruction_fragment
from lintseq_lsp.text import Document, indentation

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTEXT = 1024
LINE_END = "Ċ"  # a newline in the byte-level alphabet; it is a token of its own in front of `+`
KINDS = {"empty": 0.12, "next_edit": 0.28, "open_block": 0.42, "rewrite": 0.18}
FORMATS = {PromptFormat.SUFFIX_FIRST: 0.9, PromptFormat.PAPER: 0.1}
LEAST_BUDGET, MOST_BUDGET = 120, 600  # tokens of an excerpt, by `cost`
TOKENS_PER_SAMPLE = 400  # one sequence for so many tokens of a module
INSTRUCTED, INSTRUCTED_EXCERPTS = 0.5, 0.25  # share with a docstring or comment, if any, as instruction
FUNCTION_STARTS = 0.15  # share of open blocks that are a function's first statement below its docstring
ONE_LINE, FURTHER_STATEMENTS = 0.35, 0.3  # of open blocks: the first line alone; what stands behind, too
UNTYPED_BELOW = 0.4  # share of open blocks without what follows in the same function: people write downwards
BLOCK_LINES = 8
STEPS = (0, 1, 2, 3, 3, 4, 4, 5)  # that are left out of an excerpt for its next edits
STEP_LINES = 12  # of a next edit
DEPENDENT_LINES = 24  # that may go with a block that is rewritten
JOBS = 2


@dataclass(frozen=True, slots=True)
class Example:
    """Fragments of a sequence: `shown` are the instruction and the history, `asked` the answers."""

    shown: list[str]
    asked: list[str]


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines `first` to `last` (excluded), with the comments and blank lines above `code`, where it begins.

    `binds` and `uses` are names and `self.` attributes, those of a compound statement's header only.
    `parent` and `siblings` are indices; `siblings` share its body.
    """

    first: int
    code: int
    last: int
    parent: int
    siblings: tuple[int, ...]
    binds: frozenset[str]
    uses: frozenset[str]
    compound: bool


@dataclass
class Module:
    """A module's lines and statements; `functions` are (first line, last line, docstring's first line)."""

    lines: list[str]
    statements: list[Statement] = field(default_factory=list)
    functions: list[tuple[int, int, str]] = field(default_factory=list)


BODIES = ("body", "orelse", "finalbody")
INNER = ast.stmt | ast.excepthandler | ast.match_case


def parse(text: str) -> Module:
    """The module of a text that Python can read, its outer blank lines gone."""
    text = text.strip("\n")
    module = Module(text.split("\n"))
    _read_block(module, ast.parse(text).body, 0, -1)
    return module


def _read_block(module: Module, body: Sequence[ast.stmt], above: int, parent: int) -> None:
    """Appends the statements of a body; `above` is the line behind what stands before it."""
    places: list[int] = []
    nodes: list[tuple[ast.stmt, int]] = []
    for node in body:
        code = first_line(node)
        last = node.end_lineno or node.lineno
        if code < above or (parent >= 0 and code == module.statements[parent].code):
            above = max(above, last)
            continue  # shares a line with another statement
        first = code
        while first > above and is_blank_or_comment(module.lines[first - 1]):
            first -= 1
        places.append(len(module.statements))
        nodes.append((node, places[-1]))
        header = [child for child in ast.iter_child_nodes(node) if not isinstance(child, INNER)]
        compound = any(getattr(node, name, None) for name in BODIES) or isinstance(node, ast.Match)
        binds, uses = _names(header if compound else [node])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            binds = frozenset({node.name})
            docstring = (ast.get_docstring(node) or "").partition("\n")[0]
            docstring = "" if docstring.startswith((".", ":", "@")) else docstring  # markup, not a sentence
            module.functions.append((code, last, docstring))
        module.statements.append(Statement(first, code, last, parent, (), binds, uses, compound))
        if compound:
            me = places[-1]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                begin = node.body[0].lineno - 1
            else:
                begin = code + 1
            for name in BODIES:
                inner = getattr(node, name, [])
                if inner and isinstance(inner, list):
                    _read_block(module, inner, _header_end(module, begin, inner[0]), me)
                    begin = inner[-1].end_lineno or begin
            for part in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
                _read_block(module, part.body, _header_end(module, part.body[0].lineno - 1, part.body[0]), me)
        above = last
    for _, place in nodes:
        old = module.statements[place]
        module.statements[place] = Statement(
            old.first, old.code, old.last, old.parent, tuple(places), old.binds, old.uses, old.compound
        )


def _header_end(module: Module, begin: int, first: ast.stmt) -> int:
    """The line behind the last non-blank, non-comment line above a body's first statement."""
    line = first_line(first)
    while line > begin and is_blank_or_comment(module.lines[line - 1]):
        line -= 1
    return line


def first_line(node: ast.stmt) -> int:
    """The zero-based line of a statement, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1


def is_blank_or_comment(line: str) -> bool:
    return not line.strip() or line.lstrip()[0] == "#"


def _names(nodes: Iterable[ast.AST]) -> tuple[frozenset[str], frozenset[str]]:
    binds, uses = set(), set()
    for node in nodes:
        for inner in ast.walk(node):
            match inner:
                case ast.Name(id=name, ctx=ast.Load()):
                    uses.add(name)
                case ast.Name(id=name):
                    binds.add(name)
                case ast.alias(name=name, asname=alias):
                    binds.add(alias or name.partition(".")[0])
                case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Load()):
                    uses.add(f"self.{name}")
                case ast.Attribute(value=ast.Name(id="self"), attr=name):
                    binds.add(f"self.{name}")
                case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                    binds.add(name)
    return frozenset(binds), frozenset(uses)


def closure(module: Module, present: set[int], gone: set[int]) -> set[int]:
    """The statements that have to go from `present` when those of `gone` do, so that the rest stays clean.

    A body may not become empty, a name may not lose everything that binds it, and what stands in a
    statement goes with it.
    """
    gone = set(gone)
    while True:
        more = set()
        for index in present - gone:
            statement = module.statements[index]
            if statement.parent in gone:
                more.add(index)
        left = present - gone - more
        for index in gone:
            statement = module.statements[index]
            if statement.parent in left and not any(sibling in left for sibling in statement.siblings):
                more.add(statement.parent)
        bound = {name for index in left for name in module.statements[index].binds}
        lost = {name for index in gone for name in module.statements[index].binds} - bound
        more |= {index for index in left if module.statements[index].uses & lost}
        if not more:
            return gone
        gone |= more


def own_lines(module: Module, gone: Iterable[int]) -> set[int]:
    return {line for i in gone for line in range(module.statements[i].first, module.statements[i].last)}


def trimmed(module: Module, numbers: Iterable[int]) -> list[int]:
    """Line numbers in order without outer blank lines, as LintSeq trims each state."""
    kept = sorted(numbers)
    while kept and not module.lines[kept[0]].strip():
        kept.pop(0)
    while kept and not module.lines[kept[-1]].strip():
        kept.pop()
    return kept


def step(module: Module, before: list[int], after: list[int]) -> str:
    """The fragment that brings the state of lines `before` to the state of lines `after`."""
    hunks: list[Hunk] = []
    known, above, added = set(before), 0, list[str]()
    for number in [*after, -1]:
        if number in known or number < 0:
            if added:
                hunks.append(Hunk(above, tuple(added)))
                added = []
            above += 1
        else:
            added.append(module.lines[number])
    return render(Diff(tuple(hunks)))


def choose(rng: random.Random, weights: dict[Any, float]) -> Any:
    return rng.choices(list(weights), list(weights.values()))[0]


def growth(
    module: Module, numbers: list[int], rng: random.Random, steps: int, most_lines: int
) -> list[list[int]]:
    """States of the excerpt `numbers`, the last of all its lines; each lacks a statement of the one behind.

    At most `steps` are taken, each of at most `most_lines` lines. As in LintSeq, indented ones are likelier.
    """
    inside = set(numbers)
    present = {i for i, s in enumerate(module.statements) if inside.issuperset(range(s.code, s.last))}
    states = [trimmed(module, inside)]
    tries = 8
    while present and len(states) <= steps and states[-1] and tries:
        candidates = sorted(present)
        depths = [1 + len(indentation(module.lines[module.statements[i].code])) for i in candidates]
        gone = closure(module, present, set(rng.choices(candidates, depths)))
        if len(own_lines(module, gone) & inside) > most_lines:
            tries -= 1
            continue
        present -= gone
        inside -= own_lines(module, gone)
        states.append(trimmed(module, inside))
    return states[::-1]


def from_empty(module: Module, rng: random.Random) -> list[str]:
    """The diffs that build the whole module from nothing."""
    states = growth(module, list(range(len(module.lines))), rng, len(module.lines), len(module.lines))
    return [step(module, before, after) for before, after in pairwise([[], *filter(None, states)])]


def next_edit(module: Module, numbers: list[int], rng: random.Random, prompt_format: PromptFormat) -> Example:
    """An excerpt without what some steps insert as history, then those steps."""
    states = growth(module, numbers, rng, rng.choice(STEPS), STEP_LINES)
    shown = states[0]
    if len(states) > 1:  # the cursor is near the next step more often than not
        missing = sorted(set(states[1]) - set(shown))
        cursor = sum(number < missing[0] for number in shown)
        above = cursor if rng.random() < 0.7 else rng.randint(0, len(shown))
    else:
        above = rng.randint(0, len(shown))
    fragments = history([module.lines[n] for n in shown], above, prompt_format)
    return Example(fragments, [step(module, before, after) for before, after in pairwise(states)])


def asked_lines(module: Module, target: Statement, rng: random.Random) -> int:
    """The line behind what the block at the cursor asks for: whole statements, at most BLOCK_LINES lines.

    The target, in a third of the cases with those behind it, or what fits of it; else its first line alone.
    """
    limit = target.code + BLOCK_LINES
    if rng.random() < ONE_LINE:
        return target.code + 1
    if target.last > limit:
        ends = [s.last for s in module.statements if target.code < s.code and s.last <= limit]
        return rng.choice(ends) if ends else target.code + 1
    last = target.last
    if rng.random() < FURTHER_STATEMENTS:
        last = max(
            (module.statements[i].last for i in target.siblings if module.statements[i].last <= limit),
            default=last,
        )
    return last


def open_block(
    module: Module, numbers: list[int], target: Statement, rng: random.Random, prompt_format: PromptFormat
) -> Example:
    """An excerpt as history, then the block at the cursor, then what else was left out."""
    inside = set(numbers)
    last = asked_lines(module, target, rng)
    end = max(last, target.last)
    if rng.random() < UNTYPED_BELOW:
        end = max(end, min((f[1] for f in module.functions if f[0] < target.code < f[1]), default=end))
    rest = [n for n in range(last, end) if n in inside]
    block, shown = range(target.code, last), sorted(inside.difference(range(target.code, end)))
    steps, state = [], sorted({*shown, *block})
    ends = {s.last for s in module.statements}
    while rest:
        sizes = [size for size in range(1, len(rest) + 1) if rest[size - 1] + 1 in ends] or [len(rest)]
        size = rng.choice([size for size in sizes if size <= BLOCK_LINES] or sizes[:1])
        following, rest = rest[:size], rest[size:]
        grown = sorted({*state, *following})
        steps.append(step(module, state, grown))
        state = grown
    return placed(module, shown, block, steps, prompt_format)


def rewrite(
    module: Module, numbers: list[int], target: Statement, prompt_format: PromptFormat
) -> Example | None:
    """The same without what depends on the block, which comes back in a last diff. None if that is much."""
    inside = set(numbers)
    present = {i for i, s in enumerate(module.statements) if inside.issuperset(range(s.code, s.last))}
    gone = closure(module, present, {module.statements.index(target)})
    lines = {n for i in gone for n in range(module.statements[i].code, module.statements[i].last)}
    block = range(target.code, target.last)
    if len(lines.difference(block)) > DEPENDENT_LINES:
        return None
    shown, steps = trimmed(module, inside - lines), []
    if not lines.issubset(block):
        steps.append(step(module, sorted({*shown, *block}), trimmed(module, inside)))
    return placed(module, shown, block, steps, prompt_format)


def placed(
    module: Module, shown: list[int], block: range, steps: list[str], prompt_format: PromptFormat
) -> Example:
    """The lines that are shown as history; then the lines of `block`, at their place, and `steps`."""
    above = sum(n < block.start for n in shown)
    first = chunk([module.lines[n] for n in block], above)
    return Example(history([module.lines[n] for n in shown], above, prompt_format), [first, *steps])


def instruction_for(module: Module, target: Statement, rng: random.Random) -> str:
    """The comment above the target, else its function's docstring's first line, else nothing."""
    if rng.random() >= INSTRUCTED_EXCERPTS:
        return ""
    above = module.lines[target.code - 1].strip() if target.code else ""
    if above.startswith("#"):
        return above.lstrip("#: ")
    return next((f[2] for f in reversed(module.functions) if f[0] <= target.code < f[1]), "")


def dedented(module: Module, first: int, last: int, keep_docstring: bool) -> Module | None:
    """A function or class as a module of its own, without its docstring unless that is kept."""
    lines = module.lines[first:last]
    indent = len(lines[0]) - len(lines[0].lstrip())
    text = "\n".join(line[indent:] for line in lines)
    try:
        tree = ast.parse(text)
        if (
            not keep_docstring
            and isinstance(tree.body[0], ast.FunctionDef | ast.ClassDef)
            and len(tree.body[0].body) > 1
        ):
            docstring = tree.body[0].body[0]
            rows = text.split("\n")
            following = rows[docstring.end_lineno :]
            text = "\n".join(rows[: docstring.lineno - 1] + following[not following[0].strip() :])
        return parse(text)
    except (SyntaxError, IndexError):
        return None


def examples_of(text: str, rng: random.Random, context: int) -> Iterator[Example]:
    """Training sequences of one module."""
    module = parse(text)
    document = Document("\n".join(module.lines))
    wanted = max(1, round(sum(map(cost, module.lines)) / TOKENS_PER_SAMPLE))
    used: set[int] = set()
    for _ in range(wanted):
        kind = choose(rng, KINDS)
        prompt_format = choose(rng, FORMATS)
        assert isinstance(prompt_format, PromptFormat)
        if kind == "empty":
            lone = [f for f in module.functions if f[0] not in used and 4 <= f[1] - f[0] <= 60]
            if not lone:
                continue
            first, last, docstring = rng.choice(lone)
            used.add(first)
            instructed = bool(docstring) and rng.random() < INSTRUCTED
            own = dedented(module, first, last, not instructed or rng.random() < 0.5)
            if own:
                yield Example([instruction_fragment(docstring if instructed else "")], from_empty(own, rng))
            continue
        longest = BLOCK_LINES if kind == "rewrite" else 40
        targets = [s for s in module.statements if s.code not in used and s.last - s.code <= longest]
        if kind == "open_block" and rng.random() < FUNCTION_STARTS:
            targets = [s for s in targets if is_first_in_function(module, s)] or targets
        if not targets:
            continue
        target = rng.choice(targets)
        budget = rng.randint(LEAST_BUDGET, min(MOST_BUDGET, context * 3 // 4))
        numbers = list(excerpt_around(document, target.code, budget, cost).numbers)
        if not set(numbers).issuperset(range(target.code, target.last)):
            continue
        used |= {n for n in numbers if abs(n - target.code) < 12}
        if kind == "next_edit":
            example = next_edit(module, numbers, rng, prompt_format)
        elif kind == "rewrite":
            example = rewrite(module, numbers, target, prompt_format)
        else:
            example = open_block(module, numbers, target, rng, prompt_format)
        if example is not None:
            instruction = instruction_fragment(instruction_for(module, target, rng))
            yield Example([instruction, *example.shown], example.asked)


def is_first_in_function(module: Module, statement: Statement) -> bool:
    """Whether it is the first statement of a function, its docstring aside."""
    bodies = [
        i
        for i in statement.siblings
        if not module.lines[module.statements[i].code].lstrip().startswith('"""')
    ]
    if statement.parent < 0 or not bodies or module.statements[bodies[0]] is not statement:
        return False
    return module.lines[module.statements[statement.parent].code].lstrip().startswith(("def ", "async def "))


def cost(line: str) -> int:
    """About the tokens of a line: words, numbers and marks, and its indentation as one."""
    return len(re.findall(r"[^\W\d_]{1,5}|\d|[^\w\s]{1,2}|_+", line)) + 1


def encoded(example: Example, tokenizer: "Tokenizer", context: int) -> list[int] | None:
    """Ids of a sequence with its end; whole diffs only. None when no answer fits."""
    boundary, end = tokenizer.token_to_id(BOUNDARY), 0
    given = len(example.shown)
    ids: list[int] = []
    for i, encoding in enumerate(tokenizer.encode_batch([*example.shown, *example.asked])):
        if len(ids) + len(encoding.ids) + 4 > context:
            return ids if i > given else None  # ends behind a boundary, without the end of the sequence
        header = encoding.tokens.index(LINE_END) + 1 if 0 < i < given else 0
        ids += [*(id_ | GIVEN for id_ in encoding.ids[:header]), *encoding.ids[header:], boundary]
    return [*ids, *tokenizer.encode("\n").ids, boundary, end]


def synthesized(path: Path) -> Iterator[Example]:
    """Each record that `lintseq-lsp synthesize` wrote, its docstring cut to one line."""
    with path.open() as file:
        for record in map(json.loads, file):
            instruction = record["source_instruction"].strip().partition("\n")[0]
            yield Example([instruction_fragment(instruction)], [f"{edit}\n" for edit in record["edit_path"]])


def encoded_file(path: Path, tokenizer_path: Path, context: int) -> Iterator[list[int]]:
    """Ids of the sequences of a file of `lintseq-lsp synthesize` that fit."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    tokenizer.encode_special_tokens = True
    return filter(None, (encoded(e, tokenizer, context) for e in synthesized(path)))


def plain_text(text: str, tokenizer: "Tokenizer", context: int) -> Iterator[list[int]]:
    ids = [*tokenizer.encode(text).ids, 0]
    for start in range(0, len(ids), context):
        yield ids[start : start + context]


def sequences_of(record: dict[str, str], path: Path, context: int, plain: bool, seed: int) -> list[list[int]]:
    """Ids of all sequences of one record of the corpus. The same for the same seed, in any process."""
    from tokenizers import Tokenizer  # not needed by what is pure

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True  # `<|diff|>` inside of code is text
    if plain:
        return list(plain_text(record["text"], tokenizer, context))
    rng = random.Random(f"{seed} {record['package']} {record['path']}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        examples = list(examples_of(record["text"], rng, context))
    return [ids for ids in (encoded(e, tokenizer, context) for e in examples) if ids]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/ and tokenizer.json")
    parser.add_argument("--tokenizer", type=Path, help="default: DATA/tokenizer.json")
    parser.add_argument("--out", type=Path, help="default: DATA/tokens or DATA/tokens-plain")
    parser.add_argument("--corpus", type=Path, help="default: DATA/corpus")
    parser.add_argument("--splits", nargs="+", default=["validation", "train"])
    parser.add_argument("--context", type=int, default=CONTEXT)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--synthesized", type=Path, nargs="*", default=[], help="for the train split, too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=10**9, help="records of a split, chosen at random")
    arguments = parser.parse_args()
    tokenizer_path = arguments.tokenizer or arguments.data / "tokenizer.json"
    if len(json.loads(tokenizer_path.read_text())["model"]["vocab"]) > GIVEN:
        parser.error(f"{tokenizer_path} has more than {GIVEN} tokens, and ids have 15 bits")
    out = arguments.out or arguments.data / ("tokens-plain" if arguments.plain else "tokens")
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(tokenizer_path, out / "tokenizer.json")  # a model that is trained on the rows keeps it
    if (configuration := tokenizer_path.with_name("tokenizer_config.json")).exists():
        shutil.copy(configuration, out)
    for split in arguments.splits:
        with ((arguments.corpus or arguments.data / "corpus") / f"{split}.jsonl").open() as file:
            records = [json.loads(line) for line in file]
        random.Random(arguments.seed).shuffle(records)
        job = partial(
            sequences_of,
            path=tokenizer_path,
            context=arguments.context,
            plain=arguments.plain,
            seed=arguments.seed,
        )
        with ProcessPoolExecutor(JOBS) as pool:
            results = pool.map(job, records[: arguments.most], chunksize=16)
            sequences = (ids for result in results for ids in result)
            paths = arguments.synthesized if split == "train" else []
            further = (ids for p in paths for ids in encoded_file(p, tokenizer_path, arguments.context))
            count = write_rows(packed(chain(sequences, further), arguments.context), out, split)
        print(f"{split}: {count} rows of {arguments.context} tokens")
