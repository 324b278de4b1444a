"""Arrow's own files, which are Feather too: with an index at their end, or streams."""

from collections.abc import Iterator, Sequence
from typing import Any

from mpi_pgd.tables.arrow import pyarrow, unharmed
from mpi_pgd.tables.batch import Reading
from mpi_pgd.tables.typed import Typed

MAGIC, FEATHER1 = b"ARROW1", b"FEA1"
NUMBERS = 1 << 18  # of a batch


def open_ipc(path: str, reading: Reading) -> Typed:
    """The table in an Arrow or Feather file, or stream."""
    pa = pyarrow(path)
    with unharmed(path, pa), pa.OSFile(path) as file:
        start = file.read(len(MAGIC))
    if start.startswith(FEATHER1):
        return _first_version(path, reading)
    opened = pa.ipc.open_file if start == MAGIC else pa.ipc.open_stream
    with unharmed(path, pa), pa.OSFile(path) as file, opened(file) as reader:
        schema = reader.schema

    def batches(columns: Sequence[str]) -> Iterator[Any]:
        with pa.memory_map(path) as file, opened(file) as reader:
            some = (reader.get_batch(number) for number in range(reader.num_record_batches)) if start == MAGIC else reader
            for batch in some:
                yield from _pieces(batch.select(list(columns)))

    return Typed(path, reading, schema, None, batches)


def _first_version(path: str, reading: Reading) -> Typed:
    """Feather of before 2020, which is read whole."""
    pa = pyarrow(path)
    from pyarrow import feather

    with unharmed(path, pa):
        table = feather.read_table(path)
    return Typed(
        path,
        reading,
        table.schema,
        table.num_rows,
        lambda columns: _pieces(table.select(list(columns)).combine_chunks().to_batches()[0]),
    )


def _pieces(batch: Any) -> Iterator[Any]:
    """A batch, which may be as long as the table, some rows at a time."""
    rows = max(1, NUMBERS // max(1, batch.num_columns))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
