"""The benchmark itself: its texts, its verdicts on its targets, its output. Nothing here is about time."""

import ast
import itertools
import json
from collections.abc import Iterator

import pytest
from small_model import SMALL_MODEL
from typer.testing import CliRunner

from lintseq_lsp.backends.base import Request
from lintseq_lsp.bench import sections
from lintseq_lsp.bench.llama import BareLoop, RecordedLlama
from lintseq_lsp.bench.server import growth
from lintseq_lsp.bench.texts import cut, statements, texts, typed
from lintseq_lsp.bench.values import Plan, Result, Target
from lintseq_lsp.commands import app
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.formats.lintseq import DIFF

FIELDS = {"name", "unit", "n", "min", "p25", "p50", "p75", "p90", "p95", "max", "target", "reached", "note"}


def test_statistics_interpolate() -> None:
    record = Result("name", "ms", (4.0, 1.0, 3.0, 2.0)).record()
    assert record == {
        "name": "name",
        "unit": "ms",
        "n": 4,
        "min": 1.0,
        "p25": 1.75,
        "p50": 2.5,
        "p75": 3.25,
        "p90": 3.7,
        "p95": 3.85,
        "max": 4.0,
        "target": None,
        "reached": None,
        "note": "",
    }


@pytest.mark.parametrize(
    ("values", "targets", "reached"),
    [
        ((1.0, 2.0, 9.0), (Target("p50", 2),), True),
        ((1.0, 2.0, 9.0), (Target("p50", 2), Target("max", 8)), False),
        ((0.8, 0.9), (Target("min", 0.85, at_least=True),), False),
        ((0.9, 0.9), (Target("p50", 0.9, at_least=True),), True),
        ((), (Target("p50", 2),), False),
    ],
)
def test_all_targets_count_and_no_value_reaches_none(
    values: tuple[float, ...], targets: tuple[Target, ...], reached: bool
) -> None:
    assert Result("", "", values, targets).reached is reached


def test_cut_ends_behind_a_top_level_statement() -> None:
    text = "import os\n\n\ndef first():\n    return 1\n\n\ndef second():\n    return 2\n"
    assert cut(text, 8) == "import os\n\n\ndef first():\n    return 1\n"
    assert cut(text, 9) == text


@pytest.mark.parametrize("lines", [20, 200, 2000])
def test_texts_parse_and_have_about_the_length(lines: int) -> None:
    for document in texts(lines):
        ast.parse(document.text)
        assert 0.5 * lines < len(document.lines) <= lines + 1, document.path


def test_a_line_is_typed_anew() -> None:
    document = texts(200)[0]
    line = statements(document)[0]
    keys = list(typed(document, line, 100))
    assert [key.kind for key in keys[:3]] == ["jump", "key", "key"]
    assert keys[-1].kind == "enter"
    for key in keys[:-1]:
        completed = key.document.text[: key.offset] + key.rest + key.document.text[key.offset :]
        assert completed == document.text
        assert key.document.position(key.offset)[0] == key.line == line
    for before, after in itertools.pairwise(keys[:-1]):
        assert after.document.text[: before.offset] == before.document.text[: before.offset]
        assert after.offset == before.offset + 1
    assert keys[-1].document.position(keys[-1].offset) == (line + 1, len(keys[0].document.lines[line]))


def of(fragment: str, *begins: str, max_lines: int | None = None) -> Request:
    return Request(["\n", DIFF, fragment], frozenset({DIFF}), [begins] if begins else [], max_lines=max_lines)


@pytest.mark.parametrize("begins", [(), ("@@ -0,0 +1", "@@ -0,0 +1,2 @@\n+"), ("\n", "@@ -0,0 +1 @@\n+")])
def test_a_recording_is_written_token_by_token(begins: tuple[str, ...]) -> None:
    backend = RecordedLlama(SMALL_MODEL)
    try:
        backend.answer = lambda: "@@ -0,0 +1 @@\n+value = [item for item in range(10)]\n"
        pieces = list(backend.write(of("", *begins), lambda: False))
        assert "".join(piece.text for piece in pieces) == backend.answer()
        assert pieces[-1].stop is DIFF
        assert backend.usage.written == backend.count(backend.answer()) + 1
    finally:
        backend.close()


def test_a_recording_follows_what_is_typed_already() -> None:
    backend = RecordedLlama(SMALL_MODEL)
    try:
        backend.answer = lambda: "ue = 1\n"
        pieces = list(
            backend.write(
                of("@@ -0,0 +1 @@\n+", "val", max_lines=1),
                lambda: False,
            )
        )
        assert "".join(piece.text for piece in pieces) == "value = 1\n"
    finally:
        backend.close()


def test_the_bare_loop_decodes() -> None:
    path = SMALL_MODEL
    loop = BareLoop(path, threads=1, context=256)
    try:
        loop.read("import os\n")
        assert loop.write(4) > 0
        assert loop.write(4) > 0
    finally:
        loop.close()


def test_a_section_that_fails_does_not_stop_the_others() -> None:
    def broken(_: Plan) -> Iterator[Result]:
        yield Result("before", "ms", (1.0,))
        raise LintSeqError("out of luck")

    def whole(_: Plan) -> Iterator[Result]:
        yield Result("after", "ms", (2.0,))

    results = list(sections.run(Plan(), ["broken", "whole"], sections={"broken": broken, "whole": whole}))
    assert [result.name for result in results] == ["before", "broken", "after"]
    assert results[1].values == ()
    assert results[1].note == "failed: out of luck"


def test_json_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {20: ("posixpath.py",), 200: ("copy.py",), 2000: ("copy.py",)}
    monkeypatch.setattr("lintseq_lsp.bench.texts._FILES", few)
    answer = CliRunner().invoke(app, ["bench", "--json", "--quick", "--only", "check"])
    assert answer.exit_code == 0, answer.output
    report = json.loads(answer.stdout)
    assert set(report) == {"machine", "results"}
    assert {"processor", "cores", "load", "python", "pylint", "llama.cpp", "threads", "model"} <= set(
        report["machine"]
    )
    assert [result["name"] for result in report["results"]] == [
        "one warm check, 20 lines",
        "one warm check, 200 lines",
        "one warm check, 2,000 lines",
        "an edit in a function, 200 lines",
        "an edit in a function, 200 lines, all checked",
        "an edit in a function, 2,000 lines",
        "an edit in a function, 2,000 lines, all checked",
    ]
    assert all(set(result) == FIELDS and result["n"] == 2 for result in report["results"])
    assert report["results"][3]["note"] == "0 of 2 edits had all checked"
    assert report["results"][1]["target"] == "p50 ≤ 100"


def test_sections_over_a_real_server() -> None:
    chosen = [f"--only={section}" for section in ("start", "cached", "memory")]
    answer = CliRunner().invoke(
        app, ["bench", "--json", "--quick", "--suggestions=10", f"--model={SMALL_MODEL}", *chosen]
    )
    assert answer.exit_code == 0, answer.output
    results = json.loads(answer.stdout)["results"]
    assert len(results) == 5
    for result in results:
        assert result["n"] >= 1, result


def test_growth_is_that_of_what_is_settled_and_a_short_run_tells_none() -> None:
    counts = range(0, 2000, 20)
    filling = [300.0 + min(count, 500) / 5 for count in counts]
    assert growth(counts, filling).statistic("p50") == pytest.approx(0, abs=1e-6)
    assert growth(counts, filling).reached
    leaking = [size + count / 100 for count, size in zip(counts, filling, strict=True)]
    assert growth(counts, leaking).statistic("p50") == pytest.approx(10)
    assert growth(counts, leaking).reached is False
    for few in (range(60), range(0)):
        short = growth(few, [300.0 + count for count in few])
        assert (short.values, short.reached) == ((), None)
        assert "fewer than 1000" in short.note


def test_an_unknown_section_is_refused() -> None:
    answer = CliRunner().invoke(app, ["bench", "--only", "everything"])
    assert answer.exit_code == 2
    assert "there is no section everything" in answer.stderr
