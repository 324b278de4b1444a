"""How fast ranks are within rounds: as measured at the measured sizes, between the two nearest ones elsewhere."""

import math
from typing import Any

import pytest

from mpi_pgd.study.model import Model
from mpi_pgd.study.paces import Paces, harmonic
from tests.study.synthetic import record

SMALL, LARGE = 1 << 20, 1 << 26  # bytes of rows


def row(ranks: int, features: int, size: int, rate: float, update: float, late: float = 0.0) -> dict[str, Any]:
    seconds = size / rate
    found = {"ranks": ranks, "features": features, "bytes": size, "seconds": seconds, "update_seconds": update}
    return found | {"wait_seconds": (harmonic(ranks) - 1) * late * seconds}


ROWS = [
    row(1, 30, SMALL, 4e10, 2e-5),
    row(2, 30, SMALL, 2e10, 6e-5, 0.3),
    row(4, 30, SMALL, 1e10, 9e-5, 0.5),
    row(1, 200, LARGE, 2e10, 9e-5),
    row(2, 200, LARGE, 1.6e10, 9e-5, 0.1),
    row(4, 200, LARGE, 8e9, 9e-5, 0.1),
]
PACES = Paces.of({"bytes_per_second": 2e10, "paces": ROWS})


def test_what_was_measured_is_what_it_takes() -> None:
    assert [PACES.rate(30, size) for size in (SMALL, LARGE)] == pytest.approx([4e10, 2e10])
    assert PACES.rate(30, math.sqrt(SMALL * LARGE)) == pytest.approx(math.sqrt(8) * 1e10)
    assert [PACES.late(workers, SMALL) for workers in (2, 3, 4, 9)] == pytest.approx([0.3, 0.4, 0.5, 0.5])
    assert PACES.largest["bytes"] == LARGE


def test_rows_of_other_lengths_have_rates_of_their_own() -> None:
    lengths = [{"features": features, "bytes_per_second": rate} for features, rate in ((10, 5e9), (200, 1e10), (1000, 2.5e9))]
    found = Paces.of({"bytes_per_second": 2e10, "paces": ROWS, "lengths": lengths})
    assert [found.rate(features, LARGE) for features in (1, 10, 200, 1000, 5000)] == pytest.approx([1e10, 1e10, 2e10, 5e9, 5e9])
    as_measured = [found.rate(one["features"], one["bytes"]) for one in ROWS[::3]]
    assert as_measured == pytest.approx([4e10, 2e10])


def test_messages_slow_what_caches_hold_and_workers_what_they_do_not() -> None:
    """A server beside one worker sends messages, and takes none of the memory's bandwidth."""
    assert PACES.slower(1, SMALL) == PACES.slower(2, SMALL) == pytest.approx(2.0)
    assert [PACES.slower(workers, LARGE) for workers in (1, 2)] == pytest.approx([1.0, 1.25])
    assert [PACES.slower(8, size) for size in (1, SMALL, LARGE)] == pytest.approx([4.0, 4.0, 2.5])


def test_an_update_takes_longer_among_others() -> None:
    assert [PACES.update(workers, 3000) for workers in (1, 2, 3, 4, 8)] == pytest.approx([4e-5, 4e-5, 5.5e-5, 7e-5, 7e-5])


def test_others_that_are_faster_were_so_by_chance() -> None:
    found = Paces.of({"bytes_per_second": 1.0, "paces": [row(1, 30, SMALL, 1e10, 2e-5), row(2, 30, SMALL, 2e10, 1e-5)]})
    assert (found.slower(2, SMALL), found.update(2, 30)) == (1.0, 0.0)


def test_a_round_is_made_of_them() -> None:
    data = record(update_seconds=1e-5)
    data["compute"]["paces"] = ROWS
    model = Model.from_record(data)
    small, large = (model.round("peer-to-peer", "ring", 2, rows, 30) for rows in (2 * SMALL // 248, 2 * LARGE // 248))
    assert small.compute == pytest.approx(SMALL / 2e10, rel=0.05)
    assert small.wait == pytest.approx((harmonic(2) - 1) * 0.3 * small.compute, rel=0.05)
    assert small.update == pytest.approx(1e-5 + 4e-5)
    assert large.compute == pytest.approx(LARGE / 1.6e10, rel=0.05)
    alone = model.round("peer-to-peer", "ring", 1, SMALL // 248, 30)
    assert alone.compute == pytest.approx(SMALL / 4e10, rel=0.05)
    assert alone.update == 1e-5


def test_older_files_have_one_size() -> None:
    rates = [{"ranks": ranks, "bytes_per_second": rate} for ranks, rate in ((1, 2e10), (2, 1e10))]
    found = Paces.of({"bytes_per_second": 2e10, "at_work": rates, "jitter_seconds": 1e-3, "pass_seconds": 1e-2})
    for size in (SMALL, LARGE):
        assert (found.rate(30, size), found.slower(2, size)) == pytest.approx((2e10, 2.0))
        assert found.late(2, size) == pytest.approx(0.1)
    assert found.update(2, 30) == 0.0
