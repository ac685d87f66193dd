"""Reads settings as clients send them. Deliberately absent: which there are (lintseq_lsp/settings.py)."""

from collections.abc import Iterator, Mapping
from typing import Any

from lintseq_lsp.globs import sieve
from lintseq_lsp.settings import IGNORED, SETTINGS, Setting, Settings

SECTION = "lintseq"

_NOT_OURS = ("editorInfo", "editorPluginInfo", "didChangeStatus")
"""What `initializationOptions` may hold besides settings."""


def section(values: object) -> dict[str, Any]:
    """The settings in what a client sent: below `lintseq`, or at the top. Empty when there are none."""
    if not isinstance(values, dict):
        return {}
    own = values.get(SECTION, values)
    return (
        {name: value for name, value in own.items() if name not in _NOT_OURS} if isinstance(own, dict) else {}
    )


def parse(values: Mapping[str, Any], *, trusted: bool, endpoint: object = "") -> tuple[Settings, list[str]]:
    """The settings, and a warning for each value that could not be used: the default counts then.

    `trusted` and `endpoint` are what the initialization options say: nothing else may grant them.
    """
    known = {setting.name: setting for setting in SETTINGS}
    read: dict[str, Any] = {}
    warnings = []
    if values.get("endpoint") not in (endpoint, "", None):
        warnings.append(
            f"The setting {SECTION}.endpoint only counts in the initialization options: "
            "restart the server to use the new value."
        )
    values = {**values, "endpoint": endpoint}
    for name, value in values.items():
        if name not in known:
            warnings.append(f"The setting {SECTION}.{name} is unknown and has no effect.")
            continue
        setting = known[name]
        default = setting.default
        if setting.field == "trusted":
            if value is True and not trusted:
                warnings.append(
                    f"The setting {SECTION}.trusted only counts in the initialization options: using false."
                )
        elif value is not None:
            wrong = next(_wrong(setting, value), None)
            if wrong is None:
                read[setting.field] = tuple(value) if isinstance(default, tuple) else value
            else:
                default = list(default) if isinstance(default, tuple) else default
                warnings.append(f"The setting {SECTION}.{name} {wrong}: using the default {default!r}.")
    read["ignore"], unusable = sieve(read.get("ignore", IGNORED))
    if unusable:
        warnings.append(
            f"The setting {SECTION}.ignore has invalid patterns, left out: {', '.join(unusable)}."
        )
    if read.get("linters"):
        from lintseq_lsp.linters.several import choose  # few want it, and it takes a while

        unknown = choose(read["linters"])[1]
        read["linters"] = tuple(value for value in read["linters"] if value not in unknown)
        if unknown:
            warnings.append(f"The setting {SECTION}.linters names unknown linters: {', '.join(unknown)}.")
    return Settings(**read, trusted=trusted), warnings


def _wrong(setting: Setting, value: Any) -> Iterator[str]:
    """What is wrong with a value, if anything is."""
    match setting.default:
        case bool():
            if not isinstance(value, bool):
                yield "must be true or false"
        case str():
            if not isinstance(value, str):
                yield "must be a string"
        case tuple():
            if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
                yield "must be a list of strings"
        case int() | float():
            assert setting.bounds is not None
            low, high = setting.bounds
            whole = isinstance(setting.default, int)
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                yield "must be a whole number" if whole else "must be a number"
            elif not low <= value <= high:
                yield f"must be between {low} and {high}"
