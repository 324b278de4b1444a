"""Prox, subgradients and conjugates of penalties of all kinds: what defines them, and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mpi_pgd import kernel
from mpi_pgd.errors import InputError
from mpi_pgd.penalties.nonsmooth import Nonsmooth
from mpi_pgd.penalties.total import NoSides, Penalty
from tests.penalties.samples import CASES, FACTORS, GROUPS, SAMPLES, SCALE, Sample

MOST, FREE = 18, 2  # weights of three outputs; intercepts
VARIES = np.isfinite(SCALE)
ROUGH = [(name, outputs) for name, outputs in CASES if SAMPLES[name].penalty(outputs).nonsmooth]
WHICH, SOLID = st.sampled_from(ROUGH), st.sampled_from(CASES)
NUMBERS = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, 0.4, -0.4, 1.0, -1.0, 5e-324, 1e-200, 1e5]))
VECTORS = arrays(np.float64, MOST + FREE, elements=NUMBERS)
STEPS = st.floats(1e-3, 1e3)
SOME = settings(max_examples=60, deadline=None, derandomize=True)


def taken(case: tuple[str, int]) -> tuple[Penalty, Nonsmooth]:
    name, outputs = case
    penalty = SAMPLES[name].penalty(outputs)
    assert penalty.nonsmooth
    return penalty, penalty.nonsmooth


def cut(v: np.ndarray, outputs: int, free: int = FREE) -> np.ndarray:
    """As many numbers as there are unknowns; those of constant columns are 0, as they always are."""
    weights = v[: 6 * outputs].reshape(outputs, 6) * VARIES
    return np.append(weights.ravel(), v[MOST : MOST + free])


def prox(of: Nonsmooth, v: np.ndarray, step: float) -> np.ndarray:
    out = np.full_like(v, np.nan)
    of.prox(v, step, out)
    return out


@SOME
@given(WHICH, VECTORS, STEPS)
def test_the_prox_is_where_the_subgradients_say(case: tuple[str, int], v: np.ndarray, step: float) -> None:
    _, of = taken(case)
    v = cut(v, case[1])
    z = prox(of, v, step)
    gradient, out = (z - v) / step, np.empty_like(v)
    gradient[len(v) - FREE :] = 0.0
    assert of.value(z) < np.inf
    assert of.distance(z, gradient, out) <= 1e-11 * (1 + np.abs(v).max() / step)
    assert z[-FREE:].tolist() == v[-FREE:].tolist()
    place = v.copy()
    of.prox(place, step, place)
    assert place.tolist() == z.tolist()


@SOME
@given(WHICH, VECTORS, VECTORS, STEPS)
def test_the_prox_is_firmly_nonexpansive(case: tuple[str, int], v: np.ndarray, w: np.ndarray, step: float) -> None:
    _, of = taken(case)
    v, w = cut(v, case[1]), cut(w, case[1])
    apart = prox(of, v, step) - prox(of, w, step)
    assert apart @ (v - w) >= apart @ apart - 1e-12 * (1 + (v - w) @ (v - w))


@SOME
@given(WHICH, VECTORS, STEPS)
def test_a_unit_alone_is_moved_as_among_all(case: tuple[str, int], v: np.ndarray, step: float) -> None:
    _, of = taken(case)
    v = cut(v, case[1], 0)
    z = prox(of, v, 1 / step)
    sums = 0.0
    for unit in np.unique(of.units):
        places = np.flatnonzero(of.units == unit)
        out = np.empty(len(places))
        of.prox_unit(int(unit), v[places], step, out)
        np.testing.assert_allclose(out, z[places], rtol=1e-12, atol=1e-300)
        sums += of.at(places).value(out)
        if of.prox_coordinate:
            assert of.prox_coordinate(int(places[0]), float(v[places[0]]), step) == out[0]
    assert sums == pytest.approx(of.value(z))


@SOME
@given(WHICH, VECTORS, VECTORS, VECTORS)
def test_distances_are_of_subgradients(case: tuple[str, int], v: np.ndarray, w: np.ndarray, gradient: np.ndarray) -> None:
    """And of the shortest: going against it, the sum falls by its square."""
    _, of = taken(case)
    v, w, gradient = prox(of, cut(v, case[1]), 0.0), prox(of, cut(w, case[1]), 0.0), cut(gradient, case[1])
    out = np.empty_like(v)
    norm = of.distance(v, gradient, out)
    assert norm == kernel.norm(out)
    scale = 1 + np.abs(np.r_[v, w, gradient]).max()
    assert of.value(w) >= of.value(v) + (out - gradient) @ (w - v) - 1e-12 * scale**2
    v = np.round(v, 3)  # so that a short way crosses no kink
    v = prox(of, v, 0.0)
    of.distance(v, gradient, out)
    by = 1e-7 / scale
    if np.abs(v[v != 0]).min(initial=1) >= 1e-3:
        fell = (of.value(v - by * out) - of.value(v)) / by - gradient @ out
        assert fell == pytest.approx(-out @ out, rel=1e-3, abs=1e-5 * scale**2)


@SOME
@given(SOLID, VECTORS, VECTORS)
def test_no_weights_are_above_the_conjugate(case: tuple[str, int], v: np.ndarray, u: np.ndarray) -> None:
    penalty = SAMPLES[case[0]].penalty(case[1])
    v, u = cut(v, case[1], 0), cut(u, case[1], 0)
    if penalty.nonsmooth:
        penalty.nonsmooth.prox(v, 0.0, v)
    v[penalty.loose] = 0.0
    assert u @ v - total(penalty, v) <= penalty.conjugate(u) + 1e-10 * (1 + np.abs(u @ v) + total(penalty, v))


@SOME
@given(SOLID, VECTORS)
def test_some_weights_attain_the_conjugate(case: tuple[str, int], u: np.ndarray) -> None:
    """Where it is finite: of a scaled vector, by any factor up to the largest."""
    penalty = SAMPLES[case[0]].penalty(case[1])
    u = cut(u, case[1], 0)
    largest = min(penalty.scaling(u), 1e3)
    assert (penalty.conjugate(1.001 * largest * u) < np.inf) == (largest == 1e3)
    u = largest * u
    best = np.zeros_like(u)
    far = np.where(penalty.curvature > 0, u / np.where(penalty.curvature > 0, penalty.curvature, 1.0), 0.0)
    if penalty.nonsmooth:
        for place in range(len(u)):  # a tiny curvature in place of none
            unit = np.flatnonzero(penalty.nonsmooth.units == penalty.nonsmooth.units[place])
            curvature = max(penalty.curvature[place], 1e-12)
            out = np.empty(len(unit))
            penalty.nonsmooth.prox_unit(int(penalty.nonsmooth.units[place]), u[unit] / curvature, curvature, out)
            best[unit] = out
    else:
        best = far
    best[penalty.loose] = 0.0
    best[~np.isfinite(np.tile(SCALE, case[1]))] = 0.0
    found = u @ best - total(penalty, best)
    assert penalty.conjugate(u) == pytest.approx(found, rel=1e-9, abs=1e-8 * (1 + np.abs(u).max() ** 2))


def total(penalty: Penalty, v: np.ndarray) -> float:
    return 0.5 * float(v @ (penalty.curvature * v)) + (penalty.nonsmooth.value(v) if penalty.nonsmooth else 0.0)


@pytest.mark.parametrize(("name", "outputs"), [case for case in ROUGH if SAMPLES[case[0]].l1 and "box" not in case[0]])
def test_above_the_largest_strength_all_is_zero(name: str, outputs: int) -> None:
    sample = SAMPLES[name]
    gradient = cut(np.random.default_rng(5).normal(size=MOST + FREE), outputs, 0)
    gradient[np.tile(FACTORS == 0, outputs)] = 0.0
    gradient[np.isin(np.tile(GROUPS, outputs), [2])] = 0.0
    largest = sample.penalty(outputs).largest(gradient)
    assert largest > 0
    for l1, solved in ((largest * (1 + 1e-12), True), (largest * 0.999, False)):
        of = sample._replace(l1=l1).penalty(outputs).nonsmooth
        assert of
        assert (of.distance(np.zeros_like(gradient), gradient, np.empty_like(gradient)) == 0) == solved


def test_the_prox_of_the_lasso_with_bounds() -> None:
    of = Sample(l1=0.5, sides=NoSides(lower=np.full(6, -1.0), upper=np.full(6, 2.0))).penalty(scale=np.ones(6)).nonsmooth
    assert of
    assert prox(of, np.array([3.0, 2.0, 0.5, -0.5, -1.25, -9.0, 7.0]), 1.0).tolist() == [2.0, 1.5, 0.0, 0.0, -0.75, -1.0, 7.0]


def test_bounds_are_in_the_users_units() -> None:
    sides = NoSides(lower=np.full(6, -1.0), upper=np.array([1.0, 2.0, 3.0, 4.0, np.inf, 0.0]))
    of = Sample(sides=sides).penalty().nonsmooth
    assert of
    assert prox(of, np.full(6, 100.0), 1.0).tolist() == [1.0, 4.0, 100.0, 2.0, 100.0, 0.0]
    assert prox(of, np.full(6, -100.0), 1.0).tolist() == [-1.0, -2.0, -100.0, -0.5, -1.0, -4.0]


def test_the_prox_of_groups_shortens_them() -> None:
    """The two features that vary in group 7 are penalised by sqrt(2), the one that is constant by nothing."""
    of = Sample(l1=1.0, sides=NoSides(groups=GROUPS)).penalty().nonsmooth
    assert of
    v = np.array([3.0, 4.0, 0.0, 0.6, 0.8, -3.0])
    kept = 1 - np.sqrt(2) / 5
    np.testing.assert_allclose(prox(of, v, 1.0), [3 * kept, 4 * kept, 0, 0, 0, -2], rtol=1e-15)
    assert of.value(v) == pytest.approx(np.sqrt(2) * 5 + np.sqrt(2) * 1 + 3)


def test_joint_is_the_norm_over_the_outputs() -> None:
    penalty = Sample(l1=1.0, joint=True).penalty(2)
    of = penalty.nonsmooth
    assert of
    v = np.arange(12.0)
    v[[2, 8]] = 0.0
    assert of.value(v) == pytest.approx(np.linalg.norm(v.reshape(2, 6), axis=0).sum())


def test_groups_are_of_each_output_unless_joint() -> None:
    v = np.arange(1.0, 13.0)
    v[[2, 8]] = 0.0
    sides, root = NoSides(groups=GROUPS), np.sqrt(2)
    apart, joint = (Sample(0.0, 1.0, together, sides).penalty(2).nonsmooth for together in (False, True))
    assert apart
    assert joint
    norm = np.linalg.norm
    assert apart.value(v) == pytest.approx(
        root * (norm(v[:2]) + norm(v[3:5]) + norm(v[6:8]) + norm(v[9:11])) + abs(v[5]) + abs(v[11])
    )
    assert joint.value(v) == pytest.approx(root * (norm(v[[0, 1, 6, 7]]) + norm(v[[3, 4, 9, 10]])) + norm(v[[5, 11]]))


@pytest.mark.parametrize(
    ("sample", "outputs", "words"),
    [
        (Sample(l1=1.0, joint=True), 1, "--joint was given for a model of one output"),
        (Sample(l2=1.0, joint=True), 2, "--joint says what --l1 acts on, which is 0"),
        (Sample(sides=NoSides(groups=GROUPS)), 1, "--groups says what --l1 acts on, which is 0"),
        (Sample(l1=1.0, joint=True, sides=NoSides(lower=np.zeros(6))), 2, "--joint and bounds"),
        (Sample(l1=1.0, sides=NoSides(groups=GROUPS, upper=np.zeros(6))), 1, "--groups and bounds"),
        (
            Sample(l1=1.0, sides=NoSides(groups=GROUPS, factors=FACTORS)),
            1,
            "the penalty factors of group 7 differ, .* 1, .* 0:",
        ),
        (Sample(sides=NoSides(lower=np.arange(6.0), upper=np.full(6, 3.5))), 1, "column 4 has a lower bound of 4 and .* 3.5"),
    ],
)
def test_what_does_not_go_together_is_refused(sample: Sample, outputs: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sample.penalty(outputs)
