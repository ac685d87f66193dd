"""The settings, in one place: the README's table and the extension's package.json are checked against it.

Deliberately absent: where settings come from (lsp/).
"""

from dataclasses import dataclass, field
from typing import Any

IGNORED = (
    "**/.env",
    "**/.env.*",
    "**/*.pem",
    "**/*.key",
    "**/*.crt",
    "**/*.p12",
    "**/*.pfx",
    "**/id_rsa*",
    "**/id_ed25519*",
    "**/*secret*",
    "**/*credential*",
    "**/.netrc",
    "**/.pypirc",
    "**/.aws/**",
    "**/.ssh/**",
    "**/.git/**",
)


def _setting(default: Any, description: str) -> Any:
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True, slots=True)
class Settings:
    """Names are those of the protocol (`lintseq.maxLines`) in snake case."""

    enabled: bool = _setting(True, "Suggest anything at all.")
    model: str = _setting("", "A GGUF file or the name of an installed model; empty for the embedded one.")
    threads: int = _setting(0, "Threads that the model may use; 0 for what suits the machine.")
    python: str = _setting(
        "", "Interpreter or virtual environment that imports resolve against; empty to look for one."
    )
    trusted: bool = _setting(
        False,
        "Use the project's pylint configuration. Accepted only in initialization options, never from "
        "workspace settings.",
    )
    max_lines: int = _setting(8, "Lines that one suggestion may insert.")
    candidates: int = _setting(3, "Number of alternatives for an explicit request.")
    certainty: float = _setting(
        -1.0,
        "Minimum probability of ghost text, and per line of a next edit, for unrequested suggestions; "
        "0 shows everything clean, -1 takes what was measured for the model.",
    )
    tries: int = _setting(4, "Answers that the gate may reject before the server stays silent.")
    next_edit: bool = _setting(True, "Suggest edits away from the cursor.")
    strings_and_comments: bool = _setting(False, "Suggest inside of strings and comments, too.")
    completion_items: bool = _setting(
        False, "Offer the suggestion as a completion item, for clients without ghost text."
    )
    ignore: tuple[str, ...] = _setting(IGNORED, "Globs of files that are neither read nor edited.")
    max_file_lines: int = _setting(10_000, "Longer files are left alone.")
    debounce: int = _setting(-1, "Milliseconds of quiet before the model starts; -1 adapts to its speed.")
    gate_timeout: float = _setting(2.0, "Seconds that one check by the linter may take.")
    linter_memory: int = _setting(300, "Megabytes at which the linter's process is restarted.")


@dataclass(frozen=True, slots=True)
class Certainty:
    """Minimum probability (0 to 1) of an unrequested suggestion, by what it is.

    It was measured for the model that ships (models/certainty.py); the defaults are for others.
    """

    half_typed_line: float = 0.02
    new_line: float = 0.02
    next_edit: float = 0.02
    """For each line that it inserts."""


UNMEASURED = Certainty()


def camel(name: str) -> str:
    """`max_lines` → `maxLines`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
