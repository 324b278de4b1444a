"""Makes every fit on its ranks; run by values.py inside MPI, it writes into FOLDER/found.json what came.

The ranks are split, so that one job has all numbers of ranks: first five, then two and three at once, then each rank alone.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from mpi_pgd import Result, fit
from mpi_pgd.kernel import NAME, NUMPY
from tests.golden.cases import SHIPPED, Fit, fits, write
from tests.meeting import meet

Found = dict[str, Any]


def setting() -> dict[str, str]:
    """What the bits are those of: of the compiled kernel, nothing else."""
    if NAME != NUMPY:
        return {"kernel": NAME}
    blas = [
        f"{item['internal_api']} {item['version']} {item['architecture']}"
        for item in threadpool_info()
        if item["user_api"] == "blas"
    ]
    return {"kernel": NAME, "numpy": np.__version__, "blas": ", ".join(blas)}


def fingerprint(result: Result) -> Found:
    """All that is to stay: the weights' sha256, how it ended, and the digest of each round but for its seconds."""
    columns = [result.history[name] for name in ("round", "objective", "gradient_norm", "step")]
    record = result.record
    return {
        "weights": record["weights_sha256"],
        "status": result.status,
        "rounds": record["rounds"],
        "objective": repr(record["objective"]),
        "r2": repr(result.r2),
        "history": hashlib.sha256(np.array(columns, dtype="<f8").tobytes()).hexdigest(),
    }


def made(folder: Path, item: Fit, comm: Any, **options: Any) -> Result:
    """One fit."""
    case = item.case
    data = case.data if case.data == str(SHIPPED) else str(folder / f"{case.data}.h5")
    places = {name: str(folder / f"{item.number}.{name}") for name in case.folder}
    chosen = {
        "mode": item.mode,
        "algorithm": item.algorithm,
        "quiet": True,
        "solver": "nesterov",
        **case.options,
        **places,
        **options,
    }
    return fit(data, comm=comm, **chosen)


def came(world: Any, folder: Path, wanted: Found, every: list[Fit]) -> Found:
    """What came of these fits on all ranks, if the setting is the one that is ``wanted``. Collective."""
    from mpi4py import MPI  # not above: mpi_pgd comes first, as it chooses what MPI is to use

    version = " ".join(MPI.Get_library_version().splitlines()[0].split(",")[0].split())
    found: Found = {"setting": setting(), "mpi": version, "fits": []}
    if not wanted or wanted == found["setting"]:
        if world.rank == 0:
            write(folder)
        world.Barrier()
        mine = run(world, folder, every)
        found["fits"] = [line for lines in world.allgather(mine) for line in lines]
    return found


def run(world: Any, folder: Path, every: list[Fit]) -> list[tuple[int, Found]]:
    """What came of the fits whose first rank this is, by their numbers."""
    found = []
    five, pair, alone = world.Dup(), world.Split(int(world.rank > 1)), world.Split(world.rank)
    for comm in (five, pair, alone):
        there = [item for item in every if item.ranks == comm.size and not item.then]
        if comm is alone:
            there = there[world.rank :: world.size]
        for item in there:
            result = made(folder, item, comm)
            if comm.rank == 0:
                found.append((item.number, fingerprint(result)))
        meet(world)
    for item in every:
        if item.then:
            path = str(folder / f"{item.number}.checkpoint")
            for size, options in ((item.ranks, {"rounds": item.case.first, "checkpoint": path}), (item.then, {"resume": path})):
                comm = world.Split(int(world.rank >= size))
                if world.rank < size:
                    result = made(folder, item, comm, **options)
                    if world.rank == 0 and "resume" in options:
                        found.append((item.number, fingerprint(result)))
                comm.Free()
                meet(world)
    return found


def main(folder: Path, wanted: str, *share: str) -> None:
    """A job of its own."""
    from mpi4py import MPI

    found = came(MPI.COMM_WORLD, folder, json.loads(wanted), fits(*map(int, share)))
    if MPI.COMM_WORLD.rank == 0:
        (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
