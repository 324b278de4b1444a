"""Which targets a loss takes, and what it says of others."""

from typing import Any

import numpy as np
import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.losses import LOSSES
from mpi_pgd.losses.targets import Targets
from tests.losses.samples import facts

MANY = np.arange(2_000.0)


@pytest.mark.parametrize("name", ["logistic", "squared-hinge"])
@pytest.mark.parametrize("pair", [(0.0, 1.0), (-1.0, 1.0)])
def test_two_classes(name: str, pair: tuple[float, float]) -> None:
    assert LOSSES[name]().labels(facts(pair)) == Targets(classes=pair)


def test_classes_are_the_distinct_targets() -> None:
    assert LOSSES["softmax"]().labels(facts([7, -3, 7, 20])) == Targets(outputs=3, classes=(-3.0, 7.0, 20.0))
    assert LOSSES["softmax"]().labels(facts(MANY[:1000])).outputs == 1000


def test_least_squares_take_several_targets_and_say_what_classes_want() -> None:
    loss = LOSSES["squared"]()
    assert loss.labels(facts([[1.0, 2.0, 3.0]])) == Targets(outputs=3)
    assert loss.labels(facts([1.0, 2.0])) == Targets()
    assert loss.labels(facts([0, 1, 1, 0])).hint.endswith("--loss logistic")


@pytest.mark.parametrize("name", ["poisson", "negative-binomial", "tweedie"])
def test_rates_need_not_be_whole(name: str) -> None:
    assert LOSSES[name]().labels(facts([0.0, 0.5, 3.0])) == Targets()


@pytest.mark.parametrize(
    ("name", "y", "words"),
    [
        ("logistic", [1, 2], "the logistic loss was given targets 1 and 2: expected 0 and 1, or -1 and 1, and both of them"),
        ("logistic", [-1, 0, 1], "targets -1, 0 and 1: expected 0 and 1"),
        ("logistic", [1, 1], "targets that are all 1: expected 0 and 1, or -1 and 1, and both of them"),
        ("squared-hinge", [0, 0.5, 1], "the squared-hinge loss was given targets 0, 0.5 and 1: expected"),
        ("logistic", MANY[:7], "targets of 7 values from 0 to 6: expected"),
        ("logistic", MANY, "targets of more than 1000 values from 0 to 1999: expected"),
        ("logistic", [[0, 1]], "the logistic loss was given targets of 2 columns: expected one target a row"),
        ("huber", [[0, 1]], "the huber loss was given targets of 2 columns: expected one target a row"),
        ("softmax", [0.5, 1], "targets 0.5 and 1: expected classes, each a whole number"),
        ("softmax", [3, 3], "targets that are all 3: expected from 2 to 1000 classes"),
        ("softmax", MANY, "targets of more than 1000 values from 0 to 1999: expected from 2 to 1000 classes"),
        ("poisson", [-1, 2], "the poisson loss was given targets -1 and 2: expected none below 0"),
        ("poisson", [0, 0], "targets that are all 0: expected some above 0, else no optimum is finite"),
        ("negative-binomial", [-0.5, 2], "the negative-binomial loss was given targets -0.5 and 2: expected none below 0"),
        ("tweedie", [-0.5, 2], "the tweedie loss was given targets -0.5 and 2: expected none below 0"),
        ("gamma", [0, 2], "the gamma loss was given targets 0 and 2: expected all above 0"),
        ("inverse-gaussian", [0, 2], "the inverse-gaussian loss was given targets 0 and 2: expected all above 0"),
    ],
)
def test_refusals_say_what_was_found(name: str, y: Any, words: str) -> None:
    with pytest.raises(InputError) as raised:
        LOSSES[name]().labels(facts(y))
    assert words in str(raised.value)
