"""Data sets at an address that fsspec knows, such as hf://: fetched once, then read as files here."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import fsspec
import platformdirs

from lintseq_lsp.errors import SettingsError


def fetched(address: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
    """The files at `address`, or in the folder there, whose names are `wanted`: their addresses, in order,
    with where they are here. A file that has changed there is fetched again.

    Raises `SettingsError` when they cannot be had.
    """
    cache = Path(platformdirs.user_cache_dir("lintseq-lsp")) / "data"
    try:
        system, root = fsspec.core.url_to_fs(address)
        names = [root] if system.isfile(root) else sorted(filter(wanted, system.find(root)))
        for name in names:
            full = system.unstrip_protocol(name)
            version = hashlib.sha256(f"{full} {system.ukey(name)}".encode()).hexdigest()
            here = cache / version[:32] / PurePosixPath(name).name
            if not here.exists():
                here.parent.mkdir(parents=True, exist_ok=True)
                partial = here.with_name(here.name + ".part")
                system.get_file(name, str(partial))
                partial.replace(here)
            yield full, here
    except (OSError, ValueError, ImportError) as error:
        raise SettingsError(f"{address} cannot be read: {error}") from error
