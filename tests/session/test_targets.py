"""Targets read as the loss wants them, and rows weighed by class: the same on whatever ranks, in every mode."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit
from mpi_pgd.config import settings
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.recovery.checkpoint import read
from mpi_pgd.session.inspect import Problem, inspect_files
from mpi_pgd.session.load import choose_mode, load_rows

MODES = ("client-server", "peer-to-peer")
ROWS, FEATURES = 2000, 3
DRAW = np.random.default_rng(8)
LABELS = np.array([-2.0, 3.0, 7.0])
NUMBERS = np.minimum(DRAW.geometric(0.6, ROWS) - 1, 2)  # of the classes, some of them seldom
WEIGHTS = DRAW.random(ROWS) * np.array([1.0, 1e3, 1e-3])[DRAW.integers(0, 3, ROWS)]
X = DRAW.standard_normal((ROWS, FEATURES))


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path) -> str:
    if comm.rank == 0:
        with h5py.File(folder / "rows.h5", "w") as file:
            file["X"], file["y"], file["w"], file["zero"] = X, LABELS[NUMBERS], WEIGHTS, np.zeros(ROWS)
            file["several"], file["half"], file["two"] = X[:, :2], NUMBERS / 2, NUMBERS > 0
            file["f"], file["f2"], file["low"] = [1.0, 0.0, 2.0], [2.0, 0.0, 2.0], [-1.0, -np.inf, 0.0]
        (folder / "classes.json").write_text('{"-2": 0.5, "7": 3}')
        (folder / "other.json").write_text('{"-2": 0.5, "4": 3}')
    comm.Barrier()
    return str(folder / "rows.h5")


def loaded(comm: MPI.Intracomm, data: str, **options: Any) -> tuple[Problem, MemoryShard]:
    problem = inspect_files(comm, settings({"data": data, "loss": "softmax", "quiet": True, **options}))
    return problem, load_rows(problem, choose_mode(problem))


def rows_of(comm: MPI.Intracomm, shard: MemoryShard, name: str) -> Any:
    """One of what all ranks hold for each row, in the order of the rows."""
    mine = [(block.start, getattr(block, name).copy()) for block in shard.stored(shard.held)]
    parts = dict(sorted(part for some in comm.allgather(mine) for part in some))
    return np.concatenate([*parts.values()])


@pytest.mark.parametrize("mode", MODES)
def test_classes_become_their_numbers(comm: MPI.Intracomm, data: str, mode: str) -> None:
    if comm.size == 1 and mode == MODES[0]:
        mode = MODES[1]
    _, shard = loaded(comm, data, mode=mode)
    assert shard.targets is not None
    assert (shard.targets.outputs, shard.targets.classes) == (3, tuple(LABELS))
    np.testing.assert_array_equal(rows_of(comm, shard, "y"), NUMBERS)
    assert comm.allreduce(shard.peaks[-1], MPI.MAX) == 2
    facts = shard.labels.facts()
    assert shard.rows_read == 0 or facts.most == 7


@pytest.mark.parametrize("weights", ["", "w"])
@pytest.mark.parametrize("mode", MODES)
def test_balanced_classes_count_alike(comm: MPI.Intracomm, data: str, mode: str, weights: str) -> None:
    """To the bit as from exact sums, rounded once."""
    base = WEIGHTS if weights else np.ones(ROWS)
    sums = [sum(map(Fraction, base[number == NUMBERS]), Fraction()) for number in range(3)]
    factors = np.array([float(sum(sums) / (3 * one)) for one in sums])
    _, shard = loaded(comm, data, mode=mode if comm.size > 1 else MODES[1], class_weight="balanced", weights=weights)
    assert shard.factors is not None
    np.testing.assert_allclose(shard.factors, factors, rtol=1e-14)
    found = rows_of(comm, shard, "weights")
    np.testing.assert_array_equal(found, base * shard.factors[NUMBERS])
    assert comm.allreduce(shard.heaviest, MPI.MAX) == found.max()
    _, alone = loaded(MPI.COMM_SELF, data, mode=MODES[1], class_weight="balanced", weights=weights)
    assert alone.factors is not None
    assert alone.factors.tobytes() == shard.factors.tobytes()


@pytest.mark.ranks(5, others=())
def test_copies_of_a_block_count_once(comm: MPI.Intracomm, data: str) -> None:
    _, shard = loaded(comm, data, mode=MODES[0], replicas=2, class_weight="balanced")
    assert shard.factors is not None
    np.testing.assert_allclose(shard.factors, ROWS / (3 * np.bincount(NUMBERS)), rtol=1e-15)


@pytest.mark.ranks(3, others=())
def test_a_file_says_how_much_a_class_counts(comm: MPI.Intracomm, data: str) -> None:
    _, shard = loaded(comm, data, class_weight=str(Path(data).with_name("classes.json")), weights="w", mode=MODES[1])
    np.testing.assert_array_equal(rows_of(comm, shard, "weights"), WEIGHTS * np.array([0.5, 1.0, 3.0])[NUMBERS])


@pytest.mark.parametrize("lost", [0, -1])
def test_rows_that_are_read_later_are_read_likewise(comm: MPI.Intracomm, data: str, lost: int) -> None:
    """As after a loss: those that are left read what nobody holds, some with, some without what was settled before."""
    problem, shard = loaded(comm, data, mode=MODES[1], class_weight="balanced", weights="w")
    before = rows_of(comm, shard, "weights")
    if comm.rank == lost % comm.size:
        shard = MemoryShard(problem.table, problem.partition)  # a new one in place of the old, and with other blocks
    load_rows(problem, choose_mode(problem), shard)
    np.testing.assert_array_equal(rows_of(comm, shard, "y"), NUMBERS)
    np.testing.assert_array_equal(rows_of(comm, shard, "weights"), before)
    shard.hold(np.arange(problem.partition.blocks))
    np.testing.assert_array_equal(np.concatenate([block.y for block in shard.stored(shard.held)]), NUMBERS)
    np.testing.assert_array_equal(np.concatenate([block.weights for block in shard.stored(shard.held)]), before)


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "classes of no class": (
        {"class_weight": "balanced", "loss": "squared"},
        "--class-weight balanced was given with --loss squared",
    ),
    "three of two": ({"loss": "logistic"}, "the logistic loss was given targets -2, 3 and 7: expected 0 and 1, or -1 and 1"),
    "no whole numbers": ({"y": "half"}, "expected classes, each a whole number"),
    "several columns": ({"y": "several"}, "expected one target a row"),
    "no weight": ({"weights": "zero"}, r"all rows have the weight 0 \(--weights zero\)"),
    "another class": ({"class_weight": "other.json"}, "has a weight for class 4, and the classes are -2, 3, 7"),
    "no file": ({"class_weight": "none.json"}, "can't be read"),
}


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_go_together_is_refused_on_all_ranks(comm: MPI.Intracomm, data: str, what: str) -> None:
    options, said = REFUSED[what]
    if options.get("class_weight", "").endswith("json"):
        options = options | {"class_weight": str(Path(data).with_name(options["class_weight"]))}
    with pytest.raises(InputError, match=said) as error:
        loaded(comm, data, mode=MODES[1], **options)
    assert len(set(comm.allgather(str(error.value)))) == 1


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize("quiet", [False, True])
def test_two_classes_under_least_squares_get_a_hint(
    comm: MPI.Intracomm, data: str, quiet: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mpi_pgd")
    fit(data, y="two", rounds=2, quiet=quiet, comm=comm)
    assert ("give --loss logistic" in caplog.text) == (comm.rank == 0 and not quiet)


# Vectors of the features, and a model to start from


@pytest.mark.ranks(3, others=())
def test_all_ranks_have_the_vectors(comm: MPI.Intracomm, data: str) -> None:
    problem = inspect_files(comm, settings({"data": data, "penalty_factors": "f", "lower": "low", "upper": 4}))
    sides = problem.sides
    assert sides.factors is not None
    assert sides.lower is not None
    assert sides.upper is not None
    assert (sides.factors.tolist(), sides.lower.tolist(), sides.upper.tolist()) == ([1, 0, 2], [-1, -np.inf, 0], [4, 4, 4])


@pytest.fixture
def model(comm: MPI.Intracomm, folder: Path) -> str:
    if comm.rank == 0:
        with h5py.File(folder / "model.h5", "w") as file:
            file["coef"], file["intercept"] = [1.0, -2.0, 0.5], 4.0
    comm.Barrier()
    return str(folder)


def outcomes(comm: MPI.Intracomm, data: str, folder: Path, **options: Any) -> Iterator[Any]:
    """Of a fit that ends after 4 rounds, and is gone on with."""
    path = str(folder / "fit.ckpt")
    yield fit(data, rounds=4, tol=0.0, step=0.05, solver="gd", checkpoint=path, comm=comm, **options)
    comm.Barrier()
    yield lambda **more: fit(**{"resume": path, "rounds": 8, "comm": comm, **more})


@pytest.mark.ranks(1, 3, others=())
def test_other_vectors_are_not_those_of_the_checkpoint(comm: MPI.Intracomm, data: str, folder: Path) -> None:
    _, resumed = outcomes(comm, data, folder, penalty_factors="f", l2=0.5)
    assert resumed().record["rounds"] == 8
    with pytest.raises(InputError, match="--penalty-factors is f2, the checkpoint has f"):
        resumed(penalty_factors="f2", rounds=9)
    comm.Barrier()
    if comm.rank == 0:
        with h5py.File(data, "r+") as file:
            file["f"][1] = 0.25
    comm.Barrier()
    with pytest.raises(InputError, match="the vector of penalty factors of the data is not the checkpoint's"):
        resumed(rounds=9)


@pytest.mark.ranks(1, 3, others=())
def test_a_resume_does_not_read_the_model_again(comm: MPI.Intracomm, data: str, folder: Path, model: str) -> None:
    whole = fit(data, rounds=8, tol=0.0, step=0.05, solver="gd", init=model, comm=comm)
    first, resumed = outcomes(comm, data, folder, init=model)
    digest = first.record["init_sha256"]
    comm.Barrier()
    if comm.rank == 0:
        (Path(model) / "model.h5").unlink()
        assert read(folder / "fit.ckpt").init.tolist() == [1.0, -2.0, 0.5, 4.0]
    comm.Barrier()
    second = resumed()
    assert second.record["init_sha256"] == digest is not None
    assert second.coef.tobytes() == whole.coef.tobytes()
    with pytest.raises(InputError, match="--init is "):
        resumed(init=data)
    with pytest.raises(InputError, match="there is no file"):
        fit(data, init=model + "/model.h5", comm=comm)


@pytest.mark.ranks(2, others=())
def test_a_model_is_not_overwritten(comm: MPI.Intracomm, data: str, model: str) -> None:
    with pytest.raises(InputError, match="which this run reads"):
        fit(data, init=model, out=model, comm=comm)


@pytest.mark.ranks(2, others=())
def test_a_model_of_other_outputs(comm: MPI.Intracomm, data: str, model: str) -> None:
    with pytest.raises(InputError, match="is a model of 1 outputs, and this one has 3"):
        loaded(comm, data, init=model, mode=MODES[1])
