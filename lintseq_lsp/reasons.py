"""Why a text was rejected, or why there is nothing to offer: the closed list, and what each reason means.

The only home of the sentences. Clients get them with the reason.
"""

from enum import Enum


class Reason(Enum):
    """`value` is what clients and scripts compare, `sentence` is for people.

    `Reason("unsure")` finds the member by its value.
    """

    _value_: str
    sentence: str

    def __new__(cls, value: str, sentence: str) -> "Reason":
        member = object.__new__(cls)
        member._value_ = value
        member.sentence = sentence
        return member

    ACCEPTED = "accepted", "There is a suggestion."
    # Verdicts on one text
    NEW_FINDINGS = "new-findings", "The model's answer would add pylint errors to the file."
    DOES_NOT_PARSE = "does-not-parse", "With the model's answer, the file would have a syntax error."
    PRAGMA = "pragma", "The model's answer would silence the linter with a comment."
    LINTER_FAILED = "linter-failed", "The linter failed, so nothing could be checked."
    MALFORMED = "malformed", "The model's answer is not a usable edit."
    # Why a request has no answer
    COMPLETE = "complete", "The model has nothing to add."
    NOTHING_NEW = "nothing-new", "The file already has the text that the model wrote."
    NO_FIT = "no-fit", "No answer fits the text around the cursor."
    BASE_DOES_NOT_PARSE = "base-does-not-parse", "The file already has a syntax error: correct that first."
    NEWER_SYNTAX = "newer-syntax", "The file seems to use newer Python syntax than the server's own Python."
    REJECTED_BEFORE = "rejected-before", "You rejected this suggestion before."
    UNSURE = "unsure", "The model is not sure enough of its answer (lintseq.certainty)."
    IN_STRING_OR_COMMENT = (
        "in-string-or-comment",
        "The cursor is in a string or a comment (lintseq.stringsAndComments).",
    )
    TOO_LONG = "too-long", "The file, or the line at the cursor, is too long."
    IGNORED = "ignored", "No suggestions for this file: a setting excludes it, or it is not a Python file."
    STALE = "stale", "The file has changed in the meantime."
    SUPERSEDED = "superseded", "A newer request replaced it."
    CANCELLED = "cancelled", "The request was cancelled."
    UNSUPPORTED = "unsupported", "This model was not trained for this task."
    NO_MODEL = "no-model", "No model is loaded."
    LIMIT = "limit", "The limit on steps, attempts or tokens was reached."
    OFF = "off", "This is switched off."
