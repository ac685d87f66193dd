"""Servers that know OpenAI's `/v1/completions`: vLLM, Ollama, LM Studio and others. Never chat.

They take strings, in which the text of a special token becomes that token. So a document that contains
one is refused. Which tokens there are cannot be asked: the format of prompts is set, or told by a name.
Deliberately absent: connections (http.py), and what is done when the server is away (remote.py).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lintseq_lsp.backends.base import BOS, Ability, Ending, Piece, Request, Special, Stop, Usage
from lintseq_lsp.backends.decoding import TextStops
from lintseq_lsp.backends.http import Body, Http
from lintseq_lsp.errors import ModelError, PromptError, ServerError

_STOPS = 4  # most that a request may have
_CONTEXT = 2048  # where the server does not say it
_EXTRA_EVENTS = 64  # beyond a token each, that a server may send


class OpenAIServer:
    """One model of such a server, as its entry in `/v1/models` describes it; see `base.Backend`.

    A text may end in the middle of a token: it is continued as it is.
    """

    kind = "OpenAI-compatible server"

    def __init__(self, http: Http, name: str, entry: Body) -> None:
        self.name = name
        self.names = frozenset({name})
        self.usage = Usage()
        context = entry.get("max_model_len")
        self.context = context if type(context) is int and context > 0 else _CONTEXT
        self.abilities = Ability(0)
        self._http = http
        self._is_strict = False  # whether the server refuses what not every one knows

    def has(self, special: Special) -> bool:
        return bool(special.text)

    def count(self, text: str) -> int:
        """A token for every three bytes that were begun: asking would be a round trip a line."""
        return (len(text.encode("utf-8", "replace")) + 2) // 3

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        if request.candidates != 1:
            raise ModelError("this server gives one candidate per request")
        prompt = self._text(request)
        self.usage = Usage(read=self.count(prompt))
        ends: dict[str, Ending] = {_name(stop): stop for stop in request.stops}
        writer = _Writer(ends, request.max_lines)
        events = self._events(self._body(request, prompt, sorted(ends, key=len)), cancelled)
        for _, event in zip(range(request.max_tokens + _EXTRA_EVENTS), events, strict=False):
            piece = writer.take(event)
            self.usage = Usage(read=self.usage.read, written=writer.written)
            if piece is not None:
                yield piece
            if writer.ended:
                break
        else:
            yield writer.cut_off()
        if writer.has_logprobs:
            self.abilities |= Ability.LOGPROBS

    def close(self) -> None:
        """Connections are `http`'s."""

    def _text(self, request: Request) -> str:
        """The prompt as a string. Raises `PromptError` when it would not be read as it is meant."""
        prompt = request.prompt
        special = {
            part.text for part in (*prompt, *request.stops) if isinstance(part, Special) and part != BOS
        }
        for part in prompt:
            found = next((text for text in special if isinstance(part, str) and text in part), None)
            if found is not None:
                raise PromptError(f"the document contains {found}, a special token for this server")
        return "".join(_name(part) for part in prompt if part != BOS)  # which the server puts in front

    def _body(self, request: Request, prompt: str, stops: Sequence[str]) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self.name,
            "prompt": prompt.encode("utf-8", "replace").decode(),
            "max_tokens": request.max_tokens,
            "temperature": max(0.0, sampling.temperature),
            "top_p": sampling.top_p,
            "stream": True,
        }
        if stops:
            body["stop"] = list(stops[:_STOPS])
        if not self._is_strict:
            body |= {"seed": sampling.seed % 2**31, "logprobs": 1, "skip_special_tokens": False}
        return body

    def _events(self, body: dict[str, Any], cancelled: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        try:
            yield from self._http.events("/v1/completions", body, cancelled)
        except ServerError as error:
            if error.status not in (400, 422) or self._is_strict:
                raise
            self._is_strict = True
            for name in ("seed", "logprobs", "skip_special_tokens"):
                body.pop(name)
            yield from self._http.events("/v1/completions", body, cancelled)


class _Writer:
    """The candidate while it is read."""

    def __init__(self, ends: dict[str, Ending], lines: int | None) -> None:
        self.ended = False
        self.written = 0  # tokens, as far as events tell
        self.has_logprobs = False
        self._ends = ends
        self._stops = TextStops(list(ends))
        self._lines_left = lines
        self._tokens, self._logprob = 0, 0.0  # of what no piece had yet

    def take(self, event: Body) -> Piece | None:
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else {}
        text = choice.get("text", "") if isinstance(choice, dict) else None
        if not isinstance(text, str):
            raise ServerError("the model server's answer is not text")
        reason = choice.get("finish_reason")
        stop: Ending | None = {"length": Stop.LENGTH}.get(str(reason), Stop.END) if reason else None
        logprobs = _logprobs(choice)
        self.has_logprobs |= bool(logprobs)
        tokens = len(logprobs) or bool(text)
        self.written += tokens
        self._tokens += tokens
        self._logprob += sum(logprobs)
        if self._lines_left is not None:
            *lines, _ = text.split("\n")
            if len(lines) >= self._lines_left:
                text, stop = "\n".join([*lines[: self._lines_left], ""]), Stop.LENGTH
            self._lines_left -= len(lines)
        whole, ending = self._stops.take(text, stop)
        self.ended = ending is not None
        if isinstance(ending, str):
            ending = self._ends[ending]
        if not whole and not self.ended:
            return None
        return self._piece(whole, ending)

    def cut_off(self) -> Piece:
        """What ends an answer that does not end by itself."""
        whole, _ = self._stops.take("", Stop.LENGTH)
        return self._piece(whole, Stop.LENGTH)

    def _piece(self, text: str, stop: Ending | None) -> Piece:
        piece = Piece(0, text, self._tokens, self._logprob, stop)
        self._tokens, self._logprob = 0, 0.0
        return piece


def _name(part: Ending) -> str:
    return part.text if isinstance(part, Special) else str(part)


def _logprobs(choice: Body) -> list[float]:
    logprobs = choice.get("logprobs")
    if not isinstance(logprobs, dict):
        return []
    values = logprobs.get("token_logprobs")
    if values is None and isinstance(content := logprobs.get("content"), list):  # as llama.cpp has them
        values = [token.get("logprob") for token in content if isinstance(token, dict)]
    if not isinstance(values, list):
        return []
    return [
        min(float(value), 0.0)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]
