"""The lecture's gradient descent, written as maps: mpirun -n 4 python examples/gradient_descent.py DATA.h5

Its weights are those of mpi_pgd fit --solver gd --step STEP --rounds ROUNDS --tol 0 --no-intercept --no-standardize: to the bit
where numpy computes these, too (MPI_PGD_KERNEL=numpy), else to the last digits.
"""

import sys

import numpy as np

import mpi_pgd


def gradient(w, X, y):
    return X.T.dot(X.dot(w) - y)


def descend(rows, step, rounds):
    w = np.zeros(rows.shape[1])
    for _ in range(rounds):
        w -= step * rows.mapreduce(gradient, "mean", broadcast=w)
    return w


if __name__ == "__main__":
    with mpi_pgd.Rows(sys.argv[1:] or "data/diamonds.h5") as rows:
        weights = descend(rows, step=1e-5, rounds=100)
        if rows.comm.rank == 0:
            print(weights)
