"""Files as git has them: in its index, and in a revision beside what became of them.

Only git's plumbing is asked, and only for what is in its own store, so that nothing runs which a repository
names: no hook, no filter, no other program for diffs, no transport. Files of the working tree are read here.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lintseq_lsp.encoding import decode
from lintseq_lsp.errors import GitError
from lintseq_lsp.linters.files import read_file

_SECONDS_FOR_A_FILE = 5.0
_SECONDS = 60.0
_MOST_BYTES = 64 * 1024 * 1024  # of a file; what has more is not judged
_REGULAR = ("100644", "100755")
_OPTIONS = ("-c", "core.fsmonitor=false")
_SAFE = {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "none", "LC_ALL": "C"}
_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # git sets them for its hooks
_PYTHON = (".py", ".pyw")
_LIST = ("ls-files", "-z", "--stage", "-t", "--full-name", "--", ":/")


@dataclass(frozen=True, slots=True)
class Changed:
    """A file of a repository, before and after, each None where there is none.

    `path` is absolute, and so is `moved_from`, where it was before ("" for the same place). `error` says
    why there is no text after, though there is a file.
    """

    path: Path
    before: bytes | None
    after: bytes | None
    moved_from: Path | None = None
    error: str = ""


def staged(path: str) -> str | None:
    """The text in git's index, which is the closest to what was worked on; None where git has none.

    Not of the last commit: what was staged since is nobody's new edit.
    """
    file = Path(path)
    environment = _environment(())
    command = ("-C", str(file.parent), *_OPTIONS, "cat-file", "blob", f":./{file.name}")
    try:
        found = _run(command, Path(file.anchor), environment, _SECONDS_FOR_A_FILE)
        return decode(found)
    except (GitError, SyntaxError, ValueError):
        return None


def changed_files(folder: Path, revision: str | None) -> list[Changed]:
    """The Python files of the repository around `folder` that are not as they were in `revision`.

    With a revision, those of the working tree (what git does not know left out), against where the
    revision and the current commit part. With None, those of the index, against the current commit; files
    that only the working tree has otherwise are there as well, as they are in the index before and after.
    A renamed file is one with another name. Raises `GitError`.
    """
    repository = _Repository(folder)
    before = repository.head() if revision is None else repository.parting(revision)
    return repository.changed(before, in_index=revision is None)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A path in git's raw format: what it was and what it is, by git's names of the contents."""

    path: str
    moved_from: str
    old: str | None
    new: str | None


class _Repository:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = _environment(_PLACES)
        self.top = Path(os.fsdecode(self._ask("rev-parse", "--show-toplevel")).removesuffix("\n"))

    def head(self) -> str:
        """The current commit; before the first one, an empty tree."""
        try:
            return self._name("HEAD^{commit}")
        except GitError:
            return self._ask("hash-object", "-t", "tree", "--stdin").decode().strip()

    def parting(self, revision: str) -> str:
        try:
            commit = self._name(f"{revision}^{{commit}}")
        except GitError:
            raise GitError(f"git does not know the revision {revision!r}") from None
        try:
            return self._ask("merge-base", commit, "HEAD").decode().strip()
        except GitError:
            raise GitError(
                f"the current commit and {revision} have no common ancestor in this clone: fetch more history"
            ) from None

    def changed(self, before: str, *, in_index: bool) -> list[Changed]:
        found = {entry.path: entry for entry in self._entries("diff-index", "--cached", "-M", before)}
        for path, name in self._known():
            if path not in found and self._is_changed(self.top / path, name):
                found[path] = _Entry(path, "", name, name)
        entries = [found[path] for path in sorted(found) if path.endswith(_PYTHON)]
        names = {name for entry in entries for name in (entry.old, entry.new if in_index else None) if name}
        contents = self._contents(sorted(names))
        return [self._one(entry, contents, in_index=in_index) for entry in entries]

    def _one(self, entry: _Entry, contents: Mapping[str, bytes], *, in_index: bool) -> Changed:
        path = self.top / entry.path
        moved_from = self.top / entry.moved_from if entry.moved_from.endswith(_PYTHON) else None
        is_new = bool(entry.moved_from) and moved_from is None  # it was no Python
        before = contents[entry.old] if entry.old and not is_new else None
        after, error = None, ""
        if in_index:
            after = contents[entry.new] if entry.new else None
        elif not path.is_symlink():
            try:
                after = read_file(path, _MOST_BYTES)
            except (FileNotFoundError, NotADirectoryError):
                pass
            except OSError as problem:
                error = f"{path} cannot be read: {problem.strerror}"
        return Changed(path, before, after, moved_from, error)

    def _entries(self, *command: str) -> list[_Entry]:
        """What git's raw format says of regular files."""
        raw = self._ask(*command, "-z", "--raw", "--no-abbrev", "--ignore-submodules=all")
        fields = iter(os.fsdecode(raw).split("\0"))
        found = []
        for header in fields:
            if not header:
                continue
            old_mode, new_mode, old, new, status = header.removeprefix(":").split(" ")
            path, moved_from = next(fields), ""
            if status[0] in "RC":
                moved_from, path = path, next(fields)
            found.append(
                _Entry(
                    path,
                    moved_from,
                    old if old_mode in _REGULAR else None,
                    new if new_mode in _REGULAR else None,
                )
            )
        return found

    def _known(self) -> Iterator[tuple[str, str]]:
        """The Python files of the index that belong into the working tree, with git's names of them."""
        for line in os.fsdecode(self._ask(*_LIST)).split("\0"):
            header, _, path = line.partition("\t")
            if path.endswith(_PYTHON):
                tag, mode, name, stage = header.split(" ")
                if tag != "S" and mode in _REGULAR and stage == "0":
                    yield path, name

    @staticmethod
    def _is_changed(path: Path, name: str) -> bool:
        """Git itself would have a filter look at the content, in order to know that."""
        try:
            data = read_file(path, _MOST_BYTES)
        except OSError:
            return True
        kind = "sha1" if len(name) == 40 else "sha256"
        texts = (data, data.replace(b"\r\n", b"\n"))
        return name not in (hashlib.new(kind, b"blob %d\0" % len(text) + text).hexdigest() for text in texts)

    def _contents(self, names: Sequence[str]) -> dict[str, bytes]:
        """By git's names of them."""
        data = self._ask("cat-file", "--batch", given="".join(f"{name}\n" for name in names).encode())
        found, start = {}, 0
        for name in names:
            end = data.index(b"\n", start)
            header = data[start:end].split(b" ")
            if len(header) != 3 or header[1] != b"blob":
                raise GitError(f"git does not have the object {name}")
            start = end + 1 + int(header[2])
            found[name] = data[end + 1 : start]
            start += 1
        return found

    def _name(self, revision: str) -> str:
        found = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", revision)
        return found.decode().strip()

    def _ask(self, *command: str, given: bytes = b"") -> bytes:
        return _run((*_OPTIONS, *command), self._folder, self._environment, _SECONDS, given)


def _environment(kept: Sequence[str]) -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in kept
    } | _SAFE


def _run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float, given: bytes = b""
) -> bytes:
    """What git writes. Raises `GitError`."""
    folders = [place for place in os.get_exec_path() if Path(place).is_absolute()]
    git = shutil.which("git", path=os.pathsep.join(folders))
    if git is None or not Path(git).is_absolute():
        raise GitError("git is not installed")
    try:
        done = subprocess.run(
            [git, *command],
            cwd=folder,
            env=environment,
            input=given,
            capture_output=True,
            timeout=timeout,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().split("\n")
        raise GitError("git: " + re.sub(r"^(fatal|error): ", "", lines[0])) from None
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise GitError(f"git cannot be run: {error}") from None
    return done.stdout
