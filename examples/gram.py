"""Least squares in one pass, from a Gram matrix: mpirun -n 4 python examples/gram.py DATA.h5

The matrix alone: mpirun -n 4 python -m mpi_pgd mapreduce examples/gram.py:gram DATA.h5 --out gram.npz
"""

import sys

import numpy as np

import mpi_pgd


def gram(X, y):
    A = np.column_stack([X, np.ones(len(X))])
    return {"gram": A.T @ A, "product": A.T @ y, "rows": len(y)}


if __name__ == "__main__":
    with mpi_pgd.Rows(sys.argv[1:] or "data/diamonds.h5") as rows:
        sums = rows.mapreduce(gram)
        if rows.comm.rank == 0:
            *weights, intercept = np.linalg.solve(sums["gram"], sums["product"])
            print(f"{sums['rows']:,} rows, intercept {intercept:.6g}", np.array(weights), sep="\n")
