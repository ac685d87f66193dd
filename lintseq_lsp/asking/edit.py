"""The steps by which the model follows an instruction."""

from collections.abc import Iterator

from lintseq_lsp.asking.job import Job
from lintseq_lsp.backends.base import Sampling
from lintseq_lsp.generation import Ended, Limits, Step


def edit(
    job: Job, instruction: str, lines: tuple[int, int] | None, sampling: Sampling | None
) -> Iterator[Step | Ended]:
    """With `lines` (zero-based, inclusive) the first one goes inside of those or right around them."""
    limits = Limits(steps=8, lines=max(job.settings.max_lines, 12), tries=job.settings.tries)
    last = lines[1] if lines else len(job.document.lines) - 1
    state = job.prompting.state(job.document, last, instruction, limits)
    places = job.prompting.places(state, lines) if lines else None
    yield from job.steps(state, limits, places=places, sampling=sampling)
