"""``compare``: which mode is better here."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd.report import units
from mpi_pgd.report.axes import key, listed, name, parts_legend, stack, timed
from mpi_pgd.report.export import PART_COLUMNS, Table
from mpi_pgd.report.kinds import label
from mpi_pgd.report.shapes import Record, Shape
from mpi_pgd.report.theme import LIGHT, Picture, panels
from mpi_pgd.study.rounds import BASELINE, ROUND, TIME, WHO, WORTH, Rounds, doubts, predictions
from mpi_pgd.study.study import Flag
from mpi_pgd.study.worth import alone, called

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mpi_pgd.engine.loop import StopFlags
    from mpi_pgd.session.inspect import Problem


MOST = 1.6  # times the longest round of a mode: as much of a longer one that needs no ranks is shown
_ARROW: dict[str, Any] = {"color": LIGHT["page"], "marker": ">", "linestyle": "none", "markersize": 9}
_DIAMOND: dict[str, Any] = {"color": LIGHT["page"], "mec": LIGHT["text"], "marker": "D", "linestyle": "none", "markersize": 7}


class Compare(Rounds):
    """Every mode and algorithm, turn by turn."""

    title = "Which mode, which algorithm"
    shape: ClassVar[Shape] = {
        **{"rows": [ROUND], "verdict?": "text", "data?": {}, "winner?": {}, "doubts?": ["text"]},
        **{"baseline?": {}, "baselines?": [BASELINE]},
    }
    usage = "mpirun -n N python -m mpi_pgd compare [DATA ...] [options]"
    description = (
        "Descend the same problem with every mode and algorithm, turn by turn, to the same bits, and tell which is better and why."
    )
    flags = (Flag("repeats", "5", "K", "turns of each (default: 5)", int, 1),)
    settings = (*Rounds.settings, "delay")

    def measure(self, problem: "Problem", given: Mapping[str, Any], flags: "StopFlags") -> dict[str, Any] | None:
        """See ``measure.compare``."""
        from mpi_pgd.study.compare.measure import compare

        return compare(problem, given["repeats"], flags)

    def sentence(self, record: Record) -> str:
        """The verdict."""
        return record.get("verdict") or "modes and algorithms, turn by turn"

    def tables(self, record: Record) -> list[Table]:
        """What a round is made of, what the workers bring, and predictions."""
        rows, beside = record["rows"], label(record)
        return [
            Table("compare-time", "A round, and what it is made of", (*WHO, *TIME, *PART_COLUMNS, *doubts(rows)), rows, beside),
            Table("compare-speedup", "What the workers bring, and what travels", (*WHO, *WORTH), rows, beside),
            *self.efficiencies(rows, WHO, beside),
            *self.predicted(rows, WHO, label(record, True)),
            *self.baselines(record),
        ]

    def pictures(self, record: Record) -> list[Picture]:
        """What a round is made of, for each mode and algorithm, and for one process alone."""
        rows, beside = record["rows"], alone(record.get("baselines") or [])
        spoken = "; ".join(f"{name(key(row))}: {units.seconds(row['seconds_per_round'])}" for row in rows)
        predicted = bool(predictions(rows))
        caption = "Seconds a round, mean over the ranks and rounds, measured, as are the figures at the right. "
        caption += "The thin line spans the quartiles over the turns."
        caption += " Below is what one process does alone; where there is an arrow, the bar goes on." if beside else ""
        caption += " The diamond is what the cost model predicted." if predicted else ""
        return [
            Picture(
                "compare-cost",
                "Where a round's time goes",
                caption,
                f"Stacked bars of compute, wait, wire, update and input: {spoken}",
                lambda figure, narrow: _costs(figure, [*rows, *beside], narrow),
                (110 + 44 * (len(rows) + len(beside)), 130 + 52 * (len(rows) + len(beside))),
                label(record, predicted),
            )
        ]


def _costs(figure: "Figure", rows: Sequence[Record], narrow: bool) -> None:
    from matplotlib.lines import Line2D

    axes = panels(figure, 1, narrow)[0]
    places = list(range(len(rows)))
    stack(axes, rows, places, across=True)
    ends = []
    for place, row in zip(places, rows, strict=True):
        low, high, guess = row.get("low"), row.get("high"), row.get("predicted_seconds_per_round")
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=LIGHT["text"], linewidth=1.2, marker="|", markersize=8)
        if guess:
            axes.plot(guess, place, **_DIAMOND)
        axes.text(1.02, place, units.seconds(row["seconds_per_round"]), transform=axes.get_yaxis_transform(), va="center")
        ends.append(max(filter(None, (row["seconds_per_round"], high, guess)), default=0.0))
    several = [end for end, row in zip(ends, rows, strict=True) if row.get("mode")]
    top = min(max(ends), MOST * max(several)) or max(ends) or 1.0
    for place, row in zip(places, rows, strict=True):
        if row["seconds_per_round"] > top * 1.04:
            axes.plot(top, place, **_ARROW)
    words = [(name(key(row)) if row.get("mode") else called(row)) for row in rows]
    listed(axes, [two.replace(", ", "\n").replace(" with ", "\n") for two in words], labelcolor=LIGHT["text"])
    axes.set_xlim(0, top * 1.04)
    timed(axes.xaxis, top, "a round")
    predicted = any(row.get("predicted_seconds_per_round") for row in rows)
    parts_legend(figure, rows, narrow, *([(Line2D([], [], **_DIAMOND), "predicted")] if predicted else []))
