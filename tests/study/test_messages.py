"""Messages that libraries ask about first: found in ping-pongs, and what collectives are made of."""

from typing import Any

import numpy as np
import pytest

from mpi_pgd.study.messages import Messages, message
from mpi_pgd.study.model import Model
from mpi_pgd.study.pieces import SHAPES, fitted
from tests.study.synthetic import ALPHA, BETA, OVERHEAD, record

ASKED = 64 << 10  # bytes from which a message takes three latencies
SIZES = [8 * 4**power for power in range(7)] + [64 << 10, 128 << 10, 512 << 10, 2 << 20]
DRAWS = 30
OWN = [("client-server", "linear"), ("peer-to-peer", "ring"), ("peer-to-peer", "recursive-doubling")]


def taken(way: tuple[str | None, str], ranks: int, size: int) -> float:
    path = SHAPES[way][0](ranks, size, size)
    one = min(size, path.bytes / (path.latencies + path.behind))
    return (ALPHA * path.latencies + OVERHEAD * path.behind) * (3 if one >= ASKED else 1) + BETA * path.bytes


def asking(sizes: list[int], collectives: list[int]) -> dict[str, Any]:
    """A network record of a library that asks, with the ways that have the same messages all along."""
    data, rows = record(), []
    for way in [(None, "ping-pong"), *OWN]:
        for ranks in (2, 4) if way[0] else (2,):
            for size in collectives if way[0] else sizes:
                row = {"kind": "collective" if way[0] else "ping-pong", "link": "network", "mode": way[0], "algorithm": way[1]}
                rows.append(row | {"ranks": ranks, "bytes": size, "seconds": taken(way, ranks, size)})
    return fitted({**data, "rows": rows, "sums": []})


def test_a_step_in_the_ping_pongs_is_not_in_alpha() -> None:
    for alpha in (ALPHA, ALPHA / 10):
        rows = [{"bytes": size, "seconds": alpha * (3 if size >= ASKED else 1) + BETA * size} for size in SIZES]
        found = message(rows)
        assert found.values == pytest.approx([alpha, 0.0, BETA], rel=0.01)
        straight = message([{**row, "seconds": alpha + BETA * row["bytes"]} for row in rows])
        assert straight.values == pytest.approx([alpha, 0.0, BETA], rel=1e-6)


@pytest.mark.parametrize("times", [1, 3])
def test_alpha_and_beta_are_within_their_intervals_whether_a_library_asks_or_not(times: int) -> None:
    draw, inside = np.random.default_rng(0), np.zeros(2)
    for _ in range(DRAWS):
        noise = np.exp(0.05 * draw.standard_normal(len(SIZES)))
        seconds = [ALPHA * (times if size >= ASKED else 1) + BETA * size for size in SIZES] * noise
        found = message([{"bytes": size, "seconds": each} for size, each in zip(SIZES, seconds, strict=True)])
        inside += [found.low[term] <= true <= found.high[term] for term, true in ((0, ALPHA), (2, BETA))]
    assert inside.min() >= 0.85 * DRAWS  # 0.95, less what chance does to so few


@pytest.mark.parametrize("collectives", [[8, 2 << 20], [8, 32 << 10]])
@pytest.mark.parametrize("way", OWN)
def test_collectives_take_the_step_where_their_messages_have_the_size(way: tuple[str, str], collectives: list[int]) -> None:
    """Though they were measured at two sizes, of which one or none is beyond the step."""
    model = Model.from_record(asking(SIZES, collectives))
    for ranks in (2, 3, 4, 8):
        for size in (800, 16 << 10, 60 << 10, 70 << 10, 200 << 10, 1 << 20):
            found = model.curve(*way, ranks, 1).wire(ranks, size, size)
            assert found.seconds == pytest.approx(taken(way, ranks, size), rel=0.15), (ranks, size)


def test_between_sizes_that_are_twice_apart_the_step_is_at_the_larger() -> None:
    rows = [{"bytes": size, "seconds": ALPHA * (3 if size >= ASKED else 1)} for size in SIZES]
    found, path = Messages.of(ALPHA, 0.0, rows), SHAPES[None, "ping-pong"][0]
    for size in (33 << 10, 48 << 10, ASKED - 8):
        assert found.off(path(2, size, 0), size) == pytest.approx(1.0)
        assert found.unsure(path(2, size, 0), size) == pytest.approx(np.log(3))
    assert found.off(path(2, ASKED, 0), ASKED) == pytest.approx(3.0)
    assert found.off(path(2, 300_000, 0), 300_000) == pytest.approx(3.0)


def test_a_file_that_has_no_ping_pongs_or_nothing_of_them_says_nothing_of_steps() -> None:
    bare, nothing = record(), record()
    bare["rows"] = [row for row in bare["rows"] if row["mode"]]
    for entry in nothing["fits"]:
        entry |= {"alpha": 0.0, "beta": 0.0} if entry["mode"] is None else {}
    for data in (bare, nothing):
        found = Model.from_record(data).curve("peer-to-peer", "ring", 4, 1).wire(4, 8000, 8000)
        assert found.seconds == pytest.approx(taken(("peer-to-peer", "ring"), 4, 8000), rel=0.01)
