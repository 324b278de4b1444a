"""The gradient in twice the precision: against rational arithmetic, and to the same bits in whatever order it is added."""

from fractions import Fraction

import numpy as np
import pytest

from mpi_pgd.engine.block import Block
from mpi_pgd.engine.precise import BITS, PreciseTask, slicing

PRECISION = Fraction(1, 2**95)


def problem(rows: int, features: int, outputs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns and numbers of very different sizes, and a point at which the residuals nearly vanish."""
    generator = np.random.default_rng([rows, features, outputs])
    x = generator.standard_normal((rows, features)) * 10.0 ** generator.uniform(-4, 0, (rows, features))
    x *= 10.0 ** generator.integers(-8, 8, features)
    w = generator.standard_normal((outputs, features)) / np.abs(x).max(axis=0)
    c = generator.standard_normal(outputs)
    y = w @ x.T + c[:, None]
    low = generator.uniform(-1, 1, outputs * (features + 1)) * 2.0**-54
    point = np.concatenate([w.ravel(), c])
    return x, y[0] if outputs == 1 else y, np.concatenate([point, point * low])


def mapped(block: Block, point: np.ndarray, outputs: int) -> dict[str, np.ndarray]:
    task = PreciseTask(np.abs(block.x).max(axis=0), block.rows, outputs)
    out = np.full(task.layout.width, np.nan)
    task.bind(point)(block, out)
    return task.layout.split(out)


def exactly(numbers: np.ndarray) -> list[Fraction]:
    return [Fraction(number) for number in numbers.tolist()]


@pytest.mark.parametrize(("rows", "features", "outputs"), [(64, 5, 1), (50, 7, 3), (1, 1, 1), (100, 12, 2)])
@pytest.mark.parametrize("counted", [False, True])
def test_against_rational_arithmetic(rows: int, features: int, outputs: int, counted: bool) -> None:
    x, y, point = problem(rows, features, outputs)
    generator = np.random.default_rng(3)
    weights, offset = (generator.uniform(0.5, 2, rows), generator.standard_normal(rows) * 1e-3) if counted else (None, None)
    parts = mapped(Block(x, y, weights, offset), point, outputs)
    counts = exactly(np.ones(rows) if weights is None else weights)
    added = exactly(np.zeros(rows) if offset is None else offset)
    high, low = (np.split(half, [outputs * features]) for half in np.split(point, 2))
    peaks, columns = exactly(np.abs(x).max(axis=0)), [exactly(column) for column in x.T]
    value = Fraction(0)
    for k in range(outputs):
        w = [
            Fraction(a) + Fraction(b)
            for a, b in zip(*(half[0].reshape(outputs, -1)[k].tolist() for half in (high, low)), strict=True)
        ]
        c = Fraction(float(high[1][k])) + Fraction(float(low[1][k]))
        target = exactly(np.atleast_2d(y)[k])
        terms = zip(zip(*columns, strict=True), added, target, strict=True)
        residuals = [sum((a * b for a, b in zip(row, w, strict=True)), c + more - aim) for row, more, aim in terms]
        value += sum(count * r * r for count, r in zip(counts, residuals, strict=True)) / 2
        slopes = [count * r for count, r in zip(counts, residuals, strict=True)]
        size = 2 * rows * sum(peak * abs(weight) for peak, weight in zip(peaks, w, strict=True))
        for column, peak, *halves in zip(
            columns, peaks, parts["gradient"][k].tolist(), parts["gradient_low"][k].tolist(), strict=True
        ):
            expected = sum(a * b for a, b in zip(column, slopes, strict=True))
            assert abs(sum(map(Fraction, halves)) - expected) <= PRECISION * peak * size
        found = Fraction(float(parts["slopes"][k])) + Fraction(float(parts["slopes_low"][k]))
        assert abs(found - sum(slopes)) <= PRECISION * size
    assert float(parts["value"]) == pytest.approx(float(value), rel=1e-14)


@pytest.mark.parametrize(("rows", "features"), [(4096, 3), (64, 300)])
def test_the_same_bits_in_any_order(rows: int, features: int) -> None:
    """Products of slices are exact, so neither BLAS nor the order of rows and columns is seen in them."""
    x, y, point = problem(rows, features, 1)
    order, turn = np.random.default_rng(1).permutation(rows), np.arange(features)[::-1]
    parts = mapped(Block(x, y), point, 1)
    moved = np.concatenate([half for each in np.split(point, 2) for half in (each[:-1][turn], each[-1:])])
    other = mapped(Block(x[order][:, turn].copy(), y[order]), moved, 1)
    for name in ("gradient", "gradient_low"):
        assert other[name][0, turn].tolist() == parts[name][0].tolist()
    for name in ("slopes", "slopes_low"):
        assert other[name].tolist() == parts[name].tolist()


def test_without_slices_bits_depend_on_the_order() -> None:
    # If they did not, the test above would prove nothing.
    x, y, _ = problem(4096, 3, 1)
    order = np.random.default_rng(1).permutation(4096)
    assert (x.T @ y).tolist() != (x[order].T @ y[order]).tolist()


@pytest.mark.parametrize("length", [1, 64, 4096, 10_000, 1_000_000])
def test_slices_leave_room_for_the_sums(length: int) -> None:
    slices, bits = slicing(length)
    assert slices * bits >= BITS
    assert slices * length * 2 ** (2 * (bits - 1)) <= 2**53


def test_a_constant_target_that_is_met_leaves_nothing() -> None:
    x = np.arange(12.0).reshape(6, 2)
    parts = mapped(Block(x, np.full(6, 0.1)), np.array([0.0, 0.0, 0.1, 0.0, 0.0, 0.0]), 1)
    assert all((part == 0).all() for part in parts.values())
