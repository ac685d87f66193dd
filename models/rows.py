"""Token files: rows of uint16 ids, several sequences a row, in parts `SPLIT-000.npy` that can be joined.

<pad> fills a row up and is nothing to learn; an id with GIVEN added is read, but not learned either.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

END, PAD = 0, 1  # ids in every vocabulary of ours
GIVEN = 1 << 15
PART_ROWS = 30_000  # 60 MiB


def packed(sequences: Iterable[list[int]], context: int, open_rows: int = 64) -> Iterator[list[int]]:
    """Rows of `context` ids: each sequence goes into the fullest of the open rows that it fits."""
    rows: list[list[int]] = []
    for ids in sequences:
        fitting = [row for row in rows if len(row) + len(ids) <= context]
        if fitting:
            max(fitting, key=len).extend(ids)
        else:
            rows.append(list(ids))
            if len(rows) > open_rows:
                fullest = max(rows, key=len)
                rows.remove(fullest)
                yield fullest + [PAD] * (context - len(fullest))
    for row in rows:
        yield row + [PAD] * (context - len(row))


def write_rows(rows: Iterator[list[int]], folder: Path, split: str) -> int:
    """Replaces the parts of a split. Returns how many rows there were."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{split}-[0-9]*.npy"):
        old.unlink()
    count = 0
    for part in range(1000):
        array = np.array(list(islice(rows, PART_ROWS)), dtype=np.uint16)
        if not len(array):
            break
        np.save(folder / f"{split}-{part:03}.npy", array)
        count += len(array)
    return count


def load_rows(folder: Path, split: str) -> np.ndarray:
    """All rows of a split, (count, context)."""
    parts = [np.load(path) for path in sorted(folder.glob(f"{split}-[0-9]*.npy"))]
    if not parts:
        raise SystemExit(f"no {split}-000.npy in {folder}")
    return np.concatenate(parts)
