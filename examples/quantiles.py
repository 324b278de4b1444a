"""Exact quantiles of every column, by halving an interval: mpirun -n 4 python examples/quantiles.py DATA.h5

Each pass counts the values up to a threshold. No rank ever sees more than its own rows, and nothing is sorted.
"""

import sys

import numpy as np

import mpi_pgd


def extremes(X, y):
    return X.max(axis=0), -X.min(axis=0)


def count(threshold, X, y):
    return np.count_nonzero(threshold >= X, axis=0)


def largest(threshold, X, y):
    return np.where(threshold >= X, X, -np.inf).max(axis=0)


def quantile(rows, share):
    """The smallest value of each column that so large a share of its values do not exceed."""
    high, low = rows.mapreduce(extremes, "max")
    low = -low
    if share * rows.shape[0] <= 1:
        return low
    for _ in range(60):
        middle = low + (high - low) / 2
        enough = rows.mapreduce(count, broadcast=middle) >= share * rows.shape[0]
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return rows.mapreduce(largest, "max", broadcast=high)


if __name__ == "__main__":
    with mpi_pgd.Rows(sys.argv[1:] or "data/diamonds.h5") as rows:
        median = quantile(rows, 0.5)
        if rows.comm.rank == 0:
            print(dict(zip(rows.names, median, strict=False)) or median)
