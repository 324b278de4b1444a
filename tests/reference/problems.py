"""What to fit: the data sets that scikit-learn bundles, and random problems of five kinds with targets of all."""

import functools
from typing import Any, NamedTuple

import numpy as np

KINDS = {"plain": (150, 6), "tall": (1500, 4), "wide": (30, 50), "collinear": (150, 8), "unscaled": (200, 6)}
BUNDLED = {  # loaders, and whether the features are to be standardized: the rest of them share a unit
    "diabetes": ("load_diabetes", False),
    "cancer": ("load_breast_cancer", True),
    "wine": ("load_wine", True),
    "iris": ("load_iris", False),
    "digits": ("load_digits", False),
    "linnerud": ("load_linnerud", True),
}
DIGITS = 3  # classes, of ten: what takes the seconds is not our side


class Data(NamedTuple):
    x: np.ndarray  # (n, p)
    y: np.ndarray  # (n,) or (n, k)
    standardize: bool


@functools.cache
def data(name: str, target: str) -> Data:
    """That of a kind, with a target of a kind, or a bundled one, which has its own."""
    if name in KINDS:
        return random(name, target)
    import sklearn.datasets

    loader, standardize = BUNDLED[name]
    x, y = getattr(sklearn.datasets, loader)(return_X_y=True)
    rows = y < DIGITS if name == "digits" else slice(None)
    return Data(x[rows].astype(float), y[rows].astype(float), standardize)


def features(kind: str, g: np.random.Generator) -> np.ndarray:
    rows, columns = KINDS[kind]
    x = g.normal(size=(rows, columns))
    if kind == "collinear":  # correlations of 0.98, and one column that is nearly the sum of two others
        x = x[:, :1] + 0.15 * x
        x[:, -1] = x[:, 1] + x[:, 2] + 0.01 * g.normal(size=rows)
    if kind == "unscaled":
        x = x * 10.0 ** np.linspace(-4, 5, columns) + 10.0 ** np.linspace(-3, 4, columns)
    return x


def random(kind: str, target: str) -> Data:
    g = np.random.default_rng([*kind.encode(), *target.encode()])
    x = features(kind, g)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    eta = z @ g.normal(size=(x.shape[1], 3)) / np.sqrt(x.shape[1])
    return Data(x, TARGETS[target](eta, g), kind == "unscaled")


def _claims(eta: np.ndarray, g: np.random.Generator) -> np.ndarray:
    """Sums of gamma amounts, of which there may be none."""
    number = g.poisson(np.exp(eta[:, 0]))
    return np.where(number > 0, g.gamma(np.maximum(number, 1) * 2.0, 3.0), 0.0)


TARGETS: dict[str, Any] = {
    "real": lambda eta, g: 3 * eta[:, 0] + 20 + g.normal(size=len(eta)),
    "reals": lambda eta, g: 3 * eta + [20, 0, -1] + g.normal(size=eta.shape),
    "outliers": lambda eta, g: 3 * eta[:, 0] + 20 + g.standard_t(1.5, size=len(eta)),
    "class": lambda eta, g: (eta[:, 0] + g.logistic(size=len(eta)) > 0).astype(float),
    "classes": lambda eta, g: np.argmax(2 * eta + g.gumbel(size=eta.shape), axis=1).astype(float),
    "count": lambda eta, g: g.poisson(np.exp(eta[:, 0] + 1)).astype(float),
    "amount": lambda eta, g: g.gamma(2.0, 50 * np.exp(eta[:, 0])),
    "claims": _claims,
}
