"""Every loss with every penalty by every solver: where the fit ends nothing pulls any more, by the definitions in plain numpy.

Nothing pulls where w = prox(w - gradient), the prox that of the penalty. What does not go together is refused. Some are made that
have any two of them together; with MPI_PGD_EVERY=1 all are.
"""

import os
import traceback
from collections.abc import Callable, Hashable
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError
from mpi_pgd.losses import LOSSES
from tests.combinations import cover
from tests.reference.fits import Scaled, fitted
from tests.reference.problems import TARGETS, Data

pytestmark = pytest.mark.ranks(1, libraries=["mpich"])  # on how many ranks, and with which library, changes no bit

ROWS, FEATURES = 120, 6
LEFT = 1e-6  # of the pull at the start
SLOW = 3e-5  # likewise, of solvers that descend along gradients
ENOUGH = {"tol": 1e-11, "rounds": 1500}  # for it: to go on takes them most of their time
FEW = {"rounds": 100}  # of the others: one may not be told that it has come to an end

POWER, THETA, DELTA = 1.5, 1.0, 1.35  # the defaults
FACTORS = np.array([0.0, 0.5, 1.0, 1.0, 2.0, 3.0])
GROUPS = np.array([4, 4, 4, 1, 1, 9])
LOWER, UPPER = np.array([-0.1, -np.inf, 0.0, -0.05, -np.inf, 0.1]), np.array([0.1, 0.0, np.inf, 0.05, np.inf, 0.4])


def softmax(y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    mu = np.exp(eta - eta.max(axis=0))
    return mu / mu.sum(axis=0) - (y == np.arange(len(eta))[:, None])


SLOPES: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {  # and of which targets
    "squared": ("real", lambda y, eta: eta - y),
    "logistic": ("class", lambda y, eta: 1 / (1 + np.exp(-eta)) - y),
    "softmax": ("classes", softmax),
    "poisson": ("count", lambda y, eta: np.exp(eta) - y),
    "gamma": ("amount", lambda y, eta: 1 - y * np.exp(-eta)),
    "inverse-gaussian": ("amount", lambda y, eta: (1 - y * np.exp(-eta)) * np.exp(-eta)),
    "tweedie": ("claims", lambda y, eta: np.exp((2 - POWER) * eta) - y * np.exp((1 - POWER) * eta)),
    "negative-binomial": ("count", lambda y, eta: THETA * (np.exp(eta) - y) / (np.exp(eta) + THETA)),
    "huber": ("outliers", lambda y, eta: np.clip(eta - y, -DELTA, DELTA)),
    "squared-hinge": ("class", lambda y, eta: -2 * (2 * y - 1) * np.maximum(0, 1 - (2 * y - 1) * eta)),
}


class Penalty(NamedTuple):
    """In numpy, and as settings with their data sets."""

    l2: float = 0.0
    l1: float = 0.0
    factors: np.ndarray = np.ones(FEATURES)
    groups: np.ndarray | None = None
    joint: bool = False
    lower: np.ndarray = np.full(FEATURES, -np.inf)
    upper: np.ndarray = np.full(FEATURES, np.inf)
    given: dict[str, Any] = {}  # of the settings  # noqa: RUF012

    def prox(self, v: np.ndarray) -> np.ndarray:
        """Of all but l2, at (k, p)."""
        if self.groups is None and not self.joint:
            return np.clip(np.sign(v) * np.maximum(np.abs(v) - self.l1 * self.factors, 0), self.lower, self.upper)
        found = v.copy()
        labels = np.arange(FEATURES) if self.groups is None else self.groups
        for name in np.unique(labels):
            inside = labels == name
            for line in (slice(None),) if self.joint else [[number] for number in range(len(v))]:
                part = v[line][:, inside]
                least = self.l1 * np.sqrt(inside.sum()) * self.factors[inside][0] / np.linalg.norm(part)
                found[np.ix_(np.arange(len(v))[line], inside)] = part * max(0, 1 - least)
        return found


PENALTIES = {
    "none": Penalty(),
    "l2": Penalty(0.1, given={"l2": 0.1}),
    "l2, factors": Penalty(0.1, factors=FACTORS, given={"l2": 0.1, "penalty_factors": "f"}),
    "l1": Penalty(l1=0.05, given={"l1": 0.05}),
    "l1 and l2, factors": Penalty(0.1, 0.02, FACTORS, given={"l2": 0.1, "l1": 0.02, "penalty_factors": "f"}),
    "groups": Penalty(0.0, 0.03, groups=GROUPS, given={"l1": 0.03, "groups": "g"}),
    "joint": Penalty(0.0, 0.05, joint=True, given={"l1": 0.05, "joint": True}),
    "positive": Penalty(lower=np.zeros(FEATURES), given={"lower": 0.0}),
    "l1 and bounds": Penalty(l1=0.02, lower=LOWER, upper=UPPER, given={"l1": 0.02, "lower": "lower", "upper": "upper"}),
}
SMOOTH = ("none", "l2", "l2, factors")
MANY = ("softmax", "several")  # outputs
EXACT = ("auto", "newton", "lbfgs")
DESCENDING = ("nesterov", "gd", "momentum", "bb")


def refused(penalty: str, solver: str) -> bool:
    """What is not smooth is more than some solvers know."""
    return penalty not in SMOOTH and solver in ("lbfgs", "momentum")


def facets(case: tuple[str, str, str]) -> set[Hashable]:
    """Any two of what goes together."""
    return {case[1:]} if refused(*case[1:]) else {*combinations(case, 2)}


EVERY = [case for case in product([*LOSSES, "several"], PENALTIES, (*EXACT, *DESCENDING)) if case[0] in MANY or case[1] != "joint"]
SOME = EVERY if "MPI_PGD_EVERY" in os.environ else cover(EVERY, facets)


@pytest.mark.ranks(4, libraries=["mpich"])
@pytest.mark.parametrize("loss", [*LOSSES, "several"])
def test_nothing_pulls(comm: MPI.Intracomm, tmp_path: Path, loss: str) -> None:
    """The ranks share the cases, and make each alone."""
    cases = [each[1:] for each in SOME if each[0] == loss]
    wrong = {}
    for number, (penalty, solver) in [*enumerate(cases)][comm.rank :: comm.size]:
        try:
            nothing_pulls(tmp_path / str(number), loss, penalty, solver)
        except Exception:
            wrong[f"{penalty}, {solver}"] = traceback.format_exc()
    assert not wrong, "\n".join([*wrong, *wrong.values()])


def nothing_pulls(folder: Path, loss: str, penalty: str, solver: str) -> None:
    name = "squared" if loss == "several" else loss
    target, slopes = ("reals", SLOPES["squared"][1]) if loss == "several" else SLOPES[loss]
    g = np.random.default_rng(1)
    x = g.normal(size=(ROWS, FEATURES)) + 0.3 * g.normal(size=(ROWS, 1)) + 0.5
    eta = x @ g.normal(size=(FEATURES, 3)) / 3
    y = TARGETS[target](eta, g)
    y = y / y.mean() if target == "amount" else y
    rows, of = Data(x, y, standardize=False), PENALTIES[penalty]
    sides = {"f": of.factors, "g": GROUPS, "lower": of.lower, "upper": of.upper}
    used = {key: column for key, column in sides.items() if key in of.given.values()}
    columns, options = {"X": x, "y": y, **used}, {"loss": name, "standardize": False, "solver": solver, **of.given}
    if refused(penalty, solver):
        with pytest.raises(InputError, match="expected --solver auto"):
            fitted(MPI.COMM_SELF, folder, columns, **options)
        return
    result = fitted(MPI.COMM_SELF, folder, columns, **options, **(FEW if solver in EXACT else ENOUGH))
    scaled = Scaled.of(rows, True)
    v, c = scaled.weights(result)

    def pull(v: np.ndarray, c: np.ndarray) -> float:
        eta = v @ scaled.z.T + c[:, None]
        slope = slopes(y.T, eta if len(eta) > 1 else eta[0]).reshape(eta.shape) / ROWS
        moved = v - of.prox(v - slope @ scaled.z - of.l2 * of.factors * v)
        return float(np.sqrt(np.sum(moved**2) + np.sum(slope.sum(axis=1) ** 2)))

    start = np.zeros_like(c) if name in ("logistic", "softmax", "squared-hinge") else c
    assert pull(v, c) <= (LEFT if solver in EXACT else SLOW) * pull(0 * v, start)
    assert (v >= of.lower).all()
    assert (v <= of.upper).all()


@pytest.mark.parametrize("given", [{"solver": "newton"}, {"solver": "lbfgs"}, {"lower": -1e3}, {"solver": "bb"}], ids=str)
def test_it_comes_back_from_where_nothing_bends(comm: MPI.Intracomm, folder: Path, given: dict[str, Any]) -> None:
    """All residuals begin far beyond Huber's distance: there is no second derivative, and steps go anywhere."""
    g = np.random.default_rng(0)
    x = np.column_stack([g.normal(size=(ROWS, 4)), np.ones(ROWS)])
    y = 50 + x[:, :4].sum(axis=1) + g.normal(size=ROWS)
    near = fitted(comm, folder / "near", {"X": x[:, :4], "y": y}, loss="huber")
    far = fitted(comm, folder / "far", {"X": x, "y": y}, loss="huber", intercept=False, standardize=False, **given)
    assert far.coef == pytest.approx(np.append(near.coef, near.intercept), rel=1e-4)
