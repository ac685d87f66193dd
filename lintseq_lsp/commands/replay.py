"""`lintseq-lsp replay`: a recorded stream through parser, gate and loop, without a model."""

from pathlib import Path

from lintseq_lsp.commands.edit import show_result
from lintseq_lsp.commands.files import read_document
from lintseq_lsp.commands.terminal import PATIENCE, clear_errors, show_step
from lintseq_lsp.generation import Ended
from lintseq_lsp.text import Document


def replay(scenario: Path) -> None:
    """Replay what a model once wrote: each step with its verdict, and the final patch."""
    from lintseq_lsp.backends.scripted import ScriptedBackend
    from lintseq_lsp.engine import Engine
    from lintseq_lsp.formats.lintseq import Layout, LintSeq
    from lintseq_lsp.runtime import open_gate
    from lintseq_lsp.scenario import parse_scenario
    from lintseq_lsp.settings import Settings

    with clear_errors():
        recorded = parse_scenario(read_document(scenario).text)
        settings = Settings(gate_timeout=PATIENCE)
        gate = open_gate(settings)
        backend = ScriptedBackend([recorded.stream], name=scenario.name)
        engine = Engine(backend, gate, prompt_format=LintSeq(Layout.PAPER), settings=settings)
        document = Document(recorded.document)
        try:
            for item in engine.edit(document, recorded.instruction):
                if isinstance(item, Ended):
                    show_result(Path("document.py"), document, item)
                else:
                    show_step(item)
        finally:
            engine.close()
