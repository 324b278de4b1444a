"""What every mode and every algorithm has to keep: the same bits, the place that its facts give each rank, the bytes they count."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import Result, fit
from mpi_pgd.comm.collectives import collectives
from mpi_pgd.comm.nodewise import NodeWise
from mpi_pgd.data.make import make
from mpi_pgd.engine import cut
from mpi_pgd.modes import ALGORITHMS, ALIKE, MEMBERS, MODES
from mpi_pgd.modes.facts import Facts, Team
from tests.thorough import thorough

REPLICAS = 2
EVERY = [pytest.param(facts, name, id=f"{facts.name}-{name}") for facts in MEMBERS if not facts.neighbours for name in facts.names]
BY_HAND = [way for way, algorithm in ALIKE.items() if not algorithm.library]
LENGTHS = (0, 1, 2, 7, 64, 5000)  # numbers; the last is long
NODES = (0, 1, 2)  # ranks of each simulated one, where nodes are told apart; 0: all
NODEWISE = next(facts for facts in MEMBERS if facts.nodewise)


class Counting:
    """A communicator that counts the bytes that are sent point to point."""

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm, self.sent = comm, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.comm, name)

    def Send(self, vector: np.ndarray, to: int) -> None:
        self.sent += vector.nbytes
        self.comm.Send(vector, to)

    def Sendrecv(self, vector: np.ndarray, to: int, *more: Any) -> None:
        self.sent += vector.nbytes
        self.comm.Sendrecv(vector, to, *more)


def fitted(comm: MPI.Intracomm, folder: Path, **options: Any) -> Result:
    path = folder / "rows.h5"
    if comm.rank == 0:
        make(path, 3000, 6, condition=20.0, noise=0.5, seed=1)
    comm.Barrier()
    return fit(path, comm=comm, rounds=40, tol=0.0, quiet=True, **options)


@pytest.mark.ranks(1, 3, others=(5,))
@pytest.mark.parametrize(("folds", "long"), [thorough(1, 100), (1, 8), (2, 8)])
def test_fewer_folds_and_bounds_give_the_same_bits(
    comm: MPI.Intracomm, folder: Path, monkeypatch: pytest.MonkeyPatch, folds: int, long: int
) -> None:
    """Where the vector is long, and where it is not. The bound moves, as the rows are fitted exactly."""
    path = folder / "exact.h5"
    if comm.rank == 0:
        make(path, 3000, 6, condition=20.0, noise=0.0, seed=1)
    comm.Barrier()
    options = {"rounds": 60, "solver": "nesterov", "quiet": True}
    usual = fit(path, comm=MPI.COMM_SELF, **options)
    for name, value in {"LONG": long, "RUN": 2}.items():
        monkeypatch.setattr(cut, name, value)
    expected = fit(path, comm=MPI.COMM_SELF, folds=folds, **options)
    for mode in ALGORITHMS:
        found = fit(path, mode=mode, comm=comm, folds=folds, **options)
        assert found.record["weights_sha256"] == expected.record["weights_sha256"]
        assert (found.record["weights_sha256"] == usual.record["weights_sha256"]) == (folds == 2)
        np.testing.assert_allclose(found.coef, usual.coef, rtol=1e-9)


@cache
def alone() -> Result:
    """Of one rank, which each of them is once."""
    with TemporaryDirectory() as folder:
        return fitted(MPI.COMM_SELF, Path(folder))


@pytest.mark.ranks(1, 2, 3, others=(5,), rarely=(1, 2))
@pytest.mark.parametrize(("facts", "algorithm"), EVERY)
def test_a_fit_has_the_bits_of_one_rank(comm: MPI.Intracomm, folder: Path, facts: Facts, algorithm: str) -> None:
    replicas = REPLICAS if facts.replicates else 1
    if facts.workers(comm.size) < replicas:
        pytest.skip("too few workers")
    per_node = 2 if facts.nodewise else 0
    options = {"mode": facts.replicates or facts.name, "algorithm": algorithm, "ranks_per_node": per_node}
    result = fitted(comm, folder, replicas=replicas, **options)
    assert result.record["weights_sha256"] == alone().record["weights_sha256"]
    assert result.coef.tobytes() == alone().coef.tobytes()
    assert result.record["rounds"] == 40
    assert result.record["workers"] == facts.workers(comm.size)
    partial = 8 * (2 * (6 + 2) + 6)
    sizes = facts.messages(partial, 0, 8 * (6 + 2))
    assert result.record["bytes_per_round"] == facts.sent_by_worker(algorithm, facts.speakers([""] * comm.size, per_node), sizes)


@pytest.mark.ranks(1, 2, 3, others=(5,))
@pytest.mark.parametrize(("facts", "algorithm"), EVERY)
def test_ranks_have_the_places_of_the_facts(comm: MPI.Intracomm, facts: Facts, algorithm: str) -> None:
    replicas = REPLICAS if facts.replicates else 1
    if facts.workers(comm.size) < replicas:
        pytest.skip("too few workers")
    mode = facts.make(Team(comm, [f"node{rank}" for rank in range(comm.size)], replicas), algorithm)
    assert (mode.worker >= 0) == (facts.worker(comm.rank, comm.size) >= 0)
    assert sorted(set(comm.allgather(mode.worker)) - {-1}) == list(range(mode.workers))
    assert mode.workers == facts.workers(comm.size) // replicas
    vector = np.array([float(comm.rank), -comm.rank, 7.0])
    facts.maximum(comm)(vector)
    assert vector.tolist() == [comm.size - 1, 0, 7]


@pytest.mark.ranks(1, 2, 3, 4, 5, rarely=(2, 4))
@pytest.mark.parametrize("way", ALIKE)
def test_collectives_do_what_they_are_called(comm: MPI.Intracomm, way: tuple[str, str]) -> None:
    mode, algorithm = way
    facts = MODES[mode]
    for per_node in NODES if facts.nodewise else NODES[:1]:
        for name, collective in zip(facts.collectives, facts.opened(comm, algorithm, per_node), strict=True):
            for length in LENGTHS if facts.nodewise else LENGTHS[:-1]:
                own = np.arange(length) + 97.0 * comm.rank
                total = comm.allreduce(own)
                vector = own.copy()
                for _ in range(3):  # the second finds its steps looked up
                    vector[:] = own
                    collective(vector)
                expected = {"reduce": vector if comm.rank else total, "broadcast": np.arange(length), "allreduce": total}[name]
                assert vector.tolist() == expected.tolist()


@pytest.mark.ranks(1, 3, others=(5,))
@pytest.mark.parametrize("per_node", NODES)
def test_vectors_that_lie_in_shared_memory_are_summed_where_they_are(comm: MPI.Intracomm, per_node: int) -> None:
    """Some at a time, and of those that nobody has any more the memory is used again, or freed."""
    (collective,) = NODEWISE.opened(comm, NODEWISE.names[1], per_node)
    assert isinstance(collective, NodeWise)
    held: list[np.ndarray] = []
    for length in (*LENGTHS, 20_000, 9000):
        held = [*held[-1:], collective.vector(length)]
        for _ in range(2):
            for number, vector in enumerate(held):
                assert collective.settled(vector)
                vector[:] = np.arange(len(vector)) + comm.rank + number
                collective(vector)
        for number, vector in enumerate(held):
            assert (vector == comm.size * (np.arange(len(vector)) + number) + sum(range(comm.size))).all()


@pytest.mark.ranks(3, others=(2,))
def test_of_two_vectors_that_nobody_has_any_more_the_memory_of_the_first_is_used(comm: MPI.Intracomm) -> None:
    """And that of the second, made last, is freed."""
    (collective,) = NODEWISE.opened(comm, NODEWISE.names[1], 0)
    held = [collective.vector(length) for length in (9000, 20_000)]
    held.clear()
    vector = collective.vector(8000)
    vector[:] = comm.rank
    collective(vector)
    assert (vector == sum(range(comm.size))).all()


@pytest.mark.ranks(5, others=(3,))
@pytest.mark.parametrize("per_node", NODES)
def test_plain_sums_have_the_same_bits_on_all_ranks(comm: MPI.Intracomm, per_node: int) -> None:
    for length in LENGTHS:
        vector = np.random.default_rng(comm.rank).normal(size=length)
        NODEWISE.opened(comm, NODEWISE.names[0], per_node)[0](vector)
        assert len({*comm.allgather(vector.tobytes())}) == 1


@pytest.mark.ranks(1, 2, 3, 4, others=(5,))
@pytest.mark.parametrize("way", BY_HAND)
def test_the_bytes_that_are_counted_are_sent(comm: MPI.Intracomm, way: tuple[str, str]) -> None:
    mode, _ = way
    facts, counting = MODES[mode], Counting(comm)
    sizes = facts.messages(8 * 61, 8 * 13, 0)
    # Where one rank a node passes messages, all do with nodes of one rank each.
    ways = collectives(counting, facts.collectives, ALIKE[way].schedules)  # type: ignore[arg-type]
    for collective, size in zip(ways, sizes, strict=True):
        collective(np.zeros(size // 8))
    assert counting.sent == ALIKE[way].sent(comm.rank, comm.size, sizes)
    assert comm.allreduce(counting.sent) == ALIKE[way].sent_by_all(comm.size, sizes)
