"""What synthetic rows are made by, and whether that can be done."""

import math
import operator
from typing import NamedTuple

from mpi_pgd.data.draws import KINDS, Kind
from mpi_pgd.errors import InputError, nearest

PLAIN = "squared"  # the loss of targets that are the linear predictor and noise
MAX_CONDITION = 1e24  # beyond some 1e30 the rounding of X, not `condition`, sets how close its columns are
MAX_NOISE = 1e100  # so that y stays finite
CLASSES = 1000  # at most
OWN = ("X", "y", "true_coef", "true_intercept", ".", "..")  # names that others may not have


class Synthetic(NamedTuple):
    """What a file's numbers depend on, apart from how many rows there are."""

    features: int  # number of columns of X, at least 1
    condition: float  # condition number of the features' correlation matrix, 1 to 1e24; 1 if there is one feature
    noise: float  # standard deviation of the noise in y, in the units of y, 0 to 1e100
    seed: int  # 0 to 2**64 - 1
    loss: str = PLAIN  # which the targets are made for
    classes: int = 1  # of the targets, if they are such
    weights: str = ""  # name of a data set with weights of the rows; none if empty
    offset: str = ""  # name of one with what is added to the rows' linear predictors; none if empty
    density: float = 1.0  # which part of a row's numbers is not 0, above 0; below 1 the rows are sparse

    @property
    def stored(self) -> int:
        """Numbers of a row that are not 0."""
        return max(1, round(self.density * self.features))

    @property
    def kind(self) -> Kind | None:
        """How targets are drawn; None: they are numbers with noise."""
        return KINDS.get(self.loss)

    @property
    def outputs(self) -> int:
        """Linear predictors of a row."""
        return self.classes if self.kind and self.kind.several else 1


ALL = {"rows", *Synthetic._fields}  # attributes of a file
BASIC = ALL - set(Synthetic._field_defaults)  # those that each has


def checked(
    features: int,
    condition: float,
    noise: float,
    seed: int,
    loss: str = PLAIN,
    classes: int = 3,
    weights: str = "",
    offset: str = "",
    density: float = 1.0,
) -> Synthetic:
    """A problem that can be made. Raises InputError: one of its numbers or names is out of range."""
    features = whole_number("features", features, 1, 2**60)
    condition = _real("condition", condition, 1.0, MAX_CONDITION)
    if features == 1 and condition > 1.0:
        raise InputError(
            f"condition {condition:g} was asked for with 1 feature, whose condition number is always 1: "
            "ask for 2 features or more, or leave condition at 1"
        )
    noise, seed = _real("noise", noise, 0.0, MAX_NOISE), whole_number("seed", seed, 0, 2**64 - 1)
    if loss not in (PLAIN, *KINDS):
        raise InputError(f"loss is {loss!r}{nearest(loss, (PLAIN, *KINDS))}, but has to be one of {', '.join((PLAIN, *KINDS))}")
    classes = whole_number("classes", classes, 2, CLASSES) if loss in KINDS and KINDS[loss].several else 1
    for name, given, others in (("weights", weights, OWN), ("offset", offset, (*OWN, *filter(None, [weights])))):
        if given in others or {"/", "\0"} & set(given):
            raise InputError(f"{name} is {given!r}, but has to be the name of a data set of its own, without /: change {name}")
    density = _real("density", density, 0.0, 1.0)
    if density == 0.0 or (density < 1.0 and condition > 1.0):
        raise InputError(
            f"density is {density:g} with condition {condition:g}, but has to be above 0, and columns of sparse rows are not "
            "correlated: change density, or leave condition at 1"
        )
    return Synthetic(features, condition, noise, seed, loss, classes, weights, offset, density)


def whole_number(name: str, value: int, low: int, high: int) -> int:
    """`value` as an int between `low` and `high`, or an InputError that names it."""
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if not low <= number <= high:
        raise InputError(f"{name} is {value!r}, but has to be a whole number from {low} to {high}: change {name}")
    return number


def _real(name: str, value: float, low: float, high: float) -> float:
    """`value` as a float between `low` and `high`, or an InputError that names it."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high:
        raise InputError(f"{name} is {value!r}, but has to be a number from {low:g} to {high:g}: change {name}")
    return number
