"""The command line. Rank 0 reads it and tells the others; what needs no ranks does not start MPI, nor does ``--help``."""

import os
import platform
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from time import perf_counter, sleep

from mpi_pgd import __version__
from mpi_pgd.cli.commands import COMMANDS, module, parser
from mpi_pgd.comm.startup import limited, note, unnoted
from mpi_pgd.errors import InputError, nearest
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.report.line import listen
from mpi_pgd.study import STUDIES, Command
from mpi_pgd.system.log import LOG, RANK_VARIABLES

STOPPED = 75  # by a signal
Work = Callable[..., int]
OTHERS = 2  # seconds that a rank which is alone gives the others, who are so too, to leave before it ends the job


def main(argv: Sequence[str], early: SignalFlag | None = None) -> int:
    """Run the program; returns its exit code. ``early`` hears the signals that come before a command does."""
    start = perf_counter()
    listen()
    first = next((os.environ[name] for name in RANK_VARIABLES if name in os.environ), "0") == "0"
    speaks = first and os.environ.get("SLURM_PROCID", "0") == "0"  # also where srun started worlds of one rank each
    if argv[:1] == ["help"] or (argv[1:2] == ["help"] and argv[0] in COMMANDS):
        argv = [*(word for word in argv[:3] if word != "help"), "--help"]
        if argv[0] not in ("--help", *COMMANDS):
            found = f"help was given {argv[0]}{nearest(argv[0], COMMANDS)}: expected one of {', '.join(COMMANDS)}"
            return _refuse(InputError(found)) if speaks else 0
    name = argv[0] if argv and argv[0] in COMMANDS else "fit"
    rest = argv[1:] if argv and argv[0] == name else argv
    if any(word in ("-h", "--help", "--version") for word in rest):
        page = next((word for word in rest[:1] if word in STUDIES and STUDIES[word].under == name), name)
        return _describe(page if argv and argv[0] == name else "", rest) if first else 0
    if COMMANDS[name].ranks and speaks:
        unnoted()
    try:
        _load(COMMANDS[name].ranks)
    except InputError as error:
        return _refuse(error) if speaks else 0
    command = module(name)
    words = argv if name in STUDIES else rest
    if COMMANDS[name].ranks:
        more = {} if name != "fit" or rest is not argv else {"named": False}
        return _on_ranks(COMMANDS[name], partial(command.main, **more), words, start, early, speaks)
    if _stopped(early):
        return STOPPED
    return _alone(command.alone if name in STUDIES else command.main, words) if first else 0


def _load(ranks: bool) -> None:
    """Import what the program needs, now, where no other rank waits, or say by an InputError that it can't be loaded."""
    vars(platform.uname()).setdefault("processor", "")  # h5py looks at it: else each rank starts a program that finds it out
    try:
        for name in ("numpy", "h5py", "mpi_pgd.kernel"):  # of the latter the variable may name what is not there
            import_module(name)
        if ranks:
            name = "mpi4py"
            rc = import_module(name).rc
            rc.initialize, rc.finalize = False, True  # world.start says first what would end the process
            name = "mpi4py.MPI"
            import_module(name)
    except (ImportError, RuntimeError) as error:  # mpi4py raises the latter where there is no MPI library
        why = str(error).strip().partition("\n")[0]
        raise InputError(
            f"this Python ({sys.executable}) can't load {name} ({why}): use the one that mpi_pgd was installed into, with the "
            f"modules that it needs"
        ) from None


def _describe(name: str, rest: Sequence[str]) -> int:
    if "--version" in rest:
        print(f"mpi_pgd {__version__}")
    elif name:
        parser(name, rest).print_help()
    else:
        print(import_module("mpi_pgd.cli.help").first_page(), end="")
    return 0


def _alone(work: Work, words: Sequence[str]) -> int:
    try:
        code = work(words)
    except InputError as error:
        LOG.error(error)
        return error.code
    sys.stdout.flush()
    return code or (2 if getattr(sys.stdout, "failure", None) else 0)  # what it prints is all that it does


def _refuse(error: InputError) -> int:
    """Of one process alone, as in world.leave; the exit code."""
    LOG.error(error)
    note(2)
    return 2


def _stopped(early: SignalFlag | None) -> bool:
    """Whether a signal came until now; from now on they do what they do by default."""
    if early:
        early.__exit__()
    return early is not None and early.came


def _on_ranks(command: Command, work: Work, words: Sequence[str], start: float, early: SignalFlag | None, speaks: bool) -> int:
    try:
        with limited():
            from mpi_pgd.comm import world

            comm = world.start(alone=command.alone)
    except InputError as error:
        if not speaks:
            return 0
        _refuse(error)
        sleep(OTHERS)
        return 2
    with world.guard(comm):
        try:
            if command.deaf and world.anyone(comm, _stopped(early)):
                return world.leave(comm, STOPPED)
            return world.leave(comm, work(comm, words, start))
        except InputError as error:
            return world.leave(comm, error.code, str(error))
