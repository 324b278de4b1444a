"""What ``compare``, ``scaling``, ``network`` and ``study`` have in common: settings of a fit, the folder, what is printed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from mpi_pgd import config

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser
    from mpi_pgd.engine.loop import Ballot
    from mpi_pgd.session.inspect import Problem
    from mpi_pgd.system.claims import Claim

ROUNDS, REPEATS = 100, 5
SIGNALLED = 75
Study = Callable[["Problem", "Ballot", Mapping[str, Any]], dict[str, Any] | None]


def parser(usage: str, description: str, rounds: int = ROUNDS) -> "Parser":
    """The data, the settings that a study leaves to the user, and where it writes."""
    from mpi_pgd.cli.arguments import Parser

    made = Parser(usage, description)
    made.add_settings(config.having("studies"))
    made.set_defaults(rounds=None)
    add_out(made, "folder for the study's numbers")
    made.epilog = f"A turn has {rounds} rounds unless --rounds says otherwise; it goes on to the last of them (no --tol)."
    return made


def add_out(made: "Parser", text: str) -> None:
    """Where a study writes, and whether over what it did not write."""
    made.add_argument("--out", metavar="DIR", default="", help=text)
    made.add_argument("--force", action="store_true", help="let --out overwrite what is there")


def read(arguments: Any, rounds: int = ROUNDS, **more: Any) -> dict[str, Any]:
    """The settings, the folder, and what else the study wants to know: for all ranks."""
    from mpi_pgd.cli.arguments import settings

    return {"settings": settings(arguments, rounds=rounds).as_dict(), "out": arguments.out, "force": arguments.force, **more}


def run(comm: "MPI.Intracomm", name: str, given: Mapping[str, Any], start: float, study: Study) -> int:
    """Inspect, study, print on rank 0, and write. Collective."""
    from mpi_pgd.comm import world
    from mpi_pgd.recovery.signals import SignalFlag
    from mpi_pgd.report.bundle import Source
    from mpi_pgd.session.descend import votes
    from mpi_pgd.session.inspect import inspect_files, say_warnings
    from mpi_pgd.session.run import one_thread
    from mpi_pgd.study.record import spare

    with claimed(comm, name, given["out"]) as claim:
        with SignalFlag() as signal, one_thread():
            problem = inspect_files(comm, config.settings(given["settings"]))
            with world.agreement(comm):
                if claim:
                    spare(given["out"], name, given["force"], Source.of(problem.table))
            say_warnings(problem)
            record = study(problem, votes(start, signalled=lambda: signal.came), given)
        stamps = [stamp._asdict() for part in problem.table.parts for stamp in part.files]
        return finish(comm, record and {**record, "files": stamps}, claim, given["settings"]["quiet"])


@contextmanager
def claimed(comm: "MPI.Intracomm", name: str, out: str) -> "Iterator[Claim | None]":
    """Find out now whether the folder can be written, and have it; for rank 0, which alone writes. Collective."""
    from mpi_pgd.comm import world
    from mpi_pgd.study import record

    with ExitStack() as stack:
        claim = None
        with world.agreement(comm):
            if comm.rank == 0 and out:
                claim = stack.enter_context(record.claim(out, name))
        yield claim


def finish(comm: "MPI.Intracomm", record: Mapping[str, Any] | None, claim: "Claim | None", quiet: bool) -> int:
    """Print and write what rank 0 has; the exit code, 75 if a signal came before all was measured. Collective."""
    from mpi_pgd.comm import world
    from mpi_pgd.report.tables import study
    from mpi_pgd.study.record import write

    done = ""
    with world.agreement(comm):
        if comm.rank == 0 and record:
            if not quiet:
                print(study(record), flush=True)
            if claim:
                write(claim, record)
            done = "" if record.get("stopped") else "done"
    return 0 if world.share(comm, done) else SIGNALLED


def names(text: str, known: Sequence[str], flag: str) -> list[str]:
    """A list of words, each of them known.

    Raises:
        InputError: one is not.
    """
    from mpi_pgd.errors import InputError, nearest
    from mpi_pgd.modes import SYNONYMS

    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in known:
            raise InputError(f"{flag} was given {word!r}{nearest(word, known, SYNONYMS)}: expected some of {', '.join(known)}")
    return words
