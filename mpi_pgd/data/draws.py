"""Targets drawn from a model of which the truth is known, for each kind of loss: exact arithmetic alone, see ``make``."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Uniforms = Callable[[int], Floats]  # so many numbers between 0 and 1
Normals = Callable[[int], Floats]  # so many near-normal ones, mean 0, variance 1

# ln 2, and its two parts, of which the first has few bits: its products with whole numbers are exact.
LN2, LN2_HIGH, LN2_LOW = map(float.fromhex, ("0x1.62e42fefa39efp-1", "0x1.62e42feep-1", "0x1.a39ef35793c76p-33"))
SERIES = 14  # terms of exp's: on half of ln 2 the rest is below the rounding
TAIL = 2.0**-60  # a probability so small that no number between 0 and 1 tells it from none
SQUARES = 4  # near-normal values, whose mean square is an amount's factor: gamma of shape 2


def exponential(x: Floats) -> Floats:
    """exp(x) element by element to some 1e-16, for |x| up to 700, with the same bits on every machine."""
    whole = np.rint(x / LN2)
    rest = x - whole * LN2_HIGH
    rest -= whole * LN2_LOW
    value = np.ones_like(x)
    for term in range(SERIES, 0, -1):
        value *= rest
        value /= term
        value += 1.0
    return np.ldexp(value, whole.astype(np.int32))


def _binary(eta: Floats, uniforms: Uniforms, _: Normals) -> Floats:
    """1 with the probability 1 / (1 + exp(-eta)), else 0."""
    return (uniforms(eta.shape[1]) * (1.0 + exponential(-eta[0])) < 1.0).astype(np.float64)


def _classes(eta: Floats, uniforms: Uniforms, _: Normals) -> Floats:
    """The number of a class, which is j with a probability in proportion to exp(eta_j)."""
    shares = exponential(eta - eta.max(axis=0))
    for before, share in pairwise(shares):
        share += before
    return np.asarray((uniforms(eta.shape[1]) * shares[-1] >= shares[:-1]).sum(axis=0), dtype=np.float64)


def _counts(eta: Floats, uniforms: Uniforms, _: Normals) -> Floats:
    """A count with the mean exp(eta), which is at most some 700: Poisson's, by the sum of its probabilities."""
    mean, wanted = exponential(eta[0]), uniforms(eta.shape[1])
    count, places = np.zeros_like(mean), np.arange(len(mean))
    probability = exponential(-mean)
    reached = probability.copy()
    while len(places):
        left = (wanted > reached) & ((probability > TAIL) | (count[places] < mean))
        places, mean, wanted = places[left], mean[left], wanted[left]
        count[places] += 1.0
        probability = probability[left] * mean / count[places]
        reached = reached[left] + probability
    return count


def _amounts(eta: Floats, _: Uniforms, normals: Normals) -> Floats:
    """An amount above 0 with the mean exp(eta): near to gamma's."""
    mean, squares = exponential(eta[0]), np.zeros(eta.shape[1])
    for _number in range(SQUARES):
        value = normals(len(squares))
        value *= value
        squares += value
    return mean * squares / SQUARES


class Kind(NamedTuple):
    """How targets are drawn.

    Attributes:
        draw: from the linear predictors (k, rows): (rows,).
        spread: their standard deviation over the rows.
        several: one for each class, in place of a single one.
    """

    draw: Callable[[Floats, Uniforms, Normals], Floats]
    spread: float
    several: bool = False


KINDS: Mapping[str, Kind] = {
    "logistic": Kind(_binary, 2.0),
    "softmax": Kind(_classes, 2.0, several=True),
    "poisson": Kind(_counts, 0.5),
    "gamma": Kind(_amounts, 0.5),
}
