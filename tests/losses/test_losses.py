"""What every loss promises: slopes are the derivatives of its values, sums are over the rows, bounds hold."""

import numpy as np
import pytest

from mpi_pgd.losses import LOSSES, Loss
from mpi_pgd.options import options_of

ROWS = 60
STEP = 1e-6


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest) -> Loss:
    return LOSSES[request.param]()


def summed(loss: Loss, y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, float, float]:
    """The rows' slopes, their sum, and that of the losses."""
    slopes, value = eta.copy(), np.full_like(eta, np.nan)
    loss(y, slopes, value, np.full((loss.rooms, len(y)), np.nan))
    return slopes, float(slopes.sum()), float(value.sum())


def rows() -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(3)
    return (g.random(ROWS) < 0.4).astype(float), g.normal(scale=2.0, size=ROWS)  # targets that every loss takes


def test_slopes_are_the_derivatives_of_the_losses(loss: Loss) -> None:
    y, eta = rows()
    slopes, total, _ = summed(loss, y, eta)
    for row in range(ROWS):
        one = slice(row, row + 1)
        up, down = (summed(loss, y[one], eta[one] + side * STEP)[2] for side in (1, -1))
        assert slopes[row] == pytest.approx((up - down) / (2 * STEP), rel=1e-6, abs=1e-8)
    assert total == pytest.approx(slopes.sum(), rel=1e-12)


def test_losses_are_summed_over_the_rows(loss: Loss) -> None:
    y, eta = rows()
    parts = [summed(loss, y[row : row + 1], eta[row : row + 1])[2] for row in range(ROWS)]
    assert summed(loss, y, eta)[2] == pytest.approx(sum(parts), rel=1e-12)


def test_no_slope_is_steeper_than_its_curvature_says(loss: Loss) -> None:
    y, eta = rows()
    ends = [summed(loss, y, eta + side * STEP)[0] for side in (1, -1)]
    second = (ends[0] - ends[1]) / (2 * STEP)
    assert second.max() <= loss.curvature * (1 + 1e-6)
    assert second.min() >= -1e-6  # convex


def test_the_size_of_the_slopes_is_bounded_by_the_loss(loss: Loss) -> None:
    y, eta = rows()
    slopes, _, value = summed(loss, y, eta)
    assert np.sqrt(np.mean(slopes**2)) <= loss.slope_size(value / ROWS) * (1 + 1e-12)


def test_a_centred_loss_has_the_mean_for_its_best_intercept(loss: Loss) -> None:
    y, _ = rows()
    _, total, _ = summed(loss, y, np.full(ROWS, y.mean()))
    assert (abs(total) < 1e-12) == loss.centred


def test_what_is_explained_is_nothing_by_the_mean_and_all_by_the_targets() -> None:
    y, _ = rows()
    loss = LOSSES["squared"]()
    values = [summed(loss, y, eta)[2] / ROWS for eta in (np.full(ROWS, y.mean()), y.copy())]
    assert [loss.explained(value, float(y.var()) / 2) for value in values] == [pytest.approx(0.0, abs=1e-12), 1.0]
    assert loss.explained(1.0, 0.0) is None


def test_options_say_what_they_are() -> None:
    for item in options_of(LOSSES.values()).values():
        assert item.metadata["text"]
        assert item.metadata["expected"]
        assert "bits" in item.metadata["facts"]
