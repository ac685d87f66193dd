"""Recorded scenarios: a document, an instruction, and what a model wrote, in one text file.

    == document
    import math
    == instruction
    Compute the area of a circle.
    == stream
    @@ -1,0 +2,2 @@
    +def area(radius):
    +    return math.pi * radius**2
    <|diff|>

Tests, bug reports and the demonstration without weights use them; a section may be left out. What
stands above the first one is a remark. A document whose last line has no line end is written as in
patches, with a line `\\ No newline at end of file` below it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lintseq_lsp.errors import LintSeqError

_SECTION = re.compile(r"^== ([a-z-]+)\r?\n", re.MULTILINE)
_UNENDED = re.compile(r"(?:\r\n|\n|\r)\\ No newline at end of file\r?\n\Z")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`stream` is the model's text, with `<|diff|>` where it wrote that token. `rest` are other sections."""

    document: str
    instruction: str
    stream: str
    rest: Mapping[str, str]


def parse_scenario(text: str) -> Scenario:
    """Raises `LintSeqError` when there is no stream."""
    _, *parts = _SECTION.split(text)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    if "stream" not in sections:
        raise LintSeqError("a scenario needs a section `== stream` with what the model wrote")
    return Scenario(
        _UNENDED.sub("", sections.pop("document", "")),
        sections.pop("instruction", "").strip(),
        sections.pop("stream"),
        sections,
    )
