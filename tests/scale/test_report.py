"""The page about a run's sequences: what it counts, and that it is one file that asks for nothing."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lintseq_lsp.synthesis import commands, report

app = typer.Typer()
app.command()(commands.synthesize)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


def record(index: int, *edits: str, instruction: str = "Do it.", source: str = "a.jsonl") -> dict[str, Any]:
    return {
        "edit_path": list(edits),
        "index": index,
        "source_file": source,
        "source_instruction": instruction,
        "source_response": "",
    }


def lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    return path


ONE, TWO, THREE = "@@ -0,0 +1 @@\n+x = 1", "@@ -0,0 +1,2 @@\n+y = 2\n+z = '+'", "@@ -3,0 +4 @@\n+print(x)"


def test_counts_are_those_of_the_records(tmp_path: Path) -> None:
    place = lines(
        tmp_path / "out.jsonl",
        [record(0, ONE, TWO, THREE), record(0, TWO), record(1, ONE), record(1, TWO), record(1, TWO, ONE, "")],
    )
    lines(tmp_path / "out.failures.jsonl", [{"reason": "crashed"}] * 3 + [{"reason": "hung"}])
    lines(tmp_path / "out.removed.jsonl", [{"reason": "near-duplicate"}] * 2)
    found = report.gathered(report.opened(place))
    assert found.edits == {1: 3, 3: 2}
    assert found.lines == {4: 1, 2: 2, 1: 1, 3: 1}
    assert found.lines_of_edit == {1: 4, 2: 4, 0: 1}
    assert found.lines_in_one_edit == {2: 2, 1: 1}
    assert found.most_edits == {("a.jsonl", 0): 3, ("a.jsonl", 1): 3}
    assert found.characters[len("Do it.") + len(ONE)] == 1
    assert found.reasons == {"crashed": 3, "hung": 1}
    assert found.removed == {"near-duplicate": 2}
    named = {why: shown["edit_path"] for why, shown in found.examples}
    assert named["the most edits"] == [ONE, TWO, THREE]
    assert named["the longest program in one edit"] == [TWO]


class Page(HTMLParser):
    """What a page would ask for, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = "</pre><script>alert(1)</script><img src='http://example.org/x'>\ud800"


def test_the_page_is_one_file_whatever_the_programs_say(tmp_path: Path) -> None:
    place = lines(
        tmp_path / "out.jsonl", [record(0, f"@@ -0,0 +1 @@\n+{HOSTILE}", instruction=HOSTILE, source=HOSTILE)]
    )
    lines(tmp_path / "out.failures.jsonl", [{"reason": HOSTILE}])
    result = run("--report", tmp_path / "new" / "page.html", place)
    assert result.exit_code == 0, result.output
    page = Page(tmp_path / "new" / "page.html")
    assert "script" not in page.tags
    assert page.tags.count("img") == len(page.addresses) == 6
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.addresses)
    assert "<script>alert(1)</script>" in page.text
    assert "url(" not in page.text


def test_a_run_and_the_same_sequences_later_give_the_same_page(tmp_path: Path) -> None:
    codes = ["import json\n\nx = json.loads('1')\ny = 2\n", "for i in range(3):\n    print(i)\n", " "]
    source = tmp_path / "set.jsonl"
    source.write_text("\n".join(json.dumps({"instruction": "Do.", "response": f"{code}#"}) for code in codes))
    for place in ("out", "out.jsonl"):
        options = ["--no-linter", "--samples", 3, "--report", tmp_path / "page.html"]
        result = run(source, "-o", tmp_path / place, *options)
        assert result.exit_code == 0, result.output
        assert f"Report: {tmp_path / 'page.html'}" in result.output
        page = (tmp_path / "page.html").read_bytes()
        assert run("--report", tmp_path / "again.html", tmp_path / place).exit_code == 0
        assert (tmp_path / "again.html").read_bytes() == page
        cells = dict(re.findall(rb"<tr><td>([^<]*)</td><td>([^<]*)</td>", page))
        assert (cells[b"programs with a sequence"], cells[b"sequences"]) == (b"3", b"9")
        assert b'"seed": 1' in page.replace(b"&#34;", b'"')


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.jsonl", None, "is not a file or folder that synthesize wrote"),
        ("other.txt", "x", "is not a file or folder that synthesize wrote"),
        ("empty.jsonl", "", "has no sequence"),
        ("other.jsonl", '{"text": "x"}\n', "record 1 is not from synthesize"),
        ("list.jsonl", "[]\n", "record 1 is not from synthesize"),
        ("cut.jsonl", '{"edit', "cannot be read"),
    ],
)
def test_what_is_no_run_is_an_error(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    result = run("--report", tmp_path / "page.html", tmp_path / name)
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "page.html").exists()


def test_a_run_of_which_a_shard_is_gone_or_damaged_has_no_report(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_text(json.dumps({"instruction": "Do.", "response": "x = 1"}))
    assert run(tmp_path / "set.jsonl", "-o", tmp_path / "out", "--no-linter").exit_code == 0
    [shard] = (tmp_path / "out" / "data").iterdir()
    content = shard.read_bytes()
    for damaged in (content[:-9], None):
        shard.write_bytes(damaged) if damaged else shard.unlink()
        result = run("--report", tmp_path / "page.html", tmp_path / "out")
        assert result.exit_code == 2
        assert f"{shard.name} cannot be read" in result.output


def test_quantiles_are_those_of_all_values() -> None:
    values = Counter({1: 50, 7: 45, 9: 4, 1000: 1})
    assert [report._quantile(values, share) for share in (0, 0.5, 0.51, 0.95, 0.96, 0.99, 1)] == [
        1, 1, 7, 7, 9, 9, 1000,
    ]  # fmt: skip


def test_a_run_that_is_not_finished_has_no_report(tmp_path: Path) -> None:
    (tmp_path / "out" / "data").mkdir(parents=True)
    result = run("--report", tmp_path / "page.html", tmp_path / "out")
    assert result.exit_code == 2
    assert "no manifest of a finished run" in result.output
    assert "needs the file or folder" in run("--report", tmp_path / "page.html", tmp_path, tmp_path).output
