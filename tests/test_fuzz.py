"""The fuzzer's short form, and what it found. `python tests/chaos/fuzz.py` is the long one."""

import contextlib
from pathlib import Path
from random import Random

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.cli.arguments import settings
from mpi_pgd.cli.fit import parser
from mpi_pgd.data import files, hdf5
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import Partition
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.losses.squared import Squared
from mpi_pgd.report import records
from mpi_pgd.study import every
from tests.chaos import assembled, compressed, forgeries, valid
from tests.chaos.fuzz import FAILED, KINDS, Base, fuzz
from tests.launch import libraries
from tests.report import samples
from tests.thorough import thorough

pytestmark = pytest.mark.beside("numbers")

SEED, CASES = 4, 8


@pytest.mark.beside("slurm")  # which leaves more time than the others
@pytest.mark.thorough
def test_bad_files_are_answered_in_good_order(tmp_path: Path) -> None:
    """Both libraries take turns. Every part of the verdict is looked at: nothing hangs, and what is answered is right."""
    there = [libraries()[name] for name in ("mpich", "openmpi") if name in libraries()]
    if not there:
        pytest.skip("no environment with MPICH or Open MPI here")
    lines: list[str] = []
    base = Base(tmp_path, there[0], KINDS)
    counts = fuzz(base, lambda number: there[number % len(there)], SEED, range(CASES), lines.append)
    assert counts.total() == CASES
    assert [line for line in lines if FAILED in line] == [], "\n".join(lines)


def looked_at(folder: Path) -> str:
    """What is wrong with the table in a folder's files; nothing if its first row can be read."""
    try:
        table = hdf5.inspect(files.find([f"{folder}/data*.h5"]), "X", "y")
        table.read(range(1), np.empty((1, table.features)), np.empty(1))
    except InputError as error:
        return str(error)
    return ""


# Without `chunks`: on some HDF5 itself crashes; `assembled` and `sparse` have tests of their own; `sizes` are not to be read.
@pytest.mark.parametrize(
    "forge",
    sorted({*forgeries.HDF5} - {forgeries.chunks, forgeries.assembled, forgeries.sparse, forgeries.sizes}, key=str),
    ids=lambda forge: forge.__name__,
)
@pytest.mark.parametrize("seeds", [range(3), thorough(range(3, 12))], ids=str)
def test_a_forged_table_is_read_or_refused(tmp_path: Path, forge: forgeries.Forge, seeds: range) -> None:
    for seed in seeds:
        with h5py.File(tmp_path / "data.h5", "w") as file:
            forge(file, Random(seed))
        looked_at(tmp_path)


@pytest.mark.parametrize("seeds", [range(40), thorough(range(40, 150))], ids=str)
def test_assembled_tables_are_read_rightly_or_refused(tmp_path: Path, seeds: range) -> None:
    """All rows are read, in slabs that begin anywhere; a table with something wrong is refused, one without is not."""
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        draw = Random(seed)
        with h5py.File(folder / "data.h5", "w") as file:
            wrong = assembled.assemble(file, draw)
        try:
            table = hdf5.inspect([str(folder / "data.h5")], "X", "y")
            x, y = np.empty_like(valid.X), np.empty_like(valid.Y)
            cuts = sorted({0, len(x), *draw.sample(range(len(x)), 3)})
            for rows in map(range, cuts[:-1], cuts[1:]):
                table.read(rows, x[rows.start : rows.stop], y[rows.start : rows.stop])
        except InputError as error:
            said = str(error)
        else:
            said = ""
            np.testing.assert_array_equal(x, valid.X)
        assert bool(said) == bool(wrong), (seed, wrong, said)


@pytest.mark.parametrize("seeds", [range(80), thorough(range(80, 300))], ids=str)
def test_sparse_rows_are_read_rightly_or_refused(tmp_path: Path, seeds: range) -> None:
    """By the definition: what are no rows is refused in a sentence, and what are some is read as these."""
    for seed in seeds:
        draw = Random(seed)
        given = compressed.damaged(draw)
        expected, path = compressed.meant(given), tmp_path / f"{seed}.h5"
        with h5py.File(path, "w") as file:
            valid.write(file, given, **draw.choice(({}, {"chunks": (64,), "fletcher32": True}, {"compression": "gzip"})))
            file["y"] = valid.Y
        try:
            table = hdf5.inspect([str(path)], "X", "y")
            shard = MemoryShard(table, Partition(table.rows, table.features, table.density))
            shard.hold(np.arange(shard.partition.blocks))
            found = np.zeros((table.rows, table.features))
            for block in shard.blocks(Query([GradientTask(Squared(), table.features, 64)])):
                block.scaled(np.ones(table.features), slice(0, block.rows), found[block.start : block.start + block.rows])
        except InputError as error:
            found, said = None, str(error)
        else:
            said = ""
        assert (expected is None, "\n" in said) == (found is None, False), (seed, said)
        if found is not None:
            np.testing.assert_array_equal(found, expected, err_msg=str(seed))


def test_a_virtual_data_set_made_of_itself(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        forgeries.own_source(file, Random(0))
    assert "is made of itself" in looked_at(tmp_path)


@pytest.mark.parametrize("kept", [0, 100])
def test_raw_numbers_that_are_missing_are_not_read_as_zeros(tmp_path: Path, kept: int) -> None:
    (tmp_path / "raw.bin").write_bytes(valid.X.tobytes()[:kept])
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file.create_dataset("X", valid.X.shape, "f8", external=[(tmp_path / "raw.bin", 0, valid.X.nbytes)])
        file["y"] = valid.Y
    assert "raw.bin, which is missing or too short" in looked_at(tmp_path)
    (tmp_path / "raw.bin").write_bytes(valid.X.tobytes())
    assert looked_at(tmp_path) == ""


def test_names_that_are_no_text(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        for name in (b"\xff", b"a\nb", b"\x1b[31m"):
            h5py.h5d.create(file.id, name, h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((3,)))
    assert r"its data sets are: \x1b[31m, a\nb, \xff;" in looked_at(tmp_path)


def test_feature_names_that_are_no_text(tmp_path: Path) -> None:
    valid.table(tmp_path / "data.h5")
    with h5py.File(tmp_path / "data.h5", "r+") as file:
        file["X"].attrs["feature_names"] = np.array([b"\xff", b"a\nb", b"c"])
    assert hdf5.inspect([str(tmp_path / "data.h5")], "X", "y").names == (r"\xff", r"a\nb", "c")


@pytest.mark.parametrize("key", ["rounds", "l2", "step", "x", "data", "quiet"])
def test_any_value_in_toml_is_taken_or_refused(tmp_path: Path, key: str) -> None:
    for value in forgeries.TOML_VALUES:
        (tmp_path / "settings.toml").write_text(f"{key} = {value}\n")
        with contextlib.suppress(InputError):
            settings(parser().read([valid.__file__, "--config", str(tmp_path / "settings.toml")]))


@pytest.mark.parametrize("value", [10**400, "\udcff", -1.0, 0])
def test_a_number_that_no_study_gives(tmp_path: Path, value: object) -> None:
    study = samples.plan()
    study["rows"][0]["seconds_per_round"] = value
    with pytest.raises(InputError, match="is damaged"):
        records.read(str(samples.folder(tmp_path, plan=study)), every())


def test_a_glob_that_is_like_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings(parser().read(["data*.h5"])).data == ("data*.h5",)
