"""Batches of rows, drawn by chance without anything that is stored: each rank can tell which rows are in each batch."""

import numpy as np
from numpy.typing import NDArray

UNIT = 16  # rows of a unit: those of a batch lie in runs of so many
ROUNDS = 6  # of the Feistel network, from four on of which permutations can't be told from chance

Units = NDArray[np.uint64]


def units(seed: int, epoch: int, start: int, stop: int, total: int) -> Units:
    """Which of the ``total`` units are at the positions from ``start`` up to ``stop`` of an epoch, (stop - start,).

    Over all positions each unit is there once. The permutation is a Feistel network on the least power of two that is not below
    ``total``; where it leads to a number that is none of a unit, it is followed from there on.
    (M. Luby and C. Rackoff 1988; J. Black and P. Rogaway, "Ciphers with arbitrary finite domains", 2002: cycle walking.)

    Args:
        seed, epoch: of which the keys are made, from 0 to 2^64 - 1.
    """
    keys = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64)).random_raw(ROUNDS)
    bits = (total - 1).bit_length()
    found = np.arange(start, stop, dtype=np.uint64)
    beyond = np.arange(len(found))
    while len(beyond):
        found[beyond] = _permuted(found[beyond], bits, keys)
        beyond = beyond[found[beyond] >= total]
    return found


def _permuted(numbers: Units, bits: int, keys: Units) -> Units:
    """The Feistel network on numbers of so many ``bits``, of which either half is changed in turn."""
    low = np.uint64(bits // 2)
    masks = np.uint64((1 << (bits - bits // 2)) - 1), np.uint64((1 << (bits // 2)) - 1)
    halves = [numbers >> low, numbers & masks[1]]
    for turn, key in enumerate(keys):
        changed = turn % 2
        halves[changed] ^= _mixed(halves[1 - changed] ^ key) & masks[changed]
    return halves[0] << low | halves[1]


def _mixed(numbers: Units) -> Units:
    """A hash: the last steps of splitmix64 (G. L. Steele, D. Lea and C. H. Flood 2014)."""
    mixed = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return mixed ^ mixed >> np.uint64(31)


def rows_of(units: Units, rows: int) -> int:
    """How many rows the ``units`` have, of ``rows`` in all: the last unit may be shorter."""
    total = -(-rows // UNIT)
    return len(units) * UNIT - (total * UNIT - rows) * int(np.count_nonzero(units == total - 1))


def span(batch: int, batches: int, total: int) -> tuple[int, int]:
    """The positions of the units of a batch, of so many of an epoch: all are of one size, but for one unit."""
    return batch * total // batches, (batch + 1) * total // batches
