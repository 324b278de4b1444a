"""Numbers that stand for others: packed, filled, coded, masked, in bits, transposed, or in another order of columns."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data import decode, hdf5
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.orientation import turned
from mpi_pgd.data.partition import Partition

DRAW = np.random.default_rng(0)
ROWS, FEATURES = 300, 3
X = DRAW.integers(-100, 100, (ROWS, FEATURES)).astype("f8")
Y = X @ [1.0, 2.0, 3.0] + DRAW.integers(0, 5, ROWS)
NAMES = ["one", "two", "three"]

Attributes = dict[str, Any]


def stored(
    path: Path, x: Any = X, y: Any = Y, on_x: Attributes | None = None, on_y: Attributes | None = None, chunks: Any = None
) -> str:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=x, chunks=chunks).attrs.update(on_x or {})
        file.create_dataset("y", data=y).attrs.update(on_y or {})
    return str(path)


def loaded(*paths: str, x: str = "X", y: str = "y") -> tuple[hdf5.Table, Any, Any]:
    """What a rank holds of all rows, after the table's way over the wire."""
    table = pickle.loads(pickle.dumps(hdf5.inspect(paths, x, y)))
    shard = MemoryShard(table, Partition(table.rows, table.features))
    shard.hold(np.arange(shard.partition.blocks))
    (features, targets, *_), *_ = shard.pieces
    return table, features, targets


def same(found: tuple[hdf5.Table, Any, Any], x: Any = X, y: Any = Y) -> None:
    _, features, targets = found
    np.testing.assert_array_equal(features, x)
    np.testing.assert_array_equal(targets, y)


def refused(*paths: str, x: str = "X", y: str = "y") -> str:
    with pytest.raises(InputError) as error:
        loaded(*paths, x=x, y=y)
    return str(error.value)


# What netCDF writes beside numbers.


@pytest.mark.parametrize("kind", ["i1", ">i2", "u1", "f4"])
def test_packed_numbers_are_unpacked(tmp_path: Path, kind: str) -> None:
    x, y = np.abs(X).astype(kind), np.abs(Y).astype(">i4")
    packing = {"scale_factor": np.array([0.001]), "add_offset": np.float32(10)}
    table, features, _ = found = loaded(stored(tmp_path / "a.nc", x, y, packing, {"scale_factor": "2"}))
    same(found, x.astype("f8") * 0.001 + 10.0, y.astype("f8") * 2.0)
    assert features.dtype == np.float64
    assert "times 0.001 plus 10" in table.parts[0].layout


def test_packed_and_plain_files_are_one_table_of_values(tmp_path: Path) -> None:
    half = ROWS // 2
    packed = stored(tmp_path / "a.nc", ((X - 4) / 2).astype("i2")[:half], Y[:half], {"scale_factor": 2.0, "add_offset": 4.0})
    even = np.round(X / 2) * 2
    stored(tmp_path / "a.nc", ((even - 4) / 2).astype("i2")[:half], Y[:half], {"scale_factor": 2.0, "add_offset": 4.0})
    same(loaded(packed, stored(tmp_path / "b.h5", even.astype("f4")[half:], Y[half:])), even)


@pytest.mark.parametrize(("kind", "word", "held"), [("i1", b"true", "uint8"), ("i2", "True", "uint16"), ("u1", "false", "int8")])
def test_unsigned_says_how_a_sign_is_meant(tmp_path: Path, kind: str, word: Any, held: str) -> None:
    values = np.arange(ROWS * FEATURES).reshape(X.shape).astype(held)
    path = stored(tmp_path / "a.nc", values.view(kind), on_x={"_Unsigned": word})
    same(found := loaded(path), values)
    assert found[1].dtype == held
    with h5py.File(path, "r+") as file:
        file["X"].attrs["_FillValue"] = file["X"][5, 1]
    assert f"row 5, column 1 of X is a missing value: {path} has {values[5, 1]} there" in refused(path)


FILLS: dict[str, tuple[Any, Attributes, str]] = {
    "_FillValue": (-32767, {"_FillValue": np.array([-32767], "i2")}, "its _FillValue"),
    "a scalar": (-32767, {"_FillValue": np.int16(-32767)}, "its _FillValue"),
    "of another type": (-999, {"_FillValue": -999.0}, "its _FillValue"),
    "missing_value": (-999, {"missing_value": np.array([7777, -999])}, "its missing_value"),
    "MissingValue": (-999, {"MissingValue": -999}, "its MissingValue"),
    "both": (-999, {"_FillValue": np.int16(7777), "missing_value": np.int16(-999)}, "its missing_value"),
    "packed": (-999, {"_FillValue": np.int16(-999), "scale_factor": 0.5, "add_offset": 1.0}, "its _FillValue"),
    "a value": (-999, {"missing_value": np.float32(-99.9), "scale_factor": 0.1}, "its missing_value"),
    "valid_range": (150, {"valid_range": np.array([-120, 120], "i2")}, "outside its valid_range"),
    "valid_min": (-150, {"valid_min": np.int16(-120)}, "outside its valid_min"),
    "valid_max": (150, {"valid_max": np.int16(120)}, "outside its valid_max"),
    "of values": (150, {"valid_max": 70.0, "scale_factor": 0.5}, "outside its valid_max"),
    "NA of R": (-(2**31), {"rhdf5-NA.OK": np.int32(1), "MATLAB_class": ""}, "R's NA"),
}


@pytest.mark.parametrize("which", FILLS)
@pytest.mark.parametrize("place", ["x", "y"])
def test_a_value_that_stands_for_none_is_refused_by_row_and_column(tmp_path: Path, which: str, place: str) -> None:
    number, attributes, why = FILLS[which]
    x, y = X.astype("i4"), np.clip(Y, -100, 100).astype("i4")
    turn = "rhdf5-NA.OK" in attributes
    on_x, on_y = (attributes, {}) if place == "x" else ({}, attributes)
    path = str(tmp_path / "a.nc")

    def write() -> None:
        stored(tmp_path / "a.nc", x.T if turn else x, y, on_x, on_y)

    write()
    _, features, _ = loaded(path)  # where none is missing, the rows stay as small as they are, if they aren't packed
    assert (features.dtype == np.int32) == ("scale_factor" not in on_x)
    if place == "x":
        x[[70, 80, 80], [1, 0, 2]] = number
    else:
        y[[70, 80, 90]] = number
    write()
    there = "row 70, column 1 of X" if place == "x" else "row 70 of y"
    of = f"3 of its {x.size if place == 'x' else y.size} values are missing"
    assert refused(path) == (
        f"{there} is a missing value: {path} has {number} there, {why}, and {of}; drop or mend such rows first "
        f"(they are counted from 0 over all rows)"
    )


@pytest.mark.parametrize("kind", ["f4", ">f8"])
def test_fill_values_of_floats(tmp_path: Path, kind: str) -> None:
    x = X.astype(kind)
    same(loaded(stored(tmp_path / "a.nc", x, on_x={"_FillValue": np.array([np.nan, 1e20]), "scale_factor": 1.0})))
    x[5, 2] = 1e20
    assert "row 5, column 2 of X is a missing value" in refused(stored(tmp_path / "b.nc", x, on_x={"missing_value": 1e20}))
    x[5, 2] = np.nan
    assert "row 5, column 2 of X is nan" in refused(stored(tmp_path / "c.nc", x, on_x={"_FillValue": np.nan}))


def test_what_netcdf_never_wrote(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        del file["y"]
        y = file.create_dataset("y", data=Y.astype("f4"), fillvalue=np.float32(9.96921e36))
    loaded(path)
    with h5py.File(path, "r+") as file:
        file["y"][200:] = y = np.float32(9.96921e36)
    with h5py.File(path, "r+") as file:
        file.create_dataset("zero", data=np.zeros(ROWS), fillvalue=0.0)
    loaded(path)  # a number as any other, where nothing says that netCDF wrote it
    with h5py.File(path, "r+") as file:
        file.attrs["_NCProperties"] = np.bytes_("version=2,netcdf=4.10.1,hdf5=2.2.0")
    assert f"row 200 of y is a missing value: {path} has {y} there, netCDF's mark" in refused(path)
    loaded(path, y="zero")


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"scale_factor": 0.0}, "a scale_factor of 0"),
        ({"scale_factor": [1.0, 2.0, 3.0]}, "the attribute scale_factor with [1.0, 2.0, 3.0]: expected one finite number"),
        ({"add_offset": np.inf}, "expected one finite number"),
        ({"_FillValue": 1j}, "the attribute _FillValue with 1j: expected a number"),
        ({"_FillValue": "none"}, "the attribute _FillValue with none: expected a number"),
        ({"valid_range": [1, 2, 3]}, "a valid_range of 3 numbers"),
        ({"ScaleFactor": 0.1, "Offset": 5.0}, "ScaleFactor 0.1 and Offset 5"),
        ({"MATLAB_class": b"char"}, "text of MATLAB's"),
        ({"MATLAB_empty": 1}, "an empty array of MATLAB's"),
    ],
)
def test_attributes_that_make_no_sense(tmp_path: Path, attributes: Attributes, words: str) -> None:
    assert f"X in {tmp_path}/a.nc " in (found := refused(stored(tmp_path / "a.nc", on_x=attributes)))
    assert words in found


@pytest.mark.parametrize("attributes", [{"_FillValue": h5py.Empty("f4")}, {"units": "days since 1970-01-01"}, {"ScaleFactor": 1.0}])
def test_attributes_that_change_nothing(tmp_path: Path, attributes: Attributes) -> None:
    same(loaded(stored(tmp_path / "a.nc", on_x=attributes)))


@pytest.mark.filterwarnings("error")
def test_values_that_overflow_are_refused(tmp_path: Path) -> None:
    assert "is inf: every value" in refused(stored(tmp_path / "a.nc", np.abs(X) * 1e306, on_x={"scale_factor": 1e6}))
    same(loaded(stored(tmp_path / "b.nc", X.astype("f4"), on_x={"_FillValue": 1e300, "valid_min": -1e300})))


def test_units_that_differ(tmp_path: Path) -> None:
    a = stored(tmp_path / "a.nc", X[:100], Y[:100], {"units": "m"}, {"units": b"days since 2001-01-01"})
    b = stored(tmp_path / "b.nc", X[100:], Y[100:], on_y={"units": "days since 2001-01-01"})
    same(loaded(a, b))
    c = stored(tmp_path / "c.nc", X[100:], Y[100:], {"units": "cm"})
    assert f"X has the units m in {a} and cm in {c}" in refused(a, b, c)
    assert f"X in {tmp_path}/v.h5 has the units m in {a} and cm in {c}" in refused(virtual(tmp_path / "v.h5", a, c))
    c = stored(tmp_path / "c.nc", X[100:], Y[100:], on_y={"units": "days since 2002-01-01"})
    assert f"y has the units days since 2001-01-01 in {a} and days since 2002-01-01 in {c}" in refused(a, c)


# Codes, masks, bits, and what is no array of numbers.


def cells(path: Path, codes: Any, **more: Any) -> str:
    with h5py.File(stored(path), "r+") as file:
        group = file.create_group("obs/label")
        group.attrs["encoding-type"] = "categorical"
        group["codes"], group["categories"] = codes, np.array([b"a", b"b", b"c"])
        for name, values in more.items():
            file[name] = values
    return str(path)


def test_codes_are_said_to_be_no_quantities(tmp_path: Path) -> None:
    codes = np.arange(ROWS, dtype="i1") % 3
    table, _, targets = loaded(path := cells(tmp_path / "a.h5ad", codes), y="obs/label/codes")
    assert targets.tolist() == codes.tolist()
    assert table.warnings == (
        f"obs/label/codes in {path} holds codes of the categories a, b, c, which are no quantities: they are taken as the numbers "
        f"that they are",
    )


def test_a_warning_is_said_once(tmp_path: Path) -> None:
    paths = [cells(tmp_path / f"{i}.h5ad", np.arange(ROWS) % 3) for i in range(3)]
    (words,) = loaded(*paths, y="obs/label/codes")[0].warnings
    assert f"obs/label/codes in {paths[0]} (and 2 more files) holds codes of" in words


@pytest.mark.parametrize("code", [-1, 3])
def test_codes_of_no_category(tmp_path: Path, code: int) -> None:
    codes = np.arange(ROWS, dtype="i1") % 3
    codes[[17, 29]] = code
    words = refused(cells(tmp_path / "a.h5ad", codes), y="obs/label/codes")
    assert "row 17 of obs/label/codes is a missing value" in words
    assert f"has {code} there, a code of no category (such codes are no quantities), and 2 of its 300 values are missing" in words


def test_codes_of_seurat_count_from_one(tmp_path: Path) -> None:
    codes = np.arange(ROWS) % 3 + 1
    path = cells(tmp_path / "a.h5seurat", [0], **{"f/values": codes, "f/levels": np.array([b"a", b"b", b"c"])})
    assert "the categories a, b, c" in loaded(path, y="f/values")[0].warnings[0]
    codes[17] = 0
    path = cells(tmp_path / "b.h5seurat", [0], **{"f/values": codes, "f/levels": np.array([b"a", b"b", b"c"])})
    assert "row 17 of f/values is a missing value" in refused(path, y="f/values")


def test_codes_of_anndata_before_0_8(tmp_path: Path) -> None:
    codes = np.arange(ROWS, dtype="i1") % 3
    codes[17] = -1
    with h5py.File(cells(tmp_path / "a.h5ad", codes), "r+") as file:
        file["obs/old"] = codes
        file["obs/old"].attrs["categories"] = file["obs/label/categories"].ref
    assert "row 17 of obs/old is a missing value" in refused(str(tmp_path / "a.h5ad"), y="obs/old")


def test_numbers_with_names(tmp_path: Path) -> None:
    kind = h5py.enum_dtype({"red": 0, "green": 1, "NA": 2}, "i1")
    y = np.arange(ROWS) % 2
    path = stored(tmp_path / "a.h5", y=y.astype(kind))
    table, _, targets = loaded(path)
    assert targets.tolist() == y.tolist()
    assert "y in" in table.warnings[0]
    assert "the categories red, green, which are no quantities" in table.warnings[0]
    for code in (2, -1):
        y[40] = code
        assert "row 40 of y is a missing value" in refused(stored(tmp_path / "b.h5", y=y.astype(kind)))


def test_logical_values_are_numbers(tmp_path: Path) -> None:
    truth = X > 0
    same(found := loaded(stored(tmp_path / "a.h5", truth, truth[:, 0])), truth, truth[:, 0])
    assert found[0].warnings == ()
    kind = h5py.enum_dtype({"FALSE": 0, "TRUE": 1, "NA": 2}, "i1")  # R's, by hdf5r
    same(found := loaded(stored(tmp_path / "b.h5", truth.astype("i1").astype(kind))), truth)
    assert found[0].warnings == ()


def test_bit_fields_of_a_byte_are_bytes(tmp_path: Path) -> None:
    kind, bits = h5py.h5t.STD_B8LE, (X > 0).astype("u1")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for own, values in (("X", bits), ("y", bits[:, 0].copy())):
            data_set = h5py.h5d.create(file.id, own.encode(), kind, h5py.h5s.create_simple(values.shape))
            data_set.write(h5py.h5s.ALL, h5py.h5s.ALL, values, mtype=kind)
    same(loaded(str(tmp_path / "a.h5")), bits, bits[:, 0])


def test_types_that_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(stored(path), "r+") as file:
        for raw, kind in ((b"bits", h5py.h5t.STD_B16LE), (b"big", h5py.h5t.STD_B8BE), (b"times", h5py.h5t.UNIX_D64LE)):
            h5py.h5d.create(file.id, raw, kind, h5py.h5s.create_simple((ROWS,)))
        file["records"] = np.zeros(ROWS, "f8,i4")
        file["complex"] = X[:, 0] * 1j
    for own, words in (
        ("bits", "bit fields of 16 bits"),
        ("big", "bit fields of 8 bits, big-endian"),
        ("times", "times of HDF5's own type"),
        ("records", "a compound type, a table with the fields f0, f1 (write"),
        ("complex", "complex numbers"),
    ):
        assert f"{own} in {path} holds {words}" in refused(str(path), y=own)


def test_masked_numbers(tmp_path: Path) -> None:
    with h5py.File(stored(path := tmp_path / "a.h5ad"), "r+") as file:
        group = file.create_group("obs/age")
        group.attrs["encoding-type"] = "nullable-integer"
        group["values"], group["mask"] = np.arange(ROWS), np.zeros(ROWS, dtype=bool)
    loaded(str(path), y="obs/age/values")
    with h5py.File(path, "r+") as file:
        file["obs/age/mask"][[30, 50]] = True
    words = refused(str(path), y="obs/age/values")
    assert f"2 of the 300 values of obs/age/values in {path} are missing, by the mask beside them (the first in row 30" in words


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ({"encoding-type": "csr_matrix"}, "is a sparse matrix"),
        ({"MATLAB_sparse": 5}, "is a sparse matrix"),
        ({"encoding-type": "categorical"}, "and its codes in G/codes are no quantities"),
        ({"encoding-type": "nullable-integer"}, "name G/values"),
        ({"OCTAVE_NEW_FORMAT": 1}, "name G/value "),
        ({"pandas_type": b"frame"}, "name one of G/block0_values, or"),
        ({"pandas_type": b"frame_table"}, "is a table of pandas"),
    ],
)
def test_groups_that_stand_for_an_array(tmp_path: Path, attribute: Attributes, words: str) -> None:
    with h5py.File(stored(path := tmp_path / "a.h5"), "r+") as file:
        file["G/block0_values"] = X
        file["G"].attrs.update(attribute)
    assert words in refused(str(path), x="G")


# The order of the columns.

OTHER = [2, 0, 1]


def named(path: Path, rows: slice, order: list[int], names: Any = None, chunks: Any = None) -> str:
    names = [NAMES[i] for i in order] if names is None else names
    return stored(path, X[rows][:, order], Y[rows], {"feature_names": names} if len(names) else {}, chunks=chunks)


@pytest.mark.parametrize("chunks", [None, (7, 2), (100, 1)])
def test_columns_are_matched_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: Any) -> None:
    monkeypatch.setattr(decode, "STRIP", 2000)
    found = loaded(
        named(tmp_path / "a.h5", slice(140), [0, 1, 2]), named(tmp_path / "b.h5", slice(140, ROWS), OTHER, chunks=chunks)
    )
    same(found)
    assert found[0].names == tuple(NAMES)
    assert "columns in another order" in found[0].parts[1].layout


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["one", "two", "four"], "b.h5 has the feature four, which"),
        (["one", "two"], "X in {b} has 3 features and 2 feature_names"),
        ([], "{a} has feature_names and {b} has none"),
        (["three", "two", "two"], "has two features two"),
        (h5py.Empty("S3"), "X in {b} has 3 features and 0 feature_names"),
        ("one two three", "X in {b} has 3 features and 1 feature_names"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_names_that_do_not_tell(tmp_path: Path, names: Any, words: str, swapped: bool) -> None:
    a = named(tmp_path / "a.h5", slice(140), [0, 1, 2])
    b = stored(tmp_path / "b.h5", X[140:], Y[140:], {"feature_names": names} if not isinstance(names, list) or names else {})
    found = refused(*((b, a) if swapped else (a, b)))
    if "four" not in words or not swapped:
        assert words.format(a=a, b=b) in found
    assert b in found


def test_names_that_occur_twice_in_all_files_are_said(tmp_path: Path) -> None:
    twice = ["one", "two", "two"]
    parts = named(tmp_path / "a.h5", slice(140), [0, 1, 2], twice), named(tmp_path / "b.h5", slice(140, ROWS), [0, 1, 2], twice)
    same(found := loaded(*parts))
    assert found[0].warnings == (f"{parts[0]} has two features two: which is which, only their order tells",)


def in_var(file: h5py.File, order: list[int]) -> None:
    file.create_group("var").attrs["_index"] = "gene"
    file["var/gene"] = [NAMES[i] for i in order]


def in_items(file: h5py.File, order: list[int]) -> None:
    file["df/block0_values"], file["df/block0_items"] = file["X"][()], np.array([NAMES[i] for i in order], "S")


def in_scale(file: h5py.File, order: list[int]) -> None:
    file["feature"] = [NAMES[i] for i in order]
    file["feature"].make_scale()
    file["X"].dims[1].attach_scale(file["feature"])


def in_data_set(file: h5py.File, order: list[int]) -> None:
    file["feature_names"] = [[NAMES[i] for i in order]]


def in_cells(file: h5py.File, order: list[int]) -> None:
    for i in order:
        file[f"refs/{i}"] = np.array([[ord(sign)] for sign in NAMES[i]], "u2")
    file["feature_names"] = np.array([[file[f"refs/{i}"].ref for i in order]], h5py.ref_dtype)


@pytest.mark.parametrize("write", [in_var, in_items, in_scale, in_data_set, in_cells])
def test_names_where_others_keep_them(tmp_path: Path, write: Callable[[h5py.File, list[int]], None]) -> None:
    paths = []
    for name, rows, order in (("a", slice(140), [0, 1, 2]), ("b", slice(140, ROWS), OTHER)):
        paths.append(named(tmp_path / f"{name}.h5", rows, order, []))
        with h5py.File(paths[-1], "r+") as file:
            write(file, order)
    found = loaded(*paths, x="df/block0_values" if write is in_items else "X")
    same(found)
    assert found[0].names == tuple(NAMES)


# What is said beside the sources of a virtual data set.


def virtual(path: Path, *sources: str, kind: str = "i2", on_x: Attributes | None = None) -> str:
    layout, y = h5py.VirtualLayout((ROWS, FEATURES), kind), np.zeros(ROWS)
    start = 0
    for source in sources:
        with h5py.File(source) as file:
            stop = start + len(file["y"])
            layout[start:stop] = h5py.VirtualSource(Path(source).name, "X", file["X"].shape)
            y[start:stop] = file["y"][()]
        start = stop
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("X", layout).attrs.update(on_x or {})
        file["y"] = y
    return str(path)


PACKED = {"scale_factor": 0.5, "_FillValue": np.int16(-999)}


def test_sources_that_are_packed(tmp_path: Path) -> None:
    x, order = (2 * X).astype("i2"), [0, 1, 2]
    a, b = stored(tmp_path / "a.nc", x[:100], Y[:100], PACKED), stored(tmp_path / "b.nc", x[100:], Y[100:], PACKED)
    same(loaded(virtual(tmp_path / "v.h5", a, b)))
    same(loaded(virtual(tmp_path / "v.h5", a, b, kind="f8")))
    same(loaded(virtual(tmp_path / "v.h5", a, b, on_x={"scale_factor": 2.0})), 4 * X)
    x[120, order] = -999
    b = stored(tmp_path / "b.nc", x[100:], Y[100:], PACKED)
    for attributes in ({}, {"scale_factor": 2.0}):
        assert "row 120, column 0 of X is a missing value" in refused(virtual(tmp_path / "v.h5", a, b, on_x=attributes))
    b = stored(tmp_path / "b.nc", x[100:], Y[100:], {"scale_factor": 0.25})
    assert f"/X in {a} and /X in {b}, whose numbers do not stand for values in the same way" in refused(
        virtual(tmp_path / "v.h5", a, b)
    )


def test_sources_whose_sign_is_meant_otherwise(tmp_path: Path) -> None:
    values = np.arange(ROWS * FEATURES).reshape(X.shape).astype("u2") * 70
    a = stored(tmp_path / "a.nc", values.view("i2"), on_x={"_Unsigned": "true"})
    same(loaded(virtual(tmp_path / "v.h5", a, on_x={"_Unsigned": "true"})), values)
    assert "whose numbers are meant as uint16 (_Unsigned), but not here" in refused(virtual(tmp_path / "v.h5", a))


def test_sources_with_codes(tmp_path: Path) -> None:
    x = (np.abs(X) % 3).astype(h5py.enum_dtype({"a": 0, "b": 1, "c": 2}, "i2"))
    table, _, _ = loaded(virtual(tmp_path / "v.h5", stored(tmp_path / "a.h5", x)))
    assert "holds codes of the categories a, b, c" in table.warnings[0]


def test_sources_whose_columns_have_names(tmp_path: Path) -> None:
    a, b = named(tmp_path / "a.h5", slice(100), [0, 1, 2]), named(tmp_path / "b.h5", slice(100, ROWS), [0, 1, 2])
    same(found := loaded(virtual(tmp_path / "v.h5", a, b, kind="f8")))
    assert found[0].names == tuple(NAMES)
    named(tmp_path / "b.h5", slice(100, ROWS), OTHER)
    words = f"{b} has its columns in another order than {a}, and a virtual data set in {tmp_path}/v.h5 has both"
    assert words in refused(virtual(tmp_path / "v.h5", a, b, kind="f8"))
    assert "v.h5, and" in refused(virtual(tmp_path / "v.h5", a, b, kind="f8", on_x={"feature_names": NAMES}))
    named(tmp_path / "b.h5", slice(100, ROWS), [0, 1, 2], ["one", "two", "four"])
    assert "b.h5 has the feature four" in refused(virtual(tmp_path / "v.h5", a, b, kind="f8"))


# Columns before rows.

MATLAB = {"MATLAB_class": np.bytes_("double")}


@pytest.mark.parametrize("chunks", [None, (1, 300), (2, 50), (3, 7)])
@pytest.mark.parametrize("shape", [(1, ROWS), (ROWS, 1), (ROWS,)])
def test_what_matlab_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: Any, shape: Any) -> None:
    monkeypatch.setattr(decode, "STRIP", 2000)
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=X.T, chunks=chunks).attrs.update(MATLAB)
        file["y"] = Y.reshape(shape)
        file["feature_names"] = NAMES
    found = loaded(str(path))
    same(found)
    assert "read transposed" in found[0].parts[0].layout
    assert found[0].parts[0].chunk_rows == (chunks[1] if chunks else 1)
    slabs = list(found[0].slabs(range(ROWS), 2000))
    assert slabs[0].start == 0
    assert slabs[-1].stop == ROWS


def test_a_transposed_file_among_others_with_packed_numbers_in_another_order(tmp_path: Path) -> None:
    first = named(tmp_path / "a.h5", slice(140), [0, 1, 2])
    x = (X[140:, OTHER] - 4).astype("i2").T
    second = stored(tmp_path / "b.mat", x, Y[None, 140:], {**MATLAB, "feature_names": [NAMES[i] for i in OTHER], "add_offset": 4.0})
    same(loaded(first, second))


@pytest.mark.parametrize("words", [b"MATLAB 7.3 MAT-file, Platform: GLNXA64", b"HDF5-based Julia Data Format, version 0.1.1\0"])
def test_files_whose_first_words_tell(tmp_path: Path, words: bytes) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["X"], file["y"] = X.T, Y
    assert "X looks transposed" in refused(str(path))
    with path.open("r+b") as stream:
        stream.write(words)
    same(loaded(str(path)))


def test_variables_of_octave(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.oct", "w") as file:
        file["X/value"], file["y/value"] = X.T, Y[None]
        file["X"].attrs["OCTAVE_NEW_FORMAT"] = 1
    same(loaded(str(tmp_path / "a.oct"), x="X/value", y="y/value"))


def test_a_scale_that_targets_share_with_the_second_dimension(tmp_path: Path) -> None:
    square = X[:FEATURES]
    with h5py.File(stored(path := tmp_path / "a.nc", square.T, Y[:FEATURES]), "r+") as file:
        for name in ("row", "column"):
            file[name] = np.arange(FEATURES)
            file[name].make_scale()
        file["X"].dims[0].attach_scale(file["column"])
        file["X"].dims[1].attach_scale(file["row"])
        file["y"].dims[0].attach_scale(file["row"])
    same(loaded(str(path)), square, Y[:FEATURES])


def test_a_square_says_which_way_it_is_read(tmp_path: Path) -> None:
    square, y = X[:FEATURES], Y[:FEATURES]
    same(found := loaded(path := stored(tmp_path / "a.h5", square, y)), square, y)
    assert found[0].warnings == (f"X in {path} is square, so its shape can't tell rows from features: it is read with rows first",)
    same(found := loaded(stored(tmp_path / "b.mat", square.T, y, MATLAB)), square, y)
    assert "read transposed, as it is MATLAB's" in found[0].warnings[0]


@pytest.mark.parametrize(
    ("x", "y", "made_by", "found"),
    [
        ((9, 4), (9,), "", False),
        ((9, 4), (9, 1), "", False),
        ((9, 4), (9,), "M", False),  # a matrix that was transposed before it was written
        ((4, 9), (9,), "M", True),
        ((4, 9), (9, 1), "M", True),
        ((9, 9), (9,), "", False),
        ((9, 9), (9,), "M", True),
        ((1, 9), (1, 9), "M", True),
        ((1, 1), (1, 1), "M", False),
        ((4, 9), (9,), "", "looks transposed"),
        ((4, 9), (1, 9), "", "looks transposed"),
        ((9, 9), (1, 9), "", "looks transposed"),
        ((9, 4), (5,), "", r"has shape \(5,\): expected \(9,\) or \(9, 1\), a target"),
        ((9, 4), (9, 2), "", False),  # two targets a row
        ((9, 4), (9, 4), "", False),
        ((4, 9), (2, 9), "M", True),
        ((4, 9), (4, 9), "M", True),
        ((4, 9), (2, 9), "", "expected"),
        ((4, 9), (9, 2), "M", "expected"),
        ((1, 9), (1, 9), "", "looks transposed"),
        ((9, 1), (9, 1), "", False),
        ((9, 4), (9, 0), "", "expected"),
        ((9, 4), (1, 9), "", "expected"),
        ((4, 9), (5,), "M", r"or, as X is M, \(9,\) or \(1, 9\)"),
        ((4, 9), (), "M", "expected"),
    ],
)
def test_which_way_round(x: Any, y: Any, made_by: str, found: Any) -> None:
    if isinstance(found, bool):
        assert turned(x, y, made_by, "X", "y", "a.h5") is found
    else:
        with pytest.raises(InputError, match=found):
            turned(x, y, made_by, "X", "y", "a.h5")
