"""The format of any base model: the text above the cursor, which it goes on with.

Nothing tells it what follows, nor that it is to end: it ends with the line, or where a statement does.
Blanks at the end of the text stay: the backend sees to it that they are a token's beginning.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lintseq_lsp.backends.base import BOS, Special
from lintseq_lsp.formats.base import Question, Room, Task, View
from lintseq_lsp.formats.insertion import gap

_STOPS = ("\n\n", "\n#", "\ndef ", "\nclass ", "\nfrom ", "\nimport ", "\n@", "\nif __name__")
"""What begins something new."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Fits every vocabulary."""

    name: str = "plain"
    tasks: frozenset[Task] = frozenset({Task.FILL, Task.LINES})

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:  # noqa: ARG002
        return True

    def is_named(self, name: str) -> bool:  # noqa: ARG002
        return True

    def ask(
        self,
        view: View,
        task: Task,  # noqa: ARG002
        count: Callable[[str], int],
        room: Room,
    ) -> Question | None:
        room = replace(room, tokens=min(room.tokens, room.context // 4))
        place = gap(view, count, room, share_below=0)
        return place.question((BOS, place.above + place.typed or "\n"), _STOPS, count, room)
