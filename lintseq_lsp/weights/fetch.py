"""Published checkpoints: download with resume and checksums, convert, register.

The only file that talks to the network, and only when the user runs `model pull`. Sends no token and
no telemetry. The Hub client's own downloads start anew after an interruption, so partial files are
kept here and continued.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from lintseq_lsp.errors import ModelFileError
from lintseq_lsp.prompts import PromptFormat
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import Type
from lintseq_lsp.weights.registry import ModelFile, data_folder, register

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling


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
    folder = platformdirs.user_cache_path("lintseq-lsp", appauthor=False) / "checkpoints" / name
    announce(f"fetching {published.repository}")
    revision, license_name = fetch(published.repository, folder)
    output = data_folder() / f"{name}-{kind.value.lower()}.gguf"
    announce(f"converting to {kind.value}")
    metadata = {
        "lintseq.prompt_format": PromptFormat.PAPER.value,
        "lintseq.source": f"{published.repository}@{revision}",
    }
    convert(folder, output, name=name, kind=kind, metadata=metadata)
    announce("verifying")
    model = register(output, name=name, license=license_name, description=published.description)
    shutil.rmtree(folder)
    return model


def fetch(repository: str, folder: Path) -> tuple[str, str]:
    """Brings a checkpoint into `folder`, going on with what is there. Returns its revision and licence."""
    # Read by the client when it is imported; without it, it asks the Hub for a list of coding agents.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import httpx2
    from huggingface_hub import HfApi, constants

    endpoint = os.environ.get("HF_ENDPOINT", constants.ENDPOINT).rstrip("/")
    try:
        info = HfApi(endpoint=endpoint, token=False).model_info(repository, files_metadata=True)
        if info.sha is None:
            raise ModelFileError(f"{endpoint} does not name the revision of {repository}: try again later")
        for sibling in _wanted(repository, info.siblings or []):
            _fetch_file(endpoint, repository, info.sha, sibling, folder)
    except (httpx2.HTTPError, OSError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelFileError(
            f"could not fetch {repository} from {endpoint} ({reason[0]}): check the network and run the "
            "command again, it goes on where it stopped; or convert a copy of the checkpoint with "
            "`lintseq-lsp model convert`"
        ) from None
    card = info.card_data
    return info.sha, str(card.get("license") or "unknown") if card is not None else "unknown"


def _wanted(repository: str, siblings: list["RepoSibling"]) -> list["RepoSibling"]:
    plain = [sibling for sibling in siblings if "/" not in sibling.rfilename]
    weights = [sibling for sibling in plain if sibling.rfilename.endswith(".safetensors")]
    if not weights:
        weights = [
            s for s in plain if s.rfilename.startswith("pytorch_model") and s.rfilename.endswith(".bin")
        ]
        if weights and find_spec("torch") is None:
            raise ModelFileError(
                f"{repository} holds PyTorch files only, and torch is not installed: "
                "pip install 'lintseq-lsp[torch]'"
            )
    if not weights:
        raise ModelFileError(f"{repository} holds no weights: choose another model")
    small = {"config.json", "tokenizer.json", "tokenizer_config.json"}
    return [sibling for sibling in plain if sibling.rfilename in small] + weights


def _fetch_file(endpoint: str, repository: str, revision: str, sibling: "RepoSibling", folder: Path) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    name, size = sibling.rfilename, sibling.size
    target = folder / name
    if target.is_file() and _is_whole(target, sibling):
        return
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.{(sibling.blob_id or revision)[:12]}.part"
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


def _is_whole(path: Path, sibling: "RepoSibling") -> bool:
    """By the SHA-256 that the Hub publishes of large files, and by git's blob id of small ones."""
    if sibling.lfs is not None:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sibling.lfs.sha256
    data = path.read_bytes()
    return (
        hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest() == sibling.blob_id
    )
