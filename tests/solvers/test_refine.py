"""Least squares to the last digit: against rational arithmetic; and what is said of columns that do not determine it."""

from fractions import Fraction

import numpy as np
import pytest

import mpi_pgd.solvers.refine
from mpi_pgd.drivers.certificate import Kind
from mpi_pgd.engine.state import dump, load
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.evaluation import Curvature
from mpi_pgd.solvers.refine import Refine
from tests.nist import REFERENCES, eliminated, exact, held
from tests.solvers.exactly import Fitted, Model, fit

pytestmark = pytest.mark.beside("numbers")

LAST = Fraction(1, 2**53)  # relative error of the nearest float64


def coefficients(found: Fitted, output: int = 0, intercept: bool = True) -> list[float]:
    return [float(found.intercept[output])] * intercept + found.weights[output].tolist()


def worst(found: list[float], expected: list[Fraction]) -> Fraction:
    """The largest relative error."""
    return max(abs(Fraction(a) - b) / abs(b) for a, b in zip(found, expected, strict=True))


def columns(rows: int = 300, features: int = 5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(features)
    x = generator.standard_normal((rows, features))
    return x, x @ np.arange(1.0, features + 1) + generator.standard_normal(rows)


@pytest.mark.parametrize("name", REFERENCES)
def test_nist(name: str) -> None:
    """Each weight is the float64 nearest to the exact solution for the data as stored; so the cut into blocks can't be seen."""
    of = REFERENCES[name]
    x, y = of.features, of.targets
    whole, blocks = (fit(x, y, Model(of.intercept, block_rows=size)) for size in (128, 8))
    found = coefficients(whole, intercept=of.intercept)
    assert worst(found, exact(x, y, of.intercept)) <= LAST
    assert worst(found, [Fraction(word) for word in of.certified]) <= held(name)
    assert coefficients(blocks, intercept=of.intercept) == found
    assert whole.diagnosis.ill == (name == "filip")
    assert whole.diagnosis.unique


@pytest.mark.parametrize("name", ["longley", "wampler2", "wampler5", "filip"])
def test_the_digits_that_are_promised_are_left(name: str) -> None:
    """The last bits of the data are anything: the weights differ by less than was said."""
    of = REFERENCES[name]
    x, y = of.features, of.targets
    found = fit(x, y)
    generator = np.random.default_rng(4)
    for _ in range(3):
        other = [numbers * (1 + generator.choice([-1, 1], numbers.shape) * 2.0**-52) for numbers in (x, y)]
        weights = np.array([float(weight) for weight in exact(*other, True)[1:]]) * found.scaling.scale
        own = found.weights[0] * found.scaling.scale
        assert np.linalg.norm(weights - own) <= 2 * 10**-found.diagnosis.digits * np.linalg.norm(own)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("l2", [1e-8, 0.5])
def test_ridge_is_exact_too(l2: float, standardize: bool) -> None:
    x, y = columns(40)
    x[:, 3] = x[:, 2] + 1e-6 * x[:, 3]
    x *= 10.0 ** np.arange(-2, 3)
    found = fit(x, y, Model(l2=l2, standardize=standardize))
    # In each equation of a weight, n l2 scale^2 more of it.
    rows = [[Fraction(1)] * len(y), *([Fraction(value) for value in column] for column in x.T.tolist())]
    target = [Fraction(value) for value in y.tolist()]
    table = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in [*rows, target]] for one in rows]
    for place, scale in enumerate(found.scaling.scale.tolist(), 1):
        table[place][place] += len(y) * Fraction(l2) * Fraction(scale) ** 2
    assert worst(coefficients(found), eliminated(table)) <= LAST


def test_outputs_are_fits_of_their_own() -> None:
    x, y = columns()
    targets = np.stack([y, 1e6 * np.random.default_rng(1).standard_normal(len(y)), y + 1e-3 * x[:, 0] ** 2])
    found = fit(x, targets)
    for output, target in enumerate(targets):
        assert coefficients(found, output) == coefficients(fit(x, target))


def test_weights_offset_scaling_and_order_change_nothing() -> None:
    """The same minimum, written down in another way: the same nearest float64."""
    x, y = columns()
    x[:, 4] = x[:, 3] + 1e-3 * x[:, 4]
    generator = np.random.default_rng(2)
    counts = generator.integers(1, 4, len(y))
    order = generator.permutation(len(y))
    whole = np.round(y * 64)
    shift = np.round(x[:, 0] * 16)
    plain, repeated = coefficients(fit(x, y)), fit(np.repeat(x, counts, axis=0), np.repeat(y, counts))
    assert coefficients(fit(x[order], y[order])) == plain
    assert coefficients(fit(x, y, Model(standardize=False))) == plain
    assert coefficients(fit(x, y, Model(weights=counts * 1.0))) == coefficients(repeated)
    assert coefficients(fit(x, whole, Model(offset=shift))) == coefficients(fit(x, whole - shift))


CASES = {
    "twins": ([2], [2, 5]),
    "scaled twins": ([0], [0, 5]),
    "a sum": ([1, 3], [1, 3, 5]),
}


@pytest.mark.parametrize("sizes", [0.0, 3.0])
@pytest.mark.parametrize("case", CASES)
def test_collinear_columns_are_named_and_the_objective_is_the_least(case: str, sizes: float) -> None:
    parts, named = CASES[case]
    x, y = columns()
    x = np.column_stack([x, x[:, parts].sum(axis=1) * (3.0 if case == "scaled twins" else 1.0)])
    x *= 10.0 ** (sizes * np.array([-1, 0.5, 1, 0, 2, -0.5]))
    found = fit(x, y)
    assert found.diagnosis.columns == tuple(named)
    assert found.diagnosis.ill
    assert not found.diagnosis.unique
    assert found.diagnosis.digits < 2
    assert found.objective == pytest.approx(fit(x[:, :5], y).objective, rel=1e-12)
    assert np.abs(found.weights * found.scaling.scale).max() < 100


def test_levels_of_a_factor() -> None:
    """One column each, and an intercept: one too many."""
    x, y = columns()
    levels = np.eye(7)[np.random.default_rng(3).integers(0, 7, len(y))]
    found = fit(np.hstack([x, levels]), y)
    assert found.diagnosis.columns == tuple(range(5, 12))
    assert found.objective == pytest.approx(fit(np.hstack([x, levels[:, 1:]]), y).objective, rel=1e-12)


def test_more_columns_than_rows() -> None:
    x, y = columns(40, 100)
    found = fit(x, y)
    assert not found.diagnosis.unique
    assert found.objective < 1e-25 * np.var(y)
    assert np.linalg.norm(found.weights) < 2 * np.linalg.norm(np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(), rcond=None)[0])


@pytest.mark.parametrize("distance", [1e-7, 1e-9, 1e-11])
def test_columns_that_are_nearly_collinear(distance: float) -> None:
    """What rounding leaves of the solution for the decimals is few digits; but that for the numbers as stored is found."""
    x, y = columns()
    x = np.column_stack([x, x[:, 2] + distance * np.random.default_rng(6).standard_normal(len(y))])
    found = fit(x, y)
    assert found.diagnosis.columns == (2, 5)
    assert found.diagnosis.unique
    assert worst(coefficients(found), exact(x, y, True)) <= 10 * LAST
    assert found.diagnosis.condition == pytest.approx(2 / distance, rel=0.3)  # of two columns with a correlation near 1


@pytest.mark.parametrize("seed", range(8))
def test_several_small_singular_values_in_any_units(seed: int) -> None:
    """Far below what a Gram matrix can tell from 0, and columns that are far from 0."""
    generator = np.random.default_rng(seed)
    rows, features = 50, 3 + seed % 3
    left, _ = np.linalg.qr(generator.standard_normal((rows, features)))
    right, _ = np.linalg.qr(generator.standard_normal((features, features)))
    x = (left * np.geomspace(1, 1e-9, features) @ right + generator.uniform(0, 2, features)) * 10.0 ** generator.integers(
        -30, 30, features
    )
    y = x @ (generator.standard_normal(features) / np.abs(x).max(axis=0)) + 10.0 ** generator.uniform(
        -8, 0
    ) * generator.standard_normal(rows)
    found = fit(x, y, Model(block_rows=16))
    assert found.diagnosis.unique
    assert found.diagnosis.ill
    assert worst(coefficients(found), exact(x, y, True)) <= LAST


@pytest.mark.parametrize("constant", [0.0, 3.3])
def test_constant_columns_and_targets(constant: float) -> None:
    x, y = columns()
    found = fit(np.column_stack([x, np.full(len(y), constant)]), y)
    assert coefficients(found) == [*coefficients(fit(x, y)), 0.0]
    flat = fit(x, np.full(len(y), constant))
    assert coefficients(flat) == [constant, *[0.0] * 5]
    nothing = fit(np.full((len(y), 2), constant), y)
    assert nothing.weights.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(("distance", "asked"), [(1.0, Ask.GRADIENT), (1e-3, Ask.GRADIENT), (1e-6, Ask.PRECISE)])
def test_many_rows_are_precise_where_they_have_to_be(monkeypatch: pytest.MonkeyPatch, distance: float, asked: Ask) -> None:
    monkeypatch.setattr(mpi_pgd.solvers.refine, "AFFORDED", 0)
    x, y = columns()
    x = np.column_stack([x, x[:, 2] + distance * np.random.default_rng(6).standard_normal(len(y))])
    found = fit(x, y)
    assert (Ask.PRECISE in found.asked) == (asked == Ask.PRECISE)
    assert worst(coefficients(found), exact(x, y, True)) <= Fraction(1, 10**10)


@pytest.mark.parametrize("l2", [0.0, 1e-3])
@pytest.mark.parametrize("distance", [1.0, 1e-4, 1e-9])
def test_who_asks_for_less_gets_the_first_weights_that_are_near_enough(distance: float, l2: float) -> None:
    """No pass is made in twice the precision, unless the columns are such that nothing else tells how near the optimum is."""
    x, y = columns()
    x = np.column_stack([x, x[:, 2] + distance * np.random.default_rng(6).standard_normal(len(y))])
    model = Model(l2=l2)
    found, best = fit(x, y, model, tol=1e-7), fit(x, y, model)
    assert (Ask.PRECISE in found.asked) == (distance == 1e-9 and l2 == 0)
    assert found.certificate.kind == (Kind.SOLVED if Ask.PRECISE in found.asked else Kind.GAP if l2 else Kind.DECREMENT)
    rounding = 4 * float(LAST) * np.abs(found.weights).max()
    assert abs(found.objective - best.objective) <= found.certificate.gap + rounding
    assert found.certificate.gap <= 1e-7 * np.var(y) / 2
    assert found.diagnosis.digits == pytest.approx(best.diagnosis.digits, abs=1e-3)


@pytest.mark.parametrize("collinear", [False, True])
def test_a_state_that_was_dumped_goes_on_to_the_same_bits(monkeypatch: pytest.MonkeyPatch, collinear: bool) -> None:
    x, y = columns()
    x[:, 4] = x[:, 3] + (0 if collinear else 1e-9) * x[:, 4]
    whole, update = fit(x, y), Refine.update

    def revived(self: Refine, state: object, evaluation: object) -> object:
        like = self.init(np.zeros(x.shape[1]), Curvature(1.0, 1.0))
        return update(self, load(dump(state), like), evaluation)  # type: ignore[arg-type]

    monkeypatch.setattr(Refine, "update", revived)
    again = fit(x, y)
    assert again.asked == whole.asked
    assert coefficients(again) == coefficients(whole)
    assert again.diagnosis == whole.diagnosis
