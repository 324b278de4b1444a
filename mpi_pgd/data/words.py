"""Targets that are words for classes, or truth values: the numbers that stand for them, and what those numbers are called."""

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from mpi_pgd.data.names import LONGEST
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.errors import InputError, printable
from mpi_pgd.losses.targets import MOST

Words = tuple[str | bool, ...]  # those for the targets 0, 1, ...
TRUTH: Words = (False, True)
KINDS = "OSUT"  # numpy's, of what may be words
SHOWN = 40  # characters of a value in a sentence
Family = tuple[type[Any], ...]
TEXTS: Family = (str,)
TRUTHS: Family = (bool, np.bool_)
NUMBERS: Family = (int, float, np.integer, np.floating)
FAMILIES = (TEXTS, TRUTHS, NUMBERS)  # the last one includes truth values
ATTRIBUTE = "classes"  # of targets in a file


def read(values: Rows, what: str, numeric: str) -> tuple[Rows, Words]:
    """Targets (rows,), text or objects, as numbers, and the words that these stand for; none where the objects are numbers.

    Args:
        values: of one of ``KINDS``.
        what: they are, for sentences.
        numeric: why they may not be text, likewise; or "".

    Returns:
        Of text the places among its words, float64 (rows,), and the words, ascending. Else truth values, or float64.

    Raises:
        InputError: one is missing, or of another type than the first; or the words are too many, too long, or no characters.
    """
    given = values.tolist()
    kinds = set(map(type, given))
    if bytes in kinds:
        given = [printable(each) if isinstance(each, bytes) else each for each in given]
        kinds = set(map(type, given))
    family = next((each for each in FAMILIES if any(issubclass(kind, each) for kind in kinds)), NUMBERS)
    if not all(issubclass(kind, family) for kind in kinds):
        row = next(row for row, each in enumerate(given) if not isinstance(each, family))
        shown = printable(repr(given[row]))
        raise InputError(
            f"{what} has {shown if len(shown) <= SHOWN else type(given[row]).__name__} in row {row}: expected a number, a text, or "
            f"true or false, alike in all rows; mend such rows, or leave them out"
        )
    if family is TEXTS:
        return _coded(given, what, numeric)
    if family is TRUTHS:
        return np.array(given, dtype=np.bool_), TRUTH
    try:
        return np.array(given, dtype=np.float64), ()
    except OverflowError:
        raise InputError(f"{what} has a whole number beyond what float64 holds: mend it, or leave the row out") from None


def _coded(given: list[str], what: str, numeric: str) -> tuple[Rows, Words]:
    if numeric:
        raise InputError(f"{what} holds text, and {numeric}")
    words = sorted(map(str, set(given)))
    if len(words) > MOST or max(map(len, words)) > LONGEST:
        raise InputError(
            f"{what} holds {len(words):,} different texts, of up to {max(map(len, words)):,} characters: expected at most {MOST:,} "
            f"classes, of {LONGEST:,} characters"
        )
    try:
        "".join(words).encode()
    except UnicodeEncodeError:
        raise InputError(f"{what} has text with half a character (a surrogate), which no file can hold: mend it") from None
    places = {word: place for place, word in enumerate(words)}
    return np.fromiter(map(places.__getitem__, given), np.float64, len(given)), tuple(words)


def again(codes: Rows, words: Words, every: Words) -> Rows:
    """Places among ``words`` as those among ``every`` word, both ascending: float64 (rows,)."""
    if words == every:
        return codes
    places = {word: place for place, word in enumerate(every)}
    found: Rows = np.array([places[word] for word in words], dtype=np.float64)[codes.astype(np.intp)]
    return found


def of_file(data_set: h5py.Dataset) -> Words:
    """Those that a data set of targets says, by its attribute ``classes``; none if it does not, or they are no words."""
    given = data_set.attrs.get(ATTRIBUTE)
    if not isinstance(given, np.ndarray) or given.ndim != 1 or len(given) > MOST:
        return ()
    words = tuple(each if isinstance(each, str) else printable(each) for each in given.tolist() if isinstance(each, str | bytes))
    return words if len(set(words)) == len(given) and all(len(word) <= LONGEST for word in words) else ()


def meant(codes: Sequence[float], words: Words) -> list[str | bool]:
    """The words for some targets; none if one of these has no word."""
    known = dict[float, str | bool](enumerate(words))
    found = [known[code] for code in codes if code in known]
    return found if len(found) == len(codes) else []
