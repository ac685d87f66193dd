"""`check` of what git knows, and its reports for programs."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lintseq_lsp.commands import app
from lintseq_lsp.commands.reports import Format, Judged, Unread, written
from lintseq_lsp.linters.base import Finding
from lintseq_lsp.reasons import Reason
from lintseq_lsp.verdicts import Verdict

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def git(*arguments: str) -> None:
    subprocess.run([*GIT, *arguments], check=True, capture_output=True)


def check(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *arguments], catch_exceptions=False)
    return result.exit_code, result.stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits, and more in the index and in the working tree."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    (tmp_path / "shop").mkdir()
    for name, text in {
        "shop/__init__.py": "",
        "shop/prices.py": "def net(x):\n    return x\n\n\nold()\n",
        "shop/cart.py": "from shop.prices import net\n\nprint(net(1))\n",
        "shop/my_secret.py": "x = 1\n",
    }.items():
        (tmp_path / name).write_text(text)
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    (tmp_path / "shop/prices.py").write_text("\ndef gross(x):\n    return x\n\n\nold()\n")
    git("commit", "--quiet", "--all", "--message", "second")
    git("mv", "shop/cart.py", "shop/basket.py")
    (tmp_path / "shop/my_secret.py").write_text("x = undefined\n")
    git("add", ".")
    (tmp_path / "shop/prices.py").write_text("def gross(x):\n    return y\n\n\nold()\n")
    return tmp_path


def messages(answer: dict[str, Any]) -> dict[str, list[str]]:
    return {entry["path"]: [each["message"] for each in entry["findings"]] for entry in answer["files"]}


@pytest.mark.usefixtures("repository")
def test_since_a_revision_only_what_is_new_counts_and_old_modules_are_as_they_were() -> None:
    """The cart has been wrong since its module was changed, which is since the second commit."""
    moved = ["No name 'net' in module 'shop.prices'"]
    code, output = check("--since", "HEAD~", "--json")
    assert code == 1
    wanted = {"shop/basket.py": moved, "shop/prices.py": ["Undefined variable 'y'"]}
    assert messages(json.loads(output)) == wanted
    code, output = check("--since", "HEAD", "--format", "json")
    assert code == 1
    assert messages(json.loads(output)) == {**wanted, "shop/basket.py": []}
    code, output = check("--since", "HEAD~", "shop/basket.py", "--json")
    assert messages(json.loads(output)) == {"shop/basket.py": moved}


def test_what_is_staged_is_judged_among_what_is_staged(repository: Path) -> None:
    (repository / "shop/prices.py").write_text("def net(x):\n    return y\n")
    assert check("--staged") == (0, "shop/basket.py: no new findings (pylint)\n")
    (repository / "shop/basket.py").write_text("from shop.prices import gross\n\nprint(gross(1))\n")
    git("add", "shop/basket.py")
    assert check("--staged")[0] == 0, "prices.py is still what the index has"


def test_comments_and_guards_that_silence_are_for_people_to_write(repository: Path) -> None:
    git("reset", "--quiet", "--hard")
    (repository / "shop/prices.py").write_text("new()  # pylint: disable=undefined-variable\n")
    assert check("--since", "HEAD")[0] == 0
    code, output = check("--since", "HEAD", "--strict")
    assert (code, output) == (1, "shop/prices.py: pragma\n")
    guarded = "import sys\n\nif sys.platform == 'nowhere':\n    import nothing_there\n"
    (repository / "shop/prices.py").write_text(guarded)
    assert check("--since", "HEAD")[0] == 0, "whoever writes a guard may"
    assert check("--since", "HEAD", "--strict")[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "HEAD", "--staged"],
        ["--staged", "--patch", "-"],
        ["a.py", "--staged", "--against", "b.py"],
    ],
)
def test_ways_that_exclude_each_other(arguments: list[str]) -> None:
    assert check(*arguments)[0] == 2


def test_what_cannot_be_read_is_said_and_the_rest_judged(repository: Path) -> None:
    (repository / "shop/prices.py").write_bytes(b"# \xe9\n")
    code, output = check("--since", "HEAD", "--json")
    assert code == 2
    assert {entry["path"]: entry["verdict"] for entry in json.loads(output)["files"]} == {
        "shop/prices.py": "not read",
        "shop/basket.py": "accepted",
    }
    code, output = check("--since", "HEAD", "--format", "github")
    assert code == 2
    assert output.startswith("::error file=shop/prices.py,line=1,col=1,title=not-read::shop/prices.py cannot")


UNDEFINED = Finding("undefined-variable", "E0602", "Undefined variable 'x,\n100%'", 3, 4)
ENTRIES = [
    Judged("a b/c:1.py", Verdict(Reason.NEW_FINDINGS, (UNDEFINED, UNDEFINED))),
    Judged("w.py", Verdict(Reason.NEW_FINDINGS, (Finding("bad-indentation", "W0311", "Bad.", 7, 0),))),
    Judged("good.py", Verdict(Reason.ACCEPTED)),
    Judged("new.py", Verdict(Reason.NEWER_SYNTAX, (Finding("syntax-error", "E0001", "No.", 1),), detail="t")),
    Judged("died.py", Verdict(Reason.LINTER_FAILED, detail="it was killed")),
    Judged("hushed.py", Verdict(Reason.PRAGMA)),
    Unread("gone.py", "gone.py cannot be read"),
]


def test_annotations_of_github() -> None:
    twice = "::error file=a b/c%3A1.py,line=3,col=5,title=E0602 undefined-variable"
    twice += "::Undefined variable 'x,%0A100%25'"
    assert written(ENTRIES, Format.GITHUB, strict=False).splitlines() == [
        twice,
        twice,
        "::warning file=w.py,line=7,col=1,title=W0311 bad-indentation::Bad.",
        "::warning file=new.py,line=1,col=1,title=newer-syntax::t",
        "::error file=died.py,line=1,col=1,title=linter-failed::it was killed",
        f"::error file=hushed.py,line=1,col=1,title=pragma::{Reason.PRAGMA.sentence}",
        "::error file=gone.py,line=1,col=1,title=not-read::gone.py cannot be read",
    ]
    strict = written(ENTRIES, Format.GITHUB, strict=True)
    assert "::error file=new.py,line=1,col=1,title=newer-syntax::t" in strict


def test_the_report_of_gitlab() -> None:
    issues = json.loads(written(ENTRIES, Format.GITLAB, strict=False))
    assert issues[0] == {
        "description": "E0602 Undefined variable 'x,\n100%'",
        "check_name": "undefined-variable",
        "fingerprint": issues[0]["fingerprint"],
        "severity": "major",
        "location": {"path": "a b/c:1.py", "lines": {"begin": 3}},
    }
    assert [issue["severity"] for issue in issues] == ["major"] * 2 + ["minor"] * 2 + ["major"] * 3
    prints = [issue["fingerprint"] for issue in issues]
    assert len(set(prints)) == len(issues)
    later = Finding("undefined-variable", "E0602", UNDEFINED.message, 30, 0)
    moved = [Judged("a b/c:1.py", Verdict(Reason.NEW_FINDINGS, (later,)))]
    assert json.loads(written(moved, Format.GITLAB, strict=False))[0]["fingerprint"] == prints[0]


def test_the_log_in_sarif() -> None:
    """What the schema of version 2.1.0 requires of each object, and what it allows."""
    log = json.loads(written(ENTRIES, Format.SARIF, strict=False))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "lintseq-lsp"
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    assert [invocation["executionSuccessful"] for invocation in run["invocations"]] == [False]
    assert len(run["results"]) == 7
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert min(region["startLine"], region["startColumn"]) >= 1
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20b/c%3A1.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 3, "startColumn": 5}
    good = json.loads(written(ENTRIES[2:3], Format.SARIF, strict=False))["runs"][0]
    assert (good["results"], good["invocations"]) == ([], [{"executionSuccessful": True}])
