"""pylint itself: one linter for each tier, with LintSeq's messages, and without the work of others."""

import contextlib
import dataclasses
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from astroid import nodes
from pylint.checkers import BaseChecker, BaseRawFileChecker, BaseTokenChecker, utils
from pylint.checkers.classes.class_checker import ClassChecker, ScopeAccessMap
from pylint.checkers.format import FormatChecker
from pylint.checkers.unicode import UnicodeChecker
from pylint.config.config_initialization import _config_initialization
from pylint.config.find_default_config_files import find_default_config_files
from pylint.lint import PyLinter
from pylint.message import Message
from pylint.reporters import CollectingReporter
from pylint.utils import FileState, LinterStats

from lintseq_lsp.errors import LinterError
from lintseq_lsp.linters.base import Doubted, Finding, Tier
from lintseq_lsp.linters.protocol import Setup
from lintseq_lsp.linters.worker.doubts import DOUBTED, Doubt, Doubts
from lintseq_lsp.linters.worker.walker import Passing, Walker

EXTRA_MESSAGES = frozenset({"W0311", "W0231"})
NAMES_MESSAGES = frozenset({"E0001", "E0601", "E0602", "E0603", "E0606"})
ESSENTIAL_MESSAGES = EXTRA_MESSAGES | NAMES_MESSAGES | {"E0102", "E0203", "E0401", "E0702", "E1101", "E1305"}
"""One message per pylint component: pylint merely prints when one fails to load, so this is checked."""

ALWAYS_MESSAGES = frozenset({"E0001"})
"""What not even a trusted configuration can switch off, beside the fatal ones."""

# Hints ("maybe 'x'?") would make an old finding look new as soon as a similar name appears.
OPTIONS = ("--unsafe-load-any-extension=no", "--missing-member-hint=no")


@dataclass(frozen=True, slots=True)
class Found:
    """What pylint found. `unknown` would be found, if it were known to be true.

    `inside` has, of all that, what was found while it visited each function outside of functions, by the
    line of its `def`.
    """

    findings: tuple[Finding, ...] = ()
    unknown: tuple[Doubted, ...] = ()
    inside: Mapping[int, "Found"] = field(default_factory=dict)


class Pass:
    """One PyLinter with the messages of a tier, and its walker, which costs more to build than to run."""

    def __init__(self, tier: Tier, setup: Setup, doubts: Doubts) -> None:
        self._linter = linter = _linter(setup)
        self._messages = linter.wanted = _messages(linter, tier)
        # E00 is about pylint itself, and syntax.
        self._refusable = [each for each in self._messages if each[0] == "E" and not each.startswith("E00")]
        self._ends = [1]  # lines of the first and the last statement
        for definition in linter.msgs_store.messages:
            linter._msgs_state[definition.msgid] = definition.msgid in self._messages
        linter.doubts = doubts
        linter.initialize()
        self._walker = Walker(linter)
        self._checkers: list[BaseChecker] = linter.prepare_checkers()
        for checker in self._checkers:
            if isinstance(checker, FormatChecker):
                checker.__class__ = _Indentation
            elif isinstance(checker, UnicodeChecker):
                checker.__class__ = _Characters
            checker.open()
            self._walker.add_checker(checker)

    @property
    def is_off(self) -> bool:
        """Whether pylint looked at nothing of the last text, if it found nothing there."""
        if self._linter._ignore_file:
            return True
        enabled = self._linter.is_message_enabled
        return not any(enabled(msgid, line) for msgid in self._refusable for line in self._ends)

    def indent_by(self, indent: str) -> None:
        """What one level is to be indented by from now on."""
        self._linter.config.indent_string = indent

    def run(self, module: nodes.Module, name: str, path: str, passing: Passing | None = None) -> Found:
        """What pylint finds, but for what `passing` says that it passes over."""
        linter, walker = self._linter, self._walker
        walker.begin(passing)
        linter.reporter.messages = []
        linter.doubted = []
        self._ends = [node.fromlineno for node in (*module.body[:1], *module.body[-1:])] or [1]
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
        found = self._found(slice(None), slice(None))
        inside = {line: self._found(*each) for line, each in walker.spans.items()}
        linter.reporter.messages = []
        linter.doubted = []
        return dataclasses.replace(found, inside=inside)

    def _found(self, messages: slice, doubted: slice) -> Found:
        """What is wanted of the linter's messages."""
        wanted = [each for each in self._linter.reporter.messages[messages] if each.msg_id in self._messages]
        return Found(
            tuple(map(_finding, wanted)),
            tuple(
                Doubted(_finding(message), doubt.reason, doubt.lines(module))
                for message, doubt, module in self._linter.doubted[doubted]
                if message.msg_id in self._messages
            ),
        )


class _Linter(PyLinter):
    """Takes pragmas as pylint does, without the work that only other messages than `wanted` need."""

    wanted: frozenset[str] = frozenset()
    doubts: Doubts | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.doubted: list[tuple[Message, Doubt, nodes.Module]] = []

    def add_message(
        self,
        msgid: str,
        line: int | None = None,
        node: nodes.NodeNG | None = None,
        args: Any | None = None,
        *rest: Any,
        **options: Any,
    ) -> None:
        """Keeps back what is not known to be true, with the reason."""
        doubt = None
        if self.doubts is not None and msgid in DOUBTED and node is not None:
            doubt = self.doubts.about(msgid, node, args)
        if doubt is not None and msgid == "c-extension-no-member":
            msgid = "no-member"  # without its advice
        count = len(self.reporter.messages)
        super().add_message(msgid, line, node, args, *rest, **options)
        if doubt is not None and node is not None:
            messages = self.reporter.messages
            self.doubted += [(message, doubt, node.root()) for message in messages[count:]]
            del messages[count:]

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


class _Characters(UnicodeChecker):
    """pylint's search for characters that deceive goes over each line once for each of them."""

    _DOUBTFUL = re.compile(rb"[^\n\t\f -~]")

    def process_module(self, node: nodes.Module) -> None:
        source = node.file_bytes
        says_codec = b"coding" in b"".join(source.split(b"\n", 2)[:2])
        if says_codec or self._DOUBTFUL.search(source):
            super().process_module(node)


def _finding(message: Message) -> Finding:
    return Finding(message.symbol, message.msg_id, message.msg, max(message.line, 1), max(message.column, 0))


def forget_builtins(names: Iterable[str]) -> None:
    """Those that the project's Python has not."""
    for name in names:
        utils.builtins.pop(name, None)  # type: ignore[attr-defined]


def _linter(setup: Setup) -> _Linter:
    """One with our options over the project's (trusted), or over none at all."""
    reporter = CollectingReporter()
    linter = _Linter(reporter=reporter)
    linter.load_default_plugins()
    missing = ESSENTIAL_MESSAGES - {definition.msgid for definition in linter.msgs_store.messages}
    if missing:
        raise LinterError(f"this pylint is incomplete: it lacks the messages {', '.join(sorted(missing))}")
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
