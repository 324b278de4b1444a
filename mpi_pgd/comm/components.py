"""What the environment settles before MPI starts: whether this is a rank at all, and which of Open MPI's components there are.

Open MPI's collectives that do not tolerate a lost rank are left out where ranks may be lost, as Open MPI itself does not do that.

``han`` wins on several nodes with several ranks each, and after a loss fails in ways of its own (open-mpi/ompi issue 13915).
"""

import os
import stat
from collections.abc import Mapping, MutableMapping
from pathlib import Path

INTOLERANT = ("adapt", "cuda", "han")
ELSEWHERE = ("hcoll", "portals4")  # as intolerant; few have them
COLL = "OMPI_MCA_coll"
FILES = "OMPI_MCA_mca_base_param_files"  # in place of the usual ones; what the user's usual one says, mpirun hands on
SITE = "etc/openmpi-mca-params.conf"
WINDOWS = "OMPI_MCA_osc"
ULFM = "OMPI_MCA_mpi_ft_enable"
WIRE, JOB = "PMI_FD", "PMIX_NAMESPACE"  # of a rank: MPICH's wire to the launcher, which nobody inherits; Open MPI's name of the job
RANK = "MPI_PGD_RANK"  # the job, and the process that is its rank
LAUNCHERS = ("PMI_", "PMIX_", "HYDI_", "PRTE_", "OMPI_")
PARAMETERS = "OMPI_MCA_"  # of these the user's own
HEARD = (ULFM, COLL, FILES, "OPAL_PREFIX")  # what decides
ADVICE = f"mpirun --mca coll ^{','.join((*INTOLERANT, *ELSEWHERE))}"


def apart(environment: MutableMapping[str, str]) -> None:
    """Before MPI starts: a process that a rank has started, as joblib does, has a world of its own.

    It has the launcher's variables, by which MPI would take it for that rank, and end it, or all.
    """
    job, known = environment.get(JOB, ""), environment.get(RANK, "").rpartition(" ")
    started = bool(job) and known[0] == job and known[2] != str(os.getpid())
    if started or not _is_socket(environment.get(WIRE)):
        for name in [each for each in environment if each.startswith(LAUNCHERS) and not each.startswith(PARAMETERS)]:
            del environment[name]
    else:
        mark(environment)


def mark(environment: MutableMapping[str, str]) -> None:
    """Say which process is the rank, for those that it starts."""
    if job := environment.get(JOB):
        environment[RANK] = f"{job} {os.getpid()}"


def _is_socket(descriptor: str | None) -> bool:
    """Whether a rank's wire to its launcher is open here; so it is where a launcher has none."""
    try:
        return descriptor is None or stat.S_ISSOCK(os.fstat(int(descriptor)).st_mode)
    except (OSError, ValueError):
        return False


def choose(environment: MutableMapping[str, str]) -> None:
    """Before MPI starts: leave these out, unless the user said which are to be used, in any of Open MPI's ways."""
    if ulfm(environment) and not _chosen(environment):
        environment[COLL] = ADVICE.split()[-1]


def silence(environment: MutableMapping[str, str]) -> None:
    """Before MPI starts: leave UCX's windows out, which write a line to stderr where its hardware is none; ours are of memory."""
    environment.setdefault(WINDOWS, "^ucx")


def intolerant(environment: Mapping[str, str]) -> str:
    """What is wrong with the components that may be chosen on several nodes; empty if nothing is."""
    if not ulfm(environment):
        return ""
    words = _chosen(environment)
    names = {name.strip() for name in words.removeprefix("^").split(",")}
    bad = {*INTOLERANT} - names if words[:1] in ("^", "") else {*INTOLERANT, *ELSEWHERE} & names
    if not bad:
        return ""
    return f"ULFM is on, but Open MPI may choose the collectives {', '.join(sorted(bad))}, which do not survive a lost rank"


def ulfm(environment: Mapping[str, str]) -> bool:
    """Whether Open MPI was told that ranks may be lost."""
    return environment.get(ULFM) == "1"


def _chosen(environment: Mapping[str, str]) -> str:
    """The value of Open MPI's parameter coll, from its flag, variable or files; empty if it has none."""
    if COLL in environment:
        return environment[COLL]
    usual = str(Path(environment.get("OPAL_PREFIX", "/usr"), SITE))
    for name in environment.get(FILES, usual).replace(",", os.pathsep).split(os.pathsep):
        for line in Path(name).read_text(errors="replace").splitlines() if Path(name).is_file() else ():
            key, _, value = line.partition("=")
            if key.strip() == "coll":
                return value.strip()
    return ""
