"""The examples give what they say, on ranks."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import Rows, fit, user
from tests.launch import ROOT, Library, launch

EXAMPLES = ROOT / "examples"
DIAMONDS = ROOT / "data" / "diamonds.h5"
MODES = ("client-server", "peer-to-peer")


def example(name: str, function: str) -> ModuleType:
    return user.load(f"{EXAMPLES / name}.py:{function}")


@pytest.fixture(params=MODES)
def rows(request: pytest.FixtureRequest, comm: MPI.Intracomm) -> Iterator[Rows]:
    with Rows(DIAMONDS, comm=comm, mode=request.param) as rows:
        yield rows


def test_gradient_descent_has_the_bits_of_gd(comm: MPI.Intracomm, rows: Rows) -> None:
    descend = example("gradient_descent", "descend")
    settings = {"solver": "gd", "step": 1e-5, "rounds": 30, "tol": 0.0, "intercept": False, "standardize": False}
    result = fit(DIAMONDS, comm=comm, **settings)
    weights = descend(rows, 1e-5, 30)
    assert result.record["rounds"] == 30
    assert np.array_equal(weights, result.coef)
    assert np.abs(weights).min() > 0


@pytest.mark.ranks(3)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_quantiles_are_exact(comm: MPI.Intracomm, folder: Path, mode: str, share: float) -> None:
    x = np.random.default_rng(2).standard_normal((501, 3)) * [1e-3, 1.0, 1e9]
    if comm.rank == 0:
        with h5py.File(folder / "d.h5", "w") as file:
            file["X"], file["y"] = x, x[:, 0]
    comm.Barrier()
    with Rows(folder / "d.h5", comm=comm, mode=mode) as rows:
        found = example("quantiles", "quantile")(rows, share)
    assert np.array_equal(found, np.sort(x, axis=0)[max(0, int(np.ceil(share * len(x))) - 1)])


@pytest.mark.ranks(1, 3)
def test_a_gram_matrix(rows: Rows) -> None:
    found = rows.mapreduce(example("gram", "gram"))
    with h5py.File(DIAMONDS) as file:
        x, y = file["X"][:], file["y"][:]
    expected = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    np.testing.assert_allclose(np.linalg.solve(found["gram"], found["product"]), expected, rtol=1e-6)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_each_runs_by_itself(library: Library, path: Path) -> None:
    result = launch(library, 2, script=path, timeout=120)
    assert (result.returncode, result.stderr) == (0, ""), result
    assert result.stdout, result
