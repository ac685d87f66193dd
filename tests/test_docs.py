"""The README's table of settings is what the code has. `UPDATE_DOCS=1` writes it anew."""

import os
import re
from pathlib import Path

from lintseq_lsp.settings import IGNORED, SETTINGS

README = Path(__file__).parents[1] / "README.md"
_TABLE = re.compile(r"(<!-- settings:[^\n]*-->\n).*?(<!-- /settings -->)", re.DOTALL)


def settings_table() -> str:
    rows = ["| setting | default | |", "|---|---|---|"]
    for entry in SETTINGS:
        default = {True: "`true`", False: "`false`", "": "empty"}.get(entry.default, f"`{entry.default}`")
        if entry.default is IGNORED:
            default = f"{len(IGNORED)} patterns for secrets"
        if type(entry.default) is int:
            default = f"`{entry.default}`"
        rows.append(f"| `lintseq.{entry.name}` | {default} | {entry.description} |")
    return "\n".join(rows) + "\n"


def test_the_table_of_settings_is_true() -> None:
    text = README.read_text("utf-8")
    wanted = _TABLE.sub(lambda match: match[1] + settings_table() + match[2], text)
    if os.environ.get("UPDATE_DOCS"):
        README.write_text(wanted, "utf-8")
        text = wanted
    assert text == wanted, "run UPDATE_DOCS=1 pytest tests/test_docs.py and commit README.md"
