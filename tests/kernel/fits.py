"""Run by test_processors.py inside MPI: fits of every loss, penalty and solver, and FOLDER/found.json: what came of each."""

import json
import sys
from pathlib import Path

from tests.golden.cases import Fit, cases, write
from tests.golden.script import fingerprint, made

ALL = ("shipped", "under", "ridge", "loss=", "sides, solver=auto", "binary, ", "counts, ", "joint")  # how their names begin


def main(folder: Path) -> None:
    """Each on one rank."""
    from mpi4py import MPI  # not above: mpi_pgd comes first, as it chooses what MPI is to use

    write(folder)
    chosen = [case for case in cases() if case.name.startswith(ALL) and not (case.like or case.first)]
    fits = [Fit(case, "peer-to-peer", "library", 1, 0, number, number) for number, case in enumerate(chosen)]
    found = {item.case.name: fingerprint(made(folder, item, MPI.COMM_WORLD)) for item in fits}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
