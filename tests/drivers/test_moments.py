"""The passes before the fit."""

import numpy as np
import pytest

from mpi_pgd.drivers.moments import Moments, MomentsDriver, check_range
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
    table = np.c_[x, y]
    driver = MomentsDriver(table[0], np.abs(table).max(axis=0), BLOCK, x.shape[1], Squared())
    query = Query([driver.task])
    sums = Sums(query, -(-len(x) // BLOCK), order_free)
    sums.peaks[:] = driver.bound
    sums.rebound()
    blocks = Blocks(Block(x[start : start + BLOCK], y[start : start + BLOCK]) for start in range(0, len(x), BLOCK))
    rounds(Alone(), blocks, sums, driver, query)
    assert query.round == 2
    return driver.moments()


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


def test_an_outlier_in_the_first_row_costs_no_digits() -> None:
    x, y = data()
    x[0] = 1e9
    found = moments(x, y)
    wide = x.astype(np.longdouble)
    np.testing.assert_allclose(found.deviation[:3], wide.std(axis=0).astype(float), rtol=1e-12)
    y[0], x[0] = -1e12, 1.0
    assert moments(x, y).deviation[3] == pytest.approx(y.astype(np.longdouble).std().astype(float), rel=1e-12)


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
