"""Fill in the middle: the texts above and below the cursor, and the answer is what stands between them.

One class, and a row of the table for each family of models. The tokens are ids that the vocabulary has under
these texts, never text. What is typed on the cursor's line is the beginning of what stands between: then no
key changes what a model has read, and the backend finishes a half-typed word. One that cannot do so has it
above: these models were trained on texts that were cut between any two characters.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import takewhile

from lintseq_lsp.backends.base import BOS, Part, Special
from lintseq_lsp.formats.base import EXCERPT_TOKENS, OTHERS_TOKENS, Question, Room, Task, View
from lintseq_lsp.formats.insertion import Count, gap, within
from lintseq_lsp.text import split_lines


class Slot(Enum):
    """What of the request stands at a place of a layout."""

    FILES = "files"
    ABOVE = "above"
    BELOW = "below"


Layout = tuple[Part | Slot, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """How other files are shown: `first` once, `each` of them, and `last` in front of the document.

    The texts have the fields `{repository}`, `{path}` and `{text}`.
    """

    each: tuple[Part, ...]
    last: tuple[Part, ...]
    first: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Fim:
    """One family. `marks` are further tokens of its vocabulary, which tell it from others.

    `names` are what names of its models contain, in small letters; none where a server that takes strings
    could not be asked so.

    An answer ends at every token of the layout, and at `stops`; those that a vocabulary lacks do not count.
    """

    name: str
    layout: Layout
    files: Files | None = None
    stops: tuple[Part, ...] = ()
    marks: tuple[Special, ...] = ()
    names: tuple[str, ...] = ()
    tasks: frozenset[Task] = frozenset({Task.FILL, Task.LINES})

    @property
    def tokens(self) -> frozenset[Special]:
        """Those that a vocabulary must have."""
        files = (*self.files.first, *self.files.each, *self.files.last) if self.files else ()
        parts = (*self.layout, *files, *self.marks)
        return frozenset(part for part in parts if isinstance(part, Special))

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:  # noqa: ARG002
        return all(map(has, self.tokens))

    def is_named(self, name: str) -> bool:
        return any(each in name.lower() for each in self.names)

    def ask(self, view: View, task: Task, count: Count, room: Room) -> Question | None:  # noqa: ARG002
        room = replace(room, tokens=min(room.tokens, room.context // 4))
        place = gap(view, count, room)
        above, begun = (place.above, place.typed) if room.words else (place.above + place.typed, "")
        filled = {
            Slot.FILES: tuple(self._files(view, count, room)),
            Slot.ABOVE: (above,),
            Slot.BELOW: (place.below,),
        }
        parts: list[Part] = [BOS]
        for slot in (*self.layout, *([begun] if begun else [])):
            for part in filled[slot] if isinstance(slot, Slot) else (slot,):
                if isinstance(part, str) and isinstance(parts[-1], str):
                    parts[-1] += part
                else:
                    parts.append(part)
        return place.question(tuple(parts), (*self.tokens, *self.stops), count, room)

    def _files(self, view: View, count: Count, room: Room) -> Iterator[Part]:
        """As many whole lines of the other files as there is room for, the newest first."""
        budget = min(OTHERS_TOKENS, room.context - room.tokens - EXCERPT_TOKENS - OTHERS_TOKENS // 4)
        found: dict[str, str] = {}
        for path, text in view.others.items() if self.files else ():
            lines, _ = split_lines(text)
            number, budget = within(lines, budget - count(path), count)
            if not number:
                break
            found[path] = "\n".join(lines[:number])
        if self.files and found:
            paths = _short([view.document.path or "untitled.py", *found])
            repository, own = paths.pop(""), paths[view.document.path or "untitled.py"]
            yield from _filled(self.files.first, repository=repository)
            for path, text in found.items():
                yield from _filled(self.files.each, path=paths[path], text=text)
            yield from _filled(self.files.last, path=own)


def _filled(parts: tuple[Part, ...], **fields: str) -> Iterator[Part]:
    for part in parts:
        yield part.format_map(fields) if isinstance(part, str) else part


def _short(paths: list[str]) -> dict[str, str]:
    """The paths below the innermost folder of all of them, by path; and its name, by ""."""
    split = [path.replace("\\", "/").split("/") for path in paths]
    folders = [parts[:-1] for parts in split]
    common = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False)))
    name = split[0][common - 1] if common else ""
    return {"": name or "project"} | {
        path: "/".join(parts[common:]) for path, parts in zip(paths, split, strict=True)
    }


# The table


def _specials(texts: str) -> tuple[Special, ...]:
    return tuple(map(Special, texts.split()))


def _prefix_first(prefix: str, suffix: str, middle: str) -> Layout:
    return (
        *(Slot.FILES, Special(prefix), Slot.ABOVE),
        *(Special(suffix), Slot.BELOW, Special(middle)),
    )


_QWEN = _prefix_first("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_QWEN_STOPS = _specials("<|fim_pad|> <|repo_name|> <|file_sep|> <|endoftext|> <|im_end|>")
_STARCODER = _prefix_first("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
_STARCODER_STOPS = _specials("<fim_pad> <file_sep> <|endoftext|>")
_FILE_SEP, _STARCODER_SEP = Special("<|file_sep|>"), Special("<file_sep>")

FAMILIES: tuple[Fim, ...] = (
    # The first that fits counts: those with more tokens stand in front of those with fewer.
    Fim(
        "fim-codegemma",
        _QWEN,
        stops=_specials("<end_of_turn> <eos>"),
        marks=_specials("<|file_separator|>"),
        names=("codegemma",),
    ),
    Fim(
        "fim-qwen-repo",
        _QWEN,
        Files(
            first=(Special("<|repo_name|>"), "{repository}\n"),
            each=(_FILE_SEP, "{path}\n{text}\n"),
            last=(_FILE_SEP, "{path}\n"),
        ),
        stops=_QWEN_STOPS,
        names=("qwen2.5-coder", "qwen3-coder"),
    ),
    Fim("fim-qwen", _QWEN, stops=_QWEN_STOPS, marks=(_FILE_SEP,)),
    Fim(
        "fim-granite4",
        _QWEN,
        stops=_specials("<|fim_pad|> <|end_of_text|>"),
        names=("granite-4", "granite4"),
    ),
    Fim(
        "fim-starcoder",
        _STARCODER,
        Files(each=(_STARCODER_SEP, "{text}"), last=(_STARCODER_SEP,)),
        stops=_STARCODER_STOPS,
        names=("starcoder2",),
    ),
    Fim(
        "fim-starcoder1",
        _STARCODER,
        stops=_STARCODER_STOPS,
        names=("starcoder", "granite-code", "granite-3b-code", "granite-8b-code", "stable-code"),
    ),
    Fim(
        "fim-santacoder",
        _prefix_first("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
        stops=_specials("<fim-pad> <|endoftext|>"),
        names=("santacoder",),
    ),
    Fim(
        "fim-deepseek",
        _prefix_first("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        stops=_specials("<｜end▁of▁sentence｜> <|EOT|>"),
        names=("deepseek-coder",),
    ),
    Fim(
        "fim-codestral",
        (Special("[SUFFIX]"), Slot.BELOW, Special("[PREFIX]"), Slot.FILES, Slot.ABOVE),
        Files(each=("+++++ {path}\n{text}\n\n",), last=("+++++ {path}\n",)),
        stops=("\n+++++ ",),
        names=("codestral",),
    ),
    Fim(
        "fim-codellama",
        # Its tokenizer puts a blank in front of a text; that in front of a token is the token's.
        (Special("▁<PRE>"), " ", Slot.ABOVE, Special("▁<SUF>"), Slot.BELOW, Special("▁<MID>")),
        stops=_specials("▁<EOT>"),
    ),
    Fim(
        "fim-seedcoder",
        _prefix_first("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"),
        stops=_specials("<[end▁of▁sentence]>"),
        names=("seed-coder",),
    ),
    # As Zed asks it, with the text below first. By the setting: no token tells it from the one above.
    Fim(
        "fim-seedcoder-spm",
        (
            *(Special("<[fim-suffix]>"), Slot.BELOW, Special("<[fim-prefix]>"), Slot.ABOVE),
            Special("<[fim-middle]>"),
        ),
        stops=_specials("<[end▁of▁sentence]>"),
    ),
    Fim(
        "fim-glm",
        _prefix_first("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
        stops=_specials("<|endoftext|>"),
        names=("glm-4",),
    ),
    Fim(
        "fim-falcon",
        _prefix_first("<|prefix|>", "<|suffix|>", "<|middle|>"),
        stops=_specials("<|end_of_text|>"),
        names=("falcon-h1-tiny-coder",),
    ),
    # Of tokens whose texts are not known, if the model's file says which they are.
    Fim(
        "fim",
        _prefix_first("fim_pre", "fim_suf", "fim_mid"),
        stops=_specials("fim_pad fim_rep fim_sep"),
    ),
)
