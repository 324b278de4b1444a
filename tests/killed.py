"""A copy of this process that is killed: starting another Python would take most of such a test's time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path


@contextmanager
def killed(work: Callable[[Path, Connection], None], path: Path) -> Iterator[Connection]:
    """One that works on ``path`` until the end of the block; from the connection comes what it sends."""
    fork = get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    process = fork.Process(target=_begin, args=(work, path, ours, theirs))
    process.start()
    try:
        yield ours
    finally:
        process.kill()
        process.join()
        ours.close()
        theirs.close()


def _begin(work: Callable[[Path, Connection], None], path: Path, ours: Connection, theirs: Connection) -> None:
    ours.close()  # so that it ends if nobody is left to kill it
    work(path, theirs)
