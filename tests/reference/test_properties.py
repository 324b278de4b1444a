"""What has to be the same, whatever the rows: each variant, distributed, against the plain form, by one rank."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mpi4py import MPI

from tests.reference.fits import fitted

pytestmark = pytest.mark.ranks(3, libraries=["mpich"])  # where hypothesis is

SAME = 1e-7  # weights, beside the largest: of two fits, each as near to the optimum as rounding lets it come
ROWS, FEATURES = 90, 4
NUMBERS = itertools.count()  # of files: the same on all ranks, which see the same examples

# All ranks have to see the same examples, and none may try others after a failure that is on some ranks alone.
alike = settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
seeds = st.integers(0, 10**6)
losses = st.sampled_from(["squared", "logistic", "poisson", "huber"])
penalties = st.sampled_from([{}, {"l2": 0.01}, {"l2": 1.0}, {"l1": 0.05}, {"l1": 0.02, "l2": 0.1}])
Penalties = dict[str, float]
modes = st.sampled_from(["client-server", "peer-to-peer"])


def drawn(seed: int, loss: str) -> dict[str, np.ndarray]:
    """Rows with an optimum, whatever the loss."""
    g = np.random.default_rng(seed)
    x = g.normal(size=(ROWS, FEATURES)) * g.uniform(0.3, 3, FEATURES) + g.normal(size=FEATURES)
    eta = (x - x.mean(axis=0)) / x.std(axis=0) @ g.uniform(-0.5, 0.5, FEATURES)
    noisy = {"logistic": eta + g.logistic(size=ROWS) > 0, "poisson": g.poisson(np.exp(eta + 1))}
    return {"X": x, "y": np.asarray(noisy.get(loss, 5 + eta + g.normal(size=ROWS)), float)}


def alone(comm: MPI.Intracomm, folder: Path, columns: dict[str, np.ndarray], **options: Any) -> np.ndarray:
    """Weights and intercept (p + 1,), by one rank."""
    found = None
    if comm.rank == 0:
        result = fitted(MPI.COMM_SELF, folder / f"alone{next(NUMBERS)}", columns, **options)
        found = np.append(result.coef, result.intercept)
    return comm.bcast(found)


def together(comm: MPI.Intracomm, folder: Path, columns: dict[str, np.ndarray], parts: int = 2, **options: Any) -> np.ndarray:
    """Likewise, by all ranks, of rows in so many files."""
    result = fitted(comm, folder / f"{next(NUMBERS)}together", columns, parts, **options)
    return np.append(result.coef, result.intercept)


def close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found == pytest.approx(expected, rel=SAME, abs=SAME * np.abs(expected).max())


@given(seed=seeds, loss=losses, penalty=penalties, mode=modes, parts=st.integers(1, 9))
@alike
def test_any_split_into_files_in_any_order(
    comm: MPI.Intracomm, folder: Path, seed: int, loss: str, penalty: Penalties, mode: str, parts: int
) -> None:
    rows = drawn(seed, loss)
    shards = np.array_split(np.arange(ROWS), parts)
    order = np.concatenate([shards[number] for number in np.random.default_rng(seed).permutation(parts)])
    options = {"loss": loss, **penalty}
    moved = {name: column[order] for name, column in rows.items()}
    close(together(comm, folder, moved, parts, mode=mode, **options), alone(comm, folder, rows, **options))


@given(seed=seeds, loss=losses, penalty=penalties, mode=modes)
@alike
def test_weights_are_repeated_rows(comm: MPI.Intracomm, folder: Path, seed: int, loss: str, penalty: Penalties, mode: str) -> None:
    """2 for a row given twice, 0 for one left out."""
    rows = drawn(seed, loss)
    weights = np.random.default_rng(seed).integers(0, 4, ROWS)
    repeated = {name: np.repeat(column, weights, axis=0) for name, column in rows.items()}
    options = {"loss": loss, **penalty}
    weighted = together(comm, folder, rows | {"w": weights.astype(float)}, weights="w", mode=mode, **options)
    close(weighted, alone(comm, folder, repeated, **options))


@given(seed=seeds, loss=losses, strength=st.sampled_from(["l1", "l2"]), mode=modes, scaled=st.booleans())
@alike
def test_standardizing_is_another_unit(
    comm: MPI.Intracomm, folder: Path, seed: int, loss: str, strength: str, mode: str, scaled: bool
) -> None:
    """Of the penalties alone: factors make up for it, and without penalties nothing has to."""
    rows, options = drawn(seed, loss), {"loss": loss, "mode": mode, "standardize": not scaled}
    size = rows["X"].std(axis=0) ** (1.0 if scaled else -1.0)
    factors = size**2 if strength == "l2" else size
    found = together(comm, folder, rows | {"f": factors}, penalty_factors="f", **options, **{strength: 0.05})
    close(found, alone(comm, folder, rows, loss=loss, standardize=scaled, **{strength: 0.05}))
    close(together(comm, folder, rows, **options), alone(comm, folder, rows, loss=loss, standardize=scaled))


@given(seed=seeds, loss=st.sampled_from(["squared", "huber"]), penalty=penalties, mode=modes)
@alike
def test_an_offset_is_a_shifted_target(
    comm: MPI.Intracomm, folder: Path, seed: int, loss: str, penalty: Penalties, mode: str
) -> None:
    rows = drawn(seed, loss)
    offset = np.random.default_rng(seed).normal(size=ROWS)
    shifted = rows | {"y": rows["y"] + offset, "o": offset}
    options = {"loss": loss, **penalty}
    close(together(comm, folder, shifted, offset="o", mode=mode, **options), alone(comm, folder, rows, **options))


@given(seed=seeds, penalty=penalties, mode=modes)
@alike
def test_an_exposure_is_an_offset(comm: MPI.Intracomm, folder: Path, seed: int, penalty: Penalties, mode: str) -> None:
    """Counts over times t are rates of weight t."""
    rows = drawn(seed, "poisson")
    times = np.random.default_rng(seed).uniform(0.5, 2, ROWS)
    times *= ROWS / times.sum()  # so that penalties are beside the same sum of weights
    rates = rows | {"y": rows["y"] / times, "w": times}
    counts = rows | {"o": np.log(times)}
    options = {"loss": "poisson", "standardize": False, **penalty}
    found = together(comm, folder, counts, offset="o", mode=mode, **options)
    close(found, alone(comm, folder, rates, weights="w", **options))


@given(seed=seeds, loss=losses, penalty=penalties, mode=modes, beyond=st.floats(1e-3, 1e3))
@alike
def test_bounds_that_do_not_bind_change_nothing(
    comm: MPI.Intracomm, folder: Path, seed: int, loss: str, penalty: Penalties, mode: str, beyond: float
) -> None:
    rows, options = drawn(seed, loss), {"loss": loss, **penalty}
    free = alone(comm, folder, rows, **options)
    lower, upper = float(free[:-1].min() - beyond), float(free[:-1].max() + beyond)
    close(together(comm, folder, rows, lower=lower, upper=upper, mode=mode, **options), free)


@given(seed=seeds, loss=losses, penalty=penalties, mode=modes)
@alike
def test_an_intercept_is_a_column_of_ones_without_penalty(
    comm: MPI.Intracomm, folder: Path, seed: int, loss: str, penalty: Penalties, mode: str
) -> None:
    rows, options = drawn(seed, loss), {"loss": loss, "standardize": False, **penalty}
    ones = {"X": np.column_stack([rows["X"], np.ones(ROWS)]), "y": rows["y"], "f": np.append(np.ones(FEATURES), 0.0)}
    found = together(comm, folder, ones, intercept=False, penalty_factors="f", mode=mode, **options)
    assert found[-1] == 0
    close(found[:-1], alone(comm, folder, rows, **options))
