"""Client-server with replicas: several workers hold the same blocks, and whose partial comes first counts.

A block's partial has the same bits from whoever computed it, so backup workers bias nothing, and no bit of the weights depends
on who was first. (J. Chen, X. Pan, R. Monga, S. Bengio, R. Jozefowicz, "Revisiting Distributed Synchronous SGD", 2016: backup
workers, there with the late ones' rows left out.)

Each order that the server sends is answered by one partial, and a worker gets no other order before it has answered. So messages
never queue up, and a worker that is late skips rounds: it holds no rule and misses nothing. What the ranks did together is done
by messages, as somebody may be late: the peaks of the order-free sums go to the server with each partial, and come back with
the first order that a worker gets after they were exchanged.
"""

from collections.abc import Sequence

import numpy as np
from mpi4py import MPI

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Action, Order, Rule
from mpi_pgd.engine.sums import Partial, Vote
from mpi_pgd.modes.ledger import Ledger

ORDER, PARTIAL = 1, 2  # tags
LASTING = [Vote.LATE, Vote.SIGNALLED]  # votes that count even if the sums beside them do not


class Replicated:
    """One partial of each group a round; messages go to and from rank 0, the server.

    Args:
        comm: the ranks.
        groups: the group of each worker (``replicas.share_out``); every number from 0 up to the largest is there.

    Attributes:
        workers, worker: the number of groups, and this rank's (-1 on the server): who holds which blocks.
        updates: whether this rank is the server.
        board: on the server, who delivered what.
    """

    def __init__(self, comm: MPI.Intracomm, groups: Sequence[int]) -> None:
        self.comm = comm
        self.workers = max(groups) + 1
        self.updates = comm.rank == 0
        self.worker = -1 if self.updates else groups[comm.rank - 1]
        self.board = Ledger(groups)
        self._side = _Server(comm, self.board) if self.updates else _Worker(comm)
        self._together = True

    @property
    def round(self) -> int:
        """The number of the order in hand, since ``open``: a worker that is late skips some."""
        return self._side.round

    def open(self, rule: Rule, order: Order) -> None:
        """Here nobody is late: an ordinary broadcast."""
        if self.updates:
            rule.open(order)
        self.comm.Bcast(order.buffer)
        self._side.open()
        self._together = True

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        """The server takes one partial of each group and applies the rule; a worker delivers its own and gets the newest order."""
        self._together = False
        self._side.step(partial, rule, order)

    def maximum(self, vector: Vector) -> None:
        """Before the first round really exchanged; later what came with the partials, and with the order."""
        if self._together:
            self.comm.Allreduce(MPI.IN_PLACE, vector, MPI.MAX)
        else:
            vector[:] = self._side.peaks


class _Letter:
    """An order on the wire: ``[round | version of the peaks | order | peaks]``, the last only for those who lack this version."""

    def __init__(self, order: int, width: int) -> None:
        self.whole = np.zeros(2 + order + width)
        self.short = self.whole[: 2 + order]
        self.head, self.order, self.peaks = np.split(self.whole, [2, 2 + order])


class _Envelope:
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
        self.envelope: _Envelope | None = None
        self.open()

    def open(self) -> None:
        self.round = self.version = 0

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        if self.envelope is None or not self.envelope.fits(partial):
            self.envelope = _Envelope(partial)
            self.letter = _Letter(len(order.buffer), self.envelope.width)
            self.peaks = self.letter.peaks
        self.envelope.sums[:] = partial.buffer
        self.envelope.peaks[:] = partial.peaks[: self.envelope.width]
        self.comm.Send(self.envelope.whole, 0, PARTIAL)
        self.comm.Recv(self.letter.whole, 0, ORDER)
        self._read(order)

    def _read(self, order: Order) -> None:
        self.round, version = map(int, self.letter.head)
        order.buffer[:] = self.letter.order
        if version != self.version and order.action != Action.STOP:
            order.action = Action.EXCHANGE  # in this round, or in one that was skipped
        self.version = version


class _Server:
    def __init__(self, comm: MPI.Intracomm, board: Ledger) -> None:
        self.comm, self.board = comm, board
        self.status = MPI.Status()
        self.envelope: _Envelope | None = None
        self.open()

    @property
    def round(self) -> int:
        return self.board.round

    def open(self) -> None:
        self.board.open()
        self.version = 0
        self.versions = [0] * len(self.board.groups)
        self.sent: dict[int, tuple[MPI.Request, _Letter]] = {}  # by worker, until it has answered
        self.missed = np.zeros(len(Vote))

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        if self.envelope is None or not self.envelope.fits(partial):
            self._fit(partial, order)
        self._collect(partial)
        rule(partial, order)
        if order.action == Action.STOP or order.keep:  # what follows is done by all together
            self._await()
        idle = self.board.turn()
        self._write(order)
        for worker in idle:
            self._send(worker)
        if order.action == Action.STOP:
            self._part()

    def _fit(self, partial: Partial, order: Order) -> None:
        self.envelope = _Envelope(partial)
        width = self.envelope.width
        self.peaks, self.largest = np.zeros(width), np.zeros(width)  # as exchanged last; of this round
        self.letters = [_Letter(len(order.buffer), width)]
        # Plain sums depend on the order: then that of the groups, not that of arrival.
        self.held = np.zeros((0 if partial.order_free else max(self.board.groups) + 1, len(partial.buffer)))

    def _collect(self, partial: Partial) -> None:
        """Add up one partial of each group."""
        assert self.envelope
        self.largest[:] = 0.0
        while self.board.missing:
            worker = self._receive()
            if self.board.take(worker):
                self._count(worker, partial)
                continue
            self.missed[LASTING] += self.envelope.sums[-len(Vote) :][LASTING]
            if self.board.wanted(worker):
                self._send(worker)
        for sums in self.held:
            partial.buffer += sums
        partial.votes += self.missed
        self.missed[:] = 0.0

    def _count(self, worker: int, partial: Partial) -> None:
        assert self.envelope
        if len(self.held):
            self.held[self.board.groups[worker]] = self.envelope.sums
        else:
            partial.buffer += self.envelope.sums
        np.maximum(self.largest, self.envelope.peaks, out=self.largest)

    def _await(self) -> None:
        """Until nobody is late."""
        assert self.envelope
        while self.board.owing:
            self.board.take(self._receive())
            self.missed[LASTING] += self.envelope.sums[-len(Vote) :][LASTING]

    def _receive(self) -> int:
        """From whoever comes first. Its order has arrived, as it was answered, so nothing reads that letter any more."""
        assert self.envelope
        self.comm.Recv(self.envelope.whole, MPI.ANY_SOURCE, PARTIAL, self.status)
        worker = self.status.source - 1
        if worker in self.sent:  # the first order was broadcast
            self.sent.pop(worker)[0].Wait()
        return worker

    def _write(self, order: Order) -> None:
        """The newest order, into a letter that is under way to nobody."""
        reading = [letter for request, letter in self.sent.values() if not request.Test()]
        free = [letter for letter in self.letters if all(letter is not other for other in reading)]
        if not free:
            free = [_Letter(len(order.buffer), len(self.peaks))]
            self.letters += free
        self.letter = free[0]
        if order.action == Action.EXCHANGE:
            self.version += 1
            self.peaks[:] = self.largest
        self.letter.head[:] = self.board.round, self.version
        self.letter.order[:] = order.buffer
        self.letter.peaks[:] = self.peaks

    def _send(self, worker: int) -> None:
        letter = self.letter
        text = letter.short if self.versions[worker] == self.version else letter.whole
        self.versions[worker] = self.version
        self.sent[worker] = self.comm.Isend(text, worker + 1, ORDER), letter
        self.board.give(worker)

    def _part(self) -> None:
        """The last order is not answered."""
        for request, _ in self.sent.values():
            request.Wait()
        self.sent.clear()
        self.board.owing.clear()
