"""The command line on a communicator, in place of an mpirun of its own: from the words to the exit code, or to the sentence."""

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from mpi_pgd.cli.commands import COMMANDS, module
from mpi_pgd.errors import InputError
from mpi_pgd.report.line import listen
from mpi_pgd.study import STUDIES

if TYPE_CHECKING:
    from mpi4py import MPI


def command(comm: "MPI.Intracomm", *words: object) -> int:
    """What ``mpi_pgd WORDS`` does between MPI's start and its end: the exit code. Collective.

    Raises:
        InputError: what it would say before it ends with the code 2.
    """
    listen()
    texts = [*map(str, words)]
    name = texts[0] if texts and texts[0] in COMMANDS else ""
    more = {} if name else {"named": False}
    try:
        code = module(name or "fit").main(comm, texts[1:] if name and name not in STUDIES else texts, perf_counter(), **more)
    except InputError:
        comm.Barrier()
        raise
    comm.Barrier()  # as all leave together: what rank 0 writes and removes is then written and removed
    return int(code)


def refused(comm: "MPI.Intracomm", words: Sequence[object], told: Sequence[str], capfd: pytest.CaptureFixture[str]) -> None:
    """The same sentence on every rank, with these words in it, and nothing else is said. Collective."""
    with pytest.raises(InputError) as raised:
        command(comm, *words)
    sentence = str(raised.value)
    assert len(set(comm.allgather(sentence))) == 1
    assert [word for word in told if word not in sentence] == [], sentence
    assert capfd.readouterr() == ("", "")
