"""Data sets that are allocated, so they count as written, and yet take no disk."""

import h5py


def hole(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    """Zeros without chunks, up to the size that the file system allows to a file (16 TiB for ext4)."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple(shape), plan)
