# Before anything else: a signal ends a script that has no trap for it. USR1 comes to this script alone and is handed on. TERM
# (scancel, or the limit) comes to the ranks as well: another signal would end them at once.
number=$((${SLURM_RESTART_COUNT:-0} + 1)) warned=no cancelled=no launcher=
log() { printf '[%(%F %T)T] run %d: %s
' -1 "$number" "$1"; }
trap 'warned=yes; log "USR1, the job is to end"; [ -z "$launcher" ] || kill -USR1 "$launcher" || true' USR1
trap 'cancelled=yes; log "TERM, the job is to end"' TERM
