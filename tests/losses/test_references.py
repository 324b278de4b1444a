"""Losses against the textbook's formulas in extended precision, and against scikit-learn's."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from mpi_pgd.losses import LOSSES, Loss
from tests.losses.samples import CASES, IDS, called, curvatures, etas, floors, targets

Long = np.longdouble
STEP = Long(1) / 1024
WIDE = np.finfo(Long).nmant > 52 and np.finfo(Long).maxexp > 16_000
pytestmark = pytest.mark.skipif(not WIDE, reason="longdouble has no more digits than float64 here")


def logs(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """y log(y / mu), 0 where y is 0."""
    return np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / mu), 0)


def inverse_gaussian(_: Loss, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    return (y * np.exp(-eta) - 1) ** 2 / (2 * y)


def tweedie(loss: Loss, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    p, mu = Long(loss.tweedie_power), np.exp(eta)
    return y ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p)


def negative_binomial(loss: Loss, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    theta, mu = Long(loss.theta), np.exp(eta)
    more = (y - mu) / (mu + theta)
    return logs(y, mu) - (y + theta) * np.where(more > -0.5, np.log1p(np.maximum(more, -0.5)), np.log((y + theta) / (mu + theta)))


def huber(loss: Loss, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    r, delta = np.abs(eta - y), Long(loss.huber_delta)
    return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2))


def softmax(_: Loss, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    top = eta.max(axis=0)
    return np.log(np.exp(eta - top).sum(axis=0)) + top - eta[y.astype(int), np.arange(len(y))]


# Half the unit deviance, or the loss.
FORMULAS: dict[str, Callable[[Loss, np.ndarray, np.ndarray], np.ndarray]] = {
    "squared": lambda _, y, eta: (eta - y) ** 2 / 2,
    "logistic": lambda _, y, eta: np.log1p(np.exp((1 - 2 * y) * eta)),
    "softmax": softmax,
    "poisson": lambda _, y, eta: logs(y, np.exp(eta)) - y + np.exp(eta),
    "gamma": lambda _, y, eta: y / np.exp(eta) - 1 - np.log(y) + eta,
    "inverse-gaussian": inverse_gaussian,
    "tweedie": tweedie,
    "negative-binomial": negative_binomial,
    "huber": huber,
    "squared-hinge": lambda _, y, eta: np.maximum(0, 1 - (2 * y - 1) * eta) ** 2,
}
KNOWN = [(case, label) for case, label in zip(CASES, IDS, strict=True) if case[0] in FORMULAS]


@pytest.fixture(params=[case for case, _ in KNOWN], ids=[label for _, label in KNOWN])
def case(request: pytest.FixtureRequest) -> tuple[Loss, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    name, options = request.param
    loss = LOSSES[name](**options)
    return loss, lambda y, eta: FORMULAS[name](loss, y.astype(Long), eta.astype(Long))


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0, 300.0])
def test_values(case: tuple[Loss, Callable[..., np.ndarray]], scale: float) -> None:
    """But for constants, which the floors have, too; what they are may cost digits."""
    loss, formula = case
    y, read = targets(loss)
    eta = etas(read, scale)
    with np.errstate(over="ignore"):
        value, floor = called(loss, y, eta)[0], floors(loss, y)
        expected = formula(y, eta).astype(float)
    finite = np.isfinite(expected)
    assert (value[~finite] == math.inf).all()
    room = 1e-14 * (np.abs(floor) + np.abs(y) * (1 + np.abs(np.atleast_2d(eta)).max(axis=0)) + 1)
    off = np.abs(value[finite] - floor[finite] - expected[finite])
    assert (off <= room[finite] + 3e-13 * expected[finite]).all()


def test_values_far_out(case: tuple[Loss, Callable[..., np.ndarray]]) -> None:
    loss, formula = case
    y, read = targets(loss)
    for size in (-1e4, 1e4):
        lines = np.tile(np.append(size, np.zeros(read.outputs - 1))[:, None], len(y))
        eta = lines[0] if read.outputs == 1 else lines
        with np.errstate(over="ignore"):
            expected = formula(y, eta).astype(float)
            found = called(loss, y, eta)[0] - floors(loss, y)
        assert found == pytest.approx(expected, rel=1e-11, abs=1e-12)


def test_slopes_and_curvatures(case: tuple[Loss, Callable[..., np.ndarray]]) -> None:
    """Five points in extended precision: of the fourth order."""
    loss, formula = case
    y, read = targets(loss)
    eta = np.atleast_2d(etas(read))
    slopes, bends = np.atleast_2d(called(loss, y, eta if read.outputs > 1 else eta[0])[1]), curvatures(loss, y, eta.squeeze())
    for moved in range(read.outputs):
        lines = []
        for step in (-2, -1, 0, 1, 2):
            there = eta.astype(Long)
            there[moved] += step * STEP
            lines.append(formula(y, there if read.outputs > 1 else there[0]))
        a, b, c, d, e = lines
        first = (a - 8 * b + 8 * d - e) / (12 * STEP)
        second = (-a + 16 * b - 30 * c + 16 * d - e) / (12 * STEP**2)
        smooth = np.abs(a - 2 * b + 2 * d - e) <= STEP**3 * 50 * (1 + np.abs(bends[moved, moved]))  # no kink within the step
        assert smooth.sum() >= len(y) - 3
        assert slopes[moved][smooth] == pytest.approx(first[smooth].astype(float), rel=1e-9, abs=1e-9)
        assert bends[moved, moved][smooth] == pytest.approx(second[smooth].astype(float), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(
    ("name", "theirs", "options"),
    [
        ("squared", "HalfSquaredError", {}),
        ("logistic", "HalfBinomialLoss", {}),
        ("poisson", "HalfPoissonLoss", {}),
        ("gamma", "HalfGammaLoss", {}),
        ("tweedie", "HalfTweedieLoss", {"power": 1.5}),
        ("huber", "HuberLoss", {"delta": 1.35}),
        ("softmax", "HalfMultinomialLoss", {"n_classes": 4}),
    ],
)
def test_as_scikit_learn(name: str, theirs: str, options: dict[str, float]) -> None:
    losses = pytest.importorskip("sklearn._loss.loss")
    other = getattr(losses, theirs)(**options)
    if name == "huber":
        other.closs.delta = options["delta"]  # it sets that from the data
    loss = LOSSES[name]()
    y, read = targets(loss)
    eta, again = etas(read), etas(read, 0.5)
    raw, raw_again = (np.ascontiguousarray(one.T) for one in (eta, again))
    value, slopes = called(loss, y, eta)
    # Each leaves out other constants of y.
    mine, its = value - called(loss, y, again)[0], other.loss(y, raw) - other.loss(y, raw_again)
    assert mine == pytest.approx(its, rel=1e-12, abs=1e-12)
    gradient, hessian = other.gradient_hessian(y, raw)
    assert slopes == pytest.approx(gradient.T, rel=1e-12, abs=1e-12)
    if read.outputs == 1 and name != "huber":
        assert curvatures(loss, y, eta)[0, 0] == pytest.approx(hessian * np.ones(len(y)), rel=1e-12, abs=1e-12)
