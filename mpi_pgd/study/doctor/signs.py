"""The facts from which the doctor judges, as small records; they know nothing of MPI."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rank:
    """One rank's facts. The defaults are a healthy machine's, so that an example need only say what is different.

    Attributes:
        world: ranks in MPI's world, which may be fewer than the launcher started.
        twins: processes with this one's command and parent, itself included; 1 where the world has several ranks.
        cpus: numbers of the logical processors that this rank may run on.
        cores, physical: logical processors of the node, and cores (without hardware threads).
        quota: processors that the control group grants; 0 without a limit.
        threads: the most that one BLAS or OpenMP pool of this process would use.
        kernels, kernel: digest of a block computed here, and what computed it.
        available: bytes of memory that the node can give.
        offset, moved: this rank's monotonic clock less rank 0's, and by how much that changed while the others were looked at, s.
        wall: the time of day less the monotonic clock, s.
        link, infiniband: bytes a second of the fastest network interface, and whether it is InfiniBand; 0 if nothing tells.
    """

    rank: int = 0
    node: str = "n1"
    world: int = 1
    twins: int = 1
    vendor: str = "MPICH"
    environment: dict[str, str] = field(default_factory=dict)
    cpus: list[int] = field(default_factory=lambda: [0])
    cores: int = 1
    physical: int = 1
    quota: float = 0.0
    threads: int = 1
    kernels: str = ""
    kernel: str = ""
    software: dict[str, str] = field(default_factory=dict)
    processor: str = ""
    available: int = 1 << 34
    offset: float = 0.0
    moved: float = 0.0
    wall: float = 0.0
    link: float = 0.0
    infiniband: bool = False


@dataclass(frozen=True)
class Ping:
    """One way between rank 0 and ``rank``: ``alpha`` seconds for 8 bytes, and ``bandwidth`` bytes a second for large messages.

    Both are from the fastest of some trips, as a network at rest would have them.
    """

    rank: int
    node: str
    here: bool
    alpha: float
    bandwidth: float


def leaders(names: Sequence[str]) -> list[int]:
    """The first rank of each node, from the node's name of each rank."""
    return sorted({name: rank for rank, name in reversed(list(enumerate(names)))}.values())
