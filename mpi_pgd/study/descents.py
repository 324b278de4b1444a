"""What studies share that fit one problem in several ways, turn by turn: a turn's limits, and what all are held against."""

from typing import Any, ClassVar

from mpi_pgd.errors import InputError
from mpi_pgd.report import units
from mpi_pgd.report.shapes import Record
from mpi_pgd.study.study import Flag, Study


class Descents(Study):
    """One problem in several ways; ``against`` is what the best objective is called."""

    against: ClassVar[str]
    flags = (
        Flag("seconds", "10", "S", "of each turn, at most (default: 10)", float, 0),
        Flag("repeats", "1", "K", "turns of each (default: 1)", int, 1),
    )
    rounds = 10_000

    def given(self, values: dict[str, Any]) -> dict[str, Any]:
        """Refuse a limit that is none. Raises InputError: it is 0."""
        if not values["seconds"] > 0:
            raise InputError(f"--seconds was given {values['seconds']}: expected a number of seconds above 0")
        return values

    def facts(self, record: Record) -> list[tuple[str, str]]:
        """The data, the limits of a turn, and what all are held against."""
        limits = f"{record['repeats']:,} of each, at most {record['rounds']:,} rounds and {units.seconds(record['seconds'])}"
        ranks = f"{record['ranks']:,}" if "ranks" in record else ""
        found = {"data": self.problem(record).title(), "loss": record.get("loss") or "", "ranks": ranks, "turns": limits}
        return [(key, value) for key, value in found.items() if value] + self.figures(record)

    def figures(self, record: Record) -> list[tuple[str, str]]:
        """The objective at the start and at its best."""
        return [("objective at the start", f"{record['first']:.12g}"), (self.against, f"{record['best']:.12g}")]
