"""Losses of the user's own, from files."""

import math
from pathlib import Path

import numpy as np
import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.losses import LOSSES, Loss
from mpi_pgd.losses.user import Misfit, load
from tests.losses.samples import called, curvatures, facts, floors

FILE = """
import numpy as np

def logcosh(y, eta):
    r = eta - y
    return np.logaddexp(r, -r) - np.log(2), np.tanh(r)

def exact(y, eta):
    return logcosh(y, eta)

exact.curvature = 1
exact.convex = True
exact.hessian = lambda y, eta: 1 / np.cosh(eta - y) ** 2

def steep(y, eta):
    return eta, eta

steep.curvature = "1"

def flat(y, eta):
    return eta, eta

flat.curvature = 0

def greedy(y, eta):
    eta -= y
    return eta**2 / 2, eta

def one(y, eta):
    return eta - y

def mean(y, eta):
    return np.mean(eta - y), eta - y

def slow(y, eta):
    return eta - y, [str(x) for x in eta]

def broken(y, eta):
    return eta - y, y.nothing

def whole(y, eta):
    return np.arange(len(y)), eta > y
"""
Y, ETA = np.array([0.5, -2.0, 1.0, 300.0]), np.array([1.0, -3.0, 0.0, -20.0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FILE)
    return tmp_path / "mine.py"


def test_it_is_a_loss_as_any_other(path: Path) -> None:
    loss: Loss = load(f"{path}:logcosh")
    value, slopes = called(loss, Y, ETA)
    r = ETA - Y
    assert value == pytest.approx(np.abs(r) + np.log1p(np.exp(-2 * np.abs(r))) - math.log(2), rel=1e-12)
    assert slopes == pytest.approx(np.tanh(r), rel=1e-12)
    assert curvatures(loss, Y, ETA)[0, 0] == pytest.approx(1 - np.tanh(r) ** 2, abs=1e-9)
    assert floors(loss, Y).tolist() == [0.0] * 4
    assert (loss.curvature, loss.convex, loss.centred, loss.start(np.array([3.0])).tolist()) == (math.inf, False, False, [0.0])
    assert loss.explained(1.0, 4.0) == 0.75
    assert loss.labels(facts(Y)).outputs == 1
    loss.rehearse(Y)


def test_what_its_author_says_is_taken(path: Path) -> None:
    loss = load(f"{path}:exact")
    assert (loss.curvature, loss.convex) == (1.0, True)
    assert curvatures(loss, Y[:3], ETA[:3])[0, 0].tolist() == (1 / np.cosh(ETA[:3] - Y[:3]) ** 2).tolist()
    value, slopes = called(loss, Y, ETA)
    assert math.sqrt(float(np.mean(slopes**2))) <= loss.slope_size(float(value.mean()), loss.curvature)


def test_numbers_of_other_types_are_widened(path: Path) -> None:
    value, slopes = called(load(f"{path}:whole"), Y, ETA)
    assert (value.tolist(), slopes.tolist()) == ([0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("one", "mine.py:one gave ndarray: expected a pair, the loss and the slope of each row"),
        ("mean", r"mine.py:mean gave losses of shape \(\) and type float64: expected a number a row, shape \(4,\)"),
        ("slow", r"mine.py:slow gave slopes of shape \(4,\) and type <U"),
    ],
)
def test_what_is_no_loss_is_one_sentence(path: Path, name: str, words: str) -> None:
    loss = load(f"{path}:{name}")
    with pytest.raises(InputError, match=words):
        loss.rehearse(Y)
    with pytest.raises(Misfit, match=words):  # in the rounds, where no other rank waits for a sentence
        called(loss, Y, ETA)


@pytest.mark.parametrize("name", ["steep", "flat"])
def test_a_curvature_is_a_number(path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"the curvature of .*mine.py:{name} is .*: expected a number above 0"):
        load(f"{path}:{name}")


def test_what_the_function_raises_stays_what_it_is(path: Path) -> None:
    with pytest.raises(AttributeError, match="nothing"):
        load(f"{path}:broken").rehearse(Y)
    with pytest.raises(ValueError, match="read-only"):
        load(f"{path}:greedy").rehearse(Y)


def test_it_takes_one_target_a_row(path: Path) -> None:
    with pytest.raises(InputError, match=r"the .*mine.py:one loss was given targets of 2 columns: expected one target a row"):
        load(f"{path}:one").labels(facts([[1, 2]]))


def test_what_the_table_has_written_as_a_function_has_the_same_bits(path: Path) -> None:
    path.write_text("def half(y, eta):\n    r = eta - y\n    return r * r * 0.5, r\n")
    for found, expected in zip(called(load(f"{path}:half"), Y, ETA), called(LOSSES["squared"](), Y, ETA), strict=True):
        assert found.tolist() == expected.tolist()
