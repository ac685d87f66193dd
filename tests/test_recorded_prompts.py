"""Prompts and training rows are those that were recorded, byte for byte: models are trained on them.

`UPDATE_CASES=1` writes the recording anew. Short prompts are recorded as text, long ones by their checksum.
"""

import hashlib
import json
import os
import random
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fakes import python_gate

from lintseq_lsp.actions import ActionKind, actions_at
from lintseq_lsp.backends.base import Request
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.lintseq import DIFF, Layout, LintSeq
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document

MODELS = str(Path(__file__).parent.parent / "models")
sys.path.insert(0, MODELS)
samples, sequences = map(import_module, ("samples", "sequences"))
sys.path.remove(MODELS)

RECORDING = Path(__file__).with_name("recorded_prompts.json")
SHORT = 160  # characters of a prompt that is recorded as text

FUNCTIONS = "".join(
    f'def area_{n}(radius, scale={n}):\n    """The area, {n} times."""\n    square = radius**2\n'
    f"    if scale > {n}:\n        square *= scale\n    return square * {n}.5\n\n\n"
    for n in range(40)
)
CLASS = """\
import math


class Circle:
    \"\"\"A circle.\"\"\"

    def __init__(self, radius):
        self.radius = radius

    def area(self):
        \"\"\"Its area.

        In square units.
        \"\"\"
        pass

    # twice the radius
    def diameter(self):
        return self.radius + self.radius

    def scaled(self, times):
        new = Circle(self.radius)
        new.radius *= times
        return missing
"""


def half(text: str) -> tuple[str, str]:
    middle = text.index("\n\n\n", len(text) // 2) + 2
    return text[:middle], text[middle:]


DOCUMENTS = {
    "empty": "▮",
    "short": "import os\n\nx = os.getcwd()\n▮\n",
    "long": "▮".join(half(FUNCTIONS)),
    "long, in a block": FUNCTIONS.replace("    square *= scale\n", "    ▮\n", 1)
    + "".join(half(FUNCTIONS)[0].replace("        square", "        ▮square", 20).rsplit("▮", 1)[:1]),
    "at the end of a long one": FUNCTIONS + "total = area_1(2) + ▮",
    "CRLF": "import os\r\n\r\n\r\ndef f(a):\r\n    b = os.li▮\r\n    return b\r\n",
    "tabs": "class A:\n\tdef f(self):\n\t\tx = 1\n\t\t▮\n\t\treturn x\n",
    "half-typed statement": "names = ['a']\nfor name in names:\n    print(na▮\n",
    "compound statement": "def f(x):\n    if x▮\n\ny = 2\n",
    "text on the right": "value = max(▮, 3)\nprint(value)\n",
    "blank line": "def f():\n    a = 1\n    ▮\n\n\ndef g():\n    return 2\n",
    "no last line end": "a = 1\nb = a▮",
    "blank lines around": "\n\n\na = 1\n▮\n\n\n",
    "boundary as text": "print('<|diff|>')\n# <|diff|>\n▮\n",
    "wide characters": "größe = 'π ≈ 3'  # 🙂\nfläche = grö▮\n",
}


EDITED = ("empty", "long", "long, in a block", "CRLF", "no last line end", "boundary as text")
"""Those that instructions are tried on."""


def given(name: str) -> tuple[Document, int]:
    marked = DOCUMENTS[name]
    offset = marked.index("▮")
    return Document(marked.replace("▮", ""), 1, "/nonexistent/module.py"), offset


def diff(above: int, *added: str) -> str:
    count = f",{len(added)}" if len(added) > 1 else ""
    return f"@@ -{above},0 +{above + 1}{count} @@\n" + "".join(f"+{line}\n" for line in added)


def stream(*diffs: str) -> str:
    return "".join(f"{text}<|diff|>" for text in diffs)


def complete(engine: Engine, document: Document, offset: int) -> None:
    engine.complete(document, offset, candidates=3)


def next_edit(engine: Engine, document: Document, offset: int) -> None:
    engine.next_edit(document, offset)


def edit(engine: Engine, document: Document, offset: int) -> None:  # noqa: ARG001
    list(engine.edit(document, "  Add what is missing.\n"))


def edit_lines(engine: Engine, document: Document, offset: int) -> None:
    line = document.position(offset)[0]
    list(engine.edit(document, "Sort it.", lines=(max(0, line - 1), line)))


WAYS: dict[str, Callable[[Engine, Document, int], None]] = {
    "complete": complete,
    "next edit": next_edit,
    "edit": edit,
    "edit of lines": edit_lines,
}
NEXT = stream(diff(0, "one = 1"), diff(0, "broken ("), diff(1, "two = 2", "", "three = 3"), "\n", "\n")


def asked(ask: Callable[[Engine], None], written: str, layout: Layout, context: int = 1024) -> list[Request]:
    backend = ScriptedBackend([written], context=context)
    engine = Engine(backend, python_gate(), prompt_format=LintSeq(layout), settings=Settings())
    ask(engine)
    return backend.requests


def digest(texts: list[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:24]


def fragments_of(request: Request) -> list[str]:
    """What stands between the special tokens."""
    assert set(request.prompt[1::2]) == {DIFF}
    assert request.stops == {DIFF}
    return [part for part in request.prompt if isinstance(part, str)]


def begins_of(request: Request) -> list[str]:
    return [begin for group in request.begins for begin in group]


def described(request: Request) -> dict[str, Any]:
    fragments, begins = fragments_of(request), begins_of(request)
    sampling = request.sampling
    is_short = sum(map(len, fragments)) <= SHORT
    return {
        "prompt": fragments if is_short else [len(fragments), digest(fragments)],
        "begins": begins if len(begins) <= 2 else [len(begins), digest(begins)],
        "limits": [request.max_tokens, request.max_lines, request.candidates],
        "sampling": [sampling.temperature, sampling.top_p, sampling.min_p, sampling.seed],
    }


def resolved(kind: ActionKind, line: int, last: int) -> Callable[[Engine], None]:
    document = Document(CLASS, 1, "/nonexistent/module.py")

    def ask(engine: Engine) -> None:
        (action,) = (a for a in actions_at(document, line, last) if a.kind is kind)
        engine.resolve(document, action)

    return ask


def in_document(way: str, name: str) -> Callable[[Engine], None]:
    document, offset = given(name)
    return lambda engine: WAYS[way](engine, document, offset)


def requests() -> dict[str, list[Request]]:
    found = {}
    for way in WAYS:
        for name in EDITED if way.startswith("edit") else DOCUMENTS:
            for layout in Layout if name in ("long", "CRLF") else [Layout.SUFFIX_FIRST]:
                written = "" if way == "complete" else NEXT
                key = f"{way} | {name} | {layout.value}"
                found[key] = asked(in_document(way, name), written, layout)
        key = f"{way} | long | small context"
        found[key] = asked(in_document(way, "long"), NEXT, Layout.SUFFIX_FIRST, context=400)
    for kind, line, last in (
        (ActionKind.IMPLEMENT, 9, 9),
        (ActionKind.CONTINUE, 16, 16),
        (ActionKind.REWRITE, 20, 22),
    ):
        written = stream("        broken (\n", "        return 1\n")
        for layout in Layout:
            key = f"{kind.value} | {layout.value}"
            found[key] = asked(resolved(kind, line, last), written, layout)
    return found


class Characters:
    """A tokenizer whose tokens are characters."""

    def token_to_id(self, token: str) -> int:
        assert token == "<|diff|>"
        return 7

    def encode(self, text: str) -> SimpleNamespace:
        return SimpleNamespace(ids=[*map(ord, text)], tokens=list(text.replace("\n", sequences.LINE_END)))

    def encode_batch(self, texts: list[str]) -> list[SimpleNamespace]:
        return [self.encode(text) for text in texts]


def training() -> dict[str, list[str]]:
    """Checksums of the samples of a module, and of the ids that they become."""
    found = {}
    for name, text in (("class", CLASS.replace("missing", "new")), ("functions", FUNCTIONS)):
        for seed in range(3):
            made = samples.samples_of(text, random.Random(seed), 1024, 120)
            found[f"{name} {seed}"] = [
                digest([*sample.shown, *sample.asked, str(sequences.encoded(sample, Characters(), 1 << 20))])
                for sample in made
            ]
    return found


def recording() -> dict[str, Any]:
    prompts = {key: [described(request) for request in asked] for key, asked in requests().items()}
    return {"prompts": prompts, "training": training()}


def as_text(recorded: dict[str, Any]) -> str:
    """JSON with a line for each request."""
    parts = []
    for part, cases in recorded.items():
        rows = [
            f"{json.dumps(name)}: [{','.join(f'{chr(10)}  {json.dumps(row)}' for row in case)}]"
            for name, case in cases.items()
        ]
        parts.append(f'"{part}": {{\n' + ",\n".join(rows) + "\n}")
    return "{" + ",\n".join(parts) + "}\n"


def test_prompts_and_training_rows_are_those_that_were_recorded() -> None:
    now = json.loads(json.dumps(recording()))
    if os.environ.get("UPDATE_CASES"):
        RECORDING.write_text(as_text(now), encoding="utf-8")
    then = json.loads(RECORDING.read_text("utf-8"))
    for part, cases in then.items():
        assert now[part].keys() == cases.keys()
        for name, case in cases.items():
            assert now[part][name] == case, f"{part}: {name}"


def test_the_recording_has_what_it_is_for() -> None:
    then = json.loads(RECORDING.read_text("utf-8"))
    assert len(then["prompts"]) > 60
    silent = {name.split(" | ")[1] for name, asked in then["prompts"].items() if not asked}
    assert len(silent) == 5, "those that do not parse, when a next edit is asked for"
    assert all(then["training"].values())
    retries = [r for case in then["prompts"].values() for r in case if r["sampling"][0]]
    assert len(retries) > 60
