"""A dictionary that forgets what was put into it longest ago."""

from collections import OrderedDict
from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


def put(entries: "OrderedDict[_K, _V]", key: _K, value: _V, most: int) -> None:
    """Makes `value` the newest entry, and drops the oldest ones beyond `most`.

    Another thread may take the entry out meanwhile.
    """
    entries.pop(key, None)
    entries[key] = value
    while len(entries) > most:
        entries.popitem(last=False)
