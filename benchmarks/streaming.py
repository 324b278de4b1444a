"""Rows that stream, beside read() of the same bytes in pieces of 8 MiB, warm and cold; and a fit's peak memory.

    python benchmarks/streaming.py [--megabytes N] [--repeats K] [--folder DIR]

Both take turns. Before a cold turn the file is dropped from the page cache (posix_fadvise); the bytes that the disk then gave, by
the kernel's own count, are said beside it: where they are few, the file was not dropped, and the turn was not cold.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_variable] = "1"
ROOT = str(Path(__file__).resolve().parents[1])  # measure this checkout, installed or not, here and in children
sys.path.insert(0, ROOT)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))

import numpy as np  # noqa: E402

from mpi_pgd.data import hdf5  # noqa: E402
from mpi_pgd.data.make import make  # noqa: E402
from mpi_pgd.data.memory import MemoryShard  # noqa: E402
from mpi_pgd.data.partition import Partition  # noqa: E402
from mpi_pgd.system.disk import drop, fetched  # noqa: E402

FEATURES, MEGABYTES, REPEATS = 200, 1000, 5
PIECE = 8 << 20
GOAL, BESIDE = 0.9, 100  # of read()'s rate; MB of a process beside --memory


def plain(path: str) -> None:
    """Read the file."""
    room = memoryview(bytearray(PIECE))
    with Path(path).open("rb", buffering=0) as file:
        while file.readinto(room):
            pass


def turn(path: str, read: Callable[[str], None], cold: bool) -> tuple[float, float]:
    """Bytes a second, and the share of the file that came from the disk."""
    size = Path(path).stat().st_size
    if cold:
        drop([path])
    else:
        plain(path)
    before, begun = fetched(), perf_counter()
    read(path)
    return size / (perf_counter() - begun), (fetched() - before) / size


def main() -> None:
    """Measure, and say whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--folder", default=None, help="on the disk to be measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = str(Path(folder, "rows.h5"))
        make(path, max(64, options.megabytes * 1_000_000 // (8 * FEATURES)), FEATURES)
        table = hdf5.inspect([path], "X", "y")
        shard = MemoryShard(table, Partition(table.rows, table.features))
        blocks = np.arange(shard.partition.blocks)
        shard.hold(blocks, room=0)

        def streamed(_: str) -> None:
            for _ in shard.stored(blocks):
                pass

        for cold in (False, True):
            turns = [(turn(path, plain, cold), turn(path, streamed, cold)) for _ in range(options.repeats)]
            ratio = median(mine[0] / its[0] for its, mine in turns)
            its, mine = (median(one[place][0] for one in turns) for place in (0, 1))
            disk = min(one[place][1] for one in turns for place in (0, 1))
            print(
                f"{'cold' if cold else 'warm'}: read() {its / 1e9:.2f} GB/s, streamed {mine / 1e9:.2f} GB/s, ratio {ratio:.2f} "
                f"(at least {GOAL}: {'met' if ratio >= GOAL else 'MISSED'})"
                + f"; at least {disk:.0%} of the bytes came from the disk"
                * cold
            )
        memory(path)


def memory(path: str) -> None:
    """The peak memory of a fit that may have a quarter of the file."""
    limit = Path(path).stat().st_size // 4
    words = [path, "--memory", f"{limit / 1024}K", "--rounds", "5", "--solver", "gd", "--tol", "0", "--quiet"]
    subprocess.run([sys.executable, "-m", "mpi_pgd", *words], check=True, stdout=subprocess.DEVNULL)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    over = (peak - limit) / 1e6
    print(
        f"peak memory of a fit with --memory {limit / 1e6:.0f} MB: {peak / 1e6:.0f} MB, {over:.0f} more "
        f"(at most {BESIDE}: {'met' if over <= BESIDE else 'MISSED'})"
    )


if __name__ == "__main__":
    main()
