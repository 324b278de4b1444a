"""The cost model: on exact points it gives the formulas back, its parts add up, and more of anything never takes less."""

import json
import math

import pytest

from mpi_pgd.comm.graphs import GRAPHS
from mpi_pgd.data.partition import Partition
from mpi_pgd.engine.cut import LONG
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.errors import InputError
from mpi_pgd.losses.squared import Squared
from mpi_pgd.modes import gossip
from mpi_pgd.study.model import Model, Prediction, harmonic, messages, sizes
from mpi_pgd.study.pieces import SHAPES, admitted, fitted
from tests.study.synthetic import ALPHA, BETA, OVERHEAD, SIZES, record, seconds

WAYS = [way for way in SHAPES if way[0]]
GOSSIP = gossip.FACTS.name


def wire(found: Prediction) -> float:
    return found.latency + found.bandwidth


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.from_record(json.loads(json.dumps(record())))


@pytest.mark.parametrize("folds", [0, 1, 2])
@pytest.mark.parametrize("features", [9, 200, LONG + 5])
def test_the_messages_have_the_sizes_of_the_real_ones(features: int, folds: int) -> None:
    task = GradientTask(Squared(), features, 1)
    query = Query([task])
    assert sizes(features, folds) == (Sums(query, 100, folds > 0, folds=folds).bytes, query.buffer.nbytes)


@pytest.mark.parametrize("way", WAYS)
def test_the_fit_finds_alpha_and_beta(way: tuple[str, str]) -> None:
    entry = next(entry for entry in record()["fits"] if (entry["mode"], entry["algorithm"]) == way)
    assert entry["form"] == SHAPES[way][0].name
    assert entry["alpha"] == pytest.approx(ALPHA, rel=1e-6)
    assert entry["beta"] == pytest.approx(BETA, rel=1e-6)
    path = SHAPES[way][0](4 if way[0] == GOSSIP else 3, 8, 8)
    assert entry["overhead"] == pytest.approx(OVERHEAD if path.behind else 0, rel=1e-6)
    assert entry["rms_residual"] < 1e-9


@pytest.mark.parametrize("features", [10, 20_000, 1_000_000])
@pytest.mark.parametrize("ranks", [2, 3, 4, 16, 100])
@pytest.mark.parametrize("way", [way for way in WAYS if way != ("client-server", "library")])
def test_other_sizes_and_ranks_are_predicted_by_the_formula(model: Model, way: tuple[str, str], ranks: int, features: int) -> None:
    if not admitted({"mode": way[0], "algorithm": way[1], "ranks": ranks}):
        return
    found = model.round(*way, ranks, 10_000, features)
    assert wire(found) == pytest.approx(seconds(SHAPES[way][0], ranks, *messages(way[0], features)), rel=0.12)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_measured_is_predicted_as_measured(model: Model, way: tuple[str, str]) -> None:
    for row in record()["rows"]:
        if (row["mode"], row["algorithm"]) == way and row["ranks"] != 3:
            curve = model.curve(*way, row["ranks"], 1)
            assert curve.wire(row["ranks"], row["bytes"], row["bytes"]).seconds == pytest.approx(row["seconds"], rel=1e-6)


def test_a_deviation_at_the_measured_points_is_carried_to_those_between() -> None:
    bent = record()
    for row in bent["rows"]:
        row["seconds"] *= 1.3 if row["bytes"] > 1e5 and row["algorithm"] == "ring" else 1.0
    straight, curved = Model.from_record(record()), Model.from_record(bent)
    for ranks in (2, 3, 4):
        before, after = (wire(one.round("peer-to-peer", "ring", ranks, 1000, 50_000)) for one in (straight, curved))
        assert after == pytest.approx(1.3 * before, rel=1e-6)


def test_one_point_in_disorder_is_not_carried_to_larger_sizes() -> None:
    bent = record()
    for row in bent["rows"]:
        row["seconds"] *= 4.0 if row["bytes"] == SIZES[-1] and row["algorithm"] == "ring" and row["ranks"] == 4 else 1.0
    straight, curved = Model.from_record(record()), Model.from_record(fitted(bent))
    before, after = (wire(one.round("peer-to-peer", "ring", 4, 1000, 10_000_000)) for one in (straight, curved))
    assert after == pytest.approx(before, rel=0.01)


@pytest.mark.parametrize(("counts", "more"), [((2,), ()), ((2, 3, 4), (8, 16))])
def test_a_library_that_changes_its_way_is_fitted_in_pieces(counts: tuple[int, ...], more: tuple[int, ...]) -> None:
    """Recursive doubling for short vectors, a ring for long ones. With two ranks, they are too alike for more than was measured."""
    ways = [SHAPES["peer-to-peer", name][0] for name in ("recursive-doubling", "ring")]

    def taken(ranks: int, size: int) -> float:
        return seconds(ways[size > 10_000], ranks, size, size)

    data = record(counts=counts)
    for row in data["rows"]:
        if (row["mode"], row["algorithm"]) == ("peer-to-peer", "library"):
            row["seconds"] = taken(row["ranks"], row["bytes"])
    model = Model.from_record(fitted(data))
    for ranks in (*counts, *more):
        for features in (30, 100, 20_000, 1_000_000):
            found, size = model.round("peer-to-peer", "library", ranks, 1000, features), sizes(features)[0]
            assert wire(found) == pytest.approx(taken(ranks, size), rel=0.1)
            assert found.extrapolated == (ranks > counts[-1] or size > SIZES[-1])


def test_one_size_is_enough_to_tell_another_way_by() -> None:
    """As with MPICH, whose sums of 8 bytes take half the latencies of all others; two ranks, of which little was measured."""
    data = record(counts=(2,))
    ways = [SHAPES["peer-to-peer", name][0] for name in ("recursive-doubling", "rabenseifner")]
    rows = [row for row in data["rows"] if (row["mode"], row["algorithm"]) == ("peer-to-peer", "library")]
    for row in rows:
        row["seconds"] = seconds(ways[row["bytes"] > 8], 2, row["bytes"], row["bytes"])
    data["rows"] = [row for row in data["rows"] if row not in rows[2:]]
    model = Model.from_record(fitted(data))
    for size in (64, 8_000, 80_000):
        found = model.curve("peer-to-peer", "library", 2, 1).wire(2, size, size)
        assert found.seconds == pytest.approx(seconds(ways[1], 2, size, size), rel=0.1)


def test_between_two_sizes_that_are_far_apart_the_interval_reaches_both() -> None:
    bent = record()
    for row in bent["rows"]:
        row["seconds"] *= 3.0 if row["bytes"] > 1e5 and row["algorithm"] == "ring" else 1.0
    model, plain = Model.from_record(bent), Model.from_record(record())
    for size in (SIZES[4] + 8, 100_000, SIZES[5] - 8):
        curves = [each.curve("peer-to-peer", "ring", 4, 1).wire(4, size, size) for each in (model, plain)]
        low, high = (curves[0].seconds * math.exp(sign * curves[0].spread) for sign in (-1, 1))
        assert high / low >= 2.9
        assert low <= 1.8 * curves[1].seconds  # of once and three times, the middle is 1.7
        assert high >= 1.7 * curves[1].seconds
    assert model.curve("peer-to-peer", "ring", 4, 1).wire(4, SIZES[3], SIZES[3]).spread < 0.1


def test_a_round_that_was_measured_itself_is_predicted_as_measured() -> None:
    data = record()
    partial, order = sizes(300)
    for mode, algorithm in (("peer-to-peer", "ring"), ("client-server", "linear")):
        row = {"link": "network", "mode": mode, "algorithm": algorithm, "ranks": 4, "bytes": partial, "broadcast": order}
        data.setdefault("rounds", []).append(row | {"seconds": 0.5, "low": 0.4, "high": 0.6})
        model = Model.from_record(data)
        assert wire(model.round(mode, algorithm, 4, 1000, 300)) == pytest.approx(0.5)
        assert wire(model.round(mode, algorithm, 4, 1000, 301)) < 0.1


@pytest.mark.parametrize("way", WAYS)
def test_the_parts_add_up(model: Model, way: tuple[str, str]) -> None:
    found = model.round(*way, 8, 1_000_000, 200)
    assert found.total == pytest.approx(found.compute + found.wait + found.latency + found.bandwidth + found.update)
    assert all(part >= 0 for part in found)
    assert found.low <= found.total <= found.high


@pytest.mark.parametrize("way", WAYS)
def test_more_bytes_never_take_less(model: Model, way: tuple[str, str]) -> None:
    wires = [wire(model.round(*way, 4, 1000, features)) for features in (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)]
    assert wires == sorted(wires)


def test_the_linear_servers_bytes_grow_with_the_workers_and_the_rings_do_not(model: Model) -> None:
    linear = [model.round("client-server", "linear", ranks, 1000, 100_000).bandwidth for ranks in (2, 5, 9)]
    assert linear[1] == pytest.approx(4 * linear[0], rel=1e-6)
    assert linear[2] == pytest.approx(8 * linear[0], rel=1e-6)
    ring = [model.round("peer-to-peer", "ring", ranks, 1000, 100_000).bandwidth for ranks in (2, 1000)]
    assert ring[1] < 2 * ring[0]


def test_one_rank_computes_and_updates_only(model: Model) -> None:
    for mode in ("client-server", "peer-to-peer"):
        found = model.round(mode, "library", 1, 1_000_000, 200)
        assert found.compute == pytest.approx(1_000_000 * 8 * 201 / 1e10)
        assert (found.wait, found.latency, found.bandwidth) == (0, 0, 0)


@pytest.mark.parametrize("workers", [1, 3, 7, 31, 4096])
def test_the_worker_with_the_most_blocks_decides(model: Model, workers: int) -> None:
    partition = Partition(100_000, 50)
    most = max(len(partition.span(partition.shard(worker, workers))) for worker in range(workers))
    assert model.seconds(workers, 100_000, 50, seconds_per_row=1.0) == most


def test_with_a_server_one_rank_less_computes(model: Model) -> None:
    served, peers = model.round("client-server", "library", 5, 100_000, 50), model.round("peer-to-peer", "library", 4, 100_000, 50)
    assert served.compute == peers.compute


def test_a_graph_is_known_by_another_that_is_the_same_one() -> None:
    """Three ranks are all neighbours on a ring: so it is timed once, and told of whatever name."""
    data = record()
    data["rows"] = [row for row in data["rows"] if row["mode"] != GOSSIP or row["algorithm"] == "ring"]
    model = Model.from_record(fitted(data))
    for name in ("complete", "exponential", "torus"):
        assert model.curve(GOSSIP, name, 3, 1).wire(3, 8, 8) == model.curve(GOSSIP, "ring", 3, 1).wire(3, 8, 8)
    assert model.curve(GOSSIP, "complete", 4, 1).wire(4, 8, 8).extrapolated


def test_older_files_price_an_exchange_as_messages_between_two_ranks() -> None:
    data = record()
    data["fits"] = [entry for entry in data["fits"] if entry["mode"] != GOSSIP]
    data["rows"] = [row for row in data["rows"] if row["mode"] != GOSSIP]
    model = Model.from_record(data)
    for name in GRAPHS:
        curve = model.curve(GOSSIP, name, 16, 1)
        assert curve.priced
        assert curve.wire(16, 800, 0).seconds == pytest.approx(seconds(curve.pieces[0].shape, 16, 800, 0), rel=1e-6)


def test_a_measured_baseline_replaces_the_rate(model: Model) -> None:
    found = model.round("peer-to-peer", "ring", 2, 100_000, 50, seconds_per_row=1e-6)
    assert found.compute == pytest.approx(1e-6 * 50_000, rel=0.05)


def test_ranks_of_a_node_share_its_memory_and_then_its_cores() -> None:
    model = Model.from_record(record("node", bytes_per_second=2e10))  # four ranks at once: 1e10 each
    assert [model.crowding(busy) for busy in (1, 4, 8)] == pytest.approx([1, 2, 4])


def test_the_slowest_of_m_is_waited_for(model: Model) -> None:
    assert harmonic(4) == pytest.approx(1 + 1 / 2 + 1 / 3 + 1 / 4)
    assert model.round("peer-to-peer", "ring", 4, 1000, 10, wait=0.1).wait == pytest.approx(0.1 * harmonic(4))
    noisy = Model.from_record(record(jitter_seconds=1e-3, pass_seconds=1e-2))
    found = noisy.round("peer-to-peer", "ring", 4, 1_000_000, 200)
    assert found.wait == pytest.approx((harmonic(4) - 1) * 1e-3 * math.sqrt(found.compute / 1e-2))
    short = noisy.round("peer-to-peer", "ring", 4, 10_000, 200)
    assert short.wait == pytest.approx((harmonic(4) - 1) * 1e-3 * short.compute / 1e-2)


def test_a_collective_measured_at_one_size_takes_the_links_bytes_per_second() -> None:
    few = record()
    few["rows"] = [row for row in few["rows"] if row["mode"] is None or row["bytes"] == 8]
    model = Model.from_record(fitted(few))
    assert model.round("peer-to-peer", "ring", 4, 1000, 1_000_000).bandwidth == pytest.approx(BETA * 1.5 * 8 * 2_000_010, rel=0.01)


def test_sizes_that_are_alike_tell_no_beta() -> None:
    """Though times differ: it is that of what was measured with others."""
    data = record()
    few = [{**row, "seconds": row["seconds"] * (1 + row["ranks"] / 50)} for row in data["rows"] if row["bytes"] == SIZES[0]]
    wide = [row for row in data["rows"] if row["algorithm"] == "recursive-doubling" and row["bytes"] > SIZES[0]]
    found = {entry["algorithm"]: entry for entry in fitted({**data, "rows": few + wide})["fits"]}
    for entry in found.values():
        assert entry["beta"] == pytest.approx(BETA, rel=0.1)
    assert (found["ring"]["beta_low"], found["ping-pong"]["beta_low"]) == (None, None)


def test_a_kind_of_message_that_was_not_measured_can_not_be_predicted() -> None:
    bare = record(counts=())
    model = Model.from_record(bare)
    assert wire(model.round("peer-to-peer", "ring", 1, 1000, 10)) == 0
    with pytest.raises(InputError, match="peer-to-peer with ring"):
        model.round("peer-to-peer", "ring", 2, 1000, 10)
