"""Fits: exact points give the factors back; noise is covered by the intervals; nothing is ever negative."""

import math

import numpy as np
import pytest

from mpi_pgd.study.fitting import fit, student

SIZES = 8 * 8 ** np.arange(9)
HOCKNEY = np.stack([np.ones(9), SIZES], axis=1)


def test_exact_points_give_alpha_and_beta_back() -> None:
    found = fit(HOCKNEY, HOCKNEY @ [1e-3, 8.7e-8])
    assert found.values == pytest.approx([1e-3, 8.7e-8], rel=1e-12)
    assert found.rms < 1e-14
    assert found.points == 9
    assert (found.low <= found.values * (1 + 1e-12)).all()
    assert found.high == pytest.approx(found.values, rel=1e-9)


def test_a_term_that_no_point_has_is_nought_and_unknown() -> None:
    found = fit(np.insert(HOCKNEY, 1, 0.0, axis=1), HOCKNEY @ [1e-6, 1e-9])
    assert found.values[1] == 0
    assert np.isnan(found.low[1])
    assert found.values[[0, 2]] == pytest.approx([1e-6, 1e-9], rel=1e-12)


def test_terms_that_say_the_same_are_not_both_taken() -> None:
    found = fit([[1, 2], [3, 6], [5, 10]], [2, 6, 10])
    assert sorted(found.values > 0) == [False, True]
    assert found([1, 2]) == pytest.approx(2)


def test_factors_are_never_negative() -> None:
    found = fit(HOCKNEY, np.maximum(SIZES * 1e-9 - 1e-9, 1e-12))
    assert (found.values >= 0).all()
    assert (np.nan_to_num(found.low) >= 0).all()


def test_every_point_counts_alike_whatever_its_size() -> None:
    # Ten percent at one end are seen there: of a plain fit, only the largest points would be.
    seconds = HOCKNEY @ [1e-6, 1e-9]
    seconds[:4] *= 1.1
    assert fit(HOCKNEY, seconds).values == pytest.approx([1.1e-6, 1e-9], rel=0.02)


@pytest.mark.parametrize("place", [0, 4, 8])
def test_one_point_in_disorder_moves_nothing(place: int) -> None:
    seconds = HOCKNEY @ [1e-6, 1e-9]
    seconds[place] *= 20
    assert fit(HOCKNEY, seconds).values == pytest.approx([1e-6, 1e-9], rel=1e-3)


@pytest.mark.parametrize("noise", [0.15, 0.3, 0.5])
def test_the_intervals_hold_the_truth_nearly_always_and_without_bias(noise: float) -> None:
    truth, random = np.array([1e-5, 1e-9]), np.random.default_rng(3)
    found = [fit(HOCKNEY, HOCKNEY @ truth * np.exp(noise * random.standard_normal(9))) for _ in range(150)]
    held = np.mean([(one.low <= truth) & (truth <= one.high) for one in found], axis=0)
    assert (held >= 0.9).all()
    assert (held < 0.99).all()
    middle = np.median([one.values for one in found], axis=0)
    assert middle == pytest.approx(truth, rel=0.2 * noise)


def test_what_the_points_do_not_tell_is_near_what_it_should_be_near() -> None:
    found = fit(HOCKNEY[[0, 0, 0]], [0.99e-3, 1e-3, 1.01e-3], near=[1e-2, 8e-8])
    assert found.values == pytest.approx([1e-3, 8e-8], rel=1e-2)
    assert fit(HOCKNEY, HOCKNEY @ [1e-3, 1e-9], near=[1.0, 1.0]).values == pytest.approx([1e-3, 1e-9], rel=1e-6)


def test_as_many_points_as_terms_give_no_interval() -> None:
    found = fit(HOCKNEY[[0, 8]], [1e-6, 0.1])
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (5, 2.5706), (30, 2.0423), (1000, 1.9623)]
)
def test_students_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert math.isclose(student(freedom), quantile, rel_tol=2e-3)
