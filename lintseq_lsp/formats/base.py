"""What is asked of a model and what comes back, whatever it was trained for: values in, values out.

A format owns both directions. The engine, the evaluation and the training scripts ask through it, and
an answer comes back as replacements of the document. Deliberately absent: tokens of text, sampling, the gate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from lintseq_lsp.backends.base import Ending, Request, Sampling, Special
from lintseq_lsp.edits import Replacement
from lintseq_lsp.recent import RecentEdit
from lintseq_lsp.text import Document, split_lines

TOKENS_A_LINE = 24
"""Room for an answer of so many tokens a line. Lines of real programs have 12 in the mean."""

EXCERPT_TOKENS = 600
"""What a model sees of a document. More takes longer to read."""

OTHERS_TOKENS = 400
"""What a model sees of other files, where its format has a place for them."""


class Task(Enum):
    FILL = "fill"
    """Going on at the cursor: one insertion there."""
    LINES = "lines"
    """New lines, which begin with what a view has as `typed`: one insertion of whole lines."""
    NEXT = "next"
    """The edit that the user is likely to make next, anywhere."""
    INSTRUCT = "instruct"
    """The edits that follow an instruction."""

    @property
    def words(self) -> str:
        """For people."""
        return {
            Task.FILL: "ghost text",
            Task.LINES: "code actions",
            Task.NEXT: "next edits",
            Task.INSTRUCT: "instructions",
        }[self]


@dataclass(frozen=True, slots=True)
class View:
    """What is known where a model is asked.

    `offset` is the cursor's (code points). With `typed`, new lines are wanted that begin with it: above the
    line that begins at `offset`, or else below the line that `offset` is in. `lines` (zero-based, inclusive)
    are those that an instruction is about. `recent` is what the user changed lately, the newest last, in
    this document and in others. `others` has the texts of other files that are open by their paths, the
    newest first.
    """

    document: Document
    offset: int
    typed: str | None = None
    instruction: str = ""
    lines: tuple[int, int] | None = None
    recent: tuple[RecentEdit, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def above(self) -> int:
        """So many lines of the document stand above what is asked for."""
        line, column = self.document.position(self.offset)
        return line + (column > 0 and self.typed is not None)

    @classmethod
    def of_new_lines(cls, document: Document, above: int, typed: str, instruction: str = "") -> "View":
        """New lines below the first `above` lines of a document."""
        return cls(document, document.offset(above, 0), typed, instruction)


@dataclass(frozen=True, slots=True)
class Room:
    """Tokens of prompt and answer together; lines and tokens of an answer.

    `words`: a word that the prompt ends inside of is finished, whatever its tokens are (`Ability.WORDS`).
    """

    context: int
    lines: int
    tokens: int
    words: bool = True


@dataclass(frozen=True, slots=True)
class Malformed:
    """Model text that is no answer in its format, or one that does not fit the document."""

    reason: str


@dataclass(frozen=True, slots=True)
class Edit:
    """An answer: replacements of the view's document, ascending and apart. None: nothing is changed.

    All changes together are one step, unless there are `lines`: then each is a step of its own, which rests
    on these lines of the answer's own text. `after` is the question that follows when the edit is made;
    none when the model is done.
    """

    changes: tuple[Replacement, ...] = ()
    after: Callable[[], "Question | None"] = field(default=lambda: None, compare=False, repr=False)
    lines: tuple[range, ...] = ()


class Reader(Protocol):
    """Reads one answer. Model text never raises."""

    def feed(self, text: str) -> str | Malformed:
        """The answer's own text in the next piece: none of a header, say. `Malformed` as soon as it is."""
        ...

    def close(self, stop: Ending) -> Edit | Malformed:
        """What the answer means, now that `stop` ended it. One that was cut off is never half an edit."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and who reads an answer to it: a new reader for each candidate."""

    request: Request
    reader: Callable[[], Reader]
    from_cursor: bool = True
    """Whether the answer's own text begins at the cursor: a region has lines above it."""

    def sampled(self, sampling: Sampling, candidates: int = 1) -> "Question":
        """The same question, answered otherwise."""
        return replace(self, request=replace(self.request, sampling=sampling, candidates=candidates))


class PromptFormat(Protocol):
    """One way in which models were trained to be asked."""

    @property
    def name(self) -> str:
        """As settings, manifests and model files have it."""
        ...

    @property
    def tasks(self) -> frozenset[Task]: ...

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:
        """Whether it is that of a model of this name, whose vocabulary `has` tokens.

        The name is empty where only the vocabulary counts: the format was chosen by a setting or the file.
        """
        ...

    def is_named(self, name: str) -> bool:
        """Whether models of that name are asked so, where nothing else is known of them."""
        ...

    def ask(self, view: View, task: Task, count: Callable[[str], int], room: Room) -> Question | None:
        """None when the question does not fit the room. `count` has the tokens of a text.

        `task` is one of `tasks`. Raises `PromptError` for a document that cannot be shown in this format.
        """
        ...


def changed_lines(document: Document, change: Replacement) -> tuple[int, int, list[str]]:
    """(first, end, lines): the document's lines [first, end) become `lines`; lines that stay are no part."""
    first, column = document.position(change.start)
    last, end_column = document.position(change.end)
    before, behind = document.lines[first][:column], document.lines[last][end_column:]
    lines, _ = split_lines(before + change.text + behind)
    end = last + 1
    if end_column == 0 and column == 0 and len(lines[-1]) == len(behind) and (first < last or len(lines) > 1):
        return first, last, lines[:-1]
    if column == len(document.lines[first]) and len(lines[0]) == column and (first < last or len(lines) > 1):
        return first + 1, end, lines[1:]
    return first, end, lines
