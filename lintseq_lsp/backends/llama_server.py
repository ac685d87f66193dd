"""llama.cpp's own server: prompts are token ids there, so that no text becomes a special token.

An answer has to go on from a half-typed token, or to begin as `Request.begins` says: a grammar makes it.
Greedily that is token by token, where the backend in this process weighs each beginning as a whole.
Deliberately absent: connections (http.py), and what is done when the server is away (remote.py).
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from lintseq_lsp.backends.base import BOS, EVERYTHING, Ending, Piece, Prompt, Request, Special, Stop, Usage
from lintseq_lsp.backends.decoding import TextStops
from lintseq_lsp.backends.http import Body, Http
from lintseq_lsp.backends.pretokens import cut_apart, last_word
from lintseq_lsp.errors import ModelError, ServerError

_TEXTS = 4096  # whose tokens are remembered
_LIKELY = 16  # tokens that the server tells of while what is given is written
_EXTRA_EVENTS = 64  # beyond a token each, that a server may send

_PLAIN = {
    "samplers": ["temperature", "top_p", "min_p"],
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "mirostat": 0,
    "dynatemp_range": 0.0,
    "cache_prompt": True,
    "stream": True,
    "return_tokens": True,
    "timings_per_token": True,
}
"""The server may have been started with other defaults."""


def never() -> bool:
    return False


class LlamaServer:
    """One server as `props` describe it, with what it calls its model; see `base.Backend`.

    Log-probabilities are the model's own. Those of tokens that write what is typed are estimates, since the
    server tells of the likeliest alone. Of a token that it holds back, since a character is not complete,
    none is told, and it does not count.
    """

    kind = "llama-server"
    abilities = EVERYTHING

    def __init__(self, http: Http, names: Sequence[str], props: Body) -> None:
        self.name = names[0] if names else "model"
        self.names = frozenset(names)
        self.usage = Usage()
        settings = props.get("default_generation_settings")
        context = settings.get("n_ctx") if isinstance(settings, dict) else None
        slots = props.get("total_slots")
        if not isinstance(context, int) or not isinstance(slots, int) or context < 1 or slots < 1:
            raise ServerError(f"{http.url} does not report its context or its slots")
        self.context, self._slots = context, slots
        self._http = http
        self._special: dict[str, int | None] = {}
        self._guarded: list[str] = []  # texts that the server would take for a special token
        self._ids: dict[str, tuple[int, ...]] = {}
        self._bos: tuple[int, ...] | None = None

    def has(self, special: Special) -> bool:
        return self._id_of(special, never) is not None

    def count(self, text: str) -> int:
        """A token for every three bytes that were begun: asking would be a round trip a line."""
        return (len(text.encode("utf-8", "replace")) + 2) // 3

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        prompt, given = _cut(request.prompt)
        ids = self._prompt_ids(prompt, cancelled)
        if not ids:  # a model has to read something
            ids, given = self._prompt_ids(request.prompt, cancelled), ""
        if not 0 < len(ids) < self.context:
            raise ModelError(f"the prompt has {len(ids)} tokens, and the context is {self.context}")
        ends: dict[int, Ending] = {}
        for stop in request.stops:
            if isinstance(stop, Special) and (id_ := self._id_of(stop, cancelled)) is not None:
                ends[id_] = stop
        begins = [given + text for group in request.begins for text in group] or [given]
        self.usage = Usage()
        for first in range(0, request.candidates, self._slots):
            count = min(self._slots, request.candidates - first)
            body = _body(request, ids, first, count, begins, given)
            stops = [stop for stop in request.stops if isinstance(stop, str)]
            writers = [_Writer(first + index, given, ends, stops, request) for index in range(count)]
            yield from self._pieces(body, writers, cancelled)

    def close(self) -> None:
        """Connections are `http`'s."""

    def _pieces(
        self, body: Body, writers: Sequence["_Writer"], cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        before = self.usage
        left = len(writers) * (body["n_predict"] + _EXTRA_EVENTS)
        for event in self._http.events("/completion", body, cancelled):
            left -= 1
            writer = _at(writers, event.get("index", 0))
            if writer is None or left < 0:
                raise ServerError(f"{self._http.url} sent something that was not requested")
            if writer.ended:
                continue
            piece = writer.take(event)
            self.usage = _usage(before, event, writers)
            if piece is not None:
                yield piece
            if all(writer.ended for writer in writers):
                return
        raise ServerError(f"{self._http.url} ended its answer too early")

    def _id_of(self, special: Special, cancelled: Callable[[], bool]) -> int | None:
        """The id of a special token; None when the vocabulary has none of that name."""
        text = special.text
        if text and text not in self._special:
            self._special[text] = self._http.wait(lambda: self._find(text), cancelled)
        return self._special.get(text)

    async def _find(self, text: str) -> int | None:
        ids = await self._tokenize(text, parse_special=True)
        if len(ids) != 1:
            return None
        # A word is a token, too. A special one is taken apart as text, or is one inside of a word.
        as_text, inside = await asyncio.gather(self._tokenize(text), self._tokenize(f"x{text}x"))
        if as_text == ids:
            if ids[0] not in inside or text.isalnum():
                return None
            self._guarded.append(text)
            self._ids.clear()
        return ids[0]

    def _prompt_ids(self, prompt: Prompt, cancelled: Callable[[], bool]) -> list[int]:
        special = [part for part in prompt if isinstance(part, Special) and part != BOS]
        known = {part: self._id_of(part, cancelled) for part in special}
        missing = next((part.text for part, id_ in known.items() if id_ is None), None)
        if missing is not None:
            raise ModelError(f"{self.name} has no token {missing}")
        texts = [part for part in prompt if isinstance(part, str)]
        new = [text for text in dict.fromkeys(texts) if text not in self._ids]
        if new:
            found = self._http.wait(lambda: self._tokenize_all(new), cancelled)
            if len(self._ids) + len(new) > _TEXTS:
                self._ids = {text: self._ids[text] for text in texts if text in self._ids}
            self._ids.update(zip(new, found, strict=True))
        ids: list[int] = []
        for part in prompt:
            if part == BOS:
                ids += self._beginning(cancelled)
            else:
                ids += self._ids[part] if isinstance(part, str) else (known[part] or 0,)
        return ids

    def _beginning(self, cancelled: Callable[[], bool]) -> tuple[int, ...]:
        """What the server puts in front of a text: nothing, where the model's file does not ask for it."""
        if self._bos is None:
            with_it = self._http.wait(lambda: self._tokenize("x", add_special=True), cancelled)
            alone = self._http.wait(lambda: self._tokenize("x"), cancelled)
            size = len(with_it) - len(alone)
            self._bos = with_it[:1] if size > 0 and with_it[0] != alone[0] else ()
        return self._bos

    async def _tokenize_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        parts = [cut_apart(text, self._guarded) for text in texts]
        found = iter(await asyncio.gather(*(self._tokenize(part) for each in parts for part in each)))
        return [tuple(id_ for _ in each for id_ in next(found)) for each in parts]

    async def _tokenize(
        self, text: str, *, parse_special: bool = False, add_special: bool = False
    ) -> tuple[int, ...]:
        if not text:
            return ()
        whole = text.encode("utf-8", "replace").decode()  # JSON has no lone surrogates
        body = {"content": whole, "add_special": add_special, "parse_special": parse_special}
        answer = self._http.object(await self._http.json("/tokenize", body))
        ids = answer.get("tokens")
        if not isinstance(ids, list) or not all(type(id_) is int and 0 <= id_ < 1 << 31 for id_ in ids):
            raise ServerError(f"{self._http.url} did not answer with tokens")
        return tuple(ids)


class _Writer:
    """One candidate while it is read. It begins with `given`, which no piece has."""

    def __init__(
        self, index: int, given: str, ends: dict[int, Ending], stops: Sequence[str], request: Request
    ) -> None:
        self.index = index
        self.ended = False
        self.written = 0  # tokens
        self._given = given
        self._ends = ends
        self._stops = TextStops(stops)
        self._lines_left = request.max_lines
        self._tokens, self._logprob = 0, 0.0  # of what no piece had yet

    def take(self, event: Body) -> Piece | None:
        text, tokens = event.get("content"), event.get("tokens", [])
        if not isinstance(text, str) or not isinstance(tokens, list):
            raise ServerError("the model server's answer is not text")
        stop: Ending | None = None
        if event.get("stop") is True:
            stop = Stop.LENGTH if event.get("stop_type") == "limit" else Stop.END
        for token in tokens:
            self.written += 1
            self._tokens += 1
            if isinstance(token, int) and token in self._ends:
                text, stop = "", self._ends[token]
        if tokens and not text and stop is None:  # a special token that nobody asked for
            stop = Stop.END
        self._logprob += _logprob(event, self._given)
        size = min(len(self._given), len(text))
        if text[:size] != self._given[:size]:
            raise ServerError("the model server does not continue the typed text: it may be an old release")
        self._given, text = self._given[size:], text[size:]
        if self._lines_left is not None:
            *lines, _ = text.split("\n")
            if len(lines) >= self._lines_left:
                text, stop = "\n".join([*lines[: self._lines_left], ""]), Stop.LENGTH
            self._lines_left -= len(lines)
        whole, stop = self._stops.take(text, stop)
        self.ended = stop is not None
        if not whole and not self.ended:
            return None
        piece = Piece(self.index, whole, self._tokens, self._logprob, stop)
        self._tokens, self._logprob = 0, 0.0
        return piece


def _cut(prompt: Prompt) -> tuple[Prompt, str]:
    """The prompt without its last word, and that: what is written must begin with it."""
    *closed, last = prompt
    if isinstance(last, Special):
        return prompt, ""
    cut = last_word(last)
    return (prompt, "") if not closed and not cut else ((*closed, last[:cut]), last[cut:])


def _body(
    request: Request, ids: Sequence[int], first: int, count: int, begins: Sequence[str], given: str
) -> dict[str, Any]:
    sampling = request.sampling
    body = {
        **_PLAIN,
        "prompt": list(ids),
        "n_predict": request.max_tokens,
        "n_probs": _LIKELY if given else 1,
        "temperature": sampling.temperature if sampling.temperature > 0 else -1.0,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "seed": (sampling.seed + first) % 2**31,
    }
    if count > 1:
        body["n_cmpl"] = count
    if any(begins):
        body["grammar"] = grammar(begins)
    return body


def _at(writers: Sequence[_Writer], index: object) -> _Writer | None:
    return writers[index] if type(index) is int and 0 <= index < len(writers) else None


def _usage(before: Usage, event: Body, writers: Sequence[_Writer]) -> Usage:
    timings = event.get("timings")
    counts = timings if isinstance(timings, dict) else {}
    read, cached = (value if type(value := counts.get(key)) is int else 0 for key in ("prompt_n", "cache_n"))
    written = sum(writer.written for writer in writers)
    return replace(
        before,
        cached=max(before.cached, cached),
        read=max(before.read, read),
        written=before.written + written,
    )


@dataclass(frozen=True, slots=True)
class _Likely:
    text: bytes
    logprob: float


def _logprob(event: Body, given: str) -> float:
    """Of the tokens in an event. Of one that what is `given` begins with, among those that may write it."""
    total = 0.0
    rest = given.encode("utf-8", "replace")
    for entry in _list(event.get("completion_probabilities")):
        chosen = _likely(entry)
        if chosen is None:
            continue
        logprob = chosen.logprob
        if rest:
            others = [_likely(other) for other in _list(entry.get("top_logprobs"))]
            fitting = {other.text: other.logprob for other in [chosen, *others] if other is not None}
            weights = [
                math.exp(value)
                for text, value in fitting.items()
                if text and (text.startswith(rest) or rest.startswith(text))
            ]
            logprob -= math.log(sum(weights)) if sum(weights) > 0 else logprob
            rest = rest[len(chosen.text) :]
        total += min(logprob, 0.0)
    return total


def _likely(entry: object) -> _Likely | None:
    if not isinstance(entry, dict):
        return None
    logprob, raw = entry.get("logprob"), entry.get("bytes")
    if isinstance(logprob, bool) or not isinstance(logprob, int | float) or not math.isfinite(logprob):
        return None
    well = isinstance(raw, list) and all(type(byte) is int and 0 <= byte < 256 for byte in raw)
    return _Likely(bytes(raw) if well and isinstance(raw, list) else b"", float(logprob))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


# Grammars, as llama.cpp's grammars/README.md has them


def grammar(begins: Sequence[str]) -> str:
    """Of the texts that start with one of `begins`; what several begin with stands there once."""
    return f"root ::= {_alternatives(sorted(set(begins)))} [^\\x00]*"


def _alternatives(texts: Sequence[str]) -> str:
    """`texts` are ordered. One that is empty lets all others pass: it asks for less."""
    if not texts[0]:
        return '""'
    options = []
    for _, group in groupby(texts, key=lambda text: text[0]):
        alike = list(group)
        size = _common(alike[0], alike[-1])
        rest = [text[size:] for text in alike]
        options.append(f"{_quoted(alike[0][:size])}{f' {_alternatives(rest)}' if rest != [''] else ''}")
    return options[0] if len(options) == 1 else f"({' | '.join(options)})"


def _common(left: str, right: str) -> int:
    return next(
        (at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other),
        min(len(left), len(right)),
    )


def _quoted(text: str) -> str:
    plain = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(plain.get(sign) or _sign(sign) for sign in text) + '"'


def _sign(sign: str) -> str:
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"
