"""What each collective took, over sizes and numbers of ranks: from measured points to a fit, and back to any other point.

The fit carries a measured point to other sizes and numbers of ranks. How far it was off at the measured ones (caches, eager and
rendezvous protocols, a library that switches algorithms) is interpolated between them and multiplied on.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.comm.paths import Path, Shape
from mpi_pgd.modes import WAYS
from mpi_pgd.study.fitting import Fit, fit

LINKS = NODE, NETWORK = "node", "network"  # within a node, and between nodes
TERMS = ("alpha", "overhead", "beta")
ENOUGH = 8  # points over sizes to tell a step from chance by their neighbours: fewer are too far apart
ONE = 8  # bytes: the broadcast of one number after the sums whose share of a round is measured

# What may be measured, and what shapes that may have.
SHAPES: dict[tuple[str | None, str], tuple[Shape, ...]] = {
    (None, "ping-pong"): (Shape("message", "alpha + n beta", lambda ranks, size: Path(1, 0, size)),),
    **{way: algorithm.shapes for way, algorithm in WAYS.items()},
}
Key = tuple[str, str | None, str]  # link, mode, algorithm
Points = dict[int, list[tuple[int, float]]]  # by ranks: bytes and a ratio


class Curve(NamedTuple):
    """A collective's fit, and the measured points around it."""

    shape: Shape
    factors: Path  # alpha, overhead, beta
    ratios: Points  # measured / fitted
    shares: Points  # the sums' part of a client-server round with as many bytes out as in

    @property
    def largest(self) -> int:
        """Bytes of the largest message that was measured."""
        return max((size for points in self.ratios.values() for size, _ in points), default=0)

    def wire(self, ranks: int, reduced: int, broadcast: int) -> tuple[float, float]:
        """Seconds of latency and of bandwidth for a round that sums and broadcasts so many bytes."""
        parts = self._parts(ranks, reduced, broadcast)
        if self.shape.folds and not _power(ranks):  # at least what the power of two below takes
            floor = self._parts(1 << (ranks.bit_length() - 1), reduced, broadcast)
            return max(parts, floor, key=sum)
        return parts

    def _parts(self, ranks: int, reduced: int, broadcast: int) -> tuple[float, float]:
        if not self.shape.broadcast:
            return self._alike(ranks, reduced, 1.0)
        share = self._between(self.shares, ranks, reduced) if self.shares else 0.5
        rest = 1.0 - (self._between(self.shares, ranks, broadcast) if self.shares else 0.5)
        there, back = self._alike(ranks, reduced, share), self._alike(ranks, broadcast, rest)
        return there[0] + back[0], there[1] + back[1]

    def _alike(self, ranks: int, size: int, share: float) -> tuple[float, float]:
        alpha, overhead, beta = self.factors
        path = self.shape(ranks, size, size)
        scale = share * (self._between(self.ratios, ranks, size) if self.ratios else 1.0)
        return scale * (alpha * path.latencies + overhead * path.behind), scale * beta * path.bytes

    def _between(self, points: Points, ranks: int, size: int) -> float:
        """Interpolated in the logarithms of the size (at the ends, the last value holds), then of the ranks of the same case.

        Beyond the ranks that were measured, the mean over all of them holds: one number's chance would be carried far.
        """
        logs = {count: float(np.interp(math.log(max(size, 1)), *_logs(points[count]))) for count in sorted(points)}
        if ranks > max(logs):
            return math.exp(math.fsum(logs.values()) / len(logs))
        alike = {count: log for count, log in logs.items() if not self.shape.folds or _power(count) == _power(ranks)} or logs
        return float(math.exp(np.interp(math.log(ranks), list(map(math.log, alike)), list(alike.values()))))


def _power(count: int) -> bool:
    return count & (count - 1) == 0


def _logs(points: Sequence[tuple[int, float]]) -> tuple[list[float], list[float]]:
    return [math.log(size) for size, _ in points], [math.log(value) for _, value in points]


def curves(record: Mapping[str, Any]) -> dict[Key, Curve]:
    """Of every fit in a network record, with the measured points around it."""
    rows, sums = _by_key(record["rows"]), _by_key(record.get("sums", []))
    messages = {entry["link"]: entry["beta"] for entry in record["fits"] if entry["mode"] is None}
    found = {}
    for entry in record["fits"]:
        key = (entry["link"], entry["mode"], entry["algorithm"])
        shape = next(shape for shape in SHAPES[key[1:]] if shape.name == entry["form"])
        # Where only small vectors could be measured, no beta may have been found; but no byte comes for nothing.
        factors = Path(entry["alpha"], entry["overhead"], entry["beta"] or messages.get(entry["link"], 0.0))
        here = rows.get(key, [])
        found[key] = Curve(shape, factors, _ratios(shape, factors, here), _shares(here, sums.get(key, [])))
    return found


# From measured points to fits


def fitted(record: dict[str, Any]) -> dict[str, Any]:
    """Add "fits" to a network record, and to its rows what was fitted and how far that is off."""
    record["fits"] = []
    for key, rows in _by_key(record["rows"]).items():
        shape, found = _best(SHAPES[key[1:]], rows)
        record["fits"].append(_entry(key, shape, found))
        for row in rows:
            seconds = found(_terms(shape, row))
            row["fitted_seconds"], row["residual"] = seconds, seconds / row["seconds"] - 1
    return record


def _best(shapes: Sequence[Shape], rows: Sequence[Mapping[str, Any]]) -> tuple[Shape, Fit]:
    """The shape that fits best; of those that fit alike (with two ranks they do), the first."""
    seconds = [row["seconds"] for row in rows]
    found = [(shape, fit([_terms(shape, row) for row in rows], seconds)) for shape in shapes]
    return min(found, key=lambda pair: round(pair[1].rms, 9))


def _terms(shape: Shape, row: Mapping[str, Any]) -> Path:
    return shape(row["ranks"], row["bytes"], row["bytes"])


def _entry(key: Key, shape: Shape, found: Fit) -> dict[str, Any]:
    entry: dict[str, Any] = dict(zip(("link", "mode", "algorithm"), key, strict=True)) | {"form": shape.name}
    for term, value, *ends in zip(TERMS, found.values.tolist(), found.low.tolist(), found.high.tolist(), strict=True):
        low, high = (end if math.isfinite(end) else None for end in ends)
        entry |= {term: value, f"{term}_low": low, f"{term}_high": high}
    return entry | {"rms_residual": found.rms, "points": found.points}


def _by_key(rows: Sequence[dict[str, Any]]) -> dict[Key, list[dict[str, Any]]]:
    found: dict[Key, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["link"], row["mode"], row["algorithm"]), []).append(row)
    return found


def _ratios(shape: Shape, factors: Sequence[float], rows: Sequence[Mapping[str, Any]]) -> Points:
    found: Points = {}
    for row in sorted(rows, key=lambda row: row["bytes"]):
        seconds = float(np.dot(factors, _terms(shape, row)))
        if seconds > 0:
            found.setdefault(row["ranks"], []).append((row["bytes"], row["seconds"] / seconds))
    return {ranks: _smooth(points) for ranks, points in found.items()}


def _smooth(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Each but the ends replaced by the median with its neighbours: steps stay, a single point that something disturbed goes.

    The ends: by the median with their neighbour and where it and the next point to (J. W. Tukey, "Exploratory Data Analysis",
    1977, chapter 7: running medians of three, and his rule for the ends).
    """
    if len(points) < ENOUGH:
        return points
    logs = [math.log(ratio) for _, ratio in points]
    inner = [median(logs[place - 1 : place + 2]) for place in range(1, len(logs) - 1)]
    first = median([logs[0], inner[0], 3 * inner[0] - 2 * inner[min(1, len(inner) - 1)]])
    last = median([logs[-1], inner[-1], 3 * inner[-1] - 2 * inner[max(-2, -len(inner))]])
    return [(size, math.exp(log)) for (size, _), log in zip(points, [first, *inner, last], strict=True)]


def _shares(rows: Sequence[Mapping[str, Any]], sums: Sequence[Mapping[str, Any]]) -> Points:
    """The sums' part of a round of n bytes in and out: (reduce n, broadcast 8) less half of (8, 8), over (n, n)."""
    whole = {(row["ranks"], row["bytes"]): row["seconds"] for row in rows}
    found: Points = {}
    for row in sorted(sums, key=lambda row: row["bytes"]):
        at, small = (row["ranks"], row["bytes"]), whole.get((row["ranks"], ONE))
        if at in whole and small:
            share = (row["seconds"] - small / 2) / whole[at]
            found.setdefault(row["ranks"], []).append((row["bytes"], min(0.95, max(0.05, share))))
    return found
