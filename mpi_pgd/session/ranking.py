"""The area under the ROC curve, exactly: how often a row of a class ranks above one that is not of it, ties by half.

Scores are taken as whole numbers of the same order, and gathered by ranges, so that those that are alike are on one rank. Weights
are whole multiples of a unit. So all is added and multiplied in whole numbers, which have no order, and the area is rounded once.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from mpi_pgd.engine.arrays import Vector

Words = NDArray[np.uint64]
Whole = NDArray[np.int64]
SAMPLES = 256  # scores of a rank that tell where ranges begin
BITS = 60  # of a sum of weights: twice it fits, too
LEFT, RIGHT = range(0, 60, 20), range(0, 64, 16)  # where the digits of factors begin
RUN = 1 << 26  # products of digits that can be added


def keys(scores: Vector) -> Words:
    """(rows,) whole numbers in the order of the scores, which are no NaN; the same where these are."""
    bits = (scores + 0.0).view(np.uint64)  # no zero below zero
    return np.where(bits >> np.uint64(63), ~bits, bits | np.uint64(1 << 63))


def whole(weights: Vector, heaviest: float, rows: int) -> Whole:
    """Weights as multiples of a unit that is a power of two: as fine as sums over so many rows let it be."""
    exponent = int(np.frexp(heaviest)[1])
    return np.rint(np.ldexp(weights, BITS - int(rows).bit_length() - exponent)).astype(np.int64)


class Ranked:
    """Scores on the ranks of a communicator, one range of them after the other, the lowest first.

    Attributes:
        own, other: the weight of all rows of the class until now, and of all others.
        won: twice the weight of the pairs in which the former rank above the latter.
    """

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm, self.own, self.other, self.won = comm, 0, 0, 0

    def add(self, key: Words, own: Whole, other: Whole) -> "Ranked":
        """Scores that this rank has of the next range: their keys, and their weights as rows of the class, or of another."""
        key, (own, other) = _gathered(self.comm, *_together(key, (own, other)))
        every: list[Any] = self.comm.allgather((int(own.sum()), int(other.sum())))
        below = np.cumsum(other) - other + (self.other + sum(theirs for _, theirs in every[: self.comm.rank]))
        self.won += sum(self.comm.allgather(product(own, 2 * below + other)))
        self.own += sum(mine for mine, _ in every)
        self.other += sum(theirs for _, theirs in every)
        return self

    @property
    def area(self) -> float | None:
        """None where the class, or all else, has no weight."""
        return self.won / (2 * self.own * self.other) if self.own and self.other else None


def product(left: Whole, right: Whole) -> int:
    """The sum of left times right, none below 0: exactly, digit by digit."""
    total = 0
    for start in range(0, len(left), RUN):
        one, other = left[start : start + RUN], right[start : start + RUN]
        digits = [(right_place, (other >> right_place) & 0xFFFF) for right_place in RIGHT]
        for place in LEFT:
            some = (one >> place) & 0xFFFFF
            if some.any():
                total += sum(int((some * those).sum()) << (place + right_place) for right_place, those in digits)
    return total


def _together(key: Words, weights: Sequence[Whole]) -> tuple[Words, list[Whole]]:
    """Each key once, ascending, with the sums of its weights."""
    if not len(key):
        return key, list(weights)
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    return key[starts], [np.add.reduceat(each[order], starts) for each in weights]


def _gathered(comm: MPI.Intracomm, key: Words, weights: Sequence[Whole]) -> tuple[Words, list[Whole]]:
    """What all ranks have, each rank a range of keys, the lowest on the first."""
    if comm.size == 1:
        return key, list(weights)
    some = key[np.linspace(0, len(key) - 1, min(SAMPLES, len(key))).astype(np.intp)]
    sample = np.sort(np.concatenate(comm.allgather(some)))
    cuts = sample[np.arange(1, comm.size) * len(sample) // comm.size]
    ends = np.concatenate([[0], np.searchsorted(key, cuts), [len(key)]])
    sent = np.diff(ends)
    got = np.array(comm.alltoall(sent.tolist()))
    found = [_exchanged(comm, each, sent, got) for each in (key, *weights)]
    return _together(found[0], found[1:])


def _exchanged(comm: MPI.Intracomm, values: NDArray[Any], sent: NDArray[Any], got: NDArray[Any]) -> NDArray[Any]:
    out = np.empty(int(got.sum()), dtype=values.dtype)
    comm.Alltoallv([values, sent.tolist()], [out, got.tolist()])
    return out


def ranges(counts: Iterable[int], most: int) -> list[tuple[int, int]]:
    """Runs of neighbouring cells, from and to, of at most so many scores each; a cell of more is a run of its own."""
    found, begin, inside, place = list[tuple[int, int]](), 0, 0, -1
    for place, count in enumerate(counts):
        if inside and inside + count > most:
            found.append((begin, place))
            begin, inside = place, 0
        inside += count
    return [*found, (begin, place + 1)]
