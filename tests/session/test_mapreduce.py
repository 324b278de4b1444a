"""The user's own map, on ranks: what each reduction gives, to the same bits everywhere, and mistakes in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import mpi_pgd
from mpi_pgd import InputError, Rows, mapreduce
from mpi_pgd.drivers import mapreduce as driver
from mpi_pgd.drivers import reductions
from mpi_pgd.modes import ALIKE

MODES = ("client-server", "peer-to-peer")
ROWS, FEATURES = 1000, 7  # 16 blocks of 64 rows, the last one short
BLOCK = 64


def problem() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(8)
    x = draw.standard_normal((ROWS, FEATURES)) * 10.0 ** np.arange(-3, 4)
    return x, x @ np.ones(FEATURES) + draw.standard_normal(ROWS)


X, Y = problem()
STARTS = range(0, ROWS, BLOCK)


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path) -> str:
    if comm.rank == 0:
        with h5py.File(folder / "d.h5", "w") as file:
            file["X"], file["y"] = X, Y
    comm.Barrier()
    return str(folder / "d.h5")


def everything(w: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {"gradient": x.T.dot(x.dot(w["w"]) - y), "count": len(y), "parts": (float(np.sum(y)), [np.outer(x[0], x[-1])])}


def summed(parts: Callable[[dict[str, Any]], Any], w: Any) -> Any:
    """In exact arithmetic, rounded once."""
    from fractions import Fraction

    results = [parts(everything(w, X[at : at + BLOCK], Y[at : at + BLOCK])) for at in STARTS]
    columns = np.array([np.ravel(result) for result in results]).T
    return np.array([float(sum(map(Fraction, column.tolist()))) for column in columns]).reshape(np.shape(results[0]))


@pytest.mark.parametrize(("mode", "algorithm"), ALIKE)
def test_sums_have_no_order(comm: MPI.Intracomm, data: str, mode: str, algorithm: str) -> None:
    """They are the exact sums, rounded once: columns of very different size keep all their digits."""
    w = {"w": np.linspace(-1, 1, FEATURES), "unused": [3]}
    found = mapreduce(data, everything, broadcast=w, mode=mode, algorithm=algorithm, comm=comm)
    assert np.array_equal(found["gradient"], summed(lambda each: each["gradient"], w))
    assert found["parts"][0] == summed(lambda each: each["parts"][0], w)
    assert np.array_equal(found["parts"][1][0], summed(lambda each: each["parts"][1][0], w))
    assert (found["count"], type(found["count"])) == (ROWS, int)
    same(comm, found["gradient"])


def same(comm: MPI.Intracomm, array: np.ndarray) -> None:
    assert len(set(comm.allgather(array.tobytes()))) == 1


@pytest.mark.parametrize("mode", MODES)
def test_each_reduction(comm: MPI.Intracomm, data: str, mode: str) -> None:
    calls = []

    def sums(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        calls.append(len(y))
        return {"x": x.sum(axis=0), "rows": len(y)}

    with Rows(data, comm=comm, mode=mode) as rows:
        assert (rows.shape, rows.names) == ((ROWS, FEATURES), ())
        total = rows.mapreduce(sums)
        assert comm.allreduce(len(calls)) == len(STARTS)  # once a block
        mean = rows.mapreduce(sums, "mean")
        assert np.array_equal(mean["x"], total["x"] / ROWS)
        assert mean["rows"] == 1.0
        largest, least = (rows.mapreduce(lambda x, y: (x.max(axis=0), x.min(axis=0), int(y[0])), way) for way in ("max", "min"))
        assert np.array_equal(largest[0], X.max(axis=0))
        assert np.array_equal(least[1], X.min(axis=0))
        assert (largest[2], least[2]) == (max(map(int, Y[STARTS])), min(map(int, Y[STARTS])))
        found = rows.mapreduce(lambda x, y: x[:2] if len(y) == BLOCK else "the last", "collect")
        assert found[-1] == "the last"
        assert np.array_equal(np.concatenate(found[:-1]), np.concatenate([X[at : at + 2] for at in STARTS[:-1]]))


@pytest.mark.parametrize("mode", MODES)
def test_extremes_may_be_infinite_and_zero_has_no_sign(comm: MPI.Intracomm, data: str, mode: str) -> None:
    with Rows(data, comm=comm, mode=mode) as rows:
        found = rows.mapreduce(lambda x, y: np.array([-np.inf, np.inf, -0.0 if x[0, 0] > 0 else 0.0]), "max")
        assert found[:2].tolist() == [-np.inf, np.inf]
        assert np.copysign(1.0, found[2]) == 1.0


@pytest.mark.ranks(2, others=(3,))
@pytest.mark.parametrize("mode", MODES)
def test_the_first_ranks_broadcast_counts(comm: MPI.Intracomm, data: str, mode: str) -> None:
    with Rows(data, comm=comm, mode=mode) as rows:
        for turn in range(3):
            given = (np.full(2, float(comm.rank + turn)), comm.rank + turn, 0.5 + comm.rank)
            found = rows.mapreduce(lambda b, x, y: (b[0], b[1], b[2], b[1]), "max", broadcast=given)
            assert found[0].tolist() == [turn, turn]
            assert found[1:] == (turn, 0.5, turn)


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize("mode", MODES)
def test_sums_do_not_depend_on_what_was_asked_before(comm: MPI.Intracomm, data: str, mode: str) -> None:
    def both(scale: float, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        return scale * float(x.sum()), 1.0

    with Rows(data, comm=comm, mode=mode) as rows:
        alone = rows.mapreduce(both, broadcast=1e-200)
        rows.mapreduce(both, broadcast=1e200)
        assert rows.mapreduce(both, broadcast=1e-200) == alone


@pytest.mark.ranks(1, 3, others=())
def test_results_too_many_to_be_kept_are_computed_again(comm: MPI.Intracomm, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def gram(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        calls.append(len(y))
        return x.T @ x

    with Rows(data, comm=comm) as rows:
        kept = rows.mapreduce(gram)
        monkeypatch.setattr(driver, "KEPT", 2 * kept.nbytes)
        calls.clear()
        assert np.array_equal(rows.mapreduce(gram), kept)
    mine = len(STARTS) if comm.size == 1 else len(STARTS) // (comm.size - 1) * (comm.rank > 0)
    assert len(calls) == max(mine, 2 * mine - 2)


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize("kind", [np.float32, np.int8])
def test_stored_rows_of_another_type(comm: MPI.Intracomm, folder: Path, kind: Any) -> None:
    """They are widened one by one in one room: what is collected is not what lies there later."""
    rows = np.arange(ROWS * FEATURES).reshape(ROWS, FEATURES) % 100
    if comm.rank == 0:
        with h5py.File(folder / "d.h5", "w") as file:
            file["X"], file["y"] = rows.astype(kind), Y
    comm.Barrier()
    found = mapreduce(folder / "d.h5", lambda x, y: x, "collect", comm=comm)
    assert np.array_equal(np.concatenate(found), rows.astype(np.float64))


@pytest.mark.ranks(1, 3, others=())
def test_several_targets_lie_as_they_are_stored(comm: MPI.Intracomm, folder: Path) -> None:
    targets = np.arange(3.0 * ROWS).reshape(ROWS, 3)
    if comm.rank == 0:
        with h5py.File(folder / "d.h5", "w") as file:
            file["X"], file["y"] = X, targets
    comm.Barrier()
    assert np.array_equal(np.concatenate(mapreduce(folder / "d.h5", lambda x, y: y, "collect", comm=comm)), targets)
    assert mapreduce(folder / "d.h5", lambda b, x, y: x.T @ y @ b, broadcast=np.ones(3), comm=comm).shape == (FEATURES,)


def test_rows_are_not_to_be_written(comm: MPI.Intracomm, data: str) -> None:
    def locked(b: np.ndarray, x: np.ndarray, y: np.ndarray) -> int:
        return x.flags.writeable + y.flags.writeable + b.flags.writeable

    assert mapreduce(data, locked, broadcast=np.ones(3), comm=comm) == 0


def refused(comm: MPI.Intracomm, words: str, data: str, map: Any, *args: Any, **more: Any) -> None:
    """The same sentence on every rank."""
    with pytest.raises(InputError) as raised:
        mapreduce(data, map, *args, comm=comm, **more)
    assert words in str(raised.value)
    assert len(set(comm.allgather(str(raised.value)))) == 1


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("map", "reduce", "words"),
    [
        (lambda x, y: y, "sum", "<lambda> gave an array of numbers of shape (40,) in place of an array of numbers of shape (64,)"),
        (lambda x, y: y, "max", "in place of an array of numbers of shape (64,) for rows 960 to 999"),
        (lambda x, y: None, "sum", "<lambda> gave NoneType: expected a number, an array, or a dict, list or tuple of them"),
        (lambda x, y: 1 if len(y) == BLOCK else 1.0, "min", "gave a number in place of a whole number for rows 960"),
        (lambda x, y: np.log(y[0] - y[0] + (len(y) > BLOCK - 1)), "sum", "not finite, or beyond 1e+280 for rows 960 to 999"),
        (lambda x, y: np.nan, "max", "gave nan, which is neither larger nor smaller than a number for rows 0 to 63"),
        (lambda x, y: 2**52, "sum", "the sum of whole numbers is beyond 2**53"),
        (lambda x, y: 2**54, "sum", "gave a whole number beyond 2**53, which float64 does not hold exactly for rows 0 to 63"),
        (lambda x, y: (i for i in y), "collect", "gave generator, which can't be sent to the other ranks"),
        (3, "sum", "map was given 3: expected a function of X and y"),
        (len, "summ", "reduce was given 'summ' (did you mean sum?): expected one of sum, mean, max, min, collect"),
        ("math:sqrtt", "sum", "math has no function sqrtt (did you mean sqrt?)"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_mistakes_are_one_sentence(comm: MPI.Intracomm, data: str, mode: str, map: Any, reduce: str, words: str) -> None:
    refused(comm, words, data, map, reduce, mode=mode)


@pytest.mark.ranks(1, 3, others=())
def test_other_mistakes(comm: MPI.Intracomm, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(comm, "mapreduce has no option solver: expected one of x, y, mode, algorithm, memory, cache", data, len, solver="gd")
    refused(comm, "broadcast was given str: expected a number", data, len, broadcast="w")
    refused(comm, "and there is no y: expected a target for each", X if comm.rank == 0 else None, len)  # type: ignore[arg-type]
    monkeypatch.setattr(reductions, "COLLECTED", 1000)
    refused(comm, "which every rank would hold: expected at most", data, lambda x, y: x, "collect")
    with Rows(data, comm=comm) as rows:  # and they leave nothing behind
        with pytest.raises(InputError):
            rows.mapreduce(lambda x, y: y)
        assert rows.mapreduce(lambda x, y: len(y)) == ROWS


@pytest.mark.ranks(2, others=(3,))
def test_ranks_that_ask_for_different_things(comm: MPI.Intracomm, data: str) -> None:
    last = comm.rank == comm.size - 1
    words = f"sum, no broadcast on rank 0, and for <lambda> of {__name__}, max, no broadcast on rank {comm.size - 1}: expected"
    refused(comm, words, data, lambda x, y: 1, "max" if last else "sum")
    words = f"broadcast an array of numbers of shape (2,) on rank {comm.size - 1}: expected the same"
    refused(comm, words, data, lambda b, x, y: 1, broadcast=np.ones(2 if last else 3))


def test_the_front_door() -> None:
    assert {"mapreduce", "Rows"} <= set(dir(mpi_pgd))
