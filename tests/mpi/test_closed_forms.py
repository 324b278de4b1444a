"""What a fit says of itself, against the formulas in numpy: each round to the letter, and what its figures mean."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import Result, fit

pytestmark = pytest.mark.ranks(1, 3, others=())

ROWS, FEATURES, ROUNDS, STEP, MOMENTUM, L2 = 700, 5, 12, 0.3, 0.8, 0.3
MODES = ("client-server", "peer-to-peer")


class Problem:
    """Rows, and the objective of standardized features by its definition."""

    def __init__(self, l2: float) -> None:
        draw = np.random.default_rng(5)
        self.x = draw.normal(size=(ROWS, FEATURES)) * np.linspace(0.5, 3, FEATURES) + np.arange(FEATURES)
        self.x[:, 1] += self.x[:, 0]
        self.y = self.x @ np.linspace(-1, 2, FEATURES) + 7 + 2 * draw.normal(size=ROWS)
        self.mean, self.scale, self.l2 = self.x.mean(axis=0), self.x.std(axis=0), l2
        self.z, self.t = (self.x - self.mean) / self.scale, self.y - self.y.mean()

    def value(self, v: np.ndarray) -> float:
        return float(np.sum((self.z @ v - self.t) ** 2) / 2 / ROWS + self.l2 / 2 * np.sum(v**2))

    def gradient(self, v: np.ndarray) -> np.ndarray:
        return self.z.T @ (self.z @ v - self.t) / ROWS + self.l2 * v

    def holds(self, result: Result, v: np.ndarray) -> None:
        """These are the weights and the figures of ``v``."""
        coef = v / self.scale
        np.testing.assert_allclose(result.coef, coef, rtol=1e-11)
        assert result.intercept == pytest.approx(self.y.mean() - self.mean @ coef, rel=1e-12)
        assert result.record["objective"] == pytest.approx(self.value(v), rel=1e-12)
        assert result.record["gradient_norm"] == pytest.approx(np.linalg.norm(self.gradient(v)), rel=1e-10)
        residual = self.x @ result.coef + result.intercept - self.y
        assert result.r2 == pytest.approx(1 - np.sum(residual**2) / np.sum(self.t**2), rel=1e-12)


def fitted(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray, **options: Any) -> Result:
    if comm.rank == 0:
        with h5py.File(folder / "rows.h5", "w") as file:
            file["X"], file["y"] = x, y
    comm.Barrier()
    return fit(folder / "rows.h5", comm=comm, **options)


def gd(problem: Problem) -> Iterator[np.ndarray]:
    v = np.zeros(FEATURES)
    while True:
        yield v
        v = v - STEP * problem.gradient(v)


def momentum(problem: Problem) -> Iterator[np.ndarray]:
    v, d = np.zeros(FEATURES), np.zeros(FEATURES)
    while True:
        yield v
        d = MOMENTUM * d - STEP * problem.gradient(v)
        v = v + d


def nesterov(problem: Problem) -> Iterator[np.ndarray]:
    """The points that are evaluated, not the weights beside them."""
    point, weights, t = np.zeros(FEATURES), np.zeros(FEATURES), 1.0
    while True:
        yield point
        gradient = problem.gradient(point)
        new = point - STEP * gradient
        restart = gradient @ (new - weights) > 0
        later = 1.0 if restart else (1 + np.sqrt(1 + 4 * t * t)) / 2
        point = new + (0.0 if restart else (t - 1) / later) * (new - weights)
        weights, t = new, later


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("l2", [0.0, L2])
@pytest.mark.parametrize("solver", [gd, momentum, nesterov])
def test_each_round_to_the_letter(comm: MPI.Intracomm, folder: Path, mode: str, l2: float, solver: Any) -> None:
    problem = Problem(l2)
    options = {"solver": solver.__name__, "step": STEP, "momentum": MOMENTUM, "l2": l2, "rounds": ROUNDS, "tol": 0.0}
    result = fitted(comm, folder, problem.x, problem.y, mode=mode, **options)
    points = [point for point, _ in zip(solver(problem), range(ROUNDS + 1), strict=False)]
    problem.holds(result, points[-1])
    np.testing.assert_allclose(result.history["objective"], [problem.value(v) for v in points[1:]], rtol=1e-12)
    norms = [np.linalg.norm(problem.gradient(v)) for v in points[1:]]
    np.testing.assert_allclose(result.history["gradient_norm"], norms, rtol=1e-10)
    assert result.history["step"] == [STEP] * ROUNDS


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("l2", [0.0, L2])
def test_the_minimum(comm: MPI.Intracomm, folder: Path, mode: str, l2: float) -> None:
    problem = Problem(l2)
    result = fitted(comm, folder, problem.x, problem.y, mode=mode, l2=l2, tol=1e-12)
    v = np.linalg.solve(problem.z.T @ problem.z / ROWS + l2 * np.eye(FEATURES), problem.z.T @ problem.t / ROWS)
    assert result.status == "converged"
    np.testing.assert_allclose(result.coef, v / problem.scale, rtol=1e-10)
    assert result.record["objective"] == pytest.approx(problem.value(v), rel=1e-12)
    first = np.linalg.norm(problem.gradient(np.zeros(FEATURES)))
    assert result.record["gradient_norm"] <= 1e-12 * first


@pytest.mark.parametrize("l2", [0.0, L2])
def test_the_step_is_the_inverse_of_the_curvature(comm: MPI.Intracomm, folder: Path, l2: float) -> None:
    """Of orthonormal columns the Hessian is 1 + l2 times the identity: one step is enough."""
    problem = Problem(l2)
    x, _ = np.linalg.qr(problem.z)
    x *= np.sqrt(ROWS)
    result = fitted(comm, folder, x, problem.y, solver="gd", l2=l2, tol=1e-9)
    assert (result.status, result.record["rounds"]) == ("converged", 1)
    assert result.record["step"] == pytest.approx(1 / (1 + l2), rel=1e-9)
    np.testing.assert_allclose(result.coef, x.T @ problem.t / ROWS / (1 + l2), rtol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_without_standardizing_the_penalty_is_of_the_weights_themselves(comm: MPI.Intracomm, folder: Path, mode: str) -> None:
    problem = Problem(L2)
    result = fitted(comm, folder, problem.x, problem.y, mode=mode, l2=L2, standardize=False, tol=1e-12, rounds=20_000)
    centred = problem.x - problem.mean
    w = np.linalg.solve(centred.T @ centred / ROWS + L2 * np.eye(FEATURES), centred.T @ problem.t / ROWS)
    np.testing.assert_allclose(result.coef, w, rtol=1e-9)
    value = np.sum((centred @ w - problem.t) ** 2) / 2 / ROWS + L2 / 2 * np.sum(w**2)
    assert result.record["objective"] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_a_diverged_fit_returns_the_best_weights_with_their_figures(comm: MPI.Intracomm, folder: Path, mode: str) -> None:
    """Of a heavy ball that falls before it rises."""
    problem = Problem(0.0)
    result = fitted(comm, folder, problem.x, problem.y, mode=mode, solver="momentum", momentum=0.99, step=3.0)
    assert result.status == "diverged"
    points = [np.zeros(FEATURES)]
    d = np.zeros(FEATURES)
    for _ in range(result.record["rounds"]):
        d = 0.99 * d - 3.0 * problem.gradient(points[-1])
        points.append(points[-1] + d)
    values = [problem.value(v) for v in points]
    best = int(np.argmin(values))
    assert best > 0
    problem.holds(result, points[best])
