"""Certificates are never below the distance to the optimum, and get as small as a fit wants; closed forms."""

import math

import numpy as np
import pytest

from mpi_pgd.drivers.certificate import Certificate, Certifier, Kind
from mpi_pgd.engine.state import dump, load
from mpi_pgd.penalties.total import NoSides, Penalty
from tests.drivers.reference import LOSSES, Problem, descent, problem
from tests.penalties.samples import SAMPLES, Sample
from tests.thorough import some

pytestmark = pytest.mark.beside("numbers")

ROUNDS, ENOUGH = 120, 1e-5
KINDS = [
    (loss, name, outputs, intercept)
    for place, loss in enumerate(LOSSES)
    for number, name in enumerate(SAMPLES)
    for outputs in [3 if loss == "softmax" or SAMPLES[name].joint else 1]
    for intercept in [(place + number) % 2 == 0 or loss == "logistic"]
    if outputs == 1 or loss in ("squared", "softmax")
]


def made(loss: str, name: str, outputs: int, intercept: bool) -> Problem:
    """With penalties of an eighth of their strengths."""
    weaker = SAMPLES[name]._replace(l1=SAMPLES[name].l1 / 8, l2=SAMPLES[name].l2 / 8)

    def penalty(outputs: int, scale: np.ndarray) -> Penalty:
        return weaker.penalty(outputs, scale)

    return problem(len(name), loss, penalty, outputs, intercept)


@pytest.mark.parametrize(("loss", "name", "outputs", "intercept"), some(KINDS, 4))
def test_no_certificate_is_below_the_distance_to_the_optimum(loss: str, name: str, outputs: int, intercept: bool) -> None:
    of = made(loss, name, outputs, intercept)
    path = list(descent(of, 3 * ROUNDS))
    values = np.array([value + of.rough(x) for x, value, _ in path])
    certifier = Certifier(of.penalty, of.free, loss == "squared", outputs=outputs)
    evidence, found = certifier.start(), Certificate(math.inf, Kind.NORM)
    for (x, value, gradient), objective in zip(path, values, strict=True):
        evidence = certifier.update(evidence, value, gradient, x)
        found = certifier.certificate(evidence, objective, norm=math.inf)
        rounding = 1e-13 * max(1.0, objective)
        assert evidence.dual <= values.min() + rounding
        assert found.gap >= objective - values.min() - rounding
    if certifier.held and values.min() > ENOUGH:
        assert found.gap <= ENOUGH * values[0]
    if len(certifier.loose) == 0:
        assert found.kind == Kind.GAP
    if not certifier.held:
        assert found.kind == Kind.NORM


def test_what_outputs_have_in_common_makes_no_estimate_worse() -> None:
    """However far along it a solver was led."""
    of, found = made("softmax", "lasso", 3, True), []
    for away in (0.0, 1e3):
        certifier = Certifier(of.penalty, of.free, quadratic=False, outputs=3)
        evidence = certifier.start()
        for round, (x, value, gradient) in enumerate(descent(of, ROUNDS)):
            moved = x + away * round * (np.arange(of.size) >= of.size - 3)
            evidence = certifier.update(evidence, value, gradient, moved)
        found.append(certifier.certificate(evidence, value + of.rough(x), 1.0))
    assert found[0].kind == found[1].kind == Kind.ESTIMATED
    assert found[1].gap == pytest.approx(found[0].gap, rel=0.1)


def test_the_gap_of_a_ridge_is_the_squared_gradient_over_twice_its_strength() -> None:
    of = made("squared", "ridge", 1, False)
    *_, (best, _, _) = descent(of, ROUNDS)
    x = best + 0.01 * np.linspace(-1, 1, of.size)
    value, gradient = of.smooth(x)
    certifier = Certifier(of.penalty, 0, quadratic=False)
    found = certifier.certificate(certifier.update(certifier.start(), value, gradient, x), value, 1.0)
    assert found.kind == Kind.GAP
    assert found.gap == pytest.approx(gradient @ gradient / (2 * SAMPLES["ridge"].l2 / 8), rel=1e-9)


def test_the_gap_of_a_lasso_at_zero_is_that_of_the_best_scaled_residuals() -> None:
    """The dual there is s |y|^2/n - s^2 |y|^2/(2n), s from 0 to l1/|z'y/n|: at half the largest strength three quarters of 1/2."""
    of = made("squared", "lasso", 1, False)._replace(offset=np.zeros((1, 40)), rows=np.full(40, 1 / 40))
    value, gradient = of.smooth(np.zeros(6))
    l1 = 0.5 * np.abs(gradient).max()
    certifier = Certifier(Sample(l1=l1).penalty(), 0, quadratic=True)
    found = certifier.certificate(certifier.update(certifier.start(), value, gradient, np.zeros(6)), value, 1.0)
    assert found.gap == pytest.approx(value * 0.25, rel=1e-12)


def test_two_cuts_bound_an_optimum_wherever_the_intercept_is() -> None:
    """|c| + 1, by its slopes at -3 and 5, with a feature that matters to nothing; one slope alone tells nothing."""
    certifier = Certifier(Sample(l2=1.0).penalty(scale=np.ones(1)), 1, quadratic=False)
    evidence = certifier.start()
    for c, dual in ((-3.0, 0.0), (5.0, 1.0), (2.0, 1.0)):
        evidence = certifier.update(evidence, abs(c) + 1.0, np.array([0.0, np.sign(c)]), np.array([0.0, c]))
        assert evidence.dual == pytest.approx(dual)
    assert certifier.certificate(evidence, 3.0, 1.0) == (pytest.approx(2.0), Kind.GAP)


def test_what_nothing_holds_is_said_to_be_estimated() -> None:
    """(a^2 + b^2)/2 + 1 without a penalty, beside one that has: from where a and b have been."""
    certifier = Certifier(Sample(l2=1.0, sides=NoSides(factors=np.array([0.0, 0.0, 1.0]))).penalty(scale=np.ones(3)), 0, False)
    evidence = certifier.start()
    assert certifier.loose.tolist() == [0, 1]
    for x in (np.array([1.0, -1.0, 0.0]), np.array([1e-4, 1e-4, 0.0])):
        value = float(x @ x) / 2 + 1
        evidence = certifier.update(evidence, value, x, x)
    found = certifier.certificate(evidence, value, 1.0)
    assert found.kind == Kind.ESTIMATED
    assert value - 1 <= found.gap <= 1e-3
    assert certifier.certificate(evidence, value, 1.0, enough=value) == (value, Kind.GAP)  # sure, and enough: losses are above 0


def test_other_certificates_where_there_is_no_gap() -> None:
    free, x = Sample().penalty(scale=np.ones(2)), np.ones(2)
    certifier = Certifier(free, 0, quadratic=False)
    evidence = certifier.update(certifier.start(), 1.0, x, x)
    assert certifier.certificate(evidence, 1.0, 1.5) == (1.5, Kind.NORM)
    assert certifier.certificate(evidence, 1.0, 1.5, decrement=0.5) == (0.25, Kind.DECREMENT)
    assert certifier.certificate(evidence, 1e-9, 1.5, decrement=0.5, enough=1e-8) == (1e-9, Kind.GAP)


def test_a_loss_that_is_not_convex_has_no_gap() -> None:
    of = made("squared", "ridge", 1, False)
    certifier = Certifier(of.penalty, 0, quadratic=False, convex=False)
    value, gradient = of.smooth(np.zeros(of.size))
    evidence = certifier.update(certifier.start(), value, gradient, np.zeros(of.size))
    assert certifier.certificate(evidence, value, 1.5, enough=0.0) == (1.5, Kind.NORM)


def test_evidence_is_a_state() -> None:
    of = made("logistic", "lasso", 1, True)
    certifier = Certifier(of.penalty, of.free, quadratic=False)
    evidence = certifier.start()
    for x, value, gradient in descent(of, 5):
        evidence = certifier.update(evidence, value, gradient, x)
    again = load(dump(evidence), certifier.start())
    assert dump(again).tobytes() == dump(evidence).tobytes()
