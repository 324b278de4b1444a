"""``diagram``: a round of each way to combine, drawn as messages between ranks. Simulated, without ranks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd.comm.algorithms import TREE_SERVED, Algorithm
from mpi_pgd.comm.paths import Costs, Message, simulated
from mpi_pgd.comm.schedules import NUMBER, Step
from mpi_pgd.modes import WAYS
from mpi_pgd.report import units
from mpi_pgd.report.axes import key, listed, logarithmic, name, numbers_axis, style, timed
from mpi_pgd.report.export import MOST, Column, Table
from mpi_pgd.report.kinds import flat, mark, way
from mpi_pgd.report.shapes import Record, Shape, fields
from mpi_pgd.report.theme import LIGHT, Picture, legend, panels
from mpi_pgd.study.rounds import WHO
from mpi_pgd.study.study import Flag, Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TICK = 1e-12  # seconds: what is simulated is counted in whole ones of these
MANY = 1024  # ranks up to which the time of a round's messages is told
PARTS: dict[bool, tuple[str, str, Any]] = {  # by whether it is added; how it is drawn
    True: ("a part of the sum", "wire", "-"),
    False: ("the result", "blue", "--"),
}
THICK = (1.0, 3.0)  # points: the arrow of no byte, and that of the largest message


class Diagram(Study):
    """The messages of a round, by every algorithm whose steps are known."""

    title, lead, formulas = "A round in messages", 5, ("cost",)
    shape: ClassVar[Shape] = {
        "rows": [
            fields(text="mode algorithm", whole="messages bytes") | {"ranks": "whole from 2", "seconds": "number above 0"},
        ],
        "sent": [fields(text="mode algorithm", whole="sender receiver bytes add", number="left came")],
        "growth": [fields(text="mode algorithm") | {"ranks": "whole from 2", "seconds": "number above 0"}],
        "inputs?": {},
    }
    usage = "python -m mpi_pgd diagram [--ranks N] [--features P] [--latency SECONDS] [--bandwidth BYTES] [options]"
    description = (
        "Simulate the messages of one round, by each algorithm that is written out step by step, on a network of this latency and\n"
        "bandwidth; of what the MPI library does, only the tree by which it sums to a server. Draws who sends what to whom, and\n"
        f"when; and how long a round's messages take on 2 to {MANY:,} ranks. Nothing is run."
    )
    flags = (
        Flag("ranks", "8", "RANKS", "of the round that is drawn (default: 8)", int, 2),
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
            found = diagram(given["ranks"], given["features"], given["latency"], given["bandwidth"])
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
        sent, told = [{**one, "part": PARTS[bool(one["add"])][0]} for one in record["sent"]], mark(record)
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


def diagram(ranks: int, features: int, latency: float, bandwidth: float) -> dict[str, Any]:
    """The record, without what says where it comes from: the messages on so many ranks, and the time on 2 to ``MANY``.

    ``latency`` in seconds, ``bandwidth`` in bytes a second.
    """
    from mpi_pgd.study.model import sizes

    costs = Costs(round(latency / TICK), 0, round(NUMBER / bandwidth / TICK))
    rows, sent, growth = [], [], []
    for mode, one in known():
        who, bytes_of = {"mode": mode, "algorithm": one.name}, sizes(features)[: len(one.schedules)]
        found = messages(one, ranks, bytes_of, costs)
        sent += [{**who, **message} for message in found]
        total, last = sum(message["bytes"] for message in found), max(message["came"] for message in found)
        rows.append({**who, "ranks": ranks, "messages": len(found), "bytes": total, "seconds": last})
        for many in (2**power for power in range(1, MANY.bit_length())):
            path = one.shapes[0](many, *sizes(features))
            growth.append({**who, "ranks": many, "seconds": latency * path.latencies + path.bytes / bandwidth})
    inputs = {"ranks": ranks, "features": features, "latency, seconds": latency, "bandwidth, bytes a second": bandwidth}
    return {"rows": rows, "sent": sent, "growth": growth, "inputs": inputs, "simulated": True}


def known() -> Iterator[tuple[str, Algorithm]]:
    """Each algorithm whose steps are known, with its mode; for the library's with a server stands a tree."""
    for (mode, _), one in WAYS.items():
        shown = TREE_SERVED if one.library and one.schedules[1:] else one
        if not shown.library:
            yield mode, shown


def messages(algorithm: Algorithm, ranks: int, sizes: Sequence[int], costs: Costs) -> list[dict[str, Any]]:
    """Those of a round whose collectives have so many bytes, in the order in which they leave; seconds from its start."""

    def whole(rank: int, ranks: int, _: int) -> Iterator[Step]:
        for schedule, size in zip(algorithm.schedules, sizes, strict=True):
            yield from schedule(rank, ranks, size // NUMBER)

    seen: list[Message] = []
    simulated(whole, ranks, 0, 1, costs, seen)
    return [
        {
            "sender": one.sender,
            "receiver": one.receiver,
            "bytes": NUMBER * one.numbers,
            "add": int(one.add),
            "left": one.left * TICK,
            "came": one.came * TICK,
        }
        for one in sorted(seen, key=lambda one: (one.left, one.sender, one.receiver))
    ]


def _one(row: Record, sent: Sequence[Record], ends: tuple[float, int], told: str) -> Picture:
    """``ends``: the most seconds and bytes that any picture shows."""
    each = [units.size(size) for size in sorted({one["bytes"] for one in sent if one["bytes"]})]
    size = each[0] if len(each) < 2 else f"{each[0]} to {each[-1]}"
    found = f"{way(row)}: {row['messages']:,} messages of {size}, done after {units.seconds(row['seconds'])}"
    ranks = row["ranks"]
    return Picture(
        f"diagram-{row['mode']}-{row['algorithm']}",
        f"A round: {way(row)}",
        "A line is a rank, an arrow a message, from when its first byte leaves to when its last one is there; the wider, the more "
        f"bytes. {units.size(row['bytes'])} are sent in all. Time and width have one scale for all algorithms.",
        f"Arrows between {units.count(ranks, 'line')}, over time. {found}.",
        lambda figure, narrow: _arrows(figure, sent, ranks, *ends, narrow),
        (110 + 22 * ranks, 130 + 24 * ranks),
        told,
        found,
    )


def _arrows(figure: "Figure", sent: Sequence[Record], ranks: int, end: float, most: int, narrow: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    axes = panels(figure, 1, narrow)[0]
    for rank in range(ranks):
        axes.axhline(rank, color=LIGHT["hatch"], linewidth=1.0)
    for one in sent:
        _, colour, line = PARTS[bool(one["add"])]
        width = THICK[0] + (THICK[1] - THICK[0]) * one["bytes"] / most
        look = {"color": LIGHT[colour], "linestyle": line, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
        ends = (one["came"], one["receiver"]), (one["left"], one["sender"])
        axes.annotate("", *ends, arrowprops={**look, "arrowstyle": "->", "mutation_scale": 9})
    listed(axes, [f"rank {rank}" for rank in range(ranks)])
    axes.set_xlim(0, end * 1.02)
    timed(axes.xaxis, end, "since the round's sums began")
    axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 8, steps=[1, 2, 2.5, 5, 10]))
    used = [PARTS[add] for add in PARTS if any(bool(one["add"]) is add for one in sent)]
    legend(figure, [(Line2D([], [], color=LIGHT[colour], linestyle=line), text) for text, colour, line in used], narrow)


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
