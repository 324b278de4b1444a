"""For those who write losses of their own: whether a function keeps to what a fit takes for granted."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mpi_pgd.engine.arrays import Vector

RowFunction = Callable[[Vector, Vector], Any]

ROWS = 64
FAR = 1e4  # eta that a fit may come to before its step is right
STEP = float(np.cbrt(np.finfo(np.float64).eps))  # of central differences, relative to eta
DIGITS = 1e-12  # to which a row's numbers are the same in any company
NEAR = 1e-6  # to which a slope is the derivative, relative to it, where the slope hardly changes within the step


def check_loss(function: RowFunction, y: ArrayLike | None = None, seed: int = 0) -> None:
    """Test ``function(y, eta) -> (loss of each row, slope of each row)``, both float64 (rows,), for use as a loss.

    It is called with what a fit may give it: any number of rows in any order, eta of all sizes. Asserted are the shapes, that
    slopes are the derivatives of losses, that a row's numbers depend on that row alone (a mean over the rows would depend on how
    they are cut into blocks), that |eta| = 1e4 gives no nan, nor an infinite loss where the slope is finite, and that y and eta are
    left as they are.

    Args:
        function: to be tested.
        y: targets that it takes, of which rows are drawn; zeros and ones if not given.
        seed: of the draw, and of eta.

    Raises:
        AssertionError: says which row failed with which y and eta, what was expected, and what was found.
    """
    g = np.random.default_rng(seed)
    taken = np.unique(np.asarray([0.0, 1.0] if y is None else y, dtype=np.float64))
    targets = np.append(g.choice(taken, ROWS - 2), [taken[0], taken[-1]])
    eta = np.concatenate([g.normal(scale=3.0, size=ROWS - 4), [0.0, 30.0, -30.0, 0.5]])
    both = _called(function, targets, eta)
    for what, found in zip(("loss", "slope"), both, strict=True):
        _each(
            np.isfinite(found), what, targets, eta, found, "a finite number, as |eta| is small (are these targets that it takes?)"
        )
    _rows_stand_alone(function, targets, eta, both, g)
    _slopes_are_derivatives(function, targets, eta, both)
    _far_out(function, np.resize(taken, 2 * len(taken)))


def _called(function: RowFunction, y: Vector, eta: Vector) -> tuple[Vector, Vector]:
    """Losses and slopes, of arrays of the right shape."""
    given = y.copy(), eta.copy()
    with np.errstate(all="ignore"):  # it is what comes out that counts
        found = function(*given)
    assert isinstance(found, tuple | list), f"expected a pair (losses, slopes), found {type(found).__name__}"
    assert len(found) == 2, f"expected a pair (losses, slopes), found {len(found)} things"
    pair = []
    for what, one in zip(("losses", "slopes"), found, strict=True):
        array = np.asarray(one)
        assert array.shape == y.shape, f"expected {what} of shape {y.shape}, one a row, found shape {array.shape}"
        assert array.dtype == np.float64, f"expected {what} of type float64, found {array.dtype}"
        pair.append(array.copy())
    for name, before, after in zip(("y", "eta"), (y, eta), given, strict=True):
        changed = np.flatnonzero(before != after)
        assert not len(changed), (
            f"row {changed[0]}: expected {name} to be left as it is, {before[changed[0]]!r}, found {after[changed[0]]!r}"
        )
    return pair[0], pair[1]


def _rows_stand_alone(function: RowFunction, y: Vector, eta: Vector, both: tuple[Vector, Vector], g: np.random.Generator) -> None:
    """In blocks of 1, 7 and the rest, and in another order."""
    order = g.permutation(len(y))
    for rows in (*np.split(np.arange(len(y)), [1, 8]), order, order[: len(y) // 2]):
        for what, whole, alone in zip(("loss", "slope"), both, _called(function, y[rows], eta[rows]), strict=True):
            same = np.abs(alone - whole[rows]) <= DIGITS * np.maximum(np.abs(whole[rows]), 1.0)
            _each(same, f"{what} among {len(rows)} rows in place of {len(y)}", y[rows], eta[rows], alone, whole[rows])


def _slopes_are_derivatives(function: RowFunction, y: Vector, eta: Vector, both: tuple[Vector, Vector]) -> None:
    """By central differences: these lie between the slopes on both sides, so a kink in the slope does no harm."""
    step = STEP * np.maximum(np.abs(eta), 1.0)
    above, below = eta + step, eta - step
    (high, steep), (low, flat) = _called(function, y, above), _called(function, y, below)
    expected = (high - low) / (above - below)
    rounding = 8 * np.finfo(np.float64).eps * (np.abs(high) + np.abs(low) + 1.0) / step
    off = np.abs(steep - flat) + NEAR * np.abs(expected) + rounding
    _each(np.abs(both[1] - expected) <= off, "slope", y, eta, both[1], expected)


def _far_out(function: RowFunction, y: Vector) -> None:
    eta = np.repeat([-FAR, FAR], len(y) // 2)
    value, slope = _called(function, y, eta)
    for what, found in (("loss", value), ("slope", slope)):
        _each(~np.isnan(found), what, y, eta, found, "no nan")
    _each(value > -np.inf, "loss", y, eta, value, "not minus infinity")
    both = np.isfinite(value) | ~np.isfinite(slope)
    _each(
        both,
        "loss",
        y,
        eta,
        value,
        "a finite number, as the slope is (np.logaddexp(0, x) does not overflow as log(1 + exp(x)) does)",
    )


def _each(good: "np.ndarray[Any, Any]", what: str, y: Vector, eta: Vector, found: Vector, expected: Vector | str) -> None:
    """Every row is good, or the first that is not is named."""
    bad = np.flatnonzero(~good)
    if len(bad):
        row = bad[0]
        wanted = expected if isinstance(expected, str) else f"{expected[row]:.9g}"
        raise AssertionError(
            f"row {row}, y = {y[row]:.9g}, eta = {eta[row]:.9g}: expected {wanted}, found the {what} {found[row]:.9g}"
        )
