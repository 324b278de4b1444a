"""The driver of a fit: what is kept of it is enough to go on to the same bits; the history grows and is cut."""

import math
from time import perf_counter

import numpy as np
import pytest

from mpi_pgd.drivers.best import FALLEN, IDLE
from mpi_pgd.drivers.certificate import Kind
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.objective import Objective, Scaling
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import Ask, GradientTask
from mpi_pgd.losses.squared import Squared
from tests.families import STEPPED, solver_of

EIGENVALUES = np.array([4.0, 1.0, 0.25])
AIM = np.array([1.0, -2.0, 0.3])
LIMIT = 40


def driver_of(
    name: str, history: History, step: float | str = "auto", limit: int = LIMIT, tol: float = 0.0, largest: float = 1.0
) -> FitDriver:
    """By default with steps that are learnt: there is more of them to be kept. ``largest`` is the target's size."""
    scaling = Scaling.of(np.zeros(4), np.ones(4), np.array([1.0, 1.0, 1.0, largest]), intercept=False, standardize=False)
    objective = Objective(1, scaling, Squared(), None, intercept=False)
    tasks = {Ask.GRADIENT: GradientTask(Squared(), 3, 1)}
    return FitDriver(objective, tasks, solver_of(name, step=step), limit, tol, lambda *_: None, history)


def go(
    driver: FitDriver, until: int = 10**9, signalled: bool = False, more: float = 0.0, noise: np.random.Generator | None = None
) -> Query:
    """Round after round, for half the sum of eigenvalue times distance squared, plus a number, and with a noisy gradient."""
    query, partial = Query(driver.tasks), Partial(5, 1, order_free=False)
    driver.open(query)
    while not query.stop and driver.rounds < until:
        partial.clear()
        away = query.point[:3] - AIM
        gradient = EIGENVALUES * away + (1e-7 * noise.normal(size=3) if noise else 0.0)
        partial.slot(1)[:] = [*gradient, 0.0, 0.5 * np.dot(EIGENVALUES * away, away) + more]
        partial.close(late=False, signalled=signalled)
        driver.update(partial, query)
    return query


@pytest.mark.parametrize("name", STEPPED)
@pytest.mark.parametrize("stop", [0, 1, 17, 39])
def test_going_on_from_a_dump_gives_the_same_bits(name: str, stop: int) -> None:
    whole = driver_of(name, History(perf_counter()))
    end = go(whole)
    first = driver_of(name, History(perf_counter()))
    go(first, until=stop)
    history = History(perf_counter())
    history.extend(0, first.history.lines(0, stop))
    second = driver_of(name, history)
    second.load(first.dump(), stop)
    again = go(second)
    assert (second.status, second.rounds) == (Status.ROUNDS, LIMIT)
    assert again.point.tobytes() == end.point.tobytes()
    assert second.dump().tobytes() == whole.dump().tobytes()
    for number in range(3):  # all but the seconds
        assert history.lines(0, LIMIT + 1)[number].tobytes() == whole.history.lines(0, LIMIT + 1)[number].tobytes()


@pytest.mark.parametrize("name", STEPPED)
def test_a_stop_leaves_a_state_to_go_on_from(name: str) -> None:
    end = go(driver_of(name, History(perf_counter())))
    stopped = driver_of(name, History(perf_counter()))
    go(stopped, until=12)
    go(stopped, signalled=True)
    assert (stopped.status, stopped.rounds) == (Status.SIGNAL, 12)
    history = History(perf_counter())
    history.extend(0, stopped.history.lines(0, 12))
    second = driver_of(name, history)
    second.load(stopped.dump(), 12)
    assert go(second).point.tobytes() == end.point.tobytes()


def test_what_is_reported_belongs_to_the_weights_that_are_returned() -> None:
    """Also where the last point was a trial that was too far: then these are the best."""
    trials = 0
    for limit in range(2, 20):
        driver = driver_of("bb", History(perf_counter()), limit=limit)
        away = go(driver).point[:3] - AIM
        value, norm = 0.5 * float(np.dot(EIGENVALUES * away, away)), float(np.linalg.norm(EIGENVALUES * away))
        assert (driver.status, driver.rounds) == (Status.ROUNDS, limit)
        assert (driver.objective, driver.loss) == (pytest.approx(value), pytest.approx(value))
        assert driver.gradient_norm == pytest.approx(norm)
        assert driver.certificate == (driver.gradient_norm, Kind.NORM)
        trials += driver.objective < driver.history.objective[-1]
    assert trials


def test_the_best_point_outlives_a_dump() -> None:
    """A fit that runs away gives the best weights, also if these were seen before it was stopped."""
    whole = driver_of("gd", History(perf_counter()), 0.52, limit=10_000)
    end = go(whole)
    assert whole.status == Status.DIVERGED
    first = driver_of("gd", History(perf_counter()), 0.52, limit=10_000)
    go(first, until=whole.rounds - 2)
    history = History(perf_counter())
    history.extend(0, first.history.lines(0, first.rounds))
    second = driver_of("gd", history, 0.52, limit=10_000)
    second.load(first.dump(), first.rounds)
    again = go(second)
    assert second.status == Status.DIVERGED
    assert again.point.tobytes() == end.point.tobytes()
    assert (second.objective, second.gradient_norm) == (whole.objective, whole.gradient_norm)


def test_a_rise_is_judged_by_differences() -> None:
    """Half the squares above a huge floor: the same rise is the same divergence, though it is nothing beside the objective."""
    ended = []
    for floor in (0.0, 1e12):
        driver = driver_of("gd", History(perf_counter()), 0.55, limit=10_000)
        go(driver, more=floor)
        ended.append((driver.status, driver.rounds))
    assert ended[0] == ended[1]
    assert ended[0][0] == Status.DIVERGED


@pytest.mark.parametrize("name", STEPPED)
def test_what_only_rounding_moves_has_reached_its_precision(name: str) -> None:
    """The gradient's noise, here of 1e-7, is below what the rounding of residuals of 1e9 can make; but --tol 0 goes on."""
    ended = {}
    for tol in (1e-12, 0.0):
        driver = driver_of(name, History(perf_counter()), limit=500, tol=tol, largest=1e9)
        go(driver, noise=np.random.default_rng(1))
        ended[tol] = driver
    first = ended[1e-12]
    assert (first.status, ended[0.0].status, ended[0.0].rounds) == (Status.PRECISION, Status.ROUNDS, 500)
    norms = np.array(first.history.gradient_norm)
    assert IDLE < first.rounds < 300
    assert norms[-IDLE:].min() > FALLEN * norms[:-IDLE].min()
    digits = first.history.digits(max(first.gradient_norm, first.rounding))
    assert digits == pytest.approx(math.log10(norms[0] / max(norms[-1], first.rounding)))
    assert 5 < digits < 7.5


def test_a_gradient_above_its_rounding_goes_on() -> None:
    """However slowly it falls: 2 % a round."""
    driver = driver_of("gd", History(perf_counter()), 0.08, limit=5000, tol=1e-9)
    go(driver)
    assert (driver.status, driver.rounds > 500) == (Status.CONVERGED, True)


def test_a_dump_before_the_first_round_has_the_length_of_all() -> None:
    driver = driver_of("nesterov", History(perf_counter()))
    start = driver.dump()
    assert math.inf in start  # no best point yet
    go(driver)
    assert len(driver.dump()) == len(start)


def test_lines_of_a_history_replace_those_from_there_on() -> None:
    history = History(perf_counter())
    for number in range(5):
        history.add(float(number), 10.0 + number, 0.5)
    kept = history.lines(1, 4)
    assert kept.shape == (4, 3)
    history.extend(2, kept)
    assert history.objective.tolist() == [0.0, 1.0, 1.0, 2.0, 3.0]
    history.cut(2)
    assert history.gradient_norm.tolist() == [10.0, 11.0]
    assert history.columns() == {
        "round": [1],
        "objective": [1.0],
        "gradient_norm": [11.0],
        "step": [0.5],
        "seconds": [history.seconds[1]],
    }
