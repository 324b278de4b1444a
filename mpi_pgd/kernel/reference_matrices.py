"""The kernel's matrices in numpy, of LAPACK: ``mpi_pgd.kernel`` says what each function does."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

PANEL = 64  # rows of a triangle that is inverted as a whole


def matvec(a: Vector, x: Vector, out: Vector) -> None:
    np.matmul(a, x, out=out) if x.ndim == 1 else np.matmul(x, a.T, out=out)


def vecmat(x: Vector, a: Vector, out: Vector) -> None:
    np.matmul(x, a, out=out)


def cholesky(a: Vector, out: Vector) -> bool:
    try:
        out[:] = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return False
    return True


def inverse(triangle: Vector, out: Vector) -> None:
    """By halves, so that nearly all is done by products of matrices."""
    size = len(triangle)
    if size <= PANEL:
        out[:] = np.tril(np.linalg.inv(triangle))
        return
    half = size // 2
    first, last = out[:half, :half], out[half:, half:]
    inverse(triangle[:half, :half], first)
    inverse(triangle[half:, half:], last)
    out[:half, half:] = 0.0
    out[half:, :half] = -(last @ (triangle[half:, :half] @ first))


def solve(a: Vector, b: Vector, out: Vector) -> bool:
    """Of all that is not singular."""
    try:
        out[:] = np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        return False
    return True


def largest(a: Vector) -> float:
    return float(np.linalg.eigvalsh(a)[-1])
