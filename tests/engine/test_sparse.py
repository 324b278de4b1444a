"""Sparse rows: each verb of a block gives what the same rows give as a dense one."""

import numpy as np
import pytest

from mpi_pgd import kernel
from mpi_pgd.engine import cut
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.partial import Partial, Vote
from mpi_pgd.engine.sparse import SparseBlock, renumbered
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.losses import LOSSES

ROWS, FEATURES = 90, 12
DRAW = np.random.default_rng(2)
X = DRAW.normal(size=(ROWS, FEATURES)) * (DRAW.random((ROWS, FEATURES)) < 0.3)
X[:, 4], X[:, 7], X[10], X[-1] = 1000 + DRAW.normal(size=ROWS), 0.0, 0.0, 0.0  # one column and two rows are empty, one is full
Y, WEIGHTS, OFFSET = DRAW.integers(0, 3, ROWS).astype(float), DRAW.integers(0, 3, ROWS) / 2, DRAW.normal(size=ROWS)
W = DRAW.normal(size=(3, FEATURES))


def sparse(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None, offset: np.ndarray | None, start: int) -> SparseBlock:
    rows, indices = np.nonzero(x)
    out = np.empty(len(indices), dtype=np.uint16)
    columns = renumbered(indices, out, x.shape[1])
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(x, axis=1))])
    return SparseBlock(x[rows, indices], out, starts, columns, x.shape[1], y, weights, offset, start)


@pytest.fixture(params=[None, WEIGHTS])
def both(request: pytest.FixtureRequest) -> tuple[Block, SparseBlock]:
    return Block(X, Y, request.param, OFFSET, 5), sparse(X, Y, request.param, OFFSET, 5)


def test_columns_come_by_how_often_they_are_met() -> None:
    out = np.empty(7, dtype=np.uint16)
    assert renumbered(np.array([9, 2, 9, 3, 9, 3, 2]), out, 20).tolist() == [9, 2, 3]
    assert out.tolist() == [0, 1, 0, 2, 0, 2, 1]


def test_products(both: tuple[Block, SparseBlock]) -> None:
    dense, few = both
    columns = few.columns
    assert sorted(columns) == [column for column in range(FEATURES) if column != 7]
    eta, same = np.empty((2, 3, ROWS))
    dense.dots(W, eta), few.dots(W, same)
    np.testing.assert_allclose(same, eta, rtol=1e-13, atol=1e-13)
    all_columns, some = np.empty((3, FEATURES)), np.empty((3, len(columns)))
    dense.tdots(eta, all_columns), few.tdots(eta, some)
    np.testing.assert_allclose(some, all_columns[:, columns], rtol=1e-13)


def test_parts(both: tuple[Block, SparseBlock]) -> None:
    dense, few = both
    some = np.array([3, 10, 89])
    for part, its in ((dense, few), (dense.every(7), few.every(7)), (dense.gathered(some), few.gathered(some))):
        for rows in (slice(0, part.rows), slice(1, 2)):
            one, other = np.empty((2, len(part.x[rows]), FEATURES))
            part.scaled(W[1], rows, one), its.scaled(W[1], rows, other)
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(part.y, its.y)
        np.testing.assert_array_equal(part.weights, its.weights)
        np.testing.assert_array_equal(part.offset, its.offset)


@pytest.mark.parametrize("ones", [0, 1])
@pytest.mark.parametrize("lines", [1, 3])
def test_gram(lines: int, ones: int) -> None:
    """Of columns less their means, some of them far from 0, times other units; with a column of ones, and without."""
    dense, few = Block(X, Y), sparse(X, Y, None, None, 0)
    m = FEATURES + ones
    mean, inverse = np.append(X.mean(axis=0), 0.0)[:m], np.append(np.ldexp(1.0, np.arange(FEATURES) % 5), 1.0)[:m]
    h = DRAW.normal(size=(lines, ROWS + 9))[:, :ROWS]
    found = np.empty((2, lines, m * (m + 1) // 2))
    for block, out in zip((dense, few), found, strict=True):
        block.gram(None, mean, inverse, h, out)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-9)


def test_gram_of_some_columns() -> None:
    dense, few = Block(X, Y), sparse(X, Y, None, None, 0)
    mean, inverse = np.append(X.mean(axis=0), 0.0), np.append(np.ldexp(1.0, np.arange(FEATURES) % 5), 1.0)
    left, right = np.array([4, 1, FEATURES, 7]), np.array([11, 4])
    h = DRAW.random((1, ROWS))
    found, crossed = np.empty((2, 1, 10)), np.empty((2, 4, 2))
    for block, out, other in zip((dense, few), found, crossed, strict=True):
        block.gram(left, mean, inverse, h, out)
        block.cross(left, right, mean, inverse, h[0], other)
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(*crossed)


def test_moments_are_those_of_all_numbers(both: tuple[Block, SparseBlock]) -> None:
    """Also where a column varies by a thousandth of what it is."""
    weights = np.ones(ROWS) if both[0].weights is None else both[0].weights
    unit = np.ldexp(1.0, DRAW.integers(-3, 3, FEATURES))
    found = np.zeros((2, 3, FEATURES))
    for block, its in zip(both, found, strict=True):
        block.moments(weights, unit, X[2] * unit, lambda rows: np.empty((rows, FEATURES)), *its)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12, atol=1e-12)


def test_extremes(both: tuple[Block, SparseBlock]) -> None:
    counts = np.ones(ROWS, dtype=bool) if both[0].weights is None else both[0].weights > 0
    groups = Y[counts].astype(int)
    found = np.full((2, 2, 4, FEATURES), -np.inf)
    for block, (highest, lowest) in zip(both, found, strict=True):
        block.ranges(counts, groups, highest, lowest)
    np.testing.assert_array_equal(*found)
    for one, other in zip(*(block.swings(counts, X.mean(axis=0), W) for block in both), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order_free", [True, False])
@pytest.mark.parametrize(("name", "outputs"), [("poisson", 1), ("softmax", 3)])
def test_a_partial_takes_the_columns_of_each_block(name: str, outputs: int, order_free: bool) -> None:
    """And gives the same sums, in whatever order; a number that is none is seen wherever it is."""
    task = GradientTask(LOSSES[name](), FEATURES, 30, outputs)
    point = DRAW.normal(size=task.width) / 1000
    parts = [slice(start, start + 30) for start in range(0, ROWS, 30)]
    few = [sparse(X[part], Y[part], WEIGHTS[part], OFFSET[part], part.start) for part in parts]
    dense = [Block(X[part], Y[part], WEIGHTS[part], OFFSET[part], part.start) for part in parts]
    assert any(len(block.columns) < FEATURES for block in few)
    totals = []
    for blocks in (dense, few, few[::-1]):
        partial = Partial(task.layout.width, 3, order_free, columned=task.layout.columned)
        partial.expect(np.full(task.layout.width, 1e6))
        partial.rebound()
        partial.clear()
        mapped = task.bind(point)
        for block in blocks:
            mapped(block, partial.slot(block.rows, block.columns))
        partial.close(late=False, signalled=False)
        assert partial.votes[Vote.ROWS] == ROWS
        totals.append(partial.total(np.empty(task.layout.width)))
    np.testing.assert_allclose(totals[1], totals[0], rtol=1e-11, atol=1e-11)
    if order_free:
        np.testing.assert_array_equal(totals[1], totals[2])
    partial.clear()
    partial.slot(30, few[0].columns)[:] = np.nan
    partial.slot(30, few[1].columns)[:] = 0.0
    partial.close(late=False, signalled=False)
    assert partial.votes[Vote.BROKEN] == 1


@pytest.mark.parametrize("folds", [0, 1, 2])
@pytest.mark.parametrize("long", [1 << 20, 2000])
def test_few_columns_are_added_as_all_are(monkeypatch: pytest.MonkeyPatch, folds: int, long: int) -> None:
    """To the same bits, also where runs of columns share a bound, and where numbers are sent that have one fold."""
    monkeypatch.setattr(cut, "LONG", long)
    outputs, features, rest = 2, 1500, 3
    width = outputs * features + rest
    vectors = [DRAW.normal(size=(outputs, 40)) * 1e3 for _ in range(5)]
    columns = [DRAW.permutation(features)[:40].astype(np.uint32) for _ in vectors]
    buffers = []
    for short in (False, True):
        columned = (outputs, features) if short else (0, 0)
        partial = Partial(width, len(vectors), folds > 0, folds=folds, behind=rest, columned=columned)
        partial.expect(np.full(width, 1e4))
        partial.rebound()
        for _ in range(2):  # another round begins anew
            partial.clear()
            for vector, places in zip(vectors, columns, strict=True):
                whole = np.zeros((outputs, features))
                whole[:, places] = vector
                out = partial.slot(1, places)
                out[:] = np.append(vector if short else whole, [1.5, -2.5, 1 / 3])
            partial.close(late=False, signalled=False)
        buffers.append((partial.buffer.copy(), partial.peaks.copy()))
    np.testing.assert_array_equal(buffers[0][0], buffers[1][0])
    if folds:
        np.testing.assert_array_equal(buffers[0][1], buffers[1][1])


@pytest.mark.skipif(not kernel.Gradient, reason="no compiled kernel here")
@pytest.mark.parametrize("loss", ["squared", "softmax", "tweedie", "huber"])
def test_one_pass_has_the_bits_of_several(loss: str, both: tuple[Block, SparseBlock]) -> None:
    few, outputs = both[1], 3 if loss == "softmax" else 1
    task = GradientTask(LOSSES[loss](), FEATURES, ROWS, outputs)
    point = DRAW.normal(size=task.width) / 1000
    found = np.empty((2, outputs * (len(few.columns) + 1) + 1))
    task.bind(point)(few, found[0])
    (task._single if outputs == 1 else task._several)(point)(few, found[1])
    np.testing.assert_array_equal(*found)
    with pytest.raises(ValueError, match="not of the types and lengths"):
        task.bind(point)(few, found[0][1:])


def test_some_rows_of_several_targets_are_mapped_as_all_of_them() -> None:
    taken, y = np.arange(1, ROWS, 3), np.array([Y, -Y])
    some, these = sparse(X, y, None, None, 0).gathered(taken), sparse(X[taken], y.take(taken, axis=1), None, None, 0)
    point, sums = DRAW.normal(size=2 * (FEATURES + 1)), []
    for block in (some, these):
        out = np.zeros(2 * (len(block.columns) + 1) + 1)
        GradientTask(LOSSES["squared"](), FEATURES, ROWS, 2).bind(point)(block, out)
        sums.append(out[-3:])  # of slopes and values
    np.testing.assert_array_equal(*sums)
