"""``study solvers``: one problem by every solver that takes it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd import config
from mpi_pgd.drivers.status import Status
from mpi_pgd.report import units
from mpi_pgd.report.export import Column, Table
from mpi_pgd.report.shapes import Record, Shape, fields
from mpi_pgd.report.theme import Picture
from mpi_pgd.study.descents import Descents
from mpi_pgd.study.solvers.pictures import pictures

if TYPE_CHECKING:
    from mpi_pgd.engine.loop import StopFlags
    from mpi_pgd.session.inspect import Problem

LEVELS = ("1e-3", "1e-6", "1e-9")  # of what the objective fell by, within which it has to get to the best one
WITHIN = "1e-6"  # by which the solvers are ranked
NEAR = 1e-9  # the best objective, as far as matters
SURE = 1e-6  # of the optimum, by a certificate: then the best objective may stand for it


class Solvers(Descents):
    """One problem by every solver: its objective against seconds, and against rounds."""

    title = "Which solver"
    against = "best objective"
    shape: ClassVar[Shape] = {
        **fields(text="loss? stopped?", number="first best seconds", whole="rounds repeats"),
        "data?": {},
        "rows": [
            {
                **fields(text="solver chosen_by? reason? form status certificate", whole="rounds"),
                **fields(number="seconds low high objective relative gap?"),
                **{f"seconds_to_{level}?": "number" for level in LEVELS},
                **{f"rounds_to_{level}?": "whole" for level in LEVELS},
                "curve": {"round": ["whole"], "seconds": ["number"], "objective": ["number"]},
            }
        ],
    }
    usage = "mpirun -n N python -m mpi_pgd study solvers [DATA ...] [options]"
    description = (
        "Fit one problem by every solver that takes it, turn by turn on rows that are read once, and tell how near the best "
        "objective each one is after how many seconds and rounds; the one that is chosen where none is named comes first."
    )
    settings = (*(name for name in config.having("studies") if name != "solver"), "tol")

    def measure(self, problem: "Problem", given: Mapping[str, Any], flags: "StopFlags") -> dict[str, Any] | None:
        """See ``measure.solvers``."""
        from mpi_pgd.study.solvers.measure import solvers

        return solvers(problem, given["repeats"], given["seconds"], LEVELS, flags)

    def sentence(self, record: Record) -> str:
        """Who was the first, and what the default chose."""
        key, rows = f"seconds_to_{WITHIN}", record["rows"]
        every = units.count(len(rows), "solver")
        if not record["best"] < record["first"]:
            return f"of {every}, none got below the objective at the start"
        there = sorted((row for row in rows if row.get(key) is not None), key=lambda row: float(row[key]))
        chosen = next((row for row in rows if row.get("chosen_by")), None)
        first = there[0]
        text = f"of {every}, {first['solver']} was the first within {units.power_of_ten(float(WITHIN))} of the best objective, "
        text += f"in {_took(first)}"
        if not chosen:
            return text
        if chosen is first:
            return f"{text}; {chosen['chosen_by']} chose it ({chosen['reason']})"
        took = f"which took {_took(chosen)}" if chosen in there else f"which did not get there in {_limit(chosen)}"
        return f"{text}; {chosen['chosen_by']} chose {chosen['solver']}, {took}"

    def remarks(self, record: Record) -> list[str]:
        """Who did not take the problem and why; and whether the best objective may be far from the optimum."""
        best = [row for row in record["rows"] if row["relative"] <= NEAR]
        ended = any(row["status"] == Status.CONVERGED or _sure(row) for row in best)
        why = "who found the best objective had not converged, so the optimum may be far below it: give more --seconds or --rounds"
        return super().remarks(record) + [why] * (not ended)

    def tables(self, record: Record) -> list[Table]:
        """What each solver took, and what it is here."""
        columns = (
            Column("solver", "Solver"),
            Column("status", "Ended"),
            Column("rounds", "Rounds", "count"),
            Column("seconds", "Time", "seconds", "turn"),
            *(Column(f"seconds_to_{level}", f"To {level}", "seconds", "to") for level in LEVELS),
            Column(f"rounds_to_{WITHIN}", f"Rounds to {WITHIN}", "count"),
            Column("relative", "Above the best", "number"),
            Column("certificate", "Certificate"),
            Column("gap", "Certified within", "number"),
        )
        forms = (
            Column("solver", "Solver"),
            Column("chosen_by", "Chosen by"),
            Column("reason", "Because"),
            Column("form", "What it does"),
        )
        title = "Time and rounds to within so much of the best objective, relative to the fall from the start"
        return [
            Table(self.name, title, columns, record["rows"]),
            Table(f"{self.name}-forms", "What each solver is here", forms, record["rows"], folded=True),
        ]

    def pictures(self, record: Record) -> list[Picture]:
        """How near the best objective, against seconds and against rounds."""
        return pictures(self.name, record)


def _took(row: Record) -> str:
    return f"{units.seconds(row[f'seconds_to_{WITHIN}'])} and {units.count(row[f'rounds_to_{WITHIN}'], 'round')}"


def _sure(row: Record) -> bool:
    return row.get("gap") is not None and row["gap"] <= SURE


def _limit(row: Record) -> str:
    return f"{units.seconds(row['seconds'])} and {units.count(row['rounds'], 'round')}"
