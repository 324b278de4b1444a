"""Run by solvers.py under mpirun: 30 problems, each by all solvers that take it, and by auto. Writes FOLDER/table.md."""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import h5py
import numpy as np
from mpi4py import MPI

from mpi_pgd import InputError, fit

FIXED = ("newton", "lbfgs", "bb", "nesterov")
TURNS, MOST = 3, 1.5


class Problem(NamedTuple):
    """A data set and what is fitted to it."""

    loss: str
    rows: int
    features: int
    condition: float
    options: dict[str, Any]


def problems(scale: float) -> Iterator[Problem]:
    """All kinds: tall and wide, of good condition and bad, smooth and not."""
    shapes = ((60_000, 10, 10.0), (40_000, 60, 1e4), (8_000, 300, 1e2))
    kinds: dict[str, list[dict[str, Any]]] = {
        "squared": [{}, {"l2": 0.01}, {"l1": 0.02}, {"lower": 0.0}],
        "logistic": [{"l2": 0.001}, {"l1": 0.005}],
        "poisson": [{"l2": 0.001}],
        "gamma": [{"l2": 0.001}],
        "huber": [{"l2": 0.001}],
        "softmax": [{"l2": 0.001}],
    }
    for loss, every in kinds.items():
        for options in every:
            for rows, features, condition in shapes:
                yield Problem(loss, int(rows * scale), features, condition, options)


def write(path: Path, one: Problem, seed: int) -> None:
    draw, p = np.random.default_rng(seed), one.features
    turned = np.linalg.qr(draw.normal(size=(p, p)))[0] * np.sqrt(np.geomspace(1, 1 / one.condition, p))
    x = draw.normal(size=(one.rows, p)) @ turned.T
    eta = x @ draw.normal(size=p) / 2
    y = {
        "squared": lambda: eta + draw.normal(size=len(eta)),
        "huber": lambda: eta + draw.standard_t(2, size=len(eta)),
        "logistic": lambda: (draw.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(float),
        "poisson": lambda: draw.poisson(np.exp(np.clip(eta, -5, 3))).astype(float),
        "gamma": lambda: draw.gamma(2.0, np.exp(np.clip(eta, -5, 3))),
        "softmax": lambda: np.argmax(np.c_[eta, -eta, 0 * eta] + draw.gumbel(size=(len(eta), 3)), axis=1).astype(float),
    }[one.loss]()
    with h5py.File(path, "w") as file:
        file["X"], file["y"] = x, y


def main(folder: Path, scale: float) -> None:
    comm, lines, worst = MPI.COMM_WORLD, [], 0.0
    for number, one in enumerate(problems(scale)):
        path = folder / "rows.h5"
        if comm.rank == 0:
            write(path, one, number)
        comm.Barrier()
        seconds = {name: took(path, one, name) for name in ("auto", *FIXED)}
        fixed = {name: value for name, value in seconds.items() if name != "auto" and value is not None}
        best = min(fixed, key=lambda name: fixed[name][0])
        ratio = seconds["auto"][0] / fixed[best][0]  # type: ignore[index]
        worst = max(worst, ratio)
        cells = [f"{value[0]:.3f} ({value[1]})" if value else "-" for value in seconds.values()]
        what = ", ".join([one.loss, *(f"{key} {value:g}" for key, value in one.options.items())])
        lines.append(f"| {what}, {one.rows:,} x {one.features} | {' | '.join(cells)} | {ratio:.2f} |")
    if comm.rank == 0:
        names = " | ".join(["", "auto", *FIXED, "auto over the best"])
        head = f"seconds (rounds) of each solver:\n\n|{names} |\n|{'---|' * (len(FIXED) + 3)}"
        said = f"\nAt most {worst:.2f} times the best of the fixed choices (goal: {MOST})."
        (folder / "table.md").write_text("\n".join([head, *lines, said]) + "\n")


def took(path: Path, one: Problem, name: str) -> tuple[float, int] | None:
    """The solve's seconds, the median of some turns, and rounds; None if the solver does not take it, or does not get there."""
    turns = []
    for _ in range(TURNS):
        try:
            result = fit(path, loss=one.loss, solver=name, tol=1e-7, rounds=2_000, mode="peer-to-peer", quiet=True, **one.options)
        except InputError:
            return None
        if result.status not in ("converged", "precision reached"):
            return None
        turns.append(result.record["seconds"]["solve"])
        if turns[-1] > 20:
            break
    return median(turns), result.record["rounds"]


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
