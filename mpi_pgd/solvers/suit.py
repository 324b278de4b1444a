"""Whether a solver suits a problem, and in which form: asked once, of facts, before the first round."""

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.errors import InputError
from mpi_pgd.solvers.evaluation import Curvature, Evaluation

if TYPE_CHECKING:
    from mpi_pgd.solvers import Solver

DENSE = 500  # numbers of the matrix for each row, up to which it pays
SAMPLED = 20  # rows for each unknown, of which a sampled Hessian is made
PASSES = 250  # over the rows, for whose gradients a model of several outputs has that of a sample: it has more products than rows
DIGITS = 1e-12  # a larger tolerance asks for an objective that is near its optimum, and not for all digits of the weights
MATRIX = 5_000  # unknowns: a matrix of more numbers takes more than some hundred MB on each rank


class Facts(NamedTuple):
    """What of a problem decides how it is solved; the same on every rank, whatever memory these have."""

    rows: int
    size: int  # unknowns
    outputs: int  # linear predictors a row
    quadratic: bool  # the loss is, in the linear predictor
    rough: str = ""  # the options that make the objective not smooth, as the user gave them; "": it is
    refined: "Solver | None" = None  # what solves least squares from X'X
    step: float = 0.0  # that was given; 0 if none was
    hessians: bool = True  # they can be asked for
    endless: bool = False  # all rounds are to be made
    loose: bool = False  # not all digits are asked for
    neighbours: bool = False  # each peer has the gradient of its own rows, and they mix their points

    @property
    def smooth(self) -> bool:
        """All of the objective is."""
        return not self.rough

    @property
    def matrix(self) -> bool:
        """Whether a Hessian may be formed."""
        return self.hessians and self.size <= MATRIX

    @property
    def sampled(self) -> bool:
        """Whether a Hessian of some rows costs less than it saves."""
        if not self.matrix or self.size**2 > DENSE * self.rows:
            return False
        formed = (self.outputs + 1) * self.size**2 * min(self.rows, SAMPLED * self.size) / self.outputs
        return self.outputs == 1 or formed + self.size**3 <= PASSES * 4 * self.rows * self.size


class Choice(NamedTuple):
    """A solver that suits a problem, and why it was chosen, if it was not asked for."""

    solver: "Solver"
    name: str = ""
    reason: str = ""
    biased: bool = False  # it comes to rest near the optimum, and not at it


def smooth_only(name: str, facts: Facts) -> None:
    """Refuse what is not smooth."""
    if not facts.smooth:
        raise InputError(
            f"--solver {name} takes smooth objectives alone, and with {facts.rough} this one is not: "
            "expected --solver auto, bb, nesterov or newton"
        )


def mixable(facts: Facts) -> None:
    """Refuse what peers that mix with their neighbours can't minimise: that which a step has made 0 is none after a mixing."""
    if not facts.smooth:
        raise InputError(
            f"peers that mix with their neighbours take smooth objectives alone, and with {facts.rough} this one is not: "
            "expected another --mode, or --l2"
        )


def whole_only(name: str, facts: Facts) -> None:
    """Refuse to go by the gradient of a peer's own rows."""
    if facts.neighbours:
        raise InputError(
            f"--solver {name} needs the gradient over all rows, and peers that mix with their neighbours have that of their own: "
            "expected --solver auto or gd, or another --mode"
        )


class Unsuited:
    """What no problem is ever given to: it names another solver for each."""

    needs: ClassVar[frozenset[Ask]] = frozenset()

    def init(self, weights: Vector, curvature: Curvature) -> Any:
        """Never called."""
        raise NotImplementedError

    def update(self, state: Any, evaluation: Evaluation) -> Any:
        """Never called."""
        raise NotImplementedError
