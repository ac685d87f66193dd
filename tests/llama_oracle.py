"""A GGUF read by llama.cpp in the plainest way: tokens of a text, scores at every position."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import llama_cpp
import numpy as np

from lintseq_lsp.weights.checkpoint import Matrix


class Loaded:
    """A model in memory; `close` through `loaded`."""

    def __init__(self, path: Path, vocabulary_only: bool) -> None:
        logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = vocabulary_only
        self.model = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        assert self.model, path
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)

    def tokens(self, text: str) -> list[int]:
        data = text.encode("utf-8", "surrogatepass")
        room = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(self.vocabulary, data, len(data), room, len(room), False, False)
        return list(room[:count])

    def logits(self, tokens: Sequence[int]) -> Matrix:
        """(tokens, rows)"""
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = max(64, len(tokens))
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.type_k = parameters.type_v = 0  # F32, as in the reference
        parameters.flash_attn_type = 0
        context = llama_cpp.llama_init_from_model(self.model, parameters)
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = (
                token,
                i,
                1,
                0,
                1,
            )
        assert llama_cpp.llama_decode(context, batch) == 0
        rows = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        scores = np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), (len(tokens), rows)).copy()
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)
        return scores


@contextmanager
def loaded(path: Path, *, vocabulary_only: bool = False) -> Iterator[Loaded]:
    model = Loaded(path, vocabulary_only)
    try:
        yield model
    finally:
        llama_cpp.llama_model_free(model.model)
