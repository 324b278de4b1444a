"""Stragglers on purpose: ranks that take longer to map, the same on every run. No bit of the weights changes by it."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, repeat
from time import perf_counter, sleep, thread_time

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block, Source
from mpi_pgd.engine.query import Query
from mpi_pgd.errors import InputError

FAIL_SLOW = 10.0  # times slower, from the round in which a rank fails slow
NAP = 2e-4  # seconds that a sleep may overshoot: the rest is spent spinning
Lag = Callable[[float], None]  # passes time after so many seconds of the processor


@dataclass(frozen=True)
class Straggler:
    """``rank`` takes ``factor`` times as long, from round ``since`` on (counted from 0)."""

    rank: int
    factor: float
    since: int = 0

    def among(self, ranks: int) -> bool:
        """Whether so many ranks have one that it concerns."""
        return self.rank < ranks

    def longest(self, workers: int, first: int, rounds: int, compute: float) -> float:
        """Seconds that the slowest of the workers, from rank ``first`` on, is later than ``compute``, in the mean of the rounds."""
        there = first <= self.rank < first + workers
        return there * (self.factor - 1.0) * compute * max(0, rounds - self.since) / rounds


@dataclass(frozen=True)
class Exponential:
    """Every worker takes longer by a time drawn anew each round: exponential, of this mean in seconds."""

    mean: float

    def among(self, ranks: int) -> bool:
        """Whether so many ranks have one that it concerns: it concerns all."""
        return True

    def longest(self, workers: int, first: int, rounds: int, compute: float) -> float:
        """As of a straggler: the largest of the times that are drawn."""
        return float(drawn(self.mean, workers, rounds).max(axis=0).mean())


def parse(delay: str, fail_slow: str) -> list[Straggler | Exponential]:
    """What ``--delay`` and ``--fail-slow`` ask for."""
    found: list[Straggler | Exponential] = []
    if delay.startswith("exponential:"):
        found.append(Exponential(float(delay.partition(":")[2])))
    elif delay:
        rank, _, factor = delay.partition(":")
        found.append(Straggler(int(rank), float(factor)))
    if fail_slow:
        rank, _, since = fail_slow.partition("@")
        found.append(Straggler(int(rank), FAIL_SLOW, int(since)))
    return found


def check(stragglers: Iterable[Straggler | Exponential], ranks: int, first: int) -> None:
    """Refuse those that are not among ``ranks``, or hold no rows, as ``first`` is the first that does."""
    held = f"{first} alone" if first == ranks - 1 else f"{first} to {ranks - 1}"
    for item in stragglers:
        if isinstance(item, Straggler) and not first <= item.rank < ranks:
            raise InputError(f"rank {item.rank} can't be delayed: expected a rank that holds rows, in this mode {held}")


class Delayed:
    """Blocks after which time passes, as if their map had taken longer.

    ``rank`` is this rank's number as a person names it, at the start of the job; ``worker`` that among the workers now.

    A slow rank's work and the time that it is busy for are both counted in seconds of the processor: it then gets along with the
    ranks that share its core as one does that has more to do.
    """

    def __init__(self, source: Source, stragglers: list[Straggler | Exponential], rank: int, worker: int) -> None:
        self.source = source
        self.lags = [_lag(item, worker) for item in stragglers if _concerns(item, rank, worker)]

    def blocks(self, query: Query) -> Iterator[Block]:
        """Those of the source, then the lag."""
        begun = thread_time()
        yield from self.source.blocks(query)
        worked = thread_time() - begun
        for lag in self.lags:
            lag(worked)


def _concerns(item: Straggler | Exponential, rank: int, worker: int) -> bool:
    return item.rank == rank if isinstance(item, Straggler) else worker >= 0


def _lag(item: Straggler | Exponential, worker: int) -> Lag:
    """A slow rank is busy for longer; one that is delayed waits, and leaves its core to others."""
    if isinstance(item, Exponential):
        times = exponential(item.mean, worker)
        return lambda _: _wait_until(perf_counter() + next(times))
    extra = chain(repeat(0.0, item.since), repeat(item.factor - 1.0))
    return lambda worked: _busy_until(thread_time() + next(extra) * worked, thread_time)


def drawn(mean: float, workers: int, rounds: int) -> Vector:
    """The delays of the first rounds: (workers, rounds) float64, seconds."""
    return np.array([list(islice(exponential(mean, worker), rounds)) for worker in range(workers)])


def exponential(mean: float, worker: int) -> Iterator[float]:
    """The delays of a worker, in seconds: the same on every run, each worker its own."""
    from numpy.random import Philox  # not at start-up: hardly anyone delays

    bits = Philox(key=worker)
    while True:
        yield -mean * math.log1p(-(int(bits.random_raw()) >> 11) * 2.0**-53)


def _wait_until(end: float) -> None:
    left = end - perf_counter()
    if left > NAP:
        sleep(left - NAP)
    _busy_until(end, perf_counter)


def _busy_until(end: float, clock: Callable[[], float]) -> None:
    while clock() < end:
        pass
