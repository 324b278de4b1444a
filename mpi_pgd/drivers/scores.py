"""How good a model is on some rows: sums that have no order, then counts, each made in a pass over the blocks."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd import kernel
from mpi_pgd.drivers.predictor import Predictor
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import BlockMap, Layout

Counts = NDArray[np.int64]
RANGES = ("predicted", "target", "residual")  # whose largest and least are noted


class Bins(NamedTuple):
    """Cells of one width; what lies beyond them is in the first or the last."""

    low: float
    high: float
    number: int

    def places(self, values: Vector) -> NDArray[np.intp]:
        """The cell of each value."""
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.floor((values - self.low) * (self.number / (self.high - self.low)))
        return np.asarray(np.clip(np.nan_to_num(found), 0, self.number - 1), dtype=np.intp)


def losses(model: Predictor, y: Vector, eta: Vector) -> Vector:
    """Each row's loss, (rows,), of linear predictors (k, rows), which stay as they are."""
    value, room = np.empty(eta.shape[1]), np.empty((model.loss.rooms, eta.shape[1]))
    model.loss(y, (eta if len(eta) > 1 else eta[0]).copy(), value, room)
    return value


def weights_of(block: Block) -> Vector:
    """Of its rows, (rows,)."""
    return np.ones(block.rows) if block.weights is None else block.weights


class ScoreTask:
    """Sums of what tells how good predictions are, of all rows as their weights say.

    ``weight``, ``loss``, ``floor`` and ``offset`` of any model. Where means are predicted ``target``, ``residual``, ``squares``
    and ``sizes`` of the residuals, ``predicted`` and its ``spread``, each (k,). Of classes ``shares`` (classes,), those that are
    ``right``, and the ``brier`` score, where there are probabilities.

    Attributes:
        extremes: (6,) the largest of what ``RANGES`` names, of all targets, and of their negatives.
    """

    uneven = coarse = varies = False
    bound: Vector | None = None
    units = None
    width = 1

    def __init__(self, model: Predictor) -> None:
        self.model, k = model, len(model.w)
        shapes: dict[str, tuple[int, ...]] = {"weight": (), "loss": (), "floor": (), "offset": ()}
        probe = np.zeros((k, 1))
        self.means = not model.classes and model.means(probe) is not None
        self.likely = model.probabilities(probe) is not None
        if self.means:
            shapes |= dict.fromkeys(("target", "residual", "squares", "sizes", "predicted", "spread"), (k,))
        if model.classes:
            shapes |= {"shares": (len(model.classes),), "right": (), "brier": ()}
        self.layout = Layout(shapes)
        self.extremes = np.full(2 * len(RANGES), -np.inf)

    def bind(self, point: Vector) -> BlockMap:
        """As ``Task``."""
        return self._mapped

    def _mapped(self, block: Block, out: Vector) -> None:
        model, w, eta = self.model, weights_of(block), self.model.linear(block)
        parts = self.layout.split(out)
        floor, room = np.empty(block.rows), np.empty((model.loss.rooms, block.rows))
        model.loss.floor(block.y, floor, room)
        parts["weight"][...] = w.sum() if block.weights is None else kernel.dot(w, np.ones(block.rows))
        parts["loss"][...] = kernel.dot(w, losses(model, block.y, eta))
        parts["floor"][...] = kernel.dot(w, floor)
        parts["offset"][...] = 0.0 if block.offset is None else kernel.dot(w, block.offset)
        if self.means:
            self._distances(parts, w, block.y.reshape(len(eta), -1), model.means(eta))
        if model.classes:
            self._classes(parts, w, block.y, eta)

    def _distances(self, parts: dict[str, Vector], w: Vector, y: Vector, predicted: Vector | None) -> None:
        assert predicted is not None
        residual = y - predicted
        for name, lines in (
            ("target", y),
            ("residual", residual),
            ("squares", np.square(residual)),
            ("sizes", np.abs(residual)),
            ("predicted", predicted),
            ("spread", np.square(predicted)),
        ):
            parts[name][:] = [kernel.dot(w, line) for line in np.ascontiguousarray(lines)]
        found = [float(each.max()) for lines in (predicted, y, residual) for each in (lines, -lines)]
        np.maximum(self.extremes, found, out=self.extremes)

    def _classes(self, parts: dict[str, Vector], w: Vector, y: Vector, eta: Vector) -> None:
        model, own = self.model, y.astype(np.intp)
        parts["shares"][:] = np.bincount(own, w, len(model.classes))
        parts["right"][...] = kernel.dot(w, (model.places(eta) == y).astype(np.float64))
        parts["brier"][...] = 0.0
        found = model.probabilities(eta)
        if found is not None:
            missed = np.zeros(len(y))
            for number, line in enumerate(found):
                missed += np.square(line - (own == number))
            parts["brier"][...] = kernel.dot(w, missed)


class Grids(NamedTuple):
    """Where rows are counted: by what is predicted, by the target, and by what is between them."""

    value: Bins  # of predictions and targets alike
    residual: Bins
    calibration: Bins  # of predictions: means, or probabilities


class CountTask:
    """What needs to know the sums of ``ScoreTask`` first.

    ``total`` (k,), the squares about the targets' mean, and the ``null`` loss, of a model that knows no features. Where predictions
    have a scale, ``bins`` (3, cells) of each cell of the calibration: weight, what is predicted, what is found. Of classes
    ``hits`` (2, classes): the weight of those that are predicted, and of those that are so rightly.

    Attributes:
        truth: (cells, cells), how many rows are where: by target and prediction, or by class and predicted class.
        residuals: (cells,) likewise.
        spread: (cells, cells) by residual and prediction.
    """

    uneven = coarse = varies = False
    units = None
    width = 1

    def __init__(self, model: Predictor, centre: Vector, null: Vector, grids: Grids | None, bounds: Mapping[str, float]) -> None:
        self.model, self.centre, self.null, self.grids = model, centre, null[:, np.newaxis], grids
        classes = len(model.classes)
        shapes: dict[str, tuple[int, ...]] = {"null": (), "total": (len(model.w),)}
        if grids:
            shapes["bins"] = 3, grids.calibration.number
        if classes:
            shapes["hits"] = 2, classes
        self.layout = Layout(shapes)
        self.bound: Vector | None = np.concatenate([np.full(math.prod(shape), bounds[name]) for name, shape in shapes.items()])
        cells = classes or (grids.value.number if grids else 0)
        self.truth: Counts = np.zeros((cells, cells), dtype=np.int64)
        self.residuals: Counts = np.zeros(grids.residual.number if grids and not classes else 0, dtype=np.int64)
        self.spread: Counts = np.zeros((len(self.residuals), cells if len(self.residuals) else 0), dtype=np.int64)

    def bind(self, point: Vector) -> BlockMap:
        """As ``Task``; counting begins anew."""
        for counts in self.counts:
            counts[:] = 0
        return self._mapped

    @property
    def counts(self) -> Sequence[Counts]:
        """All that are added up over the ranks, beside the sums."""
        return self.truth, self.residuals, self.spread

    def _mapped(self, block: Block, out: Vector) -> None:
        model, w, eta = self.model, weights_of(block), self.model.linear(block)
        parts = self.layout.split(out)
        null = self.null if block.offset is None else self.null + block.offset
        parts["null"][...] = kernel.dot(w, losses(model, block.y, np.broadcast_to(null, eta.shape)))
        away = np.square(block.y.reshape(-1, block.rows) - self.centre[:, np.newaxis])
        parts["total"][:] = [kernel.dot(w, line) for line in away] if not model.classes else 0.0
        if model.classes:
            self._classes(parts, w, block.y, eta)
        elif self.grids:
            predicted = model.means(eta)
            assert predicted is not None
            self._means(parts, w, block.y.reshape(-1), predicted[0])

    def _classes(self, parts: dict[str, Vector], w: Vector, y: Vector, eta: Vector) -> None:
        model, classes = self.model, len(self.model.classes)
        own, told = y.astype(np.intp), model.places(eta).astype(np.intp)
        self.truth += np.bincount(own * classes + told, minlength=classes * classes).reshape(classes, classes)
        parts["hits"][0] = np.bincount(told, w, classes)
        parts["hits"][1] = np.bincount(told, w * (own == told), classes)
        found = model.probabilities(eta)
        if self.grids and found is not None:
            two = classes == 2
            sure = found[1] if two else found.max(axis=0)
            self._calibrated(parts, w, sure, (own if two else own == told).astype(np.float64))

    def _means(self, parts: dict[str, Vector], w: Vector, y: Vector, predicted: Vector) -> None:
        assert self.grids
        value, cells = self.grids.value, self.grids.residual.number
        across, down, off = value.places(predicted), value.places(y), self.grids.residual.places(y - predicted)
        number = value.number
        self.truth += np.bincount(down * number + across, minlength=number * number).reshape(number, number)
        self.residuals += np.bincount(off, minlength=cells)
        self.spread += np.bincount(off * number + across, minlength=cells * number).reshape(cells, number)
        self._calibrated(parts, w, predicted, y)

    def _calibrated(self, parts: dict[str, Vector], w: Vector, predicted: Vector, found: Vector) -> None:
        assert self.grids
        bins = self.grids.calibration
        places = bins.places(predicted)
        for line, values in zip(parts["bins"], (w, w * predicted, w * found), strict=True):
            line[:] = np.bincount(places, values, bins.number)
