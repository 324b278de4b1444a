"""Who may write to a place: one run at a time, told by a file there, on any file system that the ranks' nodes share."""

import errno
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep, time
from typing import Any

from mpi_pgd.errors import InputError
from mpi_pgd.system import output, scheduler
from mpi_pgd.system.log import LOG

BEAT = 5.0  # seconds between two heartbeats, each of which touches the file
GRACE = 30.0  # seconds without one, after which a run on another node is taken for dead
SETTLING = 3.0  # seconds for a run on this node to end: whoever was killed a moment ago may not have
ORPHANED = 20.0  # likewise one of the same job, whose launcher is gone: its ranks find that out by themselves
PAUSE = 0.1  # seconds between two looks
LINKLESS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)  # what file systems without links say


class Claim:
    """A place that this process alone writes to, until ``release`` or the end of a ``with``.

    Args:
        flag: what the user gave, as in ``--out DIR``.
        folder: where; it is made.
        names: of the files that will be written.
        lock: name of the file in the folder that tells the others.
        again: an earlier attempt of this run may hold it still, through a rank that was lost.

    Raises:
        InputError: it can't be written, or another run writes there. Then no folder is left that was not there.
    """

    def __init__(self, flag: str, folder: Path, names: Iterable[str], lock: str, *, again: bool = False) -> None:
        self.flag, self.folder, self.again, self.lock = flag, folder, again, folder / lock
        self.record = {**_self(), "token": os.urandom(8).hex()}
        try:
            with output.made(folder) as self._made:
                self._take()
                if not again:  # another rank of this run may be writing
                    output.tidy(folder, names)
        except InputError:
            raise
        except (OSError, ValueError) as error:  # a ValueError: a name with a zero in it
            what = getattr(error, "strerror", None) or error
            raise InputError(f"{flag} can't be written ({what}): give a place that can") from None
        self._ended = Event()
        Thread(target=self._beat, name="claim", daemon=True).start()

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def check(self) -> None:
        """Before each writing.

        Raises:
            InputError: another run has taken it meanwhile, as this one gave no heartbeat.
        """
        found = output.says(self.lock)
        if found.get("token") not in (self.record["token"], None):
            raise InputError(f"{self.flag} was taken over by {_who(found)}, as this run gave no heartbeat: give another place")

    def replace(self, contents: Mapping[str, output.Content | None]) -> None:
        """``output.replace`` with files of these names, in this place."""
        self.check()
        output.replace({self.folder / name: content for name, content in contents.items()})

    def release(self) -> None:
        """Others may write there again; folders that were made for nothing go."""
        self._ended.set()
        if self._ours():
            with suppress(OSError):
                self.lock.unlink()
        output.unmake(self._made)

    def _take(self) -> None:
        begun, seen = monotonic(), 0
        while not self._create():
            found, beat = output.says(self.lock), _beaten(self.lock)
            gone = _gone(found, self.record, self.again)
            waited = monotonic() - begun
            if gone or waited > GRACE:
                self._break(found)
                continue
            settling = ORPHANED if found.get("job") and found["job"] == self.record["job"] else SETTLING
            if (gone is False and waited > settling) or (gone is None and seen and beat not in (seen, 0)):
                raise InputError(
                    f"{self.flag} is being written by {_who(found)}: wait until that has ended, or give another place "
                    f"({self.lock} tells of it)"
                )
            if gone is None and not seen:
                LOG.warning(f"{self.flag} was written by {_who(found)}: waits {GRACE:.0f} s for a heartbeat")
            seen = seen or beat
            sleep(PAUSE)

    def _create(self) -> bool:
        """Make the file, whole at once; a link is the one thing that NFS too makes for one of several only."""
        part = self.lock.with_name(f".{self.lock.name}.{self.record['token']}.part")
        content = output.document(self.record)
        try:
            output.create(part, content)
            try:
                os.link(part, self.lock)
            except FileExistsError:
                pass
            except OSError as error:
                if error.errno not in LINKLESS:
                    raise
                with suppress(FileExistsError):  # a file system without links
                    output.create(self.lock, content)
        finally:
            part.unlink(missing_ok=True)
        return self._ours()  # not by what was raised: an answer of NFS may get lost

    def _ours(self) -> bool:
        return bool(output.says(self.lock).get("token") == self.record["token"])

    def _break(self, judged: dict[str, Any]) -> None:
        """Remove the file of a run that is gone: one of those who judged so, as the next file there is nobody's to remove."""
        mine = self.lock.with_name(f".{self.lock.name}.{judged.get('token', '')}.gone.part")
        try:
            os.link(self.lock, mine)
        except FileNotFoundError:
            return
        except FileExistsError:
            self._after(mine)
            return
        except OSError as error:
            if error.errno not in LINKLESS:
                raise
            mine = self.lock
        with suppress(FileNotFoundError):
            if output.says(mine) == judged:
                self.lock.unlink()
        if mine != self.lock:
            mine.unlink(missing_ok=True)

    def _after(self, others: Path) -> None:
        """Wait for whoever is removing the file, unless it has died at that."""
        sleep(PAUSE)
        with suppress(FileNotFoundError):
            if time() - others.stat().st_ctime > GRACE:
                others.unlink()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with suppress(OSError):  # the next beat may come through; others wait for some
                if self._ours():
                    os.utime(self.lock)


def abandoned(claim: Claim, pattern: str) -> list[Path]:
    """The locks beside a claim's own, with names as the ``pattern``, of runs that are gone: no such process, or no heartbeat."""
    others = [path for path in claim.folder.iterdir() if path != claim.lock and re.fullmatch(pattern, path.name)]
    now = _beaten(claim.lock)  # by the clock of the same file system
    return [path for path in others if _gone(output.says(path), claim.record, claim.again) or now - _beaten(path) > 1e9 * GRACE]


def _self() -> dict[str, Any]:
    """This process, as others may look for it."""
    job = scheduler.read(os.environ)
    return {
        "host": os.uname().nodename,
        "boot": _text("/proc/sys/kernel/random/boot_id"),
        "space": _link("/proc/self/ns/pid"),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "launch": os.environ.get("PMIX_NAMESPACE", ""),
        "job": job.job if job else "",
        "restarts": job.restarts if job else 0,
    }


def _gone(found: dict[str, Any], mine: dict[str, Any], again: bool) -> bool | None:
    """Whether the process that made the file is no more; None if that can't be known from here."""
    if not found:
        return None
    if all(found.get(key) == mine[key] for key in ("host", "boot", "space")):
        return _started(found.get("pid", 0)) != found.get("started")
    if again and mine["launch"] and found.get("launch") == mine["launch"]:
        return True
    if mine["job"] and found.get("job") == mine["job"] and found.get("restarts", 0) < mine["restarts"]:
        return True  # SLURM has ended an earlier run of this job
    return None


def _who(found: dict[str, Any]) -> str:
    job = f" of job {found['job']}" if found.get("job") else ""
    return f"process {found['pid']} on {found.get('host')}{job}" if "pid" in found else "another run"


def _beaten(lock: Path) -> int:
    """When the file was last touched; 0 if there is none."""
    with suppress(OSError), lock.open("rb") as file:
        return os.fstat(file.fileno()).st_mtime_ns
    return 0


def _started(pid: int) -> str:
    """When a process of this machine began, in ticks since the start; nothing if there is none, or only its name."""
    state, *rest = _text(f"/proc/{pid}/stat").rpartition(")")[2].split() or [""]
    return "" if state in ("", "Z", "X") else rest[18]


def _text(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(errors="replace").strip()
    return ""


def _link(path: str) -> str:
    with suppress(OSError):
        return str(Path(path).readlink())
    return ""
