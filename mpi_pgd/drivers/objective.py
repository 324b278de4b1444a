"""From sums over the rows, in the user's units, to the objective and its gradient where the solver works."""

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.hessian import unpacked
from mpi_pgd.penalties import Penalty
from mpi_pgd.solvers.evaluation import Curvature

EPSILON = float(np.finfo(np.float64).eps)


class Scaling(NamedTuple):
    """The change of units z = (x - mean) / scale, applied to the weights, never to the rows. Of p columns and q targets."""

    mean: Vector  # (p + q,), the targets last; zeros without an intercept
    scale: Vector  # (p,); infinite where a column is constant (zero, without an intercept): its weight stays 0
    spread: Vector  # (p,) the root mean square of each z; 0 where it is constant
    peak: Vector  # (p + q,) the largest magnitudes, in the user's units, the targets last

    @classmethod
    def of(cls, mean: Vector, deviation: Vector, peak: Vector, intercept: bool, standardize: bool, targets: int = 1) -> "Scaling":
        """From the moments (p + q,) of the columns and q targets. Without an intercept deviations are from zero: another model."""
        p = len(mean) - targets
        centre = mean if intercept else np.zeros_like(mean)
        size = deviation[:p].copy()
        if not intercept:
            kernel.hypot(size, mean[:p], size)
        scale = np.where(size > 0, size if standardize else 1.0, np.inf)
        return cls(centre, scale, size / scale, peak)


class Aims(NamedTuple):
    """What of the targets an objective has to know beside their means."""

    weight: float  # the sum of the rows' weights
    outputs: int = 1  # k, of the model
    floor: float = 0.0  # the mean of the least losses: objectives are counted from there
    start: Vector | None = None  # (k,) the intercept of a model that has nothing else; zeros if not given
    curvature: float = math.inf  # of the losses about there, if they have no bound
    slope: float = math.inf  # the largest of the losses there


class Bounded(Protocol):
    """What an objective wants of the losses of its rows; see ``losses.Loss``."""

    @property
    def centred(self) -> bool:
        """On centred features the best intercept is known."""

    @property
    def curvature(self) -> float:
        """A bound on the second derivative in eta."""

    @property
    def convex(self) -> bool:
        """In eta: only then can it be told how far the optimum is."""

    def slope_size(self, value: float, curvature: float) -> float:
        """How large slopes are where the mean loss is ``value``; ``curvature`` is that in order of magnitude."""

    def explained(self, value: float, null: float) -> float | None:
        """Which part of ``null`` is gone at ``value``."""

    def pulls(self, y: Vector) -> Vector | None:
        """Where the losses of rows have no least; None if that is so whatever the targets."""


class Objective:
    """F(V, c) = mean of losses + penalties of the weights V (k, p) of the scaled features; c (k,), the intercept, is not penalised.

    Where the loss knows the best intercept, mean(y) - mean(x)'w for least squares, it is no unknown: it is kept there, and what is
    descended on is the objective's minimum over it. Hence the first gradient is that of the signal, however far from 0 y lies.
    The penalties act on V, as glmnet's do. Unknowns are [V | c], row by row.
    """

    hessians = True  # they can be asked for

    def __init__(
        self, rows: int, scaling: Scaling, loss: Bounded, penalty: Penalty | None, intercept: bool, aims: Aims | None = None
    ) -> None:
        self.rows, self.scaling, self.loss, self.intercept = rows, scaling, loss, intercept
        self.aims = aims or Aims(float(rows))
        self.penalty = penalty or Penalty([], scaling.scale, self.aims.outputs)
        self.features, self.outputs = len(scaling.scale), self.aims.outputs
        free = intercept and not loss.centred  # an intercept that has to be found, which is that on centred features
        self.free = self.outputs if free else 0
        self.weights = self.outputs * self.features
        self.size = self.weights + self.free  # of the unknowns
        self.bend = min(loss.curvature, self.aims.curvature)  # the losses' curvature, in order of magnitude
        p = self.features
        self.reach = (np.abs(scaling.mean[:p]) + scaling.peak[:p]) / scaling.scale  # (p,) the largest magnitudes of scaled features
        lasting = kernel.lasting
        self._mean, self._scale, self._peak = lasting(scaling.mean[:p]), lasting(scaling.scale), lasting(scaling.peak[:p])
        self._largest = float(scaling.peak[p:].max())  # of the targets
        self._centres = scaling.mean[p : p + self.outputs] if intercept and not free else np.zeros(self.outputs)
        self._scratch, self._curvature = lasting(np.empty(self.weights)), lasting(self.penalty.curvature)
        self._spread = np.append(np.tile(scaling.spread, self.outputs), np.ones(self.free))
        self.unit = np.where(self._spread > 0, self._spread, 1.0)  # (size,) of the gradient, as if features were standardised
        away = np.append(np.tile(EPSILON * scaling.peak[:p] / scaling.scale, self.outputs), np.zeros(self.free))
        spread = self._spread
        self._errors = kernel.dot(spread, spread), kernel.dot(spread, away), kernel.dot(away, away)

    def start(self) -> Vector:
        """The unknowns (size,) of a model that has an intercept alone."""
        unknowns = np.zeros(self.size)
        if self.free and self.aims.start is not None:
            unknowns[self.weights :] = self.aims.start
        return unknowns

    def to_user(self, unknowns: Vector, point: Vector) -> None:
        """Write ``unknowns`` (size,) in the user's units into ``point`` [w (k, p) | c (k,)]."""
        centres = unknowns[self.weights :] if self.free else self._centres
        kernel.to_user(unknowns, self._scale, self._mean, centres, point)

    def from_user(self, point: Vector) -> Vector:
        """The unknowns (size,) of ``point``; an intercept that the loss knows is not taken over."""
        p, k, size = self.features, self.outputs, self.weights
        unknowns, weights = self.start(), point[:size].reshape(k, p)
        with np.errstate(invalid="ignore"):
            scaled = np.where(np.isfinite(self.scaling.scale), weights * self.scaling.scale, 0.0)
        unknowns[:size] = scaled.ravel()
        if self.free:
            unknowns[size:] = point[size : size + k] + kernel.times(weights, self.scaling.mean[:p])
        return unknowns

    def value_and_gradient(self, sums: Mapping[str, Vector], unknowns: Vector, gradient: Vector, part: float = 0.0) -> float:
        """F at ``unknowns`` from the sums of a ``GradientTask``; writes its ``gradient`` (size,).

        ``part`` is the weight of the rows that were summed, if these were not all.
        """
        weight, own = part or self.aims.weight, unknowns[: self.weights]
        given = self._mean, self._scale, self._curvature, sums["gradient"], sums["slopes"], own
        penalty = kernel.descent(weight, *given, self._scratch, gradient)
        return sums["value"].item() / weight - self.aims.floor + penalty

    def hessian(self, packed: Vector, weight: float) -> Vector:
        """That of F (size, size), from the sums of a ``HessianTask`` over rows of this weight."""
        whole = unpacked(packed, self.outputs, self.features)
        whole /= weight
        diagonal = np.einsum("ii->i", whole)
        diagonal[: self.weights] += self.penalty.curvature
        return whole

    def columns(self, found: Vector, weight: float, places: NDArray[np.int64]) -> Vector:
        """The Hessian (new, all) of F among some unknowns, from the sums of a ``ColumnsTask`` over rows of this weight."""
        part = (found if found.ndim == 2 else unpacked(found[None], 1, 0)) / weight
        new = places[: len(part)]
        diagonal = np.einsum("ii->i", part[:, : len(new)])
        diagonal[new < self.weights] += self.penalty.curvature[new[new < self.weights]]
        return part

    def rounding(self, point: Vector, value: float) -> float:
        """A bound on the norm of the rounding error of the gradient at ``point``, that of a task, where the mean loss is ``value``.

        A row's slope is off by the rounding of x'w + c - y, by at most epsilon (|x|'|w| + |c| + |y|) times the curvature; and its
        product with the column by epsilon |x| |slope|. Sums over blocks add nothing; many rows average, so it is seldom reached.
        """
        off = self.bend * EPSILON * (kernel.reach(self.outputs, point, self._peak, self._scratch) + self._largest)
        slope = self.loss.slope_size(max(value, 0.0), self.bend)
        spread, both, away = self._errors
        return math.sqrt(spread * off * off + 2 * both * off * slope + away * slope * slope)

    def scaled(self, sums: Vector) -> float:
        """The norm of a gradient's sums (weights,), in the user's units, where the solver works."""
        return kernel.norm((sums.reshape(self.outputs, -1) / self.scaling.scale).ravel())

    def curvature(self) -> Curvature:
        """The largest eigenvalue of the Hessian is between its largest diagonal element and its trace.

        Of a loss whose curvature varies, these are of the largest Hessian that there may be; of one without a bound of that, of
        the one at the start, and the trace is inf.
        """
        diagonal = self.bend * (self._spread * self._spread)
        diagonal[: self.weights] += self.penalty.curvature
        most = float(diagonal.sum()) if math.isfinite(self.loss.curvature) else math.inf
        return Curvature(float(diagonal.max()) or 1.0, most or 1.0, self.loss.centred, diagonal)
