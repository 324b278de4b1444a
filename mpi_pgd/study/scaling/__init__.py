"""``scaling``: the speedup curve."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd import config
from mpi_pgd.errors import InputError, nearest
from mpi_pgd.modes import ALIKE, SYNONYMS
from mpi_pgd.report import units
from mpi_pgd.report.export import MOST, PART_COLUMNS, Column, Table
from mpi_pgd.report.kinds import label, way
from mpi_pgd.report.shapes import Record, Shape, fields
from mpi_pgd.report.theme import Picture
from mpi_pgd.study.rounds import BASELINE, ROUND, TIME, WHO, WORTH, Rounds, doubts
from mpi_pgd.study.scaling import pictures
from mpi_pgd.study.study import Flag

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.engine.loop import StopFlags
    from mpi_pgd.session.inspect import Problem


WAY = config.Settings.algorithm


class Scaling(Rounds):
    """The first 1, 2, 4 ... N ranks, strong and weak."""

    title, formulas = "Speedup", (*Rounds.formulas, "karp-flatt")
    shape: ClassVar[Shape] = {
        "rows": [ROUND | fields(text="scaling", number="rows?")],
        "baselines?": [BASELINE],
        "jobs?": [fields(text="folder", whole="ranks")],
        "findings?": ["text"],
        "notes?": ["text"],
        "doubts?": ["text"],
        "best?": {},
        "data?": {},
    }
    usage = "mpirun -n N python -m mpi_pgd scaling [DATA ...] [options]"
    description = (
        "Descend the same problem on the first 1, 2, 4 ... N ranks, in all modes, strong and weak, beside the honest baselines."
    )
    flags = (
        Flag("repeats", "3", "K", "turns of each (default: 3)", int, 1),
        Flag("algorithms", WAY, "NAME,...", f"in the modes that have them (default: {WAY})"),
        Flag("ranks", "", "M,...", "numbers of ranks (default: 1, 2, 4 ... and all)"),
        Flag("largest", "0", "RANKS", "so many would share all rows in weak scaling (default: all)", int, 0),
    )

    def given(self, values: dict[str, Any]) -> dict[str, Any]:
        """The lists of algorithms and of ranks. Raises InputError: there is no such algorithm, or no such number."""
        known = list(dict.fromkeys(name for _, name in ALIKE))
        algorithms = [word.strip() for word in values["algorithms"].split(",")]
        for word in algorithms:
            if word not in known:
                hint = nearest(word, known, SYNONYMS)
                raise InputError(f"--algorithms was given {word!r}{hint}: expected some of {', '.join(known)}")
        return {**values, "algorithms": algorithms, "ranks": [_whole(word) for word in values["ranks"].split(",") if word]}

    def run(self, comm: "MPI.Intracomm", given: Mapping[str, Any], start: float) -> int:
        """Refuse numbers of ranks that there are not, before the problem is looked at."""
        from mpi_pgd.comm.world import agreement
        from mpi_pgd.study.scaling.measure import counts, sharing

        with agreement(comm):
            more = {"ranks": counts(comm.size, given["ranks"]), "largest": sharing(comm.size, given["largest"])}
        return super().run(comm, {**given, **more}, start)

    def measure(self, problem: "Problem", given: Mapping[str, Any], flags: "StopFlags") -> dict[str, Any] | None:
        """See ``measure.scaling``."""
        from mpi_pgd.study.scaling.measure import scaling

        return scaling(problem, given["repeats"], flags, given["algorithms"], given["ranks"], given["largest"])

    def sentence(self, record: Record) -> str:
        """The first finding, or the best row."""
        findings = record.get("findings")
        if findings:
            return str(findings[0])
        rows = [row for row in record["rows"] if row["scaling"] == "strong"] or record["rows"]
        best = min(rows, key=lambda row: float(row["seconds_per_round"]))
        times = f", speedup {best['speedup']:.2f}" if best.get("speedup") is not None else ""
        who = f"{way(best)} on {units.count(best['ranks'], 'rank')}"
        return f"Fastest: {who}, {units.seconds(best['seconds_per_round'])} a round{times}."

    def tables(self, record: Record) -> list[Table]:
        """Speedup, what a round is made of, predictions, and the baselines."""
        rows, beside = record["rows"], label(record)
        who = (Column("scaling", "Scaling"), *WHO[:2], Column("ranks", "Ranks", "count"), WHO[2])
        serial = Column("karp_flatt", "Karp-Flatt", "percent")
        folded = len(rows) > MOST
        worth = (*who, Column("rows", "Rows", "count"), TIME[0], *WORTH[:5], serial, WORTH[5])
        return [
            Table("scaling-speedup", "Speedup, efficiency and the serial fraction", worth, rows, beside, folded=folded),
            Table(
                "scaling-time",
                "A round, and what it is made of",
                (*who, *TIME, *PART_COLUMNS, *doubts(rows)),
                rows,
                beside,
                folded=folded,
            ),
            *self.efficiencies([row for row in rows if row["ranks"] > 1], who, beside, folded),
            *self.predicted(rows, who, label(record, True), folded),
            *self.baselines(record),
        ]

    def pictures(self, record: Record) -> list[Picture]:
        """Speedup, what a round is made of, predicted against measured."""
        return pictures.scaling(record)


def _whole(word: str) -> int:
    if not word.strip().isdigit():
        raise InputError(f"--ranks was given {word!r}: expected whole numbers with commas between them")
    return int(word)
