"""Fits inside MPI: the right answer, and the same bits from every way of storing the rows."""

import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, Result, fit
from mpi_pgd.observers.heartbeat import WAITING
from mpi_pgd.session import descend, job
from mpi_pgd.session.job import Job
from tests.thorough import thorough

DIAMONDS = str(Path(__file__).parents[2] / "data/diamonds.h5")
MODES = ("client-server", "peer-to-peer")
SOLVERS = ("gd", "momentum", "nesterov")
ROWS, FEATURES = 1000, 7  # 16 blocks: more than any world of these tests has ranks, and the last one is short


def problem(kind: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    x = (generator.standard_normal((ROWS, FEATURES)) * 3 + np.arange(FEATURES) / 4).astype(kind)
    y = x.astype(np.float64) @ np.linspace(-1, 1, FEATURES) + 5 + generator.standard_normal(ROWS)
    return x, y


def written(comm: MPI.Intracomm, path: Path, x: np.ndarray, y: np.ndarray, **how: Any) -> str:
    if comm.rank == 0:
        with h5py.File(path, "w") as file:
            file.create_dataset("X", data=x, **how)
            file["y"] = y
    comm.Barrier()
    return str(path)


def exact(x: np.ndarray, y: np.ndarray, intercept: bool = True) -> np.ndarray:
    columns = np.column_stack([x, np.ones(len(x))]) if intercept else x
    return np.linalg.lstsq(columns, y, rcond=None)[0]


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
def test_diamonds_agree_with_lstsq(comm: MPI.Intracomm, mode: str) -> None:
    with h5py.File(DIAMONDS) as file:
        expected = exact(file["X"][:], file["y"][:])
    result = fit(DIAMONDS, mode=mode, comm=comm)
    assert result.status == "converged"
    np.testing.assert_allclose(np.append(result.coef, result.intercept), expected, rtol=0, atol=1e-8)
    assert result.feature_names[0] == "carat"
    assert (len(repr(result).splitlines()), "the 10 largest of 23: carat -0.612054, x 1.16469" in repr(result)) == (13, True)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("intercept", "standardize"), [(True, True), (False, False), thorough(True, False), thorough(False, True)])
def test_every_solver_finds_the_minimum(comm: MPI.Intracomm, folder: Path, solver: str, intercept: bool, standardize: bool) -> None:
    """Each mode has its turn with each solver: they give the same bits."""
    x, y, mode = *problem(), MODES[intercept == standardize]
    path = written(comm, folder / "d.h5", x, y)
    result = fit(path, mode=mode, solver=solver, intercept=intercept, standardize=standardize, rounds=20_000, comm=comm)
    weights = np.append(result.coef, result.intercept)[: FEATURES + intercept]
    np.testing.assert_allclose(weights, exact(x, y, intercept), rtol=0, atol=1e-6)
    assert result.status == "converged"


@pytest.mark.parametrize("mode", MODES)
def test_gd_is_the_lecture_to_the_letter(comm: MPI.Intracomm, folder: Path, mode: str) -> None:
    x, y = problem()
    path = written(comm, folder / "d.h5", x, y)
    result = fit(path, mode=mode, solver="gd", step=0.002, rounds=10, standardize=False, intercept=False, comm=comm)
    w = np.zeros(FEATURES)
    for _ in range(10):
        w = w - 0.002 * (x.T @ (x @ w - y)) / ROWS
    np.testing.assert_allclose(result.coef, w, rtol=1e-12)
    assert (result.status, result.record["rounds"], len(result.history["round"])) == ("rounds exhausted", 10, 10)
    assert result.record["objective"] == pytest.approx(np.sum((x @ w - y) ** 2) / 2 / ROWS, rel=1e-12)


@pytest.mark.ranks(2, 5, others=())
def test_ridge_on_scaled_features(comm: MPI.Intracomm, folder: Path) -> None:
    x, y = problem()
    result = fit(written(comm, folder / "d.h5", x, y), l2=0.3, mode="peer-to-peer", comm=comm)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    v = np.linalg.solve(z.T @ z / ROWS + 0.3 * np.eye(FEATURES), z.T @ (y - y.mean()) / ROWS)
    np.testing.assert_allclose(result.coef, v / x.std(axis=0), rtol=1e-8)


def stored_contiguous(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray) -> list[str]:
    return [written(comm, folder / "c.h5", x, y)]


def stored_chunked(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray) -> list[str]:
    return [written(comm, folder / "k.h5", x, y, chunks=(33, 3))]


def stored_gzip(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray) -> list[str]:
    return [written(comm, folder / "g.h5", x, y[:, None], chunks=(130, FEATURES), compression="gzip")]


def stored_lzf(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray) -> list[str]:
    return [written(comm, folder / "l.h5", x, y, compression="lzf")]


def stored_plugin(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray) -> list[str]:
    hdf5plugin = pytest.importorskip("hdf5plugin")
    return [written(comm, folder / "z.h5", x, y, compression=hdf5plugin.Blosc())]


def stored_big_endian(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray) -> list[str]:
    return [written(comm, folder / "b.h5", x.astype(x.dtype.newbyteorder(">")), y)]


def stored_shards(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray) -> list[str]:
    cuts = [0, 1, 130, 131, 700, ROWS]
    for number, (start, stop) in enumerate(itertools.pairwise(cuts), start=7):  # part10 sorts after part9
        written(comm, folder / f"part{number}.h5", x[start:stop], y[start:stop])
    return [str(folder / "part*.h5")]


def stored_virtual(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray) -> list[str]:
    stored_shards(comm, folder, x, y)
    path = folder / "virtual.h5"
    if comm.rank == 0:
        layouts = {"X": h5py.VirtualLayout(x.shape, x.dtype), "y": h5py.VirtualLayout(y.shape, y.dtype)}
        start = 0
        for number in range(7, 12):
            with h5py.File(folder / f"part{number}.h5") as part:
                stop = start + len(part["y"])
                for name, layout in layouts.items():
                    layout[start:stop] = h5py.VirtualSource(part[name])
            start = stop
        with h5py.File(path, "w") as file:
            for name, layout in layouts.items():
                file.create_virtual_dataset(name, layout)
    comm.Barrier()
    return [str(path)]


def stored_otherwise(comm: MPI.Intracomm, folder: Path, x: np.ndarray, y: np.ndarray) -> list[str]:
    """In two files: one with its columns in another order, one of MATLAB's."""
    if comm.rank == 0:
        names, order, half = [f"f{i}" for i in range(x.shape[1])], np.arange(x.shape[1])[::-1], len(x) // 3
        with h5py.File(folder / "m1.h5", "w") as file:
            file["X"], file["y"] = x[:half], y[:half]
            file["X"].attrs["feature_names"] = names
        with h5py.File(folder / "m2.mat", "w") as file:
            file["X"], file["y"] = x[half:, order].T, y[None, half:]
            file["X"].attrs.update({"feature_names": [names[i] for i in order], "MATLAB_class": np.bytes_("double")})
    comm.Barrier()
    return [str(folder / "m1.h5"), str(folder / "m2.mat")]


PACKED = (stored_chunked, stored_gzip, stored_lzf, stored_plugin)
LAYOUTS = (*PACKED, stored_big_endian, stored_shards, stored_virtual, stored_otherwise)


@pytest.mark.parametrize("stored", LAYOUTS)
def test_same_bits_from_any_layout(comm: MPI.Intracomm, folder: Path, stored: Callable[..., list[str]]) -> None:
    """Who holds which rows, and with whom, differs by the mode: each has its turn."""
    x, y = problem()
    alone, mode = contiguous(), MODES[(comm.size // 2 + LAYOUTS.index(stored)) % 2]
    result = fit(stored(comm, folder, x, y), rounds=20, mode=mode, comm=comm)
    assert result.record["weights_sha256"] == alone.record["weights_sha256"]
    assert result.coef.tobytes() == alone.coef.tobytes()


@cache
def contiguous() -> Result:
    """Of one rank, which each of them is once."""
    with TemporaryDirectory() as folder:
        return fit(stored_contiguous(MPI.COMM_SELF, Path(folder), *problem())[0], rounds=20, comm=MPI.COMM_SELF)


KINDS = (np.float32, np.int8, np.int64, np.uint16)


@pytest.mark.parametrize("kind", KINDS)
def test_same_bits_from_narrower_types(comm: MPI.Intracomm, folder: Path, kind: type) -> None:
    x, y = problem()
    x, mode = np.abs(x).astype(kind), MODES[(comm.size // 2 + KINDS.index(kind)) % 2]
    wide = fit(written(comm, folder / "w.h5", x.astype(np.float64), y), rounds=20, mode=mode, comm=comm)
    narrow = fit(written(comm, folder / "n.h5", x, y), rounds=20, mode=mode, comm=comm)
    assert narrow.record["weights_sha256"] == wide.record["weights_sha256"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 2, 70])
def test_more_ranks_than_blocks(comm: MPI.Intracomm, folder: Path, rows: int, mode: str) -> None:
    x, y = problem()
    path = written(comm, folder / "d.h5", x[:rows], y[:rows])
    alone = fit(path, rounds=20, comm=MPI.COMM_SELF)
    assert fit(path, rounds=20, mode=mode, comm=comm).record["weights_sha256"] == alone.record["weights_sha256"]


@pytest.mark.parametrize("mode", MODES)
def test_an_exact_fit_keeps_converging(comm: MPI.Intracomm, folder: Path, mode: str) -> None:
    # The blocks' gradients shrink with the residuals, so the bound of the order-free sums has to follow them down.
    x, _ = problem()
    w = np.linspace(1, 2, FEATURES)
    path = written(comm, folder / "d.h5", x, x @ w + 3)
    result = fit(path, mode=mode, solver="nesterov", tol=1e-13, comm=comm)
    assert result.status == "converged"
    np.testing.assert_allclose(result.coef, w, rtol=1e-12)
    alone = fit(path, comm=MPI.COMM_SELF, solver="nesterov", tol=1e-13)
    assert result.record["weights_sha256"] == alone.record["weights_sha256"]


@pytest.mark.ranks(2, 5, others=())
@pytest.mark.parametrize("mode", MODES)
def test_plain_sums_reach_the_same_optimum(comm: MPI.Intracomm, folder: Path, mode: str) -> None:
    x, y = problem()
    result = fit(written(comm, folder / "d.h5", x, y), mode=mode, sums="plain", comm=comm)
    np.testing.assert_allclose(np.append(result.coef, result.intercept), exact(x, y), atol=1e-8)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
def test_constant_columns_and_targets(comm: MPI.Intracomm, folder: Path, mode: str) -> None:
    x, y = problem()
    x[:, 2] = 4.0
    result = fit(written(comm, folder / "x.h5", x, y), mode=mode, comm=comm)
    assert result.coef[2] == 0.0
    result = fit(written(comm, folder / "y.h5", x, np.full(ROWS, 2.5)), mode=mode, comm=comm)
    assert result.r2 is None
    assert result.intercept == pytest.approx(2.5, rel=1e-9)
    none = fit(written(comm, folder / "z.h5", x, np.zeros(ROWS)), mode=mode, solver="nesterov", comm=comm)
    assert none.record["rounds"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_time_runs_out(comm: MPI.Intracomm, folder: Path, mode: str) -> None:
    x, y = problem()
    result = fit(written(comm, folder / "d.h5", x, y), mode=mode, max_seconds=1e-9, comm=comm)
    assert (result.status, result.record["rounds"]) == ("time exhausted", 0)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
def test_too_large_a_step_diverges_with_finite_weights(comm: MPI.Intracomm, folder: Path, mode: str) -> None:
    x, y = problem()
    result = fit(written(comm, folder / "d.h5", x, y), mode=mode, solver="gd", step=1e6, comm=comm)
    assert result.status == "diverged"
    assert np.isfinite(result.coef).all()


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("size_x", "size_y"), [(1, 1e200), (1e300, 1), (1e-300, 1), (1e300, 1e300)])
def test_values_that_overflow_are_refused(comm: MPI.Intracomm, folder: Path, mode: str, size_x: float, size_y: float) -> None:
    x, y = problem()
    with pytest.raises(InputError, match="can't be held in float64"):
        fit(written(comm, folder / "d.h5", x * size_x, y * size_y), mode=mode, comm=comm)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize(("mode", "sums"), [(MODES[0], "order-free"), (MODES[1], "plain")])
@pytest.mark.parametrize(("size_x", "size_y"), [(1e155, 1), (1e-160, 1), (1, 1e130), (1e-180, 1e-50)])
def test_squares_that_overflow_cost_nothing(
    comm: MPI.Intracomm, folder: Path, mode: str, sums: str, size_x: float, size_y: float
) -> None:
    """A column had the weight 0 where its squares are too large or small."""
    x, y = problem()
    expected = exact(x, y, True)
    x[:, 2] *= size_x
    result = fit(written(comm, folder / "d.h5", x, y * size_y), mode=mode, sums=sums, comm=comm)
    expected[2] /= size_x
    assert result.status == "converged"
    np.testing.assert_allclose(np.append(result.coef, result.intercept) / size_y, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ratio", [2.0, 3.0, 5.0])
def test_well_conditioned_columns_converge(comm: MPI.Intracomm, folder: Path, mode: str, ratio: float) -> None:
    """Equicorrelated columns, whose largest eigenvalue a power iteration took too small: the fit diverged."""
    hadamard = np.ones((1, 1))
    while len(hadamard) < 512:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    r = (ratio - 1) / (ratio - 1 + 50)
    values, vectors = np.linalg.eigh((1 - r) * np.eye(50) + r)
    x = hadamard[:, 1:51] @ (vectors * np.sqrt(values)) @ vectors.T
    y = x @ np.linspace(0, 1, 50)
    result = fit(written(comm, folder / "d.h5", x, y), mode=mode, solver="nesterov", comm=comm)
    assert (result.status, result.record["rounds"] < 60) == ("converged", True)
    np.testing.assert_allclose(result.coef, np.linspace(0, 1, 50), rtol=0, atol=1e-9)
    assert 0.98 / values[-1] < result.record["step"] < 1.1 / values[-1]
    assert result.history["step"][-1] == result.record["step"]


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("mean", "tol", "atol"), [(1e5, 1e-6, 1e-5), (1e12, 1e-12, 1e-3)])
def test_the_tolerance_is_relative_to_the_signal(
    comm: MPI.Intracomm, folder: Path, mode: str, mean: float, tol: float, atol: float
) -> None:
    """However far from zero the targets lie."""
    x, y = problem()
    result = fit(written(comm, folder / "d.h5", x, y + mean), mode=mode, solver="nesterov", tol=tol, comm=comm)
    expected = exact(x, y, True)
    np.testing.assert_allclose(np.append(result.coef, result.intercept - mean), expected, rtol=0, atol=atol)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("l2", [1e4, 1e9])
def test_a_large_penalty_leaves_the_intercept_alone(comm: MPI.Intracomm, folder: Path, mode: str, l2: float) -> None:
    x, y = problem()
    result = fit(written(comm, folder / "d.h5", x, y), mode=mode, l2=l2, comm=comm)
    assert (result.status, result.record["rounds"] < 20) == ("converged", True)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    weights = np.linalg.solve(z.T @ z / len(z) + l2 * np.eye(x.shape[1]), z.T @ (y - y.mean()) / len(z)) / x.std(axis=0)
    np.testing.assert_allclose(result.coef, weights, rtol=1e-9)
    assert result.intercept == pytest.approx(y.mean() - x.mean(axis=0) @ weights, rel=1e-12)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sums", ["order-free", "plain"])
@pytest.mark.parametrize(("away", "digits"), [thorough(1e6, 8), (1e9, 5)])
def test_a_fit_ends_where_rounding_begins(
    comm: MPI.Intracomm, folder: Path, mode: str, sums: str, away: float, digits: int
) -> None:
    """It used to go on through all rounds; what is promised of the digits holds for the predictions."""
    x, y = problem()
    result = fit(written(comm, folder / "d.h5", x + away, y), mode=mode, solver="nesterov", sums=sums, comm=comm)
    assert result.status == "precision reached"
    assert result.record["rounds"] < 100
    assert digits < result.record["digits"] < digits + 2.5
    centred = x + away - (x + away).mean(axis=0)
    expected = np.linalg.lstsq(centred, y - y.mean(), rcond=None)[0]
    error = np.abs(centred @ (result.coef - expected)).max() / y.std()
    assert error < 10 ** -result.record["digits"]


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sums", ["order-free", "plain"])
@pytest.mark.parametrize("standardize", [True, False])
def test_a_column_that_varies_by_rounding_has_no_weight(
    comm: MPI.Intracomm, folder: Path, mode: str, sums: str, standardize: bool
) -> None:
    x, y = problem()
    x[:, 1] = 0.3
    x[::3, 1] = 0.1 * 3
    result = fit(written(comm, folder / "d.h5", x, y), mode=mode, sums=sums, standardize=standardize, comm=comm)
    assert (result.status, result.coef[1]) == ("converged", 0.0)


def test_every_rank_raises_the_same_error(comm: MPI.Intracomm, folder: Path) -> None:
    x, y = problem()
    x[900, 3] = np.nan
    path = written(comm, folder / "d.h5", x, y)
    with pytest.raises(InputError, match="row 900, column 3 of X is nan"):
        fit(path, comm=comm)
    with pytest.raises(InputError, match="there is no file"):
        fit(str(folder / "none.h5"), comm=comm)


def test_what_the_first_rank_gives_counts(comm: MPI.Intracomm, folder: Path) -> None:
    path = written(comm, folder / "d.h5", *problem())
    alone = fit(path, rounds=5, comm=MPI.COMM_SELF)
    result = fit(path, rounds=5, comm=comm) if comm.rank == 0 else fit(None, rounds="many", nonsense=object(), comm=comm)
    assert result.record["weights_sha256"] == alone.record["weights_sha256"]
    with pytest.raises(InputError, match="no data were given"):
        fit(None if comm.rank == 0 else path, comm=comm)
    with pytest.raises(InputError, match="data was given 5"):
        fit(5 if comm.rank == 0 else path, comm=comm)
    with pytest.raises(InputError, match="resume was given 5"):
        fit(path, resume=5 if comm.rank == 0 else "", comm=comm)


def test_a_rank_that_takes_no_part_is_told(comm: MPI.Intracomm, folder: Path) -> None:
    part = comm.Split(0 if comm.rank == 0 else MPI.UNDEFINED)
    path = written(comm, folder / "d.h5", *problem())
    if comm.rank == 0:
        assert fit(path, rounds=5, comm=part).record["ranks"] == 1
    else:
        with pytest.raises(InputError, match=r"comm was given MPI\.COMM_NULL"):
            fit(path, rounds=5, comm=part)


def no_memory(comm: MPI.Intracomm, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    monkeypatch.setattr("mpi_pgd.session.load.available_bytes", lambda held: 0)
    return "of memory on node"


def no_file(comm: MPI.Intracomm, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    if comm.rank == 0:
        (folder / "d.h5").rename(folder / "gone.h5")
    return "d.h5"


@pytest.mark.ranks(2, 3, others=(5,))
@pytest.mark.parametrize("trouble", [no_memory, no_file])
def test_blocks_that_can_not_be_moved_stay(
    comm: MPI.Intracomm,
    folder: Path,
    trouble: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The slow rank's blocks are to be moved, when there is no room for them any more, or they can't be read."""
    x, y = problem()
    path = written(comm, folder / "d.h5", np.tile(x, (6, 1)), np.tile(y, 6))
    alone = fit(path, rounds=40, tol=0.0, comm=MPI.COMM_SELF)
    comm.Barrier()
    move, words = descend.move_blocks, ""

    def troubled(*args: Any) -> str:
        nonlocal words
        words = words or trouble(comm, monkeypatch, folder)
        comm.Barrier()
        return move(*args)

    monkeypatch.setattr(descend, "move_blocks", troubled)
    result = fit(path, rounds=40, tol=0.0, mode="peer-to-peer", balance=True, delay="1:5", comm=comm)
    said = caplog.text
    assert words, "nothing was to be moved"
    assert (result.record["weights_sha256"], result.record["moved_blocks"]) == (alone.record["weights_sha256"], 0)
    assert said.count("--balance can't move") == (comm.rank == 0)
    assert words in said or comm.rank > 0


def test_who_waits_for_an_attempt_to_begin_or_end_is_not_to_blame(
    comm: MPI.Intracomm, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a rank is lost meanwhile, that may take longer than --patience."""
    jobs: list[Job] = []
    steps: set[str] = set()

    class Seen(Job):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            jobs.append(self)

    def noted(collective: Callable[..., Any]) -> Callable[..., Any]:
        def do(*args: Any) -> Any:
            steps.add(jobs[-1].pulse.step)
            return collective(*args)

        return do

    monkeypatch.setattr("mpi_pgd.session.run.Job", Seen)
    for name in ("once",):
        monkeypatch.setattr(f"mpi_pgd.session.job.{name}", noted(getattr(job, name)))
    x, y = problem()
    fit(written(comm, folder / "d.h5", x, y), rounds=5, patience=60, comm=comm)
    with pytest.raises(InputError, match="has no data set Z"):
        fit(written(comm, folder / "d.h5", x, y), x="Z", patience=60, comm=comm)
    steps |= {each.pulse.step for each in jobs}
    assert steps
    assert all(step.startswith(WAITING) for step in steps), steps


@pytest.mark.parametrize("mode", MODES)
def test_the_parts_of_a_round_add_up(comm: MPI.Intracomm, folder: Path, mode: str) -> None:
    x, y = problem()
    result = fit(written(comm, folder / "d.h5", x, y), mode=mode, rounds=200, tol=0, comm=comm)
    parts = result.record["per_round"]
    assert parts["input"] == 0.0
    assert min(parts.values()) >= -1e-6
    assert 0 < 200 * result.record["seconds_per_round"] <= result.record["seconds"]["solve"]
