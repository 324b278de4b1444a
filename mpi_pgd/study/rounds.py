"""What the studies of measured rounds have in common: the shape of a row, its columns, and what stands beside them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from mpi_pgd.report import pop, units
from mpi_pgd.report.export import Column, Table
from mpi_pgd.report.kinds import label
from mpi_pgd.report.shapes import PARTS, SPLIT, Record, Shape, fields
from mpi_pgd.report.subjects import called
from mpi_pgd.study.study import Study

ROUND: Shape = {
    **fields(
        text="mode algorithm weights_sha256? doubt? predicted_doubt?",
        whole="ranks workers",
        number="seconds_per_round low? high? bytes_per_round",
    ),
    **fields(number="server_share? speedup? speedup_low? speedup_high? efficiency? efficiency_workers? karp_flatt?"),
    **fields(number="predicted_seconds_per_round? predicted_low? predicted_high?"),
    **pop.SHAPE,
    **SPLIT,
}
BASELINE: Shape = {
    **fields(text="name", whole="threads? rows?", number="seconds_per_round? low? high? seconds?"),
    **{f"{part}?": "number" for part in PARTS},
}
WHO = (Column("mode", "Mode"), Column("algorithm", "Algorithm"), Column("workers", "Workers", "count"))
TIME = (
    Column("seconds_per_round", "Round", "seconds", "round"),
    Column("low", "Lower quartile", "seconds", "round"),
    Column("high", "Upper quartile", "seconds", "round"),
)
WORTH = (
    Column("speedup", "Speedup", "fixed"),
    Column("speedup_low", "From", "fixed"),
    Column("speedup_high", "To", "fixed"),
    Column("efficiency", "Efficiency", "percent"),
    Column("efficiency_workers", "Over workers", "percent"),
    Column("bytes_per_round", "Sent a round", "bytes"),
    Column("server_share", "Server alone", "percent"),
    Column("weights_sha256", "Weights, sha256", "hash"),
)
_POP = tuple(Column(f"{name}_efficiency", name.capitalize().replace("_", " "), "percent") for name in pop.NAMES)
_BASELINES = (
    Column("name", "Baseline"),
    Column("threads", "Threads", "count"),
    *TIME,
    Column("seconds", "The whole fit", "seconds"),
)
_PREDICTED = (
    Column("seconds_per_round", "Measured", "seconds", "round"),
    Column("predicted_seconds_per_round", "Predicted", "seconds", "round"),
    Column("predicted_low", "From", "seconds", "round"),
    Column("predicted_high", "To", "seconds", "round"),
    Column("error", "Error", "error"),
)


class Rounds(Study):
    """A study whose rows are measured rounds."""

    lead, fingerprints = 0, True
    formulas: ClassVar[tuple[str, ...]] = ("cost", "speedup", "pop")

    def facts(self, record: Record) -> list[tuple[str, str]]:
        """The data, the turns, and the one rank beside which all are held."""
        data, base = record.get("data") or {}, (record.get("baseline") or {}).get("seconds_per_round")
        turns = [f"{record[key]:,} {key}" for key in ("rounds", "repeats") if isinstance(record.get(key), int)]
        sizes = ", ".join(f"{value:,} {key}" for key, value in data.items() if isinstance(value, int | float))
        found = {
            "data": ": ".join(filter(None, (called(self.problem(record).files), sizes))),
            "turns": " a turn, ".join(turns),
            "one rank": f"{units.seconds(base)} a round, measured in the same run" if isinstance(base, int | float) else "",
        }
        return [(key, value) for key, value in found.items() if value]

    def efficiencies(self, rows: Sequence[Record], who: Sequence[Column], beside: str, folded: bool = False) -> list[Table]:
        """A table of what HPC centres call efficiency, where it was measured."""
        found = [row for row in rows if row.get("parallel_efficiency") is not None]
        name, title = f"{self.name}-efficiency", "Efficiency in the words of HPC centres (POP)"
        return [Table(name, title, (*who, *_POP), found, beside, folded=folded)] if found else []

    def baselines(self, record: Record) -> list[Table]:
        """A table of what one process does."""
        rows = record.get("baselines") or []
        used = [column for column in _BASELINES if any(row.get(column.key) is not None for row in rows)]
        return [Table(f"{self.name}-baselines", "The honest baselines beside it", used, rows, label(record))] if rows else []

    def predicted(self, rows: Sequence[Record], who: Sequence[Column], beside: str, folded: bool = False) -> list[Table]:
        """A table of the predicted times beside the measured ones, if there are any."""
        both, name, title = predictions(rows), f"{self.name}-predicted", "Predicted by the cost model beside measured"
        columns = (*who, *_PREDICTED, *doubts(both, "predicted_doubt"))
        return [Table(name, title, columns, both, beside, folded=folded)] if both else []


def doubts(rows: Sequence[Record], key: str = "doubt") -> tuple[Column, ...]:
    """A column of what makes rows doubtful, if anything does."""
    return (Column(key, "Unreliable, as"),) if any(row.get(key) for row in rows) else ()


def predictions(rows: Sequence[Record]) -> list[dict[str, Any]]:
    """The rows that have a predicted time, with its error relative to the measured one."""
    both = [row for row in rows if row.get("predicted_seconds_per_round") and row["seconds_per_round"]]
    return [{**row, "error": row["predicted_seconds_per_round"] / row["seconds_per_round"] - 1} for row in both]
