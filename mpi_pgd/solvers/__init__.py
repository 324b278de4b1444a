"""How a gradient becomes the next weights. A new solver is a file here, and its line in ``SOLVERS``.

A solver is ``init(weights, curvature) -> state`` and ``update(state, evaluation) -> state``. States are NamedTuples of arrays; an
update may write the next state into the arrays of the one it was given, so that the loop allocates nothing.
"""

from collections.abc import Callable
from typing import Any, Protocol

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.auto import Auto
from mpi_pgd.solvers.bb import BarzilaiBorwein
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.gd import GradientDescent
from mpi_pgd.solvers.lbfgs import LBFGS
from mpi_pgd.solvers.momentum import Momentum
from mpi_pgd.solvers.nesterov import Nesterov
from mpi_pgd.solvers.newton import Newton
from mpi_pgd.solvers.sgd import StochasticGradient
from mpi_pgd.solvers.suit import Choice, Facts


class Solver(Protocol):
    """One evaluation an update. Its options are its own fields.

    Its state is a NamedTuple of arrays, numbers and other such states, with

    - ``point`` (size,), where the next round evaluates, and ``ask``, what it evaluates (``engine.tasks.Ask``),
    - ``step``, the length of the last step, 0 before the first,
    - ``steps``, with ``gain(norm)``, what the first step from a gradient of this norm is to lower the objective by, in order of
      magnitude, inf if it may rise, as that is mended; ``sound``, whether it can be gone on from; and ``recovers``, whether the
      solver comes back from points that are too far: where the objective is higher, or inf.

    Only the solver knows the rest.

    Attributes:
        needs: what it may ask for.
    """

    @property
    def needs(self) -> frozenset[Ask]:
        """See above."""

    def suited(self, facts: Facts) -> Choice:
        """The solver for a problem like this: itself, or one that has what it lacks.

        Raises:
            InputError: it solves none such.
        """

    def init(self, weights: Vector, curvature: Curvature) -> Any:
        """The state before the first round, which is at ``weights`` (size,)."""

    def update(self, state: Any, evaluation: Evaluation) -> Any:
        """The state after a round."""


SOLVERS: dict[str, Callable[..., Solver]] = {
    "auto": Auto,
    "nesterov": Nesterov,
    "gd": GradientDescent,
    "momentum": Momentum,
    "bb": BarzilaiBorwein,
    "lbfgs": LBFGS,
    "newton": Newton,
    "sgd": StochasticGradient,
}

CLOSER: Solver = Newton()  # looks closer at where another one came to an end: what has an optimum is at rest there at once
PLAIN: Solver = LBFGS(metric=False)  # the same where a matrix costs too much
