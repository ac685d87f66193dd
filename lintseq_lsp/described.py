"""What came of a request, in the words of a case file: verdicts, reasons, and the changes offered."""

import difflib
import itertools

from lintseq_lsp.generation import Ended, Step
from lintseq_lsp.reasons import Reason
from lintseq_lsp.suggestions import Outcome
from lintseq_lsp.text import Document, split_lines
from lintseq_lsp.verdicts import Verdict


def described(
    way: str, document: Document, result: Outcome | list[Step | Ended]
) -> tuple[str, tuple[str, ...]]:
    """The sections `expect` and `edit`."""
    lines: list[str] = []
    texts = [document.text]
    if isinstance(result, Outcome):
        for verdict in result.rejected:
            lines += ["rejected: " + _reason(verdict.reason, verdict.detail), *_findings(verdict)]
        lines.append("answer: " + _reason(result.reason, result.detail))
        texts += [suggestion.text for suggestion in result.suggestions]
    else:
        for item in result:
            if isinstance(item, Step):
                verdict = item.verdict
                lines += [f"{item.number}. " + _reason(verdict.reason, verdict.detail), *_findings(verdict)]
            else:
                counts = f"{item.accepted} accepted, {item.rejected} rejected"
                lines.append(f"stop: {item.reason.value}, {counts}")
                texts.append(item.document.text)
    # Alternatives are changes of the document, all others of what was there before them.
    before = itertools.repeat(document.text) if way == "complete" else texts
    changes = [difference(old, new) for old, new in zip(before, texts[1:], strict=False)]
    return "".join(f"{line}\n" for line in lines), tuple(filter(None, changes))


def _reason(reason: Reason, detail: str) -> str:
    """With what it says beside; parsers say it in words that change from Python to Python."""
    return f"{reason.value}: {detail}" if detail and reason is not Reason.DOES_NOT_PARSE else reason.value


def _findings(verdict: Verdict) -> list[str]:
    if verdict.reason is Reason.DOES_NOT_PARSE:
        return []
    return [f"   line {found.line}: {found.symbol}: {found.message}" for found in verdict.findings]


def difference(before: str, after: str) -> str:
    """A unified diff of two texts without names; line ends are in it when they are not all the same."""
    texts = [split_lines(text) for text in (before, after)]
    ends = {end for _, found in texts for end in found if end}
    if len(ends) < 2:
        texts = [(lines, ["\n" if end else "" for end in found]) for lines, found in texts]
    old, new = ([line + end for line, end in zip(*text, strict=True) if line + end] for text in texts)
    changed = list(difflib.unified_diff(old, new))[2:]
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in changed
    )
