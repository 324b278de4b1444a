"""Why a fit ended, in the words that records have."""

from enum import StrEnum


class Status(StrEnum):
    """Why a fit ended."""

    CONVERGED = "converged"
    PRECISION = "precision reached"
    BIASED = "at rest beside the optimum"  # peers with neighbours, whose solver has a bias
    ROUNDS = "rounds exhausted"
    TIME = "time exhausted"
    SIGNAL = "stopped by signal"
    CALLBACK = "stopped by callback"  # as by a signal: it travels as one
    DIVERGED = "diverged"
    SEPARABLE = "no finite optimum"  # found by a look at the rows after the last round
