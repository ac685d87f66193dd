"""The layers: imports run downwards and in no circle, each foreign library has one importer, and only the
command line prints.

Read from the syntax trees, so that imports inside of functions count. What only types need
(`if TYPE_CHECKING:`) counts as well.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
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

# From the bottom to the top: modules, or packages with all that is in them. A module imports those of its
# own layer and of lower ones. The core takes values and returns values; it meets the world through the
# protocols in `backends.base` and `linters.base` alone.
CORE_LAYERS = {
    "values": (
        "alignment",
        "backends.base",
        "diffs",
        "edits",
        "encoding",
        "errors",
        "formats.base",
        "hooks.apply_patch",
        "hooks.clients",
        "hooks.events",
        "indenting",
        "linters.base",
        "linters.same",
        "lru",
        "reasons",
        "recent",
        "repetition",
        "settings",
        "text",
        "typed",
    ),
    "documents": (
        "actions",
        "completion",
        "excerpt",
        "formats",
        "hooks.policy",
        "lintseq",
        "pragmas",
        "unfinished",
        "verdicts",
    ),
    "gate": ("gate",),
    "suggestions": ("suggestions",),
    "proposals": ("proposals",),
    "generation": ("generation",),
    "asking": ("asking",),
    "engine": ("engine",),
}
LAYERS = CORE_LAYERS | {
    "libraries": ("backends", "git", "globs", "linters", "notebooks", "patches"),
    "stages": ("cases", "described", "recorder", "replay", "review", "synthesis", "weights"),
    "assembly": ("doctor", "runtime", "tuning"),
    "agents": ("hooks",),
    "protocol": ("lsp",),
    "measurement": ("bench",),
    # Some commands lie beside their stage.
    "command line": ("__main__", "cli", "commands", "synthesis.commands", "weights.commands"),
}
UNKNOWN_TO_THE_CORE = {
    "astroid",
    "asyncio",
    "cattrs",
    "llama_cpp",
    "lsprotocol",
    "multiprocessing",
    "numpy",
    "os",
    "pathlib",
    "pyflakes",
    "pygls",
    "pylint",
    "rich",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "typer",
}

# Library: the only modules (or, with a dot at the end, packages) that import it.
IMPORTERS = {
    "astroid": ("lintseq_lsp.linters.worker.",),
    "IPython": ("lintseq_lsp.notebooks",),
    "attrs": ("lintseq_lsp.lsp.",),
    "cattrs": ("lintseq_lsp.lsp.",),
    "fsspec": ("lintseq_lsp.synthesis.remote",),
    "gguf": ("lintseq_lsp.weights.",),
    "httpx2": ("lintseq_lsp.weights.fetch", "lintseq_lsp.backends.http"),
    "jinja2": ("lintseq_lsp.synthesis.report",),
    "huggingface_hub": ("lintseq_lsp.weights.fetch",),
    "llama_cpp": (
        "lintseq_lsp.backends.llama",
        "lintseq_lsp.backends.llama_library",
        "lintseq_lsp.backends.places",
        "lintseq_lsp.bench.llama",  # the bare loop that the backend is measured against
        "lintseq_lsp.weights.convert",
    ),
    "lsprotocol": ("lintseq_lsp.lsp.",),
    "matplotlib": ("lintseq_lsp.synthesis.report",),
    "mcp": ("lintseq_lsp.commands.mcp",),
    "packaging": ("lintseq_lsp.linters.requires",),
    "pyarrow": ("lintseq_lsp.synthesis.columnar",),
    "pyflakes": ("lintseq_lsp.linters.syntax",),
    "pygls": ("lintseq_lsp.lsp.",),
    "pylint": ("lintseq_lsp.linters.worker.",),
    "ray": ("lintseq_lsp.synthesis.cluster",),
    "rensa": ("lintseq_lsp.synthesis.near_duplicates",),
    "unidiff": ("lintseq_lsp.patches.reading",),
}

# Imported where it is there, for what only it can do.
OPTIONAL = {"fsspec", "jinja2", "keyring", "matplotlib", "mcp", "pyarrow", "ray", "rensa", "torch"}


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
    """By the longest name that is the module, or a package around it."""
    inner = module.removeprefix("lintseq_lsp").removeprefix(".")
    if not inner:
        return "values"
    fitting = [
        (len(name), layer)
        for layer, names in LAYERS.items()
        for name in names
        if f"{inner}.".startswith(f"{name}.")
    ]
    assert fitting, f"{module} is in no layer: say in which one, in {Path(__file__).name}"
    return max(fitting)[1]


def height(module: str) -> int:
    return list(LAYERS).index(layer(module))


def inner_imports(module: str) -> set[str]:
    """Those of the package's own modules."""
    return {name for name, _ in imports(module) if name in MODULES}


@pytest.mark.parametrize("module", sorted(module for module in MODULES if layer(module) in CORE_LAYERS))
def test_the_core_knows_no_library_and_no_file(module: str) -> None:
    for imported, line in imports(module):
        assert imported.partition(".")[0] not in UNKNOWN_TO_THE_CORE, f"{module}:{line} imports {imported}"
    for node in ast.walk(tree(module)):
        opens = isinstance(node, ast.Call) and ast.unparse(node.func) == "open"
        assert not opens, f"{module}:{node.lineno} opens a file"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_downwards(module: str) -> None:
    for imported in inner_imports(module):
        assert height(imported) <= height(module), (
            f"{module} ({layer(module)}) imports {imported} ({layer(imported)})"
        )


def test_no_imports_go_in_a_circle() -> None:
    """Not for types alone either: two modules that need each other are one."""
    order = TopologicalSorter({module: inner_imports(module) for module in MODULES})
    order.prepare()  # raises CycleError, which names the circle


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
    other_names = {"llama_cpp_python": "llama_cpp", "ipython": "IPython"}
    required = {other_names.get(name, name) for name in required}
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
    listed = {f"lintseq_lsp.{name}" for names in LAYERS.values() for name in names}
    assert not listed - set(MODULES)
    assert "lintseq_lsp.linters.base" in inner_imports("lintseq_lsp.gate")
    assert "lintseq_lsp.actions" in inner_imports("lintseq_lsp.lsp.engine")  # for types only
    order = ["cli", "lsp.server", "engine", "asking.job", "generation", "gate", "text"]
    heights = [height(f"lintseq_lsp.{name}") for name in order]
    assert heights == sorted(set(heights), reverse=True)
