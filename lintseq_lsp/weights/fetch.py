"""Published checkpoints: download with resume and checksums, convert, register; one pull at a time.

The only file that talks to the network, and only when the user runs `model pull`. Sends no token and
no telemetry. The Hub client's own downloads start anew after an interruption, so partial files are
kept here and continued.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from lintseq_lsp.errors import ModelFileError
from lintseq_lsp.formats.lintseq import Layout
from lintseq_lsp.weights.checkpoint import TORCH_IS_MISSING
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import Type
from lintseq_lsp.weights.registry import ModelFile, changing, data_folder, find, register

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_TIMEOUT = 10  # seconds without an answer


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint on the Hugging Face Hub."""

    repository: str
    description: str


CATALOGUE = {
    "tinycodelm-150m-lintseq": Published(
        "upiter/TinyCodeLM-150M-LintSeqInstruct", "the LintSeq paper's model, 150 million parameters"
    ),
    "tinycodelm-400m-lintseq": Published(
        "upiter/TinyCodeLM-400M-LintSeqInstruct", "the LintSeq paper's model, 400 million parameters"
    ),
}


def pull(name: str, *, kind: Type = Type.Q8_0, announce: Callable[[str], None]) -> ModelFile:
    """Fetches, converts, verifies and registers a model of the catalogue. `announce` is told each stage."""
    if name not in CATALOGUE:
        raise ModelFileError(f"{name!r} cannot be pulled: there are {', '.join(CATALOGUE)}")
    published = CATALOGUE[name]
    with changing():  # what could not be registered is not worth a download
        earlier = find(name)
    folder = platformdirs.user_cache_path("lintseq-lsp", appauthor=False) / "checkpoints" / name
    with _alone(folder):
        announce(f"fetching {published.repository}")
        revision, license_name = fetch(published.repository, folder)
        output = data_folder() / f"{name}-{kind.value.lower()}.gguf"
        announce(f"converting to {kind.value}")
        metadata = {
            "lintseq.prompt_format": Layout.PAPER.value,
            "lintseq.source": f"{published.repository}@{revision}",
        }
        convert(folder, output, name=name, kind=kind, metadata=metadata)
        announce("verifying")
        model = register(output, name=name, license=license_name, description=published.description)
        if earlier is not None and earlier.path.parent == output.parent and earlier.path != output:
            with suppress(OSError):  # of another type; a server may be running on it
                earlier.path.unlink()
        shutil.rmtree(folder, ignore_errors=True)
    return model


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other pull has `folder` meanwhile: two would write into the same partial files."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock"), blocking=False):
            yield
    except Timeout:
        raise ModelFileError(f"{folder.name} is being pulled by another process: wait for that") from None


def fetch(repository: str, folder: Path) -> tuple[str, str]:
    """Brings a checkpoint into `folder`, going on with what is there. Returns its revision and licence."""
    # Read by the client when it is imported; without it, it asks the Hub for a list of coding agents.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    by_hand = "or convert a copy of the checkpoint with `lintseq-lsp model convert`"
    try:
        revision, license_name, files = _listing(endpoint, repository)
        names = {file.rfilename for file in files} | {_part(file) for file in files}
        for path in folder.iterdir():
            if path.name not in names:  # of another revision
                path.unlink()
        for file in files:
            _fetch_file(endpoint, repository, revision, file, folder)
    except RepositoryNotFoundError:
        raise ModelFileError(
            f"{endpoint} has no {repository} that is open to all: it is gone, private or gated; "
            f"choose another model, {by_hand}"
        ) from None
    except (httpx2.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise ModelFileError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
        reason = str(error).strip().splitlines() or [type(error).__name__]
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
        mend = "try again later" if status == 429 or status >= 500 else "check the network"
        raise ModelFileError(
            f"could not fetch {repository} from {endpoint} ({reason[0]}): {mend} and run the command again, "
            f"it goes on where it stopped; {by_hand}"
        ) from None
    return revision, license_name


def _listing(endpoint: str, repository: str) -> tuple[str, str, list["RepoSibling"]]:
    """Its revision, its licence, and the files that are needed of it."""
    import httpx2
    from huggingface_hub import HfApi, get_session

    try:
        httpx2.URL(endpoint)
        get_session()
    except (ImportError, OSError, ValueError, httpx2.InvalidURL) as error:
        reason = "a SOCKS proxy needs `pip install socksio`" if isinstance(error, ImportError) else error
        raise ModelFileError(
            f"no connection can be set up ({reason}): look at what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, "
            "SSL_CERT_FILE and HF_ENDPOINT say"
        ) from None
    try:
        hub = HfApi(endpoint=endpoint, token=False)
        info = hub.model_info(repository, files_metadata=True, timeout=_TIMEOUT)
        card = info.card_data
        if not isinstance(info.sha, str):
            raise TypeError("no revision")
        files = _wanted(repository, info.siblings or [])
        if not all(isinstance(file.size, int) and isinstance(file.blob_id, str) for file in files):
            raise TypeError("no checksums")
        return info.sha, str(card.get("license") or "unknown") if card is not None else "unknown", files
    except httpx2.HTTPError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{endpoint} did not answer as the Hub does ({error}): look at what HF_ENDPOINT says, and "
            "whether the network wants a login first"
        ) from None


def _wanted(repository: str, siblings: list["RepoSibling"]) -> list["RepoSibling"]:
    plain = [sibling for sibling in siblings if "/" not in sibling.rfilename]
    weights = [sibling for sibling in plain if sibling.rfilename.endswith(".safetensors")]
    if not weights:
        weights = [
            s for s in plain if s.rfilename.startswith("pytorch_model") and s.rfilename.endswith(".bin")
        ]
        if weights and find_spec("torch") is None:
            raise ModelFileError(f"{repository} holds PyTorch files only, and {TORCH_IS_MISSING}")
    if not weights:
        raise ModelFileError(f"{repository} holds no weights: choose another model")
    small = {"config.json", "tokenizer.json", "tokenizer_config.json"}
    return [sibling for sibling in plain if sibling.rfilename in small] + weights


def _fetch_file(endpoint: str, repository: str, revision: str, sibling: "RepoSibling", folder: Path) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    name, size = sibling.rfilename, sibling.size
    target, part = folder / name, folder / _part(sibling)
    if target.is_file() and _is_whole(target, sibling):
        return
    if part.is_file() and size is not None and part.stat().st_size > size:
        part.unlink()
    with part.open("ab") as file:
        http_get(
            hf_hub_url(repository, name, revision=revision, endpoint=endpoint),
            file,
            resume_size=file.tell(),
            # a compressed answer could not be continued at an offset
            headers=build_hf_headers(token=False) | {"Accept-Encoding": "identity"},
            expected_size=size,
            displayed_filename=name,
        )
    if not _is_whole(part, sibling):
        part.unlink()
        raise ModelFileError(f"{name} of {repository} arrived with a wrong checksum: run the command again")
    part.replace(target)


def _part(sibling: "RepoSibling") -> str:
    return f"{sibling.rfilename}.{(sibling.blob_id or '')[:12]}.part"


def _is_whole(path: Path, sibling: "RepoSibling") -> bool:
    """By the SHA-256 that the Hub publishes of large files, and by git's blob id of small ones."""
    if sibling.lfs is not None:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sibling.lfs.sha256
    data = path.read_bytes()
    return (
        hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest() == sibling.blob_id
    )
