"""Valid files of every kind that the program reads, small, and all with the same answer: what the fuzzer starts from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Given = dict[str, Any]  # data, indices, indptr, and the attributes of a group of sparse rows
ROWS, FEATURES = 300, 3
# Whole numbers and eighths, so that each type holds them exactly, and each layout gives the same bits.
X = np.random.default_rng(0).integers(-50, 50, (ROWS, FEATURES)).astype(np.float64)
Y = np.round(8 * (X @ np.arange(1.0, FEATURES + 1) + np.random.default_rng(1).normal(size=ROWS))) / 8

TOML = """# every kind of value
data = ["data.h5"]
x = "X"
y = "y"
mode = "client-server"
algorithm = "library"
solver = "nesterov"
step = "auto"
momentum = 0.9
l2 = 0.0
intercept = true
standardize = true
rounds = 20
tol = 1e-12
max-seconds = 1e3
sums = "order-free"
quiet = true
"""


def table(path: Path, x: Any = X, y: Any = Y, libver: str = "earliest", **options: Any) -> None:
    """One file of rows; the options are h5py's for both data sets."""
    with h5py.File(path, "w", libver=libver) as file:
        for name, values in (("X", x), ("y", y)):
            chunks = {"chunks": (64, *np.shape(values)[1:])} if options else {}
            file.create_dataset(name, data=values, **chunks, **options)
        file["X"].attrs["feature_names"] = np.array(["one", "two", "three"], dtype=h5py.string_dtype())


def shards(folder: Path) -> None:
    for number, part in enumerate(np.array_split(np.arange(ROWS), 3)):
        table(folder / f"data{number}.h5", X[part], Y[part])


def virtual(folder: Path) -> None:
    shards(folder)
    paths = sorted(folder.glob("data?.h5"))
    for path in paths:
        path.rename(folder / f"part{path.name}")  # so that data*.h5 means the virtual one alone
    x, y = h5py.VirtualLayout(X.shape, "f8"), h5py.VirtualLayout(Y.shape, "f8")
    for number, part in enumerate(np.array_split(np.arange(ROWS), 3)):
        rows = slice(part[0], part[-1] + 1)
        source = f"partdata{number}.h5"
        x[rows] = h5py.VirtualSource(source, "X", shape=(len(part), FEATURES))
        y[rows] = h5py.VirtualSource(source, "y", shape=(len(part),))
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_virtual_dataset("X", x)
        file.create_virtual_dataset("y", y)


def packed(folder: Path) -> None:
    """As netCDF packs; the values are exact."""
    table(folder / "data.h5", (2 * X + 10).astype("i2"), Y.astype("f4"))
    with h5py.File(folder / "data.h5", "r+") as file:
        fill = np.array([-32767], "i2")
        file["X"].attrs.update({"scale_factor": [0.5], "add_offset": np.float32(-5), "_FillValue": fill, "valid_min": fill})
        file["y"].attrs.update({"missing_value": np.float32(1e20), "_Unsigned": "false"})
        file.attrs["_NCProperties"] = np.bytes_("version=2,netcdf=4.10.1,hdf5=2.2.0")


def transposed(folder: Path) -> None:
    """As MATLAB writes."""
    with h5py.File(folder / "data.h5", "w", userblock_size=512) as file:
        file.create_dataset("X", data=X.T, chunks=(2, 64), compression="gzip").attrs["MATLAB_class"] = np.bytes_("double")
        file["y"] = Y[None]


def permuted(folder: Path) -> None:
    """The second of two files has its columns in another order."""
    for number, (rows, order) in enumerate(((slice(100), [0, 1, 2]), (slice(100, ROWS), [2, 0, 1]))):
        table(folder / f"data{number}.h5", X[rows][:, order], Y[rows])
        with h5py.File(folder / f"data{number}.h5", "r+") as file:
            file["X"].attrs["feature_names"] = np.array(["one", "two", "three"])[order].astype("S")


def one(**options: Any) -> Callable[[Path], None]:
    return lambda folder: table(folder / "data.h5", **options)


def compressed() -> Given:
    """The rows without their zeros, as scipy's CSR."""
    rows, columns = np.nonzero(X)
    return {"data": X[rows, columns], "indices": columns, "indptr": np.searchsorted(rows, np.arange(ROWS + 1)), "shape": X.shape}


def write(file: h5py.File, given: Given, **how: Any) -> None:
    """What is no data set of a group of sparse rows is an attribute; the options are h5py's."""
    group = file.create_group("X")
    for part, value in given.items():
        if part in ("data", "indices", "indptr"):
            group.create_dataset(part, data=value, **(how if np.ndim(value) == 1 and np.size(value) else {}))
        else:
            group.attrs[part] = value


def sparse(libver: str = "earliest", **options: Any) -> Callable[[Path], None]:
    """The options are h5py's for all that is stored of them."""

    def build(folder: Path) -> None:
        with h5py.File(folder / "data.h5", "w", libver=libver) as file:
            chunks = {"chunks": (64,), **options} if options else {}
            write(file, compressed(), **chunks)
            file.create_dataset("y", data=Y, **chunks)

    return build


GUARDED = "fletcher32, latest"  # metadata and data: no byte of it that means something is without a sum
SPARSE = "sparse"  # sums of fewer numbers round otherwise
HDF5: dict[str, Callable[[Path], None]] = {
    "contiguous": one(),
    "chunked": one(shuffle=True),
    "gzip": one(compression="gzip"),
    "lzf": one(compression="lzf"),
    "latest": one(libver="latest", compression="gzip"),
    "fletcher32": one(fletcher32=True),
    GUARDED: one(libver="latest", fletcher32=True),
    "float32": one(x=X.astype("f4")),
    "integers": one(x=X.astype("i1")),
    "big-endian": one(x=X.astype(">f8"), y=Y.astype(">f4")),
    "column of y": one(y=Y[:, None]),
    "shards": shards,
    "virtual": virtual,
    "packed": packed,
    "transposed": transposed,
    "permuted": permuted,
    SPARSE: sparse(),
    f"{SPARSE}, gzip": sparse(compression="gzip"),
    f"{SPARSE}, {GUARDED}": sparse("latest", fletcher32=True),
}
