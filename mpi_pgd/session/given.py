"""What a program gives on each rank as the rows: names of files, or arrays, which all ranks have to give then, or nothing."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement, anyone
from mpi_pgd.config import NONE, Settings
from mpi_pgd.data.table import Table
from mpi_pgd.errors import InputError, listed
from mpi_pgd.losses import LOSSES
from mpi_pgd.recovery.resume import Start, begun
from mpi_pgd.session.settings import SIDES, is_array, read_options

if TYPE_CHECKING:
    from mpi_pgd.data.arrays import ArrayPart
    from mpi_pgd.data.held import Held

ROWS = ("X", "y", "weights", "offset")
FIT = "fit"


class Given:
    """The arguments of ``who``, a function, on this rank.

    Args:
        data, more: the first ones.
        options: those with names.

    Attributes:
        names: of the arrays that any rank has; none where the rows are in files.
        memory: the rows of this rank, and those that came here, once they are known.
    """

    def __init__(self, who: str, data: Any, more: Sequence[Any], options: dict[str, Any]) -> None:
        self.who, self.data, self.more, self.options = who, data, more, options
        self.names: frozenset[str] = frozenset()
        self.memory: dict[int, list[Held]] = {}
        self._arrays = {name: value for name, value in options.items() if name in (*ROWS, *SIDES) and not _plain(value)}
        if is_array(data):
            self._arrays["X"] = data
            self._arrays |= {"y": more[0]} if more and not _plain(more[0]) else {}

    def agree(self, comm: MPI.Intracomm) -> None:
        """Find out whether any rank has arrays. Collective.

        Raises:
            InputError: some have, and some name files; or they can't be used.
        """
        rows = frozenset(self._arrays) & {*ROWS} | self.names  # whoever has some may have been lost since
        files = self.data is not None and not is_array(self.data) and not (isinstance(self.data, list | tuple) and not self.data)
        told = comm.allgather((rows, files))
        self.names = frozenset().union(*(names for names, _ in told))
        named = [rank for rank, (_, files) in enumerate(told) if files]
        if self.names and named:
            other = next(rank for rank, (names, _) in enumerate(told) if names)
            raise InputError(
                f"{self.who} was given the name of a file on rank {named[0]}, and {' and '.join(sorted(told[other][0]))} as arrays "
                f"on rank {other}: expected arrays on all ranks (None where there are no rows), or a file on the first"
            )
        if self.names:
            with agreement(comm):
                self._check()

    def _check(self) -> None:
        """Refuse what does not go with arrays."""
        if len(self.more) > 1 or (self.more and "y" in self.options) or (self.data is not None and "X" in self.options):
            raise InputError(f"{self.who} was given X or y twice, or more by place: expected (X, y, weights=..., offset=...)")
        for name in ("x", *ROWS[1:], *SIDES):
            value = self.options.get(name, "")
            if isinstance(value, str) and value:
                raise InputError(
                    f"{name} was given {value!r}, the name of a data set in a file, and the rows are arrays: expected an array, "
                    f"too, or nothing"
                )

    def start(self) -> Start:
        """What a run begins from; on one rank.

        Raises:
            InputError: it can't be used.
        """
        if not self.names:
            return read_options(self.data, self.more, self.options, self.who)
        options = {name: value for name, value in self.options.items() if name not in ROWS and value is not None}
        named = {name: name for name in (*ROWS[1:], *SIDES) if name in self.names or (name in SIDES and name in self._arrays)}
        found = begun({"quiet": True, **options, "data": [], "x": "X", **named}, {})
        if found.settings["cache"] == NONE:
            raise InputError(f"cache {NONE} has rows read again from files in each round, and they are arrays: leave it out")
        return found

    def sides(self) -> dict[str, Any]:
        """The arrays with a number for each feature, by name."""
        return {name: value for name, value in self._arrays.items() if name in SIDES}

    def table(self, comm: MPI.Intracomm, chosen: Settings, ids: Sequence[int], known: bool, shrunk: bool) -> Table | None:
        """All ranks' rows as one table; None if any rank has it, by ``known``. Collective.

        Args:
            chosen: the settings.
            ids: each rank's number at the start of the job.
            shrunk: ranks were lost.

        Raises:
            InputError: on all ranks alike: they can't be used, or don't go together.
        """
        if anyone(comm, known):
            return None
        if shrunk:
            raise InputError("a rank was lost with the rows that it was given: fit again, or from a file, which any rank can read")
        from mpi_pgd.data.arrays import table_of  # not where the rows are in files
        from mpi_pgd.data.given import taken
        from mpi_pgd.data.words import again

        with agreement(comm):
            whose = f" of rank {ids[comm.rank]}" if comm.size > 1 else ""
            held, facts, names = taken(self._arrays, whose, self._numeric(chosen))
        every = comm.allgather(facts)
        named = next((rank for rank, its in enumerate(every) if its.names), 0)
        table = table_of(every, ids, comm.bcast("".join(f"{name}\n" for name in names), named))
        self.memory[ids[comm.rank]] = [held._replace(y=again(held.y, facts.words, table.words)) if facts.text else held]
        return table

    def _numeric(self, chosen: Settings) -> str:
        """Why targets have to be numbers, for sentences; "" if they need not."""
        if self.who != FIT or chosen.model:
            return "functions of your own take numbers: give numbers"
        sorting = [name for name, loss in LOSSES.items() if loss().sorts]
        if chosen.loss in sorting:
            return ""
        return f"the loss {chosen.loss} is of numbers: give numbers, or, if these are classes, one of the losses {listed(sorting)}"

    def here(self, table: Table) -> "tuple[Table, tuple[ArrayPart, ...]]":
        """The table, and its parts, where this rank has the rows that it was given."""
        from mpi_pgd.data.arrays import here

        return here(table, self.memory)


def _plain(value: Any) -> bool:
    """Whether it is a setting, or nothing, rather than an array."""
    return value is None or isinstance(value, str | os.PathLike | int | float | np.generic)
