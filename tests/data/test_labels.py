"""What targets are like: the same however they come, in bounded memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpi_pgd.data.labels import PANEL, Labels, merged
from mpi_pgd.losses.targets import MOST, TargetFacts


def facts_of(*parts: np.ndarray, columns: int = 1) -> TargetFacts:
    labels = Labels(columns)
    for part in parts:
        labels.note(part)
    return labels.facts()


@given(
    st.lists(st.one_of(st.integers(-5, 5).map(float), st.floats(-1e300, 1e300)), min_size=1, max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_facts_are_those_of_all_whatever_the_parts_are(values: list[float], cuts: list[int]) -> None:
    y = np.array(values)
    parts = [part for part in np.split(y, sorted(min(cut, len(y)) for cut in cuts)) if len(part)]
    expected = TargetFacts(y.min(), y.max(), bool((y == np.rint(y)).all()), tuple(np.unique(y).tolist()), 1)
    assert facts_of(*parts) == expected
    assert merged([*map(facts_of, parts), Labels(1).facts()]) == expected  # the last one read nothing
    assert merged(map(facts_of, reversed(parts))) == expected


@pytest.mark.parametrize("many", [MOST, MOST + 1])
def test_more_than_some_values_are_not_told_apart(many: int) -> None:
    y = np.repeat(np.arange(float(many)), 20)
    np.random.default_rng(0).shuffle(y)
    halves = np.array_split(y, 2)
    found = tuple(np.arange(float(many)).tolist()) if many == MOST else ()
    assert len(y) > 2 * PANEL
    for facts in (facts_of(y), facts_of(*halves), merged(map(facts_of, halves))):
        assert facts == TargetFacts(0.0, many - 1.0, True, found, 1)


def test_few_of_each_part_may_be_too_many_together() -> None:
    parts = np.array_split(np.arange(MOST + 1.0), 2)
    assert merged(map(facts_of, parts)).values == ()


def test_a_broken_number_far_behind_is_seen() -> None:
    y = np.arange(3.0 * PANEL)
    y[-1] = 0.5
    assert facts_of(y) == TargetFacts(0.0, 3.0 * PANEL - 2, False, (), 1)


def test_zero_has_no_sign() -> None:
    (zero,) = facts_of(np.array([-0.0, 0.0])).values
    assert not np.signbit(zero)


def test_several_columns_are_looked_at_together() -> None:
    assert facts_of(np.array([[1.0, 2.0], [-3.0, 2.5]]), columns=2) == TargetFacts(-3.0, 2.5, False, (-3.0, 1.0, 2.0, 2.5), 2)
