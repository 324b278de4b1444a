"""What a program hears of the library by logging, and a person on the command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from mpi_pgd.system.log import LOG, RANK_VARIABLES
from tests.launch import ROOT, Library, launch

pytestmark = pytest.mark.beside("commands")


@pytest.mark.parametrize("name", RANK_VARIABLES)
def test_the_rank_is_in_the_record(name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for other in RANK_VARIABLES:
        monkeypatch.delenv(other, raising=False)
    LOG.warning("alone")
    monkeypatch.setenv(name, "3")
    LOG.warning("100% of it")
    assert [(record.name, record.rank, record.getMessage()) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("mpi_pgd", 0, "alone"),
        ("mpi_pgd", 3, "100% of it"),
    ]


FIT = "import mpi_pgd{}; mpi_pgd.fit({!r}, checkpoint={!r}, rounds=3, tol=0, quiet=False)"
SET_UP = ", logging; logging.basicConfig(level=logging.INFO, format='%(name)s %(rank)d %(message)s')"


@pytest.mark.parametrize("set_up", ["", SET_UP])
def test_a_program_hears_of_it_if_it_sets_logging_up(set_up: str, tmp_path: Path) -> None:
    data, kept = sorted(ROOT.glob("data/*.h5"))[0], tmp_path / "kept"
    code = FIT.format(set_up, str(data), str(kept))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    said = f"mpi_pgd 0 the checkpoint {kept} has round 3; go on with --resume {kept}\n"
    assert (result.returncode, result.stdout, result.stderr) == (0, "", said if set_up else "")


@pytest.mark.either
def test_the_command_line_says_it_once(library: Library, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    result = launch(library, 2, "--rounds", 3, "--tol", 0, "--checkpoint", kept)
    assert result.stderr.count(f"mpi_pgd: the checkpoint {kept} has round 3; go on with --resume {kept}\n") == 1, result


def test_importing_the_library_sets_nothing_up() -> None:
    code = "import logging, mpi_pgd; mpi_pgd.fit; print(logging.getLogger('mpi_pgd').handlers, logging.root.handlers)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert result.stdout == "[<NullHandler (NOTSET)>] []\n", result
