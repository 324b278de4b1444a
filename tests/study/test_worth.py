"""What ranks are worth beside the one rank, from rows that are made up."""

from typing import Any

import pytest

from mpi_pgd.study.worth import judged, karp_flatt

FIRST = {"seconds_per_round": 10.0, "low": 9.0, "high": 12.0}


def row(mode: str, ranks: int, seconds: float, rows: int = 100) -> dict[str, Any]:
    workers = ranks - (mode == "server" and ranks > 1)
    spread = {"low": seconds * 0.9, "high": seconds * 1.2}
    return {"mode": mode, "ranks": ranks, "workers": workers, "rows": rows, "seconds_per_round": seconds, **spread}


def test_every_mode_is_held_against_the_same_rank() -> None:
    found = judged([row("server", 1, 8.0), row("server", 4, 2.0), row("peers", 4, 2.0)], FIRST, 100)
    assert [one["speedup"] for one in found] == [1.25, 5.0, 5.0]
    assert [one["efficiency"] for one in found] == [1.25, 1.25, 1.25]
    assert [one["efficiency_workers"] for one in found] == [1.25, 5 / 3, 1.25]  # a server holds no rows


def test_the_baselines_spread_is_in_the_interval() -> None:
    (found,) = judged([row("peers", 4, 2.5)], FIRST, 100)
    assert [found[f"speedup{end}"] for end in ("_low", "", "_high")] == pytest.approx([9.0 / 3.0, 4.0, 12.0 / 2.25])


def test_with_more_rows_on_more_ranks_a_speedup_is_by_the_row() -> None:
    (found,) = judged([row("peers", 4, 10.0, rows=400)], FIRST, 100)
    assert (found["speedup"], found["efficiency"]) == (4.0, 1.0)


@pytest.mark.parametrize("serial", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("workers", [2, 64])
def test_karp_and_flatt_find_the_serial_fraction_of_amdahl(serial: float, workers: int) -> None:
    assert karp_flatt(1 / (serial + (1 - serial) / workers), workers) == pytest.approx(serial, abs=1e-14)
    assert karp_flatt(1.0, 1) is None


def test_no_serial_fraction_makes_a_program_slower_and_a_server_is_none() -> None:
    slower, ideal = judged([row("peers", 4, 11.0), row("server", 3, 5.0)], FIRST, 100)
    assert slower["karp_flatt"] is None
    assert ideal["karp_flatt"] == 0.0
