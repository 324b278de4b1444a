"""The cost model: what a round should take, from a measured network.

    round = compute + wait + latency + bandwidth + update
    compute   = rows of the worker with the most blocks * bytes of a row / the rate among so many ranks
    wait      = (H_m - 1) * jitter, or H_m * mean of a given delay: the slowest of m exponential delays
    latency   = alpha * messages on the critical path + overhead * messages right behind another
    bandwidth = beta * bytes on the critical path
    update    = the driver's seconds

The messages and bytes are those of ``comm/paths.py``; alpha, beta and overhead come from a fit over all sizes and numbers of
ranks, corrected by how far it was off (see ``curves``).

(R. W. Hockney 1994 and A. Alexandrov et al. 1995, see ``comm/paths.py``; R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of
Collective Communication Operations in MPICH", International Journal of High Performance Computing Applications 19, 2005. The
largest of m exponentials has the mean H_m = 1 + 1/2 + ... + 1/m times theirs: A. Renyi, "On the theory of order statistics", 1953.)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

from mpi_pgd.data.partition import BLOCK_BYTES, Partition
from mpi_pgd.engine.cut import Cutting, usual
from mpi_pgd.engine.partial import Vote
from mpi_pgd.engine.query import Query
from mpi_pgd.errors import InputError
from mpi_pgd.modes import MODES
from mpi_pgd.study.curves import SURE, Curve, Wire, both, curves
from mpi_pgd.study.paces import Paces, harmonic
from mpi_pgd.study.pieces import LINKS, Key

NO_WIRE = Wire(0.0, 0.0, 0.0, False)
PARTS = ("compute", "wait", "latency", "bandwidth", "update")


class Prediction(NamedTuple):
    """Seconds of a round, by part; and how sure they are.

    Attributes:
        low, high: the ends of the round's interval, of some 95 %.
        extrapolated: its messages were not measured with so many ranks or bytes, or its rows not with so many ranks at work.
    """

    compute: float
    wait: float
    latency: float
    bandwidth: float
    update: float
    low: float
    high: float
    extrapolated: bool

    @property
    def total(self) -> float:
        """The round."""
        return math.fsum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """The seconds that add up to the round."""
        return dict(zip(PARTS, self, strict=False))


@dataclass(frozen=True)
class Model:
    """Predicts rounds. Made by ``from_record``.

    Attributes:
        nodes: how many ranks each node had when the network was measured.
        compute, paces: see ``compute.measure``.
        curves: by link, mode and algorithm.
    """

    nodes: Mapping[str, int]
    compute: Mapping[str, Any]
    paces: Paces
    curves: Mapping[Key, Curve]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Model":
        """From the content of a network.json (see ``network.read``)."""
        return cls(record["nodes"], record["compute"], Paces.of(record["compute"]), curves(record))

    def round(
        self,
        mode: str,
        algorithm: str,
        ranks: int,
        rows: int,
        features: int,
        folds: int | None = None,
        ranks_per_node: int | None = None,
        wait: float | None = None,
        seconds_per_row: float | None = None,
    ) -> Prediction:
        """The parts of a round.

        Args:
            mode, algorithm: of ``modes.WAYS``.
            ranks: all of them, the server too.
            rows, features: of the data.
            folds: numbers that the partial holds for each; 0: plain sums; None: as a fit does by default.
            ranks_per_node: the fullest node's; by default as many as were measured.
            wait: mean of an exponential delay of each worker, seconds; by default the measured jitter counts.
            seconds_per_row: a measured one-rank baseline, instead of the rate measured on synthetic rows.

        Raises:
            InputError: there are messages, but none of this kind were measured.
        """
        workers = MODES[mode].workers(ranks)
        fill = ranks_per_node or self.fill
        wire = NO_WIRE
        if ranks > 1:
            wire = self.wire(mode, algorithm, ranks, fill, *messages(mode, features, folds))
        size = self.size(workers, rows, features)
        compute = self.seconds(workers, rows, features, seconds_per_row) * self.slowdown(workers, ranks, fill, size)
        late = self.paces.late(workers, size)
        delay = self._wait(workers, late, compute) if wait is None else harmonic(workers) * wait
        update = self.update(workers, ranks, features)
        parts = (compute, delay, wire.latency, wire.bandwidth, update)
        rest = math.hypot((compute + update) * max(SURE, late, self.shaking), delay)
        low, high = (math.fsum(parts) + sign * math.hypot(rest, wire.seconds * math.expm1(sign * wire.spread)) for sign in (-1, 1))
        return Prediction(*parts, max(low, 0.0), high, wire.extrapolated)

    def wire(self, mode: str, algorithm: str, ranks: int, fill: int, reduced: int, broadcast: int) -> Wire:
        """The messages of a round, ``fill`` ranks on the fullest node.

        Where one rank a node passes messages: what its ranks take, then what the leaders do; unless such a round was measured.

        Raises InputError: they were not measured.
        """
        whole = self.curves.get((LINKS[ranks > fill], mode, algorithm))
        if whole and (ranks, reduced, broadcast) in whole.rounds:
            return whole.wire(ranks, reduced, broadcast)
        stages = self.stages(mode, algorithm, ranks, fill)
        back = reduced if MODES[mode].nodewise else broadcast  # among leaders, sums go out as they come in
        wires = [curve.wire(talking, reduced, back) for curve, talking in stages]
        return reduce(both, wires)._replace(extrapolated=len(wires) > 1 or wires[0].extrapolated)

    def stages(self, mode: str, algorithm: str, ranks: int, fill: int) -> list[tuple[Curve, int]]:
        """What is done with messages one after the other, each by so many ranks. Raises InputError: it was not measured."""
        facts = MODES[mode]
        if not facts.nodewise:
            return [(self.curve(mode, algorithm, ranks, fill), ranks)]
        here = min(ranks, fill)
        found = [(self.curve(mode, facts.names[0], here, fill), here)] if here > 1 else []
        if ranks > fill:
            found.append((self.curve(*facts.leaders(algorithm), ranks, fill), -(-ranks // fill)))
        return found

    def known(self, mode: str, algorithm: str, fill: int) -> list[Curve]:
        """The curves that tell what a round takes, on whatever link; none if one of them is missing."""
        facts = MODES[mode]
        needed = [(mode, facts.names[0])] * (fill > 1) + [facts.leaders(algorithm)] if facts.nodewise else [(mode, algorithm)]
        found = [[curve for (_, *way), curve in self.curves.items() if tuple(way) == one] for one in needed]
        return [curve for some in found for curve in some] if all(found) else []

    @property
    def shaking(self) -> float:
        """The measured jitter, relative to the pass that it was measured with."""
        jitter, length = self.compute.get("jitter_seconds", 0.0), self.compute.get("pass_seconds", 0.0)
        return float(jitter / length) if length else 0.0

    @property
    def fill(self) -> int:
        """Ranks of the fullest node that was measured."""
        return max(self.nodes.values())

    def curve(self, mode: str, algorithm: str, ranks: int, ranks_per_node: int) -> Curve:
        """The measured curve that holds for so many ranks: between nodes if they don't fit into one, and if that was measured."""
        links = LINKS if ranks <= ranks_per_node else LINKS[::-1]
        for link in links:
            if (link, mode, algorithm) in self.curves:
                return self.curves[link, mode, algorithm]
        raise InputError(
            f"the network file has no messages of {mode} with {algorithm}: expected them to be measured; "
            "run `network` with at least 2 ranks, and with all the time that it asks for"
        )

    def share(self, workers: int, rows: int, features: int) -> int:
        """Rows of the worker with the most blocks."""
        partition = Partition(rows, features)
        return min(rows, partition.most(workers) * partition.block_rows)

    def size(self, workers: int, rows: int, features: int) -> int:
        """Bytes of these."""
        return self.share(workers, rows, features) * 8 * (features + 1)

    def seconds(self, workers: int, rows: int, features: int, seconds_per_row: float | None = None) -> float:
        """Seconds that the worker with the most blocks maps, if it is alone."""
        mine = self.share(workers, rows, features)
        if seconds_per_row is not None:
            return mine * seconds_per_row
        size = self.size(workers, rows, features)
        extra = max(0.0, Partition(rows, features).most(workers) - size / BLOCK_BYTES)  # blocks beyond those of the full size
        row, block = (self.compute.get(key, 0.0) for key in ("row_seconds", "block_seconds"))  # rows: in older files
        return float(size / self.paces.rate(features, size) + mine * row + extra * block)

    def slowdown(self, workers: int, ranks: int, fill: int, size: int) -> float:
        """A rank's seconds with so many workers of so many ranks, ``fill`` of them on the fullest node, over those alone.

        As it was measured with so many at work on ``size`` bytes each, wherever they were (nodes may share more than one knows);
        see ``crowding``.
        """
        measured = self.paces.slower(workers, size) if fill == self.fill and ranks > 1 else 1.0
        return max(measured, self.crowding(self.busy(workers, ranks, fill)))

    def update(self, workers: int, ranks: int, features: int) -> float:
        """Seconds of an update."""
        alone, feature = (self.compute.get(key, 0.0) for key in ("update_seconds", "feature_seconds"))
        more = self.paces.update(workers, features) if ranks > 1 else 0.0
        return float(alone + (features + 2) * feature + more)

    def crowding(self, busy: int) -> float:
        """Likewise with ``busy`` ranks of its node at work: linear in them through what was measured.

        Beyond the cores it grows in proportion.
        """
        together, alone = self.compute["together"], self.compute["bytes_per_second"]
        measured = together["ranks"]
        slope = (alone / together["bytes_per_second"] - 1) / (measured - 1) if measured > 1 else 0.0
        limit = max(measured, self.compute.get("cores", measured))
        return float((1 + slope * (min(busy, limit) - 1)) * max(1.0, busy / limit))

    def busy(self, workers: int, ranks: int, fill: int) -> int:
        """Ranks that work on the fullest node. A server waits in a loop, so it counts where ranks outnumber cores."""
        here = min(ranks, fill)
        return here if here > self.compute.get("cores", here) else min(workers, fill)

    def _wait(self, workers: int, late: float, compute: float) -> float:
        """The measured jitter (``Paces.late``); the rate has one worker's own share of it.

        Of independent disturbances the variances add up in a longer map; of shorter ones fewer are disturbed at all.
        """
        times = compute / self.paces.largest["seconds"]
        return (harmonic(workers) - 1) * late * compute / max(1.0, math.sqrt(times))


def sizes(features: int, folds: int | None = None) -> tuple[int, int]:
    """Bytes of a partial and of a query (see ``engine.partial.Partial`` and ``engine.query.Query``)."""
    width = features + 2
    lows = Cutting(width, usual(width) if folds is None else folds, behind=2).lows
    return 8 * (width + lows + len(Vote)), 8 * (Query.HEADER + features + 1)


def messages(mode: str, features: int, folds: int | None = None) -> tuple[int, int]:
    """Bytes of what is summed, or sent to each neighbour, in a round of a mode, and of what is broadcast then if anything is."""
    partial, query = sizes(features, folds)
    return MODES[mode].messages(partial, query, 0)[0] if MODES[mode].neighbours else partial, query
