"""The loop of the linter's own process: messages on standard input, answers on standard output.

Nothing of the user's is executed here, and nothing because the user's text names it: astroid finds
modules and reads them as text (reading.py), and the process imports nothing after its start; only a
trusted workspace's pylint configuration may import more.
"""

import ctypes
import dataclasses
import os
import queue
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lintseq_lsp.linters.base import Check, Report, Surroundings, Tier
from lintseq_lsp.linters.environment import Environment, Search, read_environment
from lintseq_lsp.linters.files import Opener
from lintseq_lsp.linters.imports import Imports
from lintseq_lsp.linters.protocol import Setup, read_message, stamp, write_message
from lintseq_lsp.linters.worker.checks import WarmPylint
from lintseq_lsp.linters.worker.library import Library
from lintseq_lsp.linters.worker.pauses import PRELOADED, Pauses
from lintseq_lsp.linters.worker.reading import MOST_SOURCE, confine, look_through_sources

_PR_SET_PDEATHSIG = 1


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
    version = None if setup.python_version is None else (setup.python_version[0], setup.python_version[1])
    library = Library(version, setup.standard_library, standard, setup.site_packages)
    imports = Imports(standard)
    imports.load()
    if trusted:
        imports.trust([*own, *setup.source_roots, *setup.site_packages])
    opener = Opener(MOST_SOURCE)
    confine(opener)
    look_through_sources(library)
    pylint = WarmPylint(setup, standard, own, library)
    pauses = Pauses(PRELOADED if setup.reads_ahead else (), pylint.preload)
    failure = pylint.warm()
    pauses.keep()
    if not trusted:
        imports.close()
    told = [*(environment.warnings if environment else ()), *opener.take_refused()]
    write_message(answers, {"failure": failure, "process": os.getpid(), "warnings": told})
    _silence_stderr()
    while True:
        try:
            asked = checks.get(timeout=pauses.patience)
        except queue.Empty:
            pauses.use()
            continue
        if search and environment and _has_changed(environment):
            found = read_environment(search, own=map(Path, own))
            if found != environment:
                write_message(answers, {"outdated": True})  # the pool starts another worker
                continue
            environment = found
            pylint.forget_packages()
        pylint.learn(asked["modules"], asked["dropped"])
        around = asked["around"] and Surroundings(*map(tuple, asked["around"]))
        check = Check(
            asked["text"],
            asked["path"],
            Tier(asked["tier"]),
            indent=asked["indent"],
            around=around,
            partial=asked["partial"],
            reach=asked["reach"],
        )
        report = pylint.check(check)
        write_message(answers, {**_answer(report), "warnings": opener.take_refused()})
        pauses.end()


def _answer(report: Report) -> dict[str, Any]:
    """The report as the pool gets it, which has the texts of modules itself."""
    return {
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "tier": report.tier,
        "parsed": report.parsed,
        "failure": report.failure,
        "unknown": [dataclasses.asdict(each) for each in report.unknown],
        "newer": report.newer,
        "partial": report.partial,
        "files": report.dependencies.files,
        "read": list(report.dependencies.texts),
    }


def _has_changed(environment: Environment) -> bool:
    """Whether anything that the environment was read from is another by now."""
    return any(stamp(path) != before for path, before in environment.read.items())


def _with_environment(setup: Setup, found: Environment) -> Setup:
    is_known = found.origin not in ("server", "script")
    return dataclasses.replace(
        setup,
        site_packages=[str(path) for path in found.site_packages],
        python_version=found.python_version if is_known else None,
        standard_library=None if found.standard_library is None else str(found.standard_library),
        origin=found.origin,
    )


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
