"""What may be wrong with rows is found, and nothing else; dense and sparse rows say the same, whatever the slabs are."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy import sparse

from mpi_pgd.cli import main
from mpi_pgd.data import check as checking
from mpi_pgd.data import compare, slabwise

N = 400
NAMES = ["plain", "other", "same", "near", "still", "gaps", "leak", "far", "huge", "few"]


def rows() -> tuple[Any, Any]:
    draw = np.random.default_rng(1)
    x = draw.standard_normal((N, len(NAMES)))
    x[:, 2] = x[:, 1]
    x[:, 3] = x[:, 0] * -3 + 1e-3 * draw.standard_normal(N)
    x[:, 4] = 7
    x[[5, 9], 5], x[11, 5] = np.nan, np.inf
    y = draw.standard_normal(N)
    x[:, 6] = 2 * y + 1
    x[:, 7] += 1e9
    x[:, 8] *= 1e40
    x[:, 9] = x[:, 9] * (draw.random(N) < 0.1)
    x[17], y[17] = x[3], y[3]
    return x, y


def stored(path: Path, x: Any, y: Any, few: bool = False) -> str:
    with h5py.File(path, "w") as file:
        if few:
            here = sparse.csr_array(x)
            group = file.create_group("X")
            group["data"], group["indices"], group["indptr"] = here.data, here.indices, here.indptr
            group.attrs["shape"] = here.shape
        else:
            file["X"] = x
        file["y"] = y
        if x.shape[1] == len(NAMES):
            file["feature_names"] = NAMES
    return str(path)


def found(path: str, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["data", "check", path, "--json", *words]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


def test_what_is_wrong_is_found_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = rows()
    dense, few = stored(tmp_path / "a.h5", x, y), stored(tmp_path / "b.h5", x, y, few=True)
    whole = found(dense, capsys)
    texts = {text: kind for kind, text in ((each["kind"], each["text"]) for each in whole["findings"])}
    for kind, words in (
        ("missing", "gaps has 2 missing values"),
        ("infinite", "gaps has 1 infinite values"),
        ("leak", "leak has a correlation of 1.000000 with y:"),
        ("repeated columns", "other and same are the same in all rows"),
        ("constant", "still is 7 in all rows"),
        ("repeated rows", "1 rows repeat an earlier one in all, as row 17 does row 3"),
        ("correlated", "plain and near have a correlation of -1.0000"),
        ("scales", "deviations differ much"),
        ("scales", "far is"),
        ("scales", "huge goes from"),
    ):
        assert [its for text, its in texts.items() if text.startswith(words)] == [kind], words
    assert len(texts) == 10
    for column, name in enumerate(NAMES):
        its, good = whole["columns"][column], x[np.isfinite(x[:, column]), column]
        assert (its["name"], its["least"], its["most"], its["zeros"]) == (name, good.min(), good.max(), (good == 0).sum())
        np.testing.assert_allclose([its["mean"], its["deviation"]], [good.mean(), good.std()], rtol=1e-9)
    monkeypatch.setattr(slabwise, "SIZE", 3000)
    sliced = found(few, capsys)
    monkeypatch.setattr(slabwise, "MATRIX", 5)  # neither pairs nor widened rows
    monkeypatch.setattr(compare, "MATRIX", 5)
    narrow = found(few, capsys)
    for other in (sliced, narrow):
        assert [(one["name"], one["least"], one["zeros"], one["missing"]) for one in other["columns"]] == [
            (one["name"], one["least"], one["zeros"], one["missing"]) for one in whole["columns"]
        ]
        assert other["repeated"] == whole["repeated"]
    assert {each["kind"] for each in sliced["findings"]} == {each["kind"] for each in whole["findings"]}
    assert {each["kind"] for each in narrow["findings"]} == {each["kind"] for each in whole["findings"]} - {"correlated"} | {"note"}
    assert narrow["correlations"] == {"rows": 0, "pairs": []}


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(2)
    path = stored(tmp_path / "a.h5", draw.standard_normal((N, 3)), draw.standard_normal(N))
    assert main(["data", "check", path]) == 0
    said = capsys.readouterr().out
    assert "nothing was found to be wrong" in said
    assert "y: quartiles" in said
    assert "x2" in said


def test_a_feature_that_tells_classes_apart_and_a_rare_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(3)
    x, y = draw.standard_normal((N, 3)), np.zeros(N)
    y[:3] = 1
    x[:, 1] = np.abs(x[:, 1]) * np.where(y == 1, -1e-3, 1)
    record = found(stored(tmp_path / "a.h5", x, y), capsys)
    assert [each["text"].partition(":")[0] for each in record["findings"]] == [
        "x1 alone tells the two values of y apart",
        "y is 1 in 3 of 400 rows only",
    ]
    assert record["targets"][0]["values"] == [[0.0, 397], [1.0, 3]]


def test_what_is_of_a_sample_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rows()
    monkeypatch.setattr(checking, "HASHED", 200)
    monkeypatch.setattr(checking, "SORTED", 100)
    monkeypatch.setattr(compare, "WORK", 10_000)
    monkeypatch.setattr(slabwise, "SIZE", 1600)
    path = stored(tmp_path / "a.h5", np.vstack([x, x[::-1]]), np.concatenate([y, y[::-1]]))
    record = found(path, capsys)
    texts = [each["text"] for each in record["findings"]]
    assert 0 < record["correlations"]["rows"] < 2 * N
    assert any(f"in a sample of {record['correlations']['rows']:,} rows" in text for text in texts)
    assert any("25.0% of all, which were looked at" in text for text in texts)
    assert 50 < record["repeated"]["rows"] < 150
    assert record["targets"][0]["share_looked_at"] == 0.125


def test_a_table_that_cannot_be_read_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = rows()
    path = stored(tmp_path / "a.h5", x, y[:-1])
    assert main(["data", "check", path]) == 2
    assert "a target for each row" in capsys.readouterr().err
