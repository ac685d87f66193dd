"""A small model, really run: caches, masks and cancellation must never change what it writes."""

import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_model import SMALL_MODEL, SMALL_MODEL_CONTEXT
from tiny_model import write_model

from lintseq_lsp.backends import llama_library
from lintseq_lsp.backends.base import CANDIDATES, Piece, Prompt, Request, Sampling, Special, Stop, length
from lintseq_lsp.backends.llama import LlamaBackend, next_piece, threads_for
from lintseq_lsp.diffs import header
from lintseq_lsp.errors import Cancelled, ModelError, ModelFileError, TokenizerError
from lintseq_lsp.formats.lintseq import DIFF, END, Layout, as_diffs, next_headers
from lintseq_lsp.formats.table import detect

WARM = Sampling(temperature=0.8, top_p=0.95, min_p=0.02, seed=7)
DIFFS = [
    "read a configuration\n",
    "@@ -0,0 +1,3 @@\n+import json\n+from pathlib import Path\n+\n",
    "@@ -3,0 +4,9 @@\n+def read(path: Path) -> dict:\n+    with path.open() as file:\n+        data = json",
]


def joined(*fragments: str) -> Prompt:
    """With the token between them."""
    return tuple(part for fragment in fragments for part in (DIFF, fragment))[1:]


def of(
    fragments: Sequence[str],
    *,
    begins: Sequence[str] = (),
    groups: Sequence[Sequence[str]] = (),
    **rest: Any,
) -> Request:
    """A request as LintSeq's format makes it, with one group of beginnings, or several."""
    groups = groups or ([begins] if begins else [])
    return Request(joined(*fragments), frozenset({DIFF}), groups, **rest)


def never() -> bool:
    return False


def after(polls: int) -> Callable[[], bool]:
    """True from the call number `polls` (from 0) on."""
    count = itertools.count()
    return lambda: next(count) >= polls


def text_of(pieces: list[Piece], candidate: int = 0) -> str:
    return "".join(piece.text for piece in pieces if piece.candidate == candidate)


def open_model() -> LlamaBackend:
    return LlamaBackend(SMALL_MODEL, threads=1)


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaBackend]:
    backend = open_model()
    yield backend
    backend.close()


def prompts() -> st.SearchStrategy[tuple[str, ...]]:
    """Rewinds, half-typed lines and changed texts of one document."""
    cut = st.integers(1, len(DIFFS)).flatmap(
        lambda count: st.integers(1, len(DIFFS[count - 1])).map(
            lambda size: (*DIFFS[: count - 1], DIFFS[count - 1][:size])
        )
    )
    return cut | cut.map(lambda prompt: ("", *prompt[1:], "\n"))


@cache
def plainly(prompt: tuple[str, ...]) -> str:
    """What a model that has seen nothing before writes greedily."""
    backend = open_model()
    pieces = list(backend.write(of(prompt, max_tokens=12), never))
    backend.close()
    return text_of(pieces)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(prompts(), st.integers(0, 12), st.integers(1, CANDIDATES), st.booleans()), max_size=4),
    prompts(),
)
def test_history_never_changes_an_answer(
    model: LlamaBackend, history: list[tuple[tuple[str, ...], int, int, bool]], prompt: tuple[str, ...]
) -> None:
    for earlier, polls, candidates, close in history:
        stream = model.write(of(earlier, sampling=WARM, max_tokens=9, candidates=candidates), after(polls))
        try:
            for _ in stream:
                if close:
                    break
        except Cancelled:
            pass
    assert text_of(list(model.write(of(prompt, max_tokens=12), never))) == plainly(prompt)


def test_what_is_typed_is_all_that_is_read(model: LlamaBackend) -> None:
    typed = "\n+        return x.values"
    for size in range(len(typed)):
        list(model.write(of([*DIFFS, "@@ -9,0 +10,4 @@" + typed[:size]], max_tokens=3), never))
        if size:
            assert model.usage.read <= 4
            assert model.usage.cached > 60


@pytest.fixture
def hybrid(tmp_path: Path) -> Iterator[LlamaBackend]:
    """A model of which a part of the memory is a state, that cannot be cut."""
    backend = LlamaBackend(write_model(tmp_path / "m.gguf", hybrid=True), threads=1)
    yield backend
    backend.close()


CODE = "def f(x):\n    total = x + 1\n    return total"


def test_history_never_changes_an_answer_of_a_state(hybrid: LlamaBackend, tmp_path: Path) -> None:
    history = [
        (CODE[:30], 1), (CODE[:31], 1), (CODE, 3), (CODE[:20], 1), ("x = 1\n" + CODE, 1), (CODE, 1), (CODE, 8)
    ]  # fmt: skip
    for text, candidates in history:
        requests = [Request((text,), sampling=WARM, max_tokens=9, candidates=candidates)]
        requests.append(Request((text,), max_tokens=9))
        fresh = LlamaBackend(tmp_path / "m.gguf", threads=1)
        for request in requests:
            mine, others = list(hybrid.write(request, never)), list(fresh.write(request, never))
            for candidate in range(request.candidates):
                assert text_of(mine, candidate) == text_of(others, candidate)
        fresh.close()


def test_what_is_typed_is_all_that_is_read_of_a_state(hybrid: LlamaBackend) -> None:
    for size in range(20, len(CODE)):
        list(hybrid.write(Request((CODE[:size],), max_tokens=3, candidates=2, sampling=WARM), never))
        if size > 20:
            assert hybrid.usage.read <= 8
            assert hybrid.usage.cached >= 10


def test_a_cancelled_reading_of_a_state_is_continued(hybrid: LlamaBackend) -> None:
    request = Request((CODE,), max_tokens=1)
    with pytest.raises(Cancelled):
        list(hybrid.write(request, after(2)))
    list(hybrid.write(request, never))
    assert hybrid.usage.cached > 0


@pytest.mark.parametrize("candidate", range(3))
def test_an_accepted_answer_is_not_read_again(model: LlamaBackend, candidate: int) -> None:
    request = of([*DIFFS, ""], begins=["@@ -9,0 +10 @@\n+"], sampling=WARM, max_lines=3, candidates=3)
    pieces = list(model.write(request, never))
    answer = text_of(pieces, candidate).rstrip()
    goes_on = list(model.write(of([*DIFFS, answer], max_tokens=12), never))
    assert text_of(goes_on) == plainly((*DIFFS, answer))
    # Now and then the model splits a word otherwise than the tokenizer: read is what follows that.
    assert model.usage.read < model.count(answer) / 2


def test_a_cancelled_reading_is_continued(model: LlamaBackend) -> None:
    lines = "".join(f"+value_{number} = {number * 7}\n" for number in range(20))
    request = of(["quite another text\n", lines, ""], max_tokens=1)
    total = length(request.prompt, model.count)
    list(model.write(of(["x"], max_tokens=1), never))
    model._piece = 32
    with pytest.raises(Cancelled):
        list(model.write(request, after(2)))
    read = model.usage.read
    assert 0 < read < total
    list(model.write(request, never))
    assert (model.usage.cached, model.usage.read) == (read, total - read)


def place(name: str) -> tuple[str, ...]:
    """A prompt that shares nothing with another one."""
    return (f"{name}\n", "".join(f"+{name}_{number} = {number * 7}\n" for number in range(40)), f"@@ {name}")


def test_places_that_were_left_are_not_read_again(model: LlamaBackend) -> None:
    total = length(joined(*place("here")), model.count)
    answers = {}
    for name in ("here", "there", "yonder"):
        answers[name] = text_of(list(model.write(of(place(name), max_tokens=12), never)))
        assert model.usage.read > total - 20
    for name in ("here", "there", "here", "yonder", "there"):
        assert text_of(list(model.write(of(place(name), max_tokens=12), never))) == answers[name]
        assert model.usage.read <= 2
    assert answers["there"] == plainly(place("there"))


def test_few_places_are_kept(model: LlamaBackend) -> None:
    for number in range(9):
        list(model.write(of(place(f"p{number}"), max_tokens=1), never))
    list(model.write(of(place("p2"), max_tokens=1), never))
    assert model.usage.cached < 20


def test_what_is_read_ahead_is_not_read_again(model: LlamaBackend) -> None:
    """Nor is what was there before, when the next key is one that nobody foresaw."""
    lines = "\n+".join(f"value_{number} = {number * 7}" for number in range(8))
    typed = [*DIFFS, f"@@ -9,0 +10,8 @@\n+{lines}"]
    below = [*DIFFS[:2], f"{DIFFS[2]}\n+{lines}\n", "@@ -10,0"]
    list(model.write(of(["x"], max_tokens=1), never))
    written = text_of(list(model.write(of(typed, max_tokens=9), never)))
    pieces = list(model.write(of(below, max_tokens=0), never))
    assert [(piece.text, piece.tokens, piece.stop) for piece in pieces] == [("", 0, Stop.LENGTH)]
    assert model.usage.read > 8
    assert model.usage.written == 0
    assert text_of(list(model.write(of(typed, max_tokens=9), never))) == written
    assert model.usage.read <= 2
    assert text_of(list(model.write(of(below, max_tokens=12), never))) == plainly(tuple(below))
    assert model.usage.read <= 2


def test_cancelled_between_tokens(model: LlamaBackend) -> None:
    list(model.write(of(DIFFS, max_tokens=1), never))
    stream = model.write(of(DIFFS, max_tokens=20), after(4))  # one piece to read, three tokens
    with pytest.raises(Cancelled):
        list(stream)
    assert model.usage.written == 3


def test_candidates_are_what_they_would_be_alone(model: LlamaBackend) -> None:
    together = list(model.write(of(DIFFS, sampling=WARM, max_tokens=15, candidates=4), never))
    for index in range(4):
        sampling = Sampling(WARM.temperature, WARM.top_p, WARM.min_p, WARM.seed + index)
        alone = list(model.write(of(DIFFS, sampling=sampling, max_tokens=15), never))
        mine = [piece for piece in together if piece.candidate == index]
        assert text_of(alone) == text_of(mine, index)
        assert sum(piece.tokens for piece in alone) == sum(piece.tokens for piece in mine)
        assert sum(piece.logprob for piece in alone) == pytest.approx(
            sum(piece.logprob for piece in mine), abs=0.05
        )
        assert [piece.stop is not None for piece in mine] == [False] * (len(mine) - 1) + [True]


@pytest.mark.parametrize(
    "begin", ["@@ -9,0 +10,2 @@\n+", "zqxSMALL_MODEL", "é🙂\u2028", " \t\x0c", "<|diff|>", "\x00", "_value"]
)
def test_an_answer_starts_as_asked(model: LlamaBackend, begin: str) -> None:
    pieces = list(model.write(of(DIFFS, begins=[begin], sampling=WARM, max_tokens=24), never))
    assert text_of(pieces).startswith(begin)
    assert "\ufffd" not in text_of(pieces)[: len(begin)]


def test_one_of_many_headers(model: LlamaBackend) -> None:
    headers = [f"@@ -{a},0 +{a + 1},{n} @@\n+" for a in range(40) for n in range(2, 9)]
    request = of([*DIFFS[:2], ""], begins=[*headers, "\n"], sampling=WARM, max_tokens=30, candidates=8)
    pieces = list(model.write(request, never))
    for index in range(8):
        assert text_of(pieces, index).startswith((*headers, "\n"))


def test_a_half_typed_token_is_finished(model: LlamaBackend) -> None:
    typed = "@@ -0,0 +1,2 @@\n+def f(x):\n+    retu"
    pieces = list(model.write(of(["", typed], max_lines=1), never))
    assert text_of(pieces).startswith("rn")
    asked = list(model.write(of(["", typed], begins=["rned =", "rnable"], max_lines=1), never))
    assert text_of(asked).startswith(("rned =", "rnable"))


def test_logprob_is_of_the_model_without_mask(model: LlamaBackend) -> None:
    prompt = [*DIFFS, ""]
    free = list(model.write(of(prompt, max_tokens=8), never))
    logprob = sum(piece.logprob for piece in free)
    assert sum(piece.tokens for piece in free) == model.usage.written
    masked = list(model.write(of(prompt, begins=[text_of(free)], max_tokens=8), never))
    assert sum(piece.logprob for piece in masked) == pytest.approx(logprob, abs=1e-3)
    [one] = model.write(of(prompt, max_tokens=1), never)
    logits = model._logits(-1).astype(np.float64)
    assert one.logprob == pytest.approx(-np.log(np.exp(logits - logits.max()).sum()), abs=1e-4)
    forced = list(model.write(of(prompt, begins=["QQQQ"], max_tokens=3), never))
    assert sum(piece.logprob for piece in forced) < -10


def test_what_is_typed_is_certain(model: LlamaBackend) -> None:
    [one] = model.write(of([*DIFFS[:2], "@@ -3,0 +4 @@\n+de"], max_tokens=1), never)
    logits = model._logits(-1).astype(np.float64)
    possible = [
        id_
        for id_, text in enumerate(model._tokenizer.texts)
        if text.startswith(b"de") or text in (b"d", b"")
    ]
    weights = {id_: math.exp(logits[id_]) for id_ in possible if model._tokenizer.texts[id_]}
    assert one.text == "f"
    assert one.logprob == pytest.approx(
        math.log(weights[model._tokenizer.texts.index(b"def")] / sum(weights.values())), abs=1e-4
    )


def test_lines_are_limited(model: LlamaBackend) -> None:
    begins = ["a\nb\nc\nd"]
    for lines in (1, 2, 3):
        pieces = list(model.write(of(DIFFS, begins=begins, max_lines=lines), never))
        assert text_of(pieces) == "a\nb\nc\n"[: 2 * lines]
        assert pieces[-1].stop is Stop.LENGTH


def test_tokens_are_limited(model: LlamaBackend) -> None:
    pieces = list(model.write(of(DIFFS, begins=["x" * 60], max_tokens=5), never))
    assert (sum(piece.tokens for piece in pieces), pieces[-1].stop) == (5, Stop.LENGTH)


def test_the_context_is_limited() -> None:
    small = LlamaBackend(SMALL_MODEL, threads=1, context=24)
    prompt = ["", "+x = 1\n+y = 2"]
    pieces = list(small.write(of(prompt, begins=["z" * 99]), never))
    used = small.usage.read + small.usage.written
    assert (used, pieces[-1].stop) == (small.context, Stop.LENGTH)
    with pytest.raises(ModelError, match="context is 24"):
        list(small.write(of(["+x = 1\n" * 20]), never))
    small.close()


def test_layers_for_a_gpu_are_computed_here_where_there_is_none(model: LlamaBackend) -> None:
    if llama_cpp.llama_supports_gpu_offload():
        pytest.skip("this llama.cpp was built for a GPU, which rounds otherwise")
    other = LlamaBackend(SMALL_MODEL, threads=1, gpu_layers=99)
    request = of(DIFFS, max_tokens=12)
    assert text_of(list(other.write(request, never))) == text_of(list(model.write(request, never)))
    other.close()


def test_the_context_is_what_the_model_was_trained_for(model: LlamaBackend) -> None:
    assert model.context == SMALL_MODEL_CONTEXT


@pytest.mark.parametrize("request_", [Request([""]), Request(["x"], candidates=CANDIDATES + 1)])
def test_what_cannot_be_asked(model: LlamaBackend, request_: Request) -> None:
    with pytest.raises(ModelError):
        list(model.write(request_, never))


def test_a_failure_of_the_library_is_survived(model: LlamaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = text_of(list(model.write(of(DIFFS, max_tokens=9), never)))
    with monkeypatch.context() as patch:
        patch.setattr(llama_cpp, "llama_decode", lambda *_: 1)
        with pytest.raises(ModelError, match="code 1"):
            list(model.write(of(DIFFS), never))
    assert text_of(list(model.write(of(DIFFS, max_tokens=9), never))) == expected
    assert model.usage.cached == 0


def test_nothing_is_written_to_the_descriptors(capfd: pytest.CaptureFixture[str]) -> None:
    backend = open_model()
    list(backend.write(of(DIFFS, max_tokens=3), never))
    backend.close()
    assert capfd.readouterr() == ("", "")


def test_closed(model: LlamaBackend) -> None:
    backend = open_model()
    stream = backend.write(of(DIFFS), never)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    backend.close()
    backend.close()
    with pytest.raises(ModelError, match="closed"):
        next(backend.write(of(DIFFS), never))
    with pytest.raises(ModelError, match="closed"):
        backend.count("x")
    assert model.count("x") == 1


# The file


@pytest.mark.skipif(sys.platform != "linux", reason="where the mapped files of a process can be read")
@pytest.mark.parametrize("limit", [SMALL_MODEL.stat().st_size, SMALL_MODEL.stat().st_size + 1])
def test_a_large_file_is_mapped_and_of_a_small_one_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: LlamaBackend, limit: int
) -> None:
    path = changed(tmp_path, lambda data: data)
    monkeypatch.setattr(llama_library, "_MAPPED", limit)
    other = LlamaBackend(path, threads=1)
    mapped = Path("/proc/self/maps").read_text()
    request = of(DIFFS, max_tokens=8)
    written = text_of(list(other.write(request, never)))
    other.close()
    assert (str(path) in mapped) == (limit <= path.stat().st_size)
    assert written == text_of(list(model.write(request, never)))


# Files that are no model


def changed(folder: Path, change: Callable[[bytearray], bytes | bytearray]) -> Path:
    path = folder / "changed.gguf"
    path.write_bytes(change(bytearray(SMALL_MODEL.read_bytes())))
    return path


@pytest.mark.parametrize("keep", [0, 3, 4, 10, 24, 100, 60_000, 125_000, 130_000, 3_000_000, -1])
def test_truncated(tmp_path: Path, keep: int) -> None:
    path = changed(tmp_path, lambda data: data[:keep])
    with pytest.raises(ModelFileError, match=r"changed\.gguf"):
        LlamaBackend(path)


@pytest.mark.parametrize("garbage", [b"", b"PK\x03\x04" * 99, b"GGUF" + b"\xff" * 999, b"GGUF" + bytes(999)])
def test_garbage(tmp_path: Path, garbage: bytes) -> None:
    with pytest.raises(ModelFileError):
        LlamaBackend(changed(tmp_path, lambda _: garbage))


def test_not_there_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(ModelFileError, match="cannot be read"):
            LlamaBackend(path)


def test_a_model_without_the_token_opens_and_says_so(tmp_path: Path) -> None:
    """Which format it has is not the backend's to know."""
    path = changed(tmp_path, lambda data: data.replace(b"<|diff|>", b"<|dixx|>"))
    other = LlamaBackend(path, threads=1)
    assert not other.has(DIFF)
    assert other.has(Special("<|dixx|>"))
    assert detect(other.has, other.name).name == "plain"
    with pytest.raises(TokenizerError, match="'paper-1' does not fit"):
        detect(other.has, other.name, "paper-1")
    with pytest.raises(ModelError, match=r"no token <\|diff\|>"):
        list(other.write(of(DIFFS), never))
    assert text_of(list(other.write(Request(["x = "], max_tokens=3), never)))
    other.close()


def test_a_special_token_is_one_of_the_vocabulary_and_no_word(model: LlamaBackend) -> None:
    assert model.has(DIFF)
    assert not model.has(Special("def"))
    assert not model.has(Special("<|fim_prefix|>"))
    assert not model.has(Special(""))


def test_damaged_weights(tmp_path: Path) -> None:
    def spoil(data: bytearray) -> bytearray:
        data[1_000_000:] = b"\xff" * (len(data) - 1_000_000)
        return data

    with pytest.raises(ModelError, match="weights are damaged"):
        list(LlamaBackend(changed(tmp_path, spoil)).write(of(DIFFS), never))


def test_the_boundarys_characters_are_text(tmp_path: Path, model: LlamaBackend) -> None:
    def make_user_defined(data: bytearray) -> bytearray:
        """As other converters store it: llama.cpp then takes it out of any text."""
        key = b"tokenizer.ggml.token_type"
        types = data.index(key) + len(key) + 4 + 4 + 8
        boundary = types + 4 * model._special(DIFF)
        data[boundary : boundary + 4] = (4).to_bytes(4, "little")
        return data

    other = LlamaBackend(changed(tmp_path, make_user_defined), threads=1)
    for text in ("<|diff|>", "a<|diff|><|diff|>b", "<|diff|<|diff|>|>", '+print("<|diff|>")\n'):
        for backend in (model, other):
            backend.has(DIFF)
            ids = backend._prompt_ids([text])
            assert backend._special(DIFF) not in ids
            assert b"".join(backend._tokenizer.texts[token] for token in ids) == text.encode()
            assert backend._prompt_ids([DIFF, text]) == [backend._special(DIFF), *ids]
    other.close()


def probability(model: LlamaBackend, prompt: list[str], begin: str) -> float:
    """Log-probability of the tokens that write `begin` when that is all that is allowed."""
    total, written = 0.0, ""
    for piece in model.write(of(prompt, begins=[begin], max_tokens=40), never):
        if len(written) >= len(begin):
            break
        total, written = total + piece.logprob, written + piece.text
    return total


@pytest.mark.parametrize("above", [0, 3, 7, 8])
def test_the_most_probable_of_many_beginnings_is_taken(model: LlamaBackend, above: int) -> None:
    lines = [f"    total_{number} = read(path)" for number in range(above)]
    prompt = ["\n", *as_diffs(lines, above, Layout.SUFFIX_FIRST), ""]
    counts = {1: " @@", **{count: f",{count}" for count in range(2, 9)}}
    best = max(
        counts, key=lambda count: probability(model, prompt, f"@@ -{above},0 +{above + 1}{counts[count]}")
    )
    begins = [f"{header(above, count)}\n+    total" for count in counts]
    pieces = list(model.write(of(prompt, begins=begins, max_lines=2), never))
    assert text_of(pieces).startswith(begins[best - 1])
    assert len(text_of(pieces)) > len(begins[best - 1])


def test_beginnings_that_share_a_token_do_not_outvote_one(model: LlamaBackend) -> None:
    """A comma opens seven counts; the count of one is more probable than each of them, not than all."""
    lines = ["def read(path):", "    text = path.read_text()"]
    prompt = ["\n", *as_diffs(lines, 2, Layout.SUFFIX_FIRST), ""]
    one, several = (probability(model, prompt, f"@@ -2,0 +3{text}") for text in (" @@", ","))
    assert one < several
    begins = [f"{header(2, count)}\n+    " for count in range(1, 9)]
    assert text_of(list(model.write(of(prompt, begins=begins, max_lines=2), never))).startswith(begins[0])


@pytest.mark.parametrize("lines", [["x = 1"], ["import os", "", "def f():", "    pass"]])
def test_places_and_counts_are_chosen_together(model: LlamaBackend, lines: list[str]) -> None:
    prompt = ["\n", *as_diffs(lines, 1, Layout.SUFFIX_FIRST), ""]
    counts = [" @@", *(f",{count} @@" for count in range(2, 9))]
    openings = ["\n", *(f"@@ -{at},0 +{at + 1}{count}\n" for at in range(len(lines) + 1) for count in counts)]
    ranked = sorted(openings, key=lambda opening: -probability(model, prompt, opening))
    request = of(prompt, groups=next_headers(len(lines), 8), max_tokens=20)
    written = text_of(list(model.write(request, never)))
    assert written.startswith(tuple(ranked[:2])), ranked.index(written.partition("\n")[0] + "\n")
    assert text_of(list(model.write(of([*DIFFS], max_tokens=12), never))) == plainly(tuple(DIFFS))


@pytest.mark.parametrize("candidates", [1, 3])
@pytest.mark.parametrize("lines", [["x = 1"], ["import os", "", "def f():", "    pass"]])
def test_what_was_chosen_together_is_as_probable_as_alone(
    model: LlamaBackend, lines: list[str], candidates: int
) -> None:
    prompt = ["\n", *as_diffs(lines, 1, Layout.SUFFIX_FIRST), ""]
    request = of(prompt, groups=next_headers(len(lines), 8), max_tokens=40, candidates=candidates)
    pieces = list(model.write(request, never))
    for candidate in range(candidates):
        written, logprob = "", 0.0
        for piece in (piece for piece in pieces if piece.candidate == candidate):
            if "\n" not in written:
                written, logprob = written + piece.text, logprob + piece.logprob
        assert logprob == pytest.approx(probability(model, prompt, written), abs=0.01)


def test_a_search_is_cancelled_between_any_two_steps(model: LlamaBackend) -> None:
    prompt = ["\n", *as_diffs(["import os", "", "x = 1"], 1, Layout.SUFFIX_FIRST), ""]
    request = of(prompt, groups=next_headers(3, 8), max_tokens=1)
    list(model.write(request, never))  # so that the prompt is held
    polls = itertools.count()
    list(model.write(request, lambda: next(polls) < 0))
    needed = next(polls)
    assert needed > 4, "a step each of the search, and of what is written"
    for cancelled_at in range(needed):
        with pytest.raises(Cancelled):
            list(model.write(request, after(cancelled_at)))
        assert text_of(list(model.write(of([*DIFFS], max_tokens=12), never))) == plainly(tuple(DIFFS))


COUNTER = """\
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    text: str

    @property
    def counts(self):
        return Counter(self.text.split())

    def most_common(self, number):
        return self.counts.most_common(number)
""".splitlines()


def test_the_end_is_held_against_all_that_can_be_inserted(model: LlamaBackend) -> None:
    bites = False
    for above in range(len(COUNTER) + 1):
        prompt = ["\n", *as_diffs(COUNTER, above, Layout.SUFFIX_FIRST), ""]
        request = of(prompt, groups=next_headers(len(COUNTER), 8), max_tokens=30)
        header_, line_end, _ = text_of(list(model.write(request, never))).partition("\n")
        end = math.exp(probability(model, prompt, END))
        assert bool(header_) == (end < 0.5), end
        bites |= math.exp(probability(model, prompt, header_ + line_end)) < end < 0.5
    assert bites, "somewhere the end is likelier than any one header"


@pytest.mark.parametrize(
    ("wanted", "processors", "threads"),
    [(None, 1, 1), (None, 2, 1), (None, 4, 2), (None, 64, 4), (3, 8, 3), (10_000, 2, 2)],
)
def test_there_are_never_more_threads_than_processors(
    wanted: int | None, processors: int, threads: int
) -> None:
    assert threads_for(wanted, processors) == threads


@pytest.mark.parametrize(
    ("size", "milliseconds", "following"),
    [
        (8, 12, 16),
        (16, 18, 16),
        (16, 14, 32),
        (32, 33, 32),
        (8, 30, 8),
        (16, 60, 8),
        (8, 0.1, 16),
        (512, 10, 512),
    ],
)
def test_a_piece_of_a_prompt_is_no_odd_number_of_tokens_and_none_takes_long(
    size: int, milliseconds: float, following: int
) -> None:
    assert next_piece(size, milliseconds / 1000) == following
