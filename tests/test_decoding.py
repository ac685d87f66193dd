"""From logits to text, without a model: what is drawn, how an answer begins, and where it stops."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.backends.base import Ending, Request, Sampling, Special, Stop
from lintseq_lsp.backends.begins import Begins, Vocabulary
from lintseq_lsp.backends.decoding import (
    Beam,
    Logits,
    TextStops,
    Tokens,
    Writer,
    draw,
    likeliest_begin,
    likeliest_group,
)
from lintseq_lsp.errors import Cancelled, ModelError

TEXTS = [b"", b"a", b"b", b"ab", b"\n", b"+", b"\xc3", b"\xa9", b""]
END, MARK = 0, 8
VOCABULARY = Vocabulary(TEXTS)
SILENT = np.array([not text for text in TEXTS])
DIFF = Special("<|diff|>")


def tokens(ends: dict[int, Ending] | None = None) -> Tokens:
    return Tokens(TEXTS, SILENT, {END: Stop.END} if ends is None else ends)


def logits(**likely: float) -> Logits:
    """Of the tokens that write these texts; `end`, `mark` and `newline` are others."""
    row = np.full(len(TEXTS), -9.0, np.float32)
    for text, value in likely.items():
        at = {"end": END, "mark": MARK, "newline": 4}.get(text)
        row[TEXTS.index(text.encode()) if at is None else at] = value
    return row


def writer(*begins: str, given: str = "", **rest: object) -> Writer:
    request = Request(("x",), **rest)  # type: ignore[arg-type]
    return Writer(0, request, 99, Begins(begins or ("",), VOCABULARY), given=given)


def written(writer: Writer, choices: Sequence[int], known: Tokens) -> tuple[str, Ending | None]:
    text: str = ""
    for token in choices:
        piece = writer.take(token, known.texts[token], -1.0, known.ends.get(token))
        text += piece.text if piece else ""
        if piece and piece.stop:
            return text, piece.stop
    return text, None


# What is chosen


def test_the_likeliest_token_is_chosen_and_its_probability_is_that_among_all() -> None:
    token, logprob = tokens().choose(logits(a=1.0, b=1.0), writer())
    assert token == 1
    assert logprob == pytest.approx(np.log(0.5), abs=1e-3)


def test_a_token_that_writes_nothing_is_chosen_only_where_it_ends_something() -> None:
    assert tokens().choose(logits(mark=5.0, a=1.0), writer())[0] == 1
    assert tokens({END: Stop.END, MARK: DIFF}).choose(logits(mark=5.0, a=1.0), writer())[0] == MARK


def test_an_answer_begins_as_it_must_and_is_free_behind_that() -> None:
    constrained, row = writer("ab"), logits(b=5.0, a=1.0)
    assert tokens().choose(row, constrained)[0] == 1
    constrained.take(1, b"a", 0.0, None)
    assert tokens().choose(logits(a=5.0), constrained)[0] == 2
    constrained.take(2, b"b", 0.0, None)
    assert tokens().choose(logits(a=5.0), constrained)[0] == 1


def test_what_is_given_counts_among_what_may_write_it() -> None:
    _, logprob = tokens().choose(logits(b=9.0, a=1.0, ab=1.0), writer("a", given="a"))
    assert logprob == pytest.approx(np.log(0.5), abs=1e-3)


def test_damaged_weights_and_texts_that_no_token_leads_to_are_errors() -> None:
    with pytest.raises(ModelError, match="weights are damaged"):
        tokens().choose(np.full(len(TEXTS), np.nan, np.float32), writer())
    with pytest.raises(ModelError, match="start with"):
        tokens().choose(logits(a=1.0), writer("zzz"))


# What is written


def test_what_is_given_is_in_no_piece() -> None:
    assert written(writer("a", given="a"), [3, END], tokens()) == ("b", Stop.END)


def test_a_character_comes_whole() -> None:
    accented = writer()
    assert accented.take(6, TEXTS[6], -1.0, None) is None
    piece = accented.take(7, TEXTS[7], -2.0, None)
    assert piece is not None
    assert (piece.text, piece.tokens, piece.logprob) == ("é", 2, -3.0)


def test_lines_and_tokens_end_a_candidate() -> None:
    assert written(writer(max_lines=1), [1, 4, 1], tokens()) == ("a\n", Stop.LENGTH)
    assert written(writer(max_tokens=2), [1, 2, 1], tokens()) == ("ab", Stop.LENGTH)
    assert written(writer(), [1, MARK], tokens({MARK: DIFF})) == ("a", DIFF)


def test_a_text_ends_a_candidate_and_is_in_no_piece() -> None:
    assert written(writer(stops=frozenset({"bb", "ab+"})), [1, 3, 5, 1], tokens()) == ("a", "ab+")
    assert written(writer(stops=frozenset({"bb"})), [1, 2, 1, END], tokens()) == ("aba", Stop.END)


@given(
    st.text("ab+", max_size=20),
    st.lists(st.text("ab+", min_size=1, max_size=4), max_size=3),
    st.integers(1, 5),
)
def test_stops_are_found_however_the_text_comes(text: str, stops: list[str], size: int) -> None:
    looking, got, ended = TextStops(stops), "", None
    for start in range(0, len(text), size):
        part, ended = looking.take(text[start : start + size], None)
        got += part
        if ended is not None:
            break
    else:
        part, ended = looking.take("", Stop.END)
        got += part
    first = min((text.find(stop) for stop in stops if stop in text), default=-1)
    if first < 0:
        assert (got, ended) == (text, Stop.END)
    else:
        assert text.startswith(got)
        assert text[len(got) :].startswith(str(ended))
        assert len(got) >= first


# What an answer begins with


def decode(rows: dict[bytes, Logits]):  # type: ignore[no-untyped-def]
    return lambda beams: (list(beams), [rows[beam.written] for beam in beams])


def test_the_group_is_chosen_first() -> None:
    """Each of the others is less probable than the end, all together are not."""
    end, others = Begins(("\n",), VOCABULARY), Begins(("a", "b", "+"), VOCABULARY)
    assert likeliest_group(logits(newline=1.0, a=0.9, b=0.9), [end, others]) is others
    assert likeliest_group(logits(newline=3.0, a=0.9, b=0.9), [end, others]) is end


def test_the_text_that_is_likeliest_as_a_whole_is_taken() -> None:
    """Greedily `a` would come first, and then nothing that is probable."""
    begins = Begins(("a+", "aa", "b+"), VOCABULARY)
    rows = {b"a": logits(a=0.0, b=4.0, **{"+": 0.0}), b"b": logits(**{"+": 4.0})}
    found = likeliest_begin(logits(a=1.1, b=1.0), begins, TEXTS, decode(rows), lambda: False)
    assert found == (2,), "which settles it"
    with pytest.raises(Cancelled):
        likeliest_begin(logits(a=1.1, b=1.0), begins, TEXTS, decode(rows), lambda: True)


def test_a_beam_grows_by_a_token() -> None:
    assert Beam().with_token(3, b"ab", -1.0).with_token(1, b"a", -2.0) == Beam(-3.0, b"aba", (3, 1), 0)


# What is drawn


@given(
    st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=30),
    st.floats(0.25, 2),
    st.sampled_from([0.1, 0.5, 0.9, 0.999, 1.0]),
    st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    st.floats(0, 1, exclude_max=True),
)
def test_draw_keeps_to_nucleus_and_floor(
    logits: list[float], temperature: float, top_p: float, min_p: float, chance: float
) -> None:
    drawn = draw(np.array(logits, np.float32), Sampling(temperature, top_p, min_p), chance)
    weights = np.exp((np.array(logits) - max(logits)) / temperature)
    likelier = weights[weights > weights[drawn] * (1 + 1e-4)].sum() / weights.sum()
    assert likelier <= top_p + 1e-4
    assert weights[drawn] >= min_p * (1 - 1e-4)


def test_draw_follows_the_distribution() -> None:
    logits = np.log(np.array([0.1, 0.2, 0.7], np.float32))
    counts = np.bincount([draw(logits, Sampling(1.0), (i + 0.5) / 1000) for i in range(1000)])
    assert counts.tolist() == pytest.approx([100, 200, 700], abs=1)
    sharp = [draw(logits, Sampling(1.0, top_p=0.85), (i + 0.5) / 900) for i in range(900)]
    assert np.bincount(sharp).tolist() == pytest.approx([0, 200, 700], abs=1)
