"""The task of a model that a user wrote: its own function of weights and rows."""

from collections.abc import Callable
from typing import Any

from mpi_pgd.engine import trees
from mpi_pgd.engine.arrays import Vector, shown
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import BlockMap, Layout
from mpi_pgd.errors import InputError
from mpi_pgd.user import Misfit


class ModelTask:
    """What a ``GradientTask`` gives, from ``function(weights, x, y) -> (loss, gradient)``, both summed over the rows of a block.

    The weights are of the form ``form``, of ``size`` numbers, and so is the gradient. To a fit they are the weights of one linear
    predictor without an intercept: the point is ``[w (size,) | 0]``, and the sum of the slopes is 0.

    ``name`` is what the function is called in errors.
    """

    uneven = coarse = varies = False
    bound = units = None

    def __init__(self, function: Callable[..., Any], name: str, form: Any) -> None:
        self.function, self.name, self.form, self.size = function, name, form, trees.width(form)
        self.layout = Layout({"gradient": (1, self.size), "slopes": (1,), "value": ()})
        self.width = self.size + 1

    def bind(self, point: Vector) -> BlockMap:
        """At these weights.

        Raises:
            Misfit: in the rounds, where the function gives something else.
        """
        weights = self._weights(point)

        def mapped(block: Block, out: Vector) -> None:
            try:
                self._take(self.function(weights, shown(block.wide), shown(block.y.T)), out)
            except InputError as error:
                raise Misfit(str(error)) from None

        return mapped

    def rehearse(self, point: Vector, block: Block, out: Vector) -> None:
        """As the rounds will do it: what the function gives amiss is then an error that ranks can agree on.

        Raises:
            InputError: it gives something else.
        """
        self._take(self.function(self._weights(point), shown(block.wide), shown(block.y.T)), out)

    def _weights(self, point: Vector) -> Any:
        return trees.read(shown(point[: self.size]), self.form, trees.view)

    def _take(self, given: Any, out: Vector) -> None:
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise InputError(f"{self.name} gave {type(given).__name__}: expected a pair, the loss of a block and its gradient")
        try:
            loss = trees.form(given[0])
            trees.write(given[1], self.form, out[: self.size])
        except InputError as error:
            raise InputError(f"{self.name} gave {error}: expected a number and a gradient like the weights") from None
        if loss not in (trees.Leaf((), False, True), trees.Leaf((), True, True)):
            raise InputError(f"{self.name} gave {trees.told(loss)} as the loss: expected a number, the sum over the rows")
        out[self.size] = 0.0
        out[self.size + 1] = given[0]
