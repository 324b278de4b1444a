"""What this rank is doing: written by the main thread, read by the watcher."""

from time import perf_counter

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Order, Rule, Topology
from mpi_pgd.engine.sums import Partial

SUMMING = "summing"
COMPUTING = "computing"
WAITING = (SUMMING, "waiting")  # a step that begins so is the fault of others


class Pulse:
    """Plain attributes, so that writing them costs some 50 ns.

    Attributes:
        round: the last round that finished; 0 before the first.
        step: what is being done, fit for "has been ... for 12 s": "reading rows 0 to 999 of a.h5", "computing", "summing".
        since: ``perf_counter()`` when the step began.
        finished: ``perf_counter()`` when the last round finished; of the start before the first.
        longest: seconds of the longest round so far; 0 before the first.
    """

    def __init__(self) -> None:
        self.round = 0
        self.step = "starting"
        self.since = self.finished = perf_counter()
        self.longest = 0.0

    def enter(self, step: str) -> None:
        """Begin a step."""
        self.since = perf_counter()  # first: a reader between the two lines takes the old step for a young one
        self.step = step

    def beat(self, round: int) -> None:
        """A round has finished."""
        now = perf_counter()
        if round > self.round:
            self.longest = max(self.longest, now - self.finished)
        self.round = round
        self.finished = now


class Felt:
    """A topology around a topology: tells the pulse of every round."""

    def __init__(self, topology: Topology, pulse: Pulse) -> None:
        self.topology, self.pulse = topology, pulse

    def open(self, rule: Rule, order: Order) -> None:
        """The first order comes, then the map begins."""
        self.pulse.enter(SUMMING)
        self.topology.open(rule, order)
        self.pulse.enter(COMPUTING)

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        """A round ends, the next map begins."""
        self.pulse.enter(SUMMING)
        self.topology.step(partial, rule, order)
        self.pulse.beat(self.pulse.round + 1)
        self.pulse.enter(COMPUTING)

    def maximum(self, vector: Vector) -> None:
        """An exchange is a wait as well."""
        self.pulse.enter(SUMMING)
        self.topology.maximum(vector)
        self.pulse.enter(COMPUTING)
