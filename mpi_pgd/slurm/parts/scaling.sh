out=${files[1]:-scaling-$SLURM_ARRAY_JOB_ID} checkpoint='' before=''
nodes=$SLURM_ARRAY_TASK_ID per_node=${SLURM_NTASKS_PER_NODE:?give sbatch --ntasks-per-node}
ranks=$((nodes * per_node))

# sbatch asks alike for all tasks of an array, but each is to have just the nodes that it uses. The first one says so for those
# that wait; one that has too few is queued again; what is too much is given back, unless the site forbids it.
resize() { scontrol update JobId="$1" NumNodes="$2-$2" NumTasks=$(($2 * per_node)) "${@:3}"; }
if ((number == 1 && nodes == SLURM_ARRAY_TASK_MIN)); then
    for task in $(squeue -h -r -j "$SLURM_ARRAY_JOB_ID" -t PD -o %K); do
        resize "${SLURM_ARRAY_JOB_ID}_$task" "$task" || true
    done
fi
if ((nodes > SLURM_JOB_NUM_NODES)); then
    trap '' TERM # which SLURM sends to the script of a job that is queued again
    if ((number == 1)) && scontrol requeue "$SLURM_JOB_ID" && resize "$SLURM_JOB_ID" "$nodes" StartTime=now+5seconds; then exit 0; fi
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
