"""What a fitted model predicts, from rows however they are held, and how good that is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from mpi_pgd import Model
from mpi_pgd.config import settings
from mpi_pgd.errors import InputError
from mpi_pgd.losses import LOSSES
from mpi_pgd.model import rows
from mpi_pgd.tables.convert import convert
from tests.losses.samples import called

NAMES = ("a", "b", "c")
LABELS = {"logistic": [-1.0, 1.0], "squared-hinge": [0.0, 1.0], "softmax": [2.0, 3.0, 7.0]}


def model(loss: str = "squared", outputs: int = 1, names: tuple[str, ...] = (), features: int = 3) -> Model:
    draw = np.random.default_rng(5)
    coef, intercept = draw.normal(size=(features, outputs)), draw.normal(size=outputs)
    record = {"config": {"loss": loss}, "classes": LABELS.get(loss, [])}
    if outputs == 1:
        return Model(coef[:, 0], float(intercept[0]), names, record)
    return Model(coef, intercept, names, record)


def table(count: int = 40, features: int = 3) -> Any:
    x = np.random.default_rng(6).integers(-8, 8, (count, features)) / 4.0
    x[np.abs(x) < 0.6] = 0.0
    return x


def held(x: Any, path: Path) -> Any:
    with h5py.File(path, "w") as file:
        file["X"] = x
    return h5py.File(path)["X"]


HOLDERS: dict[str, Callable[[Any, Path], Any]] = {
    "lists": lambda x, _: x.tolist(),
    "columns first": lambda x, _: np.asfortranarray(x),
    "float32": lambda x, _: x.astype(np.float32),
    "every second row": lambda x, _: np.repeat(x, 2, axis=0)[::2],
    "objects": lambda x, _: x.astype(object),
    "a frame": lambda x, _: pd.DataFrame(x, columns=NAMES),
    "a frame in another order": lambda x, _: pd.DataFrame({"other": 1.0, "c": x[:, 2], "a": x[:, 0], "b": x[:, 1]}),
    "CSR": lambda x, _: sparse.csr_array(x),
    "COO": lambda x, _: sparse.coo_matrix(x),
    "a data set": lambda x, path: held(x, path / "x.h5"),
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("outputs", [1, 2])
def test_rows_may_be_held_in_any_way(tmp_path: Path, holder: str, outputs: int) -> None:
    fitted, x = model(outputs=outputs, names=NAMES), table()
    expected = x @ fitted.coef + fitted.intercept
    found = fitted.predict(HOLDERS[holder](x, tmp_path))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)
    if not sparse.issparse(HOLDERS[holder](x, tmp_path)):
        assert (found == fitted.predict(x)).all()


@pytest.mark.parametrize("features", [1, 2, 7, 8, 64, 301])
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_row_has_its_own_bits(monkeypatch: pytest.MonkeyPatch, features: int, outputs: int) -> None:
    draw = np.random.default_rng(features)
    fitted, x = model(outputs=outputs, features=features), draw.normal(size=(50, features))
    whole = fitted.decision_function(x)
    thin = sparse.csr_array(np.where(x > 0.5, x, 0.0))
    few = fitted.decision_function(thin)
    for start, stop in ((0, 1), (3, 4), (7, 50), (11, 24)):
        assert (fitted.decision_function(x[start:stop]) == whole[start:stop]).all()
        assert (fitted.decision_function(thin[start:stop]) == few[start:stop]).all()
    monkeypatch.setattr(rows, "CHUNK", 8 * features * 7)
    assert (fitted.decision_function(x) == whole).all()
    assert (fitted.decision_function(thin) == few).all()


def test_an_offset_is_added() -> None:
    fitted, x, offset = model("poisson"), table(), np.linspace(-1, 1, 40)
    assert (fitted.decision_function(x, offset) == fitted.decision_function(x) + offset).all()
    np.testing.assert_allclose(fitted.predict(x, offset), fitted.predict(x) * np.exp(offset), rtol=1e-14)
    with pytest.raises(InputError, match=r"offset was given of shape \(3,\): expected one a row, \(40,\)"):
        fitted.predict(x, offset[:3])


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_predicts(loss: str) -> None:
    fitted, x = model(loss, 3 if loss == "softmax" else 1), table()
    eta, found = fitted.decision_function(x), fitted.predict(x)
    if not LOSSES[loss]().sorts:
        np.testing.assert_allclose(called(LOSSES[loss](), found, eta)[1], 0.0, atol=1e-13)  # a target there pulls nowhere
        with pytest.raises(InputError, match=f"the loss {loss} has no probabilities"):
            fitted.predict_proba(x)
        return
    labels = np.array(LABELS[loss])
    assert (found == labels[(eta > 0).astype(int) if eta.ndim == 1 else eta.argmax(axis=1)]).all()
    if loss != "squared-hinge":
        chances = fitted.predict_proba(x)
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-15)
        assert (labels[chances.argmax(axis=1)] == found).all()


def test_small_probabilities_have_all_their_digits() -> None:
    found = Model(np.array([1.0]), record={"config": {"loss": "logistic"}}).predict_proba([[-300.0], [300.0], [0.0]])
    np.testing.assert_allclose(found, [[1.0, np.exp(-300.0)], [np.exp(-300.0), 1.0], [0.5, 0.5]], rtol=1e-15)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        ([[1.0, 2.0]], r"X was given of shape \(1, 2\): expected \(rows, 3\)"),
        ([1.0, 2.0, 3.0], r"X was given of shape \(3,\)"),
        ([["x", 1.0, 2.0]], "could not convert string to float"),
        ([[1.0, 2.0, 3.0], [1.0, np.nan, 3.0]], "X has a value that is missing or not finite in row 1"),
        (sparse.csr_array([[1.0, 2.0, 3.0], [1.0, np.inf, 3.0]]), "not finite in row 1"),
        (np.array([["1", "2", "3"]]), "of type <U1"),
        (pd.DataFrame({"a": [1], "c": [2], "d": [3]}), "X has no column b: expected the 3 features of the model"),
        (pd.DataFrame([[1, 2, 3, 4]], columns=["a", "b", "c", "a"]), "X has two columns a"),
        (pd.DataFrame({"a": [1, None], "b": 1, "c": 1}), "in row 1"),
    ],
)
def test_rows_that_are_none(x: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        model(names=NAMES).predict(x)


def test_no_rows_have_no_predictions() -> None:
    assert model().predict(np.empty((0, 3))).shape == (0,)
    assert model(outputs=2).predict(np.empty((0, 3))).shape == (0, 2)


def test_a_frame_of_a_tables_columns_becomes_features_by_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "cars.csv").write_text("price,weight,zip,kind\n1,2.5,94110,a\n2,,10001,b\n3,1.0,94110,c\n4,8,94110,a\n")
    out = str(tmp_path / "cars.h5")
    convert([str(tmp_path / "cars.csv")], out, settings({"target": "price", "categorical": "zip", "missing": "mean"}))
    with h5py.File(out) as file:
        x, names, recipe = file["X"][:], tuple(file["feature_names"].asstr()[:]), file.attrs["recipe"]
    fitted = Model(np.arange(1.0, len(names) + 1), 0.5, names, recipe=recipe)
    frame = pd.read_csv(tmp_path / "cars.csv")
    assert (fitted.predict(frame) == fitted.predict(x)).all()
    assert (fitted.predict(frame[["kind", "zip", "weight"]].iloc[::-1]) == fitted.predict(x)[::-1]).all()
    assert (fitted.predict(pa.Table.from_pandas(frame)) == fitted.predict(x)).all()
    assert (fitted.predict(pd.DataFrame(x, columns=names)) == fitted.predict(x)).all()  # the features themselves
    with pytest.raises(InputError, match="X has no column zip: the recipe needs zip"):
        fitted.predict(frame.drop(columns="zip"))
    with pytest.raises(InputError, match="column kind has 'd' in row 2 of X, which is none of the categories"):
        fitted.predict(frame.assign(kind=["a", "d", "a", "a"]))
