"""The rule of the fit: what is kept of it is enough to go on to the same bits; the history grows and is cut."""

import math
from time import perf_counter

import numpy as np
import pytest

from mpi_pgd.objective.objective import Objective, Scaling
from mpi_pgd.rules.fit import FitRule, History, Status
from mpi_pgd.solvers.descent import SOLVERS
from mpi_pgd.sums import Partial
from mpi_pgd.train import Action, Order

EIGENVALUES = np.array([4.0, 1.0, 0.25])
AIM = np.array([1.0, -2.0, 0.3])
LIMIT = 40


def rule_of(name: str, history: History, step: float = 0.2, limit: int = LIMIT) -> FitRule:
    objective = Objective(1, Scaling(np.zeros(3), np.ones(3)), intercept=False, l2=0.0)
    return FitRule(objective, SOLVERS[name](step, 0.5), limit, 0.0, lambda *_: None, history)


def go(rule: FitRule, until: int = 10**9, signalled: bool = False) -> Order:
    """Round after round, for half the sum of eigenvalue times distance squared."""
    order, partial = Order(3), Partial(5, 1, order_free=False)
    rule.open(order)
    while order.action != Action.STOP and rule.rounds < until:
        partial.clear()
        away = order.point[:3] - AIM
        partial.slot(1)[:] = [*(EIGENVALUES * away), 0.0, 0.5 * np.dot(EIGENVALUES * away, away)]
        partial.close(late=False, signalled=signalled)
        rule(partial, order)
    return order


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("stop", [0, 1, 17, 39])
def test_going_on_from_a_dump_gives_the_same_bits(name: str, stop: int) -> None:
    whole = rule_of(name, History(perf_counter()))
    end = go(whole)
    first = rule_of(name, History(perf_counter()))
    go(first, until=stop)
    history = History(perf_counter())
    history.extend(0, first.history.lines(0, stop))
    second = rule_of(name, history)
    second.load(first.dump(), stop)
    again = go(second)
    assert (second.status, second.rounds) == (Status.ROUNDS, LIMIT)
    assert again.point.tobytes() == end.point.tobytes()
    assert second.dump().tobytes() == whole.dump().tobytes()
    for number in range(2):
        assert history.lines(0, LIMIT + 1)[number].tobytes() == whole.history.lines(0, LIMIT + 1)[number].tobytes()


@pytest.mark.parametrize("name", SOLVERS)
def test_a_stop_leaves_a_state_to_go_on_from(name: str) -> None:
    end = go(rule_of(name, History(perf_counter())))
    stopped = rule_of(name, History(perf_counter()))
    go(stopped, until=12)
    go(stopped, signalled=True)
    assert (stopped.status, stopped.rounds) == (Status.SIGNAL, 12)
    history = History(perf_counter())
    history.extend(0, stopped.history.lines(0, 12))
    second = rule_of(name, history)
    second.load(stopped.dump(), 12)
    assert go(second).point.tobytes() == end.point.tobytes()


def test_the_best_point_outlives_a_dump() -> None:
    """A fit that runs away gives the best weights, also if these were seen before it was stopped."""
    whole = rule_of("gd", History(perf_counter()), step=0.52, limit=10_000)
    end = go(whole)
    assert whole.status == Status.DIVERGED
    first = rule_of("gd", History(perf_counter()), step=0.52, limit=10_000)
    go(first, until=whole.rounds - 2)
    history = History(perf_counter())
    history.extend(0, first.history.lines(0, first.rounds))
    second = rule_of("gd", history, step=0.52, limit=10_000)
    second.load(first.dump(), first.rounds)
    again = go(second)
    assert second.status == Status.DIVERGED
    assert again.point.tobytes() == end.point.tobytes()
    assert (second.objective, second.gradient_norm) == (whole.objective, whole.gradient_norm)


def test_a_dump_before_the_first_round_has_the_length_of_all() -> None:
    rule = rule_of("nesterov", History(perf_counter()))
    start = rule.dump()
    assert math.inf in start  # no best point yet
    go(rule)
    assert len(rule.dump()) == len(start)


def test_lines_of_a_history_replace_those_from_there_on() -> None:
    history = History(perf_counter())
    for number in range(5):
        history.add(float(number), 10.0 + number)
    kept = history.lines(1, 4)
    assert kept.shape == (3, 3)
    history.extend(2, kept)
    assert history.objective.tolist() == [0.0, 1.0, 1.0, 2.0, 3.0]
    history.extend(2, np.empty((3, 0)))
    assert history.gradient_norm.tolist() == [10.0, 11.0]
    assert history.columns()["round"] == [1]
