"""``data make``."""

from typing import Any

from mpi_pgd.cli.arguments import Parser, number
from mpi_pgd.errors import InputError


def parser() -> Parser:
    """Its flags."""
    made = Parser(
        "python -m mpi_pgd data make OUT.h5 --rows N --features P [--condition C] [--density D] [--noise S] [--seed K] [--loss L]",
        "Make synthetic rows with known weights.",
    )
    made.add_argument("files", nargs="+", metavar="OUT.h5", help="the file to make")
    for name, default, text in (
        ("rows", None, "number of rows"),
        ("features", None, "number of features"),
        ("condition", "1", "condition number of the features' correlation"),
        ("density", "1", "which part of a row's numbers is not 0; below 1 the rows are sparse (CSR)"),
        ("noise", "0.1", "standard deviation of the noise in y"),
        ("seed", "0", "another seed, other rows"),
        ("loss", "squared", "the loss that the targets are drawn for, logistic, softmax, poisson or gamma"),
        ("classes", "3", "number of classes, with softmax"),
        ("weights", "", "make a data set of this name with each row's weight"),
        ("offset", "", "make a data set of this name with what is added to each row's linear predictor"),
    ):
        made.add_argument(f"--{name}", default=default, metavar=name.upper(), help=text)
    made.add_argument("--force", action="store_true", help="overwrite what is there")
    made.add_quiet()
    return made


def run(arguments: Any) -> int:
    """Make the rows."""
    from mpi_pgd.data.make import make
    from mpi_pgd.report.progress import steps

    if len(arguments.files) > 1:
        raise InputError(f"data make was given {len(arguments.files)} files: expected one, the file to make")
    whole = {name: number(arguments, name, int) for name in ("rows", "features", "seed", "classes")}
    real = {name: number(arguments, name, float) for name in ("condition", "noise", "density")}
    texts, told = {name: getattr(arguments, name) for name in ("loss", "weights", "offset")}, not arguments.quiet
    make(arguments.files[0], **whole, **real, **texts, force=arguments.force, watch=lambda slabs: steps("slab", slabs, told))
    return 0
