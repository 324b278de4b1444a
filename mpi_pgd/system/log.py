"""The logger ``mpi_pgd``: what is to be known of a run beside its result, a sentence a record, with the ``rank`` that says it.

A program that uses the library hears of it if it sets ``logging`` up; the command line's handler is ``report.line.LINE``.
"""

import logging
import os

RANK_VARIABLES = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")
LOG = logging.getLogger("mpi_pgd")


def _ranked(record: logging.LogRecord) -> bool:
    """The launcher knows it before MPI does; 0 without one."""
    record.rank = int(next((os.environ[name] for name in RANK_VARIABLES if name in os.environ), 0))
    return True


LOG.addHandler(logging.NullHandler())
LOG.addFilter(_ranked)
