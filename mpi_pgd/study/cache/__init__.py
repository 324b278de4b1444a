"""``study cache``: rows that are read again in each round, as Hadoop does, against rows in memory, as Spark does."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd import config
from mpi_pgd.report import units
from mpi_pgd.report.axes import labelled, listed, logarithmic, parts_legend, stack, timed
from mpi_pgd.report.export import PART_COLUMNS, Column, Table
from mpi_pgd.report.kinds import label
from mpi_pgd.report.shapes import SPLIT, Record, Shape, fields
from mpi_pgd.report.theme import LIGHT, Picture, panels
from mpi_pgd.study.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mpi_pgd.engine.loop import StopFlags
    from mpi_pgd.session.inspect import Problem

MANY = 1000  # rounds, in the picture, at most
POINTS = 40  # of a line


class Cache(Study):
    """What memory is worth."""

    title = "Disk against memory"
    shape: ClassVar[Shape] = {
        "rows": [
            fields(text="kept source", whole="memory_bytes streamed_bytes rounds")
            | fields(number="seconds_per_round load_seconds disk_share? predicted_seconds_per_round? pays? predicted_pays?")
            | SPLIT
        ],
        "doubts?": ["text"],
    }
    usage = "mpirun -n N python -m mpi_pgd study cache [DATA ...] [options]"
    description = (
        "Rounds whose rows are read from the files again, as Hadoop does, and rounds whose rows stay in memory, as in Spark:\n"
        "seconds a round by part, from the page cache and from the disk, and from which round on memory pays, predicted beside\n"
        "measured. With --memory also as many rows in memory as that holds."
    )
    settings: ClassVar[Sequence[str]] = (*config.having("studies"), "memory")
    rounds, cache = 20, "auto"

    def measure(self, problem: "Problem", given: Mapping[str, Any], flags: "StopFlags") -> dict[str, Any] | None:
        """Each way from either source; None if a signal ended it. Collective."""
        from mpi_pgd.study.cache.measure import measured

        return measured(problem, flags)

    def sentence(self, record: Record) -> str:
        """What a round costs either way, and when memory pays."""
        memory, *others = _of(record, "disk") or record["rows"]
        none = next((row for row in others if not row["memory_bytes"]), memory)
        each = f"a round takes {units.seconds(none['seconds_per_round'])} with rows read from the {_from(none)} each time"
        return f"{each}, {units.seconds(memory['seconds_per_round'])} with rows in memory; {_pays(none)}."

    def tables(self, record: Record) -> list[Table]:
        """The rounds by part, and what memory is worth."""
        who = (Column("kept", "Kept"), Column("source", "Rows come from"))
        parts = (
            *who,
            Column("memory_bytes", "In memory", "bytes", "rows"),
            Column("streamed_bytes", "Read in a round", "bytes", "rows"),
            Column("disk_share", "By the disk", "percent"),
            Column("seconds_per_round", "Round", "seconds", "round"),
            *PART_COLUMNS,
        )
        worth = (
            *who,
            Column("load_seconds", "Read at first", "seconds"),
            Column("seconds_per_round", "Round, measured", "seconds", "round"),
            Column("predicted_seconds_per_round", "Predicted", "seconds", "round"),
            Column("pays", "Memory pays from round", "count"),
            Column("predicted_pays", "Predicted", "count"),
        )
        rows, told = record["rows"], label(record, True)
        return [
            Table(self.name, "Seconds of a round, mean over ranks and rounds", parts, rows, label(record)),
            Table("cache-worth", "What memory is worth", worth, rows, told),
        ]

    def pictures(self, record: Record) -> list[Picture]:
        """The rounds by part, and all seconds over the rounds."""
        rows = record["rows"]
        spoken = "; ".join(f"{_name(row)}: {units.seconds(row['seconds_per_round'])}" for row in rows)
        return [
            Picture(
                self.name,
                self.title,
                "A round by part; and all seconds until a round, with rows from the disk: reading them for the first time, and the "
                "rounds; dashed, as predicted from the rate of reading alone and from the rounds in memory.",
                f"Seconds of a round by part. {spoken}.",
                lambda figure, narrow: _drawn(figure, rows, narrow),
                (340, 560),
                label(record, True),
            )
        ]


def _of(record: Record, source: str) -> list[Record]:
    return [row for row in record["rows"] if row["source"] == source]


def _from(row: Record) -> str:
    return "page cache" if row["source"] != "disk" else "disk"


def _name(row: Record) -> str:
    return f"{row['kept']}, {_from(row)}"


def _pays(row: Record) -> str:
    """When memory pays, against a row that streams."""
    pays, predicted = row.get("pays"), row.get("predicted_pays")
    told = "memory never pays" if pays is None else f"memory pays from round {pays:,} on"
    return f"{told} (predicted: {'never' if predicted is None else f'{predicted:,}'})"


def _drawn(figure: "Figure", rows: Sequence[Record], narrow: bool) -> None:
    bars, lines = panels(figure, 2, narrow)
    stack(bars, rows, range(len(rows)), across=True)
    listed(bars, [_name(row) for row in rows])
    timed(bars.xaxis, max(row["seconds_per_round"] for row in rows), "round")
    parts_legend(figure, rows, narrow)
    shown = [row for row in rows if row["source"] == rows[-1]["source"]]
    last = min(MANY, max([10, *(3 * (row.get("pays") or 0) for row in shown)]))
    turns = [last ** (step / POINTS) for step in range(POINTS + 1)]
    ends, seconds = [], []
    for row, dash in zip(shown, ("-", "-.", ":"), strict=False):
        for key, line in (("seconds_per_round", dash), ("predicted_seconds_per_round", "--")):
            if row.get(key) is not None:
                seconds += (passed := [row["load_seconds"] + turn * row[key] for turn in turns])
                lines.plot(turns, passed, color=LIGHT["text" if line == dash else "muted"], linestyle=line, linewidth=1.4)
        ends.append((last, row["load_seconds"] + last * row["seconds_per_round"], row["kept"], LIGHT["text"]))
    logarithmic(lines, "x", turns, lambda turn: f"{turn:,.0f}")
    logarithmic(lines, "y", seconds, units.seconds)
    lines.set_xlabel("rounds")
    lines.set_ylabel("all seconds")
    labelled(figure, lines, ends)
