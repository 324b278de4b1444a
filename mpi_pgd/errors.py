"""What can go wrong, in the words that a person reads."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something the user gave can't be used: one sentence that says what, what was expected, and what to do.

    Ranks agree on it (``mpi_pgd.topology.world.agreement``): each raises the same one, so none is left waiting.
    """


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean X?)`` with the known word closest to ``word``, or nothing if none is close."""
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
