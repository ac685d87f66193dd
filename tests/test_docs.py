"""The tables in the documentation are what the code has. `UPDATE_DOCS=1` writes them anew."""

import os
import re
from pathlib import Path

from lintseq_lsp.settings import IGNORED, SETTINGS
from lintseq_lsp.weights.catalogue import CATALOGUE, in_bytes
from lintseq_lsp.weights.fetch import _reference
from lintseq_lsp.weights.gguf_header import SPLIT

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
_CATALOGUE = re.compile(r"(<!-- catalogue:[^\n]*-->\n).*?(<!-- /catalogue -->)", re.DOTALL)
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
    assert text == wanted, "run UPDATE_DOCS=1 pytest tests/test_docs.py and commit README.md"


def catalogue_page() -> str:
    rows = ["| name | for | format | size | licence | file |", "|---|---|---|---|---|---|"]
    for name, entry in CATALOGUE.items():
        size = "not confirmed" if entry.size is None else in_bytes(entry.size)
        terms = entry.license or "not confirmed"
        use = f"{entry.description} ({entry.note})" if entry.note else entry.description
        place = f"[{entry.repository}](https://huggingface.co/{entry.repository})"
        file = f"`{entry.file}`, {place}" if entry.file else f"converted from {place}"
        rows.append(f"| `{name}` | {use} | `{entry.prompt_format}` | {size} | {terms} | {file} |")
    return "\n".join(rows) + "\n"


def test_the_catalogues_page_is_true() -> None:
    page = ROOT / "docs" / "models-catalogue.md"
    text = page.read_text("utf-8")
    wanted = _CATALOGUE.sub(lambda match: match[1] + catalogue_page() + match[2], text)
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(wanted, "utf-8")
    assert text == wanted, "run UPDATE_DOCS=1 pytest tests/test_docs.py and commit docs/models-catalogue.md"
    assert "`qwen2.5-coder-0.5b`" in text


def test_every_entry_of_the_catalogue_is_a_file_that_can_be_pulled() -> None:
    for name, entry in CATALOGUE.items():
        assert not SPLIT.search(entry.file), name
        assert entry.file.endswith(".gguf") or not entry.file, name
        if entry.file:
            named = _reference(f"hf:{entry.repository}/{entry.file}")
            assert (named.repository, named.file) == (entry.repository, entry.file)
    files = [(entry.repository, entry.file) for entry in CATALOGUE.values()]
    assert len(set(files)) == len(files)
