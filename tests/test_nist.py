"""Least squares on NIST's statistical reference data sets."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import pytest

from mpi_pgd import fit
from tests.nist import REFERENCES, exact, held, solved

PRINTED = Fraction(5, 10**15)  # relative error of what is certified: 15 digits, of which the last may be one off
LAST = Fraction(1, 2**53)  # of the nearest float64


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_certified_is_the_exact_solution_of_the_decimals(name: str) -> None:
    """So no number of the data was copied wrongly."""
    of = REFERENCES[name]
    found = solved(of.columns, [Fraction(word) for word in of.y], of.intercept)
    for certified, expected in zip(map(Fraction, of.certified), found, strict=True):
        assert abs(certified - expected) <= PRINTED * abs(expected)


@pytest.mark.ranks(1, 2, 3, others=(5,))
def test_weights_are_right_to_the_last_digit(comm: Any, folder: Path) -> None:
    """The float64 nearest to the exact solution for the data as stored: so they have the same bits on any number of ranks."""
    for name, of in REFERENCES.items():
        path = folder / f"{name}.h5"
        if comm.rank == 0:
            with h5py.File(path, "w") as file:
                file["X"], file["y"] = of.features, of.targets
        comm.Barrier()
        result = fit(path, solver="auto", intercept=of.intercept, comm=comm)
        assert result.status == "converged", name
        found = [result.intercept] * of.intercept + result.coef.tolist()
        expected = comm.bcast(exact(of.features, of.targets, of.intercept) if comm.rank == 0 else None)
        for weight, stored, printed in zip(found, expected, map(Fraction, of.certified), strict=True):
            assert abs(Fraction(weight) - stored) <= LAST * abs(stored), name
            assert abs(Fraction(weight) - printed) <= held(name) * abs(printed), name
