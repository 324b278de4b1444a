if [ "$code" = 0 ] && [ -z "${files[0]}" ] && [ -e "$checkpoint" ]; then
    rm "$checkpoint"
    if [ "${files[2]}" != quiet ]; then log "the checkpoint $checkpoint is not needed any more, and removed"; fi
fi
exit "$code"
