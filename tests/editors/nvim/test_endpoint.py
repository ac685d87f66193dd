"""`lintseq.endpoint` in Neovim: a real llama-server with the model that ships, killed and started again."""

import pytest
from llama_server import MODEL_THAT_SHIPS, needed, started

TEXT = "class Point:\n    def __init__(self, x, y, z):\n        self.x = x\n        self.y\n"
ASKED = "textDocument/inlineCompletion"


@pytest.fixture
def server(tmp_path):
    with started(tmp_path / "llama-server.log", model=MODEL_THAT_SHIPS) as running:
        yield running


def answered(editor, keys, line):
    """Types, and waits for the answer behind `line`, which is then the last one: its items."""
    before = len(editor.wire.sent(ASKED))
    editor.type(keys)
    editor.wait(f"the line {line!r}", lambda: editor.text.endswith(f"\n{line}\n"))

    def is_answered():
        sent = editor.wire.sent(ASKED)
        is_there = len(sent) > before and sent[-1]["position"]["character"] == len(line)
        return is_there and len(editor.wire.results(ASKED)) == len(sent)

    editor.wait("an answer there", is_answered)
    return editor.wire.results(ASKED)[-1]["result"]["items"]


@needed
def test_a_real_server_writes_and_its_end_loses_nothing(start, server, is_clean):
    options = {"endpoint": server.url, "nextEdit": False, "gateTimeout": 60}
    editor = start(TEXT, None, options=options, setup="{ next_edit = false }")
    editor.type("G")
    assert answered(editor, "A =", "        self.y =")
    editor.wait("ghost text on the screen", lambda: editor.ghost().strip() == "y")
    editor.type("<Tab>")
    written = TEXT.replace("self.y", "self.y = y")
    editor.wait("it in the buffer", lambda: editor.text == written)
    assert is_clean(editor, TEXT)

    server.kill()
    assert not answered(editor, "<CR>self.z =", "        self.z =")
    assert not editor.ghost()
    assert editor.is_believed()
    editor.type("<Esc>:Lintseq explain<CR>")
    editor.wait("why", lambda: f"{server.url} " in editor.screen.text)
    assert "no-model: " in editor.screen.text
    warnings = [message["message"] for message in editor.wire.received("window/showMessage")]
    assert [message for message in warnings if "the model server does not answer" in message] == warnings
    assert len(warnings) == 1

    server.start()
    editor.type("<Esc>A")
    while not answered(editor, "<BS>=", "        self.z ="):
        pass  # it is asked now and then only
    editor.wait("ghost text on the screen", lambda: editor.ghost().strip() == "z")
    editor.type("<Tab>")
    editor.wait("it in the buffer", lambda: editor.text == f"{written}        self.z = z\n")
    assert is_clean(editor, TEXT)
