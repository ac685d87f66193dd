"""What was suggested is found again, by nothing but the text; what was declined is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts

from lintseq_lsp.edits import Replacement, apply, is_subword
from lintseq_lsp.linters.base import Tier
from lintseq_lsp.suggestions import Evidence, Memory, Suggestion
from lintseq_lsp.text import Document

EVIDENCE = Evidence(1, 0, Tier.PYLINT, 1.0)


def suggest(base: str, offset: int, text: str, *, replaced: int = 0, path: str = "a.py") -> Suggestion:
    replacement = Replacement(offset, offset + replaced, text)
    return Suggestion(Document(base, 1, path), (replacement,), EVIDENCE)


def remembering(suggestion: Suggestion) -> Memory:
    memory = Memory()
    memory.remember_inline(suggestion, suggestion.replacements[0].start)
    return memory


def recalled(memory: Memory, text: str, path: str = "a.py") -> list[str]:
    """What is left of the suggestions when the cursor stands at `|`, as the texts that they lead to."""
    offset = text.index("|")
    document = Document(text.replace("|", "", 1), 2, path)
    found = memory.recall_inline(document, offset)
    for suggestion, left in found:
        assert left.start == offset
        assert apply(document.text, [left]) == suggestion.text
    return [left.text for _, left in found]


def test_a_suggestion_knows_its_text_and_has_an_id_of_its_own() -> None:
    one, other = suggest("a\n\nb\n", 2, "x = 1"), suggest("a\n\nb\n", 2, "x = 1")
    assert one.text == "a\nx = 1\nb\n"
    assert one.id != other.id


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_typing_along(newline: str) -> None:
    def text(shown: str) -> str:
        return shown.replace("\n", newline)

    memory = remembering(suggest(text("a\n\nb\n"), len(text("a\n")), text("x = 1\ny = 2")))
    assert recalled(memory, text("a\n|\nb\n")) == [text("x = 1\ny = 2")]
    assert recalled(memory, text("a\nx = |\nb\n")) == [text("1\ny = 2")]
    assert recalled(memory, text("a\nx = 1\n|\nb\n")) == ["y = 2"]
    assert recalled(memory, text("a\nx = 1\ny = 2|\nb\n")) == []
    assert recalled(memory, text("a\nz|\nb\n")) == []


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_brackets_that_the_editor_closes(newline: str) -> None:
    base = f"x = f{newline}b{newline}"
    memory = remembering(suggest(base, 5, "(a, b)"))
    assert recalled(memory, f"x = f(|){newline}b{newline}") == ["a, b"]
    assert recalled(memory, f"x = f(a|){newline}b{newline}") == [", b"]
    assert recalled(memory, f"x = f(a|]{newline}b{newline}") == []  # no client takes a ] back


def test_a_replaced_rest_of_the_line() -> None:
    memory = remembering(suggest("f()\nb\n", 2, "x).g()", replaced=1))
    assert recalled(memory, "f(|)\nb\n") == ["x).g("]
    assert recalled(memory, "f(x|)\nb\n") == [").g("]
    assert recalled(memory, "f(x|  )\nb\n") == []  # no client would show it


def test_other_changes_are_not_undone() -> None:
    """Lines that the user has deleted or added below do not come back or go."""
    memory = remembering(suggest("a\n\nb\nc\n", 2, "x"))
    assert recalled(memory, "a\n|\nc\n") == []
    assert recalled(memory, "a\n|\nb\nnew\nc\n") == []
    assert recalled(memory, "new\na\n|\nb\nc\n") == []
    assert recalled(memory, "a|\n\nb\nc\n") == []


def test_documents_are_kept_apart() -> None:
    memory = remembering(suggest("a\n", 2, "x", path="a.py"))
    assert recalled(memory, "a\n|", "b.py") == []
    assert recalled(memory, "a\n|", "a.py") == ["x"]


def test_the_latest_comes_first_and_the_oldest_goes() -> None:
    memory = Memory(most=2)
    for text in ("one", "two", "three"):
        memory.remember_inline(suggest("a\n", 2, text), 2)
    assert recalled(memory, "a\n|") == ["three", "two"]


def test_what_was_declined_is_not_offered_again() -> None:
    declined = suggest("a\n", 2, "x = 1")
    memory = remembering(declined)
    memory.reject(declined)
    assert memory.is_unwanted("a.py", "a\nx = 1")
    assert not memory.is_unwanted("b.py", "a\nx = 1")
    assert recalled(memory, "a\n|") == []
    assert recalled(memory, "a\nx |") == []


def test_a_declined_next_edit_is_known_by_the_lines_that_it_changes() -> None:
    memory = Memory()
    memory.decline(suggest("a\nb\n", 2, "x\n"))
    assert memory.is_declined(suggest("a\nb\n", 2, "x\n"))
    assert memory.is_declined(suggest("new\na\nb\n", 6, "x\n"))
    assert not memory.is_declined(suggest("a\nb\n", 2, "y\n"))
    assert not memory.is_declined(suggest("a\nb\n", 0, "x\n"))
    assert not memory.is_declined(suggest("a\nb\n", 2, "x\n", path="b.py"))
    memory.reject(suggest("a\n", 2, "z"))
    assert memory.is_declined(suggest("a\n", 2, "z"))


def test_the_next_edit_waits_under_the_text_it_belongs_to() -> None:
    memory = Memory()
    following = suggest("a\n", 0, "x\n")
    memory.remember_next("a\n", following)
    assert memory.recall_next(Document("b\n", 5, "a.py")) is None
    assert memory.recall_next(Document("a\n", 5, "b.py")) is None
    now = Document("a\n", 5, "a.py")
    found = memory.recall_next(now)
    assert found is not None
    assert found.base == now
    assert found.id == following.id
    assert found.text == "x\na\n"


@given(texts(), st.data(), st.text("ab\n)", min_size=1, max_size=6), st.text("ab\n)", max_size=6))
def test_what_is_left_leads_to_what_was_judged(
    text: str, data: st.DataObject, written: str, typed: str
) -> None:
    """Whatever is typed: either nothing is offered, or exactly the text that the gate accepted."""
    document = Document(text, 1, "a.py")
    line, column = document.position(data.draw(st.integers(0, len(text))))  # never inside of a line end
    offset = document.offset(line, column)
    right = max(document.starts[line] + len(document.lines[line]) - offset, 0)
    replaced = data.draw(st.integers(0, right))
    memory = remembering(suggest(text, offset, written, replaced=replaced))
    now = Document(text[:offset] + typed + text[offset:], 2, "a.py")
    found = memory.recall_inline(now, offset + len(typed))
    for suggestion, left in found:
        assert apply(now.text, [left]) == suggestion.text
        assert left.start == offset + len(typed)
        end_line = now.position(left.end)[0]
        assert end_line == now.position(left.start)[0]
    left = written.removeprefix(typed)
    if written.startswith(typed) and left and is_subword(text[offset : offset + replaced], left):
        assert found
