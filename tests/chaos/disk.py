"""Full disks, folders that can't be written, and data that go or change: one sentence, and the last checkpoint intact (root)."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

import h5py

from mpi_pgd.recovery.checkpoint import read
from tests.chaos.common import LIMIT, MODES, TRY_AGAIN, ULFM, Failed, Ground, Tally, available, one_sentence, sentences, started
from tests.launch import Library, Result, Running, launch

SIZE = "300k"
EVERY = ("--every", "5rounds")
SLOW = ("--delay", "exponential:0.01")  # seconds: a run lasts until things have happened to it
RANKS = 3
LONG = 10**6  # rounds
KIND = "contiguous"

Act = Callable[[Running], object]
Case = Callable[["Scene"], str]


class Scene:
    """A case's folders, one of them a small disk, and its runs."""

    def __init__(self, ground: Ground, library: Library, random: Random, disk: Path, folder: Path) -> None:
        self.ground, self.library, self.random, self.disk, self.folder = ground, library, random, disk, folder
        self.checkpoint, self.out = disk / "fit.checkpoint", folder / "out"

    def run(self, *more: object, act: Act = lambda _: None, flags: tuple[str, ...] = (), data: str = KIND) -> Result:
        """A run on the data, to which ``act`` is done."""
        mode = self.random.choice(MODES)
        words = self.ground.words(data, self.out, "--mode", mode, *SLOW, *more)
        return launch(self.library, RANKS, *words, flags=flags, during=act, timeout=LIMIT)

    def saving(self, act: Act, *more: object, flags: tuple[str, ...] = ()) -> Result:
        """A run with a checkpoint, to which ``act`` is done once there is one."""

        def after(job: Running) -> None:
            if started(job, RANKS) and job.until(self.checkpoint.exists):
                act(job)

        return self.run("--checkpoint", self.checkpoint, *EVERY, *more, act=after, flags=flags)

    def resumed(self) -> str:
        """What comes of going on from the checkpoint, as it is."""
        other, ranks = self.random.choice(available()), self.random.randint(1, 4)
        reached = read(self.checkpoint).rounds
        out = self.folder / "again"
        result = launch(other, ranks, "--resume", self.checkpoint, "--quiet", "--out", out, timeout=LIMIT)
        self.ground.check(KIND, out, result)
        return f"resumed from round {reached}"

    def fill(self, _: object = None) -> None:
        """Fill the disk to the last byte."""
        with contextlib.suppress(OSError), (self.disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(256))

    def empty(self) -> None:
        """Make room again."""
        (self.disk / "filler").unlink()

    def lock(self, _: object = None) -> None:
        """Make the disk read-only; root is not kept out by a folder's mode."""
        while subprocess.run(["mount", "-o", "remount,ro", str(self.disk)], stderr=subprocess.DEVNULL, timeout=LIMIT).returncode:
            pass  # a file is being written there

    def unlock(self) -> None:
        """Undo it."""
        subprocess.run(["mount", "-o", "remount,rw", str(self.disk)], check=True)


def checkpoint_disk_full(scene: Scene) -> str:
    """The run goes on without; what was saved last stays."""
    result = scene.saving(scene.fill)
    said = one_sentence(result, 0, "No space left on device", "is intact")
    scene.ground.check(KIND, scene.out, result)
    scene.empty()
    return f"{said}; {scene.resumed()}"


def checkpoint_disk_full_and_a_signal(scene: Scene) -> str:
    """Who asks the run to stop has to hear that the newest state is not saved."""

    def act(job: Running) -> None:
        scene.fill()
        job.wait(0.3)
        job.send(job.ranks()[:1], signal.SIGUSR1)

    result = scene.saving(act)
    said = sentences(result)
    if result.returncode != 2 or "No space left on device" not in said[-1]:
        raise Failed(f"expected exit code 2 and a sentence: {result}")
    scene.empty()
    return f"{said[-1]}; {scene.resumed()}"


def signal_with_room(scene: Scene) -> str:
    """The other way round, for comparison."""
    result = scene.saving(lambda job: job.send(job.ranks()[:1], signal.SIGUSR1))
    if result.returncode != TRY_AGAIN:
        raise Failed(f"expected exit code {TRY_AGAIN}: {result}")
    return scene.resumed()


def checkpoint_disk_becomes_read_only(scene: Scene) -> str:
    """As if it were full."""
    result = scene.saving(scene.lock)
    said = one_sentence(result, 0, "Read-only file system", "is intact")
    scene.ground.check(KIND, scene.out, result)
    scene.unlock()
    return f"{said}; {scene.resumed()}"


def checkpoint_folder_read_only(scene: Scene) -> str:
    """Known before anything is read."""
    scene.lock()
    return one_sentence(scene.run("--checkpoint", scene.checkpoint), 2, "--checkpoint", "Read-only file system")


def out_folder_read_only(scene: Scene) -> str:
    """Known before anything is read."""
    scene.lock()
    scene.out = scene.disk / "out"
    return one_sentence(scene.run(), 2, "--out", "Read-only file system")


def out_disk_full(scene: Scene) -> str:
    """The result can't be written: what was computed is not lost with it, if there is a checkpoint."""
    scene.out, scene.checkpoint = scene.disk / "out", scene.folder / "fit.checkpoint"
    said = one_sentence(scene.saving(scene.fill), 2, "could not be written to", str(scene.out))
    if scene.out.exists():
        raise Failed(f"left something behind: {scene.out}, {sorted(scene.out.iterdir())}")
    return f"{said}; {scene.resumed()}"


def out_among_files_of_the_user(scene: Scene) -> str:
    """What no fit has written stays, and with --force what the run reads."""
    scene.out.mkdir()
    (scene.out / "run.json").write_text("my own notes")
    os.link(scene.ground.sources[KIND][0], scene.out / "model.h5")
    one_sentence(scene.run("--force"), 2, "model.h5", "which this run reads")
    (scene.out / "model.h5").unlink()
    said = one_sentence(scene.run(), 2, "run.json", "which no fit has written")
    if _contents(scene.out) != {"run.json": b"my own notes"}:
        raise Failed(f"left something behind, or took it away: {sorted(scene.out.iterdir())}")
    return said


def two_jobs_in_one_place(scene: Scene) -> str:
    """The second is refused, and the first does not mind."""
    said = []

    def act(job: Running) -> None:
        said.append(one_sentence(scene.run("--checkpoint", scene.checkpoint), 2, "is being written by process"))
        job.send(job.ranks()[:1], signal.SIGUSR1)

    result = scene.saving(act, "--rounds", LONG)
    left = [path for folder in (scene.disk, scene.out) for path in folder.iterdir() if path.name.startswith(".")]
    if result.returncode != TRY_AGAIN or left:
        raise Failed(f"expected exit code {TRY_AGAIN}, and nothing left behind ({left}): {result}")
    return said[0]


def the_place_of_a_killed_job(scene: Scene) -> str:
    """Taken over at once."""
    scene.saving(lambda job: job.kill([job.mpirun, *job.ranks()]))
    if not (scene.disk / f".{scene.checkpoint.name}.lock").exists():
        raise Failed("the killed job left no sign of itself: was it killed in time?")
    return scene.resumed()


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def data_vanish_before_a_recovery(scene: Scene) -> str:
    """The lost rank's rows can't be read again."""
    return _recovery_without(scene, Path.unlink, "has gone since the run began", scene.ground.sources[KIND][0])


def data_change_before_a_recovery(scene: Scene) -> str:
    """The lost rank's rows can be read again, and are others."""

    def change(path: Path) -> None:
        other = path.with_suffix(".other")
        shutil.copy(path, other)
        with h5py.File(other, "r+") as file:
            file["X"][:, 0] += 1.0
        other.replace(path)

    return _recovery_without(scene, change, "has changed since the run began")


def data_change_in_place_before_a_recovery(scene: Scene) -> str:
    """The same file, written into."""

    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file["X"][:, 0] += 1.0

    return _recovery_without(scene, change, "has changed since the run began")


def _recovery_without(scene: Scene, harm: Callable[[Path], object], *words: str) -> str:
    """A rank that holds rows is lost when the data are no longer what they were; with them back, the checkpoint goes on."""
    path = Path(scene.ground.sources[KIND][0])
    safe = scene.folder / "safe.h5"
    shutil.copy2(path, safe)

    def act(job: Running) -> None:
        harm(path)
        job.kill(job.ranks()[-1:])

    try:
        scene.checkpoint = scene.folder / "fit.checkpoint"
        said = one_sentence(scene.saving(act, flags=ULFM), 2, *words)
    finally:
        shutil.copy2(safe, path)
    return f"{said}; {scene.resumed()}"


BOTH: tuple[Case, ...] = (
    checkpoint_disk_full,
    checkpoint_disk_full_and_a_signal,
    signal_with_room,
    checkpoint_disk_becomes_read_only,
    checkpoint_folder_read_only,
    out_folder_read_only,
    out_disk_full,
    out_among_files_of_the_user,
    two_jobs_in_one_place,
    the_place_of_a_killed_job,
)
RECOVERIES: tuple[Case, ...] = (
    data_vanish_before_a_recovery,
    data_change_before_a_recovery,
    data_change_in_place_before_a_recovery,
)


def cases() -> list[tuple[Library, Case]]:
    """All of them; the ones that need ULFM last."""
    both = [(library, case) for case in BOTH for library in available()]
    return both + [(library, case) for case in RECOVERIES for library in available(["openmpi"])]


def run(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """The first so many cases."""
    go(cases()[:count], random, ground, tally)


def go(chosen: Iterable[tuple[Library, Case]], random: Random, ground: Ground, tally: Tally) -> None:
    """These cases."""
    if os.geteuid() != 0:
        tally.notes.append("left out: a small disk needs root")
        return
    ground.rounds = 200
    for library, case in chosen:
        tally.case(f"{library.name}, {case.__name__.replace('_', ' ')}", partial(_case, ground, library, random, case))


def _case(ground: Ground, library: Library, random: Random, case: Case) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(dir=ground.folder) as folder, _small_disk(Path(folder)) as disk:
        return "as promised", case(Scene(ground, library, random, disk, Path(folder)))


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
