"""From measured points to fits: of each collective over all numbers of ranks, in pieces by size where a library changes its way.

The steps of our own algorithms are known, so one alpha, overhead and beta hold for all sizes. Of a library's collective they can
only be told by how its times grow with the ranks, and libraries take one algorithm for short vectors and another for long ones:
so there are two pieces where that explains the points better, each with the form that does. All are held near the link's own
alpha and beta, those of its ping-pong, which decide where there are few points or two ranks, whose forms are all alike.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.comm.graphs import alike
from mpi_pgd.comm.paths import Path, Shape
from mpi_pgd.modes import MODES, WAYS
from mpi_pgd.study.fitting import Fit, fit
from mpi_pgd.study.messages import Messages, message

LINKS = NODE, NETWORK = "node", "network"  # within a node, and between nodes
MESSAGE = "message"
TERMS = ("alpha", "overhead", "beta")
LEVEL = 0.3  # what it counts that all ranks' times are off alike, beside that they are off from each other: rms of logarithms
WIDE = 64  # times the smallest size that the largest is, at least, so that both together tell a beta
LEAST = 0.1  # of a time, that is no byte's
SWITCH = 0.15  # as LEVEL: by so much two pieces have to be better than one, over all sizes

# What may be measured, and what shapes that may have.
SHAPES: dict[tuple[str | None, str], tuple[Shape, ...]] = {
    (None, "ping-pong"): (Shape(MESSAGE, "alpha + n beta", lambda ranks, size: Path(1, 0, size)),),
    **{way: algorithm.shapes for way, algorithm in WAYS.items()},
}
Key = tuple[str, str | None, str]  # link, mode, algorithm
Row = Mapping[str, Any]


def fitted(record: dict[str, Any]) -> dict[str, Any]:
    """Add "fits" to a network record, and to its rows what was fitted and how far that is off."""
    record["fits"] = []
    messages: dict[str, Messages] = {}
    groups = sorted(by_key(record["rows"]).items(), key=lambda item: item[0][1] is not None)  # ping-pongs first
    bytewise = _bytewise(groups)
    for key, rows in groups:
        near = messages.get(key[0])
        for shape, part in _pieces(SHAPES[key[1:]], rows, near):
            found = _fit(shape, part, near, bytewise.get(key[0], 0.0))
            record["fits"].append(_entry(key, shape, found, min(row["bytes"] for row in part)))
            for row in (row for row in part if row["algorithm"] == key[2]):
                seconds = found(_terms(shape, row)) * (near.off(_terms(shape, row), row["bytes"]) if near else 1.0)
                row["fitted_seconds"], row["residual"] = seconds, seconds / row["seconds"] - 1
            if key[1] is None:
                messages[key[0]] = Messages.of(found.values[0], found.values[2], rows)
    return record


def _bytewise(groups: Sequence[tuple[Key, list[dict[str, Any]]]]) -> dict[str, float]:
    """Each link's beta, of ping-pongs, else of our own algorithms, as far as their sizes tell it: for those whose sizes do not."""
    found: dict[str, list[tuple[bool, float]]] = {}
    for (link, mode, algorithm), rows in groups:
        shape, *others = SHAPES[mode, algorithm]
        if not others and _wide(rows):
            found.setdefault(link, []).append((mode is None, float(_fit(shape, rows, None, 0.0).values[2])))
    return {link: median(beta for message, beta in some if message == some[0][0]) for link, some in found.items()}


def _wide(rows: Sequence[Row]) -> bool:
    sizes = [row["bytes"] for row in rows]
    return bool(max(sizes) >= WIDE * min(sizes))


def _fit(shape: Shape, rows: Sequence[Row], near: Messages | None, beta: float) -> Fit:
    """With ``beta`` in place of one of its own where the sizes are alike: in a few bytes more or less it is all noise."""
    if shape.name == MESSAGE and _wide(rows):
        return message(rows)
    paths = [_terms(shape, row) for row in rows]
    terms, seconds = np.array(paths), np.array([row["seconds"] for row in rows])
    known = near and [near.alpha, math.nan, near.beta or math.nan]
    if near:
        seconds = seconds / [near.off(path, row["bytes"]) for path, row in zip(paths, rows, strict=True)]
    if _wide(rows):
        return fit(terms, seconds, known)
    seconds = np.maximum(seconds - beta * terms[:, 2], LEAST * seconds)
    terms[:, 2] = 0.0
    found = fit(terms, seconds, known and [*known[:2], math.nan])
    found.values[2] = beta
    return found


def by_key(rows: Sequence[dict[str, Any]]) -> dict[Key, list[dict[str, Any]]]:
    """The rows of each link, mode and algorithm; of a graph, also those of another that is the same one with so many ranks."""
    found: dict[Key, list[dict[str, Any]]] = {}
    for row in rows:
        for name in _names(row["mode"], row["algorithm"], row["ranks"]):
            found.setdefault((row["link"], row["mode"], name), []).append(row)
    return found


@cache
def _names(mode: str | None, algorithm: str, ranks: int) -> Sequence[str]:
    if mode is None or not MODES[mode].neighbours:
        return (algorithm,)
    return next(names for names in alike(ranks) if algorithm in names)


def admitted(row: Row) -> bool:
    """Whether so many ranks can have been measured so."""
    algorithm = WAYS.get((row["mode"], row["algorithm"]))
    return algorithm is None or algorithm.admits(row["ranks"])


def _pieces(
    shapes: Sequence[Shape], rows: list[dict[str, Any]], near: Messages | None
) -> Iterator[tuple[Shape, list[dict[str, Any]]]]:
    """One or two shapes, each with the rows of the sizes at which it is taken; the first shape where nothing tells them apart."""
    sizes = sorted({row["bytes"] for row in rows})
    if len(shapes) == 1 or near is None:
        yield shapes[0], rows
        return
    errors = [[_error(shape, [row for row in rows if row["bytes"] == size], near) for size in sizes] for shape in shapes]
    split = min(
        (Split(sum(errors[first][:place]) + sum(errors[second][place:]) + (SWITCH if place else 0.0), place, first, second))
        for first, second in product(range(len(shapes)), repeat=2)
        for place in range(len(sizes))
    )
    for shape, some in ((split.first, sizes[: split.place]), (split.second, sizes[split.place :])):
        if some:
            yield shapes[shape], [row for row in rows if some[0] <= row["bytes"] <= some[-1]]


class Split(NamedTuple):
    """Two pieces: what is left of errors, how many sizes the first has, and the shapes' places."""

    error: float
    place: int
    first: int
    second: int


def _error(shape: Shape, rows: Sequence[Row], near: Messages) -> float:
    """Of one size's rows: how far they are from what the link's alpha and beta say, from each other and together."""
    logs = []
    for row in rows:
        path = _terms(shape, row)
        expected = (near.alpha * path.latencies + near.beta * path.bytes) * near.off(path, row["bytes"])
        logs.append(math.log(row["seconds"] / expected))
    middle = median(logs)
    return round(math.fsum(abs(log - middle) for log in logs) / len(logs) + LEVEL * abs(middle), 9)


def _terms(shape: Shape, row: Row) -> Path:
    return shape(row["ranks"], row["bytes"], row["bytes"])


def _entry(key: Key, shape: Shape, found: Fit, first: int) -> dict[str, Any]:
    entry: dict[str, Any] = dict(zip(("link", "mode", "algorithm"), key, strict=True)) | {"form": shape.name, "from_bytes": first}
    for term, value, *ends in zip(TERMS, found.values.tolist(), found.low.tolist(), found.high.tolist(), strict=True):
        low, high = (end if math.isfinite(end) else None for end in ends)
        entry |= {term: value, f"{term}_low": low, f"{term}_high": high}
    return entry | {"rms_residual": found.rms, "points": found.points}
