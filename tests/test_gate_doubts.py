"""What cannot be known rejects nothing, unless the edit itself is why it cannot be known."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lintseq_lsp.gate import Gate, GatePolicy
from lintseq_lsp.linters.base import Doubted, Finding, Report, Tier
from lintseq_lsp.linters.router import Router
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Known, Verdict, judge

PATIENCE = 60.0

BASE = """\
import os
import sys
import mod


class A:
    def m(self):
        return 1


print(os, sys, mod, A())
"""
SETS = BASE.replace("        return 1\n", "        setattr(self, str(1), 2)\n        return 1\n")
HERE, ELSEWHERE = f"sys.platform == {sys.platform!r}", "sys.platform == 'no system'"
GUARD = f"if {ELSEWHERE}:\n    import nothing_there\n"

BRINGS_ITS_OWN = {
    "a star of names that are made": BASE + "from dyn import *\nundefined_thing()\n",
    "setattr from outside": BASE + "setattr(A, str(1), 1)\nA().nope()\n",
    "setattr": SETS + "A().nope()\n",
    "__dict__": SETS.replace("setattr(self, str(1), 2)", "self.__dict__.update(a=2)") + "A().nope()\n",
    "a metaclass": BASE.replace(
        "class A:",
        "class M(type):\n    def __new__(mcs, n, b, d):\n        d['x'] = 1\n"
        "        return type.__new__(mcs, n, b, d)\n\n\nclass A(metaclass=M):",
    )
    + "A().nope()\n",
    "a decorator": BASE.replace(
        "class A:", "def deco(cls):\n    setattr(cls, str(1), 1)\n    return cls\n\n\n@deco\nclass A:"
    )
    + "A().nope()\n",
    "its own module": BASE + "import it\nglobals().update(a=1)\nit.nope()\n",
    "a guard": BASE + GUARD,
    "a guard of a name": BASE + f"if {ELSEWHERE}:\n    from mod import nope\n",
    "a guard of a version": BASE + "if sys.version_info < (3,):\n    mod.nope()\n",
    "a guard that is not clear": BASE + "if sys.hexversion:\n    mod.nope()\n",
    "a guard that leaves": BASE + f"\n\ndef g():\n    if {HERE}:\n        return 1\n    return mod.nope()\n",
    "the end": BASE + f"if {HERE}:\n    sys.exit()\nmod.nope()\n",
    "an assertion": BASE + f"assert {ELSEWHERE}\nmod.nope()\n",
    "an expression": BASE + f"print({ELSEWHERE} and mod.nope())\n",
    "a conditional expression": BASE + "print(mod.nope() if sys.version_info < (3,) else 1)\n",
    "a script's packages": "# /// script\n# dependencies = ['x']\n# ///\n" + BASE + "import nothing_there\n",
    "a script that cannot be read": "# /// script\n# [\n# ///\n" + BASE + "import nothing_there\n",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text("[project]\nname = 'a'\n")
    (folder / "dyn.py").write_text(
        "globals().update(a=1)\n\n\nclass Open:\n    def f(self):\n        setattr(self, str(1), 1)\n"
    )
    (folder / "it.py").write_text(BASE)
    (folder / "mod.py").write_text("class K:\n    x = 1\n")
    return folder


@pytest.fixture(scope="module")
def gate(root: Path) -> Iterator[Gate]:
    router = Router(lambda: (root,), memory_limit=400 << 20)
    policy = GatePolicy(timeout=PATIENCE, baseline_timeout=PATIENCE)
    yield Gate(router, check_syntax, policy)
    router.close()


def verdict(gate: Gate, root: Path, before: str, after: str) -> Verdict:
    document = Document(before, 1, str(root / "it.py"))
    return gate.against(document).judge(document.with_text(after))


@pytest.mark.parametrize("what", BRINGS_ITS_OWN)
def test_an_edit_does_not_excuse_what_it_brings_in(gate: Gate, root: Path, what: str) -> None:
    found = verdict(gate, root, BASE, BRINGS_ITS_OWN[what])
    assert [finding.code for finding in found.findings] in (["E0602"], ["E1101"], ["E0401"], ["E0611"])
    assert found.unknown  # it is said why somebody may think otherwise


STOOD = {
    "setattr": (SETS, SETS + "A().nope()\n"),
    "setattr, and another one": (SETS, SETS + "setattr(A, str(2), 1)\nA().nope()\n"),
    "a star": (BASE + "from dyn import *\n", BASE + "from dyn import *\nundefined_thing()\n"),
    "a guard": (BASE + GUARD, BASE + GUARD + "    mod.nope()\n"),
    "a guard that is indented anew": (
        BASE + GUARD,
        BASE + "\n\ndef f():\n    if " + ELSEWHERE + ":\n        import nothing_there\n",
    ),
    "another file": (BASE, BASE + "import dyn\ndyn.nope()\ndyn.Open().nope()\n"),
    "another file behind a guard": (BASE, BASE + f"if {ELSEWHERE}:\n    import dyn\n    dyn.nope()\n"),
    "a script's packages": (
        "# /// script\n# dependencies = [\n#   'x',\n# ]\n# ///\n" + BASE,
        "# /// script\n# dependencies = [\n#   'x',\n#   'y',\n# ]\n# ///\n"
        + BASE
        + "import nothing_there\n",
    ),
    "what was there behind another guard": (
        BASE + GUARD,
        BASE + "if sys.platform in ('no system', 'none'):\n    import nothing_there\n",
    ),
    "what was known to be wrong": (BASE + "mod.nope()\n", BASE + f"assert {ELSEWHERE}\nmod.nope()\n"),
}


@pytest.mark.parametrize("what", STOOD)
def test_what_was_a_reason_to_doubt_is_one(gate: Gate, root: Path, what: str) -> None:
    found = verdict(gate, root, *STOOD[what])
    assert (found.accepted, found.findings) == (True, [])


def test_without_its_guard_it_is_false(gate: Gate, root: Path) -> None:
    found = verdict(gate, root, BASE + GUARD, BASE + "import nothing_there\n")
    assert [finding.code for finding in found.findings] == ["E0401"]


def test_a_guard_by_another_name_is_new(gate: Gate, root: Path) -> None:
    before = BASE + "FLAG = bool(os.environ)\nif FLAG:\n    os.getpid()\n"
    after = before.replace("bool(os.environ)", ELSEWHERE) + "    import nothing_there\n"
    assert [finding.code for finding in verdict(gate, root, before, after).findings] == ["E0401"]


def test_no_edit_prepares_the_way_for_the_next_one(gate: Gate, root: Path) -> None:
    """Of several that are made of one document, each is judged by that."""
    document = Document(BASE, 1, str(root / "it.py"))
    bar = gate.against(document)
    first = document.with_text(BASE + f"if {ELSEWHERE}:\n    os.getpid()\n")
    assert bar.judge(first).accepted
    second = bar.at(first).judge(document.with_text(first.text + "    import nothing_there\n"))
    assert [finding.code for finding in second.findings] == ["E0401"]


def test_one_reason_that_stood_is_enough() -> None:
    """Of a reason that is several lines, all must have stood."""
    finding = Finding("no-member", "E1101", "no", 4)
    known = Known(Document("a\nb\nc\n"))
    after = Document("a\nnew\nb\nx\n")

    def accepted(*causes: tuple[int, ...]) -> bool:
        report = Report((), Tier.PYLINT, unknown=(Doubted(finding, "it may be", causes),))
        return judge(known, after, report).accepted

    assert accepted()
    assert accepted((1,))
    assert accepted((2,), (1, 3))
    assert not accepted((2,))
    assert not accepted((1, 2))
