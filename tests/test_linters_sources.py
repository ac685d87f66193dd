"""Files as the linter is to see them: texts that were given before those on disk."""

import os
from pathlib import Path

import pytest

from lintseq_lsp.linters.protocol import stamp
from lintseq_lsp.linters.sources import Sources


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "a.py"
    path.write_text("on_disk = 1\n")
    return str(path)


def test_a_text_counts_until_it_is_dropped(file: str) -> None:
    sources = Sources()
    assert sources.state(file) == stamp(file)
    assert not sources.update({file: "x = 1\r\ny = 2\r"}, [])
    assert (sources.state(file), sources.given(file)) == ("x = 1\ny = 2\n", file)
    assert not sources.update({}, [file])
    assert (sources.state(file), sources.given(file)) == (stamp(file), None)


def test_files_come_and_go(tmp_path: Path, file: str) -> None:
    sources = Sources()
    new = str(tmp_path / "new.py")
    assert not sources.exists(new)
    assert sources.update({new: ""}, [])
    assert sources.exists(new)
    assert sources.is_file(new)
    assert sources.update({file: None}, [])  # a text of None: no file
    assert not sources.exists(file)
    assert not sources.is_file(file)
    assert sources.update({}, [file])
    assert sources.is_file(file)
    assert sources.update({}, [new])
    assert not sources.is_file(new)


def test_folders_that_are_not_there_yet(tmp_path: Path) -> None:
    sources = Sources()
    sources.update({str(tmp_path / "one" / "two" / "a.py"): "", str(tmp_path / "gone" / "a.py"): None}, [])
    assert sources.is_new_folder(str(tmp_path / "one"))
    assert sources.is_new_folder(str(tmp_path / "one" / "two"))
    assert not sources.is_new_folder(str(tmp_path / "on"))
    assert not sources.is_new_folder(str(tmp_path / "gone"))
    assert not sources.is_new_folder(str(tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_folder_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    sources = Sources()
    given = str(tmp_path / "link" / "a.py")
    sources.update({given: "x = 1\n"}, [])
    assert sources.given(str(tmp_path / "real" / "a.py")) == given
    assert sources.state(str(tmp_path / "real" / "a.py")) == "x = 1\n"
