"""The network study: what is measured is complete, plain, agreed on by all ranks, and enough for the model."""

import json
from typing import Any

import numpy as np
import pytest

from mpi_pgd.comm.graphs import GRAPHS, alike, graph
from mpi_pgd.modes import ALIKE
from mpi_pgd.study.model import Model

WAYS = {
    ("client-server", "library"),
    ("client-server", "linear"),
    ("peer-to-peer", "library"),
    ("peer-to-peer", "ring"),
    ("peer-to-peer", "recursive-doubling"),
    ("peer-to-peer", "rabenseifner"),
    ("hierarchical", "library"),
}
SIZES = [8, 4096]


def smallest(mode: str | None, ranks: int) -> int:
    """Bytes that are measured in place of 8: sums of peers have a number for each rank."""
    return 8 if mode in (None, "client-server", "gossip") else 8 * ranks


EXCHANGES = {("gossip", name) for name in GRAPHS}


def measured(comm: Any, **arguments: Any) -> dict[str, Any]:
    """What rank 0 has, which alone has something, and what the model makes of it. Collective."""
    from mpi_pgd.study.network.measure import measure

    found = measure(comm, **arguments)
    assert bool(found) == (comm.rank == 0)
    if found:
        model = Model.from_record(json.loads(json.dumps(found, allow_nan=False)))
        ways = [(mode, algorithm) for _, mode, algorithm in model.curves if (mode, algorithm) in ALIKE]
        found["predicted"] = {" ".join(way): model.round(*way, comm.size, 100_000, 50) for way in ways}
    return dict(comm.bcast(found))


# As many seconds as it needs: on a machine that is busy, sizes would be left out.
@pytest.mark.ranks(2, others=(3,))
def test_every_collective_is_measured_at_every_size(comm: Any) -> None:
    ranks = comm.size
    found = measured(comm, sizes=SIZES, repeats=2, quick=True, seconds=30)
    rows = {(row["mode"], row["algorithm"], row["ranks"], row["bytes"]) for row in found["rows"] if row["mode"]}
    counts = [2, 3][: ranks - 1]
    ways = {count: WAYS | {("gossip", name) for name, *_ in alike(count)} for count in counts}
    assert rows == {(*way, count, max(size, smallest(way[0], count))) for count in counts for way in ways[count] for size in SIZES}
    assert [row["bytes"] for row in found["rows"] if row["kind"] == "ping-pong"] == SIZES
    assert {row["link"] for row in found["rows"]} == {"node"}
    assert {row["wrong"] for row in found["rows"] + found["sums"]} == {0}
    for row in found["rows"]:  # what crosses the busiest link: of m ranks 2 (m - 1)/m times the bytes, or once there and once back
        times = 1 if not row["mode"] else 2 if row["mode"] == "client-server" else 2 * (row["ranks"] - 1) / row["ranks"]
        times = graph(row["algorithm"], row["ranks"]).degree if row["kind"] == "exchange" else times
        assert row["bus_bytes_per_second"] == pytest.approx(row["bytes"] / row["seconds"] * times)
    assert {(row["algorithm"], row["bytes"]) for row in found["sums"]} == {("library", 4096), ("linear", 4096)}
    assert list(found["nodes"].values()) == [ranks]
    assert set(found["predicted"]) == {" ".join(way) for way in WAYS}
    paces = {(row["ranks"], row["features"]) for row in found["compute"]["paces"]}
    assert paces == {(count, features) for count in (1, *counts) for features in (30, 3000, 200)}


@pytest.mark.ranks(3, others=())
def test_a_problems_own_rounds_are_measured_first_and_however_long_they_take(comm: Any) -> None:
    from mpi_pgd.study.network.compute import Size

    found = measured(comm, sizes=SIZES, quick=True, seconds=0.0, own=(560, 320), maps=[Size(7, 4096)], ranks=[3])
    assert {(row["ranks"], row["features"]) for row in found["compute"]["paces"]} == {(1, 7), (1, 200), (3, 7), (3, 200)}
    assert all(row["seconds"] > 0 and row["update_seconds"] > 0 for row in found["compute"]["paces"])
    rounds = {(row["mode"], row["algorithm"], row["ranks"], row["bytes"], row["broadcast"]) for row in found["rounds"]}
    assert rounds == {(*way, 3, 560, 320) for way in WAYS}
    assert {row["bytes"] for row in found["rows"]} >= {8, 24}


@pytest.mark.ranks(2, others=())
def test_rows_and_fits_hold_plain_numbers_that_belong_together(comm: Any) -> None:
    found = measured(comm, sizes=[8, 512, 4096], repeats=3, quick=True, seconds=30)
    for row in found["rows"]:
        assert 0 < row["low"] <= row["seconds"] <= row["high"]
        assert row["residual"] == pytest.approx(row["fitted_seconds"] / row["seconds"] - 1)
    assert {(fit["mode"], fit["algorithm"]) for fit in found["fits"]} == WAYS | EXCHANGES | {(None, "ping-pong")}
    for fit in found["fits"]:
        for term in ("alpha", "beta"):
            low, high = fit[f"{term}_low"], fit[f"{term}_high"]
            assert low is None or 0 <= low <= fit[term] <= high
    assert found["compute"]["together"]["ranks"] == 2
    assert 0 < found["compute"]["together"]["bytes_per_second"] <= found["compute"]["bytes_per_second"]


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("name", ["reduce", "broadcast", "allreduce"])
def test_a_number_that_comes_out_wrong_is_counted(comm: Any, name: str) -> None:
    from mpi_pgd.comm.collectives import LIBRARY
    from mpi_pgd.study.network.measure import PATTERN, _expected, _wrong

    right = LIBRARY[name](comm)

    def off(vector: Any) -> None:
        right(vector)
        if comm.rank == 0:
            vector[-2:] += 1.0

    for length in (2, len(PATTERN), 3 * len(PATTERN) + 2):
        vector = np.zeros(length)
        expected = _expected(comm, name)
        assert (_wrong(comm, expected, right, vector), _wrong(comm, expected, off, vector)) == (0, 2)
        assert not vector.any()


@pytest.mark.ranks(1, others=())
def test_one_rank_has_no_messages_but_a_rate(comm: Any) -> None:
    found = measured(comm, quick=True)
    assert found["rows"] == found["fits"] == []
    assert found["compute"]["bytes_per_second"] > 0


@pytest.mark.ranks(2, others=())
def test_without_time_only_the_smallest_size_is_measured(comm: Any) -> None:
    found = measured(comm, quick=True, seconds=0.0)
    assert {row["bytes"] for row in found["rows"]} == {8, 16}
    assert {(fit["mode"], fit["algorithm"]) for fit in found["fits"]} == WAYS | EXCHANGES | {(None, "ping-pong")}
