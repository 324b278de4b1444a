"""Every loss with every penalty by every solver that takes it, on few rows: what the fingerprint law is tested on."""

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import h5py
import numpy as np

from mpi_pgd import InputError
from mpi_pgd.losses import LOSSES
from mpi_pgd.solvers.suit import Facts
from tests.families import SOLVING, solver_of

ROWS, FEATURES, CLASSES = 333, 5, 3  # six blocks, the last of them short
ROUNDS = 6
SETTINGS = {"rounds": ROUNDS, "batch": 112}  # an epoch and a third
TARGETS = {"squared": "reals", "huber": "reals", "logistic": "signs", "squared-hinge": "signs", "softmax": "classes"}
SEVERAL = "several targets"  # a model of least squares
OWN = "a user's"
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


class Combination(NamedTuple):
    """Settings that go together.

    Attributes:
        number: among all.
        form: what else decides how a solver goes about it: whether the loss is squared, and whether all is smooth.
        counted: whether the rows have weights and an offset.
        way: 0 or 1: which numbers of ranks make it in which mode.
    """

    number: int
    loss: str
    penalty: str
    solver: str
    form: tuple[bool, bool]
    counted: bool
    way: int

    def __str__(self) -> str:
        more = *["rows count"] * self.counted, *["sparse"] * self.sparse, *["the other way"] * self.way
        return ", ".join([self.loss, self.penalty, self.solver, *more])

    @property
    def sparse(self) -> bool:
        """Whether the rows are, of all in one of the two ways."""
        return (self.number // 2 + self.way) % 2 == 0

    @property
    def parts(self) -> tuple[Any, ...]:
        """What is combined."""
        return self.loss, self.penalty, self.solver, self.way

    @property
    def options(self) -> dict[str, Any]:
        """As settings."""
        named = {"loss": f"{__name__}:own" if self.loss == OWN else self.loss, "y": TARGETS.get(self.loss, "counts")}
        rows = {"y": "vectors"} if self.loss == SEVERAL else named
        counted = COUNTED if self.counted else {}
        few = {"x": "few"} if self.sparse else {}
        return {"solver": self.solver, **rows, **few, **PENALTIES[self.penalty], **counted, **SETTINGS}


def combinations() -> Iterator[Combination]:
    """Those that the families take, each in both ways."""
    numbers = itertools.count()
    for (place, loss), (turn, penalty) in itertools.product(enumerate([*LOSSES, SEVERAL, OWN]), enumerate(PENALTIES)):
        outputs = CLASSES if loss == SEVERAL or TARGETS.get(loss) == "classes" else 1
        options = PENALTIES[penalty]
        if options.get("joint") and outputs == 1:
            continue
        form = loss in ("squared", SEVERAL), not options.keys() & {"l1", "lower"}
        facts = Facts(ROWS, outputs * (FEATURES + 1), outputs, form[0], "" if form[1] else penalty)
        for solver in filter(lambda name: suits(name, facts), SOLVING):
            number = next(numbers)
            for way in (0, 1):
                yield Combination(number, loss, penalty, solver, form, (place + turn) % 2 == 1, way)


Case = TypeVar("Case", bound=Hashable)


def pairs(one: Combination) -> set[Hashable]:
    """Any two of its parts."""
    return {*itertools.combinations(one.parts, 2)}


def ways(one: Combination) -> set[Hashable]:
    """Each of its parts, in its way."""
    return {(part, one.way) for part in one.parts}


def forms(one: Combination) -> set[Hashable]:
    """Each loss and penalty, and all that a solver may have to go on with."""
    return {one.loss, one.penalty, (one.solver, one.form)}


def cover(given: Sequence[Case], facets: Callable[[Case], set[Hashable]]) -> list[Case]:
    """A few that have together each facet that any has: always one with the most that are missing, from a shuffled deck."""
    found, having = list[Case](), {each: facets(each) for each in Random(0).sample(given, len(given))}
    missing = set().union(*having.values())
    while missing:
        one, its = max(having.items(), key=lambda item: len(item[1] & missing))
        found.append(one)
        missing -= its
    return sorted(found)


def own(y: Any, eta: Any) -> tuple[Any, Any]:
    """A user's loss: log cosh."""
    away = eta - y
    return np.logaddexp(away, -away) - np.log(2), np.tanh(away)


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
        few = x * (np.random.default_rng(1).random(x.shape) < 0.6)
        rows, columns = np.nonzero(few)
        file["few/data"], file["few/indices"], file["few"].attrs["shape"] = few[rows, columns], columns, few.shape
        file["few/indptr"] = np.searchsorted(rows, np.arange(ROWS + 1))
        file["weights"], file["offset"] = 3 * g.random(ROWS), 0.1 * g.normal(size=ROWS)
        file["factors"], file["groups"], file["upper"] = [0.0, 1.0, 0.5, 1.0, 3.0], [2, 2, 0, 2, 0], [0.1, 0.2, 1.0, 0.0, 0.3]
