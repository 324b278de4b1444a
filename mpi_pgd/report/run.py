"""A run as a kind of record: the shape of run.json, and what the report says and shows of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpi_pgd.errors import InputError
from mpi_pgd.model.coefficients import Coefficients
from mpi_pgd.report import beside, evaluation, lost, pop, run_pictures, units, verdict
from mpi_pgd.report.export import MOST, PART_COLUMNS, Column, Table
from mpi_pgd.report.kinds import PROVENANCE, Kind, way
from mpi_pgd.report.shapes import SPLIT, Record, check, damaged, document, fields
from mpi_pgd.report.subjects import Problem
from mpi_pgd.report.theme import Picture

SHAPE: dict[str, Any] = {
    **fields(text="status mode algorithm? weights_sha256", whole="ranks workers rows features rounds"),
    **fields(number="objective? gradient_norm? digits? r2? bytes_per_round seconds_per_round?"),
    **fields(text="solver? solver_reason? separation? explains?"),
    "certificate?": {**fields(text="kind", number="gap? relative?")},
    "diagnosis?": {**fields(number="condition? digits reached?", text="caution?"), "columns": ["whole"]},
    "neighbours?": fields(text="graph", whole="peers neighbours diameter predicted_messages predicted_bytes")
    | fields(number="gap messages bytes consensus"),
    "seconds": fields(number="total load solve"),
    **{"classes?": ["number"], "words?": ["class"]},
    "config?": {},
    "evaluations?": [evaluation.SHAPE],
    "losses?": [{"ranks": ["whole"], "nodes": ["text"], **fields(whole="round rows_read", number="seconds cost")}],
    "costs": {
        **fields(whole="rounds", text="sentence?", number="clock_drift?"),
        "ranks": [fields(whole="rank slowest_rounds?", text="node", number="waited_for? slowdown?") | SPLIT],
        "slowdowns?": {"edges": ["number"], "counts": ["whole"]},
        "timeline?": [fields(whole="round rank", number="start") | SPLIT],
    },
}


@dataclass(frozen=True)
class Run(Kind):
    """A run, with what lies beside its record.

    Attributes:
        history: history.csv by column, equal lengths; empty without one.
        trace: events in trace.json, or None.
        model: model.h5, or None.
    """

    title, shape, lead, formulas = "The run", SHAPE, 1, ("slowest", "pop")

    name: str = "run"
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    trace: int | None = None
    model: Coefficients | None = None

    def sentence(self, record: Record) -> str:
        """How it ended."""
        where = f"{way(record)} on {units.count(record['ranks'], 'rank')}"
        text = f"{record['status'].capitalize()} after {units.count(record['rounds'], 'round')}, {where}"
        pace = record.get("seconds_per_round")
        text += f": solved in {units.seconds(record['seconds']['solve'])}"
        return text + (f", {units.seconds(pace)} a round." if pace else ".")

    def remarks(self, record: Record) -> list[str]:
        """Ranks that were lost, who was slow, and what is amiss with the weights."""
        caution = (record.get("diagnosis") or {}).get("caution")
        lines = lost.sentence(record), record["costs"].get("sentence"), record.get("separation"), caution
        return [line for line in lines if line]

    def problem(self, record: Record) -> Problem:
        """The data that it fitted."""
        return Problem.of(self.name, record, (record.get("config") or {}).get("data"))

    def tables(self, record: Record) -> list[Table]:
        """The coefficients, how good they are, the ranks that were lost, each rank's round."""
        judged = evaluation.tables(self.name, record.get("evaluations") or [])
        return [*_coefficients(self.model), *judged, *_losses(record), _ranks(record)]

    def pictures(self, record: Record) -> list[Picture]:
        """As far as the record goes."""
        return run_pictures.run(record, self.history, self.model)

    def facts(self, record: Record) -> list[tuple[str, str]]:
        """Figures that are no table."""
        seconds, costs = record["seconds"], record["costs"]
        sent = f"{units.size(record['bytes_per_round'])} by each worker"
        found = {
            "data": self.problem(record).title(),
            "mode": f"{way(record)}; {verdict.ranks(record)}",
            "graph": verdict.graph(record),
            "solver": verdict.solver(record),
            "consensus": verdict.consensus(record),
            "certificate": verdict.certificate(record),
            "condition": verdict.condition(record),
            "objective": f"{record['objective']:.12g}" if record.get("objective") is not None else "not a finite number",
            "gradient norm": units.digits(record["gradient_norm"]) if record.get("gradient_norm") is not None else None,
            **_explained(record),
            "intercept": self.model.intercepts(6) if self.model else None,
            "time": ", ".join(f"{key} {units.seconds(seconds[key])}" for key in ("load", "solve", "total")),
            "sent a round": sent if record["ranks"] > 1 else "nothing, there is one rank",
            "efficiency (POP)": (pop.sentence(pop.efficiencies(costs["ranks"])) or "").replace(" x ", " × ") or None,
            "clock drift": units.seconds(costs["clock_drift"]) if costs.get("clock_drift") is not None else None,
            "trace": f"{self.trace:,} events in trace.json, for Perfetto (ui.perfetto.dev)" if self.trace is not None else None,
            "weights": f"sha256 {record['weights_sha256']}",
        }
        return [(key, value) for key, value in found.items() if value is not None]


def read(path: Path, names: set[str]) -> tuple[Run, Record]:
    """The run of the record ``path``, whose folder holds ``names``. Raises InputError: one is damaged, or of another version."""
    record = document(path)
    if "costs" not in record:
        raise InputError(f'{path} was written by another version of mpi_pgd (no "costs" in it): run the fit again with this one')
    check(path, record, SHAPE | PROVENANCE)
    if not record["costs"]["ranks"]:
        damaged(path, "costs.ranks", "at least one rank")
    slowdowns = record["costs"].get("slowdowns")
    if slowdowns and len(slowdowns["edges"]) - len(slowdowns["counts"]) not in (0, 1):
        damaged(path, "costs.slowdowns", "one edge more than counts")
    found = Run(
        history=beside.history(path.with_name("history.csv")) if "history.csv" in names else {},
        trace=beside.events(path.with_name("trace.json")) if "trace.json" in names else None,
        model=beside.model(path.with_name("model.h5"), record) if "model.h5" in names else None,
    )
    return found, record


def _explained(record: Record) -> dict[str, str]:
    """How much the model explains; a record of an earlier version does not have it."""
    if "r2" not in record:
        return {}
    name, share = verdict.explained(record)
    return {name.replace("R2", "R²"): share.replace("-", "\N{MINUS SIGN}")}


def _coefficients(model: Coefficients | None) -> list[Table]:
    if model is None:
        return []
    columns = (Column("name", "Feature"), Column("column", "Column", "count"), Column("coefficient", "Coefficient", "precise"))
    rows = [{"name": model.name(place), "column": place, "coefficient": value} for place, value in enumerate(model.coef)]
    if len(rows) <= MOST:
        return [Table("run-coefficients", "The coefficients, in the units of the data", columns, rows)]
    title = f"The coefficients, in the units of the data (the {MOST} largest of {len(rows):,})"
    return [Table("run-coefficients", title, columns, rows, shown=[rows[place] for place in model.largest()[:MOST]])]


def _losses(record: Record) -> list[Table]:
    columns = (
        Column("ranks", "Ranks"),
        Column("nodes", "Nodes"),
        Column("seconds", "Lost after", "seconds"),
        Column("round", "Went on from round", "count"),
        Column("cost", "Cost", "seconds"),
        Column("rows_read", "Rows read again", "count"),
    )
    losses = record.get("losses") or []
    words = [{"ranks": ", ".join(map(str, loss["ranks"])), "nodes": ", ".join(dict.fromkeys(loss["nodes"]))} for loss in losses]
    rows = [{**loss, **told} for loss, told in zip(losses, words, strict=True)]
    return [Table("run-losses", "Ranks that were lost, and what it cost", columns, rows)] if rows else []


def _ranks(record: Record) -> Table:
    costs = record["costs"]
    every = costs["rounds"] or 1
    ranks = [
        {**rank, "share": None if rank.get("slowest_rounds") is None else rank["slowest_rounds"] / every} for rank in costs["ranks"]
    ]
    columns = (
        Column("rank", "Rank", "count"),
        Column("node", "Node"),
        *PART_COLUMNS,
        Column("slowdown", "Compute over median", "fixed"),
        Column("share", "Slowest", "percent"),
        Column("waited_for", "Others waited", "seconds"),
    )
    title = "Each rank: seconds a round, how often it computed longest, and how long the others waited for it"
    if len(ranks) <= MOST:
        return Table("run-ranks", title, columns, ranks)
    worst = sorted(ranks, key=lambda rank: -(rank.get("waited_for") or 0.0))[:MOST]
    title += f" (the {MOST} of {len(ranks):,} ranks that were waited for most)"
    return Table("run-ranks", title, columns, ranks, shown=sorted(worst, key=lambda rank: int(rank["rank"])))
