"""Parallel gradient descent over MPI, with the same bits whoever computes.

Importing the package imports neither numpy nor MPI: ``fit`` and the others are looked up when first used.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mpi_pgd.errors import InputError

if TYPE_CHECKING:
    from mpi_pgd.engine.trees import shaped
    from mpi_pgd.model.model import Model, load
    from mpi_pgd.session.mapreduce import Rows, mapreduce
    from mpi_pgd.session.run import Result, fit

__version__ = "0.2.0"
__all__ = ["InputError", "Model", "Result", "Rows", "__version__", "fit", "load", "mapreduce", "shaped"]
HOMES = {
    **{"fit": "session.run", "Result": "session.run", "mapreduce": "session.mapreduce", "Rows": "session.mapreduce"},
    **{"shaped": "engine.trees", "Model": "model.model", "load": "model.model"},
}


def __getattr__(name: str) -> Any:
    if name in HOMES:
        components = import_module("mpi_pgd.comm.components")
        if "mpi4py.MPI" in sys.modules:  # it is too late: that import starts MPI
            components.mark(os.environ)
        else:
            components.apart(os.environ)
            components.choose(os.environ)
        return getattr(import_module(f"mpi_pgd.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
