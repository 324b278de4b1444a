"""``fit``: the main job."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mpi_pgd import config
from mpi_pgd.cli.commands import unknown
from mpi_pgd.system.log import LOG

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser
    from mpi_pgd.recovery.resume import Start
    from mpi_pgd.session.run import Result


def parser() -> "Parser":
    """All settings as flags."""
    from mpi_pgd.cli.arguments import Parser

    made = Parser(
        "mpirun -n N python -m mpi_pgd [fit] [DATA ...] [options]",
        "Fit a linear model in parallel. The weights have the same bits for any number of ranks, in every mode.",
    )
    made.add_settings(config.OPTIONS)
    made.add_argument("--version", action="store_true", help="print the version", default=None)
    return made


def main(comm: "MPI.Intracomm", words: Sequence[str], start: float, named: bool = True) -> int:
    """Fit, and print the table on rank 0."""
    from mpi_pgd.recovery.signals import SignalFlag
    from mpi_pgd.session import run

    with SignalFlag() as flag:
        found = run.run(comm, lambda: read(words, named), flag, start, _print)
    return run.exit_code(found)


def read(words: Sequence[str], named: bool = True) -> "Start":
    """What was typed, and the files that it names; ``named``: the command's name, too."""
    from mpi_pgd.cli.arguments import begun

    if not named:
        unknown(words)
    found = begun(parser().read(words))
    for sentence in told(found):
        LOG.error(sentence)
    return found


def told(begun: "Start") -> Iterator[str]:
    """What the user may not expect of where the result goes."""
    chosen, before = begun.settings, begun.origin.settings.get("out") if begun.origin else ""
    if chosen["quiet"] and not chosen["out"]:
        yield "--quiet without --out: the coefficients will be neither shown nor saved; give --out DIR"
    if before and not chosen["out"]:
        yield f"{chosen['resume']} does not choose where the result goes: give --out {before} to write where its run would have"


def _print(result: "Result", chosen: config.Settings, shipped: bool) -> None:
    from mpi_pgd.session.run import failure

    if not chosen.quiet:
        from mpi_pgd.report.tables import INTRODUCTION, line, saved, summary

        if shipped:
            print(INTRODUCTION.format(features=len(result.coef)))
        print(summary(result.record, result.coefficients, chosen.all))
        print(line("saved", saved(chosen.out, chosen.checkpoint, chosen.trace)), flush=True)
    if words := failure(result):
        LOG.error(words)
