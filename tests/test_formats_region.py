"""Next-edit models of others: what they are shown, and what becomes of the region that they write anew."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fakes import ImmediateLinter, finding, gate_of, python_gate
from hypothesis import given
from hypothesis import strategies as st
from strategies import lines, texts

from lintseq_lsp.actions import Action, ActionKind
from lintseq_lsp.backends.base import Ending, Part, Special, Stop
from lintseq_lsp.backends.scripted import Answer, ScriptedBackend
from lintseq_lsp.cases import read_case, write_case
from lintseq_lsp.edits import apply
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import PromptError
from lintseq_lsp.formats.base import Edit, Malformed, Question, Room, Task, View
from lintseq_lsp.formats.table import FORMATS, detect
from lintseq_lsp.formats.zeta import block_bounds
from lintseq_lsp.linters.base import Report, Tier
from lintseq_lsp.reasons import Reason
from lintseq_lsp.recent import RecentEdit, edits_between
from lintseq_lsp.recorder import RecordingEngine
from lintseq_lsp.replay import replay
from lintseq_lsp.settings import Certainty, Settings
from lintseq_lsp.suggestions import Outcome
from lintseq_lsp.text import Document, split_lines

SWEEP = Special("<|file_sep|>")
END_OF_SENTENCE = Special("<[end▁of▁sentence]>")
NAMES = ("sweep-1", "sweep-2", "zeta-1", "zeta-2", "zeta-2.1")
COUNT = ScriptedBackend([]).count
PATH = "/home/me/shapes/box.py"
BEFORE = """\
import os


def area(width, height):
    return width * height


def volume(width, height, depth):
    return width * height * depth


print(volume(1, 2, 3))
"""
NOW = BEFORE.replace("area(width, height)", "area(size)")


def edits(before: str, now: str, path: str = PATH) -> tuple[RecentEdit, ...]:
    return edits_between(Document(before, None, path), Document(now, None, path), 1.0)


def ask(
    name: str,
    text: str,
    line: int,
    column: int = 0,
    *,
    recent: Sequence[RecentEdit] = (),
    room: Room = Room(20_000, 8, 160),  # noqa: B008
) -> Question:
    document = Document(text, None, PATH)
    view = View(document, document.offset(line, column), recent=tuple(recent))
    question = FORMATS[name].ask(view, Task.NEXT, COUNT, room)
    assert question is not None
    return question


def read(question: Question, text: str, stop: Ending) -> Edit | Malformed:
    reader = question.reader()
    for start in range(0, len(text), 5):
        assert reader.feed(text[start : start + 5]) == text[start : start + 5]
    return reader.close(stop)


def shown(prompt: Sequence[Part]) -> str:
    return "".join(part if isinstance(part, str) else part.text for part in prompt)


def result(text: str, edit: Edit | Malformed) -> str:
    assert isinstance(edit, Edit), edit
    return apply(text, edit.changes)


# Which it is


QWEN = {"<|file_sep|>", "<|fim_prefix|>"}
SEED = {"<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>", "<filename>"}


def has(tokens: set[str]) -> Callable[[Special], bool]:
    return lambda special: special.text in tokens


@pytest.mark.parametrize(
    ("name", "tokens", "expected"),
    [
        ("sweep-next-edit-0.5b.q8_0", QWEN, "sweep-2"),
        ("model Sweep-Next-Edit-1.5B", QWEN, "sweep-2"),
        ("zeta", QWEN, "zeta-1"),
        ("zeta.Q4_K_M", QWEN, "zeta-1"),
        ("zed-industries_zeta-7b", QWEN, "zeta-1"),
        ("zeta-2", SEED, "zeta-2"),
        ("zeta2-Q4_K_M", SEED, "zeta-2"),
        ("zeta-2.1-Q4_K_M", SEED, "zeta-2.1"),
        ("x Zeta2.1", SEED, "zeta-2.1"),
    ],
)
def test_a_model_is_known_by_its_name(name: str, tokens: set[str], expected: str) -> None:
    assert detect(has(tokens), "file.gguf", known_as=name).name == expected


@pytest.mark.parametrize(
    ("name", "tokens"), [("qwen", QWEN), ("zeta-3", SEED), ("zeta-2", QWEN), ("zetas", QWEN), ("beta2", SEED)]
)
def test_a_name_that_is_like_one_is_none(name: str, tokens: set[str]) -> None:
    assert not any(FORMATS[each].fits(has(tokens), name) for each in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_whoever_chooses_a_format_need_not_name_the_file_so(name: str) -> None:
    assert detect(has(QWEN | SEED), "mine.gguf", name).name == name


# What is shown

SWEEP_1 = f"""\
<|file_sep|>shapes/box.py.diff
original:
def area(width, height):
updated:
def area(size):
<|file_sep|>original/shapes/box.py
{BEFORE}
<|file_sep|>current/shapes/box.py
{NOW}
<|file_sep|>updated/shapes/box.py
"""

SWEEP_2 = f"""\
<|file_sep|>shapes/box.py
{BEFORE}
<|file_sep|>shapes/box.py:4:4
original:

def area(width, height):
    return width * height
updated:

def area(size):
    return width * height
<|file_sep|>original/shapes/box.py:2:8
def area(width, height):
    return width * height


def volume(width, height, depth):
    return width * height * depth
<|file_sep|>current/shapes/box.py:2:8
def area(size):
    return <|cursor|>width * height


def volume(width, height, depth):
    return width * height * depth
<|file_sep|>updated/shapes/box.py:2:8
def area(size):
""".replace(":\n\ndef", ":\ndef")

ZETA_DIFF = """\
@@ -1,7 +1,7 @@
 import os
.
.
-def area(width, height):
+def area(size):
     return width * height
.
.""".replace("\n.", "\n ")

ZETA_1 = f"""\
### Instruction:
You are a code completion assistant and your task is to analyze user edits and then rewrite an excerpt \
that the user provides, suggesting the appropriate edits within the excerpt, taking into account the \
cursor location.

### User Edits:

User edited shapes/box.py:
```diff
{ZETA_DIFF}
```

### User Excerpt:

```shapes/box.py
<|start_of_file|>
<|editable_region_start|>
{NOW.replace("return width", "return <|user_cursor_is_here|>width", 1)}
<|editable_region_end|>
```

### Response:
"""

ZETA_2 = f"""\
<[fim-suffix]>
<[fim-prefix]><filename>edit_history
--- a/shapes/box.py
+++ b/shapes/box.py
{ZETA_DIFF}

<filename>shapes/box.py
<<<<<<< CURRENT
{NOW.replace("return width", "return <|user_cursor|>width", 1)}=======
<[fim-middle]>"""

ZETA_21 = (
    ZETA_2.replace("<<<<<<< CURRENT\n", "<|marker_1|>")
    .replace("=======\n", "<|marker_3|>\n")
    .replace("def volume", "<|marker_2|>def volume")
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sweep-1", SWEEP_1),
        ("sweep-2", SWEEP_2),
        ("zeta-1", ZETA_1),
        ("zeta-2", ZETA_2),
        ("zeta-2.1", ZETA_21),
    ],
)
def test_a_prompt(name: str, expected: str) -> None:
    question = ask(name, NOW, 4, 11, recent=edits(BEFORE, NOW))
    assert shown(question.request.prompt) == expected


def test_special_tokens_are_ids_and_markers_of_zeta_are_text() -> None:
    specials = {
        name: {part.text for part in ask(name, NOW, 4).request.prompt if isinstance(part, Special)}
        for name in NAMES
    }
    assert specials == {
        "sweep-1": {"<|file_sep|>"},
        "sweep-2": {"<|file_sep|>"},
        "zeta-1": set(),
        "zeta-2": SEED,
        "zeta-2.1": SEED,
    }
    assert ask("zeta-1", NOW, 4).request.stops == {"<|editable_region_end|>"}
    assert SWEEP in ask("sweep-2", NOW, 4).request.stops


def test_without_recent_edits_their_sections_are_empty() -> None:
    assert ask("sweep-2", NOW, 4).request.prompt[1] == f"shapes/box.py\n{NOW}\n\n"
    assert "### User Edits:\n\n\n\n### User Excerpt:" in shown(ask("zeta-1", NOW, 4).request.prompt)
    assert "edit_history" not in shown(ask("zeta-2", NOW, 4).request.prompt)


LONG = "".join(
    f"value_{number:03} = compute({number:03}, {number:03}, {number:03})\n" for number in range(200)
)


@pytest.mark.parametrize(
    ("name", "first", "end"), [("sweep-1", 90, 111), ("sweep-2", 98, 106), ("zeta-1", 94, 107)]
)
def test_a_region_of_a_long_file(name: str, first: int, end: int) -> None:
    text = shown(ask(name, LONG, 100).request.prompt)
    inner = re.split(r"current/[^\n]*\n|<\|editable_region_start\|>\n", text)[1]
    inner = re.split(r"<\|file_sep\|>updated|\n<\|editable_region_end\|>", inner)[0]
    inner = re.sub(r"<\|(user_)?cursor(_is_here)?\|>", "", inner)
    assert inner.rstrip("\n").split("\n") == LONG.split("\n")[first:end]


def test_what_stands_around_a_region_of_zeta() -> None:
    text = shown(ask("zeta-2", LONG, 100).request.prompt)
    suffix, prefix = text.split("<[fim-prefix]>")
    above, region = prefix.split("<<<<<<< CURRENT\n")
    whole = above.removeprefix("<filename>shapes/box.py\n") + region.removesuffix("=======\n<[fim-middle]>")
    whole = whole.replace("<|user_cursor|>", "") + suffix.removeprefix("<[fim-suffix]>\n")
    assert whole in LONG
    assert suffix.startswith("<[fim-suffix]>\nvalue_")
    assert 1400 < len(whole) < 1600
    assert "<|start_of_file|>" not in shown(ask("zeta-1", LONG, 100).request.prompt)


def test_the_first_line_is_given_when_the_last_edit_is_further_up() -> None:
    last = shown(ask("sweep-2", NOW, 4, recent=edits(BEFORE, NOW)).request.prompt)
    assert last.endswith("updated/shapes/box.py:2:8\ndef area(size):\n")
    answer = "    return size**2\n\n\ndef volume(width, height, depth):\n    return width * height * depth\n"
    edit = read(ask("sweep-2", NOW, 4, recent=edits(BEFORE, NOW)), answer, SWEEP)
    assert result(NOW, edit) == NOW.replace("return width * height\n", "return size**2\n")
    assert isinstance(edit, Edit)
    assert edit.lines == (range(1),)
    below = NOW.replace("1, 2, 3", "4, 5, 6")
    last = shown(ask("sweep-2", below, 4, recent=edits(NOW, below)).request.prompt)
    assert last.endswith("updated/shapes/box.py:2:8\n")


def test_edits_of_other_files_are_told_and_blank_ones_are_not() -> None:
    other = edits("a = 1\n", "a = 2\n", "/home/me/shapes/other.py")
    blank = edits("a = 1\n", "a  =  1\n", "/home/me/shapes/blank.py")
    for name in NAMES:
        text = shown(ask(name, NOW, 4, recent=(*other, *blank)).request.prompt)
        assert "shapes/other.py" in text
        assert "blank.py" not in text


def test_what_has_no_room_loses_its_oldest_edits_first() -> None:
    recent = [
        edit for number in range(5) for edit in edits("x = 0\n", f"x = {number}000\n", f"/o/{number}.py")
    ]
    prompt = shown(ask("zeta-1", NOW, 4, recent=recent).request.prompt)
    tight = Room(COUNT(prompt) + ask("zeta-1", NOW, 4).request.max_tokens - 20, 8, 160)
    told = re.findall(
        r"edited o/(\d).py", shown(ask("zeta-1", NOW, 4, recent=recent, room=tight).request.prompt)
    )
    assert told == ["0", "1", "2", "3", "4"][-len(told) :]
    assert 0 < len(told) < 5
    document = Document(NOW)
    for name in NAMES:
        assert FORMATS[name].ask(View(document, 0), Task.NEXT, COUNT, Room(200, 8, 160)) is None


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("sweep-2", "x = '<|cursor|>'"),
        ("zeta-1", "# <|editable_region_end|>"),
        ("zeta-2", "# <|user_cursor|>"),
        ("zeta-2", "======="),
        ("zeta-2.1", "# <|marker_2|>"),
    ],
)
def test_a_text_with_the_formats_own_markers_is_refused(name: str, line: str) -> None:
    with pytest.raises(PromptError, match=re.escape(line.removeprefix("# ").removeprefix("x = '")[:9])):
        ask(name, NOW.replace("def area(size):", line), 4)
    far = f"{line}\n" + LONG
    assert ask(name, far, 150)
    engine = Engine(ScriptedBackend([]), gate_of(), prompt_format=FORMATS[name], settings=Settings())
    outcome = engine.next_edit(Document(NOW.replace("def area(size):", line)), 20)
    assert outcome.reason is Reason.UNSUPPORTED
    assert "the text around the cursor has " in outcome.detail


def test_the_text_of_a_special_token_is_no_reason_to_refuse() -> None:
    prompt = ask("sweep-1", "x = '<|file_sep|>'\n", 0).request.prompt
    assert any("x = '<|file_sep|>'" in part for part in prompt if isinstance(part, str))


def test_blocks_begin_behind_blank_lines() -> None:
    block = ["a"] * 7 + [""]
    assert block_bounds([]) == [0, 0]
    assert block_bounds(block * 3) == [0, 8, 16, 24]
    assert block_bounds([*block, "b"]) == [0, 9]  # too few lines are left
    assert block_bounds([*block, ")", "b", *"cdefghi"]) == [0, 9, 17]
    assert block_bounds(["a"] * 40) == [0, 16, 32, 40]


# What becomes of an answer


def answered(name: str, question: Question, region: Sequence[str], new: Sequence[str]) -> tuple[str, Ending]:
    """What a model writes to make `new` lines of the region, and what ends it."""
    text = "\n".join(new) + "\n"
    match name:
        case "sweep-1" | "sweep-2":
            last = question.request.prompt[-1]
            assert isinstance(last, str)
            given = last.partition("\n")[2]
            assert text.startswith(given)
            return text[len(given) :], SWEEP
        case "zeta-1":
            return f"<|editable_region_start|>\n{text}", "<|editable_region_end|>"
        case "zeta-2":
            return text, ">>>>>>> UPDATED"
        case _:
            marks = len(block_bounds(region))
            return f"<|marker_1|>{text}<|marker_{marks}|>", END_OF_SENTENCE


def region_of(name: str, text: str, line: int) -> tuple[int, int]:
    """The lines that are written anew, told from the prompt by what is shown of them."""
    prompt = shown(ask(name, text, line).request.prompt)
    prompt = re.sub(r"<\|(?:user_)?cursor(?:_is_here)?\|>", "", prompt)
    patterns = {
        "sweep-1": r"current/[^\n]*\n(.*)\n<\|file_sep\|>updated",
        "sweep-2": r"current/[^\n]*\n(.*)\n<\|file_sep\|>updated",
        "zeta-1": r"region_start\|>\n(.*)\n<\|editable_region_end",
        "zeta-2": r"CURRENT\n(.*?)\n?=======\n",
        "zeta-2.1": r"<\|marker_1\|>(.*)<\|marker_\d+\|>\n<\[fim-middle",
    }
    found = re.search(patterns[name], prompt, re.DOTALL)
    assert found
    inner = re.sub(r"<\|marker_\d+\|>", "", found[1])
    everything = split_lines(text)[0]
    count = inner.count("\n") + 1
    places = [
        first
        for first in range(max(0, line - count), line + 1)
        if "\n".join(everything[first : first + count]) == inner
    ]
    assert places
    return places[0], places[0] + count


PACKAGE = Path(__file__).parents[1] / "lintseq_lsp"
FILES = [(PACKAGE / name).read_text("utf-8") for name in ("edits.py", "lru.py", "repetition.py", "text.py")]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_an_answer_with_new_lines_leads_to_them(name: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(FILES))
    everything = text.split("\n")
    line = data.draw(st.integers(4, len(everything) - 5))
    first, end = region_of(name, text, line)
    question = ask(name, text, line)
    region = everything[first:end]
    inner = [number for number in range(1, len(region) - 1) if region[number].strip()]
    new: list[str] = list(region)
    number = data.draw(st.sampled_from(inner)) if inner else 0
    written = data.draw(
        st.lists(st.sampled_from(["new = 1", "    more()", "x = {}"]), min_size=1, max_size=3)
    )
    place = max(1, number)
    new[place : place + data.draw(st.integers(0, 1)) * bool(inner)] = written
    if len(region) < 3 or not region[-1].strip() or not region[0].strip():
        return  # what outer blank lines do is another test's
    answer, stop = answered(name, question, region, new)
    edit = read(question, answer, stop)
    if edit == Malformed("only inserts above the cursor"):
        assert name.startswith("sweep")
        return
    assert result(text, edit) == "\n".join([*everything[:first], *new, *everything[end:]])
    assert isinstance(edit, Edit)
    assert len(edit.lines) == len(edit.changes)
    assert all(answer.count("\n") >= lines.stop - 1 for lines in edit.lines)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_any_answer_is_an_edit_of_the_region_or_none(name: str, data: st.DataObject) -> None:
    text = data.draw(st.one_of(texts(most=20), st.sampled_from(FILES)))
    document = Document(text, None, PATH)
    offset = data.draw(st.integers(0, len(text)))
    recent = edits(data.draw(texts()), text) if data.draw(st.booleans()) else ()
    view = View(document, offset, recent=recent)
    task = data.draw(st.sampled_from([Task.NEXT, Task.FILL]))
    try:
        question = FORMATS[name].ask(view, task, COUNT, Room(20_000, 8, 160))
    except PromptError:
        return
    if question is None:
        return
    marks = st.sampled_from(
        ["<|editable_region_start|>", "<|editable_region_end|>", "<|user_cursor|>", "<|cursor|>", "NO_EDITS"]
        + [
            "<<<<<<< CURRENT",
            "=======",
            ">>>>>>> UPDATED",
            "\n",
            "\r",
            "\r\n",
            "```",
            " No newline at end of file",
        ]
        + [f"<|marker_{number}|>" for number in (0, 1, 2, 3, 99, "x", "9" * 5000)]
    )
    pieces = st.one_of(marks, lines, st.sampled_from(document.lines), st.just("\n"))
    answer = "".join(data.draw(st.lists(pieces, max_size=12)))
    if data.draw(st.booleans()):  # an answer that is right, but for its end
        begin = "<|editable_region_start|>\n" if name == "zeta-1" else ""
        answer = f"{begin}{text}"[: data.draw(st.integers(0, len(text) + 30))]
    stops: list[Ending] = [Stop.END, Stop.LENGTH, *question.request.stops]
    edit = read(question, answer, data.draw(st.sampled_from(stops)))
    if isinstance(edit, Malformed):
        assert edit.reason
        return
    assert len(edit.lines) == len(edit.changes)
    after = apply(text, edit.changes)
    removed = len(document.lines) - len(split_lines(after)[0])
    assert removed <= 5 * len(edit.changes) + sum(1 for line in document.lines if not line.strip())
    for change in edit.changes:
        assert task is Task.FILL or apply(text, [change]) != text
    if task is Task.FILL and edit.changes:
        (insertion,) = edit.changes
        line = document.position(offset)[0]
        right = text[offset : document.starts[line] + len(document.lines[line])]
        assert (insertion.start, insertion.end) == (offset, offset)
        whole = text[:offset] + insertion.text + text[offset + len(right) :]
        assert whole != text


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_was_cut_off_is_nothing(name: str) -> None:
    question = ask(name, NOW, 4)
    first, end = region_of(name, NOW, 4)
    region = NOW.split("\n")[first:end]
    answer, stop = answered(name, question, region, region)
    assert read(question, answer, stop) == Edit()
    for size in range(len(answer)):
        assert isinstance(read(question, answer[:size], Stop.LENGTH), Malformed)
        early = read(question, answer[:size], Stop.END)
        after = NOW if isinstance(early, Malformed) else apply(NOW, early.changes)
        assert len(after.split("\n")) == len(NOW.split("\n"))


def rewritten(
    new: str, *, recent: Sequence[RecentEdit] = (), text: str = NOW, line: int = 4
) -> Edit | Malformed:
    """What `zeta-2` makes of it when the whole text becomes `new`."""
    return read(ask("zeta-2", text, line, recent=recent), new, ">>>>>>> UPDATED")


def test_each_change_is_apart_and_rests_on_its_lines() -> None:
    new = (
        NOW.replace("area(size)", "area(side)")
        .replace("1, 2, 3", "2, 2, 2")
        .replace("import os\n", "import re\n")
    )
    edit = rewritten(new)
    assert result(NOW, edit) == new
    assert isinstance(edit, Edit)
    assert edit.lines == (range(1), range(3, 4), range(11, 12))
    removed = rewritten(
        NOW.replace("import os\n", "import os\nimport re\n").replace("    return width * height\n", "")
    )
    assert isinstance(removed, Edit)
    assert removed.lines == (range(1, 2), range(5, 6))


def test_what_blank_lines_separate_is_one_change() -> None:
    text = "start()\na()\n\nb()\nc()\nend()\n"
    new = "start()\nif x:\n    a()\n\n    b()\n    c()\nend()\n"
    edit = rewritten(new, text=text, line=1)
    assert isinstance(edit, Edit)
    assert len(edit.changes) == 1
    assert result(text, edit) == new


@pytest.mark.parametrize(
    "new",
    [
        NOW,
        NOW.replace("\n\n\n", "\n\n"),
        NOW.replace("    return", "  return"),
        NOW.rstrip(),
        f"\n\n{NOW}\n\n",
        NOW.replace("width * height", "width*height"),
    ],
)
def test_white_space_alone_is_nothing(new: str) -> None:
    assert rewritten(new) == Edit()


def test_blank_lines_beside_a_change_stay_as_they_are() -> None:
    changed = NOW.replace("1, 2, 3", "2, 2, 2")
    edit = rewritten(changed.replace("import os\n\n\n", "import os\n\n").rstrip("\n"))
    assert result(NOW, edit) == changed


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("", "nothing is left"),
        ("import os\n", "stops before the end"),
        (NOW[: NOW.index("print")], "stops before the end"),
        (NOW.replace("import os\n", "import os\n" + "x = 1\n" * 9), "inserts 9 lines"),
        ("alpha\n" * 12, "begins like another region"),
    ],
)
def test_what_is_hardly_meant_is_nothing(new: str, reason: str) -> None:
    edit = rewritten(new)
    assert isinstance(edit, Malformed)
    assert reason in edit.reason


def test_deletions_are_bounded() -> None:
    body = "".join(f"    step({number})\n" for number in range(8))
    text = f"def f():\n{body}\n\nf()\n"
    few = text.replace("".join(f"    step({number})\n" for number in range(2, 7)), "")
    many = text.replace("".join(f"    step({number})\n" for number in range(1, 7)), "")
    assert result(text, rewritten(few, text=text, line=1)) == few
    assert rewritten(many, text=text, line=1) == Malformed("deletes 6 lines")


def test_what_was_just_done_is_not_taken_back() -> None:
    recent = edits(BEFORE, NOW)
    assert rewritten(BEFORE, recent=recent) == Malformed("reverses a recent change")
    other = NOW.replace("1, 2, 3", "2, 2, 2")
    both = rewritten(BEFORE.replace("1, 2, 3", "2, 2, 2"), recent=recent)
    assert result(NOW, both) == other
    for nobodys in ((), edits(BEFORE, NOW, "/home/me/shapes/other.py")):
        assert result(NOW, rewritten(BEFORE, recent=nobodys)) == BEFORE


def test_what_was_just_deleted_does_not_come_back() -> None:
    now = NOW.replace("    return width * height * depth\n", "    ...\n")
    edit = rewritten(NOW.replace("1, 2, 3", "2, 2, 2"), recent=edits(NOW, now), text=now)
    assert result(now, edit) == now.replace("1, 2, 3", "2, 2, 2")


def test_sweep_does_not_insert_above_the_cursor() -> None:
    question = ask("sweep-2", NOW, 4, 4)
    first, end = region_of("sweep-2", NOW, 4)
    region = NOW.split("\n")[first:end]
    inserted = [region[0], "    size = 1", *region[1:]]
    refused = read(question, *answered("sweep-2", question, region, inserted))
    assert refused == Malformed("only inserts above the cursor")
    both = [*inserted[:2], "    return size", *inserted[3:]]
    assert isinstance(read(question, *answered("sweep-2", question, region, both)), Edit)


def test_sweep_does_not_write_much_anew_above_the_cursor() -> None:
    question = ask("sweep-1", LONG, 100)
    region = LONG.split("\n")[90:111]
    few = [region[0], *["x = 1"] * 5, *region[6:]]
    many = [region[0], *["x = 1"] * 6, *region[7:]]
    assert isinstance(read(question, *answered("sweep-1", question, region, few)), Edit)
    refused = read(question, *answered("sweep-1", question, region, many))
    assert refused == Malformed("rewrites many lines above the cursor")
    below = [*region[:12], *["x = 1"] * 6, *region[18:]]
    assert isinstance(read(question, *answered("sweep-1", question, region, below)), Edit)


def test_the_noise_of_sweep_is_cut_off() -> None:
    question = ask("sweep-1", NOW, 4)
    new = NOW.replace("1, 2, 3", "2, 2, 2")
    assert result(NOW, read(question, f"{new} No newline at end of file", SWEEP)) == new
    assert result(NOW, read(question, new.replace("2, 2", "2, <|cursor|>2"), SWEEP)) == new


def test_the_markers_of_zeta_1() -> None:
    question, end = ask("zeta-1", NOW, 4), "<|editable_region_end|>"
    new = NOW.replace("1, 2, 3", "2, 2, 2")
    start = "<|editable_region_start|>\n"
    whole = f"```shapes/box.py\n{start}{new.replace('2, 2, 2', '2, <|user_cursor_is_here|>2, 2')}\n"
    edit = read(question, whole, end)
    assert result(NOW, edit) == new
    assert isinstance(edit, Edit)
    assert edit.lines == (range(13, 14),)
    assert isinstance(read(question, f"{start}{start}{new}\n", end), Malformed)
    assert isinstance(read(question, new, end), Malformed)
    assert isinstance(read(question, f"{start}{new}\n", Stop.END), Malformed)


def test_the_markers_of_zeta_2() -> None:
    question = ask("zeta-2", NOW, 4)
    assert read(question, "NO_EDITS\n", ">>>>>>> UPDATED") == Edit()
    new = NOW.replace("1, 2, 3", "2, 2, 2")
    assert result(NOW, read(question, new.replace("2, 2", "2, <|user_cursor|>2"), Stop.END)) == new
    for wrong in (f"{NOW}=======\n{new}", f"<<<<<<< CURRENT\n{new}", f"{new}NO_EDITS\n"):
        assert isinstance(read(question, wrong, ">>>>>>> UPDATED"), Malformed)


def test_the_marks_of_zeta_21() -> None:
    question = ask("zeta-2.1", NOW, 4)
    new = NOW.replace("1, 2, 3", "2, 2, 2")
    second = new[new.index("def volume") :]
    edit = read(question, f"<|marker_2|>{second}<|marker_3|>", END_OF_SENTENCE)
    assert result(NOW, edit) == new
    assert isinstance(edit, Edit)
    assert edit.lines == (range(4, 5),)
    first = new[: new.index("def volume")]
    whole = f"<|marker_1|>{first}<|marker_2|>{second}<|marker_3|>"
    assert result(NOW, read(question, whole, END_OF_SENTENCE)) == new
    assert read(question, "<|marker_2|><|marker_2|>", END_OF_SENTENCE) == Edit()
    for wrong in (
        second,
        f"<|marker_2|>{second}",
        f"<|marker_3|>{second}<|marker_2|>",
        f"<|marker_2|>{second}<|marker_2|>",
        f"<|marker_2|>{second}<|marker_4|>",
        f"<|marker_0|>{second}<|marker_3|>",
        f"{first}<|marker_2|>{second}<|marker_3|>",
        f"<|marker_2|>{second}<|marker_3|>more",
    ):
        assert isinstance(read(question, wrong, END_OF_SENTENCE), Malformed)


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends_are_those_of_the_document(newline: str) -> None:
    text = NOW.replace("\n", newline)
    new = NOW.replace("1, 2, 3", "2, 2, 2").replace("import os\n", "import os\nimport re\n")
    assert result(text, rewritten(new, text=text)) == new.replace("\n", newline)


def test_line_ends_of_two_kinds_do_not_run_together() -> None:
    text = "a = 1\rb = 2\nc = 3\nd = 4\n"
    assert rewritten("a = 1\n\nc = 3\nd = 4\n", text=text, line=1) == Malformed(
        "line ends of two kinds run together"
    )


# Through the engine


def engine_of(name: str, *answers: Answer, linter: ImmediateLinter | None = None) -> Engine:
    return Engine(
        ScriptedBackend(answers, context=20_000),
        gate_of(linter) if linter else python_gate(),
        prompt_format=FORMATS[name],
        settings=Settings(tries=2),
    )


def texts_after(text: str, engine: Engine, line: int = 4, **more: object) -> list[str]:
    document = Document(text, None, PATH)
    states: list[str] = []
    engine.next_edit(
        document, document.offset(line, 0), on_clean=lambda _, state: states.append(state.text), **more
    )
    return states


ITEMS = "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\nf = 6\n"


def conflict(new: str) -> Answer:
    return Answer(new, ">>>>>>> UPDATED", 20)


def test_a_region_comes_out_as_gated_edits_from_the_top() -> None:
    linter = ImmediateLinter()
    new = ITEMS.replace("1", "10").replace("3", "30").replace("6", "60")
    engine = engine_of("zeta-2", conflict(new), linter=linter)
    document = Document(ITEMS, None, PATH)
    outcome = engine.next_edit(document, 0)
    assert outcome.reason is Reason.ACCEPTED
    assert [suggestion.replacements[0].text for suggestion in outcome.suggestions] == ["0", "0", "0"]
    states = [
        ITEMS,
        ITEMS.replace("1", "10"),
        ITEMS.replace("1", "10").replace("3", "30"),
        new,
    ]
    assert [check.text for check in linter.checks] == states
    assert [engine.memory.recall_next(Document(state, None, PATH)) is not None for state in states] == [
        *[True] * 3,
        False,
    ]


def test_one_rejected_edit_does_not_take_the_others_with_it() -> None:
    new = ITEMS.replace("1", "10").replace("c = 3", "bad = 3").replace("6", "60")
    engine = engine_of("zeta-2", conflict(new), linter=ImmediateLinter())
    document = Document(ITEMS, None, PATH)
    outcome = engine.next_edit(document, 0)
    assert [
        suggestion.base.position(suggestion.replacements[0].start)[0] for suggestion in outcome.suggestions
    ] == [
        0,
        5,
    ]
    assert {verdict.reason for verdict in outcome.rejected} == {Reason.NEW_FINDINGS}


def test_an_edit_that_needs_another_comes_with_it() -> None:
    def lint(text: str) -> Report:
        """An import and its use want each other."""
        imported, used = "import re" in text, "re.A" in text
        found = [finding("alone")] if imported != used else []
        return Report(found, Tier.PYLINT)

    text = "import os\n\nx = os.sep\n\ny = 1\n\nz = 2\n\nw = 3\n"
    first = text.replace("y = 1", "y = 10")
    new = first.replace("os\n\n", "os\nimport re\n\n", 1).replace("z = 2", "z = re.A")
    linter = ImmediateLinter(lint)
    assert texts_after(text, engine_of("zeta-2", conflict(new), linter=linter)) == [first, new]
    tried = [
        (("import re" in check.text), ("y = 10" in check.text), "re.A" in check.text)
        for check in linter.checks
    ]
    assert tried == [
        (False, False, False),
        (True, False, False),
        (True, True, False),
        (False, True, False),
        (True, True, True),
    ]


def test_an_answer_of_which_nothing_is_clean_is_sampled_again() -> None:
    bad, good = ITEMS.replace("c = 3", "bad = 3"), ITEMS.replace("3", "30")
    engine = engine_of("zeta-2", conflict(bad), conflict(good), linter=ImmediateLinter())
    assert texts_after(ITEMS, engine) == [good]
    engine = engine_of("zeta-2", conflict(bad), conflict(bad), linter=ImmediateLinter())
    assert engine.next_edit(Document(ITEMS), 0).reason is Reason.NEW_FINDINGS


def test_an_answer_without_changes_ends_it() -> None:
    engine = engine_of("zeta-2", conflict(ITEMS))
    assert engine.next_edit(Document(ITEMS), 0).reason is Reason.COMPLETE


def test_an_edit_counts_as_probable_as_its_own_lines() -> None:
    new = ITEMS.replace("b = 2\n", "b = 20\n").replace("e = 5\n", "")
    certain = (0.0, -1.0, 0.0, 0.0, -2.0)
    answer = Answer(new, ">>>>>>> UPDATED", 20, certain)
    document = Document(ITEMS, None, PATH)
    for certainty, count in ((0.1, 2), (0.2, 1), (0.5, 0)):
        outcome = engine_of("zeta-2", answer).next_edit(document, 0, certainty=certainty)
        assert len(outcome.suggestions) == count


# At the cursor


def ghost_text(text: str, *new: str, name: str = "zeta-2", certainty: float = 0.0) -> str | Reason:
    """What is offered at the mark of `text` when the region becomes `new`."""
    offset = text.index("▮")
    document = Document(text.replace("▮", ""), None, PATH)
    engine = engine_of(name, *map(conflict, new))
    outcome = engine.complete(document, offset, certainty=certainty)
    if not outcome.suggestions:
        return outcome.reason
    (change,) = outcome.suggestions[0].replacements
    assert change.start == offset
    return outcome.suggestions[0].text


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("a = 1\nb = ▮\nc = 3\n", "a = 1\nb = 2\nc = 3\n"),
        ("a = 1\nb = max(▮)\nc = 3\n", "a = 1\nb = max(a, 2)\nc = 3\n"),
        ("def f(x):▮\n\n\ny = 1\n", "def f(x):\n    z = x\n    return z\n\n\ny = 1\n"),
        ("def f(x):\n    ▮\n\n\ny = 1\n", "def f(x):\n    return x\n\n\ny = 1\n"),
        ("a = 1\r\n▮\r\nc = 3\r\n", "a = 1\nb = 2\nc = 3\n"),
        ("a = 1\nb = ▮", "a = 1\nb = 2"),
    ],
)
def test_what_a_rewrite_inserts_at_the_cursor_is_ghost_text(text: str, new: str) -> None:
    document = Document(text)
    assert ghost_text(text, new) == new.replace("\n", document.newline)


def test_of_several_changes_the_one_at_the_cursor_is_ghost_text() -> None:
    text = ITEMS.replace("d = 4", "d = ▮")
    new = ITEMS.replace("a = 1\n", "").replace("d = 4", "d = a\ng = 7").replace("f = 6", "f = 60")
    assert ghost_text(text, new) == text.replace("▮", "a\ng = 7")
    assert ghost_text(text, ITEMS.replace("a = 1", "a = 10").replace("d = 4", "d = ")) is Reason.COMPLETE
    assert ghost_text(text, ITEMS.replace("d = 4", "dd = 4")) is Reason.COMPLETE


def test_a_rewrite_at_the_cursor_counts_as_probable_as_the_lines_from_there() -> None:
    text = ITEMS.replace("d = 4", "d = ")
    new = text.replace("d = ", "d = 4").replace("f = 6", "f = 60")
    answer = Answer(new, ">>>>>>> UPDATED", 20, (0.0, -9.0, 0.0, -1.0, 0.0, -9.0))
    document = Document(text, None, PATH)
    for certainty, count in ((0.3, 1), (0.5, 0)):
        outcome = engine_of("zeta-2", answer).complete(document, text.index("d = ") + 4, certainty=certainty)
        assert len(outcome.suggestions) == count


def test_new_lines_for_an_action_are_not_asked_of_a_model_that_writes_regions() -> None:
    engine = engine_of("sweep-2")
    outcome = engine.resolve(Document("def f():\n    pass\n"), Action(ActionKind.IMPLEMENT, 0, 1, ""))
    assert outcome.reason is Reason.UNSUPPORTED
    assert engine.backend.requests == []  # type: ignore[attr-defined]


def test_a_recorded_answer_means_the_same_with_the_recent_edits() -> None:
    """Of which the first line of a window depends, that the prompt gives."""
    new = [*NOW.split("\n")[4:8], "    return 0"]
    engine = RecordingEngine(
        ScriptedBackend([Answer("\n".join(new) + "\n", SWEEP, 30)], context=20_000),
        python_gate(),
        prompt_format=FORMATS["sweep-2"],
        settings=Settings(),
        certainty=Certainty(),
    )
    document = Document(NOW, None, PATH)
    recent = (*edits("a = 1\n", "a = 2\n", "/o/secret.py"), *edits(BEFORE, NOW))
    outcome = engine.next_edit(document, document.offset(4, 0), recent=recent)
    expected = NOW.replace("    return width * height * depth", "    return 0")
    assert [suggestion.text for suggestion in outcome.suggestions] == [expected]
    case = engine.recorded(PATH)
    assert case is not None
    text = write_case(case)
    assert "a = 2" not in text
    again, _ = replay(read_case(text), python_gate())
    assert isinstance(again, Outcome)
    assert [suggestion.text for suggestion in again.suggestions] == [expected]


def test_recent_edits_reach_the_prompt() -> None:
    engine = engine_of("sweep-2")
    texts_after(NOW, engine, recent=edits(BEFORE, NOW))
    (request, *_) = engine.backend.requests  # type: ignore[attr-defined]
    assert "updated:\ndef area(size):" in shown(request.prompt)


@pytest.mark.parametrize("name", ["sweep-2", "sweep-1", "zeta-1", "zeta-2", "zeta-2.1"])
def test_ghost_text_and_what_is_read_ahead_for_it_are_told_the_recent_edits(name: str) -> None:
    document, recent = Document(NOW, None, PATH), edits(BEFORE, NOW)
    offset = document.offset(4, len(document.lines[4]))

    def prompts(told: Sequence[RecentEdit]) -> list[str]:
        engine = engine_of(name)
        engine.read_ahead(document, offset, recent=tuple(told))
        first = len(engine.backend.requests)  # type: ignore[attr-defined]
        engine.complete(document, offset, recent=tuple(told))
        requests = engine.backend.requests  # type: ignore[attr-defined]
        return [shown(requests[0].prompt), shown(requests[first].prompt)]

    told = prompts(recent)
    assert (
        told
        == [
            shown(
                FORMATS[name]
                .ask(View(document, offset, recent=recent), Task.FILL, COUNT, Room(20_000, 8, 192))
                .request.prompt
            )
        ]
        * 2
    )
    assert prompts(()) != told


def test_recorded_ghost_text_means_the_same_with_the_recent_edits() -> None:
    document, recent = Document(NOW, None, PATH), edits(BEFORE, NOW)
    back = ScriptedBackend([Answer(BEFORE, SWEEP, 30)], context=20_000)
    engine = RecordingEngine(
        back, python_gate(), prompt_format=FORMATS["sweep-2"], settings=Settings(), certainty=Certainty()
    )
    outcome = engine.complete(document, document.offset(4, 0), recent=recent)
    assert outcome.rejected
    case = engine.recorded(PATH)
    assert case is not None
    again, _ = replay(read_case(write_case(case)), python_gate())
    assert isinstance(again, Outcome)
    assert [each.detail for each in again.rejected] == [each.detail for each in outcome.rejected]
    assert len(case.options.recent) == len(recent)
