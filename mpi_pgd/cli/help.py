"""The first page of help, 30 lines; each command has a page of its own, by its parser."""

from textwrap import shorten

from mpi_pgd.cli.commands import COMMANDS
from mpi_pgd.modes import MODES

PAGE = """\
usage: mpirun -n N python -m mpi_pgd [fit] [DATA ...] [options]
       [mpirun -n N] python -m mpi_pgd COMMAND [options]

Fit a linear model to rows in HDF5 files, in parallel, to the same bits on any
ranks. DATA: files or globs, one long table; default: the diamonds shipped.

commands; each has a page of its own, help COMMAND:
{commands}

settings of fit that are needed most; help fit has all:
  --mode NAME            {modes}
  --loss NAME, --l2 X    squared (default), logistic, ...; a ridge penalty
  --x NAME, --y NAME     data sets with the features and the targets (X, y)
  --out DIR              keep the coefficients and the run's record
  --checkpoint FILE      keep the state, too; --resume FILE goes on from it

exit codes: 0 ended, 1 a bug, 2 bad input, 4 diverged or no optimum, 75 stopped
"""


def first_page() -> str:
    """Lines of at most 80 letters, however many members the families have."""
    *first, last = MODES
    commands = [f"  {name:<10}{_short(command.text, 68)}" for name, command in COMMANDS.items()]
    return PAGE.format(modes=_short(f"{', '.join(first)} or {last}", 55), commands="\n".join(commands))


def _short(text: str, most: int) -> str:
    return shorten(text, most, placeholder=" ...")
