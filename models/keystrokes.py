"""How much of what a user types an editor would have written: held-out modules, key by key.

    python models/keystrokes.py models/MODEL.gguf --data .work --out models/keystrokes.md
    python models/keystrokes.py OTHER.gguf --data .work --format plain --rows product
    python models/keystrokes.py models/MODEL.gguf --data .work --rows product --certainty 0.1 0.3 0.5

The simulated user of typist.py types from a line of each module on, with nothing below; and functions that
were taken out of it, with the rest in place. After each key the server's own rules decide what is shown: what
is remembered, quiet places, certainty, the gate, the peace after a rejection. A suggestion that comes after
the next key was typed is not seen. Five keys a second, and a second before each line.

The time of a request is calculated from what was counted: tokens read and written, and checks of the linter,
at rates that `lintseq-lsp bench` measured on two cores (`--rates`). So a row says the same on any machine
however busy, and nothing of how a slow one would do. Jedi's is its own time of the processor.

Rows: `product` is the server; `no-gate` shows what the model writes; `syntax` rejects only what does not
parse or has undefined names; `jedi` is what editors have without a model (needs `pip install jedi`): the
right name among the first five, one key down for each above it. For that row no model is opened.

Every answer of the model is kept in DATA/evaluation/, so that a run which was stopped goes on where it was,
and another row asks for little that is new.

Completed: share of the characters (indentation aside) that suggestions brought. Fewer keys: share of the keys
that were not pressed; each acceptance, of all or of a word, is a key. Shown: suggestions a hundred keys.
Accepted: share of those that were taken whole; in part: those of which words were taken. Wrong: the
rest, a hundred keys. Ms: from the key until it is shown, median and 90 in 100. Busy: seconds
a hundred keys. ± is a 95 % interval, by resampling modules.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from intervals import half
from judge import SETTINGS
from kept import Kept, KeptBackend, code
from positions import modules_of
from systems import opened
from typist import PATH, Counts, Offer, Passage, Suggester, passages, type_out

from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Check, Linter, Report, Tier
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.lsp.feedback import Feedback
from lintseq_lsp.runtime import open_linter
from lintseq_lsp.suggestions import Memory, Suggestion
from lintseq_lsp.text import Document
from lintseq_lsp.weights.gguf_header import verify
from lintseq_lsp.weights.registry import resolve_model

ROWS = ("product", "no-gate", "syntax", "jedi")
RATES = (770.0, 180.0, 50.0)
"""Tokens read, tokens written, and checks a second."""
POLICY = GatePolicy(timeout=60.0, baseline_timeout=60.0)


class CountingLinter:
    """Counts the checks."""

    def __init__(self, linter: Linter) -> None:
        self._linter = linter
        self.checks = 0

    def submit(self, check: Check) -> Future[Report]:
        self.checks += 1
        return self._linter.submit(check)

    def close(self) -> None:
        self._linter.close()


class NoLinter:
    """Finds what `findings` finds, at once."""

    def __init__(self, findings: Callable[[str], Report]) -> None:
        self._findings = findings

    def submit(self, check: Check) -> Future[Report]:
        done: Future[Report] = Future()
        done.set_result(replace(self._findings(check.text), tier=Tier.PYLINT))
        return done

    def close(self) -> None:
        pass


def finds_nothing(*_: str) -> Report:
    return Report(tier=Tier.PYLINT)


class InTime(Memory):
    """Remembers only what was not given up."""

    def __init__(self) -> None:
        super().__init__()
        self._new: list[tuple[Suggestion, int]] = []

    def remember_inline(self, suggestion: Suggestion, offset: int) -> None:
        self._new.append((suggestion, offset))

    def keep(self, *, new: bool) -> None:
        for suggestion, offset in self._new if new else ():
            super().remember_inline(suggestion, offset)
        self._new.clear()


class Server:
    """What the server shows, by its own rules."""

    def __init__(
        self,
        engine: Engine,
        backend: KeptBackend,
        linter: CountingLinter,
        certainty: float,
        rates: Sequence[float],
    ) -> None:
        self._engine, self._backend, self._linter = engine, backend, linter
        self._certainty, self._rates = certainty, rates
        self._now = 0.0
        self._memory = self._engine.memory = InTime()
        self._feedback = Feedback(self._memory.reject, lambda _: None, lambda: self._now)

    def at(self, document: Document, offset: int, now: float, gap: float) -> tuple[Offer | None, float]:
        self._now = now
        recalled = self._engine.recall(document, offset)
        if recalled is not None:
            suggestions = self._feedback.stable(PATH, recalled.suggestions)
            self._feedback.offered(PATH, suggestions, document, offset)
            return Offer([suggestions[0].replacements[0].text], known=True), 0.0
        if self._feedback.is_quiet(PATH):
            return None, 0.0
        before = self._backend.read, self._backend.written, self._linter.checks
        outcome = self._engine.complete(document, offset, certainty=self._certainty)
        after = self._backend.read, self._backend.written, self._linter.checks
        seconds = sum((now - then) / rate for then, now, rate in zip(before, after, self._rates, strict=True))
        self._memory.keep(new=seconds < gap)
        if not outcome.suggestions or seconds >= gap:
            return None, seconds
        shown = outcome.suggestions[0]
        self._feedback.offered(PATH, [shown], document, offset)
        return Offer([shown.replacements[0].text], seconds), seconds

    def changed(self, document: Document, now: float) -> None:
        self._now = now
        self._feedback.changed(PATH, document)


class Jedi:
    """Names that jedi knows, in the editor's pop-up."""

    MOST = 5

    def __init__(self) -> None:
        import jedi

        self._script = jedi.Script
        self._shown = False

    def at(self, document: Document, offset: int, _: float, gap: float) -> tuple[Offer | None, float]:
        text = document.text
        name = offset > 0 and (text[offset - 1].isidentifier() or text[offset - 1] == ".")
        if not name:
            self._shown = False
            return None, 0.0
        line, column = document.position(offset)
        start = time.process_time()
        try:
            found = self._script(text).complete(line + 1, column)
        except Exception:  # noqa: BLE001 - a crash of jedi's shows nothing, as in an editor
            found = []
        seconds = time.process_time() - start
        texts = [each.complete for each in found[: self.MOST] if each.complete and seconds < gap]
        was, self._shown = self._shown, bool(texts)
        return (Offer(texts, seconds, known=was, whole=True) if texts else None), seconds

    def changed(self, document: Document, now: float) -> None:
        pass


def measured(
    name: str, path: Path, wanted: Sequence[Passage], suggester: Callable[[], Suggester]
) -> list[Counts]:
    """Of each passage; those that are in the file of results already are not typed again."""
    with closing(Kept(path)) as known:
        return known.of_each(name, wanted, lambda passage: type_out(passage, suggester()))


FIGURES: tuple[Callable[[Counts], float], ...] = (
    lambda c: 100 * c.completed / c.keys_without,
    lambda c: 100 * (1 - c.keys / c.keys_without),
    lambda c: 100 * c.shown / c.keys_without,
    lambda c: 100 * c.accepted / max(c.shown, 1),
    lambda c: 100 * c.in_part / max(c.shown, 1),
    lambda c: 100 * (c.shown - c.accepted - c.in_part) / c.keys_without,
)
"""In the order of HEAD: completed, fewer keys, shown, accepted, in part, wrong."""


def together(counts: Sequence[Counts]) -> Counts:
    total = Counts()
    for each in counts:
        total.add(each)
    return total


def row(title: str, wanted: Sequence[Passage], counts: Sequence[Counts]) -> str:
    by_module = [
        together([count for passage, count in zip(wanted, counts, strict=True) if passage.module == module])
        for module in dict.fromkeys(passage.module for passage in wanted)
    ]
    total = together(counts)
    cells = [title, f"{total.keys_without}"]
    for figure in FIGURES:
        interval = half(by_module, lambda sample, figure=figure: figure(together(sample)))
        cells.append(f"{figure(total):.1f} ± {interval:.1f}")
    delays = sorted(total.delays) or [0.0]
    cells += [f"{1000 * delays[int(len(delays) * share)]:.0f}" for share in (0.5, 0.9)]
    cells.append(f"{100 * total.busy / total.keys_without:.1f}")
    return f"| {' | '.join(cells)} |"


HEAD = """\
| row | keys | completed, % | fewer keys, % | shown | accepted, % | in part, % | wrong | ms | p90 | busy |
|---|---|---|---|---|---|---|---|---|---|---|"""


def options(description: str | None) -> argparse.ArgumentParser:
    """Those of whatever has the simulated user type."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/")
    parser.add_argument("--split", default="held_out")
    parser.add_argument("--modules", type=int, default=21)
    parser.add_argument("--keys", type=int, default=1100, help="of each module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=FORMATS, help="of prompts; default: the model's")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, help="the tables as Markdown")
    return parser


def typed(arguments: argparse.Namespace) -> list[Passage]:
    """What the user types."""
    warnings.simplefilter("ignore", SyntaxWarning)
    modules = modules_of(arguments.data / "corpus" / f"{arguments.split}.jsonl")
    return list(passages(modules, arguments.modules, arguments.keys, arguments.seed))


@contextmanager
def asked(arguments: argparse.Namespace) -> Iterator[tuple[str, KeptBackend, Callable[[Gate], Engine]]]:
    """The model: what tells it from others, the backend, and what makes an engine of it with a gate."""
    path = arguments.model
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    prompt_format = FORMATS[arguments.format] if arguments.format else verify(path).prompt_format()
    certainty = resolve_model(str(path)).certainty
    kept = Kept(arguments.data / "evaluation" / "answers-keystrokes.sqlite")
    with closing(kept), closing(opened(path, arguments.threads)) as model:
        backend = KeptBackend(model, kept, digest)

        def engine(gate: Gate) -> Engine:
            return Engine(backend, gate, prompt_format=prompt_format, settings=SETTINGS, certainty=certainty)

        yield digest, backend, engine


def rows(arguments: argparse.Namespace) -> Iterator[str]:
    """Lines of the table. Jedi's is the first, and needs no model."""
    wanted = typed(arguments)
    results = arguments.data / "evaluation" / "keystrokes.sqlite"
    if "jedi" in arguments.rows:
        yield row("jedi", wanted, measured(json.dumps(["jedi", code()]), results, wanted, Jedi))
    names = [name for name in arguments.rows if name != "jedi"]
    if not names:
        return
    with asked(arguments) as (digest, backend, engine):
        for name in names:
            check = finds_nothing if name == "no-gate" else check_syntax
            linter = CountingLinter(open_linter(SETTINGS) if name == "product" else NoLinter(check))
            gate = Gate(linter, check, POLICY)
            for certainty in arguments.certainty:
                title = f"{arguments.model.stem}, {name}"
                title += "" if certainty < 0 else f", certainty {certainty}"
                label = json.dumps([title, digest, code(), arguments.format, arguments.rates])
                make = partial(Server, engine(gate), backend, linter, certainty, arguments.rates)
                yield row(title, wanted, measured(label, results, wanted, make))
            linter.close()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=["product"])
    parser.add_argument("--certainty", nargs="+", type=float, default=[-1.0])
    parser.add_argument(
        "--rates",
        nargs=3,
        type=float,
        default=RATES,
        metavar=("READ", "WRITTEN", "CHECKED"),
        help="tokens read, tokens written, and checks a second; default: %(default)s",
    )
    arguments = parser.parse_args()
    lines = []
    for line in rows(arguments):
        print(line, flush=True)
        lines.append(line)
    if arguments.out:
        before = arguments.out.read_text() if arguments.out.exists() else HEAD + "\n"
        arguments.out.write_text(before + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
