"""Members of families as tests want them."""

from typing import Any

from mpi_pgd.engine.tasks import Ask
from mpi_pgd.options import options_of
from mpi_pgd.solvers import SOLVERS, Solver

SOLVING = [name for name in SOLVERS if name != "auto"]  # that do it themselves
SURE = [name for name in SOLVING if Ask.BATCH not in SOLVERS[name]().needs]  # in whom nothing is drawn by chance
STEPPED = [name for name in SURE if "step" in options_of([SOLVERS[name]])]  # whose steps can be given


def solver_of(name: str, **options: Any) -> Solver:
    """With those of the options that it has, and its defaults."""
    return SOLVERS[name](**{key: value for key, value in options.items() if key in options_of([SOLVERS[name]])})
