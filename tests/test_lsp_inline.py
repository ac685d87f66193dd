"""Inline completion, next edits and completion items, over a process whose engine obeys the documents."""

import pytest
from lsp_client import Client, ResponseError, position, span
from lsp_editor import (
    FAKE,
    OTHER,
    ROOT,
    URI,
    ask_inline,
    explain,
    inline,
    insert,
    next_edits,
    started,
    wait_for_log,
)

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


def test_what_comes_by_itself_has_to_be_probable(client):
    client.open(URI, "x = \n")
    for kind, expected in ((2, "complete /project/a.py 1 8 -1.0"), (1, "complete /project/a.py 3 8 0.0")):
        ask_inline(client, URI, 0, 4, kind=kind)
        wait_for_log(client, expected)


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


def test_what_clients_draw_has_line_feeds(client):
    client.open(URI, "# offer: 1\\r\\ny = 2\r\n# next: 2 z = 3\\r\r\nx = \r\n")
    (item,) = ask_inline(client, URI, 2, 4)
    assert item["insertText"] == "1\ny = 2"
    assert [edit["text"] for edit in next_edits(client, URI, 2)] == ["z = 3\n"]


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
    wait_for_log(client, "next_edit /project/b.py")
    log = client.stderr.decode()
    assert log.index("complete /project/b.py") < log.index("next_edit /project/b.py")


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
    explain(client)  # so that the change has arrived
    go.touch()
    assert client.result(number) == {"items": []}
    assert explain(client)["reason"] == "stale"


@pytest.mark.parametrize(("order", "shown"), [("# out of date", True), ("# wrong by now", False)])
def test_an_answer_is_judged_again_when_other_modules_have_changed_meanwhile(client, order, shown):
    client.open(URI, f"# offer: 1\n# next: 1 y = 1\n{order}\nx = \n")
    assert bool(ask_inline(client, URI, 3, 4)) == shown
    assert explain(client)["reason"] == ("accepted" if shown else "stale")
    assert bool(next_edits(client, URI, 3)) == shown
    assert explain(client)["reason"] == ("accepted" if shown else "stale")


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
        ("file:///project/.env", "python", "ignored"),
        ("git:/project/a.py", "python", "ignored"),
        ("output:x", "python", "ignored"),
        ("file:///project/a.js", "javascript", "ignored"),
        ("untitled:Untitled-1", "python", "accepted"),
    ],
)
def test_what_is_left_alone(shared, uri, language, reason):
    shared.open(uri, "# offer: 1\nx = \n", language=language)
    assert bool(ask_inline(shared, uri, 1, 4)) == (reason == "accepted")
    assert explain(shared, uri)["reason"] == reason


def test_a_document_that_is_not_open_is_left_alone(shared):
    assert ask_inline(shared, "file:///project/never.py", 0, 0) == []
    assert explain(shared, "file:///project/never.py")["reason"] == "ignored"


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


@pytest.mark.parametrize(
    ("context", "certainty"),
    [
        ({"triggerKind": 1}, 0.0),
        ({"triggerKind": 2}, -1.0),
        ({"triggerKind": "1"}, -1.0),
        ({}, -1.0),
        (None, -1.0),
        ([1], -1.0),
    ],
)
def test_a_next_edit_that_the_user_asks_for_may_be_doubted(client, context, certainty):
    client.open(URI, "# next: 1 x = 1\n")
    assert next_edits(client, URI, 0, context=context)
    wait_for_log(client, f"next_edit /project/a.py 0 {certainty}")


def test_next_edits_end_before_one_that_overlaps(client):
    client.open(URI, "# next: 3 a = 1\n# next: 3 b = 2\n# next: 4 c = 3\nx = 1\ny = 2\n")
    assert [edit["text"] for edit in next_edits(client, URI, 3)] == ["a = 1\n"]


def test_next_edits_can_be_switched_off():
    with started(options={"nextEdit": False}) as client:
        client.open(URI, "# next: 1 a = 1\nx = 1\n")
        assert next_edits(client, URI, 1) == []
        assert explain(client)["reason"] == "off"


def test_a_next_edit_that_was_rejected_is_not_offered_again(client):
    client.open(URI, "# next: 2 a = 1\n# next: 3 b = 2\nx = 1\ny = 2\n")
    first, _ = next_edits(client, URI, 2)
    client.tell("lintseq/didReject", {"item": first})
    assert next_edits(client, URI, 2) == []
    client.change(URI, 1, insert(4, 0, "z = 3\n"))
    assert next_edits(client, URI, 2) == []


def test_ghost_text_that_was_rejected_is_not_offered_again(client):
    client.open(URI, "# offer: 1\nx = \n")
    (item,) = ask_inline(client, URI, 1, 4)
    client.tell("lintseq/didReject", {"item": item})
    assert ask_inline(client, URI, 1, 4) == []
    assert explain(client)["reason"] == "rejected-before"


@pytest.fixture
def slow_chain(client, tmp_path):
    """The first edit of two, answered while the second is not there yet; and what lets it go on."""
    client.open(URI, f"# wait next: {tmp_path / 'go'}\n# next: 3 a = 1\n# next: 4 b = 2\nx = 1\ny = 2\n")
    (edit,) = next_edits(client, URI, 3)
    assert edit["text"] == "a = 1\n"
    return tmp_path / "go"


def test_the_edits_behind_a_first_one_are_made_while_it_is_shown(client, slow_chain):
    client.change(URI, 1, insert(3, 0, "a = 1\n"))
    params = {"textDocument": {"uri": URI}, "position": position(3, 0)}
    number = client.begin("textDocument/copilotInlineEdit", params)
    explain(client)
    slow_chain.touch()
    (edit,) = client.result(number)["edits"]
    assert (edit["text"], edit["range"]["start"]) == ("b = 2\n", position(5, 0))
    assert explain(client)["cached"]
    assert client.stderr.count(b"fake: next_edit") == 1


def test_a_document_that_is_closed_is_answered_all_the_same(client):
    client.open(URI, "# block\n")
    params = {"textDocument": {"uri": URI}, "position": position(0, 0)}
    number = client.begin("textDocument/copilotInlineEdit", params)
    wait_for_log(client, "waiting")
    client.tell("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert client.result(number) == {"edits": []}
    wait_for_log(client, "cancelled")


def test_what_the_user_writes_instead_ends_them(client, slow_chain):
    client.change(URI, 1, insert(3, 0, "c = 1\n"))
    wait_for_log(client, "cancelled")
    assert not slow_chain.exists()


def test_what_the_user_asks_for_meanwhile_goes_first(client, slow_chain):
    client.open(OTHER, "# offer: 1\nx = \n")
    assert len(ask_inline(client, OTHER, 1, 4)) == 1
    wait_for_log(client, "cancelled")
    assert not slow_chain.exists()


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


# Notebooks


def test_a_cell_is_completed_with_the_cells_before_it(client):
    cells = [f"vscode-notebook-cell:/project/n.ipynb#{name}" for name in "AB"]
    items = [
        {"uri": cells[0], "languageId": "python", "version": 1, "text": "# offer: 1\n# next: 0 a = 1\n"},
        {"uri": cells[1], "languageId": "python", "version": 1, "text": "é = 1\nx = "},
    ]
    notebook = {
        "uri": "file:///project/n.ipynb",
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
                            "changes": [insert(0, 0, "# next: 5 b = 1\n")],
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


def test_a_cell_with_commands_of_ipython(client):
    cell = "vscode-notebook-cell:/project/n.ipynb#A"
    text = "# offer: one()\n%time x = \n!ls"
    opened = {
        "uri": "file:///project/n.ipynb",
        "notebookType": "jupyter-notebook",
        "version": 1,
        "cells": [{"kind": 2, "document": cell}],
    }
    items = [{"uri": cell, "languageId": "python", "version": 1, "text": text}]
    client.tell("notebookDocument/didOpen", {"notebookDocument": opened, "cellTextDocuments": items})
    (item,) = ask_inline(client, cell, 1, 10)
    assert (item["insertText"], item["range"]) == ("one()", span(1, 10, 10))
    assert ask_inline(client, cell, 2, 3) == []  # in a command
    assert client.ask("lintseq/explain", {"textDocument": {"uri": cell}})["reason"] == "no-fit"
    selected = {"range": span(1, 10, 10), "text": "two."}
    context = {"triggerKind": 2, "selectedCompletionInfo": selected}
    asked = {"textDocument": {"uri": cell}, "position": position(1, 10), "context": context}
    (item,) = client.ask("textDocument/inlineCompletion", asked)["items"]
    assert item["insertText"] == "two.one()"


def test_a_cell_of_another_language_is_left_alone(client):
    cell = "vscode-notebook-cell:/project/n.ipynb#A"
    opened = {
        "uri": "file:///project/n.ipynb",
        "notebookType": "jupyter-notebook",
        "version": 1,
        "cells": [{"kind": 2, "document": cell}],
    }
    items = [{"uri": cell, "languageId": "python", "version": 1, "text": "%%bash\n# offer: 1\n"}]
    client.tell("notebookDocument/didOpen", {"notebookDocument": opened, "cellTextDocuments": items})
    assert ask_inline(client, cell, 2, 0) == []
    assert client.ask("lintseq/explain", {"textDocument": {"uri": cell}})["reason"] == "ignored"


def test_a_next_edit_is_made_with_what_the_user_changed_lately(client):
    secret = "file:///project/.env.py"
    client.open(URI, "x = 1\ny = 2\n")
    client.open(OTHER, "a = 1\n")
    client.open(secret, "key = 1\n")
    client.change(OTHER, 2, insert(0, 5, "0"))
    client.change(secret, 2, insert(0, 7, "0"))
    client.change(URI, 2, insert(0, 5, "0"))
    client.change(URI, 3, insert(0, 6, "0"))
    next_edits(client, URI, 0, textDocument={"uri": URI, "version": 3})
    wait_for_log(client, "recent /project/a.py 0 ('x = 1',) ('x = 100',)")
    log = client.stderr.decode()
    assert "recent /project/b.py 0 ('a = 1',) ('a = 10',)\nfake: recent /project/a.py" in log
    assert ".env.py 0 ('key" not in log
    client.tell("textDocument/didClose", {"textDocument": {"uri": OTHER}})
    client.change(URI, 4, insert(0, 4, "9"))
    next_edits(client, URI, 0, textDocument={"uri": URI, "version": 4})
    wait_for_log(client, "recent /project/a.py 0 ('x = 1',) ('x = 9100',)")
    assert client.stderr.decode().count("recent /project/b.py") == 1


def test_ghost_text_is_made_with_what_the_user_changed_lately(client):
    client.open(URI, "x = 1\ny = 2\n")
    client.open(OTHER, "a = 1\n")
    client.change(OTHER, 2, insert(0, 5, "0"))
    client.change(URI, 2, insert(0, 5, "0"))
    ask_inline(client, URI, 0, 6)
    wait_for_log(client, "told /project/a.py 0 ('x = 1',) ('x = 10',)")
    assert b"told /project/b.py 0 ('a = 1',) ('a = 10',)" in client.stderr
