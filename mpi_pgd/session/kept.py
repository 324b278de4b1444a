"""Where the rows of a run are: in memory, or in the files alone, from which they are read again in each round."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.report.units import size
from mpi_pgd.session.inspect import Problem

SHOWN = 16  # ranks


class Kept(NamedTuple):
    """Bytes of the rows that each rank holds."""

    ranks: Sequence[int]  # each one's number at the start of the job
    memory: Sequence[int]
    streamed: Sequence[int]

    def record(self) -> dict[str, Any]:
        """What run.json holds; over all ranks, too."""
        return {"memory_bytes": sum(self.memory), "streamed_bytes": sum(self.streamed), "ranks": [*zip(*self, strict=True)]}

    def text(self) -> str:
        """A table; "" where all rows are in memory."""
        if not any(self.streamed):
            return ""
        lines = [(f"rank {rank}", size(memory), size(streamed)) for rank, memory, streamed in zip(*self, strict=True)]
        if len(lines) > SHOWN:
            lines = [*lines[: SHOWN - 1], (f"{len(lines) - SHOWN + 1} more", "...", "...")]
        lines = [("rows", "in memory", "read in each round"), *lines, ("all", size(sum(self.memory)), size(sum(self.streamed)))]
        return "\n".join(f"{who:<12}{memory:>12}{streamed:>20}" for who, memory, streamed in lines)


def kept(problem: Problem, shard: MemoryShard) -> Kept:
    """Of all ranks. Collective."""
    streamed = shard.bytes(shard.streamed)
    found = problem.comm.allgather((shard.bytes(shard.held) - streamed, streamed))
    return Kept(problem.ids, *zip(*found, strict=True))
