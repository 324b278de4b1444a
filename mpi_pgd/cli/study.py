"""The commands of the studies: flags from each study's own, and settings of a fit where it takes them."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd.errors import InputError, nearest
from mpi_pgd.study import STUDIES, load

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser


def parser(name: str) -> "Parser":
    """The flags of a study; of a command that studies are typed after, which there are."""
    from mpi_pgd.cli.arguments import Parser

    if name not in STUDIES:
        there = [f"  {one:<12}{command.text}" for one, command in STUDIES.items() if command.under == name]
        usage = f"mpirun -n N python -m mpi_pgd {name} STUDY [options]"
        return Parser(usage, "\n".join([f"studies; each has a page of its own, help {name} STUDY:", *there]))
    study = load(name)
    made = Parser(study.usage, study.description)
    if study.settings:
        made.add_settings(study.settings)
    if study.files:
        made.add_argument("files", nargs="*", metavar=study.files[0], help=study.files[1])
    if "rounds" in study.settings and "tol" not in study.settings:
        made.epilog = f"A turn has {study.rounds} rounds unless --rounds says otherwise; it goes on to the last of them (no --tol)."
    for flag in study.flags:
        if flag.kind is bool:
            made.add_argument(f"--{flag.name}", action="store_true", help=flag.text)
        else:
            made.add_argument(f"--{flag.name}", default=flag.default, metavar=flag.metavar, help=flag.text)
    made.add_argument("--out", metavar="DIR", default="", help=study.out)
    made.add_argument("--force", action="store_true", help="let --out overwrite what is there")
    if not study.settings:
        made.add_quiet()
    return made


def read(words: Sequence[str], among: Collection[str] = STUDIES) -> dict[str, Any]:
    """What was typed, the name of a study ``among`` these first, for all ranks: JSON.

    Raises:
        InputError: it can't be.
    """
    from mpi_pgd.cli.arguments import number, settings

    name, *rest = words or ["nothing"]
    if name not in among:
        known = [one for one, command in STUDIES.items() if command.under]
        raise InputError(f"study was given {name}{nearest(name, known)}: expected one of {', '.join(known)}")
    study, arguments = load(name), parser(name).read(rest)
    values = {flag.name: getattr(arguments, flag.name.replace("-", "_")) for flag in study.flags}
    for flag in study.flags:
        if flag.kind in (int, float) and values[flag.name] is not None:
            values[flag.name] = number(arguments, flag.name, flag.kind, flag.least)
    given = study.given({key.replace("-", "_"): value for key, value in values.items()})
    given |= {"study": name, "out": arguments.out, "force": arguments.force, "quiet": bool(arguments.quiet)}
    if study.files:
        given["files"] = arguments.files
        if len(arguments.files) < len(study.files[0].split()):
            raise InputError(f"{name} was given {len(arguments.files)} names: expected {study.files[0]}; see --help")
    if study.settings:
        chosen = settings(arguments, rounds=study.rounds, cache=study.cache)
        given |= {"settings": chosen.as_dict(), "quiet": chosen.quiet}
    return given


def main(comm: "MPI.Intracomm", words: Sequence[str], start: float) -> int:
    """Measure, print, write. Collective."""
    from mpi_pgd.comm.world import once

    given = once(comm, None, lambda: read(words, [name for name, command in STUDIES.items() if command.ranks]))
    return load(given["study"]).run(comm, given, start)


def alone(words: Sequence[str]) -> int:
    """As ``main``, of a study that needs no ranks."""
    given = read(words)
    return load(given["study"]).alone(given)
