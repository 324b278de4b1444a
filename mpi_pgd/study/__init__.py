"""The studies, a family: one object each, in a file or folder of its name. A new one is that, and a line in ``STUDIES``."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mpi_pgd.study.study import Study


class Command(NamedTuple):
    """What is known of a command before it, or MPI, is imported.

    Attributes:
        text: what it does, for the list of commands.
        ranks: it runs on ranks.
        deaf: a signal ends it at once.
        alone: a world that is not what it should be is for it to tell.
        under: the command that it is typed after, with others alike but for the text; none: it is a command itself.
    """

    text: str
    ranks: bool = True
    deaf: bool = False
    alone: bool = False
    under: str = ""


STUDIES = {
    "compare": Command("which mode and algorithm is better for this problem here, and why"),
    "scaling": Command("the speedup curve over the number of ranks"),
    "straggler": Command("the slowest worker's cost", under="study"),
    "solvers": Command("one problem by all solvers", under="study"),
    "topology": Command("one problem by every mode and graph", under="study"),
    "cache": Command("rows that are read again in each round against rows in memory", under="study"),
    "network": Command("latency and bandwidth of this network, for plan", deaf=True),
    "plan": Command("predicted rounds for 1 to 4096 workers, from what network measured", ranks=False),
    "diagram": Command("a round of each algorithm as messages between ranks, simulated", ranks=False),
    "evaluate": Command("how good a fitted model is on other rows"),
    "doctor": Command("what is wrong with this set-up, in seconds", deaf=True, alone=True),
}


@cache
def load(name: str) -> "Study":
    """The study of that name. Imports neither MPI nor matplotlib."""
    made: Study = getattr(import_module(f"{__name__}.{name}"), name.capitalize())()
    return made


def every() -> "dict[str, Study]":
    """All studies, by name."""
    return {name: load(name) for name in STUDIES}
