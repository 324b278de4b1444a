"""The passes before the fit."""

import numpy as np
import pytest

from mpi_pgd.objective.objective import Objective, Scaling
from mpi_pgd.rules.setup import PowerRule
from mpi_pgd.sums import Partial
from mpi_pgd.train import Action, Order

EIGENVALUES = np.array([4.0, 1.0, 0.25])


def multiplied(rule: PowerRule, partial: Partial, order: Order, late: bool, signalled: bool) -> None:
    partial.clear()
    partial.slot(1)[:3] = EIGENVALUES * order.point[:3]
    partial.close(late, signalled)
    rule(partial, order)


def started() -> tuple[PowerRule, Partial, Order]:
    objective = Objective(1, Scaling(np.zeros(3), np.ones(3)), intercept=False, l2=0.0)
    rule, order = PowerRule(objective, trace=float(EIGENVALUES.sum())), Order(3)
    rule.open(order)
    return rule, Partial(5, 1, order_free=False), order


def test_power_iteration_finds_the_largest_eigenvalue() -> None:
    rule, partial, order = started()
    while order.action == Action.GO:
        multiplied(rule, partial, order, late=False, signalled=False)
    assert 1 < rule.products < rule.LIMIT
    assert 4.0 <= rule.largest <= 4.0 * rule.MARGIN


@pytest.mark.parametrize(("late", "signalled"), [(True, False), (False, True)])
def test_power_iteration_ends_when_the_fit_has_to(late: bool, signalled: bool) -> None:
    rule, partial, order = started()
    multiplied(rule, partial, order, late, signalled)
    assert (order.action, rule.products) == (Action.STOP, 1)
