"""The file of a model: HDF5 that tells of itself, written whole or not at all, read from this version and all earlier ones.

Data sets: ``coef`` (p,) or (p, k), ``intercept`` () or (k,), and, where there are some, ``feature_names`` (p,), ``classes`` (k,),
the ``recipe`` by which a table's columns become features, and the ``record`` of the fit: what run.json holds, but for what it cost.
Attributes: the ``schema`` of all this, the version of ``mpi_pgd``, what the weights are ``about``, and each setting.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

import mpi_pgd
from mpi_pgd.data.names import Names
from mpi_pgd.data.opening import opened
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError, printable
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.output import Content

NAME = "model.h5"  # of a run bundle
RECORD = "run.json"
SCHEMA = 2  # of the file; those of 0.1 and 0.2 have none, nor a record
NUMERIC = 1  # of one whose classes have no words: who knows this one reads it
SETS = {"coef", "intercept", "feature_names", "classes", "recipe", "record"}
COSTS = {"costs", "per_round", "losses", "evaluations"}  # of a record, which a model does without
LARGEST = 1 << 15  # bytes of an attribute: HDF5 takes no more than 64 KiB
UNKNOWN = "no fit has written"
EXPECTED = "expected a model as `fit --out DIR` writes it, with coef (p,) or (p, k) and intercept"
ABOUT = {
    "/": "a linear model: eta = X coef + intercept, and its loss says how eta becomes a prediction",
    "coef": "a weight for each feature, in the features' own units, unscaled; a column for each output, if there are several",
    "intercept": "one for each output",
}


class Kept(NamedTuple):
    """What is kept of a model, as ``Model``."""

    coef: Vector
    intercept: float | Vector
    feature_names: Names = ()
    record: Mapping[str, Any] = {}
    recipe: str = ""


def place(path: str | os.PathLike[str]) -> str:
    """Of a file, or of that in a folder that ``--out`` wrote."""
    return str(Path(path, NAME)) if os.path.isdir(path) else os.fspath(path)  # noqa: PTH112  (Path.is_dir raises for names that are too long)


def digest(coef: Vector, intercept: float | Vector) -> str:
    """The sha256 of coef, row by row, then intercept as little-endian float64."""
    return hashlib.sha256(np.append(coef, intercept).astype("<f8").tobytes()).hexdigest()


def read(path: str) -> Kept:
    """What is in a file, by its own name.

    Raises:
        InputError: there is none, it is damaged, or none of this program's; or a later version wrote it.
    """
    if not os.path.exists(path):  # noqa: PTH110  (unlike Path.exists, no exception for names that are too long)
        raise InputError(f"there is no file {path}: expected a model, the folder that `fit --out` wrote or its {NAME}")
    with opened(path) as file:
        schema = file.attrs.get("schema", 0)
        if not isinstance(schema, int | np.integer) or schema > SCHEMA:
            version = f"version {file.attrs.get('mpi_pgd', 'unknown')} of mpi_pgd"
            raise InputError(
                f"{path} was written by {version}, whose models this one, {mpi_pgd.__version__}, can't read: install that"
            )
        coef, intercept = (_numbers(file, name, path) for name in ("coef", "intercept"))
        given = file.get("feature_names")
        names = tuple(map(printable, given[()].ravel().tolist())) if isinstance(given, h5py.Dataset) else ()
        record, recipe = (_text(file, name) for name in ("record", "recipe"))
        settings = {key: _plain(value) for key, value in file.attrs.items() if key not in ("schema", "mpi_pgd", "about")}
    if coef.ndim not in (1, 2) or intercept.shape not in (coef.shape[1:], coef.shape[1:] or (1,)):
        raise InputError(f"{path} has coef of shape {coef.shape} and intercept of shape {intercept.shape}: {EXPECTED}")
    if names and len(names) != len(coef):
        raise InputError(f"{path} has weights of {len(coef)} features and {len(names)} names: {EXPECTED}")
    bias = intercept if coef.ndim == 2 else float(intercept.reshape(()))
    return Kept(coef, bias, names, _record(path, record, digest(coef, bias), settings), recipe)


def _record(path: str, text: str, weights: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Its own; of earlier versions that of run.json beside it, if it is of these weights, or else what the attributes tell."""
    if text:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("config", {}), dict):
            raise InputError(f"{path} is damaged, its record can't be read: copy it again, or run the fit again")
        return found
    beside = output.says(Path(path).with_name(RECORD)) if Path(path).name == NAME else {}
    if beside.get("weights_sha256") == weights and isinstance(beside.get("config"), dict):
        return beside
    return {"config": settings, "weights_sha256": weights}


def _numbers(file: h5py.File, name: str, path: str) -> Vector:
    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu" or item.shape is None:
        raise InputError(f"{path} has no numbers named {name}: {EXPECTED}")
    return np.asarray(item[()], dtype=np.float64)


def _text(file: h5py.File, name: str) -> str:
    item = file.get(name)
    return str(item.asstr()[()]) if isinstance(item, h5py.Dataset) else ""


def _plain(value: Any) -> Any:
    """An attribute as a setting: what is no text and no number was written as JSON."""
    if isinstance(value, np.generic):
        return value.item()
    with suppress(ValueError, TypeError, RecursionError):
        if value in ("null", "[]") or value.startswith('["'):
            return json.loads(value)
    return value


def content(kept: Kept) -> Content:
    """The file of a model."""

    def written(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file["coef"], file["intercept"] = kept.coef, kept.intercept
            if kept.feature_names:
                file["feature_names"] = np.array(kept.feature_names, dtype=h5py.string_dtype())
            if known := kept.record.get("words"):
                file["classes"] = np.array(list(map(printable, known)), dtype=h5py.string_dtype())
            elif kept.record.get("classes"):
                file["classes"] = np.array(kept.record["classes"], dtype=np.float64)
            if kept.recipe:
                file["recipe"] = kept.recipe
            file["record"] = json.dumps({key: value for key, value in kept.record.items() if key not in COSTS})
            for key, value in kept.record.get("config", {}).items():
                told = value if isinstance(value, str | int | float) else json.dumps(value)
                if not isinstance(told, str) or len(told.encode()) <= LARGEST:
                    file.attrs[key] = told
            for name, text in ABOUT.items():
                file[name].attrs["about"] = text
            file.attrs["schema"], file.attrs["mpi_pgd"] = SCHEMA if known else NUMERIC, mpi_pgd.__version__

    return written


def write(path: str | os.PathLike[str], kept: Kept) -> None:
    """Write it, whole or not at all; over nothing but another model.

    Raises:
        InputError: that can't be done; what was there is as it was.
    """
    where = Path(place(path))
    conflicts.spare(f"save({os.fspath(path)!r})", {where: other}, force=False)
    try:
        output.replace({where: content(kept)})
    except output.FAILURES as error:
        raise InputError(f"the model can't be written to {where} ({output.reason(error)}): give a place that can") from None


def other(path: Path) -> str:
    """Why the file there is none that this program has written; nothing if it is."""
    with suppress(*output.FAILURES), h5py.File(path, "r", locking=False) as file:
        if {"coef", "intercept"} <= set(file) <= SETS and {"solver", "schema"} & set(file.attrs):
            return ""
    return UNKNOWN
