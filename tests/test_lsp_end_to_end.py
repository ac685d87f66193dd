"""The whole way through: a real process, a recorded model, the real linter."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from lsp_client import Client, position, span

ROOT = Path(__file__).parent.parent
SERVER = [sys.executable, "-m", "lintseq_lsp", "--stdio"]
TEXT = "import math\n\n\ndef area(radius):\n    return\n"
END = position(4, 10)


@pytest.fixture
def play(tmp_path):
    """A server whose model writes the given stream."""

    def start(stream, *, server=SERVER, cwd=ROOT, env=None, **options):
        recording = tmp_path / "recording.txt"
        recording.write_text(stream, "utf-8")
        client = Client(server, cwd=cwd, env=env)
        client.initialize({"model": f"scripted:{recording}", **options}, folder=tmp_path)
        uri = (tmp_path / "area.py").as_uri()
        client.open(uri, TEXT)
        return client, uri

    return start


def inline(client, uri, where, *, kind=2):
    params = {"textDocument": {"uri": uri}, "position": where, "context": {"triggerKind": kind}}
    return client.ask("textDocument/inlineCompletion", params)["items"]


def explain(client, uri):
    return client.ask("lintseq/explain", {"textDocument": {"uri": uri}})


def test_a_clean_suggestion_is_offered_typed_along_and_cached(play):
    client, uri = play(" return math.pi * radius**2\n<|diff|>")
    with client:
        (item,) = inline(client, uri, END)
        assert item["insertText"] == " math.pi * radius**2"
        assert item["range"] == span(4, 10, 10)
        evidence = explain(client, uri)
        assert evidence["reason"] == "accepted"
        assert evidence["suggestions"][0]["tier"] == "pylint"
        client.change(uri, 2, {"range": span(4, 10, 10), "text": " math"})
        (item,) = inline(client, uri, position(4, 15))
        assert item["insertText"] == ".pi * radius**2"
        assert explain(client, uri)["cached"]


def test_what_would_break_the_file_is_not_offered(play):
    broken = " return math.pi * radus**2\n<|diff|>"
    client, uri = play(broken * 10)
    with client:
        assert inline(client, uri, END) == []
        explained = explain(client, uri)
        assert explained["reason"] == "new-findings"
        findings = explained["rejected"][0]["findings"]
        assert [(finding["code"], finding["line"]) for finding in findings] == [("E0602", 5)]


def test_a_region_that_is_written_anew_comes_as_next_edits(play):
    lines = ["width = size", "height = size", "x = width", "y = math.pi", "return x * y * height"]
    text = "import math\n\n\ndef area(size):\n" + "".join(f"    {line}\n" for line in lines)
    new = text.replace("= size", "= math.fabs(size)", 1).replace("x = width", "x = widht")
    new = new.replace("* height", "* height * 2")
    client, uri = play(f"{new}>>>>>>> UPDATED\n" * 4, promptFormat="zeta-2")
    with client:

        def edits(version, text):
            client.change(uri, version, {"text": text})
            params = {"textDocument": {"uri": uri, "version": version}, "position": position(4, 4)}
            found = client.ask("textDocument/copilotInlineEdit", params)["edits"]
            return [(edit["range"]["start"]["line"], edit["text"]) for edit in found]

        assert edits(2, text)[0] == (4, "math.fabs(size)")
        assert edits(3, text.replace("= size", "= math.fabs(size)", 1)) == [(8, " * 2")]  # and no `widht`
        assert edits(4, f"{text}# <|user_cursor|>\n") == []
        explained = explain(client, uri)
        assert explained["reason"] == "unsupported"
        assert "<|user_cursor|>" in explained["detail"]


NOTEBOOK = [
    "from __future__ import annotations\n%matplotlib inline\nimport math",
    "%%time\nradius = 2",
    "%%bash --login\nls -l",
    "%%capture caught\n%time side = 3",
    "def broken(:",
    "files = !ls -l \\\n  -a\nmath?",
    "%%timeit\nhalf = (10\n        % side)",
    "if radius:\n    %cd ..\n%time x = ",
]


def test_a_notebook_speaks_ipython(play, tmp_path):
    written = "print(radius, side, half, caught.show(), files.s, display(Out[1], _), get_ipython().x)"
    client, _ = play(f"\n+_;    x = {written}\n<|diff|>" * 4)
    cells = [f"vscode-notebook-cell:{tmp_path}/n.ipynb#{number}" for number in range(len(NOTEBOOK))]
    items = [
        {"uri": uri, "languageId": "python", "version": 1, "text": text}
        for uri, text in zip(cells, NOTEBOOK, strict=True)
    ]
    notebook = {
        "uri": (tmp_path / "n.ipynb").as_uri(),
        "notebookType": "jupyter-notebook",
        "version": 1,
        "cells": [{"kind": 2, "document": uri} for uri in cells],
    }
    with client:
        client.tell("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": items})
        (item,) = inline(client, cells[-1], position(2, 10))
        assert (item["insertText"], item["range"]) == (written, span(2, 10, 10))
        assert explain(client, cells[-1])["suggestions"][0]["tier"] == "pylint"


MODULES = ("asyncio", "json", "lintseq_lsp", "sitecustomize", "usercustomize")


@pytest.fixture
def hostile(tmp_path):
    """A folder whose modules leave a mark when they run."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in MODULES:
        mark = folder / f"ran-{name}"
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\n", "utf-8")
    return folder


def marks(folder):
    return sorted(path.name for path in folder.glob("ran-*"))


def test_an_isolated_server_runs_nothing_of_the_folder_that_it_starts_in(play, hostile):
    """By the arguments of the VS Code extension. An empty entry of PYTHONPATH is that folder."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep}
    probe = [sys.executable, "-c", ""]
    subprocess.run(probe, cwd=hostile, env=environment, check=True)
    assert marks(hostile) == ["ran-sitecustomize"]  # what is to be kept from running would run
    (hostile / "ran-sitecustomize").unlink()
    source = (ROOT / "vscode-extension" / "src" / "python.ts").read_text("utf-8")
    arguments = json.loads(re.search(r"SERVER = (\[.*\]);", source)[1])
    client, uri = play(
        " return math.pi\n<|diff|>",
        server=[sys.executable, *arguments, "--stdio"],
        cwd=hostile,
        env=environment,
    )
    with client:
        assert [item["insertText"] for item in inline(client, uri, END)] == [" math.pi"]
    assert marks(hostile) == []


def test_relative_paths_in_settings_are_the_workspaces(tmp_path, hostile):
    """Wherever the server is started."""
    (tmp_path / "recording.txt").write_text(" return math.pi\n<|diff|>", "utf-8")
    with Client([sys.executable, "-I", *SERVER[1:]], cwd=hostile) as client:
        client.initialize({"model": "scripted:recording.txt"}, folder=tmp_path)
        uri = (tmp_path / "area.py").as_uri()
        client.open(uri, TEXT)
        assert [item["insertText"] for item in inline(client, uri, END)] == [" math.pi"]
    assert marks(hostile) == []


def test_a_suggestion_is_shown_only_while_it_is_true(play, tmp_path):
    """The module that it uses changes in another document, is closed, and changes on disk."""
    shapes = tmp_path / "shapes.py"
    shapes.write_text("def area(radius):\n    return radius\n", "utf-8")
    text = "import shapes\n\n\ndef area(radius):\n    return\n"
    client, uri = play(" return shapes.area(radius)\n<|diff|>" * 40)
    with client:
        client.change(uri, 2, {"text": text})

        def offered():
            items = inline(client, uri, END)
            assert [item["insertText"] for item in items] in ([], [" shapes.area(radius)"])
            return bool(items), explain(client, uri)["cached"]

        assert offered() == (True, False)
        assert offered() == (True, True)
        client.open(shapes.as_uri(), "def volume(radius):\n    return radius\n")
        assert offered() == (False, False)
        whole = "def area(radius):\n    return radius * 2\n"
        client.change(shapes.as_uri(), 2, {"text": whole})
        assert offered()[0]
        assert offered() == (True, True)
        client.change(shapes.as_uri(), 3, {"text": whole + "def half(\n"})  # does not parse: the last counts
        assert offered()[0]
        client.change(shapes.as_uri(), 4, {"text": "def half(): ...\n"})
        assert not offered()[0]
        client.tell("textDocument/didClose", {"textDocument": {"uri": shapes.as_uri()}})
        assert offered()[0]
        shapes.write_text("def half():\n    return 1\n", "utf-8")
        assert not offered()[0]


def test_what_the_editor_has_of_secrets_is_not_read(play, tmp_path):
    (tmp_path / "my_secret.py").write_text("def area(radius):\n    return radius\n", "utf-8")
    client, uri = play(" return my_secret.area(radius)\n<|diff|>" * 10)
    with client:
        client.open((tmp_path / "my_secret.py").as_uri(), "def other(): ...\n")
        client.change(uri, 2, {"text": "import my_secret\n\n\ndef area(radius):\n    return\n"})
        assert inline(client, uri, END)


def test_when_the_server_goes_the_linter_goes_too(play):
    client, uri = play(" return math.pi\n<|diff|>")
    with client:
        inline(client, uri, END)
        children = psutil.Process(client.process.pid).children(recursive=True)
        assert children
        client.process.kill()
        client._finish()
        assert not psutil.wait_procs(children, timeout=30)[1]


def test_a_model_file_that_is_none_is_one_warning(tmp_path):
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF, but not really")
    with Client(SERVER, cwd=ROOT) as client:
        client.initialize({"model": str(model)})
        client.open("untitled:a", TEXT)
        assert str(model) in client.wait_for("window/showMessage")["message"]
        assert inline(client, "untitled:a", END) == []
        assert explain(client, "untitled:a")["reason"] == "no-model"
        assert len(client.all_of("window/showMessage")) == 1
