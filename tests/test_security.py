"""What SECURITY.md promises: each promise names tests that exist."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
from lsp_client import Client, position
from model_server import goes_on, serving

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo")
HOOK = f"""import sys
sys.addaudithook(lambda name, args: name in {NETWORK} and print("audit", name, args[1:], file=sys.stderr))
"""
SERVE = [sys.executable, "-c", f"{HOOK}from lintseq_lsp.cli import main; main()", "--stdio"]


def test_every_promise_names_tests_that_exist() -> None:
    promises = re.findall(r"^\| [A-Z].* \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(promises) >= 15
    for named in promises:
        tests = re.findall(r"`([\w/]+\.py)::(\w+)`", named)
        assert named == ", ".join(f"`{path}::{name}`" for path, name in tests)
        for path, name in tests:
            tree = ast.parse((ROOT / path).read_text("utf-8"))
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in functions, f"{path} has no {name}"


def test_the_server_opens_no_connection(tmp_path: Path) -> None:
    """Nor does it try to; nor has its linter one."""
    probe = [sys.executable, "-c", f"{HOOK}import socket; socket.getaddrinfo('127.0.0.1', 9)"]
    assert "audit" in subprocess.run(probe, capture_output=True, text=True, check=True).stderr
    recording = tmp_path / "recording.txt"
    recording.write_text(" return math.pi\n<|diff|>", "utf-8")
    with Client(SERVE, cwd=ROOT) as client:
        client.initialize({"model": f"scripted:{recording}"}, folder=tmp_path)
        uri = (tmp_path / "area.py").as_uri()
        client.open(uri, "import math\n\n\ndef area(radius):\n    return\n")
        params = {"textDocument": {"uri": uri}, "position": position(4, 10), "context": {"triggerKind": 1}}
        assert client.ask("textDocument/inlineCompletion", params)["items"]
        server = psutil.Process(client.process.pid)
        processes = [server, *server.children(recursive=True)]
        assert len(processes) == 2
        assert [process.net_connections("inet") for process in processes] == [[], []]
    assert b"audit" not in client.stderr


def test_with_an_endpoint_it_connects_to_that_alone(tmp_path: Path) -> None:
    """And when something is asked, not before."""
    with serving() as model, Client(SERVE, cwd=ROOT) as client:
        model.as_llama(goes_on(" math", ".pi", "\n", "<|diff|>"))
        client.initialize({"endpoint": model.url}, folder=tmp_path)
        uri = (tmp_path / "area.py").as_uri()
        client.open(uri, "import math\n\n\ndef area(radius):\n    return\n")
        client.ask("lintseq/explain", {"textDocument": {"uri": uri}})
        assert model.connections == 0
        params = {"textDocument": {"uri": uri}, "position": position(4, 10), "context": {"triggerKind": 1}}
        (item,) = client.ask("textDocument/inlineCompletion", params)["items"]
        assert item["insertText"] == " math.pi"
    asked = re.findall(rb"audit socket.(?:connect|sendto|sendmsg) .*", client.stderr)
    address = f"('127.0.0.1', {model.url.rpartition(':')[2]})".encode()
    assert asked
    assert [line for line in asked if address not in line] == []
    assert b"getaddrinfo" not in client.stderr


def test_a_workspace_names_no_endpoint(tmp_path: Path) -> None:
    with serving() as model, Client(SERVE, cwd=ROOT) as client:
        client.initialize({"model": "scripted:none.txt"}, folder=tmp_path)
        client.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": {"endpoint": model.url}}})
        shown = client.wait_for("window/showMessage", lambda params: "endpoint" in params["message"])
        assert "only counts in the initialization options" in shown["message"]
        uri = (tmp_path / "area.py").as_uri()
        client.open(uri, "x = \n")
        params = {"textDocument": {"uri": uri}, "position": position(0, 4), "context": {"triggerKind": 1}}
        client.ask("textDocument/inlineCompletion", params)
        assert model.connections == 0


def test_a_server_that_is_away_is_one_warning_and_a_reason_each(tmp_path: Path) -> None:
    with serving() as model:
        pass
    with Client(SERVE, cwd=ROOT) as client:
        client.initialize({"endpoint": model.url}, folder=tmp_path)
        uri = (tmp_path / "area.py").as_uri()
        client.open(uri, "import math\n\n\ndef area(radius):\n    return\n")
        params = {"textDocument": {"uri": uri}, "position": position(4, 10), "context": {"triggerKind": 1}}
        for _ in range(5):
            assert client.ask("textDocument/inlineCompletion", params)["items"] == []
            explained = client.ask("lintseq/explain", {"textDocument": {"uri": uri}})
            assert (explained["reason"], model.url in explained["detail"]) == ("no-model", True)
        assert [shown["message"] for shown in client.all_of("window/showMessage")] == [
            "LintSeq: no suggestions while the model server does not answer"
        ]
        with serving(int(model.url.rpartition(":")[2])) as back:
            back.as_llama(goes_on(" math", ".pi", "\n", "<|diff|>"))
            while not (items := client.ask("textDocument/inlineCompletion", params)["items"]):
                time.sleep(0.1)
        assert items[0]["insertText"] == " math.pi"
