"""What a stranger installs: the source distribution, and the wheel that comes out of it, tried in an empty folder."""

import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

import mpi_pgd
from tests.launch import ROOT, Library, launch

pytestmark = [pytest.mark.beside("programs"), pytest.mark.thorough]

BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def build(folder: Path, kind: str, to: Path, compiles: str = 'cc "$@" -O0') -> Path:
    """What pip does without a network: the file that setuptools makes; not optimised, which takes most of the time."""
    to.mkdir()
    compiler = to.with_name("compiler")
    compiler.write_text(f"#!/bin/sh\nexec {compiles}\n")
    compiler.chmod(0o755)
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(to)]
    variables = {**os.environ, "CC": str(compiler)}
    result = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    (made,) = to.iterdir()
    return made


def copied(folder: Path) -> Path:
    """This folder, in which a build leaves something."""
    left = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", "*.egg-info", "build", "_build", "dist")
    return Path(shutil.copytree(ROOT, folder / "copy", symlinks=True, ignore=left))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("setuptools", "70.1")  # the first that makes wheels by itself
    folder = tmp_path_factory.mktemp("sdist")
    return build(copied(folder), "sdist", folder / "dist")


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    shutil.unpack_archive(sdist, folder)  # tarfile's own filters came with Python 3.11.4
    return build(folder / sdist.name.removesuffix(".tar.gz"), "wheel", folder / "dist")


def test_the_source_distribution_has_what_its_own_tests_need(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "Makefile", "data/diamonds.h5", "tests/launch.py", "tests/switch.c", "slurm/fit.sbatch"} <= names


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        shipped = archive.read("mpi_pgd/data/diamonds.h5")
    assert shipped == (ROOT / "data" / "diamonds.h5").read_bytes()
    assert {name.partition("/")[0] for name in names} == {"mpi_pgd"}
    left = {"__pycache__", "source"}  # of the kernel the wheel has what was made of it
    here = (path for path in (ROOT / "mpi_pgd").rglob("*") if path.is_file() and not left & {*path.parts})
    assert set(names) == {str(path.relative_to(ROOT)) for path in here} | {"mpi_pgd/kernel/native.abi3.so"}


@pytest.mark.parametrize("newer", [True, False])
def test_one_more_environment_takes_the_kernel_if_it_is_newer_than_its_sources(tmp_path: Path, newer: bool) -> None:
    pytest.importorskip("setuptools", "70.1")
    folder = copied(tmp_path)
    for name, later in (("native.abi3.so", newer), ("source/dense.inc", not newer)):
        os.utime(folder / "mpi_pgd" / "kernel" / name, (time.time() + later,) * 2)
    build(folder, "editable", tmp_path / "dist", "touch compiled")
    assert (folder / "compiled").exists() != newer


def test_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        entries = ConfigParser()
        entries.read_string(archive.read(f"{folder}/entry_points.txt").decode())
    assert folder == f"mpi_pgd-{mpi_pgd.__version__}.dist-info"
    assert dict(entries["console_scripts"]) == {"mpi_pgd": "mpi_pgd.__main__:run"}
    assert f"## {mpi_pgd.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"version: {mpi_pgd.__version__}" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.either
def test_the_shipped_data_from_an_empty_folder(library: Library, wheel: Path, tmp_path: Path) -> None:
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    script = tmp_path / "script.py"
    script.write_text("import sys, mpi_pgd.__main__ as m; print(m.__file__); sys.exit(m.run())\n")  # as the console script does
    environment = {"PYTHONPATH": os.fspath(installed)}
    for how in ({"module": "mpi_pgd"}, {"script": script}):
        result = launch(library, 3, "--rounds", 2, env=environment, cwd=empty, **how)
        assert result.returncode == 0, result
        assert "53,940 rows, 23 features" in result.stdout, result
    assert result.stdout.startswith(os.fspath(installed)), result
    assert not list(empty.iterdir())
