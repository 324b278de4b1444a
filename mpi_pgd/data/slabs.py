"""Synthetic rows of any size with known true weights: the same numbers, bit for bit, whatever machine makes them.

Two rules bring that about.

*Only exact arithmetic.* Random words come from a counter-based generator of integers whose stream numpy keeps
(`random_raw` of Philox; the methods of numpy's Generator are free to change). All that follows is + - * / and square
root, element by element, which IEEE 754 rounds in one way only. There is no BLAS, no log or cos of a C library, and no
sum by numpy, whose order depends on the processor.

*Slabs.* Rows come in slabs of `slab_rows(features)` rows, and slab i is a function of the problem and i alone. So the
slabs can be made in any order by any number of processes, memory does not grow with the rows, and a longer file begins
with the rows of a shorter one.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt

from mpi_pgd.data.draws import Floats
from mpi_pgd.data.synthetic import Synthetic

Places = npt.NDArray[np.int64]

SLAB_BYTES = 16 * 2**20
PANEL = 8192  # values worked on at once: enough to hide the cost of a numpy call, few enough for the L2 cache
TRUTH_STREAM = 2**64 - 1  # no slab has this index
TARGETS, WEIGHTS, OFFSET, PLACES = 1, 2, 3, 4  # streams of a slab, beside that of its rows
HEAVIEST = 4  # weights are whole numbers from 1

# A near-normal value is the sum of the four 16-bit parts of a word: 0 to 4 * 65535, its mean half of that. A part is
# uniform on 2**16 values, so its variance is (2**32 - 1) / 12.
CENTRE = 2.0 * 65535.0
SPREAD = math.sqrt((2.0**32 - 1.0) / 3.0)
PARTS = np.uint64(0x0000_FFFF_0000_FFFF)


def slab_rows(stored: int) -> int:
    """Rows in a slab, at least 1: as many as 16 MiB of X hold, so that it depends alone on how many numbers of a row are stored."""
    return max(1, SLAB_BYTES // (8 * stored))


def truth(problem: Synthetic) -> tuple[Floats, float]:
    """The true weights of a problem whose targets are numbers: coef, float64 (features,), and intercept; near-normal."""
    values = normals(_stream(problem.seed, TRUTH_STREAM), problem.features + 1)
    return values[1:], float(values[0])


def truths(problem: Synthetic) -> tuple[Floats, Floats]:
    """The true weights of any problem: coef, float64 (outputs, features), and intercept (outputs,).

    Where targets are drawn, the linear predictors vary as `draws.KINDS` says, whatever the features.
    """
    if not problem.kind:
        coef, intercept = truth(problem)
        return coef[np.newaxis], np.array([intercept])
    values = normals(_stream(problem.seed, TRUTH_STREAM), problem.outputs * (problem.features + 1)).reshape(problem.outputs, -1)
    own, shared = _mixture(problem)
    for line in values[:, 1:]:
        total = shared * math.fsum(line)
        line *= problem.kind.spread / math.sqrt(own * own * math.fsum(line * line) + total * total)
    return values[:, 1:], values[:, 0] / 2


def slab(problem: Synthetic, index: int) -> tuple[Floats, Floats]:
    """The rows of slab 0 to 2**64 - 2, global rows `index * slab_rows(features)` and on: X (slab_rows, features), y (slab_rows,).

    Both are float64, X in C order. A slab is always whole: the last one of a file is cut when it is written.
    """
    coef, intercept = truth(problem)
    own, shared = _mixture(problem)
    rows = slab_rows(problem.features)
    stream = _stream(problem.seed, index)
    noise = normals(stream, rows) * problem.noise
    factor = normals(stream, rows) * shared
    x = np.empty((rows, problem.features))
    y = np.full(rows, intercept)
    # A panel is one column, or several if columns are short.
    width = -(-PANEL // rows)
    for start in range(0, problem.features, width):
        weights = coef[start : start + width, np.newaxis]
        panel = normals(stream, weights.size * rows).reshape(-1, rows)
        panel *= own
        panel += factor
        x[:, start : start + width] = panel.T
        panel *= weights
        y += _fold(panel)
    y += noise
    return x, y


def sparse_slab(problem: Synthetic, index: int) -> tuple[Places, Floats, Floats]:
    """Likewise of sparse rows: features (slab_rows, stored), ascending in a row, their values, and y (slab_rows,).

    The features are cut into as many runs as a row has numbers, and it has one anywhere in each.
    """
    count, rows = problem.stored, slab_rows(problem.stored)
    starts = np.array([number * problem.features // count for number in range(count + 1)])
    draws = _uniforms(_stream(problem.seed, index, PLACES), rows * count).reshape(rows, count)
    draws *= np.diff(starts)
    places = draws.astype(np.int64)  # rounded down
    np.minimum(places, np.diff(starts) - 1, out=places)
    places += starts[:-1]
    coef, intercept = truth(problem)
    stream = _stream(problem.seed, index)
    noise = normals(stream, rows) * problem.noise
    values = normals(stream, rows * count).reshape(rows, count)
    return places, values, _fold(values.T * coef[places].T) + intercept + noise


def beside(problem: Synthetic, index: int, x: Floats, y: Floats, rows: int, places: Places | None = None) -> dict[str, Floats]:
    """What is written beside X for the first `rows` of a slab, or some more: `y`, and weights and offsets, if there are to be any.

    `x` and `y`, and of sparse rows the `places` of the numbers, are what the slab gave; `y` is used up.
    """
    offset = np.zeros(0)
    if problem.offset:
        offset = normals(_stream(problem.seed, index, OFFSET), len(y)) / 2
        y += offset
    if problem.kind:
        stream = _stream(problem.seed, index, TARGETS)
        step = max(1, PANEL // x.shape[1])
        coef, intercept = truths(problem)
        for start in range(0, rows, step):  # whole ones, each drawn from where the one before ended
            here = slice(start, start + step)
            taken = [line[:, np.newaxis] if places is None else line[places[here]].T for line in coef]
            eta = np.array([_fold(x[here].T * line) + one for line, one in zip(taken, intercept, strict=True)])
            if problem.offset:
                eta += offset[here]
            y[here] = problem.kind.draw(eta, partial(_uniforms, stream), partial(normals, stream))
    found = {"y": y}
    if problem.weights:
        words = _stream(problem.seed, index, WEIGHTS).random_raw(rows)
        found[problem.weights] = (words % np.uint64(HEAVIEST)).astype(np.float64) + 1.0
    return found | ({problem.offset: offset} if problem.offset else {})


def _uniforms(stream: np.random.Philox, count: int) -> Floats:
    """The next `count` numbers of a stream between 0 and 1, neither of them included."""
    return ((stream.random_raw(count) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normals(stream: np.random.Philox, count: int) -> Floats:
    """The next `count` near-normal values of a stream, float64 (count,): mean 0, variance 1, within 3.47 of 0."""
    words = stream.random_raw(count)
    # Four parts are added in two steps: first two lanes of 32 bits at a time, then the lanes.
    lanes = words >> np.uint64(16)
    lanes &= PARTS
    words &= PARTS
    lanes += words
    np.right_shift(lanes, np.uint64(32), out=words)
    lanes &= np.uint64(0xFFFF_FFFF)
    lanes += words
    values = lanes.view(np.int64).astype(np.float64)
    values -= CENTRE
    values /= SPREAD
    return values


def _stream(seed: int, index: int, purpose: int = 0) -> np.random.Philox:
    """The random words of one slab, or of the truth: the key is the pair itself, so no two share a stream.

    Those for another `purpose` are so far behind that nobody comes to them.
    """
    counter = np.array([0, 0, 0, purpose], dtype=np.uint64)
    return np.random.Philox(key=np.array([seed, index], dtype=np.uint64), counter=counter)


def _mixture(problem: Synthetic) -> tuple[float, float]:
    """The factors (own, shared) in x_j = own * z_j + shared * f, with one f a row.

    With own**2 = 1 - rho and shared**2 = rho the columns have variance 1 and correlation rho. The eigenvalues of that
    matrix are 1 - rho and 1 + (p - 1) rho; their ratio is C when rho = (C - 1) / (C + p - 1). Of sparse rows own**2 is the
    part of the numbers that are not 0, and nothing is shared.
    """
    if problem.density < 1.0:
        return math.sqrt(problem.stored / problem.features), 0.0
    total = problem.condition + (problem.features - 1)
    # 1 - rho, written so that it does not cancel when C is large.
    return math.sqrt(problem.features / total), math.sqrt((problem.condition - 1.0) / total)


def _fold(panel: Floats) -> Floats:
    """The sum over axis 0 of `panel` (k, n): float64 (n,), added in the same order everywhere. It spoils `panel`."""
    while len(panel) > 1:
        half = len(panel) // 2
        panel[:half] += panel[-half:]
        panel = panel[: len(panel) - half]
    total: Floats = panel[0]
    return total
