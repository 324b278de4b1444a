"""Jobs of a private SLURM, one for each way of starting ranks, submitted at once: most of a job's time is spent waiting."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mpi_pgd.recovery.checkpoint import read
from tests.launch import ROOT, libraries
from tests.private_slurm import DONE, Slurm, environment

FLAGS = ("--nodes=4", "--ntasks-per-node=1", "--mem=256M", "--open-mode=append", "--output=%x-%j.log")
SLOW = ("--delay", "exponential:0.03", "--every", "0.5s")  # 20 rounds a second, asleep for most of it


class Way(NamedTuple):
    """How ranks are started: an MPI, and what starts them; "": what the script finds out."""

    library: str
    launch: str = ""


SRUN = (Way("mpich"), Way("openmpi"))
WAYS = (*SRUN, Way("mpich", "mpirun"), Way("openmpi", "mpirun"))
ULFM = Way("openmpi", "mpirun --with-ft ulfm")


class Jobs:
    """Jobs, one for each way, each submitted in a folder of its own; ``numbers`` by way."""

    def __init__(self, slurm: Slurm, folder: Path) -> None:
        self.slurm, self.folder = slurm, folder
        self.numbers: dict[Way, str] = {}
        self._pushed: set[tuple[str, str]] = set()

    def submit(self, ways: tuple[Way, ...], script: str, *words: object, flags: tuple[object, ...] = ()) -> "Jobs":
        for way in ways:
            path = ROOT / "slurm" / f"{script}.sbatch"
            command = (*FLAGS, *flags, path, *words, "--out", "out")
            self.numbers[way] = self.slurm.sbatch(*command, env=self.env(way), cwd=self.place(way))
        return self

    def env(self, way: Way) -> dict[str, object]:
        return environment(libraries()[way.library], **({"MPI_PGD_LAUNCH": way.launch} if way.launch else {}))

    def place(self, way: Way) -> Path:
        folder = self.folder / f"{way.library} {way.launch}".strip()
        folder.mkdir(exist_ok=True)
        return folder

    def out(self, way: Way) -> Path:
        return self.place(way) / "out"

    def record(self, way: Way) -> dict[str, Any]:
        found = json.loads((self.out(way) / "run.json").read_text())
        assert isinstance(found, dict)
        return found

    def log(self, number: str) -> str:
        return "\n".join(path.read_text(errors="replace") for path in self.folder.glob(f"*/*-{number}.log"))

    def checkpoints(self) -> list[int]:
        """The round of each checkpoint, 0 where there is none yet."""
        files = [[*self.place(way).glob("*.ckpt")] for way in self.numbers]
        return [read(found[0]).rounds if found else 0 for found in files]

    def have_begun(self, timeout: float = 60.0) -> "Jobs":
        """Wait until each has saved a checkpoint."""
        return self.are_beyond([0] * len(self.numbers), timeout)

    def are_beyond(self, rounds: list[int], timeout: float = 60.0) -> "Jobs":
        """Wait until each has saved one of a later round."""
        self.until(lambda: all(now > then for now, then in zip(self.checkpoints(), rounds, strict=True)), timeout)
        return self

    def until(self, holds: Callable[[], bool], timeout: float = 60.0) -> None:
        self.slurm.until(holds, timeout, lambda: "\n".join(map(self.log, self.numbers.values())))

    def ended(self, state: str = "COMPLETED", code: int = 0, timeout: float = 90.0, **changes: object) -> None:
        """Wait for all to end so; those that are queued again are changed so, and start soon, not in two minutes."""
        self.end(timeout, **changes)
        for way, number in self.numbers.items():
            found = self.slurm.job(number)
            told = f"{way}: {found}\n{self.log(number)}"
            assert (found["JobState"], found["ExitCode"]) == (state, f"{code}:0"), told
            assert "Traceback" not in told, told

    def end(self, timeout: float, **changes: object) -> None:
        """As ``ended``, however they end."""

        def over() -> bool:
            found = self.slurm.jobs()  # of all at once: each look starts a command
            return {self._over(found[number], changes) for number in self.numbers.values()} == {True}

        self.until(over, timeout)

    def run_again(self, timeout: float) -> None:
        """Wait until each is in a later run than its first."""

        def again(number: str) -> bool:
            job = self.slurm.job(number)
            return not self._over(job, {}) and job["Restarts"] != "0" and job["JobState"] == "RUNNING"

        self.until(lambda: all(again(number) for number in self.numbers.values()), timeout)

    def _over(self, job: dict[str, str], changes: dict[str, object]) -> bool:
        """Whether it has ended. Has it start in 3 s if it is queued again: at once, and a node may still think it ended."""
        number = job["JobId"]
        run = number, job["Restarts"]
        if job["JobState"] == "PENDING" and job["Restarts"] != "0" and run not in self._pushed:
            self._pushed.add(run)
            words = [f"{key}={value}" for key, value in {**changes, "StartTime": "now+3seconds"}.items()]
            self.slurm.run("scontrol", "update", f"JobId={number}", *words)
        return job["JobState"] in DONE

    def fingerprints(self) -> set[str]:
        return {self.record(way)["weights_sha256"] for way in self.numbers}
