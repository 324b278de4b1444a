"""Arrow's arrays as columns; pyarrow, which is loaded where a table is really read."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables.batch import Column, Kind, numbers, words

SECONDS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # units in a second


def pyarrow(path: str) -> Any:
    """The module, with as many threads as this process has cores. Raises InputError: it is not there."""
    try:
        import pyarrow as found
    except ImportError as error:
        raise InputError(f"{path} needs pyarrow, which can't be loaded ({error}): pip install mpi_pgd[tables]") from None
    found.set_cpu_count(max(1, len(os.sched_getaffinity(0))))
    return found


@contextmanager
def unharmed(path: str, pa: Any) -> Iterator[None]:
    """What Arrow says of a file that it can't read, in a sentence."""
    try:
        yield
    except InputError:
        raise
    except (OSError, EOFError, pa.ArrowException) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())[:200]
        raise InputError(f"{path} can't be read ({printable(why)}): give a file that is whole, or make it again") from None


def kind_of(pa: Any, kind: Any) -> Kind | None:
    """What values of one of Arrow's types are; None: nothing that can be a feature."""
    types = pa.types
    if types.is_dictionary(kind):
        return kind_of(pa, kind.value_type)
    found: Mapping[Kind, tuple[Any, ...]] = {
        Kind.NUMBER: (types.is_integer, types.is_floating, types.is_decimal),
        Kind.TRUTH: (types.is_boolean,),
        Kind.DAYS: (types.is_date,),
        Kind.SECONDS: (types.is_timestamp,),
        Kind.WORDS: (types.is_string, types.is_large_string, types.is_string_view),
        Kind.NOTHING: (types.is_null,),
    }
    return next((name for name, tests in found.items() if any(test(kind) for test in tests)), None)


def column(pa: Any, array: Any, kind: Kind) -> Column:
    """One of Arrow's arrays, in one piece, as a column; NaN where there is no value."""
    if kind is Kind.WORDS:
        return _words(pa, array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind is Kind.NOTHING:
        return numbers(np.full(len(array), np.nan), kind)
    if kind is Kind.DAYS:
        return numbers(_floats(pa, array.cast(pa.date32()).cast(pa.int32())), kind)
    if kind is Kind.SECONDS:
        return numbers(_floats(pa, array.cast(pa.int64())) / SECONDS[array.type.unit], kind)
    return numbers(_floats(pa, array), kind)


def _floats(pa: Any, array: Any) -> Any:
    if array.type != pa.float64():
        array = array.cast(pa.float64(), safe=False)
    return _stored(array, np.float64, np.nan)


def _words(pa: Any, array: Any) -> Column:
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    return words(_stored(array.indices.cast(pa.int32()), np.int32, -1), array.dictionary.to_pylist())


def _stored(array: Any, dtype: type[Any], missing: float) -> NDArray[Any]:
    """The numbers in an array of this type, from its buffers: Arrow's own way to NumPy loads pandas, a third of a second."""
    if not len(array):
        return np.zeros(0, dtype)
    valid, values = array.buffers()
    end = array.offset + len(array)
    found = np.frombuffer(values, dtype, end)
    if not array.null_count:
        return found[array.offset : end]
    there = np.unpackbits(np.frombuffer(valid, np.uint8), count=end, bitorder="little")
    return np.where(there, found[:end], dtype(missing))[array.offset :]
