"""Files of bytes, compressed or not, by the ending of their names."""

import bz2
import gzip
import lzma
import os
import zlib
from pathlib import Path
from typing import IO, Any

from mpi_pgd.errors import InputError
from mpi_pgd.tables.arrow import pyarrow

OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
ZSTD = ".zst"
# What damage makes of reading.
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)


def packing(path: str) -> str:
    """The ending that says how the file is compressed; empty if it is not."""
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122  (a text, not a path that is there)
    return ending if ending in (*OPENERS, ZSTD) else ""


def unpacked(path: str) -> IO[bytes]:
    """The bytes in the file, read one after the other. Raises OSError: it can't be opened."""
    how = packing(path)
    if not how:
        return Path(path).open("rb")
    if how == ZSTD:
        found: IO[bytes] = pyarrow(path).input_stream(path, compression="zstd")
        return found
    made: IO[bytes] = OPENERS[how](path, "rb")
    return made


def unreadable(path: str, error: Exception) -> InputError:
    """The sentence about a file that can't be opened or unpacked."""
    if isinstance(error, OSError) and error.strerror:
        return InputError(f"{path} can't be read ({error.strerror}): give a file that can")
    return InputError(f"{path} is damaged or cut off ({error}): copy or make it again")


class Tally:
    """A file for Arrow, read from its begin; it counts the quotation marks, and tells how much of the file has been read."""

    def __init__(self, path: str) -> None:
        self._raw = Path(path).open("rb")  # noqa: SIM115  (Arrow closes it)
        how = packing(path)
        self._file: Any = self._raw if how in ("", ZSTD) else OPENERS[how](self._raw, "rb")
        if how == ZSTD:
            self._file = pyarrow(path).CompressedInputStream(self._raw, "zstd")
        self.size = max(1, os.fstat(self._raw.fileno()).st_size)
        self.quotes, self.closed = 0, False

    def read(self, size: int = -1) -> bytes:
        """As a file does."""
        found: bytes = self._file.read(size)
        self.quotes += found.count(b'"')
        return found

    def tell(self) -> int:
        """Bytes of the file that were read."""
        return self._raw.tell()

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is not."""
        return False

    def seekable(self) -> bool:
        """It is not."""
        return False

    def close(self) -> None:
        """As a file does."""
        self.closed = True
        self._file.close()
        self._raw.close()
