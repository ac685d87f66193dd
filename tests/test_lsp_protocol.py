"""What our protocol does that pygls' does not: every request is answered once, and nothing else is sent."""

import asyncio
import json
import logging
import subprocess
import sys

import pytest
from lsprotocol import types

from lintseq_lsp.lsp.params import DocumentParams, InlineCompletionParams, converter, read
from lintseq_lsp.lsp.protocol import Protocol
from lintseq_lsp.lsp.server import Server


class Wire:
    """A server in this process. `sent` has the messages that it wrote."""

    def __init__(self):
        self.sent = []
        self.broken = False
        self.server = Server()
        self.server.protocol.set_writer(self)
        self.server.protocol.initialized = True

    def write(self, data):
        if self.broken:
            raise BrokenPipeError
        self.sent.append(json.loads(data.partition(b"\r\n\r\n")[2]))

    def close(self):
        """Nothing to close."""

    async def receive(self, *messages):
        """Handles messages as they come from a client, and what follows from them."""
        for message in messages:
            self.server.protocol.handle_message(message)
        for _ in range(5):
            await asyncio.sleep(0)


def run(check):
    async def main():
        wire = Wire()
        try:
            await check(wire)
        finally:
            await wire.server.session.close()

    asyncio.run(main())


def request(number, method, params=None):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


@pytest.mark.parametrize("result", [object(), float("nan"), {1: {2, 3}}, {"a": b"b"}])
def test_a_result_that_is_no_json_is_an_internal_error(result):
    async def check(wire):
        async def handle(_params):
            return result

        wire.server.feature("lintseq/odd")(handle)
        await wire.receive(request(1, "lintseq/odd"))
        assert [(message["id"], message["error"]["code"]) for message in wire.sent] == [(1, -32603)]

    run(check)


@pytest.mark.parametrize("message", [3, None, [], {"id": [1], "method": "shutdown"}, {"id": 1.5}])
def test_what_is_no_message_is_answered_without_an_id(message):
    async def check(wire):
        await wire.receive(message)
        (answer,) = wire.sent
        assert (answer["id"], answer["error"]["code"]) == (None, -32600)

    run(check)


def test_messages_inside_of_messages_are_values():
    async def check(wire):
        inner = request(7, "shutdown")
        params = {"textDocument": {"uri": "file:///a.py"}, "inner": inner}
        body = json.dumps(request("a", "lintseq/explain", params))
        await wire.receive(json.loads(body, object_hook=wire.server.protocol.structure_message))
        assert wire.sent == [{"jsonrpc": "2.0", "id": "a", "result": None}]

    run(check)


def test_answers_that_nobody_waits_for_are_dropped():
    async def check(wire):
        asked = asyncio.ensure_future(
            wire.server.workspace_configuration_async(types.ConfigurationParams([]))
        )
        await wire.receive()
        number = wire.sent[0]["id"]
        asked.cancel()
        answer = {"jsonrpc": "2.0", "id": number, "result": []}
        await wire.receive()
        await wire.receive(answer, answer, {"id": "unheard of", "result": 1}, {"id": None, "error": {}})
        assert len(wire.sent) == 1
        assert asked.cancelled()

    run(check)


def test_an_answer_cannot_stand_for_what_the_client_asked():
    async def check(wire):
        begun = asyncio.Event()

        async def handle(_params):
            begun.set()
            await asyncio.Event().wait()

        wire.server.feature("lintseq/long")(handle)
        await wire.receive(request(1, "lintseq/long"), {"id": 1, "result": "mine"})
        assert begun.is_set()
        assert wire.sent == []
        await wire.receive({"method": "$/cancelRequest", "params": {"id": 1}})
        assert [(message["id"], message["error"]["code"]) for message in wire.sent] == [(1, -32800)]

    run(check)


def test_of_two_requests_by_one_id_the_second_is_refused():
    """And the first can still be cancelled."""

    async def check(wire):
        async def handle(_params):
            await asyncio.Event().wait()

        wire.server.feature("lintseq/long")(handle)
        again = request("a", "lintseq/long")
        await wire.receive(again, again, {"method": "$/cancelRequest", "params": {"id": "a"}}, again)
        codes = [(message["id"], message["error"]["code"]) for message in wire.sent]
        assert sorted(codes) == [("a", -32800), ("a", -32600), ("a", -32600)]
        await wire.receive(again, request(1, "shutdown"))
        assert [message["id"] for message in wire.sent[3:]] == [1, "a"]

    run(check)


def test_after_the_shutdown_everything_has_its_answer():
    async def check(wire):
        async def handle(_params):
            await asyncio.Event().wait()

        wire.server.feature("lintseq/long")(handle)
        await wire.receive(request(1, "lintseq/long"), request(2, "shutdown"), request(3, "lintseq/long"))
        codes = {message["id"]: message.get("error", {}).get("code") for message in wire.sent}
        assert codes == {1: -32800, 2: None, 3: -32600}
        assert len(wire.sent) == 3

    run(check)


@pytest.mark.parametrize(
    "method",
    [
        "exit",
        "initialized",
        "textDocument/didOpen",
        "textDocument/didChange",
        "window/workDoneProgress/cancel",
    ],
)
def test_a_notification_with_an_id_is_an_unknown_request_and_does_nothing(method):
    async def check(wire):
        item = {"uri": "file:///a.py", "languageId": "python", "version": 1, "text": ""}
        await wire.receive({"method": "textDocument/didOpen", "params": {"textDocument": item}})
        before = wire.server.session.documents.document(item["uri"])
        await wire.receive(request(1, method, {"textDocument": {**item, "text": "x"}}))
        (answer,) = wire.sent
        assert (answer["id"], answer["error"]["code"]) == (1, -32601)
        assert not wire.server.exit_code.done()
        assert wire.server.session.documents.document(item["uri"]) is before
        assert not wire.server.session.documents.in_doubt(item["uri"])

    run(check)


def test_a_request_without_an_id_does_nothing():
    async def check(wire):
        await wire.receive({"method": "shutdown"}, {"method": "lintseq/explain"}, {"method": "unheard/of"})
        assert wire.sent == []
        await wire.receive(request(1, "lintseq/explain", {"textDocument": {"uri": "a"}}))
        assert wire.sent == [{"jsonrpc": "2.0", "id": 1, "result": None}]

    run(check)


def test_a_process_that_was_never_there_is_not_the_clients_death():
    """It is one of another machine or container."""

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    async def check(wire):
        await wire.server._watch(gone.pid)
        assert not wire.server.exit_code.done()

    run(check)


def test_a_client_that_does_not_listen_any_more_is_no_error():
    async def check(wire):
        wire.broken = True
        await wire.receive(request(1, "lintseq/explain", {"textDocument": {"uri": "a"}}), request(2, "none"))
        wire.broken = False
        await wire.receive(request(3, "none"))
        assert [message["id"] for message in wire.sent] == [3]

    run(check)


def test_what_a_client_sent_is_neither_logged_nor_sent_back(caplog):
    caplog.set_level(logging.INFO)

    async def check(wire):
        position = {"line": "password", "character": 0}
        params = {"textDocument": {"uri": "file:///a.py"}, "position": position}
        await wire.receive(
            request(1, "textDocument/completion", params),
            {"method": "textDocument/didOpen", "params": {"textDocument": "password"}},
            {"method": "textDocument/didOpen", "params": {"textDocument": {"uri": "password"}}},
        )
        (answer,) = wire.sent
        assert answer["error"] == {
            "code": -32602,
            "message": "invalid parameters: of the wrong type @ $.position.line",
        }

    logging.getLogger("pygls").setLevel(logging.CRITICAL)
    run(check)
    assert "$.text_document" in caplog.text
    assert "password" not in caplog.text


def test_no_feature_is_pygls_own():
    async def check(wire):
        assert isinstance(wire.server.protocol, Protocol)
        assert wire.server.protocol.fm.builtin_features == {}

    run(check)


# Parameters


def test_numbers_may_be_floats_and_enums_may_grow():
    where = {"textDocument": {"uri": "a", "version": 2.0}, "position": {"line": 3.0, "character": 0}}
    params = read(InlineCompletionParams, {**where, "context": {"triggerKind": 0}})
    assert (params.position, params.text_document.version) == (types.Position(3, 0), 2)
    assert params.context.trigger_kind != types.InlineCompletionTriggerKind.Invoked
    diagnostic = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}}
    diagnostic |= {"message": "m", "severity": 9, "tags": [1, 7]}
    assert converter.unstructure(read(types.Diagnostic, diagnostic)) == diagnostic


def test_a_version_is_not_needed():
    assert read(DocumentParams, {"textDocument": {"uri": "a"}}).text_document.version is None
