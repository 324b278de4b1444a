"""What is added to the mean loss, on the weights of the scaled features. A new term is a file here, and its line in ``PENALTIES``.

All are added, each with the strengths that its options say, by default none; ``Penalty`` is their sum.
"""

from collections.abc import Callable
from typing import Any

from mpi_pgd.options import made, options_of
from mpi_pgd.penalties.lasso import Lasso
from mpi_pgd.penalties.ridge import Ridge
from mpi_pgd.penalties.strengths import Term
from mpi_pgd.penalties.total import Penalty

__all__ = ["PENALTIES", "Penalty", "Term", "rough"]

PENALTIES: dict[str, Callable[..., Term]] = {
    "ridge": Ridge,
    "lasso": Lasso,
}


def rough(chosen: Any) -> list[str]:
    """The options of those terms that are not smooth, as they are ``chosen``."""
    given = {term: made(term, chosen).strengths for term in PENALTIES.values()}
    return [*options_of(term for term, adds in given.items() if adds.absolute or adds.joint)]
