"""Files in good order that lie: every byte is where its format wants it, and what it says makes no sense."""

import copy
import hashlib
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from tests.chaos import compressed, valid
from tests.chaos.assembled import assemble
from tests.chaos.valid import FEATURES, ROWS, X, Y
from tests.sparse import hole

Forge = Callable[[h5py.File, Random], None]
SHAPES = (
    (),
    (0,),
    (ROWS,),
    (ROWS, 0),
    (ROWS, 1, 3),
    (1, ROWS),
    (ROWS, 2),
    (2**40, 3),
    (10**15, 3),
    (3, 10**9),
    (2**31, 2**31),
    (2**32, 1),
)
TYPES = ("f2", "f4", ">f4", "f8", ">f8", "longdouble", "i1", ">i8", "u8", "?", "c16", "S3", "V5", "f4,f8", "(2,)f8", "M8[s]")


def other_shapes(file: h5py.File, draw: Random) -> None:
    """Chunks that nobody wrote take no room, however many there are."""
    for name in ("X", "y"):
        shape = draw.choice(SHAPES)
        chunks = tuple(min(size, 64) for size in shape) if shape and all(shape) else None
        file.create_dataset(name, shape, "f8", chunks=chunks)


def other_types(file: h5py.File, draw: Random) -> None:
    for name, shape in (("X", X.shape), ("y", Y.shape)):
        dtype = draw.choice((*TYPES, h5py.string_dtype(), h5py.vlen_dtype("f8"), h5py.ref_dtype, h5py.enum_dtype({"a": 1, "b": 2})))
        dtype = dtype if isinstance(dtype, np.dtype) or not dtype.startswith("M8") else h5py.opaque_dtype(np.dtype(dtype))
        file.create_dataset(name, shape, dtype)


def other_values(file: h5py.File, draw: Random) -> None:
    x, y = X.copy(), Y.copy()
    for values in (x, y):
        nasty = draw.choice((np.nan, np.inf, -np.inf, 1e308, -1e308, 1e200, 5e-324, -0.0, 1e16))
        values[tuple(draw.randrange(size) for size in values.shape)] = nasty
        if draw.random() < 0.2:
            values[:] = nasty
    file["X"], file["y"] = x, y


def whole_numbers(file: h5py.File, draw: Random) -> None:
    file["X"] = np.full(X.shape, draw.choice((2**63, 2**64 - 1)), "u8") if draw.random() < 0.5 else np.full(X.shape, -(2**63))
    file["y"] = Y


def no_space(file: h5py.File, draw: Random) -> None:
    file["X"] = h5py.Empty("f8") if draw.random() < 0.5 else X
    file["y"] = h5py.Empty(draw.choice(("f8", "S3"))) if draw.random() < 0.5 else Y


def own_source(file: h5py.File, draw: Random) -> None:
    """A virtual data set that is made of itself, or of one that is made of it."""
    other = draw.choice(("X", "Z"))
    for name, source in (("X", other), ("Z", "X")):
        layout = h5py.VirtualLayout(X.shape, "f8")
        layout[:] = h5py.VirtualSource(draw.choice((".", Path(file.filename).name)), source, shape=X.shape)
        file.create_virtual_dataset(name, layout)
    file["y"] = Y


def other_source(file: h5py.File, draw: Random) -> None:
    """One that is shorter, of another type or shape, a group, above another hundred of its kind, or in no HDF5 file."""
    file["text"], file["flat"], file["short"], file["v0"] = np.full(X.shape, b"abc"), X.ravel(), X[:10], X
    file.create_group("group")
    (Path(file.filename).parent / "note.txt").write_text("no HDF5")
    for deep in range(100):
        layout = h5py.VirtualLayout(X.shape, "f8")
        layout[:] = h5py.VirtualSource(".", f"v{deep}", shape=X.shape)
        file.create_virtual_dataset(f"v{deep + 1}", layout)
    name = draw.choice(("text", "flat", "short", "group", "v100", "", "/", "gone"))
    where = draw.choice((".", ".", ".", "note.txt", "gone.h5", "/dev/zero", "..", "", "\0"))
    layout = h5py.VirtualLayout(X.shape, "f8")
    layout[:] = h5py.VirtualSource(where, name, shape=X.shape)
    file.create_virtual_dataset("X", layout)
    file["y"] = Y


def mapped_twice(file: h5py.File, draw: Random) -> None:
    """Half of it from two sources, the other half from none: as many values as there should be."""
    file["half"], file["y"] = X[: ROWS // 2], Y
    layout = h5py.VirtualLayout(X.shape, "f8")
    for _ in range(2):
        layout[: ROWS // 2] = h5py.VirtualSource(".", "half", shape=(ROWS // 2, FEATURES))
    file.create_virtual_dataset("X", layout)


def links(file: h5py.File, draw: Random) -> None:
    own = Path(file.filename).name
    targets = (
        h5py.SoftLink("/X"),
        h5py.SoftLink("/y"),
        h5py.SoftLink("/gone/away"),
        h5py.SoftLink("/group"),
        h5py.ExternalLink(own, "/X"),
        h5py.ExternalLink(own, "/y"),
        h5py.ExternalLink("gone.h5", "/X"),
        h5py.ExternalLink("/dev/zero", "/X"),
        h5py.ExternalLink("..", "/X"),
        h5py.ExternalLink(own, "/real"),
    )
    file["group/real"] = file["real"] = X
    file["group/loop"] = file["group"]
    for name, good in (("X", X), ("y", Y)):
        file[name] = draw.choice((*targets, good))


def outside(file: h5py.File, draw: Random) -> None:
    """The numbers lie in a file that is not there, too short, or none of the user's business."""
    folder = Path(file.filename).parent
    (folder / "raw.bin").write_bytes(X.tobytes()[: draw.choice((0, 100, X.nbytes))])
    file.create_dataset("X", X.shape, "f8", external=[(draw.choice(("raw.bin", "gone.bin", "/dev/zero", "..")), 0, X.nbytes)])
    file["y"] = Y


def names(file: h5py.File, draw: Random) -> None:
    """Of data sets and features, as no terminal wants them."""
    bad = draw.choice((b"a\nmpi_pgd: b", b"\xff\xfe", b"\x1b[31m", b"n" * 5000, "é\u202e".encode()))
    for name, values in ((draw.choice((b"X", bad)), X), (draw.choice((b"y", b"y" + bad)), Y)):
        space = h5py.h5s.create_simple(values.shape)
        h5py.h5d.create(file.id, name, h5py.h5t.IEEE_F64LE, space).write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values))


def feature_names(file: h5py.File, draw: Random) -> None:
    file["X"], file["y"] = X, Y
    bad = (
        np.array([b"\xff", b"a\nb", b""], dtype="S3"),
        np.array([1.5, np.nan, 2]),
        np.zeros(FEATURES, "f4,i8"),
        np.array([file["X"].ref] * FEATURES, dtype=h5py.ref_dtype),
        np.array(["\x1b[31m", "a\nb", "n" * 5000], dtype=h5py.string_dtype()),
        h5py.Empty("S3"),
        "abc",
        np.array([["a", "b", "c"]], dtype=h5py.string_dtype()),
    )
    value = draw.choice(bad)
    where = draw.choice(("attribute", "data set", "group"))
    if where == "attribute":
        file["X"].attrs["feature_names"] = value
    elif where == "data set":
        file["feature_names"] = value
    else:
        file["feature_names/one"] = value


def huge_feature_names(file: h5py.File, draw: Random) -> None:
    file["X"], file["y"] = X, Y
    file.create_dataset("feature_names", (2**40,), "S100", chunks=(1000,))


KEYS = (
    *(
        "_FillValue",
        "missing_value",
        "scale_factor",
        "add_offset",
        "valid_range",
        "valid_min",
        "valid_max",
        "_Unsigned",
        "ScaleFactor",
    ),
    *("MATLAB_class", "MATLAB_empty", "rhdf5-NA.OK", "categories", "flag_meanings", "flag_values", "value_type", "feature_names"),
    *("DIMENSION_LIST", "CLASS", "REFERENCE_LIST", "encoding-type", "OCTAVE_NEW_FORMAT", "pandas_type", "_index", "_NCProperties"),
)


def attributes(file: h5py.File, draw: Random) -> None:
    """What others write beside numbers, with values that they would not write."""
    square = draw.random() < 0.2
    x = (X[:FEATURES] if square else X).astype(draw.choice(("f8", "f4", "i2", ">i4", "u1", "?")))
    file["X"], file["y"] = (x.T if draw.random() < 0.3 else x), (Y[None, : len(x)] if draw.random() < 0.2 else Y[: len(x)])
    file["label/codes"], file["label/values"], file["label/mask"] = file["y"], file["y"], np.zeros(len(x), bool)
    values = (
        *(0, -1, 2**63, 1e308, np.nan, np.inf, np.array([1, 2, 3]), np.zeros((2, 0)), "", "true", b"\xff", "nan", "1e400", 1j),
        *(h5py.Empty("f4"), np.array([b"a", b"b", b"b"]), file["y"].ref, file["label"].ref, h5py.Reference()),
        *(np.zeros(2, "f4,i8"), np.array(["csr_matrix"], h5py.string_dtype()), "categorical", "nullable", "double", 0.5, X.max()),
    )
    for _ in range(draw.choice((1, 2, 5))):
        place = draw.choice(("X", "X", "y", "/", "label"))
        file[place].attrs[draw.choice(KEYS)] = draw.choice(values)


def assembled(file: h5py.File, draw: Random) -> None:
    """The right rows from many places, or nearly: they are read, or refused."""
    assemble(file, draw)


def chunks(file: h5py.File, draw: Random) -> None:
    """Chunks whose bytes are not what the filter makes, or make far more."""
    large = draw.random() < 0.3
    size = (2**26, FEATURES) if large else (64, FEATURES)
    filters = draw.choice(
        ({"compression": "gzip"}, {"compression": "lzf"}, {"fletcher32": True}, {"shuffle": True, "compression": "gzip"})
    )
    data = file.create_dataset("X", X.shape, "f8", chunks=size, maxshape=(None, FEATURES), **filters)
    for start in range(0, ROWS, size[0]):
        rows = np.zeros((min(size[0], 4096), FEATURES)).tobytes()
        bomb = zlib.compress(bytes(64 << 20))
        content = draw.choice(
            (b"\0", rows, zlib.compress(rows), zlib.compress(rows)[:-4], bomb, draw.randbytes(1000), b"\xff" * 1000)
        )
        data.id.write_direct_chunk((start, 0), content, filter_mask=draw.choice((0, 0, 0, 1, 2**31)))
    file["y"] = Y


def unknown_filter(file: h5py.File, draw: Random) -> None:
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk((64, FEATURES))
    how.set_filter(draw.choice((32000, 32015, 65535, 300)), h5py.h5z.FLAG_OPTIONAL, tuple(draw.randrange(2**32) for _ in range(5)))
    data = h5py.h5d.create(file.id, b"X", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple(X.shape), how)
    data.write_direct_chunk((0, 0), draw.randbytes(64), 0)
    file["y"] = Y


def not_data(file: h5py.File, draw: Random) -> None:
    file.create_group("X")
    file["y"] = np.dtype("f8") if draw.random() < 0.5 else Y


def crowd(file: h5py.File, draw: Random) -> None:
    for number in range(600):
        file[f"g{number % 7}/{'d' * 100}{number}"] = 1.0


def sparse(file: h5py.File, draw: Random) -> None:
    """Rows in place of which there is nearly nothing, or that are none."""
    given = compressed.damaged(draw)
    if draw.random() < 0.1:
        given["shape"] = ROWS, draw.choice((2**16, 2**24, 2**31, 2**32, 2**33))
    valid.write(file, given, **draw.choice(({}, {"chunks": (64,), "fletcher32": True}, {"compression": "gzip"})))
    file["y"] = Y


def sizes(file: h5py.File, draw: Random) -> None:
    """Far more rows or features than there is memory for, which take no disk."""
    shape = draw.choice(((2**38, 1), (2**33, 30), (1, 2**24), (100, 2**24), (64, 2**30)))
    for name, size in (("X", shape), ("y", shape[:1])):
        hole(file, name, size)


HDF5: tuple[Forge, ...] = (
    *(other_shapes, other_shapes, other_types, other_types, other_values, other_values, whole_numbers, no_space, own_source),
    *(
        other_source,
        other_source,
        mapped_twice,
        links,
        links,
        outside,
        names,
        feature_names,
        attributes,
        attributes,
        huge_feature_names,
    ),
    *(chunks, chunks, unknown_filter, not_data, crowd),
    *(assembled, assembled, assembled, sizes, sparse, sparse, sparse),
)


def hdf5(folder: Path, draw: Random) -> str:
    """In place of all the files of a folder."""
    for path in folder.glob("*.h5"):
        path.unlink()
    forge = draw.choice(HDF5)
    with h5py.File(folder / "data.h5", "w", libver=draw.choice(("earliest", "latest"))) as file:
        forge(file, draw)
    return forge.__name__


# What a program that reads JSON may not expect in a place.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**63, -(2**63), 10**400, 1e308, -1e308, 5e-324, 0.5, float("nan"), float("inf")),
    *(
        "",
        "x",
        "a\nmpi_pgd: b",
        "\x1b[31m",
        "\udcff",
        "\0",
        "<script>",
        "$\\frac{",
        "n" * 5000,
        "auto",
        [],
        {},
        [[]],
        [None],
        {"": None},
    ),
    *([1, 2, 3], ["a"] * 5, [0.0] * 5000),
)


def tree(value: Any, draw: Random) -> tuple[Any, str]:
    """A copy of a JSON value with something else somewhere in it."""
    new = copy.deepcopy(value)
    here, path = new, ""
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return draw.choice(VALUES), "all of it"
        key = draw.choice(keys)
        path += f".{key}"
        if not isinstance(here[key], dict | list) or not here[key] or draw.random() < 0.25:
            break
        here = here[key]
    change = draw.choice(("replace", "replace", "replace", "lose", "repeat"))
    if change == "lose":
        del here[key]
    elif change == "repeat" and isinstance(here, list):
        here.append(here[key])
    else:
        here[key] = draw.choice(VALUES)
    return new, f"{change} {path}"


def record(content: bytes, draw: Random) -> tuple[bytes, str]:
    """A JSON file."""
    if draw.random() < 0.1:
        deep = draw.choice((b"[", b'{"a":')) * 100_000
        return deep, "deep"
    value, words = json.loads(content), []
    for _ in range(draw.choice((1, 1, 2, 4))):
        if isinstance(value, dict | list):
            value, what = tree(value, draw)
            words.append(what)
    return json.dumps(value).encode(), ", ".join(words)


TOML_VALUES = (
    *(
        "true",
        "0",
        "-1",
        "20",
        "1" + "0" * 400,
        "1" + "0" * 5000,
        "0x7fffffffffffffff",
        "0.5",
        "1e-3",
        "1e308",
        "1e400",
        "-inf",
        "inf",
        "nan",
    ),
    *(
        '""',
        '"X"',
        '"auto"',
        '"gd"',
        '"momentum"',
        '"plain"',
        '"ring"',
        '"peer-to-peer"',
        r'"a\nmpi_pgd: b"',
        r'"\u001b[31m"',
        r'"\u0000"',
    ),
    *(
        '"/"',
        '"."',
        '"../x"',
        '"é"',
        "'''\nlines\n'''",
        "[]",
        '["data.h5", "data.h5"]',
        '["data.h5", 3]',
        "[[[]]]",
        "{}",
        "{a = 1}",
    ),
    *("1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", '"' + "n" * 5000 + '"', '"[a-"', '"**"', "[" * 5000 + "]" * 5000),
)
TOML_KEYS = (
    "momemtum",
    '""',
    r'"a\nmpi_pgd: b"',
    r'"\u001b[31m"',
    "a.b",
    "rounds.x",
    "intercept",
    "l2",
    "data",
    "max_seconds",
    "n" * 300,
)


def toml(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Settings with other values, and some that do not exist."""
    lines = content.decode().splitlines()
    words = []
    for _ in range(draw.choice((1, 1, 2, 4))):
        place = draw.randrange(1, len(lines))
        key = lines[place].split(" = ")[0] if draw.random() < 0.8 else draw.choice(TOML_KEYS)
        lines[place] = draw.choice(("{} = {}", "{} = {}", "{} = {}", "{} = {}", "[{}]\nx = {}", "[[{}]]\nx = {}")).format(
            key, draw.choice(TOML_VALUES)
        )
        words.append(lines[place][:60])
    return "\n".join(lines).encode(), "; ".join(words)


NUMBERS = (0.0, -0.0, -1.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), -float("inf"))


def checkpoint(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Another header or other numbers, under a sum that is right."""
    magic, _, header, body = content.split(b"\n", 3)
    fields, what = json.loads(header), ""
    numbers = bytearray(body)
    choice = draw.choice(("header", "header", "numbers", "numbers", "lengths", "bytes"))
    if choice == "header":
        fields, what = tree(fields, draw)
    elif choice == "numbers":
        for _ in range(draw.choice((1, 5, len(body) // 8))):
            struct.pack_into("<d", numbers, 8 * draw.randrange(len(body) // 8), draw.choice((*NUMBERS, draw.gauss(0, 1))))
    elif choice == "lengths":
        names = draw.sample(list(fields["arrays"]), 2)
        moved = draw.choice((1, 2, 8, fields["arrays"][names[0]]))
        fields["arrays"][names[0]] -= moved
        fields["arrays"][names[1]] += moved
        what = f"{moved} from {names}"
    else:
        del numbers[draw.randrange(len(numbers)) :]
    new = json.dumps(fields).encode() + b"\n" + bytes(numbers)
    return magic + b"\n" + hashlib.sha256(new).hexdigest().encode() + b"\n" + new, f"{choice} {what}"
