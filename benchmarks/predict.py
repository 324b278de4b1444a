"""How fast `predict` is beside h5py, which reads the same rows and writes as many numbers, and makes nothing of them.

    mpirun -n R python -m mpi4py benchmarks/predict.py [--rows N] [--features P] [--turns K] [--folder DIR]

Rows are float64, in the page cache; each turn of each contestant follows one of the others, and medians of turns, and of
their ratios, are printed. "h5py" is one rank, the others sleep: slabs of 8 MiB into one array, then as many predictions as
there are rows, in the kind of file that the line names (CSV and Parquet by pyarrow), until they are on the disk.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # as the command line has it

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402
from pyarrow import csv, parquet, table  # noqa: E402

from mpi_pgd import Model  # noqa: E402
from mpi_pgd.session.predict import run  # noqa: E402

SLAB = 8 << 20
KINDS = ("h5", "csv", "parquet")
World = MPI.Intracomm


def made(folder: Path, rows: int, features: int) -> None:
    """Rows, and a model of them."""
    draw = np.random.default_rng(0)
    with h5py.File(folder / "rows.h5", "w") as file:
        x = file.create_dataset("X", (rows, features), "<f8")
        some = draw.standard_normal((10_000, features))
        for start in range(0, rows, len(some)):
            x[start : start + len(some)] = some[: rows - start]
    Model(draw.standard_normal(features), 1.0).save(folder / "model.h5")


def bare(folder: Path, kind: str) -> None:
    """Rows read, and numbers written."""
    with h5py.File(folder / "rows.h5") as file:
        x = file["X"]
        step = max(1, SLAB // (8 * x.shape[1]))
        room, found = np.empty((step, x.shape[1])), np.empty(len(x))
        for start in range(0, len(x), step):
            rows = slice(start, min(start + step, len(x)))
            part = room[: rows.stop - start]
            x.read_direct(part, rows)
            found[rows] = part[:, 0]
    out = folder / f"bare.{kind}"
    if kind == "h5":
        with h5py.File(out, "w") as file:
            file["prediction"] = found
    elif kind == "csv":
        csv.write_csv(table({"prediction": found}), out)
    else:
        parquet.write_table(table({"prediction": found}), out)
    with out.open("rb") as file:
        os.fsync(file.fileno())  # as a file that is said to be written has to be


def turn(comm: World, work: Callable[[], object], alone: bool) -> float:
    """Seconds until all are done."""
    comm.Barrier()
    begun = perf_counter()
    if not alone or comm.rank == 0:
        work()
    waiting = comm.Ibarrier()
    while not waiting.Test():
        sleep(0.0002)
    return perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--folder", help="where the files are made; they are removed at the end")
    given, comm = parser.parse_args(), MPI.COMM_WORLD
    with tempfile.TemporaryDirectory(dir=given.folder) as own:
        folder = Path(comm.bcast(own))
        if comm.rank == 0:
            made(folder, given.rows, given.features)
        for kind in KINDS:
            asked = {
                "model": str(folder / "model.h5"),
                "data": [str(folder / "rows.h5")],
                "eta": False,
                "quiet": True,
                "options": {},
            }
            asked["out"] = str(folder / f"out.{kind}")
            contestants = {
                "h5py": (lambda kind=kind: bare(folder, kind), True),
                "predict": (lambda asked=asked: run(comm, asked, lambda: False), False),
            }
            found = {name: [turn(comm, *each) for _ in range(0)] for name, each in contestants.items()}
            for _ in range(given.turns + 1):  # the first turn has the files into the page cache
                for name, each in contestants.items():
                    found[name].append(turn(comm, *each))
            if comm.rank == 0:
                one, other = found["h5py"][1:], found["predict"][1:]
                ratio = median(b / a for a, b in zip(one, other, strict=True))
                print(f"{kind:<8} h5py {median(one):.3f} s   predict {median(other):.3f} s   ratio {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
