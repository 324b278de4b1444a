"""svmlight: what scikit-learn's loader reads, in blocks of any size; else a sentence with the line."""

import contextlib
import gzip
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from mpi_pgd import InputError
from mpi_pgd.choices import Choices
from mpi_pgd.data import hdf5
from mpi_pgd.tables import svmlight
from mpi_pgd.tables.convert import convert

pytest.importorskip("pyarrow")

DRAW = np.random.default_rng(0)
FEW = sparse.random_array((200, 70_000), density=2e-4, rng=DRAW, format="csr")
Y = DRAW.standard_normal(200)


def made(path: Path) -> tuple[Any, Any]:
    """X and y of a file as it was converted."""
    out = path.with_name("out.h5")
    convert([str(path)], out, Choices(), force=True)
    hdf5.inspect([str(out)], "X", "y")
    with h5py.File(out) as file:
        group = file["X"]
        parts = group["data"][()], group["indices"][()].astype(np.int64), group["indptr"][()]
        return sparse.csr_array(parts, shape=tuple(group.attrs["shape"])), file["y"][()]


@pytest.mark.parametrize("block", [37, 4096, svmlight.BLOCK])
def test_it_is_what_scikit_learn_reads(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svmlight, "BLOCK", block)
    path = tmp_path / "a.svmlight"
    dump_svmlight_file(FEW, Y, str(path), zero_based=False, comment="made by a test", query_id=np.arange(200))
    expected, targets = load_svmlight_file(str(path), zero_based=False)
    x, y = made(path)
    assert x.shape == expected.shape
    assert (x != sparse.csr_array(expected)).nnz == 0
    np.testing.assert_array_equal(y, targets)
    (tmp_path / "a.svm.gz").write_bytes(gzip.compress(path.read_bytes()))
    again, y = made(tmp_path / "a.svm.gz")
    assert (again != x).nnz == 0
    np.testing.assert_array_equal(y, targets)


def test_spellings(tmp_path: Path) -> None:
    (tmp_path / "a.svm").write_bytes(b"# head\n\n+1 1:+0.5  3:1e-3\t # end\r\n \n-1\n1e0 +2:.5 4294967296:-2.\n2 qid:7 1:1")
    x, y = made(tmp_path / "a.svm")
    assert y.tolist() == [1, -1, 1, 2]
    assert x.shape == (4, 2**32)
    assert x.indices.tolist() == [0, 2, 1, 2**32 - 1, 0]
    assert x.data.tolist() == [0.5, 1e-3, 0.5, -2.0, 1.0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 0:2", "has the index 0, as if they were counted from 0"),
        ("1 3:1 2:1", "has the index 2 behind 3, and they have to ascend"),
        ("1 3:1 3:1", "has the index 3 behind 3"),
        ("1 4294967297:1", "has the index 4294967297 behind 0"),
        ("1 3:x", 'has "3:x", which is no index from 1 on and a finite number'),
        ("1 3:nan", 'has "3:nan"'),
        ("1 3:1e400", 'has "3:1e400"'),
        ("1 3:", 'has "3:"'),
        ("1 :3", 'has ":3"'),
        ("1 3", 'has "3"'),
        ("1 1.5:3", 'has "1.5:3"'),
        ("1 -1:3", 'has "-1:3"'),
        ("1 2:3:4", 'has "2:3:4"'),
        ("1 :5 3:", 'has ":5"'),
        ("1:2 3", 'has the target "1:2", which is no finite number'),
        ("yes 1:2", 'has the target "yes"'),
        ("1,2 1:2", 'has the target "1,2"'),
        ("inf 1:2", 'has the target "inf"'),
        ("1_0 1:2", 'has the target "1_0"'),
        ('"1" 1:2', 'has the target ""1""'),
        ("1 2:0x10", 'has "2:0x10"'),
        ("1 qid:x 1:1", 'has "qid:x"'),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svmlight, "BLOCK", 20)
    (tmp_path / "a.svm").write_text("# head\n" + "1 1:1 2:1\n" * 5 + line + "\n1 1:1\n")
    with pytest.raises(InputError) as found:
        made(tmp_path / "a.svm")
    assert f"line 7 of {tmp_path / 'a.svm'} {words}" in str(found.value)
    assert [each.name for each in tmp_path.iterdir()] == ["a.svm"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "has no rows"), (b"# nothing\n\n", "has no rows"), (b"1\n2\n", "has no number in any row"), (b"\x1f\x8b\0", "line 1")],
)
def test_files_without_rows(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.svm").write_bytes(content)
    with pytest.raises(InputError, match=words):
        made(tmp_path / "a.svm")


def test_other_words_than_those_of_sparse_rows(tmp_path: Path) -> None:
    for name in ("a.svm", "b.svm"):
        (tmp_path / name).write_text("1 1:1\n")
    paths, out = [str(tmp_path / name) for name in ("a.svm", "b.svm")], tmp_path / "out.h5"
    with pytest.raises(InputError, match="expected one such file at a time"):
        convert(paths, out, Choices())
    with pytest.raises(InputError, match=r"expected a column of .*a.svm \(target\)"):
        convert(paths[:1], out, Choices(target="y"))
    with pytest.raises(InputError, match="--missing is of dense tables"):
        convert(paths[:1], out, Choices(missing="drop"))


def test_damaged_lines_are_read_as_scikit_learn_does_or_refused(tmp_path: Path) -> None:
    """What is read here is what scikit-learn reads, unless that refuses it."""
    good = b"1 1:0.5 3:2 7:1e3\n-1 2:1\n0 1:3 9:4 # end\n" * 4
    read = 0
    for seed in range(60):
        draw, content = Random(seed), bytearray(good)
        for _ in range(draw.randint(1, 3)):
            content[draw.randrange(len(content))] = draw.choice(b"0123456789:. -+e#\n\tx")
        path = tmp_path / "a.svm"
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            x, y = made(path)
            read += 1
            try:
                expected, targets = load_svmlight_file(str(path), zero_based=False)
            except ValueError:
                continue
            assert (x != sparse.csr_array(expected)).nnz == 0, seed
            np.testing.assert_array_equal(y, targets)
    assert 8 < read < 52
