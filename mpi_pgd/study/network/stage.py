"""How contests are timed in turn, so that all of it takes no longer than it may. Collective; rank 0's clock counts."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from operator import itemgetter
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import rest
from mpi_pgd.report.progress import steps

BATCH_SECONDS, BATCH_CALLS = 1e-3, 8  # at least, if there is time
LEAST_CALLS, LEAST_BATCHES = 2, 2  # in any case: one batch may be disturbed
DEAREST = 2 + 1 + LEAST_CALLS  # calls, of a measurement that takes as little as can be
# Shares of the time left: for ping-pongs, then for every other size of collectives, of exchanges, then for those between.
FIRST = (0.2, 0.5, 0.5, 1.0)
GREEDY = 4.0  # times its share of the time left that a measurement may take: the large ones need more than the small ones
ALL, SUM_ONLY, OWN = "all", "sum", "own"
SHARED = 1024  # bytes: of smaller ones a reduce and a broadcast are taken to cost the same

Call = Callable[[], object]


class Prepared(NamedTuple):
    """What is timed for one size, and how many numbers came out wrong where it was tried on some whose sums are known."""

    call: Call
    wrong: int


class Contest(NamedTuple):
    """What is timed: on the first ranks of ``comm``, once for each size.

    Attributes:
        what: ``ALL``; ``SUM_ONLY``: a reduce of the size, and a broadcast of one number; ``OWN``: a problem's own round.
        prepare: gives the call for vectors of so many bytes, and for the broadcast's. Collective.
        kind: what it is, in words.
        messages: one after the other in a call (two for a ping-pong).
        smallest: bytes, in place of which fewer tell nothing.
        largest: bytes, for which there is room.
    """

    comm: MPI.Intracomm
    link: str
    mode: str | None
    algorithm: str
    what: str
    prepare: Callable[[int], Prepared]
    kind: str = "collective"
    messages: int = 1
    smallest: int = 0
    largest: int = sys.maxsize


Groups = list[list[Contest]]  # of the same ranks; none for a rank that is not among them


class Stage:
    """Shares the time out over the measurements that are left. Only rank 0's clock and count matter, as its word goes round."""

    def __init__(self, limit: float, batches: int, shown: bool) -> None:
        self.limit, self.batches, self.shown = limit, batches, shown
        self.end, self.left, self.part = perf_counter() + limit, 0, 0.0
        self.known: dict[int, dict[int, float]] = {}  # of each contest: seconds by bytes
        self.messages: dict[str, dict[int, float]] = {}  # of each link's ping-pongs, likewise

    def points(self, comm: MPI.Intracomm, kinds: Sequence[Groups], sizes: Sequence[int], own: int) -> Iterator[dict[str, Any]]:
        """Size by size all contests, a problem's own rounds before; ranks that are not in a group wait idle. Collective.

        Of the ``kinds`` ping-pongs come first, which tell most of the link, then collectives, then exchanges with neighbours. Of
        these every other size comes first, the smallest and then those that halve the range, so that little time means few
        sizes and not small ones. What would take too much of the time left has another chance at the end, the smallest size first.
        """
        pairs, collectives, exchanges = kinds
        yield from self._own(comm, collectives, own)
        done: set[tuple[int, int]] = set()
        some = _halving(sizes[::2])
        turns = ((sizes, pairs), (some, collectives), (some, exchanges), (sizes[1::2], [*collectives, *exchanges]))
        passes = [list(product(*turn)) for turn in turns]
        for place, size, group in steps("set of messages", _numbered(passes), self.shown, until=self.end):
            if self.part != FIRST[place]:
                self.part, self.left = FIRST[place], _count(passes[place])
            yield from self._some(comm, group, size, done)
        todo = sorted((one for some in passes for one in some), key=itemgetter(0))
        missing = [[(id(contest), _at(contest, size)) for contest in group if _worth(contest, size)] for size, group in todo]
        late = [place for place, some in enumerate(missing) if not done.issuperset(some)]
        self.left = len(set().union(*missing) - done)
        for place in comm.bcast(late):  # rank 0 has part in all
            yield from self._some(comm, todo[place][1], todo[place][0], done)

    def _own(self, comm: MPI.Intracomm, groups: Groups, size: int) -> Iterator[dict[str, Any]]:
        """However long it takes; for the rest, some time is left in any case."""
        those = [[contest for contest in group if contest.what == OWN] for group in groups]
        share = comm.bcast(self.limit / 2 / max(1, sum(map(len, those))))  # rank 0 has part in all
        for some in those:
            for contest in some:
                yield self._point(contest, size, share)
            rest(comm)
        self.end = max(self.end, perf_counter() + self.limit / 2)

    def _some(self, comm: MPI.Intracomm, group: list[Contest], size: int, done: set[tuple[int, int]]) -> Iterator[dict[str, Any]]:
        for contest in group:
            at = _at(contest, size)
            if _worth(contest, size) and (id(contest), at) not in done:
                limit = self._share(contest, at)
                if limit > 0:
                    done.add((id(contest), at))
                    yield self._point(contest, at, limit)
                self.left -= 1
        rest(comm)

    def _share(self, contest: Contest, size: int) -> float:
        """Seconds that this measurement may take, or 0 if it would take much more; rank 0's, on all ranks of the contest.

        The first size is always measured, so that every algorithm has a point.
        """
        fair = np.array(self.part * max(0.0, self.end - perf_counter()) / max(1, self.left))
        if id(contest) not in self.known:
            fair[()] = max(float(fair), BATCH_SECONDS)
        elif DEAREST * _guessed(self.known[id(contest)], size, self.messages.get(contest.link, {})) > GREEDY * fair:
            fair[()] = 0.0
        contest.comm.Bcast(fair)
        return float(fair)

    def _point(self, contest: Contest, size: int, limit: float) -> dict[str, Any]:
        call, wrong = contest.prepare(size)
        samples = np.array(_samples(contest.comm, call, limit, self.batches)) / contest.messages
        low, middle, high = map(float, np.quantile(samples, (0.25, 0.5, 0.75), method="lower"))  # of two, the one less disturbed
        known = self.messages.setdefault(contest.link, {}) if contest.mode is None else {}
        self.known.setdefault(id(contest), known)[size] = float(samples.min()) * contest.messages
        point = {key: getattr(contest, key) for key in ("link", "mode", "algorithm", "what", "kind")}
        return point | {"ranks": contest.comm.size, "bytes": size, "seconds": middle, "low": low, "high": high, "wrong": wrong}


def _guessed(known: Mapping[int, float], size: int, messages: Mapping[int, float]) -> float:
    """Seconds that a call should take: on the line through the two largest below, or more if messages grow more.

    No more than in proportion, or than a larger one takes.
    """
    below, above = sorted(one for one in known if one <= size), [known[one] for one in known if one > size]
    if not below:
        return min(above)
    last, before = below[-1], below[max(0, len(below) - 2)]
    slope = max(0.0, known[last] - known[before]) / max(1, last - before)  # may be all noise
    grown = known[last] * _message(messages, size) / _message(messages, last)
    return min(max(known[last] + slope * (size - last), grown), known[last] * size / last, *above)


def _message(messages: Mapping[int, float], size: int) -> float:
    """Seconds of the next larger one that was timed, or of the largest."""
    return messages[min((one for one in messages if one >= size), default=max(messages))] if messages else 1.0


def _halving(sizes: Sequence[int]) -> list[int]:
    """The smallest, the one in the middle, those in the middle of the halves, and so on: their places' bits, turned round."""
    bits = len(f"{len(sizes) - 1:b}")
    return [sizes[place] for place in sorted(range(len(sizes)), key=lambda place: f"{place:0{bits}b}"[::-1])]


def _numbered(passes: Sequence[Sequence[tuple[int, list[Contest]]]]) -> list[tuple[int, int, list[Contest]]]:
    return [(place, *one) for place, some in enumerate(passes) for one in some]


def _count(todo: Sequence[tuple[int, list[Contest]]]) -> int:
    return sum(_worth(contest, size) for size, group in todo for contest in group)


def _at(contest: Contest, size: int) -> int:
    return max(size, contest.smallest)


def _worth(contest: Contest, size: int) -> bool:
    return size <= contest.largest and (contest.what == ALL or (contest.what == SUM_ONLY and size >= SHARED))


def _samples(comm: MPI.Intracomm, call: Call, limit: float, most: int) -> list[float]:
    """Seconds a call, of each batch. What ``_batch`` gives is the same on all ranks, so they agree on how many."""
    first = _batch(comm, call, 1)  # looks the steps up, touches memory, opens connections
    once = _batch(comm, call, 1) if first < BATCH_SECONDS * BATCH_CALLS else first
    left = limit - 2 * (first + once)
    calls = int(max(LEAST_CALLS, min(max(BATCH_SECONDS / once, BATCH_CALLS), left / once / LEAST_BATCHES)))
    samples = [first] if calls == LEAST_CALLS else []
    while len(samples) < LEAST_BATCHES or (len(samples) < most and left >= (calls + 1) * samples[-1]):
        samples.append(_batch(comm, call, calls))
        left -= (calls + 1) * samples[-1]
    return samples


def _batch(comm: MPI.Intracomm, call: Call, calls: int) -> float:
    """Seconds a call, of ``calls`` back to back, on the slowest rank; the one before, which brings them into step, is not timed."""
    call()
    start = perf_counter()
    for _ in range(calls):
        call()
    seconds = np.array((perf_counter() - start) / calls)
    comm.Allreduce(MPI.IN_PLACE, seconds, MPI.MAX)
    return float(seconds)
