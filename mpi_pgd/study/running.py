"""How a study runs: the folder is claimed, the problem looked at, the record printed and written."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from mpi4py import MPI

from mpi_pgd import config
from mpi_pgd.comm import world
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.report.bundle import Source
from mpi_pgd.session.descend import stop_flags
from mpi_pgd.session.inspect import inspect_files, say_warnings
from mpi_pgd.session.rows import rows_of
from mpi_pgd.session.run import one_thread
from mpi_pgd.study import record
from mpi_pgd.system.claims import Claim

if TYPE_CHECKING:
    from mpi_pgd.study.study import Study

SIGNALLED = 75


def on_problem(study: "Study", comm: MPI.Intracomm, given: Mapping[str, Any], start: float) -> int:
    """Inspect, measure, print on rank 0, and write. Collective."""
    with claimed(study, comm, given) as claim:
        with SignalFlag() as signal, one_thread():
            settings = world.once(comm, None, lambda: rows_of(given["settings"], lambda: signal.came))
            problem = inspect_files(comm, config.settings(settings), by_recipe=True)
            with world.agreement(comm):
                if claim:
                    record.spare(given["out"], study.name, given["force"], Source.of(problem.table))
            say_warnings(problem)
            found = study.measure(problem, given, stop_flags(start, signalled=lambda: signal.came))
        stamps = [stamp._asdict() for part in problem.table.parts for stamp in part.files]
        made = found and record.envelope(study.name, problem.nodes, **found, files=stamps)
        return finish(study, comm, made, claim, given["quiet"])


@contextmanager
def claimed(study: "Study", comm: MPI.Intracomm, given: Mapping[str, Any]) -> Iterator[Claim | None]:
    """Find out now whether the folder can be written, and have it; for rank 0, which alone writes. Collective."""
    with ExitStack() as stack:
        claim = None
        with world.agreement(comm):
            if comm.rank == 0 and given["out"]:
                claim = stack.enter_context(record.claim(given["out"], study.name))
        yield claim


def finish(study: "Study", comm: MPI.Intracomm, made: Mapping[str, Any] | None, claim: Claim | None, quiet: bool) -> int:
    """Print and write what rank 0 has; the exit code, 75 if a signal came before all was measured. Collective."""
    done = ""
    with world.agreement(comm):
        if comm.rank == 0 and made:
            if not quiet:
                print(study.text(made), flush=True)
            if claim:
                record.write(claim, made)
            done = "" if made.get("stopped") else "done"
    return 0 if comm.bcast(done) else SIGNALLED
