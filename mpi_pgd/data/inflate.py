"""What gzip did to a chunk undone, by the fastest library that is installed. Imported for such chunks alone."""

import zlib
from collections.abc import Callable

import numpy as np

from mpi_pgd.engine.arrays import Rows

Unpack = Callable[[memoryview, int], bytes | bytearray]


def _zlib(packed: memoryview, size: int) -> bytes:
    return zlib.decompress(packed, bufsize=size)


REFUSED: tuple[type[Exception], ...] = (zlib.error,)
unpack: Unpack = _zlib
try:
    import deflate
except ImportError:  # it is an extra
    pass
else:
    REFUSED, unpack = (zlib.error, deflate.DeflateError), deflate.zlib_decompress


def inflated(packed: Rows, size: int) -> Rows:
    """The ``size`` bytes that were packed; an OSError if these are others. Other threads go on meanwhile."""
    try:
        found = unpack(packed.data, size)
    except REFUSED as error:
        raise OSError(f"it is not packed as it says ({error})") from None
    if len(found) != size:
        raise OSError("a chunk has another size than it should")
    return np.frombuffer(found, np.uint8)
