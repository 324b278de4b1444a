"""The plan: what a fit should take with each mode, algorithm and number of workers, from a measured network. Nothing is run."""

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.errors import InputError
from mpi_pgd.modes import MODES, WAYS
from mpi_pgd.report.progress import steps
from mpi_pgd.report.units import count
from mpi_pgd.study.model import Model, Prediction, sizes
from mpi_pgd.study.pieces import NETWORK
from mpi_pgd.study.plan import mixing
from mpi_pgd.study.plan.crossings import Crossings, Way

LARGEST = 1 << 20  # workers
WORTH = 0.5  # efficiency: with less, more ranks are not worth what they cost
SIDES = 8  # steps of a refinement: numbers of workers looked at between two powers of two


class Question(NamedTuple):
    """What is to be planned.

    Attributes:
        rows, features: of the data.
        first, last: the range of workers.
        rounds: of the whole fit, or None.
        ranks_per_node: the fullest node's; None: as many as were measured.
        wait: mean of an exponential delay of each worker in each round, seconds; None: the measured jitter.
        mode, algorithm: only this one; None: all.
        folds: numbers that are sent for each; 0: plain sums; None: as a fit does by default.
    """

    rows: int
    features: int
    first: int = 1
    last: int = 4096
    rounds: int | None = None
    ranks_per_node: int | None = None
    wait: float | None = None
    mode: str | None = None
    algorithm: str | None = None
    folds: int | None = None


def workers_range(text: str) -> tuple[int, int]:
    """``"1..4096"``, or one number, as the first and last number of workers. Raises InputError: it is no such range."""
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= LARGEST:
        raise InputError(f"--workers {text}: expected a range such as 1..4096, from 1 to at most {LARGEST}, the smaller first")
    return first, last


def check(question: Question) -> None:
    """Raise InputError if there is nothing to plan."""
    for name in ("rows", "features", "rounds", "ranks_per_node"):
        value = getattr(question, name)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')} {value}: expected a whole number of at least 1")
    if question.wait is not None and not 0 <= question.wait < float("inf"):
        raise InputError(f"--wait {question.wait}: expected seconds, at least 0")
    if not list(_asked(question)):
        known = ", ".join(f"{mode} with {algorithm}" for mode, algorithm in WAYS)
        raise InputError(f"there is no {question.mode or 'mode'} with {question.algorithm}: expected one of {known}")


def plan(record: Mapping[str, Any], question: Question, told: bool = False) -> dict[str, Any]:
    """The content of plan.json, but for what all studies have (see ``record.envelope``), from that of a network.json.

    ``told``: whether to say how far it is. Raises InputError: the question makes no sense, or what it needs was not measured.
    """
    check(question)
    planner = Planner(Model.from_record(record), question)
    asked = [(*way, workers) for way in planner.ways for workers in planner.shown(*way)]
    rows = [planner.row(*one) for one in steps("prediction", asked, told, itemgetter(slice(2)))]
    summed = [row for row in rows if (row["mode"], row["algorithm"]) in planner.sums]
    best = min(summed, key=lambda row: (row["seconds_per_round"] * row["times"], row["ranks"]))
    worth = [row for row in summed if row["efficiency"] >= WORTH] or [min(summed, key=lambda row: row["ranks"])]
    recommended = min(worth, key=lambda row: (row["seconds_per_round"] * row["times"], row["ranks"]))
    crossings = Crossings(planner, max(2, recommended["ranks"]))
    return {
        "predicted": True,
        "rows": rows,
        "best": best,
        "recommended": recommended,
        "crossovers": list(crossings.sentences()),
        "crossings": list(crossings.rows()),
        "notes": list(planner.notes()),
        "inputs": question._asdict() | {"network": dict(record["nodes"])},
    }


class Planner:
    """A model and a question."""

    def __init__(self, model: Model, question: Question) -> None:
        self.model, self.question = model, question
        self.ways = [way for way in _asked(question, self.fill) if question.last == 1 or model.known(*way, self.fill)]
        # With sums over all rows any solver can be taken, and fewer rounds be needed: so these are held against each other.
        self.sums = [way for way in self.ways if not MODES[way[0]].neighbours] or (self.ways if question.mode else [])
        if not self.sums:
            way = next(_asked(question, self.fill))
            model.curve(*way, 2, self.fill)  # says what is missing
        self.predict: Callable[..., Prediction] = cache(self._predict)

    @property
    def fill(self) -> int:
        """Ranks on the fullest node."""
        return self.question.ranks_per_node or self.model.fill

    def times(self, mode: str, algorithm: str, workers: int) -> float:
        """As many rounds as with sums over all rows are needed; inf where there is no such graph."""
        return mixing.times(mode, algorithm, MODES[mode].ranks(workers), self.question.rounds)

    def seconds(self, mode: str, algorithm: str, workers: int, features: int = 0) -> float:
        """Of a round, and of those that are needed beside it."""
        times = self.times(mode, algorithm, workers)
        return times * self.predict(mode, algorithm, workers, features).total if times < math.inf else times

    def efficiency(self, mode: str, algorithm: str, workers: int) -> float:
        """How many times as fast as one rank alone it is, for each rank."""
        return self.seconds(mode, algorithm, 1) / self.seconds(mode, algorithm, workers) / MODES[mode].ranks(workers)

    def row(self, mode: str, algorithm: str, workers: int) -> dict[str, Any]:
        """A row of plan.json."""
        found, ranks = self.predict(mode, algorithm, workers), MODES[mode].ranks(workers)
        times = self.times(mode, algorithm, workers)
        whole = None if self.question.rounds is None else math.ceil(self.question.rounds * times) * found.total
        return {
            **{"mode": mode, "algorithm": algorithm, "ranks": ranks, "workers": workers},
            **{"seconds_per_round": found.total, "times": times, "low": found.low, "high": found.high, **found.parts()},
            **{"efficiency": self.efficiency(mode, algorithm, workers), "extrapolated": found.extrapolated},
            **{"fit_seconds": whole, "core_hours": None if whole is None else whole * ranks / 3600},
        }

    def shown(self, mode: str, algorithm: str) -> list[int]:
        """The powers of two, the ends of the range, the best number of workers, and the most that are worth their cost."""
        found = {*self.grid(), self.best(mode, algorithm), self.worth(mode, algorithm)}
        return sorted(workers for workers in found if self.times(mode, algorithm, workers) < math.inf)

    def grid(self) -> list[int]:
        """The powers of two within the range, and its ends."""
        first, last = self.question.first, self.question.last
        powers = [1 << bit for bit in range(last.bit_length()) if first <= 1 << bit <= last]
        return sorted({first, *powers, last})

    def best(self, mode: str, algorithm: str) -> int:
        """The number of workers with the fastest round: the best of the grid, refined between its neighbours there.

        The powers of two ranks are looked at, too, and one rank less: there, one message more may be needed.
        """
        first, last = self.question.first, self.question.last
        powers = [MODES[mode].workers(max(1, (1 << bit) - less)) for bit in range(last.bit_length() + 1) for less in (0, 1)]
        grid = sorted({*self.grid(), *(workers for workers in powers if first <= workers <= last)})
        while True:
            place = int(np.argmin([self.seconds(mode, algorithm, workers) for workers in grid]))
            low, high = grid[max(0, place - 1)], grid[min(len(grid) - 1, place + 1)]
            if high - low <= 2:
                return grid[place]
            grid = sorted({low, grid[place], high, *range(low, high, max(1, (high - low) // SIDES))})

    def worth(self, mode: str, algorithm: str) -> int:
        """The most workers, up to the fastest round's, each of whose ranks does at least half of what one alone would."""
        grid = [workers for workers in self.grid() if workers <= self.best(mode, algorithm)]
        low = max((workers for workers in grid if self.efficiency(mode, algorithm, workers) >= WORTH), default=grid[0])
        high = next((workers for workers in grid if workers > low), low + 1)
        return bisect_left(range(high), True, low + 1, key=lambda one: self.efficiency(mode, algorithm, one) < WORTH) - 1

    def notes(self) -> Iterator[str]:
        """What the predictions go beyond."""
        most, fill, last = sum(self.model.nodes.values()), self.fill, self.question.last
        largest = max(MODES[mode].ranks(last) for mode, _ in self.ways)
        if largest > most:
            yield f"measured with up to {count(most, 'rank')}; predictions for more are extrapolated by the formulas"
        links = {link for link, _, _ in self.model.curves}
        if largest > fill and NETWORK not in links:
            yield f"measured within a node only; more than {fill} ranks need several nodes, whose network may be much slower"
        if fill > self.model.fill and NETWORK in links:
            yield f"{fill} ranks a node share one link; measured with {self.model.fill}: expect more on the wire"
        sent, known = max(sizes(self.question.features, self.question.folds)), min(map(self._largest, self.ways))
        if sent > known and last > 1:
            yield f"a round sums {sent:,} bytes, measured with every algorithm were up to {known:,}: extrapolated in proportion"
        if last > 1 and any(MODES[mode].neighbours for mode, _ in self.ways):
            yield mixing.NOTE
            if any(curve.priced for way in self.ways for curve in self.model.known(*way, self.fill)):
                yield mixing.PRICED
        missing = [
            f"{mode} with {algorithm}" for mode, algorithm in _asked(self.question, self.fill) if (mode, algorithm) not in self.ways
        ]
        if missing:
            yield f"not measured, so left out: {', '.join(missing)}"

    def _predict(self, mode: str, algorithm: str, workers: int, features: int = 0) -> Prediction:
        q = self.question
        ranks = MODES[mode].ranks(workers)
        return self.model.round(mode, algorithm, ranks, q.rows, features or q.features, q.folds, q.ranks_per_node, q.wait)

    def _largest(self, way: Way) -> int:
        return max((curve.largest for curve in self.model.known(*way, self.fill)), default=0)


def _asked(question: Question, fill: int = 0) -> Iterator[Way]:
    """The modes and algorithms that are asked for. On nodes of one rank, those that tell nodes apart are the same as others."""
    for mode, algorithm in WAYS:
        same = fill == 1 and question.mode is None and MODES[mode].nodewise
        if not same and question.mode in (None, mode) and question.algorithm in (None, algorithm):
            yield mode, algorithm
