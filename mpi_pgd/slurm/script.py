"""A batch script as text: a pure function of its settings. Those under slurm/ are its texts where nothing is known."""

import shlex
from dataclasses import dataclass

from mpi_pgd.errors import InputError

WARNING = 120  # seconds before the limit, SLURM may be 60 early: a round has to end in it, and the checkpoint to be written


@dataclass(frozen=True)
class Batch:
    """What is in a script.

    Attributes:
        kind: fit, chain, compare or scaling.
        nodes: how many; several in a scaling, which has a task for each.
        ranks, cpus: ranks on a node, processors of a rank.
        minutes: the time limit.
        memory: MiB on a node, 0: the site's default.
        partition, account: the site's, "" for its defaults.
        setup: commands that make Python and the program work on a node.
        python: the words that start Python.
        launch: the words that start the ranks; none: found out when the job runs.
        words: the program's arguments, before those that sbatch is given behind the script's name.
        notes: lines for the head, where the numbers come from.
    """

    kind: str
    nodes: tuple[int, ...] = (2,)
    ranks: int = 4
    cpus: int = 1
    minutes: int = 60
    memory: int = 0
    partition: str = ""
    account: str = ""
    setup: tuple[str, ...] = ()
    python: tuple[str, ...] = ("python",)
    launch: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


SHIPPED = tuple(Batch(kind, nodes) for kind, nodes in {"fit": (2,), "chain": (2,), "compare": (2,), "scaling": (1, 2, 4)}.items())

HEADS = {
    "fit": """
# A fit.%s
# Some time before the limit SLURM sends USR1: the fit ends with what it has by then, and with code 75.""",
    "chain": """
# A fit that may take longer than a job.%s
# Some time before the limit SLURM sends USR1: the fit saves a checkpoint and ends with code 75, and the job is queued again.
# Its next life goes on from there to the same bits, on as many nodes as it then gets, until the fit is done.""",
    "compare": """
# Which mode and algorithm is better here.%s""",
    "scaling": """
# The speedup curve over numbers of nodes: a task of the array for each, and then a job that makes one report of them.%s""",
}

# For those that are shipped.
USAGE = """ The program's arguments go behind the script's name, sbatch's own before it:
#     sbatch %s slurm/%s.sbatch DATA --out DIR"""
EXAMPLES = {"fit": "--nodes=4", "chain": "--nodes=4 --time=4:00:00", "compare": "--nodes=4", "scaling": "--array=1-8 --nodes=8"}

DIRECTIVES = {
    "fit": ("--signal=B:USR1@%d",),
    "chain": ("--signal=B:USR1@%d", "--requeue", "--open-mode=append"),
    "compare": ("--exclusive", "--signal=B:USR1@%d"),
    "scaling": ("--exclusive",),
}

PLACE_OF_SETUP = """\
# What makes `python -m mpi_pgd` work on a node: modules, a virtual environment, or a container.
# module load openmpi
# source .venv/bin/activate"""

RUN = """

# exec: the signal goes to this process alone, so it has to be the launcher.
exec "${launch[@]}" "${python[@]}" -m mpi_pgd %s "$@"
"""

# A flag's value among the arguments, its default, and its name.
FIND = """

%(name)s=%(default)s
before=
for word; do
    if [ "$before" = --%(name)s ]; then %(name)s=$word; fi
    if [[ $word = --%(name)s=* ]]; then %(name)s=${word#*=}; fi
    before=$word
done"""

CHAIN = r"""

lives=${MPI_PGD_LIVES:-100} # a job that comes to no end is not queued again for ever
life=$((${SLURM_RESTART_COUNT:-0} + 1))
log() { printf '[%(%F %T)T] life %d: %s\n' -1 "$life" "$1"; }

set -- "$@" --checkpoint "$checkpoint"
if [ -e "$checkpoint" ]; then
    set -- "$@" --resume "$checkpoint"
    log "on $SLURM_JOB_NODELIST, goes on from $checkpoint"
else
    log "on $SLURM_JOB_NODELIST, from the start"
fi

# The program notes its exit code here. A launcher that lost a node has others: Open MPI's mpirun 0, srun 14, MPICH's mpirun 255.
export MPI_PGD_EXIT=$PWD/chain-$SLURM_JOB_ID.exit
: >"$MPI_PGD_EXIT"
ranks=$((SLURM_JOB_NUM_NODES * ${SLURM_NTASKS_PER_NODE:?give sbatch --ntasks-per-node})) # SLURM_NTASKS is that of the first life

# A signal ends `wait`, so it is waited again. USR1 comes to this script alone and is handed on. TERM (scancel, or the limit) comes
# to the ranks as well: another signal would end them at once, and a job that is cancelled must not come back.
heard=yes cancelled=no launcher=
trap 'heard=yes; log "USR1, handed on to the ranks"; kill -USR1 "$launcher" || true' USR1
trap 'heard=yes; cancelled=yes; log "TERM, the job is to end"' TERM
"${launch[@]}" -n "$ranks" "${python[@]}" -m mpi_pgd fit "$@" &
launcher=$!
while [ "$heard" = yes ]; do
    heard=no code=0
    wait "$launcher" || code=$?
done

noted=$(<"$MPI_PGD_EXIT") again=no
if [ "$noted" = 75 ]; then again=yes; fi
if [ -z "$noted" ]; then
    log "the ranks were cut off: the launcher's code is $code"
    # Once more, if it got anywhere; or from the start, if this was the first life.
    if [ "$checkpoint" -nt "$MPI_PGD_EXIT" ] || ((life == 1)); then again=yes; fi
    noted=$((code ? code : 1))
fi
rm -f "$MPI_PGD_EXIT"
code=$noted
if [ "$again" = yes ] && [ "$cancelled" = no ] && ((life < lives)); then
    log "code $code, queued again"
    trap '' TERM # which SLURM sends to the script of a job that is queued again
    if scontrol requeue "$SLURM_JOB_ID"; then exit 0; fi
fi
log "code $code, the end"
exit "$code"
"""

SCALING = r"""

if [ "$SLURM_ARRAY_TASK_ID" = 0 ]; then # the job that the first task submits
    exec "${python[@]}" -m mpi_pgd report "$out"
fi
nodes=$SLURM_ARRAY_TASK_ID most=$SLURM_ARRAY_TASK_MAX
per_node=${SLURM_NTASKS_PER_NODE:?give sbatch --ntasks-per-node}
ranks=$((nodes * per_node))
first=no # start of the first task: it submits the report's job
if ((${SLURM_RESTART_COUNT:-0} == 0)); then
    if ((most > SLURM_JOB_NUM_NODES)); then
        echo "the array has a task for $most nodes, and this job has $SLURM_JOB_NUM_NODES: give sbatch --nodes=$most, too" >&2
        exit 2
    fi
    if ((nodes == SLURM_ARRAY_TASK_MIN)); then first=yes; fi
fi

if [ "$first" = yes ]; then
    sbatch --job-name=report --array=0 --nodes=1 --ntasks-per-node=1 --time=10 --partition="$SLURM_JOB_PARTITION" \
        ${SLURM_JOB_ACCOUNT:+--account="$SLURM_JOB_ACCOUNT"} ${SLURM_JOB_QOS:+--qos="$SLURM_JOB_QOS"} \
        --dependency=afterany:"$SLURM_ARRAY_JOB_ID" "$0" "$@" --out "$out" # to afterok, a task that gave nodes back has failed
fi

# The nodes that this task does not need are given back, unless the site forbids it.
resized=slurm_job_${SLURM_JOB_ID}_resize
if ((nodes < SLURM_JOB_NUM_NODES)) && scontrol update JobId="$SLURM_JOB_ID" NumNodes="$nodes" >/dev/null; then
    # shellcheck source=/dev/null
    source "./$resized.sh" # written by scontrol; it unsets what is exported next
    export SLURM_TASKS_PER_NODE="$per_node(x$nodes)"
    rm -f "$resized.sh" "$resized.csh"
fi
export SLURM_NNODES=$nodes SLURM_NTASKS=$ranks

rm -f "$out/nodes-$nodes/scaling.json" # of an earlier array: the report is of this one
# The first measures the powers of two on its ranks as well, the others all of theirs.
if ((nodes > SLURM_ARRAY_TASK_MIN)); then set -- "$@" --ranks "$ranks"; fi
exec "${launch[@]}" -n "$ranks" "${python[@]}" -m mpi_pgd scaling "$@" \
    --largest "$((most * per_node))" --out "$out/nodes-$nodes"
"""

BODIES = {
    "fit": RUN % "fit",
    "chain": FIND % {"name": "checkpoint", "default": "chain-$SLURM_JOB_ID.ckpt"} + CHAIN,
    "compare": RUN % "compare",
    "scaling": FIND % {"name": "out", "default": "scaling-$SLURM_ARRAY_JOB_ID"} + SCALING,
}


def text(batch: Batch) -> str:
    """The script.

    Raises:
        InputError: a line break in what would be one line.
    """
    for given in (*batch.setup, *batch.python, *batch.launch, *batch.words, *batch.notes, batch.partition, batch.account):
        if set(given) & {"\n", "\r", "\0"}:
            raise InputError(f"{given!r} holds a line break, which a batch script can't: rename the file, or leave it out")
    usage = "" if batch.words or batch.notes else USAGE % (EXAMPLES[batch.kind], batch.kind)
    lines = ["#!/bin/bash" + HEADS[batch.kind] % usage, *_notes(batch), *_directives(batch), "", *_environment(batch)]
    return "\n".join(lines) + BODIES[batch.kind]


def _notes(batch: Batch) -> list[str]:
    return ["# Where the numbers come from:", *(f"#   {note}" for note in batch.notes)] if batch.notes else []


def _directives(batch: Batch) -> list[str]:
    """#SBATCH lines; those of the site are left as comments where nothing is said."""
    array = [f"--array={','.join(map(str, batch.nodes))}"] if batch.kind == "scaling" else []
    found = [
        f"--job-name={batch.kind}",
        *array,
        f"--nodes={max(batch.nodes)}",
        f"--ntasks-per-node={batch.ranks}",
        f"--cpus-per-task={batch.cpus}",
        f"--time={clock(batch.minutes)}",
        *(one.replace("%d", str(min(WARNING, 15 * batch.minutes))) for one in DIRECTIVES[batch.kind]),
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
        *(batch.setup or [PLACE_OF_SETUP]),
        f"python=({shlex.join(batch.python)}){container}",
        "",
        "set -eu",
        "export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # srun does not take it from sbatch",
    ]
    if batch.launch:
        lines.append(f"launch=({shlex.join(batch.launch)})")
    else:
        lines += [
            "# What starts the ranks: srun --mpi=... or mpirun, by the MPI that this Python loads.",
            'words=${MPI_PGD_LAUNCH:-$("${python[@]}" -m mpi_pgd slurm launcher)}',
            'read -ra launch <<<"$words"',
        ]
    if batch.words:
        lines.append(f'set -- {shlex.join(batch.words)} "$@"')
    return lines


def clock(minutes: int) -> str:
    """As sbatch reads and shows it: ``2-03:00:00``, ``1:30:00``."""
    days, rest = divmod(minutes, 24 * 60)
    return f"{f'{days}-' if days else ''}{rest // 60:0{2 if days else 1}}:{rest % 60:02}:00"
