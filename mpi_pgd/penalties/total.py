"""The penalty as a whole: the terms together, on the weights of one fit."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError
from mpi_pgd.penalties.entries import Entries
from mpi_pgd.penalties.groups import Groups
from mpi_pgd.penalties.nonsmooth import Nonsmooth
from mpi_pgd.penalties.strengths import Strengths, Term


class Sides(Protocol):
    """What the user gives for each feature, (p,), or None."""

    @property
    def factors(self) -> Vector | None:
        """By what its penalty is multiplied, from 0 on."""

    @property
    def groups(self) -> Rows | None:
        """The number of its group."""

    @property
    def lower(self) -> Vector | None:
        """The least weight, in the user's units."""

    @property
    def upper(self) -> Vector | None:
        """The largest weight, in the user's units."""


class NoSides(NamedTuple):
    """Nothing is given."""

    factors: Vector | None = None
    groups: Rows | None = None
    lower: Vector | None = None
    upper: Vector | None = None


class Penalty:
    """P(V) = sum over features and outputs of f (l2/2 v^2 + l1 |v|), where each v is within its bounds.

    With groups, l1 acts on norms: f l1 sqrt(size) |v_group|_2, for each output its own, or jointly over all outputs; size counts
    features. The intercept is no part of it. A feature that is constant has an infinite scale: its weight stays 0, and it is in no
    group and has no bounds.

    Args:
        terms: what the strengths come from.
        scale: (p,) of the features: V are the user's weights times it.
        outputs: k; V is (k, p), row by row.
        sides: what the user gave for each feature.

    Raises:
        InputError: what was given does not go together.

    Attributes:
        curvature: (k p,) the second derivative of the smooth part along each weight.
        nonsmooth: the rest, or None if there is nothing else.
        loose: the places of the weights that nothing holds, neither strength nor two finite bounds.
        limits: lower and upper bounds of those, in V's units.
    """

    def __init__(self, terms: Iterable[Term], scale: Vector, outputs: int = 1, sides: Sides | None = None) -> None:
        given = sides or NoSides()
        added = [term.strengths for term in terms]
        strengths = Strengths(
            sum(each.quadratic for each in added), sum(each.absolute for each in added), any(each.joint for each in added)
        )
        _check(strengths, outputs, given)
        factors = np.ones(len(scale)) if given.factors is None else given.factors
        self.curvature: Vector = np.tile(strengths.quadratic * factors, outputs)
        grouped = given.groups is not None or strengths.joint
        self._part = (_groups if grouped else _entries)(strengths, scale, outputs, factors, given)
        self.nonsmooth: Nonsmooth | None = None if self._part.smooth else self._part
        self.loose: NDArray[Any] = np.flatnonzero(self._part.loose(self.curvature))
        self.limits = tuple(np.tile(bound, outputs)[self.loose] for bound in _bounds(scale, given))

    def largest(self, gradient: Vector) -> float:
        """The least l1 with which all weights that it acts on are 0, if they may be.

        Args:
            gradient: (k p,) of the mean loss where they are 0 and all else is at its optimum.
        """
        return self._part.largest(gradient)

    def scaling(self, u: Vector) -> float:
        """The largest s for which ``conjugate(s u)`` is finite; inf if it always is."""
        return self._part.scaling(u, self.curvature)

    def conjugate(self, u: Vector) -> float:
        """The largest u'V - P(V) over all V, ``u`` (k p,); the loose weights are left out. Usually ``u`` is minus a gradient."""
        return self._part.conjugate(u, self.curvature)


def _entries(strengths: Strengths, scale: Vector, outputs: int, factors: Vector, given: Sides) -> Entries:
    lower, upper = (np.tile(bound, outputs) for bound in _bounds(scale, given))
    return Entries(strengths.absolute, np.tile(factors, outputs), lower, upper)


def _groups(strengths: Strengths, scale: Vector, outputs: int, factors: Vector, given: Sides) -> Groups:
    """Those of constant columns are one more group, with a weight of 0."""
    varies = np.isfinite(scale)
    labels = np.arange(len(scale)) if given.groups is None else given.groups
    names, found = np.unique(labels[varies], return_inverse=True)
    units = np.full(len(scale), len(names))
    units[varies] = found
    factor = np.zeros(len(names) + 1)
    factor[found] = factors[varies]
    differs = np.flatnonzero(varies & (factor[units] != factors))
    if len(differs):
        raise InputError(
            f"the penalty factors of group {labels[differs[0]]:g} differ, one is {factors[differs[0]]:g}, another "
            f"{factor[units[differs[0]]]:g}: expected one factor for all features of a group"
        )
    weights = factor * np.sqrt(np.bincount(units, minlength=len(factor)))
    if strengths.joint:
        return Groups(strengths.absolute, weights, np.tile(units, outputs))
    apart = np.arange(outputs)[:, None] * len(weights) + units
    return Groups(strengths.absolute, np.tile(weights, outputs), apart.ravel())


def _bounds(scale: Vector, given: Sides) -> tuple[Vector, Vector]:
    varies = np.isfinite(scale)
    lower, upper = np.full(len(scale), -np.inf), np.full(len(scale), np.inf)
    for bound, mine in ((given.lower, lower), (given.upper, upper)):
        if bound is not None:
            mine[varies] = bound[varies] * scale[varies]
    return lower, upper


def _check(strengths: Strengths, outputs: int, given: Sides) -> None:
    grouped = "--groups" if given.groups is not None else "--joint" if strengths.joint else ""
    if strengths.joint and outputs == 1:
        raise InputError("--joint was given for a model of one output: expected several, or --l1 alone, which does the same there")
    if grouped and not strengths.absolute:
        raise InputError(f"{grouped} says what --l1 acts on, which is 0: expected --l1 above 0")
    if grouped and not (given.lower is None and given.upper is None):
        raise InputError(f"{grouped} and bounds (--lower, --upper) can't be had together: expected one of them")
    if given.lower is not None and given.upper is not None and (given.lower > given.upper).any():
        column = int(np.argmax(given.lower > given.upper))
        raise InputError(
            f"column {column} has a lower bound of {given.lower[column]:g} and an upper one of {given.upper[column]:g}: "
            "expected the lower one to be no larger"
        )
