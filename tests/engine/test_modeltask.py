"""A model of a user's own, block by block."""

from typing import Any

import numpy as np
import pytest

from mpi_pgd.engine import trees
from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.loop import rounds
from mpi_pgd.engine.modeltask import ModelTask
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.errors import InputError
from mpi_pgd.user import Misfit
from tests.engine.alone import Alone

X = np.arange(12.0).reshape(4, 3)
Y = np.array([1.0, -1.0, 2.0, 0.5])
WEIGHTS = {"w": np.array([0.5, -1.0, 2.0]), "c": 0.25}


def linear(weights: dict[str, Any], x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, Any]]:
    away = x @ weights["w"] + weights["c"] - y
    return float(away @ away) / 2, {"c": float(away.sum()), "w": x.T @ away}


def task(function: Any = linear) -> ModelTask:
    return ModelTask(function, "linear", trees.form(WEIGHTS))


def point() -> np.ndarray:
    found = np.zeros(5)
    trees.write(WEIGHTS, trees.form(WEIGHTS), found[:4])
    return found


class Once:
    """Asks once."""

    def open(self, query: Query) -> None:
        query.point[:] = point()

    def update(self, partial: Partial, query: Query) -> None:
        self.sums = partial.total(np.empty(partial.width))
        query.stop = True


def test_its_sums_over_blocks_are_those_over_all_rows() -> None:
    asked, driver = task(), Once()
    query = Query([asked])
    rounds(Alone(), Blocks([Block(X[:3], Y[:3]), Block(X[3:], Y[3:])]), Sums(query, 2), driver, query)  # type: ignore[arg-type]
    parts = asked.layout.split(driver.sums)
    loss, gradient = linear(WEIGHTS, X, Y)
    assert parts["value"] == loss
    assert parts["gradient"].tolist() == [[*gradient["w"], gradient["c"]]]
    assert parts["slopes"].tolist() == [0.0]


def test_nothing_that_it_is_given_can_be_written() -> None:
    def locked(weights: dict[str, Any], x: np.ndarray, y: np.ndarray) -> tuple[int, dict[str, Any]]:
        assert [array.flags.writeable for array in (weights["w"], x, y)] == [False] * 3
        return 1, WEIGHTS

    out = np.empty(6)
    task(locked).bind(point())(Block(X, Y), out)
    assert out.tolist() == [*point(), 1.0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3.0, "linear gave float: expected a pair, the loss of a block and its gradient"),
        ((1.0, WEIGHTS, 3), "linear gave tuple: expected a pair"),
        ((1.0, {"w": np.zeros(3)}), "expected a number and a gradient like the weights"),
        ((1.0, {"w": np.zeros(2), "c": 0.5}), r"gave \{'w': an array of numbers of shape \(2,\), 'c': a number\} in place of"),
        ((None, WEIGHTS), "linear gave NoneType: "),
        ((np.zeros(4), WEIGHTS), r"gave an array of numbers of shape \(4,\) as the loss: expected a number"),
    ],
)
def test_what_it_gives_amiss(given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        task(lambda *_: given).rehearse(point(), Block(X, Y), np.empty(6))
    with pytest.raises(Misfit, match=words):
        task(lambda *_: given).bind(point())(Block(X, Y), np.empty(6))
