"""How fast rows come from HDF5 files: beside h5py that reads them whole, and beside read() of as many bytes in pieces of 8 MiB.

    mpirun -n 1|2 python -m mpi4py benchmarks/reading.py [--rows N] [--features P] [--repeats K] [--folder DIR]

Each rank reads its share. All contestants take turns; a turn starts at a barrier and lasts until the slowest rank is done. "load"
is with the checks; "load of a fit" without those of features, which it leaves to its first pass over the rows; "stream" is so, too,
into one room that is used again. Cold: the file was dropped from the page cache before (a virtual machine's host may have it
still). Other load on the machine shows: run it when nobody else does, or go by the ratios of processor time, which are as they are
on a quiet machine, but for what the disk takes.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # measure this checkout

PIECE = 8 << 20
LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "chunks": {"chunks": (1000, None)},
    "gzip": {"chunks": (1000, None), "compression": "gzip"},
    "shuffle+gzip": {"chunks": (1000, None), "compression": "gzip", "shuffle": True},
}
SMALLER = 8  # times, where rows are packed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--folder", help="where the files are made; they are removed at the end")
    options = parser.parse_args()
    import mpi4py

    mpi4py.rc.threads = False
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        folder = comm.bcast(folder)
        for layout, how in LAYOUTS.items():
            path = f"{folder}/{layout}.h5"
            if comm.rank == 0:
                make(path, options.rows // (SMALLER if "compression" in how else 1), options.features, how)
            comm.Barrier()
            one(comm, MPI.MAX, path, layout, options.repeats)
        comm.Barrier()


def make(path: str, rows: int, features: int, how: dict[str, Any]) -> None:
    """Normal numbers; where they are packed, with two decimals."""
    x = np.random.default_rng(1).standard_normal((rows, features))
    if "compression" in how:
        x = np.round(x, 2)
    how = {**how, "chunks": (how["chunks"][0], features)} if how else {}
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=x, **how)
        file["y"] = x[:, 0]
    with Path(path).open() as raw:
        os.fsync(raw)


def warm(comm: Any, path: str) -> dict[str, Callable[[], None]]:
    """A file read by h5py, which looks at nothing, and by the program, with all checks, or as a fit does."""
    from mpi_pgd.data import hdf5
    from mpi_pgd.data.memory import MemoryShard
    from mpi_pgd.data.partition import Partition

    table = hdf5.inspect([path], "X", "y")
    partition = Partition(table.rows, table.features)
    shard = partition.shard(comm.rank, comm.size)
    mine, blocks = partition.span(shard), np.asarray(shard)

    def whole() -> None:
        with h5py.File(path) as file:
            file["X"][mine.start : mine.stop]

    def load(looks: bool) -> None:
        MemoryShard(table, partition, looks=looks).hold(blocks)

    return {"h5py whole": whole, "load": partial(load, looks=True), "load of a fit": partial(load, looks=False)}


def one(comm: Any, most: Any, path: str, layout: str, repeats: int) -> None:
    """Print the rates with one file, and their ratios."""
    from mpi_pgd.data import hdf5
    from mpi_pgd.data.partition import Partition
    from mpi_pgd.data.piece import Piece

    table = hdf5.inspect([path], "X", "y")
    partition = Partition(table.rows, table.features)
    mine = partition.span(partition.shard(comm.rank, comm.size))
    size = Path(path).stat().st_size
    room = Piece.room(table, max(len(slab) for slab in table.slabs(mine, PIECE)))
    buffer = memoryview(bytearray(PIECE))

    def stream() -> None:
        for slab in table.slabs(mine, PIECE):
            table.read(slab, *room.part(slice(0, len(slab))))

    def plain() -> None:
        with Path(path).open("rb", buffering=0) as file:
            start, stop = (size * row // table.rows for row in (mine.start, mine.stop))
            file.seek(start)
            while start < stop:
                start += file.readinto(buffer[: min(PIECE, stop - start)]) or stop

    def cold() -> None:
        with Path(path).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    contestants: dict[str, tuple[Callable[[], None], bool]] = {
        f"{name}{', cold' * state}": (turn, state)
        for state in (False, True)
        for name, turn in (*warm(comm, path).items(), ("stream", stream), ("read()", plain))
    }
    turns: dict[str, list[list[float]]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, (turn, is_cold) in contestants.items():
            if is_cold:
                comm.Barrier()
                cold()
            else:
                plain()
            comm.Barrier()
            start, busy = perf_counter(), process_time()
            turn()
            busy, start = process_time() - busy, perf_counter() - start
            turns[name].append([comm.allreduce(start, most), comm.allreduce(busy, most)])
    if comm.rank == 0:
        print(f"\n{layout}, {comm.size} rank(s), {table.rows:,} x {table.features} float64, {size / 1e6:.0f} MB: GB/s of rows")
        show({name: table.rows * table.features * 8 / 1e9 / np.median(some, axis=0) for name, some in turns.items()})


def show(rates: dict[str, Any]) -> None:
    """By wall and by processor time, GB/s, (2,) a contestant; and their ratios."""
    for state in ("", ", cold"):
        print("  " + "   ".join(f"{name} {rate[0]:.2f}" for name, rate in rates.items() if name.endswith(", cold") == bool(state)))
        for a, b in (("load", "h5py whole"), ("load of a fit", "h5py whole"), ("stream", "read()"), ("stream", "h5py whole")):
            wall, busy = rates[a + state] / rates[b + state]
            print(f"    {a} / {b}{state}: {wall:.2f}, by processor time {busy:.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
