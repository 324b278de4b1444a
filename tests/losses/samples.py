"""Rows for every loss: targets that it takes, of whatever loss there will be, and the calls that hand over fresh arrays."""

from typing import Any

import numpy as np

from mpi_pgd.errors import InputError
from mpi_pgd.losses import LOSSES, Loss
from mpi_pgd.losses.targets import MOST, TargetFacts, Targets

ROWS = 60
REALS = np.random.default_rng(1).normal(scale=2.0, size=ROWS)
POSITIVE = np.random.default_rng(2).gamma(1.0, size=ROWS) + 0.05
COUNTS = np.where(np.arange(ROWS) % 3, POSITIVE, 0.0)
KINDS = (REALS, COUNTS, POSITIVE, np.arange(ROWS) % 4 + 2.0, np.arange(ROWS) % 3 // 2 * 1.0)  # of the fewest losses last

# Beside the defaults: near the ends of what options may be.
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "tweedie": ({"tweedie_power": 1.01}, {"tweedie_power": 1.98}),
    "negative-binomial": ({"theta": 1e-9}, {"theta": 0.1}, {"theta": 30.0}, {"theta": 1e9}),
    "huber": ({"huber_delta": 0.05}, {"huber_delta": 1e3}),
}
CASES = [(name, options) for name in LOSSES for options in ({}, *VARIANTS.get(name, ()))]
IDS = [f"{name}{[*options.values()] or ''}" for name, options in CASES]


def facts(y: Any) -> TargetFacts:
    """Of targets (n,) or (n, k)."""
    array = np.asarray(y, np.float64)
    values = np.unique(array)
    known = tuple(values.tolist()) if len(values) <= MOST else ()
    return TargetFacts(array.min(), array.max(), bool((array % 1 == 0).all()), known, 1 if array.ndim == 1 else array.shape[1])


def targets(loss: Loss) -> tuple[np.ndarray, Targets]:
    """Rows that the loss takes, as it is given them."""
    for kind in KINDS:
        try:
            read = loss.labels(facts(kind))
        except InputError:
            continue
        return (np.searchsorted(read.classes, kind).astype(float) if read.classes else kind), read
    raise AssertionError(f"{loss} takes none of the targets here")


def etas(read: Targets, scale: float = 2.0, rows: int = ROWS) -> np.ndarray:
    eta = np.random.default_rng(3).normal(scale=scale, size=(read.outputs, rows))
    return eta[0] if read.outputs == 1 else eta


def called(loss: Loss, y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values (rows,) and slopes, as eta."""
    slopes, value = eta.copy(), np.full(eta.shape[-1], np.nan)
    loss(y, slopes, value, room(loss, value))
    return value, slopes


def curvatures(loss: Loss, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """(k, k, rows), symmetric; (1, 1, rows) for one output."""
    k = 1 if eta.ndim == 1 else len(eta)
    out = np.full((k * (k + 1) // 2, eta.shape[-1]), np.nan)
    loss.curvatures(y, eta, out[0] if eta.ndim == 1 else out, room(loss, out[0]))
    whole = np.empty((k, k, eta.shape[-1]))
    for line, (i, j) in enumerate(zip(*np.triu_indices(k), strict=True)):
        whole[i, j] = whole[j, i] = out[line]
    return whole


def floors(loss: Loss, y: np.ndarray) -> np.ndarray:
    out = np.full(y.shape[-1], np.nan)
    loss.floor(y, out, room(loss, out))
    return out


def room(loss: Loss, line: np.ndarray) -> np.ndarray:
    return np.full((loss.rooms, len(line)), np.nan)
