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

    ``groups`` has that of each worker (``replicas.share_out``); every number from 0 up to the largest is there.
    """

    def __init__(self, comm: MPI.Intracomm, groups: Sequence[int]) -> None:
        self.comm = comm
        self.workers = max(groups) + 1  # all of a group hold the same blocks
        self.updates = comm.rank == 0
        self.worker = -1 if self.updates else groups[comm.rank - 1]
        self.ledger = Ledger(groups)  # on the server, who delivered what
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


class _Message:
    """``[partial | peaks]`` or ``[query | peaks]`` on the wire, the last only for those who lack this version of the bound."""

    def __init__(self, content: int, peaks: int) -> None:
        self.whole = np.zeros(content + peaks)
        self.content, self.peaks = np.split(self.whole, [content])

    def fits(self, content: int, peaks: int) -> bool:
        return (len(self.content), len(self.peaks)) == (content, peaks)


def _sizes(partial: Partial) -> tuple[int, int]:
    """Of a partial's message: plain sums have no use for peaks."""
    return len(partial.buffer), partial.width if partial.order_free else 0


class _Worker:
    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self.answer = _Message(0, 0)

    def open(self) -> None:
        """Nothing has been sent."""

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        sizes = _sizes(partial)
        if not self.answer.fits(*sizes):
            self.answer, self.asked = _Message(*sizes), _Message(len(query.buffer), sizes[1])
            self.peaks = self.asked.peaks
        self.answer.content[:] = partial.buffer
        self.answer.peaks[:] = partial.peaks[: sizes[1]]
        self.comm.Send(self.answer.whole, 0, PARTIAL)
        self.comm.Recv(self.asked.whole, 0, QUERY)
        query.buffer[:] = self.asked.content


class _Server:
    def __init__(self, comm: MPI.Intracomm, ledger: Ledger) -> None:
        self.comm, self.ledger = comm, ledger
        self.status = MPI.Status()
        self.answer = _Message(0, 0)
        self.open()

    def open(self) -> None:
        self.ledger.open()
        self.version = 0
        self.versions = [0] * len(self.ledger.groups)
        self.sent: dict[int, tuple[MPI.Request, _Message]] = {}  # by worker, until it has answered
        self.missed = np.zeros(len(Vote))

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        if not self.answer.fits(*_sizes(partial)):
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
        content, width = _sizes(partial)
        self.answer = _Message(content, width)
        self.peaks, self.largest = np.zeros(width), np.zeros(width)  # as exchanged last; of this round
        self.messages = [_Message(len(query.buffer), width)]
        # Plain sums depend on the order: then that of the groups, not that of arrival.
        self.held = np.zeros((0 if partial.order_free else max(self.ledger.groups) + 1, content))

    def _collect(self, partial: Partial) -> None:
        """Add up one partial of each group."""
        self.largest[:] = 0.0
        while self.ledger.missing:
            worker = self._receive()
            if self.ledger.take(worker):
                self._count(worker, partial)
                continue
            self._miss()
            if self.ledger.wanted(worker):
                self._send(worker)
        for sums in self.held:
            partial.buffer += sums
        partial.votes += self.missed
        self.missed[:] = 0.0

    def _count(self, worker: int, partial: Partial) -> None:
        if len(self.held):
            self.held[self.ledger.groups[worker]] = self.answer.content
        else:
            partial.buffer += self.answer.content
        np.maximum(self.largest, self.answer.peaks, out=self.largest)

    def _await(self) -> None:
        """Until nobody is late."""
        while self.ledger.owing:
            self.ledger.take(self._receive())
            self._miss()

    def _miss(self) -> None:
        self.missed[CARRIED] += self.answer.content[-len(Vote) :][CARRIED]

    def _receive(self) -> int:
        """From whoever comes first. Its query has arrived, as it was answered, so nothing reads that message any more."""
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
            free = [_Message(len(query.buffer), len(self.peaks))]
            self.messages += free
        self.asked = free[0]
        if query.bound != self.version:
            self.version = query.bound
            self.peaks[:] = self.largest
        self.asked.content[:] = query.buffer
        self.asked.peaks[:] = self.peaks

    def _send(self, worker: int) -> None:
        message = self.asked
        text = message.content if self.versions[worker] == self.version else message.whole
        self.versions[worker] = self.version
        self.sent[worker] = self.comm.Isend(text, worker + 1, QUERY), message
        self.ledger.give(worker)

    def _part(self) -> None:
        """The last query is not answered."""
        for request, _ in self.sent.values():
            request.Wait()
        self.sent.clear()
        self.ledger.owing.clear()
