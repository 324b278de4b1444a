"""``mapreduce``: a function of the user's on every block of rows."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpi_pgd.errors import InputError

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser

LONGEST = 12  # parts of a result that are printed


def parser() -> "Parser":
    """Its own flags, and the settings that say what the rows are, and who adds them up."""
    from mpi_pgd.cli.arguments import Parser
    from mpi_pgd.config import FILES, MAPPED
    from mpi_pgd.drivers.reductions import REDUCTIONS

    made = Parser(
        "mpirun -n N python -m mpi_pgd mapreduce FILE.py:function [DATA ...] [options]",
        "Call function(X, y) on every block of rows, in parallel, and reduce what it gives: a number, an array, or dicts,\n"
        "lists and tuples of them. The result has the same bits for any number of ranks, in every mode.",
    )
    made.add_argument("function", metavar="FILE.py:function", help="or package.module:function")
    made.add_argument("data", nargs="*", metavar="DATA", help=FILES)
    text = "what becomes of the blocks' results; mean: their sum over the number of rows (default: sum)"
    made.add_argument("--reduce", metavar="|".join(REDUCTIONS), default="sum", help=text)
    for name in MAPPED:
        made.add_setting(name)
    made.add_argument("--out", metavar="FILE", default="", help="keep the result: FILE.json, or FILE.npz for arrays")
    made.add_argument("--force", action="store_true", help="let --out overwrite what is there")
    made.add_quiet()
    return made


def main(comm: "MPI.Intracomm", words: Sequence[str], start: float) -> int:
    """Reduce, print, write. Collective."""
    from mpi_pgd.comm.world import once
    from mpi_pgd.session.mapreduce import run

    given = once(comm, None, lambda: read(words))

    def show(result: Any) -> None:
        if given["out"]:
            _write(given["out"], result)
        if not given["quiet"]:
            print(shown(result), flush=True)

    run(comm, given["data"], given["function"], given["reduce"], None, given["options"], show)
    return 0


def read(words: Sequence[str]) -> dict[str, Any]:
    """What was typed; ``InputError`` if it can't be used, or the result could not be written."""
    from mpi_pgd import config
    from mpi_pgd.cli.arguments import shipped
    from mpi_pgd.data import files
    from mpi_pgd.session.rows import heard
    from mpi_pgd.system import conflicts

    given = vars(parser().read(words))
    data = files.find(given["data"] or [shipped()])
    out = given["out"]
    if out:
        flag = f"--out {out}"
        if Path(out).suffix not in (".json", ".npz"):
            raise InputError(f"--out was given {out}: expected a name that ends with .json, or with .npz for arrays")
        conflicts.protect([(Path(out), flag)], [*data, given["function"].rpartition(":")[0]])
        conflicts.spare(flag, {Path(out): lambda _: "is there already"}, given["force"])
    options = {name: given[name] for name in config.MAPPED if given[name] is not None}
    chosen = heard(replace(config.settings(options, config.flag), data=tuple(data), quiet=given["quiet"]))
    return {**given, "data": chosen.data, "options": {name: getattr(chosen, name) for name in config.HELD}}


def shown(result: Any) -> str:
    """A result in lines; of many parts, the first."""
    import numpy as np

    with np.printoptions(linewidth=118, threshold=200, edgeitems=4):
        if isinstance(result, dict):
            lines = [f"{name}: {_indented(part, len(str(name)) + 2)}" for name, part in result.items()]
        else:
            lines = [_indented(part, 0) for part in (result if isinstance(result, list | tuple) else [result])]
    more = len(lines) - LONGEST
    return "\n".join([*lines[:LONGEST], *([f"... and {more:,} more; --out FILE keeps all"] if more > 0 else [])])


def _indented(part: Any, by: int) -> str:
    return str(part).replace("\n", "\n" + " " * by)


def _write(out: str, result: Any) -> None:
    import numpy as np

    from mpi_pgd.system import output

    named = result if isinstance(result, dict) else {"result": result}

    def archive(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **_flat(named))

    try:
        content = archive if out.endswith(".npz") else output.text(json.dumps(named, allow_nan=False, default=_listed) + "\n")
        output.replace({Path(out): content})
    except (*output.FAILURES, TypeError) as error:
        raise InputError(
            f"--out {out} can't be written ({output.reason(error) if isinstance(error, OSError) else error})"
        ) from None


def _listed(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def _flat(named: dict[Any, Any]) -> dict[str, Any]:
    """The arrays by name, those of nested parts with dots between them."""
    found: dict[str, Any] = {}
    for name, part in named.items():
        inner = dict(enumerate(part)) if isinstance(part, list | tuple) else part
        found |= {f"{name}.{key}": value for key, value in _flat(inner).items()} if isinstance(inner, dict) else {str(name): part}
    return found
