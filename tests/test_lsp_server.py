"""The server's life, settings and robustness, over a process whose engine obeys the documents."""

import json
import socket
import subprocess
import sys
import threading

import pytest
from lsp_client import Client, ResponseError, position, span
from lsp_editor import (
    APPLIES,
    DIAGNOSTIC,
    FAKE,
    FUNCTION,
    OTHER,
    RESOLVES,
    ROOT,
    STEPS,
    URI,
    Editor,
    actions,
    ask_inline,
    explain,
    inline,
    insert,
    next_edits,
    started,
    wait_for_log,
)
from lsprotocol import types
from lsprotocol.converters import get_converter

from lintseq_lsp.reasons import Reason

# Start and end


def test_the_handshake():
    with Client(FAKE, cwd=ROOT) as client:
        capabilities = client.initialize(encodings=["utf-32", "utf-8"])
        assert capabilities["positionEncoding"] == "utf-32"
        assert capabilities["textDocumentSync"] == {"openClose": True, "change": 2}
        assert capabilities["inlineCompletionProvider"] == {}
        assert capabilities["codeActionProvider"] == {
            "codeActionKinds": ["quickfix", "refactor.rewrite", "source.fixAll.lintseq"],
            "resolveProvider": True,
        }
        assert all(name.startswith("lintseq.") for name in capabilities["executeCommandProvider"]["commands"])
        assert "diagnosticProvider" not in capabilities
        assert "completionProvider" not in capabilities


def test_nothing_heavy_is_imported_before_the_engine_is_opened(client):
    wait_for_log(client, "heavy []")


def test_the_exit_status_says_whether_there_was_a_shutdown():
    with Client(FAKE, cwd=ROOT) as client:
        client.initialize()
        wait_for_log(client, "standard input")  # the last line of its opening
        assert client.shutdown() == 0
        assert "fake: close" in client.stderr.decode()
    with Client(FAKE, cwd=ROOT) as client:
        client.initialize()
        client.tell("exit", None)
        assert client._finish() == 1


def test_requests_at_the_wrong_time_are_errors(client):
    with pytest.raises(ResponseError, match="-32600"):
        client.ask("initialize", {"capabilities": {}})
    client.ask("shutdown", None)
    with pytest.raises(ResponseError, match="-32600"):
        client.ask("textDocument/inlineCompletion", inline(URI, 0, 0))
    client.tell("exit", None)
    assert client._finish() == 0
    with Client(FAKE, cwd=ROOT) as early:
        with pytest.raises(ResponseError, match="-32002"):
            early.ask("textDocument/inlineCompletion", inline(URI, 0, 0))
        early.initialize()


def test_the_end_of_input_ends_the_server():
    with Client(FAKE, cwd=ROOT) as client:
        client.initialize()
        client.process.stdin.close()
        assert client._finish() == 1


def test_the_death_of_the_client_ends_the_server():
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with Client(FAKE, cwd=ROOT) as client:
        client.initialize(process=parent.pid)
        wait_for_log(client, "open")
        parent.communicate(b"\n")
        assert client.process.wait(30) == 1
        client._finish()


@pytest.mark.parametrize("name", [b"content-length:", b"CONTENT-LENGTH: ", b"Content-length:\t"])
def test_names_of_header_fields_may_be_written_in_any_case(name):
    with Client(FAKE, cwd=ROOT) as client:
        client.initialize()
        client.sent[77] = "lintseq/explain"
        params = {"textDocument": {"uri": URI}}
        body = json.dumps(
            {"jsonrpc": "2.0", "id": 77, "method": "lintseq/explain", "params": params}
        ).encode()
        client.process.stdin.write(b"content-TYPE: text\r\n%b%d\r\n\r\n%b" % (name, len(body), body))
        client.process.stdin.flush()
        assert client.result(77) is None


def test_standard_output_is_the_protocols_alone(client):
    # The fake engine prints when it is opened; Client fails for whatever is not a frame.
    wait_for_log(client, "open")
    client.open(URI, "# offer: 1\nx = \n")
    assert ask_inline(client, URI, 1, 4)[0]["insertText"] == "1"
    client.shutdown()
    assert b"a library that writes to standard output" in client.stderr
    assert b"standard input b''" in client.stderr


# Malformed and unknown


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/inlineCompletion", None),
        ("textDocument/inlineCompletion", {}),
        ("textDocument/inlineCompletion", {"textDocument": {"uri": URI}, "position": position(0, 0)}),
        ("textDocument/inlineCompletion", {**inline(URI, 0, 0), "position": {"line": "0", "character": 0}}),
        ("textDocument/copilotInlineEdit", {"textDocument": {}, "position": position(0, 0)}),
        ("textDocument/completion", []),
        ("textDocument/codeAction", {"textDocument": {"uri": URI}}),
        (
            "textDocument/codeAction",
            {"textDocument": {"uri": URI}, "range": span(0, 0, 0), "context": {"diagnostics": [{}]}},
        ),
        ("codeAction/resolve", {"title": "x"}),
        ("codeAction/resolve", None),
        ("codeAction/resolve", {"title": "x", "data": None}),
        ("codeAction/resolve", {"title": "x", "data": {"uri": URI, "actions": []}}),
        ("codeAction/resolve", {"data": {"uri": URI, "version": 1, "actions": [{"kind": "nonsense"}]}}),
        (
            "codeAction/resolve",
            {"data": {"uri": URI, "actions": [{"kind": "fix", "firstLine": 0, "lastLine": 99}]}},
        ),
        (
            "codeAction/resolve",
            {"data": {"uri": URI, "actions": [{"kind": "dance", "firstLine": 0, "lastLine": 0}]}},
        ),
        ("workspace/executeCommand", {"command": "lintseq.unknown"}),
        ("workspace/executeCommand", {"command": "lintseq.accept"}),
        ("workspace/executeCommand", {"command": "lintseq.edit", "arguments": [{}]}),
        ("workspace/executeCommand", {"command": "lintseq.edit"}),
        ("workspace/executeCommand", {"command": "lintseq.action"}),
        ("workspace/executeCommand", {"command": "lintseq.action", "arguments": [None]}),
        ("lintseq/edit", {"textDocument": {"uri": URI}}),
        ("lintseq/explain", {}),
    ],
)
def test_malformed_parameters_are_answered(opened, method, params):
    with pytest.raises(ResponseError, match="-32602"):
        opened.ask(method, params)


@pytest.fixture(scope="module")
def opened(shared):
    shared.open(URI, "x = 1\n")
    return shared


def test_unknown_methods_are_answered(opened):
    with pytest.raises(ResponseError, match="-32601"):
        opened.ask("textDocument/hover", {})
    opened.tell("textDocument/unheardOf", {})
    assert opened.ask("lintseq/explain", {"textDocument": {"uri": "file:///none"}}) is None


def test_what_is_no_message_is_answered(opened):
    count = len(opened.received)
    opened.send_raw(b"{")
    opened.send_raw(b"[1]")
    opened.send_raw(b"[" * 100_000)
    opened.ask("lintseq/explain", {"textDocument": {"uri": URI}})
    codes = [message["error"]["code"] for message in opened.received[count:] if "error" in message]
    assert codes == [-32700, -32600, -32700]


def test_malformed_notifications_are_survived(opened):
    for method in ("didOpen", "didChange", "didClose", "didFocus", "didShowCompletion", "didShowInlineEdit"):
        for params in (None, {}, [], {"textDocument": 3}, {"item": {"command": {"arguments": [1]}}}):
            opened.tell(f"textDocument/{method}", params)
    for method in ("notebookDocument/didChange", "workspace/didChangeWorkspaceFolders", "$/cancelRequest"):
        opened.tell(method, {})
    opened.tell("window/workDoneProgress/cancel", {"token": ["x"]})
    assert opened.ask("lintseq/explain", {"textDocument": {"uri": "file:///none"}}) is None


@pytest.mark.parametrize(
    "params",
    [
        {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"range": {}, "text": "y"}]},
        {"textDocument": {"uri": URI}, "contentChanges": []},
        {"contentChanges": [{"text": 3}]},
        None,
    ],
)
def test_after_a_change_that_cannot_be_read_nothing_is_offered_until_all_is_known(client, params):
    client.open(URI, "# offer: 1\nx = \n")
    client.tell("textDocument/didChange", params)
    client.change(URI, 3, insert(1, 4, " "))  # of a text that the server does not know
    assert explain(client)["reason"] == "stale"
    assert "could not be read" in explain(client)["detail"]
    assert ask_inline(client, URI, 1, 4) == []
    assert next_edits(client, URI, 1) == []
    assert actions(client, 0) == []
    assert client.ask("lintseq/edit", {"textDocument": {"uri": URI}, "instruction": "x"})["reason"] == "stale"
    client.change(URI, 4, {"text": "# offer: 2\nx = \n"})
    assert ask_inline(client, URI, 1, 4)[0]["insertText"] == "2"
    client.tell("textDocument/didChange", params)
    client.open(URI, "# offer: 3\nx = \n", version=5)
    assert ask_inline(client, URI, 1, 4)[0]["insertText"] == "3"


def test_a_crash_is_one_response_without_the_users_text(client):
    client.open(URI, "# crash\npassword = 1\n")
    with pytest.raises(ResponseError) as raised:
        ask_inline(client, URI, 1, 0)
    assert raised.value.code == -32603
    assert "password" not in raised.value.message
    assert ask_inline(client, OTHER, 0, 0) == []
    client.shutdown()
    assert b"ValueError" in client.stderr
    assert b"password" not in client.stderr
    assert client.all_of("window/showMessage") == []


def test_a_model_that_fails_is_a_reason(client):
    client.open(URI, "# model error\n")
    assert ask_inline(client, URI, 1, 0) == []
    assert (explain(client)["reason"], explain(client)["detail"]) == ("no-model", "the model is gone")


# Settings, status, model


def test_settings_come_three_ways():
    capabilities = {"workspace": {"configuration": True}}
    configured = {"maxLines": 4}
    with Client(FAKE, cwd=ROOT) as client:
        client.answers["workspace/configuration"] = lambda _: [dict(configured)]
        client.initialize(
            {"lintseq": {"maxLines": 3, "tries": 2}, "editorInfo": {}}, capabilities=capabilities
        )
        client.open(URI, "x = \n")
        wait_for_log(client, "open")
        ask_inline(client, URI, 0, 4)
        wait_for_log(client, "complete /project/a.py 1 4")
        client.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": {"maxLines": 5}}})
        ask_inline(client, URI, 0, 4)
        wait_for_log(client, "complete /project/a.py 1 5")
        configured["maxLines"] = 6
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        wait_for_configuration(client, 2)
        while b"complete /project/a.py 1 6" not in client.stderr:  # until the server has taken the answer
            ask_inline(client, URI, 0, 4)
        client.shutdown()
        assert client.stderr.count(b"fake: open") == 1
        assert client.all_of("window/showMessage") == []


def wait_for_configuration(client, count):
    """Until the answer to so many pulls was sent, after which messages are in order."""
    poll = threading.Event()
    for _ in range(6000):
        if client.answered.count("workspace/configuration") >= count:
            return
        poll.wait(0.01)
    raise AssertionError


def test_requests_wait_for_the_settings_and_the_model():
    with Client(FAKE, cwd=ROOT) as client:
        asked = threading.Event()
        client.answers["workspace/configuration"] = lambda _: asked.wait(60) and [{"maxLines": 2}]
        client.initialize(capabilities={"workspace": {"configuration": True}})
        client.open(URI, "# offer: 1\nx = \n")
        number = client.begin("textDocument/inlineCompletion", inline(URI, 1, 4))
        explain(client)
        asked.set()
        assert len(client.result(number)["items"]) == 1
        wait_for_log(client, "complete /project/a.py 1 2")


def test_a_client_that_never_answers_holds_nothing_up():
    with Client(FAKE, cwd=ROOT) as client:
        answered = threading.Event()
        client.answers["workspace/configuration"] = lambda _: answered.wait(60)
        client.initialize(capabilities={"workspace": {"configuration": True}})
        client.open(URI, "# offer: 1\nx = \n")
        wait_for_log(client, "open")
        assert len(ask_inline(client, URI, 1, 4)) == 1
        answered.set()


def test_bad_settings_are_one_warning_each():
    with Client(FAKE, cwd=ROOT) as client:
        client.initialize({"maxLines": "many", "colour": 1})
        client.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": {"maxLines": "many"}}})
        client.open(URI, "# offer: 1\nx = \n")
        assert len(ask_inline(client, URI, 1, 4)) == 1
        warnings = client.all_of("window/showMessage")
        assert [warning["type"] for warning in warnings] == [2, 2]
        assert "lintseq.maxLines" in warnings[0]["message"]
        assert "default 8" in warnings[0]["message"]
        assert "lintseq.colour" in warnings[1]["message"]


def test_trust_comes_from_the_initialization_options_only(tmp_path):
    with started(options={"trusted": True}, folder=tmp_path) as client:
        wait_for_log(client, f"open  {tmp_path} True")
    with started(folder=tmp_path) as client:
        client.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": {"trusted": True}}})
        wait_for_log(client, f"open  {tmp_path} False")
        assert "lintseq.trusted" in client.wait_for("window/showMessage")["message"]
        client.shutdown()
        assert b"True" not in client.stderr


def test_a_model_that_cannot_be_loaded_is_one_warning_and_can_be_changed():
    with started(options={"model": "broken", "didChangeStatus": True}) as client:
        assert "choose another one" in client.wait_for("window/showMessage")["message"]
        client.wait_for("didChangeStatus", lambda status: status["kind"] == "Warning")
        client.open(URI, "# offer: 1\nx = \n")
        assert ask_inline(client, URI, 1, 4) == []
        assert explain(client)["reason"] == "no-model"
        client.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": {"model": "whole"}}})
        wait_for_log(client, "open whole")
        assert len(ask_inline(client, URI, 1, 4)) == 1
        assert len(client.all_of("window/showMessage")) == 1
        assert client.all_of("didChangeStatus")[-1]["kind"] == "Normal"


def test_the_status_is_told_to_those_who_asked(client):
    client.open(URI, "# offer: 1\nx = \n")
    ask_inline(client, URI, 1, 4)
    assert client.all_of("didChangeStatus") == []
    with started(options={"didChangeStatus": True}) as asking:
        asking.open(URI, "# block\n")
        number = asking.begin("textDocument/inlineCompletion", inline(URI, 1, 0))
        asking.wait_for("didChangeStatus", lambda status: status["busy"])
        asking.cancel(number)
        asking.wait(lambda message: message.get("id") == number)
        asking.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": {"enabled": False}}})
        asking.wait_for("didChangeStatus", lambda status: status["kind"] == "Inactive")


def test_loading_is_shown_where_the_client_can():
    with Client(FAKE, cwd=ROOT) as client:
        client.answers["window/workDoneProgress/create"] = lambda _: None
        client.initialize(capabilities={"window": {"workDoneProgress": True}})
        token = client.wait_for("window/workDoneProgress/create")["token"]
        client.wait_for("$/progress", lambda params: params["token"] == token)
        client.wait_for("$/progress", lambda params: params["value"]["kind"] == "end")


def test_what_was_declined_stays_declined_when_the_model_is_loaded_anew(client):
    client.open(URI, "# next: 1 y = 1\nx = 1\n")
    (edit,) = next_edits(client, URI, 1)
    client.tell("lintseq/didReject", {"item": edit})
    client.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": {"model": "another"}}})
    wait_for_log(client, "reopen model another")
    assert next_edits(client, URI, 1) == []


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({"model": "another"}, "model another"),
        ({"python": "/usr/bin/python3"}, "linter "),
        ({"python": "/usr/bin/python3", "threads": 1}, "linter model "),
    ],
)
def test_only_what_depends_on_a_setting_is_opened_anew(client, changed, parts):
    wait_for_log(client, "open")
    for settings in ({"maxLines": 3}, {**changed, "maxLines": 3}):
        client.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": settings}})
    wait_for_log(client, f"reopen {parts}\n")
    client.shutdown()
    assert client.stderr.count(b"fake: open") == client.stderr.count(b"fake: reopen") == 1


def test_another_folder_opens_no_model_anew(tmp_path):
    with started(folder=tmp_path / "one") as client:
        wait_for_log(client, f"open  {tmp_path / 'one'}")
        event = {
            "added": [{"uri": (tmp_path / "two").as_uri(), "name": "two"}],
            "removed": [{"uri": (tmp_path / "one").as_uri(), "name": "one"}],
        }
        client.tell("workspace/didChangeWorkspaceFolders", {"event": event})
        wait_for_log(client, "reopen linter")


def test_what_explain_says(client):
    client.open(URI, "# offer: 1\nx = \n")
    assert explain(client) is None
    ask_inline(client, URI, 1, 4)
    answer = explain(client)
    assert answer["reason"] == "accepted"
    assert answer["tiers"] == ["syntax", "pylint"]
    assert answer["milliseconds"] == 2.0
    assert answer["suggestions"][0]["newFindings"] == 0
    assert answer["rejected"][0]["reason"] == "new-findings"
    assert answer["message"] == Reason.ACCEPTED.sentence
    assert answer["rejected"][0]["message"] == Reason.NEW_FINDINGS.sentence


def test_idle_time_prepares_the_document(client):
    client.open(URI, "x = 1\n")
    wait_for_log(client, "prepare /project/a.py None")
    client.change(URI, 2, insert(1, 0, "y"))
    wait_for_log(client, "prepare /project/a.py 1")
    wait_for_log(client, "read ahead /project/a.py (1, 1)")


def test_where_the_cursor_rests_is_read_ahead(client):
    """Editors ask for code actions there. No more often than it moves to another line."""
    client.open(URI, "x = 1\ny = 2\n")
    for line in (1, 1, 0):
        asked = {
            "textDocument": {"uri": URI},
            "range": span(line, 0, 0),
            "context": {"diagnostics": []},
        }
        client.ask("textDocument/codeAction", asked)
        wait_for_log(client, f"read ahead /project/a.py ({line}, 5)")
    assert client.stderr.count(b"read ahead") == 2


def test_what_is_asked_is_read_while_the_linter_is_busy(client, tmp_path):
    go = tmp_path / "go"
    client.open(URI, f"# lint: {go}\n# offer: 1\nx = \n")
    number = client.begin("textDocument/inlineCompletion", inline(URI, 2, 4))
    wait_for_log(client, "read ahead /project/a.py (2, 4) alone")
    assert client.responses(number) == []
    go.touch()
    assert client.result(number)["items"][0]["insertText"] == "1"


def test_a_request_ends_what_is_read_ahead(client):
    client.open(URI, "# block\n")
    client.change(URI, 2, insert(1, 0, "y"))
    wait_for_log(client, "read ahead /project/a.py (1, 1)")
    client.open(OTHER, "# offer: 2\ny = \n")
    assert ask_inline(client, OTHER, 1, 4)[0]["insertText"] == "2"


@pytest.mark.parametrize("asked", [False, True])
def test_a_document_that_the_linter_is_busy_with_keeps_no_other_waiting(client, tmp_path, asked):
    go = tmp_path / "go"
    client.open(URI, f"# lint: {go}\n# offer: 1\nx = \n")
    number = client.begin("textDocument/inlineCompletion", inline(URI, 2, 4)) if asked else None
    wait_for_log(client, "lint /project/a.py")
    client.open(OTHER, "# offer: 2\ny = \n")
    assert ask_inline(client, OTHER, 1, 4)[0]["insertText"] == "2"
    assert client.ask("lintseq/edit", {"textDocument": {"uri": OTHER}, "instruction": "x"})["steps"] == 0
    if asked:
        assert client.responses(number) == []
        go.touch()
        assert client.result(number)["items"][0]["insertText"] == "1"


def test_a_check_that_nobody_waits_for_any_more_is_given_up(client, tmp_path):
    client.open(URI, f"# lint: {tmp_path / 'go'}\nx = \n")
    wait_for_log(client, "lint /project/a.py")
    client.change(URI, 2, insert(1, 4, "1"))
    wait_for_log(client, "lint given up")


# The protocol's types, from an independent source

CAPABLE = {
    **APPLIES,
    **RESOLVES,
    "general": {"positionEncodings": ["utf-16"]},
    "window": {"workDoneProgress": True},
}


def test_everything_sent_is_of_the_protocols_types():
    with Client(FAKE, cwd=ROOT) as client:
        client.answers["window/workDoneProgress/create"] = lambda _: None
        client.initialize({"completionItems": True, "colour": 1}, capabilities=CAPABLE)
        text = STEPS + "# offer: 1\n" + FUNCTION + "x = \n"
        client.open(URI, text)
        line = text.count("\n") - 1
        ask_inline(client, URI, line, 4)
        where = {"textDocument": {"uri": URI}, "position": position(line, 4)}
        assert client.ask("textDocument/completion", where)["items"]
        for action in actions(client, 5) + actions(client, line - 1, diagnostics=[DIAGNOSTIC]):
            client.ask("codeAction/resolve", action)
        editor = Editor(client, text)
        assert client.result(editor.run())["steps"] == 2
        client.shutdown()
        methods = check_types(client)
    assert methods >= {
        "initialize",
        "textDocument/inlineCompletion",
        "textDocument/completion",
        "textDocument/codeAction",
        "codeAction/resolve",
        "workspace/executeCommand",
        "workspace/applyEdit",
        "window/showMessage",
        "window/workDoneProgress/create",
        "$/progress",
    }


def check_types(client):
    """Structures every message that was received as lsprotocol's type for it; which methods there were."""
    converter = get_converter()
    methods = set()
    for message in client.received:
        method = message.get("method") or client.sent[message["id"]]
        request, response, *_ = types.METHOD_TO_TYPES[method]
        converter.structure(message, request if "method" in message else response)
        methods.add(method)
    return methods


# Sockets


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::", "example.org", ""])
def test_only_loopback_addresses_are_listened_on(host):
    command = [
        sys.executable,
        "-c",
        f"from lintseq_lsp.lsp.start import serve; serve(['--tcp', '{host}:0'])",
    ]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert b"loopback" in done.stderr


def test_one_client_over_a_loopback_socket():
    with subprocess.Popen([*FAKE, "--tcp", "localhost:0"], stderr=subprocess.PIPE, cwd=ROOT) as server:
        line = server.stderr.readline().decode()
        port = int(line.rsplit(":", 1)[1])
        with (
            socket.create_connection(("127.0.0.1", port)) as connection,
            connection.makefile("rwb") as stream,
        ):

            def ask(number, method, params):
                message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                body = json.dumps(message).encode()
                stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
                stream.flush()
                length = int(stream.readline().split(b":")[1])
                stream.readline()
                return json.loads(stream.read(length))

            assert ask(1, "initialize", {"capabilities": {}})["result"]["serverInfo"]["name"] == "lintseq-lsp"
            assert ask(2, "shutdown", None)["result"] is None
            body = b'{"jsonrpc": "2.0", "method": "exit"}'
            stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            stream.flush()
            assert server.wait(30) == 0
        server.stderr.close()
