"""Sparse rows that are none, or nearly: what of three data sets and a shape is damaged, and what rows are left, by definition."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import numpy as np

from tests.chaos.valid import FEATURES, ROWS, Given, compressed

PLACES = (-1, 0, 1, FEATURES - 1, FEATURES, 2**31 - 1, 2**31, 2**40, -(2**40))
KINDS = ("csr_matrix", "csc_matrix", "array", "", 3)


def one_number(given: Given, draw: Random) -> None:
    part = draw.choice(("indices", "indptr", "indptr"))
    given[part][draw.choice((0, -1, draw.randrange(len(given[part]))))] = draw.choice((*PLACES, len(given["data"]), ROWS))


def one_value(given: Given, draw: Random) -> None:
    given["data"][draw.randrange(len(given["data"]))] = draw.choice((np.nan, np.inf, -np.inf, 0.0, 5e-324, 1e308))


def turned(given: Given, draw: Random) -> None:
    """Neighbours change places: harmless within a row, if values go with them."""
    place = draw.randrange(len(given["indptr"]) - 1)
    row = slice(place, place + 2) if draw.random() < 0.4 else slice(*given["indptr"][place : place + 2])
    for part in ("indptr",) if row.stop == place + 2 else ("data", "indices")[: draw.choice((1, 2))]:
        given[part][row] = given[part][row][::-1].copy()


def twice(given: Given, draw: Random) -> None:
    place = draw.randrange(1, len(given["indices"]))
    given["indices"][place] = given["indices"][place - 1]


def length(given: Given, draw: Random) -> None:
    part, more = draw.choice(("data", "indices", "indptr")), draw.choice((-1, 1, -7, None))
    given[part] = np.resize(given[part], 0 if more is None else len(given[part]) + more)


def kind(given: Given, draw: Random) -> None:
    part = draw.choice(("data", "indices", "indptr"))
    dtype = draw.choice(("u1", "i1", ">i2", "u4", ">u8", "f2", ">f4", "S3", "c16", "?", "f4,f8"))
    with np.errstate(all="ignore"):
        given[part] = given[part].astype(dtype) if dtype != "f4,f8" else np.zeros(len(given[part]), dtype)


def shape(given: Given, draw: Random) -> None:
    choices = (ROWS + 1, FEATURES), (ROWS, FEATURES + 5), (ROWS, FEATURES - 1), (FEATURES, ROWS), (ROWS,), (ROWS, FEATURES, 1)
    others = (-ROWS, FEATURES), (ROWS, 0), (0, 0), (float(ROWS), np.nan), (b"a", b"b"), (2**63, 2**63), (ROWS, -FEATURES), ()
    given["shape"] = np.array(draw.choice((*choices, *others)))


def missing(given: Given, draw: Random) -> None:
    del given[draw.choice(list(given))]


def flat(given: Given, draw: Random) -> None:
    part = draw.choice(("data", "indices", "indptr"))
    given[part] = given[part][None] if draw.random() < 0.7 else given[part][0]


def called(given: Given, draw: Random) -> None:
    given["encoding-type"] = draw.choice(KINDS)


DAMAGES: tuple[Callable[[Given, Random], None], ...] = (
    *(one_number, one_number, one_value, turned, twice, length, kind, shape, missing, flat, called),
)


def damaged(draw: Random) -> Given:
    """With one thing wrong, or nothing."""
    given = compressed()
    draw.choice(DAMAGES)(given, draw)
    return given


def meant(given: Given) -> np.ndarray | None:
    """The rows, by the definition; None if these are none."""
    try:
        data, indices, starts = (given[name] for name in ("data", "indices", "indptr"))
        rows, features = (int(size) for size in given["shape"])
        plain = all(np.ndim(each) == 1 for each in (data, indices, starts)) and len(data) == len(indices)
        whole = all(each.dtype.kind in "iu" for each in (indices, starts)) and data.dtype.kind in "iufb"
        if not (plain and whole and np.isfinite(data).all()):
            return None
        by_columns = str(given.get("encoding-type", "")).startswith("csc")
        if by_columns or (rows, features) == (FEATURES, ROWS):  # as 10x Genomics writes rows, which it calls columns
            rows, features = features, rows
        bounds = [int(each) for each in starts]
        if len(bounds) != rows + 1 or (bounds[0], bounds[-1]) != (0, len(data)) or bounds != sorted(bounds) or features < 1:
            return None
        found = np.zeros((rows, features))
        for row, (start, stop) in enumerate(pairwise(bounds)):
            places = [int(each) for each in indices[start:stop]]
            if len({*places}) < len(places) or not all(0 <= each < features for each in places):
                return None
            found[row, places] = data[start:stop]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
    return found
