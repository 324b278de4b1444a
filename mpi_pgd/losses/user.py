"""A loss that a user wrote, as a plain function of targets and linear predictors."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mpi_pgd.engine.arrays import Vector, shown
from mpi_pgd.errors import InputError
from mpi_pgd.losses.links import unknown
from mpi_pgd.losses.numerics import share, zero
from mpi_pgd.losses.pulls import nowhere
from mpi_pgd.losses.targets import TargetFacts, Targets, single
from mpi_pgd.user import Misfit
from mpi_pgd.user import load as function_of

STEP = 6.0554544523933395e-06  # of central differences, relative to eta: the cube root of the spacing at 1


@dataclass(frozen=True)
class UserLoss:
    """``function(y, eta) -> (loss of each row, slope of each row)``, arrays (rows,) of float64; ``mpi_pgd.testing`` checks it.

    It may have attributes: ``curvature``, a bound on the second derivative in eta; ``convex``, True if that is never below 0;
    ``hessian(y, eta)``, which gives it for each row; and ``mean(eta)``, the target's mean where its linear predictor is eta, which
    predictions need. Its losses are taken to be 0 at least. Both arrays that it is given are
    read-only. What it raises is raised as it is.

    Attributes:
        text: what names the function.
    """

    text: str
    function: Callable[[Vector, Vector], Any]

    centred: ClassVar[bool] = False
    sorts: ClassVar[bool] = False
    rooms: ClassVar[int] = 2
    compiled: ClassVar[None] = None
    pulls = staticmethod(nowhere)
    floor = staticmethod(zero)
    explained = staticmethod(share)
    probabilities = staticmethod(unknown)

    @property
    def curvature(self) -> float:
        """As its author says."""
        return float(getattr(self.function, "curvature", math.inf))

    @property
    def convex(self) -> bool:
        """As its author says; by default not, so that no gap is claimed that may be none."""
        return bool(getattr(self.function, "convex", False))

    def labels(self, facts: TargetFacts) -> Targets:
        """Any numbers."""
        return single(facts, self.text)

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``.

        Raises:
            Misfit: the function gives something else than two arrays of a number a row.
        """
        given = self.function(shown(y), shown(eta))
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise Misfit(f"{self.text} gave {type(given).__name__}: expected a pair, the loss and the slope of each row")
        self._take(given[0], "losses", value)
        self._take(given[1], "slopes", eta)

    def rehearse(self, y: Vector) -> None:
        """Call the function as the rounds will, for some targets: what it gives amiss is then an error that ranks can agree on.

        Raises:
            InputError: as ``__call__``.
        """
        try:
            self(y, np.zeros(len(y)), np.empty(len(y)), np.empty((self.rooms, len(y))))
        except Misfit as error:
            raise InputError(str(error)) from None

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """As its author says, or else by central differences of the slopes.

        Raises:
            Misfit: as ``__call__``.
        """
        if hasattr(self.function, "hessian"):
            self._take(self.function.hessian(shown(y), shown(eta)), "second derivatives", out)
            return
        above, below = room
        np.abs(eta, out)
        np.maximum(out, 1.0, out=out)
        np.multiply(out, STEP, out)
        np.add(eta, out, above)
        np.subtract(eta, out, below)
        width = above - below  # as rounded
        self(y, above, out, room)
        self(y, below, out, room)
        np.subtract(above, below, out)
        np.divide(out, width, out)

    def mean(self, eta: Vector) -> Vector | None:
        """As its author says; None if nothing is said.

        Raises:
            Misfit: as ``__call__``.
        """
        if not hasattr(self.function, "mean"):
            return None
        out = np.empty_like(eta)
        self._take(self.function.mean(shown(eta)), "means", out)
        return out

    def start(self, mean: Vector) -> Vector:
        """0: what links targets and eta is not known."""
        return np.zeros_like(mean)

    def slope_size(self, value: float, curvature: float) -> float:
        """Exactly a bound, where the function is never negative and nowhere more curved."""
        return math.sqrt(2 * max(curvature, 0.0) * max(value, 0.0))

    def _take(self, given: Any, what: str, out: Vector) -> None:
        array = np.asarray(given)
        if array.shape != out.shape or array.dtype.kind not in "fiub":
            found = f"{what} of shape {array.shape} and type {array.dtype}"
            raise Misfit(f"{self.text} gave {found}: expected a number a row, shape {out.shape}")
        np.copyto(out, array, casting="same_kind")


def load(text: str) -> UserLoss:
    """The loss that ``package.module:function`` or ``FILE.py:function`` names.

    Raises:
        InputError: there is no such function, or what it says of its curvature is no number above 0.
    """
    loss = UserLoss(text, function_of(text))
    given = getattr(loss.function, "curvature", math.inf)
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise InputError(
            f"the curvature of {text} is {given!r}: expected a number above 0, a bound on the second derivative in eta"
        )
    return loss
