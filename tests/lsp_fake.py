"""A language server with an engine that does what the documents say: a real process, without a model.

Run as a script. Comment lines of a document are orders: `# offer: TEXT` (at the cursor, `\\n` is a line
end), `# below: TEXT` (a line below the cursor's), `# next: LINE TEXT` (a line inserted there),
`# wait next: FILE` (behind each of those, until the file exists), `# resolve: TEXT` (instead of the
action's line), `# step: TEXT` and `# bad step` (for an instruction), `# block` (until cancelled),
`# wait: FILE` (until the file exists), `# lint: FILE` (the linter is busy until then),
`# crash`, `# model error`, `# out of date` (to be
judged again), `# wrong by now` (and then rejected).
Every call is a line of standard error.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from lintseq_lsp.actions import Action
from lintseq_lsp.asking.remembered import recall
from lintseq_lsp.cases import Case
from lintseq_lsp.edits import Replacement, rebase
from lintseq_lsp.errors import Cancelled, ModelError, ModelFileError, Pending
from lintseq_lsp.formats.base import Edit
from lintseq_lsp.generation import Ended, Step
from lintseq_lsp.linters.base import Tier
from lintseq_lsp.lsp.engine import Engine
from lintseq_lsp.reasons import Reason
from lintseq_lsp.recent import RecentEdit
from lintseq_lsp.settings import Part, Settings
from lintseq_lsp.suggestions import Evidence, Memory, Outcome, Suggestion
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict

HEAVY = ("IPython", "pylint", "astroid", "llama_cpp", "numpy", "pyflakes", "psutil", "rich", "typer")


def log(text: str) -> None:
    sys.stderr.write(f"fake: {text}\n")
    sys.stderr.flush()


class FakeEngine:
    def __init__(self, settings: Settings, memory: Memory) -> None:
        self.settings = settings
        self.memory = memory

    def close(self) -> None:
        log("close")

    def prepare(self, document: Document, line: int | None, *, patience: float) -> bool:
        log(f"prepare {document.path} {line}")
        self.lint(document, line, patience=patience)
        return True

    def lint(self, document: Document, line: int | None, *, patience: float) -> None:
        files = [Path(name) for name in orders(document, "lint")]
        if not all(file.exists() for file in files):
            assert patience < 1
            log(f"lint {document.path} {line}")
            report: Future[None] = Future()
            threading.Thread(target=finish, args=(files, report), daemon=True).start()
            raise Pending(report)

    def read_ahead(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...],  # noqa: ARG002
        below: bool,
        cancelled: Callable[[], bool],
    ) -> None:
        log(f"read ahead {document.path} {document.position(offset)}{'' if below else ' alone'}")
        self._obey(document, cancelled)

    def recall(self, document: Document, offset: int) -> Outcome | None:
        return recall(self.memory, self.holds, document, offset)

    def recall_next(self, document: Document) -> Suggestion | None:
        return self.memory.recall_next(document)

    def holds(self, suggestion: Suggestion) -> bool:
        return {"# out of date", "# wrong by now"}.isdisjoint(suggestion.base.lines)

    def complete(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...],
        candidates: int,
        certainty: float,
        cancelled: Callable[[], bool],
    ) -> Outcome:
        log(f"complete {document.path} {candidates} {self.settings.max_lines} {certainty}")
        for edit in recent:
            log(f"told {edit.path} {edit.above} {edit.old} {edit.new}")
        self._obey(document, cancelled)
        line = document.position(offset)[0]
        end = document.starts[line] + len(document.lines[line])
        changes = [Replacement(offset, offset, text) for text in orders(document, "offer")]
        changes += [Replacement(end + 1, end + 1, text + "\n") for text in orders(document, "below")]
        suggestions = tuple(suggestion(document, change) for change in changes[:candidates])
        for entry in suggestions:
            self.memory.remember_inline(entry, offset)
        return outcome(suggestions)

    def next_edit(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...],
        certainty: float,
        on_clean: Callable[[Outcome, Document], None],
        cancelled: Callable[[], bool],
    ) -> Outcome:
        log(f"next_edit {document.path} {offset} {certainty}")
        for edit in recent:
            log(f"recent {edit.path} {edit.above} {edit.old} {edit.new}")
        self._obey(document, cancelled)
        found: list[Suggestion] = []
        state = document
        for order in orders(document, "next"):
            line, _, text = order.partition(" ")
            start = document.starts[int(line)]
            change = suggestion(document, Replacement(start, start, text + "\n"))
            if self.memory.is_declined(change):
                break
            found.append(change)
            if moved := rebase(change.replacements, document.text, state.text):
                alone = replace(change, base=state, replacements=tuple(moved))
                self.memory.remember_next(state.text, alone)
                state = Document(alone.text, None, document.path)
            on_clean(outcome(tuple(found)), state)
            self._obey(
                Document("\n".join(f"# wait: {name}" for name in orders(document, "wait next"))), cancelled
            )
        return outcome(tuple(found))

    def rebase(
        self, suggestion: Suggestion, now: Document, *, cancelled: Callable[[], bool]
    ) -> Suggestion | None:
        if cancelled():
            raise Cancelled
        if "# wrong by now" in now.lines:
            return None
        moved = rebase(suggestion.replacements, suggestion.base.text, now.text)
        return replace(suggestion, base=now, replacements=tuple(moved)) if moved else None

    def resolve(self, document: Document, action: Action, *, cancelled: Callable[[], bool]) -> Outcome:
        log(f"resolve {action.kind.value} {action.first_line} {action.last_line}")
        self._obey(document, cancelled)
        start = document.starts[action.first_line]
        end = document.starts[action.last_line] + len(document.lines[action.last_line])
        changes = [Replacement(start, end, text) for text in orders(document, "resolve")]
        found = tuple(suggestion(document, change) for change in changes[:1])
        return Outcome(found, Reason.ACCEPTED if found else Reason.NOTHING_NEW, proved=bool(found))

    def edit(
        self,
        document: Document,
        instruction: str,
        *,
        lines: tuple[int, int] | None,
        cancelled: Callable[[], bool],
    ) -> Iterator[Step | Ended]:
        log(f"edit {instruction} {lines}")
        text, accepted = document.text, 0
        for number, line in enumerate(document.lines, 1):
            if line.startswith("# step: "):
                text += line.removeprefix("# step: ") + "\n"
                accepted += 1
                state = Document(text, document.version, document.path)
                yield Step(number, Edit(), "", document, state, Verdict(Reason.ACCEPTED, tier=Tier.PYLINT))
            elif line == "# bad step":
                yield Step(number, Edit(), "", document, document, Verdict(Reason.NEW_FINDINGS))
            else:
                self._obey(Document(line), cancelled)
        yield Ended(Reason.COMPLETE, Document(text), accepted, 0)

    def recorded(self, path: str) -> Case | None:
        log(f"recorded {path}")
        return Case("edit", "x\n") if path.endswith("a.py") else None

    def _obey(self, document: Document, cancelled: Callable[[], bool]) -> None:
        if "# crash" in document.lines:
            raise ValueError(f"secret {document.text}")
        if "# model error" in document.lines:
            raise ModelError("the model is gone")
        waits = [Path(name) for name in orders(document, "wait")]
        block = "# block" in document.lines
        if block or waits:
            log("waiting")
        while block or not all(path.exists() for path in waits):
            if cancelled():
                log("cancelled")
                raise Cancelled
            time.sleep(0.002)


def finish(files: list[Path], report: Future[None]) -> None:
    while not all(file.exists() for file in files):
        if report.cancelled():
            log("lint given up")
            return
        time.sleep(0.002)
    report.set_result(None)


def orders(document: Document, name: str) -> list[str]:
    prefix = f"# {name}: "
    return [
        line.removeprefix(prefix).replace("\\n", "\n").replace("\\r", "\r")
        for line in document.lines
        if line.startswith(prefix)
    ]


def suggestion(document: Document, change: Replacement) -> Suggestion:
    return Suggestion(document, (change,), Evidence(1, 0, Tier.PYLINT, 1.0))


def outcome(suggestions: tuple[Suggestion, ...]) -> Outcome:
    rejected = (Verdict(Reason.NEW_FINDINGS, tier=Tier.SYNTAX),)
    return Outcome(
        suggestions, Reason.ACCEPTED if suggestions else Reason.COMPLETE, rejected=rejected, milliseconds=2.0
    )


def open_engine(
    settings: Settings, folders: Callable[[], Sequence[Path]], *_: object, memory: Memory, **__: object
) -> Engine:
    folder = next(iter(folders()), None)
    log(f"open {settings.model} {folder} {settings.trusted}")
    log(f"heavy {[name for name in HEAVY if name in sys.modules]}")
    log(f"standard input {os.read(0, 1)!r}")
    print("a library that writes to standard output")  # noqa: T201
    if settings.model == "broken":
        raise ModelFileError("the model broken is no model: choose another one")
    return FakeEngine(settings, memory)


def reopen(
    engine: FakeEngine, parts: Collection[Part], settings: Settings, *_: object, **__: object
) -> FakeEngine:
    log(f"reopen {' '.join(sorted(part.value for part in parts))} {settings.model}")
    return engine


if __name__ == "__main__":
    import lintseq_lsp.runtime
    from lintseq_lsp.lsp import start

    lintseq_lsp.runtime.open_engine = open_engine  # type: ignore[assignment]
    lintseq_lsp.runtime.reopen = reopen  # type: ignore[assignment]
    sys.exit(start.serve(sys.argv[1:]))
