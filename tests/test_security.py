"""What SECURITY.md promises: each promise names tests that exist."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import psutil
from lsp_client import Client, position

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo")
HOOK = f"""import sys
sys.addaudithook(lambda name, _: name in {NETWORK} and print("audit", name, file=sys.stderr))
"""


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
    serve = f"{HOOK}from lintseq_lsp.cli import main; main()"
    with Client([sys.executable, "-c", serve, "--stdio"], cwd=ROOT) as client:
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
