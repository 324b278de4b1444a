"""What the parallel rounds are held against does all of the work that it is said to do."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mpi_pgd.study import baselines

ROWS, FEATURES = 23, 3


@pytest.fixture
def shard(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Rows of one rank in two pieces of narrow numbers, of which five are a slab."""
    dice = np.random.default_rng(5)
    x, y = dice.normal(3, 1, (ROWS, FEATURES)).astype(np.float32), dice.normal(2, 1, ROWS)
    monkeypatch.setattr(baselines, "SLAB_BYTES", 5 * 8 * FEATURES)
    pieces = [(x[:9], y[:9]), (x[9:], y[9:])]
    return SimpleNamespace(pieces=pieces, table=SimpleNamespace(features=FEATURES), x=x.astype(np.float64), y=y)


def test_slabs_are_all_rows_in_turn_as_doubles(shard: Any) -> None:
    xs, ys = zip(*baselines._slabs(shard), strict=True)
    assert [len(y) for y in ys] == [5, 4, 5, 5, 4]
    assert {x.dtype for x in xs} == {np.dtype(np.float64)}
    assert np.concatenate(xs).tolist() == shard.x.tolist()
    assert np.concatenate(ys).tolist() == shard.y.tolist()


def test_the_closed_form_solves_the_normal_equations_with_the_intercept(shard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[Any] = []

    def lstsq(left: Any, right: Any, rcond: Any) -> Any:
        solved.extend((left.copy(), right.copy()))

    monkeypatch.setattr(np.linalg, "lstsq", lstsq)
    taken = baselines._closed_form(shard)
    assert taken is not None
    assert taken > 0
    whole = np.column_stack([shard.x, np.ones(ROWS)])
    np.testing.assert_allclose(solved[0], whole.T @ whole, rtol=1e-13)
    np.testing.assert_allclose(solved[1], whole.T @ shard.y, rtol=1e-13)


def test_nobody_waits_for_the_closed_form_of_very_many_features(shard: Any) -> None:
    shard.table.features = baselines.FEATURES + 1
    assert baselines._closed_form(shard) is None
