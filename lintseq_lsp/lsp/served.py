"""Which documents are served, and which of them count as modules that others import."""

from urllib.parse import urlsplit

from lintseq_lsp.lsp.documents import Documents, Snapshot, is_ignored
from lintseq_lsp.reasons import Reason
from lintseq_lsp.settings import Settings

_SCHEMES = ("file", "untitled", "vscode-notebook-cell")
_LINE = 100  # characters that a line has at most in the mean, where the number of lines bounds a file
_MOST_MODULES = 500
_ROOM_FOR_MODULES = 8_000_000  # characters


def refusal(
    documents: Documents, settings: Settings, snapshot: Snapshot | None, version: int | None = None
) -> Reason | None:
    """Why nothing is done for a document at all. `version` is the one that a request is about."""
    if snapshot is None:
        return Reason.IGNORED
    if not settings.enabled:
        return Reason.OFF
    if snapshot.language != "python" or urlsplit(snapshot.uri).scheme not in _SCHEMES:
        return Reason.IGNORED
    if is_ignored(snapshot.uri, settings.ignore):
        return Reason.IGNORED
    lines, most = snapshot.document.lines, settings.max_file_lines
    if len(lines) - (not lines[-1]) > most or len(snapshot.document.text) > most * _LINE:
        return Reason.TOO_LONG
    is_outdated = version is not None and version != snapshot.own.version
    return Reason.STALE if is_outdated or documents.in_doubt(snapshot.uri) else None


def modules(documents: Documents, settings: Settings) -> dict[str, str]:
    """Texts of the Python files that may be read, by path. May be asked in any thread.

    Of too many those count that were opened last.
    """
    most, room = settings.max_file_lines * _LINE, _ROOM_FOR_MODULES
    found: dict[str, str] = {}
    for uri, document in reversed(list(documents.files())):
        length = len(document.text)
        if length <= most and not is_ignored(uri, settings.ignore):
            room -= length
            if room < 0 or len(found) == _MOST_MODULES:
                break
            found[document.path] = document.text
    return found
