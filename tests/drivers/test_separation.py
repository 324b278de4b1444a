"""Unknowns that come to no rest are told from those that do; margins and ranges tell what separates, and a sentence says it."""

import math

import numpy as np
import pytest

from mpi_pgd.drivers.separation import REST, Motion, Separation, listed, sentence, separating, separation

REACH = np.ones(2)


def falling(t: float) -> np.ndarray:
    """The gradient of exp(-a) + b^2 / 2 at (a, b) = (t, 0.1 exp(-t)): margins grow, and all else comes to rest."""
    return np.array([-math.exp(-t), 0.1 * math.exp(-t)])


@pytest.mark.parametrize("step", [1.0, 1e-2, 1e-6])
def test_a_margin_that_grows_for_ever_is_no_rest_however_small_the_steps_are(step: float) -> None:
    motion = Motion.still(2)
    motion.note(np.array([20.0, 0.1 * math.exp(-20)]), falling(20.0))
    now = 20.0 + step
    assert motion.left(np.array([now, 0.1 * math.exp(-now)]), falling(now), REACH) == pytest.approx(1.0, rel=0.6)


def test_an_optimum_that_is_near_is_one() -> None:
    """Of 1/2 w'w, halving the way in each round. A long step is none, even where the gradient has become small by chance."""
    motion = Motion.still(2)
    motion.note(np.full(2, 1e-3), np.full(2, 1e-3))
    assert motion.left(np.full(2, 5e-4), np.full(2, 5e-4), REACH) < REST
    assert motion.left(np.full(2, 1.0), np.full(2, 1e-9), REACH) > REST


def test_before_a_second_round_nothing_is_known() -> None:
    assert Motion.still(2).left(np.zeros(2), np.zeros(2), REACH) == math.inf


@pytest.mark.parametrize(
    ("against", "along", "found"),
    [
        (-0.5, 2.0, Separation.COMPLETE),
        (0.0, 1.0, Separation.QUASI),
        (-1e-9, 1.0, Separation.QUASI),
        (1e-9, 1.0, Separation.QUASI),
        (0.1, 1.0, None),
        (0.0, 0.0, None),
        (1.0, -0.5, None),
        (-math.inf, -math.inf, None),
    ],
)
def test_movements_tell(against: float, along: float, found: Separation | None) -> None:
    assert separation(against, along) == found


X = np.array([[0, 1, 4, 0, 1], [1, 1, 4, 3, 2], [2, 0, 4, 1, 3], [3, 1, 4, 2, 4], [4, 0, 4, 0, 5], [5, 1, 4, 1, 6.0]]) - 2


def ends(x: np.ndarray, groups: list[int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """With infinite ranges of groups that nobody is in."""
    parts = [x[np.array(groups) == each] for each in range(count)]
    return np.array([np.max(part, axis=0, initial=-np.inf) for part in parts]), np.array(
        [np.min(part, axis=0, initial=np.inf) for part in parts]
    )


@pytest.mark.parametrize(
    ("groups", "outputs", "clear", "tied"),
    [
        ([0, 0, 2, 2, 2, 2], 1, [0, 4], [1]),  # two classes; column 2 is constant
        ([0, 0, 2, 0, 2, 2], 1, [], [1]),  # 1 in the one class, 0 or 1 in the other
        ([0, 0, 2, 0, 2, 0], 1, [1], []),
        ([1, 1, 0, 1, 0, 1], 1, [], [1]),  # pulled nowhere where it is constant
        ([1, 1, 1, 1, 0, 1], 1, [], []),  # and where it is not
        ([0, 0, 1, 1, 2, 2], 3, [0, 4], [1]),  # one of three classes from the others
        ([1, 0, 2, 1, 0, 1], 3, [], [1]),
        ([2, 1, 0, 0, 1, 2], 3, [], [1]),
        ([0, 1, 2, 1, 0, 1], 3, [3], [1]),
    ],
)
def test_columns_that_separate_alone_are_named(groups: list[int], outputs: int, clear: list[int], tied: list[int]) -> None:
    found = separating(*ends(X, groups, max(3, outputs)), outputs, intercept=True)
    assert (found[0].tolist(), found[1].tolist()) == (clear, tied)


def test_without_an_intercept_the_plane_is_at_zero() -> None:
    groups = [0, 0, 0, 2, 2, 2]
    found = separating(*ends(X, groups, 3), 1, intercept=False)
    assert (found[0].tolist(), found[1].tolist()) == ([], [0])  # column 0 is 0 in a row
    found = separating(*ends(X - 0.5, groups, 3), 1, intercept=False)
    assert (found[0].tolist(), found[1].tolist()) == ([0], [])
    found = separating(*ends(X + 10, groups, 3), 1, intercept=False)
    assert (found[0].tolist(), found[1].tolist()) == ([], [])


def test_the_sentence_names_who_separates() -> None:
    assert sentence("the classes", ["age"], [], "completely") == (
        "no finite optimum: column age separates the classes completely; add --l2"
    )
    assert "each of the columns a and b separates the classes; add" in sentence("the classes", ["a", "b"], [], "")
    assert "a combination of columns, with c and d foremost, separates" in sentence("the classes", [], ["c", "d"], "completely")
    assert listed([*"abcdefghijkl"]) == "a, b, c, d, e, f, g, h, i, j and 2 more"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"
