"""What the stored numbers of a data set stand for: by its type, and by what netCDF, pandas, MATLAB and R write beside it."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import h5py
import numpy as np

from mpi_pgd.data.categories import categories, check_mask, text
from mpi_pgd.data.types import number_type
from mpi_pgd.errors import InputError, printable

Number = int | float
FILLS = ("_FillValue", "missing_value", "MissingValue", "FillValue")
# With which netCDF fills a variable that has no fill value of its own, by type.
UNWRITTEN = (9.969209968386869e36, -32767, 65535, -(2**31) + 1, 2**32 - 1, -(2**63) + 2, 2**64 - 2)
SHOWN = 8  # of many


@dataclass(frozen=True)
class Meaning:
    """How stored numbers become values."""

    kind: str = "float64"  # numpy's name of their type, in native byte order; the signedness is the one that counts
    missing: tuple[tuple[Number, str], ...] = ()  # numbers that stand for no value, each with what says so
    low: Number | None = None  # numbers below stand for none either
    high: Number | None = None  # nor do those above
    bounded: str = ""  # what says so
    bounds_values: bool = False  # ``low`` and ``high`` are values, not stored numbers
    scale: float = 1.0  # a value is the number times this
    offset: float = 0.0  # plus this
    coded: str = ""  # what they are codes of, if of anything
    units: str = ""  # of the values, if they are said
    resigned: bool = False  # their sign is meant otherwise than their type says
    bits: bool = False  # HDF5 won't convert them to other types
    turned: bool = False  # columns come before rows

    @property
    def packed(self) -> bool:
        """Whether numbers and values differ."""
        return self.scale != 1.0 or self.offset != 0.0

    @property
    def type(self) -> str:
        """Numpy's name of the type that holds the values."""
        return "float64" if self.packed else self.kind

    @property
    def guarded(self) -> bool:
        """Whether some numbers stand for no value."""
        return bool(self.missing) or self.low is not None or self.high is not None

    @property
    def plain(self) -> bool:
        """Whether the numbers can be read right into an array of values."""
        return not (self.packed or self.guarded or self.resigned or self.bits or self.turned)

    def words(self) -> str:
        """What is done to the numbers, for ``data info``."""
        return f"numbers times {self.scale:g} plus {self.offset:g}" if self.packed else ""


def meaning(data_set: h5py.Dataset, path: str, name: str) -> Meaning:
    """Of the numbers in ``data_set``, which the user calls ``name``.

    Refuses what are no real numbers, or marked as missing, and attributes that make no sense.
    """
    attributes = _Attributes(data_set, path, name)
    if attributes.text("MATLAB_class") == "char":
        raise InputError(f"{name} in {path} holds text of MATLAB's: expected real numbers (float64, float32, or integers)")
    if any(attributes.numbers("MATLAB_empty")):
        raise InputError(f"{name} in {path} is an empty array of MATLAB's: there is nothing to fit")
    check_mask(data_set, path, name)
    stored = number_type(data_set, path, name)
    kind, wrapped = _signed(stored, attributes.text("_Unsigned").lower())
    scale, offset = _packing(attributes)
    missing = [(wrapped(number), why) for number, why in _missing(data_set, attributes, kind)]
    missing += [(round((number - offset) / scale), why) for number, why in missing if _is_value(number, kind, scale, offset)]
    low, high, bounded, of_values = _bounds(attributes, kind, scale != 1.0 or offset != 0.0)
    if not of_values:
        low, high = (None if bound is None else wrapped(bound) for bound in (low, high))
    codes = categories(data_set)
    if codes:
        why = "a code of no category (such codes are no quantities)"
        missing += [(code, why) for code in codes.missing]
        if not bounded and codes.low is not None:
            low, high, bounded = codes.low, codes.high, why
    return Meaning(
        kind=kind,
        missing=tuple({number: (number, why) for number, why in missing if _possible(number, kind)}.values()),
        low=low,
        high=high,
        bounded=bounded,
        bounds_values=of_values,
        scale=scale,
        offset=offset,
        coded=codes.words if codes else "",
        units=attributes.text("units"),
        resigned=kind != stored,
        bits=data_set.id.get_type().get_class() == h5py.h5t.BITFIELD,
    )


def check_units(said: Iterable[tuple[str, str]], name: str) -> None:
    """Refuse other units in one file than in another; ``said`` has the files of what is read as one, ``name``, with theirs."""
    first: dict[str, str] = {}
    for path, units in said:
        if units:
            first.setdefault(units, path)
    if len(first) > 1:
        (units, path), (others, other) = list(first.items())[:2]
        raise InputError(
            f"{name} has the units {units} in {path} and {others} in {other}: files read as one table need the same; "
            f"convert the values, or mend the attribute"
        )


class _Attributes:
    """The attributes of a data set, as numbers or text."""

    def __init__(self, data_set: h5py.Dataset, path: str, name: str) -> None:
        self.where, self.attributes = f"{name} in {path}", data_set.attrs

    def text(self, key: str) -> str:
        return text(self.attributes.get(key))

    def numbers(self, key: str) -> list[Number]:
        value = self.attributes.get(key)
        if value is None or isinstance(value, h5py.Empty):
            return []
        found = np.atleast_1d(np.asarray(value))
        try:
            if found.dtype.kind == "c":
                raise ValueError
            found = found.astype(np.float64) if found.dtype.kind not in "iub" else found
            numbers: list[Number] = found.ravel().tolist()
        except (TypeError, ValueError):
            shown = printable(value)[:100]
            raise InputError(f"{self.where} has the attribute {key} with {shown}: expected a number, change or delete it") from None
        return numbers

    def one(self, key: str, default: float) -> float:
        found = self.numbers(key) or [default]
        if len(found) > 1 or not math.isfinite(found[0]):
            raise InputError(f"{self.where} has the attribute {key} with {found[:SHOWN]}: expected one finite number")
        return float(found[0])


def _signed(kind: str, unsigned: str) -> tuple[str, Callable[[Number], Number]]:
    """The type after netCDF's ``_Unsigned``, and how numbers that are written as one of the stored type are meant."""
    dtype = np.dtype(kind)
    other = {("i", "true"): "u", ("u", "false"): "i"}.get((dtype.kind, unsigned))
    if other is None:
        return kind, lambda number: number
    meant = np.dtype(f"{other}{dtype.itemsize}")
    least = int(np.iinfo(meant).min)

    def wrapped(number: Number) -> Number:
        return (int(number) - least) % (1 << 8 * meant.itemsize) + least if float(number).is_integer() else number

    return str(meant), wrapped


def _packing(attributes: _Attributes) -> tuple[float, float]:
    scale, offset = attributes.one("scale_factor", 1.0), attributes.one("add_offset", 0.0)
    if scale == 0:
        raise InputError(f"{attributes.where} has a scale_factor of 0, which makes all values alike: correct it")
    if "ScaleFactor" in attributes.attributes and "scale_factor" not in attributes.attributes:
        other = attributes.one("ScaleFactor", 1.0), attributes.one("Offset", 0.0)
        if other != (1.0, 0.0):
            raise InputError(
                f"{attributes.where} has the attributes ScaleFactor {other[0]:g} and Offset {other[1]:g}, which not all apply "
                f"alike: write the values themselves, or netCDF's scale_factor and add_offset (number * factor + offset)"
            )
    return scale, offset


def _missing(data_set: h5py.Dataset, attributes: _Attributes, kind: str) -> list[tuple[Number, str]]:
    found = [(number, f"its {key}") for key in FILLS for number in attributes.numbers(key)]
    dtype = np.dtype(kind)
    if "rhdf5-NA.OK" in attributes.attributes and dtype.kind == "i" and dtype.itemsize >= 4:
        found.append((int(np.iinfo(dtype).min), "R's NA"))
    if attributes.text("value_type").startswith(("datetime64", "timedelta64")) and dtype == np.int64:
        found.append((int(np.iinfo(dtype).min), "NaT, no time of pandas'"))
    if "_NCProperties" in data_set.file.attrs and "_FillValue" not in attributes.attributes and dtype.itemsize > 1:
        properties = data_set.id.get_create_plist()
        if properties.fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED and data_set.fillvalue.item() in UNWRITTEN:
            found.append((data_set.fillvalue.item(), "netCDF's mark of what was never written"))
    return found


def _is_value(number: Number, kind: str, scale: float, offset: float) -> bool:
    """Whether what stands for no value may be written as a value: not as an integer, where integers are packed."""
    if isinstance(number, int) or not math.isfinite(number) or np.dtype(kind).kind not in "iu" or (scale, offset) == (1.0, 0.0):
        return False
    stored = (number - offset) / scale
    return abs(stored) < 2**64 and math.isclose(round(stored) * scale + offset, number, rel_tol=1e-6)


def _possible(number: Number, kind: str) -> bool:
    """Whether a stored number can be this one; NaN is none anyway."""
    dtype = np.dtype(kind)
    if dtype.kind == "f" or dtype.kind == "b":
        return not math.isnan(number)
    limits = np.iinfo(dtype)
    return float(number).is_integer() and limits.min <= number <= limits.max


def _bounds(attributes: _Attributes, kind: str, packed: bool) -> tuple[Number | None, Number | None, str, bool]:
    """The least and the largest number that stand for values, what says so, and whether values are what it speaks of.

    They speak of stored numbers, by netCDF's conventions, unless integers are packed and these are none.
    """
    bounds: dict[str, Number] = {}
    pair = attributes.numbers("valid_range")
    if pair and len(pair) != 2:
        raise InputError(f"{attributes.where} has a valid_range of {len(pair)} numbers: expected two, the least and the largest")
    for key, numbers in (
        ("valid_min", attributes.numbers("valid_min") or pair[:1]),
        ("valid_max", attributes.numbers("valid_max") or pair[1:]),
    ):
        if len(numbers) > 1:
            raise InputError(f"{attributes.where} has a {key} of {len(numbers)} numbers: expected one")
        if numbers and not math.isnan(numbers[0]):
            bounds[key] = numbers[0]
    of_values = packed and np.dtype(kind).kind in "iu" and any(isinstance(bound, float) for bound in bounds.values())
    why = f"outside its {'valid_range' if pair else ' and '.join(bounds)}" if bounds else ""
    return bounds.get("valid_min"), bounds.get("valid_max"), why, of_values


PLAIN = Meaning()
