"""The settings of a fit: one field each, from which come the flags, the TOML keys, the checks, and the help."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, make_dataclass, replace
from typing import Any

from mpi_pgd.choices import Choices
from mpi_pgd.comm.graphs import EXPECTED, GRAPHS
from mpi_pgd.engine.cut import usual
from mpi_pgd.errors import InputError, nearest
from mpi_pgd.losses import LOSSES
from mpi_pgd.modes import ALGORITHMS, MODES, REPLICATED_WAYS, SYNONYMS
from mpi_pgd.options import (
    BITS,
    CARRIED,
    DATA,
    MODEL,
    OUTPUT,
    RANKS,
    SOLVER,
    STRAGGLERS,
    STUDIES,
    SURVIVAL,
    choice,
    option,
    options_of,
    switch,
)
from mpi_pgd.penalties import PENALTIES, rough
from mpi_pgd.solvers import SOLVERS
from mpi_pgd.values import checked, names, period, size

# Settings of linear models alone, which other models can't have; nor penalties that are not smooth.
LINEAR = (
    "loss",
    "weights",
    "offset",
    "class_weight",
    "penalty_factors",
    "groups",
    "lower",
    "upper",
    "init",
    "replicas",
    "validate",
)
TABLE = tuple(options_of([Choices]))  # settings of tables
# Settings that mapreduce has, too: what the rows are, who adds up what comes of them, and where they are.
HELD = ("x", "y", "mode", "algorithm", "memory", "cache")
MAPPED = (*HELD, *TABLE)
OFTEN = 0.01  # seconds between two checkpoints, at least
ROWS = "HDF5 files or globs, one long table, or tables such as CSV"
FILES = f"{ROWS}; default: the shipped data"

PLAIN = "plain"  # of --sums
AS_IS = "as-is"  # of --store
WIDE = "float64"  # likewise: other types are widened to it in the rounds, to the same bits
STORES = (WIDE, "float32", "bfloat16")
NONE, MEMORY = "none", "memory"  # of --cache: read all rows again in each round, or none

# What a setting is expected to be, and whether it is.
COUNT = ("a whole number from 1 to 2**63 - 1", lambda v: 1 <= v < 2**63)
CUT = ("a whole number, or 0 for as many as there are", lambda v: 0 <= v < 2**63)
FRACTION = ("a number from 0 to 1", lambda v: 0 <= v <= 1)
LIMIT = ("auto or a number above 0", lambda v: v == "auto" or v > 0)
PATIENCE = ("auto, inf or a number of at least 0.1", lambda v: v == "auto" or v >= 0.1)
EVERY = (
    f"a time of at least {OFTEN} s as in 60s, or a number of rounds as in 20rounds",
    lambda v: bool(re.fullmatch(r"(\d+(\.\d*)?|\.\d+)s|[1-9]\d*rounds", v)) and min(period(v)[0], OFTEN) == OFTEN,
)
SIZE = ("auto or a size as in 512MiB or 4GiB", lambda v: size(v) > 0)
FAIL_SLOW = ("RANK@ROUND, two whole numbers", lambda v: bool(re.fullmatch(r"(\d+@\d+)?", v)))
COLUMN = ("the name of a data set", lambda _: True)
BOUND = ("a finite number, or the name of a data set", lambda v: isinstance(v, str) or math.isfinite(v))
DELAY = (
    "RANK:FACTOR with a factor of at least 1, or exponential:MEAN in seconds",
    lambda v: bool(re.fullmatch(r"(\d+:0*[1-9]\d*(\.\d*)?|exponential:\d*\.?\d+(e-?\d+)?)?", v)),
)

GRAPH = next(iter(GRAPHS))  # the default
_ALGORITHMS = dict.fromkeys(name for names in ALGORITHMS.values() for name in names)
# The losses', the penalties' and the solvers' own.
_MEMBERS = options_of([*LOSSES.values(), *PENALTIES.values(), *SOLVERS.values()])
_OWN = [(name, item.type, field(default=item.default, metadata=item.metadata)) for name, item in _MEMBERS.items()]
_Options: Any = make_dataclass("_Options", _OWN, frozen=True)


@dataclass(frozen=True)
class Settings(Choices, _Options):  # type: ignore[misc]
    """What to fit and how. The defaults are the program's."""

    data: tuple[str, ...] = option(DATA, (), FILES, "names of HDF5 files", facts=CARRIED)
    x: str = option(DATA, "X", "data set with the features, (n, p)", "a name", facts=CARRIED | STUDIES)
    y: str = option(DATA, "y", "data set with the targets, (n,), or (n, k) for k a row", "a name", facts=CARRIED | STUDIES)
    weights: str = option(DATA, "", "data set with each row's weight, (n,)", *COLUMN, facts=BITS)
    offset: str = option(DATA, "", "data set with what is added to each row's linear predictor, (n,)", *COLUMN, facts=BITS)
    class_weight: str = option(
        DATA, "", "weights of the classes' rows: balanced, or a JSON or TOML file", "balanced, or a file's name", facts=BITS
    )
    store: str = choice(
        DATA,
        "type that rows are kept in: as in the files, or another one; float32 and bfloat16 round values that need more",
        AS_IS,
        *STORES,
        facts=BITS,
    )
    penalty_factors: str = option(DATA, "", "data set by which each feature's penalty is multiplied, (p,)", *COLUMN, facts=BITS)
    groups: str = option(DATA, "", "data set with the number of each feature's group, (p,), for l1 on groups", *COLUMN, facts=BITS)
    lower: str | float = option(DATA, "", "least weight: a number, or a data set with one a feature, (p,)", *BOUND, facts=BITS)
    upper: str | float = option(DATA, "", "largest weight: a number, or a data set with one a feature, (p,)", *BOUND, facts=BITS)
    init: str = option(
        MODEL, "", "start from a model file or a run bundle, not from 0", "the name of a file or of a folder", facts=BITS
    )
    mode: str = choice(RANKS, ", or ".join(each.text for each in MODES.values()), *MODES, facts=CARRIED)
    algorithm: str = choice(RANKS, "collective algorithm: the library's own, or one by hand", *_ALGORITHMS, facts=CARRIED)
    graph: str = option(
        RANKS, GRAPH, f"who talks to whom, of peers with neighbours: {EXPECTED}", EXPECTED, lambda v: v != "", facts=CARRIED
    )
    ranks_per_node: int = option(
        RANKS, 0, "have a machine stand for nodes of so many ranks each, with a mode that tells nodes apart", *CUT, facts=STUDIES
    )
    share_rows: bool = switch(RANKS, False, "hold rows once a node, where all its ranks see them: a lost rank's are not read again")
    threads: int = option(
        RANKS,
        1,
        "threads of each rank, which share its rows in memory",
        "a whole number from 1 to 1024",
        lambda v: 1 <= v <= 1024,
        facts=STUDIES,
    )
    replicas: int = option(RANKS, 1, "hold each block on so many ranks: the first partial of it counts", *COUNT)
    loss: str = option(
        MODEL,
        "squared",
        "what is minimised: a loss, or a function of your own, FILE.py:function",
        f"one of {', '.join(LOSSES)}, or a function as FILE.py:function or package.module:function",
        lambda v: v in LOSSES or ":" in v,
        choices=tuple(LOSSES),
        facts=BITS,
    )
    model: str = option(
        MODEL, "", "a model of your own in place of a linear one: FILE.py:function", "a function's name", facts=BITS
    )
    solver: str = choice(SOLVER, "how the gradient moves the weights", *SOLVERS, facts=BITS)
    intercept: bool = switch(MODEL, True, "fit an intercept", facts=BITS)
    standardize: bool = switch(MODEL, True, "scale the features (weights stay in your units)", facts=BITS)
    rounds: int = option(SOLVER, 10_000, "at most so many rounds", *COUNT, facts=CARRIED | STUDIES)
    tol: float = option(
        SOLVER,
        1e-12,
        "stop when the objective is so near its optimum, relative to all it can fall by; or the gradient's norm so small, likewise",
        *FRACTION,
        facts=CARRIED,
    )
    max_seconds: str | float = option(
        SOLVER, math.inf, "stop after so many seconds, or auto: before the time limit of the SLURM job", *LIMIT
    )
    sums: str = choice(RANKS, "sums that do not depend on the order, or plain ones", "order-free", PLAIN, facts=BITS)
    folds: str | int = option(
        RANKS,
        "auto",
        "numbers sent for each that is summed, 2, or 1, with fewer digits; auto: 1 of a million or more, else 2",
        "auto, 1 or 2",
        lambda v: v in ("auto", 1, 2),
        facts=BITS,
    )
    delay: str = option(
        STRAGGLERS,
        "",
        "stragglers on purpose: RANK:FACTOR, a rank that takes FACTOR times as long, or exponential:MEAN seconds on all workers",
        *DELAY,
    )
    fail_slow: str = option(STRAGGLERS, "", "RANK@ROUND: from this round on the rank takes 10 times as long", *FAIL_SLOW)
    checkpoint: str = option(SURVIVAL, "", "file that the state is saved to, at intervals and at the end", "a file's name")
    every: str = option(SURVIVAL, "60s", "how often: so many seconds, or rounds", *EVERY, facts=CARRIED)
    resume: str = option(SURVIVAL, "", "checkpoint to go on from, to the same bits, with any number of ranks", "a file's name")
    patience: str | float = option(
        SURVIVAL,
        "auto",
        "say who keeps all waiting after so many seconds without a round; auto: in a SLURM job of several nodes, end without a "
        "rank that is not heard of for a minute or more; inf: wait for ever",
        *PATIENCE,
    )
    frozen: str = choice(SURVIVAL, "what is done then: end with a checkpoint, or drop that rank (with ULFM)", "end", "drop")
    memory: str = option(RANKS, "auto", "for rows, on a rank, as in 4GiB; auto: what the machine or the job has", *SIZE)
    cache: str = choice(
        RANKS,
        "auto: rows that memory has no room for are read again in each round; none: all are; memory: refuse to do so",
        "auto",
        NONE,
        MEMORY,
    )
    balance: bool = switch(RANKS, False, "move blocks from slow ranks to fast ones between rounds")
    validate: str = option(
        OUTPUT, "", "rows that the fit has not seen, on which it is judged in the end", "HDF5 files or globs, separated by commas"
    )
    evaluate: bool = switch(OUTPUT, True, "judge the fit on its own rows, too, for the report, if all are in memory")
    trace: bool = switch(OUTPUT, False, "write trace.json, a timeline for Perfetto, into the run bundle")
    out: str = option(OUTPUT, "", "folder for the run bundle", "a folder's name")
    force: bool = switch(OUTPUT, False, "let --out and --checkpoint overwrite what is there, but nothing that is read")
    all: bool = switch(OUTPUT, False, "show all coefficients in the end, not the ten largest alone")
    quiet: bool = switch(OUTPUT, False, "print nothing but errors and warnings", facts=STUDIES)

    @property
    def way(self) -> tuple[str, str]:
        """The mode, and its algorithm or graph."""
        return self.mode, self.graph if MODES[self.mode].neighbours else self.algorithm

    def folding(self, width: int) -> int:
        """How many folds of each of so many numbers are sent (``engine.cut``); 0: their plain sum."""
        if self.sums == PLAIN:
            return 0
        return usual(width) if self.folds == "auto" else int(self.folds)

    def as_dict(self) -> dict[str, Any]:
        """For the wire and for records."""
        return asdict(self)


# A member's options behind what chooses it, and those of tables behind those of HDF5.
_FIELDS = sorted(fields(Settings), key=lambda item: (item.name in _MEMBERS) + (item.name in (*TABLE, *_MEMBERS)))
OPTIONS = {item.name: item for item in _FIELDS if item.name != "data"}


def having(fact: str) -> tuple[str, ...]:
    """The settings that are so.

    Args:
        fact: ``bits``, they decide the bits of a round, so a run that goes on from a checkpoint needs the same; ``carried``, it
            takes them from there, unless it is told otherwise; ``studies``, a study reads them, too.
    """
    return tuple(item.name for item in _FIELDS if fact in item.metadata["facts"])


def flag(name: str) -> str:
    """The flag of a setting."""
    return "--" + name.replace("_", "-")


def given(chosen: Settings, names: Iterable[str]) -> list[str]:
    """Those of these settings that are not as they are by default."""
    return [name for name in names if getattr(chosen, name) != OPTIONS[name].default]


def settings(values: Mapping[str, Any], label: Callable[[str], str] = str) -> Settings:
    """Settings from values as a person gave them: text from flags, typed values from TOML or Python.

    Args:
        values: by name.
        label: how to name a setting in an error: as a flag, a TOML key, or an argument.

    Raises:
        InputError: an unknown name, a value of another type, or out of range.
    """
    known = [*OPTIONS, "data"]
    typed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            hint = nearest(name, known)
            raise InputError(f"unknown setting {label(name)}{hint}: expected one of {', '.join(known)}")
        typed[name] = names(value) if name == "data" else checked(OPTIONS[name], value, label(name), SYNONYMS)
    chosen = Settings(**typed)
    if MODES[chosen.mode].neighbours:
        _check_neighbours(chosen, label)
    elif chosen.graph != GRAPH:
        modes = " or ".join(name for name, each in MODES.items() if each.neighbours)
        raise InputError(f"{label('graph')} {chosen.graph} is of peers with neighbours: expected {label('mode')} {modes}")
    elif chosen.algorithm not in ALGORITHMS[chosen.mode]:
        raise InputError(
            f"{label('algorithm')} {chosen.algorithm} is not one of the mode {chosen.mode}: "
            f"expected one of {', '.join(ALGORITHMS[chosen.mode])} there, or another {label('mode')}"
        )
    if chosen.sums == PLAIN and given(chosen, ["folds"]):
        raise InputError(f"{label('folds')} {chosen.folds} is of order-free sums: expected none with {label('sums')} {PLAIN}")
    if chosen.frozen == "drop" and chosen.patience in ("auto", math.inf):
        raise InputError(f"{label('frozen')} drop needs {label('patience')}: expected the seconds after which a rank is dropped")
    if chosen.replicas > 1 and (chosen.mode, chosen.algorithm) not in REPLICATED_WAYS:
        served = " or ".join(f"{label('mode')} {mode} and {label('algorithm')} {name}" for mode, name in REPLICATED_WAYS)
        raise InputError(f"{label('replicas')} {chosen.replicas} needs a server, which takes what comes first: expected {served}")
    if chosen.balance and chosen.replicas > 1:
        raise InputError(f"{label('balance')} and {label('replicas')} {chosen.replicas} exclude each other: expected one of them")
    if chosen.share_rows and chosen.cache == NONE:
        raise InputError(f"{label('share_rows')} and {label('cache')} {NONE} exclude each other: expected one of them")
    if chosen.trace and not chosen.out:
        raise InputError(f"{label('trace')} needs {label('out')}: expected a folder for trace.json")
    return _own(chosen, label) if chosen.model else chosen


def _check_neighbours(chosen: Settings, label: Callable[[str], str]) -> None:
    """The graph is the algorithm; what has no meaning without sums over all ranks is refused."""
    if given(chosen, ["algorithm"]):
        raise InputError(
            f"{label('algorithm')} {chosen.algorithm} is none of the mode {chosen.mode}: expected {label('graph')} {EXPECTED}"
        )
    why = {
        "balance": "a peer's objective is that of its rows, which must stay",
        "model": "it may have several optima, which peers would not agree on",
    }
    for name in given(chosen, why):
        raise InputError(f"the mode {chosen.mode} does not go with {label(name)}: {why[name]}; expected another {label('mode')}")


def _own(chosen: Settings, label: Callable[[str], str]) -> Settings:
    """With a model of the user's own, what is of linear models has no meaning."""
    linear = [label(name) for name in given(chosen, [*LINEAR, *rough(chosen)])]
    if linear:
        verb = "is" if len(linear) == 1 else "are"
        raise InputError(
            f"{' and '.join(linear)} {verb} of linear models, and {label('model')} was given: expected one or the other"
        )
    return replace(chosen, intercept=False, standardize=False)
