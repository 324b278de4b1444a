"""The elementary functions: right to about a unit in the last place, everywhere, with the same bits on every instruction set."""

from collections.abc import Iterator

import numpy as np
import pytest

from mpi_pgd.kernel import NAME, NUMPY, Vector

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

NAMES = ["exp", "expm1", "log", "log1p"]
COUNT = 20_000
SMALL = [0.0, 5e-324, 1e-310, 2.0**-1022, 2.0**-60, 2.0**-54, 2.0**-53]
MIDDLE = [0.2928932188134524, 0.41421356237309503, 0.9999999999999999, 1.0, 1.0000000000000002, 2.0, 37.0, 40.0]
LARGE = [708.4, 709.782712893384, 709.7827128933841, 745.1332191019412, 745.14, 746.0, 2.0**53, 2.0**54, 1e308]
EDGES = np.array([*SMALL, *MIDDLE, *LARGE, np.finfo(np.float64).max, np.inf, np.nan])


@pytest.fixture
def numbers() -> Iterator[Vector]:
    """Numbers of all sizes, most where the functions are neither flat nor beyond all numbers; the best set is in use afterwards."""
    g = np.random.default_rng(0)
    parts = [g.uniform(-2.0, 2.0, COUNT), g.uniform(-746.0, 710.0, COUNT), 1 + np.exp2(g.uniform(-52.0, -1.0, COUNT))]
    parts += [g.choice([-1.0, 1.0], COUNT) * np.exp2(g.uniform(-1074.0, 1024.0, COUNT)), EDGES, -EDGES]
    yield np.concatenate(parts)
    native.use(native.names()[0])


@pytest.mark.parametrize("name", NAMES)
def test_values(name: str, numbers: Vector) -> None:
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(numbers.astype(np.longdouble))
        rounded = exact.astype(np.float64)
    found = np.empty_like(numbers)
    for instructions in native.names():
        native.use(instructions)
        here = np.empty_like(numbers)
        getattr(native, name)(numbers, here)
        assert np.array_equal(np.isnan(here), np.isnan(rounded))
        assert instructions == native.names()[0] or np.array_equal(here, found, equal_nan=True)
        found = here
    finite = np.isfinite(rounded)
    assert np.array_equal(found[~finite], rounded[~finite], equal_nan=True)
    assert np.array_equal(np.signbit(found[rounded == 0]), np.signbit(rounded[rounded == 0]))
    off = np.abs(found[finite] - exact[finite]) / np.spacing(np.abs(rounded[finite]))
    assert off.max() < 1.2


@pytest.mark.parametrize("name", NAMES)
def test_where_they_lie(name: str) -> None:
    function = getattr(native, name)
    x = np.random.default_rng(1).uniform(0.1, 3.0, (5, 37))
    whole = np.empty_like(x)
    function(x, whole)
    assert whole == pytest.approx(getattr(np, name)(x), rel=1e-15)
    for place in (np.s_[1:4, 3:20], np.s_[::2, :9], np.s_[0], np.s_[:, :0], np.s_[2:2], np.s_[3, 4:5]):
        here = x.copy()
        function(here[place], here[place])
        assert np.array_equal(here[place], whole[place])
    number = np.array(2.0)
    function(number, number)
    assert number == pytest.approx(getattr(np, name)(2.0), rel=1e-15)
    room = np.zeros((5, 40))
    function(x, room[:, :37])
    assert np.array_equal(room[:, :37], whole)
    assert not room[:, 37:].any()


def test_bad_arrays() -> None:
    x = np.ones((4, 8))
    fixed = x.copy()
    fixed.flags.writeable = False
    for out in (x[:, ::2], x[:3], x[0], x.T, x.astype(np.float32), fixed, np.ones((2, 2, 8))):
        with pytest.raises((ValueError, TypeError, BufferError)):
            native.exp(x, out)
    with pytest.raises(TypeError, match="exp takes 2 arguments"):
        native.exp(x)  # type: ignore[call-arg]
