"""``slurm`` as a person meets it. There is no SLURM for these: PATH has no sinfo, no srun and no sbatch, or ones made here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpi_pgd import InputError
from mpi_pgd.cli.slurm import main
from tests.launch import ROOT, Library
from tests.study.synthetic import record

pytestmark = pytest.mark.beside("slurm")

DATA = str(ROOT / "data" / "diamonds.h5")


def slurm(folder: Path, *words: str, python: str = sys.executable, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{folder}", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [python, "-m", "mpi_pgd", "slurm", *words], capture_output=True, text=True, timeout=60, env=env, cwd=folder
    )


def program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_without_slurm_a_script_comes_all_the_same(tmp_path: Path) -> None:
    found = slurm(tmp_path, "fit", DATA, "--nodes", "2", "--rounds=5", "--ranks-per-node=3", "--chain", "--out", "a b")
    assert (found.returncode, found.stderr) == (0, "")
    for words in (
        "#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=3\n",
        f"\nset -- {DATA} --rounds=5 --out 'a b' \"$@\"\n",
        "slurm launcher)}",
        "#   ranks   3 on a node: --ranks-per-node",
        "scontrol requeue",
    ):
        assert words in found.stdout


def test_a_site_is_asked(tmp_path: Path) -> None:
    program(tmp_path, "sinfo", "echo 'all*|4|8|2|2|2|900|1:00:00|1-infinite'")
    program(tmp_path, "srun", "echo pmix; echo pmi2")
    program(tmp_path, "scontrol", "echo 'TaskPlugin = task/cgroup,task/affinity'")
    found = slurm(tmp_path, "fit", DATA, "--mode", "peer-to-peer", "--setup", "module load x", "--partition=all")
    assert (found.returncode, found.stderr) == (0, "")
    for words in (
        "#SBATCH --ntasks-per-node=4\n#SBATCH --cpus-per-task=2\n",
        "#SBATCH --mem=768M\n#SBATCH --partition=all\n",
        "module load x\npython=(python) #",
        "launch=(srun --mpi=pmi",
        " --kill-on-bad-exit=1 ",
        " --cpu-bind=cores)\n",
        "4 on a node: one for each core of a node of the partition all (sinfo)",
    ):
        assert words in found.stdout


def test_the_time_is_predicted(tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text(json.dumps(record(link="node")))
    words = ["fit", DATA, "--network", str(tmp_path), "--nodes=1", "--ranks-per-node=4", "--rounds"]
    few, many = (slurm(tmp_path, *words, rounds) for rounds in ("10", "1000000"))
    assert "2 times the" in few.stdout
    assert "#SBATCH --time=0:06:00" in few.stdout
    assert "#SBATCH --time=0:06:00" not in many.stdout


def test_submit_prints_the_number_alone(tmp_path: Path) -> None:
    program(tmp_path, "sbatch", f"/bin/cat >{tmp_path}/got; echo '17;cluster'")
    found = slurm(tmp_path, "compare", DATA, "--submit")
    assert (found.returncode, found.stdout, found.stderr) == (0, "17\n", "")
    assert (tmp_path / "got").read_text() == slurm(tmp_path, "compare", DATA).stdout


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], "slurm was given nothing: expected one of fit, compare, scaling, or launcher"),
        (["fti"], "did you mean fit?"),
        (["fit", "none.h5"], "there is no file none.h5"),
        (["fit", DATA, "--stepp", "3"], "did you mean --step?"),
        (["fit", DATA, "--rounds", "x"], "--rounds was given 'x'"),
        (["fit", DATA, "--nodes", "1,2"], "--nodes was given '1,2': expected a number"),
        (["fit", DATA, "--time", "soon"], "none of SLURM's"),
        (["fit", DATA, "--time", "0"], "expected a time above 0"),
        (["fit", DATA, "--partition", "a b"], "--partition was given 'a b'"),
        (["fit", DATA, "--out", "a\nb"], "holds a line break"),
        (["fit", DATA, "--submit"], "--submit needs SLURM's sbatch"),
        (["compare", DATA, "--chain"], "expected slurm fit"),
        (["scaling", DATA, "--ranks", "2"], "whose script sets it"),
        (["scaling", DATA, "--repeats", "0"], "--repeats was given '0'"),
    ],
)
def test_what_is_wrong_is_said_now_and_not_in_the_queue(
    tmp_path: Path, words: list[str], answer: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        main(words)
    assert answer in str(raised.value)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_what_is_wrong_ends_the_command(tmp_path: Path) -> None:
    found = slurm(tmp_path, "fit", DATA, "--time", "soon")
    assert (found.returncode, found.stdout) == (2, "")
    assert "none of SLURM's" in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_scaling_names_its_nodes_once(tmp_path: Path) -> None:
    found = slurm(tmp_path, "scaling", DATA, "--nodes", "4,1")
    assert "#SBATCH --array=1,4%1\n#SBATCH --nodes=1\n" in found.stdout


def test_the_launcher_is_that_of_the_library(library: Library, tmp_path: Path) -> None:
    program(tmp_path, "srun", "echo pmix >&2; echo pmi2 >&2")
    found = slurm(tmp_path, "launcher", python=library.python)
    plugin = {"openmpi": "pmix", "mpich": "pmi2"}[library.name]
    assert found.stdout.startswith(f"srun --mpi={plugin} --kill-on-bad-exit=1"), found
