"""The checkpoint: one file, whole or not there, with all that a run needs to go on.

Line 1 names the format, line 2 is the sha256 of all bytes after it, line 3 a header in JSON; then come the arrays, float64,
little-endian, one after the other, and nothing else.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.claims import Claim

MAGIC, FORMAT = b"mpi_pgd checkpoint ", b"4"
COLUMNS = ("objective", "gradient_norm", "step", "seconds")  # of the history
ARRAYS = ("setup", "state", *COLUMNS, "init")  # in the order of the file
HEADER_BYTES = 64 << 20  # at most: the names of a million files

_TYPES: dict[str, type | tuple[type, ...]] = {
    "settings": dict,
    "data": dict,
    "kernels": str,
    "versions": dict,
    "rounds": int,
    "elapsed": (int, float),
    "first": str,
    "arrays": dict,
}
FIELDS = tuple(_TYPES)[:-1]  # of the header


class Checkpoint(NamedTuple):
    """What a run needs to go on: its newest snapshot, and what identifies it. The dicts hold JSON types only."""

    settings: dict[str, Any]  # all of them; infinity is None
    data: dict[str, Any]  # what identifies the rows
    kernels: str  # digest of the BLAS kernels, see mpi_pgd.comm.kernels
    versions: dict[str, Any]  # of what computed it
    rounds: int  # updates made
    elapsed: float  # seconds that the runs so far took together
    first: str  # sha256 of the sums at the start (``rules.fit.History``); empty before the first snapshot
    setup: Vector  # see ``drivers.moments.Moments.vector``; empty if the run had not got so far
    state: Vector  # the snapshot's vector; empty if setup is, or if no round was made
    history: Sequence[Vector]  # of COLUMNS: (rounds,) each
    init: Vector = np.zeros(0)  # the model that the run started from, see ``data.sides.Init.point``; empty if from none


def write(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write it aside, have the disk confirm it, then give it its name: the file there before stays until this one is whole.

    Raises:
        InputError: the disk is full, or the folder has gone or can't be written; nothing is left of the attempt.
        ValueError: ``read`` would refuse it.
    """
    flaw = _flaw(checkpoint)
    if flaw:  # nobody could go on from it, and it would replace one that is good
        raise ValueError(f"a checkpoint that can't be read again: {flaw}")
    vectors = (checkpoint.setup, checkpoint.state, *checkpoint.history, checkpoint.init)
    header: dict[str, Any] = {name: getattr(checkpoint, name) for name in FIELDS}
    header["arrays"] = {name: len(vector) for name, vector in zip(ARRAYS, vectors, strict=True)}
    body = [json.dumps(header, allow_nan=False).encode() + b"\n", *(np.asarray(vector, "<f8").tobytes() for vector in vectors)]
    digest = hashlib.sha256()
    for piece in body:
        digest.update(piece)
    content = output.raw(MAGIC + FORMAT + b"\n", digest.hexdigest().encode() + b"\n", *body)
    try:
        output.replace({Path(path): content})
    except OSError as error:
        raise InputError(
            f"the checkpoint {path} can't be written ({error.strerror}), the last one there is intact: make room for a new one"
        ) from None


def read(path: str | Path) -> Checkpoint:
    """The checkpoint in a file.

    Raises:
        InputError: there is none, it can't be read, is of another format, cut short or damaged, or has the right sum and
            nonsense inside.
    """
    with _opened(path) as stream:
        _check_format(path, stream.readline(len(MAGIC) + 20))
        digest, start = stream.readline(65), stream.tell()
        header = _header(path, stream.readline(HEADER_BYTES))
        first, size = stream.tell(), stream.seek(0, os.SEEK_END)
        expected = first + 8 * sum(header["arrays"].values())
        if size != expected:  # asked first: lengths that lie must not take memory
            _damaged(path, f"it has {size} bytes of {expected}" + (", it is cut short" if size < expected else ""))
        stream.seek(start)
        if hashlib.file_digest(stream, "sha256").hexdigest().encode() + b"\n" != digest:
            _damaged(path, "its checksum is another")
        stream.seek(first)
        lengths = [header["arrays"][name] for name in ARRAYS]
        setup, state, *history, init = (np.frombuffer(stream.read(8 * length), "<f8").astype(np.float64) for length in lengths)
    found = Checkpoint(**{name: header[name] for name in FIELDS}, setup=setup, state=state, history=history, init=init)
    flaw = _flaw(found)
    if flaw:
        _damaged(path, flaw)
    return found


def claim(path: str, *, again: bool = False) -> Claim:
    """See that a checkpoint can be written there, and that nobody else does so: now, not after hours. Makes the folder.

    Raises:
        InputError: that can't be done.
    """
    file = Path(os.path.realpath(path))
    return Claim(f"--checkpoint {path}", file.parent, [file.name], f".{file.name}.lock", again=again)


def spare(path: str, settings: Mapping[str, Any], force: bool) -> None:
    """Whether nothing is lost by writing there, or only an earlier checkpoint of the same rows.

    Args:
        path: the file.
        settings: of this run, with absolute names of files.
        force: the user has said that all may be lost.

    Raises:
        InputError: something would be.
    """

    def judge(file: Path) -> str:
        if not output.begins(file, MAGIC.decode()):
            return "is no checkpoint" if file.stat().st_size else ""  # an empty file holds nothing to be lost
        try:
            saved = read(file).settings
        except InputError:  # nobody could go on from it
            return ""
        same = (saved.get("data"), saved.get("x"), saved.get("y")) == (list(settings["data"]), settings["x"], settings["y"])
        return "" if same else "is one of other rows"

    conflicts.spare(f"--checkpoint {path}", {Path(path): judge}, force)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[BufferedReader]:
    try:
        kind = Path(path).stat().st_mode
        if not stat.S_ISREG(kind):  # opening a pipe would wait for ever
            what = "a folder" if stat.S_ISDIR(kind) else "no ordinary file"
            raise InputError(f"{path} is {what}: expected a checkpoint, as --checkpoint writes them")
        with Path(path).open("rb") as stream:
            yield stream
    except OSError as error:
        raise InputError(f"the checkpoint {path} can't be read ({error.strerror}): give one that --checkpoint wrote") from None


def _check_format(path: str | Path, line: bytes) -> None:
    if not line.startswith(MAGIC):
        raise InputError(f"{path} is no checkpoint: give a file that --checkpoint wrote")
    found = line.removeprefix(MAGIC).removesuffix(b"\n")
    if found != FORMAT:
        raise InputError(
            f"{path} is a checkpoint of another format ({found.decode(errors='replace')}, expected {FORMAT.decode()}): "
            f"use the version of mpi_pgd that wrote it"
        )


def _header(path: str | Path, line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
        json.dumps(header, allow_nan=False)  # NaN, and 1e999, which is read as infinity, are none that was written
        if not isinstance(header, dict) or set(header) != set(_TYPES):
            raise ValueError(f"expected an object with {', '.join(_TYPES)}")
        for name, kind in _TYPES.items():
            if not isinstance(header[name], kind) or isinstance(header[name], bool):
                raise ValueError(f"{name} is of another type")
        lengths = header["arrays"]
        if set(lengths) != set(ARRAYS) or not all(type(length) is int and length >= 0 for length in lengths.values()):
            raise ValueError(f"arrays holds no lengths of {', '.join(ARRAYS)}")
    except (ValueError, RecursionError) as error:  # undecodable bytes, too
        _damaged(path, f"its header can't be used ({error})")
    return header


def _flaw(checkpoint: Checkpoint) -> str:
    """Why nobody could go on from it, though each number is of the right type; nothing if all is well."""
    setup, state, rounds = checkpoint.setup, checkpoint.state, checkpoint.rounds
    if not 0 <= checkpoint.elapsed < 2**53:
        return "elapsed is no time"
    if rounds < 0 or any(len(column) != rounds for column in checkpoint.history):
        return f"its history is not one of {rounds} rounds"
    if (len(state) and len(setup) == 0) or (rounds and len(state) == 0):
        return "it has rounds without a state, or a state without a setup"
    if bool(rounds) != bool(checkpoint.first) or not re.fullmatch("([0-9a-f]{64})?", checkpoint.first):
        return "it has rounds without a digest of the first sums, or the reverse"
    if not all(np.isfinite(vector).all() for vector in (setup, *checkpoint.history, checkpoint.init)):
        return "it holds numbers that are not finite"
    features = checkpoint.data.get("features")
    if len(checkpoint.init) and not (isinstance(features, int) and features > 0 and len(checkpoint.init) % (features + 1) == 0):
        return "it starts from a model of other features"
    return _setup_flaw(setup) if len(setup) else ""


def _setup_flaw(setup: Vector) -> str:
    """As ``_flaw``; see ``drivers.moments.Moments.vector``."""
    width = float(setup[0])
    if not (width >= 2 and width.is_integer() and len(setup) >= 3 * width + 3):
        return f"its setup has {len(setup)} numbers"
    *_, spread, rest = np.split(setup, [1 + int(width), 1 + 3 * int(width)])
    if (spread < 0).any() or rest[0] <= 0:
        return "its setup has a negative deviation, peak or weight"
    return ""


def _damaged(path: str | Path, why: str) -> NoReturn:
    raise InputError(f"the checkpoint {path} is damaged, {why}: take an older copy, or start again without it")
