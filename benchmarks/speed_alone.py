"""Run by speed.py under mpirun, without MPI: lets a child be this rank of a run, and writes what that took into ANSWER.RANK.

mpirun -n R python benchmarks/speed_alone.py ANSWER TRACED WORD ...
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

CALLS = "open,openat,openat2"


def main(answer: str, traced: str, *words: str) -> None:
    rank = os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", "0"))
    log, strace = Path(f"{answer}.{rank}.strace"), shutil.which("strace") if int(traced) else None
    trace = [strace, "-f", "-o", str(log), "-e", f"trace={CALLS}"] if strace else []
    # Not closing files hands on the pipe to MPICH's launcher.
    done = subprocess.run(
        [*trace, sys.executable, "-m", "mpi_pgd", *words], close_fds=False, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    opened = sum(" = -1 " not in line for line in log.read_text().splitlines() if " open" in line) if strace else 0
    found = {"seconds": used.ru_utime + used.ru_stime, "peak": 1024 * used.ru_maxrss, "opened": opened}
    Path(f"{answer}.{rank}").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
