"""Hashes of row numbers and of values, and a permutation made of them: the same on every machine, with no memory of rows."""

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
ROUNDS = 6  # of the permutation
LEAST = 8  # bits of a number that is permuted: fewer make no choice of permutations
WHOLE = 2.0**53  # floats below tell all whole numbers apart
STEP, FIRST, SECOND = (np.uint64(word) for word in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def mixed(words: Hashes, seed: int) -> Hashes:
    """Each of the words, of an array that stays as it is, hashed by SplitMix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        x = words * STEP + np.array(seed % 2**64, np.uint64) * SECOND + STEP
        x ^= x >> np.uint64(30)
        x *= FIRST
        x ^= x >> np.uint64(27)
        x *= SECOND
        x ^= x >> np.uint64(31)
    return x


def of_values(values: NDArray[Any], seed: int) -> Hashes:
    """Of numbers or texts (rows,): equal ones have one hash, of whatever type they are."""
    if values.dtype.kind in "OSU":
        distinct, places = np.unique(values.astype("U") if values.dtype.kind == "U" else values, return_inverse=True)
        words = [value if isinstance(value, bytes) else str(value).encode() for value in distinct.tolist()]
        digests = [int.from_bytes(blake2b(word, digest_size=8).digest(), "little") for word in words]
        return mixed(np.array(digests, np.uint64), seed)[places.ravel()]
    if values.dtype.kind != "f":
        return mixed(values.astype(np.int64 if values.dtype.kind != "u" else np.uint64).view(np.uint64), seed)
    numbers = values.astype(np.float64)
    whole = (np.rint(numbers) == numbers) & (np.abs(numbers) < WHOLE)
    bits = np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64)
    return mixed(np.where(whole, np.where(whole, numbers, 0).astype(np.int64).view(np.uint64), bits), seed)


class Permutation:
    """Of the numbers from 0 to ``size`` - 1, decided by ``size`` and ``seed`` alone; either way takes no memory.

    A Feistel network over the next power of two, walked until it comes back below ``size`` (Black and Rogaway 2002).
    """

    def __init__(self, size: int, seed: int) -> None:
        bits = max(LEAST, (size - 1).bit_length())
        self.size, self._shift = np.uint64(size), np.uint64(bits // 2)
        self._masks = np.uint64((1 << bits // 2) - 1), np.uint64((1 << bits - bits // 2) - 1)
        self._seeds = mixed(np.arange(ROUNDS, dtype=np.uint64), seed).tolist()

    def forth(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each of these goes."""
        return self._walked(numbers, range(ROUNDS))

    def back(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """What comes to each of these places."""
        return self._walked(numbers, range(ROUNDS - 1, -1, -1))

    def _walked(self, numbers: NDArray[np.int64], rounds: range) -> NDArray[np.int64]:
        found = self._once(numbers.astype(np.uint64), rounds)
        out = np.flatnonzero(found >= self.size)
        while len(out):
            found[out] = self._once(found[out], rounds)
            out = out[found[out] >= self.size]
        return found.astype(np.int64)

    def _once(self, numbers: Hashes, rounds: range) -> Hashes:
        low, high = numbers & self._masks[0], numbers >> self._shift
        for each in rounds:
            if each % 2:
                high ^= mixed(low, self._seeds[each]) & self._masks[1]
            else:
                low ^= mixed(high, self._seeds[each]) & self._masks[0]
        return high << self._shift | low
