"""From the data's description and the ranks' facts to findings: memory, blocks, chunks, reading, locks. Pure functions."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, islice
from math import ceil

import numpy as np

from mpi_pgd.data.partition import Partition
from mpi_pgd.data.stream import SLAB_BYTES
from mpi_pgd.data.table import Table
from mpi_pgd.errors import listed
from mpi_pgd.modes import MODES
from mpi_pgd.report.units import count, rate, seconds
from mpi_pgd.study.doctor.files import Folder, Store
from mpi_pgd.study.doctor.findings import Finding, memory
from mpi_pgd.study.doctor.signs import Rank
from mpi_pgd.system import scheduler

UNEVEN, IDLE = 0.03, 0.1  # of the largest shard that the mean one lacks: worth a note, worth a warning
TWICE, SOME = 1.5, 1.1  # bytes decompressed, over those needed: worth a warning, worth a note where the data are large
LARGE = 256 << 20  # bytes of rows
HUGE, TINY = 64 << 20, 16 << 10  # bytes of a chunk
SLABS = 1000  # looked at, to know what all cost
SLOW = 1e8  # bytes a second
SHARED = ("nfs", "lustre", "gpfs", "beegfs", "cifs", "smb", "ceph", "afs", "glusterfs", "9p", "fuse", "pvfs", "orangefs", "wekafs")


def access(errors: Mapping[str, str], others: Sequence[str], table: Table | None) -> Finding:
    """Whether every node reads the same table.

    Args:
        errors: of the nodes that can't, by name.
        others: nodes whose files say something else than those of the first node that can.
        table: what that node sees.
    """
    if table is None:
        return Finding("data", "warning", next(iter(errors.values())), "the checks of memory, blocks and chunks need it")
    shape = f"{table.rows:,} rows, {table.features:,} features, {count(len(table.parts), 'file')}"
    if errors:
        node, error = next(iter(errors.items()))
        more = f" (and on {count(len(errors) - 1, 'other node')}: {', '.join(list(errors)[1:6])})" if len(errors) > 1 else ""
        words = f"node {node} can't use the data: {error}{more}; elsewhere they are there: {shape}"
        return Finding("data", "warning", words, "put the files where all nodes see them by the same path")
    if others:
        words = f"node {others[0]} sees other files by these names than the first node ({count(len(others), 'node')} in all)"
        return Finding("data", "warning", words, "each node would read rows of another table: use one shared file system")
    if table.warnings:
        more = f" (and {len(table.warnings) - 1} more)" if len(table.warnings) > 1 else ""
        return Finding("data", "note", f"every node can read it: {shape}; but {table.warnings[0]}{more}", "is that what is meant?")
    return Finding("data", "ok", f"every node can read it: {shape}")


def room(table: Table, ranks: Sequence[Rank], spare: float) -> Finding:
    """Memory of the nodes, of which a fit takes the part ``spare``, against what their ranks would hold, in each mode."""
    there = {rank.node: spare * rank.available for rank in reversed(ranks)}
    needs = {mode: _needed(table, ranks, mode) for mode in MODES}
    fullest = max(there, key=lambda name: max(nodes[name] for nodes in needs.values()) / there[name])
    words = [f"{modes} {size}" for size, modes in _alike({mode: memory(nodes[fullest]) for mode, nodes in needs.items()})]
    words = [f"{'; '.join(words)} of the {memory(there[fullest])} that node {fullest} can give"]
    total = table.bytes(table.rows)
    if all(nodes[name] <= there[name] for nodes in needs.values() for name in nodes):
        return Finding("memory", "ok", f"{memory(total)} in all: " + "; ".join(words))
    enough = ceil(total / min(there.values()))
    advice = f"spread the ranks over {enough} such nodes or more (one more for a server of its own), or store X in a smaller type"
    job = scheduler.read(ranks[0].environment)
    if job and job.memory:
        advice = f"ask SLURM for more than {memory(job.memory)} a node (sbatch --mem=...), or {advice}"
    streams = "what does not is read again in each round"
    return Finding("memory", "warning", f"the rows do not all fit, {memory(total)} in all; {streams}: " + "; ".join(words), advice)


def _needed(table: Table, ranks: Sequence[Rank], mode: str) -> dict[str, int]:
    """Bytes on each node."""
    partition = Partition(table.rows, table.features, table.density)
    totals = dict.fromkeys((rank.node for rank in ranks), 0)
    for place, rank in enumerate(ranks):
        shard = partition.shard(MODES[mode].worker(place, len(ranks)), MODES[mode].workers(len(ranks)))
        totals[rank.node] += table.bytes(len(partition.span(shard)))
    return totals


def blocks(table: Table, size: int) -> Finding:
    """Ranks without a block, and shards of different sizes."""
    partition = Partition(table.rows, table.features, table.density)
    modes = {name: mode.workers(size) for name, mode in MODES.items()}
    lacks = {mode: lack(partition.blocks, workers) for mode, workers in modes.items()}
    cut = f"{count(partition.blocks, 'block')} of {partition.block_rows:,} rows"
    words = [f"{those}: {shards}" for shards, those in _alike({mode: _shards(partition.blocks, m) for mode, m in modes.items()})]
    worst = max(lacks, key=lambda mode: lacks[mode])
    if lacks[worst] <= UNEVEN:
        return Finding("blocks", "ok", f"{cut}; " + "; ".join(words))
    better = next(w for w in range(min(modes[worst], partition.blocks), 0, -1) if lack(partition.blocks, w) <= UNEVEN)
    server = " and the server" if MODES[worst].first_worker(size) else ""
    advice = f"waiting for the largest shard takes {lacks[worst]:.0%} of the workers' time: {count(better, 'worker')}{server}"
    advice += " would have even ones"
    if lacks[worst] > IDLE and min(modes.values()) < partition.blocks:
        advice += ", as would many more rows"
    return Finding("blocks", "warning" if lacks[worst] > IDLE else "note", f"{cut}; " + "; ".join(words), advice)


def _alike(words: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is the same for several modes is said once: the words, and these modes."""
    return [(each, listed([mode for mode, its in words.items() if its == each])) for each in dict.fromkeys(words.values())]


def lack(total: int, workers: int) -> float:
    """The part of the largest shard that the mean one lacks: the workers' time that is lost in a round."""
    return 1 - total / workers / ceil(total / workers)


def _shards(total: int, workers: int) -> str:
    if workers > total:
        return f"{workers - total} of {count(workers, 'worker')} would have no rows"
    few, many = total // workers, ceil(total / workers)
    held = f"{few} to {many} blocks each" if few < many else f"{count(few, 'block')} each"
    return f"{count(workers, 'worker')}, {held}"


def chunks(table: Table, stores: Sequence[Store], workers: int) -> Finding:
    """What has to be decompressed for the rows that each rank reads, and what lies in the way otherwise."""
    costs = {store: 1 + _read_again(table, store, workers) for store in stores if store.filters}
    worst = max(costs, key=lambda store: costs[store], default=None)
    large = table.bytes(table.rows) > LARGE
    if worst is not None and costs[worst] > (SOME if large else TWICE):
        words = f"{_layout(worst)}: {count(workers, 'rank')} decompress {costs[worst]:.3g} times what they read"
        return Finding("chunks", "warning" if costs[worst] > TWICE else "note", f"{words} (predicted)", _repack(table, worst))
    for store in stores:
        trouble = _trouble(store)
        if trouble:
            return Finding("chunks", "note", f"{_layout(store)}: {trouble}", _repack(table, store))
    return Finding("chunks", "ok", "; ".join(map(_layout, stores)))


def _trouble(store: Store) -> str:
    """What is awkward in a layout whose chunks are read once."""
    size = store.chunk_bytes
    if not size:
        return ""
    if len(store.shape) == 2 and store.chunks[1] < store.shape[1] and size < TINY:
        return f"a row touches {ceil(store.shape[1] / store.chunks[1])} chunks of {memory(size)}"
    if size < TINY and np.prod(store.shape) > np.prod(store.chunks):
        return f"chunks of {memory(size)}: each costs a look-up and a read"
    if store.filters and size > HUGE:
        return f"chunks of {memory(size)}: each rank needs that much more to decompress one"
    if store.filters and size > store.cache:
        return f"chunks of {memory(size)} exceed HDF5's cache of {memory(store.cache)}: programs that read row by row crawl"
    return ""


def _read_again(table: Table, store: Store, workers: int) -> float:
    """What is decompressed too often, over all bytes: each read decompresses every chunk that it touches, none knows of another.

    Reads of X end where chunks end, so only where shards meet is a chunk decompressed twice. Reads of y follow X's chunks, and so
    do those of a virtual data set's sources, which have chunks of their own.
    """
    partition = Partition(table.rows, table.features, table.density)
    if store.name == table.x and not store.virtual:
        shards = (partition.span(partition.shard(worker, workers)) for worker in range(workers))
        return _cut(table, (rows.stop for rows in shards), 0) / table.rows
    first = partition.span(partition.shard(0, workers))
    slabs = list(islice(table.slabs(first, SLAB_BYTES), SLABS))
    part = 1 if store.name == table.x else store.itemsize / (table.bytes(1) - 8 + store.itemsize)
    return part * _cut(table, (slab.stop for slab in slabs), store.chunks[0]) / slabs[-1].stop


def _cut(table: Table, ends: Iterable[int], chunk_rows: int) -> int:
    """Rows of the chunks that reads ending there share with the next: of so many rows, or of the part's own."""
    starts = list(accumulate((part.rows for part in table.parts), initial=0))
    again = 0
    for end in ends:
        if end < table.rows:
            place = bisect_right(starts, end) - 1
            wide = chunk_rows or table.parts[place].chunk_rows
            again += wide if (end - starts[place]) % wide else 0
    return again


def _layout(store: Store) -> str:
    several = f" (and {count(store.files - 1, 'file')} like it)" if store.files > 1 else ""
    kind = "contiguous" if not store.chunks else f"chunks {store.chunks}, {memory(store.chunk_bytes)}"
    filters = f", {' + '.join(store.filters)}" if store.filters else ""
    return f"{store.name} in {store.path}{several}: {kind}{filters}"


def _repack(table: Table, store: Store) -> str:
    """The command that stores X, or y, in whole rows, a block a chunk, so that shards meet where chunks do."""
    rows = min(Partition(table.rows, table.features, table.density).block_rows, store.shape[0])
    shape = "x".join(map(str, (rows, *store.shape[1:])))
    squeezed = f" -f {store.name}:GZIP=1" if "deflate" in store.filters else ""
    words = f"chunks={(rows, *store.shape[1:])}"
    return f"h5repack -l {store.name}:CHUNK={shape}{squeezed} OLD NEW, or in h5py create_dataset(..., {words})"


def reading(size: int, took: float) -> Finding:
    """How fast the first rows came."""
    if not size:
        return Finding("reading", "ok", "not tried: the first chunks are too large for a quick look")
    words = f"one rank read {memory(size)} of rows in {seconds(took)}, {rate(size / took)} (the node's file cache may have helped)"
    if size >= 1 << 20 and size / took < SLOW:
        advice = "loading will take long: copy the data to a faster file system first, or store them less compressed"
        return Finding("reading", "note", words, advice)
    return Finding("reading", "ok", words)


def locking(folders: Sequence[Folder], nodes: int) -> Finding:
    """Whether files can be locked where the data are, and where the output goes."""
    usable = [folder for folder in folders if not folder.error]
    where = "; ".join(f"{folder.path or '.'} on {folder.system}" for folder in usable)
    broken = [folder for folder in usable if folder.lock]
    if broken:
        words = f"a file in {broken[0].path or '.'} (on {broken[0].system}) can't be locked: {broken[0].lock}"
        advice = "nobody will notice a program that writes the data meanwhile: see to it; other HDF5 programs may need "
        advice += "HDF5_USE_FILE_LOCKING=BEST_EFFORT"
        level = "warning" if "answer" in broken[0].lock else "note"
        return Finding("locking", level, words, advice)
    if nodes > 1 and not all(folder.system.startswith(SHARED) for folder in usable):
        where += ", which is not known as a file system that nodes share"
    return Finding("locking", "ok", f"locks work; {where}" if usable else "no folder to look at")


def output(folder: Folder) -> Finding:
    """Whether the output folder can be written."""
    if folder.error:
        return Finding("out", "warning", folder.error, "the record of the run would be lost")
    return Finding("out", "ok", f"{folder.path} can be written" if folder.path else "no --out was given: nothing is kept")
