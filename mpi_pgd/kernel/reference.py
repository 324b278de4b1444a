"""The kernel in numpy: what the compiled one is held against, and what computes where there is none.

Its last bits are those of numpy's BLAS and of numpy's own exp and log, so they depend on the processor.
"""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def dot(x: Vector, y: Vector) -> float:
    """See ``mpi_pgd.kernel``."""
    return float(np.dot(x, y))


def exp(x: Vector, out: Vector) -> None:
    """See ``mpi_pgd.kernel``."""
    np.exp(x, out)


def expm1(x: Vector, out: Vector) -> None:
    """See ``mpi_pgd.kernel``."""
    np.expm1(x, out)


def log(x: Vector, out: Vector) -> None:
    """See ``mpi_pgd.kernel``."""
    np.log(x, out)


def log1p(x: Vector, out: Vector) -> None:
    """See ``mpi_pgd.kernel``."""
    np.log1p(x, out)
