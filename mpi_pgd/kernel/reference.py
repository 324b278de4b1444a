"""The kernel in numpy: what the compiled one is held against, and what computes where there is none.

Its last bits are those of numpy's BLAS and of numpy's own exp and log, so they depend on the processor.
"""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def dot(x: Vector, y: Vector) -> float:
    """See ``mpi_pgd.kernel``."""
    return float(np.dot(x, y))
