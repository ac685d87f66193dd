"""What cannot be known is not false, and what is definite stays: extension modules, dynamic names, guards."""

import importlib.machinery
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lintseq_lsp.linters.base import Check, Report
from lintseq_lsp.linters.environment import Environment
from lintseq_lsp.linters.pool import PylintPool

PATIENCE = 60.0
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]

PACKAGES = {
    # compiled, with a stub beside it
    f"canvas/core{SUFFIX}": "",
    "canvas/core.pyi": """\
from typing import overload
VERSION: str
LIMIT = ...  # type: int
class Pen:
    width: float
    def draw(self, to: tuple[int, int]) -> bool: ...
    @classmethod
    def wide(cls) -> "Pen": ...
def open_canvas(name: str = ...) -> Pen: ...
@overload
def pick(a: int) -> int: ...
@overload
def pick(a: str, b: str) -> str: ...
""",
    "canvas/__init__.py": "",
    # compiled, and nothing said of it; the package takes its names from there
    f"quick/_quick{SUFFIX}": "",
    "quick/__init__.py": "from ._quick import *\nfrom ._quick import dumps\n",
    "quick/more.py": "from . import *\n\ndef plain():\n    return 1\n",
    f"alone{SUFFIX}": "",
    # compiled from Python, which lies beside it
    f"compiled{SUFFIX}": "",
    "compiled.py": "class Reader:\n    def read(self):\n        return 1\n",
    # lazy packages
    "lazy_one/__init__.py": "def __getattr__(name):\n    return name\n",
    "lazy_two/__init__.py": "import lazy_loader\n"
    "__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ['a'])\n",
    "lazy_three/__init__.py": """\
import sys
class _Lazy(type(sys)):
    pass
sys.modules[__name__] = _Lazy(__name__)
""",
    "lazy_four/__init__.py": """\
from importlib import import_module
for _name in ("reader", "writer"):
    globals()[_name] = import_module("." + _name, __name__)
""",
    # colour maps and messages that are made
    "maps/cm.py": "_all = {}\nglobals().update(_all)\n",
    "maps/__init__.py": "",
    "note_pb2.py": """\
from builder import build
_globals = globals()
build("note", _globals)
""",
    "vars_at_top.py": "vars().update({name: 1 for name in ('a', 'b')})\n",
    "by_exec.py": "exec('a = 1')\n",
    # classes
    "orm.py": """\
class Base(type):
    def __new__(mcs, name, bases, space):
        cls = super().__new__(mcs, name, bases, space)
        cls.add("objects", [])
        cls.label = name
        return cls

    def add(cls, name, value):
        setattr(cls, name, value)


class Model(metaclass=Base):
    pass


class Post(Model):
    title = ""


class Fixed(type):
    registry = {}

    def __init__(cls, name, bases, space):
        super().__init__(name, bases, space)
        cls.made = True
        Fixed.registry[name] = cls


class Plain(metaclass=Fixed):
    title = ""


class Spaced(type):
    def __new__(mcs, name, bases, space):
        space["extra"] = 1
        return super().__new__(mcs, name, bases, space)


class WithSpace(metaclass=Spaced):
    pass


def fields(*names):
    def wrap(cls):
        for name in names:
            setattr(cls, name, None)
        return cls
    return wrap


@fields("a", "b")
class Row:
    pass


def nothing(cls):
    return cls


@nothing
class Kept:
    pass


class Record:
    def __init__(self, **values):
        self.__dict__.update(values)


class Options:
    def __init__(self, **values):
        for name, value in values.items():
            setattr(self, name, value)


class Other:
    def give(self, target, name):
        setattr(target, name, 1)


class Body:
    for _name in ("red", "green"):
        locals()[_name] = 1


class Registered:
    def __init_subclass__(cls):
        for name in ("first", "second"):
            setattr(cls, name, 1)


class Child(Registered):
    pass


class Late:
    pass


class Later:
    pass


for _name in ("x", "y"):
    setattr(Late, _name, 0)
setattr(Later, "only", 0)
""",
    "unknown_decorator.py": """\
from quick import decorate

@decorate
class Made:
    pass
""",
    "says_all.py": "from by_exec_2 import *\n",
    "by_exec_2.py": "__all__ = ['c']\nc = 1\nexec('a = 1')\n",
    "sums.py": "import parts\n__all__ = ['a']\n__all__ += parts.__all__\nfrom parts import *\na = 1\n",
    "parts.py": "__all__ = ['b']\nb = 2\n",
    "pure.py": """\
import os
from collections import namedtuple
from dataclasses import dataclass
from enum import Enum


def double(value):
    return 2 * value


class Box:
    size = 1

    def __init__(self, width, height):
        self.width = width
        self.height = height

    def area(self):
        return self.width * self.height


@dataclass
class Point:
    x: int
    y: int


class Colour(Enum):
    RED = 1


Pair = namedtuple("Pair", "left right")


class Reads:
    def __init__(self):
        self.all = dict(self.__dict__)
        self.named = globals()["double"]
""",
    "newer.py": "def first[T](items: list[T]) -> T:\n    return items[0]\n",
    "sub/__init__.py": "",
    "sub/one.py": "",
    f"tree{SUFFIX}": "",
    "registers/__init__.py": "import sys\nsys.modules['registers.moves'] = sys\n",
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment") / "site-packages"
    for name, text in PACKAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def pool(packages: Path) -> Iterator[PylintPool]:
    shared = PylintPool(Environment((), (packages,), sys.version_info[:2]))
    yield shared
    shared.close()


def report_of(pool: PylintPool, text: str) -> Report:
    report = pool.submit(Check(text, timeout=PATIENCE)).result(PATIENCE)
    assert report.failure is None
    return report


NOT_KNOWN = {
    "an extension module": "import alone\nprint(alone.anything)\n",
    "a name of an extension module": "from alone import anything\nprint(anything)\n",
    "a star of an extension module": "from alone import *\nprint(anything)\n",
    "a package that takes its names from one": "import quick\nprint(quick.loads('1'))\n",
    "by way of another star": "from quick.more import loads\nprint(loads)\n",
    "a star, two modules away": "from quick.more import *\nprint(loads)\n",
    "in __all__, of a star": "from quick import *\n__all__ = ['loads']\n",
    "module __getattr__": "from lazy_one import Thing\nprint(Thing)\n",
    "lazy_loader": "from lazy_two import Thing\nprint(Thing)\n",
    "a module that puts another in its place": "import lazy_three\nprint(lazy_three.Thing)\n",
    "modules put into globals()": "from lazy_four import reader\nprint(reader)\n",
    "globals().update": "from maps import cm\nprint(cm.viridis)\nfrom maps.cm import plasma\nprint(plasma)\n",
    "globals() given to another function": "from note_pb2 import Note\nprint(Note())\n",
    "vars() of a module": "from vars_at_top import a\nprint(a)\n",
    "exec in a module": "from by_exec import a\nprint(a)\n",
    "a metaclass that sets attributes": "from orm import Post\nprint(Post.objects, Post().get_title())\n",
    "in the file itself": PACKAGES["orm.py"] + "\n\nprint(Post.objects.filter(a=1), Row.a, Row().b)\n",
    "what a metaclass sets by name": "from orm import Plain\nprint(Plain.made)\n",
    "a metaclass that adds to the names": "from orm import WithSpace\nprint(WithSpace.extra)\n",
    "a decorator that sets attributes": "from orm import Row\nprint(Row.a, Row().b)\n",
    "a decorator that is not known": "from unknown_decorator import Made\nprint(Made.a, Made(1).b)\n",
    "__dict__ of an instance": "from orm import Record\nprint(Record(a=1).a)\n",
    "setattr of an instance": "from orm import Options\nprint(Options(a=1).a)\n",
    "locals() of a class": "from orm import Body\nprint(Body.red)\n",
    "__init_subclass__": "from orm import Child\nprint(Child.first)\n",
    "setattr from outside": "from orm import Late, Later\nprint(Late.x, Later.only)\n",
    "__all__ in several parts": "from sums import *\nprint(a, b)\n",
    "what an enumeration is given": "from pure import Colour\nprint(Colour._member_map_)\n",
    "what a data class is given": "from pure import Point\nprint(Point.__dataclass_fields__)\n",
    "a decorator that makes a data class": "from dataclasses import dataclass, field\n\n\ndef light(cls):\n"
    "    return dataclass(cls)\n\n\n@light\nclass Row:\n    a: list = field(default_factory=list)\n",
    "a dynamic class that is used": "from orm import Row\nfor each in Row():\n    print(each)\n"
    "Row()[0]()\nwith Row():\n    pass\n",
    "a module of an extension module": "import tree.leaves\nprint(tree)\n",
    "a module that a package registers": "import registers.moves\nprint(registers)\n",
    "an installed package in newer syntax": "from newer import first\nprint(first([1]))\n",
    "a stub": "from canvas.core import VERSION, LIMIT, Pen, open_canvas, pick\n"
    "print(LIMIT[0], VERSION.upper(), Pen.wide().draw((1, 2)))\n"
    "pen = open_canvas()\nprint(pen.width, pick(1), pick('a', 'b'))\n"
    "from canvas import core\nprint(core.__version__)\n",
}

if sys.platform != "win32":
    NOT_KNOWN |= {
        "another system": "import sys\nif sys.platform == 'win32':\n    import msvcrt\n    msvcrt.getch()\n",
        "another system by its name": "import os\nif os.name == 'nt':\n"
        "    os.startfile('a')\n    from os import nothing\n",
        "behind a return": "import sys\n\ndef f():\n    if sys.platform != 'win32':\n"
        "        return\n    import winreg\n    print(winreg.x)\n",
        "in a conditional expression": "import os\nx = os.startfile('a') if os.name == 'nt' else None\n",
        "behind and": "import os\nx = os.name == 'nt' and os.startfile('a')\n",
        "behind a name for it": "import os\nWINDOWS = os.name == 'nt'\nif WINDOWS:\n"
        "    import msvcrt\n    print(msvcrt)\n",
    }
NOT_KNOWN |= {
    "a later Python": "import sys\nif sys.version_info >= (3, 99):\n"
    "    from typing import nothing\n    print(nothing)\n",
    "an earlier Python": "import sys\nif sys.version_info[0] < 3:\n    import urllib2\n    print(urllib2)\n",
    "in a system that is not said": "import sys\nfrom sub import one\n"
    "if sys.platform in one.x.y():\n    import winreg9\n",
}


@pytest.mark.parametrize("what", NOT_KNOWN)
def test_what_cannot_be_known_is_not_false(pool: PylintPool, what: str) -> None:
    report = report_of(pool, NOT_KNOWN[what])
    kept = [each for each in report.findings if "'sub.one' has no 'x'" not in each.message]
    assert [f"{each.line} {each.code} {each.message}" for each in kept] == []


def test_the_report_says_what_is_not_known(pool: PylintPool) -> None:
    report = report_of(pool, "import alone\nfrom orm import Row\nprint(alone.a, Row.c, missing)\n")
    assert [finding.symbol for finding in report.findings] == ["undefined-variable"]
    assert list(map(str, report.unknown)) == [
        "Module 'alone' has no 'a' member: names may be made while it runs",
        "Class 'Row' has no 'c' member: names may be made while it runs",
    ]
    assert report_of(pool, "x = 1\n").unknown == ()


BROKEN = {
    "print(nothing)": "E0602",
    "def f(a):\n    return a + b": "E0602",
    "class A:\n    def f(self):\n        return slef": "E0602",
    "x = [i for i in range(3)]\nprint(i)": "E0602",
    "import os\nprint(os.path.joiin('a'))": "E1101",
    "import os\nos.nothing()": "E1101",
    "import json\njson.dump_s({})": "E1101",
    "import math\nmath.squareroot(2)": "E1101",
    "from math import squareroot": "E0611",
    "from os import pathh": "E0611",
    "from collections import OrderdDict": "E0611",
    "from typing import Listt": "E0611",
    "import collectionss": "E0401",
    "from pure import dubble": "E0611",
    "import pure\npure.dubble(1)": "E1101",
    "from sub import two": "E0611",
    "import sub.two": "E0401",
    "from pure import Box\nBox(1, 2).are()": "E1101",
    "from pure import Box\nBox.sise": "E1101",
    "from pure import Box\nBox(1)": "E1120",
    "from pure import Box\nBox(1, 2, 3)": "E1121",
    "from pure import Box\nBox(1, 2, depth=3)": "E1123",
    "from pure import double\ndouble()": "E1120",
    "from pure import double\ndouble(1)(2)()\n'a'()": "E1102",
    "from pure import Point\nPoint(1, 2).z": "E1101",
    "from pure import Colour\nprint(Colour.BLUE)": "E1101",
    "from pure import Pair\nprint(Pair(1, 2).middle)": "E1101",
    "from pure import Reads\nprint(Reads().nothing)": "E1101",
    "from orm import Plain\nPlain.titel": "E1101",
    "from orm import Kept\nKept.nothing": "E1101",
    "from orm import Other\nOther().nothing": "E1101",
    "from orm import Later\nLater.nothing": "E1101",
    "from orm import Post, Past": "E0611",
    "from canvas.core import Pencil": "E0611",
    "from canvas.core import Pen\nPen().erase()": "E1101",
    "from compiled import Readr": "E0611",
    "from compiled import Reader\nReader().raed()": "E1101",
    "from pure import *\ndubble(1)": "E0602",
    "from quick import dumps\nprint(dumpss)": "E0602",
    "import alone\nprint(alon.x)": "E0602",
    "from says_all import a": "E0611",
    "from by_exec_2 import *\nprint(a)": "E0602",
    "from pure import Colour\nprint(Colour._member)": "E1101",
    "''.uper()": "E1101",
    "[].push(1)": "E1101",
    "{}.add(1)": "E1101",
    "for x in 5:\n    print(x)": "E1133",
    "x = 5\nprint(x[0])": "E1136",
    "x = None\nprint(x[0])": "E1136",
    "with 5:\n    pass": "E1129",
    "class A:\n    def f():\n        pass": "E0211",
    "class A:\n    def __init__(self):\n        return 1": "E0101",
    "return 1": "E0001",
    "def f(:\n    pass": "E0001",
    "raise NotImplemented": "E0711",
    "class A:\n    x = 1\n\n\nprint(A.y, A().z)": "E1101",
    "class A(object):\n    def f(self):\n        return self.g()": "E1101",
    "import sys\nif sys.platform != 'no system':\n    sys.nothing()": "E1101",
    "import os\nif os.name == 'no system':\n    print(nothing)": "E0602",
    "import os\nif os.environ:\n    import nothing_there": "E0401",
    "import os\n\ndef f():\n    if os.name == 'no system':\n        return\n    os.nothing()": "E1101",
    "def f():\n    return globals()['f']\n\nprint(g)": "E0602",
}


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_definite_is_rejected(pool: PylintPool, text: str) -> None:
    report = report_of(pool, text + "\n")
    assert BROKEN[text] in [finding.code for finding in report.findings]
