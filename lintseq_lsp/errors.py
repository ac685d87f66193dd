"""Every exception that the package raises on purpose.

LintSeqError
├── ModelError            a model file that cannot be used, or a backend that failed
│   ├── ModelFileError    not there, truncated, not GGUF, wrong checksum
│   └── TokenizerError    the vocabulary lacks `<|diff|>` as one token
├── LinterError           the linter could not be started at all (a failed check is data, not this)
├── EditError             replacements that overlap or lie outside of the text
├── PatchError            a patch file that cannot be read or does not apply
├── CaseError             a file that is no recorded case
└── SettingsError         a setting that is unknown or of the wrong type

What the model writes never raises: see `diffs.Malformed`. Cancellation is `Cancelled`, which is
no error and therefore no `LintSeqError`.
"""


class LintSeqError(Exception):
    """Base of all errors that a user may see; the message says what is wrong and what mends it."""


class ModelError(LintSeqError):
    pass


class ModelFileError(ModelError):
    pass


class TokenizerError(ModelError):
    pass


class LinterError(LintSeqError):
    pass


class EditError(LintSeqError, ValueError):
    pass


class PatchError(LintSeqError):
    pass


class CaseError(LintSeqError):
    pass


class SettingsError(LintSeqError):
    pass


class Cancelled(Exception):  # noqa: N818 - not an error
    """The request was cancelled or superseded while it ran."""
