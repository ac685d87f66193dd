"""Checks of texts, one after the other: the module's name, where its imports lead, and what came of it."""

import contextlib
import importlib.machinery
import re
import sys
import traceback
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from astroid.brain import brain_numpy_utils
from astroid.exceptions import AstroidError, AstroidSyntaxError
from astroid.interpreter._import import spec

from lintseq_lsp import lru
from lintseq_lsp.encoding import encode
from lintseq_lsp.linters.base import (
    Check,
    Dependencies,
    Doubted,
    Finding,
    Report,
    Stamp,
    Surroundings,
    Texts,
    Tier,
)
from lintseq_lsp.linters.environment import MOST_NAMES, Version
from lintseq_lsp.linters.files import names_in
from lintseq_lsp.linters.protocol import Setup, stamp
from lintseq_lsp.linters.requires import FILES, package_lines, project_python, script_python
from lintseq_lsp.linters.syntax import check_syntax, parse, syntax_finding, why_newer
from lintseq_lsp.linters.worker.doubts import Doubts
from lintseq_lsp.linters.worker.freshness import Modules
from lintseq_lsp.linters.worker.known import Known, joined_dependencies
from lintseq_lsp.linters.worker.library import Library
from lintseq_lsp.linters.worker.parts import outer_mentions, split
from lintseq_lsp.linters.worker.passes import Pass, forget_builtins
from lintseq_lsp.linters.worker.reach import Reach
from lintseq_lsp.linters.worker.reading import ASKED, MANAGER, PARSED, SOURCES, Builder
from lintseq_lsp.linters.worker.walker import odd_names

UNNAMED = "untitled"
_TYPE_COMMENT = re.compile(r"#\s*type:")
_MOST_KNOWN = 4  # texts of which the findings in each function are remembered
_OWN_PACKAGES = "the script says which packages it needs, and they are not known"
TRIAL = """\
class Base:
    def __init__(self, name: str) -> None:
        self.name = name


class Child(Base):
    def run(self):
        with open(self.name, encoding="utf-8") as stream:
            lines = [line.strip() for line in stream]
        print(f"{len(lines)}", "%s" % self.name, "{}".format(self.name))
        try:
            yield Child("x").name + missing
        except (KeyError, OSError) as error:
            raise ValueError("no") from error
"""
"""What has pylint and astroid import all that they import late, and read no module but `builtins`."""


class WarmPylint:
    """One PyLinter per tier, reused for all checks."""

    def __init__(self, setup: Setup, standard: Sequence[str], own: Sequence[str], library: Library) -> None:
        self._setup = setup
        self._standard = tuple(standard)
        self._own = tuple(own)
        self._hooked: list[str] = []
        self._required: dict[Sequence[str], tuple[Sequence[Stamp | None], Version | None]] = {}
        self._passes: dict[Tier, Pass] = {}
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._modules = Modules(setup, [*standard, *library.path])
        self._reach = Reach()
        self._library = library
        self._doubts = Doubts(library)
        forget_builtins(library.missing_builtins)
        version = _numpy_version(setup.site_packages)
        brain_numpy_utils._get_numpy_version = lambda: version
        if setup.python_version is not None:
            more = _suffixes(setup.python_version)
            spec.ImportlibFinder._SUFFIXES = [*spec.ImportlibFinder._SUFFIXES, *more]

    def warm(self) -> str | None:
        """Loads what checks need; the reason when that fails."""
        try:
            for tier in (Tier.NAMES, Tier.PYLINT):
                self._pass(tier)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a trusted configuration may do anything
            return f"pylint could not be set up: {type(error).__name__}: {error}"
        return self.check(Check(TRIAL)).failure

    def preload(self, name: str) -> None:
        with contextlib.suppress(AstroidError):
            MANAGER.ast_from_module_name(name)

    def learn(self, texts: Texts, dropped: Iterable[str]) -> None:
        """Texts that count instead of files from now on, and the paths of those that do not any more."""
        if SOURCES.update(texts, dropped):
            self._modules.move()

    def check(self, check: Check) -> Report:
        """Never raises, but for the process's end: a crash of the linter is a `failure`."""
        text = check.text.replace("\r\n", "\n").replace("\r", "\n")
        try:
            if check.tier <= Tier.SYNTAX:
                return check_syntax(text, check.path)
            return self._lint(check, text)
        except Exception as error:  # noqa: BLE001 - the boundary: whatever it is, the gate rejects
            self._passes.clear()  # a checker that was left in the middle keeps a wrong state
            self._known.clear()
            self._modules.clear()
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            return Report(tier=check.tier, failure=f"the linter crashed: {type(error).__name__} in {where}")

    def forget_packages(self) -> None:
        """Reads what is installed anew, when it is asked for."""
        self._modules.forget_packages()

    def _lint(self, check: Check, text: str) -> Report:
        path, tier = check.path, check.tier
        around = check.around or Surroundings(roots=self._setup.source_roots)
        self._library.require(self._required_python(text, around.projects))
        tree, broken = parse(text, self._library.grammar)
        if tree is None:
            newer = why_newer(text, broken, self._library.wanted)
            return Report(broken, tier, parsed=False, newer=newer)
        try:
            source = encode(text)
        except SyntaxError as error:
            return Report((syntax_finding(error),), tier, parsed=False)
        one_pass = self._pass(tier)
        if self._setup.configuration_folder is None:  # else the project's configuration says it
            one_pass.indent_by(check.indent)
        name, root = _module_name(path, around.roots)
        beside = dict.fromkeys([*around.beside, *([root] if root and root not in around.roots else [])])
        search_path = self._search_path(path, around.roots, tuple(beside))
        folders = (*around.roots, *beside)
        self._modules.forget_stale(name, folders)
        sys.path[:] = search_path
        looked_at = [str(Path(path).parent) if path else "", *folders, *self._setup.site_packages]
        looked_at += [*around.looked_at, *_files_of(around.projects)]
        searched = {folder: stamp(folder) for folder in looked_at if folder}
        reached = self._reach.files(tree, path, root, folders) if check.reach else {}
        circumstances = (tier, name, *search_path, check.indent, self._library.grammar, self._modules.dropped)
        known = self._known.get(path) if check.partial else None
        if known is not None and (
            known.circumstances != circumstances
            or any(stamp(file) != state for file, state in known.depends.files.items())
        ):
            known = None
        parts, made = (
            () if broken or self._setup.configuration_folder is not None else split(tree, text),
            None,
        )
        ASKED.clear()
        builder, depends = Builder(MANAGER), Dependencies()
        if not _TYPE_COMMENT.search(text):  # which Python's tree has only when it is asked for
            PARSED[text] = tree
        try:
            module = builder.string_build(text, name, path or None)
            module.file_bytes = source
            if known is not None and parts:
                odd = odd_names(module, outer_mentions(parts))
                made = known.change(parts, odd)
            found = one_pass.run(
                module, name, path or UNNAMED, known.passing(made, odd) if known and made else None
            )
        except AstroidSyntaxError as error:
            return Report((syntax_finding(error.error),), tier, parsed=False)
        finally:
            PARSED.clear()
            builder.take_back()
            self._modules.track(name)
            depends = self._modules.read_since(searched, reached)
            self._modules.forget(name)
        if made is not None and known is not None:
            found, depends = known.joined(found, made), joined_dependencies(known.depends, depends)
        elif parts and tier == Tier.PYLINT:
            lru.put(self._known, path, Known(parts, found, depends, circumstances), _MOST_KNOWN)
        findings, unknown = found.findings, found.unknown
        if one_pass.is_off and not findings:
            return replace(check_syntax(text, path), dependencies=depends)
        if self._setup.origin == "script" and (lines := package_lines(text)):
            own = [finding for finding in findings if _misses_a_package(finding, folders)]
            findings = tuple(finding for finding in findings if finding not in own)
            unknown = (*unknown, *(Doubted(finding, _OWN_PACKAGES, [lines]) for finding in own))
        return Report(
            (*findings, *broken), tier, dependencies=depends, unknown=unknown, partial=made is not None
        )

    def _required_python(self, text: str, projects: Sequence[str]) -> Version | None:
        """The oldest version that the text is for, where no environment tells which one runs it."""
        if self._setup.origin not in ("server", "script"):
            return None
        states = [stamp(file) for file in _files_of(projects)]
        if self._required.get(projects, ((), None))[0] != states:
            self._required[projects] = states, project_python(projects)
        return script_python(text) or self._required[projects][1]

    def _pass(self, tier: Tier) -> Pass:
        if tier not in self._passes:
            ours = [*self._standard, *self._own]
            sys.path[:] = ours  # pylint derives the names of its own modules from it
            self._passes[tier] = Pass(tier, self._setup, self._doubts)
            base = Path(self._setup.configuration_folder or "")
            self._hooked = [str(base / folder) for folder in sys.path if folder not in ours]  # by init-hook
        return self._passes[tier]

    def _search_path(self, path: str, roots: Sequence[str], beside: Sequence[str]) -> list[str]:
        """Where astroid looks; the standard library first, so that no file of the user's shadows it.

        A script's and a test's neighbours come before the project's modules, as they do in Python. What is
        below `src` is imported as a package.
        """
        below_src = any(Path(root).name == "src" and Path(path).is_relative_to(root) for root in roots)
        first, last = ((), beside) if below_src else (beside, ())
        return [*self._library.path, *first, *roots, *self._hooked, *self._setup.site_packages, *last]


def _misses_a_package(finding: Finding, folders: Sequence[str]) -> bool:
    """Whether it is about an import of what neither the standard library nor one of the folders has."""
    named = re.search(r"'([^'.]+)", finding.message)
    if finding.symbol != "import-error" or named is None or named[1] in sys.stdlib_module_names:
        return False
    places = [str(Path(folder, name)) for folder in folders for name in (named[1], f"{named[1]}.py")]
    return not any(map(SOURCES.exists, places))


def _files_of(projects: Sequence[str]) -> list[str]:
    """Where projects say what they want."""
    return [str(Path(folder, name)) for folder in projects for name in FILES]


def _module_name(path: str, roots: Sequence[str]) -> tuple[str, str | None]:
    """The dotted name of the module at `path`, and the folder that it is named from."""
    file = Path(path)
    if not file.is_absolute():
        return file.stem or UNNAMED, None
    holders = [Path(root) for root in roots if file.is_relative_to(root)]
    if holders:
        root = max(holders, key=lambda holder: len(holder.parts))
    else:
        root = file.parent
        while SOURCES.is_file(str(root / "__init__.py")) and root != root.parent:
            root = root.parent
    parts = list(file.relative_to(root).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    # Not a name that the standard library has: astroid itself looks up `typing` by name.
    if parts[0] in sys.stdlib_module_names or parts[0] in sys.builtin_module_names:
        parts[0] = f"_{parts[0]}_of_the_workspace"
    return ".".join(parts), str(root)


def _suffixes(version: Sequence[int]) -> list[tuple[str, spec.ModuleType]]:
    """The names of extension modules for another Python: looked for, never loaded."""
    ours, theirs = (f"{major}{minor}" for major, minor in (sys.version_info[:2], version))
    names = [suffix.replace(ours, theirs) for suffix in importlib.machinery.EXTENSION_SUFFIXES]
    return [(name, spec.ModuleType.C_EXTENSION) for name in names]


def _numpy_version(folders: Sequence[str]) -> tuple[str, ...]:
    """As astroid wants it, read from a folder's name: astroid itself would import numpy."""
    for folder in folders:
        with contextlib.suppress(OSError, ValueError):
            for name in names_in(folder, MOST_NAMES):
                if name.startswith("numpy-") and name.endswith(".dist-info"):
                    return tuple(name.removeprefix("numpy-").removesuffix(".dist-info").split("."))
    return ("0", "0", "0")
