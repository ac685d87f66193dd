"""The layers: imports run downwards, each foreign library has one importer, only the command line prints.

Read from the syntax trees, so that imports inside of functions count. What only types need
(`if TYPE_CHECKING:`) counts as well.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "lintseq_lsp"
MODULES = {
    path.relative_to(PACKAGE.parent)
    .with_suffix("")
    .as_posix()
    .replace("/", ".")
    .removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}

# Values in, values out: nothing here starts anything, waits for anything or knows a library.
CORE = {
    f"lintseq_lsp.{name}"
    for name in (
        "actions",
        "alignment",
        "backends.base",
        "completion",
        "diffs",
        "edits",
        "encoding",
        "engine",
        "errors",
        "excerpt",
        "gate",
        "generation",
        "grammar",
        "linters.base",
        "lintseq",
        "pragmas",
        "prompts",
        "repetition",
        "settings",
        "suggestions",
        "text",
        "typed",
    )
}
UNKNOWN_TO_THE_CORE = {
    "asyncio",
    "astroid",
    "cattrs",
    "llama_cpp",
    "lsprotocol",
    "multiprocessing",
    "numpy",
    "pyflakes",
    "pygls",
    "pylint",
    "rich",
    "socket",
    "subprocess",
    "typer",
}

# Library: the only modules (or, with a dot at the end, packages) that import it.
IMPORTERS = {
    "astroid": ("lintseq_lsp.linters.pylint_worker",),
    "attrs": ("lintseq_lsp.lsp.",),
    "cattrs": ("lintseq_lsp.lsp.",),
    "gguf": ("lintseq_lsp.weights.",),
    "httpx2": ("lintseq_lsp.weights.fetch",),
    "huggingface_hub": ("lintseq_lsp.weights.fetch",),
    "llama_cpp": (
        "lintseq_lsp.backends.llama",
        "lintseq_lsp.bench.llama",  # the bare loop that the backend is measured against
        "lintseq_lsp.weights.convert",
    ),
    "lsprotocol": ("lintseq_lsp.lsp.",),
    "pyflakes": ("lintseq_lsp.linters.syntax",),
    "pygls": ("lintseq_lsp.lsp.",),
    "pylint": ("lintseq_lsp.linters.pylint_worker",),
    "unidiff": ("lintseq_lsp.patches",),
}

# Imported where it is there, for what only it can do.
OPTIONAL = {"torch"}

# From the bottom to the top, by what the names begin with. A module imports those of its own layer and
# of lower ones.
LAYERS = {
    "core": (),
    "libraries": ("backends", "linters", "patches"),
    "stages": ("cases", "recorder", "synthesis", "weights"),
    "assembly": ("doctor", "runtime"),
    "protocol": ("lsp",),
    "measurement": ("bench",),
    "command line": ("__main__", "cli", "commands"),
}
# Commands that lie beside their stage, and are the command line all the same.
COMMANDS = ("lintseq_lsp.synthesis.commands", "lintseq_lsp.weights.commands")


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def imports(module: str) -> Iterator[tuple[str, int]]:
    """What `module` imports, and the line. `from package import name` counts as the module it may be."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative imports hide the layers"
            assert node.module is not None
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield (inner if inner in MODULES else node.module), node.lineno


def layer(module: str) -> str:
    if module in COMMANDS:
        return "command line"
    if module == "lintseq_lsp" or module in CORE:
        return "core"
    inner = module.removeprefix("lintseq_lsp.")
    fitting = [name for name, beginnings in LAYERS.items() if inner.startswith(beginnings)]
    assert fitting, f"{module} is in no layer: say in which one, in {Path(__file__).name}"
    return fitting[0]


def height(module: str) -> int:
    return list(LAYERS).index(layer(module))


@pytest.mark.parametrize("module", sorted(CORE))
def test_the_core_knows_no_library(module: str) -> None:
    for imported, line in imports(module):
        assert imported.partition(".")[0] not in UNKNOWN_TO_THE_CORE, f"{module}:{line} imports {imported}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_downwards(module: str) -> None:
    for imported, line in imports(module):
        if imported.startswith("lintseq_lsp"):
            assert height(imported) <= height(module), (
                f"{module}:{line} ({layer(module)}) imports {imported} ({layer(imported)})"
            )


@pytest.mark.parametrize("library", sorted(IMPORTERS))
def test_a_library_has_one_importer(library: str) -> None:
    found = {
        module
        for module in MODULES
        for imported, _ in imports(module)
        if imported.partition(".")[0] == library
    }
    assert found, f"nothing imports {library}: leave it out here and in pyproject.toml"
    foreign = {module for module in found if not f"{module}.".startswith(IMPORTERS[library])}
    assert not foreign, f"{library} is for {IMPORTERS[library]} alone"


def test_what_is_imported_is_what_is_required() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    required = {re.split("[<>=]", name)[0].replace("-", "_") for name in project["dependencies"]}
    required = {"llama_cpp" if name == "llama_cpp_python" else name for name in required}
    imported = {name.partition(".")[0] for module in MODULES for name, _ in imports(module)}
    assert imported - sys.stdlib_module_names - {"lintseq_lsp"} - OPTIONAL == required


@pytest.mark.parametrize("module", sorted(MODULES))
def test_only_the_command_line_prints(module: str) -> None:
    if layer(module) == "command line":
        return
    for node in ast.walk(tree(module)):
        printing = isinstance(node, ast.Name) and node.id == "print"
        stdout = isinstance(node, ast.Attribute) and ast.unparse(node) in (
            "sys.stdout.write",
            "sys.stdout.buffer",
        )
        assert not printing, f"{module}:{node.lineno} prints"
        assert not stdout, f"{module}:{node.lineno} writes to the standard output"


def test_the_walk_sees_what_it_is_for() -> None:
    assert not CORE - set(MODULES)
    assert "lintseq_lsp.linters.base" in {name for name, _ in imports("lintseq_lsp.gate")}
    assert height("lintseq_lsp.cli") > height("lintseq_lsp.lsp.server") > height("lintseq_lsp.text")
