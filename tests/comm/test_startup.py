"""What happens when MPI does not start."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch import ROOT

pytestmark = pytest.mark.beside("programs")

SCRIPT = """
import sys, time
from mpi_pgd.comm import startup

startup.LOSS, startup.LIMIT = 0.1, 0.3
with startup.limited():
    time.sleep(float(sys.argv[1]))
print("started")
"""


def started(seconds: float, **variables: object) -> "subprocess.CompletedProcess[str]":
    environment = {name: str(value) for name, value in variables.items()}
    command = [sys.executable, "-c", SCRIPT, str(seconds)]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("variables", [{"PMI_RANK": 1}, {"OMPI_COMM_WORLD_RANK": 0, "OMPI_MCA_mpi_ft_enable": 1}])
def test_ranks_that_wait_for_mpi_in_vain_end(variables: dict[str, object], tmp_path: Path) -> None:
    code = tmp_path / "code"
    result = started(20, MPI_PGD_EXIT=code, **variables)
    assert result.returncode == -signal.SIGKILL, result
    assert result.stderr.startswith("mpi_pgd: MPI did not start within"), result
    assert code.read_text() == "1\n"


def test_who_starts_in_time_or_alone_is_left_alone() -> None:
    assert started(0, PMI_RANK=0).stdout == "started\n"
    assert started(0.6).stdout == "started\n"
