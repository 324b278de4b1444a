"""Network files: read, and refused in one sentence if they are something else."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mpi_pgd.data.files import regular
from mpi_pgd.errors import InputError
from mpi_pgd.study.curves import SHAPES

FORMAT = 1
LINKS = ("node", "network")
MAKE = "make one with `mpirun -n N python -m mpi_pgd network --out DIR`"


def read(path: str) -> dict[str, Any]:
    """The content of a network.json, checked.

    Raises:
        InputError: it can't be read, or is something else.
    """
    regular(path)
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}): expected a network.json; {MAKE}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON: expected a network.json; {MAKE}") from None
    try:
        check(record)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return dict(record)


def check(record: Any) -> None:
    """Raise InputError unless this is the content of a network.json of this version."""
    if not isinstance(record, Mapping) or "study" not in record:
        raise InputError(f'this is no study of this program (no "study" in it): expected a network.json; {MAKE}')
    if record["study"] != "network":
        raise InputError(f'this is the file of the study "{record["study"]}": expected a network.json; {MAKE}')
    if record.get("format") != FORMAT:
        raise InputError(f"this network file has format {record.get('format')}, this version reads {FORMAT}; {MAKE}")
    for name, kind in (("rows", list), ("fits", list), ("nodes", Mapping), ("compute", Mapping)):
        if not isinstance(record.get(name), kind) or (name == "nodes" and not record[name]):
            raise _wrong(name, record.get(name))
    _check_compute(record["compute"])
    _positive(record["nodes"], record["nodes"])
    for name in ("rows", "sums"):
        for row in _entries(record, name):
            _positive(row, ("ranks", "bytes", "seconds"))
            if row["ranks"] < 2 or not all(isinstance(row[key], int) for key in ("ranks", "bytes")):
                raise _wrong(name, row)
    for entry in _entries(record, "fits"):
        _positive(entry, ("alpha", "overhead", "beta"), zero=True)
        if entry.get("form") not in [shape.name for shape in SHAPES[_way(entry)]]:
            raise _wrong("form", entry.get("form"))


def _check_compute(compute: Mapping[str, Any]) -> None:
    together = compute.get("together")
    if not isinstance(together, Mapping):
        raise _wrong("compute.together", together)
    _positive(compute, ("bytes_per_second",))
    _positive(together, ("ranks", "bytes_per_second"))
    _positive(compute, set(compute) - {"together"}, zero=True)


def _entries(record: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = record.get(name, [])
    if not isinstance(entries, list):
        raise _wrong(name, entries)
    for entry in entries:
        if not isinstance(entry, Mapping) or entry.get("link") not in LINKS or _way(entry) not in SHAPES:
            raise _wrong(name, entry)
    return list(entries)


def _way(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    return str(entry["mode"]) if entry.get("mode") is not None else None, str(entry.get("algorithm"))


def _positive(values: Mapping[str, Any], names: Iterable[str], zero: bool = False) -> None:
    for name in names:
        value = values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise _wrong(name, value)
        if value < 0 or (value == 0 and not zero):
            raise _wrong(name, value)


def _wrong(name: str, value: Any) -> InputError:
    shown = json.dumps(value, default=str)
    return InputError(f'in this network file "{name}" is {shown[:80]}, which no measurement gives; {MAKE}')
