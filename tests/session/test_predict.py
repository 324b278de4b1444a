"""Predictions of rows in files: those of the model itself, to the bit, in the same bytes; and mistakes in one sentence."""

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import mpi_pgd
from mpi_pgd.session import predict
from tests.commands import command, refused
from tests.thorough import plainly

MODES = ("client-server", "peer-to-peer")
ROWS, FEATURES = 1000, 5  # 16 blocks of 64 rows, the last one short
NAMES = tuple(f"f{place}" for place in range(FEATURES))
DRAW = np.random.default_rng(5)
X, OFFSET = DRAW.standard_normal((ROWS, FEATURES)), DRAW.standard_normal(ROWS) / 4
ETA = X @ np.linspace(-1, 1, FEATURES)
TARGETS = {
    "squared": np.c_[ETA, ETA[::-1]],
    "logistic": np.where(DRAW.standard_normal(ROWS) < ETA, 1.0, -1.0),
    "softmax": np.digitize(ETA + DRAW.standard_normal(ROWS), [-1, 1]) + 5.0,
    "poisson": DRAW.poisson(np.exp(ETA / 2)).astype(float),
    "squared-hinge": (DRAW.standard_normal(ROWS) < ETA).astype(float),
}


def written(path: Path, names: tuple[str, ...] = NAMES, **sets: np.ndarray) -> str:
    with h5py.File(path, "w") as file:
        for name, values in sets.items():
            file[name] = values
        if names:
            file["feature_names"] = np.array(names, dtype=h5py.string_dtype())
    return str(path)


@pytest.fixture
def there(comm: MPI.Intracomm, folder: Path) -> Path:
    """The rows without targets, whose columns are in another order, and those of a fit."""
    if comm.rank == 0:
        order = [3, 1, 4, 0, 2]
        written(folder / "rows.h5", tuple(NAMES[place] for place in order), X=X[:, order], off=OFFSET)
        written(folder / "plain.h5", (), X=X)
        written(folder / "other.h5", (*NAMES[:-1], "g"), X=X)
        written(folder / "few.h5", NAMES[1:], X=X[:, 1:])
        written(folder / "short.h5", (), X=X[:, 1:])
        holed = X.copy()
        holed[777, 2] = np.nan
        written(folder / "holed.h5", X=holed)
    return folder


def fitted(comm: MPI.Intracomm, folder: Path, loss: str) -> mpi_pgd.Model:
    if comm.rank == 0:
        written(folder / "fit.h5", X=X, y=TARGETS[loss], off=OFFSET)
    comm.Barrier()
    offset = {"offset": "off"} if loss == "poisson" else {}
    return mpi_pgd.fit(folder / "fit.h5", comm=comm, loss=loss, l2=0.01, out=str(folder / "m"), **offset)


@pytest.mark.parametrize("loss", plainly(["squared", "softmax"], TARGETS))
def test_files_hold_what_the_model_predicts(comm: MPI.Intracomm, there: Path, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the ranks and the mode, also in many windows: the same bytes."""
    model = fitted(comm, there, loss)
    monkeypatch.setattr(predict, "WINDOW", 150 * 8 * FEATURES)
    for name, words in (("a.h5", ["--eta"]), ("b.h5", ["--eta", "--mode", MODES[1]]), ("c.csv", ["--eta"])):
        assert command(comm, "predict", there / "m", there / "rows.h5", there / name, "--quiet", *words) == 0
    if comm.rank:
        return
    assert (there / "a.h5").read_bytes() == (there / "b.h5").read_bytes()
    offset = OFFSET if loss == "poisson" else None
    eta, mean = model.decision_function(X, offset), model.predict(X, offset)
    with h5py.File(there / "a.h5") as file:
        assert np.array_equal(file["eta"], eta)
        if not model.classes:
            assert np.array_equal(file["prediction"], mean)
        else:
            assert np.array_equal(file["class"][()].astype(float), mean)
        if "probability" in file:
            assert np.array_equal(file["probability"], model.predict_proba(X, offset))
        sets = {name: file[name][()].reshape(ROWS, -1).astype(float) for name in file}
    head, *lines = csv.reader((there / "c.csv").read_text().splitlines())
    of = {name: [place for place, one in enumerate(head) if one.split("_")[0] == name] for name in sets}
    for name, values in sets.items():
        assert np.array_equal(np.array(lines)[:, of[name]].astype(float), values)


@pytest.mark.ranks(3, others=())
def test_sparse_rows(comm: MPI.Intracomm, there: Path) -> None:
    model = fitted(comm, there, "logistic")
    few = np.where(np.abs(X) > 1, X, 0.0)
    if comm.rank == 0:
        rows, columns = np.nonzero(few)
        with h5py.File(there / "sparse.h5", "w") as file:
            group = file.create_group("X")
            group["data"], group["indices"], group.attrs["shape"] = few[rows, columns], columns, few.shape
            group["indptr"] = np.searchsorted(rows, np.arange(ROWS + 1))
    comm.Barrier()
    assert command(comm, "predict", there / "m", there / "sparse.h5", there / "o.h5", "--quiet") == 0
    if comm.rank == 0:
        with h5py.File(there / "o.h5") as file:
            assert np.allclose(file["probability"], model.predict_proba(few), rtol=0, atol=1e-14)


@pytest.mark.ranks(1, others=())
def test_parquet(comm: MPI.Intracomm, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups have a length of their own, whatever comes at a time."""
    parquet = pytest.importorskip("pyarrow.parquet")
    model = fitted(comm, there, "softmax")
    monkeypatch.setattr(predict, "WINDOW", 150 * 8 * FEATURES)
    monkeypatch.setattr("mpi_pgd.data.outputs.GROUP", 300)
    command(comm, "predict", there / "m", there / "rows.h5", there / "o.parquet", "--quiet")
    table = parquet.ParquetFile(there / "o.parquet")
    assert [table.metadata.row_group(place).num_rows for place in range(table.num_row_groups)] == [300, 300, 300, 100]
    found = table.read().to_pydict()
    assert np.array_equal(np.array(found["class"], dtype=float), model.predict(X))
    assert np.array_equal(np.c_[*(found[f"probability_{label:g}"] for label in model.classes)], model.predict_proba(X))


@pytest.mark.ranks(1, 3, others=())
def test_mistakes_are_one_sentence_and_leave_nothing(comm: MPI.Intracomm, there: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fitted(comm, there, "logistic")
    out = there / "new" / ".." / "o.h5"
    if comm.rank == 0:
        (there / "new").mkdir()
        (there / "broken.h5").write_bytes((there / "m" / "model.h5").read_bytes()[:1000])
        (there / "there.csv").write_text("mine\n")
    comm.Barrier()
    before = sorted(path.name for path in there.iterdir())
    for words, told in (
        (("m", "other.h5", out), ("has no feature f4", "has the feature g", "expected the 5 features that it was fitted to")),
        (("m", "few.h5", out), ("has no feature f0, of which", "expected the 5 features")),
        (("m", "short.h5", out), ("X in", "has 4 features, and", "is of 5: expected the same")),
        (("m", "holed.h5", out), ("row 777, column 2 of X is nan",)),
        (("broken.h5", "rows.h5", out), ("broken.h5",)),
        (("nothing", "rows.h5", out), ("nothing",)),
        (("m", "rows.h5", "there.csv"), ("would overwrite", "which is there already", "--force")),
        (("m", "rows.h5", "rows.h5"), ("would overwrite", "which this run reads")),
        (("m", "rows.h5", "o.xlsx"), ("OUT was given", "expected a name that ends with .h5, .csv, .parquet")),
        (("m", "rows.h5"), ("predict was given 2 names: expected the model, one file of rows or more, and the file to write",)),
        (("m", "rows.h5", "no/folder/o.h5"), ("o.h5 can't be written, as there is no folder",)),
    ):
        refused(comm, ["predict", *(there / word for word in words)], told, capfd)
    assert sorted(path.name for path in there.iterdir()) == before


def test_words_are_no_formulas() -> None:
    from mpi_pgd.data.outputs import Column, Csv

    made = Csv().encode([Column("class", words=("=1+1", 'a "b"', "c,d"))], [np.array([[0.0, 1.0, 2.0]])])
    assert made == b'\'=1+1\n"a ""b"""\n"c,d"\n'
