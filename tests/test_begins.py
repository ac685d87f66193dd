"""The mask, against its definition tried on every token."""

from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.backends.begins import Begins, Vocabulary

texts = st.text(alphabet="ab@é\n", max_size=5)
pieces = st.lists(st.text(alphabet="ab@é\n", max_size=3).map(str.encode), max_size=30)
cut = st.integers(0, 12)


def by_definition(begins: list[str], written: bytes, vocabulary: list[bytes]) -> list[int]:
    asked = [text.encode() for text in begins]
    return [
        token
        for token, piece in enumerate(vocabulary)
        if piece
        and any(text.startswith(written + piece) or (written + piece).startswith(text) for text in asked)
    ]


@given(st.lists(texts, min_size=1, max_size=40), pieces, st.data())
def test_allowed_is_the_definition(begins: list[str], vocabulary: list[bytes], data: st.DataObject) -> None:
    # Halves of a character are tokens too, and so are all single bytes.
    vocabulary = [*vocabulary, *(piece[:-1] for piece in vocabulary), b"\xc3", b"\xa9", b"a", b"b", b"a"]
    mask = Begins(begins, Vocabulary(vocabulary))
    text = data.draw(st.sampled_from(begins)).encode()
    written = text[: data.draw(cut)]
    met = any(written.startswith(begin.encode()) for begin in begins)
    assert mask.met(written) == met
    if not met:
        assert mask.allowed(written).tolist() == by_definition(begins, written, vocabulary)


@given(st.lists(texts, min_size=1, max_size=40), st.data())
def test_any_walk_through_allowed_tokens_meets_a_text(begins: list[str], data: st.DataObject) -> None:
    vocabulary = [bytes([byte]) for byte in range(256)] + [b"ab", b"@@", b"a\xc3", b"b\n@"]
    mask, written = Begins(begins, Vocabulary(vocabulary)), b""
    while not mask.met(written):
        written += vocabulary[data.draw(st.sampled_from(mask.allowed(written).tolist()))]
    assert any(written.startswith(text.encode()) for text in begins)


def test_headers() -> None:
    headers = [f"@@ -{a},0 +{a + 1},{n} @@\n+" for a in range(300) for n in range(1, 17)]
    vocabulary = [bytes([byte]) for byte in range(256)] + [b"@@", b" -", b"12", b"299", b"300", b"0 @@"]
    mask = Begins([*headers, "\n"], Vocabulary(vocabulary))
    assert mask.allowed(b"").tolist() == [ord("\n"), ord("@"), 256]
    assert mask.allowed(b"@@ -").tolist() == [*range(ord("0"), ord("9") + 1), 258, 259]
    assert mask.allowed(b"@@ -12,0 +").tolist() == [ord("1")]
    assert not mask.met(b"@@ -12,0 +13,4 @@\n")
    assert mask.met(b"@@ -12,0 +13,4 @@\n+")


def test_half_typed_token() -> None:
    mask = Begins(["retu"], Vocabulary([b"return", b"ret", b"returns", b"re", b"x", b"retro"]))
    assert mask.allowed(b"").tolist() == [0, 1, 2, 3]
    assert mask.allowed(b"re").tolist() == []
    assert mask.met(b"return")


def test_without_texts_all_is_free() -> None:
    assert Begins([], Vocabulary([b"a"])).met(b"")


def test_a_lone_surrogate_is_no_error() -> None:
    assert Begins(["\ud800"], Vocabulary([b"?"])).allowed(b"").tolist() == [0]
