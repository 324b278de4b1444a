"""Whose partial counts, where several workers hold the same blocks: without MPI."""

from collections.abc import Sequence


class Ledger:
    """The server's ledger: who owes an answer to which query, and which groups have delivered.

    ``groups`` are those of each worker.
    """

    def __init__(self, groups: Sequence[int]) -> None:
        self.groups = list(groups)
        # By worker, how many of its partials were summed, or came too late for it.
        self.counted, self.dropped = [0] * len(self.groups), [0] * len(self.groups)
        self.open()

    def open(self) -> None:
        """Everyone has the first query."""
        self.round = 0  # of the newest query
        self.missing = set(self.groups)  # those that have not delivered in this round
        self.owing = dict.fromkeys(range(len(self.groups)), 0)  # by worker, the round of the query that it has not answered

    def turn(self) -> list[int]:
        """Begin the next round: the workers that can have its query at once."""
        self.round += 1
        self.missing = set(self.groups)
        return [worker for worker in range(len(self.groups)) if worker not in self.owing]

    def give(self, worker: int) -> None:
        """It has been sent the newest query."""
        self.owing[worker] = self.round

    def take(self, worker: int) -> bool:
        """It has answered: whether its partial counts, being of this round and the first of its group."""
        group = self.groups[worker]
        counts = self.owing.pop(worker) == self.round and group in self.missing
        self.missing.difference_update([group] if counts else [])
        (self.counted if counts else self.dropped)[worker] += 1
        return counts

    def wanted(self, worker: int) -> bool:
        """Whether it could still be the first of its group. If not it had better rest, to be there when the next round begins."""
        return self.groups[worker] in self.missing
