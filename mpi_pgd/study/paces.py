"""How fast ranks map rows and update within rounds, alone and among others: between the sizes that were measured.

Rows that caches may hold are mapped slower between messages, which bring other data; those that they can't hold are slowed by
the other workers of the node alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

PEERS = 2  # a worker that has a server sends and receives as two peers do
Row = Mapping[str, Any]


class Paces(NamedTuple):
    """What was measured (see ``network.compute``), by ranks that took part, alone too; each the same sizes, ascending."""

    by_ranks: Mapping[int, Sequence[Row]]
    lengths: Sequence[Row] = ()  # the rates of one rank alone, whose rows have so many features; ascending

    @classmethod
    def of(cls, compute: Row) -> "Paces":
        """Of a network record; older ones have but the rates of large rows."""
        found: dict[int, list[Row]] = {}
        for row in compute.get("paces") or _older(compute):
            found.setdefault(row["ranks"], []).append(row)
        by_ranks = {ranks: sorted(rows, key=lambda row: float(row["bytes"])) for ranks, rows in sorted(found.items())}
        return cls(by_ranks, sorted(compute.get("lengths") or (), key=lambda one: int(one["features"])))

    @property
    def sound(self) -> bool:
        """Whether one rank alone is among them, and each number of ranks has the same sizes."""
        sizes = [[row["bytes"] for row in rows] for rows in self.by_ranks.values()]
        return 1 in self.by_ranks and all(each == sizes[0] for each in sizes)

    @property
    def largest(self) -> Row:
        """Of the rows that no cache holds, mapped by one rank alone."""
        return self.by_ranks[1][-1]

    def rate(self, features: int, size: float) -> float:
        """Bytes per second of one rank alone, whose rows have so many features, and bytes in all."""

        def normal(place: int) -> float:
            one = self._alone(place)
            return float(one["bytes"] / one["seconds"] / self._length(one.get("features", features)))

        return self._length(features) * self._at(size, normal)

    def _length(self, features: int) -> float:
        if not self.lengths:
            return 1.0
        counts, rates = zip(*((math.log(one["features"]), math.log(one["bytes_per_second"])) for one in self.lengths), strict=True)
        return float(np.exp(np.interp(math.log(features), counts, rates)))

    def slower(self, workers: int, size: float) -> float:
        """Times as long as alone takes a map of so many bytes, in rounds of so many workers; one of them has a server."""

        def ratio(place: int) -> float:
            at_work = workers if place == len(self.by_ranks[1]) - 1 else max(workers, PEERS)
            return max(1.0, self._among(at_work, place, "seconds") / float(self._alone(place)["seconds"]))

        return self._at(size, ratio)

    def late(self, workers: int, size: float) -> float:
        """Relative to a map of so many bytes: the mean of exponential delays whose largest one is what was waited for."""
        waits = [(count, rows) for count, rows in self.by_ranks.items() if count > 1]
        if not waits:
            return 0.0

        def ratio(place: int) -> float:
            values = [rows[place]["wait_seconds"] / rows[place]["seconds"] / (harmonic(count) - 1) for count, rows in waits]
            return float(np.interp(workers, [count for count, _ in waits], values))

        return float(np.interp(math.log(size), self._sizes(), [ratio(place) for place in range(len(self._sizes()))]))

    def update(self, workers: int, features: int) -> float:
        """Seconds that an update takes longer in rounds of so many workers than in a loop of its own."""
        small = self.by_ranks[1][:-1]  # the largest has swept the caches anyway
        places = {row["features"]: place for place, row in reversed(list(enumerate(small)))}
        more = {
            count: max(0.0, self._among(max(workers, PEERS), place, "update_seconds") - self._alone(place)["update_seconds"])
            for count, place in sorted(places.items())
        }
        return float(np.interp(math.log(features), list(map(math.log, more)), list(more.values()))) if more else 0.0

    def _alone(self, place: int) -> Row:
        return self.by_ranks[1][place]

    def _among(self, ranks: int, place: int, key: str) -> float:
        return float(np.interp(ranks, list(self.by_ranks), [rows[place][key] for rows in self.by_ranks.values()]))

    def _sizes(self) -> list[float]:
        return [math.log(row["bytes"]) for row in self.by_ranks[1]]

    def _at(self, size: float, value: Callable[[int], float]) -> float:
        """Between the sizes by logarithms, and beyond as at the ends."""
        logs = [math.log(value(place)) for place in range(len(self._sizes()))]
        return float(np.exp(np.interp(math.log(size), self._sizes(), logs)))


def harmonic(count: int) -> float:
    """H_m = 1 + 1/2 + ... + 1/m."""
    return math.fsum(1 / place for place in range(1, count + 1))


def _older(compute: Row) -> list[dict[str, Any]]:
    """One size, of which the passes were."""
    rate, length, jitter = compute["bytes_per_second"], compute.get("pass_seconds", 0.0), compute.get("jitter_seconds", 0.0)
    size = length * rate or 1.0
    late = jitter / length if length else 0.0
    found = []
    for each in compute.get("at_work") or [{"ranks": ranks, "bytes_per_second": rate} for ranks in (1, 2)]:
        seconds, ranks = size / each["bytes_per_second"], each["ranks"]
        found.append({"ranks": ranks, "bytes": size, "seconds": seconds, "wait_seconds": (harmonic(ranks) - 1) * late * seconds})
    return found
