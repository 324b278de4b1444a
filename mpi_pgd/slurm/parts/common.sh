# Where the arguments and the settings file put the checkpoint and the result, and whether they ask for quiet.
found=$("${python[@]}" -m mpi_pgd slurm files PROGRAM "$@")
mapfile -t files <<<"$found"

# As many ranks as SLURM says; its number is that of the first run, which may have had more nodes.
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
# What is there of the checkpoint: a run that leaves it as it was came to nothing.
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
