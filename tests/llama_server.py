"""A real llama-server, started for a test; `LINTSEQ_LLAMA_SERVER` names it (see the Makefile)."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from small_model import SMALL_MODEL

from lintseq_lsp.backends.base import Piece, Request
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.weights.registry import embedded

MODEL_THAT_SHIPS = embedded()[0].path
NEAR = 0.05  # nats between two tokens, either of which another order of sums may make the greater
EXECUTABLE = os.environ.get("LINTSEQ_LLAMA_SERVER", "")
needed = pytest.mark.skipif(not EXECUTABLE, reason="there is no llama-server (LINTSEQ_LLAMA_SERVER)")


class LlamaServer:
    """A process that can be killed and started again, at the same address."""

    def __init__(self, model: Path, log: Path, *arguments: str) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._command = [EXECUTABLE, "--model", str(model), "--host", "127.0.0.1", "--port", str(port)]
        self._command += ["--offline", "--no-ui", *arguments]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        while True:
            assert self._process.poll() is None, self._log.read_text("utf-8")
            try:
                if httpx2.get(f"{self.url}/health", trust_env=False).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.05)

    @property
    def process_id(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def started(log: Path, *arguments: str, model: Path = SMALL_MODEL) -> Iterator[LlamaServer]:
    """Without flash attention, as in this process: it rounds otherwise."""
    server = LlamaServer(model, log, "--threads", "1", "--flash-attn", "off", *arguments)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def logprob(pieces: list[Piece]) -> float:
    return sum(piece.logprob for piece in pieces)


def is_near_tie(here: LlamaBackend, request: Request, one: str, other: str) -> bool:
    """Whether the model holds the two answers about equally probable where they part."""
    pairs = enumerate(zip(one, other, strict=False))
    size = next((at for at, (mine, their) in pairs if mine != their), min(len(one), len(other))) + 1

    def probability(text: str) -> float:
        asked = Request(request.prompt, begins=[[text[:size]]], max_tokens=request.max_tokens)
        return logprob(list(here.write(asked, lambda: False)))

    return abs(probability(one) - probability(other)) < NEAR
