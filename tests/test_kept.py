"""An evaluation that was stopped goes on where it was. No model."""

import argparse
import runpy
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from itertools import islice
from pathlib import Path

import pytest

from lintseq_lsp.backends.base import Request
from lintseq_lsp.backends.scripted import ScriptedBackend

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "models"))
kept = import_module("kept")
sys.path.remove(str(ROOT / "models"))


def test_what_is_in_the_file_is_not_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kept.sqlite"
    first = kept.Kept(path)
    assert first.get("a", lambda: [1, 2]) == [1, 2]
    with pytest.raises(KeyboardInterrupt):
        first.get("b", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    first.close()
    again = kept.Kept(path)
    assert again.get("a", lambda: pytest.fail("computed again")) == [1, 2]
    assert again.get("b", lambda: 3) == 3
    again.close()


def test_a_model_is_asked_once_and_another_one_anew(tmp_path: Path) -> None:
    file = kept.Kept(tmp_path / "kept.sqlite")
    request = Request(("x = ",), frozenset({"\n"}))

    def written(backend: ScriptedBackend, digest: str) -> str:
        pieces = kept.KeptBackend(backend, file, digest).write(request, lambda: False)
        return "".join(piece.text for piece in pieces)

    one, other = ScriptedBackend(["1\n"]), ScriptedBackend(["2\n"])
    assert [written(one, "one"), written(one, "one")] == ["1", "1"]
    assert len(one.requests) == 1
    assert written(other, "other") == "2"
    file.close()


def test_of_an_answer_only_what_was_read_is_kept_and_counted(tmp_path: Path) -> None:
    file = kept.Kept(tmp_path / "kept.sqlite")
    request = Request(("x = ",), frozenset({"\n"}))
    asked = []

    def read(count: int) -> tuple[str, int]:
        """So many pieces of the answer, and how many tokens that counts."""
        model = ScriptedBackend(["abcdef\n"], piece=2)
        backend = kept.KeptBackend(model, file, "one")
        pieces = backend.write(request, lambda: False)
        text = "".join(piece.text for piece in islice(pieces, count))
        pieces.close()
        asked.append(len(model.requests))
        return text, backend.written

    assert [read(1), read(1), read(9), read(9)] == [("ab", 1), ("ab", 1), ("abcdef", 3), ("abcdef", 3)]
    assert asked == [1, 0, 1, 0], "once, and once more for the rest"
    file.close()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_the_evaluation_calls_its_scripts_by_options_that_they_have(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["make", "--no-print-directory", "--dry-run", "evaluation"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.replace("\\\n", " ").splitlines()
    calls = [line.partition(" > ")[0] for line in lines if "/python models/" in line]
    assert len(calls) == 7
    monkeypatch.syspath_prepend(ROOT / "models")
    parse = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser) -> None:
        parse(parser)
        raise KeyboardInterrupt

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    for call in calls:
        monkeypatch.setattr(sys, "argv", shlex.split(call)[1:])
        try:
            with pytest.raises(KeyboardInterrupt):
                runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")
        except SystemExit:
            pytest.fail(f"{call}: {capsys.readouterr().err}")
