"""``predict``: what a fitted model says of rows, as a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpi_pgd.errors import InputError

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser

SETTINGS = ("x", "offset", "mode")


def parser() -> "Parser":
    """Its own flags, and the settings that say what the rows are, and who reads them."""
    from mpi_pgd.cli.arguments import Parser

    made = Parser(
        "mpirun -n N python -m mpi_pgd predict MODEL DATA ... OUT [options]",
        "Predict for each row of DATA, in parallel, by the MODEL that a fit has written: the target's mean; of classes the class,\n"
        "and the probability of each. OUT has the same bytes for any number of ranks, in every mode. Memory is bounded: rows are\n"
        "read once, and written as they are done. Columns are matched with the model's features by name, if both have names.",
    )
    text = "a run bundle or its model.h5; HDF5 files, globs or tables such as CSV; the file to write, .h5, .csv or .parquet"
    made.add_argument("files", nargs="*", metavar="MODEL DATA OUT", help=text)
    made.add_argument("--eta", action="store_true", help="write the linear predictors, too")
    for name in SETTINGS:
        made.add_setting(name)
    made.add_argument("--force", action="store_true", help="overwrite what is there")
    made.add_quiet()
    return made


def main(comm: "MPI.Intracomm", words: Sequence[str], start: float) -> int:
    """Predict, and say where it is. Collective."""
    from mpi_pgd.comm.world import once
    from mpi_pgd.recovery.signals import SignalFlag
    from mpi_pgd.session.predict import run

    with SignalFlag() as flag:
        given = once(comm, None, lambda: read(words))
        rows = run(comm, given, lambda: flag.came)
    if comm.rank == 0 and not given["quiet"]:
        from mpi_pgd.report import units

        print(f"{given['out']} has the predictions for {units.count(rows, 'row')}", flush=True)
    return 0


def read(words: Sequence[str]) -> dict[str, Any]:
    """What was typed; ``InputError`` if it can't be used, or would overwrite something."""
    from mpi_pgd.data import files
    from mpi_pgd.data.outputs import output_of
    from mpi_pgd.system import conflicts

    given = vars(parser().read(words))
    if len(given["files"]) < 3:
        expected = "expected the model, one file of rows or more, and the file to write: predict MODEL DATA OUT"
        raise InputError(f"predict was given {len(given['files'])} names: {expected}")
    model, *data, out = given["files"]
    output_of(out)
    data = files.find(data)
    conflicts.protect([(Path(out), f"predict ... {out}")], [*data, model, Path(model, "model.h5")])
    conflicts.spare(f"predict ... {out}", {Path(out): lambda _: "is there already"}, given["force"])
    options = {name: given[name] for name in SETTINGS if given[name] is not None}
    return {**given, "model": model, "data": data, "out": out, "options": options}
