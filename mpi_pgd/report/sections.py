"""What the page says of each record: its sentences, its facts, its pictures and its tables."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mpi_pgd.report import plots, plots_model, plots_run, units
from mpi_pgd.report.ink import Picture
from mpi_pgd.report.markup import Markup, tag
from mpi_pgd.report.records import Record, Records
from mpi_pgd.report.subjects import called, problem

TITLES = {
    "run": "The run",
    "compare": "Which mode, which algorithm",
    "scaling": "Speedup",
    "straggler": "Stragglers",
    "network": "The network",
    "plan": "The plan",
    "doctor": "The doctor's findings",
}


def pictures(records: Records) -> dict[str, list[Picture]]:
    """The pictures of each record, by its name."""
    makers: dict[str, Callable[[Record], list[Picture]]] = {
        "run": lambda record: plots_run.run(record, records.history, records.model),
        "compare": plots.compare,
        "scaling": plots.scaling,
        "straggler": plots_model.straggler,
        "network": plots_model.network,
        "plan": plots_model.plan,
        "doctor": lambda record: [],
    }
    return {name: makers[name](record) for name, record in records.all().items()}


def headline(name: str, record: Record) -> str:
    """The one sentence that somebody in a hurry reads, with the name of the data."""
    about, sentence = problem(name, record), _headline(name, record)
    data = about.title() if name == "plan" and about.shape else called(about.files)
    return f"{'For' if name == 'plan' else 'On'} {data}: {sentence[:1].upper()}{sentence[1:]}" if data and sentence else sentence


def _headline(name: str, record: Record) -> str:
    return {
        "run": _run_sentence,
        "compare": lambda study: study.get("verdict") or "modes and algorithms, turn by turn",
        "scaling": _scaling_sentence,
        "straggler": _straggler_sentence,
        "network": _network_sentence,
        "plan": _plan_sentence,
        "doctor": _doctor_sentence,
    }[name](record)


def remarks(name: str, record: Record) -> list[str]:
    """Further sentences of a study, one a line."""
    if name == "run":
        return [line for line in (_losses(record), record["costs"].get("sentence")) if line]
    found = [line for key in ("findings", "crossovers", "notes") for line in record.get(key) or []]
    return [line for line in found if line != _headline(name, record)]


def facts(name: str, record: Record, records: Records) -> list[tuple[str, str]]:
    """Figures that are no table."""
    if name == "run":
        return _run_facts(record, records)
    if name in ("compare", "scaling"):
        return _study_facts(record)
    if name == "network" and record.get("compute"):
        return _compute_facts(record["compute"])
    return _flat(record.get("inputs") or {}) if name == "plan" else []


def fingerprints(rows: Sequence[Record]) -> Markup | str:
    """Whether the rows of a study that were fitted to the same data came to the same weights."""
    found: dict[Any, set[str]] = {}
    for row in rows:
        if row.get("weights_sha256"):
            found.setdefault(row.get("rows"), set()).add(row["weights_sha256"])
    if not found or len(rows) == 1:
        return ""
    if any(len(prints) > 1 for prints in found.values()):
        return tag("p", "The weights are not the same for the same data: see the fingerprints in the table.")
    if len(found) > 1:
        return tag("p", "Whatever the mode and the number of ranks, the same data gave the same weights, bit for bit.")
    return tag("p", f"All {len(rows)} rows came to the same weights, bit for bit: sha256 ", tag("code", *found.popitem()[1]))


def _run_sentence(record: Record) -> str:
    where = f"{_mode(record)} on {units.count(record['ranks'], 'rank')}"
    text = f"{record['status'].capitalize()} after {units.count(record['rounds'], 'round')}, {where}"
    pace = record.get("seconds_per_round")
    return f"{text}: solved in {units.seconds(record['seconds']['solve'])}" + (f", {units.seconds(pace)} a round." if pace else ".")


def _losses(record: Record) -> str:
    lost = record.get("losses") or []
    number = sum(len(loss["ranks"]) for loss in lost)
    if not lost:
        return ""
    verb = "was" if number == 1 else "were"
    return f"{units.count(number, 'rank')} {verb} lost on the way, which cost {units.seconds(sum(loss['cost'] for loss in lost))}"


def _mode(row: Record) -> str:
    algorithm = row.get("algorithm")
    return f"{row['mode']} ({algorithm})" if algorithm else str(row["mode"])


def _best(record: Record) -> Record:
    """The study's own choice, or the fastest row."""
    own = record.get("best") or {}
    complete = (
        isinstance(own.get("workers"), int)
        and isinstance(own.get("mode"), str)
        and isinstance(own.get("seconds_per_round"), int | float)
    )
    return own if complete else min(record["rows"], key=lambda row: float(row["seconds_per_round"]))


def _scaling_sentence(record: Record) -> str:
    findings = record.get("findings")
    if findings:
        return str(findings[0])
    rows = [row for row in record["rows"] if row["scaling"] == "strong"] or record["rows"]
    best = min(rows, key=lambda row: float(row["seconds_per_round"]))
    times = f", speedup {best['speedup']:.2f}" if best.get("speedup") is not None else ""
    who = f"{_mode(best)} on {units.count(best['ranks'], 'rank')}"
    return f"Fastest: {who}, {units.seconds(best['seconds_per_round'])} a round{times}."


def _straggler_sentence(record: Record) -> str:
    row = max(record["rows"], key=lambda row: int(row["workers"]))
    return (
        f"With {units.count(row['workers'], 'worker')} and a mean delay of {units.seconds(row['mean'])}, the slowest is "
        f"{units.seconds(row['measured_maximum'])} late, mean of the rounds; theory predicts {units.seconds(row['theory'])}."
    )


def _network_sentence(record: Record) -> str:
    fits = [fit for fit in record.get("fits") or [] if not fit.get("mode")]
    found = "; ".join(
        f"{plots_model.link_name(fit['link'])}: latency {units.seconds(fit['alpha'])}, "
        + (f"bandwidth {units.rate(1 / fit['beta'])}" if fit["beta"] > 0 else "no cost of bytes at these sizes")
        for fit in fits
    )
    return f"{found}." if found else next(iter(record.get("notes") or []), "No ping-pong was measured.")


def _plan_sentence(record: Record) -> str:
    best = _best(record)
    whole = f", {units.seconds(best['fit_seconds'])} for the whole fit" if isinstance(best.get("fit_seconds"), int | float) else ""
    return (
        f"Predicted best: {_mode(best)} with {units.count(best['workers'], 'worker')}, "
        f"{units.seconds(best['seconds_per_round'])} a round{whole}."
    )


def _doctor_sentence(record: Record) -> str:
    number = sum(row["level"] == "warning" for row in record["rows"])
    checks = units.count(len(record["rows"]), "check")
    return f"{checks.capitalize()}, {units.count(number, 'warning')}." if number else f"{checks.capitalize()}, no warning."


def _run_facts(record: Record, records: Records) -> list[tuple[str, str]]:
    seconds, costs = record["seconds"], record["costs"]
    solver = (record.get("config") or {}).get("solver")
    found = {
        "data": problem("run", record).title(),
        "mode": f"{_mode(record)}; {units.count(record['ranks'], 'rank')}, {units.count(record['workers'], 'worker')}",
        "solver": solver if isinstance(solver, str) else None,
        "objective": f"{record['objective']:.12g}" if record.get("objective") is not None else "not a finite number",
        "gradient norm": units.digits(record["gradient_norm"]) if record.get("gradient_norm") is not None else None,
        "R²": _r2(record),
        "intercept": units.digits(records.model.intercept, 6) if records.model else None,
        "time": ", ".join(f"{key} {units.seconds(seconds[key])}" for key in ("load", "solve", "total")),
        "sent a round": f"{units.size(record['bytes_per_round'])} by each worker"
        if record["ranks"] > 1
        else "nothing, there is one rank",
        "clock drift": units.seconds(costs["clock_drift"]) if costs.get("clock_drift") is not None else None,
        "trace": f"{records.trace:,} events in trace.json, for Perfetto (ui.perfetto.dev)" if records.trace is not None else None,
        "weights": f"sha256 {record['weights_sha256']}",
    }
    return [(key, value) for key, value in found.items() if value is not None]


def _r2(record: Record) -> str | None:
    """How much of the targets' variance the model explains; a record of an earlier version does not have it."""
    if "r2" not in record:
        return None
    return "not defined" if record["r2"] is None else f"{record['r2']:.6f}".replace("-", "\N{MINUS SIGN}")


def _study_facts(record: Record) -> list[tuple[str, str]]:
    data, base = record.get("data") or {}, (record.get("baseline") or {}).get("seconds_per_round")
    turns = [f"{record[key]:,} {key}" for key in ("rounds", "repeats") if isinstance(record.get(key), int)]
    sizes = ", ".join(f"{value:,} {key}" for key, value in data.items() if isinstance(value, int | float))
    found = [("data", ": ".join(filter(None, (called(problem("compare", record).files), sizes))))]
    found.append(("turns", " a turn, ".join(turns)))
    found.append(("one rank", f"{units.seconds(base)} a round, measured in the same run" if isinstance(base, int | float) else ""))
    return [(key, value) for key, value in found if value]


def _compute_facts(compute: Record) -> list[tuple[str, str]]:
    together, found = compute.get("together"), []
    if compute.get("bytes_per_second"):
        found.append(("one rank alone reads", units.rate(compute["bytes_per_second"])))
    if together:
        found.append((f"each of {together['ranks']} at work reads", units.rate(together["bytes_per_second"])))
    if compute.get("jitter_seconds") is not None:
        found.append(("jitter", units.seconds(compute["jitter_seconds"])))
    return found


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Settings as the study names them, nested ones by their path."""
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        path = f"{above}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            found += _flat(value, f"{path}, ")
        elif value is not None:
            found.append((path, _plain(value)))
    return found


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else units.digits(value)
    return json.dumps(value)


def machine(record: Record) -> list[tuple[str, str]]:
    """Where a record was made, and with what."""
    where = record.get("machine") or {}
    hosts = where.get("hosts") or record.get("hosts") or {}
    names = ", ".join(f"{host} ({number})" for host, number in list(hosts.items())[:8])
    more = f" and {len(hosts) - 8:,} more" if len(hosts) > 8 else ""
    memory = where.get("memory_bytes")
    found = [
        ("hosts (ranks)", names + more),
        ("cores of a host", _plain(where["cores"]) if where.get("cores") else ""),
        ("processor", where.get("processor") or ""),
        ("memory", units.size(memory) if isinstance(memory, int | float) else ""),
        ("system", where.get("system") or ""),
        *((key, _plain(value)) for key, value in (record.get("versions") or {}).items()),
    ]
    return [(key, _plain(value)) for key, value in found if value]
