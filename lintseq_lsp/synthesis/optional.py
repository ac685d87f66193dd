"""What only some need: it is imported where it is wanted."""

from collections.abc import Iterator
from contextlib import contextmanager

from lintseq_lsp.errors import SettingsError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around imports of what the extra `name` brings: `SettingsError` where it is not installed."""
    try:
        yield
    except ImportError as error:
        raise SettingsError(f"{error}: pip install 'lintseq-lsp[{name}]'") from error
