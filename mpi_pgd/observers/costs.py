"""What a round costs and who made the others wait, from the times that the ranks noted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpi_pgd.engine.arrays import Rows, Vector

# BUSY: seconds of the processor, from start to arrival; READ: seconds, just before the start
START, ARRIVE, UPDATE, UPDATED, END, BUSY, READ = range(7)
STAMPS = 7
PARTS = ("compute", "wait", "wire", "update", "input")
COMPUTE, WAIT = PARTS.index("compute"), PARTS.index("wait")

SLOW = 1.35  # times the median of the other workers
OFTEN = 0.25  # of the rounds
CALM = 0.1  # of the rounds: those that the neighbours on crowded cores disturbed least
EDGES = (1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
SHOWN_ROUNDS, SHOWN_RANKS = 8, 16


def split(stamps: Vector, skips: bool = False) -> Vector:
    """The parts of each round on each rank: (ranks, rounds, parts) seconds, which add up to the round from start to end.

    Args:
        stamps: (ranks, rounds, 7) seconds: when a rank starts to map, when it arrives at the collective, when it begins and ends to
            update (zeros if it does not), when it has the next query; the processor's seconds; and those in which rows were read
            before it started, which come to the round.
        skips: see ``_computed``.

    A rank waits for as long as another one reads and computes longer than itself. So these and the wait take as long on every rank,
    that is as long as the slowest's, and what is left is wire: also where a rank got its order later than others. All these are
    durations by a rank's own clock, so clocks need not be aligned. A rank that does not update waits through the update of the one
    that does. Where a rank skipped a round, being busy with an earlier one, all its stamps and parts are zero.
    """
    start, arrive, update, updated, end, _, read = np.moveaxis(stamps, -1, 0)
    compute, own = arrive - start, updated - update
    changing = np.minimum(np.where(update > 0, own, own.max(axis=0, keepdims=True)), end - arrive)
    rest = end - arrive - changing
    wait = np.clip(_computed(stamps, skips).max(axis=0) - compute - read, 0.0, np.maximum(rest, 0.0))
    return np.stack([compute, wait, rest - wait, changing, read], axis=-1)


def _computed(stamps: Vector, skips: bool) -> Vector:
    """How long each rank read and computed: (ranks, rounds) seconds.

    Where ranks that are late skip rounds (``skips``), 0 if it arrived after the update: nobody waited for it. That takes stamps on
    one clock.
    """
    compute = stamps[:, :, ARRIVE] - stamps[:, :, START] + stamps[:, :, READ]
    update = stamps[:, :, UPDATE].max(axis=0)
    return np.where((stamps[:, :, ARRIVE] <= update) | (update == 0.0), compute, 0.0) if skips else compute


def _carried(times: Vector, stamps: Vector) -> Vector:
    """For a rank that skipped a round, the time of the round that it was still busy with: (ranks, rounds)."""
    last = np.maximum.accumulate(np.where(stamps[:, :, END] > 0, np.arange(stamps.shape[1]), 0), axis=1)
    return np.take_along_axis(times, last, axis=1)


def boundaries(stamps: Vector, skips: bool = False) -> Vector:
    """Where the parts of each round begin and end: (ranks, rounds, 7), see ``mpi_pgd.report.trace``. Arguments as of ``split``.

    The clocks are aligned; by what that leaves, a round might begin before the last one ends: it then begins with that.
    """
    compute, wait, _, changing, read = np.moveaxis(split(stamps, skips), -1, 0)
    start, update, end = stamps[:, :, START], stamps[:, :, UPDATE], stamps[:, :, END]
    arrive = start + compute
    begun = np.clip(np.where(update > 0, update, update.max(axis=0)), arrive + wait, end - changing)
    marks = np.stack([start - read, start, arrive, arrive + wait, begun, begun + changing, end], axis=-1)
    ordered: Vector = np.maximum.accumulate(marks.reshape(len(marks), -1), axis=1).reshape(marks.shape)
    return ordered


def others(compute: Vector) -> Vector:
    """For each worker, the median of the *other* workers' times in the same round: (workers, rounds); its own if it is alone."""
    workers = len(compute)
    if workers < 2:
        return compute
    places = compute.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    ordered = np.sort(compute, axis=0)

    def other(index: int) -> Vector:
        """The number ``index`` in size among the others."""
        number: Vector = np.where(index < places, ordered[index], ordered[index + 1])
        return number

    median: Vector = 0.5 * (other((workers - 2) // 2) + other((workers - 1) // 2))
    return median


class Costs:
    """Sums over all rounds, and the times of the last ones; held by rank 0.

    Args:
        nodes: the node of each rank (``world.nodes``).
        first: the first rank that holds rows (1 behind a server).
        crowded: ranks outnumber cores. What a rank's clock shows is then as much its neighbours' work as its own, so who is slow
            is told from the processor's seconds.
        keep: how many rounds' times to keep at least, if there are so many.
        ids: each rank's number at the start of the job, as a person knows it, if it may be another now.
        skips: ranks that are late skip rounds, see ``_computed``.
    """

    def __init__(
        self, nodes: Sequence[str], first: int, crowded: bool, keep: int, ids: Sequence[int] = (), skips: bool = False
    ) -> None:
        ranks = len(nodes)
        self.ids = ids or range(ranks)
        self.nodes, self.first, self.crowded, self.keep, self.skips = nodes, first, crowded, keep, skips
        self.rounds = 0
        self.drift = 0.0  # seconds that a clock moved against rank 0's
        self.recent: list[Vector] = []  # stamps
        self._sums = self._apart = np.zeros((ranks, len(PARTS)))  # over all rounds, and over those that are not like the others
        self._few = 0  # how many these are
        self._longest, self._slow = np.zeros(ranks, dtype=np.int64), np.zeros(ranks, dtype=np.int64)
        self._waited, self._slowdown, self._when_slow = np.zeros(ranks), np.zeros(ranks), np.zeros(ranks)
        self._counts = np.zeros(len(EDGES), dtype=np.int64)

    def add(self, stamps: Vector, apart: Sequence[bool] | Rows = ()) -> None:
        """Some more rounds: (ranks, rounds, 7), see ``split``; which of them, beside the opening one, are not like the others."""
        parts = split(stamps, self.skips)
        odd = np.zeros(stamps.shape[1], dtype=bool)
        odd[: len(apart)] = apart
        odd[0] |= not self.rounds
        self.rounds += stamps.shape[1]
        self._sums, self._apart = self._sums + parts.sum(axis=1), self._apart + parts[:, odd].sum(axis=1)
        self._few += int(odd.sum())
        longest = _computed(stamps, self.skips).argmax(axis=0)
        self._longest += np.bincount(longest, minlength=len(stamps))
        np.add.at(self._waited, longest, parts[:, :, WAIT].sum(axis=0))
        own = stamps[:, :, BUSY] if self.crowded else parts[:, :, COMPUTE]
        self._compare(_carried(own, stamps)[self.first :])
        self.recent.append(stamps)
        while sum(kept.shape[1] for kept in self.recent[1:]) >= max(self.keep, 1):
            del self.recent[0]

    def _compare(self, compute: Vector) -> None:
        """Ratios of medians, not medians of ratios: on a busy machine both times of a round have outliers.

        On crowded cores, of the least disturbed rounds: neighbours that empty the caches only ever add processor time.
        """
        share = CALM if self.crowded else 0.5
        typical = np.maximum(others(compute), 1e-9)
        slow = compute > SLOW * typical
        for rank, (mine, theirs, when) in enumerate(zip(compute, typical, slow, strict=True), self.first):
            self._slowdown[rank] += len(mine) * np.quantile(mine, share) / np.quantile(theirs, share)
            if when.any():
                self._slow[rank] += when.sum()
                self._when_slow[rank] += when.sum() * np.quantile(mine[when], share) / np.quantile(theirs[when], share)
        steps = np.searchsorted(EDGES, (compute / typical).max(axis=0), side="right") - 1
        self._counts += np.bincount(steps.clip(0), minlength=len(EDGES))

    def mean(self, opening: bool = True) -> dict[str, float]:
        """Seconds of each part of a round, the mean over ranks and rounds; of all, or not of the ``opening`` one and its like."""
        return _named(self._means(opening).mean(axis=0))

    def server_share(self) -> float:
        """Of the round in which no worker computes: messages, as the server sees them, and its update; not of the opening one."""
        server = self._means(opening=False)[0]
        return float((server[PARTS.index("wire")] + server[PARTS.index("update")]) / max(server.sum(), 1e-9))

    def _means(self, opening: bool) -> Vector:
        """(ranks, parts) seconds.

        Ranks come to the opening round as they happen to, and in the beginning of a fit bounds are exchanged more often than later;
        where there are no other rounds, these count.
        """
        if opening or self.rounds == self._few:
            return self._sums / max(1, self.rounds)
        return (self._sums - self._apart) / (self.rounds - self._few)

    def median(self) -> dict[str, float]:
        """Seconds of each part of a round: the mean over the ranks of the median over the rounds that are kept."""
        if not self.rounds:
            return dict.fromkeys(PARTS, 0.0)
        parts = split(np.concatenate(self.recent, axis=1), self.skips)
        ordered, rounds = np.sort(parts, axis=1), parts.shape[1]
        middle = 0.5 * (ordered[:, (rounds - 1) // 2] + ordered[:, rounds // 2])  # np.median would import numpy.ma
        return _named(middle.mean(axis=0))

    def kept(self, rounds: int) -> tuple[int, Vector]:
        """The ``boundaries`` of the last ``rounds`` rounds, if so many are kept, after the number of the first of them."""
        stamps = np.concatenate(self.recent, axis=1)[:, -rounds:] if self.recent else np.zeros((len(self.nodes), 0, STAMPS))
        return self.rounds - stamps.shape[1], boundaries(stamps, self.skips)

    def record(self) -> dict[str, Any]:
        """What run.json holds."""
        return {
            "rounds": self.rounds,
            "ranks": self.ranks(),
            "sentence": self.sentence(),
            "slowdowns": {"edges": list(EDGES), "counts": self._counts.tolist()},
            "timeline": self._timeline(),
            "clock_drift": self.drift,
        }

    def ranks(self, opening: bool = True) -> list[dict[str, Any]]:
        """Of each rank the parts of a round, mean over the rounds as of ``mean``, and how slow it was."""
        return [self._rank(rank, parts) for rank, parts in enumerate(self._means(opening))]

    def _rank(self, rank: int, parts: Vector) -> dict[str, Any]:
        return {
            "rank": self.ids[rank],
            "node": self.nodes[rank],
            **_named(parts),
            "slowest_rounds": int(self._longest[rank]),
            "waited_for": float(self._waited[rank]),
            "slowdown": float(self._slowdown[rank] / max(1, self.rounds)) if rank >= self.first else None,
        }

    def sentence(self) -> str:
        """Who was slow, if one rank was so often, and more often than the others; else nothing."""
        share = self._slow / max(1, self.rounds)
        worst = int(share.argmax())
        others = np.delete(share[self.first :], worst - self.first)
        if share[worst] < OFTEN or share[worst] < 2 * np.median(others):
            return ""
        factor = self._when_slow[worst] / self._slow[worst]
        return (
            f"rank {self.ids[worst]} on node {self.nodes[worst]} was {factor:.1f} times slower than the "
            f"median of the other workers in {share[worst]:.0%} of the rounds"
            + (" (by processor time, as ranks outnumber cores)" if self.crowded else "")
            + f"; the others waited {self._waited[worst]:.3g} s for it"
        )

    def _timeline(self) -> list[dict[str, Any]]:
        """The last rounds of the first ranks, and of the one that was waited for most, in seconds since the first of them."""
        if not self.rounds:
            return []
        shown = sorted({*range(len(self.nodes))[: SHOWN_RANKS - 1], int(self._waited.argmax())})
        stamps = self.recent[-1][shown, -SHOWN_ROUNDS:]
        parts = split(self.recent[-1], self.skips)[shown, -SHOWN_ROUNDS:]
        starts, first = stamps[:, :, START] - stamps[:, :, READ], self.rounds - stamps.shape[1]
        begin = float(starts[starts > 0].min())
        return [
            {
                "round": first + turn,
                "rank": self.ids[rank],
                "start": float(starts[place, turn]) - begin,
                **_named(parts[place, turn]),
            }
            for turn in range(stamps.shape[1])
            for place, rank in enumerate(shown)
            if stamps[place, turn, START] > 0
        ]


def _named(parts: Vector) -> dict[str, float]:
    return dict(zip(PARTS, parts.tolist(), strict=True))
