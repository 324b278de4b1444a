"""Tables assembled from many places as people do it, whole or with one thing wrong: then the right rows are read, or none."""

import os
from itertools import pairwise
from pathlib import Path
from random import Random

import h5py
import numpy as np

from tests.chaos.valid import FEATURES, ROWS, X, Y

WRONG = ("hole", "overlap", "short", "narrow", "flat", "gone", "unwritten", "pipe", "link", "not HDF5")
JUNK = 1e6  # of rows around those that are taken


def assemble(file: h5py.File, draw: Random) -> str:
    """X and y of the valid files, X a virtual data set; returns what is wrong with it, empty if nothing is."""
    wrong = draw.choice(WRONG) if draw.random() < 0.6 else ""
    parts = _parts(draw)
    victim = draw.randrange(len(parts))
    layout = h5py.VirtualLayout(X.shape, "f8")
    for number, (rows, columns) in enumerate(parts):
        its, values = wrong if number == victim else "", X[rows, columns]
        if its == "flat" and values.shape[1] == 1:
            its = "short"  # a single column may as well be flat
        before, after = draw.choice(((0, 0), (0, 9), (7, 0), (64, 64)))
        padded = np.pad(values, ((before, after), (0, 0)), constant_values=JUNK)
        source = h5py.VirtualSource(*_stored(file, number, padded, range(before, before + len(values)), its, draw), padded.shape)
        left = 1 if its == "hole" else 0
        whole = not (before or after or left) and draw.random() < 0.5
        layout[slice(rows.start, rows.stop - left * rows.step, rows.step), columns] = (
            source if whole else source[before : before + len(values) - left]
        )
        if its == "overlap":
            again = h5py.VirtualSource(source.path, source.name, padded.shape)
            layout[rows.start, columns] = again[before + 1]
    file.create_virtual_dataset("X", layout)
    file["y"] = Y
    return wrong


def _parts(draw: Random) -> list[tuple[slice, slice]]:
    """Boxes, or interleaved rows, that cover all of X once."""
    if draw.random() < 0.3:
        step = draw.choice((2, 3, 5))
        return [(slice(first, ROWS, step), slice(0, FEATURES)) for first in range(step)]
    cuts = sorted({0, ROWS, *draw.sample(range(10, ROWS, 10), draw.randrange(6))})
    side = draw.randrange(FEATURES)
    sides = [slice(0, side), slice(side, FEATURES)][not side :]
    return [(slice(low, high, 1), columns) for low, high in pairwise(cuts) for columns in sides]


def _stored(file: h5py.File, number: int, values: np.ndarray, taken: range, wrong: str, draw: Random) -> tuple[str, str]:
    """Store the values, of which some rows are ``taken``, in this file or another; returns the names of file and data set."""
    kept = {"short": values[: taken.stop - 1], "narrow": values[:, :-1], "flat": values.ravel()}.get(wrong, values)
    own = wrong not in ("gone", "pipe", "not HDF5") and draw.random() < 0.3
    path, name = Path(file.filename).parent / f"part{number}.h5", f"values{number}"
    with h5py.File(path, "w") as other:
        here = file if own else other
        if wrong == "unwritten" or (kept.ndim == 2 and kept.size and draw.random() < 0.4):
            step = draw.choice((1, 3, 16))
            size = min(step, len(kept)), draw.randint(1, kept.shape[1])
            made = here.create_dataset(name, kept.shape, "f8", chunks=size, compression=draw.choice((None, "gzip")))
            end = taken.stop if wrong != "unwritten" else (taken.stop - 1) // size[0] * size[0]
            made[taken.start : end] = kept[taken.start : end]  # of what is not taken, some is never written
        else:
            here[name] = kept
    named = "." if own else path.name
    if wrong == "link" or draw.random() < 0.3:
        target = "gone" if wrong == "link" else name
        outer = path.with_name(f"link{number}.h5")  # of another file: HDF5 crashes on a source that links to its own by name
        soft = own or draw.random() < 0.5
        with h5py.File(path if soft and not own else outer, "a") as other:
            (file if own else other)["link" + name] = h5py.SoftLink(target) if soft else h5py.ExternalLink(path.name, target)
        named, name = named if soft else outer.name, "link" + name
    if wrong in ("gone", "pipe", "not HDF5"):
        path.unlink()
    if wrong == "pipe":
        os.mkfifo(path)
    if wrong == "not HDF5":
        path.write_text("no HDF5")
    return named, name
