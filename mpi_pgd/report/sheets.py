"""The tables of a report, made from its records."""

from collections.abc import Sequence
from typing import Any

from mpi_pgd.report.export import Column, Table
from mpi_pgd.report.records import PARTS, Model, Record, Records

MOST = 32  # rows of a table that a person reads through; a longer one is folded, or shows the rows that matter

_WHO = (Column("mode", "Mode"), Column("algorithm", "Algorithm"), Column("workers", "Workers", "count"))
_PARTS = tuple(Column(name, name.capitalize(), "seconds", "round") for name in PARTS)
_TIME = (
    Column("seconds_per_round", "Round", "seconds", "round"),
    Column("low", "Lower quartile", "seconds", "round"),
    Column("high", "Upper quartile", "seconds", "round"),
)
_WORTH = (
    Column("speedup", "Speedup", "fixed"),
    Column("efficiency", "Efficiency", "percent"),
    Column("bytes_per_round", "Sent a round", "bytes"),
    Column("server_share", "Server alone", "percent"),
    Column("weights_sha256", "Weights, sha256", "hash"),
)
_PREDICTED = (
    Column("seconds_per_round", "Measured", "seconds", "round"),
    Column("predicted_seconds_per_round", "Predicted", "seconds", "round"),
    Column("error", "Error", "error"),
)


def tables(records: Records) -> dict[str, list[Table]]:
    """The tables of each record, by its name."""
    makers = {
        "run": lambda record: _run(record, records.model),
        "compare": _compare,
        "scaling": _scaling,
        "straggler": _straggler,
        "network": _network,
        "plan": _plan,
        "doctor": _doctor,
    }
    return {name: makers[name](record) for name, record in records.all().items()}


def mark(record: Record) -> str:
    """What a study that was not measured says beside its figures."""
    return next((word for word in ("predicted", "simulated") if record.get(word)), "")


def predictions(rows: Sequence[Record]) -> list[dict[str, Any]]:
    """The rows that have a predicted time, with its error relative to the measured one."""
    both = [row for row in rows if row.get("predicted_seconds_per_round") and row["seconds_per_round"]]
    return [{**row, "error": row["predicted_seconds_per_round"] / row["seconds_per_round"] - 1} for row in both]


def _run(record: Record, model: Model | None) -> list[Table]:
    return [*_coefficients(model), *_losses(record), _ranks(record)]


def _coefficients(model: Model | None) -> list[Table]:
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
    rows = [
        {**loss, "ranks": ", ".join(map(str, loss["ranks"])), "nodes": ", ".join(dict.fromkeys(loss["nodes"]))}
        for loss in record.get("losses") or []
    ]
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
        *_PARTS,
        Column("slowdown", "Compute over median", "fixed"),
        Column("share", "Came last", "percent"),
        Column("waited_for", "Others waited", "seconds"),
    )
    title = "Each rank: seconds a round, how often it came last, and how long the others waited for it"
    if len(ranks) <= MOST:
        return Table("run-ranks", title, columns, ranks)
    worst = sorted(ranks, key=lambda rank: -(rank.get("waited_for") or 0.0))[:MOST]
    title += f" (the {MOST} of {len(ranks):,} ranks that were waited for most)"
    return Table("run-ranks", title, columns, ranks, shown=sorted(worst, key=lambda rank: int(rank["rank"])))


def _compare(record: Record) -> list[Table]:
    rows, label = record["rows"], mark(record)
    found = [
        Table("compare-time", "A round, and what it is made of", (*_WHO, *_TIME, *_PARTS), rows, label),
        Table("compare-speedup", "What the workers bring, and what travels", (*_WHO, *_WORTH), rows, label),
    ]
    both = predictions(rows)
    title = "Predicted by the cost model beside measured"
    return found + ([Table("compare-predicted", title, (*_WHO, *_PREDICTED), both, "measured and predicted")] if both else [])


def _scaling(record: Record) -> list[Table]:
    rows, label = record["rows"], mark(record)
    who = (Column("scaling", "Scaling"), *_WHO[:2], Column("ranks", "Ranks", "count"), _WHO[2])
    serial = Column("karp_flatt", "Karp-Flatt", "percent")
    folded = len(rows) > MOST
    found = [
        Table(
            "scaling-speedup",
            "Speedup, efficiency and the serial fraction",
            (*who, Column("rows", "Rows", "count"), _TIME[0], *_WORTH[:2], serial, _WORTH[2]),
            rows,
            label,
            folded=folded,
        ),
        Table("scaling-time", "A round, and what it is made of", (*who, *_TIME, *_PARTS), rows, label, folded=folded),
    ]
    both = predictions(rows)
    if both:
        title = "Predicted by the cost model beside measured"
        found.append(
            Table("scaling-predicted", title, (*who, *_PREDICTED), both, "measured and predicted", folded=len(both) > MOST)
        )
    return found + _baselines(record)


def _baselines(record: Record) -> list[Table]:
    columns = (
        Column("name", "Baseline"),
        Column("threads", "Threads", "count"),
        Column("seconds_per_round", "Round", "seconds"),
        Column("seconds", "The whole fit", "seconds"),
    )
    rows = record.get("baselines") or []
    used = [column for column in columns if any(row.get(column.key) is not None for row in rows)]
    return [Table("scaling-baselines", "The honest baselines beside it", used, rows)] if rows else []


def _straggler(record: Record) -> list[Table]:
    columns = (
        Column("workers", "Workers", "count"),
        Column("mean", "Mean delay", "seconds", "delay"),
        Column("rounds", "Rounds", "count"),
        Column("measured_maximum", "Slowest, measured", "seconds", "delay"),
        Column("theory", "Predicted, Hₘ × mean", "seconds", "delay"),
        Column("error", "Error", "error"),
        Column("seconds_per_round", "Round", "seconds"),
    )
    rows = [
        {**row, "error": row["theory"] / row["measured_maximum"] - 1 if row["measured_maximum"] else None} for row in record["rows"]
    ]
    return [Table("straggler", "The slowest worker's delay, mean over the rounds", columns, rows, "measured and predicted")]


def _network(record: Record) -> list[Table]:
    link = (Column("link", "Link"), Column("mode", "Mode"), Column("algorithm", "Algorithm"))
    fits: tuple[Column, ...] = (
        *link,
        Column("alpha", "Latency α", "latency"),
        Column("alpha_low", "from", "latency"),
        Column("alpha_high", "to", "latency"),
        Column("bandwidth", "Bandwidth 1/β", "rate", "beta"),
        Column("bandwidth_low", "from", "rate", "beta"),
        Column("bandwidth_high", "to", "rate", "beta"),
        Column("rms_residual", "Residual, rms", "percent"),
        Column("points", "Points", "count"),
    )
    rows = (
        Column("kind", "Kind"),
        *link,
        Column("ranks", "Ranks", "count"),
        Column("bytes", "Message", "bytes"),
        Column("seconds", "Median", "seconds"),
        Column("low", "Lower quartile", "seconds"),
        Column("high", "Upper quartile", "seconds"),
        Column("fitted_seconds", "Fitted", "seconds"),
        Column("residual", "Residual", "error"),
    )
    if any(fit.get("overhead") for fit in record.get("fits") or []):
        fits = (*fits[:-2], Column("overhead", "Overhead", "latency"), *fits[-2:])
    lines = [_bandwidth(fit) for fit in record.get("fits") or []]
    found = (
        [Table("network-fits", "The fitted α of a message and β of a byte, with confidence intervals", fits, lines)]
        if lines
        else []
    )
    every = Table("network-measured", "All measurements", rows, record["rows"], mark(record), folded=len(record["rows"]) > MOST)
    return [*found, every]


def _bandwidth(fit: Record) -> dict[str, Any]:
    """β in seconds a byte says little to a person: its reciprocal does, whose interval is turned round."""

    def inverse(key: str) -> float | None:
        return 1 / fit[key] if fit.get(key) and fit[key] > 0 else None

    upside = {"bandwidth": inverse("beta"), "bandwidth_low": inverse("beta_high"), "bandwidth_high": inverse("beta_low")}
    return {**fit, **upside}


def _plan(record: Record) -> list[Table]:
    columns = (
        *_WHO,
        Column("ranks", "Ranks", "count"),
        _TIME[0],
        *(Column(name, name.capitalize(), "seconds", "round") for name in ("compute", "wait", "latency", "bandwidth", "update")),
        Column("fit_seconds", "The whole fit", "seconds"),
        Column("core_hours", "Core-hours", "number"),
    )
    rows = record["rows"]
    powers = [row for row in rows if row["workers"] & (row["workers"] - 1) == 0]
    shown = powers if len(rows) > MOST and powers else rows
    title = "The plan" + (", powers of two" if len(shown) < len(rows) else "")
    return [Table("plan", title, columns, rows, "predicted", shown, folded=len(shown) > MOST)]


def _doctor(record: Record) -> list[Table]:
    columns = (Column("check", "Check"), Column("level", "Level"), Column("finding", "Finding"), Column("advice", "What to do"))
    return [Table("doctor", "What was looked at", columns, record["rows"])]
