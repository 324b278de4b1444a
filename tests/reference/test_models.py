"""Coefficients against scikit-learn's and scipy's, on the data sets that scikit-learn bundles and on random ones of five kinds.

Each is fitted by one rank. What is minimised stands in objectives.py once, for both sides; where the optimum is one point,
the weights are the same, too.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mpi4py import MPI

from tests.reference.fits import Scaled, fitted
from tests.reference.objectives import Goal
from tests.reference.problems import KINDS, data
from tests.reference.strengths import strengths
from tests.thorough import some

pytestmark = pytest.mark.ranks(1, libraries=["mpich"])  # where scikit-learn is; what another library changes is held elsewhere

SAME = 1e-6  # weights, beside the largest of them
ABOVE = 1e-9  # objectives, beside theirs
NOTHING = 1e-15  # beside the objective of the intercept alone: what is left of a fit without residuals
STRONG = 0.1  # times the least strength of l1 that leaves no weight

Solution = tuple[Any, Any]  # weights and intercepts
Named = dict[str, float]


class Model(NamedTuple):
    loss: str
    target: str  # of random problems
    peer: Callable[[np.ndarray, np.ndarray, Named], Solution]  # of features, targets and strengths
    name: str  # in the table of strengths
    named: Callable[[np.ndarray, np.ndarray], Named]  # strengths in their words, from features and targets
    bundled: tuple[str, ...] = ()
    kinds: tuple[str, ...] = tuple(KINDS)
    many: tuple[str, ...] = ()  # kinds with more than one optimum
    intercept: bool = True
    options: dict[str, Any] = {}  # of ours  # noqa: RUF012


def tenth(z: np.ndarray, y: np.ndarray, slopes: Callable[[np.ndarray], np.ndarray] = lambda y: y - y.mean(axis=0)) -> float:
    """A tenth of the l1 with which all weights are 0."""
    largest = z.T @ slopes(y) / len(z)
    return STRONG * float(np.max(np.linalg.norm(largest, axis=1) if largest.ndim > 1 else np.abs(largest)))


def estimator(name: str, **options: Any) -> Callable[[np.ndarray, np.ndarray, Named], Solution]:
    def solve(z: np.ndarray, y: np.ndarray, named: Named) -> Solution:
        import sklearn.linear_model

        model = getattr(sklearn.linear_model, name)(**named, **options).fit(z, y)
        named |= {"scale_": model.scale_} if hasattr(model, "scale_") else {}
        return model.coef_, model.intercept_

    return solve


def huber(z: np.ndarray, y: np.ndarray, named: Named) -> Solution:
    """For the scale that theirs finds, as ours has none; 1 where it has nothing to go by, as nothing is left of the residuals.

    Theirs stops where the gradient is about 1e-6: from there on by scipy, for that scale, and by Newton's method.
    """
    import scipy.optimize

    weights, intercept = estimator("HuberRegressor", tol=1e-10, max_iter=10_000)(z, y, named)
    named["scale_"] = scale = named["scale_"] if named["scale_"] > 1e-6 else 1.0
    delta, ridge = named["epsilon"] * scale, np.append(np.full(z.shape[1], named["alpha"] * scale / len(z)), 0.0)
    ones = np.column_stack([z, np.ones(len(z))])

    def value(at: np.ndarray) -> tuple[float, np.ndarray]:
        r = ones @ at - y
        slopes = np.clip(r, -delta, delta)
        return np.mean(slopes * (r - slopes / 2)) + ridge @ at**2 / 2, ones.T @ slopes / len(z) + ridge * at

    at = scipy.optimize.minimize(value, np.append(weights, intercept), jac=True, method="L-BFGS-B", tol=1e-14).x
    for _ in range(5):
        near = ones[np.abs(ones @ at - y) <= delta]
        at = at - np.linalg.solve(near.T @ near / len(z) + np.diag(ridge), value(at)[1])
    return at[:-1], at[-1]


def nnls(z: np.ndarray, y: np.ndarray, named: Named) -> Solution:
    import scipy.optimize

    return scipy.optimize.nnls(z, y)[0], 0.0


def fixed(**named: float) -> Callable[[np.ndarray, np.ndarray], Named]:
    return lambda z, y: dict(named)


CHECKED = {"tol": 1e-13, "max_iter": 1_000_000}  # coordinate descent, to a gap of so much
NEWTON = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000}
LIBLINEAR = {"solver": "liblinear", "fit_intercept": False, "tol": 1e-12, "max_iter": 100_000, "random_state": 0}
SAGA = {"solver": "saga", "tol": 1e-13, "max_iter": 100_000, "random_state": 0}
MODELS = {
    "least squares": Model(
        "squared", "real", estimator("LinearRegression"), "LinearRegression", fixed(), ("diabetes", "linnerud"), many=("wide",)
    ),
    "ridge": Model("squared", "real", estimator("Ridge", solver="svd"), "Ridge", fixed(alpha=2.0), ("diabetes", "linnerud")),
    "lasso": Model("squared", "real", estimator("Lasso", **CHECKED), "Lasso", lambda z, y: {"alpha": tenth(z, y)}, ("diabetes",)),
    "elastic net": Model(
        "squared",
        "real",
        estimator("ElasticNet", **CHECKED),
        "ElasticNet",
        lambda z, y: {"alpha": tenth(z, y), "l1_ratio": 0.7},
        ("diabetes",),
    ),
    "lasso of several targets": Model(
        "squared",
        "reals",
        estimator("MultiTaskLasso", **CHECKED),
        "MultiTaskLasso",
        lambda z, y: {"alpha": tenth(z, y)},
        ("linnerud",),
        options={"joint": True},
    ),
    "non-negative": Model(
        "squared",
        "real",
        nnls,
        "LinearRegression",
        fixed(),
        ("diabetes",),
        many=("wide",),
        intercept=False,
        options={"lower": 0.0},
    ),
    "logistic": Model(
        "logistic",
        "class",
        estimator("LogisticRegression", **NEWTON),
        "LogisticRegression",
        fixed(C=0.5, l1_ratio=0.0),
        ("cancer",),
    ),
    "logistic, l1": Model(
        "logistic",
        "class",
        estimator("LogisticRegression", **LIBLINEAR),
        "LogisticRegression",
        lambda z, y: {"C": 1 / (len(z) * tenth(z, y, lambda y: y - 0.5)), "l1_ratio": 1.0},
        ("cancer",),
        intercept=False,
    ),
    "logistic, l1, intercept": Model(
        "logistic",
        "class",
        estimator("LogisticRegression", **SAGA),
        "LogisticRegression",
        lambda z, y: {"C": 1 / (len(z) * tenth(z, y)), "l1_ratio": 1.0},
        kinds=("plain", "unscaled"),
    ),
    "softmax": Model(
        "softmax",
        "classes",
        estimator("LogisticRegression", **NEWTON),
        "LogisticRegression",
        fixed(C=0.5, l1_ratio=0.0),
        ("wine", "iris", "digits"),
    ),
    "huber": Model(
        "huber",
        "outliers",
        huber,
        "HuberRegressor",
        fixed(alpha=1.0, epsilon=1.35),
        ("diabetes",),
    ),
    "poisson": Model(
        "poisson", "count", estimator("PoissonRegressor", **NEWTON), "PoissonRegressor", fixed(alpha=0.1), ("diabetes",)
    ),
    "gamma": Model("gamma", "amount", estimator("GammaRegressor", **NEWTON), "GammaRegressor", fixed(alpha=0.1), ("diabetes",)),
    "tweedie": Model(
        "tweedie",
        "claims",
        estimator("TweedieRegressor", power=1.4, link="log", **NEWTON),
        "TweedieRegressor",
        fixed(alpha=0.1),
        ("diabetes",),
        options={"tweedie_power": 1.4},
    ),
}
CASES = [(name, each) for name, model in MODELS.items() for each in (*model.kinds, *model.bundled)]


class Problem(NamedTuple):
    """One of them, and how both sides know it."""

    goal: Goal
    scaled: Scaled
    theirs: tuple[np.ndarray, np.ndarray]  # (k, p) and (k,)
    columns: dict[str, np.ndarray]
    options: dict[str, Any]

    @classmethod
    def of(cls, name: str, which: str) -> "Problem":
        model = MODELS[name]
        rows = data(which, model.target)
        scaled = Scaled.of(rows, model.intercept)
        named = model.named(scaled.z, rows.y)
        weights, intercepts = model.peer(scaled.z, rows.y, named)
        own = dict(model.options)
        if "scale_" in named:
            own["huber_delta"] = named["epsilon"] * named["scale_"]
        powers = strengths("scikit-learn", model.name, n=len(rows.x), **named)
        of_loss = {key: value for key, value in own.items() if key in ("huber_delta", "tweedie_power")}
        goal = Goal(model.loss, scaled.z, rows.y.T, joint="joint" in own, options=of_loss, **powers)
        options = {"loss": model.loss, "standardize": rows.standardize, "intercept": model.intercept, **powers, **own}
        v = np.atleast_2d(weights)
        return cls(goal, scaled, (v, np.atleast_1d(intercepts) + np.zeros(len(v))), {"X": rows.x, "y": rows.y}, options)


@pytest.mark.filterwarnings("ignore")  # what scikit-learn says of its own
@pytest.mark.parametrize(
    ("name", "which"),
    some(CASES, 3),
    ids=[f"{name}-{which}" for name, which in CASES],
)
def test_it_is_their_optimum(comm: MPI.Intracomm, folder: Path, name: str, which: str) -> None:
    goal, scaled, theirs, columns, options = Problem.of(name, which)
    result = fitted(comm, folder / "rows", columns, **options)
    ours = scaled.weights(result)
    value, its, nothing = (goal.value(*each) for each in (ours, theirs, (0 * theirs[0], theirs[1])))
    assert value <= its + ABOVE * its + NOTHING * nothing
    assert result.record["objective"] == pytest.approx(value, rel=1e-9, abs=NOTHING * nothing)
    if which not in MODELS[name].many:
        largest = np.abs(theirs[0]).max()
        centred = (theirs[1].mean() - ours[1].mean()) * (goal.loss == "softmax")  # the same for all classes changes nothing
        assert ours[0] == pytest.approx(theirs[0], rel=0, abs=SAME * largest)
        assert ours[1] + centred == pytest.approx(theirs[1], rel=SAME, abs=SAME * largest)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_a_gap_is_no_smaller_than_what_is_left(comm: MPI.Intracomm, folder: Path, name: str) -> None:
    """After few rounds, when there is something left: their optimum is known."""
    goal, scaled, theirs, columns, options = Problem.of(name, "plain")
    kinds = set()
    for rounds in (1, 3, 9):
        result = fitted(comm, folder / f"{rounds}", columns, solver="nesterov", rounds=rounds, **options)
        left = goal.value(*scaled.weights(result)) - goal.value(*theirs)
        found = result.record["certificate"]
        assert found["kind"] != "duality gap" or left <= found["gap"] * (1 + ABOVE)
        kinds.add(found["kind"])
    assert kinds == {"gradient norm"} if name == "least squares" else "duality gap" in kinds


def test_no_gradient_is_small_enough_against_a_gap(comm: MPI.Intracomm, folder: Path) -> None:
    """Of features in very different units one is all of the gradient's norm, and the others may be far from their optimum."""
    draw = np.random.default_rng(5)
    x = draw.standard_normal((200, 8))
    y = (x.sum(axis=1) + draw.standard_normal(200) > 0).astype(float)
    units = 10.0 ** np.linspace(-3, 6, 8)
    options = {"loss": "logistic", "solver": "lbfgs", "standardize": False, "l2": 1e-4, "tol": 1e-7, "rounds": 1_000}
    found = fitted(comm, folder / "x", {"X": x * units, "y": y}, **options)
    assert found.status == "converged"
    assert found.record["certificate"]["relative"] <= 0.1


@pytest.mark.parametrize("solver", ["bb", "nesterov"])
def test_a_gradient_is_measured_in_units_of_the_columns(comm: MPI.Intracomm, folder: Path, solver: str) -> None:
    """Without a penalty there is no gap, and the gradient of the column in large units, which is all of the norm, falls first."""
    draw = np.random.default_rng(8)
    x = draw.standard_normal((200, 2))
    y = (x.sum(axis=1) + draw.standard_normal(200) > 0).astype(float)
    options = {"loss": "logistic", "solver": solver, "standardize": False, "tol": 1e-5, "rounds": 60}
    found = fitted(comm, folder / "x", {"X": x * [1e-6, 1.0], "y": y}, **options)
    assert found.record["digits"] > 5
    assert found.status == "rounds exhausted"


@pytest.mark.parametrize("loss", ["squared", "logistic", "huber"])
def test_what_is_not_smooth_is_solved_in_any_units(comm: MPI.Intracomm, folder: Path, loss: str) -> None:
    draw = np.random.default_rng(6)
    x = draw.standard_normal((100, 30))
    eta = x[:, :6].sum(axis=1) + draw.standard_t(1.5, 100)
    y = (eta > 0).astype(float) if loss == "logistic" else eta
    units = 10.0 ** np.linspace(-6, 6, 30)
    options = {"loss": loss, "standardize": False, "l2": 1e-4, "lower": 0.0, "tol": 1e-7, "rounds": 100}
    found = fitted(comm, folder / "x", {"X": x * units, "y": y}, **options)
    assert (found.status, found.record["solver"]) == ("converged", "newton")


@pytest.mark.parametrize("loss", ["squared", "gamma", "squared-hinge", "logistic"])
@pytest.mark.parametrize("intercept", [False, True])
def test_the_start_may_be_the_optimum(comm: MPI.Intracomm, folder: Path, loss: str, intercept: bool) -> None:
    draw = np.random.default_rng(7)
    columns = {"X": draw.standard_normal((200, 3)), "y": (draw.random(200) > 0.4) + float(loss == "gamma")}
    found = fitted(comm, folder / "x", columns, loss=loss, l1=1.0, intercept=intercept)
    assert found.status == "converged"
    assert found.record["rounds"] <= 5 or (intercept and loss == "squared-hinge")  # whose best intercept has to be found
