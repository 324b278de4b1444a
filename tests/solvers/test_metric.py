"""A Hessian as a metric: always one, and the inverse where that is safe."""

import numpy as np
import pytest

from mpi_pgd.solvers.metric import secant, unseen, whitening


def hessian(size: int, condition: float) -> np.ndarray:
    turned = np.linalg.qr(np.random.default_rng(size).normal(size=(size, size)))[0]
    return np.asarray(turned * np.geomspace(1, 1 / condition, size) @ turned.T)


@pytest.mark.parametrize(("size", "condition"), [(1, 1.0), (7, 1e8), (150, 1e4), (300, 1e6)])
def test_white_is_the_inverse(size: int, condition: float) -> None:
    found = hessian(size, condition)
    white = whitening(found, 1e-14)
    np.testing.assert_allclose(white @ found @ white.T, np.eye(size), atol=1e-12 * condition)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_units_change_nothing(scale: float) -> None:
    """The same metric, whatever one unit of a weight is."""
    found, units = hessian(9, 1e4), np.geomspace(1, scale, 9)
    white = whitening(found, 1e-14)
    scaled = whitening(found * np.outer(units, units), 1e-14)
    np.testing.assert_allclose(scaled.T @ scaled * np.outer(units, units), white.T @ white, rtol=1e-6)


def test_what_is_not_convex_has_a_metric_all_the_same() -> None:
    found = np.diag([4.0, -1.0, 2.0])
    white = whitening(found, 1e-10)
    assert np.isfinite(white).all()
    assert np.linalg.eigvalsh(white.T @ white).min() > 0


def test_a_column_that_others_explain_is_not_followed_far() -> None:
    """Else a step along it would be 1e10 times too long, if the other rows tell the two apart."""
    z = np.random.default_rng(1).normal(size=(100, 4))
    z[:, 2] = z[:, 1]
    white = whitening(z.T @ z / 100, 1e-10)
    assert np.abs(white.T @ white).max() < 10


def test_rare_columns_are_found_and_held_back() -> None:
    found = np.diag([1.0, 1.5, 0.7, 1e-5, 1e-4])
    assert unseen(found).tolist() == [False, False, False, True, True]
    white = whitening(found, 1e-10, unseen(found))
    curvatures = 1 / np.diagonal(white.T @ white)
    np.testing.assert_allclose(curvatures[:3], [1.0, 1.5, 0.7], rtol=1e-9)
    assert (curvatures[3:] > 0.5).all()


def test_zeros_have_a_metric() -> None:
    """Of a model whose features are all constant."""
    assert np.isfinite(whitening(np.zeros((3, 3)), 1e-10, unseen(np.zeros((3, 3))))).all()


def test_a_step_tells_how_the_gradient_changes_along_it() -> None:
    found, true, moved = hessian(9, 100.0), 3 * hessian(9, 10.0), np.linspace(-1, 1, 9)
    secant(found, moved, true @ moved, 0.0)
    np.testing.assert_allclose(found @ moved, true @ moved, rtol=1e-12)
    assert np.linalg.eigvalsh(found)[0] > 0


@pytest.mark.parametrize(("along", "rounding"), [(-1.0, 0.0), (0.0, 0.0), (1.0, 10.0)])
def test_a_step_that_tells_nothing_changes_nothing(along: float, rounding: float) -> None:
    found, moved = hessian(9, 100.0), np.ones(9)
    before = found.copy()
    secant(found, moved, along * moved, rounding)
    assert found.tobytes() == before.tobytes()


def test_what_is_rounding_alone_has_a_metric() -> None:
    """Of rows that are separated all curvatures fall below the error of their sums."""
    hessian = np.diag(np.full(3, 1e-16))
    hessian[0, 1] = hessian[1, 0] = 1e-9
    assert np.isfinite(whitening(hessian, 1e-10)).all()
