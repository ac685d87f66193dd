"""`lintseq/record`: the last request as a case file, for the documents that anything is done for."""

import pytest
from lsp_client import ResponseError
from lsp_editor import OTHER, URI, wait_for_log

from lintseq_lsp.cases import Case, write_case


def record(client, uri):
    return client.ask("lintseq/record", {"textDocument": {"uri": uri}})


def test_the_last_request_is_sent_as_a_case_file(client):
    client.open(URI, "x\n")
    assert record(client, URI) == {"text": write_case(Case("edit", "x\n"))}


def test_there_may_be_none(client):
    client.open(OTHER, "x\n")
    assert record(client, OTHER) is None


@pytest.mark.parametrize("uri", [URI, "file:///project/secret_a.py"])
def test_nothing_is_asked_for_what_is_not_open_or_ignored(client, uri):
    if uri != URI:
        client.open(uri, "x\n")
    assert record(client, uri) is None
    client.open(OTHER, "x\n")
    record(client, OTHER)
    wait_for_log(client, "recorded /project/b.py")
    assert client.stderr.count(b"fake: recorded") == 1


def test_without_a_document_it_is_an_error(client):
    with pytest.raises(ResponseError, match="text"):
        client.ask("lintseq/record", {})
