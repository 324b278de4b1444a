"""What terms add to a penalty: the curvature of its smooth part, and factors of it."""

import pytest

from mpi_pgd.penalties import PENALTIES, Penalty
from mpi_pgd.penalties.ridge import Ridge
from mpi_pgd.penalties.strengths import Strengths
from tests.penalties.samples import FACTORS, SAMPLES, SCALE

SIZE = len(SCALE)


@pytest.mark.parametrize("name", PENALTIES)
def test_without_options_nothing_is_added(name: str) -> None:
    term = PENALTIES[name]()
    assert term.strengths == Strengths()
    penalty = Penalty([term], SCALE)
    assert (penalty.curvature.tolist(), penalty.nonsmooth) == ([0.0] * SIZE, None)


def test_the_ridge_bends_by_its_strength() -> None:
    assert Penalty([Ridge(l2=0.5)], SCALE).curvature.tolist() == [0.5] * SIZE


def test_factors_multiply_each_feature() -> None:
    for outputs in (1, 3):
        assert SAMPLES["ridge, factors"].penalty(outputs).curvature.tolist() == [*(0.3 * FACTORS)] * outputs
