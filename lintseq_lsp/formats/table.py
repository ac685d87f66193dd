"""The formats that there are, and which of them is a model's. A new one is a module and a row here."""

from collections.abc import Callable, Mapping

from lintseq_lsp.backends.base import Special
from lintseq_lsp.errors import ModelFileError, TokenizerError
from lintseq_lsp.formats.base import PromptFormat
from lintseq_lsp.formats.lintseq import Layout, LintSeq
from lintseq_lsp.formats.sweep import Sweep1, Sweep2
from lintseq_lsp.formats.zeta import Zeta1, Zeta2, Zeta21

_FORMATS: tuple[PromptFormat, ...] = (
    # The first that fits counts, unless the model's file or its manifest names another.
    LintSeq(Layout.PAPER),
    LintSeq(Layout.WHOLE),
    LintSeq(Layout.SUFFIX_FIRST),
    # Next edits: no token tells these from what they were made of, so they are known by name.
    Sweep2(),
    Sweep1(),
    Zeta21(),
    Zeta2(),
    Zeta1(),
)

FORMATS: Mapping[str, PromptFormat] = {prompt_format.name: prompt_format for prompt_format in _FORMATS}
"""By name."""


def detect(has: Callable[[Special], bool], name: str, wanted: str = "", known_as: str = "") -> PromptFormat:
    """The format of the model `name`, whose vocabulary `has` tokens; the one that is `wanted`, if any.

    `known_as` are its names as a file says them, where they are not `name` alone. Raises `TokenizerError`
    when none fits, `ModelFileError` for one that is not known.
    """
    if wanted and wanted not in FORMATS:
        raise ModelFileError(
            f"{name} wants the prompt format {wanted!r}, which this release does not know: update lintseq-lsp"
        )
    candidates = [FORMATS[wanted]] if wanted else _FORMATS
    found = next((each for each in candidates if each.fits(has, "" if wanted else known_as or name)), None)
    if found is None:
        raise TokenizerError(
            f"no prompt format fits the vocabulary of {name}: without the token <|diff|> it is no "
            "edit-sequence model, or its added tokens were lost when it was converted; choose another with "
            "`lintseq-lsp model use`"
        )
    return found
