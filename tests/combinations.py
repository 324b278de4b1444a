"""Every loss with every penalty by every solver that takes it, on few rows: what the fingerprint law is tested on."""

from collections.abc import Iterator
from itertools import count, product
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from mpi_pgd import InputError
from mpi_pgd.config import OPTIONS
from mpi_pgd.losses import LOSSES
from mpi_pgd.solvers.suit import Facts
from tests.families import SOLVING, solver_of

ROWS, FEATURES, CLASSES = 333, 5, 3  # six blocks, the last of them short
ROUNDS = 8
TARGETS = {"squared": "reals", "huber": "reals", "logistic": "signs", "squared-hinge": "signs", "softmax": "classes"}
SEVERAL = "several targets"  # a model of least squares
PENALTIES: dict[str, dict[str, Any]] = {
    "none": {},
    "l2": {"l2": 0.1},
    "l1": {"l1": 0.05},
    "elastic net": {"l2": 0.1, "l1": 0.05},
    "groups": {"l1": 0.05, "groups": "groups"},
    "bounds": {"lower": 0.0, "upper": "upper"},
    "factors": {"l2": 0.1, "l1": 0.02, "penalty_factors": "factors"},
    "joint": {"l1": 0.05, "joint": True},
}
COUNTED = {"weights": "weights", "offset": "offset"}  # of the rows, in every other combination
BATCH = {"batch": 64} if "batch" in OPTIONS else {}


class Combination(NamedTuple):
    """Settings that go together; ``number`` among all."""

    number: int
    loss: str
    penalty: str
    solver: str
    counted: bool

    def __str__(self) -> str:
        return ", ".join([self.loss, self.penalty, self.solver, *["rows count"] * self.counted])

    @property
    def options(self) -> dict[str, Any]:
        """As settings."""
        named = {"loss": self.loss, "y": TARGETS.get(self.loss, "counts")} if self.loss in LOSSES else {"y": "vectors"}
        counted = COUNTED if self.counted else {}
        return {"solver": self.solver, "rounds": ROUNDS, **named, **PENALTIES[self.penalty], **counted, **BATCH}


def combinations() -> Iterator[Combination]:
    """Those that the families take."""
    numbers = count()
    for (place, loss), (turn, penalty) in product(enumerate([*LOSSES, SEVERAL]), enumerate(PENALTIES)):
        outputs = CLASSES if loss == SEVERAL or TARGETS.get(loss) == "classes" else 1
        options = PENALTIES[penalty]
        if options.get("joint") and outputs == 1:
            continue
        smooth = not options.keys() & {"l1", "lower"}
        facts = Facts(ROWS, outputs * (FEATURES + 1), outputs, loss in ("squared", SEVERAL), smooth)
        for solver in filter(lambda name: suits(name, facts), SOLVING):
            yield Combination(next(numbers), loss, penalty, solver, (place + turn) % 2 == 1)


def suits(solver: str, facts: Facts) -> bool:
    """Whether it takes such a problem."""
    try:
        solver_of(solver).suited(facts)
    except InputError:
        return False
    return True


def write(path: Path) -> None:
    """Rows whose targets suit each loss."""
    g = np.random.default_rng(0)
    x = g.normal(size=(ROWS, FEATURES)) * [1, 2, 0.5, 1, 3] + [0, 1, -3, 0, 5]
    eta = (x - x.mean(axis=0)) @ (g.normal(size=(FEATURES, CLASSES)) / 3)
    with h5py.File(path, "w") as file:
        file["X"], file["reals"] = x, eta[:, 0] + g.normal(size=ROWS)
        file["signs"] = np.sign(eta[:, 0] + g.logistic(size=ROWS))
        file["classes"] = np.argmax(eta + g.gumbel(size=eta.shape), axis=1)
        file["counts"] = 1.0 + g.poisson(np.exp(eta[:, 0]))
        file["vectors"] = eta + g.normal(size=eta.shape)
        file["weights"], file["offset"] = 3 * g.random(ROWS), 0.1 * g.normal(size=ROWS)
        file["factors"], file["groups"], file["upper"] = [0.0, 1.0, 0.5, 1.0, 3.0], [2, 2, 0, 2, 0], [0.1, 0.2, 1.0, 0.0, 0.3]
