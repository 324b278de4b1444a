"""What rows are like and what may be wrong with them: counts are exact, but where the record says that it is of a sample."""

from collections import Counter
from typing import Any

import numpy as np

from mpi_pgd.data.compare import compare
from mpi_pgd.data.csr import Csr
from mpi_pgd.data.findings import Seen, findings
from mpi_pgd.data.hashes import Hashes, mixed
from mpi_pgd.data.names import called
from mpi_pgd.data.profile import COLUMNS, ROWS, Profile, Repeats, bits, keys
from mpi_pgd.data.slabwise import Slab, Watch, slabs
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Vector

HASHED = 1 << 22  # rows whose hashes are held
SORTED = 1 << 20  # targets that are sorted
VALUES = 20  # distinct targets that are counted
TARGETS = 20  # columns of targets that are described
LISTED = 10_000  # features that the record lists


def check(table: Table, watch: Watch) -> dict[str, Any]:
    """A record of what the columns are like, and ``findings``, sentences on what may be wrong; all JSON.

    Raises:
        InputError: the rows can't be read.
    """
    features, beside = Profile(table.features), Profile(table.targets + bool(table.weights) + bool(table.offset))
    repeats, kept = Repeats(table.rows, HASHED), _Targets(table)
    for slab in slabs(table, watch):
        repeats.note(_noted(slab, features, beside), slab.rows.start)
        kept.note(slab)
    compared = compare(table, features, beside, kept.two, watch)
    names = called(table.names, range(table.features)) if table.features <= LISTED else []
    repeated, example = repeats.found()
    seen = Seen(table, features, beside, compared, kept.described(), repeated, repeats.share, example)
    return {
        "files": [part.path for part in table.parts],
        "rows": table.rows,
        "features": table.features,
        "sparse": table.sparse,
        "columns": [_column(name, features, place) for place, name in enumerate(names)],
        "beside": [_column(name, beside, place) for place, name in enumerate(seen.names)],
        "targets": seen.targets,
        "correlations": {
            "rows": compared.rows,
            "pairs": [[*called(table.names, pair[:2]), pair[2]] for pair in compared.pairs],
        },
        "repeated": {"rows": repeated, "share_looked_at": repeats.share, "first": example},
        "findings": [{"kind": kind, "text": text} for kind, text in findings(seen)],
    }


def _column(name: str, profile: Profile, place: int) -> dict[str, Any]:
    """One column, None where no value is finite."""
    some = profile.least[place] <= profile.most[place]
    figures = {"least": profile.least, "most": profile.most, "mean": profile.mean, "deviation": profile.deviation}
    counts = {"missing": profile.missing, "infinite": profile.infinite, "zeros": profile.zeros}
    told = {key: float(values[place]) if some and np.isfinite(values[place]) else None for key, values in figures.items()}
    return {"name": name, **told, **{key: int(values[place]) for key, values in counts.items()}}


def _noted(slab: Slab, features: Profile, beside: Profile) -> Hashes:
    """Note all columns; the hashes of the rows."""
    factors = keys(slab.rows, ROWS)
    columns = np.ascontiguousarray(slab.beside.T)
    others = bits(columns)
    beside.note(columns, others, factors)
    size = len(features.mean)
    if isinstance(slab.x, Csr):
        owners = np.repeat(np.arange(len(slab.rows)), np.diff(slab.x.starts))
        hashes = bits(slab.x.values.astype(np.float64))
        features.note_sparse(slab.x, hashes, factors[owners])
        found = np.zeros(len(slab.rows), np.uint64)
        np.add.at(found, owners, hashes * keys(slab.x.indices, COLUMNS))
    else:
        hashes = bits(slab.x)
        features.note(slab.x, hashes, factors)
        found = (hashes * keys(range(size), COLUMNS)).sum(axis=1)
    more = (others * keys(range(size, size + others.shape[1]), COLUMNS)).sum(axis=1)
    whole: Hashes = found + more
    return whole


class _Targets:
    """What the targets are like: some of them, by their rows' hashes, and how often each value is there while there are few."""

    def __init__(self, table: Table) -> None:
        self._share, self._count = min(1.0, SORTED / table.rows), min(table.targets, TARGETS)
        self._kept: list[Vector] = []
        self._values: list[Counter[float] | None] = [Counter() for _ in range(self._count)]

    def note(self, slab: Slab) -> None:
        """Some more."""
        y = slab.beside[: self._count]
        hashes = mixed(np.arange(slab.rows.start, slab.rows.stop, dtype=np.uint64), 5)
        self._kept.append(y if self._share == 1 else y[:, hashes < np.uint64(int(self._share * 2.0**64))])
        for place, (counter, line) in enumerate(zip(self._values, y, strict=True)):
            if counter is not None:
                values, counts = np.unique(line[~np.isnan(line)] + 0.0, return_counts=True)
                if len(values) <= VALUES:
                    counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
                if len(values) > VALUES or len(counter) > VALUES:
                    self._values[place] = None

    @property
    def two(self) -> tuple[float, ...]:
        """Both values of the first target, if it has two."""
        counter = self._values[0]
        return tuple(sorted(counter)) if counter and len(counter) == 2 else ()

    def described(self) -> list[dict[str, Any]]:
        """Of each target its quartiles, and its values, if they are few."""
        lines = []
        for values, counter in zip(np.concatenate(self._kept, axis=1), self._values, strict=True):
            good = values[np.isfinite(values)]
            quartiles = np.quantile(good, (0.25, 0.5, 0.75)).tolist() if len(good) else None
            few = None if counter is None else [[value, count] for value, count in sorted(counter.items())]
            lines.append({"quartiles": quartiles, "share_looked_at": self._share, "values": few})
        return lines
