"""What is minimised, row by row. A new loss is a file here, and its line in ``LOSSES``."""

from collections.abc import Callable
from typing import Any, Protocol

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.gamma import Gamma
from mpi_pgd.losses.huber import Huber
from mpi_pgd.losses.inverse_gaussian import InverseGaussian
from mpi_pgd.losses.logistic import Logistic
from mpi_pgd.losses.negative_binomial import NegativeBinomial
from mpi_pgd.losses.numerics import Compiled
from mpi_pgd.losses.poisson import Poisson
from mpi_pgd.losses.softmax import Softmax
from mpi_pgd.losses.squared import Squared
from mpi_pgd.losses.squared_hinge import SquaredHinge
from mpi_pgd.losses.targets import TargetFacts, Targets
from mpi_pgd.losses.tweedie import Tweedie
from mpi_pgd.options import made


class Loss(Protocol):
    """A loss per row, seen only through its linear predictors eta = x'w + c, one for each of k outputs. Options are its fields.

    Rows know nothing of each other, so they can be split any way. Arrays are float64: ``y`` (rows,) as ``labels`` says, or
    (k, rows) where a row has k targets; ``eta`` (rows,), or (k, rows) with k > 1 outputs; ``room`` (rooms, rows) to work in.

    Attributes:
        centred: whatever the weights, on features of mean zero the best intercept is the mean of y.
        sorts: targets are classes, and so is what is predicted.
        convex: in eta, for every y. Only then is anything known of how far an objective is from its least.
        curvature: bounds the second derivative in eta, over all eta and y; inf if nothing does.
        rooms: lines that it wants to work in.
        compiled: the function in ``kernel/source/losses.inc`` that does the same operations in the same order, and its parameters;
            None if there is none.
    """

    @property
    def centred(self) -> bool:
        """See above."""

    @property
    def sorts(self) -> bool:
        """See above."""

    @property
    def convex(self) -> bool:
        """See above."""

    @property
    def curvature(self) -> float:
        """See above."""

    @property
    def rooms(self) -> int:
        """See above."""

    @property
    def compiled(self) -> Compiled | None:
        """See above."""

    def labels(self, facts: TargetFacts) -> Targets:
        """How the targets are read, from what is known of all of them.

        Raises:
            InputError: they are none of this loss.
        """

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """Each row's loss into ``value`` (rows,), but for a constant of its target; in place of ``eta`` the derivatives in eta."""

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """The second derivatives, into ``out`` (rows,); with k outputs the upper triangle of each row's, (k (k + 1) / 2, rows)."""

    def floor(self, y: Vector, out: Vector, room: Vector) -> None:
        """Each row's least ``value`` over all eta, into ``out`` (rows,)."""

    def pulls(self, y: Vector) -> Vector | None:
        """Where a row's loss falls for ever and has no least: where its eta has to go for that, (rows,).

        With one output 1, up; -1, down; or 0, nowhere. With several the output that has to rise above all others. None if no row
        of any target has such a loss.
        """

    def start(self, mean: Vector) -> Vector:
        """The intercept (k,) of a model that has nothing else, from the targets' mean (k,): the shares of more than two classes."""

    def slope_size(self, value: float, curvature: float) -> float:
        """The root mean square of the slopes where the mean loss is ``value`` above the floor: a bound, in order of magnitude.

        Losses that have no unit of their own are told the second derivative of a typical row, ``curvature``.
        """

    def explained(self, value: float, null: float) -> float | None:
        """Which part of ``null``, the mean loss of the intercept alone, is gone at ``value``; None if there is none."""

    def mean(self, eta: Vector) -> Vector | None:
        """The target's mean, in its units, where its linear predictor is ``eta``, of that shape; None of classes, or if unknown."""

    def probabilities(self, eta: Vector) -> Vector | None:
        """Of classes, (classes, rows); None where there are none, or a loss knows of none."""


LOSSES: dict[str, Callable[..., Loss]] = {
    "squared": Squared,
    "logistic": Logistic,
    "softmax": Softmax,
    "poisson": Poisson,
    "gamma": Gamma,
    "inverse-gaussian": InverseGaussian,
    "tweedie": Tweedie,
    "negative-binomial": NegativeBinomial,
    "huber": Huber,
    "squared-hinge": SquaredHinge,
}


def loss_of(chosen: Any) -> Loss:
    """The loss that settings name: one of these, with its options, or a user's function.

    Raises:
        InputError: there is no such function.
    """
    if chosen.loss in LOSSES:
        return made(LOSSES[chosen.loss], chosen)
    from mpi_pgd.losses.user import load  # hardly anyone writes one

    return load(chosen.loss)
