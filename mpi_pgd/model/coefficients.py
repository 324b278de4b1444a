"""A model's coefficients one after the other, each with its name: for tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import printable


@dataclass(frozen=True)
class Coefficients:
    """What people read of a model.

    Attributes:
        coef: those of all features, and for each of all outputs.
        intercept: one for each output.
        names: of the features, if they have any.
        outputs: their names; one that has none if there is but one.
    """

    coef: Sequence[float]
    intercept: Sequence[float]
    names: Sequence[str]
    outputs: Sequence[str] = ("",)

    @classmethod
    def of(cls, coef: Vector, intercept: float | Vector, names: Sequence[str], outputs: Sequence[object] = ()) -> "Coefficients":
        """From coef (p,) or (p, k), and one or k intercepts; ``outputs`` are what there are one each of, if that is known."""
        several = coef.shape[1] if coef.ndim == 2 else 1
        called = [printable(name) for name in spelled(outputs if len(outputs) == several else range(several))]
        return cls(np.ravel(coef).tolist(), np.ravel(intercept).tolist(), names, called if several > 1 else ("",))

    def name(self, place: int) -> str:
        """Of a coefficient: its feature, x and its number from 0 if that has no name, and its output."""
        feature, output = divmod(place, len(self.outputs))
        called = self.names[feature] if self.names else f"x{feature}"
        return f"{called} of {self.outputs[output]}" if len(self.outputs) > 1 else called

    def intercepts(self, digits: int) -> str:
        """As text."""
        told = [f"{value:.{digits}g}" for value in self.intercept]
        return (
            told[0] if len(told) == 1 else ", ".join(f"{value} of {name}" for value, name in zip(told, self.outputs, strict=True))
        )

    def largest(self) -> list[int]:
        """The places of the coefficients, the largest first."""
        order: list[int] = np.argsort(-np.nan_to_num(np.abs(self.coef), nan=np.inf), kind="stable").tolist()
        return order


def spelled(classes: Sequence[object]) -> list[str]:
    """Classes as text: words as they are, whole numbers as such."""
    return [f"{each:.17g}" if isinstance(each, float) else str(each) for each in classes]
