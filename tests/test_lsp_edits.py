"""Code actions and edits by instruction, over a process whose engine obeys the documents."""

import contextlib

import pytest
from lsp_client import ResponseError, span
from lsp_editor import (
    APPLIES,
    DIAGNOSTIC,
    FUNCTION,
    RESOLVES,
    STEPS,
    URI,
    Editor,
    actions,
    apply_to,
    explain,
    insert,
    started,
    wait_for_log,
)

from lintseq_lsp.reasons import Reason

# Code actions


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


@pytest.mark.parametrize("typed_above", [True, False])
def test_an_edit_that_comes_late_moves_with_the_document_or_is_dropped(tmp_path, typed_above):
    go = tmp_path / "go"
    text = FUNCTION + f"# wait: {go}\n"
    with started(capabilities={**RESOLVES, **APPLIES}) as client:
        client.open(URI, text)
        (action,) = actions(client, 1)
        number = client.begin("codeAction/resolve", action)
        wait_for_log(client, "waiting")
        client.change(URI, 2, insert(0, 0, "\n") if typed_above else insert(1, 2, "x"))
        explain(client)  # answered behind the change
        go.touch()
        resolved = client.result(number)
        if not typed_above:
            assert resolved == action
            return
        (change,) = resolved["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": URI, "version": 2}
        assert apply_to("\n" + text, change["edits"]) == "\n" + text.replace("def f():", "    return 1")


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
        wait_for_log(client, "resolve fix 3 3")
        log = client.stderr.decode()
        assert log.index("resolve fix 6 6") < log.index("resolve fix 3 3")


def test_an_action_that_comes_to_nothing_says_so():
    with started(capabilities=RESOLVES) as client:
        client.open(URI, FUNCTION.replace("# resolve", "# else"))
        (action,) = actions(client, 1)
        assert client.ask("codeAction/resolve", action) == action
        assert Reason.NOTHING_NEW.sentence in client.wait_for("window/showMessage")["message"]
        client.change(URI, 2, insert(0, 0, "\n"))
        assert client.ask("codeAction/resolve", action) == action
        client.wait_for("window/showMessage", lambda params: Reason.STALE.sentence in params["message"])


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


@contextlib.contextmanager
def editing(text=STEPS, **capabilities):
    """A client that applies edits, and its editor with `text` open."""
    with started(capabilities={**APPLIES, **capabilities}) as client:
        client.open(URI, text)
        yield client, Editor(client, text)


ONE_STEP = "# step: a = 1\n# block\n"


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
    assert result["message"] == Reason.COMPLETE.sentence
    assert result["textDocument"] == {"uri": URI, "version": 1}
    progress = client.all_of("$/progress")
    partial = [entry["value"] for entry in progress if entry["token"] == "p"]
    text = STEPS
    for value in partial:
        text = apply_to(text, value["edits"])
    assert text == STEPS + "a = 1\nb = 2\n"
    assert [value["step"] for value in partial] == [1, 2]
    evidence = ("states", "findingsBefore", "findingsAfter", "newFindings", "tier")
    assert [[value[name] for name in evidence] for value in partial] == [
        [1, 0, 0, 0, "pylint"],
        [2, 0, 0, 0, "pylint"],  # the rejected one counts
    ]
    assert all(value["milliseconds"] >= 0 for value in partial)
    kinds = [entry["value"]["kind"] for entry in progress if entry["token"] == 7]
    assert kinds == ["begin", "report", "report", "end"]
    wait_for_log(client, "edit add (0, 1)")


def test_a_cancelled_edit_keeps_what_is_clean(client):
    client.open(URI, ONE_STEP)
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


@pytest.mark.parametrize("method", ["didChange", "didClose"])
def test_an_edit_ends_when_the_document_changes(client, method):
    client.open(URI, ONE_STEP)
    number = client.begin("lintseq/edit", {"textDocument": {"uri": URI}, "instruction": "add"})
    wait_for_log(client, "waiting")
    changes = {"contentChanges": [insert(0, 0, "\n")]} if method == "didChange" else {}
    client.tell(f"textDocument/{method}", {"textDocument": {"uri": URI, "version": 2}, **changes})
    assert client.result(number)["reason"] == "stale"
    wait_for_log(client, "cancelled")


@pytest.mark.parametrize("tells_first", [True, False])
def test_the_command_applies_each_clean_step(tells_first):
    with editing() as (client, editor):
        editor.tells_first = tells_first
        assert client.result(editor.run()) == {"steps": 2, "reason": "complete"}
        assert editor.text == STEPS + "a = 1\nb = 2\n"
        assert [entry["label"] for entry in editor.edits] == ["LintSeq: add two (1)", "LintSeq: add two (2)"]


def test_a_client_that_waits_for_the_answer_before_it_tells_of_changes():
    with editing() as (client, editor):
        editor.tells = False
        assert client.result(editor.run()) == {"steps": 1, "reason": None}
        editor.tells = True
        editor.tell()
        client.wait(lambda message: message.get("params", {}).get("label") == "LintSeq: add two (2)")
        explain(client)
        assert editor.text == STEPS + "a = 1\nb = 2\n"


def test_the_command_stops_when_the_client_does_not_apply():
    with editing() as (client, editor):
        editor.refuses_from = 2
        assert client.result(editor.run()) == {"steps": 1, "reason": "cancelled"}
        assert editor.text == STEPS + "a = 1\n"


def test_the_command_stops_when_the_user_types():
    with editing(ONE_STEP) as (client, editor):
        number = editor.run()
        assert editor.applied.wait(60)
        wait_for_log(client, "waiting")
        client.change(URI, 3, insert(0, 0, "\n"))
        assert client.result(number)["reason"] == "stale"
        assert editor.text == ONE_STEP + "a = 1\n"


def test_the_command_does_not_wait_for_a_change_that_something_else_overtook():
    with editing(ONE_STEP) as (client, editor):

        def overtaken(_params):
            client.change(URI, 2, insert(0, 0, "\n"))
            return {"applied": True}

        client.answers["workspace/applyEdit"] = overtaken
        assert client.result(editor.run()) == {"steps": 0, "reason": "stale"}


def test_the_command_can_be_cancelled_and_keeps_what_it_applied():
    with editing(ONE_STEP, window={"workDoneProgress": True}) as (client, editor):
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
        assert Reason.COMPLETE.sentence in client.wait_for("window/showMessage")["message"]
        assert len(explain(client)["rejected"]) == 1
