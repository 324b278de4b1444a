"""Which form a solver takes, by the facts of a problem."""

import pytest

from mpi_pgd.solvers.suit import Facts


@pytest.mark.parametrize(
    ("rows", "features", "outputs", "pays"),
    [
        (40_000, 61, 1, True),
        (8_000, 301, 1, True),
        (1_000, 4_000, 1, False),  # more numbers in the matrix than the rows are worth
        (100_000, 6_000, 1, False),  # too many for any rank
        (40_000, 61, 3, True),
        (8_000, 301, 3, False),  # the products of its outputs take longer than the rounds that they save
        (80_000, 301, 3, True),  # not so for a sample of more rows
    ],
)
def test_where_the_hessian_of_a_sample_pays(rows: int, features: int, outputs: int, pays: bool) -> None:
    assert Facts(rows, features * outputs, outputs, quadratic=False).sampled is pays
