"""Least squares on NIST's statistical reference data sets."""

from fractions import Fraction

import pytest

from tests.nist import REFERENCES, solved

PRINTED = Fraction(5, 10**15)  # relative error of what is certified: 15 digits, of which the last may be one off


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_certified_is_the_exact_solution_of_the_decimals(name: str) -> None:
    """So no number of the data was copied wrongly."""
    of = REFERENCES[name]
    found = solved(of.columns, [Fraction(word) for word in of.y], of.intercept)
    for certified, exact in zip(map(Fraction, of.certified), found, strict=True):
        assert abs(certified - exact) <= PRINTED * abs(exact)
