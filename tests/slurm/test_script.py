"""The text of batch scripts: held against files, and run by bash where words that must survive go in."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.slurm.script import SHIPPED, Batch, clock, text
from tests.launch import ROOT, required

GOLDEN = Path(__file__).parent / "golden"
SRUN = ("srun", "--mpi=pmix", "--kill-on-bad-exit=1", "--cpu-bind=cores")
KNOWN = Batch(
    "fit",
    (3,),
    ranks=8,
    cpus=2,
    minutes=90,
    memory=2048,
    partition="long",
    account="physics",
    setup=("module load openmpi", "source .venv/bin/activate"),
    launch=SRUN,
    words=("rows of 2026.h5", "--mode", "peer-to-peer", "--out", "$HOME/run"),
    notes=("nodes   3: --nodes", "time    1:30:00: --time"),
)
BATCHES = {
    "fit": KNOWN,
    "fit-container": Batch("fit", python=("apptainer", "exec", "my image.sif", "python"), words=("rows.h5",)),
    "chain": replace(KNOWN, kind="chain"),
    "compare": replace(KNOWN, kind="compare"),
    "scaling": replace(KNOWN, kind="scaling", nodes=(1, 2, 4, 8)),
}


@pytest.mark.parametrize("name", BATCHES)
def test_texts_are_the_golden_ones(name: str) -> None:
    """MPI_PGD_GOLDEN=new writes them anew; then read the difference."""
    path = GOLDEN / f"{name}.sbatch"
    if os.environ.get("MPI_PGD_GOLDEN") == "new":
        path.write_text(text(BATCHES[name]))
    assert text(BATCHES[name]) == path.read_text()


@pytest.mark.parametrize("batch", SHIPPED, ids=lambda batch: batch.kind)
def test_what_is_shipped_is_the_text_where_nothing_is_known(batch: Batch) -> None:
    path = ROOT / "slurm" / f"{batch.kind}.sbatch"
    if os.environ.get("MPI_PGD_GOLDEN") == "new":
        path.write_text(text(batch))
    assert text(batch) == path.read_text()


def test_words_reach_the_program_as_they_were_given(tmp_path: Path) -> None:
    """bash runs the script, with a program in place of srun that prints what it got."""
    words = ("a b.h5", "$HOME", "it's", '"', "*", "\\", "`ls`", "é", "")
    shown = (sys.executable, "-c", "import sys; print(*map(ascii, sys.argv[1:]), sep=chr(10))")
    script = text(Batch("fit", launch=shown, words=words))
    found = subprocess.run(["bash", "-s", "--", "more words"], input=script, capture_output=True, text=True, timeout=60)
    expected = ["python", "-m", "mpi_pgd", "fit", *words, "more words"]
    assert (found.stdout.splitlines(), found.stderr) == ([ascii(word) for word in expected], "")


@pytest.mark.parametrize("given", [{"words": ("a\nb.h5",)}, {"setup": ("x\ny",)}, {"notes": ("a\nrm -r .",)}])
def test_line_breaks_are_refused(given: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InputError, match="holds a line break"):
        text(replace(KNOWN, **given))


def test_shellcheck_has_nothing_to_say() -> None:
    if shutil.which("shellcheck") is None:
        (pytest.fail if "shellcheck" in required() else pytest.skip)("no shellcheck here")
    users = ["--exclude=SC1091,SC2016"]  # the user's environment is not there, and a $ of his stays one
    for words in ([*(ROOT / "slurm").glob("*.sbatch")], [*users, *GOLDEN.glob("*.sbatch")]):
        found = subprocess.run(["shellcheck", *words], capture_output=True, text=True, timeout=60)
        assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.parametrize(("minutes", "shown"), [(1, "0:01:00"), (90, "1:30:00"), (1500, "1-01:00:00")])
def test_times_are_written_as_sbatch_reads_them(minutes: int, shown: str) -> None:
    assert clock(minutes) == shown


def program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


def chain(folder: Path, ranks: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    """chain.sbatch as one life of job 7, with ``ranks`` in place of those, and a scontrol that writes down what it is asked."""
    program(folder, "launch", ranks)
    program(folder, "scontrol", f'echo "$@" >>{folder}/asked')
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "3"}
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **job, "MPI_PGD_LAUNCH": f"{folder}/launch", **environment}
    command = ["bash", str(ROOT / "slurm/chain.sbatch"), *words]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


LATER = {"SLURM_RESTART_COUNT": "2"}


@pytest.mark.parametrize(
    ("ranks", "environment", "ends", "asked"),
    [
        ("echo 0 >$MPI_PGD_EXIT", {}, 0, False),
        ("echo 0 >$MPI_PGD_EXIT; exit 1", {}, 0, False),
        ("echo 4 >$MPI_PGD_EXIT; exit 4", {}, 4, False),
        ("echo 75 >$MPI_PGD_EXIT; exit 75", {}, 0, True),
        ("echo 75 >$MPI_PGD_EXIT; exit 1", LATER, 0, True),
        ("echo 75 >$MPI_PGD_EXIT; exit 75", {**LATER, "MPI_PGD_LIVES": "3"}, 75, False),
        ("exit 14", {}, 0, True),
        ("exit 14", LATER, 14, False),
        ("exit 0", LATER, 1, False),
        ("sleep 0.02; touch chain-7.ckpt; exit 0", LATER, 0, True),
    ],
)
def test_when_a_chain_is_queued_again(tmp_path: Path, ranks: str, environment: dict[str, str], ends: int, asked: bool) -> None:
    job = chain(tmp_path, ranks, **environment)
    out, _ = job.communicate(timeout=60)
    assert (job.returncode, (tmp_path / "asked").exists()) == (ends, asked), out
    assert not (tmp_path / "chain-7.exit").exists()


@pytest.mark.parametrize(("signal", "queued"), [("USR1", True), ("TERM", False)])
def test_a_chain_hands_on_the_warning_and_ends_when_it_is_cancelled(tmp_path: Path, signal: str, queued: bool) -> None:
    """The ranks, here one process, signal the script themselves, so that it is certainly there to be signalled."""
    heard = (
        f"trap 'echo ranks got USR1; exit 75' USR1\necho 75 >$MPI_PGD_EXIT\n"
        f"sleep 0.5; kill -{signal} $PPID\nfor i in {{1..9}}; do sleep 0.1; done\nexit 75"
    )
    job = chain(tmp_path, heard)
    out, _ = job.communicate(timeout=60)
    seen = (job.returncode, (tmp_path / "asked").exists(), "ranks got USR1" in out)
    assert seen == ((0, True, True) if queued else (75, False, False)), out


@pytest.mark.parametrize("words", [["--checkpoint", "mine.ckpt"], ["--checkpoint=mine.ckpt"], []])
def test_a_chain_resumes_from_the_checkpoint_that_is_there(tmp_path: Path, words: list[str]) -> None:
    name = "mine.ckpt" if words else "chain-7.ckpt"
    first, _ = chain(tmp_path, 'printf "%s\\n" "$*"', *words).communicate(timeout=60)
    (tmp_path / name).touch()
    second, _ = chain(tmp_path, 'printf "%s\\n" "$*"', *words).communicate(timeout=60)
    assert "--resume" not in first
    assert f"--checkpoint {name} --resume {name}\n" in second
