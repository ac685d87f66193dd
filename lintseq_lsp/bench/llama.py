"""The benchmark of the model: what llama.cpp does without us, and our backend writing a recording.

The yardstick speaks to llama.cpp itself: it must not go through what it measures.
"""

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lintseq_lsp.backends.base import CANDIDATES, Piece, Request
from lintseq_lsp.backends.decoding import Logits, Tokens, Writer
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.bench.texts import texts
from lintseq_lsp.bench.values import Plan, Result, Results, Target
from lintseq_lsp.errors import ModelError
from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.weights.gguf_header import Type
from lintseq_lsp.weights.random_model import random_model
from lintseq_lsp.weights.registry import resolve_model

import llama_cpp  # isort: skip - backends.llama_library sets how its threads wait, before it is loaded

_PROMPT = 3000  # characters
_WRITTEN = 128  # tokens


def writing(plan: Plan) -> Results:
    """Greedy writing by the backend against a bare loop of `llama_decode`, turn by turn."""
    prompt = texts(200)[0].text[:_PROMPT]
    used = resolve_model(plan.model or None).path
    files = {f"150M {kind.value}": random_model(kind) for kind in (Type.Q8_0, Type.Q4_0)} | {used.stem: used}
    for label, path in files.items():
        backend = LlamaBackend(path)
        try:
            threads = threads_used(backend)[0]
            _write(backend, prompt)
            cells = llama_cpp.llama_n_ctx(backend._context)
            bare = BareLoop(path, threads=threads, context=cells)
            try:
                bare.read(prompt)
                pairs = [(_write(backend, prompt), bare.write(_WRITTEN)) for _ in range(plan.times(15, 3))]
            finally:
                bare.close()
        finally:
            backend.close()
        note = f"{threads} thread(s), {_WRITTEN} tokens"
        ours_alone, bare_alone = (tuple(rates) for rates in zip(*pairs, strict=True))
        yield Result(f"writing, {label}", "tokens/s", ours_alone, note=note)
        yield Result(f"bare llama_decode loop, {label}", "tokens/s", bare_alone, note=note)
        yield Result(
            f"writing relative to the bare loop, {label}",
            "ratio",
            tuple(ours / bare for ours, bare in pairs),
            (Target("p50", 0.95, at_least=True),),
        )


def _write(backend: LlamaBackend, prompt: str) -> float:
    """Tokens a second. A prompt that is in the cache costs one token, as in the bare loop."""
    start = time.perf_counter()
    for _ in backend.write(Request([prompt], max_tokens=_WRITTEN), lambda: False):
        pass
    seconds = time.perf_counter() - start
    return backend.usage.written / seconds


class BareLoop:
    """Greedy decoding with nothing around `llama_decode` but the search for the largest logit.

    With the attention of our backend: the other one sums in half precision, and so computes other numbers. In
    a context of as many cells, too: in one that the text fills, values lie without gaps.
    """

    def __init__(self, path: Path, *, threads: int, context: int) -> None:
        model = llama_cpp.llama_model_default_params()
        no_devices = (ctypes.c_void_p * 1)(None)
        model.devices = ctypes.cast(no_devices, ctypes.c_void_p)
        model.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), model)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = context
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        self._context = llama_cpp.llama_init_from_model(self._model, params) if self._model else None
        if self._context is None:
            raise ModelError(f"llama.cpp cannot run {path.name}")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self._size = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self._read = 0
        self._last = 0

    def read(self, prompt: str) -> None:
        data = prompt.encode()
        ids = (ctypes.c_int32 * (len(data) + 1))()
        self._read = llama_cpp.llama_tokenize(self._vocab, data, len(data), ids, len(ids), False, False)
        self._last = ids[self._read - 1]
        self._decode(ids, self._read)

    def write(self, tokens: int) -> float:
        """Tokens a second behind the prompt, whose last token is read anew."""
        memory = llama_cpp.llama_get_memory(self._context)
        token = (ctypes.c_int32 * 1)(self._last)
        start = time.perf_counter()
        llama_cpp.llama_memory_seq_rm(memory, 0, self._read - 1, -1)
        for _ in range(tokens):
            self._decode(token, 1)
            logits = llama_cpp.llama_get_logits_ith(self._context, -1)
            token[0] = int(np.ctypeslib.as_array(logits, shape=(self._size,)).argmax())
        return tokens / (time.perf_counter() - start)

    def _decode(self, ids: "ctypes.Array[ctypes.c_int32]", count: int) -> None:
        code = llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(ids, count))
        if code:
            raise ModelError(f"llama.cpp stopped with code {code}")

    def close(self) -> None:
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


class RecordedLlama(LlamaBackend):
    """Does all the work of a `LlamaBackend`, and then writes what `answer` says instead of its choice.

    Random weights write nothing that could be clean. Here they read, compute, and mask the same number of
    tokens as a model that wrote the recording. `answer` is called for each request: a whole diff, or
    what follows the first of the request's `begins`.
    """

    answer: Callable[[], str] = staticmethod(lambda: "")

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        text = self.answer()
        begins = [begin for group in request.begins for begin in group]
        if begins and not text.startswith(tuple(begins)):
            text = begins[0] + text
        _, given = self._cut(request.prompt)
        self._recorded = [*self._tokenizer.ids(given + text), self._special(DIFF)]
        self._done = [0] * CANDIDATES
        return super().write(request, cancelled)

    def _choose(self, tokens: Tokens, logits: Logits, writer: Writer) -> tuple[int, float]:
        _, logprob = super()._choose(tokens, logits, writer)
        token = self._recorded[self._done[writer.index]]
        self._done[writer.index] += 1
        return token, logprob


def threads_used(backend: LlamaBackend) -> tuple[int, int]:
    """Threads of llama.cpp while it writes a token, and while it reads a prompt."""
    prompt, never = ["x = 1\n" * 16], lambda: False
    for _ in backend.write(Request(prompt, max_tokens=1), never):
        pass
    reading = llama_cpp.llama_n_threads_batch(backend._context)
    for _ in backend.write(Request(prompt, max_tokens=3), never):
        pass
    return llama_cpp.llama_n_threads(backend._context), reading


def build_features() -> str:
    """What llama.cpp was built with and found in the processor."""
    features: bytes = llama_cpp.llama_print_system_info()
    return " ".join(features.decode().split())
