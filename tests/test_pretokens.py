"""Where a token may be cut, by each rule that is known, and by one that is not."""

import pytest
import regex
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lintseq_lsp.backends.pretokens import last_pretoken, last_word

WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
STEPS = {"gpt-2": [WORDS], "smollm": [r"\p{N}|\P{N}+", WORDS], "qwen2": [QWEN2], "unheard-of": [WORDS]}
"""The rules as llama.cpp has them: a text is split by the first pattern, each part by the next."""

rules = st.sampled_from([*STEPS])


def begins(text: str, rule: str) -> list[int]:
    """The offsets at which pre-tokens begin."""
    parts = [(0, text)]
    for pattern in STEPS[rule]:
        parts = [
            (start + match.start(), match[0])
            for start, part in parts
            for match in regex.finditer(pattern, part)
        ]
    return [start for start, _ in parts]


code = st.text("aerlvstdm_'\"09 .,()=#@+-\n\t\x0c\r", max_size=20)
beyond = st.text("a1 _'é²½Ⅷ中٣e\u0301🦉\u2028\xa0", max_size=10)


@given(st.one_of(code, beyond, st.text(max_size=12)), st.one_of(code, beyond, st.text(max_size=6)), rules)
@example("    \n  ", "x", "gpt-2")
@example("x \n\n  ", "x", "smollm")
@example("f()\n", "\nx", "qwen2")
@example("x'r", "e", "gpt-2")
@example("'L", "L", "qwen2")
@example("'l", "l", "smollm")
@example("='l", "l", "gpt-2")
@example("x  ", "  y", "gpt-2")
@example("x  ", "1", "smollm")
@example("5²", "x", "gpt-2")
@example("@@ -2,0 +3", ",2 @@", "gpt-2")
@example("x\n\n\nde", "f", "gpt-2")
@example("x\n\n\nde", "f", "smollm")
@example("x):\n\n    y", "z", "qwen2")
def test_no_pretoken_reaches_over_the_cut(text: str, continuation: str, rule: str) -> None:
    assume(not set("\x1c\x1d\x1e\x1f") & set(text + continuation))  # white space to Python alone
    for cut in (last_pretoken(text, rule), last_word(text)):
        assert 0 <= cut <= len(text)
        whole = begins(text + continuation, rule)
        assert cut in [*whole, len(text + continuation)]
        assert begins(text[:cut], rule) == [start for start in whole if start < cut]


@given(code.filter(bool), rules.filter(lambda rule: rule != "unheard-of"))
def test_the_cut_is_the_last_one(text: str, rule: str) -> None:
    """Cutting earlier would be safe and slow: all is read but a contraction's beginning, and what stands
    behind white space that would have other tokens without it.
    """
    cut, starts = last_pretoken(text, rule), begins(text, rule)
    alike = [start for at, start in enumerate(starts) if begins(text[:start], rule) == starts[:at]]
    assert cut == alike[-1] or text[cut:] in ("'r", "'v", "'l")


@pytest.mark.parametrize("rule", STEPS)
def test_of_a_block_a_few_words_at_most_are_to_be_written_again(rule: str) -> None:
    block = "class A:\n" + "    def f(self, x):\n        return self.x[0]\n\n" * 9
    for text in ("        ", "    d"):
        cut = last_pretoken(block + text, rule)
        assert len(block + text) - cut <= len(" self.x[0]\n\n" + text)


@pytest.mark.parametrize("rule", STEPS)
@pytest.mark.parametrize(
    "text",
    ["+" + "0123456789abcdef" * 20_000, "+" + "a1" * 100_000, " " * 200_000, "\n" * 200_000, "'" * 200_000],
    ids=["hexadecimal", "letters and digits", "blanks", "line breaks", "quotes"],
)
def test_long_texts_are_cut_at_once(text: str, rule: str) -> None:
    assert 0 <= last_pretoken(text, rule) < len(text)
