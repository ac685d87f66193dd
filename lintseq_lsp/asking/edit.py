"""The steps by which the model follows an instruction."""

from collections.abc import Iterator

from lintseq_lsp.asking.job import EDIT_TOKENS, Job
from lintseq_lsp.backends.base import Sampling
from lintseq_lsp.formats.base import Task, View
from lintseq_lsp.generation import Ended, Limits, Step


def edit(
    job: Job, instruction: str, lines: tuple[int, int] | None, sampling: Sampling | None
) -> Iterator[Step | Ended]:
    """With `lines` (zero-based, inclusive) the first one goes inside of those or right around them."""
    offset = job.document.offset(lines[1] if lines else len(job.document.lines) - 1, 0)
    view = View(job.document, offset, instruction=instruction, lines=lines)
    question = job.ask(view, Task.INSTRUCT, max(job.settings.max_lines, 12), EDIT_TOKENS)
    yield from job.steps(question, job.document, Limits(steps=8, tries=job.settings.tries), sampling)
