"""The server as a process, method by method, with an engine that obeys its documents (lsp_fake.py)."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from lsp_client import Client, ResponseError, position, span
from lsprotocol import types
from lsprotocol.converters import get_converter

FAKE = [sys.executable, "-m", "tests.lsp_fake"]
ROOT = Path(__file__).parent.parent
URI = "file:///work/a.py"
OTHER = "file:///work/b.py"
APPLIES = {
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}},
    },
}
RESOLVES = {
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}},
            "resolveSupport": {"properties": ["edit"]},
        }
    }
}


@pytest.fixture
def client():
    with Client(FAKE, cwd=ROOT) as running:
        running.initialize()
        yield running


def started(**options):
    client = Client(FAKE, cwd=ROOT)
    client.initialize(**options)
    return client


def inline(uri, line, character, *, version=None, kind=2, selected=None):
    context = {"triggerKind": kind}
    if selected is not None:
        context["selectedCompletionInfo"] = selected
    document = {"uri": uri} if version is None else {"uri": uri, "version": version}
    return {"textDocument": document, "position": position(line, character), "context": context}


def ask_inline(client, *arguments, **options):
    return client.ask("textDocument/inlineCompletion", inline(*arguments, **options))["items"]


def explain(client, uri=URI):
    return client.ask("lintseq/explain", {"textDocument": {"uri": uri}})


def wait_for_log(client, text):
    """Until the fake engine has written a line: an event of the other process."""
    poll = threading.Event()
    for _ in range(6000):
        if f"fake: {text}".encode() in client.stderr:
            return
        poll.wait(0.01)
    raise AssertionError(client.stderr.decode())


def insert(line, character, text):
    return {"range": span(line, character, character), "text": text}


def apply_to(text, edits):
    """Text edits as an editor applies them; ASCII only."""
    lines = text.split("\n")

    def offset(place):
        return sum(len(line) + 1 for line in lines[: place["line"]]) + place["character"]

    for edit in sorted(edits, key=lambda entry: offset(entry["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text


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
        ("lintseq/edit", {"textDocument": {"uri": URI}}),
        ("lintseq/explain", {}),
    ],
)
def test_malformed_parameters_are_answered(shared, method, params):
    with pytest.raises(ResponseError, match="-32602"):
        shared.ask(method, params)


@pytest.fixture(scope="module")
def shared():
    with Client(FAKE, cwd=ROOT) as running:
        running.initialize()
        running.open(URI, "x = 1\n")
        yield running


def test_unknown_methods_are_answered(shared):
    with pytest.raises(ResponseError, match="-32601"):
        shared.ask("textDocument/hover", {})
    shared.tell("textDocument/unheardOf", {})
    assert shared.ask("lintseq/explain", {"textDocument": {"uri": "file:///none"}}) is None


def test_what_is_no_message_is_answered(shared):
    count = len(shared.received)
    shared.send_raw(b"{")
    shared.send_raw(b"[1]")
    shared.send_raw(b"[" * 100_000)
    shared.ask("lintseq/explain", {"textDocument": {"uri": URI}})
    codes = [message["error"]["code"] for message in shared.received[count:] if "error" in message]
    assert codes == [-32700, -32600, -32700]


def test_malformed_notifications_are_survived(shared):
    for method in ("didOpen", "didChange", "didClose", "didFocus", "didShowCompletion", "didShowInlineEdit"):
        for params in (None, {}, [], {"textDocument": 3}, {"item": {"command": {"arguments": [1]}}}):
            shared.tell(f"textDocument/{method}", params)
    for method in ("notebookDocument/didChange", "workspace/didChangeWorkspaceFolders", "$/cancelRequest"):
        shared.tell(method, {})
    shared.tell("window/workDoneProgress/cancel", {"token": ["x"]})
    assert shared.ask("lintseq/explain", {"textDocument": {"uri": "file:///none"}}) is None


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


# Inline completion


def test_an_item_as_clients_want_it(client):
    client.open(URI, "# offer: 1\nx = \n")
    (item,) = ask_inline(client, URI, 1, 4, version=1)
    assert item["insertText"] == "1"
    assert item["range"] == span(1, 4, 4)
    assert item["command"]["command"] == "lintseq.accept"
    assert client.ask("workspace/executeCommand", item["command"]) is None


def test_a_suggestion_on_the_next_line_begins_at_the_cursor(client):
    client.open(URI, "# below:     pass\ndef f():\n")
    (item,) = ask_inline(client, URI, 1, 8)
    assert (item["insertText"], item["range"]) == ("\n    pass", span(1, 8, 8))


def test_several_candidates_when_asked_by_hand(client):
    client.open(URI, "# offer: 1\n# offer: 2\n# offer: 3\n# offer: 4\nx = \n")
    assert len(ask_inline(client, URI, 4, 4)) == 1
    items = ask_inline(client, URI, 4, 4, kind=1)
    assert [item["insertText"] for item in items] == ["1", "2", "3"]
    assert len({item["command"]["arguments"][0] for item in items}) == 3


def test_what_is_on_the_screen_stays_first(client):
    client.open(URI, "# offer: 1\n# offer: 2\n# offer: 3\nx = \n")
    ask_inline(client, URI, 3, 4)
    for kind in (1, 2, 1, 2):
        items = ask_inline(client, URI, 3, 4, kind=kind)
        assert [item["insertText"] for item in items] == ["1", "2", "3"]


def test_what_is_known_is_answered_while_the_model_is_busy(client):
    client.open(URI, "# offer: 12\nx = \n")
    assert ask_inline(client, URI, 1, 4)[0]["insertText"] == "12"
    client.open(OTHER, "# block\n")
    busy = client.begin("textDocument/inlineCompletion", inline(OTHER, 1, 0))
    wait_for_log(client, "waiting")
    client.change(URI, 2, insert(1, 4, "1"))
    (item,) = ask_inline(client, URI, 1, 5, version=2)
    assert (item["insertText"], item["range"]) == ("2", span(1, 5, 5))
    assert explain(client)["cached"]
    client.cancel(busy)
    with pytest.raises(ResponseError, match="-32800"):
        client.result(busy)


def test_accepting_a_word_keeps_the_rest(client):
    client.open(URI, "# offer: one two three\nx = \n")
    (item,) = ask_inline(client, URI, 1, 4)
    client.tell("textDocument/didShowCompletion", {"item": item})
    client.tell("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 4})
    client.change(URI, 2, insert(1, 4, "one "))
    (rest,) = ask_inline(client, URI, 1, 8)
    assert rest["insertText"] == "two three"
    assert rest["command"] == item["command"]


def test_typing_over_a_shown_suggestion_rejects_it(client):
    client.open(URI, "# offer: 1\nx = \n")
    (item,) = ask_inline(client, URI, 1, 4)
    client.tell("textDocument/didShowCompletion", {"item": item})
    client.change(URI, 2, insert(1, 4, "2"))
    client.change(URI, 3, {"range": span(1, 4, 5), "text": ""})
    assert ask_inline(client, URI, 1, 4) == []
    assert explain(client)["reason"] == "rejected-before"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_positions_are_in_the_agreed_encoding(encoding):
    def units(text):
        codec, size = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[
            encoding
        ]
        return len(text.encode(codec)) // size

    with started(encodings=[encoding]) as client:
        client.open(URI, "# offer: '😀')\nf('é😀あ', )\n# next: 1 é = 😀\n")
        typed = "f('é😀あ', "
        (item,) = ask_inline(client, URI, 1, units(typed))
        start, end = item["range"]["start"], item["range"]["end"]
        assert (start["line"], start["character"]) == (1, units(typed))
        assert end == start
        assert item["insertText"] == "'😀')"
        client.change(
            URI,
            2,
            {"range": span(1, units("f('é"), units("f('é😀")), "text": "𝒳"},
            insert(0, units("# offer: '😀'"), "あ"),
        )
        (item,) = ask_inline(client, URI, 1, units("f('é𝒳あ', "))
        assert item["range"] == span(1, units("f('é𝒳あ', "), units("f('é𝒳あ', "))
        assert item["insertText"] == "'😀'あ)"


def test_lines_end_only_where_the_protocol_says(client):
    client.open(URI, "# offer: 1\nx = '\x0c\u2028\x85'\r\ny = \rz = 1\n")
    (item,) = ask_inline(client, URI, 2, 4)
    assert item["range"] == span(2, 4, 4)


def test_an_item_extends_what_is_selected_in_the_pop_up(client):
    client.open(URI, "# offer: (1)\npri\n")
    selected = {"range": span(1, 0, 3), "text": "print"}
    (item,) = ask_inline(client, URI, 1, 3, selected=selected)
    assert (item["insertText"], item["range"]) == ("print(1)", span(1, 0, 3))
    assert ask_inline(client, URI, 1, 3, selected={"range": span(1, 0, 3), "text": "sprint"}) == []
    assert explain(client)["reason"] == "no-fit"


def test_a_new_request_supersedes_the_one_before(client):
    client.open(URI, "# block\nx = \n")
    first = client.begin("textDocument/inlineCompletion", inline(URI, 1, 4))
    wait_for_log(client, "waiting")
    second = client.begin("textDocument/inlineCompletion", inline(URI, 1, 3))
    assert client.result(first) == {"items": []}
    client.cancel(second)
    with pytest.raises(ResponseError, match="-32800"):
        client.result(second)
    assert explain(client)["reason"] == "cancelled"
    assert len(client.responses(first)) == len(client.responses(second)) == 1


def test_inline_and_next_edit_requests_leave_each_other_alone(client, tmp_path):
    go = tmp_path / "go"
    client.open(URI, f"# wait: {go}\n# offer: 1\n# next: 3 y = 2\nx = \n")
    one = client.begin("textDocument/inlineCompletion", inline(URI, 3, 4))
    wait_for_log(client, "waiting")
    other = client.begin(
        "textDocument/copilotInlineEdit", {"textDocument": {"uri": URI}, "position": position(3, 4)}
    )
    explain(client)
    go.touch()
    assert client.result(one)["items"][0]["insertText"] == "1"
    assert client.result(other)["edits"][0]["text"] == "y = 2\n"


def test_inline_requests_go_before_next_edits(client, tmp_path):
    go = tmp_path / "go"
    client.open(URI, f"# wait: {go}\n")
    client.open(OTHER, "# offer: 1\nx = \n")
    busy = client.begin("textDocument/inlineCompletion", inline(URI, 1, 0))
    wait_for_log(client, "waiting")
    later = client.begin(
        "textDocument/copilotInlineEdit", {"textDocument": {"uri": OTHER}, "position": position(1, 4)}
    )
    first = client.begin("textDocument/inlineCompletion", inline(OTHER, 1, 4, kind=1))
    assert explain(client, OTHER) is None  # so that all three have arrived
    go.touch()
    for number in (busy, later, first):
        client.result(number)
    log = client.stderr.decode()
    assert log.index("complete /work/b.py") < log.index("next_edit /work/b.py")


def test_two_documents_do_not_supersede_each_other(client, tmp_path):
    go = tmp_path / "go"
    client.open(URI, f"# wait: {go}\n# offer: 1\nx = \n")
    client.open(OTHER, f"# wait: {go}\n# offer: 2\nx = \n")
    numbers = [client.begin("textDocument/inlineCompletion", inline(uri, 2, 4)) for uri in (URI, OTHER)]
    wait_for_log(client, "waiting")
    go.touch()
    assert [client.result(number)["items"][0]["insertText"] for number in numbers] == ["1", "2"]


def test_a_hundred_cancelled_requests(client):
    client.open(URI, "# block\n")
    client.open(OTHER, "# offer: 1\nx = \n")
    numbers = []
    for _ in range(100):
        numbers.append(client.begin("textDocument/inlineCompletion", inline(URI, 1, 0, kind=1)))
        client.cancel(numbers[-1])
    for number in numbers:
        with pytest.raises(ResponseError, match="-32800"):
            client.result(number)
    assert ask_inline(client, OTHER, 1, 4)[0]["insertText"] == "1"
    assert all(len(client.responses(number)) == 1 for number in numbers)


def test_a_document_that_changes_while_the_model_writes(client, tmp_path):
    go = tmp_path / "go"
    client.open(URI, f"# wait: {go}\n# offer: 1\nx = \n")
    number = client.begin("textDocument/inlineCompletion", inline(URI, 2, 4, version=1))
    wait_for_log(client, "waiting")
    client.change(URI, 2, insert(0, 0, "y = 1\n"))
    go.touch()
    assert client.result(number) == {"items": []}
    assert explain(client)["reason"] == "stale"


def test_a_stale_version_is_answered_with_nothing(client):
    client.open(URI, "# offer: 1\n# next: 2 y = 1\nx = \n", version=7)
    assert ask_inline(client, URI, 2, 4, version=6) == []
    assert explain(client)["reason"] == "stale"
    stale = {"textDocument": {"uri": URI, "version": 6}, "position": position(1, 4)}
    assert client.ask("textDocument/copilotInlineEdit", stale) == {"edits": []}
    assert len(ask_inline(client, URI, 2, 4, version=7)) == 1


@pytest.mark.parametrize(
    ("uri", "language", "reason"),
    [
        ("file:///work/.env", "python", "ignored"),
        ("git:/work/a.py", "python", "ignored"),
        ("output:x", "python", "ignored"),
        ("file:///work/a.js", "javascript", "ignored"),
        ("untitled:Untitled-1", "python", "accepted"),
    ],
)
def test_what_is_left_alone(shared, uri, language, reason):
    shared.open(uri, "# offer: 1\nx = \n", language=language)
    assert bool(ask_inline(shared, uri, 1, 4)) == (reason == "accepted")
    assert explain(shared, uri)["reason"] == reason


def test_a_document_that_is_not_open_is_left_alone(shared):
    assert ask_inline(shared, "file:///work/never.py", 0, 0) == []
    assert explain(shared, "file:///work/never.py")["reason"] == "ignored"


def test_long_files_and_switched_off():
    with started(options={"maxFileLines": 3, "debounce": 0}) as client:
        client.open(URI, "# offer: 1\nx = \n")
        client.open(OTHER, "# offer: 1\nx = \n\n\n")
        assert len(ask_inline(client, URI, 1, 4)) == 1
        assert ask_inline(client, OTHER, 1, 4) == []
        assert explain(client, OTHER)["reason"] == "too-long"
    with started(options={"enabled": False}) as client:
        client.open(URI, "# offer: 1\nx = \n")
        assert ask_inline(client, URI, 1, 4) == []
        assert explain(client)["reason"] == "off"
        assert b"fake: open" not in client.stderr


# Next edits


def next_edits(client, uri, line, **extra):
    params = {"textDocument": {"uri": uri, "version": 1}, "position": position(line, 0), **extra}
    return client.ask("textDocument/copilotInlineEdit", params)["edits"]


def test_next_edits_are_of_the_requested_version(client):
    client.open(URI, "# next: 2 a = 1\n# next: 3 b = 2\nx = 1\ny = 2\n")
    diagnostics = [{"severity": "error", "message": "no", "range": span(0, 0, 1)}]
    edits = next_edits(client, URI, 2, context={"triggerKind": 2}, diagnostics=diagnostics)
    assert [(edit["text"], edit["range"]) for edit in edits] == [
        ("a = 1\n", span(2, 0, 0)),
        ("b = 2\n", span(3, 0, 0)),
    ]
    assert all(edit["textDocument"] == {"uri": URI, "version": 1} for edit in edits)
    client.tell("textDocument/didShowInlineEdit", {"item": edits[0]})
    assert client.ask("workspace/executeCommand", edits[0]["command"]) is None


def test_next_edits_end_before_one_that_overlaps(client):
    client.open(URI, "# next: 3 a = 1\n# next: 3 b = 2\n# next: 4 c = 3\nx = 1\ny = 2\n")
    assert [edit["text"] for edit in next_edits(client, URI, 3)] == ["a = 1\n"]


def test_next_edits_can_be_switched_off():
    with started(options={"nextEdit": False}) as client:
        client.open(URI, "# next: 1 a = 1\nx = 1\n")
        assert next_edits(client, URI, 1) == []
        assert explain(client)["reason"] == "off"


# Completion items


def test_completion_items_for_clients_without_ghost_text():
    with Client(FAKE, cwd=ROOT) as client:
        assert client.initialize({"completionItems": True})["completionProvider"] == {}
        client.open(URI, "# offer: urn x\\n\ndef f(x):\n    ret\n")
        params = {"textDocument": {"uri": URI}, "position": position(2, 7)}
        result = client.ask("textDocument/completion", params)
        assert result["isIncomplete"]
        (item,) = result["items"]
        assert item["label"] == "return x"
        assert item["textEdit"] == {"range": span(2, 4, 7), "newText": "return x\n"}
        assert item["filterText"].startswith("ret")
        assert item["command"]["command"] == "lintseq.accept"


def test_completion_items_are_announced_when_the_setting_comes_later():
    capabilities = {
        "workspace": {"configuration": True},
        "textDocument": {"completion": {"dynamicRegistration": True}},
    }
    with Client(FAKE, cwd=ROOT) as client:
        client.answers["workspace/configuration"] = lambda _: [{"completionItems": True}]
        client.answers["client/registerCapability"] = lambda _: None
        assert "completionProvider" not in client.initialize(capabilities=capabilities)
        (registration,) = client.wait_for("client/registerCapability")["registrations"]
        assert registration["method"] == "textDocument/completion"


# Code actions

FUNCTION = '# resolve:     return 1\ndef f():\n    """One."""\n    pass\n\n# Print it\nprint(undefined)\n'


def actions(client, line, last=None, *, diagnostics=(), only=None):
    context = {"diagnostics": list(diagnostics)}
    if only is not None:
        context["only"] = only
    where = {
        "start": position(line, 0),
        "end": position(line if last is None else last, 0 if last is None else 1),
    }
    return client.ask(
        "textDocument/codeAction", {"textDocument": {"uri": URI}, "range": where, "context": context}
    )


DIAGNOSTIC = {
    "range": span(6, 6, 15),
    "severity": 1,
    "code": "undefined-variable",
    "message": "Undefined variable 'undefined'",
}


def test_code_actions_are_offered_without_the_model():
    with started(capabilities=RESOLVES) as client:
        client.open(URI, FUNCTION)
        assert [(action["kind"], action["title"]) for action in actions(client, 1)] == [
            ("refactor.rewrite", "Implement f()")
        ]
        assert [action["title"] for action in actions(client, 5)] == ["Continue from this comment"]
        assert [action["title"] for action in actions(client, 5, 6)] == ["Rewrite the selected lines"]
        (fix,) = actions(client, 6, diagnostics=[DIAGNOSTIC])
        assert (fix["kind"], fix["diagnostics"]) == ("quickfix", [DIAGNOSTIC])
        assert "isPreferred" not in fix
        assert "edit" not in fix
        assert actions(client, 6, diagnostics=[DIAGNOSTIC], only=["refactor"]) == []
        (all_fixes,) = actions(client, 6, diagnostics=[DIAGNOSTIC], only=["source.fixAll"])
        assert all_fixes["kind"] == "source.fixAll.lintseq"
        client.shutdown()
        assert b"fake: resolve" not in client.stderr


def test_a_code_action_is_resolved_to_one_versioned_edit():
    with started(capabilities={**RESOLVES, **APPLIES}) as client:
        client.open(URI, FUNCTION, version=3)
        (action,) = actions(client, 1)
        resolved = client.ask("codeAction/resolve", action)
        (change,) = resolved["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": URI, "version": 3}
        (edit,) = change["edits"]
        assert apply_to(FUNCTION, [edit]) == FUNCTION.replace("def f():", "    return 1")
        annotation = resolved["edit"]["changeAnnotations"][edit["annotationId"]]
        assert annotation["needsConfirmation"] is True
        assert "isPreferred" not in resolved
        (fix,) = actions(client, 6, diagnostics=[DIAGNOSTIC])
        assert client.ask("codeAction/resolve", fix)["isPreferred"] is True


def test_without_document_changes_the_edit_is_a_plain_one():
    with started(capabilities=RESOLVES) as client:
        client.open(URI, FUNCTION)
        edit = client.ask("codeAction/resolve", actions(client, 1)[0])["edit"]
        assert list(edit) == ["changes"]
        assert apply_to(FUNCTION, edit["changes"][URI]) == FUNCTION.replace("def f():", "    return 1")


def test_fix_all_goes_from_the_bottom_up():
    with started(capabilities=RESOLVES) as client:
        client.open(URI, FUNCTION)
        other = {**DIAGNOSTIC, "range": span(3, 0, 1), "message": "another"}
        (action,) = actions(client, 0, diagnostics=[other, DIAGNOSTIC], only=["source"])
        edit = client.ask("codeAction/resolve", action)["edit"]
        assert apply_to(FUNCTION, edit["changes"][URI]) == FUNCTION.replace(
            "    pass", "    return 1"
        ).replace("print(undefined)", "    return 1")
        log = client.stderr.decode()
        assert log.index("resolve fix 6 6") < log.index("resolve fix 3 3")


def test_an_action_that_comes_to_nothing_says_so():
    with started(capabilities=RESOLVES) as client:
        client.open(URI, FUNCTION.replace("# resolve", "# else"))
        (action,) = actions(client, 1)
        assert client.ask("codeAction/resolve", action) == action
        assert "nothing-new" in client.wait_for("window/showMessage")["message"]
        client.change(URI, 2, insert(0, 0, "\n"))
        assert client.ask("codeAction/resolve", action) == action
        client.wait_for("window/showMessage", lambda params: "stale" in params["message"])


def test_clients_that_cannot_resolve_get_commands():
    with started(capabilities=APPLIES) as client:
        client.open(URI, FUNCTION)
        client.answers["workspace/applyEdit"] = lambda _: {"applied": True}
        (command,) = actions(client, 1)
        assert (command["title"], command["command"]) == ("Implement f()", "lintseq.action")
        assert client.ask("workspace/executeCommand", command) is True
        (edit,) = client.wait_for("workspace/applyEdit")["edit"]["documentChanges"][0]["edits"]
        assert apply_to(FUNCTION, [edit]) == FUNCTION.replace("def f():", "    return 1")


# Edits by instruction

STEPS = "# step: a = 1\n# bad step\n# step: b = 2\n"


def test_an_edit_by_instruction_is_reported_step_by_step(client):
    client.open(URI, STEPS)
    params = {
        "textDocument": {"uri": URI, "version": 1},
        "instruction": "add",
        "range": span(0, 0, 3, last=1),
        "partialResultToken": "p",
        "workDoneToken": 7,
    }
    result = client.ask("lintseq/edit", params)
    assert apply_to(STEPS, result["edits"]) == STEPS + "a = 1\nb = 2\n"
    assert (result["steps"], result["reason"]) == (2, "complete")
    assert result["textDocument"] == {"uri": URI, "version": 1}
    progress = client.all_of("$/progress")
    partial = [entry["value"] for entry in progress if entry["token"] == "p"]
    text = STEPS
    for value in partial:
        text = apply_to(text, value["edits"])
    assert text == STEPS + "a = 1\nb = 2\n"
    assert [value["step"] for value in partial] == [1, 2]
    kinds = [entry["value"]["kind"] for entry in progress if entry["token"] == 7]
    assert kinds == ["begin", "report", "report", "end"]
    assert "edit add (0, 1)" in client.stderr.decode()


def test_a_cancelled_edit_keeps_what_is_clean(client):
    client.open(URI, "# step: a = 1\n# block\n")
    params = {
        "textDocument": {"uri": URI},
        "instruction": "add",
        "workDoneToken": "w",
        "partialResultToken": "p",
    }
    number = client.begin("lintseq/edit", params)
    wait_for_log(client, "waiting")
    client.wait_for("$/progress", lambda params: params["token"] == "p")
    client.tell("window/workDoneProgress/cancel", {"token": "w"})
    result = client.result(number)
    assert (result["steps"], result["reason"]) == (1, "cancelled")
    assert result["edits"][0]["newText"] == "a = 1\n"
    number = client.begin("lintseq/edit", params)
    client.cancel(number)
    with pytest.raises(ResponseError, match="-32800"):
        client.result(number)


def test_a_client_may_apply_the_steps_that_are_reported(client, tmp_path):
    go = tmp_path / "go"
    text = f"# step: a = 1\n# wait: {go}\n# step: b = 2\n"
    client.open(URI, text)
    params = {"textDocument": {"uri": URI}, "instruction": "add", "partialResultToken": "p"}
    number = client.begin("lintseq/edit", params)
    partial = client.wait_for("$/progress", lambda params: params["token"] == "p")["value"]
    (edit,) = partial["edits"]
    client.change(URI, 2, {"range": edit["range"], "text": edit["newText"]})
    explain(client)
    go.touch()
    assert client.result(number)["steps"] == 2


def test_an_edit_ends_when_the_document_changes(client):
    client.open(URI, "# step: a = 1\n# block\n")
    number = client.begin("lintseq/edit", {"textDocument": {"uri": URI}, "instruction": "add"})
    wait_for_log(client, "waiting")
    client.change(URI, 2, insert(0, 0, "\n"))
    assert client.result(number)["reason"] == "stale"
    wait_for_log(client, "cancelled")


class Editor:
    """Applies `workspace/applyEdit` as an editor does; `meanwhile` is a change of the user's."""

    def __init__(self, client, text):
        self.client, self.text, self.version = client, text, 1
        self.edits = []
        self.refuses_from = 99
        self.tells_first = True
        self.applied = threading.Event()
        client.answers["workspace/applyEdit"] = self.apply

    def apply(self, params):
        (change,) = params["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": URI, "version": self.version}
        if len(self.edits) + 1 >= self.refuses_from:
            return {"applied": False}
        self.edits.append(params)
        for edit in change["edits"]:
            assert edit.pop("annotationId") in params["edit"]["changeAnnotations"]
        self.text = apply_to(self.text, change["edits"])
        self.version += 1
        changes = [{"range": edit["range"], "text": edit["newText"]} for edit in change["edits"]]
        if self.tells_first:
            self.client.change(URI, self.version, *changes)
        else:
            threading.Timer(0.05, self.client.change, (URI, self.version, *changes)).start()
        self.applied.set()
        return {"applied": True}

    def run(self):
        argument = {"textDocument": {"uri": URI}, "instruction": "add two"}
        return self.client.begin(
            "workspace/executeCommand", {"command": "lintseq.edit", "arguments": [argument]}
        )


@pytest.mark.parametrize("tells_first", [True, False])
def test_the_command_applies_each_clean_step(tells_first):
    with started(capabilities=APPLIES) as client:
        client.open(URI, STEPS)
        editor = Editor(client, STEPS)
        editor.tells_first = tells_first
        assert client.result(editor.run()) == {"steps": 2, "reason": "complete"}
        assert editor.text == STEPS + "a = 1\nb = 2\n"
        assert [entry["label"] for entry in editor.edits] == ["LintSeq: add two (1)", "LintSeq: add two (2)"]


def test_the_command_stops_when_the_client_does_not_apply():
    with started(capabilities=APPLIES) as client:
        client.open(URI, STEPS)
        editor = Editor(client, STEPS)
        editor.refuses_from = 2
        assert client.result(editor.run()) == {"steps": 1, "reason": "cancelled"}
        assert editor.text == STEPS + "a = 1\n"


def test_the_command_stops_when_the_user_types():
    with started(capabilities=APPLIES) as client:
        text = "# step: a = 1\n# block\n"
        client.open(URI, text)
        editor = Editor(client, text)
        number = editor.run()
        assert editor.applied.wait(60)
        wait_for_log(client, "waiting")
        client.change(URI, 3, insert(0, 0, "\n"))
        assert client.result(number)["reason"] == "stale"
        assert editor.text == text + "a = 1\n"


def test_the_command_does_not_wait_for_a_change_that_something_else_overtook():
    with started(capabilities=APPLIES) as client:
        text = "# step: a = 1\n# block\n"
        client.open(URI, text)
        editor = Editor(client, text)

        def overtaken(_params):
            client.change(URI, 2, insert(0, 0, "\n"))
            return {"applied": True}

        client.answers["workspace/applyEdit"] = overtaken
        assert client.result(editor.run()) == {"steps": 0, "reason": "stale"}


def test_the_command_can_be_cancelled_and_keeps_what_it_applied():
    capabilities = {**APPLIES, "window": {"workDoneProgress": True}}
    with Client(FAKE, cwd=ROOT) as client:
        client.answers["window/workDoneProgress/create"] = lambda _: None
        client.initialize(capabilities=capabilities)
        text = "# step: a = 1\n# block\n"
        client.open(URI, text)
        editor = Editor(client, text)
        number = editor.run()
        begin = client.wait_for("$/progress", lambda params: "add two" in params["value"].get("title", ""))
        assert begin["value"]["cancellable"] is True
        client.wait_for("workspace/applyEdit")
        client.tell("window/workDoneProgress/cancel", {"token": begin["token"]})
        assert client.result(number)["reason"] == "cancelled"
        client.wait_for("$/progress", lambda params: params["value"]["kind"] == "end")


def test_nothing_to_edit_is_said():
    with started(capabilities=APPLIES) as client:
        client.open(URI, "# bad step\n")
        argument = {"textDocument": {"uri": URI}, "instruction": "add"}
        command = {"command": "lintseq.edit", "arguments": [argument]}
        assert client.ask("workspace/executeCommand", command) == {"steps": 0, "reason": "complete"}
        assert "complete" in client.wait_for("window/showMessage")["message"]
        assert len(explain(client)["rejected"]) == 1


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
        wait_for_log(client, "complete /work/a.py 1 4")
        client.tell("workspace/didChangeConfiguration", {"settings": {"lintseq": {"maxLines": 5}}})
        ask_inline(client, URI, 0, 4)
        wait_for_log(client, "complete /work/a.py 1 5")
        configured["maxLines"] = 6
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        wait_for_configuration(client, 2)
        ask_inline(client, URI, 0, 4)
        wait_for_log(client, "complete /work/a.py 1 6")
        client.shutdown()
        assert client.stderr.count(b"fake: open") == 1
        assert client.all_of("window/showMessage") == []


def wait_for_configuration(client, count):
    """Until the answer to so many pulls was sent, after which messages are in order."""
    poll = threading.Event()
    for _ in range(6000):
        if len(client.all_of("workspace/configuration")) >= count:
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
        wait_for_log(client, "complete /work/a.py 1 2")


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


def test_another_folder_opens_the_engine_anew(tmp_path):
    with started(folder=tmp_path / "one") as client:
        wait_for_log(client, f"open  {tmp_path / 'one'}")
        event = {
            "added": [{"uri": (tmp_path / "two").as_uri(), "name": "two"}],
            "removed": [{"uri": (tmp_path / "one").as_uri(), "name": "one"}],
        }
        client.tell("workspace/didChangeWorkspaceFolders", {"event": event})
        wait_for_log(client, f"open  {tmp_path / 'two'}")
        wait_for_log(client, "close")


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


def test_idle_time_prepares_the_document(client):
    client.open(URI, "x = 1\n")
    wait_for_log(client, "prepare /work/a.py None")
    client.change(URI, 2, insert(1, 0, "y"))
    wait_for_log(client, "prepare /work/a.py 1")


# Notebooks


def test_a_cell_is_completed_with_the_cells_before_it(client):
    cells = [f"vscode-notebook-cell:/work/n.ipynb#{name}" for name in "AB"]
    items = [
        {"uri": cells[0], "languageId": "python", "version": 1, "text": "# offer: 1\n# next: 0 a = 1\n"},
        {"uri": cells[1], "languageId": "python", "version": 1, "text": "é = 1\nx = "},
    ]
    notebook = {
        "uri": "file:///work/n.ipynb",
        "notebookType": "jupyter-notebook",
        "version": 1,
        "cells": [{"kind": 2, "document": uri} for uri in cells],
    }
    client.tell("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": items})
    (item,) = ask_inline(client, cells[1], 1, 4)
    assert (item["insertText"], item["range"]) == ("1", span(1, 4, 4))
    assert next_edits(client, cells[1], 1) == []  # it would change the first cell
    client.tell(
        "notebookDocument/didChange",
        {
            "notebookDocument": {"uri": notebook["uri"], "version": 2},
            "change": {
                "cells": {
                    "textContent": [
                        {
                            "document": {"uri": cells[1], "version": 2},
                            "changes": [insert(0, 0, "# next: 4 b = 1\n")],
                        }
                    ]
                }
            },
        },
    )
    params = {"textDocument": {"uri": cells[1], "version": 2}, "position": position(1, 0)}
    client.ask("lintseq/explain", params)
    edits = client.ask("textDocument/copilotInlineEdit", params)["edits"]
    assert edits == []  # the edit of the first cell comes first
    client.tell(
        "notebookDocument/didClose",
        {"notebookDocument": {"uri": notebook["uri"]}, "cellTextDocuments": [{"uri": uri} for uri in cells]},
    )
    assert ask_inline(client, cells[1], 1, 4) == []


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
