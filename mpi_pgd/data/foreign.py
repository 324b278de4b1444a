"""Tables in other formats: recognised, and the three lines of Python that make an HDF5 file of them."""

import gzip
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

LOOKED_AT = 1 << 16  # bytes
DELIMITERS = (",", ";", "\t", None)  # None is white space, as numpy has it
TARGETS = ("y", "target", "label", "response")
# How files with one table begin, what they are, and how Python reads them: with which modules, and by which words.
TABLES = (
    ((b"PAR1",), "Parquet", "pandas as pd", "pd.read_parquet({}).to_numpy(float)"),
    ((b"ARROW1", b"FEA1"), "Feather", "pandas as pd", "pd.read_feather({}).to_numpy(float)"),
    ((b"\x93NUMPY",), "NumPy's .npy", "numpy as np", "np.load({})"),
    (
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        "a pickle",
        "numpy as np, pandas as pd",
        "np.asarray(pd.read_pickle({}), float)",
    ),
)
CONVERTED = ("Parquet", "Feather", "NumPy's .npy", "NumPy's .npz", "text (CSV)")  # by a fit


def recipe(path: str) -> tuple[str, tuple[str, ...]]:
    """What the file is, and the lines that make an HDF5 file of it; ("", ()) if it is nothing that is known."""
    head = _head(path)
    for begins, kind, module, table in TABLES:
        if head.startswith(begins):
            return kind, _of_table(path, module, table.format(_quoted(path)))
    if head.startswith(b"MATLAB 5.0"):
        return "MATLAB's before 7.3", _of_names(path, "scipy.io", f"scipy.io.loadmat({_quoted(path)})", ())
    return _zipped(path) if head.startswith(b"PK\x03\x04") else _text(path, head)


def _head(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            head = file.read(LOOKED_AT)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path) as unpacked:
                return unpacked.read(LOOKED_AT)
    except (OSError, EOFError):
        return b""
    return head


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _lines(path: str, module: str, table: str, x: str, y: str) -> tuple[str, ...]:
    made = _quoted(str(Path(path.removesuffix(".gz")).with_suffix(".h5")))
    return (
        f"import h5py, {module}",
        f"table = {table}",
        f'with h5py.File({made}, "x") as file: file["X"], file["y"] = {x}, {y}',
    )


def _of_table(path: str, module: str, table: str) -> tuple[str, ...]:
    return _lines(path, module, table, "table[:, :-1]", "table[:, -1]  # the last column is the target")


def _of_names(path: str, module: str, table: str, there: Sequence[str]) -> tuple[str, ...]:
    """Of a file with arrays by name: that of the features, and that of the targets."""
    x = next((name for name in there if name.lower() in ("x", "features", "data")), "X")
    y = next((name for name in there if name.lower() in TARGETS), "y")
    return _lines(path, module, table, f"table[{_quoted(x)}]", f"table[{_quoted(y)}]")


def _zipped(path: str) -> tuple[str, tuple[str, ...]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return "", ()
    if names and all(name.endswith(".npy") for name in names):
        arrays = [name.removesuffix(".npy") for name in names]
        return "NumPy's .npz", _of_names(path, "numpy as np", f"np.load({_quoted(path)})", arrays)
    if "xl/workbook.xml" in names:
        return "Excel's", _of_table(path, "pandas as pd", f"pd.read_excel({_quoted(path)}).to_numpy(float)")
    return "", ()


def _text(path: str, head: bytes) -> tuple[str, tuple[str, ...]]:
    """Lines with several numbers each, perhaps under a line with their names."""
    try:
        lines = head.decode("utf-8-sig", errors="strict" if len(head) < LOOKED_AT else "ignore").splitlines()
    except UnicodeDecodeError:
        return "", ()
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not lines or any(not sign.isprintable() and sign != "\t" for sign in lines[0]):
        return "", ()
    first, second = lines[0], lines[min(1, len(lines) - 1)]
    for delimiter in DELIMITERS:
        cells = second.split(delimiter)
        if len(cells) > 1 and len(first.split(delimiter)) == len(cells) and any(map(_number, cells)):
            options = f", delimiter={json.dumps(delimiter)}" if delimiter else ""
            named = not any(map(_number, first.split(delimiter)))
            table = f"np.loadtxt({_quoted(path)}{options}{', skiprows=1' * named})"
            columns = [cell.strip().strip('"') for cell in first.split(delimiter)] if named else []
            return f"text ({'CSV' if delimiter else 'numbers'})", _of_columns(path, table, columns)
    return "", ()


def _of_columns(path: str, table: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The target is the column of that name, if there is one, else the last."""
    place = next((i for i, name in enumerate(columns) if name.lower() in TARGETS), -1)
    if place in (-1, len(columns) - 1):
        return _of_table(path, "numpy as np", table)
    return _lines(path, "numpy as np", table, f"np.delete(table, {place}, 1)", f"table[:, {place}]")


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
