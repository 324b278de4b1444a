"""``study topology``: one problem by every mode and graph."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd import config
from mpi_pgd.report import units
from mpi_pgd.report.export import Column, Table
from mpi_pgd.report.kinds import label, way
from mpi_pgd.report.shapes import Record, Shape, fields
from mpi_pgd.report.theme import Picture
from mpi_pgd.study.descents import Descents
from mpi_pgd.study.rounds import WHO
from mpi_pgd.study.topology.pictures import pictures

if TYPE_CHECKING:
    from mpi_pgd.engine.loop import StopFlags
    from mpi_pgd.session.inspect import Problem

LEVELS = ("1e-2", "1e-4", "1e-6")  # of what the objective fell by, within which it has to get to the optimum
WITHIN = LEVELS[-1]  # by which the ways are ranked


class Topology(Descents):
    """Time, bytes and rounds to the same objective, for every way to go round."""

    title = "Which topology"
    against = "optimum"
    shape: ClassVar[Shape] = {
        **fields(text="loss? stopped?", number="first best seconds", whole="rounds repeats ranks"),
        "data?": {},
        "doubts?": ["text"],
        "rows": [
            {
                **fields(text="mode algorithm solver delay status", whole="rounds bytes_per_round bytes_of_busiest"),
                **fields(number="seconds low high objective relative bias? gap? consensus?", whole="neighbours? diameter?"),
                **{f"seconds_to_{level}?": "number" for level in LEVELS},
                **{f"{what}_to_{level}?": "whole" for what in ("rounds", "bytes") for level in LEVELS},
                "curve": {"round": ["whole"], "seconds": ["number"], "objective": ["number"]},
            }
        ],
    }
    usage = "mpirun -n N python -m mpi_pgd study topology [DATA ...] [options]"
    description = (
        "Fit one problem by every mode, algorithm and graph, turn by turn on the same rows, and tell after how many seconds,\n"
        "rounds and bytes each one is how near the optimum; with --delay RANK:FACTOR also with one slow worker. With sums over\n"
        "all rows it is gradient descent; peers with neighbours take that, too, which leaves them at a bias, and exact diffusion."
    )
    settings = (*(name for name in config.having("studies") if name != "solver"), "tol", "delay")

    def measure(self, problem: "Problem", given: Mapping[str, Any], flags: "StopFlags") -> dict[str, Any] | None:
        """See ``measure.topology``."""
        from mpi_pgd.study.topology.measure import topology

        return topology(problem, given["repeats"], given["seconds"], LEVELS, flags)

    def sentence(self, record: Record) -> str:
        """Who was the first, and the first of those without a sum over all ranks; also with the slow worker."""
        told = []
        for delay in dict.fromkeys(row["delay"] for row in record["rows"]):
            rows = [row for row in record["rows"] if row["delay"] == delay]
            told.append(f"with {delay} slow, {_first(rows)}" if delay else _first(rows))
        return "; ".join(told)

    def remarks(self, record: Record) -> list[str]:
        """How large the bias is of those that end at one."""
        biases = [row["bias"] for row in record["rows"] if row.get("bias") is not None]
        if not biases:
            return super().remarks(record)
        ends = " to ".join(dict.fromkeys(f"{units.digits(bias, 2)}" for bias in (min(biases), max(biases))))
        solver = next(row["solver"] for row in record["rows"] if row.get("bias") is not None)
        why = "peers whose rows differ come to rest around the optimum, as each pulls towards that of its own"
        return [
            f"{solver} among neighbours ends {ends} above the optimum, relative to all that was gained: {why}",
            *super().remarks(record),
        ]

    def tables(self, record: Record) -> list[Table]:
        """What each way took, without and with the slow worker; and what is to be known of each."""
        columns = (
            *WHO[:2],
            Column("solver", "Solver"),
            *(Column(f"seconds_to_{level}", f"To {level}", "seconds", "to") for level in LEVELS),
            *(Column(f"rounds_to_{level}", f"Rounds to {level}", "count") for level in LEVELS),
            Column(f"bytes_to_{WITHIN}", f"Sent to {WITHIN}", "bytes"),
            Column("bytes_of_busiest", "A round, who sends most", "bytes"),
            Column("relative", "Above the optimum", "number"),
            Column("status", "Ended"),
        )
        graphs = (
            *WHO[:2],
            Column("solver", "Solver"),
            Column("neighbours", "Neighbours, at most", "count"),
            Column("diameter", "Diameter", "count"),
            Column("gap", "Spectral gap", "number"),
            Column("consensus", "Peers apart", "number"),
            Column("bias", "Bias", "number"),
        )
        title, beside, made = "Time, rounds and bytes to within so much of the optimum", label(record), []
        for place, delay in enumerate(dict.fromkeys(row["delay"] for row in record["rows"])):
            rows = [row for row in record["rows"] if row["delay"] == delay]
            named = (f"{self.name}-slow", f"{title}, with {delay} slow") if place else (self.name, title)
            made.append(Table(*named, columns, rows, beside))
        near = [row for row in record["rows"] if row.get("neighbours") is not None and not row["delay"]]
        return [*made, Table(f"{self.name}-graphs", "Peers with neighbours", graphs, near)] if near else made

    def pictures(self, record: Record) -> list[Picture]:
        """How near the optimum, against seconds, rounds and bytes."""
        return pictures(self.name, record)


def _first(rows: list[Record]) -> str:
    """Who got there first, and who of peers with neighbours."""
    key = f"seconds_to_{WITHIN}"
    there = sorted((row for row in rows if row.get(key) is not None), key=lambda row: float(row[key]))
    near = f"within {units.power_of_ten(float(WITHIN))} of the optimum"
    if not there:
        return f"of {units.count(len(rows), 'way')}, none got {near}"
    text = f"of {units.count(len(rows), 'way')}, {way(there[0])} was the first {near}, in {_took(there[0])}"
    neighbours = next((row for row in there if row.get("neighbours") is not None), None)
    if neighbours is None or neighbours is there[0]:
        return text
    return f"{text}; of peers with neighbours it was {way(neighbours)}, in {_took(neighbours)}"


def _took(row: Record) -> str:
    spent = units.seconds(row[f"seconds_to_{WITHIN}"]), units.count(row[f"rounds_to_{WITHIN}"], "round")
    return f"{', '.join(spent)} and {units.size(row[f'bytes_to_{WITHIN}'])}"
