"""The settings, in one place: bounds, docs/settings.md and the extension's package.json come from it.

Deliberately absent: where settings come from (lsp/).
"""

from dataclasses import dataclass, field, fields
from enum import Enum
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


class Part(Enum):
    """What is opened anew when a setting of its own changes."""

    MODEL = "model"
    LINTER = "linter"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, in the protocol `lintseq.NAME`. Numbers have `bounds`, both included.

    `scope` is where it may be set in VS Code (`scope` in its package.json); empty for what is not set there
    but known to the editor. `part` is what was opened with its value, None when each request looks at it.
    """

    field: str
    default: Any
    description: str
    bounds: tuple[float, float] | None = None
    scope: str = "window"
    part: Part | None = None

    @property
    def name(self) -> str:
        """`max_lines` → `maxLines`."""
        first, *rest = self.field.split("_")
        return first + "".join(part.capitalize() for part in rest)


def _setting(default: Any, description: str, **more: Any) -> Any:
    return field(default=default, metadata={"description": description, **more})


@dataclass(frozen=True, slots=True)
class Settings:
    """Values of all settings. Names are those of the protocol (`lintseq.maxLines`) in snake case."""

    enabled: bool = _setting(True, "Make suggestions.", scope="language-overridable")
    model: str = _setting(
        "",
        "A GGUF file or the name of an installed model; empty for the one that ships.",
        scope="machine-overridable",
        part=Part.MODEL,
    )
    prompt_format: str = _setting(
        "",
        "Name of the model's prompt format (see `docs/models.md`); empty to choose it by the model's file.",
        part=Part.MODEL,
    )
    threads: int = _setting(
        0, "Number of threads for the model; 0 to choose for this machine.", bounds=(0, 1024), part=Part.MODEL
    )
    gpu_layers: int = _setting(
        0,
        "Number of the model's layers to run on a GPU, if llama.cpp was built for one.",
        bounds=(0, 1000),
        part=Part.MODEL,
    )
    endpoint: str = _setting(
        "",
        "Address of a llama-server, or another server with `/v1/completions`, to use instead of a model on "
        "this machine; `lintseq.model` is the model's name there. Accepted only in initialization options "
        "(VS Code: user settings).",
        scope="machine",
        part=Part.MODEL,
    )
    python: str = _setting(
        "",
        "Interpreter or virtual environment used to resolve imports; empty to detect it.",
        scope="machine-overridable",
        part=Part.LINTER,
    )
    trusted: bool = _setting(
        False,
        "Use the project's pylint configuration, which can run code. Accepted only in initialization "
        "options, never from workspace settings.",
        scope="",
        part=Part.LINTER,
    )
    linters: tuple[str, ...] = _setting(
        (),
        "Linters to run besides pylint, if they are installed: `ruff`, `ty`. `ruff=E9,F` names the rules "
        "that count.",
        scope="machine",
        part=Part.LINTER,
    )
    max_lines: int = _setting(8, "Maximum number of lines in one suggestion.", bounds=(1, 64))
    candidates: int = _setting(3, "Number of alternatives for an explicit request.", bounds=(1, 8))
    certainty: float = _setting(
        -1.0,
        "Minimum probability of suggestions that appear by themselves (of next edits: per line). 0 shows "
        "everything that passes the linter; -1 uses the values measured for the model.",
        bounds=(-1, 1),
    )
    tries: int = _setting(
        4, "How many answers the linter may reject before nothing is shown.", bounds=(1, 32)
    )
    next_edit: bool = _setting(True, "Suggest edits away from the cursor.")
    strings_and_comments: bool = _setting(False, "Suggest inside strings and comments, too.")
    completion_items: bool = _setting(
        False, "Offer suggestions as completion items, for editors without ghost text."
    )
    ignore: tuple[str, ...] = _setting(IGNORED, "Glob patterns of files that are neither read nor edited.")
    max_file_lines: int = _setting(
        10_000, "No suggestions in files with more lines than this.", bounds=(0, 10_000_000)
    )
    debounce: int = _setting(
        -1,
        "Milliseconds to wait after the last key before the model starts; -1 adapts to its speed.",
        bounds=(-1, 60_000),
    )
    gate_timeout: float = _setting(
        2.0, "Seconds that one check by pylint may take.", bounds=(0.1, 600), part=Part.LINTER
    )
    linter_memory: int = _setting(
        300,
        "Memory in megabytes at which the linter's process is restarted.",
        bounds=(100, 1_000_000),
        part=Part.LINTER,
    )


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(entry.name, entry.default, **entry.metadata) for entry in fields(Settings)
)


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
