"""Patches of git, diff and agents over a tree in which they are applied already or not yet."""

import difflib
import hashlib
import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from lintseq_lsp.errors import PatchError
from lintseq_lsp.patches.applying import FileChange, changes
from lintseq_lsp.patches.reading import decode_patch

BEFORE = "".join(f"line {number}\n" for number in range(1, 31))
AFTER = (
    BEFORE.replace("line 3\n", "line three\n").replace("line 20\n", "").replace("line 30\n", "line 30\nend\n")
)

LINES = st.lists(
    st.text(st.sampled_from("ab +-@\\\t\f\r\u2028é😀"), max_size=4)
    | st.sampled_from(["x", "-- y", "++ z", "@@ -1 +1 @@"]),
    max_size=14,
)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


def lines_of(text: str) -> list[str]:
    return list(io.StringIO(text, newline="\n"))


def unified(before: str, after: str, name: str = "x.py", context: int = 3) -> str:
    """As GNU diff writes it."""
    written = difflib.unified_diff(lines_of(before), lines_of(after), f"a/{name}", f"b/{name}", n=context)
    return "".join(
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in written
    )


def write(root: Path, files: dict[str, str | bytes | Path]) -> None:
    """Files by name; of a link its target is given, as a path."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, Path):
            path.symlink_to(text)
        else:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())


def git(root: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def shared_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    git(root, "init", "-q")
    return root


@pytest.fixture
def repository(shared_repository: Path) -> Path:
    """An empty repository without commits; one for all tests, since git is slow to make one."""
    clear(shared_repository)
    return shared_repository


def clear(root: Path) -> None:
    for path in root.iterdir():
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.name != ".git":
            shutil.rmtree(path)


def by_name(found: list[FileChange]) -> list[FileChange]:
    return sorted(found, key=lambda change: change.path)


def both_ways(
    root: Path,
    before: dict[str, str | bytes | Path],
    after: dict[str, str | bytes | Path],
    *options: str,
) -> list[FileChange]:
    """What is read of git's patch between two trees; the same whether it is applied already or not."""
    clear(root)
    write(root, before)
    git(root, "add", "-A")
    tree = git(root, "write-tree").strip()
    clear(root)
    write(root, after)
    git(root, "add", "-A")
    patch = git(root, "diff", "--cached", *options, tree)
    applied = changes(patch, root)
    clear(root)
    write(root, before)
    assert changes(patch, root) == applied
    return applied


@pytest.mark.parametrize("context", [0, 1, 3])
@pytest.mark.parametrize("applied", [True, False])
def test_several_hunks_of_one_file(tmp_path: Path, context: int, applied: bool) -> None:
    write(tmp_path, {"x.py": AFTER if applied else BEFORE})
    assert changes(unified(BEFORE, AFTER, context=context), tmp_path) == [FileChange("x.py", BEFORE, AFTER)]


@pytest.mark.parametrize("applied", [True, False])
def test_moved_line_numbers_are_found_where_only_one_place_fits(tmp_path: Path, applied: bool) -> None:
    shift = "import os\n" * 4
    write(tmp_path, {"x.py": shift + (AFTER if applied else BEFORE)})
    assert changes(unified(BEFORE, AFTER), tmp_path) == [FileChange("x.py", shift + BEFORE, shift + AFTER)]


def test_two_places_that_fit_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"x.py": "# moved\n" + "a\nb\nc\n" * 2})
    with pytest.raises(PatchError, match=r"x\.py.*@@ -1,3 \+1,3 @@"):
        changes(unified("a\nb\nc\n", "a\nB\nc\n"), tmp_path)


def test_a_file_that_is_neither_side_is_refused_with_its_hunk(tmp_path: Path) -> None:
    write(tmp_path, {"x.py": BEFORE.replace("line 20", "line twenty")})
    with pytest.raises(PatchError, match=r"x\.py.*@@ -17,7 \+17,6 @@"):
        changes(unified(BEFORE, AFTER), tmp_path)


def test_added_deleted_and_empty_files(repository: Path) -> None:
    found = both_ways(
        repository,
        {"gone.py": BEFORE, "stays.py": "x = 1\n", "empty_gone.py": ""},
        {"new.py": AFTER, "stays.py": "x = 2\n", "empty_new.py": ""},
        "--no-renames",
    )
    assert found == [
        FileChange("empty_gone.py", "", None),
        FileChange("empty_new.py", None, ""),
        FileChange("gone.py", BEFORE, None),
        FileChange("new.py", None, AFTER),
        FileChange("stays.py", "x = 1\n", "x = 2\n"),
    ]


@pytest.mark.parametrize("after", [BEFORE, AFTER])
def test_renames(repository: Path, after: str) -> None:
    found = both_ways(repository, {"old name.py": BEFORE}, {"pkg/new.py": after}, "-M")
    assert found == [FileChange("pkg/new.py", BEFORE, after, moved_from="old name.py")]


def test_python_that_gets_another_name_is_not_judged(repository: Path) -> None:
    assert both_ways(repository, {"x.py": BEFORE}, {"x.txt": AFTER}, "-M") == [
        FileChange("x.txt", None, None, "not Python")
    ]


def test_a_file_that_becomes_python_had_no_findings_before(repository: Path) -> None:
    assert both_ways(repository, {"x.txt": BEFORE}, {"x.py": AFTER}, "-M") == [
        FileChange("x.py", None, AFTER)
    ]


def test_a_copy_does_not_exist_before(repository: Path) -> None:
    found = both_ways(
        repository, {"x.py": BEFORE}, {"x.py": BEFORE, "y.py": AFTER}, "-C", "--find-copies-harder"
    )
    assert found == [FileChange("y.py", None, AFTER)]


def test_a_changed_mode_changes_no_text(repository: Path) -> None:
    write(repository, {"run.py": BEFORE})
    patch = "diff --git a/run.py b/run.py\nold mode 100644\nnew mode 100755\n"
    assert changes(patch, repository) == [FileChange("run.py", BEFORE, BEFORE)]


def test_what_is_not_judged_is_named(repository: Path) -> None:
    found = both_ways(
        repository,
        {"notes.txt": "a\n", "table.py": b"\0\1\2"},
        {"notes.txt": "b\n", "table.py": b"\0\1\3"},
    )
    assert found == [
        FileChange("notes.txt", None, None, "not Python"),
        FileChange("table.py", None, None, "binary"),
    ]
    assert [
        change.skipped for change in both_ways(repository, {"t.py": b"\0\1"}, {"t.py": b"\0\2"}, "--binary")
    ] == ["binary"]


def test_links_are_not_followed_into_the_patch(tmp_path: Path) -> None:
    patch = (
        "diff --git a/x.py b/x.py\nnew file mode 120000\nindex 0000000..1de5659\n--- /dev/null\n+++ b/x.py\n"
        "@@ -0,0 +1 @@\n+target\n\\ No newline at end of file\n"
    )
    assert changes(patch, tmp_path) == [FileChange("x.py", None, None, "symbolic link")]


def test_links_out_of_the_folder_end_nothing(repository: Path) -> None:
    """What is a link by now is read on neither side; the other files are judged."""
    write(repository, {"linked.py": "x = 1\n", "other.py": "y = 1\n"})
    git(repository, "add", ".")
    (repository / "linked.py").unlink()
    (repository / "linked.py").symlink_to("/etc/hostname")
    (repository / "data").symlink_to("/etc/passwd")
    write(repository, {"other.py": "y = 2\n"})
    git(repository, "add", "--intent-to-add", "data")
    found = changes(git(repository, "diff", "--no-ext-diff"), repository)
    assert found == [
        FileChange("data", None, None, "symbolic link"),
        FileChange("linked.py", None, None, "symbolic link"),
        FileChange("other.py", "y = 1\n", "y = 2\n"),
    ]


LINKS = (Path("kept.py"), Path("nowhere.py"), Path("/etc/hostname"))


@pytest.mark.parametrize("target", LINKS)
@pytest.mark.parametrize("text", ["x = undefined\n", "", "kept.py"])
def test_a_link_that_becomes_a_file_has_nothing_before_it(repository: Path, target: Path, text: str) -> None:
    found = both_ways(
        repository, {"kept.py": "x = 1\n", "alias.py": target}, {"kept.py": "x = 1\n", "alias.py": text}
    )
    assert found == [FileChange("alias.py", None, text)]


@pytest.mark.parametrize("target", LINKS)
def test_a_file_that_becomes_a_link_is_not_judged(repository: Path, target: Path) -> None:
    found = both_ways(repository, {"x.py": "x = 1\n", "y.py": "y = 1\n"}, {"x.py": target, "y.py": "y = 2\n"})
    assert found == [
        FileChange("x.py", None, None, "symbolic link"),
        FileChange("y.py", "y = 1\n", "y = 2\n"),
    ]


@pytest.mark.parametrize("target", LINKS)
def test_a_link_that_moves_is_not_judged(repository: Path, target: Path) -> None:
    """Git names no mode of what only moves."""
    found = both_ways(repository, {"x.py": target}, {"pkg/y.py": target}, "-M")
    assert found == [FileChange("pkg/y.py", None, None, "symbolic link")]


@pytest.mark.parametrize("applied", [True, False])
def test_links_and_files_as_mercurial_writes_them(tmp_path: Path, applied: bool) -> None:
    """In one entry; git writes two."""
    write(tmp_path, {"real.py": "x = 1\n", "x.py": "x = undefined\n" if applied else Path("real.py")})
    write(tmp_path, {"y.py": Path("real.py") if applied else "x = 2\n"})
    link = "real.py\n\\ No newline at end of file\n"
    patch = (
        "diff --git a/x.py b/x.py\nold mode 120000\nnew mode 100644\n--- a/x.py\n+++ b/x.py\n"
        f"@@ -1,1 +1,1 @@\n-{link}+x = undefined\n"
        "diff --git a/y.py b/y.py\nold mode 100644\nnew mode 120000\n--- a/y.py\n+++ b/y.py\n"
        f"@@ -1,1 +1,1 @@\n-x = 2\n+{link}"
    )
    assert changes(patch, tmp_path) == [
        FileChange("x.py", None, "x = undefined\n"),
        FileChange("y.py", None, None, "symbolic link"),
    ]


def test_a_submodule_that_becomes_a_file_has_nothing_before_it(tmp_path: Path) -> None:
    patch = (
        "diff --git a/web.py b/web.py\ndeleted file mode 160000\nindex 1de5659..0000000\n"
        "--- a/web.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-Subproject commit 1de5659\n"
        "diff --git a/web.py b/web.py\nnew file mode 100644\n--- /dev/null\n+++ b/web.py\n"
        "@@ -0,0 +1 @@\n+x = undefined\n"
    )
    (tmp_path / "web.py").mkdir()
    expected = [FileChange("web.py", None, "x = undefined\n")]
    assert changes(patch, tmp_path) == expected
    (tmp_path / "web.py").rmdir()
    write(tmp_path, {"web.py": "x = undefined\n"})
    assert changes(patch, tmp_path) == expected


@pytest.mark.parametrize("form", ["log", "short", "diff"])
def test_a_submodule_is_named(repository: Path, form: str) -> None:
    """Also where git writes prose instead of a diff; what else is in the patch is judged."""
    trees = []
    for number in (1, 2):
        write(repository, {"x.py": f"x = {number}\n"})
        git(repository, "add", "-A")
        git(repository, "update-index", "--add", "--cacheinfo", f"160000,{f'{number}' * 40},vendor/lib")
        trees.append(git(repository, "write-tree").strip())
    patch = git(repository, "diff", f"--submodule={form}", *trees)
    assert by_name(changes(patch, repository)) == [
        FileChange("vendor/lib", None, None, "submodule"),
        FileChange("x.py", "x = 1\n", "x = 2\n"),
    ]
    only = git(repository, "diff", f"--submodule={form}", *trees, "--", "vendor")
    assert changes(only, repository) == [FileChange("vendor/lib", None, None, "submodule")]


NAMES = (
    "a b.py",
    "a b/c d.py",
    "é/ü.py",
    'quo"te.py',
    "tab\there.py",
    "x b/y.py",
    "a/b.py",
    "b/a.py",
    "-- dash.py",
)


@pytest.mark.parametrize("option", ["--src-prefix=a/", "--src-prefix=i/", "--no-prefix"])
def test_names(repository: Path, option: str) -> None:
    one: dict[str, str | bytes | Path] = dict.fromkeys(NAMES, "x = 1\n")
    two: dict[str, str | bytes | Path] = dict.fromkeys(NAMES, "x = 2\n")
    names = sorted(NAMES)
    assert by_name(both_ways(repository, one, two, option)) == [
        FileChange(name, "x = 1\n", "x = 2\n") for name in names
    ]
    assert by_name(both_ways(repository, {}, two, option)) == [
        FileChange(name, None, "x = 2\n") for name in names
    ]
    assert by_name(both_ways(repository, two, {}, option)) == [
        FileChange(name, "x = 2\n", None) for name in names
    ]


TEXT_PAIRS = (
    ("x = 1", "x = 2"),
    ("x = 1\n", "x = 1"),
    ("x = 1", "x = 1\ny = 2\n"),
    ("x = 1\r\ny = 1\r\n", "x = 1\r\ny = 2\r\n"),
    ("x = 1\r\n", "x = 1\n"),
    ("a = '\f'\nb = 1\n", "a = '\f'\nb = 2\n"),
    ("a = '\u2028\x85\x1c\x0b'\n", "b = '\u2028\x85\x1c\x0b'\n"),
    ("-- a\n++ b\n", "++ b\n-- c\n--- d\n+++ e\n"),
    ("@@ -1 +1 @@\n", "diff --git a/x b/x\n"),
    ("\n\n", "\n\n\n"),
)


def test_texts(repository: Path) -> None:
    expected = [FileChange(f"{number}.py", *pair) for number, pair in enumerate(TEXT_PAIRS)]
    before: dict[str, str | bytes | Path] = {change.path: change.before or "" for change in expected}
    after: dict[str, str | bytes | Path] = {change.path: change.after or "" for change in expected}
    assert both_ways(repository, before, after) == expected


def test_declared_encodings_and_byte_order_marks(repository: Path) -> None:
    before, after = "# coding: latin-1\nx = 'é'\n", "# coding: latin-1\nx = 'ü'\n"
    found = both_ways(repository, {"x.py": before.encode("latin-1")}, {"x.py": after.encode("latin-1")})
    assert found == [FileChange("x.py", before, after)]
    found = both_ways(repository, {"x.py": "\ufeffx = 1\n"}, {"x.py": "\ufeffx = 2\n"})
    assert found == [FileChange("x.py", "x = 1\n", "x = 2\n")]
    write(repository, {"x.py": b"x = '\xff'\n"})
    with pytest.raises(PatchError, match=r"x\.py.*encoding"):
        changes(unified("x = '\udcff'\n", "x = '\udcfe'\n"), repository)
    with pytest.raises(PatchError, match=r"x\.py.*encoding"):
        changes(unified("x = '\udcff'\n", "# coding: rot13\nx = 'ÿ'\n"), repository)
    mended = changes(unified("x = '\udcff'\n", "x = 'ÿ'\n"), repository)
    assert mended == [FileChange("x.py", "", "x = 'ÿ'\n")]


def test_a_tree_with_crlf_takes_patches_in_lf(tmp_path: Path) -> None:
    write(tmp_path, {"x.py": BEFORE.replace("\n", "\r\n")})
    assert changes(unified(BEFORE, AFTER), tmp_path) == [FileChange("x.py", BEFORE, AFTER)]


@pytest.mark.parametrize("marker", ["Pas de fin de ligne à la fin du fichier", "文件尾没有换行符"])
def test_the_missing_line_end_is_read_in_any_language(tmp_path: Path, marker: str) -> None:
    write(tmp_path, {"x.py": "x = 1"})
    patch = unified("x = 1", "x = 1\ny = 2").replace("No newline at end of file", marker)
    assert marker in patch
    assert changes(patch, tmp_path) == [FileChange("x.py", "x = 1", "x = 1\ny = 2")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_patches_that_a_shell_has_encoded_anew(repository: Path, encoding: str) -> None:
    write(repository, {"a.py": BEFORE, "x.py": "x = 'é'\n"})
    git(repository, "add", "-A")
    tree = git(repository, "write-tree").strip()
    clear(repository)
    write(repository, {"b.py": BEFORE, "x.py": "x = 'ü'\n"})
    git(repository, "add", "-A")
    patch = git(repository, "diff", "--cached", "-M", tree)
    for mark in ("", "\ufeff"):
        assert changes(decode_patch((mark + patch).encode(encoding)), repository) == [
            FileChange("b.py", BEFORE, BEFORE, moved_from="a.py"),
            FileChange("x.py", "x = 'é'\n", "x = 'ü'\n"),
        ]


def test_each_of_several_patches_may_have_a_byte_order_mark(tmp_path: Path) -> None:
    write(tmp_path, {"x.py": "x = 1\n", "y.py": "y = 1\n"})
    patch = "".join("\ufeff" + unified(f"{n} = 1\n", f"{n} = 2\n", f"{n}.py") for n in "xy")
    assert changes(decode_patch(patch.encode()), tmp_path) == [
        FileChange("x.py", "x = 1\n", "x = 2\n"),
        FileChange("y.py", "y = 1\n", "y = 2\n"),
    ]


def test_a_damaged_utf_16_patch_is_named() -> None:
    with pytest.raises(PatchError, match="UTF-16"):
        decode_patch("diff".encode("utf-16") + b"x")
    assert decode_patch(b"-\xff\n") == "-\udcff\n"


def test_git_hashes_decide_where_both_sides_fit(repository: Path) -> None:
    row = "0,\n"
    patch = (
        "diff --git a/x.py b/x.py\nindex {} 100644\n--- a/x.py\n+++ b/x.py\n"
        f"@@ -1,3 +1,4 @@\n+{row} {row} {row} {row}"
    )
    write(repository, {"x.py": row * 10})
    ten = git(repository, "hash-object", "x.py").strip()
    assert changes(patch.format(f"{ten[:7]}..1234567"), repository)[0].after == row * 11
    assert changes(patch.format(f"1234567..{ten[:7]}"), repository)[0].before == row * 9


def test_mails_and_their_signatures(tmp_path: Path) -> None:
    write(tmp_path, {"x.py": BEFORE, "y.py": "y = 1\n"})
    mail = (
        "From 0123 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: [PATCH] Change\n a thing\n\n"
        "- one\n+ two\n---\n x.py | 4 ++--\n 1 file changed\n\n"
    )
    second = mail + "diff --git a/y.py b/y.py\n" + unified("y = 1\n", "y = 2\n", "y.py") + "-- \n2.39.2\n\n"
    patch = mail + "diff --git a/x.py b/x.py\n" + unified(BEFORE, AFTER) + "-- \n2.39.2\n\n" + second
    assert changes(patch, tmp_path) == [
        FileChange("x.py", BEFORE, AFTER),
        FileChange("y.py", "y = 1\n", "y = 2\n"),
    ]


def test_plain_diffs(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/x.py": "x = 1\n"})
    hunk = "@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    expected = [FileChange("pkg/x.py", "x = 1\n", "x = 2\n")]
    for old, new in [
        (
            "pkg/x.py.orig\t2024-01-01 10:00:00.000000000 +0100",
            "pkg/x.py\t2024-01-01 10:00:00.000000000 +0100",
        ),
        ("pkg/x.py", "pkg/x.py"),
        ("before/pkg/x.py", "after/pkg/x.py"),
        ("a/pkg/x.py", "b/pkg/x.py"),
    ]:
        assert changes(f"diff -u old new\n--- {old}\n+++ {new}\n{hunk}", tmp_path) == expected
        assert changes(f"--- {old}\n+++ {new}\n{hunk}".removesuffix("\n"), tmp_path) == expected
    epoch = "1970-01-01 01:00:00.000000000 +0100"
    added = f"--- old/new.py\t{epoch}\n+++ new/new.py\t2024-01-01\n@@ -0,0 +1 @@\n+x = 2\n"
    assert changes(added, tmp_path) == [FileChange("new.py", None, "x = 2\n")]
    deleted = f"--- old/pkg/x.py\t2024-01-01\n+++ new/pkg/x.py\t{epoch}\n@@ -1 +0,0 @@\n-x = 1\n"
    assert changes(deleted, tmp_path) == [FileChange("pkg/x.py", "x = 1\n", None)]


@pytest.mark.parametrize("empty", ["", "\n", " \n\n"])
def test_an_empty_patch_changes_nothing(tmp_path: Path, empty: str) -> None:
    assert changes(empty, tmp_path) == []


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("hello\n", "no patch"),
        ("--- a/x.py\n", "no patch"),
        ("--- a/x.py\n+++ b/x.py\n", "no hunks"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1,1 +1,1\n-x = 1\n+x = 2\n", "no hunks"),
        ("@@ -1 +1 @@\n-x = 1\n+x = 2\n", "cannot be read"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n+import os\n", "more lines"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n\n y = 1\n", "more lines"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n@@ -9 +9\n-a\n+b\n", "more lines"),
        ("--- a/x.py\n+++ b/x.py\n@@ -0,0 +0,0 @@\n", "no header"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n-x = 1\n+x = 2\n", "shorter"),
        ("--- a/x.py\r\n+++ b/x.py\r\n@@ -1 +1 @@\r\n-x = 1\r\n+x = 2\r\n", "CRLF"),
        ("diff --git a/x.py b/x.py\n--- a/y.py\n+++ b/y.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", "contradict"),
        ("diff --git nonsense\n", "cannot be read"),
        ("diff --git a/no.py b/no.py\nold mode 100644\nnew mode 100755\n", "does not exist"),
        ("diff --git a/n.py b/m.py\nrename from n.py\nrename to m.py\n", "does not exist"),
        (
            "diff --cc x.py\n--- a/x.py\n+++ b/x.py\n@@@ -1,1 -1,1 +1,1 @@@\n--x = 1\n++x = 2\n",
            "merge",
        ),
        ("* Unmerged path x.py\n", "x.py is not merged"),
        ("--- a/no.py\n+++ b/no.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", "does not exist"),
        ("--- /dev/null\n+++ b/x.py\n@@ -0,0 +1 @@\n+x = 2\n", "is not applied, and cannot be applied"),
        ("--- a/x.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x = 7\n", "is not applied, and cannot be applied"),
        (
            "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n\\ No newline at end of file\n",
            "is not applied, and cannot be applied",
        ),
        ("--- a/../x.py\n+++ b/../x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", "outside of the folder"),
        ("--- /etc/x.py\n+++ /etc/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", "outside of the folder"),
        ("--- a/C:\\x.py\n+++ b/C:\\x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", "outside of the folder"),
        ("--- a/..\\x.py\n+++ b/..\\x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", "outside of the folder"),
        ("--- a/link/x.py\n+++ b/link/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", "outside of the folder"),
        ('--- "a/x\\000.py"\n+++ "b/x\\000.py"\n@@ -1 +1 @@\n-x = 1\n+x = 2\n', "outside of the folder"),
        ("--- \n+++ \n@@ -1 +1 @@\n-x = 1\n+x = 2\n", "outside of the folder"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n" * 2, "twice"),
    ],
)
def test_what_is_refused(tmp_path: Path, patch: str, message: str) -> None:
    root = tmp_path / "root"
    write(root, {"x.py": "x = 1\ny = 1\n"})
    write(tmp_path, {"outside/x.py": "x = 1\ny = 1\n", "x.py": "x = 1\ny = 1\n"})
    (root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(PatchError, match=message):
        changes(patch, root)


def blob(text: str) -> str:
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


MIXED = "\n\n\n\r\n@\n\n\n"


@given(TEXTS, TEXTS)
@example(MIXED, MIXED + "@")  # CRLF that is in no hunk
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_diff_goes_both_ways(tmp_path: Path, before: str, after: str) -> None:
    assume(before != after)
    patch = unified(before, after)
    hashes = f"diff --git a/x.py b/x.py\nindex {blob(before)[:7]}..{blob(after)[:7]} 100644\n"
    for text in (before, after):
        write(tmp_path, {"x.py": text})
        assert changes(hashes + patch, tmp_path) == [FileChange("x.py", before, after)]
        # Without hashes a text of few different lines may fit both sides; the patch is never misplaced.
        [change] = changes(patch, tmp_path)
        assert text in (change.before, change.after)
        assert unified(change.before or "", change.after or "").count("\n") == patch.count("\n")


@given(
    st.dictionaries(st.sampled_from(["x.py", "y.py", "pkg/z.py"]), TEXTS),
    st.dictionaries(st.sampled_from(["x.py", "y.py", "pkg/z.py"]), TEXTS),
    st.sampled_from(["-U0", "-U1", "-U3"]),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_patch_of_git_goes_both_ways(
    repository: Path, before: dict[str, str], after: dict[str, str], context: str
) -> None:
    found = both_ways(repository, dict(before), dict(after), context, "--no-renames", "--text")
    assert found == [
        FileChange(name, before.get(name), after.get(name))
        for name in sorted(before | after)
        if before.get(name) != after.get(name)
    ]


@given(st.text(st.sampled_from("+- @\\\n1,abx./"), max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_refused_or_empty(tmp_path: Path, text: str) -> None:
    for patch in (text, unified(BEFORE, AFTER) + text, "diff --git a/x.py b/x.py\n" + text):
        try:
            changes(patch, tmp_path)
        except PatchError:
            continue
        assert not patch.strip()
