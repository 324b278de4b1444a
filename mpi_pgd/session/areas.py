"""The areas under the ROC curves of a model's classes, on the rows that ranks hold: scores ranked in bounded memory."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement, anyone
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import runs
from mpi_pgd.drivers.predictor import Predictor
from mpi_pgd.drivers.scores import ScoreTask, weights_of
from mpi_pgd.engine.loop import Mode
from mpi_pgd.engine.query import Query
from mpi_pgd.session import ranking
from mpi_pgd.session.inspect import Problem

HELD = 256 << 20  # bytes of scores that a rank holds at a time, while they are ranked
EACH = 48  # bytes of one of them, at most
FINE = 44  # bits of a score that its cell does not tell, where not all can be held

Scored = tuple[ranking.Words, ranking.Whole, ranking.Whole]


class Rows(NamedTuple):
    """Rows that ranks hold, and what is to be known of them."""

    problem: Problem
    mode: Mode
    shard: MemoryShard

    @property
    def first(self) -> bool:
        """Whether no other rank before this one holds the same rows. Collective."""
        return self.problem.comm.allgather(self.mode.worker).index(self.mode.worker) == self.problem.comm.rank


def areas(rows: Rows, model: Predictor, heaviest: float) -> list[float | None]:
    """Under the curve of each class against the others; of two, of the second one alone. Collective.

    The same on every rank, to the bit, for any number of them. There is none where a class, or all others, have no weight.
    """
    numbers, keep = range(1, 2) if len(model.classes) == 2 else range(len(model.classes)), rows.first
    return [_area(_Scores(rows, model, number, heaviest, keep)) for number in numbers]


class _Scores(NamedTuple):
    """Those of a class, of rows that ranks hold; this rank yields its own if it is the first that holds these."""

    rows: Rows
    model: Predictor
    number: int
    heaviest: float
    keep: bool

    def blocks(self) -> Iterator[Scored]:
        """Of each block the keys of its rows, and their weights as rows of the class, and as others.

        Of two classes the linear predictor is the score; of more a class's probability, or what stands for it.
        """
        model, number, table = self.model, self.number, self.rows.problem.table
        for block in self.rows.shard.blocks(Query([ScoreTask(model)])) if self.keep else ():
            eta = model.linear(block)
            found = None if len(eta) == 1 else model.probabilities(eta)
            score = eta[0] if len(eta) == 1 else eta[number] if found is None else found[number]
            weight = np.ones(block.rows, dtype=np.int64)
            if table.weighted:
                weight = ranking.whole(weights_of(block), self.heaviest, self.rows.problem.rows)
            own = block.y == number
            yield ranking.keys(score), np.where(own, weight, 0), np.where(own, 0, weight)

    def between(self, least: int = 0, most: int = 2**64 - 1) -> Scored:
        """All whose keys are from ``least`` to ``most``. Collective."""
        empty = np.zeros(0, dtype=np.int64)
        found: list[Scored] = [(empty.astype(np.uint64), empty, empty)]
        with agreement(self.rows.problem.comm):
            for each in self.blocks():
                inside = (each[0] >= np.uint64(least)) & (each[0] <= np.uint64(most))
                found.append((each[0][inside], each[1][inside], each[2][inside]))
        key, own, other = (np.concatenate(each) for each in zip(*found, strict=True))
        return key, own, other


def _area(scores: _Scores) -> float | None:
    problem, shard, comm = scores.rows.problem, scores.rows.shard, scores.rows.problem.comm
    held = sum(len(problem.partition.span(run)) for run in runs(shard.held)) if scores.keep else 0
    found = ranking.Ranked(comm)
    if not anyone(comm, held * EACH > HELD):
        return found.add(*scores.between()).area
    cells = np.zeros(1 << (64 - FINE), dtype=np.int64)
    with agreement(comm):
        for key, _, _ in scores.blocks():
            cells += np.bincount((key >> np.uint64(FINE)).astype(np.intp), minlength=len(cells))
    comm.Allreduce(MPI.IN_PLACE, cells, MPI.MAX)  # on the rank that has most
    for begin, end in ranking.ranges(cells.tolist(), HELD // EACH):
        found.add(*scores.between(begin << FINE, (end << FINE) - 1))
    return found.area
