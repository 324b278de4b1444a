"""Who waited for whom, and what was wire, from times that were noted."""

import numpy as np
import pytest

from mpi_pgd.observers.costs import (
    ARRIVE,
    BUSY,
    COMPUTE,
    END,
    PARTS,
    READ,
    STAMPS,
    START,
    UPDATE,
    UPDATED,
    WAIT,
    Costs,
    boundaries,
    others,
    split,
)

WIRE, CHANGE, INPUT = PARTS.index("wire"), PARTS.index("update"), PARTS.index("input")


def stamps(computes: np.ndarray, update: float = 0.5, wire: float = 1.0, server: bool = False) -> np.ndarray:
    """(ranks, rounds, 7) of rounds that all start together; with a server, rank 0 alone updates, after half of the wire."""
    found = np.zeros((*computes.shape, STAMPS))
    clock = 1.0
    for turn in range(computes.shape[1]):
        arrive = clock + computes[:, turn]
        begun = arrive.max() + (wire / 2 if server else wire)
        end = begun + update + (wire / 2 if server else 0.0)
        for rank in range(len(computes)):
            updates = rank == 0 or not server
            marks = (begun, begun + update) if updates else (0.0, 0.0)
            found[rank, turn] = (clock, arrive[rank], *marks, end, computes[rank, turn], 0.0)
        clock = end
    return found


@pytest.mark.parametrize("server", [False, True])
def test_the_parts_add_up_to_the_round(server: bool) -> None:
    times = stamps(np.random.default_rng(1).exponential(size=(5, 40)), server=server)
    parts = split(times)
    np.testing.assert_allclose(parts.sum(axis=-1), times[:, :, END] - times[:, :, START], rtol=1e-12)
    assert (parts >= 0).all()
    np.testing.assert_allclose(parts[:, :, CHANGE], 0.5)
    np.testing.assert_allclose(parts[:, :, WIRE], 1.0)


def test_a_rank_waits_for_the_slowest() -> None:
    parts = split(stamps(np.array([[1.0, 1.0], [3.0, 2.0], [2.0, 7.0]])))
    np.testing.assert_allclose(parts[:, :, WAIT], [[2.0, 6.0], [0.0, 5.0], [1.0, 0.0]])


def late(computes: np.ndarray, way: float = 4.0) -> np.ndarray:
    """(ranks, rounds, 7) with a server, and a long ``way`` from there to rank 2: its order comes late, and so does its answer."""
    found = np.zeros((*computes.shape, STAMPS))
    ways, clock = np.where(np.arange(len(computes)) == 2, way, 0.25), 1.0
    ways[0] = 0.0
    starts = clock + ways
    for turn in range(computes.shape[1]):
        arrive = starts + computes[:, turn]
        found[:, turn, START], found[:, turn, ARRIVE] = starts, arrive
        clock = float((arrive + ways).max())
        found[0, turn, UPDATE:END] = clock, clock + 0.5
        starts = clock + 0.5 + ways
        found[:, turn, END] = starts
    return found


def test_an_order_that_came_late_is_wire_and_makes_nobody_slow() -> None:
    computes = np.ones((4, 50))
    computes[0] = 0.0
    parts = split(late(computes))
    np.testing.assert_allclose(parts[0], [[0.0, 1.0, 8.0, 0.5, 0.0]] * 50, atol=1e-9)
    np.testing.assert_allclose(parts[1:], [[[1.0, 0.0, 8.0, 0.5, 0.0]] * 50] * 3, atol=1e-9)
    found = Costs(["n0", "n1", "n2", "n3"], 1, crowded=False, keep=0)
    found.add(late(computes))
    assert found.sentence() == ""
    assert [rank["waited_for"] for rank in found.record()["ranks"]][2:] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_delay_is_waited_for_also_behind_a_slow_link() -> None:
    computes = np.ones((4, 50))
    computes[0] = 0.0
    computes[2] += 3.0
    parts = split(late(computes))
    np.testing.assert_allclose(parts[:, :, COMPUTE] + parts[:, :, WAIT], 4.0)
    np.testing.assert_allclose(parts[:, :, WIRE], 8.0)


def test_parts_know_nothing_of_what_clocks_show() -> None:
    times = late(np.random.default_rng(8).exponential(size=(4, 30)))
    moved = np.where((times == 0.0) | (np.arange(STAMPS) >= BUSY), times, times + np.array([0.0, 1e5, -30.0, 7.0])[:, None, None])
    np.testing.assert_allclose(split(moved), split(times), atol=1e-9)


def test_nobody_waits_for_a_replica_that_came_too_late() -> None:
    times = stamps(np.array([[0.0] * 9, [1.0] * 9, [1.0] * 9]), server=True)
    times[2, :, ARRIVE] = times[0, :, UPDATED]
    np.testing.assert_allclose(split(times, skips=True)[0, :, WAIT], 1.0)
    np.testing.assert_allclose(split(times)[0, :, WAIT], 2.0)  # 1 of 0.5 wire, and the update


def test_rows_that_are_read_come_to_the_round() -> None:
    times = stamps(np.ones((2, 4)))
    times[:, 1:, [START, ARRIVE, UPDATE, UPDATED, END]] += np.arange(1, 4)[None, :, None] * 0.25
    times[:, 1:, READ] = 0.25
    parts = split(times)
    np.testing.assert_allclose(parts[:, :, INPUT], [[0.0, 0.25, 0.25, 0.25]] * 2)
    assert parts[0].sum() == pytest.approx(times[0, -1, END] - times[0, 0, START])
    np.testing.assert_allclose(boundaries(times)[:, 1:, 0], times[:, :-1, END])


def test_the_opening_round_can_be_left_out() -> None:
    times = stamps(np.ones((2, 10)))
    times[1, 0, START] -= 5.0  # long before the others
    found = Costs(["n", "n"], 0, crowded=False, keep=0)
    for window in np.split(times, 5, axis=1):
        found.add(window)
    assert sum(found.mean().values()) == pytest.approx(2.75)
    assert found.mean(opening=False) == pytest.approx({"compute": 1.0, "wait": 0.0, "wire": 1.0, "update": 0.5, "input": 0.0})
    one = costs(np.ones((2, 1)))
    assert one.mean(opening=False) == one.mean()


def test_rounds_that_are_not_like_the_others_can_be_left_out() -> None:
    times = stamps(np.ones((2, 9)))
    apart = np.isin(np.arange(9), (0, 3, 4, 8))
    times[:, apart, END] += 10.0  # of the wire
    found = Costs(["n", "n"], 0, crowded=False, keep=0)
    for place in range(0, 9, 3):
        found.add(times[:, place : place + 3], apart[place : place + 3])
    assert found.mean()["wire"] == pytest.approx(1.0 + 10.0 * 4 / 9)
    assert found.mean(opening=False) == pytest.approx({"compute": 1.0, "wait": 0.0, "wire": 1.0, "update": 0.5, "input": 0.0})
    alone = Costs(["n", "n"], 0, crowded=False, keep=0)
    alone.add(times[:, 3:5], apart[3:5])
    assert alone.mean(opening=False) == alone.mean()


def test_boundaries_are_in_order_and_end_with_the_round() -> None:
    times = stamps(np.random.default_rng(2).exponential(size=(4, 9)), server=True)
    marks, parts = boundaries(times), split(times)
    assert (np.diff(marks, axis=-1) >= -1e-12).all()
    np.testing.assert_array_equal(marks[:, :, -1], times[:, :, END])
    lengths = np.diff(marks, axis=-1)
    np.testing.assert_allclose(lengths[:, :, 3] + lengths[:, :, 5], parts[:, :, WIRE])
    np.testing.assert_allclose(marks[0, :, 4], times[0, :, UPDATE])
    np.testing.assert_allclose(marks[2, :, 5], times[0, :, UPDATED])


@pytest.mark.parametrize("workers", [2, 3, 4, 5, 8])
def test_others_leaves_out_the_rank_itself(workers: int) -> None:
    times = np.random.default_rng(3).integers(1, 5, size=(workers, 30)).astype(float)  # with ties
    expected = [np.median(np.delete(times, rank, axis=0), axis=0) for rank in range(workers)]
    np.testing.assert_array_equal(others(times), expected)


def costs(computes: np.ndarray, server: bool = False, windows: int = 1) -> Costs:
    found = Costs([f"n{rank // 2}" for rank in range(len(computes))], int(server), crowded=False, keep=0)
    for window in np.split(stamps(computes, server=server), windows, axis=1):
        found.add(window)
    return found


def test_the_straggler_is_named_with_its_factor() -> None:
    computes = np.full((4, 100), 1.0)
    computes[2] *= 3
    computes[0] = 0.01  # the server
    found = costs(computes, server=True, windows=4)
    assert "rank 2 on node n1 was 3.0 times slower than the median of the other workers in 100% of the rounds" in found.sentence()
    record = found.record()
    assert [one["slowdown"] for one in record["ranks"]] == [None, pytest.approx(1 / 2), pytest.approx(3), pytest.approx(1 / 2)]
    assert [one["slowest_rounds"] for one in record["ranks"]] == [0, 0, 100, 0]
    assert record["ranks"][2]["waited_for"] == pytest.approx(100 * (2 + 2 + 2.99))
    assert sum(record["slowdowns"]["counts"]) == 100


def test_a_rank_that_fails_slow_is_named_for_the_rounds_in_which_it_was_slow() -> None:
    computes = np.full((4, 100), 1.0)
    computes[3, 40:] *= 10
    assert "rank 3 on node n1 was 10.0 times slower than the median of the other workers in 60% of" in costs(computes).sentence()


def test_on_crowded_cores_the_processor_tells_who_is_slow() -> None:
    computes = np.array([[9.0], [3.0], [6.0]]).repeat(50, axis=1)  # rank 0 was in the others' way of the core, or they in its
    times = stamps(computes)
    times[:, :, BUSY] = [[1.0], [1.0], [3.0]]
    found = Costs(["n"] * 3, 0, crowded=True, keep=0)
    found.add(times)
    assert "rank 2 on node n was 3.0 times slower" in found.sentence()
    assert "by processor time, as ranks outnumber cores" in found.sentence()


def test_nobody_is_named_where_all_are_alike() -> None:
    assert costs(np.random.default_rng(4).exponential(size=(6, 400))).sentence() == ""
    assert costs(np.ones((1, 10))).sentence() == ""


def test_windows_add_up() -> None:
    computes = np.random.default_rng(5).exponential(size=(3, 60))
    one, six = costs(computes).record(), costs(computes, windows=6).record()
    for ours, theirs in zip(one["ranks"], six["ranks"], strict=True):
        assert ours["slowest_rounds"] == theirs["slowest_rounds"]
        for part in (*PARTS, "waited_for"):
            assert ours[part] == pytest.approx(theirs[part])
    assert six["rounds"] == 60
    assert max(turn["round"] for turn in six["timeline"]) == 59
    assert split(stamps(computes))[:, :, COMPUTE].mean(axis=1) == pytest.approx([rank["compute"] for rank in six["ranks"]])


def test_only_the_rounds_that_are_wanted_are_kept() -> None:
    found = Costs(["n", "n"], 0, crowded=False, keep=25)
    for window in np.split(stamps(np.ones((2, 100))), 10, axis=1):
        found.add(window)
    first, marks = found.kept(100)
    assert (first, marks.shape[1]) == (70, 30)
    assert found.kept(25)[0] == 75
