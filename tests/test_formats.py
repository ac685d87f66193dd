"""The seam: which format a model has, and that one of another kind is asked and answers like LintSeq's."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from fakes import gate_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import lines, texts

from lintseq_lsp.backends.base import Ending, Request, Special, Stop
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.edits import Replacement
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import ModelFileError, TokenizerError
from lintseq_lsp.formats.base import Edit, Malformed, PromptFormat, Question, Room, Task, View
from lintseq_lsp.formats.lintseq import DIFF, Layout, LintSeq
from lintseq_lsp.formats.table import FORMATS, detect, named
from lintseq_lsp.generation import Ended
from lintseq_lsp.reasons import Reason
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document

# The table


def has_diff(special: Special) -> bool:
    return special == DIFF


def test_the_vocabulary_says_which_format_it_is_and_the_file_which_history() -> None:
    assert detect(has_diff, "model") == LintSeq(Layout.PAPER)
    for layout in Layout:
        assert detect(has_diff, "model", layout.value) == FORMATS[layout.value] == LintSeq(layout)


def test_a_model_of_which_nothing_is_known_goes_on_with_the_text() -> None:
    assert detect(lambda _: False, "other.gguf") == FORMATS["plain"]


@pytest.mark.parametrize("wanted", ["paper-1", "fim-qwen", "fim-codestral", "fim"])
def test_a_wanted_format_that_does_not_fit_is_an_error_that_names_one_that_does(wanted: str) -> None:
    with pytest.raises(TokenizerError, match=rf"'{wanted}' does not fit .* of other.*set .* to 'plain'"):
        detect(lambda _: False, "other.gguf", wanted)


def test_a_format_that_is_not_known_names_those_that_are() -> None:
    with pytest.raises(ModelFileError, match=r"'paper-9'.*paper-1, .*plain, or update"):
        detect(has_diff, "model", "paper-9")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Qwen/Qwen2.5-Coder-1.5B", "fim-qwen-repo"),
        ("qwen3-coder:30b", "fim-qwen-repo"),
        ("sweepai/sweep-next-edit-1.5B", "sweep-2"),
        ("zed-industries/zeta", "zeta-1"),
        ("zeta-2.1-Q4_K_M", "zeta-2.1"),
        ("google/codegemma-2b", "fim-codegemma"),
        ("granite4:350m", "fim-granite4"),
        ("ibm-granite/granite-4.0-350m-base", "fim-granite4"),
        ("ibm-granite/granite-3b-code-base-2k", "fim-starcoder1"),
        ("bigcode/starcoder2-3b", "fim-starcoder"),
        ("bigcode/starcoderbase-1b", "fim-starcoder1"),
        ("deepseek-ai/deepseek-coder-1.3b-base", "fim-deepseek"),
        ("codestral:22b", "fim-codestral"),
        ("ByteDance-Seed/Seed-Coder-8B-Base", "fim-seedcoder"),
        ("upiter/TinyCodeLM-150M-LintSeqInstruct", "paper-1"),
        ("codellama/CodeLlama-7b-hf", "plain"),  # its tokens are no texts that a string could have
        ("HuggingFaceTB/SmolLM2-135M", "plain"),
        ("qwen2.5:7b", "plain"),
        ("", "plain"),
    ],
)
def test_where_only_the_name_is_known_it_tells_the_format(name: str, expected: str) -> None:
    assert named(name).name == expected


# Where


@pytest.mark.parametrize(
    ("text", "offset", "typed", "above"),
    [
        ("a\nb\n", 2, None, 1),
        ("a\nb\n", 3, None, 1),
        ("a\nb\n", 2, "", 1),
        ("a\nb\n", 3, "", 2),
        ("a\nb", 3, "", 2),
        ("", 0, "", 0),
    ],
)
def test_what_stands_above(text: str, offset: int, typed: str | None, above: int) -> None:
    assert View(Document(text), offset, typed).above == above


def test_new_lines_may_stand_behind_the_last_one() -> None:
    assert View.of_new_lines(Document("a\nb"), 2, "    ").above == 2
    assert View.of_new_lines(Document("a\nb"), 1, "    ").above == 1


# Answers of LintSeq's


@given(texts(), st.data(), st.lists(lines, min_size=1, max_size=4))
def test_an_answer_at_the_cursor_is_the_text_behind_it(
    text: str, data: st.DataObject, written: list[str]
) -> None:
    document = Document(text)
    offset = document.offset(*document.position(data.draw(st.integers(0, len(text)))))
    question = LintSeq(Layout.SUFFIX_FIRST).ask(View(document, offset), Task.FILL, len, Room(20_000, 1, 24))
    assert question is not None
    reader = question.reader()
    own = reader.feed("\n+".join(written) + "\n")
    assert own == "\n".join(written) + "\n"
    edit = reader.close(DIFF)
    assert edit == Edit((Replacement(offset, offset, document.newline.join(written)),))


def test_an_answer_that_was_cut_off_is_no_half_edit() -> None:
    document = Document("a = 1\n\n")
    here = LintSeq(Layout.PAPER).ask(View(document, 6), Task.FILL, len, Room(1000, 1, 24))
    anywhere = LintSeq(Layout.PAPER).ask(View(document, 6), Task.NEXT, len, Room(1000, 8, 160))
    assert here is not None
    assert anywhere is not None
    reader = here.reader()
    reader.feed("b = 2\n+c =")
    assert reader.close(Stop.LENGTH) == Edit((Replacement(6, 6, "b = 2"),))
    reader = anywhere.reader()
    reader.feed("@@ -1,0 +2,2 @@\n+b = 2\n+c =")
    assert isinstance(reader.close(Stop.LENGTH), Malformed)


# Another kind of format


class Insertion:
    """Reads text to insert at an offset."""

    def __init__(self, offset: int) -> None:
        self._offset, self._text = offset, ""

    def feed(self, text: str) -> str:
        self._text += text
        return text

    def close(self, stop: Ending) -> Edit:
        text = self._text.rpartition("\n")[0] if stop is Stop.LENGTH else self._text
        return Edit((Replacement(self._offset, self._offset, text),) if text else ())


@dataclass(frozen=True)
class Middle:
    """The text on both sides of the cursor, and nothing else."""

    name = "middle"
    tasks = frozenset({Task.FILL, Task.LINES})

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:  # noqa: ARG002
        return has(Special("<middle>"))

    def is_named(self, name: str) -> bool:
        return name == self.name

    def ask(self, view: View, task: Task, count: Callable[[str], int], room: Room) -> Question | None:
        assert task in self.tasks
        text, newline = view.document.text, view.document.newline
        before, behind = text[: view.offset], text[view.offset :]
        if view.typed is not None:
            behind = newline + behind
        if count(before) + count(behind) + room.tokens > room.context:
            return None
        prompt = (Special("<suffix>"), behind, Special("<middle>"), before + (view.typed or ""))
        request = Request(prompt, frozenset({Special("<end>")}), max_tokens=room.tokens)
        return Question(request, lambda: Insertion(view.offset))


def engine_of(stream: str) -> tuple[Engine, ScriptedBackend]:
    backend, prompt_format = ScriptedBackend([stream]), Middle()
    accepted: PromptFormat = prompt_format
    return Engine(backend, gate_of(), prompt_format=accepted, settings=Settings()), backend


def test_another_format_completes_under_the_same_gate() -> None:
    engine, backend = engine_of("bad\n<end>" + "\n    y = 2\nz = 3\n<end>" * 4)
    document = Document("def f(x):\n    x +=  \n")
    outcome = engine.complete(document, 18)
    assert backend.requests[0].prompt == (
        Special("<suffix>"),
        "  \n",
        Special("<middle>"),
        "def f(x):\n    x +=",
    )
    assert [request.candidates for request in backend.requests] == [1, 4]
    assert len(outcome.rejected) == 1
    assert outcome.suggestions[0].text == "def f(x):\n    x +=\n    y = 2\n"


def test_an_answer_with_other_line_ends_is_an_answer() -> None:
    engine, _ = engine_of("x = 1\ry = 2\r\n<end>")
    outcome = engine.complete(Document("a = 0\n\n"), 6)
    assert outcome.suggestions[0].text == "a = 0\nx = 1\ny = 2\n"


def test_what_a_format_was_not_made_for_is_not_asked() -> None:
    engine, backend = engine_of("")
    document = Document("a = 1\n")
    assert engine.next_edit(document, 0).reason is Reason.UNSUPPORTED
    assert list(engine.edit(document, "Do it.")) == [Ended(Reason.UNSUPPORTED, document, 0, 0)]
    assert backend.requests == []
