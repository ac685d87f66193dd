"""A server on this machine that a test tells what to answer, and that can speak as llama-server does."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Route = Callable[["Handler"], None]

PROPS = {
    "default_generation_settings": {"n_ctx": 512},
    "total_slots": 2,
    "model_alias": "/models/tiny.gguf",
}
SPECIAL = {"<|diff|>": 1, "<|user|>": 2}  # the second one is user-defined: taken out of any text


class ModelServer:
    """`routes` by path; `asked` are (path, body, headers) of all requests, oldest first."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.asked: list[tuple[str, Any, Mapping[str, str]]] = []
        self.connections = 0
        self.url = ""

    def bodies(self, path: str) -> list[Any]:
        return [body for asked, body, _ in self.asked if asked == path]

    def as_llama(self, completion: Route) -> None:
        """Speaks as llama-server does: a token is a character, but for special ones."""
        self.routes = {"/props": answers(PROPS), "/tokenize": _tokenize, "/completion": completion}

    def as_openai(self, completion: Route, *models: str) -> None:
        entries = [{"id": model, "max_model_len": 256} for model in models or ("some/model",)]
        self.routes = {"/v1/models": answers({"data": entries}), "/v1/completions": completion}


class Handler(BaseHTTPRequestHandler):
    server_: ModelServer
    body: Any

    def setup(self) -> None:
        super().setup()
        self.server_.connections += 1

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        size = int(self.headers["Content-Length"] or 0)
        self.body = json.loads(self.rfile.read(size)) if size else None
        self.server_.asked.append((self.path, self.body, dict(self.headers)))
        route = self.server_.routes.get(self.path)
        if route is None:
            self.reply(404, b"{}")
            return
        try:
            route(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self) -> None:
        """A body that ends with the connection."""
        self.send_response(200)
        self.end_headers()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


def answers(value: Any, status: int = 200, **headers: str) -> Route:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return lambda handler: handler.reply(status, body, **headers)


def streams(*events: Any) -> Route:
    """Server-sent events; bytes are sent as they are."""

    def route(handler: Handler) -> None:
        handler.begin()
        for event in events:
            raw = event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"
            handler.wfile.write(raw)

    return route


def writes(*texts: str, index: int = 0, stop: str = "limit") -> list[dict[str, Any]]:
    """What llama-server streams of a candidate, a token a text."""
    events: list[dict[str, Any]] = [
        {
            "index": index,
            "content": "" if text in SPECIAL else text,
            "tokens": [SPECIAL.get(text, 100)],
            "stop": False,
            "completion_probabilities": [
                {"logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": []},
            ],
        }
        for text in texts
    ]
    return [*events, {"index": index, "content": "", "tokens": [], "stop": True, "stop_type": stop}]


def goes_on(*texts: str) -> Route:
    """Each candidate is the grammar's first beginning, then `texts`."""

    def route(handler: Handler) -> None:
        given, skipped = "", 0
        for sign in re.findall(r'"(?:[^"\\]|\\.)*"|[()|]', handler.body.get("grammar", "")):
            if skipped or sign == "|":
                skipped += (sign == "(") - (sign == ")") + (sign == "|" and not skipped)
            elif sign[0] == '"':
                given += sign[1:-1].encode().decode("unicode_escape")
        all_texts = [given, *texts] if given else texts
        candidates = range(handler.body.get("n_cmpl", 1))
        streams(*(event for index in candidates for event in writes(*all_texts, index=index)))(handler)

    return route


def _tokenize(handler: Handler) -> None:
    text, tokens = handler.body["content"], []
    while text:
        known = SPECIAL if handler.body["parse_special"] else {"<|user|>": 2}
        found = next((name for name in known if text.startswith(name)), None)
        tokens.append(known[found] if found else 1000 + ord(text[0]))
        text = text[len(found) if found else 1 :]
    handler.reply(200, json.dumps({"tokens": tokens}).encode())


@contextmanager
def serving(port: int = 0) -> Iterator[ModelServer]:
    served = ModelServer()
    bound = type("Bound", (Handler,), {"server_": served, "protocol_version": "HTTP/1.1"})
    ThreadingHTTPServer.daemon_threads = True
    server = ThreadingHTTPServer(("127.0.0.1", port), bound)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
