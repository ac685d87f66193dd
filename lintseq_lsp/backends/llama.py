"""The model on this machine's processor, by llama.cpp's low-level interface (only importer of it here).

One context holds up to eight sequences. Sequence 0 is the prompt and the first candidate's answer;
the other candidates share the prompt's cells. What was read or written stays until the next `write`,
which drops only what differs. Deliberately absent: llama_cpp's `Llama`, which redirects descriptors
and detokenises everything again for each token.
"""

import codecs
import ctypes
import logging
import os
import time
import unicodedata
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lintseq_lsp.backends.base import CANDIDATES, Piece, Prompt, Request, Sampling, Stop, Usage
from lintseq_lsp.backends.begins import Begins, Ids, Vocabulary
from lintseq_lsp.backends.pretokens import last_pretoken
from lintseq_lsp.errors import Cancelled, ModelError, ModelFileError, TokenizerError
from lintseq_lsp.prompts import BOUNDARY, END

# Before llama.cpp is loaded. Its threads wait for each other hundreds of times a token. One that spins
# takes the core from the thread it waits for as soon as the machine is busy (measured: a hundred times
# slower), one that sleeps at once makes two threads slower than one: so they spin a little, then sleep.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# An abort would start a debugger and print a stack with the user's text in it.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

import llama_cpp

_CONTEXT = 4096  # most that is reserved, whatever a model was trained for
_EXTRA_CELLS = 128  # for each candidate but the first, behind the shared prompt
_BATCH = 512  # longest piece of a prompt
_FEWEST = 8  # tokens in a piece of a prompt: the first one, and on a slow machine
_PIECE_SECONDS = 0.025  # aim for one piece of a prompt, so that a cancellation is seen within 50 ms
_FRAGMENTS = 4096  # whose tokens are remembered
_SMALL = 32 << 20  # bytes of weights, below which a second thread costs more than it gives
_MANY = 4  # tokens in a batch, from which on it pays to wait for further threads
_BEAMS = 4  # beginnings of an answer that are looked into at a time
_LEVEL_ERROR = 4  # GGML_LOG_LEVEL_ERROR in ggml.h

_log = logging.getLogger(__name__)
_errors: list[str] = []  # that llama.cpp logged since a call began

Logits = NDArray[np.float32]


def _take_log(level: int, text: bytes, _data: object) -> None:
    if level == _LEVEL_ERROR or _log.isEnabledFor(logging.DEBUG):
        message = text.decode("utf-8", "replace").strip()
        if level == _LEVEL_ERROR:
            _errors.append(message)
        _log.debug("%s", message)


_log_callback = llama_cpp.llama_log_callback(_take_log)  # llama.cpp keeps a pointer to it, not a reference
llama_cpp.llama_log_set(_log_callback, ctypes.c_void_p(None))


class LlamaBackend:
    """A GGUF model with LintSeq's tokenizer; see `base.Backend`.

    With temperature 0 all candidates of a request would be equal: who wants several gives a higher
    one. Of a piece that ends a candidate at `<|diff|>` or the end of the sequence, `tokens` and
    `logprob` include that token, so that the sum is the log-probability of the whole answer.

    `context` can lower what the model was trained for, never raise it. `threads` read prompts, half as
    many write, since writing waits for memory and the linter runs meanwhile; a small model has one. The
    default is half of the processors that the system counts: at least two, at most four.
    """

    def __init__(self, path: Path, *, threads: int | None = None, context: int | None = None) -> None:
        self.name = path.name
        self.usage = Usage()
        self._model: llama_cpp.llama_model_p | None = _load(path)
        self._context: llama_cpp.llama_context_p | None = None
        try:
            self._read_vocabulary()
            trained = llama_cpp.llama_model_n_ctx_train(self._model)
            self.context = min(context or trained, trained, _CONTEXT)
            cores = os.cpu_count() or 1
            self._threads = threads or max(min(2, cores), min(4, cores // 2))
            self._threads_set = 0
            self._small = llama_cpp.llama_model_size(self._model) < _SMALL
            self._open()
        except BaseException:
            self.close()
            raise
        self._nfc = self._metadata("lintseq.normalizer") == "NFC"
        self._pretokenizer = self._metadata("tokenizer.ggml.pre") or ""
        self._tokens = lru_cache(_FRAGMENTS)(self._tokenise)
        self._begins = lru_cache(8)(lambda texts: Begins(texts, self._vocabulary))
        self._piece = _FEWEST

    def _read_vocabulary(self) -> None:
        vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        if vocabulary is None or llama_cpp.llama_vocab_type(vocabulary) == llama_cpp.LLAMA_VOCAB_TYPE_NONE:
            raise TokenizerError(f"{self.name} has no vocabulary: convert the model with its tokenizer")
        self._vocab = vocabulary
        size = llama_cpp.llama_vocab_n_tokens(vocabulary)
        boundary = self._encode(BOUNDARY.encode(), parse_special=True)
        if len(boundary) != 1 or self._bytes(boundary[0], special=True) != BOUNDARY.encode():
            raise TokenizerError(
                f"{self.name} has no token {BOUNDARY}: it is no LintSeq model, or its added tokens "
                "were lost when it was converted"
            )
        self._boundary = boundary[0]
        self._stops = {id_: Stop.END for id_ in range(size) if llama_cpp.llama_vocab_is_eog(vocabulary, id_)}
        self._stops[self._boundary] = Stop.BOUNDARY
        self._text = [b"" if id_ in self._stops else self._bytes(id_, special=False) for id_ in range(size)]
        self._vocabulary = Vocabulary(self._text)
        # Padding and control tokens write nothing and end nothing: they are never chosen.
        self._scratch = np.empty(size, np.float32)
        self._forbidden = np.array(
            [not text and id_ not in self._stops for id_, text in enumerate(self._text)]
        )

    def _open(self) -> None:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = self.context + (CANDIDATES - 1) * _EXTRA_CELLS
        params.n_batch = params.n_ubatch = _BATCH
        params.n_seq_max = CANDIDATES
        params.n_outputs_max = CANDIDATES  # otherwise logits are reserved for each token of a piece
        params.kv_unified = True
        # Flash attention sums in half precision: logits would depend on how a prompt was cut in pieces.
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.offload_kqv = params.op_offload = False
        params.no_perf = True
        _errors.clear()
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if self._context is None:
            raise ModelError(f"llama.cpp cannot run {self.name}: {_reason()}")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._cells = llama_cpp.llama_n_ctx(self._context)
        self._held: list[list[int]] = [[] for _ in range(CANDIDATES)]  # token ids in each sequence

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

    def count(self, text: str) -> int:
        self._require_open()
        return len(self._tokens(text))

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        self._require_open()
        if not 1 <= request.candidates <= CANDIDATES:
            raise ModelError(f"{request.candidates} candidates were asked for, 1 to {CANDIDATES} can be had")
        prompt, given = self._cut(request.prompt)
        ids = self._prompt_ids(prompt)
        if not 0 < len(ids) < self.context:
            raise ModelError(f"the prompt has {len(ids)} tokens, and the context is {self.context}")
        begins = self._begins(tuple(given + begin for begin in request.begins or ("",)))
        self._reuse(ids)
        self.usage = Usage(cached=len(self._held[0]))
        self._read(ids, cancelled)

        row, planned = self._logits(-1), tuple[int, ...]()
        if request.sampling.temperature <= 0 and not begins.settled(b""):
            row = row.copy()
            planned = self._likeliest(row, begins, cancelled)
        room = min(self.context - len(ids), (self._cells - len(ids)) // request.candidates)
        writers = [_Writer(index, request, room, given, planned) for index in range(request.candidates)]
        for writer in writers[1:]:
            llama_cpp.llama_memory_seq_cp(self._memory, 0, writer.index, -1, -1)
            self._held[writer.index] = list(ids)
        rows = [row] * len(writers)
        while writers:
            for writer, row in zip(writers, rows, strict=True):
                if cancelled():
                    raise Cancelled
                token, logprob = self._choose(row, writer, begins)
                self.usage = replace(self.usage, written=self.usage.written + 1)
                piece = writer.take(token, self._text[token], logprob, self._stops.get(token))
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
        *closed, open_ = prompt
        cut = last_pretoken(open_, self._pretokenizer)
        if not closed and not cut:
            return prompt, ""
        return (*closed, open_[:cut]), open_[cut:]

    def _prompt_ids(self, prompt: Prompt) -> list[int]:
        ids: list[int] = []
        for number, fragment in enumerate(prompt):
            if number:
                ids.append(self._boundary)
            ids += self._tokens(fragment)
        return ids

    def _metadata(self, key: str) -> str | None:
        buffer = ctypes.create_string_buffer(64)
        size = llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode() if size >= 0 else None

    def _tokenise(self, fragment: str) -> tuple[int, ...]:
        if self._nfc:  # the tokenizer's own first step, which llama.cpp does not know
            fragment = unicodedata.normalize("NFC", fragment)
        # llama.cpp takes a user-defined token out of any text. What is text stays text when it is cut
        # inside of each such place.
        head, *rest = fragment.split(BOUNDARY)
        parts = [head] if not rest else [head + BOUNDARY[0]]
        parts += [BOUNDARY[1:] + part + BOUNDARY[0] for part in rest[:-1]]
        parts += [BOUNDARY[1:] + part for part in rest[-1:]]
        return tuple(id_ for part in parts for id_ in self._encode(part.encode("utf-8", "replace")))

    def _encode(self, text: bytes, *, parse_special: bool = False) -> list[int]:
        ids = (ctypes.c_int32 * (len(text) + 1))()
        size = llama_cpp.llama_tokenize(self._vocab, text, len(text), ids, len(ids), False, parse_special)
        if size < 0:
            raise ModelError(f"llama.cpp cannot tokenise a text of {len(text)} bytes")
        return list(ids[:size])

    def _bytes(self, token: int, *, special: bool) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            written = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if written >= 0:
                return buffer.raw[:written]
            size = -written

    def _reuse(self, ids: Sequence[int]) -> None:
        """Makes sequence 0 the longest prefix of `ids` that any sequence holds, without the last token."""
        shared = [_shared(held, ids[:-1]) for held in self._held]
        size = max(shared)
        best = shared.index(size)
        if best:
            llama_cpp.llama_memory_seq_rm(self._memory, 0, -1, -1)
            llama_cpp.llama_memory_seq_cp(self._memory, best, 0, -1, -1)
        removed = llama_cpp.llama_memory_seq_rm(self._memory, 0, size, -1)
        self._drop_others()
        self._held[0] = list(ids[:size])
        if not removed:  # a model whose memory cannot be cut
            self._forget()

    def _drop_others(self, kept: Container[int] = ()) -> None:
        """Empties all sequences but the prompt's and those to be kept."""
        for other in range(1, CANDIDATES):
            if self._held[other] and other not in kept:
                llama_cpp.llama_memory_seq_rm(self._memory, other, -1, -1)
                self._held[other] = []

    def _forget(self) -> None:
        llama_cpp.llama_memory_clear(self._memory, False)
        self._held = [[] for _ in range(CANDIDATES)]

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
            if len(piece) >= _FEWEST:
                wanted = int(len(piece) * _PIECE_SECONDS / seconds)
                self._piece = max(_FEWEST, min(wanted, 2 * self._piece, _BATCH))

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
        threads = 1 if self._small else self._threads if size >= _MANY else max(1, self._threads // 2)
        if threads != self._threads_set:
            self._threads_set = threads
            llama_cpp.llama_set_n_threads(self._context, threads, threads)
        self._ids[:size] = ids
        self._positions[:size] = positions
        self._sequences[:size] = sequences
        self._outputs[:size] = outputs
        self._batch.n_tokens = size
        _errors.clear()
        code = llama_cpp.llama_decode(self._context, self._batch)
        if code:
            self._forget()
            raise ModelError(f"llama.cpp stopped with code {code}: {_reason()}")
        for id_, sequence in zip(ids, self._sequences[:size].tolist(), strict=True):
            self._held[sequence].append(id_)

    def _logits(self, row: int) -> Logits:
        """Of token `row` of the last batch, or of its last output when -1: a view until the next batch."""
        pointer = llama_cpp.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, shape=(len(self._text),))

    def _likeliest(self, logits: Logits, begins: Begins, cancelled: Callable[[], bool]) -> tuple[int, ...]:
        """The tokens that settle on the most probable of the texts to begin with, found by a beam search.

        Token by token, the many texts that share their next token would win over one that is more
        probable than each of them. That nothing is left to insert is held against all of them together.
        `logits` are those behind the prompt, which is all that is held.
        """
        best: _Beam | None = None
        beams, rows = [_Beam(0.0, b"", (), 0)], [logits]
        while beams:
            if cancelled():
                raise Cancelled
            longer = []
            for beam, row in zip(beams, rows, strict=True):
                logprobs = row - (row.max() + np.log(np.exp(row - row.max()).sum()))
                allowed = begins.allowed(beam.written)
                if not beam.tokens:
                    allowed = self._without_end(logprobs, allowed)
                for token in allowed[np.argsort(-logprobs[allowed], kind="stable")[:_BEAMS]].tolist():
                    longer.append(beam.with_token(token, self._text[token], float(logprobs[token])))
            beams = []
            for beam in sorted(longer, key=lambda beam: -beam.logprob)[:_BEAMS]:
                if best is not None and beam.logprob <= best.logprob:
                    break
                if begins.settled(beam.written):
                    best = beam
                    break
                beams.append(beam)
            if beams:
                beams = self._branch(beams)
                rows = [self._logits(row) for row in range(len(beams))]
        self._drop_others()
        return best.tokens if best else ()

    def _without_end(self, logprobs: Logits, allowed: Ids) -> Ids:
        """Either the end of the sequence alone, or the tokens that begin an answer: the more probable."""
        is_end = np.array([self._text[token] == END.encode() for token in allowed.tolist()])
        weights = np.exp(logprobs[allowed])
        chosen: Ids = allowed[is_end if 2 * weights[is_end].sum() > weights.sum() else ~is_end]
        return chosen

    def _branch(self, beams: Sequence["_Beam"]) -> list["_Beam"]:
        """Decodes the last token of each, in a sequence of its own; the first of a parent goes on in its."""
        parents = {beam.sequence for beam in beams}
        self._drop_others(parents)
        free = [sequence for sequence in range(1, CANDIDATES) if sequence not in parents]
        branches: list[_Beam] = []
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
        return branches

    def _choose(self, logits: Logits, writer: "_Writer", begins: Begins) -> tuple[int, float]:
        """The next token, and its log-probability among all tokens that what is given allows."""
        top = logits.max()
        np.subtract(logits, top, out=self._scratch)  # an array a token would be mapped and unmapped anew
        total = np.exp(self._scratch, out=self._scratch).sum()
        if not np.isfinite(total):
            self._forget()
            raise ModelError(f"{self.name} computes no numbers: its weights are damaged")
        if writer.planned:
            token, *planned = writer.planned
            writer.planned = tuple(planned)
        elif writer.free or begins.met(writer.written):
            writer.free = True
            token = writer.pick(logits)
            if self._forbidden[token]:
                token = writer.pick(np.where(self._forbidden, -np.inf, logits).astype(np.float32))
        else:
            allowed = begins.allowed(writer.written)
            if not len(allowed):
                raise ModelError(f"no token of {self.name} leads on to what the answer has to start with")
            token = int(allowed[writer.pick(logits[allowed])])
            if writer.in_given:  # what is given is certain: the token counts among those that may write it
                total = np.exp(logits[allowed] - top).sum()
        return token, float(logits[token] - top - np.log(total))


@dataclass(frozen=True, slots=True)
class _Beam:
    """The beginning of an answer: `tokens` write `written`; `sequence` holds all of them but the last."""

    logprob: float
    written: bytes
    tokens: tuple[int, ...]
    sequence: int

    def with_token(self, token: int, text: bytes, logprob: float) -> "_Beam":
        return _Beam(self.logprob + logprob, self.written + text, (*self.tokens, token), self.sequence)


class _Writer:
    """One candidate while it is written; its `index` is its sequence too.

    It begins with `given`, which the caller knows and no piece has.
    """

    def __init__(
        self,
        index: int,
        request: Request,
        room: int,
        given: str,
        planned: tuple[int, ...],
    ) -> None:
        self.index = index
        self.token = -1  # chosen last, not yet decoded
        self._given = len(given.encode("utf-8", "replace"))  # bytes that are still to be written
        self.written = b""  # until the request's `begins` are met
        self.free = False
        self.planned = planned  # tokens to begin with
        self.ended = False
        self._sampling = request.sampling
        self._random = np.random.Generator(np.random.PCG64((request.sampling.seed + index) % 2**64))
        self._tokens_left = min(request.max_tokens, room)
        self._lines_left = request.max_lines
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tokens, self._logprob = 0, 0.0  # of what no piece had yet

    @property
    def in_given(self) -> bool:
        return self._given > 0

    def pick(self, logits: Logits) -> int:
        if self._sampling.temperature <= 0:
            return int(logits.argmax())
        return draw(logits, self._sampling, self._random.random())

    def take(self, token: int, text: bytes, logprob: float, stop: Stop | None) -> Piece | None:
        """The piece that `token` completes: none while it ends in the middle of a character."""
        self.token = token
        self._tokens += 1
        self._logprob += logprob
        self._tokens_left -= 1
        if not self.free:
            self.written += text
        known = min(self._given, len(text))
        self._given -= known
        text = text[known:]
        if self._lines_left is not None:
            *lines, _ = text.split(b"\n")
            if len(lines) >= self._lines_left:
                text, stop = b"\n".join([*lines[: self._lines_left], b""]), Stop.LENGTH
            self._lines_left -= len(lines)
        if stop is None and self._tokens_left <= 0:
            stop = Stop.LENGTH
        self.ended = stop is not None
        whole = self._decoder.decode(text, final=self.ended)
        if not whole and not self.ended:
            return None
        piece = Piece(self.index, whole, self._tokens, self._logprob, stop)
        self._tokens, self._logprob = 0, 0.0
        return piece


def draw(logits: Logits, sampling: Sampling, chance: float) -> int:
    """The index that `chance` (0 to 1) falls on, after temperature, top-p and min-p, in that order."""
    weights = np.exp((logits - logits.max()) / np.float32(sampling.temperature), dtype=np.float32)
    # The nucleus lies among the few that are not far below the best: sort no more than those.
    low = sampling.min_p if sampling.top_p >= 1 else max(sampling.min_p, 1 / 16)
    kept = np.flatnonzero(weights >= low)
    if sampling.top_p < 1:
        enough = sampling.top_p * float(weights.sum())
        while low > sampling.min_p and weights[kept].sum() < enough:
            low = max(sampling.min_p, low / 16)
            kept = np.flatnonzero(weights >= low)
        kept = kept[np.argsort(-weights[kept], kind="stable")]
        kept = kept[: 1 + int(np.searchsorted(np.cumsum(weights[kept]), enough))]
    sums = np.cumsum(weights[kept], dtype=np.float64)
    at = int(np.searchsorted(sums, chance * sums[-1], side="right"))
    return int(kept[min(at, len(kept) - 1)])


def _load(path: Path) -> llama_cpp.llama_model_p:
    """Raises `ModelFileError`; llama.cpp itself checks that each tensor lies inside of the file."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
    if magic != b"GGUF":
        raise ModelFileError(f"{path} is no GGUF file")
    params = llama_cpp.llama_model_default_params()
    no_devices = (ctypes.c_void_p * 1)(None)
    params.devices = ctypes.cast(no_devices, ctypes.c_void_p)
    params.n_gpu_layers = 0
    params.load_mode = llama_cpp.LLAMA_LOAD_MODE_MMAP
    _errors.clear()
    model: llama_cpp.llama_model_p | None = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
    if model is None:
        raise ModelFileError(f"{path} is damaged or incomplete: {_reason()}")
    return model


def _reason() -> str:
    """What llama.cpp complained of first: what follows says only that it failed."""
    return _errors[0] if _errors else "it gave no reason"


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common prefix."""
    size = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        size += 1
    return size
