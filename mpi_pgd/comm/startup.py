"""Before MPI runs: no death in MPI_Init makes the others wait for ever, and nothing but this run writes its exit code."""

import errno
import os
import select
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mpi_pgd.comm.components import ulfm
from mpi_pgd.system.log import LOG, RANK_VARIABLES

LOSS = 60.0  # seconds that MPI may take to start, where a rank that dies meanwhile does not end the job
LIMIT = 600.0  # seconds elsewhere: some launchers let the others wait for a rank that has left before
EXIT = "MPI_PGD_EXIT"
LONGEST = 4  # characters of a code and the end of its line; a file with more in it is another


def note(code: int) -> None:
    """Write the exit code into the file that the variable MPI_PGD_EXIT names, if it does.

    So a batch script knows how the run ended, or that it was cut off: when a node is lost, Open MPI 5's mpirun returns 0.
    """
    path = os.environ.get(EXIT)
    try:
        if path and Path(path).is_file() and Path(path).stat().st_size > LONGEST:
            raise FileExistsError(errno.EEXIST, "it holds something else")
        if path:
            Path(path).write_text(f"{code}\n")
    except OSError as error:  # said, not raised: the caller is about to end the others, who would wait for ever
        LOG.error(f"{EXIT}={path} can't be written ({error.strerror}): the code is {code}")


def unnoted() -> None:
    """Empty that file: an earlier run's code is not this one's, which may be cut off."""
    path = Path(os.environ.get(EXIT, ""))
    try:
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= LONGEST:
            os.truncate(path, 0)
    except OSError:
        return  # there is none, or what can't be emptied can't be written either, which is said then


@contextmanager
def limited() -> Iterator[None]:
    """Start MPI inside: after some time the process ends, with a sentence; unless no launcher started it, so it waits for nobody.

    ULFM has no answer to a death in MPI_Init, and Python's threads don't run there.
    """
    if not any(name in os.environ for name in RANK_VARIABLES):
        yield
        return
    limit = LOSS if ulfm(os.environ) else LIMIT
    read, write = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        os.close(write)
        if not select.select([read], [], [], limit)[0]:  # it ends with this process, however that ends
            os.write(2, b"mpi_pgd: MPI did not start within %d s: a rank may have died meanwhile; start the job again\n" % limit)
            note(1)  # mpirun takes those that were killed for lost ones, and returns 0
            os.kill(os.getppid(), signal.SIGKILL)
        os._exit(0)
    os.close(read)
    try:
        yield
    finally:
        os.close(write)
        os.waitpid(watcher, 0)
