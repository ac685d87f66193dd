"""Parquet and Zstandard, by pyarrow. To be imported where they are wanted only: `lintseq-lsp[data]`."""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow
import pyarrow.parquet

_ROWS = 1024  # of a file, in memory at a time

RECORDS = pyarrow.schema(
    [
        ("edit_path", pyarrow.list_(pyarrow.string())),
        ("index", pyarrow.int64()),
        ("source_file", pyarrow.string()),
        ("source_instruction", pyarrow.string()),
        ("source_response", pyarrow.string()),
    ]
)
"""Of `programs.SequenceRecord`."""


def column_names(path: Path) -> list[str]:
    """Raises `OSError` or `ValueError` for what is no Parquet file."""
    names: list[str] = pyarrow.parquet.read_schema(path).names
    return names


def rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Raises `OSError` or `ValueError` for what is no Parquet file, or damaged."""
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS, columns=columns):
            yield from batch.to_pylist()


def parquet(records: Sequence[Mapping[str, Any]], compression: str) -> bytes:
    file = io.BytesIO()
    with pyarrow.parquet.ParquetWriter(file, RECORDS, compression=compression) as writer:
        if records:  # some readers stumble over a group without rows
            writer.write_table(pyarrow.Table.from_pylist(list(records), RECORDS))
    return file.getvalue()


def zstandard(content: bytes) -> bytes:
    """One frame, which says how long its content is: all readers know that."""
    compressed: bytes = pyarrow.compress(content, "zstd", asbytes=True)
    return compressed


def open_zstandard(path: Path) -> IO[bytes]:
    """Raises `OSError` there, or where it is read, for what is not Zstandard."""
    stream: IO[bytes] = io.BufferedReader(pyarrow.CompressedInputStream(str(path), "zstd"))
    return stream
