"""Tables whose columns have types, as Arrow gives their batches; rows are counted from 1."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from mpi_pgd.data.names import repeated
from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables.arrow import column, kind_of, pyarrow, unharmed
from mpi_pgd.tables.batch import Batch, Kind, Reading

INDEX = "__index_level_"  # how pandas names an index that has no name
Reader = Callable[[Sequence[str]], Iterator[Any]]  # Arrow's batches of some columns


class Typed:
    """A table by its schema, see ``Table``.

    Args:
        path, reading: the file, and how it is read.
        schema: Arrow's.
        rows: how many there are, if that is known.
        batches: reads some columns.
    """

    text = False

    def __init__(self, path: str, reading: Reading, schema: Any, rows: int | None, batches: Reader) -> None:
        self._pa = pyarrow(path)
        self.path, self.rows, self.names = path, rows, tuple(schema.names)
        self.unnamed = tuple(name for name in self.names if name.startswith(INDEX))
        self._schema, self._batches, self._words = schema, batches, frozenset(reading.words)
        if twice := repeated(self.names):
            raise InputError(f"{path} has two columns {printable(twice)}: give each a name of its own")

    def kinds(self, columns: Sequence[str]) -> dict[str, Kind]:
        """By their types."""
        found = {}
        for name in columns:
            of = self._schema.field(name).type
            kind = kind_of(self._pa, of)
            if kind is None:
                raise InputError(
                    f"column {printable(name)} of {self.path} holds {of}: expected numbers, words, dates, or true and false; leave "
                    f"it out with --drop, or make such columns of it"
                )
            found[name] = Kind.WORDS if name in self._words else kind
        return found

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """All rows, of these columns."""
        kinds, done = self.kinds(columns), 0
        with unharmed(self.path, self._pa):
            for batch in self._batches(columns):
                arrays = {name: self._array(batch.column(name), kind) for name, kind in kinds.items()}
                made = {name: column(self._pa, array, kinds[name]) for name, array in arrays.items()}
                done += batch.num_rows
                yield Batch(
                    batch.num_rows, made, partial(self._where, done - batch.num_rows), done / self.rows if self.rows else 0.0
                )

    def _array(self, array: Any, kind: Kind) -> Any:
        """In one piece; numbers that are to be words as such."""
        pa = self._pa
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        if kind is Kind.WORDS and kind_of(pa, array.type) is not kind:
            array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
            return array.cast(pa.string())
        return array

    def _where(self, before: int, row: int) -> str:
        return f"row {before + row + 1} of {self.path}"
