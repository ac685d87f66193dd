"""The formats that there are, and which of them is a model's. A new one is a module and a row here."""

from collections.abc import Callable, Mapping

from lintseq_lsp.backends.base import Special
from lintseq_lsp.errors import ModelFileError, TokenizerError
from lintseq_lsp.formats.base import PromptFormat
from lintseq_lsp.formats.fim import FAMILIES
from lintseq_lsp.formats.lintseq import Layout, LintSeq
from lintseq_lsp.formats.plain import Plain
from lintseq_lsp.formats.sweep import Sweep1, Sweep2
from lintseq_lsp.formats.zeta import Zeta1, Zeta2, Zeta21

_FORMATS: tuple[PromptFormat, ...] = (
    # The first that fits counts, unless a setting, the model's file or its manifest names another.
    LintSeq(Layout.PAPER),
    LintSeq(Layout.WHOLE),
    LintSeq(Layout.SUFFIX_FIRST),
    # Next edits: no token tells these from what they were made of, so they are known by name.
    Sweep2(),
    Sweep1(),
    Zeta21(),
    Zeta2(),
    Zeta1(),
    *FAMILIES,
    Plain(),
)

FORMATS: Mapping[str, PromptFormat] = {prompt_format.name: prompt_format for prompt_format in _FORMATS}
"""By name."""


def named(name: str) -> PromptFormat:
    """The format of a model of which only its name is known: its server does not tell its tokens."""
    return next(each for each in _FORMATS if each.is_named(name))


def detect(has: Callable[[Special], bool], name: str, wanted: str = "", known_as: str = "") -> PromptFormat:
    """The format of the model `name`, whose vocabulary `has` tokens; the one that is `wanted`, if any.

    `known_as` are its names as a file says them, where they are not `name` alone. A model of which nothing
    is known goes on with the text above the cursor, as any does. Raises `TokenizerError` when the one that
    is wanted does not fit, `ModelFileError` when it is not known.
    """
    if wanted and wanted not in FORMATS:
        raise ModelFileError(
            f"this release does not know the prompt format {wanted!r} of {name}: "
            f"choose one of {', '.join(FORMATS)}, or update lintseq-lsp"
        )
    found = next(each for each in _FORMATS if each.fits(has, known_as or name))
    if not wanted:
        return found
    if not FORMATS[wanted].fits(has, ""):
        raise TokenizerError(
            f"the prompt format {wanted!r} does not fit the vocabulary of {name}: its tokens were lost when "
            f"it was converted, or the model is of another kind; set lintseq.promptFormat to {found.name!r}"
            ", which fits, or choose another model with `lintseq-lsp model use`"
        )
    return FORMATS[wanted]
