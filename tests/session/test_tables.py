"""Tables given to fit, predict and evaluate: converted once, beside the file, and the same rows for any number of ranks."""

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import mpi_pgd
from mpi_pgd import InputError, fit
from tests.commands import command

pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

DRAW = np.random.default_rng(3)
SIZE, COLOUR = DRAW.normal(size=400), DRAW.choice(["red", "green", "blue"], 400)
PRICE = 2 * SIZE + (COLOUR == "red") + DRAW.normal(size=400) / 10


def table(path: Path, rows: slice, more: str = "") -> str:
    """A CSV with some of the rows."""
    lines = [f"{s!r},{c},{p!r}\n" for s, c, p in zip(SIZE[rows].tolist(), COLOUR[rows], PRICE[rows].tolist(), strict=True)]
    path.write_text("size,colour,price\n" + "".join(lines) + more)
    return str(path)


@pytest.mark.ranks(1, 3, others=(2,))
def test_a_table_is_fitted(comm: MPI.Intracomm, folder: Path, caplog: Any) -> None:
    """And used again: what it was fitted to says how other tables become such rows."""
    caplog.set_level(logging.INFO, "mpi_pgd")
    if comm.rank == 0:
        table(folder / "train.csv", slice(0, 300))
        table(folder / "new.csv", slice(300, 400))
    comm.Barrier()
    options = {"target": "price", "comm": comm, "out": str(folder / "run"), "validate": str(folder / "new.csv"), "quiet": False}
    found = [fit(folder / "train.csv", **options) for _ in range(2)]
    assert found[0].record["weights_sha256"] == found[1].record["weights_sha256"]
    assert found[0].feature_names == ("size", "colour=green", "colour=red")
    assert np.abs(found[0].coef - [2, 0, 1]).max() < 0.1
    assert found[0].record["evaluations"][-1]["rows"] == 100
    if comm.rank == 0:
        said = [words for words in caplog.messages if "is a table" in words]
        assert [" once, " in words for words in said] == [True, False]
    command(comm, "predict", folder / "run", folder / "new.csv", folder / "out.h5", "--quiet")
    if comm.rank == 0:
        features = np.column_stack([SIZE, COLOUR == "green", COLOUR == "red"])[300:]
        with h5py.File(folder / "out.h5") as file:
            assert np.array_equal(file["prediction"][()].ravel(), mpi_pgd.load(folder / "run").predict(features))
        table(folder / "train.csv", slice(0, 299))
    comm.Barrier()
    assert fit(folder / "train.csv", target="price", comm=comm).record["rows"] == 299  # it has changed
    if comm.rank == 0:
        table(folder / "train.csv", slice(0, 298), "x,red,1\n")
    comm.Barrier()
    with pytest.raises(InputError, match="column size has 'x' in line 300 of "):
        fit(folder / "train.csv", target="price", comm=comm)


@pytest.mark.ranks(2, others=())
def test_what_is_no_table(comm: MPI.Intracomm, folder: Path) -> None:
    if comm.rank == 0:
        table(folder / "train.csv", slice(0, 50))
        with h5py.File(folder / "rows.h5", "w") as file:
            file["X"], file["y"] = np.eye(3), np.arange(3.0)
    comm.Barrier()
    for data, options, sentence in (
        ("train.csv", {}, "is a table, of which one column is the target"),
        ("rows.h5", {"target": "price"}, "--target is of tables such as CSV"),
        ("train.csv", {"target": "price", "y": "t"}, "--y names a data set of HDF5"),
        ("*", {"target": "price"}, "give one or the other"),
    ):
        with pytest.raises(InputError, match=sentence):
            fit(f"{folder}/{data}", comm=comm, **options)


@pytest.mark.ranks(2, others=())
def test_classes_have_their_words(comm: MPI.Intracomm, folder: Path) -> None:
    if comm.rank == 0:
        lines = [f"{s!r},{'high' if p > 0 else 'low'}\n" for s, p in zip(SIZE.tolist(), PRICE, strict=True)]
        (folder / "train.csv").write_text("size,level\n" + "".join(lines))
    comm.Barrier()
    found = fit(folder / "train.csv", target="level", loss="logistic", l2=0.01, comm=comm, out=str(folder / "run"))
    assert found.classes == ("high", "low")
    assert set(found.predict(SIZE[:, None])) == {"high", "low"}
    assert "high and low: above 0 is low" in repr(found)
    command(comm, "predict", folder / "run", folder / "train.csv", folder / "out.csv", "--quiet")
    if comm.rank == 0:
        head, *told = (folder / "out.csv").read_text().splitlines()
        assert {line.split(",")[0] for line in told} == {"high", "low"}, head
        with h5py.File(folder / "train.mpi_pgd.h5", "r+") as file:
            file["y"].attrs["classes"] = ["low", "high"]
    comm.Barrier()
    with pytest.raises(InputError, match=r"y in .*train.mpi_pgd.h5 has 0 for the class low, and .*run for high: give the table"):
        command(comm, "evaluate", folder / "run", folder / "train.mpi_pgd.h5", "--quiet")


@pytest.mark.ranks(1, libraries=["mpich"])  # how many they are changes no bit
@pytest.mark.parametrize("name", ["iris", "diabetes", "wine", "breast_cancer", "linnerud", "digits", 0, 1, 2])
def test_predictions_are_those_of_scikit_learn(comm: MPI.Intracomm, folder: Path, name: str | int) -> None:
    """Of a table that was not fitted to, by a recipe here and a pipeline there: public ones, and three with categories and gaps."""
    compose, linear = pytest.importorskip("sklearn.compose"), pytest.importorskip("sklearn.linear_model")
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    from tests.tables.test_convert import BUNDLED, survey

    if isinstance(name, str):
        found = BUNDLED[name](as_frame=True)
        frame = pd.DataFrame(found.data).assign(goal=np.asarray(found.target).reshape(len(found.data), -1)[:, 0])
        frame = frame.sample(frac=1, random_state=0)
    else:
        frame = survey(name)
    seen, new = frame[: 2 * len(frame) // 3], frame[2 * len(frame) // 3 :].drop(columns="goal")
    seen.to_csv(folder / "seen.csv", index=False)
    new.to_csv(folder / "new.csv", index=False)
    fit(folder / "seen.csv", target="goal", missing="mean", comm=comm, out=str(folder / "run"))
    assert command(comm, "predict", folder / "run", folder / "new.csv", folder / "out.csv", "--quiet") == 0
    words = [column for column in new if not pd.api.types.is_numeric_dtype(new[column])]
    columns = compose.make_column_transformer((OneHotEncoder(), words), remainder=SimpleImputer(add_indicator=True))
    expected = make_pipeline(columns, linear.LinearRegression()).fit(seen.drop(columns="goal"), seen["goal"]).predict(new)
    predicted = pd.read_csv(folder / "out.csv")["prediction"].to_numpy()
    assert np.abs(predicted - expected).max() <= 1e-10 * max(1.0, np.abs(expected).max())
