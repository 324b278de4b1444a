"""The figures of benchmarks/lecture.py as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mpi_pgd.study.pieces import SHAPES

Record = Mapping[str, Any]
GOAL, FROM = 0.15, 100_000  # of the error, for messages of so many bytes
THEORY = {  # of what a library may do, one: trees behind a server, halving among peers
    ("client-server", "library"): "tree; tree",
    ("peer-to-peer", "library"): "recursive-doubling or rabenseifner",
}
PARTS = ("compute", "wait", "wire", "update")


def document(record: Record) -> str:
    """All of it."""
    first, second, third, fourth = record["claims"]
    parts = [
        _head(record),
        _messages(record, first),
        _errors(record, second),
        _slowest(record, third),
        _speedup(record, fourth),
    ]
    return "\n\n".join(line for part in parts for line in part if line)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def ms(seconds: float | None) -> str:
    """Milliseconds with three digits or so."""
    if seconds is None:
        return "-"
    value = 1e3 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def percent(ratio: float) -> str:
    return f"{100 * ratio:+.1f} %"


def size(count: int) -> str:
    return f"{count / 1e6:g} MB" if count >= 1e6 else f"{count / 1e3:g} KB"


def _head(record: Record) -> list[str]:
    link, machine, versions = record["link"], record["machine"], record["versions"]
    return [
        "# The lecture's claims on a cluster of shaped hosts",
        f"Hosts are network namespaces of one machine ({machine['cores']} cores, {machine['processor']}, {machine['system']}), "
        f"one rank each, joined by links of {1e3 * link['delay']:g} ms one way and {link['bandwidth'] / 1e6:g} Mbit/s in each "
        f"direction; {versions['mpi']}, mpi_pgd {versions['mpi_pgd']}, Python {versions['python']}. Load at the end: "
        f"{record['load']:.1f}.",
        "*Measured* unless it says otherwise. *Theory*: a formula with the link's nominal numbers, "
        f"a = {1e3 * link['delay']:g} ms a message, b = {1e9 * link['seconds_per_byte']:.1f} ns a byte (with what Ethernet, IP and "
        "TCP add). *Predicted*: by the program's cost model, fitted to measured messages. *Simulated*: by SimGrid, the same "
        "schedules on the nominal links. *Emulated*: measured with a map that sleeps, so that hosts that share cores compute as if "
        "each had its own; they still share them while they wait for messages, which shows as wait.",
        "" if record["simgrid"] else "Simulations were skipped: /usr/bin/python3 has no SimGrid (Debian: python3-simgrid).",
    ]


# 1


def _messages(record: Record, claim: Record) -> list[str]:
    rows = claim["rows"]
    found = ["## 1. A linear server's cost grows with m, a ring's does not"]
    for count in sorted({row["bytes"] for row in rows}):
        found += [f"**{size(count)}**, ms: measured / theory / simulated", _one_size(record["link"], claim, count)]
    found += [_growth(rows), *_held(claim), *_many(claim)]
    return found


def _one_size(link: Record, claim: Record, count: int) -> str:
    here = {(row["mode"], row["algorithm"], row["ranks"]): row["seconds"] for row in claim["rows"] if row["bytes"] == count}
    there = {(row["algorithm"], row["ranks"]): row["seconds"] for row in claim["simulated"] if row["bytes"] == count}
    hosts = sorted({ranks for *_, ranks in here})
    lines = []
    for way in dict.fromkeys(key[:2] for key in here):
        cells = [f"{ms(here.get((*way, m)))} / {ms(theory(link, *way, m, count))} / {ms(there.get((way[1], m)))}" for m in hosts]
        lines.append([" ".join(way), *cells])
    return table(["mode, algorithm", *(f"{m} hosts" for m in hosts)], lines)


def theory(link: Record, mode: str, algorithm: str, ranks: int, count: int) -> float:
    """Latency and complexity / bandwidth, with the link's nominal numbers."""
    shape = next(shape for shape in SHAPES[mode, algorithm] if shape.name == THEORY.get((mode, algorithm), shape.name))
    path = shape(ranks, count, count)
    return float(link["delay"] * path.latencies + link["seconds_per_byte"] * path.bytes)


def _growth(rows: Sequence[Record]) -> str:
    largest, hosts = max(row["bytes"] for row in rows), sorted({row["ranks"] for row in rows})
    few, many = hosts[0], hosts[-1]

    def times(mode: str, algorithm: str) -> float:
        seconds = {row["ranks"]: row["seconds"] for row in rows if _is(row, mode, algorithm) and row["bytes"] == largest}
        return float(seconds[many] / seconds[few])

    return (
        f"From {few} to {many} hosts the linear server's {size(largest)} take {times('client-server', 'linear'):.1f} times as long "
        f"(theory: {(many - 1) / (few - 1):g}), the ring's {times('peer-to-peer', 'ring'):.1f} times (theory, bytes alone: "
        f"{(1 - 1 / many) / (1 - 1 / few):.2f})."
    )


def _is(row: Record, mode: str, algorithm: str) -> bool:
    return bool(row["mode"] == mode and row["algorithm"] == algorithm)


def _held(claim: Record) -> list[str]:
    """The simulation against what was measured."""
    measured = {
        (row["algorithm"], row["ranks"], row["bytes"]): row["seconds"] for row in claim["rows"] if row["algorithm"] != "library"
    }
    errors: dict[tuple[str, int], dict[int, float]] = {}
    for row in claim["simulated"]:
        key = (row["algorithm"], row["ranks"], row["bytes"])
        if key in measured:
            errors.setdefault((key[0], key[2]), {})[key[1]] = row["seconds"] / measured[key] - 1
    if not errors:
        return []
    hosts = sorted({m for some in errors.values() for m in some})
    lines = [[name, size(count), *(percent(some[m]) for m in hosts)] for (name, count), some in errors.items()]
    return ["Simulated / measured - 1:", table(["algorithm", "message", *(f"{m} hosts" for m in hosts)], lines)]


def _many(claim: Record) -> list[str]:
    most = max((row["ranks"] for row in claim["rows"]), default=0)
    seconds = {(row["algorithm"], row["bytes"], row["ranks"]): row["seconds"] for row in claim["simulated"] if row["ranks"] > most}
    if not seconds:
        return []
    hosts = sorted({m for *_, m in seconds})
    ways = dict.fromkeys(key[:2] for key in seconds)
    lines = [[name, size(count), *(ms(seconds[name, count, m]) for m in hosts)] for name, count in ways]
    return ["More hosts, **simulated**, ms:", table(["algorithm", "message", *(f"{m:,} hosts" for m in hosts)], lines)]


# 2


def _errors(record: Record, claim: Record) -> list[str]:
    few = record["fitted_hosts"]
    rounds = sorted(claim["rows"], key=lambda row: (row["mode"], row["algorithm"], row["features"], row["ranks"]))
    lines = [_round(row) for row in rounds]
    heads = ["mode, algorithm", "partial", "hosts", "measured, ms", "quartiles", "predicted, ms", "error"]
    errors = [row["predicted_seconds"] / row["seconds"] - 1 for row in claim["messages"]]
    sums = [
        [" ".join(_way(row)), size(row["bytes"]), row["ranks"], ms(row["seconds"]), ms(row["predicted_seconds"]), percent(error)]
        for row, error in zip(claim["messages"], errors, strict=True)
    ]
    return [
        "## 2. Complexity / bandwidth + latency, fitted on few hosts, predicts other hosts and sizes",
        f"`mpi_pgd network` measured 2 to {few} hosts, and fitted:",
        table(["mode, algorithm", "form", "alpha, ms", "overhead, ms", "beta, ns/byte", "rms residual"], map(_fit, claim["fits"])),
        f"**Rounds of the program** (`mpi_pgd compare`) on other hosts and sizes than the model saw; rounds of {few} hosts or "
        "fewer have other sizes. A partial goes in, a query of half its bytes comes out or is made by each peer:",
        table(heads, lines),
        _summary([_error(row) for row in rounds], "rounds"),
        f"**Collectives** of claim 1 on {max((row['ranks'] for row in claim['messages']), default=0)} hosts, by the same model:",
        table(["mode, algorithm", "message", "hosts", "measured, ms", "predicted, ms", "error"], sums),
        _summary(errors, "collectives"),
    ]


def _way(row: Record) -> tuple[str, str]:
    return row["mode"] or "", row["algorithm"]


def _fit(fit: Record) -> list[str]:
    numbers = f"{1e3 * fit['alpha']:.2f}", f"{1e3 * fit['overhead']:.2f}", f"{1e9 * fit['beta']:.1f}"
    return [" ".join(_way(fit)).strip(), fit["form"], *numbers, f"{fit['rms_residual']:.1%}"]


def _round(row: Record) -> list[object]:
    partial = 16 * (row["features"] + 2) + 48
    seconds, guess = row["seconds_per_round"], row["predicted_seconds_per_round"]
    spread = f"{ms(row['low'])} - {ms(row['high'])}"
    return [" ".join(_way(row)), f"{partial / 1e3:.0f} KB", row["ranks"], ms(seconds), spread, ms(guess), percent(_error(row))]


def _error(row: Record) -> float:
    return float(row["predicted_seconds_per_round"] / row["seconds_per_round"] - 1)


def _summary(errors: Sequence[float], what: str) -> str:
    if not errors:
        return ""
    sizes = sorted(map(abs, errors))
    good = sum(error <= GOAL for error in sizes)
    return (
        f"{good} of {len(sizes)} {what} are predicted within {GOAL:.0%}; median error {sizes[len(sizes) // 2]:.1%}, "
        f"largest {sizes[-1]:.1%}."
    )


# 3


def _slowest(record: Record, claim: Record) -> list[str]:
    delays = record["delays"]
    found = ["## 3. A round takes as long as its slowest worker"]
    for mode, costs in claim["runs"].items():
        found += [f"{mode}, `--delay {delays['rank']}:{delays['factor']}`, mean of {costs['rounds']} rounds, ms:", _ranks(costs)]
        found += [_whole(costs), f"The run says: {costs['sentence']}." if costs["sentence"] else ""]
    keys = ("measured_maximum", "drawn", "theory")
    lines = [
        [row["workers"], *(ms(row[key]) for key in keys), *(percent(row[keys[0]] / row[key] - 1) for key in keys[1:])]
        for row in claim["stragglers"]
    ]
    rounds = claim["stragglers"][0]["rounds"]
    return [
        *found,
        f"Exponential delays with a mean of {1e3 * delays['mean']:g} ms, {rounds} rounds (`study straggler`); the slowest "
        "worker's, ms. *Drawn*: the mean over these rounds of the largest number that was drawn for any worker.",
        table(["workers", "measured", "drawn", "theory H_m x mean", "measured / drawn - 1", "measured / theory - 1"], lines),
    ]


def _ranks(costs: Record) -> str:
    lines = [
        [f"{one['rank']} ({one['node']})", *(ms(one[part]) for part in PARTS), ms(one["compute"] + one["wait"])]
        for one in costs["ranks"]
    ]
    return table(["rank", *PARTS, "compute + wait"], lines)


def _whole(costs: Record) -> str:
    ranks = costs["ranks"]
    whole = sum(sum(one[part] for part in (*PARTS, "input")) for one in ranks) / len(ranks)
    rest = whole - sum(one["wire"] + one["update"] for one in ranks) / len(ranks)
    slow = max(one["compute"] for one in ranks)
    return (
        f"A round takes {ms(whole)} ms; without wire and update {ms(rest)} ms. The slowest rank computes {ms(slow)} ms: "
        f"{percent(slow / rest - 1)}."
    )


# 4


def _speedup(record: Record, claim: Record) -> list[str]:
    return [
        "## 4. The speedup ratio over m, with and without communication",
        f"**Real map** (`mpi_pgd scaling`): the hosts share {record['machine']['cores']} cores, so the map itself does not get "
        "faster beyond as many workers.",
        _curve([row for row in claim["real"] if row["scaling"] == "strong"], {}),
        f"**Emulated map**: it sleeps {claim['work_seconds']:g} s / workers; messages, topologies and clocks are real. The partial "
        "has 160 KB.",
        _curve(claim["emulated"], {(row["algorithm"], row["ranks"]): row["seconds_per_round"] for row in claim["simulated"]}),
        *_far(claim),
    ]


def _curve(rows: Sequence[Record], simulated: Mapping[tuple[str, int], float]) -> str:
    alone = next(row["seconds_per_round"] for row in rows if row["ranks"] == 1)
    heads = ["mode, algorithm", "hosts", "workers", "round, ms", "compute", "wait", "wire", "T1/Tm", "T1/(Tm - wire)"]
    lines = []
    for row in rows:
        seconds = row["seconds_per_round"]
        line = [" ".join(_way(row)), row["ranks"], row["workers"], *(ms(x) for x in (seconds, *(row[part] for part in PARTS[:3])))]
        line += [f"{alone / seconds:.2f}", f"{alone / (seconds - row['wire']):.2f}"]
        guess = simulated.get((row["algorithm"], row["ranks"]))
        lines.append(line + ([ms(guess), percent(guess / seconds - 1)] if guess else ["-", "-"] if simulated else []))
    return table([*heads, "simulated round", "simulated / measured - 1"] if simulated else heads, lines)


def _far(claim: Record) -> list[str]:
    most = max(row["ranks"] for row in claim["emulated"])
    speedups = {
        (row["algorithm"], row["ranks"]): claim["work_seconds"] / row["seconds_per_round"]
        for row in claim["simulated"]
        if row["ranks"] >= most
    }
    if not speedups:
        return []
    hosts = sorted({m for _, m in speedups})
    lines = [[name, *(f"{speedups[name, m]:.2f}" for m in hosts)] for name in dict.fromkeys(name for name, _ in speedups)]
    lines.append(["without communication", *map(str, hosts)])
    return ["More hosts, T1/Tm, **simulated**:", table(["algorithm", *(f"{m:,} hosts" for m in hosts)], lines)]
