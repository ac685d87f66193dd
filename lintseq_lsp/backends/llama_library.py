"""llama.cpp itself: loaded quietly, its complaints kept, a model file opened, and its vocabulary read."""

import ctypes
import logging
import os
import unicodedata
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lintseq_lsp.backends.base import Special
from lintseq_lsp.backends.begins import Vocabulary
from lintseq_lsp.backends.pretokens import cut_apart
from lintseq_lsp.errors import ModelError, ModelFileError, TokenizerError

# Before llama.cpp is loaded. Its threads wait for each other hundreds of times a token. One that spins
# takes the core from the thread it waits for as soon as the machine is busy (measured: a hundred times
# slower), one that sleeps at once makes two threads slower than one: so they spin a little, then sleep.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# An abort would start a debugger and print a stack with the user's text in it.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

try:
    import llama_cpp
except (ImportError, OSError, RuntimeError) as error:  # not there, or a library that it needs is not
    raise ModelError(
        f"llama.cpp cannot be loaded ({error}): install llama-cpp-python, ready-made or with a compiler, as "
        "docs/install.md says; `lintseq-lsp doctor` checks it"
    ) from error

_MAPPED = 512 << 20  # bytes of a model's file, from which on it is mapped, not read
_FRAGMENTS = 4096  # texts whose tokens are remembered
_LEVEL_ERROR = 4  # GGML_LOG_LEVEL_ERROR in ggml.h
_MARKERS = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED

_EXACT_TEXTS = (llama_cpp.llama_model_kv_override * 2)()  # the last one, which is empty, ends them
_EXACT_TEXTS[0].tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_BOOL
_EXACT_TEXTS[0].key = b"tokenizer.ggml.add_space_prefix"
"""No vocabulary puts a blank in front of a text: a format that wants one there writes it."""

_log = logging.getLogger(__name__)
_errors: list[str] = []  # that llama.cpp logged since a call began


def _take_log(level: int, text: bytes, _data: object) -> None:
    if level == _LEVEL_ERROR or _log.isEnabledFor(logging.DEBUG):
        message = text.decode("utf-8", "replace").strip()
        if level == _LEVEL_ERROR:
            _errors.append(message)
        _log.debug("%s", message)


_log_callback = llama_cpp.llama_log_callback(_take_log)  # llama.cpp keeps a pointer to it, not a reference
llama_cpp.llama_log_set(_log_callback, ctypes.c_void_p(None))


def begin_call() -> None:
    """Forgets the complaints of earlier calls."""
    _errors.clear()


def reason() -> str:
    """What llama.cpp complained of first since `begin_call`: what follows says only that it failed."""
    return _errors[0] if _errors else "it gave no reason"


def load(path: Path, gpu_layers: int = 0) -> llama_cpp.llama_model_p:
    """Raises `ModelFileError`; llama.cpp itself checks that each tensor lies inside of the file.

    Most weights are copied into the order in which the processor multiplies them. Of a file that is mapped
    the originals stay in memory beside that; to read a large one would take too long.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
    if magic != b"GGUF":
        raise ModelFileError(f"{path} is not a GGUF file")
    params = llama_cpp.llama_model_default_params()
    no_devices = (ctypes.c_void_p * 1)(None)
    if not gpu_layers:
        params.devices = ctypes.cast(no_devices, ctypes.c_void_p)
    params.n_gpu_layers = gpu_layers
    is_mapped = size >= _MAPPED
    params.load_mode = llama_cpp.LLAMA_LOAD_MODE_MMAP if is_mapped else llama_cpp.LLAMA_LOAD_MODE_NONE
    params.kv_overrides = _EXACT_TEXTS
    begin_call()
    model: llama_cpp.llama_model_p | None = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
    if model is None:
        raise ModelFileError(f"{path} is damaged or incomplete: {reason()}")
    return model


class Tokenizer:
    """The vocabulary of a model that is open: text to ids, and ids to the bytes that they write.

    A special token is looked up by name (`id_of`). From then on no text becomes it, and it writes nothing.
    """

    def __init__(self, model: llama_cpp.llama_model_p, name: str) -> None:
        vocab = llama_cpp.llama_model_get_vocab(model)
        if vocab is None or llama_cpp.llama_vocab_type(vocab) == llama_cpp.LLAMA_VOCAB_TYPE_NONE:
            raise TokenizerError(f"{name} has no vocabulary: convert the model with its tokenizer")
        self._vocab = vocab
        size = llama_cpp.llama_vocab_n_tokens(vocab)
        self.ends = [id_ for id_ in range(size) if llama_cpp.llama_vocab_is_eog(vocab, id_)]
        ends = set(self.ends)
        self.texts = [b"" if id_ in ends else self._bytes(id_, special=False) for id_ in range(size)]
        self.bos: tuple[int, ...] = ()
        """What a prompt begins with: nothing, where the file does not ask for it."""
        if llama_cpp.llama_vocab_get_add_bos(vocab) and llama_cpp.llama_vocab_bos(vocab) >= 0:
            self.bos = (llama_cpp.llama_vocab_bos(vocab),)
        self._nfc = metadata(model, "lintseq.normalizer") == "NFC"
        self._model = model
        self._special: dict[str, int | None] = {}
        self._guarded: list[str] = []  # texts that llama.cpp would take for a special token
        self.ids = lru_cache(_FRAGMENTS)(self._ids)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Of what the tokens write. Large ones take a second: they are put in order when they are needed."""
        return Vocabulary(self.texts)

    @cached_property
    def silent(self) -> NDArray[np.bool_]:
        """Which tokens write nothing."""
        return np.array([not text for text in self.texts])

    def id_of(self, special: Special) -> int | None:
        """The id of a special token; None when the vocabulary has none of that name."""
        if special.text not in self._special:
            id_ = self._find(special.text.encode())
            self._special[special.text] = self._named(special.text) if id_ is None else id_
        return self._special[special.text]

    def _named(self, name: str) -> int | None:
        """The id that the file keeps under that name."""
        id_ = metadata(self._model, f"tokenizer.ggml.{name}_token_id") or ""
        return int(id_) if id_.isdecimal() and int(id_) < len(self.texts) else None

    def _find(self, text: bytes) -> int | None:
        ids = self._encode(text, parse_special=True)
        if len(ids) != 1 or self._bytes(ids[0], special=True) != text:
            return None
        (id_,) = ids
        attributes = llama_cpp.llama_vocab_get_attr(self._vocab, id_)
        if not attributes & _MARKERS:
            return None
        if not attributes & llama_cpp.LLAMA_TOKEN_ATTR_CONTROL:
            self._guard(id_, text)
        return id_

    def _guard(self, id_: int, text: bytes) -> None:
        """llama.cpp takes a user-defined token out of any text, and the model could write it as text."""
        self._guarded.append(text.decode())
        self.ids.cache_clear()
        self.texts[id_] = b""
        for known in ("vocabulary", "silent"):
            self.__dict__.pop(known, None)

    def _ids(self, text: str) -> tuple[int, ...]:
        if self._nfc:  # the tokenizer's own first step, which llama.cpp does not know
            text = unicodedata.normalize("NFC", text)
        parts = cut_apart(text, self._guarded)  # what is text stays text
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


def metadata(model: llama_cpp.llama_model_p, key: str) -> str | None:
    """A short value of the model file's metadata."""
    buffer = ctypes.create_string_buffer(64)
    size = llama_cpp.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode() if size >= 0 else None
