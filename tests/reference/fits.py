"""Our side: rows into files, a fit, and its weights where the penalties act."""

from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from mpi4py import MPI

from mpi_pgd import Result, fit
from tests.reference.problems import Data

TOL = 1e-13  # as near as rounding lets it come


class Scaled(NamedTuple):
    """Features as the solver sees them."""

    z: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, data: Data, intercept: bool) -> "Scaled":
        x = data.x
        mean = x.mean(axis=0) * intercept
        size = np.sqrt(((x - mean) ** 2).mean(axis=0))
        scale = np.where(size > 0, size, 1.0) if data.standardize else np.ones(len(size))
        return cls((x - mean) / scale, mean, scale)

    def weights(self, result: Result) -> tuple[np.ndarray, np.ndarray]:
        """(k, p) and (k,), of these features."""
        w = np.atleast_2d(result.coef.T)
        return w * self.scale, np.atleast_1d(result.intercept) + w @ self.mean


def fitted(comm: MPI.Intracomm, path: Path, columns: dict[str, np.ndarray], parts: int = 1, **options: Any) -> Result:
    """Of data sets by name; one of a number a row is cut into so many files."""
    if comm.rank == 0:
        rows = len(columns["X"])
        for number, part in enumerate(np.array_split(np.arange(rows), parts)):
            with h5py.File(path.with_suffix(f".{number:03}.h5"), "w") as file:
                for name, column in columns.items():
                    file[name] = column[part] if len(column) == rows and name not in ("f", "g") else column
    comm.Barrier()
    return fit(
        sorted(map(str, path.parent.glob(f"{path.stem}.*.h5"))),
        comm=comm,
        **{"solver": "auto", "tol": TOL, "quiet": True, **options},
    )
