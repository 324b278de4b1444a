"""From arrays on each rank to coefficients and a hold-out: mpirun -n 4 python -m mpi4py examples/arrays.py"""

import numpy as np
from mpi4py import MPI

import mpi_pgd

rng = np.random.default_rng(MPI.COMM_WORLD.rank)  # each rank has rows of its own
X = rng.standard_normal((10_000, 4))
y = X @ [1.0, -2.0, 0.0, 0.5] + 3 + rng.standard_normal(10_000)
model = mpi_pgd.fit(X[:8000], y[:8000], mode="peer-to-peer", quiet=True)
if MPI.COMM_WORLD.rank == 0:
    print(model)
    print("R2 of rows that were held out:", round(model.score(X[8000:], y[8000:]), 3))
