"""``slurm``: a batch script for this problem, on standard output or straight into the queue. Without ranks."""

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from mpi_pgd import config
from mpi_pgd.cli import commands, study
from mpi_pgd.cli.arguments import Parser, number, settings
from mpi_pgd.data.partition import Partition
from mpi_pgd.errors import InputError, nearest
from mpi_pgd.modes import MODES
from mpi_pgd.slurm import script, site, sizing
from mpi_pgd.slurm.script import Batch
from mpi_pgd.system import scheduler

if TYPE_CHECKING:
    from mpi_pgd.data.table import Table

PROGRAMS = tuple(dict.fromkeys(kind.program for kind in script.KINDS.values()))
MINE = {
    "nodes": ("N", "how many, in scaling several: 1,2,4 (default: the fewest whose memory holds the rows)"),
    "ranks-per-node": ("R", "default: one for each core, as sinfo tells; without it, each core of this machine"),
    "time": ("T", "the limit, as in sbatch (default: by --network, else an hour)"),
    "mem": ("M", "of a node, as in sbatch --mem (default: what the rows and the ranks need)"),
    "partition": ("NAME", "default: the site's default partition"),
    "account": ("NAME", "default: none"),
    "setup": ("COMMAND", "for the node, before Python is started: module load ..., source .venv/bin/activate; may be repeated"),
    "container": ("IMAGE", "Python is the one in this image: apptainer exec IMAGE python"),
    "network": ("DIR", "of a `network` study: the time of a fit is predicted from it, with --rounds"),
}
SWITCHES = {
    "chain": "fit: queue again at the limit, and go on from a checkpoint, until it is done",
    "submit": "give the script to sbatch, and print the job's number",
}
NAME = re.compile(r"[\w.,@+-]+", re.ASCII)
USAGE = f"python -m mpi_pgd slurm {'|'.join(PROGRAMS)} [DATA ...] [flags of that command] [--nodes N] [--time T] [--submit] ..."


def parser(program: str = "") -> Parser:
    """The flags for the script, and those of the program that it is to run."""
    made = commands.parser(program) if program else Parser("", "")
    made.usage = f"{USAGE}\n       python -m mpi_pgd slurm launcher"
    made.description = (
        "Write a batch script for this problem on standard output: ranks, memory and time from the data and the nodes, and\n"
        "the launcher from the MPI in use. What can be checked is checked now, not in the queue. `slurm launcher` prints what\n"
        "starts ranks here."
    )
    group = made.add_argument_group("the script")
    group.conflict_handler = "resolve"  # the script has so many ranks a node: none has to be cut into several
    for name, (shown, text) in MINE.items():
        group.add_argument(f"--{name}", metavar=shown, help=text, action="append" if name == "setup" else "store")
    for name, text in SWITCHES.items():
        group.add_argument(f"--{name}", action="store_true", help=text)
    return made


def main(words: Sequence[str]) -> int:
    """Write the script, submit it, or say what starts ranks, or which files the program has."""
    if list(words) == ["launcher"]:
        print(shlex.join(site.launcher(*_library()) or ["mpirun"]))
        return 0
    if words[:1] == ["files"] and words[1:2] and words[1] in PROGRAMS:
        # For the scripts: the checkpoint and the folder of the result that the words give, and whether the program is to be quiet.
        chosen = _settings(words[1], words[2:])
        print(chosen.checkpoint, chosen.out, "quiet" if chosen.quiet else "not quiet", sep="\n")
        return 0
    if not words or words[0] not in PROGRAMS:
        given = words[0] if words else "nothing"
        raise InputError(f"slurm was given {given}{nearest(given, PROGRAMS)}: expected one of {', '.join(PROGRAMS)}, or launcher")
    arguments = parser(words[0]).read(words[1:])
    text = script.text(_batch(words[0], arguments, list(_theirs(words[1:]))))
    print(site.submit(text) if arguments.submit else text.removesuffix("\n"))
    return 0


def _settings(program: str, words: Sequence[str]) -> config.Settings:
    if program == "fit":
        return settings(commands.parser(program).read(words))
    found = study.read([program, *words])
    return config.settings(found["settings"] | {"out": found["out"]})


def _theirs(words: Sequence[str]) -> Iterator[str]:
    """The words that the program reads, without those for the script."""
    left = iter(words)
    for word in left:
        name, equals, _ = word.partition("=")
        if name.removeprefix("--") in MINE and name.startswith("--"):
            if not equals:
                next(left)
        elif word not in [f"--{name}" for name in SWITCHES]:
            yield word


def _batch(program: str, arguments: Any, theirs: list[str]) -> Batch:
    """Look at the data and the site, and settle everything."""
    from mpi_pgd.data import hdf5  # not above: help needs no h5py
    from mpi_pgd.session.rows import heard

    _check(program, arguments)
    chosen = heard(_settings(program, theirs))
    table = hdf5.inspect(chosen.data, chosen.x, chosen.y, chosen.weights, chosen.offset, chosen.class_weight != "")
    if chosen.store != config.AS_IS:
        table = table.stored(chosen.store)
    kind = script.KINDS[program]
    nodes = _counts(arguments.nodes, kind.array) or (list(kind.nodes) if kind.array else [])
    ranks = 0 if arguments.ranks_per_node is None else number(arguments, "ranks-per-node", int, least=1)
    asked = sizing.Asked(nodes, ranks, 0 if arguments.mem is None else sizing.mebibytes(arguments.mem), chosen.threads)
    node = site.node(arguments.partition or "", asked)
    # compare and scaling try all modes; with a server one rank fewer holds rows.
    mode, replicas = (chosen.mode, chosen.replicas) if program == "fit" else (max(MODES, key=lambda name: MODES[name].servers), 1)
    rows = sizing.Rows(Partition(table.rows, table.features, table.density), table.bytes(1), mode, replicas, kind.array)
    layout = sizing.layout(rows, asked, node)
    predicted = _predicted(arguments.network, chosen, table, layout) if arguments.network else 0.0
    minutes, why = sizing.limit(_time(arguments.time), predicted, node, arguments.chain)
    python, launch = _starting(arguments)
    start = [f"start   {' '.join(launch[:2])}: for the MPI that this Python loads"] if launch else []
    return Batch(
        kind="chain" if arguments.chain else program,
        nodes=layout.nodes,
        ranks=layout.ranks,
        cpus=layout.cpus,
        minutes=minutes,
        memory=layout.memory,
        partition=arguments.partition or "",
        account=arguments.account or "",
        setup=tuple(arguments.setup or ()),
        python=python,
        launch=launch,
        words=tuple(theirs),
        notes=(*layout.notes, why, *start),
    )


def _check(program: str, arguments: Any) -> None:
    if arguments.chain and program != "fit":
        raise InputError(f"--chain was given to slurm {program}: expected slurm fit, as nothing else has a checkpoint")
    if arguments.network and program != "fit":
        raise InputError(f"--network was given to slurm {program}: expected slurm fit, whose time it predicts; give --time")
    for name in ("ranks", "largest"):
        if getattr(arguments, name, None) not in (None, "", "0"):
            raise InputError(f"--{name} was given to slurm {program}, whose script sets it: expected --nodes A,B,C")
    for name in ("partition", "account"):
        given = getattr(arguments, name)
        if given is not None and not NAME.fullmatch(given):
            raise InputError(f"--{name} was given {given!r}: expected a name as SLURM has them")


def _counts(text: str | None, several: bool) -> list[int]:
    words = [] if text is None else text.split(",")
    if any(not re.fullmatch("0*[1-9][0-9]{0,6}", word) for word in words) or (not several and len(words) > 1):
        expected = "numbers with commas between them" if several else "a number"
        raise InputError(f"--nodes was given {text!r}: expected {expected}, from 1 on")
    return sorted({int(word) for word in words})


def _time(text: str | None) -> float:
    asked = 0.0 if text is None else scheduler.seconds(text)
    if text is not None and not 0 < asked < inf:
        raise InputError(f"--time was given {text!r}: expected a time above 0, and an end")
    return asked


def _predicted(network: str, chosen: config.Settings, table: "Table", layout: sizing.Layout) -> float:
    """Seconds that all rounds should take."""
    from mpi_pgd.study.network import read
    from mpi_pgd.study.plan.planner import Question, plan

    workers = MODES[chosen.mode].workers(layout.ranks * max(layout.nodes))
    found = plan(
        read(network),
        Question(
            rows=table.rows,
            features=table.features,
            first=workers,
            last=workers,
            rounds=chosen.rounds,
            ranks_per_node=layout.ranks,
            mode=chosen.mode,
            algorithm=chosen.algorithm,
            folds=chosen.folding(table.features + 2),
        ),
    )
    return float(found["rows"][0]["fit_seconds"])


def _starting(arguments: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words that start Python, and those that start ranks; none of these, if only the job can tell."""
    if arguments.container:
        return ("apptainer", "exec", arguments.container, "python"), ()
    python = ("python",) if arguments.setup else (sys.executable,)
    return python, site.launcher(*_library())


def _library() -> tuple[str, str]:
    """Vendor and version of the MPI library that this Python loads, without starting it."""
    import mpi4py

    mpi4py.rc.initialize = mpi4py.rc.finalize = False
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise InputError(f"this Python finds no MPI library ({error}): load the module, or install mpi_pgd with one") from None
    return MPI.get_vendor()[0], MPI.Get_library_version()
