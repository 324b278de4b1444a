"""Sample records, made by the formulas that real ones follow, so that a report can be made and looked at without MPI."""

import copy
import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpi_pgd.modes import WAYS
from mpi_pgd.report.pop import NAMES
from mpi_pgd.study.diagram.simulate import diagram as simulated

PARTS = ("compute", "wait", "wire", "update", "input")
SERIES = (
    ("client-server", "library"),
    ("client-server", "linear"),
    ("peer-to-peer", "library"),
    ("peer-to-peer", "ring"),
    ("peer-to-peer", "recursive-doubling"),
    ("peer-to-peer", "rabenseifner"),
)
SHA = "ed5b44e8267c0337a0bd0fadc3962c620ac06588e66da91e7a28e5b054d85554"
MACHINE = {
    "hosts": {"node1": 4, "node2": 4},
    "cores": 4,
    "processor": "AMD EPYC 7B13",
    "memory_bytes": 25.2e9,
    "system": "Linux 6.1.0 x86_64",
}
VERSIONS = {
    "mpi_pgd": "0.2.0",
    "python": "3.11.7",
    "numpy": "2.4.6",
    "h5py": "3.16.0",
    "hdf5": "2.0.0",
    "mpi4py": "4.1.2",
    "mpi": "MPICH 5.0.2",
    "blas": "openblas 0.3.31.188.0 Haswell",
}
ALPHA, BETA, COMPUTE = 28e-6, 9e-10, 21e-3

_ALONE = {"seconds_per_round": COMPUTE + 4e-5, "low": COMPUTE, "high": COMPUTE * 1.05, "compute": COMPUTE, "update": 4e-5}
_THREADS = {
    "seconds_per_round": COMPUTE / 2.9,
    "low": COMPUTE / 3.0,
    "high": COMPUTE / 2.6,
    "compute": COMPUTE / 2.9,
    "update": 0.0,
}
BASELINES: list[dict[str, Any]] = [
    {"name": "one rank", "threads": 1, "wait": 0.0, "wire": 0.0, "input": 0.0, **_ALONE},
    {"name": "one rank, all threads", "threads": 4, "wait": 0.0, "wire": 0.0, "input": 0.0, **_THREADS},
    {"name": "closed form", "threads": 4, "seconds": 0.84},
]


def folder(path: Path, **files: Any) -> Path:
    """A folder with these records: name=record makes name.json; history=columns makes history.csv."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if name == "history":
            lines = [",".join(content), *(",".join(map(repr, row)) for row in zip(*content.values(), strict=True))]
            (path / "history.csv").write_text("\n".join(lines) + "\n")
        else:
            (path / f"{name}.json").write_text(json.dumps(content))
    return path


def everything(ranks: int = 8) -> dict[str, Any]:
    """All records that a folder can hold, of a world of so many ranks."""
    most = [m for m in (1, 2, 4, 8, 16, 32, 64) if m <= ranks]
    return {
        "run": run(ranks),
        "history": history(),
        "trace": {"traceEvents": [{"name": "round"}] * 120},
        "compare": compare(ranks),
        "scaling": scaling(most),
        "straggler": straggler(most),
        "solvers": solvers(ranks),
        "topology": topology(ranks),
        "cache": cache(ranks),
        "network": network(ranks),
        "plan": plan(),
        "diagram": diagram(ranks),
        "evaluate": study("evaluate", [evaluated_numbers(), evaluated_classes()], model={"path": "m", "loss": "squared"}),
        "doctor": doctor(),
    }


def study(name: str, rows: Sequence[Any], ranks: int = 8, **more: Any) -> dict[str, Any]:
    """What all study files have."""
    machine = copy.deepcopy(MACHINE)
    command = f"mpirun -n {ranks} python -m mpi_pgd {name} data/diamonds.h5 --out results/{name}-of-a-rather-long-name"
    return {"study": name, "format": 1, "rows": list(rows), "machine": machine, "command": command, "versions": VERSIONS, **more}


def run(ranks: int = 8) -> dict[str, Any]:
    """A run in client-server mode with one slow rank."""
    dice = random.Random(1)
    slow = ranks - 1
    computes = [
        0.0 if rank == 0 < ranks - 1 else 2.6e-3 * (1.8 if rank == slow else 1 + 0.05 * dice.random()) for rank in range(ranks)
    ]
    parts = [_split(compute, max(computes)) for compute in computes]
    seconds = max(map(_whole, parts))
    return {
        "status": "converged",
        "mode": "client-server",
        "algorithm": "library",
        "ranks": ranks,
        "workers": max(ranks - 1, 1),
        "rows": 1_000_000,
        "features": 200,
        "rounds": 489,
        "objective": 0.015407063891865474,
        "gradient_norm": 7.958932205094434e-12,
        "digits": 12.1,
        "solver": "nesterov",
        "solver_reason": "a step was given",
        "certificate": {"kind": "duality gap", "gap": 2e-14, "relative": 3.4e-13},
        "weights_sha256": SHA,
        "seconds": {"total": 4.04, "load": 0.445, "solve": 3.54},
        "seconds_per_round": seconds,
        "per_round": parts[-1],
        "bytes_per_round": 3_280,
        "versions": VERSIONS,
        "hosts": {"node1": 4, "node2": 4},
        "machine": copy.deepcopy(MACHINE),
        "command": f"mpirun -n {ranks} python -m mpi_pgd data/diamonds.h5 --out results/run --trace",
        "config": {"solver": "nesterov", "data": ["data/diamonds.h5"]},
        "costs": _costs(parts, ranks, slow, seconds),
    }


def _costs(parts: Sequence[dict[str, float]], ranks: int, slow: int, seconds: float) -> dict[str, Any]:
    each = [
        {
            "rank": rank,
            "node": f"node{1 + rank * 2 // ranks}",
            **parts[rank],
            "slowest_rounds": 470 if rank == slow else 19 if rank == 1 else 0,
            "waited_for": 7.1 if rank == slow else 0.02 if rank == 1 else 0.0,
            "slowdown": None if rank == 0 < ranks - 1 else parts[rank]["compute"] / 2.65e-3,
        }
        for rank in range(ranks)
    ]
    shown = [
        {"round": turn, "rank": rank, "start": place * seconds + rank * 4e-6, **parts[rank]}
        for place, turn in enumerate((487, 488, 489))
        for rank in range(min(ranks, 16))
    ]
    edges = [1 + 0.1 * place for place in range(15)]
    return {
        "rounds": 489,
        "ranks": each,
        "sentence": f"rank {slow} on node node2 was 1.8 times slower than the median in 96 % of the rounds" if ranks > 2 else "",
        "slowdowns": {"edges": edges, "counts": [12, 4, 2, 1, 0, 3, 31, 290, 120, 20, 4, 0, 1, 1] if ranks > 2 else [0] * 14},
        "timeline": shown,
        "clock_drift": 3.1e-6,
    }


def _split(compute: float, slowest: float) -> dict[str, float]:
    return {"compute": compute, "wait": slowest - compute, "wire": 0.62e-3, "update": 3.1e-5, "input": 1.2e-4 if compute else 0.0}


def _whole(parts: dict[str, float]) -> float:
    return sum(parts[name] for name in PARTS)


def history(rounds: int = 489) -> dict[str, list[float]]:
    """Linear convergence with ripples, as Nesterov's method has them."""
    dice, turns = random.Random(2), range(1, rounds + 1)
    fall = [10 ** (-12.0 * turn / rounds) * (1 + 0.8 * dice.random()) for turn in turns]
    return {
        "round": list(turns),
        "objective": [0.0154 + 18 * value**1.2 for value in fall],
        "gradient_norm": [6 * value for value in fall],
        "seconds": [0.5 + turn * 7e-3 for turn in turns],
    }


def model(mode: str, algorithm: str, m: int, rows: float = 1.0) -> dict[str, float]:
    """A round's parts, by the textbook."""
    size, log = 3280.0 * 40, max(m - 1, 0).bit_length()
    steps, words = {
        "library": (2 * log, 2 * log * size),
        "linear": (2 * m, 2 * m * size),
        "ring": (2 * (m - 1), 2 * size * (m - 1) / m),
        "recursive-doubling": (log, log * size),
        "rabenseifner": (2 * log, 2 * size * (m - 1) / m),
    }.get(algorithm, (1, 2 * size))
    latency, bandwidth = (0.0, 0.0) if m == 1 else (steps * ALPHA, words * BETA)
    wait = 4e-4 * (m - 1) ** 0.5
    return {"compute": COMPUTE * rows / m, "wait": wait, "latency": latency, "bandwidth": bandwidth, "update": 4e-5}


def _row(mode: str, algorithm: str, ranks: int, rows: float = 1.0) -> dict[str, Any]:
    m = max(ranks - 1, 1) if mode == "client-server" else ranks
    dice = random.Random(f"{mode} {algorithm} {ranks} {rows}")
    ideal = model(mode, algorithm, m, rows)
    noise = 1 + 0.12 * (dice.random() - 0.4)
    parts = {
        "compute": ideal["compute"] * noise,
        "wait": ideal["wait"] * noise,
        "wire": (ideal["latency"] + ideal["bandwidth"]) * noise,
        "update": 4e-5,
        "input": 0.0,
    }
    seconds = _whole(parts)
    speedup = (COMPUTE + 4e-5) / seconds if rows == 1 else (COMPUTE * m + 4e-5) / seconds
    return {
        "mode": mode,
        "algorithm": algorithm,
        "ranks": ranks,
        "workers": m,
        "seconds_per_round": seconds,
        "low": seconds * 0.96,
        "high": seconds * 1.07,
        **parts,
        "bytes_per_round": 3280 * 40 * m,
        **_efficiencies(parts, ranks, m),
        "server_share": 0.031 if mode == "client-server" else None,
        "speedup": speedup,
        "speedup_low": speedup / 1.07,
        "speedup_high": speedup * 1.05 / 0.96,
        "efficiency": speedup / ranks,
        "efficiency_workers": speedup / m,
        "predicted_seconds_per_round": sum(ideal.values()),
        "weights_sha256": SHA if rows == 1 else f"{int(rows):064x}",
    }


def _efficiencies(parts: dict[str, float], ranks: int, workers: int) -> dict[str, float]:
    """As if all workers were alike and the one that updates did nothing else."""
    whole = _whole(parts)
    balance, serial, transfer = workers / ranks, parts["compute"] / (whole - parts["wire"]), 1 - parts["wire"] / whole
    found = (balance * serial * transfer, balance, serial * transfer, serial, transfer)
    return {f"{name}_efficiency": value for name, value in zip(NAMES, found, strict=True)}


def compare(ranks: int = 8) -> dict[str, Any]:
    """All modes and algorithms at one number of ranks."""
    rows = [_row(mode, algorithm, ranks) for mode, algorithm in SERIES]
    verdict = (
        "Peer-to-peer with the library's Allreduce wins: 1.31 times as fast as the best client-server, "
        "whose server keeps 7 workers waiting while the weights travel."
    )
    more = {
        "data": {"rows": 1_000_000, "features": 200, "blocks": 1024},
        "rounds": 200,
        "repeats": 5,
        "baseline": BASELINES[0],
        "baselines": BASELINES[:2],
        "verdict": verdict,
        "winner": {"mode": "peer-to-peer", "algorithm": "library"},
    }
    return study("compare", rows, ranks, **more)


def scaling(most: Sequence[int], series: Sequence[tuple[str, str]] = (SERIES[0], SERIES[2])) -> dict[str, Any]:
    """Strong and weak, the first m ranks of a world."""
    rows = []
    for kind in ("strong", "weak"):
        for mode, algorithm in series:
            for ranks in most:
                row = _row(mode, algorithm, ranks, 1.0 if kind == "strong" else float(max(ranks - (mode == "client-server"), 1)))
                m, s = row["workers"], row["speedup"]
                flatt = None if m == 1 or s < 1 else (1 / s - 1 / m) / (1 - 1 / m)
                rows.append({**row, "scaling": kind, "rows": 1_000_000 * (1 if kind == "strong" else m), "karp_flatt": flatt})
    findings = [
        "the best number of ranks for this problem is 8: peer-to-peer (library), 4.62 ms a round, speedup 4.55",
        "memory bandwidth, not the network, limits the speedup beyond 4 ranks a node",
        "8 ranks on 4 cores: ranks outnumber cores",
    ]
    best = {key: rows[2 * len(most) - 1][key] for key in ("mode", "algorithm", "ranks", "speedup")}
    return study("scaling", rows, most[-1], baselines=BASELINES, best=best, findings=findings)


def straggler(most: Sequence[int]) -> dict[str, Any]:
    """The mean of the maximum of exponential delays."""
    rows = []
    for m in most:
        theory = 5e-3 * sum(1 / k for k in range(1, m + 1))
        measured = theory * (1 + 0.04 * (-1) ** m.bit_length())
        rows.append(
            {
                "workers": m,
                "mean": 5e-3,
                "rounds": 400,
                "measured_maximum": measured,
                "drawn": measured * 0.985,
                "theory": theory,
                "theory_low": theory * 0.94,
                "theory_high": theory * 1.06,
                "seconds_per_round": measured + 3e-3,
            }
        )
    return study("straggler", rows, most[-1])


def cache(ranks: int = 8) -> dict[str, Any]:
    """From the page cache memory pays soon, from the disk at once."""
    rows = []
    for source, waited in (("page cache", 4e-3), ("disk", 0.2)):
        for kept, there in (("memory", 1.0), ("some", 0.25), ("none", 0.0)):
            parts = {"compute": 8e-3, "wait": 4e-4, "wire": 3e-4, "update": 2e-4, "input": waited * (1 - there)}
            row: dict[str, Any] = {"kept": kept, "source": source, **parts, "rounds": 20}
            row |= {"memory_bytes": int(1_600_000_000 * there), "streamed_bytes": int(1_600_000_000 * (1 - there))}
            row |= {"seconds_per_round": sum(parts.values()), "load_seconds": 0.9 + 20 * waited + 0.02 * there}
            if there < 1:
                row |= {"predicted_seconds_per_round": row["seconds_per_round"] * 0.93, "pays": 5, "predicted_pays": 6}
                row["disk_share"] = float(source == "disk")
            rows.append(row)
    return study("cache", rows, ranks)


def solvers(ranks: int = 8) -> dict[str, Any]:
    """One that falls by two powers of ten a round, one that never gets there, and one that does not take the problem."""
    first, best, rows = 0.75, 0.25, []
    for name, pace, rounds, ended in (("lbfgs", 2.0, 9, "converged"), ("gd", 0.004, 1000, "rounds exhausted")):
        above = [0.0 if pace * turn > 15 else 10.0 ** (-pace * turn) for turn in range(rounds + 1)]
        curve = {
            "round": [*range(rounds + 1)],
            "seconds": [0.01 * (1 + turn) for turn in range(rounds + 1)],
            "objective": [best + (first - best) * part for part in above],
        }
        row = {
            "solver": name,
            "form": "w <- w - a H g, with what is known of H.",
            "status": ended,
            "rounds": rounds,
            "curve": curve,
        }
        row |= dict.fromkeys(("seconds", "low", "high"), curve["seconds"][-1])
        row |= {"objective": curve["objective"][-1], "relative": above[-1], "certificate": "duality gap", "gap": above[-1]}
        for level in ("1e-3", "1e-6", "1e-9"):
            there = next((turn for turn, part in enumerate(above) if part <= float(level)), None)
            row |= {f"rounds_to_{level}": there, f"seconds_to_{level}": None if there is None else curve["seconds"][there]}
        rows.append(row)
    rows[0] |= {"chosen_by": "auto", "reason": "in the metric of a sample's Hessian"}
    more = {"first": first, "best": best, "seconds": 10.0, "repeats": 1, "loss": "logistic"}
    notes = ["--solver momentum takes smooth objectives alone, but --l1 was given: expected --solver auto"]
    return study("solvers", rows, ranks, rounds=1000, notes=notes, **more)


def topology(ranks: int = 8) -> dict[str, Any]:
    """A sum over all rows, peers with neighbours, and such that end at a bias; without and with a slow worker."""
    first, best, rows = 0.75, 0.25, []
    ways = (("peer-to-peer", "library", "gd", 0.0), ("gossip", "ring", "exact-diffusion", 0.0), ("gossip", "ring", "gd", 2e-5))
    for delay, (mode, algorithm, solver, bias) in itertools.product(("", "1:3"), ways):
        above = [max(bias, 10.0 ** (-0.05 * turn)) for turn in range(201)]
        curve = {
            "round": [*range(201)],
            "seconds": [0.001 * (3 if delay else 1) * (1 + turn) for turn in range(201)],
            "objective": [best + (first - best) * part for part in above],
        }
        row = {"mode": mode, "algorithm": algorithm, "solver": solver, "delay": delay, "status": "converged", "rounds": 200}
        row |= {"curve": curve, "objective": curve["objective"][-1], "relative": above[-1], "bias": bias or None}
        row |= dict.fromkeys(("seconds", "low", "high"), curve["seconds"][-1]) | {"bytes_per_round": 6400, "bytes_of_busiest": 800}
        if mode == "gossip":
            row |= {"neighbours": 2, "diameter": ranks // 2, "gap": 0.195, "consensus": 1e-2 if bias else 1e-15}
        for level in ("1e-2", "1e-4", "1e-6"):
            there = next((turn for turn, part in enumerate(above) if part <= float(level)), None)
            row |= {f"rounds_to_{level}": there, f"seconds_to_{level}": None if there is None else curve["seconds"][there]}
            row[f"bytes_to_{level}"] = None if there is None else (there + 1) * 6400
        rows.append(row)
    more = {"first": first, "best": best, "seconds": 10.0, "repeats": 1, "rounds": 10_000, "loss": "logistic"}
    notes = ["gossip (complete) is left out: with so many ranks it is the ring"]
    return study("topology", rows, ranks, notes=notes, **more) | {"ranks": ranks}


def network(ranks: int = 8) -> dict[str, Any]:
    """Ping-pongs on both links and each collective, 8 B to 64 MB."""
    dice, rows, fits = random.Random(3), [], []
    links = {"node": (0.9e-6, 1.1e-10), "network": (ALPHA, BETA)}
    for link, (alpha, beta) in links.items():
        for mode, algorithm in ((None, "ping-pong"), *SERIES):
            steps = 1 if mode is None else {"linear": 2 * ranks, "ring": 2 * (ranks - 1)}.get(algorithm, 2 * ranks.bit_length())
            words = 1.0 if mode is None else {"linear": 2.0 * ranks, "ring": 1.8, "rabenseifner": 1.9}.get(algorithm, 5.0)
            a, b = alpha * steps, beta * words
            for place in range(0, 24, 1 if mode is None else 2):
                size, slip = 8 * 2**place, 1 + 0.16 * (dice.random() - 0.5)
                seconds, fitted = (a + b * size) * slip, a + b * size
                rows.append(
                    {
                        "kind": "collective" if mode else "ping-pong",
                        "link": link,
                        "mode": mode,
                        "algorithm": algorithm,
                        "ranks": ranks if mode else 2,
                        "bytes": size,
                        "seconds": seconds,
                        "low": seconds * 0.95,
                        "high": seconds * 1.09,
                        "fitted_seconds": fitted,
                        "residual": fitted / seconds - 1,
                    }
                )
            known = {
                "alpha": a,
                "alpha_low": a * 0.94,
                "alpha_high": a * 1.05,
                "beta": b,
                "beta_low": b * 0.97,
                "beta_high": b * 1.04,
            }
            fits.append({"link": link, "mode": mode, "algorithm": algorithm, **known, "rms_residual": 0.046, "points": 24})
    compute = {"bytes_per_second": 3.6e10, "together": {"ranks": 4, "bytes_per_second": 1.3e10}, "jitter_seconds": 4.4e-5}
    return study("network", rows, ranks, fits=fits, compute=compute)


def plan(most: int = 4096) -> dict[str, Any]:
    """A row for each way to go round and power of two and a half: with more lines than any other picture has."""
    places = sorted({round(2 ** (step / 2)) for step in range(25) if 2 ** (step / 2) <= most})
    rows: list[dict[str, Any]] = []
    for mode, algorithm in WAYS:
        for m in places:
            parts = model(mode, algorithm, m)
            seconds = sum(parts.values())
            ranks = m + (mode == "client-server")
            hours = {"fit_seconds": seconds * 1000, "core_hours": seconds * 1000 * ranks / 3600}
            row = {"mode": mode, "algorithm": algorithm, "ranks": ranks, "workers": m, "seconds_per_round": seconds}
            row["efficiency"] = COMPUTE / seconds / ranks
            rows.append({**row, **parts, **hours})
    best = min(rows, key=lambda row: float(row["seconds_per_round"]))
    crossovers = ["client-server with the library's collectives is the faster mode up to 3 workers, peer-to-peer from 4 on"]
    inputs = {
        "network": "network.json",
        "rows": 1_000_000,
        "features": 200,
        "rounds": 1000,
        "compute": {"bytes_per_second": 3.6e10},
    }
    return study("plan", rows, 1, best=best, crossovers=crossovers, inputs=inputs, predicted=True)


def diagram(ranks: int) -> dict[str, Any]:
    """As it is simulated."""
    found = simulated(max(ranks, 2), 50, ALPHA, 1 / BETA, 2)
    return study("diagram", found.pop("rows"), 1, **found)


def evaluated_numbers(rows: int = 3000, cells: int = 40) -> dict[str, Any]:
    """How good a model is whose residuals are normal."""
    dice = random.Random(3)
    pairs = [(value, value + dice.gauss(0, 1.0)) for value in (dice.gauss(100, 2.5) for _ in range(rows))]
    truth, spread = ([[0] * cells for _ in range(cells)] for _ in range(2))
    residuals, groups = [0] * cells, [[0.0] * 10 for _ in range(3)]
    for predicted, target in pairs:
        across, down, off = (
            min(cells - 1, max(0, int((value - low) * cells / width)))
            for value, low, width in ((predicted, 90, 20), (target, 90, 20), (target - predicted, -4, 8))
        )
        truth[down][across] += 1
        spread[off][across] += 1
        residuals[off] += 1
        for line, value in zip(groups, (1.0, predicted, target), strict=True):
            line[across * 10 // cells] += value
    return {
        "name": "holdout.h5",
        "rows": rows,
        "weight": float(rows),
        "kind": "numbers",
        "metrics": {
            "mean_loss": 0.5,
            "null_loss": 3.6,
            "r2": 0.862,
            "deviance_explained": 0.862,
            "rmse": 1.0,
            "mae": 0.8,
            "bias": 0.01,
        },
        "outputs": [{"name": "0", "r2": 0.862, "rmse": 1.0, "mae": 0.8, "bias": 0.01}],
        "classes": [],
        "confusion": None,
        "calibration": {"low": 90.0, "high": 110.0, "weight": groups[0], "predicted": groups[1], "found": groups[2]},
        "truth": {"low": 90.0, "high": 110.0, "counts": truth},
        "residuals": {"low": -4.0, "high": 4.0, "counts": residuals},
        "spread": {"counts": spread},
    }


def evaluated_classes(names: Sequence[str] = ("setosa", "versicolor", "virginica")) -> dict[str, Any]:
    """How good a model is that mistakes each class for the next one at times."""
    counts = [[240 if one == other else 30 * (abs(one - other) == 1) for other in range(len(names))] for one in range(len(names))]
    rows = sum(map(sum, counts))
    figures = {"precision": 0.85, "recall": 0.86, "f1": 0.855, "auc": 0.96}
    return {
        "name": "other.h5",
        "rows": rows,
        "weight": float(rows),
        "kind": "classes",
        "metrics": {"mean_loss": 0.4, "accuracy": 0.857, "auc": 0.961, "log_loss": 0.4, "brier": 0.2},
        "outputs": [],
        "classes": [{"name": name, "weight": 280.0, "predicted": 281.0, **figures} for name in names],
        "confusion": counts,
        "calibration": {
            "low": 0.0,
            "high": 1.0,
            "weight": [0.0, 0.0, 0.0, 10.0, 60.0, 100.0, 120.0, 150.0, 200.0, 200.0],
            "predicted": [0.0, 0.0, 0.0, 3.6, 27.0, 55.0, 78.0, 113.0, 170.0, 190.0],
            "found": [0.0, 0.0, 0.0, 4.0, 25.0, 60.0, 75.0, 111.0, 172.0, 188.0],
        },
        "truth": None,
        "residuals": None,
        "spread": None,
    }


def doctor() -> dict[str, Any]:
    """A finding of each level."""
    rows = [
        {"check": "world size", "level": "ok", "finding": "8 ranks on 2 nodes", "advice": ""},
        {
            "check": "ranks against cores",
            "level": "warning",
            "finding": "node1 runs 4 ranks on 2 cores",
            "advice": "start at most 2 ranks a node: mpirun -n 4 --map-by ppr:2:node",
        },
        {
            "check": "clocks",
            "level": "note",
            "finding": "node2 is 12 ms behind node1",
            "advice": "nothing: the program aligns them",
        },
        {"check": "BLAS threads", "level": "ok", "finding": "one a rank", "advice": None},
    ]
    return study("doctor", rows)
