"""Every exception that the package raises on purpose.

LintSeqError
├── ModelError            a model file that cannot be used, or a backend that failed
│   ├── ModelFileError    not there, truncated, not GGUF, wrong checksum
│   ├── TokenizerError    no vocabulary, or one that no format of prompts fits
│   └── ServerError       a model's server that is away, or answers what it should not
├── PromptError           a document that cannot be shown in a model's format of prompts
├── LinterError           the linter could not be started at all (a failed check is data, not this)
├── HookError             what a coding agent's hook was given, or a state folder that cannot be used
├── EditError             replacements that overlap or lie outside of the text
├── PatchError            a patch file that cannot be read or does not apply
├── GitError              git is not there, or does not know what it is asked
├── CaseError             a file that is no recorded case
└── SettingsError         a setting that is unknown or of the wrong type

What the model writes never raises: see `formats.base.Malformed`. `Cancelled` and `Pending` are no errors
and therefore no `LintSeqError`.
"""

from concurrent.futures import Future
from typing import Any


class LintSeqError(Exception):
    """Base of all errors that a user may see; the message says what is wrong and what mends it."""


class ModelError(LintSeqError):
    pass


class ModelFileError(ModelError):
    pass


class TokenizerError(ModelError):
    pass


class ServerError(ModelError):
    """`status` is HTTP's, 0 where there was no answer with one."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class PromptError(LintSeqError):
    pass


class LinterError(LintSeqError):
    pass


class HookError(LintSeqError):
    pass


class EditError(LintSeqError, ValueError):
    pass


class PatchError(LintSeqError):
    pass


class GitError(LintSeqError):
    pass


class CaseError(LintSeqError):
    pass


class SettingsError(LintSeqError):
    pass


class Cancelled(Exception):  # noqa: N818 - not an error
    """The request was cancelled or superseded while it ran."""


class Pending(Exception):  # noqa: N818 - not an error
    """The work cannot go on until `future` is done: it is to be begun anew then."""

    def __init__(self, future: Future[Any]) -> None:
        super().__init__()
        self.future = future
