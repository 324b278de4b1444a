out=${files[1]:-PROGRAM-$SLURM_JOB_ID} checkpoint='' before=''
run "$out" "$@" --out "$out"
exit "$code"
