"""Least squares on one machine: this program beside what one would use there, from the file to the coefficients.

    python benchmarks/peers.py [--rows N] [--features P] [--condition C] [--ranks R]        # needs scikit-learn

Each runs in processes of its own, which read the rows, too; medians of three turns, on the clock and of the processors (threads and
ranks added up, also what MPI spins while it waits: of use where others work on the machine). Prints Markdown.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

READ = "import h5py, numpy as np\nwith h5py.File('rows.h5') as file: X, y = file['X'][:], file['y'][:]\n"
ALONE = {
    "scikit-learn, `Ridge`, Cholesky": "from sklearn.linear_model import Ridge\nRidge(alpha=0, solver='cholesky').fit(X, y)",
    "scikit-learn, `LinearRegression`": "from sklearn.linear_model import LinearRegression\nLinearRegression().fit(X, y)",
    "numpy, X'X by hand": "X -= X.mean(0); y -= y.mean(); np.linalg.solve(X.T @ X, X.T @ y)",
}
TURNS = 3


class Seconds(NamedTuple):
    """Of a turn."""

    clock: float
    processors: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 400_000), ("features", 100), ("condition", 100), ("ranks", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    program = [sys.executable, "-m", "mpi_pgd"]
    mpirun = [str(Path(sys.executable).parent / "mpirun"), "-n", str(asked.ranks)]
    commands = {name: [sys.executable, "-c", READ + code] for name, code in ALONE.items()}
    for tol in ("1e-6", "1e-12"):
        words = ["rows.h5", "--mode", "peer-to-peer", "--tol", tol, "--quiet", "--out", f"run-{tol}"]
        commands[f"mpi_pgd, {asked.ranks} ranks, `--tol {tol}`"] = [*mpirun, *program, *words]
    with tempfile.TemporaryDirectory() as folder:
        made = ["--rows", asked.rows, "--features", asked.features, "--condition", asked.condition, "--quiet"]
        timed([*program, "data", "make", "rows.h5", *map(str, made)], folder)
        turns = [{name: timed(command, folder) for name, command in commands.items()} for _ in range(TURNS)]
    heads = "| | seconds | of processors |\n|---|---|---|"
    print(f"{asked.rows:,} x {asked.features}, condition {asked.condition}:\n\n{heads}")
    for name in commands:
        clock, processors = (median(part) for part in zip(*(turn[name] for turn in turns), strict=True))
        print(f"| {name} | {clock:.1f} | {processors:.1f} |")


def timed(command: list[str], folder: str) -> Seconds:
    start, before = perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    main()
