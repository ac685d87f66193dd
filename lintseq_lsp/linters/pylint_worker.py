"""pylint, warm, on strings: what runs in the linter's own process, and the only importer of pylint.

Nothing of the user's is executed here, and nothing because the user's text names it: astroid finds
modules and reads them as text (see `_confine`), and the process imports nothing after its start; only a
trusted workspace's pylint configuration may import more. Deliberately absent: policy, and time limits.
"""

import contextlib
import ctypes
import dataclasses
import gc
import importlib.machinery
import io
import os
import queue
import re
import signal
import sys
import threading
import tokenize
import traceback
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO, Any, BinaryIO

import astroid.manager
from astroid import bases, builder, modutils, nodes
from astroid.brain import brain_numpy_utils
from astroid.builder import AstroidBuilder, open_source_file
from astroid.context import _invalidate_cache
from astroid.exceptions import AstroidError, AstroidSyntaxError
from astroid.inference_tip import clear_inference_tip_cache
from astroid.interpreter._import import spec, util
from astroid.interpreter.objectmodel import ObjectModel
from astroid.manager import AstroidManager
from astroid.modutils import (
    _cache_normalize_path_,
    _has_init,
    cached_os_path_isfile,
    is_module_name_part_of_extension_package_whitelist,
    load_module_from_name,
)
from astroid.nodes._base_nodes import LookupMixIn
from astroid.nodes.scoped_nodes import scoped_nodes
from pylint.checkers import BaseChecker, BaseRawFileChecker, BaseTokenChecker
from pylint.checkers.classes.class_checker import ClassChecker, ScopeAccessMap
from pylint.checkers.clear_lru_cache import clear_lru_caches
from pylint.checkers.format import FormatChecker
from pylint.config.config_initialization import _config_initialization
from pylint.config.find_default_config_files import find_default_config_files
from pylint.lint import PyLinter
from pylint.reporters import CollectingReporter
from pylint.utils import ASTWalker, FileState, LinterStats

from lintseq_lsp.encoding import encode
from lintseq_lsp.errors import LinterError
from lintseq_lsp.linters.base import Check, Dependencies, Finding, Report, Stamp, Surroundings, Texts, Tier
from lintseq_lsp.linters.environment import MOST_NAMES, Environment, Search, Version, read_environment
from lintseq_lsp.linters.files import Opener, names_in
from lintseq_lsp.linters.imports import COMPILED, Imports
from lintseq_lsp.linters.protocol import Setup, read_message, stamp, write_message
from lintseq_lsp.linters.requires import FILES, has_packages, project_python, script_python
from lintseq_lsp.linters.sources import Sources
from lintseq_lsp.linters.syntax import check_syntax, parse, syntax_finding

MANAGER = AstroidManager()  # one for the process, whoever makes it
SOURCES = Sources()  # the same
ASKED: set[str] = set()
"""Names of the modules that anything asked astroid for since the last check began."""
ast_from_module_name = AstroidManager.ast_from_module_name
READ: dict[str, tuple[Stamp | str | None, int]] = {}
"""What each file that was read since then was: its state, and a hash of its text."""

EXTRA_MESSAGES = frozenset({"W0311", "W0231"})
NAMES_MESSAGES = frozenset({"E0001", "E0601", "E0602", "E0603", "E0606"})
ESSENTIAL_MESSAGES = EXTRA_MESSAGES | NAMES_MESSAGES | {"E0102", "E0203", "E0401", "E0702", "E1101", "E1305"}
"""One of each part of pylint, which only prints when a part of it cannot be loaded."""

ALWAYS_MESSAGES = frozenset({"E0001"})
"""What not even a trusted configuration can switch off, beside the fatal ones."""

# Hints ("maybe 'x'?") would make an old finding look new as soon as a similar name appears.
OPTIONS = ("--unsafe-load-any-extension=no", "--missing-member-hint=no")

MOST_SOURCE = 4 * 1024 * 1024
"""Bytes of a module's source. astroid's tree of it takes a hundred times as many."""

READERS = (
    "astroid.builder",
    "astroid.interpreter._import.spec",
    "astroid.nodes.scoped_nodes.scoped_nodes",
    "configparser",
    "pylint.config.config_file_parser",
    "pylint.config.find_default_config_files",
)
"""The modules that open files which a workspace's names or configuration lead to."""

UNNAMED = "untitled"
_PR_SET_PDEATHSIG = 1
WARM_UP = """\
import abc
import dataclasses
import enum
import typing


class Base(abc.ABC):
    def __init__(self, name: str) -> None:
        self.name = name


@dataclasses.dataclass
class Point:
    x: int = 0
    items: list[str] = dataclasses.field(default_factory=list)


class Colour(enum.Enum):
    RED = 1


class Child(Base):
    def run(self) -> typing.Iterator[int]:
        with open(self.name, encoding="utf-8") as stream:
            lines = [line.strip() for line in stream]
        print(f"{len(lines)}", "%s" % self.name, "{}".format(Colour.RED.name))
        try:
            yield Point(1).x + missing
        except (KeyError, OSError) as error:
            raise ValueError("no") from error
"""
PRELOADED = (
    *(
        "os",
        "sys",
        "re",
        "json",
        "pathlib",
        "collections",
        "collections.abc",
        "functools",
        "itertools",
        "time",
    ),
    *("math", "random", "logging", "datetime", "contextlib", "argparse", "subprocess", "threading", "io"),
    *("string", "copy", "shutil", "tempfile", "inspect", "warnings", "unittest", "asyncio"),
)
"""Read while nothing is asked, so that the first check of a file that imports them is not the slow one."""


def main(standard: Sequence[str], own: Sequence[str]) -> None:
    """Answers messages on standard input until it closes. The first one is the `Setup`.

    `standard` is the standard library's path, `own` where pylint and our other dependencies are.
    """
    _die_with_the_server()
    messages, answers = _private_pipes()
    setup = Setup(**(read_message(messages) or {}))
    trusted = setup.configuration_folder is not None
    warnings.simplefilter("ignore")
    checks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(messages, checks), daemon=True).start()
    search = setup.search and Search.of(setup.search)
    environment = read_environment(search, own=map(Path, own)) if search else None
    if environment is not None:
        setup = _with_environment(setup, environment)
    imports = Imports(standard)
    imports.load()
    if trusted:
        imports.trust([*own, *setup.source_roots, *setup.site_packages])
    opener = Opener(MOST_SOURCE)
    _confine(opener)
    _look_through_sources()
    session = Session(setup, standard, own)
    failure = session.warm()
    if not trusted:
        imports.close()
    told = [*(environment.warnings if environment else ()), *opener.take_refused()]
    write_message(answers, {"failure": failure, "process": os.getpid(), "warnings": told})
    _silence_stderr()
    ahead = list(reversed(PRELOADED))
    while True:
        try:
            asked = checks.get(block=not ahead)
        except queue.Empty:
            session.preload(ahead.pop())
            if not ahead:
                gc.collect()
                gc.freeze()  # else every full collection walks the standard library's trees
            continue
        if search and environment and _has_changed(environment):
            found = read_environment(search, own=map(Path, own))
            if found != environment:
                write_message(answers, {"outdated": True})  # the pool starts another worker
                continue
            environment = found
            session.forget_packages()
        session.learn(asked["modules"], asked["dropped"])
        around = asked["around"] and Surroundings(*map(tuple, asked["around"]))
        check = Check(
            asked["text"], asked["path"], Tier(asked["tier"]), indent=asked["indent"], around=around
        )
        report = session.check(check)
        write_message(answers, {**_answer(report), "warnings": opener.take_refused()})


def _has_changed(environment: Environment) -> bool:
    """Whether anything that the environment was read from is another by now."""
    return any(stamp(path) != before for path, before in environment.read.items())


def _answer(report: Report) -> dict[str, Any]:
    """The report as the pool gets it, which has the texts of modules itself."""
    return {
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "tier": report.tier,
        "parsed": report.parsed,
        "failure": report.failure,
        "files": report.dependencies.files,
        "read": list(report.dependencies.texts),
    }


class Session:
    """One PyLinter per tier, reused for all checks."""

    def __init__(self, setup: Setup, standard: Sequence[str], own: Sequence[str]) -> None:
        self._setup = setup
        self._standard = tuple(standard)
        self._own = tuple(own)
        self._hooked: list[str] = []
        self._roots: Sequence[str] = setup.source_roots
        self._required: dict[Sequence[str], tuple[Sequence[Stamp | None], Version | None]] = {}
        self._passes: dict[Tier, _Pass] = {}
        self._tracked: dict[str, _Tracked] = {}
        self._settled: set[str] = set()
        self._last_folders: tuple[str, ...] = ()
        self._moved = False
        self._depends = Dependencies()
        # What an import brought in from there stays as it is while we run.
        self._fixed = (*standard, *(folder for folder in setup.site_packages if _holds_packages(folder)))
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
        return self.check(Check(WARM_UP)).failure

    def preload(self, name: str) -> None:
        with contextlib.suppress(AstroidError):
            MANAGER.ast_from_module_name(name)

    def learn(self, texts: Texts, dropped: Iterable[str]) -> None:
        """Texts that count instead of files from now on, and the paths of those that do not any more."""
        self._moved |= SOURCES.update(texts, dropped)

    def check(self, check: Check) -> Report:
        """Never raises, but for the process's end: a crash of the linter is a `failure`."""
        text = check.text.replace("\r\n", "\n").replace("\r", "\n")
        self._depends = Dependencies()
        try:
            if check.tier <= Tier.SYNTAX:
                return check_syntax(text, check.path)
            findings, parsed = self._lint(check, text)
        except Exception as error:  # noqa: BLE001 - the boundary: whatever it is, the gate rejects
            self._passes.clear()  # a checker that was left in the middle keeps a wrong state
            MANAGER.clear_cache()
            self._tracked.clear()
            self._settled.clear()
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            return Report(tier=check.tier, failure=f"the linter crashed: {type(error).__name__} in {where}")
        return Report(findings, check.tier, parsed=parsed, dependencies=self._depends)

    def forget_packages(self) -> None:
        """Reads what is installed anew, when it is asked for."""
        for known in self._settled - sys.stdlib_module_names:
            self._drop(known)

    def _lint(self, check: Check, text: str) -> tuple[tuple[Finding, ...], bool]:
        path, around = check.path, check.around or Surroundings(roots=self._setup.source_roots)
        tree, broken = parse(text)
        if tree is None:
            return broken, False
        try:
            source = encode(text)
        except SyntaxError as error:
            return (syntax_finding(error),), False
        one_pass = self._pass(check.tier)
        if self._setup.configuration_folder is None:  # else the project's configuration says it
            one_pass.indent_by(check.indent)
        one_pass.judge_for(self._python(text, around.projects))
        name, root = _module_name(path, around.roots)
        beside = dict.fromkeys([*around.beside, *([root] if root and root not in around.roots else [])])
        search_path = self._search_path(path, around.roots, tuple(beside))
        self._roots = (*around.roots, *beside)
        self._forget_stale(name, self._roots)
        sys.path[:] = search_path
        looked_at = [str(Path(path).parent) if path else "", *self._roots, *self._setup.site_packages]
        looked_at += [*around.looked_at, *_files_of(around.projects)]
        searched = {folder: stamp(folder) for folder in looked_at if folder}
        ASKED.clear()
        builder = _Builder(MANAGER)
        try:
            module = builder.string_build(text, name, path or None)
            module.file_bytes = source
            findings = one_pass.run(module, name, path or UNNAMED)
        except AstroidSyntaxError as error:
            return (syntax_finding(error.error),), False
        finally:
            builder.take_back()
            self._track(name)
            self._depends = self._read_since(searched)
            self._forget(name)
        if self._setup.origin == "script" and has_packages(text):
            findings = tuple(finding for finding in findings if not self._is_unknown(finding))
        return (*findings, *broken), True

    def _python(self, text: str, projects: Sequence[str]) -> Version | None:
        """The version that the text is for: where no environment tells, as its project says."""
        ours = self._setup.python_version
        if self._setup.origin in ("server", "script"):
            states = [stamp(file) for file in _files_of(projects)]
            if self._required.get(projects, ((), None))[0] != states:
                self._required[projects] = states, project_python(projects)
            ours = script_python(text) or self._required[projects][1] or ours
        return (ours[0], ours[1]) if ours else None

    def _is_unknown(self, finding: Finding) -> bool:
        """Whether it misses one of the packages that a script brings, which nobody can know."""
        named = re.search(r"'([^'.]+)", finding.message)
        if finding.symbol != "import-error" or named is None or named[1] in sys.stdlib_module_names:
            return False
        places = [str(Path(root, name)) for root in self._roots for name in (named[1], f"{named[1]}.py")]
        return not any(map(SOURCES.exists, places))

    def _pass(self, tier: Tier) -> "_Pass":
        if tier not in self._passes:
            ours = [*self._standard, *self._own]
            sys.path[:] = ours  # pylint derives the names of its own modules from it
            self._passes[tier] = _Pass(tier, self._setup)
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
        return [*self._standard, *first, *roots, *self._hooked, *self._setup.site_packages, *last]

    def _forget_stale(self, name: str, folders: tuple[str, ...]) -> None:
        """Drops what changed files and texts, or the neighbours of another path, have made untrue."""
        elsewhere = set(folders) ^ set(self._last_folders)
        moved, self._last_folders, self._moved = self._moved, folders, False
        if elsewhere:
            self._forget_names({name.partition(".")[0] for folder in elsewhere for name in _names(folder)})
        if moved or any(tracked.changed() for tracked in self._tracked.values()):
            for known in self._tracked:
                MANAGER.astroid_cache.pop(known, None)
            self._tracked.clear()
        self._forget(name)
        MANAGER._mod_file_cache.clear()
        for cache in (*(finder.find_module for finder in spec._SPEC_FINDERS), *_PATH_CACHES):
            cache.cache_clear()

    def _forget_names(self, names: set[str]) -> None:
        """Drops modules of these names, which are others elsewhere, and what was built while it saw them."""
        gone = {known for known in self._tracked.keys() | self._settled if known.partition(".")[0] in names}
        gone -= sys.stdlib_module_names
        for known, tracked in list(self._tracked.items()):
            if known in gone or not gone.isdisjoint(tracked.imports):
                self._drop(known)
        for known in gone & self._settled:
            self._drop(known)

    def _drop(self, known: str) -> None:
        MANAGER.astroid_cache.pop(known, None)
        self._tracked.pop(known, None)
        self._settled.discard(known)

    def _forget(self, name: str) -> None:
        """Drops the module, those built while they saw it, and every inference that may hold its nodes."""
        MANAGER.astroid_cache.pop(name, None)
        for known in [known for known, tracked in self._tracked.items() if name in tracked.imports]:
            MANAGER.astroid_cache.pop(known, None)
            del self._tracked[known]
        _invalidate_cache()
        clear_inference_tip_cache()
        clear_lru_caches()
        for cache in _NODE_CACHES:
            cache.cache_clear()

    def _track(self, checked: str) -> None:
        """Notes the workspace's modules that this check brought in; the rest never changes under us."""
        for name, module in MANAGER.astroid_cache.items():
            if name in self._tracked or name in self._settled or name == checked:
                continue
            if self._is_settled(module.file or ""):
                self._settled.add(name)
            else:
                self._tracked[name] = _Tracked.of(module)

    def _is_settled(self, file: str) -> bool:
        path = Path(file)
        return not path.is_absolute() or _depth(path, self._roots) < _depth(path, self._fixed)

    def _read_since(self, searched: dict[str, Stamp | None]) -> Dependencies:
        """What the check depends on that has just asked for `ASKED`.

        Of modules that were not found the folders tell, which change with the files in them.
        """
        states = {file: state for file, (state, _) in READ.items() if not self._is_settled(file)}
        READ.clear()
        todo, done = list(ASKED), set[str]()
        while todo:
            name = todo.pop()
            if name not in done and name in self._tracked:
                todo += self._tracked[name].imports
                states[self._tracked[name].file] = self._tracked[name].state
            done.add(name)
        texts = {given: None for file in states if (given := SOURCES.given(file)) is not None}
        files = {file: state for file, state in states.items() if not isinstance(state, str)}
        folders = {str(Path(file).parent) for file in states} - searched.keys()
        return Dependencies({**files, **searched, **{folder: stamp(folder) for folder in folders}}, texts)


@dataclass(slots=True)
class _Tracked:
    """A module of the workspace that an import brought into astroid's cache."""

    file: str
    state: Stamp | str | None
    text: int
    imports: frozenset[str]

    @classmethod
    def of(cls, module: nodes.Module) -> "_Tracked":
        names: set[str] = set()
        for node in module.nodes_of_class((nodes.Import, nodes.ImportFrom)):
            if isinstance(node, nodes.Import):
                names.update(name for name, _ in node.names)
                continue
            try:
                origin = module.relative_to_absolute_name(node.modname, node.level)
            except AstroidError:
                continue
            names.add(origin)
            names.update(f"{origin}.{name}" for name, _ in node.names)
        state, text = READ.get(module.file) or (SOURCES.state(module.file), 0)
        return cls(module.file, state, text, frozenset(names))

    def changed(self) -> bool:
        """Whether the module is another one by now. Saved, opened or closed as it is, it stays the same."""
        now = SOURCES.state(self.file)
        if now == self.state or now is None:
            return now != self.state
        try:
            stream, _, text = _source(self.file)
        except (OSError, SyntaxError, ValueError, LookupError):  # an encoding that is none, too
            return True
        stream.close()
        if hash(text) == self.text:
            self.state = now
        return self.state != now


class _Pass:
    """One PyLinter with the messages of a tier, and its walker, which costs more to build than to run."""

    def __init__(self, tier: Tier, setup: Setup) -> None:
        self._linter = linter = _linter(setup)
        self._messages = linter.wanted = _messages(linter, tier)
        for definition in linter.msgs_store.messages:
            linter._msgs_state[definition.msgid] = definition.msgid in self._messages
        linter.initialize()
        self._walker = ASTWalker(linter)
        self._checkers: list[BaseChecker] = linter.prepare_checkers()
        for checker in self._checkers:
            if isinstance(checker, FormatChecker):
                checker.__class__ = _Indentation
            checker.open()
            self._walker.add_checker(checker)

    def indent_by(self, indent: str) -> None:
        """What one level is to be indented by from now on."""
        self._linter.config.indent_string = indent

    def judge_for(self, python: Version | None) -> None:
        """The Python that is meant from now on."""
        if python is not None:
            self._linter.config.py_version = python

    def run(self, module: nodes.Module, name: str, path: str) -> tuple[Finding, ...]:
        linter = self._linter
        linter.reporter.messages = []
        linter.stats = LinterStats()
        linter._by_id_managed_msgs.clear()
        linter.set_current_module(name, path)
        linter.file_state = _FileState(name, linter.msgs_store, module)
        linter.current_file = module.file
        linter._ignore_file = False
        for checker in self._checkers:
            checker.open()
            if isinstance(checker, ClassChecker):
                checker._accessed = ScopeAccessMap()  # never reset by pylint, holds every class seen
        linter.check_astroid_module(
            module,
            self._walker,
            [checker for checker in self._checkers if isinstance(checker, BaseRawFileChecker)],
            [checker for checker in self._checkers if isinstance(checker, BaseTokenChecker)],
        )
        for checker in reversed(self._checkers):
            checker.close()
        found = tuple(
            Finding(message.symbol, message.msg_id, message.msg, max(message.line, 1), max(message.column, 0))
            for message in linter.reporter.messages
            if message.msg_id in self._messages
        )
        linter.reporter.messages = []
        return found


class _Linter(PyLinter):
    """Takes pragmas as pylint does, without the work that only other messages than `wanted` need."""

    wanted: frozenset[str] = frozenset()

    def process_tokens(self, tokens: list[tokenize.TokenInfo]) -> None:
        super().process_tokens([_pragma_alone(token) for token in tokens])

    def _set_msg_status(
        self,
        msgid: str,
        enable: bool,
        scope: str = "package",
        line: int | None = None,
        ignore_unknown: bool = False,
    ) -> None:
        if scope == "package":  # of the options
            super()._set_msg_status(msgid, enable, scope, line, ignore_unknown)
            return
        for definition in self._get_messages_to_set(msgid, enable, ignore_unknown):
            if definition.msgid in self.wanted:
                self._set_one_msg_status(scope, definition, line, enable)


_PRAGMA = re.compile(r"#[^#]*?\b(pylint:[^#;][^#]*)")


def _pragma_alone(token: tokenize.TokenInfo) -> tokenize.TokenInfo:
    """A comment as short as it may be for pylint, whose own pattern is cubic in its `#`.

    Where there are several pragmas, the last `#` with one behind it counts, and behind that the first one.
    """
    if token.type != tokenize.COMMENT:
        return token
    pragmas = _PRAGMA.findall(token.string)
    return token._replace(string=f"#{pragmas[-1]}" if pragmas else "#")


class _FileState(FileState):
    """Looks for a pragma's line in the statements that hold it: pylint walks all, for each message."""

    def _set_state_on_block_lines(
        self, msgs_store: Any, node: nodes.NodeNG, msg: Any, msg_state: dict[int, bool]
    ) -> None:
        if node.is_statement:
            decorators = getattr(node, "decorators", None)
            first, last = (decorators or node).lineno, node.end_lineno
            if not any(first <= line <= last for line in msg_state):
                return
        super()._set_state_on_block_lines(msgs_store, node, msg, msg_state)


class _Indentation(FormatChecker):
    """Of pylint's checker of lines, statements and parentheses, what finds bad indentation.

    The rest of it only finds what is not wanted, and goes back over long lines.
    """

    _DEEPEST = 1000  # characters: pylint copies a line for each level

    visit_default = None  # type: ignore[assignment]  # else it is called for each node

    def new_line(self, *_: object) -> None:
        """No length, no end and no blanks of a line."""

    def _check_keyword_parentheses(self, *_: object) -> None:
        """No superfluous parentheses."""

    def check_indent_level(self, string: str, expected: int, line_num: int) -> None:
        super().check_indent_level(string[: self._DEEPEST], expected, line_num)


class _Builder(AstroidBuilder):  # type: ignore[misc]
    """Builds a module and can take back what it changed in others.

    `os.extra = 1` adds a name to astroid's one tree of `os`, which later checks would believe.
    """

    def __init__(self, manager: Any) -> None:
        super().__init__(manager)
        self._added: list[tuple[list[Any], nodes.AssignAttr]] = []

    def delayed_assattr(self, node: nodes.AssignAttr) -> None:
        super().delayed_assattr(node)
        try:
            owners = list(node.expr.infer())
        except AstroidError:
            return
        for inferred in owners:
            owner = inferred._proxied if isinstance(inferred, bases.Instance) else inferred
            if not isinstance(owner, nodes.LocalsDictNodeNG) or owner.root() is node.root():
                continue
            tables = [owner.locals, getattr(owner, "instance_attrs", {})]
            for values in (table[node.attrname] for table in tables if node.attrname in table):
                if any(value is node for value in values):
                    self._added.append((values, node))

    def take_back(self) -> None:
        for values, node in self._added:
            values[:] = [value for value in values if value is not node]


def _with_environment(setup: Setup, found: Environment) -> Setup:
    return dataclasses.replace(
        setup,
        site_packages=[str(path) for path in found.site_packages],
        python_version=found.python_version,
        standard_library=_text(found.standard_library),
        origin=found.origin,
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _files_of(projects: Sequence[str]) -> list[str]:
    """Where projects say what they want."""
    return [str(Path(folder, name)) for folder in projects for name in FILES]


def _names(folder: str) -> Iterable[str]:
    """What is in a folder, for who imports."""
    with contextlib.suppress(OSError, ValueError):
        return {*names_in(folder, MOST_NAMES), *SOURCES.names_in(folder)}
    return SOURCES.names_in(folder)


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


def _confine(opener: Opener) -> None:
    """Leaves astroid and pylint, of what they do with a name, to read the module that it names."""
    # astroid asks for the specification of a dotted name, which imports the name's parents ...
    util = SimpleNamespace(find_spec=lambda name: getattr(sys.modules.get(name), "__spec__", None))
    spec.importlib = SimpleNamespace(machinery=importlib.machinery, util=util)
    # ... imports what is compiled ...
    astroid.manager.load_module_from_name = _compiled_module
    # ... and, in a plug-in, GTK.
    sys.modules["gi"] = None  # type: ignore[assignment]
    for name in READERS:
        vars(sys.modules[name])["open"] = opener


def _compiled_module(name: str) -> Any:
    """The module itself, for astroid to look at. Raises ImportError."""
    allowed = MANAGER.extension_package_whitelist  # by a trusted configuration
    if allowed and is_module_name_part_of_extension_package_whitelist(name, allowed):
        return load_module_from_name(name)
    if name not in COMPILED or name not in sys.modules:
        raise ImportError(f"{name} is not imported because somebody names it", name=name)
    return sys.modules[name]


class _NewFolders(spec.Finder):  # type: ignore[misc]
    """Finds packages without `__init__.py` of which the editor has modules and the disk has nothing yet."""

    @staticmethod
    @lru_cache(maxsize=1024)
    def find_module(
        name: str,
        parts: tuple[str, ...],  # noqa: ARG004
        processed: tuple[str, ...],  # noqa: ARG004
        folders: tuple[str, ...] | None,
    ) -> Any:
        places = [str(Path(folder, name)) for folder in folders or sys.path]
        new = [place for place in places if SOURCES.is_new_folder(place)]
        return spec.ModuleSpec(name, spec.ModuleType.PY_NAMESPACE, None, None, new) if new else None

    def contribute_to_path(self, found: Any, processed: list[str]) -> Any:  # noqa: ARG002
        return found.submodule_search_locations


def _source(file: str) -> tuple[IO[str], str, str]:
    """What astroid's own `open_source_file` returns: a stream to be closed, the encoding, the text."""
    text = SOURCES.state(file)
    return (io.StringIO(), "utf-8", text) if isinstance(text, str) else open_source_file(file)


def _read_source(file: str) -> tuple[IO[str], str, str]:
    path = str(Path(file).absolute())
    before = SOURCES.state(path)
    found = _source(path)
    READ[path] = before, hash(found[2])
    return found


def _ask_for(manager: AstroidManager, name: str | None, *arguments: Any, **options: Any) -> nodes.Module:
    if name is not None:
        ASKED.add(name)
    return ast_from_module_name(manager, name, *arguments, **options)


def _look_through_sources() -> None:
    """Has astroid ask `SOURCES` for what it would ask the file system, and note what it was asked for."""
    paths, system = ModuleType("os.path"), ModuleType("os")
    paths.__dict__.update(os.path.__dict__, isfile=SOURCES.is_file, exists=SOURCES.exists)
    system.__dict__.update(os.__dict__, path=paths)
    modutils.os = scoped_nodes.os = system
    builder.open_source_file = _read_source
    AstroidManager.ast_from_module_name = _ask_for
    spec._SPEC_FINDERS = (*spec._SPEC_FINDERS, _NewFolders)


_PATH_CACHES: tuple[Any, ...] = (
    _cache_normalize_path_,
    _has_init,
    cached_os_path_isfile,
    util.is_namespace,
    spec._find_spec,
    spec._is_setuptools_namespace,
)
_NODE_CACHES: tuple[Any, ...] = (
    LookupMixIn.lookup,
    ObjectModel.attributes,
    nodes.ClassDef._metaclass_lookup_attribute,
)


def _linter(setup: Setup) -> _Linter:
    """One with our options over the project's (trusted), or over none at all."""
    reporter = CollectingReporter()
    linter = _Linter(reporter=reporter)
    linter.load_default_plugins()
    missing = ESSENTIAL_MESSAGES - {definition.msgid for definition in linter.msgs_store.messages}
    if missing:
        raise LinterError(f"pylint is incomplete: it does not know {', '.join(sorted(missing))}")
    options = list(OPTIONS)
    if setup.python_version is not None:
        options.append("--py-version=" + ".".join(map(str, setup.python_version)))
    if setup.configuration_folder is None:
        _config_initialization(linter, options, reporter, config_file=None)
    else:
        with contextlib.chdir(setup.configuration_folder):  # what hooks and plugins expect
            file = next(find_default_config_files(), None)
            _config_initialization(linter, options, reporter, config_file=file)
    linter.config.generated_members = [*linter.config.generated_members, "cv2.*"]
    return linter


def _messages(linter: PyLinter, tier: Tier) -> frozenset[str]:
    """LintSeq's set, less what a trusted configuration has disabled."""
    wanted = {
        definition.msgid
        for definition in linter.msgs_store.messages
        if definition.msgid[0] in "EF" or definition.msgid in EXTRA_MESSAGES
    }
    kept = {
        msgid
        for msgid in wanted
        if msgid[0] == "F" or msgid in ALWAYS_MESSAGES or linter.is_message_enabled(msgid)
    }
    return frozenset(kept & NAMES_MESSAGES if tier == Tier.NAMES else kept)


def _depth(file: Path, folders: Sequence[str]) -> int:
    """Length of the longest folder that holds the file: a workspace may hold site-packages, or lie in it."""
    return max((len(folder) for folder in folders if file.is_relative_to(folder)), default=0)


def _holds_packages(folder: str) -> bool:
    """Whether packages are installed there, other than the sources of an editable one."""
    return Path(folder).name in {"site-packages", "dist-packages"}


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


def _die_with_the_server() -> None:
    """Where the system can do it (Linux). Elsewhere the end of standard input tells (`_receive`)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pool's two pipes on descriptors of their own, so that no print can get between messages."""
    messages = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return messages, answers


def _silence_stderr() -> None:
    """Once started, what pylint prints may hold the user's text."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


def _receive(messages: BinaryIO, checks: "queue.SimpleQueue[dict[str, Any]]") -> None:
    while (message := read_message(messages)) is not None:
        checks.put(message)
    os._exit(0)  # the server is gone, also when a check is still running
