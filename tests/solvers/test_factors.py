"""The factor of a Gram matrix, and what it tells of the columns."""

import numpy as np
import pytest

from mpi_pgd.solvers.factors import factored


def gram(x: np.ndarray) -> np.ndarray:
    """Of centred columns."""
    z = x - x.mean(axis=0)
    return z.T @ z / len(z)


def columns(rows: int, features: int, spread: float) -> np.ndarray:
    """With a condition number, in various units."""
    generator = np.random.default_rng(features)
    left, _ = np.linalg.qr(generator.standard_normal((rows, features)))
    right, _ = np.linalg.qr(generator.standard_normal((features, features)))
    return np.asarray(left * np.geomspace(1, 1 / spread, features) @ right) * 10.0 ** generator.integers(-9, 9, features)


@pytest.mark.parametrize("spread", [1.0, 1e2, 1e5])
def test_solve_and_condition(spread: float) -> None:
    x = columns(400, 30, spread)
    matrix = gram(x)
    factor = factored(matrix)
    z = x - x.mean(axis=0)
    values = np.linalg.svd(z / np.sqrt((z * z).mean(axis=0)), compute_uv=False)
    condition = np.sqrt(factor.largest / factor.smallest)
    assert 0.6 * values[0] / values[-1] < condition < 1.05 * values[0] / values[-1]
    assert not factor.dependent
    right = np.random.default_rng(1).standard_normal((2, 30)) * np.sqrt(np.diagonal(matrix))
    np.testing.assert_allclose(factor.solve(right) @ matrix, right, rtol=1e-15 * condition**2 * 100 + 1e-12, atol=0)


def test_dependent_columns_are_known() -> None:
    generator = np.random.default_rng(2)
    x = generator.standard_normal((300, 6)) * 10.0 ** np.arange(6)
    x[:, 4] = 3 * x[:, 1] - 1e-3 * x[:, 2]
    factor = factored(gram(x))
    assert factor.dependent
    shares = factor.shares()
    assert np.flatnonzero(shares > 1e-6 * shares.max()).tolist() == [1, 2, 4]
    direction = factor.null() * np.sqrt(np.diagonal(gram(x)))
    assert np.linalg.norm(direction) == pytest.approx(1)
    z = (x - x.mean(axis=0)) / np.sqrt(np.diagonal(gram(x)))
    assert np.abs(z @ direction).max() < 1e-7


def test_columns_of_zeros_count_as_independent() -> None:
    factor = factored(np.zeros((3, 3)))
    assert not factor.dependent
    assert factor.solve(np.zeros((1, 3))).tolist() == [[0.0] * 3]
    assert factor.largest == pytest.approx(factor.smallest)
