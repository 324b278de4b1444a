"""Client-server with replicas: several workers hold the same blocks, and whose partial comes first counts.

A block's partial has the same bits from whoever computed it, so backup workers bias nothing, and no bit of the weights depends
on who was first. (J. Chen, X. Pan, R. Monga, S. Bengio, R. Jozefowicz, "Revisiting Distributed Synchronous SGD", 2016: backup
workers, there with the late ones' rows left out.)

Each query that the server sends is answered by one partial, and a worker gets no other query before it has answered. So messages
never queue up, and a worker that is late skips rounds: it holds no driver and misses nothing. What the ranks did together is done
by messages, as somebody may be late: the peaks of the order-free sums go to the server with each partial, and come back with
the first query that a worker gets after they were exchanged. All queries are of one task.
"""

from collections.abc import Sequence

import numpy as np
from mpi4py import MPI

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Driver, Update
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Partial, Vote
from mpi_pgd.modes.ledger import Ledger

QUERY, PARTIAL = 1, 2  # tags
CARRIED = [Vote.LATE, Vote.SIGNALLED]  # votes that count even if the sums beside them do not


class Replicated:
    """One partial of each group a round; messages go to and from rank 0, the server.

    Args:
        comm: the ranks.
        groups: the group of each worker (``replicas.share_out``); every number from 0 up to the largest is there.

    Attributes:
        workers, worker: the number of groups, and this rank's (-1 on the server): who holds which blocks.
        updates: whether this rank is the server.
        ledger: on the server, who delivered what.
    """

    def __init__(self, comm: MPI.Intracomm, groups: Sequence[int]) -> None:
        self.comm = comm
        self.workers = max(groups) + 1
        self.updates = comm.rank == 0
        self.worker = -1 if self.updates else groups[comm.rank - 1]
        self.ledger = Ledger(groups)
        self._side = _Server(comm, self.ledger) if self.updates else _Worker(comm)

    def open(self, driver: Driver, query: Query) -> None:
        """Here nobody is late: an ordinary broadcast."""
        if self.updates:
            driver.open(query)
        self.comm.Bcast(query.buffer)
        self._side.open()

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        """The server takes one partial of each group and updates; a worker delivers its own and gets the newest query."""
        self._side.step(partial, update, query)

    def maximum(self, vector: Vector) -> None:
        """What came with the partials, and with the query."""
        vector[:] = self._side.peaks


class _QueryMessage:
    """A query on the wire: ``[query | peaks]``, the last only for those who lack this version of the bound."""

    def __init__(self, query: int, width: int) -> None:
        self.whole = np.zeros(query + width)
        self.query, self.peaks = np.split(self.whole, [query])


class _PartialMessage:
    """A partial on the wire: ``[buffer | peaks]``; plain sums have no use for peaks."""

    def __init__(self, partial: Partial) -> None:
        self.width = partial.width if partial.order_free else 0
        self.whole = np.zeros(len(partial.buffer) + self.width)
        self.sums, self.peaks = np.split(self.whole, [len(partial.buffer)])

    def fits(self, partial: Partial) -> bool:
        """Whether it was made for such a partial."""
        return len(self.sums) == len(partial.buffer) and self.width == (partial.width if partial.order_free else 0)


class _Worker:
    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self.answer: _PartialMessage | None = None

    def open(self) -> None:
        """Nothing has been sent."""

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        if self.answer is None or not self.answer.fits(partial):
            self.answer = _PartialMessage(partial)
            self.asked = _QueryMessage(len(query.buffer), self.answer.width)
            self.peaks = self.asked.peaks
        self.answer.sums[:] = partial.buffer
        self.answer.peaks[:] = partial.peaks[: self.answer.width]
        self.comm.Send(self.answer.whole, 0, PARTIAL)
        self.comm.Recv(self.asked.whole, 0, QUERY)
        query.buffer[:] = self.asked.query


class _Server:
    def __init__(self, comm: MPI.Intracomm, ledger: Ledger) -> None:
        self.comm, self.ledger = comm, ledger
        self.status = MPI.Status()
        self.answer: _PartialMessage | None = None
        self.open()

    def open(self) -> None:
        self.ledger.open()
        self.version = 0
        self.versions = [0] * len(self.ledger.groups)
        self.sent: dict[int, tuple[MPI.Request, _QueryMessage]] = {}  # by worker, until it has answered
        self.missed = np.zeros(len(Vote))

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        if self.answer is None or not self.answer.fits(partial):
            self._fit(partial, query)
        self._collect(partial)
        update()
        if query.stop or query.snapshot:  # what follows is done by all together
            self._await()
        idle = self.ledger.turn()
        self._write(query)
        for worker in idle:
            self._send(worker)
        if query.stop:
            self._part()

    def _fit(self, partial: Partial, query: Query) -> None:
        self.answer = _PartialMessage(partial)
        width = self.answer.width
        self.peaks, self.largest = np.zeros(width), np.zeros(width)  # as exchanged last; of this round
        self.messages = [_QueryMessage(len(query.buffer), width)]
        # Plain sums depend on the order: then that of the groups, not that of arrival.
        self.held = np.zeros((0 if partial.order_free else max(self.ledger.groups) + 1, len(partial.buffer)))

    def _collect(self, partial: Partial) -> None:
        """Add up one partial of each group."""
        assert self.answer
        self.largest[:] = 0.0
        while self.ledger.missing:
            worker = self._receive()
            if self.ledger.take(worker):
                self._count(worker, partial)
                continue
            self.missed[CARRIED] += self.answer.sums[-len(Vote) :][CARRIED]
            if self.ledger.wanted(worker):
                self._send(worker)
        for sums in self.held:
            partial.buffer += sums
        partial.votes += self.missed
        self.missed[:] = 0.0

    def _count(self, worker: int, partial: Partial) -> None:
        assert self.answer
        if len(self.held):
            self.held[self.ledger.groups[worker]] = self.answer.sums
        else:
            partial.buffer += self.answer.sums
        np.maximum(self.largest, self.answer.peaks, out=self.largest)

    def _await(self) -> None:
        """Until nobody is late."""
        assert self.answer
        while self.ledger.owing:
            self.ledger.take(self._receive())
            self.missed[CARRIED] += self.answer.sums[-len(Vote) :][CARRIED]

    def _receive(self) -> int:
        """From whoever comes first. Its query has arrived, as it was answered, so nothing reads that message any more."""
        assert self.answer
        self.comm.Recv(self.answer.whole, MPI.ANY_SOURCE, PARTIAL, self.status)
        worker = self.status.source - 1
        if worker in self.sent:  # the first query was broadcast
            self.sent.pop(worker)[0].Wait()
        return worker

    def _write(self, query: Query) -> None:
        """The newest query, into a message that is under way to nobody."""
        reading = [message for request, message in self.sent.values() if not request.Test()]
        free = [message for message in self.messages if all(message is not other for other in reading)]
        if not free:
            free = [_QueryMessage(len(query.buffer), len(self.peaks))]
            self.messages += free
        self.asked = free[0]
        if query.bound != self.version:
            self.version = query.bound
            self.peaks[:] = self.largest
        self.asked.query[:] = query.buffer
        self.asked.peaks[:] = self.peaks

    def _send(self, worker: int) -> None:
        message = self.asked
        text = message.query if self.versions[worker] == self.version else message.whole
        self.versions[worker] = self.version
        self.sent[worker] = self.comm.Isend(text, worker + 1, QUERY), message
        self.ledger.give(worker)

    def _part(self) -> None:
        """The last query is not answered."""
        for request, _ in self.sent.values():
            request.Wait()
        self.sent.clear()
        self.ledger.owing.clear()
