"""Tables given to fit, predict and evaluate: converted once, beside the file, and the same rows for any number of ranks."""

import json
import logging
import os
import pkgutil
import signal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import mpi_pgd
from mpi_pgd import InputError, fit
from mpi_pgd.choices import Choices
from mpi_pgd.cli import main
from mpi_pgd.system.placed import passing
from mpi_pgd.tables.convert import convert
from tests.commands import command
from tests.thorough import plainly

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
        assert [" once, " in words for words in said] == [True, True, False]  # also the one that it is judged on
    there = sorted(path.name for path in folder.iterdir())
    comm.Barrier()
    command(comm, "predict", folder / "run", folder / "new.csv", folder / "out.h5", "--quiet")
    if comm.rank == 0:
        assert sorted(path.name for path in folder.iterdir() if path.name != "out.h5") == there
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
def test_what_else_takes_tables(comm: MPI.Intracomm, folder: Path) -> None:
    """The rows that a fit has of them, by the same file; what is of a model alone leaves nothing beside the table."""
    if comm.rank == 0:
        table(folder / "train.csv", slice(0, 300))
        table(folder / "new.csv", slice(300, 400))
    comm.Barrier()
    words, quiet = (folder / "train.csv", "--target", "price"), ("--quiet", "--out")
    assert command(comm, "compare", *words, "--rounds", 2, "--repeats", 1, *quiet, folder / "study") == 0
    made = json.loads((folder / "study" / "compare.json").read_text())
    assert [Path(file["path"]).name for file in made["files"]] == ["train.mpi_pgd.h5"]
    assert command(comm, "mapreduce", f"{__file__}:total", *words, *quiet, folder / "rows.json") == 0
    assert json.loads((folder / "rows.json").read_text()) == {"result": 300}
    assert mpi_pgd.mapreduce(folder / "train.csv", total, target="price", comm=comm) == 300
    fit(folder / "train.csv", target="price", comm=comm, out=str(folder / "run"))
    before = sorted(path.name for path in folder.iterdir())
    comm.Barrier()
    for _ in range(2):  # over what it has written itself
        assert command(comm, "evaluate", folder / "run", folder / "new.csv", *quiet, folder / "run") == 0
    made = json.loads((folder / "run" / "evaluate.json").read_text())
    assert (made["rows"][0]["rows"], [file["path"] for file in made["files"]]) == (100, [str(folder / "new.csv")])
    assert (
        command(comm, "predict", folder / "run", folder / "train.csv", folder / "out.h5", "--quiet") == 0
    )  # of the fit's own file
    assert command(comm, "predict", folder / "run", folder / "new.csv", folder / "out.h5", "--quiet", "--force") == 0
    assert sorted(path.name for path in folder.iterdir() if path.name != "out.h5") == before


def total(x: Any, y: Any) -> int:
    assert x.shape[1] == 3
    return len(y)


def test_commands_without_ranks_take_tables(tmp_path: Path, capsys: Any) -> None:
    words = [table(tmp_path / "train.csv", slice(0, 300)), "--target", "price"]
    assert main(["data", "info", *words]) == 0
    assert "features: size, colour=green, colour=red" in capsys.readouterr().out
    assert main(["data", "check", *words]) == 0
    assert main(["data", "split", *words, str(tmp_path / "a.h5"), str(tmp_path / "b.h5")]) == 0
    assert main(["slurm", "fit", *words, "--nodes", "1", "--setup", "module load mpi"]) == 0
    assert "train.csv --target price" in capsys.readouterr().out  # the job finds what is there now
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == ["a.h5", "b.h5", "train.mpi_pgd.h5"]
    assert main(["data", "info", words[0]]) == 2
    assert "is a table, of which one column is the target" in capsys.readouterr().err


@pytest.mark.ranks(2, others=())
def test_rows_know_their_weights(comm: MPI.Intracomm, folder: Path, caplog: Any) -> None:
    """And a fit, and what judges it, need not be told."""
    caplog.set_level(logging.INFO, "mpi_pgd")
    if comm.rank == 0:
        (folder / "rows.csv").write_text("a,y,w,o\n" + "".join(f"{i % 7},{i % 5},{1 + i % 3},{i % 2}\n" for i in range(50)))
        convert([str(folder / "rows.csv")], folder / "rows.h5", Choices(target="y"), "w", "o")
    comm.Barrier()
    found = [
        fit(folder / "rows.h5", comm=comm, quiet=False, **more) for more in ({}, {"weights": "w"}, {"weights": "w", "offset": "o"})
    ]
    assert len({each.record["weights_sha256"] for each in found}) == 1
    assert [found[0].record["config"][name] for name in ("weights", "offset")] == ["w", "o"]
    told = [words.partition("converted with ")[2] for words in caplog.messages if "was converted with" in words]
    uses = ", which the fit uses, too"
    assert told == ([f"--weights w and --offset o{uses}", f"--offset o{uses}"] if comm.rank == 0 else [])


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize("place", ["a fit's table", "a table", "rows", "evaluate"])
def test_a_signal_leaves_nothing(comm: MPI.Intracomm, folder: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While rank 0 converts, or after, and to it alone: all end with the code 75."""
    if comm.rank == 0:
        table(folder / "train.csv", slice(0, 300))
        table(folder / "new.csv", slice(300, 400))
    comm.Barrier()
    fit(folder / "train.csv", target="price", comm=comm, out=str(folder / "run"))

    def hit(*given: Any, **more: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return whole(*given, **more)

    where = {"rows": "mpi_pgd.session.predict.numbers", "evaluate": "mpi_pgd.study.evaluating.evaluation"}
    target = where.get(place, "mpi_pgd.session.tables.parts")
    whole = pkgutil.resolve_name(target)
    if comm.rank == 0:
        monkeypatch.setattr(target, hit)
    words = {
        "a fit's table": (folder / "new.csv", "--target", "price", "--quiet"),
        "evaluate": ("evaluate", folder / "run", folder / "new.csv", "--quiet"),
    }
    before = sorted(path.name for path in folder.iterdir())
    comm.Barrier()
    with pytest.raises(InputError, match="stopped by a signal: nothing was written") as raised:
        command(comm, *words.get(place, ("predict", folder / "run", folder / "new.csv", folder / "out.h5", "--quiet")))
    assert raised.value.code == 75
    assert sorted(path.name for path in folder.iterdir()) == before


def test_what_killed_runs_left_goes(tmp_path: Path) -> None:
    """But not what others still use."""
    table = tmp_path / "new.csv"
    with passing(str(table), ".h5") as first, passing(str(table), ".h5") as second:
        for file in (first, second):
            file.touch()
        lock = next(tmp_path.glob(".new.csv.*.lock"))
        dead = lock.with_name(f".new.csv.{'0' * 16}.lock")
        dead.write_text(json.dumps({**json.loads(lock.read_text()), "started": "1"}))
        dead.with_suffix(".h5").touch()
        with passing(str(table), ".h5"):
            assert {first, second} == {*tmp_path.glob(".*.h5")}
    assert [*tmp_path.iterdir()] == []


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


TABLES = ("iris", "diabetes", "wine", "breast_cancer", "linnerud", "digits", 0, 1, 2)


@pytest.mark.ranks(1, libraries=["mpich"])  # how many they are changes no bit
@pytest.mark.parametrize("name", plainly(["iris", "linnerud", 0], TABLES))
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
