"""The file of a model: what is written is read again, earlier versions are, and what is none is one sentence."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import mpi_pgd
from mpi_pgd import InputError, Model, fit, load
from mpi_pgd.model import file

WRITTEN = Path(__file__).with_name("written")  # by earlier versions
ROWS = [[1.0, 2.0], [-3.0, 0.5]]


def rows(comm: MPI.Intracomm, path: Path) -> str:
    """Written by one rank, and read by all."""
    if comm.rank == 0:
        write(path)
    comm.Barrier()
    return str(path)


def write(path: Path) -> None:
    x = np.random.default_rng(3).normal(size=(60, 2))
    with h5py.File(path, "w") as stored:
        stored["X"], stored["feature_names"] = x, np.array(["height", "größe"], dtype=h5py.string_dtype())
        stored["y"] = x @ [1.0, -2.0] + 3.0 + x[:, 0] ** 2
        stored["counts"] = np.random.default_rng(4).poisson(np.exp(0.3 * x[:, 0] + 0.5))
        stored["sides"] = np.where(stored["y"][:] > 3.5, 1.0, -1.0)


def same(one: Model, other: Model) -> None:
    assert (one.coef == other.coef).all()
    assert np.array_equal(one.intercept, other.intercept)
    assert (one.feature_names, one.recipe, one.classes, one.status, one.r2) == (
        other.feature_names,
        other.recipe,
        other.classes,
        other.status,
        other.r2,
    )
    assert one.config == other.config
    assert repr(one).partition(",")[2] == repr(other).partition(",")[2]  # after the name of its class
    assert (one.predict(ROWS) == other.predict(ROWS)).all()


@pytest.mark.ranks(1, 3, others=())
def test_what_a_fit_has_written_is_its_result(comm: MPI.Intracomm, folder: Path, tmp_path: Path) -> None:
    data, options = rows(comm, folder / "rows.h5"), {"y": "sides", "loss": "logistic", "l2": 0.1, "comm": comm}
    result = fit(data, out=str(folder / "out"), **options)
    comm.Barrier()
    for path in (folder / "out", str(folder / "out" / "model.h5")):
        same(load(path), result)
    result.save(tmp_path / "own.h5")
    load(tmp_path / "own.h5").save(tmp_path / "own.h5")  # over itself
    same(load(tmp_path / "own.h5"), result)
    same(pickle.loads(pickle.dumps(result)), result)
    with h5py.File(tmp_path / "own.h5") as stored:
        assert {name: stored[name].attrs["about"] for name in file.ABOUT} == file.ABOUT
        assert (stored.attrs["mpi_pgd"], stored.attrs["loss"], stored.attrs["l2"]) == (mpi_pgd.__version__, "logistic", 0.1)
        assert stored["classes"][:].tolist() == [-1.0, 1.0]
    assert fit(data, init=str(tmp_path / "own.h5"), **options).status == "converged"


def test_a_model_made_by_hand_is_kept(tmp_path: Path) -> None:
    record = {"config": {"loss": "softmax", "max_seconds": None, "data": ["x" * 50_000] * 2}, "classes": [0.0, 1.0, 2.0]}
    made = Model(np.arange(6.0).reshape(2, 3), np.arange(3.0), ("a", "b"), record, recipe="{}")
    made.save(tmp_path)
    same(load(tmp_path), made)


@pytest.mark.parametrize(("words", "schema"), [(["a", "b\n"], 2), ([False, True], 2), ([], 1)])
def test_words_are_kept(tmp_path: Path, words: list[Any], schema: int) -> None:
    """An earlier reader, which would show their numbers, is told that it can't read them; it can read what has none."""
    record = {"config": {"loss": "logistic"}, "classes": [0.0, 1.0], "words": words}
    Model(np.ones(2), record=record).save(tmp_path)
    found = load(tmp_path)
    assert (found.classes, found.codes) == (tuple(words or [0.0, 1.0]), (0.0, 1.0))
    assert found.predict(ROWS).tolist() == [found.classes[1], found.classes[0]]
    with h5py.File(tmp_path / "model.h5") as stored:
        assert stored.attrs["schema"] == schema
        assert len(stored["classes"]) == 2


def test_a_model_of_version_0_1(tmp_path: Path) -> None:
    found = load(WRITTEN / "0.1.0")
    np.testing.assert_allclose(found.predict(ROWS), [2.0, -1.25], rtol=1e-9)
    assert (found.feature_names, found.loss, found.status, found.config["tol"]) == (("a", "b"), "squared", "", 1e-10)
    assert "how it was fitted is not known" in repr(found)
    assert file.other(WRITTEN / "0.1.0" / "model.h5") == ""
    found.save(tmp_path)
    same(load(tmp_path), found)


def test_a_model_of_version_0_2(tmp_path: Path) -> None:
    found = load(WRITTEN / "0.2.0")
    assert (found.classes, found.status, found.record["rows"]) == ((-1.0, 1.0), "converged", 12)
    assert set(found.predict(ROWS)) <= {-1.0, 1.0}
    shutil.copy(WRITTEN / "0.2.0" / "model.h5", tmp_path)
    alone = load(tmp_path)  # without the record of its run, nobody knows whether the targets were 0 and 1, or -1 and 1
    assert (alone.predict_proba(ROWS) == found.predict_proba(ROWS)).all()
    with pytest.raises(InputError, match="does not say which targets its classes are, as it was written by an earlier version"):
        alone.predict(ROWS)
    other = json.loads((WRITTEN / "0.2.0" / "run.json").read_text()) | {"weights_sha256": "of another run"}
    (tmp_path / "run.json").write_text(json.dumps(other))
    assert load(tmp_path).status == ""


def later(stored: h5py.File) -> None:
    stored.attrs["schema"], stored.attrs["mpi_pgd"] = file.SCHEMA + 1, "9.0"


def without(name: str) -> Callable[[h5py.File], None]:
    return lambda stored: stored.pop(name) and None


def instead(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(stored: h5py.File) -> None:
        del stored[name]
        stored[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (later, "was written by version 9.0 of mpi_pgd, whose models this one, .*, can't read: install that"),
        (lambda stored: stored.attrs.__setitem__("schema", "x"), "was written by version"),
        (without("intercept"), "has no numbers named intercept: expected a model as `fit --out DIR` writes it"),
        (instead("coef", "x"), "has no numbers named coef"),
        (instead("coef", np.ones((2, 3))), r"has coef of shape \(2, 3\) and intercept of shape \(\)"),
        (instead("feature_names", ["a"]), "has weights of 2 features and 1 names"),
        (instead("record", "{"), "is damaged, its record can't be read"),
        (instead("record", "[" * 100_000), "is damaged, its record can't be read"),
        (instead("record", '{"config": 3}'), "is damaged, its record can't be read"),
        (instead("record", b"\xff\xfe"), "is damaged, it can't be read"),
    ],
)
def test_what_is_no_model(tmp_path: Path, change: Callable[[h5py.File], None], said: str) -> None:
    path = tmp_path / "model.h5"
    Model(np.ones(2), 0.0, ("a", "b")).save(path)
    with h5py.File(path, "r+") as stored:
        change(stored)
    with pytest.raises(InputError, match=said):
        load(path)


def test_files_that_are_cut_short_or_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    Model(np.ones(2)).save(path)
    content = path.read_bytes()
    for size in range(0, len(content), 97):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match=r"model.h5 is (cut short|not an HDF5 file|damaged)"):
            load(path)
    with pytest.raises(InputError, match="there is no file"):
        load(tmp_path / "none")


def test_what_is_no_model_is_not_written_over(tmp_path: Path) -> None:
    data = tmp_path / "rows.h5"
    write(data)
    before = data.read_bytes()
    with pytest.raises(InputError, match=r"save\('.*rows.h5'\) would overwrite .*, which no fit has written"):
        Model(np.ones(2)).save(data)
    assert data.read_bytes() == before
    with pytest.raises(InputError, match=r"the model can't be written to .*no/model.h5"):
        Model(np.ones(2)).save(tmp_path / "no" / "model.h5")
