"""Filling in: what each family of models is asked, written by hand, and what its answers mean."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import gate_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts

from lintseq_lsp.actions import Action, ActionKind
from lintseq_lsp.backends.base import BOS, Part, Special, Stop
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.edits import Replacement
from lintseq_lsp.engine import Engine
from lintseq_lsp.formats.base import Edit, PromptFormat, Question, Room, Task, View
from lintseq_lsp.formats.fim import FAMILIES, Fim
from lintseq_lsp.formats.plain import Plain
from lintseq_lsp.formats.table import FORMATS, detect
from lintseq_lsp.generation import Ended
from lintseq_lsp.reasons import Reason
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document

ROOM = Room(4096, 8, 192)
MODULE = Document("import os\n\n\ndef f(x):\n    y = x\n\n\nz = 1\n", None, "/home/me/shop/src/main.py")
OFFSET = MODULE.text.index("x\n\n\nz")
ABOVE, TYPED, BELOW = "import os\n\n\ndef f(x):\n", "    y = ", "x\n\n\nz = 1\n"
OTHERS = {"/home/me/shop/src/cart.py": "total = 0\n", "/home/me/shop/tax.py": "rate = 2\n"}


def by_hand(*parts: str) -> tuple[Part, ...]:
    """A prompt behind its first token; `T:` stands in front of the text of a token."""
    return (BOS, *(Special(part[2:]) if part.startswith("T:") else part for part in parts))


PROMPTS = {
    "fim-qwen": by_hand("T:<|fim_prefix|>", ABOVE, "T:<|fim_suffix|>", BELOW, "T:<|fim_middle|>", TYPED),
    "fim-granite4": by_hand("T:<|fim_prefix|>", ABOVE, "T:<|fim_suffix|>", BELOW, "T:<|fim_middle|>", TYPED),
    "fim-codegemma": by_hand("T:<|fim_prefix|>", ABOVE, "T:<|fim_suffix|>", BELOW, "T:<|fim_middle|>", TYPED),
    "fim-qwen-repo": by_hand(
        *("T:<|repo_name|>", "shop\n"),
        *("T:<|file_sep|>", "src/cart.py\ntotal = 0\n\n"),
        *("T:<|file_sep|>", "tax.py\nrate = 2\n\n"),
        *("T:<|file_sep|>", "src/main.py\n"),
        *("T:<|fim_prefix|>", ABOVE, "T:<|fim_suffix|>", BELOW, "T:<|fim_middle|>", TYPED),
    ),
    "fim-starcoder1": by_hand("T:<fim_prefix>", ABOVE, "T:<fim_suffix>", BELOW, "T:<fim_middle>", TYPED),
    "fim-starcoder": by_hand(
        *("T:<file_sep>", "total = 0\n", "T:<file_sep>", "rate = 2\n", "T:<file_sep>"),
        *("T:<fim_prefix>", ABOVE, "T:<fim_suffix>", BELOW, "T:<fim_middle>", TYPED),
    ),
    "fim-santacoder": by_hand("T:<fim-prefix>", ABOVE, "T:<fim-suffix>", BELOW, "T:<fim-middle>", TYPED),
    "fim-deepseek": by_hand("T:<｜fim▁begin｜>", ABOVE, "T:<｜fim▁hole｜>", BELOW, "T:<｜fim▁end｜>", TYPED),
    "fim-codestral": by_hand(
        *("T:[SUFFIX]", BELOW, "T:[PREFIX]"),
        "+++++ src/cart.py\ntotal = 0\n\n\n+++++ tax.py\nrate = 2\n\n\n+++++ src/main.py\n" + ABOVE + TYPED,
    ),
    "fim-codellama": by_hand("T:▁<PRE>", " " + ABOVE, "T:▁<SUF>", BELOW, "T:▁<MID>", TYPED),
    "fim-seedcoder": by_hand("T:<[fim-prefix]>", ABOVE, "T:<[fim-suffix]>", BELOW, "T:<[fim-middle]>", TYPED),
    "fim-seedcoder-spm": by_hand(
        *("T:<[fim-suffix]>", BELOW, "T:<[fim-prefix]>", ABOVE, "T:<[fim-middle]>", TYPED)
    ),
    "fim-glm": by_hand("T:<|code_prefix|>", ABOVE, "T:<|code_suffix|>", BELOW, "T:<|code_middle|>", TYPED),
    "fim-falcon": by_hand("T:<|prefix|>", ABOVE, "T:<|suffix|>", BELOW, "T:<|middle|>", TYPED),
    "fim": by_hand("T:fim_pre", ABOVE, "T:fim_suf", BELOW, "T:fim_mid", TYPED),
    "plain": by_hand(ABOVE + TYPED),
}
STOPS = {
    "fim-qwen": {"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|endoftext|>", "<|im_end|>"},
    "fim-granite4": {"<|end_of_text|>"},
    "fim-codegemma": {"<|file_separator|>", "<end_of_turn>", "<eos>"},
    "fim-starcoder1": {"<file_sep>", "<|endoftext|>"},
    "fim-deepseek": {"<｜end▁of▁sentence｜>"},
    "fim-codellama": {"▁<EOT>"},
    "fim-seedcoder": {"<[end▁of▁sentence]>"},
    "fim-glm": {"<|endoftext|>"},
}


def asked(
    prompt_format: PromptFormat, view: View, count: Callable[[str], int] = len, room: Room = ROOM
) -> Question:
    question = prompt_format.ask(view, Task.FILL, count, room)
    assert question is not None
    return question


@pytest.mark.parametrize("name", sorted({family.name for family in FAMILIES} | {"plain"}))
def test_the_prompt_is_the_one_written_by_hand(name: str) -> None:
    request = asked(FORMATS[name], View(MODULE, OFFSET, others=OTHERS)).request
    assert request.prompt == PROMPTS[name]
    tokens = {part for part in PROMPTS[name] if isinstance(part, Special)} - {BOS}
    assert request.stops >= tokens | set(map(Special, STOPS.get(name, ())))


def test_without_other_files_there_are_no_names_of_files() -> None:
    for name in ("fim-qwen-repo", "fim-starcoder", "fim-codestral"):
        prompt = asked(FORMATS[name], View(MODULE, OFFSET)).request.prompt
        texts = [part for part in prompt if isinstance(part, str)]
        assert texts in ([ABOVE, BELOW, TYPED], [BELOW, ABOVE + TYPED])


def test_no_key_on_a_line_changes_what_stands_in_front_of_it() -> None:
    lines = MODULE.text.split("\n")
    for name in sorted(PROMPTS):
        fronts = set()
        for typed in ("    y", "    y = foo", "    y = foo(bar, "):
            document = Document("\n".join([*lines[:4], typed + "x", *lines[5:]]), None, MODULE.path)
            prompt = asked(FORMATS[name], View(document, document.offset(4, len(typed)))).request.prompt
            assert str(prompt[-1]).endswith(typed)
            fronts.add((*prompt[:-1], str(prompt[-1]).removesuffix(typed)))
        assert len(fronts) == 1


def test_a_half_typed_word_stands_above_where_nothing_finishes_it() -> None:
    room = Room(4096, 8, 192, words=False)
    prompt = asked(FORMATS["fim-qwen"], View(MODULE, OFFSET), room=room).request.prompt
    marks = [part for part in PROMPTS["fim-qwen"] if isinstance(part, Special)]
    assert prompt == (BOS, marks[1], ABOVE + TYPED, marks[2], BELOW, marks[3])


def test_tokens_that_end_an_answer_stay_where_they_are_typed() -> None:
    """The document's characters are text: no part of the prompt is made of them."""
    document = Document("a = '<|fim_middle|>'\nb = \n")
    prompt = asked(FORMATS["fim-qwen"], View(document, 25)).request.prompt
    assert prompt[2] == "a = '<|fim_middle|>'\n"
    assert prompt.count(Special("<|fim_middle|>")) == 1


# Which one it is


def vocabulary(texts: str) -> Callable[[Special], bool]:
    return lambda special: special.text in texts.split()


@pytest.mark.parametrize(
    ("tokens", "name"),
    [
        (
            "<|fim_prefix|> <|fim_suffix|> <|fim_middle|> <|fim_pad|> <|repo_name|> <|file_sep|>",
            "fim-qwen-repo",
        ),
        ("<|fim_prefix|> <|fim_suffix|> <|fim_middle|> <|file_sep|>", "fim-qwen"),
        ("<|fim_prefix|> <|fim_suffix|> <|fim_middle|> <|fim_pad|> <|end_of_text|>", "fim-granite4"),
        ("<|fim_prefix|> <|fim_suffix|> <|fim_middle|> <|file_separator|>", "fim-codegemma"),
        ("<fim_prefix> <fim_suffix> <fim_middle> <file_sep>", "fim-starcoder"),
        ("<fim_prefix> <fim_suffix> <fim_middle> <filename>", "fim-starcoder1"),
        ("<fim-prefix> <fim-suffix> <fim-middle>", "fim-santacoder"),
        ("<｜fim▁begin｜> <｜fim▁hole｜> <｜fim▁end｜>", "fim-deepseek"),
        ("[PREFIX] [SUFFIX] [INST]", "fim-codestral"),
        ("▁<PRE> ▁<SUF> ▁<MID> ▁<EOT>", "fim-codellama"),
        ("<[fim-prefix]> <[fim-suffix]> <[fim-middle]>", "fim-seedcoder"),
        ("<|code_prefix|> <|code_suffix|> <|code_middle|>", "fim-glm"),
        ("<|prefix|> <|suffix|> <|middle|>", "fim-falcon"),
        ("fim_pre fim_suf fim_mid", "fim"),
        ("<|diff|> <|fim_prefix|> <|fim_suffix|> <|fim_middle|>", "paper-1"),
        ("<|endoftext|> <|im_start|> <repo_name> <file_sep>", "plain"),
        ("<|fim_prefix|> <|fim_suffix|>", "plain"),
    ],
)
def test_the_tokens_say_which_family_it_is(tokens: str, name: str) -> None:
    assert detect(vocabulary(tokens), "model").name == name


def test_a_format_that_is_named_counts() -> None:
    has = vocabulary("<|fim_prefix|> <|fim_suffix|> <|fim_middle|> <|repo_name|> <|file_sep|>")
    assert detect(has, "model", "fim-qwen").name == "fim-qwen"
    assert detect(has, "model", "plain").name == "plain"


# What of a document is shown


def count_words(text: str) -> int:
    return len(text.split()) + 1


def test_more_of_what_is_above_and_whole_lines() -> None:
    lines = [f"value_{number} = {number}" for number in range(1000)]
    document = Document("\n".join(lines) + "\n")
    question = asked(FORMATS["fim-qwen"], View(document, document.starts[500]), count_words)
    above, below = (part for part in question.request.prompt if isinstance(part, str))
    assert set(above.splitlines()) < set(lines)
    assert set(below.splitlines()[1:]) < set(lines)
    assert above.endswith("value_499 = 499\n")
    assert below.startswith("value_500 = 500\nvalue_501")
    assert 2 * len(below.splitlines()) < len(above.splitlines())
    assert count_words(above) + count_words(below) <= 600


def test_what_was_read_stays_as_it_was_while_one_goes_down_the_lines() -> None:
    document = Document("".join(f"value_{number} = {number}\n" for number in range(1000)))
    views = [View(document, document.starts[line]) for line in range(500, 564)]
    prompts = [asked(Plain(), view, count_words).request.prompt[1] for view in views]
    firsts = [str(prompt).partition("\n")[0] for prompt in prompts]
    assert len(set(firsts)) <= 9


def test_other_files_have_a_limit_and_the_newest_counts() -> None:
    files = {f"/home/me/shop/src/{n}.py": f"name_{n} = 1\n" * 40 for n in range(5)}
    question = asked(FORMATS["fim-qwen-repo"], View(MODULE, OFFSET, others=files), count_words)
    texts = [part for part in question.request.prompt if isinstance(part, str)]
    assert "0.py\nname_0 = 1\n" in texts[1]
    shown = [part.partition("\n")[0] for part in texts[1:-3]]
    assert shown == ["0.py", "1.py", "2.py", "main.py"]
    assert sum(map(count_words, texts[1:-4])) <= 400
    assert texts[3].count("\n") < texts[2].count("\n")


def test_a_small_context_has_no_room_for_other_files() -> None:
    view = View(MODULE, OFFSET, others=OTHERS)
    small = asked(FORMATS["fim-qwen-repo"], view, count_words, Room(600, 8, 192))
    assert small.request.prompt == PROMPTS["fim-qwen"]


def test_a_line_that_fits_no_context_is_not_asked_about() -> None:
    document = Document("x = '" + "a " * 1000)
    for name in ("fim-qwen", "plain"):
        assert FORMATS[name].ask(View(document, 900), Task.FILL, count_words, Room(256, 8, 192)) is None


def test_the_line_end_is_the_documents() -> None:
    document = Document("def f():\r\n    \r\nx = 1\r\n")
    question = asked(FORMATS["fim-qwen"], View(document, 14))
    assert question.request.prompt[2] == "def f():\n"
    assert question.request.prompt[4] == "\nx = 1\n"
    assert question.request.prompt[6] == "    "
    reader = question.reader()
    reader.feed("a = 1\n    return a")
    assert reader.close(Stop.END) == Edit((Replacement(14, 14, "a = 1\r\n    return a"),))


# Answers

FILES = sorted(Path(__file__).parents[1].joinpath("lintseq_lsp").rglob("*.py"))


@given(st.sampled_from(FILES), st.data(), st.sampled_from(FAMILIES))
def test_both_sides_and_the_answer_are_the_file(path: Path, data: st.DataObject, family: Fim) -> None:
    text = path.read_text("utf-8")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    document = Document(text[:start] + text[end:])
    question = asked(family, View(document, start), lambda _: 0)
    above, below = sides(question)
    assert above + text[start:end] + below == text
    reader = question.reader()
    reader.feed(text[start:end])
    edit = reader.close(Stop.END)
    assert isinstance(edit, Edit)
    assert all(change.text in text[start:end] for change in edit.changes)


def test_what_people_wrote_there_is_taken_as_it_is() -> None:
    """But for lines that are like the next one."""
    whole = total = 0
    for path in FILES:
        lines = path.read_text("utf-8").split("\n")
        for first in range(0, len(lines) - 4, 7):
            answer = "\n".join(lines[first : first + 3])
            if not answer.strip():
                continue
            document = Document("\n".join([*lines[:first], "", *lines[first + 3 :]]))
            question = asked(FORMATS["fim-qwen"], View(document, document.starts[first]), lambda _: 0)
            reader = question.reader()
            reader.feed(answer)
            edit = reader.close(Stop.END)
            assert isinstance(edit, Edit)
            total += 1
            whole += [change.text for change in edit.changes] == [answer]
    assert whole / total > 0.97, f"{whole} of {total}"


def sides(question: Question) -> tuple[str, str]:
    """The texts left of the place and right of it."""
    prompt = question.request.prompt
    strings = [part for part in prompt if isinstance(part, str)]
    if prompt[1] in (Special("[SUFFIX]"), Special("<[fim-suffix]>")):
        return "".join(strings[1:]), strings[0]
    left, right, *typed = strings
    return (left[1:] if Special("▁<PRE>") in prompt else left) + "".join(typed), right


def answered(
    text: str,
    written: str,
    stop: Stop = Stop.END,
    name: str = "fim-qwen",
) -> str | None:
    """What is inserted at the mark of `text`, None for nothing."""
    offset = text.index("▮")
    reader = asked(FORMATS[name], View(Document(text.replace("▮", "")), offset)).reader()
    reader.feed(written)
    edit = reader.close(stop)
    assert isinstance(edit, Edit)
    return edit.changes[0].text if edit.changes else None


def test_an_answer_that_was_cut_off_loses_its_last_line() -> None:
    assert answered("▮\n", "a = 1\nb = 2\nc = fo", Stop.LENGTH) == "a = 1\nb = 2"
    assert answered("▮\n", "a = 1\nb = 2\n", Stop.LENGTH) == "a = 1\nb = 2"
    assert answered("▮\n", "a = fo", Stop.LENGTH) is None
    assert answered("▮\n", "a = fo", Stop.END) == "a = fo"


def test_one_line_is_asked_for_where_one_is_wanted() -> None:
    half = asked(FORMATS["fim-qwen"], View(Document("x = y\nz = \n"), 10)).request
    assert (half.max_lines, half.max_tokens) == (1, 48)
    free = asked(FORMATS["fim-qwen"], View(Document("x = y\n\n"), 6)).request
    assert (free.max_lines, free.max_tokens) == (8, 192)


@given(texts(), st.data(), texts(), st.sampled_from([Stop.END, Stop.LENGTH]), st.booleans())
def test_no_answer_raises_and_each_is_an_insertion_there(
    text: str, data: st.DataObject, written: str, stop: Stop, whole_lines: bool
) -> None:
    document = Document(text)
    offset = document.offset(*document.position(data.draw(st.integers(0, len(text)))))
    for name in ("fim-qwen", "fim-codellama", "plain"):
        typed = "    " if whole_lines else None
        reader = asked(FORMATS[name], View(document, offset, typed)).reader()
        reader.feed(written)
        edit = reader.close(stop)
        assert isinstance(edit, Edit)
        for change in edit.changes:
            assert change.start == change.end
            assert whole_lines or change.start == offset


@pytest.mark.parametrize("end", ["\n", "\n\n", "# b", "def f():", "class A:", "import os", "from a import b"])
def test_what_begins_something_new_ends_what_a_base_model_writes(end: str) -> None:
    engine, _ = engine_of(f"y = 2\n{end}\nz = 3" * 5, "plain")
    outcome = engine.complete(Document("x = 1\n"), 6)
    assert [suggestion.text for suggestion in outcome.suggestions] == ["x = 1\ny = 2"]


# Under the gate


def engine_of(stream: str, name: str) -> tuple[Engine, ScriptedBackend]:
    backend = ScriptedBackend([stream], context=4096)
    return Engine(backend, gate_of(), prompt_format=FORMATS[name], settings=Settings()), backend


def test_ghost_text_is_what_the_gate_accepts_first() -> None:
    engine, backend = engine_of("bad\n<|fim_pad|>" + "y = 2\n    z = 3\nw = 4\n<|fim_pad|>" * 4, "fim-qwen")
    outcome = engine.complete(Document("def f(x):\n    \n"), 14)
    assert outcome.suggestions[0].text == "def f(x):\n    y = 2\n    z = 3\n"
    assert [request.candidates for request in backend.requests] == [1, 4]


def test_what_these_models_cannot_do_is_said() -> None:
    engine, backend = engine_of("", "fim-qwen")
    document = Document("a = 1\n")
    assert engine.next_edit(document, 0).reason is Reason.UNSUPPORTED
    assert list(engine.edit(document, "Do it.")) == [Ended(Reason.UNSUPPORTED, document, 0, 0)]
    assert backend.requests == []


def test_lines_are_written_anew_between_those_that_stay() -> None:
    engine, backend = engine_of("y = x + 1\nz = 3<|fim_pad|>" * 4, "fim-qwen")
    document = Document("def f(x):\n    y = bad\n    return y\n")
    outcome = engine.resolve(document, Action(ActionKind.REWRITE, 1, 1, ""))
    assert outcome.suggestions[0].text == "def f(x):\n    y = x + 1\n    return y\n"
    prompt = backend.requests[0].prompt
    assert str(prompt[2]).endswith("def f(x):\n")
    assert "return y" in str(prompt[4])
    assert prompt[6] == "    "


def test_what_is_open_is_seen_and_the_document_itself_is_not_among_it() -> None:
    from lintseq_lsp.linters.workspace import EditorWorkspace

    engine, backend = engine_of("1<|fim_pad|>", "fim-qwen-repo")
    opened = {"/home/me/new.py": "b = 2\n", "/home/me/old.py": "c = 3\n", "/home/me/own.py": "a = "}
    engine.gate.workspace = EditorWorkspace(lambda: opened)
    engine.complete(Document("a = ", None, "/home/me/own.py"), 4)
    assert (
        backend.requests[0].prompt[1:7]
        == by_hand(
            *("T:<|repo_name|>", "me\n", "T:<|file_sep|>", "new.py\nb = 2\n\n", "T:<|file_sep|>"),
            "old.py\nc = 3\n\n",
        )[1:]
    )


def test_what_is_ignored_is_shown_to_no_model() -> None:
    from lsprotocol.types import TextDocumentItem

    from lintseq_lsp.linters.workspace import EditorWorkspace
    from lintseq_lsp.lsp.documents import Documents
    from lintseq_lsp.lsp.served import modules

    documents = Documents()
    for name in ("own.py", "secrets/keys.py", "shown.py"):
        text = f"name = '{name}'\n"
        documents.open(TextDocumentItem(f"file:///home/me/{name}", "python", 1, text))
    settings = Settings(ignore=("**/secrets/**",))
    for name in ("fim-qwen-repo", "fim-starcoder", "fim-codestral"):
        engine, backend = engine_of("1<|fim_pad|>", name)
        engine.gate.workspace = EditorWorkspace(lambda: modules(documents, settings))
        engine.complete(Document("a = ", None, "/home/me/own.py"), 4)
        prompt = "".join(part for part in backend.requests[0].prompt if isinstance(part, str))
        assert "name = 'shown.py'" in prompt
        assert "keys" not in prompt
        assert "'own.py'" not in prompt
