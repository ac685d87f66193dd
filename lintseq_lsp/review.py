"""The verdicts on changes of several files at once: each is judged where it stands, among the others.

Deliberately absent: where changes come from (patches/, git.py), and how verdicts are shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lintseq_lsp.gate import Gate
from lintseq_lsp.linters.workspace import GivenWorkspace
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Change:
    """A file before and after; None where it does not exist. Paths are absolute.

    `name` is what it is called. With `counts` false it is there for the sake of the others alone.
    """

    name: str
    old: str
    new: str
    before: str | None
    after: str | None
    counts: bool = True


def review(gate: Gate, changes: Sequence[Change], *, lenient: bool) -> Iterator[tuple[Change, Verdict]]:
    """The verdict on each text after, in order.

    Whatever the files hold now, other files of the review are what they were before, and after. `lenient` is
    for what people wrote: see `Bar.submit`. From then on, the gate's workspace is that after.
    """
    # What a module imports depends on its place.
    absent: dict[str, str | None] = dict.fromkeys(
        path for change in changes for path in (change.old, change.new)
    )
    judged = [change for change in changes if change.counts and change.after is not None]
    gate.workspace = GivenWorkspace(absent | {change.old: change.before for change in changes})
    bars = [gate.against(Document(change.before or "", None, change.old)) for change in judged]
    gate.workspace = GivenWorkspace(absent | {change.new: change.after for change in changes})
    for change, bar in zip(judged, bars, strict=True):
        after = Document(change.after or "", None, change.new)
        yield change, bar.submit(after, early=False, lenient=lenient).result()
