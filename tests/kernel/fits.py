"""Run by test_processors.py inside MPI: fits of every loss, penalty and solver, and FOLDER/found.json: what came of each."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np

from tests.golden.cases import TABLES, Case, Fit, cases, numbers, write
from tests.golden.script import fingerprint, made

ALL = ("shipped", "under", "ridge", "loss=", "sides, solver=auto", "binary, ", "counts, ", "joint")  # how their names begin


SPARSE = Case("sparse", "sparse", {"loss": "logistic", "solver": "auto", "l2": 1e-3})


def write_sparse(path: Path) -> None:
    """One of the tables, with zeros for all that is small."""
    x, y = numbers(TABLES["binary"])
    rows, columns = np.nonzero(np.abs(x) > 1)
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group["data"], group["indices"] = x[rows, columns], columns.astype("<i4")
        group["indptr"] = np.searchsorted(rows, np.arange(len(x) + 1))
        group.attrs["shape"] = x.shape
        file["y"] = y


def main(folder: Path) -> None:
    """Each on one rank."""
    from mpi4py import MPI  # not above: mpi_pgd comes first, as it chooses what MPI is to use

    write(folder)
    write_sparse(folder / "sparse.h5")
    chosen = [SPARSE] + [case for case in cases() if case.name.startswith(ALL) and not (case.like or case.first)]
    fits = [Fit(case, "peer-to-peer", "library", 1, 0, number, number) for number, case in enumerate(chosen)]
    found = {item.case.name: fingerprint(made(folder, item, MPI.COMM_WORLD)) for item in fits}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
