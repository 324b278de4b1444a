"""``plan``: predicted rounds from a measured network. Without ranks."""

import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, ClassVar

from mpi_pgd import config
from mpi_pgd.errors import InputError, nearest
from mpi_pgd.modes import SYNONYMS
from mpi_pgd.report import units
from mpi_pgd.report.export import MOST, Column, Table
from mpi_pgd.report.kinds import flat, way
from mpi_pgd.report.shapes import Record, Shape, fields
from mpi_pgd.report.subjects import Problem
from mpi_pgd.report.theme import Picture
from mpi_pgd.study.plan import pictures
from mpi_pgd.study.rounds import TIME, WHO
from mpi_pgd.study.study import Flag, Study

PARTS = ("compute", "wait", "latency", "bandwidth", "update")


class Plan(Study):
    """What the cost model says of 1 to 4096 workers."""

    title, lead, formulas = "The plan", 3, ("cost", "slowest")
    shape: ClassVar[Shape] = {
        "rows": [
            fields(text="mode algorithm", whole="ranks? workers")
            | {"seconds_per_round": "number above 0"}
            | fields(number="compute? wait? latency? bandwidth? update? fit_seconds? core_hours? low? high? efficiency? times?")
        ],
        "crossings?": [fields(text="one other in faster", whole="from")],
        "recommended?": {},
        "crossovers?": ["text"],
        "notes?": ["text"],
        "best?": {},
        "inputs?": {},
    }
    usage = "python -m mpi_pgd plan --network FILE --rows N --features P [--workers 1..4096] [options]"
    description = (
        "Predict the round of each mode and algorithm from what `network` measured, with intervals: where the modes cross over,\n"
        "the most workers that are worth their cost, and the time and the core-hours of the whole fit. Nothing is run."
    )
    flags = (
        Flag("network", None, "NETWORK", "network.json, or the folder with it"),
        Flag("rows", None, "ROWS", "of the data", int, 1),
        Flag("features", None, "FEATURES", "of the data", int, 1),
        Flag("workers", "1..4096", "WORKERS", "a range, or one number"),
        Flag("rounds", "100", "ROUNDS", "of the whole fit", int, 1),
        Flag("ranks-per-node", None, "RANKS-PER-NODE", "of the fullest node; default: as when the network was measured", int, 1),
        Flag("wait", None, "WAIT", "mean of an exponential delay of each worker, seconds; default: the measured jitter", float, 0),
        Flag("mode", None, "MODE", "only this one"),
        Flag("algorithm", None, "ALGORITHM", "only this one"),
        Flag("sums", "order-free", "SUMS", "or plain: as many bytes as numbers have"),
        Flag("explain", None, "", "print the formulas with the numbers in them", bool),
    )
    settings, out = (), "folder for plan.json"

    def given(self, values: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is missing, and words that are not known. Raises InputError: they are."""
        if values["network"] is None:
            command = "mpirun -n N python -m mpi_pgd network --out DIR"
            raise InputError(f"plan was given no --network: expected the file that `{command}` wrote")
        for flag in ("rows", "features"):
            if values[flag] is None:
                raise InputError(f"plan was given no --{flag}: expected the number of the data's {flag}")
        for flag in ("mode", "sums"):
            word, known = values[flag], config.OPTIONS[flag].metadata["choices"]
            if word is not None and word not in known:
                raise InputError(f"--{flag} was given {word!r}{nearest(word, known, SYNONYMS)}: expected one of {', '.join(known)}")
        return values

    def alone(self, given: Mapping[str, Any]) -> int:
        """Plan, print, write."""
        from mpi_pgd.report.records import FORMAT
        from mpi_pgd.session import provenance
        from mpi_pgd.study.network import read
        from mpi_pgd.study.plan.explain import explain
        from mpi_pgd.study.plan.planner import Question, plan, workers_range
        from mpi_pgd.study.record import claim, spare, write

        first, last = workers_range(given["workers"])
        known = {field: given[field] for field in Question._fields if field in given}
        question = Question(**known, first=first, last=last, folds=0 if given["sums"] == config.PLAIN else None)
        measured = read(given["network"])
        with claim(given["out"], self.name) if given["out"] else nullcontext() as claimed:
            if claimed:
                spare(given["out"], self.name, given["force"])
            found = plan(measured, question, told=not given["quiet"])
            if not given["quiet"]:
                print(self.text(found))
            if given["explain"]:
                print("\n" + explain(measured, question))
            if claimed:  # the machine and the versions are those that the network was measured with
                origin = {"machine": measured.get("machine", {}), "versions": measured.get("versions", {})}
                made = {"study": self.name, "format": FORMAT, **found, **origin, "command": provenance.command(1)}
                write(claimed, made)
        return 0

    def brief(self, record: Record) -> Record:
        """The fastest algorithm of each mode, where the number of workers is a power of two; of many powers some."""
        found: dict[tuple[str, int], Record] = {}
        for row in record["rows"]:
            which = (row["mode"], row["workers"])
            if row["workers"].bit_count() == 1:
                found[which] = min(found.get(which, row), row, key=pictures.pace_of)
        powers = sorted({workers for _, workers in found})
        room = MOST // max(1, len({mode for mode, _ in found})) or 1
        kept = powers[:: -(-len(powers) // room) or 1]
        return {**record, "rows": [row for (_, workers), row in found.items() if workers in kept]}

    def problem(self, record: Record) -> Problem:
        """The data that it is for."""
        return Problem.of(self.name, record.get("inputs"))

    def subject(self, record: Record) -> str:
        """For which data, by their shape."""
        about = self.problem(record)
        return f"For {about.title()}" if about.shape else ""

    def facts(self, record: Record) -> list[tuple[str, str]]:
        """What was asked."""
        return flat(record.get("inputs") or {})

    def sentence(self, record: Record) -> str:
        """The row that is worth its cost, and the fastest, each to the digits that are known."""
        best, worth = _best(record), record.get("recommended") or {}
        if not _complete(worth) or worth["seconds_per_round"] == best["seconds_per_round"]:
            return f"Predicted best: {_said(best)}."
        return f"Predicted best at an efficiency of at least 50 %: {_said(worth)}. The fastest: {_said(best)}."

    def tables(self, record: Record) -> list[Table]:
        """All rows, shown are powers of two; and where any two algorithms cross over."""
        columns = (
            *WHO,
            Column("ranks", "Ranks", "count"),
            *TIME[:1],
            Column("low", "From", "seconds", "round"),
            Column("high", "To", "seconds", "round"),
            *(Column(name, name.capitalize(), "seconds", "round") for name in PARTS),
            Column("times", "Rounds, times", "number"),
            Column("efficiency", "Efficiency", "percent"),
            Column("fit_seconds", "The whole fit", "seconds"),
            Column("core_hours", "Core-hours", "number"),
        )
        rows = record["rows"]
        powers = [row for row in rows if row["workers"] & (row["workers"] - 1) == 0]
        shown = powers if len(rows) > MOST and powers else rows
        title = "The plan" + (", powers of two" if len(shown) < len(rows) else "")
        made = [Table(self.name, title, columns, rows, "predicted", shown, folded=len(shown) > MOST)]
        crossings = record.get("crossings") or []
        if crossings:
            title, words = "Which of two algorithms is faster, from where on", ("one", "other", "in", "from", "faster")
            columns = tuple(Column(word, word.capitalize(), *["count"][: word == "from"]) for word in words)
            made.append(Table("plan-crossings", title, columns, crossings, "predicted", folded=True))
        return made

    def pictures(self, record: Record) -> list[Picture]:
        """The predicted time of a round, and the speedup, over the number of workers."""
        return pictures.plan(self.name, [row for row in record["rows"] if row["seconds_per_round"] > 0])


def _best(record: Record) -> Record:
    """The study's own choice, or the fastest row."""
    own = record.get("best") or {}
    return own if _complete(own) else min(record["rows"], key=pictures.pace_of)


def _complete(row: Record) -> bool:
    kinds: dict[str, Any] = {"workers": int, "mode": str, "seconds_per_round": int | float}
    return all(isinstance(row.get(name), kind) for name, kind in kinds.items())


def _said(row: Record) -> str:
    """Who, how fast, and at what cost; "extrapolated" if it is. Digits beyond the interval are left out."""
    pace, ends = row["seconds_per_round"], [row.get(end) for end in ("low", "high")]
    known = [end for end in ends if isinstance(end, int | float)]
    unsure = (max(known) - min(known)) / 2 / pace if known else 0.0
    between = f" ({' to '.join(_known(end, unsure) for end in known)})" if known else ""
    fit, hours, worth = (row.get(name) for name in ("fit_seconds", "core_hours", "efficiency"))
    cost = [f"{_known(fit, unsure)} for the whole fit"] if isinstance(fit, int | float) else []
    cost += [f"{float(f'{hours:.2g}'):g} core-hours"] if isinstance(hours, int | float) else []
    cost += [f"efficiency {worth:.0%}".replace("%", " %")] if isinstance(worth, int | float) else []
    beyond = ", extrapolated" if row.get("extrapolated") is True else ""
    who = f"{way(row)} with {units.count(row['workers'], 'worker')}"
    return ", ".join([f"{who}, {_known(pace, unsure)} a round{between}", *cost]) + beyond


def _known(seconds: float, unsure: float) -> str:
    """Rounded to the first digit in which the relative uncertainty shows."""
    digits = max(1, min(3, math.ceil(-math.log10(unsure)) if unsure > 0 else 3))
    return units.seconds(float(f"{seconds:.{digits - 1}e}"), digits)
