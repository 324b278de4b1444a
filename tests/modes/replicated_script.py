"""Run by test_replicas.py inside MPI: fits with and without replicas, with workers that are late, and says what came out."""

import hashlib
import json
import sys
from collections.abc import Iterator
from time import perf_counter, sleep
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import guard, nodes
from mpi_pgd.config import settings
from mpi_pgd.drivers.fit import FitRule, History
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.loop import Action, Order, Rule, Topology, rounds
from mpi_pgd.engine.sums import Partial, Vote
from mpi_pgd.engine.tasks import GradientMap
from mpi_pgd.losses.squared import least_squares
from mpi_pgd.modes.client_server import ClientServer
from mpi_pgd.modes.replicas import share_out
from mpi_pgd.modes.replicated import Replicated
from mpi_pgd.session.descend import objective, partial_of, steps, votes
from mpi_pgd.session.inspect import inspect_files
from mpi_pgd.session.load import load_rows
from mpi_pgd.session.prepare import take_moments
from mpi_pgd.solvers.descent import SOLVERS

FEATURES = 1_000_000  # of the wide case: messages of megabytes, which no library sends before they are received


class Late:
    """A topology around a topology: workers arrive late, at random; the last one, now and then, by many rounds, or always."""

    def __init__(self, comm: MPI.Intracomm, topology: ClientServer | Replicated, mean: float, always: bool, seed: int) -> None:
        self.topology, self.mean = topology, mean if comm.rank else 0.0
        self.stuck = (1.0 if always else 0.1) * (comm.rank == comm.size - 1)
        self.random = np.random.Generator(np.random.PCG64([seed, comm.rank]))
        self.comm, self.exchanges = comm, 0
        self.bounds: dict[int, bytes] = {}  # by round

    def open(self, rule: Rule, order: Order) -> None:
        self.topology.open(rule, order)
        self.bounds.clear()

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        if isinstance(self.topology, Replicated):
            self.bounds[self.topology.round] = partial.exchanged.tobytes()
        if self.mean:
            sleep(self.random.exponential(self.mean) + 30 * self.mean * (self.random.random() < self.stuck))
        self.topology.step(partial, rule, order)

    def maximum(self, vector: Vector) -> None:
        self.exchanges += 1
        self.topology.maximum(vector)

    def check(self) -> None:
        """In every round all had the same bound, whichever rounds they were in."""
        everyone = self.comm.gather(self.bounds)
        for bounds in everyone or []:
            assert all(everyone[0][number] == bound for number, bound in bounds.items()), "the bounds were not the same"


class Restless:
    """A rule around a rule: has the bound exchanged every other round, which late workers are bound to miss."""

    def __init__(self, rule: FitRule) -> None:
        self.rule, self.calls = rule, 0

    def open(self, order: Order) -> None:
        self.rule.open(order)

    def __call__(self, partial: Partial, order: Order) -> None:
        self.rule(partial, order)
        self.calls += 1
        if partial.order_free and order.action == Action.GO and self.calls % 2:
            order.action = Action.EXCHANGE


def fit(
    comm: MPI.Intracomm, topology: ClientServer | Replicated, late: Late, options: dict[str, Any], signalled: bool
) -> dict[str, Any]:
    """All three phases, on one topology."""
    problem = inspect_files(comm, settings({"quiet": True, **options}))
    shard = load_rows(problem, topology)
    setup = take_moments(problem, late, shard, votes(perf_counter()))  # type: ignore[arg-type]
    order, partial = Order(problem.table.features), partial_of(problem, problem.table.features + 2)
    chosen, goal = problem.settings, objective(problem, setup)
    solver, step = SOLVERS[chosen.solver](chosen.momentum), steps(problem, goal)
    rule = FitRule(goal, solver, step, chosen.rounds, chosen.tol, lambda *_: None, History(perf_counter()))
    late.exchanges = 0
    mapping = GradientMap(least_squares, problem.partition.block_rows)
    rounds(late, shard, mapping, partial, Restless(rule), order, lambda: (False, signalled))
    late.check()
    return {"status": str(rule.status), "rounds": rule.rounds, "bits": bits(comm, order.point), "exchanges": late.exchanges}


class Halves:
    """Takes the mean of the sums for the next point; has the bound exchanged now and then, and all meet now and then."""

    def __init__(self, comm: MPI.Intracomm, limit: int, workers: int) -> None:
        self.comm, self.left, self.workers = comm, limit, workers
        self.sums = np.empty(FEATURES + 2)

    def open(self, order: Order) -> None:
        order.point[:] = np.linspace(1.0, 2.0, FEATURES + 1)
        order.action = Action.GO

    def __call__(self, partial: Partial, order: Order) -> None:
        if partial.redo:
            order.action = Action.EXCHANGE
            return
        assert partial.votes[Vote.ROWS] == self.workers
        partial.total(self.sums)
        order.point[:] = self.sums[:-1] / self.workers
        self.left -= 1
        order.action = Action.EXCHANGE if partial.stale else Action.GO
        order.keep = self.left if self.left % 3 == 0 else 0
        order.action = order.action if self.left else Action.STOP


class Meeting:
    """A topology around a topology: whenever the order says that the state be kept, all do something together."""

    def __init__(self, comm: MPI.Intracomm, topology: Topology) -> None:
        self.comm, self.topology = comm, topology

    def open(self, rule: Rule, order: Order) -> None:
        self.topology.open(rule, order)

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        self.topology.step(partial, rule, order)
        if order.keep:
            point = order.point.copy()
            self.comm.Bcast(point)
            assert point.tobytes() == order.point.tobytes()

    def maximum(self, vector: Vector) -> None:
        self.topology.maximum(vector)


def wide(comm: MPI.Intracomm, topology: ClientServer | Replicated, late: Late) -> dict[str, Any]:
    """Rounds of large messages; a block's vector is made of its number and the point alone."""

    def mapping(point: Vector) -> Any:
        def mapped(block: Block, out: Vector) -> None:
            out[:-1] = point * (0.3 + 0.1 * block.y[0])
            out[-1] = block.y[0]

        return mapped

    count = 4
    mine = range(topology.worker, count, topology.workers) if topology.worker >= 0 else range(0)
    shard = [Block(np.zeros((1, 1)), np.array([float(number)])) for number in mine]
    order, rule = Order(FEATURES), Halves(comm, 12, count)
    rounds(Meeting(comm, late), shard, mapping, Partial(FEATURES + 2, count), rule, order, lambda: (False, False))
    return {"bits": bits(comm, order.point)}


def bits(comm: MPI.Intracomm, point: Vector) -> str:
    """The digest of what all ranks left with, which has to be the same."""
    digest = hashlib.sha256(point.tobytes()).digest()
    first = bytearray(digest)
    comm.Bcast(first)
    assert first == digest, f"rank {comm.rank} left with another order"
    return digest.hex()


def contestants(comm: MPI.Intracomm, replicas: list[int]) -> Iterator[tuple[str, ClientServer | Replicated]]:
    yield "none", ClientServer(comm)
    for count in replicas:
        yield str(count), Replicated(comm, share_out(nodes(comm), count))


def main(replicas: list[int], mean: float, signal: int = -1, case: str = "fit", **options: Any) -> None:
    world = MPI.COMM_WORLD
    found = {}
    for seed, (name, topology) in enumerate(contestants(world, replicas)):
        late = Late(world, topology, mean if name != "none" else 0.0, signal > 0, seed)
        found[name] = wide(world, topology, late) if case == "wide" else fit(world, topology, late, options, world.rank == signal)
        if isinstance(topology, Replicated):
            assert not world.Iprobe(), "a message was left over"
            found[name] |= {"counted": topology.board.counted, "dropped": topology.board.dropped}
    if world.rank == 0:
        print("FOUND", json.dumps(found))


if __name__ == "__main__":
    with guard(MPI.COMM_WORLD), np.errstate(over="ignore", invalid="ignore"):
        main(**json.loads(sys.argv[1]))
