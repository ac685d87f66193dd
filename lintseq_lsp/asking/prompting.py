"""What the model is shown of a document, and what it is asked for there.

The only module of this package that knows how a prompt is made, and in which lines an answer counts.
"""

from collections import OrderedDict
from collections.abc import Sequence

from lintseq_lsp import completion
from lintseq_lsp.backends.base import Backend, Request, Stop
from lintseq_lsp.completion import Cursor
from lintseq_lsp.diffs import Diff, Malformed
from lintseq_lsp.excerpt import Excerpt, excerpt_around
from lintseq_lsp.generation import Limits, Proposal, State, Step
from lintseq_lsp.prompts import Opening, PromptFormat, history, instruction_fragment, open_block
from lintseq_lsp.text import Document

EXCERPT_TOKENS = 600
"""What the model sees of a document. More takes longer to read."""

_TOKENS_A_LINE = 24
"""Room for an answer of so many tokens a line. Lines of real programs have 12 in the mean."""


def insertion_limits(lines: int, tries: int) -> Limits:
    """Of one insertion of up to `lines` lines."""
    return Limits(steps=1, lines=lines, tries=tries, tokens=lines * _TOKENS_A_LINE)


def lines_of(proposal: Proposal) -> Sequence[str] | Malformed:
    """The whole lines of an answer to `Prompting.request`."""
    if isinstance(proposal.diff, Malformed):
        return proposal.diff
    added = inserted(proposal.diff)
    cut_off = proposal.stop is Stop.LENGTH and not proposal.written.endswith("\n")  # in the middle of a line
    return added[:-1] if cut_off else added


def inserted(diff: Diff | Malformed) -> Sequence[str]:
    """The lines that an accepted step, or the first part of an answer, inserts."""
    assert isinstance(diff, Diff)
    return diff.hunks[0].added if diff.hunks else ()


def line_count(step: Step) -> int:
    """So many lines an accepted step inserts."""
    assert isinstance(step.diff, Diff)
    return sum(len(hunk.added) for hunk in step.diff.hunks)


class Prompting:
    """One model's prompts. Remembers what lines cost."""

    def __init__(self, backend: Backend, prompt_format: PromptFormat) -> None:
        self._backend = backend
        self._format = prompt_format
        self._costs: OrderedDict[str, int] = OrderedDict()

    def request(self, cursor: Cursor, max_lines: int) -> Request | None:
        """What to ask of the model for the statement at the cursor; None when the context is too small."""
        tokens = min(max_lines * _TOKENS_A_LINE, self._backend.context // 5)
        excerpt = completion.shown(cursor, self._excerpt(cursor.document, cursor.line, "", tokens))
        opening = completion.opening_at(cursor, excerpt, max_lines)
        fragment, begins = open_block(opening)
        shown = history(excerpt.lines(cursor.document), opening.above, self._format)
        prompt = (instruction_fragment(""), *shown, fragment)
        fixed = [*prompt, max(begins, key=len, default="")]
        room = self._backend.context - sum(self._backend.count(part) + 1 for part in fixed)
        if room < _TOKENS_A_LINE:
            return None
        # A header that is still to be written is a line of its own.
        lines = 1 if opening.fewest == opening.most else opening.most + 1
        tokens = min(room, 2 * _TOKENS_A_LINE if lines == 1 else tokens)
        return Request(prompt, begins, max_tokens=tokens, max_lines=lines)

    def state(self, document: Document, line: int, instruction: str, limits: Limits) -> State:
        """The document as the model sees it around `line`."""
        excerpt = self._excerpt(document, line, instruction, limits.tokens)
        fragments = history(excerpt.lines(document), excerpt.above(line), self._format)
        return State(document, excerpt, (instruction_fragment(instruction), *fragments))

    def opening(self, state: State, above: int, typed: str, lines: int) -> Opening:
        """An insertion of up to `lines` lines below the first `above` lines of the document."""
        return Opening(state.excerpt.above(above), typed, 1, lines)

    def places(self, state: State, lines: tuple[int, int]) -> range:
        """Where an insertion goes inside of `lines` (zero-based, inclusive) or right around them."""
        return range(state.excerpt.above(lines[0]), state.excerpt.above(lines[1] + 1) + 1)

    def _excerpt(self, document: Document, line: int, instruction: str, answer: int) -> Excerpt:
        room = self._backend.context - answer - self._backend.count(instruction) - 32
        return excerpt_around(document, line, min(room, EXCERPT_TOKENS), self._cost)

    def _cost(self, line: str) -> int:
        """Tokens of a line in a chunk, with its share of the chunk's header."""
        cost = self._costs.get(line)
        if cost is None:
            cost = self._costs[line] = self._backend.count(f"+{line}\n") + 2
            while len(self._costs) > 4096:
                self._costs.popitem(last=False)
        return cost
