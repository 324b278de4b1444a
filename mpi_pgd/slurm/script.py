"""A batch script as text: a pure function of its settings, made of the ``parts``; slurm/ has those of the default settings."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mpi_pgd.errors import InputError

PARTS = Path(__file__).with_name("parts")
WARNING = 120  # seconds before the limit, SLURM may be 60 early: a round has to end in it, and the checkpoint to be written


@dataclass(frozen=True)
class Batch:
    """What is in a script."""

    kind: str  # one of ``KINDS``
    nodes: tuple[int, ...] = (2,)  # how many; several in an array, which has a task for each
    ranks: int = 4  # on a node
    cpus: int = 1  # of a rank
    minutes: int = 60  # the time limit
    memory: int = 0  # MiB on a node; 0: the site's default
    partition: str = ""  # "": the site's default
    account: str = ""  # the same
    setup: tuple[str, ...] = ()  # commands that make Python and the program work on a node
    python: tuple[str, ...] = ("python",)  # the words that start Python
    launch: tuple[str, ...] = ()  # the words that start the ranks; none: found out when the job runs
    words: tuple[str, ...] = ()  # the program's arguments, before those that sbatch is given behind the script's name
    notes: tuple[str, ...] = ()  # lines for the head, where the numbers come from


# For those that are shipped.
USAGE = """ The program's arguments go behind the script's name, sbatch's own before it:
#     sbatch %s slurm/%s.sbatch DATA --out DIR"""


class Kind(NamedTuple):
    """A kind of script."""

    program: str  # the command that it runs
    directives: tuple[str, ...]  # for sbatch
    parts: tuple[str, ...]  # behind what all have in common, by their names
    example: str = "--nodes=4"  # what sbatch may be given
    nodes: tuple[int, ...] = (2,)  # of the shipped one
    array: bool = False  # it has a task for each number of nodes


_USR1, _APPEND = "--signal=B:USR1@%d", "--open-mode=append"
_FIT, _STUDY = (_USR1, "--requeue", _APPEND), ("--exclusive", _USR1, _APPEND)
KINDS = {
    "fit": Kind("fit", _FIT, ("fit", "once", "end")),
    "chain": Kind("fit", _FIT, ("fit", "chain", "end"), "--nodes=4 --time=4:00:00"),
    "compare": Kind("compare", _STUDY, ("study",)),
    "scaling": Kind("scaling", _STUDY, ("scaling",), "--array=1-8%1", (1, 2, 4), array=True),
}
SHIPPED = tuple(Batch(name, kind.nodes) for name, kind in KINDS.items())


def text(batch: Batch) -> str:
    """The script.

    Raises:
        InputError: a line break in what would be one line.
    """
    for given in (*batch.setup, *batch.python, *batch.launch, *batch.words, *batch.notes, batch.partition, batch.account):
        if set(given) & {"\n", "\r", "\0"}:
            raise InputError(f"{given!r} holds a line break, which a batch script can't: rename the file, or leave it out")
    kind = KINDS[batch.kind]
    usage = "" if batch.words or batch.notes else USAGE % (kind.example, batch.kind)
    head = _part(f"{batch.kind}-head").replace("USAGE", usage)
    notes = ["# Where the numbers come from:", *(f"#   {note}" for note in batch.notes)] if batch.notes else []
    lines = [*head.splitlines(), *notes, *_directives(batch), "", _part("traps"), *_environment(batch), ""]
    parts = "\n".join(map(_part, ("common", *kind.parts)))
    return "\n".join([*lines, parts.replace("PROGRAM", kind.program).replace("KIND", batch.kind)])


def _part(name: str) -> str:
    return (PARTS / f"{name}.sh").read_text()


def _directives(batch: Batch) -> list[str]:
    """#SBATCH lines; those of the site are left as comments where nothing is said."""
    array = [f"--array={','.join(map(str, batch.nodes))}%1"] if KINDS[batch.kind].array else []
    found = [
        f"--job-name={batch.kind}",
        *array,
        f"--nodes={min(batch.nodes)}",
        f"--ntasks-per-node={batch.ranks}",
        f"--cpus-per-task={batch.cpus}",
        f"--time={clock(batch.minutes)}",
        *(one.replace("%d", str(min(WARNING, 15 * batch.minutes))) for one in KINDS[batch.kind].directives),
    ]
    site = {
        "mem": (f"{batch.memory}M" if batch.memory else "", "8G"),
        "partition": (batch.partition, "NAME"),
        "account": (batch.account, "NAME"),
    }
    said = [f"--{name}={value}" for name, (value, _) in site.items() if value]
    unsaid = [f"##SBATCH --{name}={example}" for name, (value, example) in site.items() if not value]
    return [f"#SBATCH {one}" for one in found + said] + unsaid


def _environment(batch: Batch) -> list[str]:
    container = "" if batch.python != ("python",) else " # in a container: (apptainer exec mpi_pgd.sif python)"
    lines = [
        *(batch.setup or _part("setup").splitlines()),
        f"python=({shlex.join(batch.python)}){container}",
        "",
        "set -eu",
        "unset SLURM_EXPORT_ENV # of sbatch --export=NONE: srun would hand on nothing",
        "export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # srun does not take it from sbatch",
    ]
    if batch.launch:
        lines.append(f"launch=({shlex.join(batch.launch)})")
    else:
        lines += _part("launcher").splitlines()
    if batch.words:
        lines.append(f'set -- {shlex.join(batch.words)} "$@"')
    return lines


def clock(minutes: int) -> str:
    """As sbatch reads and shows it: ``2-03:00:00``, ``1:30:00``."""
    days, rest = divmod(minutes, 24 * 60)
    return f"{f'{days}-' if days else ''}{rest // 60:0{2 if days else 1}}:{rest % 60:02}:00"
