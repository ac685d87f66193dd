"""Recorded scenarios. Those in cases/ run through parser, gate and loop, and say what must come out.

`UPDATE_CASES=1 pytest tests/test_scenario.py` writes anew what they expect: read the difference.
"""

import os
import re
from pathlib import Path

import pytest
from fakes import python_gate

from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.formats.lintseq import Layout, LintSeq
from lintseq_lsp.generation import Ended, Step
from lintseq_lsp.reasons import Reason
from lintseq_lsp.scenario import parse_scenario
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


def read(path: Path) -> str:
    return path.read_bytes().decode()


def outcome(text: str) -> str:
    """The sections `expect` and `final` of a scenario."""
    recorded = parse_scenario(text)
    engine = Engine(
        ScriptedBackend([recorded.stream]),
        python_gate(),
        prompt_format=LintSeq(Layout.PAPER),
        settings=Settings(),
    )
    *steps, ended = engine.edit(Document(recorded.document), recorded.instruction)
    assert isinstance(ended, Ended)
    verdicts = [line for step in steps if isinstance(step, Step) for line in described(step)]
    stop = f"stop: {ended.reason.value}, {ended.accepted} accepted, {ended.rejected} rejected"
    final = ended.document.text
    if final and not final.endswith(("\n", "\r")):
        final += "\n\\ No newline at end of file\n"
    return "== expect\n" + "".join(f"{line}\n" for line in [*verdicts, stop]) + f"== final\n{final}"


def described(step: Step) -> list[str]:
    verdict = step.verdict
    if verdict.reason is Reason.DOES_NOT_PARSE:  # in words that change from Python to Python
        return [f"{step.number}. {verdict.reason.value}"]
    detail = f": {verdict.detail}" if verdict.detail else ""
    findings = [f"   line {found.line}: {found.symbol}: {found.message}" for found in verdict.findings]
    return [f"{step.number}. {verdict.reason.value}{detail}", *findings]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    text = read(path)
    given, *_ = re.split(r"^== expect\n", text, flags=re.MULTILINE)
    got = outcome(text)
    if os.environ.get("UPDATE_CASES"):
        path.write_bytes((given + got).encode())
    assert given + got == read(path), f"{path.name} has another outcome: UPDATE_CASES=1 writes it anew"


def test_there_are_cases() -> None:
    assert len(CASES) >= 12


def test_sections() -> None:
    recorded = parse_scenario("A remark.\n== document\na\n== stream\n@@\n== expect\nx\n")
    assert (recorded.document, recorded.instruction, recorded.stream) == ("a\n", "", "@@\n")
    assert recorded.rest == {"expect": "x\n"}


def test_a_document_without_a_last_line_end() -> None:
    text = "== document\r\na\r\n\\ No newline at end of file\r\n== instruction\r\nDo.\r\n== stream\r\n"
    recorded = parse_scenario(text)
    assert (recorded.document, recorded.instruction, recorded.stream) == ("a", "Do.", "")


@pytest.mark.parametrize("text", ["", "== document\nx\n", "== streams\n"])
def test_a_scenario_without_a_stream_is_an_error(text: str) -> None:
    with pytest.raises(LintSeqError, match="== stream"):
        parse_scenario(text)
