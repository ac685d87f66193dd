"""The model on this machine's processor, by llama.cpp's low-level interface.

One context holds up to eight sequences. Sequence 0 is the prompt and the first candidate's answer;
the other candidates share the prompt's cells. What was read or written stays until the next `write`,
which drops only what differs; of a long prompt a copy is kept then (places.py). Of a model whose memory is a
state (recurrent, hybrid) no end can be dropped: a last sequence keeps the prompt before its last token, and
only a prompt that goes on from there is not read anew. Deliberately absent: llama_cpp's `Llama`, which
redirects descriptors and detokenises everything again for each token; formats; what is made of logits
(decoding.py).
"""

import ctypes
import os
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from lintseq_lsp.backends.base import (
    BOS,
    CANDIDATES,
    EVERYTHING,
    Ability,
    Ending,
    Piece,
    Prompt,
    Request,
    Special,
    Stop,
    Usage,
)
from lintseq_lsp.backends.begins import Begins
from lintseq_lsp.backends.decoding import Beam, Logits, Tokens, Writer, likeliest_begin, likeliest_group
from lintseq_lsp.backends.llama_library import Tokenizer, begin_call, load, metadata, reason
from lintseq_lsp.backends.places import Places, shared
from lintseq_lsp.backends.pretokens import last_pretoken
from lintseq_lsp.errors import Cancelled, ModelError

import llama_cpp  # isort: skip - llama_library sets how its threads wait, before it is loaded

_CONTEXT = 4096  # most that is reserved, whatever a model was trained for
_EXTRA_CELLS = 128  # for each candidate but the first, behind the shared prompt
_BATCH = 512  # longest piece of a prompt
_FEWEST = 8  # tokens in a piece of a prompt: the first one, and on a slow machine
_STEP = 16  # tokens that llama.cpp reads best at a time: 16 take no longer than 11 to 15
_PIECE_SECONDS = 0.025  # aim for one piece of a prompt, so that a cancellation is seen within 50 ms
_SMALL = 32 << 20  # bytes of weights, below which a second thread costs more than it gives
_FAR = 128  # tokens of a prompt, from which on it is worth a copy that may not be needed
_WORTH = 16  # tokens that take longer to read than to be brought back
_MANY = 4  # tokens in a batch, from which on it pays to wait for further threads


class LlamaBackend:
    """A GGUF model with a vocabulary; see `base.Backend`.

    With temperature 0 all candidates of a request would be equal: who wants several gives a higher
    one. Of a piece that ends a candidate at a special token or the end of the sequence, `tokens` and
    `logprob` include that token, so that the sum is the log-probability of the whole answer.

    `context` can lower what the model was trained for, never raise it. `threads` read prompts, and
    `writing_threads` write, by default half as many: writing waits for memory, and the linter runs meanwhile.
    A small model has one. The default is half of the processors that the system counts, at most four: the
    linter's process and the editor want theirs, and a thread that waits for a processor holds up all. There
    are never more than processors. `gpu_layers` are computed by a GPU, if there is one that llama.cpp was
    built for.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        writing_threads: int | None = None,
        context: int | None = None,
        gpu_layers: int = 0,
    ) -> None:
        self.name = path.name
        self.usage = Usage()
        self._gpu = gpu_layers > 0
        self._model: llama_cpp.llama_model_p | None = load(path, gpu_layers)
        self._context: llama_cpp.llama_context_p | None = None
        try:
            self._tokenizer = Tokenizer(self._model, self.name)
            trained = llama_cpp.llama_model_n_ctx_train(self._model)
            self.context = min(context or trained, trained, _CONTEXT)
            self._threads = threads_for(threads, os.cpu_count() or 1)
            self._writing_threads = min(writing_threads or max(1, self._threads // 2), os.cpu_count() or 1)
            self._threads_set = 0
            self._small = llama_cpp.llama_model_size(self._model) < _SMALL
            self._open()
        except BaseException:
            self.close()
            raise
        self._pretokenizer = metadata(self._model, "tokenizer.ggml.pre") or ""
        self._begins = lru_cache(16)(Begins)
        self._piece = _FEWEST

    def _open(self) -> None:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = self.context + (CANDIDATES - 1) * _EXTRA_CELLS
        params.n_batch = params.n_ubatch = _BATCH
        kinds = (llama_cpp.llama_model_is_recurrent, llama_cpp.llama_model_is_hybrid)
        is_state = any(is_kind(self._model) for is_kind in kinds)
        self._kept = CANDIDATES if is_state else None  # the sequence that keeps the prompt
        self.abilities = EVERYTHING if is_state else EVERYTHING | Ability.AHEAD
        params.n_seq_max = CANDIDATES + is_state
        params.n_outputs_max = params.n_seq_max  # otherwise logits are reserved for each token of a piece
        params.kv_unified = True
        # Flash attention sums in half precision: logits would depend on how a prompt was cut in pieces.
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.offload_kqv = params.op_offload = self._gpu
        params.no_perf = True
        begin_call()
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if self._context is None:
            raise ModelError(f"llama.cpp cannot run {self.name}: {reason()}")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._cells = llama_cpp.llama_n_ctx(self._context)
        self._held: list[list[int]] = [[] for _ in range(params.n_seq_max)]  # token ids in each sequence
        self._prompt = 0  # so many of sequence 0 were read, not written
        self._places = Places(self._context)

        self._ids, self._positions, self._sequences = (np.zeros(_BATCH, np.int32) for _ in range(3))
        self._outputs = np.zeros(_BATCH, np.int8)
        self._counts = np.ones(_BATCH, np.int32)
        pointer = ctypes.POINTER(ctypes.c_int32)
        first = self._sequences.ctypes.data
        self._sequence_pointers = (pointer * _BATCH)(
            *(ctypes.cast(first + 4 * row, pointer) for row in range(_BATCH))
        )
        self._batch = llama_cpp.llama_batch(
            0,
            self._ids.ctypes.data_as(pointer),
            None,
            self._positions.ctypes.data_as(pointer),
            self._counts.ctypes.data_as(pointer),
            self._sequence_pointers,
            self._outputs.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def has(self, special: Special) -> bool:
        self._require_open()
        return self._tokenizer.id_of(special) is not None

    def count(self, text: str) -> int:
        self._require_open()
        return len(self._tokenizer.ids(text))

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        self._require_open()
        if not 1 <= request.candidates <= CANDIDATES:
            raise ModelError(
                f"{request.candidates} candidates were requested, at most {CANDIDATES} are possible"
            )
        tokens = self._tokens(request)
        prompt, given = self._cut(request.prompt)
        ids = self._prompt_ids(prompt)
        if not 0 < len(ids) < self.context:
            raise ModelError(f"the prompt has {len(ids)} tokens, and the context is {self.context}")
        possible = self._possible(request, given)
        self._reuse(ids, ahead=not request.max_tokens)
        self.usage = Usage(cached=len(self._held[0]))
        if self._kept is not None:
            self._read(ids[:-1], cancelled)
            llama_cpp.llama_memory_seq_cp(self._memory, 0, self._kept, -1, -1)
            self._held[self._kept] = list(ids[:-1])
        self._read(ids, cancelled)
        if not request.max_tokens:
            yield from (Piece(index, "", 0, 0.0, Stop.LENGTH) for index in range(request.candidates))
            return

        row, planned = self._logits(-1), tuple[int, ...]()
        begins = likeliest_group(row, possible)
        if request.sampling.temperature <= 0 and not begins.settled(b""):
            row = row.copy()
            planned = likeliest_begin(row, begins, tokens.texts, self._branch, cancelled)
            self._drop_others()
        room = min(self.context - len(ids), (self._cells - len(ids)) // request.candidates)
        writers = [
            Writer(index, request, room, begins, given=given, planned=planned)
            for index in range(request.candidates)
        ]
        for writer in writers[1:]:
            llama_cpp.llama_memory_seq_cp(self._memory, 0, writer.index, -1, -1)
            self._held[writer.index] = list(ids)
        rows = [row] * len(writers)
        while writers:
            for writer, row in zip(writers, rows, strict=True):
                if cancelled():
                    raise Cancelled
                token, logprob = self._choose(tokens, row, writer)
                self.usage = replace(self.usage, written=self.usage.written + 1)
                piece = writer.take(token, tokens.texts[token], logprob, tokens.ends.get(token))
                if piece is not None:
                    yield piece
            writers = [writer for writer in writers if not writer.ended]
            if writers:
                self._decode(
                    [writer.token for writer in writers],
                    [len(self._held[writer.index]) for writer in writers],
                    [writer.index for writer in writers],
                    outputs=1,
                )
                rows = [self._logits(row) for row in range(len(writers))]

    def close(self) -> None:
        if self._context is not None:
            llama_cpp.llama_free(self._context)
            self._context = None
        if self._model is not None:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    def _require_open(self) -> None:
        if self._context is None:
            raise ModelError(f"{self.name} was closed")

    def _cut(self, prompt: Prompt) -> tuple[Prompt, str]:
        """The prompt without its last pre-token, and that: what is written must begin with it.

        Whatever follows, the tokens of what is left are those of the whole text. A model has to read at
        least one: a prompt that is one pre-token stays as it is.
        """
        *closed, last = prompt
        if isinstance(last, Special):
            return prompt, ""
        cut = last_pretoken(last, self._pretokenizer)
        if not cut and not self._prompt_ids(closed):
            return prompt, ""
        return (*closed, last[:cut]), last[cut:]

    def _prompt_ids(self, prompt: Prompt) -> list[int]:
        known = {part: self._ids_of(part) for part in prompt if isinstance(part, Special)}
        ids: list[int] = []
        for part in prompt:
            ids += self._tokenizer.ids(part) if isinstance(part, str) else known[part]
        return ids

    def _ids_of(self, special: Special) -> tuple[int, ...]:
        return self._tokenizer.bos if special == BOS else (self._special(special),)

    def _special(self, special: Special) -> int:
        id_ = self._tokenizer.id_of(special)
        if id_ is None:
            raise ModelError(f"{self.name} has no token {special.text}")
        return id_

    def _tokens(self, request: Request) -> Tokens:
        ends: dict[int, Ending] = dict.fromkeys(self._tokenizer.ends, Stop.END)
        for stop in request.stops:
            if isinstance(stop, Special) and (id_ := self._tokenizer.id_of(stop)) is not None:
                ends[id_] = stop
        return Tokens(self._tokenizer.texts, self._tokenizer.silent, ends)

    def _possible(self, request: Request, given: str) -> list[Begins]:
        """The groups of texts that an answer may begin with, each behind what is `given`."""
        groups = [tuple(given + text for text in group) for group in request.begins or (("",),)]
        if request.sampling.temperature > 0:  # what is drawn follows the probabilities of all of them
            groups = [tuple(text for group in groups for text in group)]
        return [self._begins(group, self._tokenizer.vocabulary) for group in groups]

    def _reuse(self, ids: Sequence[int], *, ahead: bool) -> None:
        """Makes sequence 0 the longest prefix of `ids` that is known, without the last token.

        Before something is read `ahead`, what the next key would go on from is kept.
        """
        ids = ids[:-1]
        sizes = [shared(held, ids) for held in self._held]
        if self._kept is not None:
            sizes = [size * (size == len(held)) for size, held in zip(sizes, self._held, strict=True)]
        size = max(sizes)
        best = sizes.index(size)
        elsewhere, place = self._places.nearest(ids)
        goes_back = place is not None and elsewhere >= size + _WORTH
        if self._kept is None and self._prompt - sizes[0] >= (_WORTH if ahead or goes_back else _FAR):
            self._places.keep(0, self._held[0])
        if place is not None and goes_back:
            self._forget()
            size = elsewhere if self._places.bring_back(place, 0) else 0
        elif best:
            llama_cpp.llama_memory_seq_rm(self._memory, 0, -1, -1)
            llama_cpp.llama_memory_seq_cp(self._memory, best, 0, -1, -1)
        removed = llama_cpp.llama_memory_seq_rm(self._memory, 0, size, -1)
        for other in range(1, len(self._held)):
            self._drop(other)
        self._held[0] = list(ids[:size])
        self._prompt = size
        if not removed:
            self._forget()

    def _drop_others(self, kept: Container[int] = ()) -> None:
        """Empties all sequences but the prompt's and those to be kept."""
        for other in range(1, CANDIDATES):
            if other not in kept:
                self._drop(other)

    def _drop(self, sequence: int) -> None:
        if self._held[sequence]:
            llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
            self._held[sequence] = []

    def _forget(self) -> None:
        llama_cpp.llama_memory_clear(self._memory, False)
        self._held = [[] for _ in self._held]
        self._prompt = 0

    def _read(self, ids: Sequence[int], cancelled: Callable[[], bool]) -> None:
        """Reads what sequence 0 lacks of `ids`, in pieces, with the last token's logits."""
        held = self._held[0]
        while len(held) < len(ids):
            if cancelled():
                raise Cancelled
            start = len(held)
            piece = ids[start : start + self._piece]
            began = time.perf_counter()
            last = start + len(piece) == len(ids)
            self._decode(piece, range(start, start + len(piece)), 0, outputs=[0] * (len(piece) - 1) + [last])
            seconds = time.perf_counter() - began
            self.usage = replace(self.usage, read=self.usage.read + len(piece))
            if len(piece) == self._piece >= _FEWEST:
                self._piece = next_piece(len(piece), seconds)
            self._prompt = len(held)

    def _decode(
        self,
        ids: Sequence[int],
        positions: Sequence[int],
        sequences: int | Sequence[int],
        *,
        outputs: int | Sequence[int],
    ) -> None:
        """Puts token i at `positions[i]` of `sequences[i]`; logits come of those with `outputs[i]`."""
        size = len(ids)
        threads = 1 if self._small else self._threads if size >= _MANY else self._writing_threads
        if threads != self._threads_set:
            self._threads_set = threads
            llama_cpp.llama_set_n_threads(self._context, threads, threads)
        self._ids[:size] = ids
        self._positions[:size] = positions
        self._sequences[:size] = sequences
        self._outputs[:size] = outputs
        self._batch.n_tokens = size
        begin_call()
        code = llama_cpp.llama_decode(self._context, self._batch)
        if code:
            self._forget()
            raise ModelError(f"llama.cpp stopped with code {code}: {reason()}")
        for id_, sequence in zip(ids, self._sequences[:size].tolist(), strict=True):
            self._held[sequence].append(id_)

    def _logits(self, row: int) -> Logits:
        """Of token `row` of the last batch, or of its last output when -1: a view until the next batch."""
        pointer = llama_cpp.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, shape=(len(self._tokenizer.texts),))

    def _branch(self, beams: Sequence[Beam]) -> tuple[list[Beam], list[Logits]]:
        """Decodes the last token of each, in a sequence of its own; the first of a parent goes on in its.

        Only the prompt is held but for these.
        """
        parents = {beam.sequence for beam in beams}
        self._drop_others(parents)
        free = [sequence for sequence in range(1, CANDIDATES) if sequence not in parents]
        branches: list[Beam] = []
        for beam in beams:
            taken = beam.sequence == 0 or any(beam.sequence == other.sequence for other in branches)
            branches.append(replace(beam, sequence=free.pop()) if taken else beam)
        for beam, branch in zip(beams, branches, strict=True):
            if branch.sequence != beam.sequence:
                llama_cpp.llama_memory_seq_cp(self._memory, beam.sequence, branch.sequence, -1, -1)
                self._held[branch.sequence] = self._held[beam.sequence][:]
        self._decode(
            [branch.tokens[-1] for branch in branches],
            [len(self._held[branch.sequence]) for branch in branches],
            [branch.sequence for branch in branches],
            outputs=1,
        )
        return branches, [self._logits(row) for row in range(len(branches))]

    def _choose(self, tokens: Tokens, logits: Logits, writer: Writer) -> tuple[int, float]:
        try:
            return tokens.choose(logits, writer)
        except ModelError as error:
            self._forget()
            raise ModelError(f"{self.name} cannot continue: {error}") from None


def threads_for(wanted: int | None, processors: int) -> int:
    """That read a prompt."""
    return min(wanted, processors) if wanted else max(1, min(4, processors // 2))


def next_piece(size: int, seconds: float) -> int:
    """Tokens of a prompt to be read at a time, when `size` of them took so many seconds."""
    wanted = round(size * _PIECE_SECONDS / seconds / _STEP) * _STEP
    return max(_FEWEST, min(wanted, 2 * size, _BATCH))
