"""A table that a fit is given: converted once, beside its file, before any rank looks at rows."""

from collections.abc import Callable, Iterator

from mpi_pgd.report.progress import parts
from mpi_pgd.tables.batch import Batch
from mpi_pgd.tables.convert import Stopped
from mpi_pgd.tables.plan import Watch


def watch_of(stopped: Callable[[], bool], shown: bool) -> Watch:
    """What tells how far the reading of a table is, and ends it after a signal.

    Args:
        stopped: whether one came.
        shown: whether there is to be a line.
    """

    def watch(word: str, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in parts(f"{word} the table", batches, lambda batch: batch.share, shown):
            if stopped():
                raise Stopped("stopped by a signal: nothing was written")
            yield batch

    return watch
