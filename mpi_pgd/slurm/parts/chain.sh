runs=${MPI_PGD_RUNS:-100}  # a job that comes to no end is not queued again for ever
barren=$checkpoint.barren # a line for each run in a row that came to nothing: after the third it ends
log "on $SLURM_JOB_NODELIST, $where"
said=$(stat -Lc %s /dev/fd/2) # of the log by now
run "$checkpoint" "$@"

again=no
if [ "$code" = 75 ] || [ "$cut" = yes ]; then again=yes; fi
if [ "$cancelled" = yes ] || ((number >= runs)); then again=no; fi
if [ "$warned" = yes ] || [ "$(state)" != "$before" ]; then
    rm -f "$barren"
elif [ "$again" = yes ] && echo "run $number on $SLURM_JOB_NODELIST: code $code" >>"$barren" && (($(wc -l <"$barren") >= 3)); then
    log "three runs in a row came to nothing"
    again=no
fi
# Has the next run leave out nodes on which srun could not start a task, as it says in the log, if there are enough others.
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
    scontrol update JobId="$SLURM_JOB_ID" ExcNodeList="$out" && log "the next run leaves out $out"
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
