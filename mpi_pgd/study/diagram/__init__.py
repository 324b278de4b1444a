"""``diagram``: a round of each way to combine, drawn as messages between ranks. Simulated, without ranks."""

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd.report import units
from mpi_pgd.report.axes import key, listed, logarithmic, name, numbers_axis, style, timed
from mpi_pgd.report.export import MOST, Column, Table
from mpi_pgd.report.kinds import flat, mark, way
from mpi_pgd.report.shapes import Record, Shape, fields
from mpi_pgd.report.theme import LIGHT, Picture, legend, panels
from mpi_pgd.study.diagram.simulate import MANY, PARTS, diagram
from mpi_pgd.study.rounds import WHO
from mpi_pgd.study.study import Flag, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THICK = (1.0, 3.0)  # points: the arrow of no byte, and that of the largest message
HEADS = 512  # messages, beyond which arrows have none: nobody could tell them apart, and to draw each takes milliseconds
TALL, LABEL = 900, 13  # CSS pixels that the lines of all ranks may take on a sheet of paper, and that the name of one takes


class Diagram(Study):
    """The messages of a round, by every algorithm whose steps are known."""

    title, lead, formulas = "A round in messages", 5, ("cost",)
    shape: ClassVar[Shape] = {
        "rows": [
            fields(text="mode algorithm", whole="messages bytes") | {"ranks": "whole from 2", "seconds": "number above 0"},
        ],
        "sent": [fields(text="mode algorithm part", whole="sender receiver bytes", number="left came")],
        "growth": [fields(text="mode algorithm") | {"ranks": "whole from 2", "seconds": "number from 0"}],
        "inputs?": {},
        "notes?": ["text"],
    }
    usage = (
        "python -m mpi_pgd diagram [--ranks N] [--ranks-per-node K] [--features P] [--latency SECONDS] [--bandwidth BYTES]\n"
        "                         [options]"
    )
    description = (
        "Simulate the messages of one round, by each algorithm that is written out step by step, on a network of this latency and\n"
        "bandwidth; for the MPI library's way with a server stands a tree. Draws who sends what to whom, and when; and how long a\n"
        f"round's messages take on 2 to {MANY:,} ranks. Nothing is run."
    )
    flags = (
        Flag("ranks", "8", "RANKS", "of the round that is drawn (default: 8)", int, 2),
        Flag("ranks-per-node", "2", "RANKS-PER-NODE", "where nodes are told apart (default: 2)", int, 1),
        Flag("features", "1000", "FEATURES", "of the data (default: 1000)", int, 1),
        Flag("latency", "1e-3", "SECONDS", "of a message (default: 1e-3)", float, 0),
        Flag("bandwidth", "12.5e6", "BYTES", "a second, of a link each way (default: 12.5e6)", float, 1),
    )
    settings, out = (), "folder for diagram.json"

    def alone(self, given: Mapping[str, Any]) -> int:
        """Simulate, print, write."""
        from mpi_pgd.report.records import FORMAT
        from mpi_pgd.session import provenance
        from mpi_pgd.study.record import claim, spare, write

        with claim(given["out"], self.name) if given["out"] else nullcontext() as claimed:
            if claimed:
                spare(given["out"], self.name, given["force"])
            found = diagram(*(given[name] for name in ("ranks", "features", "latency", "bandwidth", "ranks_per_node")))
            if not given["quiet"]:
                print(self.text(found))
            if claimed:
                write(claimed, {"study": self.name, "format": FORMAT, **found, "command": provenance.command(1)})
        return 0

    def sentence(self, record: Record) -> str:
        """The quickest, and the slowest."""
        return f"The messages of a round on {units.count(record['rows'][0]['ranks'], 'rank')}: {_ends(record['rows'])}."

    def facts(self, record: Record) -> list[tuple[str, str]]:
        """What was asked."""
        return flat(record.get("inputs") or {})

    def tables(self, record: Record) -> list[Table]:
        """What each algorithm sends; on how many ranks it takes how long; every message."""
        columns = (
            *WHO[:2],
            Column("ranks", "Ranks", "count"),
            Column("messages", "Messages", "count"),
            Column("bytes", "Sent by all", "bytes"),
            Column("seconds", "Takes", "seconds"),
        )
        each = (
            *WHO[:2],
            Column("sender", "From", "count"),
            Column("receiver", "To", "count"),
            Column("bytes", "Size", "bytes"),
            Column("part", "What"),
            Column("left", "Left", "seconds", "time"),
            Column("came", "Came", "seconds", "time"),
        )
        sent, told = record["sent"], mark(record)
        title = f"The messages of a round on 2 to {MANY:,} ranks"
        return [
            Table(self.name, "The messages of a round", columns, record["rows"], told),
            Table("diagram-ranks", title, (*columns[:3], columns[-1]), record["growth"], told, folded=len(record["growth"]) > MOST),
            Table("diagram-messages", "Every message of the round", each, sent, told, folded=len(sent) > MOST),
        ]

    def pictures(self, record: Record) -> list[Picture]:
        """A diagram for each algorithm, all on one scale of time; and how they grow with the number of ranks."""
        rows, told = record["rows"], mark(record)
        ends = max(row["seconds"] for row in rows), max((one["bytes"] for one in record["sent"]), default=0) or 1
        made = [_one(row, [one for one in record["sent"] if key(one) == key(row)], ends, told) for row in rows]
        most = max((row["ranks"] for row in record["growth"]), default=0)
        if most <= rows[0]["ranks"]:
            return made
        found = f"The messages of a round on {most:,} ranks: {_ends([row for row in record['growth'] if row['ranks'] == most])}"
        growth = Picture(
            "diagram-ranks",
            "The messages of a round over the number of ranks",
            "How long the messages of a round take by each algorithm, on the same network.",
            f"Seconds of a round's messages over the number of ranks. {found}.",
            lambda figure, narrow: _growth(figure, record["growth"], narrow),
            (380, 400),
            told,
            found,
        )
        return [*made, growth]


def _ends(rows: Sequence[Record]) -> str:
    """The quickest, and the slowest."""
    ordered = sorted(rows, key=lambda row: float(row["seconds"]))
    ends = ordered[:1] if len(ordered) < 2 else (ordered[0], ordered[-1])
    return ", ".join(f"{units.seconds(row['seconds'])} by {way(row)}" for row in ends)


def _one(row: Record, sent: Sequence[Record], ends: tuple[float, int], told: str) -> Picture:
    """``ends``: the most seconds and bytes that any picture shows."""
    inside = [one for one in sent if one["part"] == [*PARTS][-1]]
    sizes = sorted({one["bytes"] for one in sent if one["bytes"] and one not in inside})
    each = [*dict.fromkeys(map(units.size, sizes))]
    size = each[0] if len(each) < 2 else f"{each[0]} to {each[-1]}"
    found = f"{way(row)}: {row['messages']:,} messages of {size}, done after {units.seconds(row['seconds'])}"
    ranks, arrow = row["ranks"], "an arrow" if len(sent) <= HEADS else "a line between two"
    return Picture(
        f"diagram-{row['mode']}-{row['algorithm']}",
        f"A round: {way(row)}",
        f"A line is a rank, {arrow} a message, from when its first byte leaves to when its last one is there; the wider, the more "
        f"bytes. {units.size(row['bytes'])} are sent in all. Time and width have one scale for all algorithms."
        + " Within a node ranks add in memory that they share, which takes no time beside the network's."
        * bool(inside),
        f"Messages between {units.count(ranks, 'line')}, over time. {found}.",
        lambda figure, narrow: _arrows(figure, sent, ranks, *ends, narrow),
        (110 + min(22 * ranks, TALL), 130 + min(24 * ranks, TALL)),
        told,
        found,
    )


def _arrows(figure: "Figure", sent: Sequence[Record], ranks: int, end: float, most: int, narrow: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    axes = panels(figure, 1, narrow)[0]
    for rank in range(ranks):
        axes.axhline(rank, color=LIGHT["hatch"], linewidth=1.0)
    (_lines if len(sent) > HEADS else _heads)(axes, sent, most)
    step = math.ceil(LABEL * ranks / TALL)
    listed(axes, [f"rank {rank}" if rank % step == 0 else "" for rank in range(ranks)])
    axes.set_xlim(0, end * 1.02)
    timed(axes.xaxis, end, "since the messages began")
    axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 8, steps=[1, 2, 2.5, 5, 10]))
    used = [part for part in PARTS if any(one["part"] == part for one in sent)] or [*PARTS][:1]
    legend(figure, [(Line2D([], [], color=LIGHT[PARTS[part][0]], linestyle=PARTS[part][1]), part) for part in used], narrow)


def _look(one: Record, most: int) -> dict[str, Any]:
    colour, line = PARTS.get(one["part"], ("muted", "-"))
    return {"color": LIGHT[colour], "linestyle": line, "linewidth": THICK[0] + (THICK[1] - THICK[0]) * one["bytes"] / most}


def _heads(axes: "Axes", sent: Sequence[Record], most: int) -> None:
    for one in sent:
        look = {**_look(one, most), "shrinkA": 0, "shrinkB": 0, "arrowstyle": "->", "mutation_scale": 9}
        axes.annotate("", (one["came"], one["receiver"]), (one["left"], one["sender"]), arrowprops=look)


def _lines(axes: "Axes", sent: Sequence[Record], most: int) -> None:
    """All messages of one look are one line, with gaps."""
    alike: dict[tuple[str, int], list[Record]] = {}
    for one in sent:
        alike.setdefault((one["part"], one["bytes"]), []).append(one)
    for some in alike.values():
        times = [place for one in some for place in (one["left"], one["came"], math.nan)]
        axes.plot(times, [place for one in some for place in (one["sender"], one["receiver"], math.nan)], **_look(some[0], most))


def _growth(figure: "Figure", rows: Sequence[Record], narrow: bool) -> None:
    axes = panels(figure, 1, narrow)[0]
    series = list(dict.fromkeys(map(key, rows)))
    for which in series:
        mine = [row for row in rows if key(row) == which]
        axes.plot([row["ranks"] for row in mine], [row["seconds"] for row in mine], **style(which))
    numbers_axis(axes, [row["ranks"] for row in rows], "ranks")
    logarithmic(axes, "y", [row["seconds"] for row in rows], lambda value: units.tick(value, units.TIME), 7)
    axes.set_ylabel("messages of a round")
    legend(figure, zip(axes.lines, map(name, series), strict=True), narrow)
