"""Fits with and without replicas, with workers that are late, and what came out."""

import hashlib
from collections.abc import Iterator
from time import perf_counter, sleep
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import nodes
from mpi_pgd.config import settings
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.loop import Driver, Observer, Update, rounds
from mpi_pgd.engine.partial import Partial, Vote
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Layout
from mpi_pgd.modes.client_server import ClientServer
from mpi_pgd.modes.replicas import share_out
from mpi_pgd.modes.replicated import Replicated
from mpi_pgd.session.descend import stop_flags
from mpi_pgd.session.inspect import inspect_files
from mpi_pgd.session.load import load_rows
from mpi_pgd.session.model import choose_solver, objective, tasks_of
from mpi_pgd.session.prepare import take_moments

FEATURES = 200_000  # of the wide case: messages of megabytes, which no library sends before they are received


class Late:
    """A mode around a mode: workers arrive late, at random; the last one, now and then, by many rounds, or always."""

    def __init__(self, comm: MPI.Intracomm, mode: ClientServer | Replicated, mean: float, always: bool, seed: int) -> None:
        self.mode, self.mean = mode, mean if comm.rank else 0.0
        self.stuck = (1.0 if always else 0.1) * (comm.rank == comm.size - 1)
        self.random = np.random.Generator(np.random.PCG64([seed, comm.rank]))
        self.comm, self.exchanges = comm, 0
        self.lengths: set[int] = set()  # of partials
        self.again = 0  # queries that were asked again, of a task that varies
        self.bounds: dict[int, bytes] = {}  # by round

    @property
    def whole(self) -> "Late":
        return self

    def open(self, driver: Driver, query: Query) -> None:
        self.mode.open(driver, query)
        self.bounds.clear()
        self.lengths.clear()

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        if self.mean:
            sleep(self.random.exponential(self.mean) + 30 * self.mean * (self.random.random() < self.stuck))
        self.bounds[query.round] = partial._bound.tobytes()
        self.lengths.add(len(partial.buffer))
        self.mode.step(partial, update, query)
        self.again += query.again and query.task.varies

    def maximum(self, vector: Vector) -> None:
        self.exchanges += 1
        self.mode.maximum(vector)

    def check(self) -> None:
        """In every round all had the same bound, whichever rounds they were in."""
        everyone = self.comm.gather(self.bounds)
        for bounds in everyone or []:
            assert all(everyone[0][number] == bound for number, bound in bounds.items()), "the bounds were not the same"


class Restless(Observer):
    """Has the bound exchanged every other round, which late workers are bound to miss."""

    def __init__(self, order_free: bool) -> None:
        self.order_free, self.calls, self.bound = order_free, 0, 0

    def updated(self, query: Query) -> None:
        settled, self.bound = query.bound == self.bound, query.bound
        self.calls += 1
        if self.order_free and settled and self.calls % 2:
            query.bound += 1
            self.bound = query.bound


def fit(
    comm: MPI.Intracomm, mode: ClientServer | Replicated, late: Late, options: dict[str, Any], signalled: bool
) -> dict[str, Any]:
    """All three phases, in one mode."""
    problem = inspect_files(comm, settings({"solver": "nesterov", "quiet": True, **options}))
    shard = load_rows(problem, mode)
    setup = take_moments(problem, late, shard, stop_flags(perf_counter()))  # type: ignore[arg-type]
    chosen, goal = problem.settings, objective(problem, setup)
    solver = choose_solver(problem, goal).solver
    tasks = tasks_of(problem, goal, solver)
    query = Query(list(tasks.values()))
    sums = Sums(query, problem.partition.blocks, chosen.sums == "order-free")
    driver = FitDriver(goal, tasks, solver, chosen.rounds, chosen.tol, lambda *_: None, History(perf_counter()))
    late.exchanges = 0
    rounds(late, shard, sums, driver, query, [Restless(sums.order_free)], lambda: (False, signalled))
    late.check()
    found = {"status": str(driver.status), "rounds": driver.rounds, "bits": bits(comm, query.point)}
    return found | {"exchanges": late.exchanges, "lengths": len(late.lengths), "again": late.again}


class WideTask:
    """A block's vector is made of its number and the point alone."""

    uneven = coarse = varies = False
    bound = units = None
    width = FEATURES + 1
    layout = Layout({"all": (FEATURES + 2,)})

    def bind(self, point: Vector) -> Any:
        def mapped(block: Block, out: Vector) -> None:
            out[:-1] = point * (0.3 + 0.1 * block.y[0])
            out[-1] = block.y[0]

        return mapped


class Halves(Observer):
    """Takes the mean of the sums for the next point; now and then all meet."""

    def __init__(self, comm: MPI.Intracomm, limit: int, workers: int) -> None:
        self.comm, self.left, self.workers = comm, limit, workers
        self.sums = np.empty(FEATURES + 2)

    def open(self, query: Query) -> None:
        query.point[:] = np.linspace(1.0, 2.0, FEATURES + 1)

    def update(self, partial: Partial, query: Query) -> None:
        assert partial.votes[Vote.ROWS] == self.workers
        partial.total(self.sums)
        query.point[:] = self.sums[:-1] / self.workers
        self.left -= 1
        query.snapshot = self.left if self.left % 3 == 0 else 0
        query.stop = not self.left

    def between(self, query: Query) -> None:
        """Whenever the query says that the state be kept, all do something together."""
        if query.snapshot:
            point = query.point.copy()
            self.comm.Bcast(point)
            assert point.tobytes() == query.point.tobytes()


def wide(comm: MPI.Intracomm, mode: ClientServer | Replicated, late: Late) -> dict[str, Any]:
    """Rounds of large messages."""
    count = 4
    mine = range(mode.worker, count, mode.workers) if mode.worker >= 0 else range(0)
    shard = Blocks(Block(np.zeros((1, 1)), np.array([float(number)])) for number in mine)
    query, driver = Query([WideTask()]), Halves(comm, 12, count)
    rounds(late, shard, Sums(query, count), driver, query, [driver])
    return {"bits": bits(comm, query.point)}


def bits(comm: MPI.Intracomm, point: Vector) -> str:
    """The digest of what all ranks left with, which has to be the same."""
    digest = hashlib.sha256(point.tobytes()).digest()
    first = bytearray(digest)
    comm.Bcast(first)
    assert first == digest, f"rank {comm.rank} left with another query"
    return digest.hex()


def contestants(comm: MPI.Intracomm, replicas: list[int]) -> Iterator[tuple[str, ClientServer | Replicated]]:
    yield "none", ClientServer(comm)
    for count in replicas:
        yield str(count), Replicated(comm, share_out(nodes(comm), count))


def race(
    comm: MPI.Intracomm, replicas: list[int], mean: float = 0.001, signal: int = -1, case: str = "fit", **options: Any
) -> dict[str, Any]:
    """What came out on rank 0, on every rank: by the number of replicas. Collective."""
    found = {}
    for seed, (name, mode) in enumerate(contestants(comm, replicas)):
        late = Late(comm, mode, mean if name != "none" else 0.0, signal > 0, seed)
        found[name] = wide(comm, mode, late) if case == "wide" else fit(comm, mode, late, options, comm.rank == signal)
        if isinstance(mode, Replicated):
            assert not comm.Iprobe(), "a message was left over"
            ledger = mode.ledger
            found[name] |= {"counted": ledger.counted, "dropped": ledger.dropped}
    told: dict[str, Any] = comm.bcast(found)
    return told
