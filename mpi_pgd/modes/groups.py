"""Who holds the same blocks, and whose partial counts: the part of the replicas that needs no MPI."""

from collections.abc import Sequence

from mpi_pgd.errors import InputError


def share_out(nodes: Sequence[str], replicas: int) -> list[int]:
    """The group of each worker: those of one group hold the same blocks, and are on different nodes wherever that can be.

    The workers, sorted by node, are dealt out like cards. So two of a group share a node only if that node has more workers than
    there are groups, however the launcher placed the ranks. If ``replicas`` does not divide the workers, some groups have more.

    Args:
        nodes: the node of each rank (``world.nodes``), the server's first.
        replicas: workers of each group, at least.

    Raises:
        InputError: there are fewer workers than that.
    """
    workers = range(1, len(nodes))
    if not 1 <= replicas <= len(workers):
        raise InputError(
            f"{replicas} replicas of each block were asked for, with {len(nodes)} ranks, of which {len(workers)} are workers: "
            f"expected 1 to as many replicas as workers; start at least {replicas + 1} ranks, or ask for fewer replicas"
        )
    first = {node: rank for rank, node in reversed([*enumerate(nodes)])}
    dealt = sorted(workers, key=lambda rank: first[nodes[rank]])
    group = {rank: place % (len(workers) // replicas) for place, rank in enumerate(dealt)}
    return [group[rank] for rank in workers]


class Board:
    """The server's book: who owes an answer to which order, and which groups have delivered.

    Args:
        groups: the group of each worker.

    Attributes:
        round: the number of the newest order, 0 being the first.
        missing: the groups that have not delivered in this round.
        owing: by worker, the round of the order that it has not answered yet.
        counted, dropped: by worker, how many of its partials were summed, or came too late for it.
    """

    def __init__(self, groups: Sequence[int]) -> None:
        self.groups = list(groups)
        self.counted, self.dropped = [0] * len(self.groups), [0] * len(self.groups)
        self.open()

    def open(self) -> None:
        """Everyone has the first order."""
        self.round = 0
        self.missing = set(self.groups)
        self.owing = dict.fromkeys(range(len(self.groups)), 0)

    def turn(self) -> list[int]:
        """Begin the next round: the workers that can have its order at once."""
        self.round += 1
        self.missing = set(self.groups)
        return [worker for worker in range(len(self.groups)) if worker not in self.owing]

    def give(self, worker: int) -> None:
        """It has been sent the newest order."""
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
