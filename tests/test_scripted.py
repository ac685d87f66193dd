"""Recordings come back whole, however they are cut."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.backends.base import Ending, Part, Piece, Request, Special, Stop, Usage
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.errors import Cancelled
from lintseq_lsp.formats.lintseq import DIFF


def never() -> bool:
    return False


def of(*prompt: Part, **rest: Any) -> Request:
    return Request(prompt, frozenset({DIFF}), **rest)


def ask(backend: ScriptedBackend, request: Request) -> list[tuple[str, Ending | None]]:
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
    request = of("a", DIFF, "")
    assert [ask(backend, request) for _ in diffs] == [[(diff, DIFF)] for diff in diffs]
    assert [ask(backend, request) for _ in range(2)] == [[("", Stop.END)]] * 2
    assert backend.requests == [request] * (len(diffs) + 2)


def test_an_unfinished_last_diff_ends_the_sequence() -> None:
    backend = ScriptedBackend(["a\n<|diff|>b", "c<|diff|>\n<|diff|>d"])
    assert ask(backend, of("", candidates=5)) == [
        ("a\n", DIFF),
        ("b", Stop.END),
        ("c<|diff|>\n", DIFF),
        ("d", Stop.END),
        ("", Stop.END),
    ]


def test_lines_and_tokens_are_limited() -> None:
    def text_of(stream: str, **limits: int) -> list[tuple[str, Ending | None]]:
        return ask(ScriptedBackend([stream], piece=2), of("", **limits))

    assert text_of("a\nb\nc", max_lines=2) == [("a\nb\n", Stop.LENGTH)]
    assert text_of("a\nb\n<|diff|>", max_lines=2) == [("a\nb\n", Stop.LENGTH)]
    assert text_of("a\n<|diff|>b", max_lines=2) == [("a\n", DIFF)]
    assert text_of("abcdef", max_tokens=2) == [("abcd", Stop.LENGTH)]


def test_an_answer_goes_on_from_what_the_prompt_ends_with() -> None:
    for typed, rest in [
        ("+    ", "return x"),
        ("+    retu", "rn x"),
        ("+    return", " x"),
        ("+  y", " return x"),
    ]:
        assert ask(ScriptedBackend([" return x"]), of("", DIFF, typed)) == [(rest, Stop.END)]


def test_a_recording_is_not_bent_to_begins() -> None:
    assert ask(ScriptedBackend(["xyz"]), of("", begins=[["a"]])) == [("xyz", Stop.END)]


def test_a_boundary_counts_at_the_beginning_of_a_line() -> None:
    code = "@@ -0,0 +1 @@\n+token = '<|diff|><|diff|>'\n"
    backend = ScriptedBackend([f"{code}<|diff|>\n<|diff|><|diff|>"])
    assert ask(backend, of("", candidates=5)) == [
        (code, DIFF),
        ("\n", DIFF),
        ("", DIFF),
        ("", Stop.END),
        ("", Stop.END),
    ]


def test_the_first_of_several_stops_counts() -> None:
    stops: frozenset[Part] = frozenset({DIFF, Special("<|other|>"), "END"})
    backend = ScriptedBackend(["a\n<|other|>bENDc\n<|diff|>d"])
    request = Request([""], stops, candidates=4)
    assert ask(backend, request) == [
        ("a\n", Special("<|other|>")),
        ("b", "END"),
        ("c\n", DIFF),
        ("d", Stop.END),
    ]


def test_cancelled_between_pieces() -> None:
    answers = ScriptedBackend(["abcdef"], piece=2)
    calls = iter([False, True])
    stream = answers.write(of("1234", DIFF, "5678"), lambda: next(calls))
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
