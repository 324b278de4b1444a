"""What can go wrong, in the words that a person reads."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 2000  # characters of a sentence: a name may be a whole file


class InputError(ValueError):
    """Something the user gave can't be used: one sentence that says what, what was expected, and what to do.

    Ranks agree on it (``mpi_pgd.topology.world.agreement``): each raises the same one, so none is left waiting. What a file
    or a user called something may hold line breaks, or what a terminal would obey: that is written as an escape.
    """

    def __init__(self, sentence: str) -> None:
        shown = printable(sentence)
        super().__init__(shown if len(shown) <= LONGEST else f"{shown[: LONGEST // 2]} ... {shown[-LONGEST // 2 :]}")


def printable(name: object) -> str:
    """``name`` as text: one in a file may hold bytes that are no text, line breaks, and what a terminal would obey."""
    text = name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean X?)`` with the known word closest to ``word``, or nothing if none is close."""
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
