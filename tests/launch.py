"""Start real mpiruns from tests: which MPI libraries are there, and a launch that can neither hang nor leave anything.

pytest's own process never starts MPI, see tests/conftest.py: it would then be a world of its own.
"""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMES = {"MPICH": "mpich", "Open MPI": "openmpi", "Intel MPI": "intel"}
VENDOR = "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.get_vendor()[0])"

# What a launcher tells its ranks; inherited, it would make the ranks of a test believe that they are those of another
# job. And PYTHONUNBUFFERED, which some machines set, would hide a missing flush.
LEFT_OUT = ("PMI_", "PMIX_", "OMPI_", "PRTE_", "SLURM_", "HYDRA_", "HYDI_", "MPI_LOCAL", "PYTHONUNBUFFERED")
# Ranks outnumber cores: one that waits sleeps for a moment between two looks, which costs a quarter of the processor's time.
PATIENT: dict[str, object] = {
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": 1,
    "OMPI_MCA_mpi_yield_when_idle": 1,
    "OMPI_MCA_threads_pthreads_yield_strategy": "nanosleep",
}
TAG = "MPI_PGD_LAUNCH"
# Put before a rank's own start: on a signal, it writes its stack into a file. Not to stderr, which the launchers drop
# when they find a rank dead; and not with SIGABRT, as then they kill the others before those have written.
TELL = """
import faulthandler, os, signal
faulthandler.register(signal.SIGRTMAX, file=open(os.path.join({scratch!r}, f"where.{{os.getpid()}}"), "w"))
"""
STARTED = "/_hashlib."  # a library that a fit maps after MPI_Init, with mpi_pgd.session.run
GRACE = 5.0  # seconds that a job's daemons have to be gone after mpirun
RANK_VARIABLES = (b"PMI_RANK", b"OMPI_COMM_WORLD_RANK")
BEGUN, SETTLED = time.time(), 2.0  # shared memory made before this process began, or so few seconds ago, is left alone
LOOK = 0.005  # seconds between two looks at a job that is waited for


@dataclass(frozen=True)
class Library:
    """An environment with an MPI: its name, its interpreter and its mpirun."""

    name: str
    python: str
    mpirun: str


@dataclass(frozen=True)
class Result:
    """How a launch ended; str() of it is fit for an assert's message."""

    command: str
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    def __str__(self) -> str:
        head = f"{self.command}\nexit code {self.returncode} after {self.seconds:.1f} s"
        return f"{head}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


class Running:
    """A job while it runs, for what a test does to it meanwhile.

    ``mpirun`` is its launcher's process number.
    """

    def __init__(self, process: subprocess.Popen[bytes], tag: str, start: float, timeout: float) -> None:
        self.mpirun, self._process, self._tag = process.pid, process, tag
        self._start, self._timeout = start, timeout

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    @property
    def goes_on(self) -> bool:
        return self._process.poll() is None and self.seconds < self._timeout

    def until(self, holds: Callable[[], bool], look: float = LOOK) -> bool:
        """Wait until it holds; False if the job ends first, or hangs. Whoever looks at all processes should do so seldom."""
        while not holds():
            if not self.goes_on:
                return False
            time.sleep(look)
        return True

    def wait(self, seconds: float) -> bool:
        """As ``until``, for some seconds to pass."""
        end = time.monotonic() + seconds
        return self.until(lambda: time.monotonic() >= end)

    def processes(self) -> list[int]:
        """All of its processes."""
        return _tagged(self._tag)

    def ranks(self) -> list[int]:
        """The processes of the ranks that have started MPI, in the ranks' order: before, ULFM does not survive a loss."""
        found = [(rank, pid) for pid in self.processes() for rank in _rank(pid) if STARTED in _maps(pid)]
        return [pid for _, pid in sorted(found)]

    def kill(self, pids: Iterable[int]) -> None:
        """SIGKILL, to all at once."""
        self.send(pids, signal.SIGKILL)

    def send(self, pids: Iterable[int], number: signal.Signals) -> None:
        """Another signal."""
        _send(pids, number)


@cache
def libraries() -> dict[str, Library]:
    """The MPI libraries that can be used here, by name; the first environment that has one stands for it."""
    found: dict[str, Library] = {}
    for python in _interpreters():
        library = _ask(python)
        if library is not None:
            found.setdefault(library.name, library)
    return found


def any_library(number: int) -> Library:
    """The libraries in turn: what does not depend on the library needs no test with each."""
    found = list(libraries().values())
    if not found:
        pytest.skip("no MPI library here")
    return found[number % len(found)]


def required() -> list[str]:
    """The libraries and programs whose absence is a failure, from MPI_PGD_REQUIRE=name,name."""
    return [name for name in os.environ.get("MPI_PGD_REQUIRE", "").replace(" ", "").split(",") if name]


def named(vendor: str) -> str:
    """What tests call a vendor's library."""
    return NAMES.get(vendor, vendor.lower().replace(" ", ""))


def launch(
    library: Library,
    ranks: int,
    *args: object,
    module: str = "mpi_pgd",
    script: Path | str | None = None,
    timeout: float = 60.0,
    env: Mapping[str, object] | None = None,
    cwd: Path | str | None = None,
    flags: Sequence[str] = (),
    during: Callable[[Running], object] = lambda _: None,
) -> Result:
    """Run `mpirun FLAGS -n RANKS python -m MODULE ARGS` (or SCRIPT) to its end; fail if it hangs or leaves processes.

    ``during`` is called once it is started.
    """
    program = ["-m", module] if script is None else [str(script)]
    command = [library.mpirun, *flags, "-n", str(ranks), library.python, *program, *map(str, args)]
    tag = uuid.uuid4().hex
    with contextlib.ExitStack() as stack:
        # Open MPI's session folder goes to TMPDIR, and stays when the job is killed.
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="mpi_pgd-", ignore_cleanup_errors=True))
        # Files, not pipes: a process left behind would keep a pipe open, and the reader waiting.
        out = stack.enter_context(Path(scratch, "stdout").open("w+b"))
        err = stack.enter_context(Path(scratch, "stderr").open("w+b"))
        Path(scratch, "sitecustomize.py").write_text(TELL.format(scratch=scratch))
        _sweep_at_the_end()
        stack.callback(_sweep)
        stack.callback(_kill, tag)  # whatever happens, Ctrl-C too: the job has a session of its own and doesn't see it
        start = time.monotonic()
        job = subprocess.Popen(
            command,
            env=_environment(library, tag, scratch, env or {}),
            cwd=cwd or ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        during(Running(job, tag, start, timeout))
        trouble, where = _wait(job, tag, scratch, max(0.0, start + timeout - time.monotonic()), timeout)
        seconds = time.monotonic() - start
        result = Result(" ".join(command), job.returncode, _text(out.name), _text(err.name), seconds)
    if trouble:
        pytest.fail(f"{trouble}: {result}\n--- where it stood\n{where}", pytrace=False)
    return result


def _interpreters() -> Iterator[str]:
    yield sys.executable
    for name in ("mpich", "openmpi", "intel"):
        yield str(ROOT / f".venv-{name}" / "bin" / "python")
    yield from filter(None, os.environ.get("MPI_PGD_PYTHONS", "").split(os.pathsep))


def _ask(python: str) -> Library | None:
    """Which MPI an interpreter has; None if there is no interpreter, no mpi4py, no MPI library or no mpirun."""
    try:
        answer = subprocess.run([python, "-c", VENDOR], env=_clean(), capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    mpirun = shutil.which("mpirun", path=str(Path(python).parent)) or shutil.which("mpirun")
    if answer.returncode != 0 or mpirun is None:
        return None
    return Library(named(answer.stdout.strip()), python, mpirun)


def _clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}


def _environment(library: Library, tag: str, scratch: str, extra: Mapping[str, object]) -> dict[str, str]:
    settings: dict[str, object] = {
        "PATH": os.pathsep.join([str(Path(library.mpirun).parent), os.environ.get("PATH", os.defpath)]),
        # The root, for an environment into which the package is not installed.
        "PYTHONPATH": os.pathsep.join([scratch, str(ROOT)]),
        "PYTHONFAULTHANDLER": 1,
        "OPENBLAS_NUM_THREADS": 1,
        "OMPI_ALLOW_RUN_AS_ROOT": 1,
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": 1,
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # tests use more ranks than there are cores
        "OMPI_MCA_btl": "^ofi",  # its transport for one-sided messages sleeps in MPI_Init for a second, and is not used
        "TMPDIR": scratch,
        TAG: tag,
        **PATIENT,
    }
    return _clean() | {key: str(value) for key, value in (settings | dict(extra)).items()}


def _wait(job: subprocess.Popen[bytes], tag: str, scratch: str, left: float, timeout: float) -> tuple[str, str]:
    """Wait for the job and all its processes to end, and end them if they don't; say what was wrong, and where."""
    trouble = where = ""
    try:
        job.wait(left)
        if not _until(lambda: not _tagged(tag), GRACE):
            trouble = "left processes behind: " + ", ".join(map(_command, _tagged(tag)))
    except subprocess.TimeoutExpired:
        trouble, where = f"hung, killed after {timeout:g} s", _where(tag, scratch)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
    _kill(tag)
    job.wait()
    return trouble, where


def _where(tag: str, scratch: str) -> str:
    """Where each process of a hung job stands; its stack comes even out of a blocked collective."""
    stacks = []
    for path in Path(scratch).glob("where.*"):
        pid = int(path.suffix[1:])
        if pid in _tagged(tag):
            _send([pid], signal.SIGRTMAX)
            _until(partial(_written, path), 1.0)
            stacks.append(f"process {pid}\n{_text(path)}")
    return "\n".join(stacks)


def _tagged(tag: str) -> list[int]:
    """Every process of a job, daemons that left its process group included: all inherit its tag."""
    needle = f"{TAG}={tag}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is somebody else's
            if needle in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _kill(tag: str) -> None:
    """SIGKILL until none is left: a process may start another between the look and the kill."""

    def none_left() -> bool:
        pids = _tagged(tag)
        _send(pids, signal.SIGKILL)
        return not pids

    _until(none_left, GRACE)


def _sweep() -> bool:
    """Remove the shared memory, megabytes a job, that MPICH and Open MPI leave of a job that is killed; whether none is left.

    What is young is left for the next time: it may be that of another job, which has made it and not mapped it yet.
    """
    shared, left = Path("/dev/shm"), list[Path]()
    with contextlib.suppress(OSError):
        files = [*shared.glob("mpich_shm_*"), *shared.glob("sm_segment.*")]
        left = [path for path in files if path.stat().st_mtime >= BEGUN]
        used = _mapped() if left else ""
        left = [path for path in left if str(path) not in used]
        for path in left:
            if path.stat().st_mtime < time.time() - SETTLED:
                path.unlink()
    return not left


@cache
def _sweep_at_the_end() -> None:
    atexit.register(_until, _sweep, 2 * SETTLED)


def _mapped() -> str:
    return "".join(_maps(int(path.parent.name)) for path in Path("/proc").glob("[0-9]*/maps"))


def _maps(pid: int) -> str:
    with contextlib.suppress(OSError):
        return _text(f"/proc/{pid}/maps")
    return ""


def _rank(pid: int) -> list[int]:
    """The number of a rank; none if this process is no rank, or has ended."""
    with contextlib.suppress(OSError):
        pairs = (line.partition(b"=")[::2] for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
        return [int(value) for name, value in pairs if name in RANK_VARIABLES][:1]
    return []


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return _text(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    return str(pid)


def _written(path: Path) -> bool:
    return path.stat().st_size > 0


def _text(path: Path | str) -> str:
    return Path(path).read_text(errors="replace")
