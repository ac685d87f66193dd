"""Recordings come back whole, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.backends.base import Piece, Request, Stop, Usage
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.errors import Cancelled


def never() -> bool:
    return False


def ask(backend: ScriptedBackend, request: Request) -> list[tuple[str, Stop | None]]:
    pieces = list(backend.write(request, never))
    return [
        (
            "".join(piece.text for piece in pieces if piece.candidate == index),
            [piece.stop for piece in pieces if piece.candidate == index][-1],
        )
        for index in range(request.candidates)
    ]


@given(st.lists(st.text(alphabet="+a\né<|", max_size=9), min_size=1, max_size=4), st.integers(1, 9))
def test_diffs_come_one_by_one_then_the_end(diffs: list[str], piece: int) -> None:
    diffs = [diff + "\n" for diff in diffs]
    backend = ScriptedBackend(["<|diff|>".join([*diffs, ""])], piece=piece)
    request = Request(["a", ""])
    assert [ask(backend, request) for _ in diffs] == [[(diff, Stop.BOUNDARY)] for diff in diffs]
    assert [ask(backend, request) for _ in range(2)] == [[("", Stop.END)]] * 2
    assert backend.requests == [request] * (len(diffs) + 2)


def test_an_unfinished_last_diff_ends_the_sequence() -> None:
    backend = ScriptedBackend(["a\n<|diff|>b", "c<|diff|>\n<|diff|>d"])
    assert ask(backend, Request([""], candidates=5)) == [
        ("a\n", Stop.BOUNDARY),
        ("b", Stop.END),
        ("c<|diff|>\n", Stop.BOUNDARY),
        ("d", Stop.END),
        ("", Stop.END),
    ]


def test_lines_and_tokens_are_limited() -> None:
    def text_of(stream: str, **limits: int) -> list[tuple[str, Stop | None]]:
        return ask(ScriptedBackend([stream], piece=2), Request([""], **limits))

    assert text_of("a\nb\nc", max_lines=2) == [("a\nb\n", Stop.LENGTH)]
    assert text_of("a\nb\n<|diff|>", max_lines=2) == [("a\nb\n", Stop.LENGTH)]
    assert text_of("a\n<|diff|>b", max_lines=2) == [("a\n", Stop.BOUNDARY)]
    assert text_of("abcdef", max_tokens=2) == [("abcd", Stop.LENGTH)]


def test_an_answer_goes_on_from_what_the_prompt_ends_with() -> None:
    for typed, rest in [
        ("+    ", "return x"),
        ("+    retu", "rn x"),
        ("+    return", " x"),
        ("+  y", " return x"),
    ]:
        assert ask(ScriptedBackend([" return x"]), Request(["", typed])) == [(rest, Stop.END)]


def test_a_recording_is_not_bent_to_begins() -> None:
    assert ask(ScriptedBackend(["xyz"]), Request([""], begins=["a"])) == [("xyz", Stop.END)]


def test_cancelled_between_pieces() -> None:
    answers = ScriptedBackend(["abcdef"], piece=2)
    calls = iter([False, True])
    stream = answers.write(Request(["1234", "5678"]), lambda: next(calls))
    assert next(stream) == Piece(0, "ab", 1, -1.0)
    with pytest.raises(Cancelled):
        next(stream)
    assert answers.usage == Usage(read=3, written=1)


def test_count_is_by_bytes() -> None:
    assert [ScriptedBackend([]).count(text) for text in ("", "a", "abcd", "abcde", "éé", "\ud800")] == [
        0,
        1,
        1,
        2,
        1,
        1,
    ]
