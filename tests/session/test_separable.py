"""Rows that a plane separates are told by every solver, on any number of ranks, in every mode; rows that overlap never are."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import fit
from mpi_pgd.session.run import exit_code
from mpi_pgd.solvers.suit import Facts
from tests.thorough import plainly

ROWS = 400
DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(ROWS, 4))
ETA = X @ [1.0, -2.0, 0.5, 0.3] + 0.3
NOISY = (ETA + DRAW.logistic(size=ROWS) > 0).astype(float)
ETAS = X @ DRAW.normal(size=(4, 3))
THREE = (ETAS + DRAW.gumbel(size=ETAS.shape)).argmax(axis=1).astype(float)
COUNTS = DRAW.poisson(np.exp(0.3 * X[:, 0] - 0.2)).astype(float)
RARE = DRAW.uniform(size=ROWS) < 0.2
TWO_OF_THREE = np.diff(np.sort(ETAS, axis=1)[:, 1:], axis=1)[:, 0]


def with_column(rows: np.ndarray) -> np.ndarray:
    """Its column 2 is 1 in these rows, and 0 elsewhere."""
    return np.column_stack([X[:, :2], rows, X[:, 3]])


def equal_but(rows: np.ndarray) -> np.ndarray:
    """Its columns 2 and 3 are equal, but in these rows."""
    return np.column_stack([X[:, :3], X[:, 2] + rows * np.abs(X[:, 3])])


CASES = {
    "mixed": ("logistic", X, NOISY, ""),
    "near": ("logistic", X, (ETA + 0.3 * DRAW.logistic(size=ROWS) > 0).astype(float), ""),
    "complete": (
        "logistic",
        X[np.abs(ETA) > 0.2],
        (ETA > 0)[np.abs(ETA) > 0.2].astype(float),
        "with x1, x0 and x2 foremost, separates the classes completely",
    ),
    "quasi": ("logistic", with_column((NOISY == 0) & RARE), NOISY, "column x2 separates the classes quasi-completely"),
    "combined": ("logistic", equal_but((NOISY == 0) & RARE), NOISY, "combination of columns, with x3 and x2 foremost, .* quasi-"),
    "mixed three": ("softmax", X, THREE, ""),
    "near three": ("softmax", X, (ETAS + 0.3 * DRAW.gumbel(size=ETAS.shape)).argmax(axis=1).astype(float), ""),
    "complete three": (
        "softmax",
        X[TWO_OF_THREE > 0.2],
        ETAS[TWO_OF_THREE > 0.2].argmax(axis=1).astype(float),
        "combination .* the classes completely",
    ),
    "quasi three": ("softmax", with_column((THREE != 2) & RARE), THREE, "column x2 separates a class from the others quasi-"),
    "counts": ("poisson", X, COUNTS, ""),
    "quasi counts": ("poisson", with_column((COUNTS == 0) & RARE), COUNTS, "column x2 separates rows whose target is 0 from"),
}
SOLVERS = ("newton", "lbfgs", "bb", "nesterov")


@pytest.mark.parametrize("name", CASES)
def test_a_linear_program_says_the_same_of_these_rows(name: str) -> None:
    """Whether a direction moves no row to a wrong side, and some to the right one: then it moves them as far as it may."""
    from scipy.optimize import linprog

    loss, x, y, expected = CASES[name]
    z = np.column_stack([x, np.ones(len(x))])
    if loss == "softmax":
        one = np.eye(3)
        rows = list(zip(one[y.astype(int)], z, strict=True))
        sides = np.array([np.outer(own - other, row).ravel() for own, row in rows for other in one])
    elif loss == "logistic":
        sides = z * (2 * y - 1)[:, None]
    else:
        sides = np.concatenate([-z[y == 0], z[y > 0], -z[y > 0]])
    found = linprog(-sides.sum(axis=0), A_ub=-sides, b_ub=np.zeros(len(sides)), bounds=(-1, 1))
    assert (-found.fun > 1) == bool(expected)
    assert bool(expected) or abs(found.fun) < 1e-6


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path) -> Callable[[str], str]:
    def written(name: str) -> str:
        path = folder / f"{name}.h5"
        if comm.rank == 0 and not path.exists():
            with h5py.File(path, "w") as file:
                file["X"], file["y"], file["f"] = *CASES[name][1:3], np.array([1.0, 1.0, 0.0, 1.0])
        comm.Barrier()
        return str(path)

    return written


Data = Callable[[str], str]


def fitted(comm: MPI.Intracomm, data: Data, name: str, alone: bool = False, **options: Any) -> Any:
    path, given = data(name), {"loss": CASES[name][0], "quiet": True, "rounds": 200, "tol": 1e-7} | options
    return fit(path, comm=MPI.COMM_SELF if alone else comm, **given)


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize("name", CASES)
def test_every_solver_tells(comm: MPI.Intracomm, data: Data, name: str) -> None:
    expected = CASES[name][3]
    for solver in SOLVERS:
        result = fitted(comm, data, name, solver=solver, mode="peer-to-peer")
        said = result.record["separation"]
        assert (result.status == "no finite optimum", exit_code(result) == 4) == (bool(expected), bool(expected)), solver
        assert (re.search(expected, said) and said.endswith("; add --l2")) if expected else said == "", said


@pytest.mark.parametrize("name", ["near", "combined", "quasi three"])
def test_whoever_looks_sees_the_same(comm: MPI.Intracomm, data: Data, name: str) -> None:
    found = {
        (result.record["separation"], result.status, result.record["weights_sha256"])
        for result in (fitted(comm, data, name, mode=mode) for mode in ("client-server", "peer-to-peer"))
    }
    alone = fitted(comm, data, name, alone=True, mode="peer-to-peer")
    assert found == {(alone.record["separation"], alone.status, alone.record["weights_sha256"])}
    assert (alone.status == "converged") == (name == "near")


@pytest.mark.ranks(3, others=(5,))
def test_replicas_see_the_same(comm: MPI.Intracomm, data: Data) -> None:
    said = fitted(comm, data, "quasi", mode="client-server", replicas=2, solver="nesterov").record["separation"]
    assert said == fitted(comm, data, "quasi", alone=True, mode="peer-to-peer", solver="nesterov").record["separation"] != ""


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_a_resume_tells_the_same(comm: MPI.Intracomm, data: Data, folder: Path, solver: str) -> None:
    whole = fitted(comm, data, "combined", solver=solver)
    path = str(folder / "checkpoint")
    fitted(comm, data, "combined", solver=solver, rounds=3, checkpoint=path)
    again = fit(resume=path, comm=comm, rounds=500, quiet=True)
    assert again.record["separation"] == whole.record["separation"] != ""
    assert again.record["weights_sha256"] == whole.record["weights_sha256"]


@pytest.mark.ranks(2, others=())
def test_a_penalty_ends_it_where_it_acts(comm: MPI.Intracomm, data: Data) -> None:
    assert fitted(comm, data, "quasi", l2=1e-3).status == "converged"
    freed = fitted(comm, data, "quasi", l2=1e-3, penalty_factors="f")
    assert "column x2 separates" in freed.record["separation"]
    assert fitted(comm, data, "complete", l2=1e-3, penalty_factors="f").status == "converged"


@pytest.mark.ranks(2, others=())
def test_who_asks_for_all_rounds_gets_them_and_is_told(comm: MPI.Intracomm, data: Data) -> None:
    for name, said in (("complete", "separates the classes completely"), ("mixed", "")):
        result = fitted(comm, data, name, tol=0, rounds=5)
        assert (result.status, exit_code(result)) == ("rounds exhausted", 0)
        assert re.search(said, result.record["separation"]) if said else result.record["separation"] == ""


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize("name", plainly([*CASES][::4], CASES))
def test_told_too_where_a_matrix_costs_too_much(
    comm: MPI.Intracomm, data: Data, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Facts, "sampled", property(lambda _: False))
    for tol in (1e-4, 1e-7):
        said = fitted(comm, data, name, solver="lbfgs", tol=tol).record["separation"]
        assert re.search(CASES[name][3], said) if CASES[name][3] else said == "", tol
