"""The list of mutants fits the package, which changes; `make mutants` runs them."""

import pytest

from tests.launch import ROOT
from tests.mutants import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file} {mutant.old}")
def test_a_mutant_can_be_made(mutant: Mutant) -> None:
    assert (ROOT / "mpi_pgd" / mutant.file).read_text().count(mutant.old) == 1
    assert all((ROOT / "tests" / test).is_file() for test in mutant.tests)
