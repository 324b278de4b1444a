"""Tables become the rows that pandas and scikit-learn make of them, whatever the format; and a file that is whole, or none."""

import bz2
import gzip
import lzma
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.choices import Choices
from mpi_pgd.errors import Stopped
from mpi_pgd.tables import spool
from mpi_pgd.tables.batch import Batch, Reading
from mpi_pgd.tables.convert import convert
from mpi_pgd.tables.csv import Csv
from tests.launch import ROOT

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")

from pyarrow import feather  # noqa: E402
from sklearn import datasets  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.preprocessing import OneHotEncoder  # noqa: E402

BUNDLED = {name: getattr(datasets, f"load_{name}") for name in ("iris", "diabetes", "wine", "breast_cancer", "linnerud", "digits")}


def made(path: Path, target: str, **chosen: Any) -> dict[str, Any]:
    """What is in the file that a table becomes."""
    out = path.with_name("out.h5")
    convert([str(path)], out, Choices(target=target, **chosen), force=True)
    with h5py.File(out) as file:
        return {name: file[name].asstr()[()].tolist() if name == "feature_names" else file[name][()] for name in file}


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_data_sets(tmp_path: Path, name: str) -> None:
    """Numbers as text are the same numbers again."""
    found = BUNDLED[name](as_frame=True)
    frame = pd.DataFrame(found.data).assign(goal=np.asarray(found.target).reshape(len(found.data), -1)[:, 0])
    frame.to_csv(tmp_path / "table.csv", index=False)
    got = made(tmp_path / "table.csv", "goal")
    assert np.array_equal(got["X"], frame.drop(columns="goal").to_numpy(float))
    assert np.array_equal(got["y"], frame["goal"].to_numpy(float))
    assert got["feature_names"] == [str(each) for each in found.data.columns]


def survey(kind: int, rows: int = 300) -> Any:
    """Three tables with categories and gaps."""
    draw = np.random.default_rng(kind)
    frame = pd.DataFrame(
        {
            "size": draw.normal(size=rows) * 10.0**kind,
            "colour": draw.choice(["red", "green", "dark blue", 'say "no"', "a,b", "two\nlines"], rows),
            "count": draw.integers(0, 9, rows),
            "town": draw.choice(["Bern", "Zürich", "Genève"][: 1 + kind], rows),
            "goal": draw.normal(size=rows),
        }
    )
    for column, share in (("size", 0.2), ("count", 0.1), *([("town", 0.1)] if kind == 2 else [])):
        frame.loc[draw.random(rows) < share, column] = np.nan if column != "town" else None
    return frame


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_categories_and_gaps(tmp_path: Path, kind: int) -> None:
    """One-hot columns with a category for what is missing are OneHotEncoder's, means and indicators SimpleImputer's."""
    frame = survey(kind)
    frame.to_csv(tmp_path / "table.csv", index=False)
    got = made(tmp_path / "table.csv", "goal", reference="none", missing="mean")
    columns = []
    for column in ("size", "colour", "count", "town"):
        part = frame[[column]]
        if column in ("size", "count"):
            columns.append(SimpleImputer(add_indicator=True).fit_transform(part))
        else:
            columns.append(OneHotEncoder(sparse_output=False).fit_transform(part))  # a missing value is its last category
    expected = np.hstack(columns)
    assert got["X"].shape == expected.shape
    assert np.abs(got["X"] - expected).max() <= 1e-10 * max(1.0, np.abs(expected).max())
    assert np.array_equal(got["y"], frame["goal"])
    dropped = made(tmp_path / "table.csv", "goal", missing="drop", categories="codes")
    whole = frame.dropna()
    assert np.array_equal(dropped["X"][:, 1], whole["colour"].astype("category").cat.codes)
    assert np.array_equal(dropped["X"][:, [0, 2]], whole[["size", "count"]])


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def test_formats_agree(tmp_path: Path) -> None:
    """One table in every format is the same rows, to the bit."""
    frame = survey(1).dropna()
    frame["day"] = pd.date_range("2020-02-28", periods=len(frame), freq="7min")
    frame["good"], frame["kind"] = frame["size"] > 0, pd.Categorical(frame["town"])
    frame.to_csv(tmp_path / "table.csv", index=False)
    frame.to_csv(tmp_path / "table.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "other.csv", index=False, sep=";", decimal=",")
    frame.to_parquet(tmp_path / "table.parquet")
    frame.to_feather(tmp_path / "table.feather")
    for ending, pack in PACKERS.items():
        (tmp_path / f"table.csv.{ending}").write_bytes(pack((tmp_path / "table.csv").read_bytes()))
    with pa.output_stream(str(tmp_path / "table.csv.zst"), compression="zstd") as packed:
        packed.write((tmp_path / "table.csv").read_bytes())
    with pa.OSFile(str(tmp_path / "table.arrow"), "wb") as file, pa.ipc.new_stream(file, pa.Schema.from_pandas(frame)) as stream:
        stream.write_table(pa.Table.from_pandas(frame), max_chunksize=70)
    feather.write_feather(frame.drop(columns="kind").assign(kind=frame["town"]), tmp_path / "table.ipc", compression="uncompressed")
    first = made(tmp_path / "table.csv", "goal")
    assert first["feature_names"][-3:] == ["day", "good", "kind=Zürich"]
    assert np.array_equal(first["X"][:, -3], frame["day"].astype("int64") / (1e6 if "us" in str(frame["day"].dtype) else 1e9))
    for path in sorted(tmp_path.glob("*.*")):
        if path.suffix != ".h5":
            found = made(path, "goal", **({"delimiter": ";", "decimal": ","} if path.name == "other.csv" else {}))
            assert all(np.array_equal(found[name], first[name]) for name in ("X", "y", "feature_names")), path.name


def test_several_files_are_one_table(tmp_path: Path) -> None:
    frame = survey(0).dropna()
    frame[:100].to_csv(tmp_path / "a.csv", index=False)
    frame[list(reversed(frame.columns))][100:].to_parquet(tmp_path / "b.parquet")
    frame.to_csv(tmp_path / "c.csv", index=False)
    convert([str(tmp_path / "a.csv"), str(tmp_path / "b.parquet")], tmp_path / "ab.h5", Choices(target="goal"))
    whole = made(tmp_path / "c.csv", "goal")
    with h5py.File(tmp_path / "ab.h5") as file:
        assert np.array_equal(file["X"][()], whole["X"])


def test_columns_are_chosen(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"id": [7, 8, 9], "x1": [1, 2, 3], "x2": [4, 5, 6], "zip": [1, 1, 2], "w": [1, 2, 1], "o": [0.5] * 3, "y": list("bab")}
    )
    frame.to_csv(tmp_path / "table.csv")  # with a column that has no name
    out = tmp_path / "out.h5"
    found = convert([str(tmp_path / "table.csv")], out, Choices(target="y", drop="id", categorical="z*"), "w", "o")
    assert found.recipe.names == ("x1", "x2", "zip=2")
    assert found.recipe.classes == ("a", "b")
    with h5py.File(out) as file:
        assert [file[name][()].tolist() for name in ("y", "w", "o")] == [[1, 0, 1], [1, 2, 1], [0.5] * 3]
    assert made(tmp_path / "table.csv", "y", features="x*,unnamed_1")["feature_names"] == ["unnamed_1", "x1", "x2"]


def test_what_may_not_be_expected_is_said(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b,y\n9007199254740993,1,1\n2,1,2\n")
    found = convert([str(tmp_path / "table.csv")], tmp_path / "out.h5", Choices(target="y"))
    assert [words.split()[0] for words in found.notes] == ["1", "b"]
    assert found.summary == "2 rows, 2 features\ny: y"


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    """Of which there are fewer than lines, so that the file is written twice."""
    (tmp_path / "table.csv").write_text("\n\na,y\n\n1,2\r\n3,4\n\n\n5,6")
    assert made(tmp_path / "table.csv", "y")["X"].tolist() == [[1], [3], [5]]


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_a_table_of_text_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """And twice where the disk has no room for what was parsed; that makes no difference to a bit."""
    survey(2, 30_000).to_csv(tmp_path / "table.csv", index=False)  # of two blocks
    opened, parsed = Csv.batches, list[Sequence[str]]()

    def batches(table: Csv, columns: Sequence[str]) -> Iterator[Batch]:
        parsed.append(columns)
        yield from opened(table, columns)

    monkeypatch.setattr(Csv, "batches", batches)
    once = made(tmp_path / "table.csv", "goal", missing=missing)
    assert len(parsed) == 1
    monkeypatch.setattr(spool, "TemporaryFile", lambda **_: Path("/dev/full").open("w+b"))  # noqa: SIM115
    twice = made(tmp_path / "table.csv", "goal", missing=missing)
    assert len(parsed) == 3
    assert all(np.array_equal(once[name], twice[name]) for name in ("X", "y", "feature_names"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.h5", "table.csv"]


def test_what_was_kept_goes_as_it_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    survey(2, 30_000).to_csv(tmp_path / "table.csv", index=False)  # of two blocks
    files, opened = list[IO[bytes]](), spool.TemporaryFile

    def noted(**how: Any) -> IO[bytes]:
        files.append(opened(**how))
        return files[-1]

    monkeypatch.setattr(spool, "TemporaryFile", noted)
    monkeypatch.setattr(spool, "DONE", 1 << 16)
    table = Csv(str(tmp_path / "table.csv"), Reading())
    with spool.Spool(tmp_path) as kept:
        first = [batch.rows for batch in kept.first(table, table.names, table.names)]
        whole = os.fstat(files[0].fileno()).st_blocks
        left = [os.fstat(files[0].fileno()).st_blocks for _ in kept.again(table, table.names)]
        assert len(first) == len(left) == 2
        assert whole > left[0] > left[1]
        assert files[0].closed
        assert [batch.rows for batch in kept.again(table, table.names)] == first  # parsed


def test_notes_are_of_all_rows(tmp_path: Path) -> None:
    """A column that has one value in each block, and large numbers in the last one alone."""
    lines = [f"{row >= 150_000:d},7,{2**53 if row == 199_999 else 1},-1e200,{row}" for row in range(200_000)]
    (tmp_path / "table.csv").write_text("\n".join(["late,same,large,huge,y", *lines]))
    notes = convert([str(tmp_path / "table.csv")], tmp_path / "out.h5", Choices(target="y")).notes
    assert [note.partition(", where")[0] for note in notes] == [
        "200,000 whole numbers of huge are 2^53 or more",
        "1 whole numbers of large are 2^53 or more",
        "same and huge have one value in all rows: no fit can use that",
    ]


def test_a_stopped_conversion_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,y\n1,2\n")

    def stops(_: str, batches: Iterator[Batch]) -> Iterator[Batch]:
        next(batches)
        raise Stopped
        yield

    with pytest.raises(Stopped):
        convert([str(tmp_path / "table.csv")], tmp_path / "out.h5", Choices(target="y"), watch=stops)
    assert [each.name for each in tmp_path.iterdir()] == ["table.csv"]


def test_what_was_not_made_here_is_kept(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,y\n1,2\n")
    with h5py.File(tmp_path / "out.h5", "w") as file:
        file["mine"] = 1
    with pytest.raises(InputError, match="would overwrite"):
        convert([str(tmp_path / "table.csv")], tmp_path / "out.h5", Choices(target="y"))
    made(tmp_path / "table.csv", "y")
    convert([str(tmp_path / "table.csv")], tmp_path / "out.h5", Choices(target="y"))  # its own, without force
    with pytest.raises(InputError, match="which this run reads"):
        convert([str(tmp_path / "table.csv")], tmp_path / "table.csv", Choices(target="y"), force=True)


def test_a_signal_ends_the_command(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,y\n" + "1.25,2.5\n" * 2_000_000)
    words = [sys.executable, "-m", "mpi_pgd", "data", "convert", "table.csv", "out.h5", "--target", "y", "--missing", "mean"]
    with subprocess.Popen(
        words, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as job:
        while not (tmp_path / ".out.h5.lock").exists() and job.poll() is None:
            pass
        job.send_signal(signal.SIGTERM)
        said = job.communicate(timeout=60)[1]
    assert (job.returncode, said) == (75, "mpi_pgd: stopped by a signal: nothing was written\n")
    assert [each.name for each in tmp_path.iterdir()] == ["table.csv"]


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.csv").write_text("a,y\n1,2\n")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install mpi_pgd\[tables\]"):
        convert([str(tmp_path / "table.csv")], tmp_path / "out.h5", Choices(target="y"))
