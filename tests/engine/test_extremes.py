"""Extremes over blocks: those of all rows, whatever the blocks, by formulas that are written out here."""

import numpy as np
import pytest

from mpi_pgd.engine.block import Block
from mpi_pgd.engine.extremes import ExtremesTask, moved
from mpi_pgd.losses import LOSSES

ROWS, FEATURES = 60, 3
DRAW = np.random.default_rng(5)
X = DRAW.normal(size=(ROWS, FEATURES)) + 3
MEAN = X.mean(axis=0)
WEIGHTS = (DRAW.random(ROWS) < 0.8).astype(float)


def cut(y: np.ndarray, step: int, weights: np.ndarray | None) -> list[Block]:
    parts = [slice(start, start + step) for start in range(0, ROWS, step)]
    return [Block(X[part], y[part], None if weights is None else weights[part], start=part.start) for part in parts]


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(("name", "outputs"), [("logistic", 1), ("poisson", 1), ("softmax", 3)])
def test_extremes_are_those_of_all_rows_that_count(name: str, outputs: int, weights: np.ndarray | None) -> None:
    loss = LOSSES[name]()
    y = DRAW.integers(0, 2 if name == "logistic" else 3, ROWS).astype(float)
    point = DRAW.normal(size=(2, outputs * (FEATURES + 1)))
    found = []
    for step in (7, 20, ROWS):
        task = ExtremesTask(loss, MEAN, outputs, directions=2)
        found.append(task.largest(point.ravel(), cut(y, step, weights)))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-14)
    parts = task.layout.split(found[-1])
    counts = np.ones(ROWS, dtype=bool) if weights is None else weights > 0
    x, pulls = X[counts], loss.pulls(y)[counts]
    group = pulls + 1 if outputs == 1 else pulls
    for number in range(3):
        rows = x[group == number]
        np.testing.assert_array_equal(parts["highest"][number], np.max(rows, axis=0, initial=-np.inf))
        np.testing.assert_array_equal(-parts["lowest"][number], np.min(rows, axis=0, initial=np.inf))
    for number, one in enumerate(point):
        w, c = one[:-outputs].reshape(outputs, -1), one[-outputs:]
        eta = (x - MEAN) @ w.T + c
        size = np.abs(x - MEAN) @ np.abs(w.T) + np.abs(c)
        sided = []
        for row, pull in enumerate(pulls):
            if outputs == 1:
                sides = [pull * eta[row, 0]] if pull else [-abs(eta[row, 0]), 0.0]
                sided.append(np.array(sides) / size[row, 0])
            else:
                others = [eta[row, int(pull)] - eta[row, other] for other in range(outputs) if other != pull]
                sided.append(np.array(others) / (2 * size[row].max()))
        assert parts["against"][number] == pytest.approx(max(-each.min() for each in sided), rel=1e-12)
        assert parts["along"][number] == pytest.approx(max(each.max() for each in sided), rel=1e-12)


def test_rows_that_do_not_count_are_nowhere() -> None:
    task = ExtremesTask(LOSSES["logistic"](), MEAN, 1, directions=1)
    found = task.largest(np.ones(FEATURES + 1), cut(np.ones(ROWS), ROWS, np.zeros(ROWS)))
    assert (found == -np.inf).all()


def test_a_row_that_is_not_moved_is_tied() -> None:
    least, most = moved(np.array([1.0, -1.0, 0.0]), np.zeros((1, 3)), np.zeros((1, 3)))
    assert (least.tolist(), most.tolist()) == ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
