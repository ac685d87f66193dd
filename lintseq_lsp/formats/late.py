"""The format of a model that is not known before it is asked: it is behind a server, which may be away."""

from collections.abc import Callable

from lintseq_lsp.backends.base import Special
from lintseq_lsp.formats.base import PromptFormat, Question, Room, Task, View


class LateFormat:
    """The format that `find` has for the model that is there now, by its `name`. Raises what they raise."""

    def __init__(self, name: Callable[[], str], find: Callable[[str], PromptFormat]) -> None:
        self._name = name
        self._find = find
        self._found: tuple[str, PromptFormat] | None = None

    @property
    def _now(self) -> PromptFormat:
        name = self._name()
        if self._found is None or self._found[0] != name:
            self._found = name, self._find(name)
        return self._found[1]

    @property
    def name(self) -> str:
        return self._now.name

    @property
    def tasks(self) -> frozenset[Task]:
        return self._now.tasks

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:
        return self._now.fits(has, name)

    def is_named(self, name: str) -> bool:
        return self._now.is_named(name)

    def ask(self, view: View, task: Task, count: Callable[[str], int], room: Room) -> Question | None:
        return self._now.ask(view, task, count, room)
