"""Code that does not run on this machine and Python, as the linter's process sees it."""

import os
import sys

import astroid
import pytest
from astroid import nodes

from lintseq_lsp.linters.worker.guards import guards_of

PLATFORM, NAME = repr(sys.platform), repr(os.name)

OFF = [
    "if sys.platform == 'no system':\n    here",
    f"if sys.platform == {PLATFORM}:\n    x\nelse:\n    here",
    "if sys.version_info >= (3, 12):\n    here",
    "if sys.version_info < (3, 12):\n    x\nelse:\n    here",
    "if sys.version_info[:2] > (3, 11):\n    here",
    "if sys.version_info >= (3, 11, 4):\n    here",  # the micro version is not known
    "if sys.version_info[0] < 3:\n    here",
    "if sys.version_info.minor > 11:\n    here",
    "if os.name == 'no' and x():\n    here",
    "if not os.name.startswith('') or sys.platform in x:\n    here",
    "if sys.platform in x:\n    here",
    "NO = sys.platform == 'no system'\nif NO:\n    here",
    "if platform.system() == 'no system':\n    here",
    f"def f():\n    if os.name == {NAME}:\n        return\n    here",
    f"for i in x:\n    if os.name == {NAME}:\n        continue\n    for j in x:\n        here",
    f"if os.name == {NAME}:\n    sys.exit(1)\nhere",
    "def f():\n    if os.name != 'no':\n        raise OSError\n    here",
    "def f():\n    if os.name == 'no':\n        x\n    else:\n        return\n    here",
    "assert sys.platform == 'no system'\nhere",
    "y = os.name == 'no' and here",
    f"y = os.name == {NAME} or here",
    "y = here if os.name == 'no' else x",
    "while os.name == 'no':\n    here",
]
ON = [
    f"if sys.platform == {PLATFORM}:\n    here",
    "if sys.platform == 'no system':\n    x\nelse:\n    here",
    f"if x() or os.name == {NAME}:\n    here",
    "if sys.version_info >= (3, 11):\n    here",
    "if sys.version_info > (3, 11):\n    here",
    "if sys.version_info[:2] <= (3, 11):\n    here",
    f"if sys.platform.startswith({PLATFORM}):\n    here",
    "if sys.platform not in ('no system', 'none'):\n    here",
    "if False:\n    here",
    "if x():\n    here",
    "if x.platform == 'no system':\n    here",
    "def f():\n    if os.name == 'no':\n        return\n    here",
    f"def f():\n    if os.name == {NAME}:\n        x\n    here",
    f"def f():\n    here\n    if os.name == {NAME}:\n        return\n",
    "assert x\nhere",
    "y = here and os.name == 'no'",
    "if here == sys.platform:\n    x",
]


def off(text: str, python: tuple[int, int] = (3, 11)) -> bool:
    module = astroid.parse(f"import os, platform, sys\n{text}\n")
    (node,) = (name for name in module.nodes_of_class(nodes.Name) if name.name == "here")
    return bool(guards_of(node, python))


@pytest.mark.parametrize("text", OFF)
def test_code_that_does_not_run_here(text: str) -> None:
    assert off(text)


@pytest.mark.parametrize("text", ON)
def test_code_that_may_run_here(text: str) -> None:
    assert not off(text)


def test_the_version_is_the_projects() -> None:
    text = "if sys.version_info >= (3, 12):\n    here"
    assert off(text, (3, 11))
    assert not off(text, (3, 12))
    assert not off("if sys.version_info < (3, 12):\n    x\nelse:\n    here", (3, 13))
