"""What ranks keep: whoever has the newest gives it to the others; snapshots are taken when due, and nothing writes into them."""

from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.objective import Objective, Scaling
from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.loop import rounds
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Ask, GradientTask
from mpi_pgd.losses.squared import Squared
from mpi_pgd.modes.client_server import ClientServer
from mpi_pgd.modes.peer_to_peer import PeerToPeer
from mpi_pgd.observers import snapshot as module
from mpi_pgd.observers.snapshot import RankState, Snapshot, Snapshots
from mpi_pgd.solvers.nesterov import Nesterov

LIMIT = 23
AIM = np.array([1.0, -2.0, 0.3])
FIRST = {4: "04" * 32, 9: "f9" * 32}
EIGENVALUES = np.array([4.0, 1.0, 0.02])


def lines(count: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.arange(4 * count, dtype=np.float64).reshape(4, count)


@pytest.mark.parametrize("holder", ["first", "last"])
def test_all_get_the_newest(comm: MPI.Intracomm, holder: str) -> None:
    """One rank has the setup, another the newest state; all had some state."""
    one = comm.size - 1 if holder == "last" else 0
    newest = (one + 1) % comm.size
    held = RankState(History(perf_counter()))
    if comm.rank == one:
        held.prepared(np.array([1.0, 1 / 3, 0.5]))
    count = 9 if comm.rank == newest else 4
    held.history.extend(0, lines(count, 1 / count))
    held.history.first = FIRST[count]
    held.snapshot = held.snapshot._replace(rounds=count, vector=np.full(3, float(count)))
    held.history.add(7.0, 7.0, 7.0)  # a line too many, of a round that was not ended
    before = held.snapshot
    held.agree(comm)
    assert held.snapshot.setup is not None
    assert held.snapshot.setup.tolist() == [1.0, 1 / 3, 0.5]
    assert (held.snapshot.rounds, held.history.first) == (9, FIRST[9])
    # What the watcher's thread may be writing is as it was:
    assert before.history.lines(0, count).tolist() == lines(count, 1 / count).tolist()
    assert (before.rounds, before.history.first) == (count, FIRST[count])
    assert held.snapshot.vector.tolist() == [9.0] * 3
    assert held.history.lines(0, 9).tolist() == lines(9, 1 / 9).tolist()


def test_nobody_has_anything(comm: MPI.Intracomm) -> None:
    held = RankState(History(perf_counter()))
    start = held.snapshot
    held.agree(comm)
    assert held.snapshot == start
    assert (start.rounds, len(start.vector), start.setup) == (0, 0, None)


def test_a_rank_that_is_new_gets_all(comm: MPI.Intracomm) -> None:
    held = RankState(History(perf_counter()))
    new = comm.size - 1
    if comm.rank != new or comm.size == 1:
        held.history.extend(0, lines(2))
        held.snapshot = Snapshot(2, np.ones(4), held.history, np.ones(3))
    held.agree(comm)
    assert held.snapshot.rounds == 2
    assert held.history.lines(0, 2).tolist() == lines(2).tolist()


def descend(
    comm: MPI.Intracomm,
    held: RankState,
    serving: bool,
    survives: bool = True,
    every: int = 0,
    done: Callable[[], None] = lambda: None,
) -> Query:
    """Some rounds over three rows, each in a block, all of them rank 0's, with what is kept."""
    scaling = Scaling.of(np.zeros(4), np.ones(4), np.ones(4), intercept=False, standardize=False)
    objective = Objective(3, scaling, Squared(), None, intercept=False)
    tasks = {Ask.GRADIENT: GradientTask(Squared(), 3, 1)}
    driver = FitDriver(objective, tasks, Nesterov("auto"), LIMIT, 0.0, lambda *_: None, held.history)
    query = Query(driver.tasks)
    sums = Sums(query, 3)
    serving = serving and comm.size > 1
    snapshots = Snapshots(
        held,
        driver,
        sums,
        updates=comm.rank == 0 or not serving,
        takes=comm.rank == 0 or survives,
        comm=comm if serving and survives else None,
        every=every,
        done=done,
    )
    x = np.diag(np.sqrt(EIGENVALUES))
    blocks = Blocks(Block(x[row : row + 1], x[row : row + 1] @ AIM) for row in range(3 * (comm.rank == 0)))
    rounds((ClientServer if serving else PeerToPeer)(comm, "library"), blocks, sums, driver, query, [snapshots])
    assert query.stop
    return query


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot after each round."""
    monkeypatch.setattr(module, "INTERVAL", -1.0)
    monkeypatch.setattr(module, "SELDOM", 0)


@pytest.mark.parametrize("serving", [True, False])
def test_from_any_snapshot_it_goes_on_to_the_same_bits(comm: MPI.Intracomm, serving: bool, always: None) -> None:
    whole = RankState(History(perf_counter()))
    taken: list[Snapshot] = []
    end = descend(comm, whole, serving, every=1, done=lambda: taken.append(whole.snapshot))
    assert end.point[2] != AIM[2]  # there was something left to do
    assert len(taken) >= LIMIT - 5  # none between a round and its repetition with another bound
    copies = [(snapshot.rounds, snapshot.vector.tobytes()) for snapshot in taken]
    expected = whole.history.lines(0, LIMIT)[:2].tolist()
    for number, snapshot in enumerate(taken):
        if number % 6 == 0:
            held = RankState(History(perf_counter()))
            held.history.extend(0, whole.history.lines(0, snapshot.rounds))
            held.history.first = whole.history.first
            held.snapshot = snapshot._replace(history=held.history)
            again = descend(comm, held, serving=not serving)
            assert again.point.tobytes() == end.point.tobytes()
            if comm.rank == 0:
                assert held.history.lines(0, LIMIT)[:2].tolist() == expected
    assert [(snapshot.rounds, snapshot.vector.tobytes()) for snapshot in taken] == copies, "a snapshot was written into"


def test_with_a_server_the_workers_get_state_and_history(comm: MPI.Intracomm, always: None) -> None:
    held = RankState(History(perf_counter()))
    descend(comm, held, serving=True)
    counts = comm.allgather((held.snapshot.rounds, held.history.lines(0, held.snapshot.rounds)[:2].tobytes()))
    assert len(set(comm.allgather(held.history.first))) == 1
    assert len(held.history.first) == 64
    assert counts[0][0] == LIMIT
    # The others have the last before the end; nothing is lost with a server that has ended.
    assert len({count for count, _ in counts[1:]}) <= 1
    assert all(count >= LIMIT - 5 for count, _ in counts)
    newest = np.frombuffer(counts[0][1]).reshape(2, LIMIT)
    for count, found in counts:
        assert found == newest[:, :count].tobytes()


@pytest.mark.parametrize("serving", [True, False])
def test_without_ulfm_the_first_rank_alone_keeps(comm: MPI.Intracomm, serving: bool, always: None) -> None:
    held = RankState(History(perf_counter()))
    descend(comm, held, serving, survives=False)
    if comm.rank == 0:
        assert held.snapshot.rounds == LIMIT
    elif serving:
        assert held.snapshot.rounds == 0


def test_every_so_many_rounds(comm: MPI.Intracomm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 1e9)
    held = RankState(History(perf_counter()))
    seen: list[int] = []
    descend(comm, held, serving=False, every=4, done=lambda: seen.append(held.snapshot.rounds))
    assert len(seen) >= 3
    assert all(rounds % 4 == 0 for rounds in seen)


def test_a_history_that_is_ahead_is_cut_to_the_snapshot(comm: MPI.Intracomm) -> None:
    end = descend(comm, RankState(History(perf_counter())), serving=False)
    held = RankState(History(perf_counter()))
    held.history.extend(0, lines(7))  # of an attempt that ended before anything was kept
    assert descend(comm, held, serving=False).point.tobytes() == end.point.tobytes()
    assert len(held.history.objective) == LIMIT + 1
