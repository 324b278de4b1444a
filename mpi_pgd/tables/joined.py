"""Several files as one long table."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables.batch import Batch, Kind, Table


class Joined:
    """Tables of the same columns, one below the other, in the order of the first; see ``Table``."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables, first = tables, tables[0]
        self.path, self.names, self.unnamed = first.path, first.names, first.unnamed
        self.text = any(table.text for table in tables)
        for table in tables[1:]:
            for has, lacks in ((first, table), (table, first)):
                if other := [name for name in has.names if name not in (*lacks.names, *has.unnamed)]:
                    raise InputError(
                        f"{has.path} has the column {printable(other[0])}, which {lacks.path} has not: expected the same in all"
                    )

    @property
    def rows(self) -> int | None:
        """Of all."""
        counts = [table.rows for table in self._tables]
        return None if None in counts else sum(filter(None, counts))

    def kinds(self, columns: Sequence[str]) -> dict[str, Kind]:
        """Of the first that has values there. Raises InputError: another has other ones."""
        known: dict[str, tuple[Kind, str]] = {}
        for table in self._tables:
            for name, kind in table.kinds(columns).items():
                before, path = known.setdefault(name, (kind, table.path))
                if before is Kind.NOTHING:
                    known[name] = kind, table.path
                elif kind not in (before, Kind.NOTHING):
                    raise InputError(
                        f"column {printable(name)} holds a {before} in {path} and a {kind} in {table.path}: expected one kind"
                    )
        return {name: kind for name, (kind, _) in known.items()}

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """All rows, file by file."""
        for number, table in enumerate(self._tables):
            for batch in table.batches(columns):
                yield replace(batch, share=(number + batch.share) / len(self._tables))
