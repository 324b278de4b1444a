"""Arrays as parts of a table: what all ranks know of what each was given; and its rows, where they are, or have come to."""

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.data.csr import Csr
from mpi_pgd.data.held import Held, Stored
from mpi_pgd.data.names import Names, repeated
from mpi_pgd.data.table import Beside, Part, Table
from mpi_pgd.data.words import TRUTH, Words
from mpi_pgd.engine.arrays import ALIGNMENT, Rows, Vector, aligned
from mpi_pgd.engine.narrow import narrowed, raise_peaks
from mpi_pgd.errors import InputError

BESIDE = ("y", "weights", "offset")


class Facts(NamedTuple):
    """What all ranks have to know of what one was given.

    Attributes:
        rows, features, targets: how many; all else means something only where there are rows.
        x_type, y_type: numpy's names, in native byte order.
        numbers: that are stored, if rows are sparse; else -1.
        indices: the type of their indices, likewise.
        beside: which of weights and offset there are.
        names: the digest of the features' names; "" if they have none.
        words: that this rank's targets stand for, if they do.
    """

    rows: int = 0
    features: int = 0
    targets: int = 1
    x_type: str = ""
    y_type: str = ""
    numbers: int = -1
    indices: str = ""
    beside: tuple[str, ...] = ()
    names: str = ""
    words: Words = ()

    @classmethod
    def of(cls, held: Held, features: int, names: Names, words: Words) -> "Facts":
        """Those of the rows that a rank has."""
        stored = held.x if isinstance(held.x, Stored) else None
        digest = hashlib.sha256("\n".join(names).encode(errors="replace")).hexdigest() if names else ""
        return cls(
            rows=len(held.y),
            features=features,
            targets=held.y.shape[1] if held.y.ndim > 1 else 1,
            x_type=_type(stored.values if stored else held.x),
            y_type=_type(held.y),
            numbers=len(stored.values) if stored else -1,
            indices=_type(stored.indices) if stored else "",
            beside=tuple(name for name in BESIDE[1:] if getattr(held, name) is not None),
            names=digest,
            words=words,
        )

    @property
    def text(self) -> bool:
        """Whether the targets were text, and are places among the words."""
        return self.words not in ((), TRUTH)


@dataclass(frozen=True)
class ArrayPart:
    """The rows of one rank. See ``table.Part``."""

    rank: int  # its number at the start of the job
    facts: Facts
    sparse: bool  # the table is
    memory: dict[int, list[Held]] = field(default_factory=dict, repr=False, compare=False)  # by part, rows that are on this rank
    chunk_rows: int = 1
    chunk_bytes: int = 0
    index_bytes: int = 0
    decoding_bytes: int = 0
    layout: str = "arrays"
    files: tuple[()] = ()
    columns: "array[int]" = field(default_factory=lambda: array("q"))

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to other ranks: not the rows."""
        return self.__dict__ | {"memory": {}}

    @property
    def path(self) -> str:
        """See ``table.Part``."""
        return f"the arrays of rank {self.rank}"

    @property
    def rows(self) -> int:
        """See ``table.Part``."""
        return self.facts.rows

    @property
    def numbers(self) -> int:
        """See ``table.Part``."""
        return max(0, self.facts.numbers) if self.sparse else -1

    def runs(self, rows: range) -> Iterator[range]:
        """See ``table.Part``: each lies in one piece, if it is here."""
        ends = sorted({end for held in self._here for end in (held.first, held.rows.stop) if rows.start < end < rows.stop})
        for start, stop in zip([rows.start, *ends], [*ends, rows.stop], strict=True):
            yield range(start, stop)

    @property
    def _here(self) -> list[Held]:
        return self.memory.get(self.rank, [])

    def _held(self, rows: range) -> tuple[Held, slice] | None:
        """What has these rows, and where."""
        for held in self._here:
            if held.first <= rows.start and rows.stop <= held.rows.stop:
                return held, slice(rows.start - held.first, rows.stop - held.first)
        return None

    def _taken(self, rows: range) -> tuple[Held, slice]:
        found = self._held(rows)
        if found is None:
            raise RuntimeError(f"rows {rows.start} to {rows.stop - 1} of {self.path} have not come")
        return found

    def read(self, _: Table, rows: range, first: int, x: Rows | None, beside: Beside, peaks: Vector | None) -> None:
        """See ``table.Part``."""
        held, here = self._taken(rows)
        if x is not None:
            x[:] = narrowed(held.x[here], x.dtype)
            if peaks is not None:
                raise_peaks(x, peaks)
        for name, out in zip(BESIDE, beside, strict=True):
            given = getattr(held, name)
            if out is not None and given is not None:
                out[:] = given[here].T

    def room(self, rows: range) -> Held:
        """For rows that another rank has; if they are sparse, before it is known how many numbers."""
        facts, count = self.facts, len(rows)
        x: Any = aligned((count, facts.features), facts.x_type) if not self.sparse else None
        if x is None:
            x = Stored(np.empty(0, facts.x_type), np.empty(0, facts.indices), np.zeros(count + 1, np.int64))
        y = np.empty((count, facts.targets) if facts.targets > 1 else count)
        return Held(rows.start, x, y, *(np.empty(count) if name in facts.beside else None for name in BESIDE[1:]))

    def count(self, _: Table, rows: range) -> int:
        """See ``table.Part``."""
        held, here = self._taken(rows)
        return int(held.x.starts[here.stop] - held.x.starts[here.start])

    def read_sparse(self, table: Table, rows: range, first: int, x: Csr) -> None:
        """See ``table.Part``."""
        held, here = self._taken(rows)
        values, indices, starts = held.x.part(here)
        x.lay(np.diff(starts))
        if len(indices) and not (indices.min() >= 0 and indices.max() < table.features):
            raise InputError(f"{table.x} has numbers in columns that it has not: expected indices from 0 to {table.features - 1}")
        x.values[:], x.indices[:] = values, indices
        if again := x.again():
            raise InputError(
                f"row {first + again[0]} of {table.x} has two numbers in column {again[1]}: expected one at most; add them up "
                f"first ({table.x}.sum_duplicates())"
            )

    def there(self, _: Table, __: range) -> bool:
        """See ``table.Part``: they may have to be converted."""
        return False

    def given(self, table: Table, rows: range) -> Rows | None:
        """See ``table.Part``."""
        found = self._held(rows)
        if found is None or self.sparse:
            return None
        x: Rows = found[0].x[found[1]]
        alike = x.dtype == table.dtype and x.flags.c_contiguous and x.flags.aligned
        # Where numpy computes, bits depend on how a block lies; all but float64 is widened into room that lies alike.
        exact = kernel.STORED or table.dtype != np.float64 or x.ctypes.data % ALIGNMENT == 0
        return x if alike and exact else None


def table_of(facts: Sequence[Facts], ids: Sequence[int], labels: str) -> Table:
    """All ranks' arrays as one table, in their order; ``labels`` are the features' names, a line each.

    Raises:
        InputError: they don't go together.
    """
    some = [(rank, its) for rank, its in zip(ids, facts, strict=True) if its.rows]
    if not some:
        raise InputError("X has no rows on any rank: there is nothing to fit")
    rank, first = some[0]
    for other, its in some[1:]:
        for what, mine, that in (
            ("features", its.features, first.features),
            ("targets a row", its.targets, first.targets),
            ("sparse rows", _said(its.numbers >= 0), _said(first.numbers >= 0)),
            ("text in y", _said(its.text), _said(first.text)),
            *((name, _said(name in its.beside), _said(name in first.beside)) for name in BESIDE[1:]),
        ):
            if mine != that:
                raise InputError(f"rank {rank} was given {that} {what}, and rank {other} {mine}: expected the same of all ranks")
        if its.names != first.names and its.names and first.names:
            raise InputError(f"X has other column names on rank {other} than on rank {rank}: expected the same, in one order")
    sparse = first.numbers >= 0
    parts: tuple[Part, ...] = tuple(ArrayPart(rank, its, sparse) for rank, its in zip(ids, facts, strict=True))
    twice = repeated(tuple(labels.split("\n")[:-1]))
    return Table(
        parts=parts,
        x="X",
        y="y",
        features=first.features,
        x_type=str(np.result_type(*{its.x_type for _, its in some})),
        y_type=str(np.result_type(*{its.y_type for _, its in some})),
        labels=labels,
        plugin=False,
        node="",
        warnings=(f"X has two columns {twice}: which is which, only their order tells",) if twice else (),
        targets=first.targets,
        weights="weights" if "weights" in first.beside else "",
        offset="offset" if "offset" in first.beside else "",
        weighted="weights" in first.beside,
        words=tuple(sorted({word for _, its in some for word in its.words})) if all(its.words for _, its in some) else (),
    )


def here(table: Table, memory: dict[int, list[Held]]) -> tuple[Table, tuple[ArrayPart, ...]]:
    """Such a table, and its parts, where this rank has the rows that are in its ``memory``."""
    parts = tuple(ArrayPart(part.rank, part.facts, table.sparse, memory) for part in cast(tuple[ArrayPart, ...], table.parts))
    return replace(table, parts=parts), parts


def _said(is_so: bool) -> str:
    return "some" if is_so else "no"


def _type(numbers: Rows) -> str:
    return str(numbers.dtype.newbyteorder("="))
