"""What every loss promises: slopes are the derivatives of its values, bounds hold, and it writes nowhere but where it is told."""

import math
import tracemalloc

import numpy as np
import pytest

from mpi_pgd.losses import LOSSES, Loss
from mpi_pgd.losses.targets import Targets
from mpi_pgd.options import options_of
from mpi_pgd.testing import check_loss
from tests.losses.samples import CASES, IDS, ROWS, called, curvatures, etas, floors, room, targets

STEP = 1e-5
LINE = 100_000  # rows, more than numpy works on at a time


@pytest.fixture(params=CASES, ids=IDS)
def loss(request: pytest.FixtureRequest) -> Loss:
    name, options = request.param
    return LOSSES[name](**options)


def as_one(read: Targets, moved: int, at: np.ndarray) -> np.ndarray:
    """Linear predictors of all outputs, of which one is ``at``, and the others differ from each other."""
    if read.outputs == 1:
        return at.copy()
    eta = np.repeat(0.3 * np.arange(read.outputs)[:, None], len(at), axis=1)
    eta[moved] = at
    return eta


def start_of(loss: Loss, y: np.ndarray, read: Targets) -> np.ndarray:
    """The intercept (k,) of a model that has nothing else."""
    mean = [np.mean(y == number) for number in range(read.outputs)] if read.outputs > 1 else [y.mean()]
    return np.asarray(loss.start(np.array(mean)))


def test_it_is_a_loss_in_each_output(loss: Loss) -> None:
    y, read = targets(loss)
    for moved in range(read.outputs):

        def of_one(y: np.ndarray, eta: np.ndarray, moved: int = moved) -> tuple[np.ndarray, np.ndarray]:
            value, slopes = called(loss, y, as_one(read, moved, eta))
            return value, slopes if read.outputs == 1 else slopes[moved]

        check_loss(of_one, y)


def test_curvatures_are_the_derivatives_of_the_slopes(loss: Loss) -> None:
    y, read = targets(loss)
    eta = etas(read)
    found = curvatures(loss, y, eta)
    lines = np.atleast_2d(eta)
    for moved in range(read.outputs):
        step = np.zeros_like(lines)
        step[moved] = STEP
        above, below = (np.atleast_2d(called(loss, y, (lines + side * step).reshape(eta.shape))[1]) for side in (1, -1))
        assert found[moved] == pytest.approx((above - below) / (2 * STEP), rel=1e-7, abs=1e-7)


def test_no_slope_is_steeper_than_its_curvature_says(loss: Loss) -> None:
    y, read = targets(loss)
    for scale in (0.1, 2.0, 30.0):
        size = np.linalg.eigvalsh(curvatures(loss, y, etas(read, scale)).T)
        assert size.max() <= loss.curvature * (1 + 1e-12)
        if loss.convex:
            assert size.min() >= -1e-12
    if not loss.convex:
        assert size.min() < 0


def test_a_bound_on_the_curvature_is_reached(loss: Loss) -> None:
    y, read = targets(loss)
    if math.isfinite(loss.curvature):
        eta = etas(read, 0.0) + (y if read.outputs == 1 and not read.classes else 0.0)
        if read.outputs > 1:
            eta[2:] = -50.0  # as if there were two classes
        assert np.linalg.eigvalsh(curvatures(loss, y, eta).T).max() == pytest.approx(loss.curvature, rel=1e-9)


def test_the_floor_is_the_least_loss(loss: Loss) -> None:
    y, read = targets(loss)
    ends = np.sinh(np.linspace(-9, 9, 20_001)) / 4  # dense about 0, and from -1,000 to 1,000
    with np.errstate(over="ignore"):
        for target, floor in zip(*np.unique([y, floors(loss, y)], axis=1), strict=True):
            # Of several outputs all are moved, the target's own against the others.
            eta = ends if read.outputs == 1 else ends * np.where(np.arange(read.outputs) == target, 1, -1)[:, None]
            least = called(loss, np.full(len(ends), target), eta)[0].min()
            assert floor - 1e-12 * max(1, abs(floor)) <= least <= floor + 1e-5 * max(1, abs(floor))


def test_what_pulls_has_no_least_and_all_else_has_one(loss: Loss) -> None:
    y, read = targets(loss)
    pulls, least = loss.pulls(y), floors(loss, y)
    assert (loss.pulls(np.zeros(0)) is None) == (pulls is None)
    pulls = np.zeros(len(y)) if pulls is None else pulls
    if read.outputs > 1:
        if pulls.any():
            np.testing.assert_array_equal(pulls, y)
        return
    far = np.array([10.0, 20.0, 30.0])
    for target, pull, floor in zip(y, pulls, least, strict=True):
        here = np.full(3, target)
        if pull:
            above = called(loss, here, pull * far)[0] - floor
            assert (np.diff(above) < 0).all()
            assert (above > 0).all()
        else:
            near = np.linspace(-15, 15, 3001)
            lowest = called(loss, np.full(len(near), target), near)[0].min()
            assert lowest - floor < 1e-3 or read.classes == ()  # where that is further out


def test_the_size_of_the_slopes_is_about_what_the_loss_says(loss: Loss) -> None:
    y, read = targets(loss)
    exact = math.isfinite(loss.curvature)  # a bound; else in order of magnitude, whatever the unit of the targets
    for unit in (1.0,) if exact else (1e-3, 1.0, 1e3):
        typical = start_of(loss, unit * y, read)
        bend = loss.curvature if exact else float(curvatures(loss, np.full(1, unit * y.mean()), typical)[0, 0, 0])
        for scale in (1e-3, 0.1, 1.0, 3.0):
            value, slopes = called(loss, unit * y, etas(read, scale) + (0.0 if exact else typical))
            size = math.sqrt(float((np.atleast_2d(slopes) ** 2).sum(axis=0).mean()))
            said = loss.slope_size(float((value - floors(loss, unit * y)).mean()), bend)
            assert size <= said * (1 + 1e-12 if exact else 10)
            if not exact and scale < 3:
                assert size >= said / 40
    assert loss.slope_size(0.0, 1.0) == 0


def test_it_starts_where_the_intercept_is_best(loss: Loss) -> None:
    """But for a loss whose mean is eta itself, and whose best intercept is not the mean: that is no function of it."""
    y, read = targets(loss)
    start = start_of(loss, y, read)
    assert start.shape == (read.outputs,)
    eta = np.repeat(start[:, None], ROWS, axis=1).reshape((read.outputs, ROWS) if read.outputs > 1 else ROWS)
    value, slopes = called(loss, y, eta)
    away = np.abs(np.atleast_2d(slopes).mean(axis=1)).max()
    nearly = loss.mean(eta) is eta and not loss.centred
    assert away <= (0.5 * loss.curvature if nearly else 1e-12) * max(1, np.abs(slopes).max())
    assert loss.explained(float(value.mean()), float(value.mean())) == 0 or value.mean() < 0


def test_it_starts_somewhere_where_a_class_has_no_weight(loss: Loss) -> None:
    k = targets(loss)[1].outputs
    for mean in (np.zeros(k), np.ones(k), np.eye(k)[0]):
        with np.errstate(all="raise"):
            assert np.isfinite(loss.start(mean)).all()


def test_a_centred_loss_has_the_mean_for_its_best_intercept(loss: Loss) -> None:
    y, read = targets(loss)
    if read.outputs == 1:
        _, slopes = called(loss, y, np.full(ROWS, y.mean()))
        # 1,000 is farther than any residual here: then Huber's is squared loss, and does not say so
        assert (abs(slopes.sum()) < 1e-12) == (loss.centred or getattr(loss, "huber_delta", 0) == 1e3)


@pytest.mark.parametrize("size", [40.0, 350.0, 745.0, 1e4])
def test_nothing_but_a_true_overflow_is_one(loss: Loss, size: float) -> None:
    y, read = targets(loss)
    lines = np.random.default_rng(4).choice([-size, 0.0, size], (read.outputs, ROWS))
    eta = lines[0] if read.outputs == 1 else lines
    with np.errstate(all="raise", over="ignore"):
        value, slopes = called(loss, y, eta)
        bends = curvatures(loss, y, eta)
        floor = floors(loss, y)
    assert not any(np.isnan(found).any() for found in (value, slopes, bends))
    assert np.isfinite(floor).all()
    assert (value >= floor).all()
    if math.isfinite(loss.curvature):
        with np.errstate(all="raise"):
            assert np.isfinite(called(loss, y, eta)[0]).all()
            assert np.isfinite(called(loss, y, eta)[1]).all()


def test_it_writes_nowhere_else(loss: Loss) -> None:
    """In the middle of memory that is looked at afterwards; what it may only read can't be written."""
    y, read = targets(loss)
    eta, k = np.atleast_2d(etas(read)), read.outputs
    triangle = k * (k + 1) // 2
    memory = np.full((3 + k + triangle + loss.rooms, ROWS + 20), 7.0)
    inner = memory[:, 10:-10]
    slopes, value, out, space = np.split(inner[1:-1], [k, k + 1, k + 1 + triangle])
    slopes[:] = eta
    y = y.copy()
    y.flags.writeable = False
    expected = called(loss, y, eta.reshape(-1, ROWS) if k > 1 else eta[0])
    loss(y, slopes if k > 1 else slopes[0], value[0], space)
    assert value[0].tolist() == expected[0].tolist()
    assert slopes.ravel().tolist() == expected[1].ravel().tolist()
    eta.flags.writeable = False
    loss.curvatures(y, eta if k > 1 else eta[0], out if k > 1 else out[0], space)
    loss.floor(y, value[0], space)
    inner[1:-1] = 7.0
    assert (memory == 7).all()


def test_it_makes_no_lines_of_its_own(loss: Loss) -> None:
    y, read = targets(loss)
    y = np.resize(y, LINE)
    eta = etas(read, rows=LINE)
    k, value = read.outputs, np.empty(LINE)
    out, space = np.empty((k * (k + 1) // 2, LINE)), room(loss, value)
    if k == 1:
        out = out[0]
    tracemalloc.start()
    try:
        loss.curvatures(y, eta, out, space)
        loss(y, eta, value, space)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < LINE * 2  # bytes; a line has eight a row


def test_what_is_explained_is_nothing_by_the_null_model_and_all_at_the_floor(loss: Loss) -> None:
    assert [loss.explained(value, 2.0) for value in (2.0, 0.0, 3.0)] == [0.0, 1.0, -0.5]
    assert loss.explained(1.0, 0.0) is None


def test_options_say_what_they_are() -> None:
    for item in options_of(LOSSES.values()).values():
        assert item.metadata["text"]
        assert item.metadata["expected"]
        assert "bits" in item.metadata["facts"]
