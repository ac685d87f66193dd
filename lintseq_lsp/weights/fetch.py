"""Published models: download with resume and checksums, convert what needs it, register; one pull at a time.

The only file that talks to the network, and only when the user runs `model pull`. Sends no token and
no telemetry. The Hub client's own downloads start anew after an interruption, so partial files are
kept here and continued.
"""

import glob
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, starmap
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import platformdirs

from lintseq_lsp.errors import LintSeqError, ModelFileError
from lintseq_lsp.formats.lintseq import Layout
from lintseq_lsp.weights import elsewhere
from lintseq_lsp.weights.catalogue import CATALOGUE, Published, in_bytes
from lintseq_lsp.weights.checkpoint import TORCH_IS_MISSING
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import SPLIT, Type
from lintseq_lsp.weights.inventory import unusable
from lintseq_lsp.weights.registry import ModelFile, changing, data_folder, find, register

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_TIMEOUT = 10  # seconds without an answer
_ASKED_FROM = 1_000_000_000  # bytes: nobody fetches so much by mistake

# As in `hf:owner/repository/file.gguf`, and as one copies it from the Hub's pages.
_REFERENCE = re.compile(
    r"(?:hf:|https://huggingface\.co/)?(\w[\w.-]*/\w[\w.-]*)/(?:(?:blob|resolve)/main/)?(\w[\w./ +-]*\.gguf)",
    re.ASCII,
)
_NAME = re.compile(r"\w[\w. +-]*", re.ASCII)  # also that of a file


def pull(
    name: str,
    *,
    kind: Type = Type.Q8_0,
    announce: Callable[[str], None],
    agree: Callable[[str], bool],
    called: str = "",
) -> ModelFile:
    """Fetches, verifies and registers a model: of the catalogue, or `owner/repository/file.gguf`.

    A checkpoint is converted to `kind`. `announce` is told each stage. `agree` is asked before a gigabyte or
    more is fetched. The model gets the name `called`, else the catalogue's, else the file's.
    """
    published = CATALOGUE.get(name) or _reference(name)
    if problem := unusable(published):
        raise ModelFileError(f"{name} would not work here: {problem}; update lintseq-lsp")
    named = called or (name if name in CATALOGUE else PurePosixPath(published.file).stem)
    if not _NAME.fullmatch(named):
        raise ModelFileError(f"{named!r} cannot be the name of a model: choose one with --name")
    with changing():  # what could not be registered is not worth a download
        earlier = find(named)
    pull_one = _pull_file if published.file else _pull_checkpoint
    announce(f"looking up {published.repository}")
    with _alone(_cache() / f"{named}.lock"):
        return pull_one(published, named, kind, earlier, announce, agree)


def _reference(name: str) -> Published:
    found = _REFERENCE.fullmatch(name)
    if found is None:
        raise ModelFileError(
            f"{name!r} cannot be pulled: give a file as OWNER/REPOSITORY/FILE.gguf, or one of "
            f"{', '.join(CATALOGUE)}"
        )
    return Published(found[1], f"from {found[1]}", "", "", found[2])


def _cache() -> Path:
    return platformdirs.user_cache_path("lintseq-lsp", appauthor=False) / "checkpoints"


def _pull_file(
    published: Published,
    name: str,
    _kind: Type,
    earlier: ModelFile | None,
    announce: Callable[[str], None],
    agree: Callable[[str], bool],
) -> ModelFile:
    output = data_folder() / f"{name}.gguf"
    by_hand = "or download it by hand, and `lintseq-lsp model use FILE`"
    with _told(published.repository, output, by_hand):
        listing = _listing(published, lambda siblings: [_one(published, siblings)])
        [file] = listing.files
        here = _here(file, [output] if earlier is None else [output, earlier.path])
        place = here or output
        if earlier is not None and earlier.path.resolve() not in {output.resolve(), place.resolve()}:
            raise ModelFileError(
                f"{name!r} is already the name of {earlier.path}: choose another with --name"
            )
        if here is not None:
            announce(f"it is here already, and used where it is: {here}")
        else:
            for path in output.parent.glob(f"{glob.escape(output.name)}.*.part"):
                if path != _part(output, file):  # of another revision
                    path.unlink()
            _bring(listing, {output: file}, announce, agree)
    try:
        announce("verifying")
        digest = file.lfs.sha256 if file.lfs is not None else None  # has just been compared
        return register(
            place, name=name, license=listing.license, description=published.description, sha256=digest
        )
    except LintSeqError as error:
        raise ModelFileError(f"{place} is complete, but cannot be used: {error}") from None


def _here(file: "RepoSibling", ours: list[Path]) -> Path | None:
    """Where a file with that checksum lies: one of ours, or another program's."""
    theirs = (found.path for found in elsewhere.models() if not found.problem)
    readable = (path for path in chain(ours, theirs) if os.access(path, os.R_OK))
    return next((path for path in readable if _is_whole(path, file)), None)


def _one(published: Published, siblings: list["RepoSibling"]) -> "RepoSibling":
    file, repository = published.file, published.repository
    if (parts := SPLIT.search(file)) is not None:
        raise ModelFileError(
            f"{file} is one of {int(parts[1])} parts of a model, which are not put together here: "
            f"choose a model of one file, or join them with llama.cpp's `llama-gguf-split --merge`"
        )
    found = next((sibling for sibling in siblings if sibling.rfilename == file), None)
    if found is None:
        others = [sibling.rfilename for sibling in siblings if sibling.rfilename.endswith(".gguf")]
        shown = ", ".join(others[:20]) + (", …" if len(others) > 20 else "")
        raise ModelFileError(f"{repository} has no {file}: it has {shown or 'no GGUF files'}")
    return found


def _pull_checkpoint(
    published: Published,
    name: str,
    kind: Type,
    earlier: ModelFile | None,
    announce: Callable[[str], None],
    agree: Callable[[str], bool],
) -> ModelFile:
    folder = _cache() / name
    output = data_folder() / f"{name}-{kind.value.lower()}.gguf"
    by_hand = "or convert a copy of the checkpoint with `lintseq-lsp model convert`"
    with _told(published.repository, folder, by_hand):
        folder.mkdir(exist_ok=True)
        listing = _listing(published, lambda siblings: _checkpoint(published.repository, siblings))
        targets = {folder / file.rfilename: file for file in listing.files}
        for path in folder.iterdir():
            if path not in {*targets, *starmap(_part, targets.items())}:  # of another revision
                path.unlink()
        _bring(listing, targets, announce, agree)
    announce(f"converting to {kind.value}")
    metadata = {
        "lintseq.prompt_format": Layout.PAPER.value,
        "lintseq.source": f"{published.repository}@{listing.revision}",
    }
    convert(folder, output, name=name, kind=kind, metadata=metadata)
    announce("verifying")
    model = register(output, name=name, license=listing.license, description=published.description)
    if earlier is not None and earlier.path.parent == output.parent and earlier.path != output:
        with suppress(OSError):  # of another type; a server may be running on it
            earlier.path.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    return model


def _checkpoint(repository: str, siblings: list["RepoSibling"]) -> list["RepoSibling"]:
    plain = [sibling for sibling in siblings if "/" not in sibling.rfilename]
    weights = [sibling for sibling in plain if sibling.rfilename.endswith(".safetensors")]
    if not weights:
        weights = [
            s for s in plain if s.rfilename.startswith("pytorch_model") and s.rfilename.endswith(".bin")
        ]
        if weights and find_spec("torch") is None:
            raise ModelFileError(f"{repository} has only PyTorch files, and {TORCH_IS_MISSING}")
    if not weights:
        raise ModelFileError(f"{repository} has no weights: choose another model")
    small = {"config.json", "tokenizer.json", "tokenizer_config.json"}
    return [sibling for sibling in plain if sibling.rfilename in small] + weights


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """No other pull of that name meanwhile: two would write into the same partial files."""
    from filelock import FileLock, Timeout

    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, blocking=False):
            yield
    except Timeout:
        raise ModelFileError(f"{lock.stem} is being pulled by another process: wait for that") from None


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


@contextmanager
def _told(repository: str, place: Path, by_hand: str) -> Iterator[None]:
    """What goes wrong with the network or the disk becomes one `ModelFileError`, with what mends it."""
    # Read by the client when it is imported; without it, it asks the Hub for a list of coding agents.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    endpoint = _endpoint()
    try:
        yield
    except RepositoryNotFoundError:
        raise ModelFileError(_closed(repository, by_hand)) from None
    except (httpx2.HTTPError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise ModelFileError(f"{error.filename or place} cannot be written: {error.strerror}") from None
        reason = str(error).strip().splitlines() or [type(error).__name__]
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
        mend = "try again later" if status == 429 or status >= 500 else "check the network"
        raise ModelFileError(
            f"cannot download {repository} from {endpoint} ({reason[0]}): {mend} and run the command again, "
            f"it continues where it stopped; {by_hand}"
        ) from None


def _closed(repository: str, by_hand: str) -> str:
    endpoint = _endpoint()
    return (
        f"{endpoint} has no {repository} that is open to all: it is gone, private or gated. If it is gated, "
        f"sign in at {endpoint}/{repository}, accept its terms, and fetch it there or with "
        f"`hf auth login` and `hf download {repository}`: `lintseq-lsp model list` finds GGUF files in the "
        f"Hub's cache; {by_hand}"
    )


@dataclass(frozen=True, slots=True)
class _Listing:
    """A repository at one revision, and the files that are wanted of it."""

    repository: str
    revision: str
    license: str
    note: str
    files: list["RepoSibling"]


def _listing(published: Published, wanted: Callable[[list["RepoSibling"]], list["RepoSibling"]]) -> _Listing:
    import httpx2
    from huggingface_hub import HfApi, get_session

    endpoint = _endpoint()
    try:
        httpx2.URL(endpoint)
        get_session()
    except (ImportError, OSError, ValueError, httpx2.InvalidURL) as error:
        reason = "a SOCKS proxy needs `pip install socksio`" if isinstance(error, ImportError) else error
        raise ModelFileError(
            f"no connection is possible ({reason}): check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, "
            "SSL_CERT_FILE and HF_ENDPOINT say"
        ) from None
    try:
        hub = HfApi(endpoint=endpoint, token=False)
        info = hub.model_info(published.repository, files_metadata=True, timeout=_TIMEOUT)
        if not isinstance(info.sha, str):
            raise TypeError("no revision")
        if info.gated:
            raise ModelFileError(_closed(published.repository, "or choose another model"))
        files = wanted(info.siblings or [])
        if not all(
            type(file.size) is int and re.fullmatch("[0-9a-f]+", file.blob_id or "") for file in files
        ):
            raise TypeError("no checksums")
        card = info.card_data
        terms = card.get("license") if card is not None else None
        if card is not None and terms == "other":
            terms = card.get("license_name") or published.license or terms
        terms = terms or published.license or "unknown"
        return _Listing(published.repository, info.sha, str(terms), published.note, files)
    except httpx2.HTTPError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{endpoint} did not answer like the Hub ({error}): check HF_ENDPOINT, and "
            "whether the network needs a login first"
        ) from None


def _bring(
    listing: _Listing,
    targets: Mapping[Path, "RepoSibling"],
    announce: Callable[[str], None],
    agree: Callable[[str], bool],
) -> None:
    """Fetches what is missing of the files, each to its place; says what, and asks before much is.

    Raises `ModelFileError` where the answer is no, the disk too full, or a file damaged.
    """
    missing = {target: file for target, file in targets.items() if not _is_whole(target, file)}
    if not missing:
        announce("it is already complete on this machine")
        return
    parts = {target: _part(target, file) for target, file in missing.items()}
    here = sum(part.stat().st_size for part in parts.values() if part.is_file())
    left = max(sum(file.size or 0 for file in missing.values()) - here, 0)
    what = f"{in_bytes(left)} from {listing.repository}, licence {listing.license}"
    if listing.note:
        what += f" ({listing.note})"
    folder = next(iter(missing)).parent
    free = shutil.disk_usage(folder).free
    if left > free:
        raise ModelFileError(
            f"{in_bytes(left)} are needed, and {in_bytes(free)} are free on the disk of {folder}: "
            "make room, or choose a smaller model"
        )
    if left >= _ASKED_FROM and not agree(f"{what}: download it?"):
        raise ModelFileError("nothing was downloaded: answer yes, or pass --yes")
    announce(f"downloading {what}")
    for target, file in missing.items():
        _fetch_file(listing, file, target, parts[target])


def _part(target: Path, sibling: "RepoSibling") -> Path:
    """Where the beginning of a file is kept, for one revision of it."""
    return target.with_name(f"{target.name}.{(sibling.blob_id or '')[:12]}.part")


def _fetch_file(listing: _Listing, sibling: "RepoSibling", target: Path, part: Path) -> None:
    """Goes on with `part`, and makes it `target` when it has the checksum."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    name, size = sibling.rfilename, sibling.size
    if part.is_file() and size is not None and part.stat().st_size > size:
        part.unlink()
    with part.open("ab") as file:
        http_get(
            hf_hub_url(listing.repository, name, revision=listing.revision, endpoint=_endpoint()),
            file,
            resume_size=file.tell(),
            # a compressed answer could not be continued at an offset
            headers=build_hf_headers(token=False) | {"Accept-Encoding": "identity"},
            expected_size=size,
            displayed_filename=PurePosixPath(name).name,
        )
    if not _is_whole(part, sibling):
        part.unlink()
        raise ModelFileError(
            f"{name} of {listing.repository} arrived with a wrong checksum: run the command again"
        )
    part.replace(target)


def _is_whole(path: Path, sibling: "RepoSibling") -> bool:
    """By the SHA-256 that the Hub publishes of large files, and by git's blob id of small ones."""
    if not path.is_file() or path.stat().st_size != sibling.size:
        return False
    if sibling.lfs is not None:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sibling.lfs.sha256
    data = path.read_bytes()
    return (
        hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest() == sibling.blob_id
    )
