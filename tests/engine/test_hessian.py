"""The Hessian of the losses, of all rows, of some, and among some of the columns, against its definition."""

import numpy as np
import pytest

from mpi_pgd.engine.block import Block
from mpi_pgd.engine.columns import ColumnsTask
from mpi_pgd.engine.hessian import HessianTask, unpacked
from mpi_pgd.engine.narrow import BFLOAT16, narrowed, widened
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.losses import LOSSES, Loss

ROWS, FEATURES = 90, 5
SHARES = np.array([[0.3, -0.2, 0.1, 0.0, 0.4], [0.1, 0.2, -0.3, 0.2, 0.0], [0.0, 0.1, 0.1, -0.4, 0.2]])


def block(loss: str, weighted: bool, start: int = 0) -> Block:
    """Rows about means that are far from 0, one column constant."""
    draw = np.random.default_rng(8)
    x = draw.normal([3.0, -70.0, 0.0, 1.0, 5.0], [1.0, 20.0, 1e-2, 0.5, 0.0], size=(ROWS, FEATURES))
    y = draw.integers(0, 3, ROWS).astype(float) if loss == "softmax" else (draw.random(ROWS) < 0.4).astype(float)
    beside = (draw.random(ROWS), draw.normal(size=ROWS)) if weighted else (None, None)
    return Block(x, y, *beside, start=start)


def scaling(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    deviation = x.std(axis=0)
    return x.mean(axis=0), np.where(deviation > 0, deviation, np.inf)


def exactly(loss: Loss, rows: Block, w: np.ndarray, c: np.ndarray, taken: slice) -> np.ndarray:
    """Z'hZ for each pair of outputs, with a column of ones: (k, p + 1, k, p + 1)."""
    mean, scale = scaling(rows.x)
    z = np.column_stack([(rows.x - mean) / scale, np.ones(ROWS)])[taken]
    eta = (w @ rows.x.T + c[:, None] + (0.0 if rows.offset is None else rows.offset))[:, taken].copy()
    k, count = len(w), eta.shape[1]
    h, room = np.empty((k * (k + 1) // 2, count)), np.empty((loss.rooms, count))
    y = rows.y[taken]
    loss.curvatures(y, eta if k > 1 else eta[0], h if k > 1 else h[0], room)
    weights = np.ones(count) if rows.weights is None else rows.weights[taken]
    whole = np.empty((k, FEATURES + 1, k, FEATURES + 1))
    for (one, other), bend in zip(zip(*np.triu_indices(k), strict=True), h, strict=True):
        whole[one, :, other] = whole[other, :, one] = z.T @ ((bend * weights)[:, None] * z)
    return whole


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["squared", "logistic", "softmax"])
def test_the_hessian_is_that_of_its_definition(name: str, weighted: bool, every: int) -> None:
    """Of every so many rows of the table, wherever the block begins in it."""
    loss, rows = LOSSES[name](), block(name, weighted, start=6)
    k = 3 if name == "softmax" else 1
    w, c = SHARES[:k], np.array([0.2, -0.1, 0.3])[:k]
    mean, scale = scaling(rows.x)
    task = HessianTask(loss, mean, scale, ROWS, np.zeros(0), np.ones(FEATURES + 1), True, k, every)
    out = np.full(task.layout.width, np.nan)
    task.bind(np.append(w, c))(rows, out)
    parts = task.layout.split(out)
    taken = slice(-6 % every, None, every)
    counted = np.ones(ROWS) if rows.weights is None else rows.weights
    assert float(parts["weight"]) == pytest.approx(counted[taken].sum(), rel=1e-12)
    found = unpacked(parts["hessian"], k, FEATURES)
    wanted = exactly(loss, rows, w, c, taken)
    order = np.arange(k * (FEATURES + 1)).reshape(k, FEATURES + 1)
    order = np.concatenate([order[:, :FEATURES].ravel(), order[:, FEATURES:].ravel()])
    np.testing.assert_allclose(found, wanted.reshape(len(order), -1)[np.ix_(order, order)], rtol=1e-10, atol=1e-10)
    plain, gradient = GradientTask(loss, FEATURES, ROWS, k), np.empty(k * (FEATURES + 1) + 1)
    plain.bind(np.append(w, c))(rows, gradient)
    assert out[: len(gradient)].tobytes() == gradient.tobytes()  # of all rows, to the same bits


def test_a_block_without_a_row_of_the_sample_adds_nothing() -> None:
    rows = block("squared", weighted=False, start=1)
    mean, scale = scaling(rows.x)
    task = HessianTask(LOSSES["squared"](), mean, scale, ROWS, np.zeros(0), np.ones(FEATURES), False, 1, 1000)
    out = np.full(task.layout.width, np.nan)
    task.bind(np.zeros(FEATURES + 1))(rows, out)
    assert not task.layout.split(out)["hessian"].any()
    assert out[-1] == 0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "places", "new", "every"),
    [
        ("logistic", [3, 1], 2, 1),
        ("logistic", [5, 0, 2, 4], 2, 1),  # number 5, behind the features, is the column of ones
        ("logistic", [5, 0, 2], 3, 3),
        ("logistic", [2], 1, 1000),
        ("logistic", [], 0, 0),
        ("softmax", [7, 3, 17, 12, 0, 16], 4, 1),  # numbers 15 to 17 are the ones of the three outputs
        ("softmax", [1, 6, 11, 15], 4, 3),
    ],
)
def test_columns_are_a_part_of_the_hessian(name: str, places: list[int], new: int, every: int, weighted: bool) -> None:
    loss, rows, k = LOSSES[name](), block(name, weighted, start=6), 3 if name == "softmax" else 1
    w, c = SHARES[:k], np.array([0.2, -0.1, 0.3])[:k]
    mean, scale = scaling(rows.x)
    task = ColumnsTask(loss, mean, scale, ROWS, np.zeros(k * (FEATURES + 1) + 1), np.ones(FEATURES + 1), 6, k)
    point, place = np.zeros(task.width), k * (FEATURES + 1)
    point[:place] = np.append(w, c)
    point[place : place + 3 + len(places)] = [every, new, len(places), *places]
    mapped = task.bind(point)
    out = np.full(task.layout.width, np.nan)
    mapped(rows, out)
    taken, parts = slice(-rows.start % max(1, every), None, max(1, every)), task.layout.split(out)
    order = np.arange(place).reshape(k, FEATURES + 1)
    order = np.concatenate([order[:, :FEATURES].ravel(), order[:, FEATURES:].ravel()])[places]
    wanted = exactly(loss, rows, w, c, taken).reshape(place, place)[np.ix_(order[:new], order)]
    whole = k == 1 and new == len(places)
    np.testing.assert_allclose(parts["columns"], wanted[np.triu_indices(new)] if whole else wanted, rtol=1e-10, atol=1e-10)
    counted = np.ones(ROWS) if rows.weights is None else rows.weights
    assert float(parts["weight"]) == pytest.approx(counted[taken].sum(), rel=1e-12)
    assert len(task.bound) == task.layout.width


def test_rows_of_bfloat16_are_widened() -> None:
    """Numpy has no such type, nor has the kernel's X'X."""
    x, h = narrowed(block("squared", weighted=False).x, BFLOAT16), np.ones((1, ROWS))
    stored, wide = np.empty((2, 1, FEATURES * (FEATURES + 1) // 2))
    for rows, out in ((x, stored), (widened(x).astype(float), wide)):
        Block(rows, np.zeros(ROWS)).gram(None, np.zeros(FEATURES), np.ones(FEATURES), h, out)
    assert (stored == wide).all()
