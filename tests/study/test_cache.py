"""study cache: when memory pays, and what real rounds leave."""

import json
from pathlib import Path
from typing import Any

import pytest

from mpi_pgd.study.cache.measure import _pays
from tests.commands import command


@pytest.mark.parametrize(
    ("load", "other", "each", "expected"),
    [(3.0, 1.0, 1.5, 2), (3.0, 1.0, 0.75, 8), (1.0, 1.0, 0.6, 1), (1.0, 3.0, 0.5, 1), (3.0, 1.0, 0.5, None)],
)
def test_memory_pays_from_the_round_by_whose_end_it_took_no_longer(
    load: float, other: float, each: float, expected: int | None
) -> None:
    assert _pays({"load_seconds": load, "seconds_per_round": 0.5}, {"load_seconds": other}, each) == expected


@pytest.mark.ranks(2, others=())
def test_each_way_reads_what_it_does_not_keep(comm: Any, folder: Path) -> None:
    assert command(comm, "study", "cache", "--rounds", 3, "--memory", "10K", "--out", folder, "--quiet") == 0
    if comm.rank:
        return
    rows = json.loads((folder / "cache.json").read_text())["rows"]
    assert [(row["kept"], row["source"]) for row in rows] == [
        (kept, source) for source in ("page cache", "disk") for kept in ("memory", "some", "none")
    ]
    assert len({row["memory_bytes"] + row["streamed_bytes"] for row in rows}) == 1
    for row in rows:
        assert (row["streamed_bytes"] > 0) == (row["kept"] != "memory") == (row["input"] > 0)
        assert row["memory_bytes"] == 0 or row["kept"] != "none"
