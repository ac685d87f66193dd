"""Case files: a request, what the model wrote for it, and what comes of it, as a text that people read.

    A remark: what stands above the first section.
    == request complete
    candidates: 3
    == document
    import math
    area = math.p▮ * 4
    == answer <|diff|>
    i
    == expect
    answer: accepted
    == edit
    @@ -1,2 +1,2 @@
     import math
    -area = math.p * 4
    +area = math.pi * 4

`▮` is the cursor, or stands on the first and last line that the request is about. A document or answer whose
last line has no line end is written as in patches, with `\\ No newline at end of file` below it. What
would not survive a mail or an editor stands there `escaped`, as in Python's strings; with `crlf` all
lines end in carriage return and line feed. recorder.py makes them, replay.py asks again.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from typing import Any

from lintseq_lsp.actions import ActionKind
from lintseq_lsp.backends.base import Ending, Special, Stop
from lintseq_lsp.backends.scripted import Answer
from lintseq_lsp.errors import CaseError
from lintseq_lsp.recent import RecentEdit

MARK = "▮"

PLACES: Mapping[str, range] = {
    "complete": range(1, 2),
    "next-edit": range(1, 2),
    "edit": range(3),
    **{kind.value: range(1, 3) for kind in ActionKind},
}
"""The ways of asking, and how many marks the document of each may have."""

_UNENDED = "\\ No newline at end of file\n"
_SECTION = re.compile(r"^== ([a-z]+)(?: ([^\n]*))?\n", re.MULTILINE)
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U(00(?:0[0-9a-f]|10)[0-9a-f]{4})|([\\r]))")
_CUT = "cut"  # how an answer stopped that nobody read to its end


@dataclass(frozen=True, slots=True)
class Options:
    """What else was asked, by what the server was set to, and of which model.

    `measured` is what a `certainty` of -1 stands for: of half-typed lines, new lines, next edits. `tokens`
    has the number of tokens of each of the document's lines, 0 where it is not known. `recent` are the
    edits of the document by the user, before the request.
    """

    instruction: str = ""
    symbol: str = ""
    message: str = ""
    candidates: int = 1
    certainty: float = 0.0
    measured: tuple[float, ...] = ()
    max_lines: int = 8
    tries: int = 4
    strings_and_comments: bool = False
    format: str = "paper-1"
    context: int = 1024
    tokens: tuple[int, ...] = ()
    recent: tuple[RecentEdit, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One request of the way `way`. `places` are code-point offsets of `document`, one a mark.

    `answers` are the model's, in order. `expect` has a line for each verdict and a last one for the answer;
    `edits` are the changes that are offered, as diffs.
    """

    way: str
    document: str
    places: tuple[int, ...] = ()
    options: Options = Options()
    answers: tuple[Answer, ...] = ()
    expect: str = ""
    edits: tuple[str, ...] = ()
    remark: str = ""


def write_case(case: Case) -> str:
    """The text of the file. `read_case` reads it back as it was."""
    remark = case.remark.strip("\n")
    return "".join(
        [
            f"{remark}\n\n" if remark else "",
            _section(f"request {case.way}", "".join(_written_options(case.options))),
            _text_section("document", case.document, case.places),
            *(_text_section(f"answer {_written_stop(answer)}", answer.text) for answer in case.answers),
            expected(case),
        ]
    )


def expected(case: Case) -> str:
    """The last sections: what comes of the request."""
    edits = [_text_section("edit", edit, ends=True) for edit in case.edits]
    return "".join([_text_section("expect", case.expect, ends=True), *edits])


def read_case(text: str) -> Case:
    """Raises `CaseError` for what is no case file."""
    remark, *parts = _SECTION.split(_ended(text.replace("\r\n", "\n")))
    way, options, document = "", Options(), ""
    places: tuple[int, ...] = ()
    answers: list[Answer] = []
    edits: list[str] = []
    expect = ""
    for name, words, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        said = (words or "").split()
        match name:
            case "request":
                way, options = " ".join(said), _read_options(body)
            case "document":
                document, places = _read_text(body, said)
            case "answer":
                answers.append(_read_answer(body, said))
            case "expect":
                expect, _ = _read_text(body, said, ends=True)
            case "edit":
                edits.append(_read_text(body, said, ends=True)[0])
            case _:
                raise CaseError(f"a case file has no section `== {name}`")
    if way not in PLACES:
        raise CaseError(f"a case file needs a section `== request` with one of {', '.join(PLACES)}")
    if len(places) not in PLACES[way]:
        raise CaseError(f"the document of a request to {way} has {len(places)} marks {MARK}")
    return Case(way, document, places, options, tuple(answers), expect, tuple(edits), remark.strip("\n"))


# Texts


def _section(header: str, body: str) -> str:
    return f"== {header}\n{body}"


def _text_section(header: str, text: str, places: Sequence[int] = (), *, ends: bool = False) -> str:
    """`text` with marks at `places`. One that always `ends` in a line end needs no word about that."""
    pieces = [text[start:end] for start, end in pairwise([0, *places, len(text)])]
    if _is_crlf(pieces):
        header += " crlf"
        pieces = [piece.replace("\r\n", "\n") for piece in pieces]
    if _needs_escapes("".join(pieces), ends=ends):
        header += " escaped"
        pieces = [_escaped(piece) for piece in pieces]
    body = MARK.join(pieces)
    if body and not body.endswith("\n"):
        body += "\n" if ends else f"\n{_UNENDED}"
    return _section(header, body)


def _read_text(body: str, said: Sequence[str], *, ends: bool = False) -> tuple[str, tuple[int, ...]]:
    """The text, and the offsets of the marks in it."""
    if wrong := set(said) - {"crlf", "escaped"}:
        raise CaseError(f"a text is crlf, escaped or neither, not {' '.join(sorted(wrong))}")
    if not ends and body.endswith(f"\n{_UNENDED}"):
        body = body[: -len(_UNENDED) - 1]
    pieces = body.split(MARK)
    if "escaped" in said:
        pieces = [_ESCAPE.sub(_unescaped, piece) for piece in pieces]
    if "crlf" in said:
        pieces = [piece.replace("\n", "\r\n") for piece in pieces]
    return "".join(pieces), tuple(accumulate(map(len, pieces[:-1])))


def _is_crlf(pieces: Sequence[str]) -> bool:
    """Whether all lines end in `\\r\\n`, and no mark stands inside of a line end."""
    counts = [(piece.count("\r\n"), piece.count("\r"), piece.count("\n")) for piece in pieces]
    return any(both for both, _, _ in counts) and all(both == cr == lf for both, cr, lf in counts)


def _needs_escapes(text: str, *, ends: bool) -> bool:
    return (
        MARK in text
        or not text.translate({ord("\n"): None, ord("\t"): None}).isprintable()
        or text.startswith("== ")
        or "\n== " in text
        or (not ends and text.endswith(f"\n{_UNENDED}"))
    )


def _escaped(text: str) -> str:
    whole = "".join(_escape(character) for character in text)
    return re.sub("^==", r"\\x3d=", whole, flags=re.MULTILINE)


def _escape(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character in "\n\t" or (character.isprintable() and character != MARK):
        return character
    if character == "\r":
        return "\\r"
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unescaped(match: re.Match[str]) -> str:
    *codes, itself = match.groups()
    if itself:
        return "\r" if itself == "r" else "\\"
    return chr(int(next(code for code in codes if code), 16))


def _ended(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"


# Answers and options


def _written_stop(answer: Answer) -> str:
    words = [_word_of(answer.stop)]
    if answer.tokens:
        words += ["tokens", str(answer.tokens)]
    if answer.logprobs:
        words += ["logprobs", *map(repr, answer.logprobs)]
    return " ".join(words)


def _read_answer(body: str, said: Sequence[str]) -> Answer:
    stop, *rest = said or [""]
    flags = [word for word in rest if word in ("crlf", "escaped")]
    text, _ = _read_text(body, flags)
    words = iter(word for word in rest if word not in flags)
    tokens, logprobs = 0, ()
    for word in words:
        match word:
            case "tokens":
                tokens = _read_value("tokens", next(words, ""), 0)
            case "logprobs":
                logprobs = _read_value("logprobs", " ".join(words), (0.0,))
            case _:
                raise CaseError(f"an answer has tokens and logprobs, not {word}")
    return Answer(text, _read_stop(stop), tokens, logprobs)


def _word_of(stop: Ending | None) -> str:
    """What ended an answer: a special token as it is, a text as in JSON without blanks."""
    match stop:
        case None:
            return _CUT
        case Stop():
            return stop.value
        case Special(text):
            return text
        case text:
            return json.dumps(text).replace(" ", "\\u0020")


def _read_stop(word: str) -> Ending | None:
    kinds = {_CUT: None, **{kind.value: kind for kind in Stop}}
    if word in kinds:
        return kinds[word]
    if word.startswith('"'):
        return str(_read_value("the end of an answer", word, ""))
    if word.startswith(("<", "[", "▁<")):
        return Special(word)
    raise CaseError(
        f"an answer ends by a token, a text, or one of {', '.join(kinds)}, not {word or 'nothing'}"
    )


def _written_options(options: Options) -> Iterator[str]:
    """A line for each that is not the default."""
    for field in fields(Options):
        value = getattr(options, field.name)
        if value != field.default:
            written = _written_edits(value) if field.name == "recent" else _written_value(value)
            yield f"{field.name.replace('_', '-')}: {written}\n"


def _read_options(body: str) -> Options:
    kinds = {field.name.replace("_", "-"): field for field in fields(Options)}
    values: dict[str, Any] = {}
    for line in filter(str.strip, body.split("\n")):
        name, _, value = line.partition(":")
        if name not in kinds:
            raise CaseError(f"a request has no option {name}")
        field = kinds[name]
        example = {"measured": (0.0,), "tokens": (0,)}.get(name, field.default)
        is_edits = name == "recent"
        values[field.name] = _read_edits(value) if is_edits else _read_value(name, value.strip(), example)
    return Options(**values)


def _written_edits(edits: Sequence[RecentEdit]) -> str:
    return json.dumps([[edit.above, edit.old, edit.new, edit.before, edit.behind] for edit in edits])


def _read_edits(text: str) -> tuple[RecentEdit, ...]:
    """They are of the case's document, which has no path."""

    def edit(above: int, *sides: Sequence[str]) -> RecentEdit:
        old, new, before, behind = (tuple(map(str, lines)) for lines in sides)
        return RecentEdit("", int(above), old, new, before=before, behind=behind)

    try:
        return tuple(edit(*values) for values in json.loads(text))
    except (ValueError, TypeError):
        raise CaseError(f"recent cannot be {text.strip() or 'nothing'}") from None


def _written_value(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(repr, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return repr(value)
    plain = value.isprintable() and value == value.strip() and not value.startswith('"')
    return value if plain else json.dumps(value)


def _read_value(name: str, text: str, example: Any) -> Any:
    """`text` as a value like `example`."""
    try:
        match example:
            case bool():
                return {"yes": True, "no": False}[text]
            case tuple():
                return tuple(type(example[0])(word) for word in text.split())
            case str():
                return str(json.loads(text)) if text.startswith('"') else text
            case _:
                return type(example)(text)
    except (KeyError, ValueError):
        raise CaseError(f"{name} cannot be {text or 'nothing'}") from None
