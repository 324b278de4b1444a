"""Files in the page cache, and out of it; and what the disk gave."""

import os
from collections.abc import Iterable
from pathlib import Path


def drop(paths: Iterable[str]) -> None:
    """Have the kernel forget what it keeps of files. It may not: ``fetched`` tells."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)  # what is not yet written stays
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def fetched() -> int:
    """Bytes that disks have given to this process until now; 0 where the kernel does not count them."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("read_bytes:")), 0)
