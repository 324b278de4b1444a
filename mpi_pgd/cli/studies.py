"""What ``compare``, ``scaling``, ``network`` and ``study`` have in common: settings of a fit, the folder, what is printed."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd import config

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser
    from mpi_pgd.problem import Problem
    from mpi_pgd.train import Ballot

SETTINGS = ("x", "y", "solver", "step", "momentum", "l2", "intercept", "standardize", "rounds", "sums", "quiet")
ROUNDS, REPEATS = 100, 5
SIGNALLED = 75
Study = Callable[["Problem", "Ballot", Mapping[str, Any]], dict[str, Any] | None]


def parser(usage: str, description: str, rounds: int = ROUNDS) -> "Parser":
    """The data, the settings that a study leaves to the user, and where it writes."""
    from mpi_pgd.cli.arguments import Parser

    made = Parser(usage, description)
    made.add_argument("data", nargs="*", metavar="DATA", help="HDF5 files or globs, one long table; default: the shipped data")
    made.add_settings(SETTINGS)
    made.set_defaults(rounds=None)
    made.add_argument("--out", metavar="DIR", default="", help="folder for the study's numbers")
    made.epilog = f"A turn has {rounds} rounds unless --rounds says otherwise; it goes on to the last of them (no --tol)."
    return made


def read(arguments: Any, rounds: int = ROUNDS, **more: Any) -> dict[str, Any]:
    """The settings, the folder, and what else the study wants to know: for all ranks."""
    from mpi_pgd.cli.arguments import settings

    return {"settings": settings(arguments, rounds=rounds).as_dict(), "out": arguments.out, **more}


def run(comm: "MPI.Intracomm", given: Mapping[str, Any], start: float, study: Study) -> int:
    """Inspect, study, print on rank 0, and write. Collective."""
    from mpi_pgd.problem import Problem, votes
    from mpi_pgd.run import one_thread
    from mpi_pgd.survive.signals import SignalFlag
    from mpi_pgd.topology import world

    prepare(comm, given["out"])
    with SignalFlag() as signal, one_thread():
        problem = Problem.inspect(comm, config.settings(given["settings"]))
        problem.say_warnings()
        record = study(problem, votes(start, signalled=lambda: signal.came), given)
        came = world.anyone(comm, signal.came)
    return finish(comm, None if came else record, given["out"], given["settings"]["quiet"])


def prepare(comm: "MPI.Intracomm", out: str) -> None:
    """Find out now whether the folder can be written. Collective."""
    from mpi_pgd.report import bundle
    from mpi_pgd.topology import world

    with world.agreement(comm):
        if comm.rank == 0 and out:
            bundle.prepare(out)


def finish(comm: "MPI.Intracomm", record: Mapping[str, Any] | None, out: str, quiet: bool) -> int:
    """Print and write what rank 0 has; the exit code, 75 if a signal came before there was anything. Collective."""
    from mpi_pgd.report.tables import study
    from mpi_pgd.study.record import write
    from mpi_pgd.topology import world

    done = ""
    with world.agreement(comm):
        if comm.rank == 0 and record:
            if not quiet:
                print(study(record), flush=True)
            if out:
                write(out, record)
            done = "done"
    return 0 if world.share(comm, done) else SIGNALLED


def names(text: str, known: Sequence[str], flag: str) -> list[str]:
    """A list of words, each of them known.

    Raises:
        InputError: one is not.
    """
    from mpi_pgd.errors import InputError, nearest

    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in known:
            raise InputError(f"{flag} was given {word!r}{nearest(word, known)}: expected some of {', '.join(known)}")
    return words
