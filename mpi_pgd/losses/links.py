"""From linear predictors to what is predicted: what several losses have in common."""

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector


def itself(eta: Vector) -> Vector:
    """The identity link's: eta is the mean."""
    return eta


def exponential(eta: Vector) -> Vector:
    """The log link's: the mean is e^eta, infinite where that overflows."""
    out = np.empty_like(eta)
    with np.errstate(over="ignore", under="ignore"):
        kernel.exp(eta, out)
    return out


def unknown(eta: Vector) -> None:
    """There is none such."""
