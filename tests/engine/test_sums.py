"""The order-free sums: exact equality however the blocks are shared out, and as accurate as the plain sum."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from mpi_pgd.engine import cut
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.partial import Partial, Vote
from mpi_pgd.engine.query import Again, Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Layout

WIDTH = 5
LONG = 23  # numbers that are long where ``short_runs`` says so


def blocks(count: int, seed: int = 0, width: int = WIDTH) -> np.ndarray:
    """Numbers of very different sizes whose sum nearly cancels."""
    generator = np.random.default_rng(seed)
    numbers = generator.standard_normal((count, width)) * 10.0 ** generator.integers(-9, 9, (count, 1))
    return np.concatenate([numbers, -numbers[::-1] * (1 + 1e-12)])


def reduced(
    numbers: np.ndarray, shares: list[np.ndarray], order_free: bool = True, folds: int = 2, behind: int = 0
) -> tuple[np.ndarray, Partial]:
    """What MPI does, by hand: the shares' partials are summed in the order given."""
    width = numbers.shape[1]
    partials = [Partial(width, len(numbers), order_free, folds=folds, behind=behind) for _ in shares]
    for turn in range(2):
        for partial, share in zip(partials, shares, strict=True):
            if turn:
                partial.expect(np.abs(numbers).max(axis=0))
                partial.rebound()
            partial.clear()
            for row in share:
                partial.slot(1)[:] = row
            partial.close(late=False, signalled=False)
    total, *others = (partial.buffer for partial in partials)
    for other in others:
        total += other
    return partials[0].total(np.empty(width)), partials[0]


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of ``LONG`` numbers are long."""
    for name, value in {"LONG": LONG, "RUN": 4}.items():
        monkeypatch.setattr(cut, name, value)


@pytest.mark.parametrize("ranks", [1, 2, 3, 7, 300])
def test_same_bits_for_any_sharing_and_order(ranks: int) -> None:
    numbers = blocks(97)
    expected, _ = reduced(numbers, [numbers])
    shuffled = np.random.default_rng(ranks).permutation(numbers)
    total, partial = reduced(numbers, np.array_split(shuffled, ranks))
    assert total.tobytes() == expected.tobytes()
    assert partial.votes[Vote.ROWS] == len(numbers)
    assert not partial.redo
    assert not partial.stale


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 300])
@pytest.mark.parametrize(("width", "folds"), [(WIDTH, 1), (LONG, 1), (LONG, 2)])
def test_same_bits_with_fewer_folds_and_fewer_bounds(ranks: int, width: int, folds: int) -> None:
    """Also where the bound has moved: other bits, but the same ones for all."""
    numbers = blocks(97, width=width)
    found = []
    for moved in (1.0, 5.0):
        whole = np.concatenate([numbers, moved * numbers[:1]])
        expected, _ = reduced(whole, [whole], folds=folds, behind=3)
        shuffled = np.random.default_rng(ranks).permutation(whole)
        total, partial = reduced(whole, np.array_split(shuffled, ranks), folds=folds, behind=3)
        assert total.tobytes() == expected.tobytes()
        assert partial.settle().tobytes() == expected.tobytes()
        assert not partial.redo
        found.append(expected)
    assert found[0].tobytes() != found[1].tobytes()


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize(("width", "folds"), [(WIDTH, 1), (LONG, 1), (LONG, 2)])
def test_what_the_sums_are_off_by(width: int, folds: int) -> None:
    """No more than is said; those that stand behind the others, and those of which two numbers are sent, by nothing."""
    numbers = np.random.default_rng(1).standard_normal((100, width))
    total, partial = reduced(numbers, [numbers[:50], numbers[50:]], folds=folds, behind=2)
    exact = np.array([math.fsum(column) for column in numbers.T])
    errors = partial.errors()
    assert (np.abs(total - exact) <= errors + 1e-15 * np.abs(exact)).all()
    assert (errors[:-4] > 0).all() == (folds == 1)
    assert errors[-2:].tolist() == [0.0, 0.0]
    assert errors.max() < 2.0**-30
    assert len(partial.buffer) == {(WIDTH, 1): 5 + 2, (LONG, 1): 20 + 2 * 3, (LONG, 2): 2 * LONG}[width, folds] + len(Vote)


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize("order_free", [True, False])
def test_a_long_vector_is_a_sum_of_its_blocks(order_free: bool) -> None:
    """Of none, of one that lies in the sums' memory, and of more; from round to round, and after it was moved."""
    partial = Partial(LONG, 4, order_free, folds=1)
    partial.peaks[:] = 4.0
    partial.rebound()
    for count in (2, 0, 1, 3):
        partial.clear()
        for number in range(count):
            partial.slot(1)[:] = np.arange(LONG) / 8 + number
        partial.close(late=False, signalled=False)
        partial.move(np.empty(len(partial.buffer)))
        expected = count * np.arange(LONG) / 8 + sum(range(count))
        assert partial.total(np.empty(LONG)).tolist() == [partial.one(place) for place in range(LONG)] == expected.tolist()
        assert partial.peaks.max() == (LONG / 8 - 0.125 + count - 1 if count and order_free else 0.0)


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize(("order_free", "folds"), [(True, 1), (True, 2), (False, 1)])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_long_vector_is_cut_as_it_is_sent(order_free: bool, folds: int, count: int) -> None:
    """Piece by piece it has the bits that it has at once, not before it is asked for, and votes with the last piece."""
    numbers = blocks(3, width=LONG)
    found = []
    for step in (1, 5, 2 * LONG):
        partial = Partial(LONG, 4, order_free, folds=folds, behind=2)
        partial.message[:] = 7.0  # of a round before
        partial.expect(np.abs(numbers).max(axis=0) / 64)  # too small: it is to be seen
        partial.rebound()
        partial.clear()
        for row in numbers[:count]:
            partial.slot(1)[:] = row
        partial.close(late=False, signalled=False)
        assert partial.votes[1:4].tolist() == [0, 0, 0]
        size, sent = len(partial.message), []
        for end in [*range(step, size, step), size]:
            partial.reach(end)
            sent.append(partial.message[len(np.concatenate([*sent, []])) : end].copy())
        assert np.array_equal(np.concatenate(sent), partial.buffer)
        found.append(partial.buffer.tobytes() + partial.peaks.tobytes())
        assert partial.redo == (order_free and count > 0)
    assert len(set(found)) == 1


@pytest.mark.usefixtures("short_runs")
def test_one_number_above_the_bound_of_its_run_is_seen() -> None:
    for place in (0, 9, LONG - 1):
        partial = Partial(LONG, 4, folds=1)
        partial.peaks[:] = 1.0
        partial.rebound()
        for size in (1.0, 100.0, math.nan):
            partial.clear()
            slot = partial.slot(1)
            slot[:] = 1.0
            slot[place] = size
            with np.errstate(invalid="ignore"):
                partial.close(late=False, signalled=False)
                partial.reach(len(partial.message))
            assert (partial.redo, bool(partial.votes[Vote.BROKEN])) == (size == 100.0, math.isnan(size))


def test_plain_sums_do_depend_on_the_order() -> None:
    # If they did not, the test above would prove nothing.
    numbers = blocks(97)
    totals = {reduced(numbers, np.array_split(numbers, ranks), order_free=False)[0].tobytes() for ranks in (1, 2, 3, 7)}
    assert len(totals) > 1


def test_within_an_ulp_of_the_largest_of_the_exact_sum() -> None:
    numbers = np.random.default_rng(1).standard_normal((1000, WIDTH))
    total, _ = reduced(numbers, [numbers])
    exact = [math.fsum(column) for column in numbers.T]
    np.testing.assert_array_max_ulp(total, np.array(exact), maxulp=1)


def test_as_pairs_nothing_is_rounded() -> None:
    numbers = np.random.default_rng(1).standard_normal((1000, WIDTH))
    _, partial = reduced(numbers, np.array_split(numbers, 3))
    pairs = partial.pair()
    assert pairs.high.tolist() == partial.total(np.empty(WIDTH)).tolist()
    for high, low, column in zip(pairs.high.tolist(), pairs.low.tolist(), numbers.T.tolist(), strict=True):
        assert Fraction(high) + Fraction(low) == sum(map(Fraction, column))


def test_a_low_half_that_was_0_by_chance_may_be_another_one() -> None:
    """It is bounded by its high half; else the round would have to be done again."""
    layout = Layout({"part": (2,), "other": (), "part_low": (2,)})
    partial = Partial(layout.width, 2, halves=layout.halves())
    partial.peaks[:] = [1.0, 0.0, 1.0, 0.0, 0.0]
    partial.rebound()
    for low, redo in (([2.0**-53, 0.0], False), ([0.0, 2.0**-53], True), ([2.0**-40, 0.0], True)):
        partial.clear()
        partial.slot(1)[:] = [1.0, 0.0, 1.0, *low]
        partial.close(late=False, signalled=False)
        assert partial.redo is redo


def test_without_a_bound_the_round_has_to_be_done_again() -> None:
    partial = Partial(WIDTH, 4)
    partial.clear()
    partial.slot(1)[:] = 1.0
    partial.close(late=False, signalled=False)
    assert partial.redo


def test_far_below_the_bound_it_is_exchanged() -> None:
    partial = Partial(WIDTH, 4)
    partial.peaks[:] = 1.0
    partial.rebound()
    for size, stale in ((1.0, False), (1e-2, False), (1e-4, True)):
        partial.clear()
        partial.slot(1)[:] = size
        partial.close(late=False, signalled=False)
        assert partial.stale is stale
        assert not partial.redo


@pytest.mark.parametrize("order_free", [True, False])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_voted_broken(order_free: bool, bad: float) -> None:
    partial = Partial(WIDTH, 4, order_free)
    partial.clear()
    partial.slot(1)[:] = [0, bad, 0, 0, 0]
    with np.errstate(invalid="ignore"):
        partial.close(late=False, signalled=False)
    assert partial.votes[Vote.BROKEN] == 1


def test_votes_are_counted() -> None:
    partial = Partial(WIDTH, 4)
    partial.clear()
    partial.close(late=True, signalled=True)
    assert partial.votes[Vote.LATE] == partial.votes[Vote.SIGNALLED] == 1
    assert partial.votes[Vote.NEAR] == partial.votes[Vote.EXCEEDED] == 0


class Wide:
    """A task of so many numbers; what is mapped is the test's business."""

    uneven = coarse = varies = False
    bound = units = None

    def __init__(self, width: int) -> None:
        self.layout, self.width = Layout({"all": (width,)}), 1


def answered(sums: Sums, query: Query, size: float | np.ndarray, exchanges: list[np.ndarray]) -> list[Partial]:
    """A round of one rank; gives the partial if it was judged."""
    judged: list[Partial] = []
    partial = sums.begin(query, lambda peaks: exchanges.append(peaks.copy()))
    partial.slot(1)[:] = size
    partial.close(late=False, signalled=False)
    sums.update(lambda partial, _: judged.append(partial), query)
    return judged


def test_tasks_in_turn_have_bounds_of_their_own() -> None:
    query = Query([Wide(2), Wide(3)])
    sums, exchanges = Sums(query, 1), []
    for number, size in ((0, 1e9), (1, 1e-9)):
        query.number = number
        assert answered(sums, query, size, exchanges) == []  # no bound yet: to be answered again
        (partial,) = answered(sums, query, size, exchanges)
        assert partial.total(np.empty(partial.width)).tolist() == [size] * partial.width
    assert [peaks.tolist() for peaks in exchanges] == [[1e9, 1e9, 0, 0, 0], [1e9, 1e9, 1e-9, 1e-9, 1e-9]]
    for number, size in ((0, 2e9), (1, 2e-9), (0, 1e9)):
        query.number = number
        assert answered(sums, query, size, exchanges)
    assert (len(exchanges), query.round) == (2, 7)


def test_a_smaller_answer_asks_for_another_bound() -> None:
    query = Query([Wide(1)])
    sums, exchanges = Sums(query, 1), []
    bounds = []
    for size in (1.0, 1.0, 1e-9, 1e-9):
        answered(sums, query, size, exchanges)
        bounds.append(query.bound)
    assert bounds == [1, 1, 2, 2]
    assert [peaks.tolist() for peaks in exchanges] == [[1.0], [1e-9]]


def test_an_exchange_is_of_the_last_answer_alone() -> None:
    """Others' bounds stay as they were exchanged, which is all that a fit that goes on has of them."""
    query = Query([Wide(1), Wide(1)])
    sums, exchanges = Sums(query, 1), []
    for number, size in ((0, 1.0), (0, 1.0), (0, 4.0), (1, 2.0), (1, 2.0)):
        query.number = number
        answered(sums, query, size, exchanges)
    assert [peaks.tolist() for peaks in exchanges] == [[1.0, 0.0], [1.0, 2.0]]
    assert sums.exchanged.tolist() == [1.0, 2.0]


def test_a_bound_that_was_exceeded_only_rises() -> None:
    """What passes 0 in one answer would exceed its bound in the next, and have each round made twice."""
    query = Query([Wide(2)])
    sums, exchanges = Sums(query, 1), []
    for some in ([1.0, 1e3], [1.0, 1e3], [64.0, 1.0], [64.0, 1.0], [1.0, 1e3], [-64.0, 1.0]):
        answered(sums, query, np.array(some), exchanges)
    assert [peaks.tolist() for peaks in exchanges] == [[1.0, 1e3], [64.0, 1e3]]
    assert (query.round, query.again) == (6, Again.NOT)


def test_the_bound_of_batches_never_falls() -> None:
    task = Wide(2)
    task.units = np.zeros(0, dtype=np.uint64)
    query = Query([task])
    sums, exchanges = Sums(query, 1), []
    for size in ([1.0, 0.0], [1.0, 0.0], [0.0, 1e-9], [0.0, 1e-9], [1e-9, 1e-9], [1.0, 1e-9]):
        answered(sums, query, np.array(size), exchanges)
    assert [peaks.tolist() for peaks in exchanges] == [[1.0, 0.0], [1.0, 1e-9]]
    assert (query.bound, query.round) == (2, 6)


class Valued(Wide):
    """One number of its answers is an objective."""

    def __init__(self, width: int) -> None:
        self.layout, self.width = Layout({"gradient": (width - 1,), "value": ()}), 1


@pytest.mark.usefixtures("short_runs")
def test_tasks_that_are_long_have_bounds_of_their_own_too() -> None:
    query = Query([Valued(LONG), Valued(LONG + 1)])
    sums, exchanges = Sums(query, 1, folds=1), []
    for number, size in ((0, 2.0**30), (1, 2.0**-30)):
        query.number = number
        assert answered(sums, query, size, exchanges) == []
        (partial,) = answered(sums, query, size, exchanges)
        assert partial.total(np.empty(partial.width)).tolist() == [size] * partial.width
    assert [peaks.tolist() for peaks in exchanges] == [[2.0**30] * 8 + [0.0] * 9, [2.0**30] * 8 + [2.0**-30] * 9]
    query.task.bound = np.arange(LONG + 1.0)
    fresh = Sums(query, 1, folds=1)
    query.bound = 0
    assert answered(fresh, query, 1.0, [])
    assert fresh.exchanged[8:].tolist() == [3.0, 7.0, 11.0, 15.0, 19.0, 20.0, 21.0, 22.0, 23.0]


@pytest.mark.parametrize("batches", [False, True])
def test_after_a_trial_that_went_too_far_no_digit_is_lost(batches: bool) -> None:
    """Also where another number is still near its bound, so that nobody calls for an exchange."""
    task = Valued(3)
    task.units = np.zeros(0, dtype=np.uint64) if batches else None
    query = Query([task, Valued(3)])
    sums, seen = Sums(query, 1), []
    sizes = [
        [1.0, 1.0, 1.0],
        [1.0, 1e60, 1e60],
        [1.0, 1e80, 1e80],
        [1.0, 0.3, 0.7],
        [1.0, 0.3, 0.7],
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
    ]
    for size in sizes:
        while not (judged := answered(sums, query, np.array(size), [])):
            pass
        seen.append(judged[0].total(np.empty(3)).tolist())
    assert seen == sizes
    assert query.round == len(sizes) + 5  # no bound yet, twice above it, twice far below it


def test_an_uneven_task_takes_it_anew_each_time() -> None:
    task = Wide(1)
    task.uneven = True
    query = Query([task])
    sums, exchanges = Sums(query, 1), []
    for _ in range(3):
        answered(sums, query, 1.0, exchanges)
    assert query.bound == 3
    plain = Sums(Query([task]), 1, order_free=False)
    assert answered(plain, Query([task]), 1.0, exchanges)


def test_blocks_that_a_call_for_many_maps_one_by_one_are_counted() -> None:
    def mapped(block: Block, out: Vector) -> None:
        out[:] = 1.0

    def over(blocks: list[Block], each: Callable[[Block], None], *_: Vector) -> int:
        for block in blocks[1:]:
            each(block)
        return blocks[0].rows

    mapped.over = over  # type: ignore[attr-defined]
    partial = Partial(WIDTH, 3)
    partial.take(mapped, [Block(np.zeros((rows, 2)), np.zeros(rows)) for rows in (4, 3, 2)])
    partial.close(False, False)
    assert partial.votes[Vote.ROWS] == 9
