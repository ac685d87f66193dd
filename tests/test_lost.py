"""What the gate takes of what would be shown without it. No model."""

import sys
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path

from test_keystrokes import Always

from lintseq_lsp.gate import Gate
from lintseq_lsp.linters.base import Check, Finding, Report, Tier
from lintseq_lsp.linters.syntax import check_syntax

MODELS = str(Path(__file__).parent.parent / "models")
sys.path.insert(0, MODELS)
typist, lost, keystrokes = map(import_module, ("typist", "lost", "keystrokes"))
sys.path.remove(MODELS)

PASSAGE = typist.Passage(0, "downwards", "import os\n\n\n", "def f(x):\n    return os.getcwd()\n", "")


class Dislikes:
    """A linter that has one finding, wherever a word is."""

    def __init__(self, word: str) -> None:
        self.word = word

    def submit(self, check: Check) -> Future[Report]:
        found = [
            Finding("disliked", "E1", f"no {self.word}", number)
            for number, line in enumerate(check.text.split("\n"), 1)
            if self.word in line
        ]
        done: Future[Report] = Future()
        done.set_result(Report(findings=found, tier=Tier.PYLINT))
        return done

    def close(self) -> None:
        pass


def shown(text: str, disliked: str = "nothing at all") -> object:
    syntax = Gate(keystrokes.NoLinter(check_syntax), check_syntax)
    pylint = Gate(Dislikes(disliked), check_syntax)
    always = Always(PASSAGE.typed.index("return"), text)
    watched = lost.Watched(always, PASSAGE, syntax, pylint)
    typist.type_out(PASSAGE, watched)
    [found] = watched.shown
    return found


def test_what_is_right_and_rejected_is_lost() -> None:
    found = shown("return os.getcwd()", "getcwd")
    assert (found.outcome, found.parses, found.is_lost) == (lost.RIGHT, True, True)
    assert found.findings == ("E1 disliked: no getcwd",)
    assert found.before == "\n\ndef f(x):\n    "
    assert not shown("return os.getcwd()").is_lost


def test_what_the_server_would_shorten_is_not_lost() -> None:
    found = shown("return os.getcwd()\n    print(x)", "print")
    assert (found.lines, found.of_lines, found.is_lost, found.is_shortened) == (1, 2, False, True)
    assert found.text == "return os.getcwd()\n    print(x)"


def test_what_is_wrong_counts_apart() -> None:
    assert shown("return os.listdir()").outcome == lost.IN_PART
    assert shown("raise OSError").outcome == lost.WRONG
    broken = shown("raise y(]")
    assert (broken.outcome, broken.parses, broken.is_lost) == (lost.WRONG, False, True)
    assert broken.reason == "does-not-parse"


def test_the_page_has_a_row_an_outcome_and_lists_what_is_lost() -> None:
    every = [shown("return os.getcwd()", "getcwd"), shown("return os.getcwd()"), shown("raise OSError")]
    rows = {row.split(" | ")[0]: row for row in list(lost.table(every))[2:]}
    assert rows["| right"].startswith("| right | 2 | 0.0 ± 0.0 | 50.0 ± ")
    assert rows["| in part"] == "| in part | 0 |  |  |  |"
    assert rows["| all"].startswith("| all | 3 | ")
    page = "\n".join(lost.listed(every, 10))
    assert page.count("**") == 2
    assert "**1.** lost (new-findings)\n- E1 disliked: no getcwd" in page
    assert "    ▮return os.getcwd()" in page
    assert list(lost.listed(every, 0)) == []
