"""``study straggler``: with exponential delays, the slowest of m workers takes H_m times the mean longer."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mpi_pgd.errors import InputError
from mpi_pgd.report import units
from mpi_pgd.report.axes import numbers_axis, style, timed
from mpi_pgd.report.export import Column, Table
from mpi_pgd.report.kinds import label
from mpi_pgd.report.shapes import Record, Shape, fields
from mpi_pgd.report.theme import LIGHT, Picture, legend, panels
from mpi_pgd.study.study import Flag, Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mpi4py import MPI

    from mpi_pgd.engine.arrays import Vector
    from mpi_pgd.engine.loop import StopFlags
    from mpi_pgd.session.inspect import Problem


NORMAL = 1.96  # standard deviations on either side of a normal mean, between which 95 % lie
_DRAWN: dict[str, Any] = {"color": LIGHT["page"], "mec": LIGHT["text"], "marker": "D", "linestyle": "none", "markersize": 9}


class Straggler(Study):
    """What the slowest worker costs, against theory."""

    title, formulas = "Stragglers", ("slowest",)
    shape: ClassVar[Shape] = {
        "rows": [
            fields(whole="workers rounds?", number="mean measured_maximum theory seconds_per_round?")
            | fields(number="drawn? theory_low? theory_high?")
        ],
        "doubts?": ["text"],
    }
    usage = "mpirun -n N python -m mpi_pgd study straggler [DATA ...] [options]"
    description = (
        "Delay every worker by a random time each round (exponential, seeded) and hold the slowest one's delay against what was "
        "drawn, and that against theory: the mean of the largest of m is H_m = 1 + 1/2 + ... + 1/m times the mean of one."
    )
    flags = (Flag("mean", "0.002", "SECONDS", "of a worker's delay (default: 0.002)", float, 0),)
    rounds = 400

    def given(self, values: dict[str, Any]) -> dict[str, Any]:
        """Refuse a mean that is none. Raises InputError: it is 0, or endless."""
        mean = values["mean"]
        if not 0 < mean < float("inf"):
            raise InputError(f"--mean was given {mean}: expected a number of seconds above 0")
        return values

    def measure(self, problem: "Problem", given: Mapping[str, Any], flags: "StopFlags") -> dict[str, Any] | None:
        """For each m from 1 to all ranks, as peers, rounds without delays and rounds with them; None if a signal ended it.

        Those without delays tell what the map takes, those with delays how much longer the slowest worker takes, which is held
        against the theory. Collective.
        """
        from mpi_pgd.comm.world import anyone
        from mpi_pgd.report.progress import steps
        from mpi_pgd.study.trust import disturbed
        from mpi_pgd.study.turns import Teams, described, others_work, watched

        others = others_work(problem)
        with Teams(problem.comm) as teams:
            rows = []
            for workers in steps("team", range(1, problem.comm.size + 1), watched(problem)):
                rows.append(teams.do(workers, partial(_delayed, problem, given["mean"], flags)))
                if anyone(problem.comm, flags()[1]):
                    return None
        seen = others()
        return None if problem.comm.rank else {"rows": rows, "data": described(problem), "doubts": disturbed(seen)}

    def sentence(self, record: Record) -> str:
        """The delay with the most workers."""
        row = max(record["rows"], key=lambda row: int(row["workers"]))
        drawn, low, high = (row.get(key) for key in ("drawn", "theory_low", "theory_high"))
        were = "" if drawn is None else f" ({units.seconds(drawn)} were drawn)"
        ends = "" if low is None else f", and between {units.seconds(low)} and {units.seconds(high)} for 95 % of such means"
        who = f"With {units.count(row['workers'], 'worker')} and a mean delay of {units.seconds(row['mean'])}"
        late = f"the slowest is {units.seconds(row['measured_maximum'])} late{were}, mean of the rounds"
        return f"{who}, {late}; theory predicts {units.seconds(row['theory'])}{ends}."

    def tables(self, record: Record) -> list[Table]:
        """The slowest delays, measured beside what was drawn, and predicted."""
        columns = (
            Column("workers", "Workers", "count"),
            Column("mean", "Mean delay", "seconds", "delay"),
            Column("rounds", "Rounds", "count"),
            Column("measured_maximum", "Slowest, measured", "seconds", "delay"),
            Column("drawn", "Drawn", "seconds", "delay"),
            Column("error", "Drawn over measured", "error"),
            Column("theory", "Predicted, Hₘ × mean", "seconds", "delay"),
            Column("theory_low", "95 % from", "seconds", "delay"),
            Column("theory_high", "to", "seconds", "delay"),
            Column("seconds_per_round", "Round", "seconds"),
        )
        rows = [{**row, "error": _error(row.get("drawn"), row["measured_maximum"])} for row in record["rows"]]
        return [Table(self.name, "The slowest worker's delay, mean over the rounds", columns, rows, label(record, True))]

    def pictures(self, record: Record) -> list[Picture]:
        """The slowest worker's delay over the number of workers, beside H_m times the mean."""
        rows = sorted(record["rows"], key=lambda row: int(row["workers"]))
        if rows[-1]["workers"] == 1:  # who is alone is the slowest
            return []
        spoken = "; ".join(f"{row['workers']}: {units.seconds(row['measured_maximum'])}" for row in rows)
        return [
            Picture(
                self.name,
                "The straggler effect",
                "The slowest worker's delay, mean over the rounds: measured, as it was drawn, and predicted for exponential "
                "delays, Hₘ × mean; the means of 95 % of runs of so many rounds lie in the band. The dotted line is the mean "
                "delay, which all would wait if none were slower than another.",
                f"The slowest worker's delay over the number of workers. Measured, {spoken}.",
                lambda figure, narrow: _straggler(figure, rows, narrow),
                (340, 320),
                label(record, True),
            )
        ]


def _straggler(figure: "Figure", rows: Sequence[Record], narrow: bool) -> None:
    axes = panels(figure, 1, narrow)[0]
    workers = [row["workers"] for row in rows]
    axes.plot(workers, [row["mean"] for row in rows], color=LIGHT["muted"], linestyle=":", linewidth=1.4)
    axes.plot(workers, [row["theory"] for row in rows], color=LIGHT["text"], linestyle="--", linewidth=1.2)
    names = ["mean delay", "predicted, Hₘ × mean"]
    if all(row.get("drawn") is not None for row in rows):
        low, high = ([row[key] for row in rows] for key in ("theory_low", "theory_high"))
        axes.fill_between(workers, low, high, color=LIGHT["line"], linewidth=0)
        axes.plot(workers, [row["drawn"] for row in rows], **_DRAWN)
        names.append("drawn")
    axes.plot(workers, [row["measured_maximum"] for row in rows], **style(("", ""), "none") | {"markersize": 6})
    numbers_axis(axes, workers)
    axes.set_ylim(0, None)
    timed(axes.yaxis, max(max(row["theory"], row["measured_maximum"]) for row in rows) or 1.0, "slowest delay")
    legend(figure, reversed([*zip(axes.lines, [*names, "measured"], strict=True)]), narrow)


def _delayed(problem: "Problem", mean: float, flags: "StopFlags", team: "MPI.Intracomm") -> dict[str, Any]:
    from mpi_pgd.modes import AMONG_PEERS
    from mpi_pgd.observers.delay import drawn

    plain, late = (
        _computed(problem.on(team, **AMONG_PEERS, tol=0.0, delay=delay, fail_slow=""), flags)
        for delay in ("", f"exponential:{mean!r}")
    )
    if team.rank:
        return {}
    slowest = (late[0] - np.median(plain[0])).max(axis=0)
    return {
        "workers": team.size,
        "mean": mean,
        "rounds": len(slowest),
        "measured_maximum": float(slowest.mean()),
        "drawn": float(drawn(mean, team.size, len(slowest)).max(axis=0).mean()),
        **theory(mean, team.size, len(slowest)),
        "seconds_per_round": late[1],
    }


def theory(mean: float, workers: int, rounds: int) -> dict[str, float]:
    """What the slowest delay of so many workers is to be in the mean, and where 95 % of the means of so many rounds lie.

    The largest of m exponentials has the mean H_m, and the variance 1 + 1/4 + ... + 1/m^2, times theirs (A. Renyi, "On the theory
    of order statistics", 1953); the mean of many rounds is nearly normal.
    """
    places = np.arange(1, workers + 1)
    middle, half = mean * float((1 / places).sum()), NORMAL * mean * float(np.sqrt((1 / places**2).sum() / rounds))
    return {"theory": middle, "theory_low": max(0.0, middle - half), "theory_high": middle + half}


def _error(drawn: float | None, measured: float) -> float | None:
    return None if drawn is None or not measured else drawn / measured - 1


def _computed(problem: "Problem", flags: "StopFlags") -> "tuple[Vector, float]":
    """Seconds that each worker took to map in each round (workers, rounds), and those of a round; on rank 0."""
    from mpi_pgd.observers.costs import COMPUTE, split
    from mpi_pgd.session.descend import descend
    from mpi_pgd.session.load import choose_mode, load_rows
    from mpi_pgd.session.prepare import take_moments

    topology = choose_mode(problem)
    shard = load_rows(problem, topology)
    setup = take_moments(problem, topology, shard, flags)
    costs = descend(problem, topology, shard, setup, flags, lambda *_: None, keep=sys.maxsize).costs
    if not costs.recent:
        return np.zeros((1, 1)), 0.0
    return split(np.concatenate(costs.recent, axis=1))[:, :, COMPUTE], sum(costs.mean().values())
