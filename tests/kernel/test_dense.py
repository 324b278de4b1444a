"""Dense rows: one pass gives the bits of the products, the loss and the sums one after the other, on every instruction set."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mpi_pgd.engine.arrays import Rows, aligned
from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.kernel import NAME, NUMPY, Vector
from mpi_pgd.losses import LOSSES, Loss
from mpi_pgd.options import made
from tests.losses import samples

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

TYPES = ["f8", "f4", "f2", "i1", "u1", "?", "i2", "u2", "i4", "u4", "i8", "u8"]
# Rows, features: so few that no loop over them is left, and more.
SHORT = [(64, 1), (61, 7), (17, 8), (9, 23), (33, 31), (40, 33), (19, 45), (24, 51), (34, 63)]
SHAPES = [*SHORT, (29, 64), (29, 131), (8, 200), (3, 299), (1, 130), (0, 5)]


@pytest.fixture(params=native.names())
def instructions(request: pytest.FixtureRequest) -> Iterator[str]:
    native.use(request.param)
    yield request.param
    native.use(native.names()[0])


class Apart:
    """A loss that is in the way of one pass over the rows."""

    compiled = None

    def __init__(self, loss: Loss) -> None:
        self.rooms, self.loss = loss.rooms, loss

    def __call__(self, *arrays: Vector) -> None:
        self.loss(*arrays)


def rows_of(kind: str, rows: int, features: int) -> Rows:
    """At the end of their memory, so that nothing behind them may be read unseen."""
    drawn = np.random.default_rng(rows).normal(scale=3.0, size=(rows, features))
    x = aligned((rows, features), kind)
    x[:] = drawn if kind[0] == "f" else np.abs(drawn) if kind[0] in "u?" else drawn.round()
    return x


def bits(task: GradientTask, block: Block, point: Vector) -> bytes:
    out = np.full(task.layout.width, np.nan)
    task.bind(point)(block, out)
    assert not np.isnan(out).any()
    return out.tobytes()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "options"), samples.CASES, ids=samples.IDS)
def test_one_pass_has_the_bits_of_several(name: str, options: dict[str, Any], weighted: bool, instructions: str) -> None:
    loss = made(LOSSES[name], type("Settings", (), options)) if options else LOSSES[name]()
    draw = np.random.default_rng(7)
    for rows, features in SHAPES:
        y, read = samples.targets(loss)
        y = np.tile(y, 2)[:rows]
        beside = (draw.random(rows), draw.normal(size=rows)) if weighted else (None, None)
        block = Block(rows_of("f8", rows, features), y, *beside)
        point = draw.normal(scale=0.3, size=read.outputs * (features + 1))
        tasks = [GradientTask(each, features, max(rows, 1), read.outputs) for each in (loss, Apart(loss))]  # type: ignore[arg-type]
        one, several = (bits(task, block, point) for task in tasks)
        assert one == several, (rows, features)


@pytest.mark.parametrize("targets", [3, 16, 17])  # as many as are added together, and one more
def test_several_targets(targets: int, instructions: str) -> None:
    draw = np.random.default_rng(5)
    for rows, features in SHAPES:
        block = Block(rows_of("f8", rows, features), draw.normal(size=(targets, rows + 4))[:, :rows])
        point = draw.normal(size=targets * (features + 1))
        losses = LOSSES["squared"](), Apart(LOSSES["squared"]())
        one, several = (bits(GradientTask(each, features, max(rows, 1), targets), block, point) for each in losses)  # type: ignore[arg-type]
        assert one == several, (rows, features)


@pytest.mark.parametrize("kind", TYPES)
def test_stored_types_have_the_bits_of_float64(kind: str, instructions: str) -> None:
    draw = np.random.default_rng(6)
    for rows, features in SHAPES:
        x, y = rows_of(kind, rows, features), draw.normal(size=rows)
        point, slopes = draw.normal(size=features + 1), draw.normal(size=rows)
        found = []
        for each in (x, x.astype(np.float64), np.repeat(x, 2, axis=0)[::2]):
            block, eta, back = Block(each, y), np.empty(rows), np.empty(features)
            block.dot(point[:-1], eta)
            block.tdot(slopes, back)
            found.append(
                (bits(GradientTask(LOSSES["squared"](), features, max(rows, 1)), block, point), eta.tobytes(), back.tobytes())
            )
        assert found[0] == found[1] == found[2], (rows, features)


def test_bfloat16(instructions: str) -> None:
    for rows, features in SHAPES:
        x = rows_of("f4", rows, features)
        short, y = (x.view(np.uint32) >> 16).astype(np.uint16), np.zeros(rows)
        whole = (short.astype(np.uint32) << 16).view(np.float32)
        w, found = np.random.default_rng(4).normal(size=features), np.empty((2, rows))
        native.Handle(short, y, None, None, "bfloat16").dot(w, found[0])
        native.Handle(whole, y, None, None).dot(w, found[1])
        assert found[0].tobytes() == found[1].tobytes()


def test_the_order_of_additions(instructions: str) -> None:
    """Eight lanes along a row, and the rows one after the other."""
    from tests.kernel.test_vectors import lanes

    for rows, features in SHAPES:
        x = rows_of("f8", rows, features)
        draw = np.random.default_rng(3)
        w, slopes, eta, gradient = draw.normal(size=features), draw.normal(size=rows), np.empty(rows), np.empty(features)
        block = Block(x, np.zeros(rows))
        block.dot(w, eta)
        block.tdot(slopes, gradient)
        assert eta.tolist() == [lanes(row * w) for row in x]
        expected = np.zeros(features)
        for row, slope in zip(x, slopes, strict=True):
            expected += row * slope
        assert gradient.tolist() == expected.tolist()


@pytest.mark.parametrize("order_free", [True, False])
def test_all_blocks_in_one_call(order_free: bool) -> None:
    """In a list, or one after the other in the same memory: the sums of block by block."""
    draw, features = np.random.default_rng(2), 23
    blocks = Blocks(Block(rows_of("f4", rows, features), draw.normal(size=rows)) for rows in (64, 64, 5))
    task = GradientTask(LOSSES["huber"](), features, 64)
    mapped = task.bind(draw.normal(size=features + 1))
    found = []
    for way in range(3):
        partial = Partial(task.layout.width, len(blocks), order_free)
        partial.peaks[:] = 1e4
        partial.rebound()
        partial.clear()
        if way == 2:
            for block in blocks:
                mapped(block, partial.slot(block.rows))
        else:
            partial.take(mapped, iter(blocks) if way else blocks.blocks(Query([task])))
        partial.close(False, False)
        assert partial.votes[0] == 133
        found.append(partial.buffer.tobytes() + partial.peaks.tobytes())
    assert len({*found}) == 1


def test_what_does_not_fit_is_refused() -> None:
    x, y, point = np.ones((8, 3)), np.ones(8), np.ones(4)
    rows, gradient = native.Handle(x, y, None, None), native.Gradient("squared", (), 3, 1, point)
    for bad in [(x.T, np.ones(3)), (x.astype(complex), y), (x, y[1:]), (y, y), (x, x)]:
        with pytest.raises((ValueError, TypeError)):
            native.Handle(*bad, None, None)
    for beside in [(y[:5], None), (None, y.astype("f4")), (None, y[::2])]:
        with pytest.raises((ValueError, TypeError)):
            native.Handle(x, y, *beside)
    with pytest.raises(ValueError, match="do not fit"):
        rows.dot(point, y)
    with pytest.raises(ValueError, match="do not fit"):
        rows.tdot(y, point)
    for wrong in [("cubic", (), 3, 1, point), ("squared", (), 4, 1, point), ("squared", (1.0,) * 5, 3, 1, point)]:
        with pytest.raises(ValueError, match=r"no loss|too few|up to four"):
            native.Gradient(*wrong)
    with pytest.raises(ValueError, match="not of the gradient's length"):
        gradient(Block(x, y), np.empty(4))
    with pytest.raises(ValueError, match="do not fit the point"):
        gradient(Block(np.ones((8, 4)), y), np.empty(5))
    with pytest.raises(AttributeError):
        gradient(x, np.empty(5))  # type: ignore[arg-type]
    vector, none = np.empty(5), np.empty(0)
    with pytest.raises(ValueError, match="not of one length"):
        gradient.over([], print, vector, vector, vector, vector[1:], vector, vector)
    with pytest.raises(ValueError, match="not of the gradient's length"):
        gradient.over([], print, none, vector, none, none, none, none)
