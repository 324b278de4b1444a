"""What the fits give, and golden.json, which holds what they gave. To write it anew, with every MPI that is found here:

python -m tests.golden.values

Do that only where bits are meant to change. Where two ways of one case, or two MPI libraries, differ, nothing is written.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.golden.cases import MAKES, Fit, fits, key
from tests.launch import ROOT, Library, launch, libraries

GOLDEN = Path(__file__).with_name("golden.json")
MPI = {"MPIR_CVAR_DEVICE_COLLECTIVES": "none"}  # no choice of MPICH's by the number of cores
KERNELS = {
    "native": MPI,
    # Of the one in numpy the kernels of one kind of processor, on all that can run them, in BLAS and in numpy's own exp and log.
    "numpy": {
        **MPI,
        "MPI_PGD_KERNEL": "numpy",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    },
}


def found(library: Library, kernel: str, folder: Path, wanted: dict[str, str] | None = None, *share: int) -> dict[str, Any]:
    """What the script found, in one job of five ranks; no fits if its setting is not the one that is ``wanted``."""
    words = ("tests.golden.script", folder, json.dumps(wanted or {}), *share)
    # With mpi4py, which ends all ranks if one of them fails.
    result = launch(library, 5, "-m", *words, module="mpi4py", timeout=240, env=KERNELS[kernel])
    assert result.returncode == 0, result
    came: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return came


def named(came: dict[str, Any], library: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Each fit: where golden.json has it, the case, the way, and what came."""
    by_number = dict(came["fits"])
    there = [item for item in fits() if item.number in by_number]
    return [(place(item, library), item.case.name, item.way, by_number[item.number]) for item in there]


def place(item: Fit, library: str) -> str:
    """Where golden.json has what this fit gives."""
    return key(item.case.like or item.case.name, item.mode, item.algorithm, item.ranks, library)


def digest(folder: Path, name: str) -> str:
    """The sha256 of X, then y, of a file that ``data make`` makes."""
    path = folder / f"{name}.h5"
    rows, features, *rest = MAKES[name]
    command = [sys.executable, "-m", "mpi_pgd", "data", "make", str(path), "--rows", rows, "--features", features, *rest]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    with h5py.File(path) as file:
        return hashlib.sha256(b"".join(np.asarray(file[part][...], "<f8").tobytes() for part in ("X", "y"))).hexdigest()


def main() -> None:
    """Write golden.json."""
    golden: dict[str, Any] = {"mpi": {}, "made": {}, "kernels": {}}
    with tempfile.TemporaryDirectory() as scratch:
        golden["made"] = {name: digest(Path(scratch), name) for name in MAKES}
        for kernel, library in product(KERNELS, libraries().values()):
            folder = Path(scratch, kernel, library.name)
            folder.mkdir(parents=True)
            kept = golden["kernels"].setdefault(kernel, {"setting": {}, "fits": {}})
            came = found(library, kernel, folder, kept["setting"])
            kept["setting"], golden["mpi"][library.name] = came["setting"], came["mpi"]
            for where, case, way, value in named(came, library.name):
                if kept["fits"].setdefault(where, value) != value:
                    sys.exit(f"{case} ({kernel}, {library.name}, {way}) gives other bits than {where} did: nothing was written")
    GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
