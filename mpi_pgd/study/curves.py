"""What a collective takes at any size and number of ranks, from its fit and the measured points around it; and how sure that is.

Where it was measured, that is what it takes. Between two sizes, how far the fit was off at both (caches, eager and rendezvous
protocols, a library that switches algorithms) is interpolated, and multiplied on; so it is between two numbers of ranks. Beyond,
the fit carries it on, and it is *extrapolated*.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.comm.paths import Path, Shape
from mpi_pgd.modes import MODES, WAYS
from mpi_pgd.study.messages import Messages
from mpi_pgd.study.pieces import SHAPES, TERMS, Key, Row, by_key
from mpi_pgd.study.points import Points, apart, between, doublings, power, scatter, smooth

ONE = 8  # bytes: the broadcast of one number after the sums whose share of a round is measured
SURE = 0.03  # relative: nothing is known better, as a machine is never twice the same
WIDE = 2.0  # standard deviations to the ends of an interval
RANKS_ON, BYTES_ON = 0.1, 0.05  # relative: what each doubling beyond what was measured adds to it, as a guess


class Wire(NamedTuple):
    """What the messages of a round take: seconds of latency and of bandwidth.

    Attributes:
        spread: half the width of the logarithm's 95 % interval: the time may be off by a factor e^spread.
        extrapolated: it was measured neither with so many ranks and bytes, nor with more of both.
    """

    latency: float
    bandwidth: float
    spread: float
    extrapolated: bool

    @property
    def seconds(self) -> float:
        """Both."""
        return self.latency + self.bandwidth


def both(one: Wire, other: Wire) -> Wire:
    """One after the other."""
    beyond = one.extrapolated or other.extrapolated
    return Wire(one.latency + other.latency, one.bandwidth + other.bandwidth, max(one.spread, other.spread), beyond)


class Piece(NamedTuple):
    """A collective from some size on: its fit, and the measured points beside that."""

    first: int  # bytes
    shape: Shape
    factors: Path  # alpha, overhead, beta
    spreads: Path  # half the widths of their logarithms' intervals
    rms: float
    messages: Messages  # of its link: how far they are off alpha + n beta, which the fit is held against
    ratios: Points  # measured / fitted


class Curve(NamedTuple):
    """A collective: its pieces, the smallest sizes first."""

    pieces: Sequence[Piece]
    shares: Points  # the sums' part of a client-server round with as many bytes out as in
    noise: float  # half the range of the quartiles of a point's logarithm
    rounds: Mapping[tuple[int, int, int], Row]  # whole rounds that were measured: by ranks, bytes of sums and of broadcasts
    priced: bool = False  # it was not measured: what is known is that of its messages

    @property
    def largest(self) -> int:
        """Bytes of the largest message that was measured."""
        return max((size for points in self.pieces[-1].ratios.values() for size, _ in points), default=0)

    @property
    def most(self) -> int:
        """The largest number of ranks with which it was measured."""
        return max(self.pieces[-1].ratios, default=0)

    def piece(self, size: int) -> Piece:
        """The one for so many bytes."""
        return next((piece for piece in reversed(self.pieces) if piece.first <= size), self.pieces[0])

    def wire(self, ranks: int, reduced: int, broadcast: int) -> Wire:
        """A round that sums and broadcasts so many bytes."""
        found = self._parts(ranks, reduced, broadcast)
        if (ranks, reduced, broadcast) in self.rounds:
            row = self.rounds[ranks, reduced, broadcast]
            scale, noise = row["seconds"] / found.seconds, math.log(row["high"] / row["low"]) / 2
            return Wire(found.latency * scale, found.bandwidth * scale, max(SURE, WIDE * noise), False)
        if self.piece(reduced).shape.folds and not power(ranks):  # at least what the power of two below takes
            below = self._parts(1 << (ranks.bit_length() - 1), reduced, broadcast)
            return max(found, below._replace(extrapolated=found.extrapolated), key=lambda wire: wire.seconds)
        return found

    def _parts(self, ranks: int, reduced: int, broadcast: int) -> Wire:
        if not self.pieces[0].shape.broadcast:
            return self._alike(ranks, reduced, 1.0)
        share = between(self.shares, ranks, reduced) if self.shares else 0.5
        rest = 1.0 - (between(self.shares, ranks, broadcast) if self.shares else 0.5)
        return both(self._alike(ranks, reduced, share), self._alike(ranks, broadcast, rest))

    def _alike(self, ranks: int, size: int, share: float) -> Wire:
        piece = self.piece(size)
        path = piece.shape(ranks, size, size)
        each = [factor * count for factor, count in zip(piece.factors, path, strict=True)]
        scale = share * piece.messages.off(path, size)
        if piece.ratios:
            scale *= between(piece.ratios, ranks, size, piece.first, piece.shape.folds)
        beyond = ranks > self.most or size > self._reach(ranks)
        spread = max(SURE, WIDE * self.noise, apart(piece.ratios, ranks, size))
        if beyond or ranks not in piece.ratios:
            spread = max(spread, WIDE * math.hypot(piece.rms, scatter(piece.ratios, size)))
        if beyond:
            fitted = math.fsum(share * half for share, half in zip(each, piece.spreads, strict=True)) / math.fsum(each)
            spread += fitted + piece.messages.unsure(path, size)
            spread += RANKS_ON * doublings(ranks, self.most) + BYTES_ON * doublings(size, self._reach(ranks))
        return Wire(scale * (each[0] + each[1]), scale * each[2], spread, beyond)

    def _reach(self, ranks: int) -> int:
        """Bytes up to which it was measured with the numbers of ranks that are next to this one."""
        ratios = self.pieces[-1].ratios
        near = {max((count for count in ratios if count <= ranks), default=0), min((c for c in ratios if c >= ranks), default=0)}
        return min((ratios[count][-1][0] for count in near if count), default=0)


# From a record


def curves(record: Mapping[str, Any]) -> dict[Key, Curve]:
    """Of every collective with a fit in a network record."""
    rows, sums, rounds = (by_key(record.get(name, [])) for name in ("rows", "sums", "rounds"))
    messages = {
        entry["link"]: Messages.of(entry["alpha"], entry["beta"], rows.get((entry["link"], None, entry["algorithm"]), []))
        for entry in record["fits"]
        if entry["mode"] is None
    }
    pieces: dict[Key, list[Piece]] = {}
    for entry in sorted(record["fits"], key=lambda entry: float(entry.get("from_bytes", 0))):
        key = (entry["link"], entry["mode"], entry["algorithm"])
        pieces.setdefault(key, []).append(_piece(entry, rows.get(key, []), messages.get(entry["link"], Messages(0.0, 0.0, []))))
    found = {
        key: Curve(
            some,
            _shares(rows.get(key, []), sums.get(key, [])),
            median([_noise(row) for row in rows.get(key, [])] or [0.0]),
            {(row["ranks"], row["bytes"], row["broadcast"]): row for row in rounds.get(key, [])},
        )
        for key, some in pieces.items()
    }
    return found | _exchanges(found)


def _exchanges(found: Mapping[Key, Curve]) -> dict[Key, Curve]:
    """With neighbours, as measured, or else (older files) as messages between two ranks; an overhead not told is the link's."""
    exchanges: dict[Key, Curve] = {}
    for (link, *_), message in [item for item in found.items() if item[0][1] is None]:
        overhead = max(piece.factors.behind for (other, *_), each in found.items() if other == link for piece in each.pieces)
        for way, algorithm in WAYS.items():
            if MODES[way[0]].neighbours:
                (shape,), curve = algorithm.shapes, found.get((link, *way), message)
                if not any(piece.shape(ranks, 1, 0).behind for piece in curve.pieces for ranks in piece.ratios):
                    some = [one._replace(shape=shape, factors=one.factors._replace(behind=overhead)) for one in curve.pieces]
                    curve = curve._replace(pieces=some, priced=curve is message)
                exchanges[link, *way] = curve
    return exchanges


def _piece(entry: Row, rows: Sequence[Row], messages: Messages) -> Piece:
    shape = next(shape for shape in SHAPES[entry["mode"], entry["algorithm"]] if shape.name == entry["form"])
    # Where only small vectors could be measured, no beta may have been found; but no byte comes for nothing.
    factors = Path(entry["alpha"], entry["overhead"], entry["beta"] or messages.beta)
    spreads = Path(*(_half(entry.get(f"{term}_low"), entry.get(f"{term}_high")) for term in TERMS))
    rms, ratios = entry.get("rms_residual", 0.0), _ratios(shape, factors, messages, rows)
    return Piece(entry.get("from_bytes", 0), shape, factors, spreads, rms, messages, ratios)


def _half(low: float | None, high: float | None) -> float:
    return math.log(high / low) / 2 if low and high else 0.0


def _noise(row: Row) -> float:
    return _half(row.get("low"), row.get("high"))


def _ratios(shape: Shape, factors: Sequence[float], messages: Messages, rows: Sequence[Row]) -> Points:
    found: Points = {}
    for row in sorted(rows, key=lambda row: int(row["bytes"])):
        path = shape(row["ranks"], row["bytes"], row["bytes"])
        seconds = float(np.dot(factors, path)) * messages.off(path, row["bytes"])
        if seconds > 0:
            found.setdefault(row["ranks"], []).append((row["bytes"], row["seconds"] / seconds))
    return {ranks: smooth(points) for ranks, points in found.items()}


def _shares(rows: Sequence[Row], sums: Sequence[Row]) -> Points:
    """The sums' part of a round of n bytes in and out: (reduce n, broadcast 8) less half of (8, 8), over (n, n)."""
    whole = {(row["ranks"], row["bytes"]): row["seconds"] for row in rows}
    found: Points = {}
    for row in sorted(sums, key=lambda row: int(row["bytes"])):
        at, small = (row["ranks"], row["bytes"]), whole.get((row["ranks"], ONE))
        if at in whole and small:
            share = (row["seconds"] - small / 2) / whole[at]
            found.setdefault(row["ranks"], []).append((row["bytes"], min(0.95, max(0.05, share))))
    return found
