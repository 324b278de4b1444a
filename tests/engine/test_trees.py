"""Nested values as vectors, and back."""

import pickle
from typing import Any, NamedTuple

import numpy as np
import pytest

from mpi_pgd.engine import trees
from mpi_pgd.errors import InputError


class Pair(NamedTuple):
    a: Any
    b: Any


NESTED = {"w": np.arange(6.0).reshape(2, 3), "n": 7, "rest": [Pair(1.5, np.array([1, 2])), (), np.zeros((0, 3))], "flag": True}


def test_there_and_back() -> None:
    form = pickle.loads(pickle.dumps(trees.form(NESTED)))
    assert form == trees.form(NESTED)
    assert trees.width(form) == 11
    vector = np.empty(11)
    trees.write(NESTED, form, vector)
    found = trees.read(vector, form, trees.view)
    assert (found["n"], found["flag"], found["rest"][0].a, found["rest"][1]) == (7, 1, 1.5, ())
    assert {type(found["n"]), type(found["flag"])} == {int}
    assert type(found["rest"][0]) is Pair
    assert found["rest"][0].b.dtype == np.int64
    assert found["rest"][2].shape == (0, 3)
    assert np.array_equal(found["w"], NESTED["w"])
    assert np.shares_memory(found["w"], vector)


def test_the_order_of_names_does_not_matter() -> None:
    vector = np.empty(2)
    trees.write({"b": 2.0, "a": 1.0}, trees.form({"a": 0.0, "b": 0.0}), vector)
    assert vector.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("value", [None, "a", 1j, np.array(["a"]), [np.array([None])], np.longdouble(1), {"a": object()}])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(InputError, match="expected a number, an array, or a dict, list or tuple of them"):
        trees.form(value)


@pytest.mark.parametrize("value", [{"a": 1}, {"a": 1.0, "b": 1.0}, [1.0], {"a": np.ones(1)}, {"a": [1.0]}, {"b": 1.0}, 1.0])
def test_another_form(value: Any) -> None:
    with pytest.raises(InputError, match=r"in place of \{'a': a number\}"):
        trees.write(value, trees.form({"a": 0.5}), np.empty(9))


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, np.array([0, -(2**63)]), np.array([2**64 - 1], dtype=np.uint64)])
def test_whole_numbers_that_float64_does_not_hold(value: Any) -> None:
    with pytest.raises(InputError, match=r"a whole number beyond 2\*\*53"):
        trees.write(value, trees.form(value), np.empty(9))
