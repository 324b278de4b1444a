"""Standard output and error: closed, full, or without the letters of a name, they cost no result and no exit code."""

import errno
import io
import os
import sys
from typing import TextIO

from mpi_pgd.system.log import LOG


class Stream(io.TextIOWrapper):
    """One of the two. When it can't be written any more, what is written goes nowhere."""

    failure: OSError | None = None  # why it can't be; None as long as it can, or if the reader has gone, who has then seen enough

    def write(self, text: str) -> int:
        """As of any file, but it does not fail."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """As of any file, but it does not fail."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        super().flush()  # what is left of it
        if error.errno != errno.EPIPE:
            self.failure = error
            LOG.error(f"standard output can't be written ({error.strerror}): the rest of it is lost")


def secure() -> None:
    """Before anything is opened: a file would get the number of a stream that is closed, and be written by whoever complains."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stderr = _stream(sys.stderr, 2)
    sys.stdout = _stream(sys.stdout, 1)


def _stream(old: TextIO | None, number: int) -> Stream:
    """With escapes for letters that the terminal lacks."""
    if not isinstance(old, io.TextIOWrapper):
        return Stream(io.BufferedWriter(io.FileIO(number, "w", closefd=False)), "utf-8", "backslashreplace")
    encoding, lines = old.encoding, old.line_buffering
    return Stream(old.detach(), encoding, "backslashreplace", line_buffering=lines)
