"""The text of batch scripts: held against files, and run by bash where words that must survive go in."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mpi_pgd.cli.slurm import main
from mpi_pgd.errors import InputError
from mpi_pgd.slurm.script import SHIPPED, Batch, clock, text
from tests.launch import ROOT, required

pytestmark = pytest.mark.beside("slurm")

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
    command = ["bash", "-s", "--", "more words"]
    found = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=job(tmp_path))
    expected = ["-n", "6", "python", "-m", "mpi_pgd", "fit", *words, "more words", "--out", "fit-7", "--checkpoint", "fit-7.ckpt"]
    assert (found.stdout.splitlines()[: len(expected)], found.stderr) == ([ascii(word) for word in expected], "")


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


def job(folder: Path, **environment: str) -> dict[str, str]:
    """What a script of job 7 finds in its environment, with programs of the folder before others."""
    found = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "3"}
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, **found, "MPI_PGD_LAUNCH": f"'{folder}/launch'", **environment}


def start(folder: Path, kind: str, ranks: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    """A script as one run of job 7, with ``ranks`` in place of those, and SLURM's commands that write down what they are asked."""
    program(folder, "launch", ranks)
    program(folder, "scontrol", f'echo "$@" >>{folder}/asked\n[ "$1" != show ] || echo "n1\nn2"')
    if not words and not (folder / "python").exists():  # spares Python's start
        program(folder, "python", 'printf "%s\\n" "" "" "not quiet"')
    command = ["bash", str(ROOT / f"slurm/{kind}.sbatch"), *words]
    log = (folder / "log").open("a+")
    return subprocess.Popen(command, cwd=folder, env=job(folder, **environment), stdout=log, stderr=log, text=True)


def chain(folder: Path, ranks: str, *words: str, **environment: str) -> tuple[int, bool, str]:
    """How chain.sbatch ends, whether it was queued again, and what it said."""
    (folder / "log").unlink(missing_ok=True)
    (folder / "asked").unlink(missing_ok=True)
    code = start(folder, "chain", ranks, *words, **environment).wait(60)
    return code, (folder / "asked").exists(), (folder / "log").read_text()


LATER = {"SLURM_RESTART_COUNT": "2"}


@pytest.mark.parametrize(
    ("ranks", "environment", "ends", "asked"),
    [
        ("echo 0 >$MPI_PGD_EXIT", {}, 0, False),
        ("echo 0 >$MPI_PGD_EXIT; exit 1", {}, 0, False),
        ("echo 4 >$MPI_PGD_EXIT; exit 4", {}, 4, False),
        ("echo 75 >$MPI_PGD_EXIT; exit 75", {}, 0, True),
        ("echo 75 >$MPI_PGD_EXIT; exit 1", LATER, 0, True),
        ("echo 75 >$MPI_PGD_EXIT; exit 75", {**LATER, "MPI_PGD_RUNS": "3"}, 75, False),
        ("exit 14", {}, 0, True),
        ("exit 14", LATER, 0, True),
        ("exit 0", LATER, 0, True),
        ("exit 0", {**LATER, "MPI_PGD_RUNS": "3"}, 1, False),
    ],
)
def test_when_a_chain_is_queued_again(tmp_path: Path, ranks: str, environment: dict[str, str], ends: int, asked: bool) -> None:
    found = chain(tmp_path, ranks, **environment)
    assert found[:2] == (ends, asked), found
    assert not list(tmp_path.glob("*.exit"))


def test_a_chain_gives_up_after_three_runs_in_a_row_that_came_to_nothing(tmp_path: Path) -> None:
    fruitful = "date >chain-7.ckpt; exit 137"
    runs = [chain(tmp_path, ranks) for ranks in ("exit 137", "exit 137", fruitful, "exit 137", "exit 137", "exit 137")]
    assert [run[:2] for run in runs] == [(0, True)] * 5 + [(137, False)], runs
    assert "three runs in a row came to nothing" in runs[-1][2]
    assert not list(tmp_path.glob("*.barren"))


def test_a_launch_that_fails_is_tried_again_at_once(tmp_path: Path) -> None:
    """As a node that was lost may keep the socket of a step 0; the next step has another number."""
    found = chain(tmp_path, "[ -e tried ] || { touch tried; exit 137; }; echo 0 >$MPI_PGD_EXIT", **LATER)
    assert found[:2] == (0, False), found


@pytest.mark.parametrize(
    ("said", "others", "left"),
    [
        ("srun: error: task 4 launch failed: Unspecified error", "n1 n2 n3", "n2"),
        ("srun: error: Task launch for StepId=7.1 failed on node n1: Communication connection failure", "n1 n2 n3", "n1"),
        ("srun: error: task 4 launch failed: Unspecified error", "n1 n2", ""),
        ("srun: error: n2: task 3: Killed", "n1 n2 n3", ""),
    ],
)
def test_a_chain_leaves_out_the_node_where_the_launch_failed(tmp_path: Path, said: str, others: str, left: str) -> None:
    program(tmp_path, "sinfo", f"printf '%s\\n' {others}")
    found = chain(tmp_path, f"echo '{said}' >&2; exit 137", SLURM_JOB_PARTITION="all")
    assert found[:2] == (0, True), found
    asked = (tmp_path / "asked").read_text()
    assert ("ExcNodeList=" in asked) == bool(left), (asked, found)
    assert f"ExcNodeList={left}\n" in asked or not left, asked


@pytest.mark.parametrize("kind", ["fit", "chain", "compare"])
@pytest.mark.parametrize("signal", ["USR1", "TERM"])
def test_a_signal_before_the_ranks_are_started(tmp_path: Path, kind: str, signal: str) -> None:
    """A Python that takes its time, as on a node that has not run it yet, and sends the signal meanwhile."""
    program(tmp_path, "python", f'kill -{signal} $PPID; exec "{sys.executable}" "$@"')
    code = start(tmp_path, kind, "touch started; exit 9").wait(60)
    again = kind == "chain" and signal == "USR1"
    assert code == (143 if signal == "TERM" else 0 if again else 75), (tmp_path / "log").read_text()
    assert ((tmp_path / "asked").exists(), (tmp_path / "started").exists()) == (again, False)


@pytest.mark.parametrize(("signal", "queued"), [("USR1", True), ("TERM", False)])
def test_a_chain_hands_on_the_warning_and_ends_when_it_is_cancelled(tmp_path: Path, signal: str, queued: bool) -> None:
    """The ranks, here one process, signal the script themselves, so that it is certainly there to be signalled."""
    heard = (
        f"trap 'echo ranks got USR1; exit 75' USR1\necho 75 >$MPI_PGD_EXIT\n"
        f"sleep 0.5; kill -{signal} $PPID\nfor i in {{1..9}}; do sleep 0.1; done\nexit 75"
    )
    code, asked, out = chain(tmp_path, heard)
    assert (code, asked, "ranks got USR1" in out) == ((0, True, True) if queued else (75, False, False)), out


@pytest.mark.parametrize(
    ("kind", "words"),
    [("chain", ["--checkpoint", "mine.ckpt"]), ("fit", ["--checkpoint=mine.ckpt"]), ("fit", ["--config", "my.toml"]), ("fit", [])],
)
def test_a_later_life_resumes_from_the_checkpoint_that_is_there(tmp_path: Path, kind: str, words: list[str]) -> None:
    (tmp_path / "my.toml").write_text('checkpoint = "mine.ckpt"\nout = "mine"\n')
    name = "mine.ckpt" if words else f"{kind}-7.ckpt"
    shown = 'printf "%s\n" "$*"; printf x >>"$MPI_PGD_EXIT"'
    assert start(tmp_path, kind, shown, *words).wait(60) != 0
    assert "--resume" not in (tmp_path / "log").read_text()
    (tmp_path / name).touch()
    start(tmp_path, kind, shown, *words, SLURM_RESTART_COUNT="1").wait(60)
    out = "mine" if "--config" in words else "fit-7"
    assert f" --out {out} --checkpoint {name} --resume {name}\n" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("words", [["--checkpoint", "mine.ckpt"], []])
def test_a_fit_that_is_done_leaves_no_checkpoint_but_one_that_was_asked_for(tmp_path: Path, words: list[str]) -> None:
    found = chain(tmp_path, "touch {mine,chain-7}.ckpt; echo 0 >$MPI_PGD_EXIT", *words)
    assert found[:2] == (0, False), found
    left = {path.name for path in tmp_path.glob("*.ckpt*")}
    assert left == ({"mine.ckpt", "chain-7.ckpt"} if words else {"mine.ckpt"})


@pytest.mark.parametrize(
    ("environment", "ranks", "spread"),
    [
        ({}, 6, "3(x2)"),
        ({"SLURM_NTASKS": "6"}, 6, "3(x2)"),
        ({"SLURM_NTASKS": "2"}, 2, "1(x2)"),  # sbatch --ntasks=2
        ({"SLURM_NTASKS": "3"}, 3, "2(x1),1(x1)"),
        ({"SLURM_NTASKS": "12"}, 6, "3(x2)"),  # the first run had four nodes
    ],
)
def test_ranks_are_as_many_as_slurm_says(tmp_path: Path, environment: dict[str, str], ranks: int, spread: str) -> None:
    found = chain(tmp_path, 'echo "ranks: $* on $SLURM_TASKS_PER_NODE"; echo 0 >$MPI_PGD_EXIT', **environment)
    assert f"-n {ranks} python -m mpi_pgd fit " in found[2]
    assert f" on {spread}\n" in found[2]


def test_a_launcher_with_blanks_and_quotes(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    program(tmp_path / "a b", "it's", 'printf "<%s>" "$@"; echo 0 >$MPI_PGD_EXIT')
    given = f"\"{tmp_path}/a b/it's\" --option='two  words' x\\ y"
    found = chain(tmp_path, "exit 9", MPI_PGD_LAUNCH=given)
    assert "<--option=two  words><x y><-n>" in found[2]


def test_a_launcher_that_lingers_is_ended(tmp_path: Path) -> None:
    """MPICH's srun waits for a node that is lost, though the ranks have ended; here, shortened, for ever."""
    script = (ROOT / "slurm/fit.sbatch").read_text().replace("SECONDS + 30", "SECONDS + 1")
    program(tmp_path, "launch", "echo 75 >$MPI_PGD_EXIT; exec sleep 600")
    found = subprocess.run(
        ["bash", "-s"], input=script, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=job(tmp_path)
    )
    assert found.returncode == 75, found


def test_the_program_names_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my.toml").write_text('out = "mine"\nquiet = true\n')
    assert main(["files", "fit", "x.h5", "--config", str(tmp_path / "my.toml"), "--checkpoint=a b.ckpt"]) == 0
    assert main(["files", "compare", "x.h5", "--out", "there"]) == 0
    assert main(["files", "fit", "--quiet"]) == 0  # the script gives an --out then
    assert capsys.readouterr() == ("a b.ckpt\nmine\nquiet\n\nthere\nnot quiet\n\n\nquiet\n", "")
