"""What the record of a fit says of how it was solved, and how well, in words; those of earlier versions have less to say."""

import math

from mpi_pgd.report import units
from mpi_pgd.report.shapes import Record

LEAST = 1e-16  # relative to all that an objective can fall by: no difference is better than that
ROUNDED = 1e-15  # of an objective: about its rounding error
FULL = 15.9  # digits: those of a float64


def ranks(record: Record) -> str:
    """How many, and their threads, if they have more than one."""
    threads = (record.get("config") or {}).get("threads", 1)
    more = f" of {threads} threads each" if threads != 1 else ""
    return f"{units.count(record['ranks'], 'rank')}{more}, {units.count(record['workers'], 'worker')}"


def solver(record: Record) -> str | None:
    """Its name, and why it was chosen, if it was not asked for."""
    name, reason = record.get("solver"), record.get("solver_reason")
    if not name:
        asked = (record.get("config") or {}).get("solver")
        return asked if isinstance(asked, str) else None
    return f"{name} ({reason})" if reason else str(name)


def certificate(record: Record) -> str | None:
    """How near the optimum is, and how that is known."""
    found, digits = record.get("certificate"), record.get("digits")
    if not found:
        return None
    if record.get("separation"):
        return "none: no weights are the best"
    kind, relative = found["kind"], found.get("relative")
    if kind == "solved":
        return _solved(record.get("diagnosis") or {})
    if kind == "gradient norm" or relative is None:
        fell = f"none but the gradient's norm, which fell by {digits:.1f} powers of ten"
        elsewhere = (
            "" if found.get("convex", True) else "; the loss is not convex, as far as is known: another optimum may be better"
        )
        return f"{fell}{elsewhere}" if digits else "none: the gradient's norm is no smaller than at the start"
    if found.get("gap", math.inf) <= ROUNDED * abs(record.get("objective") or 0.0):
        return f"the objective is that of the optimum, to its rounding ({kind})"
    near = f"the objective is within {above(max(relative, LEAST))} of the optimum, relative to all it can fall by"
    return f"{near} ({kind})"


def graph(record: Record) -> str | None:
    """Who talks to whom, and how fast that makes them agree."""
    found = record.get("neighbours")
    if not found:
        return None
    peers, most = units.count(found["peers"], "peer"), units.count(found["neighbours"], "neighbour")
    return f"{found['graph']}: {peers} with at most {most}, diameter {found['diameter']}, spectral gap {found['gap']:.3g}"


def consensus(record: Record) -> str | None:
    """How far the peers' weights are apart, and what the solver leaves of the gradient."""
    found = record.get("neighbours")
    if not found:
        return None
    text = f"each peer's weights are within {found['consensus']:.1e} of their mean, relative to it"
    if not found["biased"]:
        return text
    fell = f"the gradient over all rows is 10^-{record['digits']:.1f} of that at the start"
    return f"{text}; there {fell}, as gradient descent of peers stops beside the optimum: the solver auto does not"


def condition(record: Record) -> str | None:
    """What least squares told of the columns, and of the weights."""
    found = record.get("diagnosis")
    if not found:
        return None
    number = found.get("condition")
    size = "beyond what can be told" if number is None else f"{number:.2g}"
    if not found.get("unique", True):
        return f"{size}: columns are collinear, so that the weights are not unique"
    return f"{size}: the rounding of the rows leaves {math.floor(found['digits'])} digits of the weights for certain"


def explained(record: Record) -> tuple[str, str]:
    """What the share that the model explains is called, and that share."""
    if record.get("r2") is None:
        return "R2", "not defined"
    share = f"{record['r2']:.6f}"
    return ("explained", f"{share} of the deviance") if record.get("explains") == "deviance" else ("R2", share)


def _solved(found: Record) -> str:
    digits = found.get("reached", 0.0)
    if not found.get("unique", True):
        return "least squares is solved: no weights fit better, though others fit as well"
    if digits >= FULL - 1:
        return "least squares is solved to the last digit of the rows as they are stored"
    return f"least squares is solved to {math.floor(digits)} digits of the rows as they are stored"


def above(value: float) -> str:
    """A positive number of one digit that is no smaller: what is said of a bound has to hold, too."""
    digit = 10.0 ** math.floor(math.log10(value))
    return f"{math.ceil(value / digit * (1 - 1e-12)) * digit:.0e}"
