"""The table at the end of a fit."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from mpi_pgd.errors import listed, printable
from mpi_pgd.model.coefficients import Coefficients
from mpi_pgd.report import evaluation, pop, verdict
from mpi_pgd.report.markup import tag
from mpi_pgd.report.units import count
from mpi_pgd.system import output

SHOWN = 8  # ranks
LARGEST = 10  # coefficients
LISTED = 100  # of them, in a notebook
UNRECORDED = "how it was fitted is not known, as its file has no record of it"
NAME = 40  # letters of a feature's name
WIDTH = 118  # of a line
INTRODUCTION = """\
mpi_pgd fits linear models: each rank sums over its own rows what the solver asks for, the sums are added over MPI, and
the weights move. No data was given, so here are the diamonds that come with it: log price against {features} features.
Next: your own rows (python -m mpi_pgd FILE.h5), another mode (--mode peer-to-peer), or --help.
"""


def summary(record: Mapping[str, Any], model: Coefficients, every: bool = False) -> str:
    """The fit's record (the content of run.json) and what was fitted, as aligned lines.

    Args:
        record: as written to run.json.
        model: the coefficients; of many, the largest are shown.
        every: show all coefficients, one a line.
    """
    parts, seconds = record["per_round"], record["seconds"]
    whole = sum(parts.values()) or 1.0
    split = "   ".join(f"{name} {_seconds(value)} ({value / whole:.0%})" for name, value in parts.items())
    sent = _sent(record)
    lines = _fitted(record, model) | {
        "seconds": f"load {seconds['load']:.3f}   solve {seconds['solve']:.3f}   total {seconds['total']:.3f}",
        "a round": split,
        "sent a round": sent if record["ranks"] > 1 else "nothing, there is one rank",
    }
    if record["ranks"] > 1:
        ranks = record["costs"]["ranks"]
        lines |= {"by rank": _by_rank(ranks), "efficiency": pop.sentence(pop.efficiencies(ranks)) or "nothing took time"}
    if record["costs"]["sentence"]:
        lines["straggler"] = record["costs"]["sentence"]
    judged = [one for one in record.get("evaluations") or [] if one["name"] != evaluation.OWN]
    for place, one in enumerate(judged, 1):
        lines[f"hold-out {place}" if len(judged) > 1 else "hold-out"] = evaluation.brief(one)
    told = [line(name, text) for name, text in lines.items()]
    if every:
        told[list(lines).index("coefficients")] = _every(model)
    return "\n".join(told)


def _sent(record: Mapping[str, Any]) -> str:
    served, counted = record["server_bytes_per_round"], record["neighbours"]
    sent = f"{record['bytes_per_round']:,} bytes by each worker" + (f", {served:,} by the server" if served else "")
    if not counted:
        return sent
    foreseen = f"by the graph {count(counted['predicted_messages'], 'message')}, {counted['predicted_bytes']:,} bytes"
    return f"{counted['messages']:.4g} messages, {counted['bytes']:,.0f} bytes by the busiest peer, as counted ({foreseen})"


def fitted(kind: str, record: Mapping[str, Any], model: Coefficients, every: bool = False) -> str:
    """A model at the prompt: what was fitted, without what it took; with ``every`` all coefficients. ``kind`` is its class."""
    lines = _fitted(record, model)
    head = _head(kind, record, lines)
    told = [line(name, text) for name, text in lines.items()]
    if every:
        told[list(lines).index("coefficients")] = _every(model)
    return "\n".join([head, *told])


def fitted_html(kind: str, record: Mapping[str, Any], model: Coefficients) -> str:
    """Likewise in a notebook: a table, and one of all coefficients that opens."""
    lines = _fitted(record, model)
    head = _head(kind, record, lines)
    rows = [tag("tr", tag("th", name), tag("td", text)) for name, text in lines.items()]
    each = [tag("tr", tag("th", model.name(place)), tag("td", f"{model.coef[place]:.9g}")) for place in model.largest()[:LISTED]]
    more = f"the {LISTED} largest of {len(model.coef):,}" if len(each) < len(model.coef) else f"all {len(each)}"
    largest = tag("details", tag("summary", f"coefficients, the largest first: {more}"), tag("table", each))
    return tag("div", tag("strong", head), tag("table", rows), largest)


def _head(kind: str, record: Mapping[str, Any], lines: dict[str, str]) -> str:
    config = record.get("config") or {}
    what = f"the model {config['model']}" if config.get("model") else f"{config.get('loss', 'squared')} loss"
    return f"{kind}, {what}: {lines.pop('ended', UNRECORDED)}"


def _fitted(record: Mapping[str, Any], model: Coefficients) -> dict[str, str]:
    """Of a model without a record there is less to say, and of one of an earlier version."""
    config = record.get("config") or {}
    share, explained = verdict.explained(record)
    lines = {
        "data": f"{record['rows']:,} rows, {record['features']:,} features" if "rows" in record else None,
        "mode": f"{record['mode']} ({record['algorithm']}), {verdict.ranks(record)}" if "algorithm" in record else None,
        "graph": verdict.graph(record),
        "solver": verdict.solver(record),
        "ended": _ended(record) if "rounds" in record else None,
        "consensus": verdict.consensus(record),
        "certificate": verdict.certificate(record),
        "condition": verdict.condition(record),
        "objective": _objective(record) if "objective" in record else None,
        share: explained if "r2" in record else None,
        "classes": _classes(record["words"], len(model.outputs)) if record.get("words") else None,
        "coefficients": _coefficients(model),
        "intercept": model.intercepts(9) if config.get("intercept", True) else "none was asked for",
        "weights": f"sha256 {record['weights_sha256']}" if "weights_sha256" in record else None,
    }
    return {name: text for name, text in lines.items() if text is not None}


def _classes(words: Sequence[object], outputs: int) -> str:
    """By their words; of two which one a larger linear predictor speaks for."""
    told = [printable(word) for word in words]
    return listed(told) + f": above 0 is {told[1]}" * (outputs == 1)


def _objective(record: Mapping[str, Any]) -> str:
    if record["objective"] is None:
        return "not a finite number"
    return f"{record['objective']:.12g}   gradient norm {record['gradient_norm']:.3g}"


def line(name: str, text: str) -> str:
    """A line of the table, folded where it is too long."""
    width = WIDTH - 13
    folded = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) if len(text) > width else [text]
    return f"{name:<13}" + f"\n{'':13}".join(folded)


def saved(out: str, checkpoint: str, trace: bool) -> str:
    """What there is of the fit when the program has ended."""
    if not out and checkpoint:
        return f"nothing but the checkpoint, as no --out was given: --resume {checkpoint} --out DIR keeps the coefficients"
    if not out:
        return "nothing, as no --out was given: fit again with --out DIR to keep the coefficients and the run's record"
    names = ["model.h5", "history.csv", *(["trace.json"] if trace else []), "run.json"]
    return f"{', '.join(names[:-1])} and {names[-1]} in {output.readable(out)}"


def _coefficients(model: Coefficients) -> str:
    """With their names, or x and their numbers from 0; of many the largest, in the order of the columns."""
    order = sorted(model.largest()[:LARGEST])
    names = [name if len(name) <= NAME else f"{name[:NAME]}..." for name in map(model.name, order)]
    told = [f"{name} {model.coef[place]:.6g}" for name, place in zip(names, order, strict=True)]
    head = f"the {LARGEST} largest of {len(model.coef):,}: " if len(order) < len(model.coef) else ""
    return head + ", ".join(told)


def _every(model: Coefficients) -> str:
    """All of them under each other, with as many digits as the intercept."""
    names = [model.name(place) for place in range(len(model.coef))]
    width = max(map(len, names))
    rows = (f"  {name:<{width}}  {value:.9g}" for name, value in zip(names, model.coef, strict=True))
    return "\n".join([line("coefficients", f"all {len(names):,}"), *rows])


def _ended(record: Mapping[str, Any]) -> str:
    text = f"{record['status']} after {count(record['rounds'], 'round')}"
    digits, tol = record.get("digits", 0.0), record["config"].get("tol")
    if record["status"] == "precision reached":
        return f"{text}: the gradient is at its own rounding error, which leaves {math.floor(digits)} digits of it"
    by_norm = (record.get("certificate") or {}).get("kind") == "gradient norm"  # else the gradient fell as far as it had to
    if record["status"] == "converged" and by_norm and 0 < digits < -math.log10(tol or 1) - 0.5:
        return f"{text}, but rounding leaves {math.floor(digits)} digits of the gradient"
    return text


def _by_rank(ranks: Sequence[Mapping[str, Any]]) -> str:
    """Of each rank what it computed in a round, and how long the others waited for it in all; of many, those waited for most."""
    shown = sorted(sorted(ranks, key=lambda one: -one["waited_for"])[:SHOWN], key=lambda one: one["rank"])
    told = [f"{one['rank']} {_seconds(one['compute'])} ({_seconds(one['waited_for'])})" for one in shown]
    return f"compute (waited for): {', '.join(told)}"


def _seconds(value: float) -> str:
    return f"{value * 1e6:.0f} us" if value < 1e-3 else f"{value * 1e3:.2f} ms" if value < 1 else f"{value:.2f} s"


def holdings(mode: str, ranks: list[tuple[int, int]]) -> str:
    """What each rank would hold: (rows, bytes), rank 0 first."""
    lines = [f"  rank {rank}: {rows:,} rows, {size / 2**20:.1f} MiB" for rank, (rows, size) in enumerate(ranks)]
    return "\n".join([f"{mode}, {count(len(ranks), 'rank')}:", *lines])
