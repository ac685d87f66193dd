"""What documents say of the code is true: their tables, and the names in ARCHITECTURE.md.

`UPDATE_DOCS=1` writes the tables anew.
"""

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from lintseq_lsp.formats.table import FORMATS
from lintseq_lsp.settings import IGNORED, SETTINGS
from lintseq_lsp.weights.catalogue import CATALOGUE, in_bytes
from lintseq_lsp.weights.fetch import _reference
from lintseq_lsp.weights.gguf_header import SPLIT

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lintseq_lsp"
LAYERS = ROOT / "tests" / "test_architecture.py"
README = ROOT / "README.md"
TABLE = ROOT / "docs" / "settings.md"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
_CATALOGUE = re.compile(r"(<!-- catalogue:[^\n]*-->\n).*?(<!-- /catalogue -->)", re.DOTALL)
_TABLE = re.compile(r"(<!-- settings:[^\n]*-->\n).*?(<!-- /settings -->)", re.DOTALL)


def settings_table() -> str:
    rows = ["| setting | default | |", "|---|---|---|"]
    for entry in SETTINGS:
        default = {True: "`true`", False: "`false`", "": "empty", (): "empty"}.get(
            entry.default, f"`{entry.default}`"
        )
        if entry.default is IGNORED:
            default = f"{len(IGNORED)} patterns for secrets"
        if type(entry.default) is int:
            default = f"`{entry.default}`"
        rows.append(f"| `lintseq.{entry.name}` | {default} | {entry.description} |")
    return "\n".join(rows) + "\n"


def test_each_prompt_format_is_in_the_list_of_them() -> None:
    text = ROOT.joinpath("docs", "models.md").read_text("utf-8")
    assert [name for name in FORMATS if f"`{name}`" not in text] == []


def test_each_rule_is_held_by_a_test_that_there_is() -> None:
    text = ROOT.joinpath("docs", "quiet.md").read_text("utf-8")
    found = "".join(path.read_text("utf-8") for path in ROOT.joinpath("tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", text)
    assert [name for name in named if f"def {name}(" not in found] == []
    rules = [line.split("|") for line in text.splitlines() if re.match(r"\| [FNQ]\d", line)]
    assert [cells[1].strip() for cells in rules] == [
        *(f"F{number}" for number in range(1, 11)),
        *(f"N{number}" for number in range(1, 8)),
        *(f"Q{number}" for number in range(1, 7)),
    ]
    assert all(len(cells) == 6 and "test_" in cells[4] for cells in rules)


def test_the_table_of_settings_is_true() -> None:
    text = TABLE.read_text("utf-8")
    wanted = _TABLE.sub(lambda match: match[1] + settings_table() + match[2], text)
    if os.environ.get("UPDATE_DOCS"):
        TABLE.write_text(wanted, "utf-8")
        text = wanted
    assert text == wanted, "run UPDATE_DOCS=1 pytest tests/test_docs.py and commit docs/settings.md"


# The catalogue of models


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
        assert entry.prompt_format in FORMATS, name
        assert not SPLIT.search(entry.file), name
        assert entry.file.endswith(".gguf") or not entry.file, name
        if entry.file:
            named = _reference(f"hf:{entry.repository}/{entry.file}")
            assert (named.repository, named.file) == (entry.repository, entry.file)
    files = [(entry.repository, entry.file) for entry in CATALOGUE.values()]
    assert len(set(files)) == len(files)


# ARCHITECTURE.md

NO_NAMES = {
    "<|diff|>", "\\n", "\\r", "\\r\\n", "▮",  # in texts
    "apply_patch", "textDocument/inlineCompletion", "lintseq/record",  # in protocols
    "check", "complete", "edit", "explain", "fix", "next-edit",  # ways of asking, commands
    "def", "pass", "setattr", "scripted:FILE", "lintseq.prompt_format", "prompt_format",
}  # fmt: skip
"""What stands there as code and is no name of ours. Command lines have a space, and are not looked at."""


def defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    """The names that these statements define, and in classes also those of attributes."""
    for node in body:
        match node:
            case ast.ClassDef():
                yield prefix + node.name
                yield from defined(node.body, f"{prefix}{node.name}.")
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                        yield f"{prefix}{node.name}.{inner.attr}"
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name


@cache
def code() -> frozenset[str]:
    """All names of the package, from its top on: `gate.Gate.against`."""
    found = {f"tests.{name}" for name in defined(ast.parse(LAYERS.read_text("utf-8")).body, "")}
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        found |= {module, *defined(ast.parse(path.read_text("utf-8")).body, f"{module}.")}
    return frozenset(found)


def exists(name: str) -> bool:
    """Of a file or folder, from the repository or the package on; a setting; a module, or what is in one."""
    if "/" in name or name.endswith((".py", ".md", ".json")):
        return (ROOT / name).exists() or (PACKAGE / name).exists()
    if name in {f"lintseq.{entry.name}" for entry in SETTINGS}:
        return True
    if name.partition(".")[0] in code():
        return name in code()
    return any(full.endswith(f".{name}") for full in code())


def names_in(text: str) -> Iterator[str]:
    """Spans of code, links, and the files and folders of pictures."""
    pictures = re.findall(r"```.*?```", text, re.DOTALL)
    for picture in pictures:
        yield from re.findall(r"[\w/]+/(?!\w)|[\w/]+\.py\b", picture)
        text = text.replace(picture, "")
    yield from (name for name in re.findall(r"`([^`]+)`", text.replace("\\|", "|")) if " " not in name)
    yield from re.findall(r"\]\(([^)#:]+)\)", text)


def test_architecture_names_what_there_is() -> None:
    names = set(names_in(ARCHITECTURE))
    assert sorted(name for name in names - NO_NAMES if not exists(name)) == []
    assert names >= NO_NAMES, "some are not used any more"


@pytest.mark.parametrize(
    "name",
    [
        *("gone.py", "asking/gone.py", "gone/", "lsp/router.py", "lintseq.gone", "gone.Gate", "gate.gone"),
        *("Gate.gone", "gate.Gate.gone", "generation.Gate", "Gone", "formats.base.View.gone"),
    ],
)
def test_a_name_that_is_gone_is_found(name: str) -> None:
    assert list(names_in(f"See `{name}`.")) == [name]
    assert not exists(name)


def test_the_picture_is_read() -> None:
    assert {"asking/", "asking/job.py", "runtime.py", "linters/worker/"} <= set(names_in(ARCHITECTURE))
    assert list(names_in("```\n│ gone.py, lsp/ ─┼──▶ linters/gone/ │\n```")) == [
        "gone.py",
        "lsp/",
        "linters/gone/",
    ]


# Links

PAGES = sorted(
    page
    for folder in (".", "docs", "editors", "models", "vscode-extension")
    for page in (ROOT / folder).glob("*.md")
)


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    found = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def dead_links(page: Path, text: str) -> list[str]:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        is_there = file.exists() and (not anchor or anchor in anchors(file.read_text("utf-8")))
        dead += [] if is_there else [target]
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page, page.read_text("utf-8")) == []


def test_a_dead_link_is_found() -> None:
    text = "[1](#install) [2](#c) [3](docs/settings.md) [4](docs/gone.md) [5](README.md#gone) [6](https://x)"
    assert dead_links(README, text) == ["#c", "docs/gone.md", "README.md#gone"]
