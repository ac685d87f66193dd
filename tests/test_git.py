"""What git says of Python files, and that nothing runs which a repository names."""

import subprocess
from pathlib import Path

import pytest

from lintseq_lsp.errors import GitError
from lintseq_lsp.git import Changed, changed_files


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], cwd=self.folder, check=True, capture_output=True)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(text.encode())

    def commit(self, **files: str) -> None:
        for name, text in files.items():
            self.write(f"{name}.py", text)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--message", "next")

    def changed(self, revision: str | None) -> list[Changed]:
        return changed_files(self.folder, revision)

    def at(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    return Repository(tmp_path.resolve())


BODY = "".join(f"value_{number} = {number}\n" for number in range(20))


def test_what_has_changed_since_a_revision(repository: Repository) -> None:
    repository.commit(same="s = 1\n", committed="c = 1\n", dirty="d = 1\n", gone="g = 1\n", old=BODY)
    repository.git("tag", "first")
    repository.write("notes.txt", "no Python")
    repository.git("mv", "old.py", "new.py")
    repository.commit(committed="c = 2\n", fresh="f = 1\n")
    repository.write("dirty.py", "d = 2\n")
    repository.at("gone.py").unlink()
    repository.write("unknown.py", "u = 1\n")
    assert repository.changed("first") == [
        Changed(repository.at("committed.py"), b"c = 1\n", b"c = 2\n"),
        Changed(repository.at("dirty.py"), b"d = 1\n", b"d = 2\n"),
        Changed(repository.at("fresh.py"), None, b"f = 1\n"),
        Changed(repository.at("gone.py"), b"g = 1\n", None),
        Changed(repository.at("new.py"), BODY.encode(), BODY.encode(), repository.at("old.py")),
    ]


def test_what_is_staged_is_the_index_and_not_the_working_tree(repository: Repository) -> None:
    repository.commit(a="a = 1\n", other="o = 1\n")
    repository.write("a.py", "a = 2\n")
    repository.git("add", ".")
    repository.write("a.py", "a = 3\n")
    repository.write("other.py", "o = 2\n")
    assert repository.changed(None) == [
        Changed(repository.at("a.py"), b"a = 1\n", b"a = 2\n"),
        Changed(repository.at("other.py"), b"o = 1\n", b"o = 1\n"),
    ]


def test_before_the_first_commit_all_is_new(repository: Repository) -> None:
    repository.write("a.py", "a = 1\n")
    repository.git("add", ".")
    assert repository.changed(None) == [Changed(repository.at("a.py"), None, b"a = 1\n")]


def test_a_branch_is_compared_with_where_it_left(repository: Repository) -> None:
    repository.commit(a="a = 1\n", b="b = 1\n")
    repository.git("checkout", "--quiet", "-b", "branch")
    repository.commit(a="a = 2\n")
    repository.git("checkout", "--quiet", "main")
    repository.commit(b="b = 2\n")
    repository.git("checkout", "--quiet", "branch")
    assert repository.changed("main") == [Changed(repository.at("a.py"), b"a = 1\n", b"a = 2\n")]


def test_what_was_no_python_had_nothing_before(repository: Repository) -> None:
    repository.write("script.txt", BODY)
    repository.commit()
    repository.git("mv", "script.txt", "script.py")
    repository.at("link.py").symlink_to("script.py")
    repository.git("add", ".")
    assert [change for change in repository.changed(None) if change.after] == [
        Changed(repository.at("script.py"), None, BODY.encode())
    ]


def test_it_works_inside_of_a_hook_and_of_a_folder(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(a="a = 1\n")
    repository.write("sub/b.py", "b = 1\n")
    index = repository.at(".git/other-index")
    index.write_bytes(repository.at(".git/index").read_bytes())
    monkeypatch.setenv("GIT_INDEX_FILE", str(index))  # as in `git commit FILE`
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    repository.git("add", ".")
    here = repository.at("sub")
    assert changed_files(here, None) == [Changed(repository.at("sub/b.py"), None, b"b = 1\n")]
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert changed_files(here, None) == []


def test_nothing_runs_that_the_repository_names(repository: Repository) -> None:
    repository.commit(a=BODY, old=BODY + "1\n", c="c = 1\n")
    repository.git("tag", "first")
    ran, program = repository.at("ran"), repository.at("program")
    program.write_text(f'#!/bin/sh\necho "$0 $@" >>{ran}\ncat\n')
    program.chmod(0o755)
    repository.git("mv", "old.py", "new.py")
    repository.write("a.py", BODY + "more = 1\n")
    repository.git("add", "-A")
    repository.write("c.py", "c = 2\n")
    repository.write(".git/info/attributes", "*.py filter=evil diff=evil merge=evil\n")
    repository.write(".gitattributes", "*.py filter=evil diff=evil\n")
    for name in (
        *("core.fsmonitor", "core.sshCommand", "core.pager", "diff.external", "core.editor"),
        *("diff.evil.textconv", "diff.evil.command", "filter.evil.clean", "filter.evil.smudge"),
        "filter.evil.process",
    ):
        repository.git("config", name, str(program))
    hooks = repository.at(".git/hooks")
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "fsmonitor-watchman", "pre-commit", "reference-transaction"):
        (hooks / name).write_bytes(program.read_bytes())
        (hooks / name).chmod(0o755)
    ran.unlink(missing_ok=True)
    assert [change.path.name for change in repository.changed(None)] == ["a.py", "c.py", "new.py"]
    assert [change.path.name for change in repository.changed("first")] == ["a.py", "c.py", "new.py"]
    assert not ran.exists(), ran.read_text()
    subprocess.run(["git", "diff"], cwd=repository.folder, check=False, capture_output=True)
    assert ran.exists(), "that is what it would be"


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("nowhere", "git does not know the revision 'nowhere'"),
        ("--output=x", "git does not know the revision '--output=x'"),
        ("alone", "have no common ancestor in this clone: fetch more history"),
    ],
)
def test_what_git_does_not_know_is_said(repository: Repository, revision: str, message: str) -> None:
    repository.commit(a="a = 1\n")
    repository.git("checkout", "--quiet", "--orphan", "alone")
    repository.commit(a="a = 2\n")
    repository.git("checkout", "--quiet", "main")
    with pytest.raises(GitError, match=message):
        repository.changed(revision)


def test_where_no_repository_is_git_says_so(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="git: not a git repository"):
        changed_files(tmp_path, None)
