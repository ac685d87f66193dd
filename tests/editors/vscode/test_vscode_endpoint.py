"""`lintseq.endpoint` in VS Code: a real llama-server with the model that ships, killed and started again."""

import json

from code_window import wait_until
from llama_server import MODEL_THAT_SHIPS, needed, started

TEXT = "class Point:\n    def __init__(self, x, y, z):\n        self.x = x\n        self.y\n"


@needed
def test_a_real_server_writes_and_its_end_loses_nothing(code, tmp_path, is_clean):
    """Where it is, the machine's settings say; what a workspace says does not count."""
    workspace = code.project / ".vscode" / "settings.json"
    workspace.parent.mkdir()
    workspace.write_text(json.dumps({"lintseq.endpoint": "http://127.0.0.1:9"}))
    with started(tmp_path / "llama-server.log", model=MODEL_THAT_SHIPS) as server:
        code.start({"lintseq.endpoint": server.url, "lintseq.nextEdit": False, "lintseq.gateTimeout": 60})
        path = code.open("point.py", TEXT)
        code.wait_for_status("ready")
        assert code.wire.sent("initialize")[0]["initializationOptions"]["endpoint"] == server.url
        code.go_to(4, 15)
        code.type(" =")
        code.wait_for_ghost("y")
        code.press("Tab")
        written = TEXT.replace("self.y", "self.y = y")
        code.wait_for_text(path, written)

        server.kill()
        code.press("End", "Enter")
        code.type("self.z =")
        code.toasts.filter(has_text="the model server does not answer").wait_for()
        assert code.ghost.count() == 0
        assert code.is_believed(path)
        code.command("LintSeq: Why Nothing?")
        code.page.get_by_text(f"{server.url} ").first.wait_for()
        code.shot("server-away")
        assert code.toasts.count() == 1

        server.start()
        code.page.locator('.tab[data-resource-name="point.py"]').click()
        code.go_to(5, 17)

        def is_back() -> bool:
            """Asks again, as it is asked now and then only."""
            code.press("Backspace")
            code.type("=", delay=500)
            return "z" in code.ghost_text()

        wait_until(is_back, "ghost text of the server that is back")
        code.press("Tab")
        wait_until(lambda: code.saved(path).rstrip() == f"{written}        self.z = z", "the accepted text")
        assert is_clean(code, path, TEXT)
