"""States come back from a vector of float64 to the same bits, whatever they are made of."""

from typing import NamedTuple

import numpy as np

from mpi_pgd.engine.state import dump, load


class Inner(NamedTuple):
    flags: np.ndarray
    scratch_inner: np.ndarray
    done: bool


class State(NamedTuple):
    matrix: np.ndarray
    counts: np.ndarray
    inner: Inner
    number: int
    step: float
    scratch: np.ndarray


def state(seed: int) -> State:
    g = np.random.default_rng(seed)
    inner = Inner(g.random(7) < 0.5, np.full(3, np.nan), bool(seed % 2))
    return State(g.normal(size=(3, 4)), g.integers(-(2**62), 2**62, (2, 2)), inner, 2**61 + seed, 0.1 * seed, np.zeros(9))


def test_matrices_whole_numbers_and_flags_come_back() -> None:
    one, like = state(3), state(8)
    kept = dump(one)
    assert (kept.dtype, len(kept)) == (np.float64, len(dump(like)))
    found = load(kept, like)
    assert found.matrix.tobytes() == one.matrix.tobytes()
    assert (found.counts.dtype, found.counts.tolist()) == (one.counts.dtype, one.counts.tolist())
    assert (found.inner.flags.dtype, found.inner.flags.tolist()) == (np.bool_, one.inner.flags.tolist())
    assert (found.number, found.step, found.inner.done) == (2**61 + 3, 0.1 * 3, True)
    assert [type(each) for each in (found.number, found.step, found.inner.done)] == [int, float, bool]
    assert dump(found).tobytes() == kept.tobytes()


def test_room_to_work_in_is_no_state() -> None:
    one = state(3)
    assert len(dump(one)) == 12 + 4 + 7 + 1 + 1 + 1
    found = load(dump(one), one)
    assert (found.scratch.shape, found.inner.scratch_inner.shape) == ((9,), (3,))
    assert found.scratch is not one.scratch
