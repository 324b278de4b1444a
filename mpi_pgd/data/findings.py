"""Sentences on what may be wrong with rows."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.compare import LIKE, Compared
from mpi_pgd.data.names import called
from mpi_pgd.data.profile import Profile, alike
from mpi_pgd.data.slabwise import MATRIX
from mpi_pgd.data.table import Table
from mpi_pgd.errors import listed

SCALES = 1e6  # of the largest deviation to the smallest, or of a mean to its deviation
RARE = 0.01  # share of a class that is worth a word
SHOWN = 20  # sentences of one kind
SINGLE = float(np.finfo(np.float32).max)
Finding = tuple[str, str]  # kind, and sentence


class Seen(NamedTuple):
    """All that is known of rows; see ``check``."""

    table: Table
    features: Profile
    beside: Profile
    compared: Compared
    targets: list[dict[str, Any]]
    repeated: int
    share: float
    example: list[int]

    @property
    def names(self) -> list[str]:
        """Of what is beside the features."""
        table = self.table
        targets = [f"{table.y}[{place}]" for place in range(table.targets)] if table.targets > 1 else [table.y]
        return [*targets, *filter(None, (table.weights, table.offset))]


def findings(seen: Seen) -> Iterator[Finding]:
    """The most serious ones first."""
    yield from _missing(seen)
    yield from _leaks(seen)
    yield from _repeated(seen)
    yield from _like(seen)
    yield from _scales(seen)
    yield from _targets(seen)
    yield from (("note", words) for words in seen.table.warnings)


def _missing(seen: Seen) -> Iterator[Finding]:
    for profile, names in ((seen.features, None), (seen.beside, seen.names)):
        for kind, counts, what in (("missing", profile.missing, "missing"), ("infinite", profile.infinite, "infinite")):
            for place in _few(np.flatnonzero(counts)):
                name = names[place] if names else _name(seen, place)
                yield kind, f"{name} has {counts[place]:,} {what} values: a fit refuses them; drop or mend such rows, or the column"
            yield from _more(kind, int(np.count_nonzero(counts)), f"columns with {what} values")


def _leaks(seen: Seen) -> Iterator[Finding]:
    about = _of_rows(seen.compared.looked_at, seen.table.rows)
    found = set()
    for target, place in np.argwhere(np.abs(seen.compared.targets) > LIKE)[:SHOWN].tolist():
        found.add(place)
        told = f"a correlation of {np.clip(seen.compared.targets[target, place], -1, 1):.6f} with {seen.names[target]}{about}"
        yield "leak", f"{_name(seen, place)} has {told}: whether it is known before the target is, nobody but you can say"
    apart = [place for place in seen.compared.telling if place not in found]
    for place in apart[:SHOWN]:
        yield "leak", f"{_name(seen, place)} alone tells the two values of {seen.names[0]} apart: it may be made of the target"
    yield from _more("leak", len(apart), "features that tell the target")


def _repeated(seen: Seen) -> Iterator[Finding]:
    features = seen.features
    for group in alike(features.hashes, features.constant)[:SHOWN]:
        yield (
            "repeated columns",
            f"{listed([_name(seen, place) for place in group])} are the same in all rows: leave all but one out",
        )
    constant = np.flatnonzero(features.constant)
    for place in _few(constant):
        yield "constant", f"{_name(seen, place)} is {features.least[place]:g} in all rows: it adds nothing to an intercept"
    yield from _more("constant", len(constant), "constant features")
    if seen.repeated:
        some = "" if seen.share == 1 else f" among {seen.share:.1%} of all, which were looked at by their hashes"
        first, second = seen.example
        yield (
            "repeated rows",
            f"{seen.repeated:,} rows{some} repeat an earlier one in all, as row {second} does row {first}",
        )


def _like(seen: Seen) -> Iterator[Finding]:
    compared, hashes = seen.compared, seen.features.hashes
    pairs = [pair for pair in compared.pairs if hashes[pair[0]] != hashes[pair[1]]]
    about = _of_rows(compared.rows, seen.table.rows)
    for one, other, value in pairs[:SHOWN]:
        names = f"{_name(seen, one)} and {_name(seen, other)}"
        yield "correlated", f"{names} have a correlation of {value:.6f}{about}: their weights are hard to tell apart"
    yield from _more("correlated", len(pairs), f"pairs with a correlation beyond {LIKE}")
    if not compared.rows:
        count = f"{seen.table.features:,} features (at most {MATRIX:,})"
        yield "note", f"pairs of features with a high correlation were not looked for, as there are {count}: equal columns were"


def _scales(seen: Seen) -> Iterator[Finding]:
    features, deviation = seen.features, seen.features.deviation
    good = np.flatnonzero(features.sound & (deviation > 0))
    if len(good) and deviation[good].max() > SCALES * deviation[good].min():
        low, high = (int(good[way(deviation[good])]) for way in (np.argmin, np.argmax))
        told = " and ".join(f"{_name(seen, place)} one of {deviation[place]:.3g}" for place in (low, high))
        yield "scales", f"deviations differ much, as {told}: fit with --standardize, which is the default"
    far = good[np.abs(features.mean[good]) > SCALES * deviation[good]]
    for place in _few(far):
        told = f"{features.mean[place]:.9g} with a deviation of {deviation[place]:.3g} only"
        yield "scales", f"{_name(seen, place)} is {told}: subtract a round number from it, or digits are lost"
    yield from _more("scales", len(far), "features far from 0 beside their deviation")
    large = np.flatnonzero((features.most > SINGLE) | (features.least < -SINGLE))
    for place in _few(large):
        told = f"from {features.least[place]:.3g} to {features.most[place]:.3g}"
        yield "scales", f"{_name(seen, place)} goes {told}: float32 can't hold it"


def _targets(seen: Seen) -> Iterator[Finding]:
    for place, (target, name) in enumerate(zip(seen.targets, seen.names, strict=False)):
        if seen.beside.constant[place]:
            yield "target", f"{name} is {seen.beside.least[place]:g} in all rows: there is nothing to fit"
        for value, count in target["values"] or []:
            if count < RARE * seen.table.rows and len(target["values"]) > 1:
                yield "target", f"{name} is {value:g} in {count:,} of {seen.table.rows:,} rows only: --class-weight may help"
    weights = seen.names.index(seen.table.weights) if seen.table.weights else -1
    if weights >= 0 and seen.beside.least[weights] < 0:
        yield "weights", f"{seen.table.weights} has a weight of {seen.beside.least[weights]:g}: a fit refuses weights below 0"


def _name(seen: Seen, place: int) -> str:
    return called(seen.table.names, [place])[0]


def _few(places: NDArray[np.intp]) -> Sequence[int]:
    few: list[int] = places[:SHOWN].tolist()
    return few


def _more(kind: str, count: int, what: str) -> Iterator[Finding]:
    if count > SHOWN:
        yield kind, f"in all there are {count:,} {what}"


def _of_rows(some: int, rows: int) -> str:
    return "" if some == rows else f" in a sample of {some:,} rows"
