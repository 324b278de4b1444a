"""What a round does once: to the bits of numpy, whatever the instruction set, but for products, whose order is the kernel's."""

from collections.abc import Iterator

import numpy as np
import pytest

from mpi_pgd.kernel import NAME, NUMPY, Vector, reference

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

SIZES = [0, 1, 7, 23, 203]
EDGES = [0.0, -0.0, 1.0, 5e-324, 1e308, np.inf, np.nan]


@pytest.fixture(params=native.names())
def every(request: pytest.FixtureRequest) -> Iterator[None]:
    """On each instruction set."""
    native.use(request.param)
    yield
    native.use(native.names()[0])


@pytest.mark.usefixtures("every")
def test_votes() -> None:
    peaks, bound = (part.ravel() for part in np.meshgrid(EDGES, [0.5, 1.0, 2.0]))
    for kept in [*np.eye(len(peaks), dtype=bool), peaks < 1.0, peaks < 0.0, peaks > -1.0]:
        found, expected = np.full(3, np.nan), np.full(3, np.nan)
        given = 1e300, peaks[kept], bound[kept], bound[kept] / 2
        native.votes(*given, found)
        reference.votes(*given, expected)
        assert found.tolist() == expected.tolist()
    with pytest.raises(ValueError, match="votes: the arrays do not fit"):
        native.votes(1.0, peaks, bound[1:], bound, np.empty(3))


@pytest.mark.usefixtures("every")
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("features", SIZES)
def test_descent(features: int, outputs: int, free: bool) -> None:
    random, size = np.random.default_rng(features), features * outputs
    mean, scale, slopes = random.standard_normal(features), random.random(features) + 0.1, random.standard_normal(outputs)
    scale[features // 2 : features // 2 + 1] = np.inf  # a constant column
    curvature, sums, unknowns = random.standard_normal((3, size))
    sums[-1:] = np.nan

    def made(descent: object) -> tuple[float, Vector]:
        out = np.full(size + outputs * free, np.nan)
        return descent(7.0, mean, scale, curvature, sums, slopes, unknowns, np.empty(size), out), out  # type: ignore[operator]

    (value, found), (near, expected) = made(native.descent), made(reference.descent)
    assert found.tobytes() == expected.tobytes()
    assert value == 0.5 * native.dot(unknowns, curvature * unknowns) == pytest.approx(near, rel=1e-13)
    with pytest.raises(ValueError, match="descent: the arrays do not fit"):
        native.descent(7.0, mean, scale, curvature, sums, slopes, unknowns, np.empty(size), np.empty(size + outputs + 1))


@pytest.mark.usefixtures("every")
@pytest.mark.parametrize("size", SIZES)
def test_moves(size: int) -> None:
    given = np.random.default_rng(size).standard_normal((4, size))
    ours, expected = given.copy(), given.copy()
    rooms = np.empty((2, 2, size))
    found = native.moves(*ours, *rooms[0])
    products = reference.moves(*expected, *rooms[1])
    assert (ours.tobytes(), rooms[0].tobytes()) == (expected.tobytes(), rooms[1].tobytes())
    moved, changed = given[0] - given[2], given[1] - given[3]
    pairs = (moved, changed), (changed, changed), (moved, moved), (given[0], given[0])
    assert found == tuple(native.dot(*pair) for pair in pairs) == pytest.approx(products, rel=1e-13)
    with pytest.raises(ValueError, match="moves: the arrays do not fit"):
        native.moves(*ours, rooms[0, 0], np.empty(size + 1))


@pytest.mark.usefixtures("every")
@pytest.mark.parametrize("size", SIZES)
def test_steps(size: int) -> None:
    ours = np.random.default_rng(size).standard_normal((4, size))
    expected = ours.copy()
    products = tuple(native.dot(ours[x], ours[y]) for x, y in [(0, 3), (0, 1), (1, 3), (1, 1)])
    assert native.spans(*ours) == products == pytest.approx(reference.spans(*expected), rel=1e-13)
    native.descend(0.3, ours[0], ours[1], ours[2])
    reference.descend(0.3, expected[0], expected[1], expected[2])
    squares, scaled = native.sizes(ours[2], ours[0], ours[3])
    assert (squares, scaled) == pytest.approx(reference.sizes(expected[2], expected[0], expected[3]), rel=1e-13)
    assert (squares, scaled) == (native.dot(ours[2], ours[2]), native.dot(ours[3], ours[3]))
    native.rounded(ours[0], ours[1, : size // 2], ours[3])
    reference.rounded(expected[0], expected[1, : size // 2], expected[3])
    assert ours.tobytes() == expected.tobytes()
    more = np.empty(size + 1)
    for name, given in {"spans": (*ours[:3], more), "sizes": (*ours[:2], more), "rounded": (ours[0], more, ours[1])}.items():
        with pytest.raises(ValueError, match=f"{name}: the arrays do not fit"):
            getattr(native, name)(*given)
    with pytest.raises(ValueError, match="descend: the arrays do not fit"):
        native.descend(1.0, *ours[:2], more)


@pytest.mark.usefixtures("every")
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("features", SIZES)
def test_points(features: int, outputs: int) -> None:
    random, size = np.random.default_rng(features), features * outputs
    scale, mean, centres = random.random(features) + 0.1, random.standard_normal(features), random.standard_normal(outputs)
    scale[: features // 2] = np.inf  # constant columns
    unknowns, room = random.standard_normal(size + outputs), np.empty(features)
    found, near = np.empty((2, size + outputs))
    native.to_user(unknowns, scale, mean, centres, found)
    reference.to_user(unknowns, scale, mean, centres, near)
    assert found[:size].tobytes() == near[:size].tobytes()
    lines = found[:size].reshape(outputs, features)
    assert found[size:].tolist() == [c - native.dot(mean, w) for c, w in zip(centres.tolist(), lines, strict=True)]
    assert found == pytest.approx(near, rel=1e-13, abs=1e-13)
    peak = np.abs(mean)
    sizes = [native.dot(np.abs(w), peak) + abs(c) for w, c in zip(lines, found[size:].tolist(), strict=True)]
    assert native.reach(outputs, found, peak, room) == max(sizes) == pytest.approx(reference.reach(outputs, found, peak, room))
    with pytest.raises(ValueError, match="to_user: the arrays do not fit"):
        native.to_user(unknowns, scale, mean, centres, found[1:])
    with pytest.raises(ValueError, match="reach: the arrays do not fit"):
        native.reach(outputs, found[1:], peak, room)
