"""The doctor under real mpiruns: healthy, crowded, pinned, threaded, mismatched, and with data that a fit could not use."""

import json
import os
import shutil
import subprocess
import zlib
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd.config import settings
from tests.hosts import Hosts, unavailable
from tests.launch import ROOT, Library, Result, any_library, launch, libraries
from tests.sparse import hole
from tests.thorough import thorough

pytestmark = pytest.mark.beside("programs")

DATA = ROOT / "data" / "diamonds.h5"
SCRIPT = """
import json, os, sys
from itertools import product
from math import prod
from pathlib import Path
from mpi4py import MPI
from mpi_pgd.config import Settings
from mpi_pgd.study.doctor.examine import examine
from mpi_pgd.study.doctor.findings import text

folder, out, *data = sys.argv[1:]
found = examine(MPI.COMM_WORLD, Settings(data=tuple(data)), out)
Path(folder, f"found.{os.getpid()}").write_text(json.dumps([item._asdict() for item in found]))
if MPI.COMM_WORLD.rank == 0:
    print(text(found))
"""
CHECKS = [
    *("world", "launcher", "lost ranks", "slurm", "cores", "pinning", "threads", "kernels", "software", "processors", "clocks"),
    *("shared memory", "network", "data", "memory", "blocks", "chunks", "reading", "locking", "out"),
]
CORES = len(os.sched_getaffinity(0))

Rows = dict[str, dict[str, str]]


def examined(
    folder: Path, library: Library, ranks: int, *data: object, out: object = "", worlds: int = 1, **options: Any
) -> tuple[Rows, Result]:
    """The findings by check, the same on all ranks of a world, and how the launch ended."""
    script, answers = folder / "script.py", folder / "answers"
    script.write_text(SCRIPT)
    answers.mkdir()
    result = launch(library, ranks, answers, out, *data, script=script, **options)
    assert result.returncode == 0, result
    found = [json.loads(path.read_text()) for path in answers.iterdir()]
    assert len(found) == ranks, result
    assert worlds > 1 or all(rows == found[0] for rows in found), found
    return {row["check"]: row for row in found[0]}, result


def seen(comm: Any, *data: object, out: object = "", **options: Any) -> Rows:
    """The findings by check, the same on all ranks of a communicator."""
    from mpi_pgd.study.doctor.examine import examine

    rows = [item._asdict() for item in examine(comm, settings({"data": [*map(str, data)], **options}), str(out))]
    assert all(each == rows for each in comm.allgather(rows))
    return {row["check"]: row for row in rows}


def wrapped(library: Library, folder: Path, command: str) -> Library:
    """The library with a python that is started by a line of shell; ``$rank`` is its rank."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\nrank="${{PMI_RANK:-${{PMIX_RANK:-0}}}}"\nexec {command.format(python=library.python)} "$@"\n')
    path.chmod(0o755)
    return replace(library, python=str(path))


def can(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


NAMESPACES = pytest.mark.skipif(not can("unshare", "-um", "true"), reason="needs the right to make namespaces (root)")
TASKSET = pytest.mark.skipif(not can("taskset", "-c", "0", "true") or CORES < 2, reason="needs taskset, and two cores")


@pytest.mark.parametrize("ranks", [thorough(1), 2])
def test_shipped_data(library: Library, tmp_path: Path, ranks: int) -> None:
    out = tmp_path / "out"
    rows, result = examined(tmp_path, library, ranks, DATA, out=out)
    assert list(rows) == CHECKS
    assert not [row for row in rows.values() if "crashed" in row["finding"]], result
    for check in ("world", "launcher", "slurm", "threads", "kernels", "software", "processors", "data", "memory", "blocks", "out"):
        assert rows[check]["level"] == "ok", result
        assert rows[check]["advice"] == ""
    assert "53,940 rows, 23 features" in rows["data"]["finding"]
    assert "GB/s" in rows["shared memory"]["finding"] or ranks == 1
    assert not out.exists()  # looked at, and gone again: nothing was written
    assert f"{ranks} rank" in result.stdout
    lines = [line.split()[0] for line in result.stdout.splitlines()[2:] if not line.startswith(" ")]
    assert lines == sorted(lines, key=["warning", "note", "ok"].index)


@pytest.mark.either
def test_no_data(library: Library, tmp_path: Path) -> None:
    rows, _ = examined(tmp_path, library, 1)
    assert rows["data"]["level"] == "note"
    assert not {"memory", "blocks", "chunks", "reading"} & set(rows)


@pytest.mark.either
def test_more_ranks_than_cores(library: Library, tmp_path: Path) -> None:
    ranks = (os.cpu_count() or 1) + 2
    if ranks > 8:
        pytest.skip("this machine has many cores")
    rows, result = examined(tmp_path, library, ranks, DATA)
    assert rows["cores"]["level"] == "warning", result
    assert f"{ranks} ranks on node" in rows["cores"]["finding"]
    assert f"at most {ranks - 2}" in rows["cores"]["advice"]
    assert rows["threads"]["level"] == "ok"
    assert "\n" + " " * 24 + "-> start at most" in result.stdout


@TASKSET
@pytest.mark.either
def test_all_on_one_core(library: Library, tmp_path: Path) -> None:
    rows, result = examined(tmp_path, wrapped(library, tmp_path, "taskset -c 0 {python}"), 2, DATA)
    assert rows["pinning"]["level"] == "warning", result
    assert "ranks 0-1" in rows["pinning"]["finding"]
    assert "core 0 of" in rows["pinning"]["finding"]


@TASKSET
@pytest.mark.thorough
@pytest.mark.either
def test_each_on_its_core(library: Library, tmp_path: Path) -> None:
    rows, result = examined(tmp_path, wrapped(library, tmp_path, 'taskset -c "$rank" {python}'), 2, DATA)
    assert rows["pinning"]["level"] == "ok", result


@pytest.mark.skipif(CORES < 2, reason="OpenBLAS takes no more threads than cores")
@pytest.mark.either
def test_threads(library: Library, tmp_path: Path) -> None:
    rows, result = examined(tmp_path, library, 2, DATA, env={"OPENBLAS_NUM_THREADS": 2})
    assert rows["threads"]["level"] == "warning", result
    assert "OPENBLAS_NUM_THREADS=2" in rows["threads"]["finding"]


@pytest.mark.either
def test_other_kernels(library: Library, tmp_path: Path) -> None:
    command = 'env MPI_PGD_KERNEL="$([ $rank = 1 ] && echo numpy || echo baseline)" {python}'
    rows, result = examined(tmp_path, wrapped(library, tmp_path, command), 3, DATA)
    assert rows["kernels"]["level"] == "warning", result
    assert "ranks 0, 2" in rows["kernels"]["finding"]


@NAMESPACES
@pytest.mark.either
def test_two_nodes(library: Library, tmp_path: Path) -> None:
    """Two names make two nodes; and the second does not have the folder with the data."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(DATA, folder / "rows.h5")
    hide = f"[ $rank -lt 2 ] || mount -t tmpfs none {folder}"
    command = f"unshare -um sh -c 'hostname n$(($1 / 2)); rank=$1; {hide}; shift; exec {{python}} \"$@\"' sh $rank"
    rows, result = examined(tmp_path, wrapped(library, tmp_path, command), 4, folder / "*.h5")
    assert "4 ranks on 2 nodes" in rows["world"]["finding"], result
    assert rows["data"]["level"] == "warning"
    assert rows["data"]["finding"].startswith(f"node n1 can't use the data: no file matches {folder}")
    assert "rank 0 to rank 2 on node n1" in rows["network"]["finding"]
    assert rows["clocks"]["level"] in ("ok", "note")  # that this machine is busy may make it a note
    assert "off rank 0's" in rows["clocks"]["finding"]
    assert rows["memory"]["level"] == "ok"


@NAMESPACES
@pytest.mark.either
def test_nodes_with_other_files(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    stored(tmp_path / "other.h5", (500, 3))
    stored(folder / "rows.h5", (400, 3))
    swap = f"[ $rank -lt 1 ] || mount --bind {tmp_path / 'other.h5'} {folder / 'rows.h5'}"
    command = f"unshare -um sh -c 'hostname n$1; rank=$1; {swap}; shift; exec {{python}} \"$@\"' sh $rank"
    rows, result = examined(tmp_path, wrapped(library, tmp_path, command), 2, folder / "rows.h5")
    assert rows["data"]["level"] == "warning", result
    assert "node n1 sees other files" in rows["data"]["finding"]


@pytest.mark.skipif(unavailable() != "", reason=unavailable())
@pytest.mark.either
def test_slow_network(library: Library, tmp_path: Path) -> None:
    """Hosts joined by links with 1 ms and 100 Mbit/s."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with Hosts(3) as hosts:
        result = hosts.mpirun(library, 3, tmp_path, "", DATA, script=script)
    assert result.returncode == 0, result
    rows = {row["check"]: row for row in json.loads(next(tmp_path.glob("found.*")).read_text())}
    assert rows["network"]["level"] == "warning", result
    assert "the slowest of 2: like 100 Mbit/s Ethernet or slower" in rows["network"]["finding"]
    assert "3 ranks on 3 nodes" in rows["world"]["finding"]


def test_mpirun_of_another_library(tmp_path: Path) -> None:
    """MPICH's mpirun starts Open MPI's ranks as worlds of one."""
    if not {"mpich", "openmpi"} <= set(libraries()):
        pytest.skip("needs both libraries")
    mixed = replace(libraries()["mpich"], python=libraries()["openmpi"].python)
    rows, result = examined(tmp_path, mixed, 2, DATA, worlds=2)
    assert rows["world"]["level"] == rows["launcher"]["level"] == "warning", result
    assert "started 2 ranks, but this MPI world has 1" in rows["world"]["finding"]
    assert "Open MPI" in rows["launcher"]["advice"]


def test_mpirun_that_the_library_does_not_survive(tmp_path: Path) -> None:
    """MPICH aborts in its start under Open MPI's mpirun; ``start`` says why before."""
    if not {"mpich", "openmpi"} <= set(libraries()):
        pytest.skip("needs both libraries")
    script = tmp_path / "script.py"
    script.write_text(
        "import mpi4py, sys\n"
        "mpi4py.rc.initialize = False\n"
        "from mpi_pgd.errors import InputError\n"
        "from mpi_pgd.comm.world import start\n"
        "try:\n    start()\n"
        "except InputError as error:\n    print(error)\n"
    )
    mixed = replace(libraries()["openmpi"], python=libraries()["mpich"].python)
    result = launch(mixed, 1, script=script)
    assert result.returncode == 0, result
    assert result.stdout.startswith("MPICH can't be started by Open MPI's mpirun: use the mpirun of the MPICH"), result


@pytest.mark.either
def test_launcher_that_tells_nothing(library: Library, tmp_path: Path) -> None:
    """Ranks that do not hear of each other, side by side, from one parent."""
    script, answers = tmp_path / "script.py", tmp_path / "answers"
    script.write_text(SCRIPT)
    answers.mkdir()
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PMI", "OMPI_COMM", "SLURM"))}
    env |= {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    command = [library.python, str(script), str(answers), ""]
    jobs = [subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [job.wait(60) for job in jobs] == [0, 0]
    worlds = [json.loads(path.read_text())[0] for path in answers.iterdir()]
    assert "2 processes with this command" in worlds[0]["finding"] or "2 processes with this command" in worlds[1]["finding"]


def stored(path: Path, shape: tuple[int, int], chunks: Any = None, y_chunks: Any = None) -> Path:
    """An HDF5 file with zeros, which take little disk: chunks are compressed, and a file without them has a hole."""
    with h5py.File(path, "w") as file:
        for name, size, step in (("X", shape, chunks), ("y", shape[:1], y_chunks)):
            if step:
                made, zeros = (
                    file.create_dataset(name, size, "f8", chunks=step, compression=1),
                    zlib.compress(bytes(8 * prod(step))),
                )
                for place in product(*map(range, (0,) * len(size), size, step)):
                    made.id.write_direct_chunk(place, zeros)
            else:
                hole(file, name, size)
    return path


def made(comm: Any, *what: Any, **how: Any) -> Path:
    """What is stored by rank 0."""
    path = stored(*what, **how) if comm.rank == 0 else None
    return Path(comm.bcast(path))


@pytest.mark.ranks(2, others=())
def test_rows_larger_than_memory(comm: Any, folder: Path) -> None:
    path = made(comm, folder / "huge.h5", (10**9, 1000))  # 7 TiB that take no disk
    rows = seen(comm, path)
    assert rows["memory"]["level"] == "warning"
    assert "7.28 TiB in all" in rows["memory"]["finding"]
    assert "such nodes or more" in rows["memory"]["advice"]


@pytest.mark.ranks(4, others=())
def test_columns_as_chunks(comm: Any, folder: Path) -> None:
    path = made(comm, folder / "columns.h5", (20_000, 20), chunks=(20_000, 1))
    rows = seen(comm, path)
    assert rows["chunks"]["level"] == "warning"
    assert "decompress 4 times what they read (predicted)" in rows["chunks"]["finding"]
    assert rows["chunks"]["advice"].startswith("h5repack -l X:CHUNK=576x20 -f X:GZIP=1 OLD NEW")


@pytest.mark.ranks(2, others=())
def test_one_chunk_of_targets(comm: Any, folder: Path) -> None:
    """X is read in slabs, and for each all of y is decompressed."""
    path = made(comm, folder / "targets.h5", (10**7, 100), chunks=(1000, 100), y_chunks=(10**7,))
    rows = seen(comm, path)
    assert rows["chunks"]["level"] == "warning"
    assert rows["chunks"]["finding"].startswith(f"y in {path}: chunks (10000000,), 76.3 MiB")


@pytest.mark.ranks(2, libraries=["mpich"])
def test_it_reads_what_a_fit_would(comm: Any, folder: Path) -> None:
    path = folder / "several.h5"
    if comm.rank == 0:
        with h5py.File(path, "w") as file:
            file["X"], file["y"], file["groups"] = np.zeros((100, 2)), np.zeros((100, 3)), [0, 1]
            file.create_dataset("often", data=np.ones(100), chunks=(100,))
    comm.Barrier()
    rows = seen(comm, path, weights="often", groups="groups")
    assert [rows[check]["level"] for check in ("data", "memory", "chunks", "reading")] == ["ok"] * 4, rows
    for options, told in (
        ({"offset": "often2"}, "often2"),
        ({"groups": "X"}, "a number for each feature"),
        ({"init": str(folder / "no.json")}, "no.json"),
    ):
        row = seen(comm, path, **options)["data"]
        assert row["level"] == "warning"
        assert told in row["finding"]


@pytest.mark.ranks(2, others=())
def test_missing_file(comm: Any, folder: Path) -> None:
    rows = seen(comm, folder / "gone.h5", out=folder / "out")
    assert rows["data"]["level"] == "warning"
    assert f"there is no file {folder / 'gone.h5'}" in rows["data"]["finding"]
    assert "memory" not in rows
    assert rows["out"]["level"] == "ok"


def test_data_that_are_nowhere_end_it(tmp_path: Path) -> None:
    result = launch(any_library(1), 2, "doctor", tmp_path / "nosuch.h5")
    assert (result.returncode, result.stdout) == (2, ""), result
    assert result.stderr.count("mpi_pgd: ") == 1, result
    assert f"mpi_pgd: there is no file {tmp_path / 'nosuch.h5'}: give one or more HDF5 files" in result.stderr


CRASHING = """
from mpi_pgd.study.doctor import checks, facts, files

def crash(*_):
    raise {}["what a doctor did not think of"]

if MPI.COMM_WORLD.rank:
    facts._kernels = crash
else:
    files.stores = checks.clocks = sys.modules["mpi_pgd.study.doctor.pings"]._trip = crash
"""


@pytest.mark.either
def test_a_part_that_crashes_is_a_finding(library: Library, tmp_path: Path) -> None:
    """On one rank or another, looking, measuring or judging: the others go on, and nobody is left waiting."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("\nfolder,", CRASHING + "\nfolder,"))
    result = launch(library, 2, tmp_path, tmp_path / "out", DATA, script=script)
    assert result.returncode == 0, result
    found = [json.loads(path.read_text()) for path in tmp_path.glob("found.*")]
    assert len(found) == 2
    assert found[0] == found[1]
    assert sorted(row["check"] for row in found[0]) == sorted(CHECKS)
    crashed = {row["check"]: row["finding"] for row in found[0] if "crashed" in row["finding"]}
    assert {check: words.partition("crashed on ")[2][:6] for check, words in crashed.items()} == {
        "kernels": "rank 1",
        "chunks": "rank 0",
        "shared memory": "rank 0",
        "clocks": "rank 0",
    }
    assert "KeyError: 'what a doctor did not think of' (script.py, line" in crashed["kernels"]
    assert {row["level"] for row in found[0] if row["check"] in ("data", "memory", "blocks", "out", "software")} == {"ok"}


@pytest.mark.ranks(1, others=())
def test_missing_source(comm: Any, folder: Path) -> None:
    layout = h5py.VirtualLayout((8, 2), "f8")
    layout[:] = h5py.VirtualSource("gone.h5", "X", (8, 2))
    with h5py.File(folder / "rows.h5", "w") as file:
        file.create_virtual_dataset("X", layout)
        file["y"] = np.zeros(8)
    rows = seen(comm, folder / "rows.h5")
    assert rows["data"]["level"] == "warning"
    assert "gone.h5 is missing" in rows["data"]["finding"]


@pytest.mark.ranks(4, others=())
def test_more_ranks_than_blocks(comm: Any, folder: Path) -> None:
    path = made(comm, folder / "few.h5", (100, 3))
    rows = seen(comm, path)
    assert rows["blocks"]["level"] == "warning"
    assert "2 of 4 workers would have no rows" in rows["blocks"]["finding"]
    assert "2 workers would have even ones" in rows["blocks"]["advice"]


@pytest.mark.ranks(2, others=())
def test_folder_that_cannot_be_made(comm: Any, folder: Path) -> None:
    (folder / "file").touch()
    rows = seen(comm, DATA, out=folder / "file" / "out")
    assert rows["out"]["level"] == "warning"
    assert "can't be written" in rows["out"]["finding"]
