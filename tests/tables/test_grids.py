"""Tables of arrays: NumPy's, MATLAB's, pandas' own HDF5 and AnnData's. The files of the last three are laid out as theirs are."""

import contextlib
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pytest
from scipy import sparse

from mpi_pgd import InputError
from mpi_pgd.choices import Choices
from mpi_pgd.data import hdf5
from mpi_pgd.tables import format_of, grid, npy, turned
from mpi_pgd.tables.convert import convert

pytestmark = pytest.mark.beside("numbers")

DRAW = np.random.default_rng(0)
X, Y = DRAW.standard_normal((50, 3)), DRAW.standard_normal(50)
TOWNS = np.where(Y > 0, "Bé", "A")
DAYS = np.datetime64("2020-01-01") + np.arange(50)
SECONDS = (DAYS.astype("M8[s]").astype(np.int64)).astype(float)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many batches."""
    monkeypatch.setattr(grid, "SIZE", 600)


def made(path: Path, target: str = "y", **chosen: Any) -> tuple[list[str], Any, Any]:
    """Names, X and y of a file as it was converted."""
    out = path.with_name("out.h5")
    convert([str(path)], out, Choices(target=target, **chosen), force=True)
    hdf5.inspect([str(out)], "X", "y")
    with h5py.File(out) as file:
        return file["feature_names"].asstr()[()].tolist(), file["X"][()], file["y"][()]


def refused(path: Path, target: str = "y", **chosen: Any) -> str:
    with pytest.raises(InputError) as found:
        convert([str(path)], path.with_name("out.h5"), Choices(target=target, **chosen))
    assert "\n" not in str(found.value)
    assert [each.name for each in path.parent.iterdir() if "out" in each.name] == []
    return str(found.value)


@pytest.mark.parametrize("kind", ["f8", ">f4", "i2", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_numpy(tmp_path: Path, kind: str, order: Any) -> None:
    table = np.asarray(np.column_stack([10 * X, Y]).astype(kind), order=order)
    np.save(tmp_path / "a.npy", table)
    names, x, y = made(tmp_path / "a.npy", "x3")
    assert names == ["x0", "x1", "x2"]
    np.testing.assert_array_equal(x, table[:, :3])
    np.testing.assert_array_equal(y, table[:, 3])
    for name, save in (("a.npz", np.savez), ("b.npz", np.savez_compressed)):
        arrays: dict[str, Any] = {"X": table[:, :3], "y": Y, "other": np.arange(4), "feature_names": np.array(["a", "b", "c"])}
        save(tmp_path / name, **arrays)
        names, x, y = made(tmp_path / name)
        assert names == ["a", "b", "c"]
        np.testing.assert_array_equal(x, table[:, :3])
        np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_structures_of_numpy(tmp_path: Path, name: str) -> None:
    table = np.zeros(50, [("größe", "f4"), ("town", "U3"), ("day", "M8[D]"), ("at", "M8[ms]"), ("ok", "?"), ("y", "f8")])
    table["größe"], table["town"], table["day"], table["at"], table["ok"], table["y"] = X[:, 0], TOWNS, DAYS, DAYS, Y > 0, Y
    with (tmp_path / name).open("wb") as file:
        np.savez_compressed(file, table=table) if name.endswith("npz") else np.save(file, table)
    names, x, _ = made(tmp_path / name)
    assert names == ["größe", "town=Bé", "day", "at", "ok"]
    expected = np.column_stack([X[:, 0].astype("f4"), TOWNS == "Bé", DAYS.astype(np.int64), SECONDS, Y > 0])
    np.testing.assert_array_equal(x, expected)
    table["at"][7] = "NaT"
    with (tmp_path / name).open("wb") as file:
        np.savez(file, table=table) if name.endswith("npz") else np.save(file, table)
    assert f"column at has no value in row 8 of {tmp_path / name}" in refused_over(tmp_path / name)


def refused_over(path: Path) -> str:
    """As ``refused``, where there is a file before."""
    with pytest.raises(InputError) as found:
        convert([str(path)], path.with_name("out.h5"), Choices(target="y"))
    return str(found.value)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path(tmp_path / "gone off").write_text, ("bang",))

    np.save(tmp_path / "a.npy", np.array([Bomb(), 1], object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", X=X, y=np.array([Bomb(), 1], object))
    for name in ("a.npy", "a.npz"):
        assert "holds pickled objects, which are not unpickled here" in refused(tmp_path / name)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        laid_out_table(file)
        file["df/table"].attrs["c_kind"] = np.bytes_(pickle.dumps(Bomb(), 0))
        file["df"].attrs["non_index_axes"] = np.bytes_(pickle.dumps(Bomb(), 0))
    refused_or_made(tmp_path / "a.h5")
    assert not (tmp_path / "gone off").exists()


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 3)})
    for content, words in ((head.getvalue() + bytes(80), "has not the size that its header says"),):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("X.npy", content)
        assert words in refused(tmp_path / "a.npz")
    monkeypatch.setattr(npy, "HELD", 100)
    np.savez(tmp_path / "a.npz", X=np.asfortranarray(X), y=Y)
    assert "is stored column by column" in refused(tmp_path / "a.npz")
    (tmp_path / "b.npy").write_bytes(head.getvalue() + bytes(80))
    assert "bytes, and its header says 26,388,279,0" in refused(tmp_path / "b.npy")


def matlab(file: h5py.File, name: str, values: Any, called: str = "double") -> None:
    file[name] = np.atleast_2d(values).T
    file[name].attrs["MATLAB_class"] = np.bytes_(called)


def test_variables_of_matlab(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        matlab(file, "X", X)
        matlab(file, "y", Y[:, np.newaxis])
        matlab(file, "row", np.arange(50.0))  # 1 x 50
        matlab(file, "ok", (Y > 0).astype(np.uint8)[:, np.newaxis], "logical")
        matlab(file, "small", np.eye(4))
        file["#refs#/0"] = 1
    names, x, y = made(tmp_path / "a.mat")
    assert sorted(names) == ["X1", "X2", "X3", "ok", "row"]
    np.testing.assert_array_equal(x[:, [names.index(f"X{column}") for column in (1, 2, 3)]], X)
    np.testing.assert_array_equal(x[:, names.index("ok")], Y > 0)
    np.testing.assert_array_equal(x[:, names.index("row")], np.arange(50))
    np.testing.assert_array_equal(y, Y)


def test_what_matlab_has_and_tables_have_not(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w") as file:
        matlab(file, "X", X)
        matlab(file, "y", Y[:, np.newaxis])
        file["letters"] = np.zeros(1, np.uint16)
        cells = np.array([[file["letters"].ref] * 50], h5py.ref_dtype)
        file["c"] = cells
        file["c"].attrs["MATLAB_class"] = np.bytes_("cell")
    assert "column c of" in (said := refused(tmp_path / "a.mat"))
    assert "holds a cell array" in said
    assert made(tmp_path / "a.mat", drop="c")[0] == ["X1", "X2", "X3"]
    (tmp_path / "out.h5").unlink()
    (tmp_path / "old.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    assert "is of MATLAB's format before 7.3: write it with save(name, variables, '-v7.3')" in refused(tmp_path / "old.mat")
    with h5py.File(tmp_path / "sparse.mat", "w") as file:
        file.create_group("X").attrs["MATLAB_sparse"] = 3
    assert "X is sparse and stored by columns" in refused(tmp_path / "sparse.mat")


def laid_out_fixed(file: h5py.File) -> None:
    """As to_hdf(format="fixed") of pandas 3 and PyTables 3.11 does."""
    group = file.create_group("df")
    blocks: list[tuple[list[str], Any, str]] = [
        (["a", "y"], np.column_stack([X[:, 0], Y]), ""),
        (["n"], np.arange(50)[:, np.newaxis], ""),
        (["t"], DAYS.astype("M8[ns]").astype(np.int64)[:, np.newaxis], "datetime64[ns]"),
    ]
    attributes = {"pandas_type": "frame", "encoding": "UTF-8", "axis0_variety": "regular", "axis1_variety": "regular"}
    for key, value in attributes.items():
        group.attrs[key] = np.bytes_(value)
    group.attrs["nblocks"], group["axis1"] = len(blocks), np.arange(50)
    group["axis0"] = np.array(["n", "a", "y", "t"], "S")
    for place, (names, values, said) in enumerate(blocks):
        group[f"block{place}_items"], group[f"block{place}_values"] = np.array(names, "S"), values
        group[f"block{place}_values"].attrs["transposed"] = np.uint8(1)
        if said:
            group[f"block{place}_values"].attrs["value_type"] = np.bytes_(said)


def laid_out_table(file: h5py.File) -> None:
    """As to_hdf(format="table") does, with categories, texts and times."""
    group = file.create_group("df")
    group.attrs["pandas_type"], group.attrs["encoding"] = np.bytes_("frame_table"), np.bytes_("UTF-8")
    group.attrs["table_type"], group.attrs["nan_rep"] = np.bytes_("appendable_frame"), np.bytes_("nan")
    kinds = [("index", "i8"), ("v", "f8", (2,)), ("s", "S3", (1,)), ("c", "i1", (1,)), ("t", "i8", (1,)), ("b", "u1", (1,))]
    table = np.zeros(50, kinds)
    table["v"], table["s"][:, 0] = np.column_stack([X[:, 0], Y]), np.char.encode(TOWNS, "utf-8")
    table["c"][:, 0], table["b"][:, 0] = np.arange(50) % 2, Y > 0
    table["t"][:, 0] = DAYS.astype("M8[ns]").astype(np.int64)
    group["table"] = table
    said = {"v": (["a", "y"], "float64"), "s": (["s"], "bytes24"), "c": (["c"], "int8"), "t": (["t"], "datetime64[ns]")}
    for field, (names, kind) in {**said, "b": (["b"], "bool")}.items():
        group["table"].attrs[f"{field}_kind"] = np.bytes_(pickle.dumps(names, 0))
        group["table"].attrs[f"{field}_dtype"] = np.bytes_(kind)
    group["table"].attrs["index_kind"], group["table"].attrs["c_meta"] = np.bytes_("integer"), np.bytes_("category")
    group["meta/c/meta/table"] = np.array([(0, b"u"), (1, b"v")], [("index", "i8"), ("values", "S1")])
    group["meta/c/meta"].attrs["pandas_type"] = np.bytes_("series_table")
    group.attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, ["s", "a", "c", "t", "b", "y"])], 0))


def test_tables_of_pandas(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "fixed.h5", "w") as file:
        laid_out_fixed(file)
    names, x, y = made(tmp_path / "fixed.h5")
    assert names == ["n", "a", "t"]
    np.testing.assert_array_equal(x, np.column_stack([np.arange(50), X[:, 0], SECONDS]))
    np.testing.assert_array_equal(y, Y)
    with h5py.File(tmp_path / "table.h5", "w") as file:
        laid_out_table(file)
    names, x, y = made(tmp_path / "table.h5")
    assert names == ["s=Bé", "a", "c=v", "t", "b"]
    np.testing.assert_array_equal(x, np.column_stack([TOWNS == "Bé", X[:, 0], np.arange(50) % 2, SECONDS, Y > 0]))
    np.testing.assert_array_equal(y, Y)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["X"], file["y"] = X, Y
    assert format_of(str(tmp_path / "rows.h5")) is None  # rows as they are


def test_what_pandas_has_and_tables_have_not(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        laid_out_fixed(file)
        file["df"].attrs["nblocks"] = 4
        file["df/block3_items"] = np.array(["w"], "S")
        values = file.create_dataset("df/block3_values", (1,), h5py.vlen_dtype(np.uint8))
        values[0] = np.frombuffer(pickle.dumps(["x"] * 50), np.uint8)
        del file["df/axis0"]
        file["df/axis0"] = np.array(["n", "a", "y", "t", "w"], "S")
    assert "column w of" in (said := refused(tmp_path / "a.h5"))
    assert "pickled objects (format='table' keeps texts)" in said
    assert made(tmp_path / "a.h5", drop="w")[0] == ["n", "a", "t"]
    (tmp_path / "out.h5").unlink()
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["other/x"] = 1
        file["other"].attrs["pandas_type"] = np.bytes_("frame")
    assert "has 2 tables of pandas' (/df and /other)" in refused(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        laid_out_table(file)
        del file["df/meta"]
    assert "has no categories of the field c" in refused(tmp_path / "b.h5")


def laid_out_anndata(file: h5py.File, few: str = "") -> Any:
    """As write_h5ad of AnnData 0.12 does; X as it is in the file."""
    table = sparse.csr_array(X * (np.abs(X) > 0.7)).astype(np.float32)
    if few:
        group, stored = file.create_group("X"), table.asformat(few)
        group["data"], group["indices"], group["indptr"] = stored.data, stored.indices, stored.indptr
        group.attrs["encoding-type"], group.attrs["shape"] = f"{few}_matrix", table.shape
    else:
        file["X"] = table.toarray()
    file.attrs["encoding-type"] = "anndata"
    obs, var = file.create_group("obs"), file.create_group("var")
    for group, index in ((obs, [f"c{row}" for row in range(50)]), (var, ["g1", "g2", "g3"])):
        group.attrs["encoding-type"], group.attrs["_index"] = "dataframe", "_index"
        group.create_dataset("_index", data=index, dtype=h5py.string_dtype())
    obs.attrs.create("column-order", ["y", "kind", "n"], dtype=h5py.string_dtype())
    obs["y"] = Y
    kind, counts = obs.create_group("kind"), obs.create_group("n")
    kind.attrs["encoding-type"], kind["codes"] = "categorical", (np.arange(50) % 3).astype(np.int8)
    kind.create_dataset("categories", data=["u", "v", "w"], dtype=h5py.string_dtype())
    counts.attrs["encoding-type"], counts["values"], counts["mask"] = "nullable-integer", np.arange(50), np.arange(50) == 20
    return table.toarray()


@pytest.mark.parametrize("few", ["csr", "csc"])
def test_observations_of_anndata(tmp_path: Path, few: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned, "ROOM", 20)
    monkeypatch.setattr(turned, "SLAB", 7)
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        held = laid_out_anndata(file)
    names, x, y = made(tmp_path / "a.h5ad")
    assert names == ["g1", "g2", "g3"]
    np.testing.assert_array_equal(x, held)
    np.testing.assert_array_equal(y, Y)
    names, x, _ = made(tmp_path / "a.h5ad", features="g2,kind")
    assert names == ["g2", "kind=v", "kind=w"]
    with h5py.File(tmp_path / "b.h5ad", "w") as file:
        laid_out_anndata(file, few)
    for target, expected in (("y", Y), ("kind", np.arange(50) % 3)):
        out = tmp_path / "few.h5"
        convert([str(tmp_path / "b.h5ad")], out, Choices(target=target), force=True)
        table = hdf5.inspect([str(out)], "X", "y")
        assert (table.sparse, table.x_type, table.names) == (True, "float32", ("g1", "g2", "g3"))
        with h5py.File(out) as file:
            group = file["X"]
            x = sparse.csr_array((group["data"][()], group["indices"][()].astype(int), group["indptr"][()]), shape=(50, 3))
            np.testing.assert_array_equal(x.toarray(), held)
            np.testing.assert_array_equal(file["y"][()], expected)
    out.unlink()
    (tmp_path / "out.h5").unlink()
    assert f"column n has no value in row 21 of {tmp_path / 'b.h5ad'}" in refused(tmp_path / "b.h5ad", "n")
    assert "--features is of dense tables" in refused(tmp_path / "b.h5ad", "y", features="g1")
    assert "--target was given knd (did you mean kind?)" in refused(tmp_path / "b.h5ad", "knd")


def test_old_and_broken_files_of_anndata(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        file["X"], file["obs"] = X, np.zeros(50, [("index", "S3"), ("y", "f8")])
    assert "is of an AnnData before 0.7" in refused(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "b.h5ad", "w") as file:
        laid_out_anndata(file, "csr")
        file["X/indices"][3] = 99
    assert "has a number in column 99 of 3" in refused(tmp_path / "b.h5ad")
    with h5py.File(tmp_path / "c.h5ad", "w") as file:
        laid_out_anndata(file, "csc")
        file["X/indices"][3] = 50
    assert "c.h5ad has a number in row 50 of 50" in refused(tmp_path / "c.h5ad", "y")
    with h5py.File(tmp_path / "b.h5ad", "r+") as file:
        file["X"].attrs["encoding-type"], file["X"].attrs["shape"] = "csc_matrix", (3, 50)
    refused(tmp_path / "b.h5ad")


def refused_or_made(path: Path) -> None:
    """Nothing else may happen."""
    with contextlib.suppress(InputError):
        convert([str(path)], path.with_name("out.h5"), Choices(target="y", missing="drop"), force=True)


def test_damaged_arrays_are_read_or_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([(1.0, "u", 2)] * 40, [("a", "f8"), ("b", "U2"), ("y", "i4")]))
    np.savez_compressed(tmp_path / "a.npz", X=X, y=Y)
    for name in ("a.npy", "a.npz"):
        whole = (tmp_path / name).read_bytes()
        for seed in range(40):
            draw, content = Random(seed), bytearray(whole)
            for _ in range(draw.randint(1, 4)):
                content[draw.randrange(min(len(content), draw.choice((130, len(content)))))] = draw.randrange(256)
            if draw.random() < 0.3:
                del content[draw.randrange(len(content)) :]
            (tmp_path / f"bad{name}").write_bytes(content)
            refused_or_made(tmp_path / f"bad{name}")


FORGED: dict[str, Callable[[h5py.File], Any]] = {
    "a.h5": laid_out_fixed,
    "b.h5": laid_out_table,
    "c.h5ad": lambda file: laid_out_anndata(file),
    "d.h5ad": lambda file: laid_out_anndata(file, "csr"),
    "e.h5ad": lambda file: laid_out_anndata(file, "csc"),
    "e.mat": lambda file: [matlab(file, "X", X), matlab(file, "y", Y[:, np.newaxis])],
}
WRONG = (
    *(np.zeros(0), np.arange(7), np.float64(3), np.bytes_("x"), "é", np.array([b"a", b"b"])),
    *(np.zeros((2, 3), "c8"), h5py.Empty("f")),
)


@pytest.mark.parametrize("name", FORGED)
def test_forged_tables_are_read_or_refused(tmp_path: Path, name: str) -> None:
    """Things are missing, or others."""
    for seed in range(20):
        draw = Random(seed)
        with h5py.File(tmp_path / name, "w") as file:
            FORGED[name](file)
            there = list[str]()
            file.visit(there.append)
            for _ in range(draw.randint(1, 2)):
                item = draw.choice(there)
                if item not in file:
                    continue
                named = sorted(file[item].attrs)
                if named and draw.random() < 0.5:
                    key = draw.choice(named)
                    del file[item].attrs[key]
                    if draw.random() < 0.7:
                        file[item].attrs[key] = draw.choice(WRONG)
                else:
                    del file[item]
                    if draw.random() < 0.7:
                        file[item] = draw.choice(WRONG)
        refused_or_made(tmp_path / name)
