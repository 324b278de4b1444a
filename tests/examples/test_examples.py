"""The examples give what they say, on ranks."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import Rows, fit, shaped, user
from tests.launch import ROOT, Library, launch
from tests.thorough import plainly

pytestmark = pytest.mark.beside("programs")

EXAMPLES = ROOT / "examples"
DIAMONDS = ROOT / "data" / "diamonds.h5"
MODES = ("client-server", "peer-to-peer")


def example(name: str, function: str) -> Callable[..., Any]:
    return user.load(f"{EXAMPLES / name}.py:{function}")


@pytest.fixture(params=MODES)
def rows(request: pytest.FixtureRequest, comm: MPI.Intracomm) -> Iterator[Rows]:
    with Rows(DIAMONDS, comm=comm, mode=request.param) as rows:
        yield rows


GD = {"solver": "gd", "step": 1e-5, "rounds": 30, "tol": 0.0, "intercept": False, "standardize": False}
SAME = f"""
import sys
from mpi_pgd import Rows, fit
sys.path.insert(0, {str(EXAMPLES)!r})
from gradient_descent import descend
with Rows({str(DIAMONDS)!r}) as rows:
    assert (descend(rows, 1e-5, 30) == fit({str(DIAMONDS)!r}, quiet=True, **{GD}).coef).all()
"""


def test_gradient_descent_is_gd(comm: MPI.Intracomm, rows: Rows) -> None:
    result, weights = fit(DIAMONDS, comm=comm, **GD), example("gradient_descent", "descend")(rows, 1e-5, 30)
    assert result.record["rounds"] == 30
    assert np.allclose(weights, result.coef, rtol=1e-12, atol=0)
    assert np.abs(weights).min() > 0


@pytest.mark.either
def test_gradient_descent_has_the_bits_of_gd(library: Library, tmp_path: Path) -> None:
    """Where numpy computes both."""
    script = tmp_path / "same.py"
    script.write_text(SAME)
    result = launch(library, 2, script=script, env={"MPI_PGD_KERNEL": "numpy"})
    assert result.returncode == 0, result


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("share", plainly([0.0, 0.5], [0.0, 0.1, 0.5, 1.0]))
def test_quantiles_are_exact(comm: MPI.Intracomm, folder: Path, mode: str, share: float) -> None:
    x = np.random.default_rng(2).standard_normal((501, 3)) * [1e-3, 1.0, 1e9]
    if comm.rank == 0:
        with h5py.File(folder / "d.h5", "w") as file:
            file["X"], file["y"] = x, x[:, 0]
    comm.Barrier()
    with Rows(folder / "d.h5", comm=comm, mode=mode) as rows:
        found = example("quantiles", "quantile")(rows, share)
    assert np.array_equal(found, np.sort(x, axis=0)[max(0, int(np.ceil(share * len(x))) - 1)])


@pytest.mark.ranks(1, 3, others=())
def test_a_gram_matrix(rows: Rows) -> None:
    found = rows.mapreduce(example("gram", "gram"))
    with h5py.File(DIAMONDS) as file:
        x, y = file["X"][:], file["y"][:]
    expected = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    np.testing.assert_allclose(np.linalg.solve(found["gram"], found["product"]), expected, rtol=1e-6)


@pytest.mark.parametrize("name", plainly(["gram"], ["gradient_descent", "quantiles", "gram"]))
@pytest.mark.either
def test_each_runs_by_itself(library: Library, name: str) -> None:
    result = launch(library, 2, script=EXAMPLES / f"{name}.py", timeout=120)
    assert (result.returncode, result.stderr) == (0, ""), result
    assert result.stdout, result


@pytest.mark.ranks(2, others=())
def test_a_neural_network_learns_the_digits(comm: MPI.Intracomm, folder: Path) -> None:
    pytest.importorskip("sklearn")
    if comm.rank == 0:
        subprocess.run([sys.executable, EXAMPLES / "neural_network.py", folder / "digits.h5"], check=True)
    comm.Barrier()
    words = {"model": f"{EXAMPLES / 'neural_network.py'}:network", "solver": "lbfgs", "l2": 1e-3, "rounds": 30}
    here = [fit(folder / "digits.h5", comm=comm, mode=mode, **words) for mode in MODES]
    assert np.array_equal(here[0].coef, here[1].coef)
    network = sys.modules[example("neural_network", "network").__module__]
    weights = shaped(here[0].coef, network.network_init(64, SimpleNamespace(most=9.0)))
    with h5py.File(folder / "digits.h5") as file:
        assert np.mean(network.classify(weights, file["X"][:]) == file["y"][:]) > 0.95
