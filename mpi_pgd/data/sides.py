"""What the user gives beside the rows, and all ranks hold: for each feature, and to start from."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.engine.arrays import Vector


@dataclass(frozen=True, eq=False)
class Sides:
    """Each is (p,), in the order of the table's features, or None if it is not given.

    Attributes:
        factors: by what the feature's penalty is multiplied; none is below 0.
        groups: a number that all features of a group share.
        lower: of its weight, in the user's units; -inf where there is no bound.
        upper: likewise, and inf.
    """

    factors: Vector | None = None
    groups: NDArray[np.int64] | None = None
    lower: Vector | None = None
    upper: Vector | None = None

    def digests(self) -> dict[str, str]:
        """The sha256 of each that is given, little-endian: what tells whether a run goes on with the same."""
        named = {"penalty factors": self.factors, "groups": self.groups, "lower bounds": self.lower, "upper bounds": self.upper}
        given = {name: value for name, value in named.items() if value is not None}
        return {
            name: hashlib.sha256(value.astype(value.dtype.newbyteorder("<")).tobytes()).hexdigest() for name, value in given.items()
        }


class Init(NamedTuple):
    """The weights to start from.

    Attributes:
        coef: (k, p) for k outputs, in the user's units, in the order of the table's features.
        intercept: (k,).
        sha256: of coef and intercept as they are in the file, little-endian: for one output it is that run's ``weights_sha256``.
    """

    coef: Vector
    intercept: Vector
    sha256: str

    @classmethod
    def of(cls, point: Vector, features: int, sha256: str) -> "Init":
        """From what ``point`` gave."""
        outputs = len(point) // (features + 1)
        return cls(point[:-outputs].reshape(outputs, features), point[-outputs:], sha256)

    def point(self) -> Vector:
        """[coef (k, p) | intercept (k,)] in one line."""
        return np.append(self.coef, self.intercept)
