"""What solving least squares told of the columns."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mpi_pgd.errors import listed
from mpi_pgd.solvers.factors import ROUNDING, Factor

NAMED = 1e-3  # of the largest share of a column in the null space, that another one's has to be


class Diagnosis(NamedTuple):
    """Of the columns, each scaled to a mean square of 1."""

    condition: float  # number; inf if not even twice the precision tells the least curvature from 0
    digits: float  # of the weights, taken together, each in units of its column, that the rounding of the rows leaves for certain
    ill: bool  # the condition is beyond what a Gram matrix can tell, so that its factor alone would not do
    unique: bool  # the weights are determined by the rows, and not by their rounding alone
    columns: tuple[int, ...]  # that others explain, so that it is ill
    reached: float = 0.0  # digits to which the weights are those of the rows as they are stored

    def caution(self, names: Sequence[str]) -> str:
        """What to beware of, and what to do; "" if nothing. ``names`` are those of ``columns``."""
        if not self.ill and self.unique:
            return ""
        who, be = ("column", "is") if len(names) == 1 else ("columns" if names else "the columns", "are")
        who += f" {listed(names)}" if names else ""
        if not self.unique:
            return f"{who} {be} collinear: the weights are not unique, only the fit is; drop one or add --l2"
        left = f"the rounding of the rows leaves {math.floor(self.digits)} digits of the weights"
        return f"{who} {be} nearly collinear (condition {self.condition:.0e}): {left}; drop one or add --l2"


class Rounding(NamedTuple):
    """Of the rows: relative to columns of mean square 1, and of the targets, in units of these."""

    columns: float
    targets: float


def diagnose(factor: Factor, least: float, unique: bool, rounding: Rounding, size: float, residual: float) -> Diagnosis:
    """The diagnosis; its digits by Wedin's bound (P.-A. Wedin, "Perturbation Theory for Pseudo-Inverses", BIT 13, 1973).

    Args:
        factor: of the Gram matrix.
        least: the smallest singular value of the scaled X / sqrt(n).
        unique: see ``Diagnosis``.
        rounding: of the rows.
        size: the length of the weights, in units of their columns.
        residual: the root of the residuals' mean square.
    """
    condition = math.sqrt(factor.largest) / least if least > 0 else math.inf
    away = rounding.columns * math.sqrt(len(factor.root)) * (size + residual / (least or 1.0)) + rounding.targets
    lost = min(1.0, max(ROUNDING, away / (least * size))) if least * size > 0 else 1.0
    shares = factor.shares()
    columns = np.flatnonzero(shares > NAMED * shares.max()).tolist() if factor.dependent else ()
    return Diagnosis(condition, 0.0 - math.log10(lost), factor.dependent, unique, tuple(columns))
