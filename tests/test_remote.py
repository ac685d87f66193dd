"""A model behind a server: whatever that sends is an answer or a reason, and nobody waits for it in vain."""

import gzip
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import python_gate
from hypothesis import given
from hypothesis import strategies as st
from model_server import PROPS, Handler, ModelServer, Route, answers, serving, streams, writes

from lintseq_lsp.backends import remote
from lintseq_lsp.backends.base import Ability, Piece, Request, Sampling, Special, Stop
from lintseq_lsp.backends.http import base_url
from lintseq_lsp.backends.llama_server import grammar
from lintseq_lsp.backends.pretokens import last_word
from lintseq_lsp.backends.remote import KEY, RemoteBackend
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import Cancelled, ModelError, PromptError, ServerError
from lintseq_lsp.formats.base import Room, Task, View
from lintseq_lsp.formats.late import LateFormat
from lintseq_lsp.formats.table import FORMATS, detect
from lintseq_lsp.reasons import Reason
from lintseq_lsp.runtime import open_endpoint
from lintseq_lsp.settings import UNMEASURED, Settings
from lintseq_lsp.text import Document
from lintseq_lsp.weights.registry import embedded

DIFF, USER = Special("<|diff|>"), Special("<|user|>")
PROMPT = ("def f():", DIFF, "x = 1")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving() as served:
        yield served


@pytest.fixture
def model(server: ModelServer) -> Iterator[RemoteBackend]:
    with closing(RemoteBackend(server.url, patience=60.0)) as backend:
        yield backend


@pytest.fixture
def open_ai(server: ModelServer) -> Iterator[RemoteBackend]:
    with closing(RemoteBackend(server.url, patience=60.0)) as backend:
        yield backend


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time as the back-off sees it."""
    fake = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(remote.time, "monotonic", lambda: fake.now)
    return fake


def never() -> bool:
    return False


def text_of(pieces: list[Piece], candidate: int = 0) -> str:
    return "".join(piece.text for piece in pieces if piece.candidate == candidate)


# Addresses


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://a:8080",
        "http://a:8080/",
        "http://a:8080/v1",
        "http://a:8080/v1/",
        "http://a:8080/v1/completions",
    ],
)
def test_what_clients_of_other_kinds_have_at_the_end_is_no_part(endpoint: str) -> None:
    assert base_url(endpoint) == "http://a:8080"


def test_a_path_and_a_secure_address_stay() -> None:
    assert base_url("https://[::1]:1/llm/v1") == "https://[::1]:1/llm"


@pytest.mark.parametrize(
    "endpoint",
    ["a:8080", "ftp://a", "http://", "http://a:x", "http://a?q=1", "http://a b", "http://u:secret@a", "/x"],
)
def test_what_is_no_address_is_one_clear_error(endpoint: str) -> None:
    with pytest.raises(ModelError, match=r"lintseq\.endpoint must") as raised:
        RemoteBackend(endpoint)
    assert "secret" not in str(raised.value)


# What kind of server it is


def test_a_llama_server_says_what_it_is(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams())
    assert server.connections == 0, "nothing is sent before something is asked"
    assert (model.kind, model.name, model.context) == ("llama-server", "tiny.gguf", 512)
    assert [path for path, _, _ in server.asked] == ["/props"]


def test_any_other_server_is_asked_for_its_models(server: ModelServer, model: RemoteBackend) -> None:
    server.as_openai(streams(), "qwen2.5-coder:0.5b")
    assert (model.kind, model.name, model.context) == ("OpenAI-compatible server", "qwen2.5-coder:0.5b", 256)


def test_one_of_several_models_is_named(server: ModelServer) -> None:
    server.as_openai(streams(), "a", "b")
    with closing(RemoteBackend(server.url)) as unnamed, pytest.raises(ServerError, match=r"a, b: set lint"):
        _ = unnamed.name
    with closing(RemoteBackend(server.url, model="b")) as named:
        assert named.name == "b"
    with (
        closing(RemoteBackend(server.url, model="c")) as wrong,
        pytest.raises(ServerError, match="c is not one"),
    ):
        _ = wrong.name


def test_special_tokens_are_told_from_words(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams())
    known = {text: model.has(Special(text)) for text in ("<|diff|>", "<|user|>", "x", "def", "<|no|>", "")}
    assert known == {"<|diff|>": True, "<|user|>": True, "x": False, "def": False, "<|no|>": False, "": False}


def test_the_format_is_that_of_the_model_that_is_there_now(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams())
    found: list[str] = []

    def find(name: str) -> Any:
        found.append(name)
        return detect(model.has, name)

    late = LateFormat(lambda: model.name, find)
    assert late.name == "paper-1"
    assert late.tasks
    assert found == ["tiny.gguf"]


# llama-server


def test_text_is_never_a_special_token(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams(*writes("y")))
    model.has(USER)
    text = "a<|diff|>b<|user|>c"
    list(model.write(Request((DIFF, text, DIFF, "")), never))
    (body,) = server.bodies("/completion")
    assert body["prompt"] == [1, *(1000 + ord(sign) for sign in text), 1]
    assert all(
        asked["parse_special"] is False for asked in server.bodies("/tokenize") if len(asked["content"]) > 10
    )


def test_what_did_not_change_is_not_tokenised_again(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams(*writes(" 1", "2")))
    list(model.write(Request(PROMPT), never))
    before = len(server.bodies("/tokenize"))
    list(model.write(Request((*PROMPT[:2], "x = 12")), never))
    assert len(server.bodies("/tokenize")) == before, "the half-typed word is none of the prompt's tokens"
    model.count("x" * 1000)
    assert len(server.bodies("/tokenize")) == before


def test_a_half_typed_word_is_gone_on_with(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams(*writes(" re", "turn", " x")))
    pieces = list(model.write(Request(("    if x: retu",)), never))
    (body,) = server.bodies("/completion")
    assert body["prompt"] == [1000 + ord(sign) for sign in "    if x:"]
    assert body["grammar"] == 'root ::= " retu" [^\\x00]*'
    assert text_of(pieces) == "rn x"
    assert sum(piece.logprob for piece in pieces) == pytest.approx(-0.5), "what is typed is certain"


def test_a_stop_is_a_token_and_ends_the_answer(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams(*writes("y", "<|diff|>", "z")))
    pieces = list(model.write(Request(PROMPT[:2], frozenset({DIFF})), never))
    assert (text_of(pieces), pieces[-1].stop) == ("y", DIFF)


def test_a_special_token_that_nobody_asked_for_ends_it_too(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams(*writes("y", "<|user|>", "z")))
    pieces = list(model.write(Request(PROMPT[:2], frozenset({DIFF})), never))
    assert (text_of(pieces), pieces[-1].stop) == ("y", Stop.END)


def test_the_characters_of_a_stop_are_text(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams(*writes("<|di", "ff|>", stop="eos")))
    pieces = list(model.write(Request(PROMPT[:2], frozenset({DIFF})), never))
    assert (text_of(pieces), pieces[-1].stop) == ("<|diff|>", Stop.END)


def test_stops_of_text_and_lines_end_it(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams(*writes("a", "\nb", "\nc", "EN", "D!")))
    pieces = list(model.write(Request(PROMPT[:2], frozenset({"END"})), never))
    assert (text_of(pieces), pieces[-1].stop) == ("a\nb\nc", "END")
    pieces = list(model.write(Request(PROMPT[:2], max_lines=2), never))
    assert (text_of(pieces), pieces[-1].stop) == ("a\nb\n", Stop.LENGTH)


def test_candidates_are_as_many_a_request_as_there_are_slots(
    server: ModelServer, model: RemoteBackend
) -> None:
    server.as_llama(streams(*writes("a"), *writes("b", index=1)))
    pieces = list(model.write(Request(PROMPT[:2], sampling=Sampling(0.7, seed=5), candidates=4), never))
    assert [text_of(pieces, index) for index in range(4)] == ["a", "b", "a", "b"]
    assert [(body["n_cmpl"], body["seed"]) for body in server.bodies("/completion")] == [(2, 5), (2, 7)]


def test_a_prompt_that_does_not_fit_is_not_sent(server: ModelServer, model: RemoteBackend) -> None:
    server.as_llama(streams())
    with pytest.raises(ModelError, match="context is 512"):
        list(model.write(Request(("x" * 600, "")), never))
    assert server.bodies("/completion") == []


@given(st.lists(st.text(max_size=6), min_size=1, max_size=8))
def test_a_grammar_has_each_beginning(begins: list[str]) -> None:
    """Read back: what stands in quotes, in all ways through the brackets."""
    text = grammar(begins).removeprefix("root ::= ").removesuffix(" [^\\x00]*")
    shortest = {text for text in begins if not any(text != b and text.startswith(b) for b in begins)}
    assert set(_ways(text)) == shortest


def _ways(text: str) -> list[str]:
    ways, rest = _sequence(text)
    assert not rest
    return ways


def _sequence(text: str) -> tuple[list[str], str]:
    ways = [""]
    while text and text[0] in '"( ':
        if text[0] == " ":
            if text.startswith(" |"):
                break
            text = text[1:]
        elif text[0] == '"':
            word, at = "", 1
            while text[at] != '"':
                size = {"\\": 10 if text[at + 1 : at + 2] == "U" else 2}.get(text[at], 1)
                word += text[at : at + size].encode().decode("unicode_escape") if size > 1 else text[at]
                at += size
            ways, text = [way + word for way in ways], text[at + 1 :]
        else:
            inner: list[str] = []
            while text[0] != ")":
                more, text = _sequence(text[1:].lstrip())
                inner += more
                text = text.lstrip()
                if text[0] == "|":
                    text = "|" + text[1:]
            ways, text = [way + each for way in ways for each in inner], text[1:]
    return ways, text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a b", " b"),
        ("a  b", "  b"),
        ("    x", "    x"),
        ("a\n  b c", " c"),
        ("a ", " "),
        ("a\n\nb", "\n\nb"),
        ("f(x):\n    y", "f(x):\n    y"),
        ("", ""),
    ],
)
def test_the_last_word_begins_where_by_any_rule_a_token_does(text: str, word: str) -> None:
    assert text[last_word(text) :] == word


# OpenAI's


def choice(text: str, reason: str | None = None, *logprobs: float) -> dict[str, Any]:
    return {
        "choices": [{"text": text, "finish_reason": reason, "logprobs": {"token_logprobs": list(logprobs)}}]
    }


def test_a_completion_of_text(server: ModelServer, open_ai: RemoteBackend) -> None:
    server.as_openai(
        streams(choice("y", None, -0.5), choice(" = 2\n", "stop", -0.25, None), b"data: [DONE]\n\n")
    )
    assert open_ai.has(DIFF)
    pieces = list(open_ai.write(Request(PROMPT, frozenset({DIFF, "b", "cc", "ddd", "eeee"})), never))
    assert (text_of(pieces), pieces[-1].stop) == ("y = 2\n", Stop.END)
    assert sum(piece.logprob for piece in pieces) == -0.75
    assert Ability.LOGPROBS in open_ai.abilities
    assert Ability.SEVERAL not in open_ai.abilities
    (body,) = server.bodies("/v1/completions")
    assert body["prompt"] == "def f():<|diff|>x = 1"
    assert len(body["stop"]) == 4
    assert body["model"] == "some/model"


def test_a_document_with_a_special_tokens_text_is_refused(
    server: ModelServer, open_ai: RemoteBackend
) -> None:
    server.as_openai(streams(choice("y", "stop")))
    with pytest.raises(PromptError, match=r"contains <\|diff\|>"):
        list(open_ai.write(Request(("a", DIFF, 'print("<|diff|>")')), never))
    with pytest.raises(PromptError, match=r"contains <\|user\|>"):
        list(open_ai.write(Request(("# <|user|>",), frozenset({USER})), never))
    assert server.bodies("/v1/completions") == []


def test_a_stop_is_looked_for_here_too(server: ModelServer, open_ai: RemoteBackend) -> None:
    server.as_openai(streams(choice("y<|di"), choice("ff|>z"), choice("more", "stop")))
    pieces = list(open_ai.write(Request(PROMPT, frozenset({DIFF})), never))
    assert (text_of(pieces), pieces[-1].stop) == ("y", DIFF)


def test_a_server_that_is_strict_is_asked_for_less(server: ModelServer, open_ai: RemoteBackend) -> None:
    def strict(handler: Handler) -> None:
        if "logprobs" in handler.body:
            handler.reply(400, b'{"error": {"message": "extra fields"}}')
        else:
            streams(choice("y", "length"))(handler)

    server.as_openai(strict)
    for _ in range(2):
        pieces = list(open_ai.write(Request(PROMPT), never))
        assert (text_of(pieces), pieces[-1].stop) == ("y", Stop.LENGTH)
    assert len(server.bodies("/v1/completions")) == 3


def test_which_tokens_there_are_is_not_known(server: ModelServer, open_ai: RemoteBackend) -> None:
    server.as_openai(streams())
    assert Ability.VOCABULARY not in open_ai.abilities
    assert open_ai.has(DIFF)
    assert not open_ai.has(Special(""))


@pytest.mark.parametrize(
    ("settings", "prompt"),
    [
        ({}, "<|fim_prefix|>x = <|fim_suffix|>\n<|fim_middle|>"),
        ({"prompt_format": "fim-starcoder1"}, "<fim_prefix>x = <fim_suffix>\n<fim_middle>"),
        ({"prompt_format": "plain"}, "x = "),
    ],
)
def test_a_model_is_asked_as_its_name_or_the_setting_says(
    server: ModelServer, settings: dict[str, str], prompt: str
) -> None:
    server.as_openai(streams(choice("1", "stop")), "Qwen/Qwen2.5-Coder-0.5B")
    backend, prompt_format, _ = open_endpoint(Settings(endpoint=server.url, **settings), patience=60.0)
    with closing(backend):
        view = View(Document("x = \n"), 4)
        room = Room(backend.context, 1, 8, words=Ability.WORDS in backend.abilities)
        question = prompt_format.ask(view, Task.FILL, backend.count, room)
        assert question is not None
        list(backend.write(question.request, never))
    (body,) = server.bodies("/v1/completions")
    assert body["prompt"] == prompt


SHIPPED = embedded()[0]
LIKELY = {"logprob": -2.0, "bytes": [49], "top_logprobs": []}


@pytest.mark.parametrize(
    "props",
    [
        {"model_alias": SHIPPED.path.name},
        {"model_alias": SHIPPED.name},
        {"model_alias": SHIPPED.path.stem, "model_path": "/other.gguf"},
        {"model_alias": "mine", "model_path": f"C:\\models\\{SHIPPED.path.name}"},
    ],
)
def test_the_model_that_ships_is_known_by_its_name_and_its_files(
    server: ModelServer, props: dict[str, str]
) -> None:
    """A llama-server does not say which of LintSeq's layouts a model was trained for."""
    server.as_llama(streams())
    server.routes["/props"] = answers(PROPS | props)
    backend, prompt_format, certainty = open_endpoint(Settings(endpoint=server.url), patience=60.0)
    with closing(backend):
        assert server.connections == 0, "nothing is sent before something is asked"
        assert prompt_format.name == SHIPPED.prompt_format.name != "paper-1"
        assert certainty() == SHIPPED.certainty != UNMEASURED


def test_of_other_models_nothing_was_measured(server: ModelServer) -> None:
    server.as_llama(streams())
    server.routes["/props"] = answers(PROPS | {"model_path": f"/{SHIPPED.path.name}/other.gguf"})
    backend, prompt_format, certainty = open_endpoint(Settings(endpoint=server.url), patience=60.0)
    with closing(backend):
        assert (prompt_format.name, certainty()) == ("paper-1", UNMEASURED)


@pytest.mark.parametrize(
    ("alias", "reason"), [("other.gguf", Reason.ACCEPTED), (SHIPPED.name, Reason.UNSURE)]
)
def test_what_was_measured_counts_behind_a_server(server: ModelServer, alias: str, reason: Reason) -> None:
    unsure = [{**event, "completion_probabilities": [LIKELY]} for event in writes(" 1", "\n")]
    server.as_llama(streams(*unsure))
    server.routes["/props"] = answers(PROPS | {"model_alias": alias})
    backend, _, certainty = open_endpoint(Settings(endpoint=server.url), patience=60.0)
    engine = Engine(
        backend, python_gate(), prompt_format=FORMATS["plain"], settings=Settings(), certainty=certainty
    )
    with closing(engine):
        outcome = engine.complete(Document("x = "), 4, certainty=-1.0)
    assert outcome.reason is reason


# What a server may do


def endless(raw: bytes) -> Route:
    def route(handler: Handler) -> None:
        handler.begin()
        for _ in range(100_000):
            handler.wfile.write(raw)

    return route


HOSTILE: dict[str, Route] = {
    "no JSON": streams(b"data: {oops\n\n"),
    "not UTF-8": streams(b"data: \xff\xfe\n\n"),
    "a list": streams([1]),
    "deep": streams(b"data: " + b"[" * 100_000 + b"\n\n"),
    "no text": streams({"content": 7, "choices": [{"text": 7}]}),
    "no choice": streams({"content": None, "choices": [7]}),
    "tokens of text": streams({"content": "x", "tokens": "x", "choices": [{"text": ["x"]}]}),
    "another index": streams({"index": 9, "content": "x", "choices": [{"text": 1}]}),
    "an error": streams({"error": {"message": "out of memory", "code": 500}}),
    "an error as text": streams({"error": "out of memory"}),
    "500": answers({"error": "x"}, 500),
    "500, no JSON": answers(b"\xff" * 99, 500),
    "compressed": answers(gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip"),
    "a long line": endless(b"data: " + b"x" * 65536),
    "without end": endless(b": nothing" + b" " * 65_000 + b"\n"),
}


@pytest.mark.parametrize("kind", ["llama", "openai"])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_server_sends_is_an_answer_or_a_reason(server: ModelServer, kind: str, name: str) -> None:
    getattr(server, f"as_{kind}")(HOSTILE[name])
    with closing(RemoteBackend(server.url, patience=60.0)) as backend:
        with pytest.raises(ServerError) as raised:
            list(backend.write(Request(PROMPT[:2]), never))
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize("kind", ["llama", "openai"])
def test_an_answer_without_end_is_cut_off(server: ModelServer, kind: str) -> None:
    event = {"content": "x", "tokens": [100], "choices": [{"text": "x"}]}
    getattr(server, f"as_{kind}")(endless(b"data: " + json.dumps(event).encode() + b"\n\n"))
    with closing(RemoteBackend(server.url, patience=60.0)) as backend:
        try:
            pieces = list(backend.write(Request(PROMPT[:1], max_tokens=8), never))
        except ServerError:
            return
        assert pieces[-1].stop is Stop.LENGTH
        assert len(text_of(pieces)) < 100


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"{}", b'{"data": [1]}', b'{"tokens": ["x"]}', b"<html>", b"null"]
)
def test_what_it_says_of_itself_may_be_anything(server: ModelServer, answer: bytes) -> None:
    paths = ("/props", "/v1/models", "/tokenize")
    server.routes = dict.fromkeys(paths, answers(answer))
    with closing(RemoteBackend(server.url, patience=60.0)) as backend, pytest.raises(ServerError):
        backend.has(DIFF)
    server.as_llama(streams())
    server.routes["/tokenize"] = answers(answer)
    with closing(RemoteBackend(server.url, patience=60.0)) as backend, pytest.raises(ServerError):
        backend.has(DIFF)
    server.routes["/props"] = answers(PROPS | {"total_slots": "many"})
    with closing(RemoteBackend(server.url, patience=60.0)) as backend, pytest.raises(ServerError):
        _ = backend.context


def test_a_redirection_is_not_followed(server: ModelServer, model: RemoteBackend) -> None:
    with serving() as other:
        other.as_llama(streams(*writes("y")))
        for path in ("/props", "/v1/models", "/completion"):
            server.routes[path] = answers(b"", 307, Location=f"{other.url}{path}")
        with pytest.raises(ServerError, match="redirects"):
            list(model.write(Request(PROMPT), never))
        assert other.connections == 0


def test_no_proxy_is_asked(
    server: ModelServer, model: RemoteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.as_llama(streams(*writes("y")))
    with serving() as proxy:
        for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert text_of(list(model.write(Request(PROMPT[:2]), never))) == "y"
        assert proxy.connections == 0


# Cancelled


@pytest.mark.parametrize("path", ["/props", "/tokenize", "/completion"])
def test_who_cancels_does_not_wait(server: ModelServer, model: RemoteBackend, path: str) -> None:
    server.as_llama(streams(*writes("y")))
    asked, gone = threading.Event(), threading.Event()

    def silent(handler: Handler) -> None:
        asked.set()
        handler.connection.settimeout(60)
        if handler.connection.recv(1) == b"":  # the other end was closed
            gone.set()

    server.routes[path] = silent
    with pytest.raises(Cancelled):
        list(model.write(Request(PROMPT), asked.is_set))
    model.close()
    assert gone.wait(60)


def test_closing_an_answer_early_closes_the_connection(server: ModelServer, model: RemoteBackend) -> None:
    gone = threading.Event()

    def slow(handler: Handler) -> None:
        streams(writes("y")[0])(handler)
        handler.connection.settimeout(60)
        if handler.connection.recv(1) == b"":
            gone.set()

    server.as_llama(slow)
    stream = model.write(Request(PROMPT[:2]), never)
    assert next(stream).text == "y"
    stream.close()  # type: ignore[attr-defined]
    assert gone.wait(60)


# Away, and back


def test_while_it_is_away_it_is_not_asked(
    server: ModelServer, model: RemoteBackend, clock: SimpleNamespace
) -> None:
    server.as_llama(answers(b"", 500))
    waits, connections = [], []
    for _ in range(4):
        began = clock.now
        while True:
            with pytest.raises(ServerError, match="status 500"):
                list(model.write(Request(PROMPT[:2]), never))
            if len(server.bodies("/completion")) > len(connections):
                break
            clock.now += 0.5
        connections.append(server.bodies("/completion"))
        waits.append(clock.now - began)
    assert waits == [0, 1.0, 2.0, 4.0]
    server.as_llama(streams(*writes("y")))
    clock.now += 8
    assert text_of(list(model.write(Request(PROMPT[:2]), never))) == "y"
    server.as_llama(answers(b"", 500))
    with pytest.raises(ServerError):
        list(model.write(Request(PROMPT[:2]), never))
    server.as_llama(streams(*writes("y")))
    clock.now += 1
    assert text_of(list(model.write(Request(PROMPT[:2]), never))) == "y", "what was before is forgotten"


def test_what_is_wrong_with_one_request_is_nothing_to_the_next(
    server: ModelServer, model: RemoteBackend
) -> None:
    server.as_llama(answers({"error": {"message": "too long"}}, 400))
    with pytest.raises(ServerError, match="too long"):
        list(model.write(Request(PROMPT[:2]), never))
    server.as_llama(streams(*writes("y")))
    assert text_of(list(model.write(Request(PROMPT[:2]), never))) == "y"


def test_a_server_that_loads_its_model_is_no_other_kind(
    server: ModelServer, model: RemoteBackend, clock: SimpleNamespace
) -> None:
    server.routes = {"/props": answers({"error": {"message": "Loading model"}}, 503)}
    with pytest.raises(ServerError, match="Loading model"):
        _ = model.name
    server.as_llama(streams())
    clock.now += 1
    assert model.kind == "llama-server"


def test_another_model_may_be_there_after_it_was_away(
    server: ModelServer, model: RemoteBackend, clock: SimpleNamespace
) -> None:
    server.as_llama(answers(b"", 500))
    assert model.name == "tiny.gguf"
    with pytest.raises(ServerError):
        list(model.write(Request(PROMPT[:2]), never))
    server.as_llama(streams(*writes("y")))
    server.routes["/props"] = answers(PROPS | {"model_alias": "other.gguf"})
    clock.now += 1
    assert model.name == "tiny.gguf", "what was there last, as long as nothing else is known"
    with pytest.raises(ServerError, match="another model"):
        list(model.write(Request(PROMPT[:2]), never))
    assert model.name == "other.gguf"
    assert text_of(list(model.write(Request(PROMPT[:2]), never))) == "y"


def test_nobody_waits_long_for_what_it_is(server: ModelServer) -> None:
    known = threading.Event()

    def late(handler: Handler) -> None:
        known.wait(60)
        answers(PROPS)(handler)

    server.as_llama(streams())
    server.routes["/props"] = late
    with closing(RemoteBackend(server.url, patience=0.0)) as backend:
        with pytest.raises(ServerError, match="has not yet said"):
            _ = backend.name
        known.set()
        while True:
            try:
                assert backend.name == "tiny.gguf"
                break
            except ServerError:
                time.sleep(0.01)
        assert len(server.asked) == 1, "asked once, however often it was wanted"


# Keys


def headers(server: ModelServer) -> set[str | None]:
    return {sent.get("Authorization") for _, _, sent in server.asked}


def test_the_key_is_the_environments(
    server: ModelServer, model: RemoteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "sesame")
    server.as_llama(streams(*writes("y")))
    list(model.write(Request(PROMPT[:2]), never))
    assert headers(server) == {"Bearer sesame"}


@pytest.mark.parametrize("fails", [False, True])
def test_the_key_is_the_keyrings(
    server: ModelServer, model: RemoteBackend, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    def get_password(service: str, user: str) -> str:
        assert (service, user) == ("lintseq-lsp", server.url)
        if fails:
            raise RuntimeError("locked")
        return "of the ring"

    monkeypatch.delenv(KEY, raising=False)
    ring = SimpleNamespace(get_password=get_password, __spec__=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "keyring", ring)
    server.as_llama(streams(*writes("y")))
    assert model.name == "tiny.gguf"
    assert headers(server) == ({None} if fails else {"Bearer of the ring"})


def test_a_server_that_wants_a_key_says_where_it_belongs(server: ModelServer, model: RemoteBackend) -> None:
    server.routes = {"/props": answers({"error": "x"}, 401)}
    with pytest.raises(ServerError, match=KEY):
        _ = model.name
