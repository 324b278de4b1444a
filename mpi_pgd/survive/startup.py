"""No death in MPI_Init makes the others wait for ever: ULFM has no answer to it, and Python's threads don't run there."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from mpi_pgd.survive.components import ulfm

LIMIT = 60  # seconds


@contextmanager
def limited() -> Iterator[None]:
    """Start MPI inside: after some seconds the process ends, with a sentence. Where losses end the job anyway, nothing is done."""
    if not ulfm(os.environ):
        yield
        return
    read, write = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        os.close(write)
        if not select.select([read], [], [], LIMIT)[0]:  # it ends with this process, however that ends
            os.write(2, b"mpi_pgd: MPI did not start within %d s: a rank may have died meanwhile; start the job again\n" % LIMIT)
            os.kill(os.getppid(), signal.SIGKILL)
        os._exit(0)
    os.close(read)
    try:
        yield
    finally:
        os.close(write)
        os.waitpid(watcher, 0)
