"""The passes before the fit."""

import math
from fractions import Fraction

import numpy as np
import pytest

from mpi_pgd.drivers.moments import Moments, MomentsDriver, check_range, look
from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.loop import rounds
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.errors import InputError
from mpi_pgd.losses.squared import Squared
from tests.engine.alone import Alone

ROWS, BLOCK = 90, 40


def moments(x: np.ndarray, y: np.ndarray, order_free: bool = True) -> Moments:
    """As the program finds them, in blocks."""
    return found(x, y, order_free)[0]


def found(x: np.ndarray, y: np.ndarray, order_free: bool = True, weights: np.ndarray | None = None) -> tuple[Moments, int]:
    """With how often the rows were passed over for them."""
    blocks, passes = Blocks(), 0
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        blocks.append(Block(x[rows], y[rows], None if weights is None else weights[rows], start=start))
    more = BLOCK, x.shape[1], Squared(), 0, False
    start = look(blocks[0], np.array([np.abs(y).max()]), *more)
    driver: MomentsDriver | None = MomentsDriver(start, 1.0 if weights is None else float(weights.max()), *more)
    while driver:
        query = Query([driver.task])
        sums = Sums(query, len(blocks), order_free)
        sums.expect(driver.bound)
        with np.errstate(over="ignore", invalid="ignore"):  # as in a fit
            rounds(Alone(), blocks, sums, driver, query)
        passes += query.round
        moments = driver.moments()
        driver = driver.after(moments)
    return moments, passes


def data() -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(1)
    return g.normal([0, 5, -70], size=(ROWS, 3)), g.normal(size=ROWS)


@pytest.mark.parametrize("order_free", [True, False])
@pytest.mark.parametrize("size", [1.0, 2.0**510, 2.0**-530, 2.0**800, 2.0**-790])
def test_moments_of_any_magnitude(size: float, order_free: bool) -> None:
    """Their squares over- or underflow; the digits are those of the same numbers near 1."""
    x, y = data()
    found, plain = moments(x * size, y, order_free), moments(x, y, order_free)
    np.testing.assert_allclose(plain.mean, np.c_[x, y].mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(plain.deviation, np.c_[x, y].std(axis=0), rtol=1e-13)
    assert (found.mean[:3] / size).tolist() == plain.mean[:3].tolist()
    assert (found.deviation[:3] / size).tolist() == plain.deviation[:3].tolist()


DRAW = np.random.default_rng(4)
NOISE = DRAW.normal(size=ROWS)
LATER = np.arange(ROWS) >= BLOCK
COLUMNS = {
    "in no order": (NOISE, 1),
    "far from 0": (1e8 + NOISE, 1),
    "sorted": (np.sort(NOISE), 1),
    "ones in later blocks alone": (1.0 * LATER, 1),
    "an outlier in the first block": (np.where(np.arange(ROWS) == 3, 1e9, NOISE), 1),
    "an outlier in a later block": (np.where(np.arange(ROWS) == ROWS - 1, 1e9, NOISE), 2),
    "sorted by magnitude": (np.exp(10 * np.sort(NOISE)), 2),
    "constant in the first block": (np.where(LATER, NOISE, 7.7), 2),
    "zeros, then little": (1e-9 * LATER * NOISE, 3),
    "zeros, then hardly anything": (1e-200 * LATER * NOISE, 3),
    "hardly anything, then much": (NOISE * np.where(LATER, 1e150, 1e-150), 3),
    "as large as can be": (1e300 * (NOISE + LATER), 1),
}


def exactly(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean and deviation, rounded once."""
    pairs = [(Fraction(weight), Fraction(value)) for weight, value in zip(weights.tolist(), values.tolist(), strict=True)]
    whole = sum(weight for weight, _ in pairs)
    mean = sum(weight * value for weight, value in pairs) / whole
    unit = max(abs(value) for _, value in pairs)
    return float(mean), float(unit) * math.sqrt(sum(weight * ((value - mean) / unit) ** 2 for weight, value in pairs) / whole)


@pytest.mark.parametrize("order_free", [True, False])
@pytest.mark.parametrize("kind", COLUMNS)
def test_one_pass_has_all_digits_and_others_follow_where_it_has_not(kind: str, order_free: bool) -> None:
    values, passes = COLUMNS[kind]
    mean, deviation = exactly(values, np.ones(ROWS))
    moments, made = found(values[:, None], NOISE, order_free)
    assert made == passes if order_free else made <= passes
    assert moments.mean[0] == pytest.approx(mean, rel=1e-15, abs=4e-16 * deviation)
    assert moments.deviation[0] == pytest.approx(deviation, rel=1e-14)
    assert moments.peak[0] == np.abs(values).max()


def test_a_first_block_of_hardly_any_weight_costs_a_pass_and_no_digits() -> None:
    values, weights = np.where(LATER, NOISE, 1e9 + NOISE), np.where(LATER, 1.0, 1e-30)
    mean, deviation = exactly(values, weights)
    moments, made = found(values[:, None], NOISE, weights=weights)
    assert made > 1
    assert moments.mean[0] == pytest.approx(mean, rel=1e-14)
    assert moments.deviation[0] == pytest.approx(deviation, rel=1e-13)
    weights[~LATER] = 0.0
    assert found(values[:, None], NOISE, weights=weights)[0].mean[0] == pytest.approx(exactly(values, weights)[0], rel=1e-14)


@pytest.mark.parametrize("order_free", [True, False])
def test_what_varies_by_rounding_alone_is_constant(order_free: bool) -> None:
    x, y = data()
    x[:, 0] = 0.3
    x[::2, 0] = 0.1 * 3
    x[:, 1] = 7e10 * (1 + np.arange(ROWS) % 3 * 2.0**-52)
    assert moments(x, y, order_free).deviation[:2].tolist() == [0.0, 0.0]
    x[:, 1] = 7e10 + np.arange(ROWS)
    assert moments(x, y, order_free).deviation[1] == pytest.approx(np.arange(ROWS).std(), rel=1e-9)


def test_a_vector_of_moments_comes_back() -> None:
    found = moments(*data())
    again = Moments.of(found.vector())
    assert [np.asarray(part).tolist() for part in again] == [np.asarray(part).tolist() for part in found]


@pytest.mark.parametrize(
    ("size_x", "size_y", "standardize", "words"),
    [
        (1e300, 1.0, True, "column 0 of X has values up to"),
        (1e-300, 1.0, True, "column 0 of X has values up to"),
        (1e-318, 1.0, True, "column 0 of X has values up to"),
        (1.0, 1e200, True, "y has values up to"),
        (1.0, 1e-200, True, "y has values up to"),
        (1e-180, 1e130, True, "its weight"),
        (1e155, 1.0, False, "column 0 of X"),
    ],
)
def test_what_cannot_be_held_is_refused(size_x: float, size_y: float, standardize: bool, words: str) -> None:
    x, y = data()
    with pytest.raises(InputError, match=words):
        check_range(moments(x * size_x, y * size_y), 3, standardize, "X", "y")


def test_a_constant_that_overflows_is_refused_too() -> None:
    x, y = data()
    x[:, 1] = 1e300
    with pytest.raises(InputError, match="column 1 of X"):
        check_range(moments(x, y), 3, True, "X", "y")


def test_what_can_be_held_is_not_refused() -> None:
    x, y = data()
    x[:, 0] = 0.0
    x[:, 1] = 1e-300  # constant: its weight is 0
    check_range(moments(x * [1.0, 1.0, 1e155], y), 3, True, "X", "y")
    check_range(moments(x * [1.0, 1.0, 1e-160], 0 * y), 3, True, "X", "y")
