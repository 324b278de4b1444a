"""What this rank is doing: written by the main thread, read by the watcher."""

from time import perf_counter

from mpi_pgd.engine.loop import Observer
from mpi_pgd.engine.query import Query

SUMMING = "summing"
COMPUTING = "computing"
WAITING = (SUMMING, "waiting")  # a step that begins so is the fault of others


class Heartbeat(Observer):
    """Beats with every round. Plain attributes, so that writing them costs some 50 ns."""

    def __init__(self) -> None:
        self.round = 0  # the last that finished
        self.step = "starting"  # what is being done, fit for "has been ... for 12 s", as "reading rows 0 to 999 of a.h5"
        self.since = self.finished = perf_counter()  # when the step began, and the last round ended
        self.longest = 0.0  # seconds of the longest round so far

    def enter(self, step: str) -> None:
        """Begin a step."""
        self.since = perf_counter()  # first: a reader between the two lines takes the old step for a young one
        self.step = step

    def beat(self, round: int) -> None:
        """A round has finished."""
        now = perf_counter()
        if round > self.round and now - self.finished > self.longest:
            self.longest = now - self.finished
        self.round = round
        self.finished = now

    def began(self, query: Query) -> None:
        """The map begins."""
        self.since = perf_counter()
        self.step = COMPUTING

    def mapped(self, query: Query) -> None:
        """The sums begin, for which the others may have to be waited for."""
        self.since = perf_counter()
        self.step = SUMMING

    def asked(self, query: Query) -> None:
        """A round has finished; what follows until the next one may be a wait as well."""
        self.beat(self.round + 1)
        self.since, self.step = self.finished, SUMMING
