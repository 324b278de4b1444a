"""Parquet."""

from collections.abc import Iterator, Sequence
from typing import Any

from mpi_pgd.tables.arrow import pyarrow, unharmed
from mpi_pgd.tables.batch import Reading
from mpi_pgd.tables.typed import Typed

NUMBERS = 1 << 18  # of a batch


def open_parquet(path: str, reading: Reading) -> Typed:
    """The table in a Parquet file."""
    pa = pyarrow(path)
    from pyarrow import parquet

    with unharmed(path, pa), parquet.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows

    def batches(columns: Sequence[str]) -> Iterator[Any]:
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            yield from file.iter_batches(max(1, NUMBERS // max(1, len(columns))), columns=list(columns))

    return Typed(path, reading, schema, rows, batches)
