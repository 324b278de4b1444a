"""The task of refinement: the gradient of least squares in twice the precision of float64.

X is cut into slices of a few bits, below the peak of each column, and so are the vectors that it is multiplied with, so that in the
products of slices each partial sum fits the 53 bits of a float64: BLAS then makes no rounding error, and has the same bits on every
processor, whatever order it adds in. Only the few exact products are added in pairs. (K. Ozaki, T. Ogita, S. Oishi, S. M. Rump,
"Error-Free Transformations of Matrix Multiplication by Using Fast Routines of Matrix Multiplication and Its Applications",
Numerical Algorithms 59, 2012.)
"""

import math

import numpy as np

from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.pairs import Pair, add, multiply, negative, pair, two_sum
from mpi_pgd.engine.tasks import LOW, BlockMap, Layout

STRIP_BYTES = 1 << 20  # of the rows that are cut at a time; a block of dense rows has no more, unless it has few rows
LEAST = 64  # of these
BITS = 100  # of a sum over rows or columns, at least, below the product of the largest numbers


class PreciseTask:
    """What a ``GradientTask`` of squared loss gives, and ``gradient_low`` (k, p) and ``slopes_low`` (k,): low halves of pairs.

    The point is ``[w (k, p) | c (k,) | low halves of w | of c]``, in the user's units. A row's residual is off by some 2^-97 of
    the sum over the columns of peak times the largest weight in units of its peak, and a gradient by some 2^-97 of peak times
    the sum of the largest residuals.

    ``peak`` (p,) are the largest magnitudes of the columns over all rows. A block has at most ``block_rows``.
    """

    uneven, coarse, varies = True, False, False
    units = None

    def __init__(self, peak: Vector, block_rows: int, outputs: int = 1) -> None:
        features, k = len(peak), outputs
        shapes: dict[str, tuple[int, ...]] = {"gradient": (k, features), "slopes": (k,), "value": ()}
        self.layout = Layout(shapes | {"gradient_low": (k, features), "slopes_low": (k,)})
        self.width, self.outputs = 2 * k * (features + 1), k
        self.bound = np.zeros(self.layout.width)  # of low halves it follows from the high ones
        self._unit = np.ldexp(0.5, -np.clip(np.frexp(peak)[1], -1021, 1021))  # brings the columns to at most 1/2
        self.slices, self.bits = slicing(max(features, block_rows))
        self._step = min(block_rows, max(LEAST, STRIP_BYTES // (8 * features)))
        self._less: Vector = aligned((self._step, features), np.float64)
        self._x: Vector = aligned((self.slices, self._step, features), np.float64)

    def bind(self, point: Vector) -> BlockMap:
        """At ``point``."""
        k, half = self.outputs, self.width // 2
        high, low = point[: self.width].reshape(2, half)
        weights = Pair(*(each[: half - k].reshape(k, -1) / self._unit for each in (high, low)))
        w, scale = self._cut(weights)
        c = Pair(high[half - k :, None], low[half - k :, None])

        def mapped(block: Block, out: Vector) -> None:
            strips = [slice(start, min(start + self._step, block.rows)) for start in range(0, block.rows, self._step)]
            lines = []
            for strip in strips:
                x = self._sliced(block, strip)
                lines.append(_gathered(self._products(w, [part.T for part in x])))
            linear = Pair(*(np.concatenate(halves, axis=1) for halves in zip(*lines, strict=True)))
            r = self._residuals(block, add(Pair(linear.high * scale, linear.low * scale), c))
            parts = self.layout.split(out)
            squares = r.high * r.high
            for line in squares[1:]:
                squares[0] += line
            parts["value"][()] = 0.5 * np.add.reduce(squares[0] if block.weights is None else squares[0] * block.weights)
            if block.weights is not None:
                r = multiply(r, pair(block.weights))
            cut, size = self._cut(r)
            sums = np.zeros((self.slices, k, len(self._unit)))
            for strip in strips:  # these sums are exact, too
                x = self._sliced(block, strip) if len(strips) > 1 else x
                sums += self._products(cut[..., strip], x)
            gradient = _gathered(sums)
            slopes = _gathered(np.add.reduce(cut, axis=-1, keepdims=True))
            for name, one, all_rows in zip(("", LOW), gradient, slopes, strict=True):
                np.divide(one * size, self._unit, out=parts["gradient" + name])
                np.multiply(all_rows, size, out=parts["slopes" + name][:, None])

        return mapped

    def _residuals(self, block: Block, eta: Pair) -> Pair:
        if block.offset is not None:
            eta = add(eta, pair(block.offset))
        return add(eta, negative(pair(block.y)))

    def _sliced(self, block: Block, strip: slice) -> list[Vector]:
        """Some rows of X in units of the peaks, cut: (rows, p) each. No more of them than there are bits in it."""
        rows = strip.stop - strip.start
        less, cut = self._less[:rows], []
        block.scaled(self._unit, strip, less)
        for number, part in enumerate(self._x[:, :rows]):
            away = _away(number, self.bits)
            np.add(less, away, out=part)
            np.subtract(part, away, out=part)
            np.subtract(less, part, out=less)
            cut.append(part)
            if not less.any():
                break
        return cut

    def _cut(self, vectors: Pair) -> tuple[Vector, Vector]:
        """Slices (slices, k, length) of k vectors (k, length), in units (k, 1), powers of two, of which they are at most 1/2."""
        unit = np.ldexp(2.0, np.frexp(np.abs(vectors.high).max(axis=-1, keepdims=True))[1])
        rest, cut = Pair(vectors.high / unit, vectors.low / unit), np.empty((self.slices, *vectors.high.shape))
        for number, part in enumerate(cut):
            away = _away(number, self.bits)
            part[:] = (rest.high + away) - away
            rest = two_sum(rest.high - part, rest.low)
        return cut, unit

    def _products(self, cut: Vector, x: list[Vector]) -> Vector:
        """Vectors ``cut`` (slices, k, length) times the slices ``x`` (length, other) of a matrix: (slices, k, other), exact."""
        slices, k, length = cut.shape
        sums = np.zeros((slices, k, x[0].shape[1]))
        for at, part in enumerate(x):  # products of one unit are added exactly; those below the last slice's are left out
            sums[at:] += (cut[: slices - at].reshape(-1, length) @ part).reshape(slices - at, k, -1)
        return sums


def _gathered(sums: Vector) -> Pair:
    """The sum of exact numbers along the first axis, the smallest first."""
    found = pair(sums[-1])
    for each in sums[-2::-1]:
        found = add(pair(each), found)
    return found


def slicing(length: int) -> tuple[int, int]:
    """How many slices, and of how many bits, so that sums over ``length`` products, and over the slices, are exact.

    A slice is at most 2^(bits - 1) of its unit; the last bit is the sign's.
    """
    slices = 2
    while slices * (bits := (55 - (slices * length - 1).bit_length()) // 2) < BITS:
        slices += 1
    return slices, bits


def _away(number: int, bits: int) -> float:
    """What is added and taken away again to round numbers to the unit of a slice."""
    return math.ldexp(1.5, 52 - bits * (number + 1))
