"""The command line. Rank 0 reads it and tells the others; ``--help`` and ``data`` do not start MPI."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

from mpi_pgd import __version__, config
from mpi_pgd.errors import InputError, nearest

if TYPE_CHECKING:
    import argparse

    from mpi4py import MPI

COMMANDS = ("fit", "data")
RANK_VARIABLES = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")
SHIPPED = Path("data", "diamonds.h5")


def main(argv: Sequence[str]) -> int:
    """Run the program; returns its exit code."""
    start = perf_counter()
    first = next((os.environ[name] for name in RANK_VARIABLES if name in os.environ), "0") == "0"
    if any(word in ("-h", "--help", "--version") for word in argv):
        return _describe(argv) if first else 0
    if argv and argv[0] == "data":
        return _data(argv[1:]) if first else 0
    return _fit(argv, start)


def _describe(argv: Sequence[str]) -> int:
    if "--version" in argv:
        print(f"mpi_pgd {__version__}")
    else:
        (_data_parser() if argv[0] == "data" else _fit_parser()).print_help()
    return 0


def _fit(argv: Sequence[str], start: float) -> int:
    import mpi4py

    mpi4py.rc.threads = False  # one thread a rank calls MPI: no locks needed
    from mpi_pgd.topology import world

    try:
        comm = world.start()
    except InputError as error:
        if os.environ.get("SLURM_PROCID", "0") == "0":
            _complain(error)
        return 2
    with world.guard(comm):
        try:
            code = _fit_on(comm, argv, start)
        except InputError as error:
            if comm.rank == 0:
                _complain(error)
            code = 2
        comm.Barrier()  # a launcher may kill the others as soon as one has left with an error
    return code


def _fit_on(comm: "MPI.Intracomm", argv: Sequence[str], start: float) -> int:
    from mpi_pgd import run
    from mpi_pgd.survive.signals import SignalFlag
    from mpi_pgd.topology import world

    text, shipped = "", False
    with world.agreement(comm):
        if comm.rank == 0:
            chosen = _settings(argv[1:] if argv[:1] == ["fit"] else argv)
            shipped = not chosen.data
            text = json.dumps({**chosen.as_dict(), "data": chosen.data or [_shipped()]})
    chosen = config.settings(json.loads(world.share(comm, text)))
    with SignalFlag() as signal:
        result = run.run(comm, chosen, lambda: signal.came, start)
    if comm.rank == 0:
        _print(result, chosen, shipped)
    return run.EXIT_CODES.get(result.status, 0)


def _print(result: Any, chosen: config.Settings, shipped: bool) -> None:
    from mpi_pgd.report.tables import INTRODUCTION, summary
    from mpi_pgd.run import diverged

    if not chosen.quiet:
        if shipped:
            print(INTRODUCTION.format(features=len(result.coef)))
        resent = 8 * (len(result.coef) + 2) if chosen.mode == "client-server" else 0
        print(summary(result.record, result.r2, resent), flush=True)
    if result.status == "diverged":
        _complain(diverged(result))


def _complain(error: object) -> None:
    print(f"mpi_pgd: {error}", file=sys.stderr, flush=True)


def _shipped() -> str:
    for folder in (Path(), Path(__file__).parent.parent):
        if (folder / SHIPPED).exists():
            return str(folder / SHIPPED)
    raise InputError(f"no data was given, and the shipped {SHIPPED} is not here: name one or more HDF5 files")


def _settings(argv: Sequence[str]) -> config.Settings:
    """Defaults, then the TOML file, then the flags."""
    given = {name: value for name, value in vars(_parse(_fit_parser(), argv)).items() if value is not None}
    path = given.pop("config", None)
    if not given["data"]:
        del given["data"]
    elif given["data"][0] not in COMMANDS and not Path(given["data"][0]).exists():
        hint = nearest(given["data"][0], COMMANDS)
        if hint:
            raise InputError(f"there is no file {given['data'][0]}{hint}: give a command, or one or more HDF5 files")
    values = {**(_toml(path) if path else {}), **given}
    return config.settings(values, lambda name: f"{name} in {path}" if path and name not in given else config.flag(name))


def _toml(path: str) -> dict[str, Any]:
    import tomllib

    try:
        values = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path} can't be read ({error}): give a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"--config {path} is not TOML: {error}") from None
    return {name.replace("-", "_"): value for name, value in values.items()}


def _parse(parser: "argparse.ArgumentParser", argv: Sequence[str]) -> "argparse.Namespace":
    """The known flags; an unknown one is named, with the nearest that there is."""
    arguments, unknown = parser.parse_known_intermixed_args(argv)
    flags = [word for word in unknown if word.startswith("-")]
    if flags or unknown:
        word = (flags or unknown)[0].split("=")[0]
        known = [flag for action in parser._actions for flag in action.option_strings]
        raise InputError(f"unknown flag {word}{nearest(word, known)}: see --help for those that there are")
    return arguments


def _parser(usage: str, description: str) -> "argparse.ArgumentParser":
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise InputError(f"{message}; see --help")

    return Parser(prog="mpi_pgd", usage=usage, description=description, allow_abbrev=False)


def _fit_parser() -> "argparse.ArgumentParser":
    import argparse

    parser = _parser(
        "mpirun -n N python -m mpi_pgd [fit] [DATA ...] [options]\n       python -m mpi_pgd data make|info ...",
        "Fit a linear model by parallel gradient descent. The weights have the same bits for any number of ranks, in both modes.",
    )
    parser.add_argument("data", nargs="*", metavar="DATA", help="HDF5 files or globs, one long table; default: the shipped data")
    for name, option in config.OPTIONS.items():
        text = option.metadata["text"]
        if option.default is True:
            parser.add_argument(config.flag(name), action=argparse.BooleanOptionalAction, help=f"{text} (default: on)")
        elif option.type is bool:
            parser.add_argument(config.flag(name), action="store_const", const=True, help=text)
        else:
            shown = "|".join(option.metadata["choices"]) or name.upper()
            default = "" if option.default in ("", float("inf")) else f" (default: {option.default})"
            parser.add_argument(config.flag(name), metavar=shown, help=text + default)
    parser.add_argument("--config", metavar="FILE.toml", help="settings by these names, - or _; flags win")
    parser.add_argument("--version", action="store_true", help="print the version", default=None)
    return parser


def _data(argv: Sequence[str]) -> int:
    try:
        arguments = _parse(_data_parser(), argv)
        if arguments.action == "make":
            _make(arguments)
        else:
            _info(arguments)
    except InputError as error:
        _complain(error)
        return 2
    return 0


def _data_parser() -> "argparse.ArgumentParser":
    parser = _parser(
        "python -m mpi_pgd data make OUT.h5 --rows N --features P [--condition C] [--noise S] [--seed K]\n"
        "       python -m mpi_pgd data info FILE ... [--ranks N] [--x NAME] [--y NAME]",
        "Make synthetic rows with known weights, or say what is in a file and what each rank would hold.",
    )
    parser.add_argument("action", choices=("make", "info"))
    parser.add_argument("files", nargs="+", metavar="FILE")
    for name, default, text in (
        ("rows", None, "make: number of rows"),
        ("features", None, "make: number of features"),
        ("condition", "1", "make: condition number of the features' correlation"),
        ("noise", "0.1", "make: standard deviation of the noise in y"),
        ("seed", "0", "make: another seed, other rows"),
        ("ranks", "4", "info: show what each of so many ranks would hold"),
        ("x", "X", "info: data set with the features"),
        ("y", "y", "info: data set with the targets"),
    ):
        parser.add_argument(f"--{name}", default=default, metavar=name.upper(), help=text)
    return parser


def _number(arguments: Any, name: str, kind: type[int] | type[float]) -> Any:
    value = getattr(arguments, name)
    try:
        return kind(value)
    except (TypeError, ValueError):
        what = "a whole number" if kind is int else "a number"
        raise InputError(f"--{name} was given {value!r}: expected {what}") from None


def _make(arguments: Any) -> None:
    from mpi_pgd.data.make import make

    if len(arguments.files) > 1:
        raise InputError(f"data make was given {len(arguments.files)} files: expected one, the file to make")
    whole = {name: _number(arguments, name, int) for name in ("rows", "features", "seed")}
    real = {name: _number(arguments, name, float) for name in ("condition", "noise")}
    make(arguments.files[0], **whole, **real)


def _info(arguments: Any) -> None:
    from mpi_pgd.data import hdf5
    from mpi_pgd.data.partition import Partition
    from mpi_pgd.report.tables import holdings

    ranks = _number(arguments, "ranks", int)
    if ranks < 1:
        raise InputError(f"--ranks was given {ranks}: expected a whole number of at least 1")
    table = hdf5.inspect(hdf5.find(arguments.files), arguments.x, arguments.y)
    partition = Partition(table.rows, table.features)
    print("\n".join(f"{part.path}: {part.rows:,} rows, {part.layout}" for part in table.parts))
    print(f"{table.x}: ({table.rows:,}, {table.features:,}) {table.x_type}   {table.y}: {table.y_type}")
    print(f"features: {', '.join(table.names) or 'not named'}")
    print(f"{partition.blocks:,} blocks of {partition.block_rows:,} rows")
    for mode, workers, first in (("client-server", max(1, ranks - 1), ranks > 1), ("peer-to-peer", ranks, False)):
        spans = [partition.span(range(0))] * first + [partition.span(partition.shard(i, workers)) for i in range(workers)]
        print(holdings(mode, [(len(span), table.bytes(len(span))) for span in spans]))
