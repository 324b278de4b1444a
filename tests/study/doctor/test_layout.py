"""Judging the data: tables, layouts and folders as one machine has no room for."""

from dataclasses import replace
from pathlib import Path

import pytest

from mpi_pgd.data.filepart import FilePart
from mpi_pgd.data.table import Table
from mpi_pgd.study.doctor import layout
from mpi_pgd.study.doctor.files import Folder, Store, mounted
from mpi_pgd.study.doctor.signs import Rank


def table(rows: int, features: int, chunk_rows: int = 1, parts: int = 1) -> Table:
    held = tuple(FilePart(f"part{i}.h5", rows // parts, chunk_rows, "") for i in range(parts))
    return Table(held, "X", "y", features, "float64", "float64", (), False, "here")


def nodes(count: int, ranks: int, available: int) -> list[Rank]:
    return [Rank(rank=rank, node=f"n{rank // ranks}", available=available) for rank in range(count * ranks)]


LARGE = table(10**9, 99)  # 745 GiB
GIGA = 1 << 30


@pytest.mark.parametrize(
    ("ranks", "level", "words"),
    [
        (
            nodes(8, 4, 110 * GIGA),
            "ok",
            "client-server 96.1 GiB; peer-to-peer, hierarchical and gossip 93.1 GiB of the 104",
        ),
        (nodes(4, 4, 110 * GIGA), "warning", "over 8 such nodes or more"),
        (nodes(1, 1, 2 * GIGA), "warning", "over 393 such nodes or more"),
    ],
)
def test_memory(ranks: list[Rank], level: str, words: str) -> None:
    found = layout.room(LARGE, ranks, 0.95)
    assert (found.level, words in found.finding + found.advice) == (level, True), found


def test_one_node_too_small() -> None:
    ranks = nodes(8, 4, 110 * GIGA)
    ranks[8:12] = [replace(rank, available=50 * GIGA) for rank in ranks[8:12]]
    found = layout.room(LARGE, ranks, 0.95)
    assert found.level == "warning"
    assert "47.5 GiB that node n2 can give" in found.finding


def test_memory_that_slurm_granted() -> None:
    environment = {"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "2048"}
    found = layout.room(LARGE, [Rank(available=2 * GIGA, environment=environment)], 0.95)
    assert found.advice.startswith("ask SLURM for more than 2 GiB a node (sbatch --mem=...), or spread the ranks over 393")


@pytest.mark.parametrize(
    ("size", "level", "words"),
    [
        (1, "ok", ": 1 worker, 32 blocks each"),
        (32, "warning", "client-server: 31 workers, 1 to 2 blocks each"),
        (33, "note", "1 of 33 workers would have no rows"),
        (40, "warning", "32 workers would have even ones"),
        (20, "warning", "16 workers"),
    ],
)
def test_blocks(size: int, level: str, words: str) -> None:
    found = layout.blocks(table(64 * 32, 10), size)
    assert (found.level, words in found.finding + found.advice) == (level, True), found


def test_lack() -> None:
    assert layout.lack(32, 16) == 0
    assert layout.lack(33, 32) == pytest.approx(1 - 33 / 64)
    assert layout.lack(3, 4) == 0.25


X = Store("X", "a.h5", (10**6, 100))


@pytest.mark.parametrize(
    ("store", "workers", "level", "words"),
    [
        (X, 8, "ok", "X in a.h5: contiguous"),
        (replace(X, chunks=(1000, 100), filters=("deflate",)), 8, "ok", "781 KiB, deflate"),
        (replace(X, chunks=(10**6, 1), filters=("deflate",)), 8, "warning", "decompress 8 times"),
        (replace(X, chunks=(250_000, 100), filters=("deflate",)), 8, "warning", "decompress 2.75 times"),
        (replace(X, chunks=(10**6, 1)), 8, "ok", "chunks (1000000, 1)"),  # what is not compressed is read in part
        (replace(X, chunks=(100_000, 100), filters=("lzf",)), 1, "note", "each rank needs that much more"),
        (replace(X, chunks=(4096, 100), filters=("lzf",)), 1, "note", "exceed HDF5's cache of 1 MiB"),
        (replace(X, chunks=(100, 1)), 1, "note", "a row touches 100 chunks of 800 bytes"),
        (replace(X, chunks=(10, 100)), 1, "note", "chunks of 7.81 KiB: each costs a look-up"),
        (replace(X, chunks=(4096, 100), filters=("lzf",), files=7), 1, "note", "(and 6 files like it)"),
        (replace(X, chunks=(1000, 100), filters=("deflate",), virtual=True), 1, "ok", "781 KiB"),
        (replace(X, chunks=(20_000, 100), filters=("deflate",), virtual=True), 1, "warning", "decompress 2.9"),
    ],
)
def test_chunks(store: Store, workers: int, level: str, words: str) -> None:
    found = layout.chunks(table(10**6, 100, store.chunks[0] if store.chunks and not store.virtual else 1), [store], workers)
    assert (found.level, words in found.finding) == (level, True), found
    assert ("h5repack -l X:CHUNK=1088x100" in found.advice) == (level != "ok")
    assert ("GZIP" in found.advice) == (level != "ok" and "deflate" in store.filters)


def test_chunks_of_files_that_end_between() -> None:
    """Where a file ends, so does its last chunk: reading on in the next costs nothing."""
    store = replace(X, shape=(100_000, 100), chunks=(100_000, 100), filters=("deflate",), files=10)
    seen = table(10**6, 100, 100_000, parts=10)
    assert " times " not in layout.chunks(seen, [store], 1).finding
    assert "decompress 2 times" in layout.chunks(seen, [store], 11).finding


def test_targets_in_one_chunk() -> None:
    """For each slab of X, 8 MiB, all of y is decompressed again: a hundredth of the data, 96 times."""
    y = Store("y", "a.h5", (10**6,), chunks=(10**6,), filters=("deflate",))
    found = layout.chunks(table(10**6, 100), [X, y], 1)
    assert found.level == "warning"
    assert "y in a.h5" in found.finding
    assert "h5repack -l y:CHUNK=1088 -f" in found.advice


def test_slow_reading() -> None:
    assert layout.reading(8 << 20, 0.01).level == "ok"
    assert layout.reading(8 << 20, 1.0).level == "note"
    assert layout.reading(1000, 0.01).level == "ok"  # that was opening the file
    assert "not tried" in layout.reading(0, 0.0).finding


def test_locking() -> None:
    assert layout.locking([Folder("/data", "ext4")], 1).finding == "locks work; /data on ext4"
    assert "not known" in layout.locking([Folder("/data", "ext4")], 2).finding
    refused = layout.locking([Folder("/data", "nfs4"), Folder("/out", "lustre", "Function not implemented")], 2)
    assert refused.level == "note"
    assert "a file in /out (on lustre) can't be locked: Function not implemented" in refused.finding
    assert layout.locking([Folder("/data", "nfs", "no answer in 2 s")], 2).level == "warning"


def test_access() -> None:
    seen = table(10**6, 100)
    assert layout.access({}, [], seen).level == "ok"
    assert layout.access({"n3": "there is no file a.h5"}, [], seen).finding.startswith(
        "node n3 can't use the data: there is no file"
    )
    assert "(and on 2 other nodes: n4, n5)" in layout.access({"n3": "gone", "n4": "gone", "n5": "gone"}, [], seen).finding
    assert layout.access({}, ["n2"], seen).level == "warning"
    assert layout.access({"n1": "gone"}, [], None).finding == "gone"


def test_mount_points() -> None:
    lines = [
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
        "30 27 0:40 / /data rw,relatime shared:1 - nfs4 server:/data rw",
        "31 27 0:41 / /data/fast\\040disk rw - lustre mgs:/fast rw",
        "32 27 0:42 / /data2 rw - tmpfs none rw",
        "33 27 0:43 / /data2 rw - xfs /dev/vdb rw",
    ]
    where = {"/home/x.h5": "ext4", "/data/x.h5": "nfs4", "/data/fast disk/x.h5": "lustre", "/data2/x.h5": "xfs", "/": "ext4"}
    assert {path: mounted(path, lines) for path in where} == where


def test_where_this_file_is() -> None:
    assert mounted(str(Path(__file__)), Path("/proc/self/mountinfo").read_text().splitlines())
