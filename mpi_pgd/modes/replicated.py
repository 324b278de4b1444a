"""Client-server with replicas: several workers hold the same blocks, and whose partial comes first counts.

A block's partial has the same bits from whoever computed it, so backup workers bias nothing, and no bit of the weights depends
on who was first. (J. Chen, X. Pan, R. Monga, S. Bengio, R. Jozefowicz, "Revisiting Distributed Synchronous SGD", 2016: backup
workers, there with the late ones' rows left out.)

Each query that the server sends is answered by one partial, and a worker gets no other query before it has answered. So messages
never queue up, and a worker that is late skips rounds: it holds no driver and misses nothing. What the ranks did together is done
by messages, as somebody may be late: the peaks of the order-free sums go to the server with each partial, and come back with
the first query that a worker gets after they were exchanged.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.collectives import LIBRARY, MOST
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Driver, Update
from mpi_pgd.engine.partial import Partial, Vote
from mpi_pgd.engine.query import Query
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

    @property
    def whole(self) -> Self:
        """As ``engine.loop.Mode``."""
        return self

    def open(self, driver: Driver, query: Query) -> None:
        """Here nobody is late: an ordinary broadcast."""
        if self.updates:
            driver.open(query)
        LIBRARY["broadcast"](self.comm)(query.buffer)
        self._side.open()

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        """The server takes one partial of each group and updates; a worker delivers its own and gets the newest query."""
        self._side.step(partial, update, query)

    def maximum(self, vector: Vector) -> None:
        """What came with the partials, and with the query."""
        self._side.maximum(vector)


class _Message:
    """``[peaks | partial]`` or ``[query | all peaks | peaks of a partial that varies]`` on the wire.

    In the latter the peaks are for those who lack this version of the bound, the last only for an answer that is asked for again.
    """

    def __init__(self) -> None:
        self._room = np.empty(0)  # for the longest so far

    def write(self, *parts: Vector) -> Vector:
        """One text of all parts."""
        text = self._of(sum(map(len, parts)))
        return np.concatenate(parts, out=text)

    def receive(self, comm: MPI.Intracomm, source: int, tag: int, status: MPI.Status) -> Vector:
        """The next text, however long it is. ``status`` says from whom."""
        length, more = 0, True
        while more:
            comm.Probe(source, tag, status)
            source, count = status.source, status.Get_count(MPI.DOUBLE)
            comm.Recv(self._of(length + count)[length:], source, tag)
            length, more = length + count, count == MOST
        return self._of(length)

    def _of(self, length: int) -> Vector:
        if length > len(self._room):
            known, self._room = self._room, np.empty(length)
            self._room[: len(known)] = known
        return self._room[:length]


def _messages(text: Vector) -> list[Vector]:
    """Of a text, to be sent one after the other: the last one is shorter than a library's longest."""
    return [text[start : start + MOST] for start in range(0, len(text) + 1, MOST)]


class _Worker:
    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm, self.status = comm, MPI.Status()
        self.answer, self.asked = _Message(), _Message()
        self.peaks = np.empty(0)  # that came with the query, and were not taken yet

    def open(self) -> None:
        """Nothing has been sent."""

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        for message in _messages(self.answer.write(_peaks(partial), partial.buffer)):
            self.comm.Send(message, 0, PARTIAL)
        text = self.asked.receive(self.comm, 0, QUERY, self.status)
        query.buffer[:], self.peaks = np.split(text, [len(query.buffer)])

    def maximum(self, vector: Vector) -> None:
        """In the order in which they came."""
        vector[:], self.peaks = np.split(self.peaks, [len(vector)])


def _peaks(partial: Partial) -> Vector:
    """Plain sums have no use for any."""
    return partial.peaks if partial.order_free else partial.peaks[:0]


class _Server:
    """Its own peaks are those over all blocks, as soon as it has the partials."""

    def __init__(self, comm: MPI.Intracomm, ledger: Ledger) -> None:
        self.comm, self.ledger = comm, ledger
        self.status, self.answer = MPI.Status(), _Message()
        self.messages: list[_Message] = []
        self.open()

    def open(self) -> None:
        self.ledger.open()
        self.version, self.peaks = 0, np.empty(0)  # as exchanged last
        self.versions = [0] * len(self.ledger.groups)
        self.sent: dict[int, tuple[list[MPI.Request], _Message]] = {}  # by worker, until it has answered
        self.missed = np.zeros(len(Vote))

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        self._collect(partial)
        update()
        if query.stop or query.snapshot:  # what follows is done by all together
            self._await()
        idle = self.ledger.turn()
        self._write(partial, query)
        for worker in idle:
            self._send(worker)
        if query.stop:
            self._part()

    def maximum(self, vector: Vector) -> None:
        """Nothing else is known of them."""

    def _collect(self, partial: Partial) -> None:
        """Add up one partial of each group."""
        # Plain sums depend on the order: then that of the groups, not that of arrival.
        held, total = dict[int, Vector](), partial.buffer
        while self.ledger.missing:
            worker, text = self._receive()
            if not self.ledger.take(worker):
                self._miss(text)
                if self.ledger.wanted(worker):
                    self._send(worker)
                continue
            peaks, sums = np.split(text, [-len(total)])
            if partial.order_free:
                total += sums
                np.maximum(partial.peaks, peaks, out=partial.peaks)
            else:
                held[self.ledger.groups[worker]] = sums.copy()
        for group in sorted(held):
            total += held[group]
        partial.votes += self.missed
        self.missed[:] = 0.0

    def _await(self) -> None:
        """Until nobody is late."""
        while self.ledger.owing:
            worker, text = self._receive()
            self.ledger.take(worker)
            self._miss(text)

    def _miss(self, text: Vector) -> None:
        """A partial that is late, and may be the answer to another task: the votes are its end."""
        self.missed[CARRIED] += text[-len(Vote) :][CARRIED]

    def _receive(self) -> tuple[int, Vector]:
        """From whoever comes first. Its query has arrived, as it was answered, so nothing reads that message any more."""
        text = self.answer.receive(self.comm, MPI.ANY_SOURCE, PARTIAL, self.status)
        worker = self.status.source - 1
        if worker in self.sent:  # the first query was broadcast
            MPI.Request.Waitall(self.sent.pop(worker)[0])
        return worker, text

    def _write(self, partial: Partial, query: Query) -> None:
        """The newest query, into a message that is under way to nobody."""
        reading = [message for requests, message in self.sent.values() if not MPI.Request.Testall(requests)]
        free = [message for message in self.messages if all(message is not other for other in reading)]
        if not free:
            free = [_Message()]
            self.messages += free
        if query.bound != self.version:
            self.version, self.peaks = query.bound, partial.all_peaks.copy()
        again = partial.peaks if query.again and query.task.varies else partial.peaks[:0]
        self.asked, self.length = free[0], len(query.buffer)
        self.text = self.asked.write(query.buffer, self.peaks, again)

    def _send(self, worker: int) -> None:
        text = self.text[: self.length] if self.versions[worker] == self.version else self.text
        self.versions[worker] = self.version
        self.sent[worker] = [self.comm.Isend(message, worker + 1, QUERY) for message in _messages(text)], self.asked
        self.ledger.give(worker)

    def _part(self) -> None:
        """The last query is not answered."""
        for requests, _ in self.sent.values():
            MPI.Request.Waitall(requests)
        self.sent.clear()
        self.ledger.owing.clear()
