"""What is given for each feature, and what a fit starts from: found, checked, and put in the order of the table's features."""

import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data import hdf5
from mpi_pgd.data.classes import balanced, factors, read_weights
from mpi_pgd.data.features import read_sides
from mpi_pgd.data.sides import Init, Sides
from mpi_pgd.data.table import Table
from mpi_pgd.model.warm import check_outputs, read_init

NAMES = ["a", "b", "c"]
GIVEN = {"f": [0.0, 1.0, 2.5], "g": [7, 7, -1], "l": [-np.inf, 0.0, -1.0], "u": [np.inf, 0.0, 3.0]}


def stored(path: Path, names: list[str] | None = None, **data_sets: Any) -> str:
    with h5py.File(path, "w") as file:
        for name, value in {"X": np.ones((4, 3)), "y": np.ones(4), **data_sets}.items():
            file[name] = value
        if names:
            file["feature_names"] = names
    return str(path)


def table_of(*paths: str) -> Table:
    return hdf5.inspect(paths, "X", "y")


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found, np.array(expected))


def test_nothing_is_nothing(tmp_path: Path) -> None:
    sides = read_sides(table_of(stored(tmp_path / "a.h5")), "", "", "", "")
    assert (sides.factors, sides.groups, sides.lower, sides.upper) == (None, None, None, None)
    assert sides.digests() == {}


def test_each_feature_has_its_own(tmp_path: Path) -> None:
    sides = read_sides(table_of(stored(tmp_path / "a.h5", **GIVEN)), "f", "g", "l", "u")
    for found, name in zip((sides.factors, sides.groups, sides.lower, sides.upper), "fglu", strict=True):
        same(found, GIVEN[name])
    assert sides.groups is not None
    assert sides.groups.dtype == np.int64
    digests = sides.digests()
    assert digests["upper bounds"] == hashlib.sha256(np.array(GIVEN["u"], "<f8").tobytes()).hexdigest()
    assert Sides(upper=np.array(GIVEN["u"])).digests() == {"upper bounds": digests["upper bounds"]}
    assert len(set(digests.values())) == 4


def test_a_number_is_a_bound_of_all(tmp_path: Path) -> None:
    sides = read_sides(table_of(stored(tmp_path / "a.h5")), "", "", 0.0, 2.5)
    same(sides.lower, [0.0] * 3)
    same(sides.upper, [2.5] * 3)


@pytest.mark.parametrize("value", [np.array([[1.0], [2], [3]]), np.array([[1, 2, 3]], "i2"), np.array([1, 2, 3], ">f4")])
def test_shapes_and_types_of_a_line(tmp_path: Path, value: Any) -> None:
    same(read_sides(table_of(stored(tmp_path / "a.h5", f=value)), "f", "", "", "").factors, [1.0, 2.0, 3.0])


def test_the_first_file_that_has_it_counts_in_the_first_files_order(tmp_path: Path) -> None:
    one, two = stored(tmp_path / "a.h5", NAMES), stored(tmp_path / "b.h5", ["c", "a", "b"], f=[3.0, 1.0, 2.0])
    three = stored(tmp_path / "c.h5", NAMES, f=[9.0, 9.0, 9.0])
    table = table_of(one, two, three)
    assert table.names == ("a", "b", "c")
    same(read_sides(table, "f", "", "", "").factors, [1.0, 2.0, 3.0])


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a negative factor": (
        {"f": [1, -2, 3]},
        "f in {} is -2 for feature 1: --penalty-factors expects a finite number, and none below 0",
    ),
    "an infinite factor": ({"f": [1, 2, np.inf]}, "is inf for feature 2: --penalty-factors"),
    "a group that is none": ({"g": [1, 1.5, 2]}, "g in {} is 1.5 for feature 1: --groups expects a whole number"),
    "a group too large": ({"g": [1, 2, 1e16]}, "is 1e+16 for feature 2: --groups"),
    "nothing is so small": ({"l": [0, np.inf, 0]}, "is inf for feature 1: --lower expects a finite number, or -inf for none"),
    "nothing is so large": ({"u": [0, -np.inf, 0]}, "is -inf for feature 1: --upper"),
    "crossed": ({"l": [0, 2, 0], "u": [5, 1, 5]}, "feature 1 has the lower bound 2 and the upper one 1"),
    "NaN": ({"f": [1, np.nan, 3]}, "f in {} has no value for feature 1"),
    "too few": ({"f": [1, 2]}, "f in {} has shape (2,): expected (3,)"),
    "text": ({"f": ["x", "y", "z"]}, "f in {} holds strings or objects: expected real numbers"),
    "missing": ({"fa": [1, 2, 3]}, "{} has no data set f: name the right one with --penalty-factors"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_can_not_be_used(tmp_path: Path, what: str) -> None:
    given, said = BAD[what]
    path = stored(tmp_path / "a.h5", **given)
    names = ["f" if set(given) & {"f", "fa"} else "", *(name if name in given else "" for name in "glu")]
    with pytest.raises(InputError) as error:
        read_sides(table_of(path), *names)
    assert said.format(path) in str(error.value)


def test_a_missing_value_is_no_factor(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.h5", f=np.array([1, -9, 2]))
    with h5py.File(path, "r+") as file:
        file["f"].attrs["_FillValue"] = -9
    with pytest.raises(InputError, match=r"f in .* has no value for feature 1"):
        read_sides(table_of(path), "f", "", "", "")


# A model to start from


def model(path: Path, coef: Any = (1.0, 2.0, 3.0), intercept: Any = 4.0, names: list[str] | None = None) -> str:
    with h5py.File(path, "w") as file:
        file["coef"], file["intercept"] = np.array(coef), np.array(intercept)
        if names:
            file["feature_names"] = np.array(names, dtype=h5py.string_dtype())
    return str(path)


def test_a_model_file_and_a_bundle(tmp_path: Path) -> None:
    table = table_of(stored(tmp_path / "a.h5"))
    for path in (model(tmp_path / "model.h5"), str(tmp_path)):
        found = read_init(path, table)
        same(found.coef, [[1.0, 2.0, 3.0]])
        same(found.intercept, [4.0])
        assert found.sha256 == hashlib.sha256(np.array([1.0, 2, 3, 4], "<f8").tobytes()).hexdigest()


def test_several_outputs_are_lines(tmp_path: Path) -> None:
    coef = np.arange(6.0).reshape(3, 2)
    found = read_init(model(tmp_path / "m.h5", coef, [8.0, 9.0]), table_of(stored(tmp_path / "a.h5")))
    same(found.coef, coef.T)
    assert found.coef.flags.c_contiguous
    same(found.intercept, [8.0, 9.0])
    check_outputs(found, 2, "m.h5")
    with pytest.raises(InputError, match=r"--init m\.h5 is a model of 2 outputs, and this one has 3"):
        check_outputs(found, 3, "m.h5")


@pytest.mark.parametrize(("names", "given"), [(None, ["c", "a", "b"]), (NAMES, None), (["c", "a", "b"], NAMES)])
def test_features_are_matched_by_their_names_if_both_have_some(tmp_path: Path, names: Any, given: Any) -> None:
    table = table_of(stored(tmp_path / "a.h5", given))
    found = read_init(model(tmp_path / "m.h5", names=names), table)
    same(found.coef, [[1.0, 2.0, 3.0] if not (names and given) else [2.0, 3.0, 1.0]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"coef": [1.0, 2.0]}, "has weights of 2 features and X has 3"),
        ({"coef": [1.0, np.nan, 2.0]}, "has a weight that is not finite"),
        ({"coef": np.ones((3, 2))}, r"has coef of shape \(3, 2\) and intercept of shape \(\)"),
        ({"coef": "x"}, "has no numbers named coef: expected a model"),
        ({"names": ["a", "b", "d"]}, "have different features"),
        ({"names": ["b", "a", "a"]}, "have different features"),
    ],
)
def test_a_model_that_is_not_one_of_these_features(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "m.h5"
    if isinstance(change.get("coef"), str):
        with h5py.File(path, "w") as file:
            file["coef"] = ["x"]
    else:
        model(path, **change)
    with pytest.raises(InputError, match=said):
        read_init(str(path), table_of(stored(tmp_path / "a.h5", NAMES)))
    with pytest.raises(InputError, match=f"there is no file {tmp_path}/none"):
        read_init(f"{tmp_path}/none", table_of(f"{tmp_path}/a.h5"))


def test_an_init_is_the_same_on_the_wire() -> None:
    import pickle

    found = pickle.loads(pickle.dumps(Init(np.ones((1, 3)), np.ones(1), "x")))
    same(found.coef, [[1.0] * 3])


# Weights of classes


@pytest.mark.parametrize(
    ("name", "text"),
    [("w.json", '{"0": 1, "1": 2.5, "-1.0": 0}'), ("w.toml", '0 = 1\n1 = 2.5\n"-1.0" = 0\n'), ("w", '{"0": 1, "1": 2.5, "-1": 0}')],
)
def test_weights_by_class(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_weights(f"{tmp_path}/{name}") == {0.0: 1.0, 1.0: 2.5, -1.0: 0.0}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("w", "[1, 2]", "holds list"),
        ("w", "{", "can't be understood"),
        ("w.toml", "a b", "can't be understood"),
        ("w", '{"x": 1}', "has a weight for x, which is no number"),
        ("w", '{"nan": 1}', "which is no number"),
        ("w", '{"1": -1}', "has -1 for class 1: expected a number from 0"),
        ("w", '{"1": "2"}', "has '2' for class 1"),
        ("w", '{"1": true}', "has True for class 1"),
        ("w", '{"1": 1e999}', "has inf for class 1"),
        ("w", '{"1": 1, "1.0": 2}', "has two weights for class 1"),
        ("w", b"\xff\xfe", "is not text"),
    ],
)
def test_what_is_no_weight_of_a_class(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=f"--class-weight {tmp_path}/{name} .*{said}"):
        read_weights(f"{tmp_path}/{name}")


def test_no_file_of_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give balanced, or a file that can"):
        read_weights(f"{tmp_path}/none")


def test_factors_of_the_classes() -> None:
    classes = np.array([-1.0, 1.0])
    same(factors({1.0: 3.0}, classes, "w"), [1.0, 3.0])
    with pytest.raises(InputError, match="has a weight for class 2, and the classes are -1, 1"):
        factors({2.0: 1.0}, classes, "w")


def test_balanced_classes_have_the_same_weight() -> None:
    sums = np.array([10.0, 30.0, 0.0, 60.0])
    found = balanced(sums)
    same(found, [100 / 30, 100 / 90, 1.0, 100 / 180])
    np.testing.assert_allclose((found * sums)[[0, 1, 3]], 100 / 3)
