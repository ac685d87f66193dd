"""Answers that go round in circles, by piece and by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.repetition import LoopDetector, repeated_from


def closes_after(pieces: list[str]) -> int | None:
    """The number of the piece that closes a circle."""
    detector = LoopDetector()
    return next((number for number, piece in enumerate(pieces, 1) if detector.ends_in_loop(piece)), None)


@pytest.mark.parametrize(
    ("begin", "circle", "most"),
    [
        (["url", " =", ' "'], ["/", "ai"], 30),
        (["self"], [".", "form", "atter"], 30),
        ([], list("abcdefghijklmnopqrstuvwxyz"), 80),
        (["x"], ["-"], 30),
    ],
)
def test_a_circle_is_seen_before_long(begin: list[str], circle: list[str], most: int) -> None:
    closed = closes_after([*begin, *circle * 50])
    assert closed is not None
    assert len(begin) + 3 * len(circle) <= closed <= most


def test_what_is_alike_is_not_the_same() -> None:
    fields = [piece for name in "abcdefghijklmnop" for piece in (f"{name}", ":", " int", " =", " 0", "\n")]
    assert closes_after(fields) is None
    assert closes_after(list("0, 0, 0, 1\n1, 0, 0, 0\n")) is None


@given(st.lists(st.text(max_size=3), max_size=60, unique=True))
def test_pieces_that_all_differ_close_nothing(pieces: list[str]) -> None:
    assert closes_after(pieces) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a\nb\nc", 3),
        ("a\na", 1),
        ("a\n\n    a", 2),
        ("x\nif a:\n    b\nif a:\n    b\nif a:\n    b", 3),
        ("if a:\n    b\nif a:\n    c", 4),
        ("a\nb\na\nc", 4),
        ("\n\n\n", 4),
    ],
)
def test_lines_that_are_said_again(text: str, expected: int) -> None:
    assert repeated_from(text.split("\n")) == expected


@given(st.lists(st.sampled_from("abc"), max_size=12))
def test_nothing_is_left_to_cut(lines: list[str]) -> None:
    kept = lines[: repeated_from(lines)]
    assert repeated_from(kept) == len(kept)


@given(st.lists(st.text("abcdef", min_size=1), min_size=1, max_size=6, unique=True))
def test_a_block_is_kept_once(block: list[str]) -> None:
    kept = repeated_from(block * 3)
    assert kept == len(block)
