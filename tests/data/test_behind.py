"""What is behind a data set: rows are read as HDF5 gives them, or refused; nothing is read that was never written."""

import os
import resource
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data import filepart, hdf5
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import Partition

X = np.random.default_rng(4).normal(size=(300, 4))
FOREVER = h5py.h5s.UNLIMITED


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(path: str = "v.h5", x: str = "X", slab: int = 37) -> np.ndarray:
    """X as the ranks read it: in slabs."""
    table = hdf5.inspect([path], x, "y")
    read, y = np.full((table.rows, table.features), np.nan), np.empty(table.rows)
    for start in range(0, table.rows, slab):
        here = range(start, min(start + slab, table.rows))
        table.read(here, read[here.start : here.stop], y[here.start : here.stop])
    return read


def refused(path: str = "v.h5", x: str = "X") -> str:
    with pytest.raises(InputError) as caught:
        rows(path, x)
    return str(caught.value)


def source(path: str, x: np.ndarray, **how: Any) -> str:
    Path(path).parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=x, **how)
    return path


def virtual(*parts: tuple[Any, ...], path: str = "v.h5") -> None:
    """X from (where, file, the shape that the source is said to have, what is taken of it)."""
    layout = h5py.VirtualLayout(X.shape, "f8")
    for where, file, said, taken in parts:
        its = h5py.VirtualSource(file, "X", said)
        layout[where] = its if taken is None else its[taken]
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset("X", layout)
        file["y"] = X[:, 0]


# Storage that was never written


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([range(600)], "6 of 10 chunks are stored, rows 600 to 999 were never written"),
        ([range(100), range(200, 1000)], "9 of 10 chunks are stored, rows 100 to 199 were never written"),
        ([range(100, 200), range(300, 900)], "7 of 10 chunks are stored, rows 0 to 99 (and 2 more gaps) were never written"),
        ([], "0 of 10 chunks are stored, rows 0 to 999 were never written"),
    ],
)
@pytest.mark.parametrize("how", [{}, {"compression": "gzip"}, {"maxshape": (None, 3)}])
def test_chunks_that_are_not_stored(written: list[range], words: str, how: dict[str, Any]) -> None:
    with h5py.File("half.h5", "w") as file:
        x = file.create_dataset("X", (1000, 3), "f8", chunks=(100, 3), **how)
        for part in written:
            x[part.start : part.stop] = 1.0
        file["y"] = np.zeros(1000)
    assert words in refused("half.h5")


def test_chunks_across_and_targets() -> None:
    with h5py.File("half.h5", "w") as file:
        x = file.create_dataset("X", (40, 10), "f8", chunks=(7, 3))
        x[:, :9] = 1.0
        x[:28] = 1.0
        file.create_dataset("y", (40,), "f8", chunks=(10,))[:30] = 1.0
    assert "/X in half.h5 is not complete: 22 of 24 chunks are stored, rows 28 to 39 were" in refused("half.h5")
    with h5py.File("half.h5", "r+") as file:
        file["X"][...] = 0.0  # written, though it is the fill value
    assert "/y in half.h5 is not complete: 3 of 4 chunks are stored, rows 30 to 39 were" in refused("half.h5")
    with h5py.File("half.h5", "r+") as file:
        file["y"][...] = 0.0
    assert (rows("half.h5") == 0).all()


@pytest.mark.parametrize("fill_time", ["alloc", "ifset", "never"])
def test_contiguous_rows_that_were_never_written(fill_time: str) -> None:
    with h5py.File("none.h5", "w") as file:
        file.create_dataset("X", (300, 4), "f8", fill_time=fill_time)
        file["y"] = np.zeros(300)
    assert "/X in none.h5 was made, but nothing of it was ever written" in refused("none.h5")


def test_what_a_read_leaves_out_is_no_old_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    source("rows.h5", X, chunks=(30, 4), compression="lzf")  # which HDF5 reads
    with h5py.File("rows.h5", "r+") as file:
        file["y"] = X[:, 0]
    table = hdf5.inspect(["rows.h5"], "X", "y")
    monkeypatch.setattr(h5py.Dataset, "read_direct", lambda *_: None)
    with pytest.raises(InputError, match="nan"):
        MemoryShard(table, Partition(table.rows, table.features)).hold(np.array([0]))


# Virtual data sets


def test_sources_of_every_kind_of_selection_are_read_as_hdf5_does() -> None:
    source("a.h5", X)
    source("long.h5", np.concatenate([X[200:], X]))
    source("deep.h5", X.reshape(3, 100, 4))
    virtual(
        (np.s_[:50], "a.h5", (300, 4), np.s_[:50]),
        (np.s_[50:100:2], "a.h5", (300, 4), np.s_[50:100:2]),
        (np.s_[51:100:2], "long.h5", (400, 4), np.s_[151:200:2]),
        (np.s_[100:200, :3], "deep.h5", (3, 100, 4), np.s_[1, :, :3]),
        (np.s_[100:200, 3], "a.h5", (300, 4), np.s_[100:200, 3]),
        (np.s_[200:], "long.h5", (400, 4), np.s_[:100]),
    )
    for slab in (7, 300):
        np.testing.assert_array_equal(rows(slab=slab), X)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            [(np.s_[:100], "a.h5", (300, 4), np.s_[:100]), (np.s_[110:], "a.h5", (300, 4), np.s_[110:])],
            "rows 100 to 109 come from no",
        ),
        (
            [(np.s_[:200], "a.h5", (300, 4), np.s_[:200]), (np.s_[100:200], "a.h5", (300, 4), np.s_[:100])],
            "rows 200 to 299 come from no",
        ),
        (
            [(np.s_[:200], "a.h5", (300, 4), np.s_[:200]), (np.s_[198:], "a.h5", (300, 4), np.s_[198:])],
            "rows 198 to 199 come from several",
        ),
        ([(np.s_[:, :3], "a.h5", (300, 4), np.s_[:, :3])], "rows 0 to 299 come from no"),
    ],
)
def test_gaps_and_overlaps(parts: list[tuple[Any, ...]], words: str) -> None:
    source("a.h5", X)
    virtual(*parts)
    assert words in refused()


@pytest.mark.parametrize("shape", [(600, 2), (60, 4), (1200,), (300, 6), (10, 30, 8), (150, 8), (100, 3, 4), (299, 4), (300, 3)])
@pytest.mark.parametrize("taken", [None, np.s_[:300, :4]])
def test_a_source_of_another_shape(shape: tuple[int, ...], taken: Any) -> None:
    """HDF5 reads other values then, reads past the end, or crashes."""
    source("s.h5", np.arange(float(np.prod(shape))).reshape(shape))
    virtual((np.s_[:], "s.h5", (300, 4), taken))
    if (taken and shape == (300, 6)) or (not taken and shape == (100, 3, 4)):
        with h5py.File("v.h5") as file:  # what is said to be taken is there
            np.testing.assert_array_equal(rows(), file["X"])
    else:
        assert f"s.h5, which has shape {shape}" in refused()


def test_only_what_is_taken_of_a_source_has_to_be_written() -> None:
    with h5py.File("half.h5", "w") as file:
        file.create_dataset("X", (1000, 4), "f8", chunks=(100, 4))[:300] = X
    virtual((np.s_[:], "half.h5", (1000, 4), np.s_[:300]))
    np.testing.assert_array_equal(rows(), X)
    virtual((np.s_[:], "half.h5", (1000, 4), np.s_[1:301]))
    assert "half.h5 is not complete: 3 of 10 chunks are stored, row 300 was never written" in refused()


def test_nested_virtual_data_sets() -> None:
    source("a.h5", X)
    virtual((np.s_[:], "a.h5", (300, 4), None), path="inner.h5")
    virtual((np.s_[:150], "inner.h5", (300, 4), np.s_[:150]), (np.s_[150:], "a.h5", (300, 4), np.s_[150:]))
    np.testing.assert_array_equal(rows(), X)
    virtual((np.s_[:200], "a.h5", (300, 4), np.s_[:200]), path="inner.h5")
    virtual((np.s_[:], "inner.h5", (300, 4), None))
    assert "inner.h5 is a virtual data set in which rows 200 to 299 come from no source" in refused()


def numbered(count: int, extent: int = 300) -> None:
    for i in range(count):
        source(f"p-{i}.h5", X[100 * i : 100 * i + 100])
    with h5py.File("v.h5", "w", libver="latest") as file:
        space = h5py.h5s.create_simple((300, 4), (FOREVER, 4))
        space.select_hyperslab((0, 0), (FOREVER, 1), (100, 4), (100, 4))
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_virtual(space, b"p-%b.h5", b"X", h5py.h5s.create_simple((100, 4)))
        h5py.h5d.create(file.id, b"X", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((300, 4), (FOREVER, 4)), plan)
        file["y"] = X[:extent, 0]


def test_numbered_sources() -> None:
    numbered(3)
    np.testing.assert_array_equal(rows(), X)
    source("p-2.h5", X[200:260])
    assert "p-2.h5, which has shape (60, 4)" in refused()


def test_a_numbered_source_that_is_missing_does_not_end_the_rows() -> None:
    """HDF5 takes the first one that is missing for the end."""
    numbered(3, 100)
    Path("p-1.h5").unlink()
    assert "p-1.h5 is missing, though p-2.h5 is there" in refused()
    Path("p-2.h5").unlink()
    np.testing.assert_array_equal(rows(), X[:100])


@pytest.mark.parametrize("length", [150, 140])
def test_unlimited_sources(length: int) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    for i in (0, 1):
        source(f"i{i}.h5", X[i::2][: length if i else 150], maxshape=(None, 4))
        space = h5py.h5s.create_simple((300, 4), (FOREVER, 4))
        space.select_hyperslab((i, 0), (FOREVER, 1), (2, 1), (1, 4))
        taken = h5py.h5s.create_simple((150, 4), (FOREVER, 4))
        taken.select_hyperslab((0, 0), (1, 1), (1, 1), (FOREVER, 4))
        plan.set_virtual(space, f"i{i}.h5".encode(), b"X", taken)
    with h5py.File("v.h5", "w", libver="latest") as file:
        h5py.h5d.create(file.id, b"X", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((300, 4), (FOREVER, 4)), plan)
        file["y"] = X[: len(file["X"]), 0]
    if length == 150:
        np.testing.assert_array_equal(rows(), X)
    else:
        assert "values from 560 of /X in" in refused()


def test_more_sources_than_files_that_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 reads the fill value where it can't open a source."""
    monkeypatch.setattr(filepart, "FILES", 20)
    for i in range(150):
        source(f"s/{i}.h5", X[2 * i : 2 * i + 2])
    virtual(*((np.s_[2 * i : 2 * i + 2], f"s/{i}.h5", (2, 4), None) for i in range(150)))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    there = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (there + 60, limits[1]))
        np.testing.assert_array_equal(rows(slab=300), X)
        monkeypatch.setattr(filepart, "FILES", 1000)
        with pytest.raises(InputError, match="too many files open already: raise its limit"):
            rows(slab=300)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


# Where files are found


def found_through(what: str) -> str:
    """Files laid out so that HDF5 finds the source ``p.h5`` in one of its ways; the path to open."""
    for folder in ("real", "link", "pre"):
        Path(folder).mkdir()
    place = {"link": "real", "own folder": "link", "moved": "real", "variable": "pre", "work": "."}[what]
    source(f"{place}/p.h5", X)
    name = f"{Path.cwd()}/gone/p.h5" if what == "moved" else "p.h5"
    virtual((np.s_[:], name, (300, 4), None), path="real/v.h5")
    with h5py.File("real/v.h5", "r+") as file:
        file["E"] = h5py.ExternalLink(name, "X")
    Path("link/v.h5").symlink_to("../real/v.h5")
    if what == "own folder":
        source("real/p.h5", -X)  # comes after the link's own folder
    return "link/v.h5" if what in ("link", "own folder") else "real/v.h5"


@pytest.mark.parametrize("name", ["X", "E"])
@pytest.mark.parametrize("what", ["link", "own folder", "moved", "variable", "work"])
def test_files_are_found_as_hdf5_finds_them(what: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = found_through(what)
    if what == "variable":
        for variable in ("HDF5_VDS_PREFIX", "HDF5_EXT_PREFIX"):
            monkeypatch.setenv(variable, f"/nowhere:{Path.cwd()}/pre")
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file[name], X)
    np.testing.assert_array_equal(rows(path, name), X)


def test_a_rank_that_was_started_without_the_variable_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    path = found_through("variable")
    monkeypatch.setenv("HDF5_VDS_PREFIX", f"{Path.cwd()}/pre")
    table = hdf5.inspect([path], "X", "y")
    monkeypatch.setenv("HDF5_VDS_PREFIX", "")
    x, y = np.empty((300, 4)), np.empty(300)
    table.read(range(300), x, y)
    np.testing.assert_array_equal(x, X)


# What changes


def shard_of(path: str) -> MemoryShard:
    table = hdf5.inspect([path], "X", "y")
    return MemoryShard(table, Partition(table.rows, table.features))


def behind(kind: str) -> str:
    """Files in which X is behind ``b``, in the way named; returns the one to open."""
    with h5py.File("top.h5", "w") as file:
        file["y"] = X[:, 0]
        if kind == "link":
            source("b", X)
            file["X"] = h5py.ExternalLink("b", "X")
        elif kind == "raw":
            X.tofile("b")
            file.create_dataset("X", X.shape, "f8", external=[("b", 0, X.nbytes)])
    if kind == "virtual":
        source("b", X)
        virtual((np.s_[:], "b", (300, 4), None), path="top.h5")
    if kind == "nested":
        source("b", X)
        virtual((np.s_[:], "b", (300, 4), None), path="inner.h5")
        virtual((np.s_[:], "inner.h5", (300, 4), None), path="top.h5")
    return "top.h5"


@pytest.mark.parametrize("harm", ["touched", "replaced with the same size and time", "gone"])
@pytest.mark.parametrize("kind", ["link", "raw", "virtual", "nested"])
def test_a_file_behind_that_changes_is_noticed(kind: str, harm: str) -> None:
    shard = shard_of(behind(kind))
    shard.hold(np.array([0]))
    file = Path("b")
    before = file.stat()
    if harm == "touched":
        os.utime("b", (1, 1))
    elif harm == "gone":
        file.unlink()
    else:
        Path("c").write_bytes(file.read_bytes())
        Path("c").replace(file)
        os.utime("b", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InputError, match=rf"{Path.cwd()}/b has (changed|gone)"):
        shard.hold(np.array([0, 1]))


def test_a_link_that_leads_elsewhere_is_noticed() -> None:
    source("b.h5", X)
    for name in ("one.h5", "two.h5"):
        virtual((np.s_[:], "b.h5", (300, 4), None), path=name)
    link = Path("link.h5")
    os.utime("two.h5", ns=(Path("one.h5").stat().st_atime_ns, Path("one.h5").stat().st_mtime_ns))
    link.symlink_to("one.h5")
    shard = shard_of("link.h5")
    shard.hold(np.array([0]))
    link.unlink()
    link.symlink_to("two.h5")
    with pytest.raises(InputError, match=r"link\.h5 has changed since the run began"):
        shard.hold(np.array([0, 1]))


def test_a_file_that_is_on_one_node_only_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = shard_of(behind("virtual"))
    Path("b").unlink()
    other = os.uname_result(("Linux", "node9", *os.uname()[2:]))
    monkeypatch.setattr(os, "uname", lambda: other)
    with pytest.raises(InputError, match=r"/b is on node .*, but not on node node9 .*: put it where all nodes see it"):
        shard.hold(np.array([0]))


# Links


def links(**those: Any) -> str:
    source("t.h5", X)
    with h5py.File("l.h5", "w") as file:
        for name, link in those.items():
            file[name] = link
        file["y"] = X[:, 0]
    return "l.h5"


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (h5py.ExternalLink("gone.h5", "feat"), "X in l.h5 is a link to feat in gone.h5, which is missing"),
        (h5py.ExternalLink("t.h5", "feat"), "t.h5, which has no such data set"),
        (h5py.SoftLink("/feat"), "X in l.h5 is a link to /feat, which is missing"),
        (h5py.SoftLink("/X"), "is a link that leads back to itself"),
        (h5py.ExternalLink("l.h5", "/X"), "is a link that leads back to itself"),
    ],
)
def test_a_broken_link_is_named(link: Any, words: str) -> None:
    assert words in refused(links(X=link))


def test_links_that_lead_somewhere() -> None:
    path = links(feature=h5py.SoftLink("b"), b=h5py.ExternalLink("t.h5", "X"))
    np.testing.assert_array_equal(rows(path, "feature"), X)
    assert "has no data set featur (did you mean feature?)" in refused(path, "featur")


@pytest.mark.parametrize("file", [".", "l.h5"])
def test_a_source_that_is_a_link_to_its_own_file_by_name_is_not_read(file: str) -> None:
    """On those HDF5 crashes; on links to other files it does not."""
    links(real=h5py.ExternalLink("t.h5", "X"), loop=h5py.ExternalLink("l.h5", "real"))
    for name in ("real", "loop"):
        with h5py.File("l.h5" if file == "." else "v.h5", "a") as made:
            layout = h5py.VirtualLayout(X.shape, "f8")
            layout[:] = h5py.VirtualSource(file, name, X.shape)
            made.create_virtual_dataset(f"V{name}", layout)
            if file != ".":
                made.require_dataset("y", (300,), "f8")[...] = 0.0
    path = "l.h5" if file == "." else "v.h5"
    np.testing.assert_array_equal(rows(path, "Vreal"), X)
    assert "a link by way of that file's own name" in refused(path, "Vloop")


@pytest.mark.parametrize("kind", ["link", "virtual"])
def test_a_pipe_behind_is_not_waited_for(kind: str) -> None:
    path = behind(kind)
    Path("b").unlink()
    os.mkfifo("b")
    assert "b is a pipe, not a file" in refused(path)


# Types


def typed(base: h5py.h5t.TypeID, size: int, values: list[float]) -> str:
    kind = base.copy()
    if size != kind.get_size():
        kind.set_precision(8 * size)
        kind.set_size(size)
    with h5py.File("t.h5", "w") as file:
        for name, shape in ((b"X", (len(values), 1)), (b"y", (len(values),))):
            made = h5py.h5d.create(file.id, name, kind, h5py.h5s.create_simple(shape))
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(values).reshape(shape))
    return "t.h5"


@pytest.mark.parametrize("order", [h5py.h5t.STD_I64LE, h5py.h5t.STD_I64BE])
@pytest.mark.parametrize("size", [3, 5, 7])
def test_integers_of_sizes_that_numpy_has_not(order: h5py.h5t.TypeID, size: int) -> None:
    values = [-(2 ** (8 * size - 1)), 7, 2 ** (8 * size - 1) - 1]
    table = hdf5.inspect([typed(order, size, values)], "X", "y")
    x, y = np.empty((3, 1), table.x_type), np.empty(3)
    table.read(range(3), x, y)
    assert table.x_type == ("int32" if size == 3 else "int64")
    assert x[:, 0].tolist() == values
    assert y.tolist() == [float(value) for value in values]


@pytest.mark.parametrize(("kind", "size"), [(h5py.h5t.STD_I64LE, 16), (h5py.h5t.NATIVE_LDOUBLE, 16), (h5py.h5t.IEEE_F64LE, 12)])
def test_a_type_that_is_not_read_is_no_damage(kind: h5py.h5t.TypeID, size: int) -> None:
    assert f"X in t.h5 holds numbers of {8 * size} bits: expected real numbers" in refused(typed(kind, size, [1.0, 2.0]))
