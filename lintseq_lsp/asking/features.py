"""What is known, without cost, of an answer that may become ghost text (acceptance.py)."""

import math
import re

from lintseq_lsp.acceptance import Described
from lintseq_lsp.completion import Cursor
from lintseq_lsp.proposals import Proposal

_NAME = re.compile(r"[^\W\d]\w*")
_KINDS = {
    "is_definition": re.compile(r"(?:async\s+def|def|class)\b|@"),
    "is_import": re.compile(r"(?:import|from)\b"),
    "is_control": re.compile(r"(?:if|elif|else|for|while|with|try|except|finally|match|case|async)\b"),
    "is_exit": re.compile(r"(?:return|raise|yield|break|continue|pass|assert|del)\b"),
    "is_assignment": re.compile(r"[\w.\[\], ]+(?::[^=]+)?=[^=]"),
}
"""Of the line that the cursor is on, with the answer. The first that matches counts."""

_WINDOW = 20_000  # characters above the cursor in which names are looked for


def described(cursor: Cursor, text: str, proposal: Proposal) -> Described:
    """The beginning `text` of what the proposal says at the cursor. Well below a millisecond."""
    lines = proposal.at_cursor(1 + text.count("\n"))
    logprobs = [logprob for line, logprob in proposal.pieces if line in lines] or [0.0]
    typed = cursor.typed.strip()
    line = (cursor.typed + text.partition("\n")[0]).strip()
    above = cursor.document.text[max(0, cursor.offset - _WINDOW) : cursor.offset]
    names = _NAME.findall(text)
    known = [above.rfind(name) for name in names]
    nearest = [above.count("\n", place) for place in known if place >= 0]
    found = {
        "logprob": sum(logprobs),
        "mean": sum(logprobs) / len(logprobs),
        "worst": min(logprobs),
        "first": logprobs[0],
        "tokens": math.log(len(logprobs)),
        "characters": math.log(len(text)),
        "more_lines": float(min(len(lines) - 1, 4)),
        "typed": math.log(1 + len(typed)),
        "is_new_line": float(not typed),
        "in_word": float(cursor.typed[-1:].isalnum() or cursor.typed[-1:] == "_"),
        "depth": float(min((len(cursor.typed) - len(cursor.typed.lstrip())) // 4, 4)),
        "names": float(len(names) > 0),
        "known_names": sum(place >= 0 for place in known) / len(names) if names else 1.0,
        "farthest_name": math.log(1 + max(nearest, default=0)),
        "said_before": float(f"\n{cursor.typed}{text}\n" in above),
        "lines_above": math.log(1 + cursor.line),
        "nothing_below": float(not cursor.document.text[cursor.offset :].strip()),
    }
    kind = next((name for name, pattern in _KINDS.items() if pattern.match(line)), "")
    return Described(text, found | {name: float(name == kind) for name in _KINDS})
