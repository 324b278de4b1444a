"""A batch script as text: a pure function of its settings. Those under slurm/ are its texts where nothing is known."""

import shlex
from dataclasses import dataclass
from typing import NamedTuple

from mpi_pgd.errors import InputError

WARNING = 120  # seconds before the limit, SLURM may be 60 early: a round has to end in it, and the checkpoint to be written


@dataclass(frozen=True)
class Batch:
    """What is in a script.

    Attributes:
        kind: one of ``KINDS``.
        nodes: how many; several in an array, which has a task for each.
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


# For those that are shipped.
USAGE = """ The program's arguments go behind the script's name, sbatch's own before it:
#     sbatch %s slurm/%s.sbatch DATA --out DIR"""

TRAPS = """\
# Before anything else: a signal ends a script that has no trap for it. USR1 comes to this script alone and is handed on. TERM
# (scancel, or the limit) comes to the ranks as well: another signal would end them at once.
life=$((${SLURM_RESTART_COUNT:-0} + 1)) warned=no cancelled=no launcher=
log() { printf '[%(%F %T)T] life %d: %s\n' -1 "$life" "$1"; }
trap 'warned=yes; log "USR1, the job is to end"; [ -z "$launcher" ] || kill -USR1 "$launcher" || true' USR1
trap 'cancelled=yes; log "TERM, the job is to end"' TERM
"""

PLACE_OF_SETUP = """\
# What makes `python -m mpi_pgd` work on a node: modules, a virtual environment, or a container.
# module load openmpi
# source .venv/bin/activate"""

COMMON = r"""

# Where the arguments and the settings file put the checkpoint and the result, and whether they ask for quiet.
found=$("${python[@]}" -m mpi_pgd slurm files PROGRAM "$@")
mapfile -t files <<<"$found"

# As many ranks as SLURM says; its number is that of the first life, which may have had more nodes.
nodes=$SLURM_JOB_NUM_NODES most=$((SLURM_JOB_NUM_NODES * ${SLURM_NTASKS_PER_NODE:-${SLURM_NTASKS:-1}}))
ranks=${SLURM_NTASKS:-$most}
if ((ranks > most)); then ranks=$most; fi

# Starts $ranks ranks on $nodes nodes and waits for them. The code is the one that the program notes in a file: a launcher that
# lost a node has others (Open MPI's mpirun 0, srun 14, MPICH's mpirun 255), or waits for it. Nothing noted: they were cut off.
start() {
    local pause=0.2 until=0 each=$((ranks / nodes)) more=$((ranks % nodes))
    cut=no code=75
    if [ "$cancelled" = yes ]; then exit 143; fi
    if [ "$warned" = yes ]; then return; fi
    if [ -n "${SLURM_NTASKS_PER_NODE:-}" ]; then # for mpirun, which would fill the first nodes
        SLURM_TASKS_PER_NODE="$each(x$((nodes - more)))"
        if ((more)); then SLURM_TASKS_PER_NODE="$((each + 1))(x$more),$SLURM_TASKS_PER_NODE"; fi
    fi
    export SLURM_NNODES=$nodes SLURM_NTASKS=$ranks SLURM_TASKS_PER_NODE
    export MPI_PGD_EXIT=$1.exit
    { : >"$MPI_PGD_EXIT"; } 2>/dev/null || MPI_PGD_EXIT=${TMPDIR:-/tmp}/mpi_pgd-$SLURM_JOB_ID.exit
    : >"$MPI_PGD_EXIT"
    "${launch[@]}" -n "$ranks" "${python[@]}" -m mpi_pgd PROGRAM "${@:2}" &
    launcher=$!
    if [ "$warned" = yes ]; then kill -USR1 "$launcher" || true; fi
    while kill -0 "$launcher" 2>/dev/null; do
        if [ -s "$MPI_PGD_EXIT" ] && ((until == 0)); then until=$((SECONDS + 30)); fi
        if ((until && SECONDS > until)); then kill -KILL "$launcher" || true; fi
        if ((SECONDS > 10)); then pause=1; fi
        sleep $pause &
        wait $! || true # which a signal ends
    done
    code=0
    wait "$launcher" || code=$?
    launcher=
    if [ -s "$MPI_PGD_EXIT" ]; then
        code=$(<"$MPI_PGD_EXIT")
    elif [ "$warned" = yes ]; then
        code=75
    else
        log "the ranks were cut off: the launcher's code is $code"
        cut=yes code=$((code ? code : 1))
    fi
    rm -f "$MPI_PGD_EXIT"
}
# What is there of the checkpoint: a life that leaves it as it was came to nothing.
state() { stat -c '%i %y' "$checkpoint" 2>/dev/null || true; }
# Starts, and once more if that ended at once: srun can't start a step on a node which keeps a socket of a lost one of its number.
run() {
    SECONDS=0
    start "$@"
    if [ "$cut" = yes ] && ((SECONDS < 60)) && [ "$(state)" = "$before" ]; then
        log "once more, as that was at once"
        start "$@"
    fi
}
"""

STUDY = """
out=${files[1]:-PROGRAM-$SLURM_JOB_ID} checkpoint='' before=''
run "$out" "$@" --out "$out"
exit "$code"
"""

FIT = r"""
out=${files[1]:-fit-$SLURM_JOB_ID} checkpoint=${files[0]}
if [ -z "$checkpoint" ]; then
    checkpoint=KIND-$SLURM_JOB_ID.ckpt
    if [ ! -w . ]; then checkpoint=$(dirname "$out")/$checkpoint; fi
fi
before=$(state)
set -- "$@" --out "$out" --checkpoint "$checkpoint"
where="from the start"
if [ -n "$before" ]; then
    set -- "$@" --resume "$checkpoint"
    where="goes on from $checkpoint"
fi
"""

END = r"""
if [ "$code" = 0 ] && [ -z "${files[0]}" ] && [ -e "$checkpoint" ]; then
    rm "$checkpoint"
    if [ "${files[2]}" != quiet ]; then log "the checkpoint $checkpoint is not needed any more, and removed"; fi
fi
exit "$code"
"""

ONCE = r"""
if [ -n "$before" ] || ((life > 1)); then log "on $SLURM_JOB_NODELIST, $where"; fi
run "$checkpoint" "$@"
"""

CHAIN = r"""
lives=${MPI_PGD_LIVES:-100} # a job that comes to no end is not queued again for ever
barren=$checkpoint.barren   # a line for each life in a row that came to nothing: after the third it ends
log "on $SLURM_JOB_NODELIST, $where"
said=$(stat -Lc %s /dev/fd/2) # of the log by now
run "$checkpoint" "$@"

again=no
if [ "$code" = 75 ] || [ "$cut" = yes ]; then again=yes; fi
if [ "$cancelled" = yes ] || ((life >= lives)); then again=no; fi
if [ "$warned" = yes ] || [ "$(state)" != "$before" ]; then
    rm -f "$barren"
elif [ "$again" = yes ] && echo "life $life on $SLURM_JOB_NODELIST: code $code" >>"$barren" && (($(wc -l <"$barren") >= 3)); then
    log "three lives in a row came to nothing"
    again=no
fi
# Has the next life leave out nodes on which srun could not start a task, as it says in the log, if there are enough others.
leave_out() {
    local names word bad=() each=$((ranks / nodes)) more=$((ranks % nodes)) others out
    if [ ! -f /dev/fd/2 ]; then return; fi
    mapfile -t names < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
    while read -r word; do
        if [[ $word =~ ^[0-9]+$ ]]; then # a task's number
            word=${names[$((word < more * (each + 1) ? word / (each + 1) : (word - more) / each))]}
        fi
        bad+=("$word")
    done < <(tail -c "+$((said + 1))" /dev/fd/2 |
        sed -nE 's/.* task ([0-9]+) launch failed:.*/\1/p; s/.* failed on node ([^: ]+).*/\1/p' | sort -u)
    if ((${#bad[@]} == 0)); then return; fi
    others=$(sinfo -hN -p "$SLURM_JOB_PARTITION" -t idle,alloc,mix,comp -o %N | sort -u | grep -cvxFf <(printf '%s\n' "${bad[@]}"))
    if ((others < nodes)); then return; fi
    out=$(scontrol -o show job "$SLURM_JOB_ID" | sed -nE 's/.* ExcNodeList=([^( ]+).*/\1/p') # as sbatch was told
    out=$(IFS=,; echo "${out:+$out,}${bad[*]}")
    scontrol update JobId="$SLURM_JOB_ID" ExcNodeList="$out" && log "the next life leaves out $out"
}
if [ "$again" = yes ]; then
    log "code $code, queued again"
    trap '' TERM # which SLURM sends to the script of a job that is queued again
    if scontrol requeue "$SLURM_JOB_ID"; then
        if [ "$cut" = yes ]; then leave_out || true; fi
        exit 0
    fi
fi
rm -f "$barren"
log "code $code, the end"
"""

SCALING = r"""
out=${files[1]:-scaling-$SLURM_ARRAY_JOB_ID} checkpoint='' before=''
nodes=$SLURM_ARRAY_TASK_ID per_node=${SLURM_NTASKS_PER_NODE:?give sbatch --ntasks-per-node}
ranks=$((nodes * per_node))

# sbatch asks alike for all tasks of an array, but each is to have just the nodes that it uses. The first one says so for those
# that wait; one that has too few is queued again; what is too much is given back, unless the site forbids it.
resize() { scontrol update JobId="$1" NumNodes="$2-$2" NumTasks=$(($2 * per_node)) "${@:3}"; }
if ((life == 1 && nodes == SLURM_ARRAY_TASK_MIN)); then
    for task in $(squeue -h -r -j "$SLURM_ARRAY_JOB_ID" -t PD -o %K); do
        resize "${SLURM_ARRAY_JOB_ID}_$task" "$task" || true
    done
fi
if ((nodes > SLURM_JOB_NUM_NODES)); then
    trap '' TERM # which SLURM sends to the script of a job that is queued again
    if ((life == 1)) && scontrol requeue "$SLURM_JOB_ID" && resize "$SLURM_JOB_ID" "$nodes" StartTime=now+5seconds; then exit 0; fi
    log "this task measures $nodes nodes, and has $SLURM_JOB_NUM_NODES: give sbatch --array=$nodes --nodes=$nodes"
    exit 2
fi
resized=./slurm_job_${SLURM_JOB_ID}_resize
if ((nodes < SLURM_JOB_NUM_NODES)) && scontrol update JobId="$SLURM_JOB_ID" NumNodes="$nodes" >/dev/null; then
    # shellcheck source=/dev/null
    if [ -e "$resized.sh" ]; then source "$resized.sh"; fi # written by scontrol
    rm -f "$resized.sh" "$resized.csh"
fi

mkdir -p "$out"
rm -f "$out/nodes-$nodes/scaling.json" # of an earlier array: the report is of this one
# The first measures the powers of two on its ranks as well, the others all of theirs.
if ((nodes > SLURM_ARRAY_TASK_MIN)); then set -- "$@" --ranks "$ranks"; fi
run "$out/nodes-$nodes" "$@" --largest $((SLURM_ARRAY_TASK_MAX * per_node)) --out "$out/nodes-$nodes"

# The last one makes the report, of what there is; none does in an array that was cancelled.
if [ "$cancelled" = yes ]; then exit "$code"; fi
: >"$out/.ended-$SLURM_ARRAY_JOB_ID-$nodes"
ended=("$out/.ended-$SLURM_ARRAY_JOB_ID-"*)
if ((${#ended[@]} == SLURM_ARRAY_TASK_COUNT)); then
    rm "${ended[@]}"
    if rmdir "$out" 2>/dev/null; then exit "$code"; fi # nothing came of it
    "${python[@]}" -m mpi_pgd report "$out" || log "no report was made here: python -m mpi_pgd report $out makes it anywhere"
fi
exit "$code"
"""


class Kind(NamedTuple):
    """A kind of script.

    Attributes:
        program: the command that it runs.
        head: lines at its top.
        directives: for sbatch.
        parts: behind what all have in common.
        example: what sbatch may be given.
        nodes: of the shipped one.
        array: it has a task for each number of nodes.
    """

    program: str
    head: str
    directives: tuple[str, ...]
    parts: tuple[str, ...]
    example: str = "--nodes=4"
    nodes: tuple[int, ...] = (2,)
    array: bool = False


_USR1, _APPEND = "--signal=B:USR1@%d", "--open-mode=append"
_FIT, _STUDY = (_USR1, "--requeue", _APPEND), ("--exclusive", _USR1, _APPEND)
KINDS = {
    "fit": Kind(
        "fit",
        """
# A fit.%s
# Some time before the limit SLURM sends USR1: the fit ends with what it has by then, and with code 75.
# If SLURM loses a node and queues the job again, it goes on from its checkpoint, to the same bits.""",
        _FIT,
        (FIT, ONCE, END),
    ),
    "chain": Kind(
        "fit",
        """
# A fit that may take longer than a job.%s
# Some time before the limit SLURM sends USR1: the fit saves a checkpoint and ends with code 75, and the job is queued again.
# Its next life goes on from there to the same bits, on as many nodes as it then gets, until the fit is done.""",
        _FIT,
        (FIT, CHAIN, END),
        "--nodes=4 --time=4:00:00",
    ),
    "compare": Kind(
        "compare",
        """
# Which mode and algorithm is better here.%s
# Some time before the limit SLURM sends USR1: what is measured by then is kept, and the code is 75.""",
        _STUDY,
        (STUDY,),
    ),
    "scaling": Kind(
        "scaling",
        """
# The speedup curve over numbers of nodes: an array with a task for each, one after the other. The last makes a report of all.%s
# Some time before the limit SLURM sends USR1: what is measured by then is kept, and the code is 75.""",
        _STUDY,
        (SCALING,),
        "--array=1-8%1",
        (1, 2, 4),
        array=True,
    ),
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
    lines = ["#!/bin/bash" + kind.head % usage, *_notes(batch), *_directives(batch), "", TRAPS, *_environment(batch)]
    return "\n".join(lines) + "".join((COMMON, *kind.parts)).replace("PROGRAM", kind.program).replace("KIND", batch.kind)


def _notes(batch: Batch) -> list[str]:
    return ["# Where the numbers come from:", *(f"#   {note}" for note in batch.notes)] if batch.notes else []


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
        *(batch.setup or [PLACE_OF_SETUP]),
        f"python=({shlex.join(batch.python)}){container}",
        "",
        "set -eu",
        "unset SLURM_EXPORT_ENV # of sbatch --export=NONE: srun would hand on nothing",
        "export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # srun does not take it from sbatch",
    ]
    if batch.launch:
        lines.append(f"launch=({shlex.join(batch.launch)})")
    else:
        lines += [
            "# What starts the ranks: srun --mpi=... or mpirun, by the MPI that this Python loads.",
            'words=${MPI_PGD_LAUNCH:-$("${python[@]}" -m mpi_pgd slurm launcher)}',
            "words=$(xargs printf '%s\\n' <<<\"$words\") # with quotes as in a shell",
            'mapfile -t launch <<<"$words"',
        ]
    if batch.words:
        lines.append(f'set -- {shlex.join(batch.words)} "$@"')
    return lines


def clock(minutes: int) -> str:
    """As sbatch reads and shows it: ``2-03:00:00``, ``1:30:00``."""
    days, rest = divmod(minutes, 24 * 60)
    return f"{f'{days}-' if days else ''}{rest // 60:0{2 if days else 1}}:{rest % 60:02}:00"
