if [ -n "$before" ] || ((number > 1)); then log "on $SLURM_JOB_NODELIST, $where"; fi
run "$checkpoint" "$@"
