"""pylint in its process: what it finds, what it survives, and what it never runs."""

import contextlib
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from lintseq_lsp.linters import environment as environment_module
from lintseq_lsp.linters import pool as pool_module
from lintseq_lsp.linters import process as process_module
from lintseq_lsp.linters import requires
from lintseq_lsp.linters.base import Check, Dependencies, Report, Tier
from lintseq_lsp.linters.environment import Environment, find_environment, search_for, server_site_packages
from lintseq_lsp.linters.imports import COMPILED
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.linters.protocol import Setup, stamp
from lintseq_lsp.linters.sources import Sources
from lintseq_lsp.runtime import open_linter
from lintseq_lsp.settings import Settings

OWN = Environment((), server_site_packages(), sys.version_info[:2])
PATIENCE = 60.0  # seconds; generous, since nothing here measures speed
SLOW = "".join(f"def f{number}(a):\n    return a.b + {number}\n" for number in range(10_000))  # 20,000 lines

Start = Callable[..., PylintPool]


@pytest.fixture(scope="module")
def pool() -> Iterator[PylintPool]:
    shared = PylintPool(OWN)
    yield shared
    shared.close()


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[PylintPool] = []

    def starter(environment: Environment = OWN, **options: object) -> PylintPool:
        started.append(PylintPool(environment, **options))  # type: ignore[arg-type]
        return started[-1]

    yield starter
    for each in started:
        each.close()


def report_of(pool: PylintPool, text: str, path: Path | str = "", tier: Tier = Tier.PYLINT) -> Report:
    return pool.submit(Check(text, str(path), tier, PATIENCE)).result(PATIENCE)


def found_in(pool: PylintPool, text: str, path: Path | str = "", tier: Tier = Tier.PYLINT) -> list[str]:
    """What a check finds, as "line code message"."""
    report = report_of(pool, text, path, tier)
    assert report.failure is None
    assert report.tier is tier
    return [f"{found.line} {found.code} {found.message}" for found in report.findings]


def await_running(future: Future[Report]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not future.running():
        assert time.monotonic() < deadline
        os.sched_yield() if hasattr(os, "sched_yield") else time.sleep(0)


# ---------------------------------------------------------------- what is found

MANY = """\
import os, missing_module
from os import nothing


class Base:
    def __init__(self):
        self.a = 1


class Child(Base):
    def __init__(self):
        print(self.b)


def first(a):
        return os.nowhere + undefined


def first(a):
    print(later)
    later = "%d %d" % (1,)
    if a:
        maybe = 1
    return maybe
"""


def test_lintseqs_messages(pool: PylintPool) -> None:
    assert [line.rsplit(" ")[0] + " " + line.split(" ")[1] for line in sorted(found_in(pool, MANY))] == [
        "1 E0401",
        "11 W0231",
        "12 E1101",
        "16 E0602",
        "16 E1101",
        "16 W0311",
        "19 E0102",
        "2 E0611",
        "20 E0601",
        "21 E1306",
        "24 E0606",
    ]


def test_names_tier(pool: PylintPool) -> None:
    assert [line.split(" ")[1] for line in found_in(pool, MANY, tier=Tier.NAMES)] == [
        "E0602",
        "E0601",
        "E0606",
    ]


def test_syntax_tier(pool: PylintPool) -> None:
    assert found_in(pool, MANY, tier=Tier.SYNTAX) == ["16 E0602 Undefined variable 'undefined'"]


def test_style_is_not_judged(pool: PylintPool) -> None:
    assert found_in(pool, "import sys,os\ndef F(x,y):\n  '''no'''\n  return    x if x else None   \n") == [
        "3 W0311 Bad indentation. Found 2 spaces, expected 4",
        "4 W0311 Bad indentation. Found 2 spaces, expected 4",
    ]


def test_generated_members(pool: PylintPool, tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("")
    (tmp_path / "cv3.py").write_text("")
    text = "import cv2\nimport cv3\ncv2.imread\ncv3.imread\n"
    assert found_in(pool, text, tmp_path / "a.py") == ["4 E1101 Module 'cv3' has no 'imread' member"]


def test_a_hint_does_not_make_an_old_finding_new(pool: PylintPool) -> None:
    text = "class A:\n    def value(self):\n        return self.valu\n"
    assert found_in(pool, text) == ["3 E1101 Instance of 'A' has no 'valu' member"]


def test_the_names_of_an_interactive_python_are_names(pool: PylintPool) -> None:
    assert found_in(pool, "exit()\nquit()\nhelp()\n") == []


def test_neither_path_nor_text_is_read_from_disk(pool: PylintPool, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("on_disk\n")
    assert found_in(pool, "in_editor\n", path) == ["1 E0602 Undefined variable 'in_editor'"]
    assert found_in(pool, "in_editor\n", tmp_path / "no" / "such.py") == found_in(pool, "in_editor\n")


# ---------------------------------------------------------------- bad texts are data


@pytest.mark.parametrize("tier", [Tier.SYNTAX, Tier.NAMES, Tier.PYLINT])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def f(:\n", 1),
        ("x = 1\n\n\ndef f():\nx = 2\n", 4),
        ("x = 1\0\n", 1),
        ("x = '\ud800'\n", 1),
        ("(" * 500, 1),
        ("-" * 100_000 + "1", 1),
    ],
)
def test_what_does_not_parse(pool: PylintPool, text: str, line: int, tier: Tier) -> None:
    report = report_of(pool, text, tier=tier)
    assert (report.failure, report.parsed) == (None, False)
    assert [(found.code, found.line) for found in report.findings] == [("E0001", line)]


def test_what_pylint_overlooks_and_python_does_not(pool: PylintPool) -> None:
    text = "def f(a):\n    global a\n"
    assert found_in(pool, text) == [
        "2 E0001 Parsing failed: 'name 'a' is parameter and global (<unknown>, line 2)'"
    ]


def test_a_crash_is_a_failure_and_the_next_check_is_right(start: Start) -> None:
    pool = start()
    report = report_of(pool, "x = " + "+".join(["1"] * 900) + "\n")
    assert report.failure is not None
    assert report.findings == ()
    assert found_in(pool, "y\nimport os\nos.no\n") == [
        "1 E0602 Undefined variable 'y'",
        "3 E1101 Module 'os' has no 'no' member",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(pool: PylintPool, end: str) -> None:
    text = end.join(["x = 1", "\x0c", "if x:", "    print('\u2028')", "missing", ""])
    assert found_in(pool, text) == ["5 E0602 Undefined variable 'missing'"]


def test_encodings(pool: PylintPool) -> None:
    assert found_in(pool, "# -*- coding: latin-1 -*-\nprint('é', missing)\n") == [
        "2 E0602 Undefined variable 'missing'"
    ]
    for text in ("# coding: no-such-encoding\n", "# coding: ascii\nprint('é')\n"):
        report = report_of(pool, text)
        assert not report.parsed
        assert [found.code for found in report.findings] == ["E0001"]


def test_pragmas_are_honoured(pool: PylintPool) -> None:
    assert found_in(pool, "missing  # pylint: disable=undefined-variable\nother\n") == [
        "2 E0602 Undefined variable 'other'"
    ]
    assert report_of(pool, "# pylint: skip-file\nimport os\nos.missing\n").findings == ()
    # ... but reach neither the next text nor beyond LintSeq's set.
    assert found_in(pool, "# pylint: enable=all\nimport os\nmissing\n") == [
        "3 E0602 Undefined variable 'missing'"
    ]


# ---------------------------------------------------------------- the same text, the same findings


def test_the_same_path_twice(pool: PylintPool, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    assert found_in(pool, "first\n", path) == ["1 E0602 Undefined variable 'first'"]
    assert found_in(pool, "def g():\n    return second\n", path) == ["2 E0602 Undefined variable 'second'"]
    assert found_in(pool, "x = 1\n", path) == []


def test_others_see_the_text_that_is_checked(pool: PylintPool, tmp_path: Path) -> None:
    (tmp_path / "maker.py").write_text("import made\n\n\ndef make():\n    return made.Thing()\n")
    path = tmp_path / "made.py"
    text = "import maker\n\n\nclass Thing:\n    {name} = 1\n\n\nprint(maker.make().{used})\n"
    assert found_in(pool, text.format(name="one", used="one"), path) == []
    assert found_in(pool, text.format(name="two", used="two"), path) == []
    assert found_in(pool, text.format(name="two", used="one"), path) == [
        "8 E1101 Instance of 'Thing' has no 'one' member"
    ]


def test_what_was_checked_between_does_not_count(pool: PylintPool, start: Start, tmp_path: Path) -> None:
    (tmp_path / "partner.py").write_text(
        "import subject\nsubject.Thing.late = 1\n\n\nclass Owner:\n    pass\n"
    )
    texts = [
        "import os\nimport partner\nos.extra = partner.extra = 1\nowner = partner.Owner()\nowner.extra = 1\n",
        "import os\nimport partner\nprint(os.extra, partner.Owner().extra, partner.extra)\n",
        "import partner\n\n\nclass Thing:\n    def f(self):\n        return self.late, self.never, partner\n",
    ]
    path = tmp_path / "subject.py"
    fresh = []
    for text in texts:
        alone = start()
        fresh.append(found_in(alone, text, path))
        alone.close()
    assert [len(findings) for findings in fresh] == [0, 3, 1]
    for turn in range(200):
        number = turn % len(texts)
        assert found_in(pool, texts[number], path) == fresh[number]


def test_nothing_is_left_of_a_name_that_was_given_to_a_class_of_another_module(pool: PylintPool) -> None:
    given = "import argparse\n\nparser = argparse.ArgumentParser()\n"
    assert report_of(pool, f"{given}parser.extra = 1\n").failure is None
    report = report_of(pool, f"{given}for name in parser.__dict__:\n    print(name)\n")
    assert (report.failure, list(report.findings)) == (None, [])


def test_memory_stays_flat(pool: PylintPool) -> None:
    methods = "".join(f"    def f{n}(self):\n        return self.a{n}.b\n\n" for n in range(30))

    def resident_after(checks: int) -> int:
        for turn in range(checks):
            report_of(pool, f"import os\n\n\nclass A{turn}:\n{methods}")
        process = pool.process_id()
        assert process is not None
        return int(psutil.Process(process).memory_info().rss)

    before = resident_after(100)  # after what is read ahead
    assert resident_after(200) - before < 8 * 2**20


# ---------------------------------------------------------------- imports


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    packages = root / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (root / ".venv" / "pyvenv.cfg").write_text("home = /nowhere\nversion = 3.11.1\n")
    (packages / "userlib.py").write_text("def known(): ...\n")
    (root / "src" / "pkg").mkdir(parents=True)
    (root / "src" / "pkg" / "__init__.py").write_text("")
    (root / "src" / "pkg" / "b.py").write_text("def known(): ...\n")
    (root / "top.py").write_text("def known(): ...\n")
    return root


def test_imports_are_the_users(workspace: Path, start: Start) -> None:
    pool = start(find_environment(workspace, environ={}))
    text = "import userlib\nfrom userlib import known, unknown\nimport hypothesis\nimport psutil\n"
    assert found_in(pool, text, workspace / "a.py") == [
        "2 E0611 No name 'unknown' in module 'userlib'",
        "3 E0401 Unable to import 'hypothesis'",
        "4 E0401 Unable to import 'psutil'",
    ]
    path = workspace / "src" / "pkg" / "a.py"
    text = "from . import b, nothing\nfrom .b import known\nfrom pkg.b import unknown\nimport top\ntop.no\n"
    first_party = found_in(pool, text, path)
    assert first_party == [
        "1 E0611 No name 'nothing' in module 'pkg'",
        "3 E0611 No name 'unknown' in module 'pkg.b'",
        "5 E1101 Module 'top' has no 'no' member",
    ]
    outside = workspace.parent / "scripts"
    outside.mkdir()
    (outside / "neighbour.py").write_text("x = 1\n")
    text = "import neighbour\nneighbour.x\nneighbour.y\n"
    assert found_in(pool, text, outside / "tool.py") == ["3 E1101 Module 'neighbour' has no 'y' member"]
    assert found_in(pool, text, path) == ["1 E0401 Unable to import 'neighbour'"]

    # Files change under us, also into being.
    (workspace / "src" / "pkg" / "b.py").write_text("def known(): ...\ndef unknown(): ...\n")
    (workspace / "src" / "pkg" / "nothing.py").write_text("")
    text = "from . import b, nothing\nfrom pkg.b import unknown\n"
    assert found_in(pool, text, path) == []


# ---------------------------------------------------------------- modules that count as somebody has them


def codes(pool: PylintPool, text: str, path: Path, modules: dict[Path, str | None]) -> list[str]:
    """What a check finds when the texts of `modules` count, as "line code"."""
    texts = {str(file): module for file, module in modules.items()}
    report = pool.submit(Check(text, str(path), Tier.PYLINT, PATIENCE, texts)).result(PATIENCE)
    assert report.failure is None
    return [f"{found.line} {found.code}" for found in report.findings]


def test_texts_count_instead_of_files(workspace: Path, start: Start) -> None:
    pool = start(find_environment(workspace, environ={}))
    path, top = workspace / "a.py", workspace / "top.py"
    (workspace / "all_of_it.py").write_text("from top import *\n")
    text = "from top import known\nfrom top import added\nimport all_of_it\nprint(all_of_it.added)\n"
    on_disk = ["2 E0611", "4 E1101"]
    assert codes(pool, text, path, {}) == on_disk
    assert codes(pool, text, path, {top: "known = 1\r\nadded = 2\r\n"}) == []
    assert codes(pool, text, path, {top: "added = 2\n"}) == ["1 E0611"]
    assert codes(pool, "", top, {path: text}) == []  # the one that is checked keeps its text for the others
    assert codes(pool, text, path, {top: "added = 2\n"}) == ["1 E0611"]
    assert codes(pool, text, path, {}) == on_disk
    assert codes(pool, text, path, {top: None}) == ["1 E0401", "2 E0401", "4 E1101"]
    (workspace / "top.py").write_text("known = added = 1\n")
    assert codes(pool, text, path, {}) == []


def test_modules_that_were_never_saved(workspace: Path, start: Start) -> None:
    pool = start(find_environment(workspace, environ={}))
    path = workspace / "a.py"
    (workspace / "hub.py").write_text("from fresh import *\n")
    through = "import hub\nprint(hub.x)\n"
    assert codes(pool, through, path, {}) == ["2 E1101"]
    assert codes(pool, through, path, {workspace / "fresh.py": "x = 1\n"}) == []
    text = "from fresh import x\nfrom package.inner import x\nimport package.inner\nprint(package.y)\n"
    text += "from folder.module import x\nfrom folder.module import z\n"
    modules: dict[Path, str | None] = {
        workspace / "fresh.py": "x = 1\n",
        workspace / "package" / "__init__.py": "y = 1\n",
        workspace / "package" / "inner.py": "from . import y\nfrom .inner_too import x\n",
        workspace / "package" / "inner_too.py": "x = 1\n",
        workspace / "folder" / "module.py": "x = 1\n",
    }
    assert codes(pool, text, path, modules) == ["6 E0611"]
    relative = "from . import y, nothing\nfrom .inner import x\n"
    assert codes(pool, relative, workspace / "package" / "b.py", modules) == ["1 E0611"]
    outside = workspace.parent / "scripts" / "package"  # which no source root holds
    inside = {outside / "__init__.py": "y = 1\n", outside / "inner.py": "from . import y\nx = y\n"}
    assert codes(pool, relative, outside / "b.py", inside) == ["1 E0611"]
    assert codes(pool, text, path, {}) == ["1 E0401", "2 E0401", "3 E0401", "5 E0401", "6 E0401"]


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """All that was sent to workers."""
    sent: list[dict[str, Any]] = []
    write = process_module.write_message

    def writing(stream: Any, message: Any) -> None:
        sent.append(message)
        write(stream, message)

    monkeypatch.setattr(process_module, "write_message", writing)
    return sent


def test_a_worker_is_told_what_it_does_not_know(
    workspace: Path, start: Start, messages: list[dict[str, Any]]
) -> None:
    pool = start(find_environment(workspace, environ={}))
    path, one, two = workspace / "a.py", workspace / "one.py", workspace / "two.py"
    text = "from one import x\nfrom two import x\n"

    def told(modules: dict[Path, str | None], of: Path = path) -> tuple[list[str], list[str]]:
        codes(pool, text, of, modules)
        return [Path(name).name for name in messages[-1]["modules"]], messages[-1]["dropped"]

    assert told({one: "x = 1\n", two: "x = 1\n"}) == (["one.py", "two.py"], [])
    assert told({one: "x = 1\n", two: "x = 1\n"}) == ([], [])
    assert told({one: "x = 1\n", two: "x = 2\n"}) == (["two.py"], [])
    assert told({two: "x = 2\n"}, of=one) == ([], [])
    assert told({one: "x = 1\n"}) == ([], [str(two)])
    process = pool.process_id()
    assert process is not None
    psutil.Process(process).kill()
    report_of(pool, "")  # finds it dead
    assert told({one: "x = 1\n"}) == (["one.py"], [])
    assert codes(pool, text, path, {one: "x = 1\n"}) == ["2 E0401"]


def test_what_a_report_depends_on(workspace: Path, start: Start) -> None:
    pool = start(find_environment(workspace, environ={}))
    path, top, b = workspace / "a.py", workspace / "top.py", workspace / "src" / "pkg" / "b.py"
    broken, given = workspace / "broken.py", workspace / "given.py"
    broken.write_text("x = (\n")
    star, names = workspace / "star.py", workspace / "names.py"
    star.write_text("from names import *\n")
    names.write_text("x = 1\n")
    top.write_text("import pkg.b\nknown = pkg.b.known\n")
    modules = {str(given): "x = 1\n", str(workspace / "unread.py"): "x = 1\n"}
    text = (
        "import os\nimport top\nimport given\nimport broken\nimport userlib\nprint(os, top.known(), given)\n"
    )

    def depends(text: str) -> Dependencies:
        check = Check(text, str(path), Tier.PYLINT, PATIENCE, modules)
        return pool.submit(check).result(PATIENCE).dependencies

    for _ in range(2):  # the second time nothing is read anew
        found = depends(text)
        assert found.names == modules.keys()
        assert found.texts == {str(given): "x = 1\n"}
        wanted = [top, b, broken, workspace, workspace / "src", b.parent]
        assert {str(file): stamp(str(file)) for file in wanted}.items() <= found.files.items()
        packages = workspace / ".venv" / "lib" / "python3.11" / "site-packages"
        assert str(packages) in found.files
        assert not [file for file in found.files if file.endswith(".py") and "userlib" in file]
        assert str(path) not in found.files
    assert depends(text) is found
    for _ in range(2):  # of a module that has been read, what it was made of counts as well
        assert {str(star), str(names)} <= depends("import star\nprint(star.nothing)\n").files.keys()
    alone = depends("import os\nprint(os)\n")
    assert alone.texts == {}
    assert not [file for file in alone.files if file.endswith(".py")]


def test_a_report_may_depend_on_all_that_its_text_leads_to(workspace: Path, start: Start) -> None:
    """Another linter reads modules that pylint has no reason to look at."""
    pool = start(find_environment(workspace, environ={}))
    package, given = workspace / "src" / "pkg", workspace / "src" / "pkg" / "given.py"
    texts = {
        package / "deep.py": "from .inner import (\n    far,\n)\n",
        package / "inner" / "__init__.py": "",
        package / "inner" / "far.py": "from .. import given, deep\nimport userlib, nowhere\n",
        package / "stub.pyi": "import alone\n",
        package / "stub.py": "x = (\n",
        workspace / "alone.py": "def f():\n    import pkg.deep\n",
        workspace / "other.py": "",
    }
    for file, text in texts.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    text = "from pkg import stub\nfrom . import b\nprint(stub, b)\n"

    def depends(*, reach: bool = True, path: Path = package / "a.py") -> Dependencies:
        modules = {str(given): "import alone\n"}
        check = Check(text, str(path), Tier.PYLINT, PATIENCE, modules, reach=reach)
        return pool.submit(check).result(PATIENCE).dependencies

    led_to = {str(file) for file in texts if file.name != "other.py"}
    for _ in range(2):  # the second time nothing is read anew
        found = depends()
        assert {file for file in found.files if file in map(str, texts)} == led_to
        assert {str(file.parent): stamp(str(file.parent)) for file in texts}.items() <= found.files.items()
        assert found.texts == {str(given): "import alone\n"}
        assert not [file for file in found.files if file.endswith(".py") and "userlib" in file]
    assert not {str(package / "deep.py"), str(workspace / "alone.py")} & depends(reach=False).files.keys()
    (package / "stub.pyi").write_text("")
    assert str(workspace / "alone.py") not in depends().files
    assert str(package / "deep.py") not in depends(path=package / "deep.py").files


def test_a_module_that_stays_as_it_is_need_not_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved as it was typed, opened as it was saved, and closed."""
    from lintseq_lsp.linters.worker import freshness as module
    from lintseq_lsp.linters.worker import reading

    sources = Sources()
    for each in (module, reading):
        monkeypatch.setattr(each, "SOURCES", sources)
    file = str(tmp_path / "a.py")
    sources.update({file: "x = 1\n"}, [])
    tracked = module._Tracked(file, sources.state(file), hash("x = 1\n"), frozenset())
    assert not tracked.changed()
    Path(file).write_text("x = 1\n")
    sources.update({}, [file])
    assert not tracked.changed()
    assert tracked.state == stamp(file)
    sources.update({file: "x = 1\r\n"}, [])
    assert not tracked.changed()
    sources.update({file: "x = 2\n"}, [])
    assert tracked.changed()
    sources.update({file: None}, [])
    assert tracked.changed()


def test_extension_modules_of_another_python_are_found(tmp_path: Path, start: Start) -> None:
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    theirs = suffix.replace(f"{sys.version_info[0]}{sys.version_info[1]}", "399")
    (tmp_path / f"extension{theirs}").write_bytes(b"no library")
    text = "import extension\nextension.x\n"
    assert found_in(start(Environment((), (tmp_path,), (3, 99))), text) == []
    assert found_in(start(Environment((), (tmp_path,), None)), text) == [
        "1 E0401 Unable to import 'extension'"
    ]


def plant(folder: Path, marker: Path) -> str:
    """Code that leaves a trace when it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"import os\nos.close(os.open({str(marker)!r}, os.O_CREAT))\n"


PLANTED = (
    "json",
    "astroid",
    "typing",
    "pylint",
    "enum",
    "sitecustomize",
    "usercustomize",
    "conftest",
    "re",
    "plugin",
)
INSTALLED = ("gi", "numpy", "six", "enchant", "typing_extensions", "userlib")
USES = """\
import json, astroid, typing, pylint, enum, conftest, plugin, userlib, extension, winsound
import gi.repository.Gtk
import numpy as np
import six.moves
import json.decoder
import typing.no
a: np.ndarray[int] = np.array([json.loads("1")])
b: typing.Optional[int] = userlib.x


class Colour(enum.Enum):
    RED = 1


print(Colour.RED.name, gi.repository.Gtk, extension.x)
"""


def test_nothing_of_the_workspace_runs(
    workspace: Path, start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    markers = tmp_path / "markers"
    markers.mkdir()
    packages = workspace / ".venv" / "lib" / "python3.11" / "site-packages"
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    for name in PLANTED:
        (workspace / f"{name}.py").write_text(plant(workspace, markers / name))
    for name in INSTALLED:
        code = plant(packages / name, markers / name) + "x = 1\n"
        (packages / name / "__init__.py").write_text(code)
    with (packages / "numpy" / "__init__.py").open("a") as stream:
        stream.write("class ndarray: ...\ndef array(a): ...\n")
    (packages / "gi" / "repository").mkdir()
    for name in ("extension", "winsound"):
        (packages / (name + suffix)).write_bytes(b"no library")
    (packages / "numpy-2.0.0.dist-info").mkdir()
    hook = "__import__('os').close(__import__('os').open({!r}, __import__('os').O_CREAT))"
    (packages / "a.pth").write_text("import plugin\n")
    (workspace / ".pylintrc").write_text(
        f"[MAIN]\ninit-hook={hook.format(str(markers / 'hook'))}\nload-plugins=plugin\n"
        "[MESSAGES CONTROL]\ndisable=all\n"
    )
    (workspace / "pyproject.toml").write_text(
        f'[tool.pylint.main]\nload-plugins = ["plugin"]\ninit-hook = "{hook.format(str(markers / "toml"))}"\n'
    )
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("PYTHONPATH", str(workspace))
    monkeypatch.setenv("PYTHONSTARTUP", str(workspace / "conftest.py"))
    monkeypatch.setenv("PYLINTRC", str(workspace / ".pylintrc"))
    monkeypatch.syspath_prepend(str(workspace))

    pool = start(find_environment(workspace, environ={}), configuration_folder=workspace)
    findings = found_in(pool, USES + "missing\n", workspace / "a.py")
    assert "16 E0602 Undefined variable 'missing'" in findings  # neither is the configuration heeded
    assert not [line for line in findings if "ndarray" in line or "extension" in line]  # read, not loaded
    for name in PLANTED:
        found_in(pool, "import json\njson.loads\n", workspace / f"{name}.py")
    assert found_in(pool, "import json\njson.loads\njson.nothing\n", workspace / "a.py") == [
        "3 E1101 Module 'json' has no 'nothing' member"
    ]
    pool.close()
    assert sorted(path.name for path in markers.iterdir()) == []


AUDIT = """
import os, sys
log = os.open({!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
HARMLESS = {{"builtins.id", "compile", "os.listdir", "os.scandir", "object.__getattr__", "sys._getframe"}}


def hook(event, arguments):
    if event in HARMLESS:
        return
    what = arguments[0] if arguments else ""
    if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return
    if event == "import" and arguments[1] is None:
        return  # looked for; what is found is a library that is loaded, or source that is executed
    os.write(log, f"{{event}} {{what!r}}\\n".encode())


sys.addaudithook(hook)
"""
"""Writes what the worker does, other than to read and to parse."""


def hostile_documents() -> Iterator[str]:
    for name in sorted(sys.stdlib_module_names):
        yield f"import {name}.x, {name}.__main__.x\n"
    for name in (
        *("__hello__.x", "__phello__.spam.x", "idlelib.idle.x", "wsgiref.simple_server.x", "test.autotest.x"),
        *("sys.venv.__main__.x", "sys.chain.x", "venv.chain", "encodings.x.y", "extension.x", "chain.x"),
        *("pylint.__main__.x", "isort.__main__.x", "lintseq_lsp.__main__.x", "pip.__main__.x"),
        *("gi.repository.Gtk", "numpy.core.x", "six.moves.x"),
    ):
        parent = name.rpartition(".")[0]
        yield f"import {name}\nfrom {name} import *\nimport {parent} as parent\nprint(parent.x)\n"
    yield "import chain\nfrom chain import *\nprint(venv.x)\n"
    yield "import gi\ngi.require_version('Gtk', '3.0')\n"
    yield "# pylint: enable=all\nimport sqlite3, os, chain\n"
    yield "# pylint: load-plugins=chain\n# pylint: init-hook=import chain\n"
    for codec in ("rot13", "idna", "mbcs", "cp1252", "chain"):
        yield f"# coding: {codec}\nx = 1\n"


def test_nothing_runs_because_a_text_names_it(
    workspace: Path, start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "audit"
    monkeypatch.setattr(process_module, "_BOOT", AUDIT.format(str(log)) + process_module._BOOT)
    (workspace / "chain.py").write_text("import venv.__main__.x\nimport unittest.__main__.x\n")
    (workspace / "__main__.py").write_text("x = 1\n")
    (workspace / f"extension{importlib.machinery.EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")
    pool = start(find_environment(workspace, environ={}), memory_limit=2**31)
    assert report_of(pool, "x = 1\n").failure is None
    process = pool.process_id()
    started = log.read_text("utf-8").splitlines()
    assert [line for line in started if line.startswith("exec")]  # the hook sees what there is to be seen
    for text in hostile_documents():
        report_of(pool, text, workspace / "a.py")
    assert log.read_text("utf-8").splitlines()[len(started) :] == []
    assert pool.process_id() == process


def test_a_trusted_worker_imports_nothing_by_name_either(
    workspace: Path, start: Start, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    (workspace / "gi" / "repository").mkdir(parents=True)
    for file in ("gi/__init__.py", "_overlapped.py"):
        (workspace / file).write_text(plant(workspace, marker))
    # Of Windows' library, and compiled, as it seems; but what would be imported is the source.
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    theirs = suffix.replace(f"{sys.version_info[0]}{sys.version_info[1]}", "399")
    (workspace / "src" / f"_overlapped{theirs}").write_bytes(b"no library")
    environment = Environment((workspace / "src", workspace), (), (3, 99))
    pool = start(environment, trusted=True, configuration_folder=workspace)
    text = "import gi.repository.Gtk\nimport venv.__main__.x\nimport _overlapped\n"
    findings = [line for line in found_in(pool, text) if "E0401" in line]
    assert [line.split("'")[1] for line in findings] == [
        "gi.repository.Gtk",
        "venv.__main__.x",
        "_overlapped",
    ]
    assert not marker.exists()


def test_compiled_modules_are_known_by_what_is_in_them(pool: PylintPool) -> None:
    text = "import {0}\n{0}.{1}\n{0}.no_such_name\n"
    for module, name in (("math", "pi"), ("_socket", "AF_INET"), ("_asyncio", "Task"), ("zlib", "crc32")):
        assert [line[:7] for line in found_in(pool, text.format(module, name))] == ["3 E1101"]
    assert (
        found_in(pool, "import _frozen_importlib, importlib._bootstrap, os.path, xml.etree.ElementTree\n")
        == []
    )


def test_all_compiled_modules_of_the_standard_library_are_listed() -> None:
    compiled = set()
    for name in sys.stdlib_module_names:
        found = importlib.util.find_spec(name) if name != "__main__" else None
        is_extension = isinstance(found and found.loader, importlib.machinery.ExtensionFileLoader)
        if found and (is_extension or found.origin == "built-in"):
            compiled.add(name)
    assert compiled <= COMPILED


def test_a_package_may_have_a_part_called_distutils(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "bundle" / "distutils"
    folder.mkdir(parents=True)
    for file in (folder.parent / "__init__.py", folder / "__init__.py", folder / "ours.py"):
        file.write_text("x = 1\n")
    text = "import bundle.distutils.ours\nbundle.distutils.ours.x\n"
    assert found_in(start(Environment((), (tmp_path,), sys.version_info[:2])), text) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_modules_that_are_no_files(workspace: Path, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    names = ("pipe", "device", "large", "circle", "folder", "marked")
    os.mkfifo(workspace / "pipe.py")
    (workspace / "device.py").symlink_to("/dev/null")
    with (workspace / "large.py").open("wb") as stream:
        stream.truncate(64 * 2**20)
    (workspace / "circle.py").symlink_to("circle.py")
    (workspace / "folder.py").mkdir()
    (workspace / "marked").mkdir()
    (workspace / "marked" / "__init__.pyi").write_text("")
    os.mkfifo(workspace / "marked" / "__init__.py")
    pool = start(find_environment(workspace, environ={}))
    for name in names:
        text = f"import {name}.part\nimport {name}\n"
        assert [line[:7] for line in found_in(pool, text, workspace / "a.py")] == ["1 E0401", "2 E0401"], name
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "large.py': not read: it has more than" in told[0]
    assert "marked/__init__.py': not read: it is no regular file" in told[1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_the_worker_searches_the_environment(
    workspace: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    packages = workspace / ".venv" / "lib" / "python3.11" / "site-packages"
    os.mkfifo(packages / "pipe.pth")
    pool = start(search_for([workspace], "no-such-python", environ={}))
    text = "import userlib, top\nimport hypothesis\n"
    for _ in range(2):
        assert found_in(pool, text, workspace / "a.py") == ["2 E0401 Unable to import 'hypothesis'"]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "no-such-python" in told[0]
    assert "pipe.pth': not read" in told[1]


def test_a_server_reads_nothing_of_the_environment(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("read by the server")

    for module, name in (
        (environment_module, "read_file"),
        (environment_module, "names_in"),
        (requires, "read_file"),
    ):
        monkeypatch.setattr(module, name, read)
    (workspace / "pyproject.toml").write_text("[project]\nrequires-python = '>=3.11'\n")
    linter = open_linter(Settings(), lambda: [workspace])
    check = Check("import userlib\nimport hypothesis\n", str(workspace / "a.py"), timeout=PATIENCE)
    script = Check(f"# /// script\n# ///\n{check.text}", check.path, timeout=PATIENCE)
    lines = [
        [finding.line for finding in linter.submit(each).result(PATIENCE).findings]
        for each in (check, script)
    ]
    linter.close()
    assert lines == [[2], [3, 4]]


def test_a_trusted_configuration_counts(workspace: Path, start: Start, tmp_path: Path) -> None:
    (workspace / "tools").mkdir()
    (workspace / "tools" / "aid.py").write_text("")
    (workspace / "tools" / "plugin.py").write_text(
        "from pathlib import Path\n\n\ndef register(linter):\n"
        f"    Path({str(tmp_path / 'plugin-ran')!r}).touch()\n"
    )
    (workspace / ".pylintrc").write_text(
        "[MAIN]\ninit-hook=import sys; sys.path.append('tools')\nload-plugins=plugin\n"
        "ignored-modules=absent\n[MESSAGES CONTROL]\ndisable=no-member,syntax-error\nenable=C,R,W\n"
        "[TYPECHECK]\ngenerated-members=made\n"
    )
    pool = start(find_environment(workspace, environ={}), trusted=True, configuration_folder=workspace)
    text = "import top, aid\nimport absent\nimport other\ntop.no\nmissing\n"
    assert found_in(pool, text, workspace / "a.py") == [
        "3 E0401 Unable to import 'other'",
        "5 E0602 Undefined variable 'missing'",
    ]
    assert not report_of(pool, "x = (\n").parsed
    assert (tmp_path / "plugin-ran").exists()


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("pyproject.toml", None),
        ("setup.cfg", None),
        (".pylintrc", "pylint could not be set up: SystemExit: 32"),
    ],
)
def test_a_trusted_configuration_that_is_too_large(
    workspace: Path, start: Start, caplog: pytest.LogCaptureFixture, name: str, failure: str | None
) -> None:
    with (workspace / name).open("wb") as stream:
        stream.truncate(64 * 2**20)
    pool = start(find_environment(workspace, environ={}), trusted=True, configuration_folder=workspace)
    assert report_of(pool, "x = 1\n").failure == failure
    assert f"{name}': not read: it has more than" in caplog.records[0].getMessage()


def test_a_trusted_configuration_that_cannot_be_used_is_a_failure(workspace: Path, start: Start) -> None:
    (workspace / ".pylintrc").write_text("[MAIN]\ninit-hook=raise RuntimeError('broken hook')\n")
    pool = start(find_environment(workspace, environ={}), trusted=True, configuration_folder=workspace)
    report = report_of(pool, "x = 1\n")
    assert report.failure is not None
    assert "broken hook" in report.failure


# ---------------------------------------------------------------- the process


def test_a_check_that_hangs(start: Start) -> None:
    pool = start(late_for=0.5)
    assert report_of(pool, "").failure is None
    first = pool.process_id()
    report = pool.submit(Check(SLOW, timeout=0.3)).result(PATIENCE)
    assert report.failure == "timed out after 0.3 s"
    assert report.findings == ()
    assert found_in(pool, "missing\n") == ["1 E0602 Undefined variable 'missing'"]
    assert pool.process_id() != first


def test_a_worker_that_is_killed(start: Start) -> None:
    pool = start()
    assert report_of(pool, "").failure is None
    running = pool.submit(Check(SLOW, timeout=PATIENCE))
    after = pool.submit(Check("missing\n", timeout=PATIENCE))
    await_running(running)
    process = pool.process_id()
    assert process is not None
    psutil.Process(process).kill()
    assert running.result(PATIENCE).failure == "linter worker died"
    assert [found.code for found in after.result(PATIENCE).findings] == ["E0602"]


def test_a_check_can_be_cancelled_until_it_begins(start: Start) -> None:
    pool = start()
    running = pool.submit(Check(SLOW[:40_000], timeout=PATIENCE))
    await_running(running)
    waiting = pool.submit(Check("missing\n", timeout=PATIENCE))
    last = pool.submit(Check("missing\n", timeout=PATIENCE))
    assert waiting.cancel()
    assert not running.cancel()
    assert running.result(PATIENCE).findings == ()
    assert len(last.result(PATIENCE).findings) == 1
    assert waiting.cancelled()


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one for every process that is started."""
    counted: list[object] = []
    popen = subprocess.Popen

    def counting(*arguments: object, **options: object) -> object:
        counted.append(arguments)
        return popen(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(process_module.subprocess, "Popen", counting)
    return counted


def test_a_worker_that_grows_is_replaced(start: Start, starts: list[object]) -> None:
    pool = start(memory_limit=1)
    for _ in range(2):
        assert found_in(pool, "missing\n") == ["1 E0602 Undefined variable 'missing'"]
    assert len(starts) >= 2
    report = pool.submit(Check(SLOW, timeout=PATIENCE)).result(PATIENCE)
    assert report.failure == "the check used more than 0 MB"


def test_a_worker_that_cannot_start(
    start: Start, starts: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = report_of(start(executable=str(tmp_path / "no-python")), "x = 1\n")
    assert report.failure is not None
    assert "no-python" in report.failure

    monkeypatch.setattr(process_module, "_BOOT", "raise SystemExit('pylint is out')")
    pool = start()
    reports = [report_of(pool, "x = 1\n") for _ in range(100)]
    assert {report.failure for report in reports} == {"the linter worker could not start: pylint is out"}
    assert len(starts) < 5


def test_a_worker_that_never_gets_ready(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_BOOT", "import sys; sys.stdin.read()")
    report = report_of(start(start_timeout=0.2), "x = 1\n")
    assert report.failure == "the linter worker did not start within 0 s"


def test_closing(start: Start) -> None:
    pool = start()
    assert pool.warm().result(PATIENCE).failure is None
    number = pool.process_id()
    assert number is not None
    process = psutil.Process(number)
    running = pool.submit(Check(SLOW, timeout=PATIENCE))
    waiting = pool.submit(Check("x = 1\n"))
    await_running(running)
    pool.close()
    pool.close()
    assert running.result(PATIENCE).failure == "the linter is closed"
    assert waiting.result(PATIENCE).failure == "the linter is closed"
    assert pool.submit(Check("x = 1\n")).result(0).failure == "the linter is closed"
    process.wait(PATIENCE)


def test_no_orphan_is_left() -> None:
    code = f"""
import os
from lintseq_lsp.linters.base import Check
from lintseq_lsp.linters.environment import find_environment
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.linters.protocol import Setup, stamp
from lintseq_lsp.linters.sources import Sources
pool = PylintPool(find_environment(None))
assert pool.warm().result().failure is None
pool.submit(Check({SLOW[:20_000]!r} * 20, timeout=60))
print(pool.process_id(), flush=True)
os._exit(0)
"""
    root = Path(process_module.__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(ended.stdout)).wait(PATIENCE)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the end of the pipe alone tells")
def test_no_orphan_is_left_while_somebody_else_holds_the_pipe() -> None:
    code = """
import os, time
from lintseq_lsp.linters.environment import find_environment
from lintseq_lsp.linters.pool import PylintPool
pool = PylintPool(find_environment(None))
assert pool.warm().result().failure is None
holder = os.fork()
if holder == 0:
    os.closerange(1, 3)
    time.sleep(600)
print(pool.process_id(), holder, flush=True)
os._exit(0)
"""
    root = Path(process_module.__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    worker, holder = map(int, ended.stdout.split())
    try:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(worker).wait(PATIENCE)
    finally:
        psutil.Process(holder).kill()


# ---------------------------------------------------------------- slow files

HEAVY = "\n".join(
    f"class C{number}:\n    def m(self, a):\n        return [a, {number}]\n" for number in range(4000)
)
"""A module that takes seconds to read."""


def test_what_was_read_for_a_check_that_came_too_late_is_kept(
    workspace: Path, start: Start, starts: list[object]
) -> None:
    (workspace / "heavy.py").write_text(HEAVY)
    pool = start(find_environment(workspace, environ={}))
    assert report_of(pool, "").failure is None
    check = Check("import heavy\nheavy.nothing\n", str(workspace / "a.py"), timeout=0.01)
    late = pool.submit(check).result(PATIENCE)
    assert late.failure == "timed out after 0.0 s"
    assert found_in(pool, check.text, check.path) == ["2 E1101 Module 'heavy' has no 'nothing' member"]
    assert len(starts) == 1


def test_a_slow_file_keeps_no_other_waiting(workspace: Path, start: Start, starts: list[object]) -> None:
    pool = start(find_environment(workspace, environ={}))
    assert report_of(pool, "").failure is None
    slow = Check(SLOW, str(workspace / "slow.py"), timeout=PATIENCE, patience=0.1)
    running = pool.submit(slow)
    await_running(running)
    first, same = pool.process_id(), pool.submit(slow)
    assert found_in(pool, "missing\n", workspace / "a.py") == ["1 E0602 Undefined variable 'missing'"]
    assert found_in(pool, "missing\n", workspace / "a.py") == ["1 E0602 Undefined variable 'missing'"]
    assert not running.done()
    assert same.result(PATIENCE).failure == "the linter was busy with another check for 0.1 s"
    assert pool.process_id() == first
    assert len(starts) == 2


def test_the_reserve_reads_nothing_ahead(
    workspace: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    setups = []
    process = pool_module.WorkerProcess

    def noting(executable: str, setup: Setup, warn: Callable[[str], None]) -> object:
        setups.append(setup)
        return process(executable, setup, warn)

    monkeypatch.setattr(pool_module, "WorkerProcess", noting)
    pool = start(find_environment(workspace, environ={}))
    running = pool.submit(Check(SLOW, str(workspace / "slow.py"), timeout=PATIENCE))
    await_running(running)
    assert found_in(pool, "", workspace / "a.py") == []
    assert [setup.reads_ahead for setup in setups] == [True, False]
    assert replace(setups[1], reads_ahead=True) == setups[0]


def test_a_reserve_that_is_not_wanted_ends(
    workspace: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_RESERVE_KEPT", 0.1)
    pool = start(find_environment(workspace, environ={}))
    running = pool.submit(Check(SLOW, str(workspace / "slow.py"), timeout=PATIENCE))
    await_running(running)
    assert found_in(pool, "", workspace / "a.py") == []
    assert running.result(PATIENCE).failure is None
    deadline = time.monotonic() + PATIENCE
    while pool._reserve.worker is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert found_in(pool, "missing\n", workspace / "a.py") == ["1 E0602 Undefined variable 'missing'"]


def test_many_threads_may_submit(pool: PylintPool) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as executor:
        results = executor.map(lambda number: found_in(pool, f"name{number}\n"), range(40))
        assert list(results) == [[f"1 E0602 Undefined variable 'name{number}'"] for number in range(40)]


@pytest.mark.parametrize(
    "pragma",
    [
        "# pylint: skip-file",
        "# pylint: disable=all",
        "# pylint: disable=E",
        "'''Text.'''\n# pylint: disable=E",
    ],
)
def test_where_pylint_is_switched_off_it_did_not_look(pool: PylintPool, pragma: str) -> None:
    """The check that is no pylint judges there as it does in the server."""
    report = report_of(pool, f"{pragma}\nimport os\nos.nothing()\n")
    assert (report.tier, list(report.findings)) == (Tier.SYNTAX, [])
    report = report_of(pool, f"{pragma}\nx = nothing\n")
    assert [finding.code for finding in report.findings] == ["E0602"]
    assert report_of(pool, "# pylint: disable=E0602\nx = nothing\n").tier is Tier.PYLINT
    assert report_of(pool, "def f():\n    # pylint: disable=E\n    pass\n\n\nx = 1\n").tier is Tier.PYLINT


def test_where_pylint_looked_at_some_lines_what_it_found_counts(pool: PylintPool) -> None:
    ends = "import os  # pylint: disable=E\n{}print(os)  # pylint: disable=E\n"
    assert found_in(pool, ends.format("os.nothing()\n")) == ["2 E1101 Module 'os' has no 'nothing' member"]
    text = "# pylint: disable=E\nimport os\n# pylint: enable=E\nos.nothing()\n# pylint: disable=E\nprint()\n"
    assert found_in(pool, text) == ["4 E1101 Module 'os' has no 'nothing' member"]


def test_a_configuration_may_switch_pylint_off(workspace: Path, start: Start) -> None:
    (workspace / ".pylintrc").write_text("[MESSAGES CONTROL]\ndisable=all\n")
    pool = start(find_environment(workspace, environ={}), trusted=True, configuration_folder=workspace)
    assert report_of(pool, "import os\nos.nothing()\n").tier is Tier.SYNTAX
