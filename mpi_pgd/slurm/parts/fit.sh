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
