"""What targets are like, found while they are read: from this a loss says how it takes them."""

import math
from collections.abc import Iterable

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.targets import MOST, TargetFacts

BALANCED = "balanced"  # the word for weights by which all classes count alike
PANEL = 8192  # targets that are looked at together: a column of amounts has too many values after the first


class Labels:
    """The facts of all targets that one rank has read, (rows,) or (k, rows) at a time; memory is bounded."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._least, self._most, self._whole = math.inf, -math.inf, True
        self._values: Vector | None = np.zeros(0)  # ascending; None: there are too many

    def note(self, y: Vector) -> None:
        """Some more, all finite."""
        self._least, self._most = min(self._least, float(y.min())), max(self._most, float(y.max()))
        for start in range(0, y.shape[-1], PANEL):
            panel = y[..., start : start + PANEL].ravel()
            self._whole = self._whole and bool((panel == np.rint(panel)).all())
            if self._values is not None:
                self._values = _with(self._values, panel)
            elif not self._whole:
                break

    def facts(self) -> TargetFacts:
        """Until now; from inf to -inf where there was nothing to read."""
        values = () if self._values is None else tuple(self._values.tolist())
        return TargetFacts(self._least, self._most, self._whole, values, self._columns)


def _with(known: Vector, panel: Vector) -> Vector | None:
    """The distinct values of both; None if there are too many."""
    if len(known):
        panel = panel[known[np.minimum(np.searchsorted(known, panel), len(known) - 1)] != panel]
    if len(panel):
        known = np.union1d(known, panel + 0.0)  # no zero below zero
    return known if len(known) <= MOST else None


def merged(found: Iterable[TargetFacts]) -> TargetFacts:
    """The facts of all, from those of each part; the same whatever the parts are."""
    some = [facts for facts in found if facts.least <= facts.most]
    values = sorted({value for facts in some for value in facts.values})
    few = len(values) <= MOST and all(facts.values for facts in some)
    return TargetFacts(
        min(facts.least for facts in some),
        max(facts.most for facts in some),
        all(facts.whole for facts in some),
        tuple(values) if few else (),
        some[0].columns,
    )
