"""Files in the forms of published benchmarks, but of our own: what is asked, and how it counts. No model."""

import gzip
import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.formats.table import FORMATS

MODELS = str(Path(__file__).parent.parent / "models")
sys.path.insert(0, MODELS)
public, systems, problems = map(import_module, ("public", "systems", "problems"))
sys.path.remove(MODELS)

INFILLING = {
    "task_id": "SingleLineInfilling/ours/0/L1",
    "entry_point": "clamp",
    "prompt": 'def clamp(x, low):\n    """At least low."""\n    if x < low:\n',
    "suffix": "    return x\n",
    "canonical_solution": "        return low\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 2\n    assert candidate(3, 2) == 3\n",
}
REPOBENCH = {
    "repo_name": "ours/shapes",
    "file_path": "shapes/area.py",
    "context": [],
    "import_statement": "import math",
    "cropped_code": "\n\ndef area(radius):\n    square = radius**2",
    "all_code": "import math\n\n\ndef area(radius):\n    square = radius**2\n    return math.pi * square\n",
    "next_line": "    return math.pi * square",
    "level": "2k",
}
CROSSCODE = {
    "prompt": "import shop\n\n\ndef total(basket):\n    return shop.",
    "groundtruth": "price_of(basket)",
    "right_context": "\n\n\ndef other():\n    pass\n",
    "metadata": {"task_id": "ours/7", "file": "total.py"},
    "crossfile_context": {"text": "", "list": []},
}


def asked(record: dict[str, object], written: str, prompt_format: str = "plain") -> tuple[object, str]:
    """The answer when a model writes that, and what it was shown."""
    line = public.line_of(record, "file 0")
    backend = ScriptedBackend([written])
    model = systems.Model(backend, None)
    answer = public.answer(model, FORMATS[prompt_format], line, "label")
    return answer, "".join(str(part) for part in backend.requests[0].prompt)


@pytest.fixture(scope="module")
def sandbox() -> None:
    if problems.run("") is problems.Result.NO_SANDBOX:
        pytest.skip("this system grants no network namespace")


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("prompt_format", ["plain", "fim-qwen", "suffix-first-1"])
@pytest.mark.parametrize(("written", "passed"), [("return low", True), ("return x", False)])
def test_a_line_that_is_filled_in_is_run_with_what_stands_around(
    written: str, passed: bool, prompt_format: str
) -> None:
    answer, shown = asked(INFILLING, f"        {written}\n", prompt_format)
    assert answer == public.Answer("label", public.INFILLING, INFILLING["task_id"], written, passed)
    assert "if x < low:" in shown
    assert ("return x" in shown) == (prompt_format != "plain"), "plain models see nothing below"


@pytest.mark.parametrize(("ends", "begins"), [("\n", ""), ("", "\n")])
def test_the_lines_end_may_be_the_solutions_or_the_suffix(ends: str, begins: str) -> None:
    record = {
        **INFILLING,
        "canonical_solution": f"        return low{ends}",
        "suffix": f"{begins}    return x\n",
    }
    assert public.line_of(record, "") == public.line_of(INFILLING, "")
    position = public.line_of(record, "").position
    assert position.final == f"{INFILLING['prompt']}        return low\n    return x\n"
    assert position.typed == ""


def test_other_files_of_infilling_are_refused() -> None:
    record = {**INFILLING, "canonical_solution": "        return low\n    return x\n", "suffix": ""}
    with pytest.raises(ValueError, match="only the single-line file"):
        public.line_of(record, "")
    with pytest.raises(ValueError, match="only the single-line file"):
        public.line_of({**INFILLING, "canonical_solution": "        return", "suffix": " low\n"}, "")


def test_the_next_line_stands_below_the_imports_and_the_code() -> None:
    answer, shown = asked(REPOBENCH, "    return math.pi * square\n    more\n")
    assert answer.text == "return math.pi * square"
    assert shown.endswith("import math\n\n\ndef area(radius):\n    square = radius**2\n")


def test_a_line_goes_on_where_the_prompt_ends() -> None:
    answer, shown = asked(CROSSCODE, "price_of(basket)\n")
    assert (answer.name, answer.text) == ("ours/7", "price_of(basket)")
    assert shown.endswith("    return shop.")
    assert "other" not in shown


def test_a_row_counts_as_others_do() -> None:
    lines = [public.line_of({**CROSSCODE, "metadata": {}}, f"file {n}") for n in range(2)]
    texts = ["price_of(basket)", "price_of(other)"]
    answers = [public.Answer("l", line.of, line.name, t, None) for line, t in zip(lines, texts, strict=True)]
    cells = [cell.strip() for cell in public.row("m", public.CROSSCODE, lines, answers).split("|")[1:-1]]
    assert len(cells) == public.HEAD.splitlines()[0].count("|") - 1
    assert cells[:4] == ["CrossCodeEval", "m", "2", ""]
    assert cells[4].startswith("50.0 ")
    assert cells[6].startswith("50.0 ")
    assert cells[7] == "75.0"
    assert public.f1("1 + 2", "(3)") == 1.0
    assert public.names("for key in keys: return key2") == ["key", "keys", "key2"]


@pytest.mark.usefixtures("sandbox")
def test_each_line_of_a_right_answer_is_left_out_once() -> None:
    lines = list(public.lines_of(Path(MODELS) / "tasks.toml"))
    assert len({line.name for line in lines}) == len(lines) > 120
    for line in lines:
        assert line.position.final == line.above + line.wanted + "\n" + line.below
    [line] = [line for line in lines if line.name.startswith("safe division") and "if" in line.wanted]
    assert problems.run(f"{line.position.final}\n{line.check}") is problems.Result.PASSED
    assert problems.run(f"{line.position.document.text}\n{line.check}") is problems.Result.FAILED


def test_files_are_read_packed_or_not(tmp_path: Path) -> None:
    text = "".join(f"{json.dumps(record)}\n" for record in (INFILLING, REPOBENCH, CROSSCODE))
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_text(text + "\n")
    packed.write_bytes(gzip.compress(text.encode()))
    found = list(public.lines_of(plain))
    assert [line.of for line in found] == [public.INFILLING, public.REPOBENCH, public.CROSSCODE]
    assert [line.name for line in found] == [INFILLING["task_id"], "a.jsonl 1", "ours/7"]
    assert [line.wanted for line in public.lines_of(packed)] == [line.wanted for line in found]
    plain.write_text('{"text": "x"}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl 0: no record of"):
        list(public.lines_of(plain))
