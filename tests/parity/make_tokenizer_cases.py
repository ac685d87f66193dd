"""Writes ../tokenizer_cases.json: texts and the ids that HuggingFace's tokenizers gives them.

    python tests/parity/make_tokenizer_cases.py TOKENIZER.json

where TOKENIZER.json is the embedded model's. Texts: this repository's source and odd Unicode.
"""

import json
import random
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

ODD = [
    "\t\t x\u2028y\u2029", "e\u0301\u00e9 nai\u0308ve", "\u00a0\u3000 \u200b\ufeff", "😀👩‍👩‍👧‍👦🏳️‍🌈 🇩🇪🇫🇷",
    "\r\n\r\x0c\x0b", "'S 's 'LL 'll ’s don't", "١٢٣ ①② ½ Ⅷ 1234567890 3.14e-10", "中文。ひらがな カタカナ",
    "עברית العربية हिन्दी", "   \n  \n\n x", "\x00\x01\x7f", "ﬁ ſ İ ı ß", "+++x---y@@ -1,2 +3 @@", "𝔘𝔫𝔦 𐍈",
    "    ", "\t", "\ud7ff\ue000\uffff", "x" * 300, "a_b__c ___", "\u0085 \u2000\u2001", "a" + " " * 40 + "b ",
]  # fmt: skip
RANGES = [(32, 127), (32, 127), (160, 0x2000), (0x2000, 0x3100), (0x4E00, 0xD7FF), (0x1F000, 0x1FB00)]


def odd_line(source: random.Random) -> str:
    """Up to 30 characters from everywhere, with many spaces and line ends."""
    return "".join(
        source.choice(" \t\n\r ") if source.random() < 0.3 else chr(source.randrange(*source.choice(RANGES)))
        for _ in range(source.randrange(1, 30))
    )


def texts(count: int) -> list[str]:
    """`count` lines of code (some joined, so that runs of spaces and newlines occur) and 300 odd lines."""
    source = random.Random(0)
    lines = [
        line
        for path in sorted((TESTS.parent / "lintseq_lsp").rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
        if line.strip() and "<|" not in line
    ]
    starts = [source.randrange(len(lines) - 3) for _ in range(count)]
    code = ["".join(lines[start : start + (3 if i % 10 == 0 else 1)]) for i, start in enumerate(starts)]
    return code + ODD + [odd_line(source) for _ in range(300)]


if __name__ == "__main__":
    from tiny_checkpoint import TINY, tokenizer
    from tokenizers import Tokenizer

    embedded = Tokenizer.from_file(sys.argv[1])
    spaces = Tokenizer.from_str(json.dumps(tokenizer(TINY.rows)))
    cases = {
        "embedded": [[text, embedded.encode(text, add_special_tokens=False).ids] for text in texts(700)],
        "spaces": [[text, spaces.encode(text, add_special_tokens=False).ids] for text in texts(40)],
    }
    rows = {
        name: ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases[name]) for name in cases
    }
    content = ",\n".join(f'"{name}": [\n{text}\n]' for name, text in rows.items())
    (TESTS / "tokenizer_cases.json").write_text(f"{{{content}}}\n", encoding="utf-8")
