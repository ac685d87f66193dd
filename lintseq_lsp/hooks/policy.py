"""What an agent is told of its edits, and when: at once, or at its turn's end.

At once: what no later edit is likely to make right. A change is often made in several edits, which leave
names open on the way: a call is written before its function, an import before its use. So that waits.
Deliberately absent: how findings are found (judge.py), and how an agent is answered (clients.py).
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lintseq_lsp.alignment import origins
from lintseq_lsp.linters.base import Finding
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import finding_key, index_of

_NOWHERE = re.compile(r" \(<unknown>, line \d+\)")

MOST_FINDINGS = 10
"""In one message."""

MOST_TIMES = 2
"""That an agent is told the same finding: of the edit, and at the turn's end."""

NAMES = {
    "pylint": frozenset(
        {
            "possibly-used-before-assignment",
            "undefined-all-variable",
            "undefined-variable",
            "used-before-assignment",
        }
    ),
    "ruff": frozenset({"undefined-export", "undefined-local", "undefined-name"}),
    "ty": frozenset({"unresolved-reference"}),
}
"""Of each linter, what says that a name is not defined."""

DEFINITE = {
    "pylint": frozenset(
        {
            "bad-except-order",
            "bad-format-character",
            "bad-reversed-sequence",
            "bad-str-strip-call",
            "bad-string-format-type",
            "bidirectional-unicode",
            "dict-iter-missing-items",
            "duplicate-bases",
            "format-needs-mapping",
            "inherit-non-class",
            "init-is-generator",
            "invalid-character-backspace",
            "invalid-character-esc",
            "invalid-character-nul",
            "invalid-character-sub",
            "invalid-character-zero-width-space",
            "invalid-envvar-value",
            "invalid-slots",
            "invalid-slots-object",
            "logging-format-truncated",
            "logging-too-few-args",
            "logging-too-many-args",
            "logging-unsupported-format",
            "misplaced-bare-raise",
            "misplaced-format-function",
            "missing-format-string-key",
            "mixed-format-string",
            "modified-iterating-dict",
            "modified-iterating-set",
            "no-method-argument",
            "no-self-argument",
            "nonexistent-operator",
            "not-async-context-manager",
            "notimplemented-raised",
            "potential-index-error",
            "raising-bad-type",
            "relative-beyond-top-level",
            "repeated-keyword",
            "return-in-init",
            "too-few-format-args",
            "too-many-format-args",
            "truncated-format-string",
            "unexpected-special-method-signature",
            "yield-inside-async-function",
        }
    ),
    "ruff": frozenset(
        {
            "assert-tuple",
            "default-except-not-last",
            "expressions-in-star-assignment",
            "if-tuple",
            "invalid-print-syntax",
            "is-literal",
            "multiple-starred-expressions",
            "percent-format-expected-mapping",
            "percent-format-expected-sequence",
            "percent-format-invalid-format",
            "percent-format-missing-argument",
            "percent-format-mixed-positional-and-named",
            "percent-format-positional-count-mismatch",
            "percent-format-star-requires-sequence",
            "percent-format-unsupported-format-character",
            "string-dot-format-invalid-format",
            "string-dot-format-missing-arguments",
            "string-dot-format-mixing-automatic",
        }
    ),
}
"""Of each linter, errors that the lines themselves make, whatever is defined elsewhere."""


@dataclass(frozen=True, slots=True)
class New:
    """Findings of the text `after`, at `path`, that the one before (None: it is not known) had not."""

    path: str
    before: Document | None
    after: Document
    findings: Sequence[Finding]


def at_once(new: New) -> New:
    """What is told of a single edit.

    The text does not parse; a name is undefined on a line that was not written, so that its definition
    was taken away; or a line that was written is wrong by itself.
    """
    if not new.findings:
        return new
    was = origins(new.before.lines, new.after.lines) if new.before else [None] * len(new.after.lines)
    stood = [
        line is not None and new.before is not None and new.before.lines[line].strip() == text.strip()
        for line, text in zip(was, new.after.lines, strict=True)
    ]
    told = [
        finding
        for finding in new.findings
        if finding.symbol == "syntax-error"
        or any(
            each.symbol in (NAMES if stood[index_of(finding, new.after)] else DEFINITE).get(each.linter, ())
            for each in (finding, *finding.same)
        )
    ]
    return replace(new, findings=told)


Told = dict[str, int]
"""How often a finding was told, by `key`."""


def still_to_tell(new: New, told: Told) -> tuple[New, Told]:
    """What was not told `MOST_TIMES` yet, and the counts when it has been."""
    seen = Counter[str]()
    left, counts = [], dict(told)
    for finding in new.findings:
        key = _key(new, finding)
        seen[key] += 1
        key = f"{seen[key]} {key}"
        if counts.get(key, 0) < MOST_TIMES:
            counts[key] = counts.get(key, 0) + 1
            left.append(finding)
    return replace(new, findings=left), counts


def message(news: Sequence[New], *, turn: bool, called: Callable[[str], str]) -> str:
    """For the agent; "" when there is nothing to tell. A file at a path is `called` so."""
    lines = [
        f"{called(new.path)}:{finding.line}: {finding.names}: {_plain(finding.message)}"
        for new in news
        for finding in sorted(new.findings, key=_line)
    ]
    if not lines:
        return ""
    known = all(new.before is not None for new in news if new.findings)
    if turn:
        first = "The edits were applied. " + ("They introduce:" if known else "The new text has:")
    else:
        first = "The edit was applied. " + ("It introduces:" if known else "The new text has:")
    more = [f"and {len(lines) - MOST_FINDINGS} more"] if len(lines) > MOST_FINDINGS else []
    return "\n".join([first, *lines[:MOST_FINDINGS], *more])


def _key(new: New, finding: Finding) -> str:
    """What makes it the same finding, wherever its line is by now."""
    return "\0".join((new.path, *finding_key(finding), new.after.lines[index_of(finding, new.after)].strip()))


def _line(finding: Finding) -> int:
    return finding.line


def _plain(text: str) -> str:
    """On one line, whatever the code has put into the message, and without a place that says nothing."""
    return " ".join(_NOWHERE.sub("", text).split())
